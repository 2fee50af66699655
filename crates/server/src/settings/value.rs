//! Types of settings.

use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Who may connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthenticationMethod {
    /// Everyone.
    Trust,
    /// Who knows a password.
    Scram,
}

impl FromStr for AuthenticationMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "trust" => Ok(AuthenticationMethod::Trust),
            "scram" => Ok(AuthenticationMethod::Scram),
            _ => Err(format!("\"{text}\" is neither trust nor scram")),
        }
    }
}

/// A number of bytes, written like `512MB`; a unit is 1024 of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteCount(pub usize);

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a number of bytes like 512MB");
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "kb" | "kib" => 10,
            "mb" | "mib" => 20,
            "gb" | "gib" => 30,
            "tb" | "tib" => 40,
            _ => return Err(wrong()),
        };
        let number: usize = number.parse().map_err(|_| wrong())?;
        number.checked_mul(1 << shift).map(ByteCount).ok_or_else(wrong)
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TB"), (30, "GB"), (20, "MB"), (10, "kB")];
        match units.iter().find(|(shift, _)| self.0 != 0 && self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A number of seconds, with or without a fraction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds(pub f64);

impl Seconds {
    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.trim().parse().ok().and_then(checked).ok_or_else(|| format!("\"{text}\" is not a number of seconds"))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        checked(number).ok_or_else(|| serde::de::Error::custom(format!("{number} is not a number of seconds")))
    }
}

fn checked(number: f64) -> Option<Seconds> {
    (0.0..=1e9).contains(&number).then_some(Seconds(number))
}

/// Reads texts, numbers and booleans as they are written.
pub(super) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Integer(i64),
        Float(f64),
        Boolean(bool),
    }
    let all = BTreeMap::<String, Written>::deserialize(deserializer)?;
    let text = |written| match written {
        Written::Text(text) => text,
        Written::Integer(number) => number.to_string(),
        Written::Float(number) => number.to_string(),
        Written::Boolean(boolean) => boolean.to_string(),
    };
    Ok(all.into_iter().map(|(name, written)| (name, text(written))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units() {
        for (text, bytes, shown) in [
            ("0", 0, "0"),
            ("1kB", 1024, "1kB"),
            ("512MB", 512 << 20, "512MB"),
            ("3 gb", 3 << 30, "3GB"),
            ("1000", 1000, "1000"),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)));
            assert_eq!(ByteCount(bytes).to_string(), shown);
        }
        for text in ["", "MB", "1.5GB", "12 parsecs", "99999999999TB"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }

    #[test]
    fn seconds_are_not_negative() {
        assert_eq!("1.5".parse(), Ok(Seconds(1.5)));
        for text in ["-1", "NaN", "soon"] {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
    }
}
