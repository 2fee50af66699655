//! Background jobs: policies and user-defined ones.

use crate::catalog::ObjectKey;
use crate::continuous_aggregate::CaggId;
use crate::interval::Interval;
use crate::schema::TableId;
use serde::{Deserialize, Serialize};

/// Number of a job; the first is 1000, as in TimescaleDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub i32);

/// A distance from now: an interval on calendar time, a number on integer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Offset {
    /// On a calendar.
    Interval(Interval),
    /// On an integer axis.
    Integer(i64),
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// `policy_refresh_continuous_aggregate`
    Refresh {
        /// The aggregate.
        cagg: CaggId,
        /// How far back it looks; `None` is the beginning.
        start_offset: Option<Offset>,
        /// How far before now it stops; `None` is the end of the data.
        end_offset: Option<Offset>,
    },
    /// `policy_retention`
    Retention {
        /// The hypertable, or the materialization of an aggregate.
        table: TableId,
        /// Chunks wholly older than this are dropped.
        drop_after: Offset,
    },
    /// A procedure of the user, called with the job's number and its configuration.
    Procedure {
        /// Its schema.
        schema: String,
        /// Its name.
        name: String,
        /// JSON text.
        config: Option<String>,
    },
    /// `policy_compression`
    Compression {
        /// The hypertable, or the materialization of an aggregate.
        table: TableId,
        /// Chunks wholly older than this are compressed.
        compress_after: Offset,
    },
}

/// A job and its schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub action: Action,
    /// Time between runs.
    pub schedule_interval: Interval,
    /// A run is cancelled after this long; zero means never.
    pub max_runtime: Interval,
    /// Retries after a failure; −1 means for ever.
    pub max_retries: i32,
    /// Time before the first retry; it doubles with each.
    pub retry_period: Interval,
    /// Whether the scheduler starts it.
    pub scheduled: bool,
    /// Whether runs stay on a grid that begins at `initial_start`.
    pub fixed_schedule: bool,
    /// First run, microseconds since 1970 UTC.
    pub initial_start: Option<i64>,
    /// Zone in which the grid is kept across daylight saving.
    pub timezone: Option<String>,
    /// When it was made, microseconds since 1970 UTC.
    pub created: i64,
}

impl Job {
    /// Its name in the catalog.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::Job(self.id)
    }
}

/// How the runs of a job went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStats {
    /// Runs begun.
    pub total_runs: i64,
    /// Runs that succeeded.
    pub total_successes: i64,
    /// Runs that failed.
    pub total_failures: i64,
    /// Failures since the last success.
    pub consecutive_failures: i32,
    /// Time spent in all runs.
    pub total_duration_micros: i64,
    /// Start of the last run; micros since 1970 UTC, as are the other times.
    pub last_start: Option<i64>,
    /// End of the last run.
    pub last_finish: Option<i64>,
    /// End of the last run that succeeded.
    pub last_successful_finish: Option<i64>,
    /// When the scheduler starts it next.
    pub next_start: Option<i64>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobOutcome {
    /// It did its work.
    Succeeded,
    /// It failed.
    Failed {
        /// SQLSTATE of the error.
        sqlstate: String,
        /// Its message.
        message: String,
    },
}

/// One run of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRun {
    /// Number of the run, rising.
    pub id: i64,
    /// Which job.
    pub job: JobId,
    /// The procedure it ran, for history after the job is deleted.
    pub procedure: String,
    /// Micros since 1970 UTC.
    pub start: i64,
    /// Micros since 1970 UTC.
    pub finish: i64,
    /// How it ended.
    pub outcome: JobOutcome,
}
