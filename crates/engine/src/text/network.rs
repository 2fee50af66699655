//! `inet` and `cidr`: addresses with the width of their network.

use super::number::invalid_syntax;
use crate::error::{Error, Result};
use std::net::IpAddr;

/// An address and how many of its bits are the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network, from the left.
    pub bits: u8,
}

impl Network {
    /// Reads an `inet`, or with `is_cidr` a `cidr`, which has no bits beside those of its network.
    ///
    /// # Errors
    /// 22P02 when the text is neither.
    pub fn parse(text: &str, is_cidr: bool) -> Result<Network> {
        let name = if is_cidr { "cidr" } else { "inet" };
        let bad = || invalid_syntax(name, text.as_bytes());
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| bad())?)),
            None => (text.trim(), None),
        };
        // The zeros at the end of a network may be left out.
        let missing = 3usize.saturating_sub(address.matches('.').count());
        let address: IpAddr = match is_cidr && bits.is_some() && !address.contains(':') {
            true => format!("{address}{}", ".0".repeat(missing)).parse().map_err(|_| bad())?,
            false => address.parse().map_err(|_| bad())?,
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let network = Network { address, bits: bits.unwrap_or(width) };
        if network.bits > width {
            return Err(bad());
        }
        if is_cidr && network.masked() != network.octets() {
            return Err(Error::new("22P02", format!("invalid cidr value: \"{text}\""))
                .detail("Value has bits set to right of mask."));
        }
        Ok(network)
    }

    /// Its text; an `inet` of a single host leaves the bits out.
    pub fn text(&self, is_cidr: bool) -> String {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        match !is_cidr && self.bits == width {
            true => self.address.to_string(),
            false => format!("{}/{}", self.address, self.bits),
        }
    }

    /// Whether this network lies in `other`, or is it.
    pub fn lies_in(&self, other: &Network) -> bool {
        let within = Network { address: self.address, bits: other.bits };
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.bits >= other.bits
            && within.masked() == other.masked()
    }

    /// Bytes in PostgreSQL's order: the family, the network, its width, the address.
    pub fn order_key(&self, out: &mut Vec<u8>) {
        out.push(if self.address.is_ipv4() { 4 } else { 6 });
        out.extend(self.masked());
        out.push(self.bits);
        out.extend(self.octets());
    }

    /// The first address of the network, as a network.
    pub fn network(&self) -> Network {
        Network { address: address_of(&self.masked()), bits: self.bits }
    }

    /// The last address of the network.
    pub fn broadcast(&self) -> Network {
        let mask = Network { address: self.address, bits: self.bits }.mask();
        let octets: Vec<u8> = self.octets().iter().zip(mask).map(|(octet, mask)| octet | !mask).collect();
        Network { address: address_of(&octets), bits: self.bits }
    }

    /// The mask of the network.
    pub fn netmask(&self) -> Network {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        Network { address: address_of(&self.mask()), bits: width }
    }

    fn octets(&self) -> Vec<u8> {
        match self.address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        }
    }

    fn mask(&self) -> Vec<u8> {
        let octets = if self.address.is_ipv4() { 4u8 } else { 16 };
        (0..octets).map(|i| !(0xff_u16 >> self.bits.saturating_sub(i * 8).min(8)) as u8).collect()
    }

    fn masked(&self) -> Vec<u8> {
        self.octets().iter().zip(self.mask()).map(|(octet, mask)| octet & mask).collect()
    }
}

fn address_of(octets: &[u8]) -> IpAddr {
    match <[u8; 4]>::try_from(octets) {
        Ok(octets) => IpAddr::from(octets),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(octets).expect("an address has 4 or 16 octets")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_brought_into_form() {
        for (text, is_cidr, expected) in [
            ("192.168.1.5/32", false, "192.168.1.5"),
            ("192.168.1.5/24", false, "192.168.1.5/24"),
            ("10/8", true, "10.0.0.0/8"),
            ("::1", true, "::1/128"),
            ("2001:DB8::/32", false, "2001:db8::/32"),
        ] {
            assert_eq!(Network::parse(text, is_cidr).unwrap().text(is_cidr), expected);
        }
        assert_eq!(Network::parse("10.0.0.1/8", true).unwrap_err().message, "invalid cidr value: \"10.0.0.1/8\"");
        assert!(Network::parse("10.0.0.1/33", false).is_err());
        assert!(Network::parse("x", false).is_err());
    }

    #[test]
    fn networks_have_postgresqls_order() {
        // As PostgreSQL sorts them.
        let sorted = ["10.0.0.0/8", "10.0.0.0", "10.1.0.0/16", "10.1.2.3/16", "192.168.0.0/16", "192.168.1.5", "::1"];
        let key = |text: &str| {
            let mut key = Vec::new();
            Network::parse(text, false).unwrap().order_key(&mut key);
            key
        };
        assert!(sorted.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
    }

    #[test]
    fn parts_of_a_network() {
        let network = Network::parse("192.168.1.5/24", false).unwrap();
        assert_eq!(network.network().text(true), "192.168.1.0/24");
        assert_eq!(network.broadcast().text(false), "192.168.1.255/24");
        assert_eq!(network.netmask().text(false), "255.255.255.0");
        assert!(network.lies_in(&Network::parse("192.168.0.0/16", false).unwrap()));
        assert!(!network.lies_in(&Network::parse("192.168.1.5", false).unwrap()));
    }
}
