//! One connection's view of a database: its settings, its transaction, its statements.
//!
//! A statement outside of a block is a transaction of its own; when another one commits first and they
//! conflict, it runs again on a newer snapshot. Inside a block it works on the block's transaction, and
//! after an error the block can only be rolled back.

use crate::activity::{Registered, Running};
use crate::copy::Loading;
use crate::cursor::{Cursor, Declare, Direction, Fetch};
use crate::database::Engine;
use crate::error::{Error, Notice, Result};
use crate::instance::Instance;
use crate::parse::{self, Statement};
use crate::query::StatementTimes;
use crate::sequence::Seen;
use crate::setting::{self, Settings};
use crate::work::Work;
use crate::{administration, names, temporary};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;
use futures::stream::BoxStream;
use highwater_store::Transaction;
use highwater_store::schema::{arrow_type, type_mark};
use highwater_store::transaction::Savepoint;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Rows of a result as they are computed, never collected whole.
pub type RowStream = BoxStream<'static, Result<RecordBatch>>;

/// A value bound to a parameter.
pub type Parameter = ScalarValue;

/// How often a statement that conflicts with others is tried.
const ATTEMPTS: usize = 100;

/// Whether a transaction block is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Outside of a block.
    Idle,
    /// Inside a block.
    InBlock,
    /// Inside a block that can only be rolled back.
    Failed,
}

/// One statement, read and described, ready to be executed any number of times.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Types of `$1`, `$2`, …, as fields are typed in `columns`.
    pub parameters: Vec<FieldRef>,
    /// Columns of its result; `None` when it gives no rows. A field whose metadata has `pg_type` is of
    /// that PostgreSQL type; otherwise its Arrow type tells.
    pub columns: Option<SchemaRef>,
    statement: Statement,
    /// What it was read from.
    text: Arc<str>,
}

impl Prepared {
    /// What it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What executing a statement gives.
pub enum Outcome {
    /// Rows. The tag is `SELECT`, or `INSERT 0`, `UPDATE`, `DELETE` with RETURNING; the count of rows is
    /// appended by whoever sends them.
    Rows {
        /// Columns, as in [`Prepared::columns`].
        columns: SchemaRef,
        /// The rows.
        rows: RowStream,
        /// First words of the command tag.
        tag: &'static str,
    },
    /// Nothing but a command tag such as `CREATE TABLE` or `INSERT 0 5`.
    Done(String),
    /// The statement was empty.
    Empty,
    /// COPY … FROM STDIN: the data is to be sent to [`Session::copy_data`].
    CopyIn(CopyIn),
    /// COPY … TO STDOUT.
    CopyOut(CopyOut),
}

/// COPY … FROM STDIN in progress. Dropping it unfinished keeps nothing.
#[derive(Debug)]
pub struct CopyIn {
    /// Whether the data is in the binary format.
    pub binary: bool,
    /// How many columns there are.
    pub columns: usize,
    /// The columns, typed as in [`Prepared::columns`].
    pub fields: Vec<FieldRef>,
    pub(crate) loading: Box<Loading>,
    _running: Option<Running>,
}

/// COPY … TO STDOUT in progress.
pub struct CopyOut {
    /// Whether the data is in the binary format.
    pub binary: bool,
    /// How many columns there are.
    pub columns: usize,
    /// The data.
    pub data: CopyData,
    pub(crate) _running: Option<Running>,
}

/// Data of a COPY … TO STDOUT.
pub enum CopyData {
    /// Whole lines, and how many rows they are.
    Lines(BoxStream<'static, Result<(Bytes, u64)>>),
    /// Rows, to be written in the binary format.
    Rows(SchemaRef, RowStream),
}

/// One connection's view of a database.
#[derive(Debug)]
pub struct Session {
    instance: Arc<Instance>,
    engine: Arc<Engine>,
    user: String,
    settings: Settings,
    reported: HashMap<&'static str, String>,
    block: Option<Block>,
    notices: Vec<Notice>,
    prepared: HashMap<String, (Arc<Prepared>, Vec<Option<DataType>>)>,
    activity: Registered,
    seen: Arc<parking_lot::Mutex<Seen>>,
    cursors: HashMap<String, Cursor>,
    /// Cursors that outlive their transaction, which is over.
    held: HashMap<String, Cursor>,
}

/// An open transaction block.
#[derive(Debug)]
struct Block {
    /// Taken out while a statement works on it.
    transaction: Option<Transaction>,
    implicit: bool,
    failed: bool,
    began: i64,
    savepoints: Vec<(String, Savepoint, Settings)>,
    /// What settings go back to when the block is rolled back.
    settings: Settings,
}

impl Session {
    pub(crate) fn new(instance: Arc<Instance>, engine: Arc<Engine>, user: &str) -> Self {
        let mut settings = Settings::default();
        settings.begin_with("session_authorization", user).expect("it is a text setting");
        let activity = engine.sessions.register(&engine.name, user, engine.clock.clone());
        Session {
            instance,
            engine,
            user: user.to_owned(),
            settings,
            reported: HashMap::new(),
            block: None,
            notices: Vec::new(),
            prepared: HashMap::new(),
            activity,
            seen: Arc::default(),
            cursors: HashMap::new(),
            held: HashMap::new(),
        }
    }

    /// The names of the functions and aggregates that statements may call, beside those that answer from the
    /// catalog.
    pub fn functions(&self) -> BTreeSet<String> {
        self.engine.functions.names()
    }

    /// The names of all functions that statements may call, by what they are; those that serve Highwater's own
    /// plans left out.
    pub fn offered(&self) -> Vec<(&'static str, BTreeSet<String>)> {
        self.engine.offered()
    }

    /// Splits a simple-query string into its statements, without executing any.
    ///
    /// # Errors
    /// 42601 with a position.
    pub fn split(&self, sql: &str) -> Result<Vec<String>> {
        parse::split(sql)
    }

    /// Reads one statement without looking at what it names; its rows tell their columns when it is executed.
    ///
    /// # Errors
    /// 42601 with a position.
    pub fn parse(&self, sql: &str) -> Result<Arc<Prepared>> {
        let statement = parse::parse(sql)?;
        let parameters = match &statement {
            // Its parameters are those of the statement that it prepares.
            Statement::Sql(sql) if matches!(sql.as_ref(), ast::Statement::Prepare { .. }) => Vec::new(),
            Statement::Sql(sql) => administration::untyped(sql.as_ref(), &[]),
            _ => Vec::new(),
        };
        Ok(Arc::new(Prepared { parameters, columns: None, statement, text: sql.into() }))
    }

    /// Reads one statement and finds the types of its parameters and result.
    ///
    /// * `types` – declared parameter types; `None` where the statement is to tell.
    ///
    /// # Errors
    /// As executing it would give for names and types; 25P02 in a failed block.
    pub async fn prepare(&mut self, sql: &str, types: &[Option<DataType>]) -> Result<Arc<Prepared>> {
        let statement = parse::parse(sql)?;
        self.describe(statement, sql.into(), types).map_err(|e| parse::located(e, sql))
    }

    fn describe(&mut self, statement: Statement, text: Arc<str>, types: &[Option<DataType>]) -> Result<Arc<Prepared>> {
        self.check_not_failed(&statement)?;
        if let Some(columns) = session_columns(&statement) {
            return Ok(Arc::new(Prepared { parameters: Vec::new(), columns: Some(columns), statement, text }));
        }
        if let Statement::Fetch(fetch) = &statement {
            let columns = self.cursor(&fetch.name)?.columns.clone();
            let columns = (!fetch.moves).then_some(columns);
            return Ok(Arc::new(Prepared { parameters: Vec::new(), columns, statement, text }));
        }
        if let Statement::Sql(sql) = &statement
            && let ast::Statement::Execute { name: Some(name), .. } = sql.as_ref()
            && let Some((prepared, _)) = self.prepared.get(&name.to_string().to_lowercase())
        {
            let columns = prepared.columns.clone();
            return Ok(Arc::new(Prepared { parameters: Vec::new(), columns, statement, text }));
        }
        let mut work = self.begin_work();
        let described = work.describe(&statement, &text, types);
        self.end_work(work);
        let (parameters, columns) = described?;
        Ok(Arc::new(Prepared { parameters, columns: columns.map(|c| names::displayed(&c)), statement, text }))
    }

    /// Executes a prepared statement. Outside of a block it is a transaction of its own, durable before
    /// this returns.
    ///
    /// # Errors
    /// Whatever the statement gives; 25P02 in a failed block; 57014 when it is cancelled or takes longer
    /// than `statement_timeout`.
    pub async fn execute(&mut self, prepared: &Arc<Prepared>, parameters: Vec<Parameter>) -> Result<Outcome> {
        // A statement may find all it needs in memory. Who executes one after another lets others have their turn.
        tokio::task::coop::consume_budget().await;
        self.activity.check_not_ended()?;
        let running = self.activity.execute(&prepared.text);
        let limit = Limit::new(self.activity.cancel.renew(), self.settings.statement_timeout());
        let result = self.execute_now(prepared, parameters, &limit).await;
        match &result {
            Ok(_) => self.announce(),
            Err(_) => self.fail(),
        }
        Ok(match result.map_err(|e| parse::located(e, &prepared.text))? {
            Outcome::Rows { columns, rows, tag } => {
                Outcome::Rows { columns: names::displayed(&columns), rows: stoppable(rows, limit, running), tag }
            }
            Outcome::CopyIn(copy) => Outcome::CopyIn(CopyIn { _running: Some(running), ..copy }),
            Outcome::CopyOut(copy) => Outcome::CopyOut(CopyOut { _running: Some(running), ..copy }),
            other => other,
        })
    }

    /// What computes can be stopped; what commits cannot, or nobody would know whether it did.
    async fn execute_now(&mut self, prepared: &Prepared, parameters: Vec<Parameter>, limit: &Limit) -> Result<Outcome> {
        let statement = &prepared.statement;
        self.check_not_failed(statement)?;
        if let Statement::Sql(sql) = statement
            && let Some(outcome) = Box::pin(self.control(sql, limit)).await?
        {
            return Ok(outcome);
        }
        if let Statement::Copy(copy) = statement
            && !copy.to
        {
            return self.copy_in(copy);
        }
        match statement {
            Statement::Declare(declare) => return self.declare(declare, prepared, parameters, limit).await,
            Statement::Fetch(fetch) => return self.fetch(fetch, limit).await,
            _ => {}
        }
        for attempt in 1.. {
            let mut work = self.begin_work();
            work.described.clone_from(&prepared.parameters);
            let result = limit.hold(Box::pin(work.run(statement, &prepared.text, &parameters))).await.flatten();
            let notices = std::mem::take(&mut work.notices);
            self.settings = work.settings.clone();
            let in_block = self.block.is_some();
            let transaction = self.end_work(work);
            let result = match (result, transaction) {
                (Ok(outcome), Some(mut transaction)) => {
                    self.end_temporary(&mut transaction)?;
                    self.engine.numbers.settle(&mut transaction)?;
                    let wait = self.settings.get("synchronous_commit")? != "off";
                    self.engine.commit(transaction, wait).await.map(|()| outcome)
                }
                (result, _) => result,
            };
            match result {
                Err(e) if !in_block && attempt < ATTEMPTS && matches!(e.sqlstate, "40001") => continue,
                result => {
                    self.notices.extend(notices);
                    return result;
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Takes the transaction to work on: the block's, or a new one.
    fn begin_work(&mut self) -> Work {
        let statement = self.engine.now();
        let (transaction, began, autocommit) = match &mut self.block {
            Some(block) => (block.transaction.take().expect("it is put back after each statement"), block.began, false),
            None => (self.engine.store.begin(), statement, true),
        };
        self.work_on(transaction, StatementTimes { transaction: began, statement }, autocommit)
    }

    fn work_on(&self, transaction: Transaction, times: StatementTimes, autocommit: bool) -> Work {
        Work {
            instance: self.instance.clone(),
            engine: self.engine.clone(),
            transaction,
            settings: self.settings.clone(),
            user: self.user.clone(),
            times,
            autocommit,
            notices: Vec::new(),
            described: Vec::new(),
            bound: Arc::default(),
            seen: self.seen.clone(),
            session: self.activity.pid,
        }
    }

    /// Puts the transaction back into its block, or gives it back to be committed.
    fn end_work(&mut self, work: Work) -> Option<Transaction> {
        match &mut self.block {
            Some(block) => {
                block.transaction = Some(work.transaction);
                None
            }
            None => Some(work.transaction),
        }
    }

    fn check_not_failed(&self, statement: &Statement) -> Result<()> {
        let ends = matches!(statement, Statement::Sql(s)
            if matches!(s.as_ref(), ast::Statement::Rollback { .. } | ast::Statement::Commit { .. }));
        match &self.block {
            Some(block) if block.failed && !ends && !matches!(statement, Statement::Empty) => Err(Error::new(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            )),
            _ => Ok(()),
        }
    }

    /// Statements about the session itself.
    async fn control(&mut self, statement: &ast::Statement, limit: &Limit) -> Result<Option<Outcome>> {
        use ast::Statement as Sql;
        let done = |tag: &str| Ok(Some(Outcome::Done(tag.to_owned())));
        match statement {
            Sql::StartTransaction { modes, begin, .. } => {
                self.begin(modes)?;
                done(if *begin { "BEGIN" } else { "START TRANSACTION" })
            }
            Sql::Commit { chain, .. } => {
                let tag = self.commit().await?;
                if *chain {
                    self.begin(&[])?;
                }
                done(tag)
            }
            Sql::Rollback { savepoint: None, chain } => {
                self.rollback();
                if *chain {
                    self.begin(&[])?;
                }
                done("ROLLBACK")
            }
            Sql::Rollback { savepoint: Some(name), .. } => {
                self.rollback_to(&parse::ident(name))?;
                done("ROLLBACK")
            }
            Sql::Savepoint { name } => {
                let settings = self.settings.clone();
                let block = self.explicit_block("SAVEPOINT")?;
                let savepoint = block.transaction.as_ref().expect("no statement is running").savepoint();
                block.savepoints.push((parse::ident(name), savepoint, settings));
                done("SAVEPOINT")
            }
            Sql::ReleaseSavepoint { name } => {
                let name = parse::ident(name);
                let block = self.explicit_block("RELEASE SAVEPOINT")?;
                let position =
                    block.savepoints.iter().rposition(|(n, ..)| *n == name).ok_or_else(|| no_savepoint(&name))?;
                block.savepoints.truncate(position);
                done("RELEASE")
            }
            Sql::Set(set) => self.set_statement(set).map(Some),
            Sql::Reset(reset) => {
                match &reset.reset {
                    ast::Reset::ALL => self.settings.reset_all(),
                    ast::Reset::ConfigurationParameter(name) => {
                        self.settings.set(&parse::name_parts(name).join("."), None)?;
                    }
                }
                done("RESET")
            }
            Sql::ShowVariable { variable } => self.show(variable).map(Some),
            // Nothing is ever listened to.
            Sql::UNLISTEN { .. } => done("UNLISTEN"),
            Sql::Close { cursor: ast::CloseCursor::All } => {
                self.cursors.clear();
                self.held.clear();
                done("CLOSE CURSOR ALL")
            }
            Sql::Close { cursor: ast::CloseCursor::Specific { name } } => {
                let name = parse::ident(name);
                if self.cursors.remove(&name).is_none() && self.held.remove(&name).is_none() {
                    return Err(no_cursor(&name));
                }
                done("CLOSE CURSOR")
            }
            Sql::Discard { object_type } => {
                let all = *object_type == ast::DiscardObject::ALL;
                if all && self.block.as_ref().is_some_and(|block| !block.implicit) {
                    return Err(Error::new("25001", "DISCARD ALL cannot run inside a transaction block"));
                }
                if all || *object_type == ast::DiscardObject::SEQUENCES {
                    *self.seen.lock() = Seen::default();
                }
                if all || *object_type == ast::DiscardObject::TEMP {
                    self.discard_temporary().await?;
                }
                if all {
                    self.prepared.clear();
                    self.settings.reset_all();
                    self.held.clear();
                }
                done(&statement.to_string())
            }
            Sql::Prepare { name, data_types, statement } => {
                let work = self.begin_work();
                let names = work.type_names();
                self.end_work(work);
                let types = data_types
                    .iter()
                    .map(|t| {
                        // What a type that is kept as text becomes, the statement tells.
                        let column_type = names.column_type(t)?;
                        Ok(type_mark(&column_type).is_none().then(|| arrow_type(&column_type)))
                    })
                    .collect::<Result<Vec<_>>>()?;
                let text = statement.to_string().into();
                let prepared = self.describe(Statement::Sql(statement.clone()), text, &types)?;
                if self.prepared.insert(parse::ident(name), (prepared, types)).is_some() {
                    return Err(Error::new("42P05", format!("prepared statement \"{name}\" already exists")));
                }
                done("PREPARE")
            }
            Sql::Execute { name: Some(name), parameters, .. } => {
                let key = parse::name_parts(name).join(".");
                let (prepared, _) = self
                    .prepared
                    .get(&key)
                    .cloned()
                    .ok_or_else(|| Error::new("26000", format!("prepared statement \"{key}\" does not exist")))?;
                let work = self.begin_work();
                let planner = work.planner();
                let values: Result<Vec<ScalarValue>> = parameters
                    .iter()
                    .enumerate()
                    .map(|(i, value)| match prepared.parameters.get(i) {
                        Some(parameter) => planner.constant_as(value, parameter),
                        None => planner.constant(value),
                    })
                    .collect();
                self.end_work(work);
                Box::pin(self.execute_now(&prepared, values?, limit)).await.map(Some)
            }
            Sql::Deallocate { name, .. } => {
                match parse::ident(name) {
                    all if all == "all" => self.prepared.clear(),
                    name => {
                        self.prepared.remove(&name).ok_or_else(|| {
                            Error::new("26000", format!("prepared statement \"{name}\" does not exist"))
                        })?;
                    }
                }
                done("DEALLOCATE")
            }
            _ => Ok(None),
        }
    }

    fn begin(&mut self, modes: &[ast::TransactionMode]) -> Result<()> {
        let serializable = modes.iter().any(|mode| {
            matches!(mode, ast::TransactionMode::IsolationLevel(ast::TransactionIsolationLevel::Serializable))
        });
        if serializable {
            return Err(Error::unsupported("SERIALIZABLE transactions are not supported")
                .hint("REPEATABLE READ gives a snapshot; the first of two conflicting transactions wins."));
        }
        match &mut self.block {
            Some(block) if block.implicit => block.implicit = false,
            Some(_) => self.notices.push(Notice::warning("25001", "there is already a transaction in progress")),
            None => self.open_block(false),
        }
        Ok(())
    }

    fn open_block(&mut self, implicit: bool) {
        self.block = Some(Block {
            transaction: Some(self.engine.store.begin()),
            implicit,
            failed: false,
            began: self.engine.now(),
            savepoints: Vec::new(),
            settings: self.settings.clone(),
        });
    }

    async fn commit(&mut self) -> Result<&'static str> {
        let cursors = std::mem::take(&mut self.cursors);
        let Some(block) = self.block.take() else {
            self.notices.push(Notice::warning("25P01", "there is no transaction in progress"));
            return Ok("COMMIT");
        };
        if block.failed {
            self.settings = block.settings;
            return Ok("ROLLBACK");
        }
        let wait = self.settings.get("synchronous_commit")? != "off";
        let mut transaction = block.transaction.expect("no statement is running");
        self.end_temporary(&mut transaction)?;
        self.engine.numbers.settle(&mut transaction)?;
        if let Err(e) = self.engine.commit(transaction, wait).await {
            self.settings = block.settings;
            return Err(e);
        }
        self.settings.end_transaction();
        self.held.extend(cursors.into_iter().filter(|(_, cursor)| cursor.hold));
        Ok("COMMIT")
    }

    /// Drops the temporary tables.
    async fn discard_temporary(&mut self) -> Result<()> {
        if self.settings.temporary.is_none() {
            return Ok(());
        }
        let mut work = self.begin_work();
        let result = temporary::discard(&mut work);
        self.settings = work.settings.clone();
        let transaction = self.end_work(work);
        result?;
        match transaction {
            Some(transaction) => self.engine.commit(transaction, true).await,
            None => Ok(()),
        }
    }

    /// What temporary tables want at the end of a transaction.
    fn end_temporary(&mut self, transaction: &mut Transaction) -> Result<()> {
        self.settings.temporary.as_mut().map_or(Ok(()), |temporary| temporary.end_transaction(transaction))
    }

    fn rollback(&mut self) {
        self.cursors.clear();
        match self.block.take() {
            Some(block) => self.settings = block.settings,
            None => self.notices.push(Notice::warning("25P01", "there is no transaction in progress")),
        }
    }

    fn rollback_to(&mut self, name: &str) -> Result<()> {
        let block = self.explicit_block("ROLLBACK TO SAVEPOINT")?;
        let position = block.savepoints.iter().rposition(|(n, ..)| n == name).ok_or_else(|| no_savepoint(name))?;
        block.savepoints.truncate(position + 1);
        let (_, savepoint, settings) = &block.savepoints[position];
        block.transaction.as_mut().expect("no statement is running").rollback_to(savepoint);
        block.failed = false;
        self.settings = settings.clone();
        self.cursors.retain(|_, cursor| cursor.depth <= position);
        Ok(())
    }

    fn explicit_block(&mut self, what: &str) -> Result<&mut Block> {
        match &mut self.block {
            Some(block) if !block.implicit => Ok(block),
            _ => Err(Error::new("25P01", format!("{what} can only be used in transaction blocks"))),
        }
    }

    fn set_statement(&mut self, set: &ast::Set) -> Result<Outcome> {
        let text = |values: &[ast::Expr]| -> String { values.iter().map(setting_value).collect::<Vec<_>>().join(", ") };
        match set {
            ast::Set::SingleAssignment { scope, variable, values, .. } => {
                let name = parse::name_parts(variable).join(".");
                let default =
                    matches!(values.as_slice(), [ast::Expr::Identifier(i)] if i.value.eq_ignore_ascii_case("default"));
                let value = text(values);
                let local = matches!(scope, Some(ast::ContextModifier::Local));
                self.set_setting(&name, if default { None } else { Some(&value) }, local)?;
            }
            ast::Set::SetTimeZone { local, value } => {
                let value = setting_value(value);
                let default = value.eq_ignore_ascii_case("local") || value.eq_ignore_ascii_case("default");
                self.set_setting("timezone", if default { None } else { Some(&value) }, *local)?;
            }
            ast::Set::SetTransaction { modes, .. } => {
                let serializable = modes.iter().any(|mode| {
                    matches!(mode, ast::TransactionMode::IsolationLevel(ast::TransactionIsolationLevel::Serializable))
                });
                if serializable {
                    return Err(Error::unsupported("SERIALIZABLE transactions are not supported")
                        .hint("REPEATABLE READ gives a snapshot; the first of two conflicting transactions wins."));
                }
            }
            ast::Set::SetNames { .. } | ast::Set::SetNamesDefault {} => {}
            ast::Set::SetRole { role_name, .. } => self.check_role(role_name.as_ref())?,
            ast::Set::SetSessionAuthorization(to) => match &to.kind {
                ast::SetSessionAuthorizationParamKind::Default => {}
                ast::SetSessionAuthorizationParamKind::User(name) => self.check_role(Some(name))?,
            },
            other => return Err(Error::unsupported(format!("{other} is not supported"))),
        }
        Ok(Outcome::Done("SET".to_owned()))
    }

    /// There is one role: the session's user.
    fn check_role(&self, role: Option<&ast::Ident>) -> Result<()> {
        match role.map(parse::ident).filter(|role| *role != self.user && role != "none") {
            None => Ok(()),
            Some(role) => Err(Error::invalid_parameter(format!("role \"{role}\" does not exist"))),
        }
    }

    fn set_setting(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<()> {
        if local && self.block.is_none() {
            let warning = Notice::warning("25P01", "SET LOCAL can only be used in transaction blocks");
            self.notices.push(warning);
        }
        self.settings.change(name, value, local, self.block.is_some())
    }

    fn show(&mut self, variable: &[ast::Ident]) -> Result<Outcome> {
        let value = self.settings.get(&shown_setting(variable))?.to_owned();
        let columns = show_columns(variable);
        let batch = RecordBatch::try_new(columns.clone(), vec![Arc::new(StringArray::from(vec![value]))])?;
        Ok(Outcome::Rows { columns, rows: futures::stream::once(async { Ok(batch) }).boxed(), tag: "SHOW" })
    }

    /// Opens a cursor.
    async fn declare(
        &mut self,
        declare: &Declare,
        prepared: &Prepared,
        parameters: Vec<Parameter>,
        limit: &Limit,
    ) -> Result<Outcome> {
        if self.cursors.contains_key(&declare.name) || self.held.contains_key(&declare.name) {
            return Err(Error::new("42P03", format!("cursor \"{}\" already exists", declare.name)));
        }
        if self.block.is_none() && !declare.hold {
            return Err(Error::new("25P01", "DECLARE CURSOR can only be used in transaction blocks"));
        }
        let mut work = self.begin_work();
        work.described.clone_from(&prepared.parameters);
        let text: Arc<str> = declare.query.to_string().into();
        let statement = Statement::Sql(Box::new(ast::Statement::Query(declare.query.clone())));
        let result = limit.hold(Box::pin(work.run(&statement, &text, &parameters))).await.flatten();
        let notices = std::mem::take(&mut work.notices);
        self.notices.extend(notices);
        let transaction = self.end_work(work);
        let Outcome::Rows { columns, rows, .. } = result? else {
            return Err(Error::syntax("a cursor needs a query that gives rows"));
        };
        let depth = self.block.as_ref().map_or(0, |block| block.savepoints.len());
        let cursor = Cursor::new(names::displayed(&columns), rows, declare.hold, depth);
        match transaction {
            None => self.cursors.insert(declare.name.clone(), cursor),
            Some(_) => self.held.insert(declare.name.clone(), cursor),
        };
        Ok(Outcome::Done("DECLARE CURSOR".to_owned()))
    }

    /// The columns of a cursor that was declared.
    pub fn cursor_columns(&self, name: &str) -> Option<SchemaRef> {
        self.cursors.get(name).or_else(|| self.held.get(name)).map(|cursor| cursor.columns.clone())
    }

    fn cursor(&mut self, name: &str) -> Result<&mut Cursor> {
        match self.cursors.contains_key(name) {
            true => self.cursors.get_mut(name),
            false => self.held.get_mut(name),
        }
        .ok_or_else(|| no_cursor(name))
    }

    /// Takes rows of a cursor.
    async fn fetch(&mut self, fetch: &Fetch, limit: &Limit) -> Result<Outcome> {
        let cursor = self.cursor(&fetch.name)?;
        let columns = cursor.columns.clone();
        if fetch.direction == Direction::All && !fetch.moves {
            return Ok(Outcome::Rows { columns, rows: cursor.drain(), tag: "FETCH" });
        }
        let batches = limit.hold(cursor.fetch(fetch.direction)).await.flatten()?;
        if fetch.moves {
            let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
            return Ok(Outcome::Done(format!("MOVE {count}")));
        }
        let rows = futures::stream::iter(batches.into_iter().map(Ok)).boxed();
        Ok(Outcome::Rows { columns, rows, tag: "FETCH" })
    }

    fn copy_in(&mut self, copy: &parse::CopyStatement) -> Result<Outcome> {
        let work = self.begin_work();
        let loading = work.load(copy);
        self.end_work(work);
        let loading = Box::new(loading?);
        let fields = loading.fields();
        let columns = fields.len();
        Ok(Outcome::CopyIn(CopyIn { binary: copy.binary, columns, fields, loading, _running: None }))
    }

    /// Executes all statements of a string one after another and drops their rows.
    ///
    /// # Errors
    /// That of the first statement that fails; those before it stay done.
    pub async fn run(&mut self, sql: &str) -> Result<()> {
        for sql in self.split(sql)? {
            let prepared = self.parse(&sql)?;
            if let Outcome::Rows { mut rows, .. } = self.execute(&prepared, Vec::new()).await? {
                while let Some(batch) = rows.next().await {
                    batch?;
                }
            }
        }
        Ok(())
    }

    /// Takes COPY data in pieces of any size.
    ///
    /// # Errors
    /// With line, column and value when a row is bad; nothing of the COPY is kept.
    pub async fn copy_data(&mut self, copy: &mut CopyIn, data: Bytes) -> Result<()> {
        let mut work = self.resume_work(copy);
        let result = tokio::task::block_in_place(|| copy.loading.push(&mut work, &data));
        copy.loading.transaction = self.end_work(work);
        result.inspect_err(|_| self.fail())
    }

    /// Takes rows of a COPY in the binary format: the columns of [`CopyIn::fields`].
    ///
    /// # Errors
    /// As [`Session::copy_data`].
    pub async fn copy_rows(&mut self, copy: &mut CopyIn, columns: Vec<ArrayRef>) -> Result<()> {
        let mut work = self.resume_work(copy);
        let result = tokio::task::block_in_place(|| copy.loading.push_rows(&mut work, columns));
        copy.loading.transaction = self.end_work(work);
        result.inspect_err(|_| self.fail())
    }

    /// Ends COPY data and gives the command tag.
    ///
    /// # Errors
    /// As [`Session::copy_data`], and what committing gives.
    pub async fn copy_done(&mut self, mut copy: CopyIn) -> Result<String> {
        let mut work = self.resume_work(&mut copy);
        let result = tokio::task::block_in_place(|| copy.loading.finish(&mut work));
        let transaction = self.end_work(work);
        let rows = result.inspect_err(|_| self.fail())?;
        if let Some(mut transaction) = transaction {
            self.end_temporary(&mut transaction)?;
            self.engine.commit(transaction, true).await.inspect_err(|_| self.fail())?;
        }
        Ok(format!("COPY {rows}"))
    }

    /// Goes on with the COPY's own transaction, or with the block's.
    fn resume_work(&mut self, copy: &mut CopyIn) -> Work {
        match copy.loading.transaction.take() {
            Some(transaction) => {
                let now = self.engine.now();
                self.work_on(transaction, StatementTimes { transaction: now, statement: now }, true)
            }
            None => self.begin_work(),
        }
    }

    /// Tells the session that an error was reported, outside or inside the engine: an open block can
    /// then only be rolled back.
    pub fn fail(&mut self) {
        if let Some(block) = &mut self.block {
            block.failed = true;
        }
        self.announce();
    }

    /// Lets others see what state the session is in.
    fn announce(&self) {
        let block = self.block.as_ref().filter(|block| !block.implicit);
        let application_name = self.settings.get("application_name").unwrap_or_default();
        self.activity.settle(self.status(), block.map(|block| block.began), application_name);
    }

    /// Begins an implicit block around the statements of one simple-query string, or of the extended
    /// messages up to Sync, as PostgreSQL does.
    pub fn begin_implicit(&mut self) {
        if self.block.is_none() {
            self.open_block(true);
        }
    }

    /// Commits an implicit block, or rolls it back after [`Session::fail`].
    ///
    /// # Errors
    /// What committing gives.
    pub async fn end_implicit(&mut self) -> Result<()> {
        if self.block.as_ref().is_some_and(|b| b.implicit) {
            self.commit().await?;
        }
        Ok(())
    }

    /// Whether a transaction block is open.
    pub fn status(&self) -> TransactionStatus {
        match &self.block {
            Some(block) if block.failed && !block.implicit => TransactionStatus::Failed,
            Some(block) if !block.implicit => TransactionStatus::InBlock,
            _ => TransactionStatus::Idle,
        }
    }

    /// The notices since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Settings that clients are told about (`TimeZone`, `client_encoding`, …) that changed since the
    /// last call; all of them on the first.
    pub fn take_reported_settings(&mut self) -> Vec<(&'static str, String)> {
        let is_new = |(name, value): &(&'static str, &str)| self.reported.get(name).is_none_or(|known| known != value);
        let changed: Vec<_> = self.settings.reported().filter(is_new).map(|(n, v)| (n, v.to_owned())).collect();
        self.reported.extend(changed.iter().cloned());
        changed
    }

    /// Sets what a setting begins with and RESET gives it back, as the start-up message does.
    ///
    /// # Errors
    /// 42704 no such setting, 22023 no such value, 55P02 cannot be changed.
    pub fn begin_with(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.begin_with(name, value)?;
        self.announce();
        Ok(())
    }

    /// The values of settings now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Cancels what the session executes now, when fired from another task.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.activity.cancel.clone()
    }

    /// Number of the session among all of the instance, which `pg_backend_pid` gives.
    pub fn pid(&self) -> i32 {
        self.activity.pid
    }

    /// Fired when `pg_terminate_backend` ends the session: nothing more is executed then.
    pub fn ended(&self) -> CancellationToken {
        self.activity.ended.clone()
    }

    /// Lets `pg_stat_activity` show where the client is.
    pub fn connected_from(&self, client: SocketAddr) {
        self.activity.connected_from(client);
    }

    /// The zone that timestamps are shown in.
    pub fn time_zone(&self) -> &str {
        self.settings.time_zone()
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        &self.engine.name
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What an open block did is undone.
        let settings = self.block.as_ref().map_or(&self.settings, |block| &block.settings);
        let Some(left) = &settings.temporary else { return };
        let (instance, engine, schemas) = (self.instance.clone(), self.engine.clone(), [left.schema.clone()]);
        // Without a runtime, whoever opens the database next drops them.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let _running = instance.running.read().await;
            if !instance.is_closing()
                && let Err(e) = temporary::clear(&instance, &engine, &schemas).await
            {
                warn!(schemas = ?schemas, error = %e, "temporary tables of a session are left");
            }
        });
    }
}

/// Cancels the statement that a session executes.
#[derive(Clone, Debug, Default)]
pub struct CancelHandle(Arc<Mutex<CancellationToken>>);

impl CancelHandle {
    /// What to listen to while the next statement is executed.
    fn renew(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.0.lock().expect("no panic while replacing a token") = token.clone();
        token
    }

    /// Cancels it; a session that executes nothing does not notice.
    pub fn cancel(&self) {
        self.0.lock().expect("no panic while replacing a token").cancel();
    }
}

/// When a statement is to stop before it is done.
struct Limit {
    cancel: CancellationToken,
    deadline: Option<tokio::time::Instant>,
}

impl Limit {
    fn new(cancel: CancellationToken, timeout: Option<Duration>) -> Self {
        Limit { cancel, deadline: timeout.map(|t| tokio::time::Instant::now() + t) }
    }

    /// Does the work unless it is cancelled or its time is up first.
    async fn hold<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let deadline = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::new("57014", "canceling statement due to user request")),
            () = deadline => Err(Error::new("57014", "canceling statement due to statement timeout")),
            done = work => Ok(done),
        }
    }
}

fn no_cursor(name: &str) -> Error {
    Error::new("34000", format!("cursor \"{name}\" does not exist"))
}

fn no_savepoint(name: &str) -> Error {
    Error::new("3B001", format!("savepoint \"{name}\" does not exist"))
}

/// Rows that end with an error when the statement is cancelled or its time is up.
fn stoppable(rows: RowStream, limit: Limit, running: Running) -> RowStream {
    futures::stream::unfold(Some((rows, limit, running)), |state| async {
        let (mut rows, limit, running) = state?;
        match limit.hold(rows.next()).await.transpose()?.flatten() {
            Ok(batch) => Some((Ok(batch), Some((rows, limit, running)))),
            Err(e) => Some((Err(e), None)),
        }
    })
    .boxed()
}

fn setting_value(expr: &ast::Expr) -> String {
    match expr {
        ast::Expr::Value(value) => match &value.value {
            ast::Value::SingleQuotedString(s) | ast::Value::DoubleQuotedString(s) => s.clone(),
            other => other.to_string(),
        },
        ast::Expr::Identifier(i) => i.value.clone(),
        ast::Expr::Interval(interval) => match interval.value.as_ref() {
            ast::Expr::Value(value) => value.to_string().trim_matches('\'').to_owned(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

fn show_columns(variable: &[ast::Ident]) -> SchemaRef {
    let name = shown_setting(variable);
    Arc::new(Schema::new(vec![Field::new(setting::spelled(&name), DataType::Utf8, false)]))
}

fn shown_setting(variable: &[ast::Ident]) -> String {
    setting::of_words(variable.iter().map(|word| word.value.as_str()))
}

/// Columns of the statements that [`Session::control`] answers itself.
fn session_columns(statement: &Statement) -> Option<SchemaRef> {
    match statement {
        Statement::Sql(sql) => match sql.as_ref() {
            ast::Statement::ShowVariable { variable } => Some(show_columns(variable)),
            _ => None,
        },
        _ => None,
    }
}
