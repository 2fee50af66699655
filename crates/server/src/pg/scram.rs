//! SCRAM-SHA-256 (RFC 5802 and 7677): both sides prove that they know the password, and neither says it.
//!
//! The server keeps a [`Verifier`] only, in PostgreSQL's notation. From it nobody can log in, and the password
//! can only be guessed.
//!
//! ```text
//! client   n,,n=,r=<nonce>                          client first
//! server   r=<nonce+>,s=<salt>,i=<iterations>       server first
//! client   c=biws,r=<nonce+>,p=<proof>              client final
//! server   v=<signature>                            server final
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::gen_salted_password;
use ring::{digest, hmac};
use std::fmt;
use std::str::FromStr;

/// The mechanism's name.
pub const MECHANISM: &str = "SCRAM-SHA-256";

const ITERATIONS: usize = 4096;

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: usize,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

impl Verifier {
    /// Of a password, with a new salt.
    pub fn of_password(password: &str) -> Verifier {
        Verifier::with_salt(password, &rand::random::<[u8; 16]>(), ITERATIONS)
    }

    fn with_salt(password: &str, salt: &[u8], iterations: usize) -> Verifier {
        let salted = gen_salted_password(password, salt, iterations);
        Verifier {
            iterations,
            salt: salt.to_vec(),
            stored_key: sha256(&sign(&salted, b"Client Key")),
            server_key: sign(&salted, b"Server Key"),
        }
    }

    /// One that no password has, for a user that there is not: the exchange then fails no sooner than with a
    /// wrong password, and always tells the same salt.
    pub fn of_nobody(user: &str, seed: &[u8]) -> Verifier {
        Verifier {
            iterations: ITERATIONS,
            salt: sign(seed, user.as_bytes())[..16].to_vec(),
            stored_key: rand::random(),
            server_key: rand::random(),
        }
    }
}

/// In PostgreSQL's notation, as in `pg_authid.rolpassword`.
impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let (salt, stored, server) = (encode(&self.salt), encode(&self.stored_key), encode(&self.server_key));
        write!(f, "{MECHANISM}${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// Nothing of it is shown where values are printed for looking at.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

/// Reads PostgreSQL's notation.
impl FromStr for Verifier {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (head, keys) =
            text.strip_prefix(MECHANISM).and_then(|t| t.strip_prefix('$')).ok_or(())?.split_once('$').ok_or(())?;
        let (iterations, salt) = head.split_once(':').ok_or(())?;
        let (stored, server) = keys.split_once(':').ok_or(())?;
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| ());
        let key = |text: &str| decode(text)?.try_into().map_err(|_| ());
        Ok(Verifier {
            iterations: iterations.parse().ok().filter(|i| (1..=10_000_000).contains(i)).ok_or(())?,
            salt: decode(salt)?,
            stored_key: key(stored)?,
            server_key: key(server)?,
        })
    }
}

/// Why a client was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A message does not follow the protocol.
    Malformed,
    /// The password is wrong.
    WrongPassword,
}

/// The server's side between its two messages.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    /// What the client says again in its second message.
    binding: String,
    nonce: String,
    /// The messages so far, which are what is signed.
    transcript: String,
}

impl Exchange {
    /// Takes the client's first message and gives the server's.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn begin(verifier: Verifier, client_first: &str) -> Result<(Exchange, String), Refused> {
        Exchange::begin_with_nonce(verifier, client_first, &STANDARD.encode(rand::random::<[u8; 18]>()))
    }

    fn begin_with_nonce(
        verifier: Verifier,
        client_first: &str,
        server_nonce: &str,
    ) -> Result<(Exchange, String), Refused> {
        // `n` and `y`: without channel binding, which is not offered.
        let mut parts = client_first.splitn(3, ',');
        let (flag, identity, bare) = (parts.next(), parts.next(), parts.next());
        let (Some(flag @ ("n" | "y")), Some(identity), Some(bare)) = (flag, identity, bare) else {
            return Err(Refused::Malformed);
        };
        let client_nonce = bare.split(',').find_map(|part| part.strip_prefix("r=")).filter(|nonce| !nonce.is_empty());
        let nonce = format!("{}{server_nonce}", client_nonce.ok_or(Refused::Malformed)?);
        let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
        let exchange = Exchange {
            verifier,
            binding: STANDARD.encode(format!("{flag},{identity},")),
            nonce,
            transcript: format!("{bare},{server_first}"),
        };
        Ok((exchange, server_first))
    }

    /// Takes the client's second message and gives the server's.
    ///
    /// # Errors
    /// [`Refused::Malformed`] and [`Refused::WrongPassword`].
    pub fn finish(self, client_final: &str) -> Result<String, Refused> {
        let (without_proof, proof) = client_final.rsplit_once(",p=").ok_or(Refused::Malformed)?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c="));
        let nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        if binding != Some(&self.binding) || nonce != Some(&self.nonce) {
            return Err(Refused::Malformed);
        }
        let proof: [u8; 32] = STANDARD.decode(proof).ok().and_then(|p| p.try_into().ok()).ok_or(Refused::Malformed)?;
        let message = format!("{},{without_proof}", self.transcript);
        let client_signature = sign(&self.verifier.stored_key, message.as_bytes());
        let client_key = xor(&proof, &client_signature);
        // Signing both again takes the same time for every wrong key.
        let same = sign(&client_signature, &sha256(&client_key)) == sign(&client_signature, &self.verifier.stored_key);
        if !same {
            return Err(Refused::WrongPassword);
        }
        Ok(format!("v={}", STANDARD.encode(sign(&self.verifier.server_key, message.as_bytes()))))
    }
}

/// The client's side.
#[derive(Debug)]
pub struct Client {
    password: String,
    nonce: String,
}

impl Client {
    /// Gives the client's first message.
    pub fn begin(password: &str) -> (Client, String) {
        let nonce = STANDARD.encode(rand::random::<[u8; 18]>());
        let first = format!("n,,n=,r={nonce}");
        (Client { password: password.to_owned(), nonce }, first)
    }

    /// Takes the server's first message and gives the client's second, with what the server's second must be.
    ///
    /// # Errors
    /// [`Refused::Malformed`].
    pub fn finish(self, server_first: &str) -> Result<(String, String), Refused> {
        let part = |name: &str| server_first.split(',').find_map(|p| p.strip_prefix(name)).ok_or(Refused::Malformed);
        let (nonce, salt, iterations) = (part("r=")?, part("s=")?, part("i=")?);
        if !nonce.starts_with(&self.nonce) {
            return Err(Refused::Malformed);
        }
        let salt = STANDARD.decode(salt).map_err(|_| Refused::Malformed)?;
        let iterations: usize = iterations.parse().map_err(|_| Refused::Malformed)?;
        if !(1..=10_000_000).contains(&iterations) {
            return Err(Refused::Malformed);
        }
        let salted = gen_salted_password(&self.password, &salt, iterations);
        let client_key = sign(&salted, b"Client Key");
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("n=,r={},{server_first},{without_proof}", self.nonce);
        let proof = xor(&client_key, &sign(&sha256(&client_key), message.as_bytes()));
        let signature = sign(&sign(&salted, b"Server Key"), message.as_bytes());
        Ok((format!("{without_proof},p={}", STANDARD.encode(proof)), format!("v={}", STANDARD.encode(signature))))
    }
}

fn sign(key: &[u8], message: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
}

fn sha256(message: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, message).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn xor(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_exchange_is_as_the_standard_says() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::with_salt("pencil", &salt, 4096);
        let (exchange, first) =
            Exchange::begin_with_nonce(verifier, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
                .unwrap();
        assert_eq!(first, "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        let client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(exchange.finish(client_final).unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn both_sides_understand_each_other() {
        let verifier: Verifier = Verifier::of_password("séc,ret").to_string().parse().unwrap();
        for (password, right) in [("séc,ret", true), ("secret", false)] {
            let (client, first) = Client::begin(password);
            let (exchange, server_first) = Exchange::begin(verifier.clone(), &first).unwrap();
            let (client_final, expected) = client.finish(&server_first).unwrap();
            match exchange.finish(&client_final) {
                Ok(server_final) => assert!(right && server_final == expected),
                Err(refused) => assert!(!right && refused == Refused::WrongPassword),
            }
        }
    }

    #[test]
    fn messages_that_do_not_follow_are_refused() {
        let verifier = Verifier::of_password("x");
        for first in ["", "n", "n,,", "n,,n=", "p=tls-server-end-point,,n=,r=abc"] {
            assert_eq!(Exchange::begin(verifier.clone(), first).unwrap_err(), Refused::Malformed, "{first}");
        }
        for last in ["", "c=biws,r=abc,p=", "c=biws,r=other,p=AAAA", "p="] {
            let (exchange, _) = Exchange::begin(verifier.clone(), "n,,n=,r=abc").unwrap();
            assert_eq!(exchange.finish(last).unwrap_err(), Refused::Malformed, "{last}");
        }
    }

    #[test]
    fn nobody_always_has_the_same_salt() {
        assert_eq!(Verifier::of_nobody("a", b"seed").salt, Verifier::of_nobody("a", b"seed").salt);
        assert_ne!(Verifier::of_nobody("a", b"seed").salt, Verifier::of_nobody("b", b"seed").salt);
    }
}
