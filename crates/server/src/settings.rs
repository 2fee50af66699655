//! Settings of the server.
//!
//! Each is declared once, in `settings!` below, and can be given as a flag, in the environment, in a TOML file, or not
//! at all; the first of these that has it counts. `--help`, the file's keys and [`DESCRIPTIONS`] are made from the
//! declaration. Only the file has the tables `[users]`, with passwords, and `[session]`, with what the settings of a
//! session begin with.

mod value;

pub use value::{AuthenticationMethod, ByteCount, Seconds};

use crate::pg::scram::Verifier;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What is known of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its key in the file; as a flag with hyphens.
    pub name: &'static str,
    /// Its environment variable.
    pub environment: &'static str,
    /// Its default, as it is written; empty for none.
    pub default: &'static str,
    /// What it is.
    pub sentence: &'static str,
}

macro_rules! settings {
    ($(
        #[doc = $sentence:literal]
        $name:ident: $type:ty = $environment:literal, $default:literal;
    )* optional $(
        #[doc = $optional_sentence:literal]
        $optional_name:ident: $optional_type:ty = $optional_environment:literal;
    )*) => {
        /// Every setting of the server, with a value.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $(#[doc = $sentence] pub $name: $type,)*
            $(#[doc = $optional_sentence] pub $optional_name: Option<$optional_type>,)*
            /// Passwords, or what PostgreSQL keeps of them, by user.
            pub users: BTreeMap<String, String>,
            /// What the settings of a session begin with.
            pub session: BTreeMap<String, String>,
        }

        impl Default for Settings {
            fn default() -> Self {
                Given::default().complete().expect("the defaults are valid")
            }
        }

        /// The settings that were given as flags or in the environment, or in the file.
        #[derive(Clone, Debug, Default, clap::Args, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Given {
            $(
                #[doc = $sentence]
                #[doc = concat!("[default: ", $default, "]")]
                #[arg(long, env = $environment, hide_env = true)]
                pub $name: Option<$type>,
            )*
            $(
                #[doc = $optional_sentence]
                #[arg(long, env = $optional_environment, hide_env = true)]
                pub $optional_name: Option<$optional_type>,
            )*
            /// Passwords, or what PostgreSQL keeps of them, by user.
            #[arg(skip)]
            pub users: BTreeMap<String, String>,
            /// What the settings of a session begin with.
            #[arg(skip)]
            #[serde(deserialize_with = "value::texts")]
            pub session: BTreeMap<String, String>,
        }

        impl Given {
            /// What is given here, and otherwise what is given there.
            pub fn or(self, other: Given) -> Given {
                Given {
                    $($name: self.$name.or(other.$name),)*
                    $($optional_name: self.$optional_name.or(other.$optional_name),)*
                    users: other.users.into_iter().chain(self.users).collect(),
                    session: other.session.into_iter().chain(self.session).collect(),
                }
            }

            fn complete(self) -> Result<Settings, String> {
                Ok(Settings {
                    $($name: match self.$name {
                        Some(value) => value,
                        None => $default.parse().map_err(|e| format!("{}: {e}", stringify!($name)))?,
                    },)*
                    $($optional_name: self.$optional_name,)*
                    users: self.users,
                    session: self.session,
                })
            }
        }

        /// Every setting, for the documentation.
        pub const DESCRIPTIONS: &[Description] = &[
            $(Description {
                name: stringify!($name),
                environment: $environment,
                default: $default,
                sentence: $sentence.trim_ascii_start(),
            },)*
            $(Description {
                name: stringify!($optional_name),
                environment: $optional_environment,
                default: "",
                sentence: $optional_sentence.trim_ascii_start(),
            },)*
        ];
    };
}

settings! {
    /// Directory that holds the databases; made when missing.
    data_dir: PathBuf = "HIGHWATER_DATA_DIR", "highwater-data";
    /// Address for PostgreSQL's protocol; port 0 takes a free one.
    pg: SocketAddr = "HIGHWATER_PG", "127.0.0.1:5432";
    /// Address for HTTP; port 0 takes a free one.
    http: SocketAddr = "HIGHWATER_HTTP", "127.0.0.1:8000";
    /// Who may connect: `trust` lets everyone in, `scram` asks for a password.
    auth: AuthenticationMethod = "HIGHWATER_AUTH", "trust";
    /// Most clients at once.
    max_connections: usize = "HIGHWATER_MAX_CONNECTIONS", "100";
    /// Memory that queries may use before they spill to disk or fail, like `512MB` or `4GB`.
    memory_limit: ByteCount = "HIGHWATER_MEMORY_LIMIT", "1GB";
    /// Seconds that running statements have to finish when the server stops.
    shutdown_grace: Seconds = "HIGHWATER_SHUTDOWN_GRACE", "5";
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter like `info,highwater_server=debug`.
    log_level: String = "HIGHWATER_LOG_LEVEL", "info";
    optional
    /// File with the certificate for encrypted connections, in PEM.
    tls_cert: PathBuf = "HIGHWATER_TLS_CERT";
    /// File with the certificate's key, in PEM.
    tls_key: PathBuf = "HIGHWATER_TLS_KEY";
}

/// The environment variable with the password of the user `postgres`. It is not a flag, because other users of the
/// machine see flags.
pub const PASSWORD_VARIABLE: &str = "HIGHWATER_PASSWORD";

impl Settings {
    /// Puts flags and environment, the file and the defaults together.
    ///
    /// # Errors
    /// What is wrong, with the name of the file and key.
    pub fn resolve(given: Given, file: Option<&Path>) -> Result<Settings, String> {
        let in_file = file.map(read_file).transpose()?.unwrap_or_default();
        let mut settings = given.or(in_file).complete()?;
        if let Ok(password) = std::env::var(PASSWORD_VARIABLE) {
            settings.users.insert("postgres".to_owned(), password);
        }
        Ok(settings)
    }

    /// What is kept of each user's password.
    pub fn verifiers(&self) -> HashMap<String, Verifier> {
        let verifier = |password: &str| password.parse().unwrap_or_else(|()| Verifier::of_password(password));
        self.users.iter().map(|(user, password)| (user.clone(), verifier(password))).collect()
    }
}

fn read_file(path: &Path) -> Result<Given, String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| format!("cannot read the settings in {}: {e}", path.display()))?;
    toml::from_str(&text).map_err(|e| format!("wrong setting in {}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        given: Given,
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_flag_counts_before_the_file_and_the_file_before_the_default() {
        let flags = Command::parse_from(["serve", "--pg", "127.0.0.1:1", "--memory-limit", "2GB"]).given;
        let file = file("pg = \"127.0.0.1:2\"\nmax_connections = 7\n[users]\nann = \"secret\"\n");
        let settings = Settings::resolve(flags, Some(file.path())).unwrap();
        assert_eq!(settings.pg.port(), 1);
        assert_eq!(settings.memory_limit, ByteCount(2 << 30));
        assert_eq!(settings.max_connections, 7);
        assert_eq!(settings.http.port(), 8000);
        assert_eq!(settings.users["ann"], "secret");
    }

    #[test]
    fn settings_of_sessions_are_texts_numbers_and_booleans() {
        let file = file("[session]\ntimezone = \"Europe/Paris\"\nlog_min_duration_statement = 250\njit = false\n");
        let settings = Settings::resolve(Given::default(), Some(file.path())).unwrap();
        let session: Vec<(&str, &str)> = settings.session.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let expected = [("jit", "false"), ("log_min_duration_statement", "250"), ("timezone", "Europe/Paris")];
        assert_eq!(session, expected);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_file() {
        for (text, key) in
            [("prot = 1", "prot"), ("max_connections = \"many\"", "max_connections"), ("pg = \"x\"", "pg")]
        {
            let file = file(text);
            let e = Settings::resolve(Given::default(), Some(file.path())).unwrap_err();
            assert!(e.contains(key) && e.contains(&file.path().display().to_string()), "{e}");
        }
    }

    #[test]
    fn a_password_may_be_a_verifier() {
        let verifier = Verifier::of_password("secret");
        let users = BTreeMap::from([("a".to_owned(), verifier.to_string()), ("b".to_owned(), "secret".to_owned())]);
        let settings = Settings { users, ..Settings::default() };
        let verifiers = settings.verifiers();
        assert!(verifiers["a"] == verifier && verifiers["b"] != verifier);
    }

    #[test]
    fn every_setting_is_described() {
        for description in DESCRIPTIONS {
            assert!(description.sentence.ends_with('.'), "{}", description.name);
            assert_eq!(description.environment, format!("HIGHWATER_{}", description.name.to_ascii_uppercase()));
        }
    }
}
