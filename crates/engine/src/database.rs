//! One database of an instance: its store, and what planning shares between its sessions.

use crate::activity::Sessions;
use crate::function::Functions;
use crate::function::context::SessionClock;
use crate::query::{Meaning, PlanCache, StatementTimes, distinct};
use crate::sequence::Numbers;
use crate::setting::Settings;
use crate::{Result, administration, information};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SessionStateBuilder, TaskContext};
use datafusion::prelude::SessionConfig;
use highwater_model::CaggId;
use highwater_store::{Store, Transaction};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The names of an instance's databases, shared by all of them.
pub type Databases = Arc<parking_lot::RwLock<BTreeSet<String>>>;

/// A database.
#[derive(Debug)]
pub struct Engine {
    /// Its name.
    pub name: String,
    /// The databases of the instance.
    pub databases: Databases,
    /// The sessions of the instance.
    pub sessions: Arc<Sessions>,
    /// Its data.
    pub store: Arc<Store>,
    /// Its clock.
    pub clock: Arc<dyn highwater_store::Clock>,
    state: SessionState,
    /// The same for plans that need no physical optimization.
    plain: SessionState,
    task: Arc<TaskContext>,
    /// What statements may call. Not in the configurations, which are copied for each statement.
    pub functions: Functions,
    /// Plans of queries, to be used again.
    pub plans: PlanCache,
    /// What the definitions of aggregates mean.
    pub meanings: parking_lot::Mutex<HashMap<CaggId, Meaning>>,
    /// Its sequences at work.
    pub numbers: Numbers,
    /// One refresh of an aggregate at a time: a second one would only compute the same and conflict.
    pub refreshing: tokio::sync::Mutex<()>,
    /// Rows a second that the last refresh of an aggregate went through, to estimate the next.
    pub refresh_rates: parking_lot::Mutex<HashMap<CaggId, f64>>,
}

impl Engine {
    /// A database over an open store.
    pub fn new(
        name: &str,
        databases: Databases,
        sessions: Arc<Sessions>,
        store: Arc<Store>,
        clock: Arc<dyn highwater_store::Clock>,
        memory_limit: usize,
    ) -> Result<Arc<Self>> {
        let runtime =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(memory_limit))).build_arc()?;
        let mut config = SessionConfig::new().with_target_partitions(threads()).with_information_schema(false);
        let options = config.options_mut();
        options.execution.time_zone = Some("UTC".to_owned());
        options.sql_parser.map_string_types_to_utf8view = false;
        options.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
        options.optimizer.prefer_existing_sort = false;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            .with_optimizer_rules(distinct::rules())
            .build();
        let (state, functions) = Functions::take(crate::state::register(state));
        let plain =
            SessionStateBuilder::new_from_existing(state.clone()).with_physical_optimizer_rules(Vec::new()).build();
        Ok(Arc::new(Engine {
            name: name.to_owned(),
            databases,
            sessions,
            store,
            clock,
            task: state.task_ctx(),
            state,
            plain,
            functions,
            plans: PlanCache::default(),
            meanings: parking_lot::Mutex::default(),
            numbers: Numbers::default(),
            refreshing: tokio::sync::Mutex::new(()),
            refresh_rates: parking_lot::Mutex::default(),
        }))
    }

    /// The planning configuration for a statement.
    pub fn state(&self, settings: &Settings, times: StatementTimes) -> SessionState {
        configured(&self.state, settings, times)
    }

    /// The same for a plan of one partition.
    pub fn narrow_state(&self, settings: &Settings, times: StatementTimes) -> SessionState {
        narrow(configured(&self.state, settings, times))
    }

    /// The same for a plan of one partition that needs no physical optimization.
    pub fn plain_state(&self, settings: &Settings, times: StatementTimes) -> SessionState {
        narrow(configured(&self.plain, settings, times))
    }

    /// What plans are executed with. Expressions have the session's clock from when they were made.
    pub fn task(&self) -> Arc<TaskContext> {
        self.task.clone()
    }

    /// The functions that statements may call, by what they are.
    pub fn offered(&self) -> Vec<(&'static str, BTreeSet<String>)> {
        let functions = &self.functions;
        let open = |names: Vec<&String>| names.into_iter().filter(|name| !own(name)).cloned().collect();
        let owned = |names: &mut dyn Iterator<Item = &'static str>| names.map(str::to_owned).collect();
        vec![
            ("Functions", open(functions.scalars.keys().collect())),
            ("Aggregates", open(functions.aggregates.keys().collect())),
            ("Window functions", open(functions.windows.keys().collect())),
            ("Executed once, before the query around them", owned(&mut administration::names())),
            ("From the catalog", owned(&mut information::function_names())),
        ]
    }

    /// Microseconds since 1970 UTC.
    pub fn now(&self) -> i64 {
        self.clock.now_micros()
    }

    /// Commits and waits until it is durable, or with `wait` false only until it is ordered.
    pub async fn commit(&self, transaction: Transaction, wait: bool) -> Result<()> {
        if transaction.is_read_only() {
            return Ok(());
        }
        let quick = self.store.has_room() && transaction.ops().len() <= FEW_OPS;
        let commit = || match wait {
            true => self.store.commit_here(transaction),
            false => self.store.commit(transaction),
        };
        // Only one thread at a time syncs, so at most one worker waits for the disk; to hand its tasks to another
        // thread would cost more than that. What may take long, or wait for a checkpoint, does so.
        let ticket = if quick { commit()? } else { tokio::task::block_in_place(commit)? };
        match wait {
            true => Ok(ticket.await?),
            false => Ok(()),
        }
    }
}

/// A transaction of more ops than this may take long to order.
const FEW_OPS: usize = 16;

/// Whether a function only stands in for an operator or a rewritten form.
fn own(name: &str) -> bool {
    (name.starts_with("pg_") && !matches!(name, "pg_typeof" | "pg_size_pretty"))
        || name.starts_with("json_list")
        || name.starts_with("arrow_")
        || name.starts_with('_')
}

fn configured(state: &SessionState, settings: &Settings, times: StatementTimes) -> SessionState {
    let mut state = state.clone();
    state
        .config_mut()
        .options_mut()
        .extensions
        .insert(SessionClock { transaction_start_micros: times.transaction, statement_start_micros: times.statement });
    let zone = settings.time_zone();
    if zone != "UTC" {
        state.config_mut().options_mut().execution.time_zone = Some(zone.to_owned());
    }
    // Expressions that are evaluated without a plan know the clock too.
    state.mark_start_execution();
    state
}

fn narrow(mut state: SessionState) -> SessionState {
    state.config_mut().options_mut().execution.target_partitions = 1;
    state
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}
