//! Settings of a session: one entry each.
//!
//! ```text
//! SET LOCAL         until the end of the transaction     ┐
//! SET               until the end of the session         ├─▶ the first of these that there is
//! start of session  start-up message, configuration file │
//! default           the table below                      ┘
//! ```

use crate::temporary::Temporary;
use crate::{Error, Result};
use highwater_model::time::Zone;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
    /// A whole number of milliseconds from this one on, or with a unit. Shown with the largest unit that fits.
    Milliseconds(i64),
    /// A time zone.
    Zone,
    /// Only the listed words.
    OneOf(&'static [&'static str]),
    /// Cannot be changed.
    Fixed,
}

/// When queries of rows are answered from continuous aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rewrite {
    /// Never.
    Never,
    /// If there is less to read.
    IfLess,
    /// Whenever they can be.
    Always,
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
    "allow_system_table_mods", "off", false, Kind::Bool, "Whether tables that keep continuous aggregates may be written by SQL.";
    "application_name", "", true, Kind::Text, "Name of the application, for logs and pg_stat_activity.";
    "array_nulls", "on", false, Kind::OneOf(&["on"]), "NULL in the text of an array is a null.";
    "autovacuum", "off", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "backslash_quote", "safe_encoding", false, Kind::Text, "Accepted; nothing depends on it.";
    "block_size", "8192", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "bytea_output", "hex", false, Kind::OneOf(&["hex"]), "How bytea is shown.";
    "check_function_bodies", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "client_encoding", "UTF8", true, Kind::OneOf(&["UTF8", "UTF-8", "utf8", "utf-8", "UNICODE", "SQL_ASCII"]), "Encoding of the client; only UTF-8.";
    "client_min_messages", "notice", false, Kind::Text, "Least severity of messages that the client is sent.";
    "constraint_exclusion", "partition", false, Kind::Text, "Accepted; nothing depends on it.";
    "data_checksums", "on", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "datestyle", "ISO, MDY", true, Kind::Text, "How dates are shown; always ISO.";
    "default_statistics_target", "100", false, Kind::Text, "Accepted; nothing depends on it.";
    "default_table_access_method", "heap", false, Kind::Text, "Accepted; nothing depends on it.";
    "default_tablespace", "", false, Kind::Text, "Accepted; nothing depends on it.";
    "default_transaction_deferrable", "off", false, Kind::Bool, "Accepted; nothing depends on it.";
    "default_transaction_isolation", "repeatable read", false, Kind::Text, "Isolation of new transactions: always a snapshot.";
    "default_transaction_read_only", "off", true, Kind::Bool, "Whether new transactions may only read.";
    "effective_cache_size", "4GB", false, Kind::Text, "Accepted; nothing depends on it.";
    "enable_bitmapscan", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "enable_hashagg", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "enable_hashjoin", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "enable_indexscan", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "enable_mergejoin", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "enable_nestloop", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "enable_seqscan", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "enable_sort", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "escape_string_warning", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "extra_float_digits", "1", false, Kind::Text, "Accepted; floats are always shown exactly.";
    "force_parallel_mode", "off", false, Kind::Text, "Accepted; nothing depends on it.";
    "geqo", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "highwater.enable_rewrite", "on", false, Kind::OneOf(&["on", "off", "always"]), "Whether queries of rows are answered from continuous aggregates where that gives the same: if it is less to read, never, or whenever it can be.";
    "idle_in_transaction_session_timeout", "0", false, Kind::Milliseconds(0), "An idle transaction is ended after this long; 0 is never.";
    "idle_session_timeout", "0", false, Kind::Milliseconds(0), "A session that waits for its client outside of a transaction is ended after this long; 0 is never.";
    "in_hot_standby", "off", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "integer_datetimes", "on", true, Kind::Fixed, "Timestamps are integers.";
    "intervalstyle", "postgres", true, Kind::OneOf(&["postgres"]), "How intervals are shown.";
    "is_superuser", "on", true, Kind::Fixed, "Whether the session's role is a superuser.";
    "jit", "off", false, Kind::Bool, "Accepted; nothing depends on it.";
    "lc_collate", "C.UTF-8", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "lc_ctype", "C.UTF-8", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "lc_messages", "C.UTF-8", false, Kind::Text, "Accepted; nothing depends on it.";
    "lc_monetary", "C.UTF-8", false, Kind::Text, "Accepted; nothing depends on it.";
    "lc_numeric", "C.UTF-8", false, Kind::Text, "Accepted; nothing depends on it.";
    "lc_time", "C.UTF-8", false, Kind::Text, "Accepted; nothing depends on it.";
    "lock_timeout", "0", false, Kind::Milliseconds(0), "Accepted; nothing waits for a lock.";
    "log_min_duration_statement", "-1", false, Kind::Milliseconds(-1), "A statement that takes this long is logged with its duration; 0 logs all, -1 none.";
    "log_statement", "none", false, Kind::Text, "Accepted; nothing depends on it.";
    "maintenance_work_mem", "64MB", false, Kind::Text, "Accepted; nothing depends on it.";
    "max_connections", "100", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "max_identifier_length", "63", false, Kind::Fixed, "Longest name.";
    "max_index_keys", "32", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "max_parallel_workers_per_gather", "2", false, Kind::Text, "Accepted; nothing depends on it.";
    "plan_cache_mode", "auto", false, Kind::Text, "Accepted; nothing depends on it.";
    "port", "5432", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "quote_all_identifiers", "off", false, Kind::Bool, "Accepted; nothing depends on it.";
    "random_page_cost", "4", false, Kind::Text, "Accepted; nothing depends on it.";
    "role", "none", false, Kind::Text, "Accepted; nothing depends on it.";
    "row_security", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "search_path", "\"$user\", public", true, Kind::Text, "Schemas in which unqualified names are looked up.";
    "seq_page_cost", "1", false, Kind::Text, "Accepted; nothing depends on it.";
    "server_encoding", "UTF8", true, Kind::Fixed, "Encoding of the database.";
    "server_version", "15.0", true, Kind::Fixed, "The PostgreSQL version whose behaviour is offered.";
    "server_version_num", "150000", false, Kind::Fixed, "The same as a number.";
    "session_authorization", "postgres", true, Kind::Text, "The session's role.";
    "session_replication_role", "origin", false, Kind::Text, "Accepted; nothing depends on it.";
    "standard_conforming_strings", "on", true, Kind::OneOf(&["on"]), "Backslashes in plain strings are ordinary.";
    "statement_timeout", "0", false, Kind::Milliseconds(0), "A statement is cancelled after this long; 0 is never.";
    "synchronize_seqscans", "on", false, Kind::Bool, "Accepted; nothing depends on it.";
    "synchronous_commit", "on", false, Kind::OneOf(&["on", "off", "local", "remote_write", "remote_apply"]), "Whether a commit waits until it is on disk.";
    "temp_buffers", "8MB", false, Kind::Text, "Accepted; nothing depends on it.";
    "timescaledb.license", "timescale", false, Kind::Text, "Accepted; nothing depends on it.";
    "timezone", "UTC", true, Kind::Zone, "Zone that timestamps are shown and read in.";
    "transaction_deferrable", "off", false, Kind::Bool, "Accepted; nothing depends on it.";
    "transaction_isolation", "repeatable read", false, Kind::Text, "Isolation of this transaction: always a snapshot.";
    "transaction_read_only", "off", false, Kind::Bool, "Whether this transaction may only read.";
    "wal_level", "replica", false, Kind::Fixed, "Told to those who ask; says nothing of this server.";
    "work_mem", "4MB", false, Kind::Text, "Accepted; nothing depends on it.";
    "xmlbinary", "base64", false, Kind::Text, "Accepted; nothing depends on it.";
    "xmloption", "content", false, Kind::Text, "Accepted; nothing depends on it.";
}

/// The values of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Until the end of the transaction.
    local: BTreeMap<String, String>,
    /// Until the end of the session.
    session: BTreeMap<String, String>,
    /// What the session began with, and goes back to.
    start: Arc<BTreeMap<String, String>>,
    /// The session's temporary tables, which come and go with transactions as what is set does.
    pub temporary: Option<Arc<Temporary>>,
}

impl Settings {
    /// The value of a setting; custom ones, with a point in their name, exist once they were set.
    ///
    /// # Errors
    /// 42704 when there is no such setting.
    pub fn get(&self, name: &str) -> Result<&str> {
        // Mostly it is asked for as it is kept.
        let value = |key: &str| self.given(key).or_else(|| find(key).map(|s| s.default));
        value(name)
            .or_else(|| value(&canonical(name)))
            .ok_or_else(|| Error::new("42704", format!("unrecognized configuration parameter \"{name}\"")))
    }

    /// The value of a setting unless it has its default.
    fn given(&self, key: &str) -> Option<&str> {
        let value = self.local.get(key).or_else(|| self.session.get(key)).or_else(|| self.start.get(key));
        value.map(String::as_str)
    }

    /// Sets a setting until the end of the session; `None` gives it back what it began with.
    ///
    /// # Errors
    /// 42704 no such setting, 22023 no such value, 55P02 cannot be changed.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let (key, value) = checked(name, value)?;
        self.local.remove(&key);
        match value {
            Some(value) => self.session.insert(key, value),
            None => self.session.remove(&key),
        };
        Ok(())
    }

    /// Sets a setting until [`Settings::end_transaction`]; `None` gives it what the session began with.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub fn set_local(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let (key, value) = checked(name, value)?;
        let at_start = || self.start.get(&key).cloned().or_else(|| find(&key).map(|s| s.default.to_owned()));
        if let Some(value) = value.or_else(at_start) {
            self.local.insert(key, value);
        }
        Ok(())
    }

    /// SET, and with `local` SET LOCAL: outside of a transaction that is checked, and ends with its own.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub fn change(&mut self, name: &str, value: Option<&str>, local: bool, in_transaction: bool) -> Result<()> {
        match (local, in_transaction) {
            (false, _) => self.set(name, value),
            (true, true) => self.set_local(name, value),
            (true, false) => self.clone().set_local(name, value),
        }
    }

    /// Sets what the session begins with.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub fn begin_with(&mut self, name: &str, value: &str) -> Result<()> {
        let (key, value) = checked(name, Some(value))?;
        Arc::make_mut(&mut self.start).extend(value.map(|value| (key, value)));
        Ok(())
    }

    /// Gives all settings back what they began with.
    pub fn reset_all(&mut self) {
        self.local.clear();
        self.session.clear();
    }

    /// Ends what was set for the transaction only.
    pub fn end_transaction(&mut self) {
        self.local.clear();
    }

    /// The zone that timestamps are shown and read in.
    pub fn time_zone(&self) -> &str {
        self.get("timezone").unwrap_or("UTC")
    }

    /// Whether functions mean the session's zone by its name: of a few names, as `CET`, they mean another.
    pub fn is_zone_named(&self) -> bool {
        Zone::parse_in_value(self.time_zone()).is_ok_and(|named| named == self.zone())
    }

    /// When queries of rows are answered from continuous aggregates.
    pub fn rewrite(&self) -> Rewrite {
        match self.get("highwater.enable_rewrite") {
            Ok("off") => Rewrite::Never,
            Ok("always") => Rewrite::Always,
            _ => Rewrite::IfLess,
        }
    }

    /// The session's zone.
    pub fn zone(&self) -> Zone {
        // It was checked when it was set.
        Zone::parse(self.time_zone()).unwrap_or(Zone::UTC)
    }

    /// Schemas in which unqualified names are looked up, without the ones that are always there.
    pub fn search_path(&self, user: &str) -> Vec<String> {
        let temporary = self.temporary.iter().map(|temporary| temporary.schema.clone());
        temporary.chain(self.kept_search_path(user)).collect()
    }

    /// The same without temporary tables, which nothing that is kept may refer to.
    pub fn kept_search_path(&self, user: &str) -> Vec<String> {
        let path = self.get("search_path").unwrap_or("public");
        path.split(',')
            .map(|s| s.trim().trim_matches('"').trim_matches('\''))
            .filter(|s| !s.is_empty() && *s != "pg_temp")
            .map(|s| if s == "$user" { user.to_owned() } else { s.to_owned() })
            .collect()
    }

    /// The time a statement may take.
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.timeout("statement_timeout")
    }

    /// How long a transaction may wait for its client.
    pub fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        self.timeout("idle_in_transaction_session_timeout")
    }

    /// How long a session may wait for its client outside of a transaction.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.timeout("idle_session_timeout")
    }

    /// How long a statement takes that is logged.
    pub fn log_min_duration(&self) -> Option<Duration> {
        let milliseconds = milliseconds(self.given("log_min_duration_statement")?)?;
        u64::try_from(milliseconds).ok().map(Duration::from_millis)
    }

    /// A setting that limits a time, whose default is not to.
    fn timeout(&self, key: &str) -> Option<Duration> {
        let milliseconds = milliseconds(self.given(key)?)?;
        u64::try_from(milliseconds).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
    }

    /// Settings that clients are told about, as SHOW spells them.
    pub fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let reported = SETTINGS.iter().filter(|s| s.reported);
        reported.map(move |s| (spelled(s.name), self.given(s.name).unwrap_or(s.default)))
    }
}

/// The name of a setting as PostgreSQL spells it.
pub fn spelled(name: &str) -> &str {
    match name {
        "timezone" => "TimeZone",
        "datestyle" => "DateStyle",
        "intervalstyle" => "IntervalStyle",
        other => other,
    }
}

/// The name of the setting that these words of SHOW stand for: some have several, and in others points were between them.
pub fn of_words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    let name = canonical(&words.join(" "));
    if name.contains(' ') { words.join(".") } else { name }
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

/// The key of a setting, and its value as it is kept and shown.
fn checked(name: &str, value: Option<&str>) -> Result<(String, Option<String>)> {
    let key = canonical(name);
    let Some(setting) = find(&key) else {
        if !key.contains('.') {
            return Err(Error::new("42704", format!("unrecognized configuration parameter \"{name}\"")));
        }
        return Ok((key, value.map(str::to_owned)));
    };
    let Some(value) = value else { return Ok((key, None)) };
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
        Kind::Milliseconds(least) => {
            let units = "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".";
            let number = milliseconds(value).ok_or_else(|| refused().hint(units))?;
            if !(least..=i64::from(i32::MAX)).contains(&number) {
                return Err(Error::invalid_parameter(format!(
                    "{number} ms is outside the valid range for parameter \"{name}\" ({least} .. {})",
                    i32::MAX
                )));
            }
            with_unit(number)
        }
        Kind::OneOf(words) if words.iter().any(|w| w.eq_ignore_ascii_case(value)) => value.to_owned(),
        Kind::OneOf(words) => return Err(refused().hint(format!("Available values: {}.", words.join(", ")))),
        Kind::Zone => Zone::parse(value).map_err(|_| refused())?.to_string(),
    };
    Ok((key, Some(value)))
}

/// Units of time and their lengths in milliseconds, the longest first.
const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)];

/// Reads a time; without a unit it is one of milliseconds.
pub(crate) fn milliseconds(value: &str) -> Option<i64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(value.len());
    let number: i64 = value[..digits].parse().ok()?;
    match value[digits..].trim() {
        "" => Some(number),
        "us" => Some((number as f64 / 1000.0).round() as i64),
        unit => number.checked_mul(UNITS.iter().find(|(name, _)| *name == unit)?.1),
    }
}

/// Writes a time with the longest unit of which it is a whole number.
fn with_unit(milliseconds: i64) -> String {
    match UNITS.iter().find(|(_, length)| milliseconds > 0 && milliseconds % length == 0) {
        Some((unit, length)) => format!("{}{unit}", milliseconds / length),
        None => milliseconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_their_longest_unit() {
        let mut settings = Settings::default();
        for (given, shown, milliseconds) in
            [("90s", "90s", 90_000), ("60000", "1min", 60_000), ("1500us", "2ms", 2), (" 2 h", "2h", 7_200_000)]
        {
            settings.set("statement_timeout", Some(given)).unwrap();
            assert_eq!(settings.get("statement_timeout"), Ok(shown));
            assert_eq!(settings.statement_timeout(), Some(Duration::from_millis(milliseconds)));
        }
        settings.set("statement_timeout", Some("0")).unwrap();
        assert_eq!(settings.statement_timeout(), None);
        for wrong in ["-1", "1 parsec", "soon", "30d"] {
            assert_eq!(settings.set("statement_timeout", Some(wrong)).unwrap_err().sqlstate, "22023", "{wrong}");
        }
        settings.set("log_min_duration_statement", Some("0")).unwrap();
        assert_eq!(settings.log_min_duration(), Some(Duration::ZERO));
        settings.set("log_min_duration_statement", Some("-1")).unwrap();
        assert_eq!(settings.log_min_duration(), None);
    }

    #[test]
    fn what_is_set_for_a_transaction_ends_with_it() {
        let mut settings = Settings::default();
        settings.begin_with("application_name", "start").unwrap();
        settings.set_local("application_name", Some("local")).unwrap();
        assert_eq!(settings.get("application_name"), Ok("local"));
        settings.end_transaction();
        assert_eq!(settings.get("application_name"), Ok("start"));
        settings.set("application_name", Some("session")).unwrap();
        settings.set_local("application_name", None).unwrap();
        assert_eq!(settings.get("application_name"), Ok("start"));
        settings.end_transaction();
        assert_eq!(settings.get("application_name"), Ok("session"));
        settings.reset_all();
        assert_eq!(settings.get("application_name"), Ok("start"));
    }
}
