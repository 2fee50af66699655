//! Settings of a session: one entry each.

use crate::{Error, Result};
use highwater_model::time::Zone;
use std::collections::BTreeMap;

/// A setting: name as SHOW spells it, default, whether clients are told of it, one sentence.
pub struct Setting {
    /// Name as SHOW spells it.
    pub name: &'static str,
    /// Value of a new session.
    pub default: &'static str,
    /// Whether clients are told at start and on change.
    pub reported: bool,
    /// What values it takes.
    pub kind: Kind,
    /// What it does.
    pub description: &'static str,
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// on or off.
    Bool,
    /// A whole number of milliseconds, or with a unit.
    Milliseconds,
    /// A time zone.
    Zone,
    /// Only the listed words.
    OneOf(&'static [&'static str]),
    /// Cannot be changed.
    Fixed,
}

macro_rules! settings {
    ($($name:literal, $default:literal, $reported:literal, $kind:expr, $description:literal;)*) => {
        /// Every setting.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            name: $name, default: $default, reported: $reported, kind: $kind, description: $description,
        },)*];
    };
}

settings! {
    "application_name", "", true, Kind::Text, "Name of the application, for logs and pg_stat_activity.";
    "bytea_output", "hex", false, Kind::OneOf(&["hex"]), "How bytea is shown.";
    "client_encoding", "UTF8", true, Kind::OneOf(&["UTF8", "UTF-8", "utf8", "utf-8", "UNICODE", "SQL_ASCII"]), "Encoding of the client; only UTF-8.";
    "client_min_messages", "notice", false, Kind::Text, "Least severity of messages that the client is sent.";
    "datestyle", "ISO, MDY", true, Kind::Text, "How dates are shown; always ISO.";
    "default_transaction_isolation", "repeatable read", false, Kind::Text, "Isolation of new transactions: always a snapshot.";
    "default_transaction_read_only", "off", true, Kind::Bool, "Whether new transactions may only read.";
    "extra_float_digits", "1", false, Kind::Text, "Accepted; floats are always shown exactly.";
    "highwater.enable_rewrite", "on", false, Kind::Bool, "Whether a query on raw rows may be answered from an aggregate.";
    "idle_in_transaction_session_timeout", "0", false, Kind::Milliseconds, "An idle transaction is ended after this long; 0 is never.";
    "integer_datetimes", "on", true, Kind::Fixed, "Timestamps are integers.";
    "intervalstyle", "postgres", true, Kind::OneOf(&["postgres"]), "How intervals are shown.";
    "is_superuser", "on", true, Kind::Fixed, "Whether the session's role is a superuser.";
    "lock_timeout", "0", false, Kind::Milliseconds, "Accepted; nothing waits for a lock.";
    "max_identifier_length", "63", false, Kind::Fixed, "Longest name.";
    "search_path", "\"$user\", public", true, Kind::Text, "Schemas in which unqualified names are looked up.";
    "server_encoding", "UTF8", true, Kind::Fixed, "Encoding of the database.";
    "server_version", "15.0", true, Kind::Fixed, "The PostgreSQL version whose behaviour is offered.";
    "server_version_num", "150000", false, Kind::Fixed, "The same as a number.";
    "session_authorization", "postgres", true, Kind::Text, "The session's role.";
    "standard_conforming_strings", "on", true, Kind::OneOf(&["on"]), "Backslashes in plain strings are ordinary.";
    "statement_timeout", "0", false, Kind::Milliseconds, "A statement is cancelled after this long; 0 is never.";
    "synchronous_commit", "on", false, Kind::OneOf(&["on", "off", "local", "remote_write", "remote_apply"]), "Whether a commit waits until it is on disk.";
    "timezone", "UTC", true, Kind::Zone, "Zone that timestamps are shown and read in.";
    "transaction_isolation", "repeatable read", false, Kind::Text, "Isolation of this transaction: always a snapshot.";
    "transaction_read_only", "off", false, Kind::Bool, "Whether this transaction may only read.";
}

/// The values of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// The value of a setting; custom ones, with a point in their name, exist once they were set.
    ///
    /// # Errors
    /// 42704 when there is no such setting.
    pub fn get(&self, name: &str) -> Result<&str> {
        let key = canonical(name);
        self.values
            .get(&key)
            .map(String::as_str)
            .or_else(|| find(&key).map(|s| s.default))
            .ok_or_else(|| Error::new("42704", format!("unrecognized configuration parameter \"{name}\"")))
    }

    /// Sets a setting; `None` gives it its default again.
    ///
    /// # Errors
    /// 42704 no such setting, 22023 no such value, 55P02 cannot be changed.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let key = canonical(name);
        let Some(setting) = find(&key) else {
            if !key.contains('.') {
                return Err(Error::new("42704", format!("unrecognized configuration parameter \"{name}\"")));
            }
            match value {
                Some(value) => self.values.insert(key, value.to_owned()),
                None => self.values.remove(&key),
            };
            return Ok(());
        };
        let Some(value) = value else {
            self.values.remove(&key);
            return Ok(());
        };
        let refused = || Error::invalid_parameter(format!("invalid value for parameter \"{name}\": \"{value}\""));
        let value = match setting.kind {
            Kind::Text => value.to_owned(),
            Kind::Fixed if value.eq_ignore_ascii_case(setting.default) => value.to_owned(),
            Kind::Fixed => return Err(Error::new("55P02", format!("parameter \"{name}\" cannot be changed"))),
            Kind::Bool => match value.to_lowercase().as_str() {
                "on" | "true" | "yes" | "1" | "t" => "on".to_owned(),
                "off" | "false" | "no" | "0" | "f" => "off".to_owned(),
                _ => return Err(Error::invalid_parameter(format!("parameter \"{name}\" requires a Boolean value"))),
            },
            Kind::Milliseconds => milliseconds(value).ok_or_else(refused)?.to_string(),
            Kind::OneOf(words) if words.iter().any(|w| w.eq_ignore_ascii_case(value)) => value.to_owned(),
            Kind::OneOf(words) => return Err(refused().hint(format!("Available values: {}.", words.join(", ")))),
            Kind::Zone => Zone::parse(value).map_err(|_| refused())?.to_string(),
        };
        self.values.insert(key, value);
        Ok(())
    }

    /// The zone that timestamps are shown and read in.
    pub fn time_zone(&self) -> &str {
        self.get("timezone").unwrap_or("UTC")
    }

    /// Schemas in which unqualified names are looked up, without the ones that are always there.
    pub fn search_path(&self, user: &str) -> Vec<String> {
        let path = self.get("search_path").unwrap_or("public");
        path.split(',')
            .map(|s| s.trim().trim_matches('"').trim_matches('\''))
            .filter(|s| !s.is_empty())
            .map(|s| if s == "$user" { user.to_owned() } else { s.to_owned() })
            .collect()
    }

    /// The time a statement may take, in milliseconds.
    pub fn statement_timeout(&self) -> Option<u64> {
        self.get("statement_timeout").ok()?.parse().ok().filter(|ms| *ms > 0)
    }

    /// Settings that clients are told about, as SHOW spells them.
    pub fn reported(&self) -> Vec<(String, String)> {
        let spelled = |name: &'static str| match name {
            "timezone" => "TimeZone",
            "datestyle" => "DateStyle",
            "intervalstyle" => "IntervalStyle",
            other => other,
        };
        let reported = SETTINGS.iter().filter(|s| s.reported);
        reported.map(|s| (spelled(s.name).to_owned(), self.get(s.name).unwrap_or_default().to_owned())).collect()
    }
}

fn canonical(name: &str) -> String {
    match name.to_lowercase().as_str() {
        "time zone" => "timezone".to_owned(),
        "transaction isolation level" => "transaction_isolation".to_owned(),
        "session authorization" => "session_authorization".to_owned(),
        "session characteristics as transaction isolation level" => "default_transaction_isolation".to_owned(),
        other => other.to_owned(),
    }
}

fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.name == key)
}

fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..digits].parse().ok()?;
    let factor = match value[digits..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(factor)
}
