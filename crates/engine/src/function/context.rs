//! What functions know of the session that calls them.

use crate::error::Result;
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::error::{DataFusionError, Result as DfResult};
use highwater_model::time::{Clockface, Zone};
use std::any::Any;

/// When the transaction and the statement began; an extension of the session's `ConfigOptions`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionClock {
    /// Start of the transaction, in microseconds since 1970 UTC: `now()`.
    pub transaction_start_micros: i64,
    /// Start of the statement, in microseconds since 1970 UTC: `statement_timestamp()`.
    pub statement_start_micros: i64,
}

impl ConfigExtension for SessionClock {
    const PREFIX: &'static str = "session_clock";
}

impl ExtensionOptions for SessionClock {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(*self)
    }

    fn set(&mut self, key: &str, value: &str) -> DfResult<()> {
        let micros = value.parse().map_err(|_| DataFusionError::Configuration(format!("{value} is no time")))?;
        match key {
            "transaction_start_micros" => self.transaction_start_micros = micros,
            "statement_start_micros" => self.statement_start_micros = micros,
            _ => return Err(DataFusionError::Configuration(format!("there is no setting {key}"))),
        }
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |key: &str, value: i64, description| ConfigEntry {
            key: format!("{}.{key}", Self::PREFIX),
            value: Some(value.to_string()),
            description,
        };
        vec![
            entry("transaction_start_micros", self.transaction_start_micros, "Start of the transaction."),
            entry("statement_start_micros", self.statement_start_micros, "Start of the statement."),
        ]
    }
}

/// The session's zone, from `execution.time_zone`, and the start of its transaction.
///
/// # Errors
/// 22023 when there is no such zone.
pub fn clockface(config: &ConfigOptions) -> Result<Clockface> {
    let zone = match config.execution.time_zone.as_deref() {
        None | Some("UTC" | "") => Zone::UTC,
        Some(name) => Zone::parse(name)?,
    };
    Ok(Clockface::new(zone, session_clock(config).transaction_start_micros))
}

/// A clock that stands at the start of the statement.
pub fn statement_clock(config: &ConfigOptions) -> Clockface {
    Clockface::new(Zone::UTC, session_clock(config).statement_start_micros)
}

/// The times in a configuration; without [`SessionClock`] both are the beginning of 1970.
fn session_clock(config: &ConfigOptions) -> SessionClock {
    config.extensions.get::<SessionClock>().copied().unwrap_or_default()
}
