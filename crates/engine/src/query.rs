//! From a query to rows.
//!
//! ```text
//! AST ─names─▶ SqlToRel (names resolved in one version) ─meaning─▶ LogicalPlan ─optimize─▶ physical plan ─▶ stream
//! ```
//!
//! A [`Planner`] is made for one statement: it holds the version that the statement sees, so every name it
//! resolves and every row it reads are as of one commit.

mod cache;
pub mod distinct;

use crate::database::Engine;
use crate::definition::Definition;
use crate::operator::marked::marked;
use crate::operator::operand::{Operand, interval};
use crate::operator::refused::refuse;
use crate::operator::values::settle_values;
use crate::sequence::{Seen, Sequences};
use crate::session::RowStream;
use crate::setting::Settings;
use crate::table::StoreTable;
use crate::temporary::is_temporary;
use crate::work::parameter;
use crate::{
    Error, Result, convert, gapfill, information, lateral, meaning, merged, names, own_alias, parse, realtime, rewrite,
    rollup, types, whole_row,
};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ParamValues, ScalarValue, TableReference};
use datafusion::datasource::{MemTable, ViewTable, provider_as_source, source_as_provider};
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::{
    AggregateUDF, Cast, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::planner::{NullOrdering, ParserOptions, PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast;
use futures::{StreamExt, TryStreamExt};
use highwater_model::time::Clockface;
use highwater_model::{CaggId, Catalog, Column, ColumnId, ContinuousAggregate, RangeSet, Table, TableId, TableKind};
use highwater_store::Version;
use highwater_store::schema::field_type;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

pub use cache::PlanCache;

/// Scans of fewer rows than this are not worth a second thread.
const PARALLEL_ROWS: u64 = 200_000;

/// How deep views may refer to views.
const VIEW_DEPTH: usize = 64;

/// Plans and runs the queries of one statement.
pub struct Planner {
    engine: Arc<Engine>,
    version: Version,
    settings: Settings,
    user: String,
    times: StatementTimes,
    state: OnceLock<SessionState>,
    row_ids: bool,
    /// Whether tables have rows; they have none where only the meaning of a plan matters.
    has_rows: bool,
    overrides: HashMap<TableId, Arc<dyn TableProvider>>,
    /// Times that rows of tables, and of aggregates by what keeps them, must have.
    within: HashMap<TableId, RangeSet>,
    depth: Arc<AtomicUsize>,
    expr_planners: OnceLock<Vec<Arc<dyn ExprPlanner>>>,
    known: OnceLock<Arc<information::Known>>,
    /// Aggregates that plans of this planner read, those below them included.
    reads: Arc<Mutex<Vec<CaggId>>>,
    session: i32,
    seen: Arc<Mutex<Seen>>,
    /// Whether a function of sequences was planned.
    numbered: AtomicBool,
    /// Values of parameters for functions in FROM, whose rows are made while planning.
    bound: Arc<[ScalarValue]>,
    /// The types of the parameters that such functions take, by number, where there are no values yet.
    taken: Mutex<BTreeMap<usize, DataType>>,
}

impl Planner {
    /// A planner for a statement that sees `version`.
    pub fn new(
        engine: &Arc<Engine>,
        version: &Version,
        settings: &Settings,
        user: &str,
        times: StatementTimes,
    ) -> Self {
        Planner {
            engine: engine.clone(),
            version: version.clone(),
            state: OnceLock::new(),
            expr_planners: OnceLock::new(),
            settings: settings.clone(),
            user: user.to_owned(),
            times,
            row_ids: false,
            has_rows: true,
            overrides: HashMap::new(),
            within: HashMap::new(),
            depth: Arc::default(),
            known: OnceLock::new(),
            reads: Arc::default(),
            session: 0,
            seen: Arc::default(),
            numbered: AtomicBool::new(false),
            bound: Arc::default(),
            taken: Mutex::default(),
        }
    }

    /// Gives functions in FROM these values of parameters.
    pub fn with_bound(mut self, values: Arc<[ScalarValue]>) -> Self {
        self.bound = values;
        self
    }

    /// Adds the types of parameters that functions in FROM take, which are not in the plan.
    pub fn add_taken(&self, parameters: &mut Vec<FieldRef>, declared: &[Option<DataType>]) {
        for (number, data_type) in self.taken.lock().iter() {
            let count = parameters.len().max(*number);
            parameters.resize_with(count, || parameter(DataType::Utf8));
            if declared.get(number - 1).is_none_or(Option::is_none) {
                parameters[number - 1] = parameter(data_type.clone());
            }
        }
    }

    /// The values of a table function's arguments; NULL of the right type for a parameter without a value.
    fn arguments(&self, args: Vec<Expr>) -> Result<Vec<ScalarValue>> {
        let open = |expr: &Expr| matches!(expr, Expr::Placeholder(_));
        let given = args.iter().find(|arg| !matches!(arg.exists(|e| Ok(open(e))), Ok(true)));
        let sibling = given.and_then(|arg| self.constant_of(arg).ok()).map(|value| value.data_type());
        let take = |placeholder: &Placeholder, needed: &DataType| -> Result<Expr> {
            let number = placeholder.id.trim_start_matches('$').parse::<usize>().ok().filter(|number| *number > 0);
            let number =
                number.ok_or_else(|| Error::new("42P02", format!("there is no parameter {}", placeholder.id)))?;
            if let Some(value) = self.bound.get(number - 1) {
                return Ok(Expr::Literal(value.clone(), None));
            }
            let data_type = placeholder.field.as_ref().map_or(needed, |field| field.data_type()).clone();
            self.taken.lock().insert(number, data_type.clone());
            Ok(Expr::Literal(ScalarValue::try_from(&data_type)?, None))
        };
        args.into_iter()
            .enumerate()
            .map(|(i, arg)| {
                // What is counted to is of the type of what is counted from; a step of times is an interval.
                let needed = match &sibling {
                    Some(DataType::Timestamp(..) | DataType::Date32) if i == 2 => interval(),
                    Some(other) => other.clone(),
                    None => DataType::Int32,
                };
                let bound = arg.transform_down(|part| match part {
                    Expr::Cast(cast) => match cast.expr.as_ref() {
                        Expr::Placeholder(placeholder) => {
                            let value = take(placeholder, cast.field.data_type())?;
                            Ok(Transformed::new(
                                Expr::Cast(Cast { expr: Box::new(value), ..cast }),
                                true,
                                TreeNodeRecursion::Jump,
                            ))
                        }
                        _ => Ok(Transformed::no(Expr::Cast(cast))),
                    },
                    Expr::Placeholder(placeholder) => Ok(Transformed::yes(take(&placeholder, &needed)?)),
                    other => Ok(Transformed::no(other)),
                })?;
                let planned = meaning::apply_expr(bound.data, &DFSchema::empty(), self.state())?;
                self.constant_of(&planned)
            })
            .collect()
    }

    /// Plans for a session: its number, and which numbers of sequences it got.
    pub fn with_session(mut self, session: i32, seen: Arc<Mutex<Seen>>) -> Self {
        self.session = session;
        self.seen = seen;
        self
    }

    /// Number of the session that it plans for; 0 where there is none.
    pub fn session(&self) -> i32 {
        self.session
    }

    /// Makes base tables have the stable id of each row as a last column.
    pub fn with_row_ids(mut self) -> Self {
        self.row_ids = true;
        self
    }

    /// Reads these rows in place of a table's.
    pub fn with_override(mut self, table: TableId, provider: Arc<dyn TableProvider>) -> Self {
        self.overrides.insert(table, provider);
        self
    }

    /// Reads only rows whose time is among these: of a table, or of an aggregate by what keeps it.
    pub fn with_rows_within(mut self, table: TableId, times: RangeSet) -> Self {
        self.within.insert(table, times);
        self
    }

    /// Reads only the rows of an aggregate's sources whose time is in `times`.
    pub fn with_sources_within(self, cagg: &ContinuousAggregate, times: &RangeSet) -> Self {
        cagg.sources().fold(self, |planner, source| planner.with_rows_within(source, times.clone()))
    }

    /// The times that rows of a table, or of an aggregate by what keeps it, must have; `None` when any will do.
    pub fn rows_within(&self, table: TableId) -> Option<&RangeSet> {
        self.within.get(&table)
    }

    /// Remembers that a plan knows which buckets of an aggregate are pending.
    pub fn note_read(&self, cagg: CaggId) {
        self.reads.lock().push(cagg);
    }

    /// A planner that reads the definition of an aggregate as its author meant it: with the names and the zone of that
    /// session. What it reads is read by this one.
    pub fn for_definition(&self, cagg: &ContinuousAggregate) -> Planner {
        let mut settings = self.settings.clone();
        settings.temporary = None;
        // Both were valid settings when they were captured.
        let _ = settings.set("timezone", Some(&cagg.time_zone));
        let _ = settings.set("search_path", Some(&cagg.search_path.join(", ")));
        let now = self.engine.now();
        let times = StatementTimes { transaction: now, statement: now };
        let planner = Planner::new(&self.engine, &self.version, &settings, &self.user, times);
        Planner { reads: self.reads.clone(), depth: self.depth.clone(), ..planner }
    }

    /// What the definition of an aggregate means, planned over no rows, and once for all who see the same catalog.
    pub fn meaning_of(&self, cagg: &ContinuousAggregate) -> Result<Arc<Definition>> {
        let catalog = self.version.catalog();
        if let Some(known) = self.engine.meanings.lock().get(&cagg.id)
            && known.catalog.plans_like(catalog)
            && known.cagg == *cagg
        {
            return Ok(known.definition.clone());
        }
        let planner = Planner { has_rows: false, ..self.for_definition(cagg) };
        let planner = planner.with_sources_within(cagg, &RangeSet::empty());
        let definition = Arc::new(Definition::of(&planner, cagg)?);
        let known = Meaning { catalog: catalog.clone(), cagg: cagg.clone(), definition: definition.clone() };
        let mut meanings = self.engine.meanings.lock();
        meanings.retain(|id, _| catalog.caggs.contains_key(id));
        meanings.insert(cagg.id, known);
        Ok(definition)
    }

    /// Looks names up as what is kept does.
    pub fn without_temporary(mut self) -> Self {
        self.settings.temporary = None;
        self
    }

    /// Looks names up as a definition captured them.
    pub fn with_search_path(self, path: &[String]) -> Self {
        let mut planner = self.without_temporary();
        // A captured path has no "$user" left, so it can be set as it is.
        let _ = planner.settings.set("search_path", Some(&path.join(", ")));
        planner
    }

    /// The version it reads.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The configuration it plans with.
    pub fn state(&self) -> &SessionState {
        // A copy for each statement costs, and many statements need none.
        self.state.get_or_init(|| self.engine.state(&self.settings, self.times))
    }

    /// The session's zone, and the start of its transaction.
    pub fn clock(&self) -> Clockface {
        Clockface::new(self.settings.zone(), self.times.transaction)
    }

    /// The engine it belongs to.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The session's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Schemas that unqualified names are looked up in.
    pub fn search_path(&self) -> Vec<String> {
        match self.depth.load(Ordering::Relaxed) {
            0 => self.settings.search_path(&self.user),
            // What a view or an aggregate reads, no temporary table takes the place of.
            _ => self.settings.kept_search_path(&self.user),
        }
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What the system's views and functions answer from.
    pub fn known(&self) -> &Arc<information::Known> {
        self.known.get_or_init(|| Arc::new(information::Known::of(self)))
    }

    /// Plans a query. Columns have PostgreSQL's names, repeated ones marked; see [`names::displayed`].
    pub fn plan_query(&self, query: &ast::Query, parameters: &[Option<DataType>]) -> Result<LogicalPlan> {
        self.executable(self.plan(query, parameters, true)?)
    }

    /// Plans the query of a definition. What it rolls up stays a call: its states are to be kept.
    pub fn plan_definition(&self, query: &ast::Query) -> Result<LogicalPlan> {
        self.plan(query, &[], true)
    }

    /// Plans the rows of an INSERT: as [`Planner::plan_query`], but the values of a VALUES keep a type each.
    pub fn plan_source(&self, query: &ast::Query, parameters: &[Option<DataType>]) -> Result<LogicalPlan> {
        self.executable(self.plan(query, parameters, false)?)
    }

    fn executable(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        realtime::narrow::apply(self, rewrite::apply(self, gapfill::apply(self, rollup::apply(self, plan)?)?)?)
    }

    fn plan(&self, query: &ast::Query, parameters: &[Option<DataType>], settle: bool) -> Result<LogicalPlan> {
        let mut planned = self.plan_as_written(query, parameters, settle);
        let mut resolved = None;
        // An alias stands for an expression of items before it, so this comes to an end.
        while let Err(error) = &planned
            && let Some(next) = own_alias::resolved(resolved.as_ref().unwrap_or(query), error)
        {
            planned = self.plan_as_written(&next, parameters, settle);
            resolved = Some(next);
        }
        planned
    }

    fn plan_as_written(
        &self,
        query: &ast::Query,
        parameters: &[Option<DataType>],
        settle: bool,
    ) -> Result<LogicalPlan> {
        refuse(query)?;
        let mut query = query.clone();
        // Named first: what is rewritten would be named after something else.
        names::name_columns(&mut query);
        whole_row::name_columns(&mut query, |parts| self.columns_of(parts));
        merged::name_tables(&mut query, |parts| self.columns_of(parts));
        information::clients::prepare(&mut query);
        meaning::prepare(&mut query);
        settle_values(&mut query, settle, &|expr| self.type_of(expr))?;
        let statement = ast::Statement::Query(Box::new(query));
        let mut context = PlannerContext::new().with_prepare_param_data_types(
            parameters
                .iter()
                .map(|t| t.clone().map(|t| Arc::new(arrow::datatypes::Field::new("", t, true)) as FieldRef))
                .collect(),
        );
        let planner = SqlToRel::new_with_options(self, parser_options());
        let plan = planner.sql_statement_to_plan_with_context(statement, &mut context)?;
        meaning::apply(lateral::unnest_in_place(plan)?, self.state())
    }

    /// Plans the expressions of a statement over rows of `schema`.
    pub fn plan_expr(&self, expr: &ast::Expr, schema: &DFSchema) -> Result<Expr> {
        let mut expr = expr.clone();
        information::clients::prepare(&mut expr);
        meaning::prepare(&mut expr);
        let planner = SqlToRel::new_with_options(self, parser_options());
        let planned = planner.sql_to_expr(expr, schema, &mut PlannerContext::new())?;
        meaning::apply_expr(planned, schema, self.state())
    }

    /// The type of a prepared expression without columns; `None` when it cannot be told.
    fn type_of(&self, expr: &ast::Expr) -> Option<DataType> {
        let schema = DFSchema::empty();
        let planner = SqlToRel::new_with_options(self, parser_options());
        let planned = planner.sql_to_expr(expr.clone(), &schema, &mut PlannerContext::new()).ok()?;
        let planned = meaning::apply_expr(planned, &schema, self.state()).ok()?;
        // Types that are kept as text are not told by it.
        if marked(&planned, &schema).is_some() {
            return None;
        }
        Operand::new(planned, &schema).map(|operand| operand.data_type)
    }

    /// Evaluates planned expressions over rows.
    pub fn evaluate(
        &self,
        exprs: &[Expr],
        schema: &DFSchema,
        batch: &RecordBatch,
    ) -> Result<Vec<arrow::array::ArrayRef>> {
        exprs
            .iter()
            .map(|expr| {
                let physical = self.state().create_physical_expr(expr.clone(), schema)?;
                Ok(physical.evaluate(batch)?.into_array(batch.num_rows())?)
            })
            .collect()
    }

    /// The value of an expression without columns.
    pub fn constant(&self, expr: &ast::Expr) -> Result<ScalarValue> {
        let schema = DFSchema::empty();
        let planned = self.plan_expr(expr, &schema)?;
        self.constant_of(&planned)
    }

    /// The value of an expression without columns, in which parameters have these values.
    ///
    /// # Errors
    /// 08P01 when there is no such parameter.
    pub fn constant_with(&self, expr: &ast::Expr, parameters: &[ScalarValue]) -> Result<ScalarValue> {
        let planned = self.plan_expr(expr, &DFSchema::empty())?;
        let bound = planned.transform(|part| {
            let Expr::Placeholder(placeholder) = &part else { return Ok(Transformed::no(part)) };
            let value = placeholder.id.trim_start_matches('$').parse::<usize>().ok();
            let value = value.and_then(|number| parameters.get(number.checked_sub(1)?));
            let value =
                value.ok_or_else(|| Error::new("08P01", format!("there is no parameter {}", placeholder.id)))?;
            Ok(Transformed::yes(Expr::Literal(value.clone(), None)))
        })?;
        self.constant_of(&bound.data)
    }

    /// The value of an expression without columns, as one of a parameter's type.
    ///
    /// # Errors
    /// 42804 when it is none; those of reading a literal.
    pub fn constant_as(&self, expr: &ast::Expr, parameter: &Field) -> Result<ScalarValue> {
        let schema = DFSchema::empty();
        let planned = self.plan_expr(expr, &schema)?;
        let Some(column_type) = field_type(parameter) else { return self.constant_of(&planned) };
        let (id, name) = (ColumnId(0), "parameter".to_owned());
        let column = Column { id, name, column_type, not_null: false, default: None, missing: None };
        self.constant_of(&convert::assign_expr(planned, &column, "", &schema, self.state())?)
    }

    /// The value of a planned expression without columns.
    pub fn constant_of(&self, planned: &Expr) -> Result<ScalarValue> {
        let schema = DFSchema::empty();
        let one = RecordBatch::try_new_with_options(
            Arc::new(arrow::datatypes::Schema::empty()),
            vec![],
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(1)),
        )?;
        let value = self.evaluate(std::slice::from_ref(planned), &schema, &one)?;
        Ok(ScalarValue::try_from_array(&value[0], 0)?)
    }

    /// Binds parameters, optimizes and makes a physical plan.
    pub async fn physical(&self, plan: LogicalPlan, parameters: &[ScalarValue]) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = match parameters.is_empty() {
            true => plan,
            false => plan.with_param_values(ParamValues::from(parameters.to_vec()))?,
        };
        let physical = information::apply::physical(&plan, &self.state_for(&plan)).await?;
        Ok(physical.transform_up(let_others_in)?.data)
    }

    /// The configuration to make a plan physical with.
    fn state_for(&self, plan: &LogicalPlan) -> SessionState {
        match scanned_rows(plan) < PARALLEL_ROWS {
            true => self.engine.narrow_state(&self.settings, self.times),
            false => self.state().clone(),
        }
    }

    /// Runs a physical plan.
    pub fn stream(&self, physical: Arc<dyn ExecutionPlan>) -> Result<RowStream> {
        let stream = execute_stream(physical, self.engine.task())?;
        Ok(stream.map_err(Error::from).boxed())
    }

    /// Plans and runs, with the rows in a stream.
    pub async fn run(&self, plan: LogicalPlan, parameters: &[ScalarValue]) -> Result<RowStream> {
        let physical = self.physical(plan, parameters).await?;
        self.stream(physical)
    }

    /// Plans and runs, with the rows in memory. For results that are small by their nature.
    pub async fn collect(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>> {
        self.run(plan, &[]).await?.try_collect().await
    }

    /// The relation that a name stands for.
    ///
    /// # Errors
    /// 42P01 when there is none.
    pub fn resolve(&self, parts: &[String]) -> Result<Relation> {
        resolve(&self.version, &self.search_path(), parts)
    }

    /// Sequences, as the statement sees them.
    fn sequences(&self) -> Sequences {
        let (engine, version) = (self.engine.clone(), self.version.clone());
        Sequences { engine, version, search_path: self.search_path(), seen: self.seen.clone() }
    }

    /// The types that names stand for.
    pub fn type_names(&self) -> types::Names {
        types::Names { version: self.version.clone(), search_path: self.search_path() }
    }

    /// The names of a relation's columns.
    fn columns_of(&self, parts: &[String]) -> Option<Vec<String>> {
        let table = match self.resolve(parts).ok()? {
            Relation::Table(table) => table,
            Relation::Cagg(cagg) => return Some(cagg.outputs.iter().map(|(name, _)| name.clone()).collect()),
        };
        Some(table.columns.iter().map(|c| c.name.clone()).collect())
    }

    fn source(&self, parts: &[String]) -> Result<Arc<dyn TableSource>> {
        if let Some(provider) = information::provider(self, parts)? {
            return Ok(provider_as_source(provider));
        }
        match self.resolve(parts)? {
            Relation::Table(table) => self.table_source(&table),
            Relation::Cagg(cagg) => {
                self.note_read(cagg.id);
                let plan = self.nested(|| realtime::plan(self, &cagg))?;
                Ok(provider_as_source(Arc::new(ViewTable::new(plan, Some(cagg.query.clone())))))
            }
        }
    }

    fn table_source(&self, table: &Arc<Table>) -> Result<Arc<dyn TableSource>> {
        if let Some(provider) = self.overrides.get(&table.id) {
            return Ok(provider_as_source(provider.clone()));
        }
        if let TableKind::View(query) = &table.kind {
            let plan = self.nested(|| self.plan_query(&*parse::parse_query(query)?, &[]))?;
            return Ok(provider_as_source(Arc::new(ViewTable::new(plan, Some(query.clone())))));
        }
        let data = if self.has_rows { self.version.table(table.id) } else { Arc::default() };
        let mut rows = StoreTable::new(table.clone(), data);
        if let Some(times) = self.within.get(&table.id) {
            rows = rows.within(times.clone());
        }
        Ok(provider_as_source(Arc::new(if self.row_ids { rows.with_row_ids() } else { rows })))
    }

    fn nested<T>(&self, plan: impl FnOnce() -> Result<T>) -> Result<T> {
        let depth = self.depth.fetch_add(1, Ordering::Relaxed);
        let result = match depth < VIEW_DEPTH {
            true => plan(),
            false => Err(Error::new("54001", "views refer to views too deeply")),
        };
        self.depth.fetch_sub(1, Ordering::Relaxed);
        result
    }
}

/// What the definition of an aggregate means in a catalog.
pub struct Meaning {
    catalog: Arc<Catalog>,
    cagg: ContinuousAggregate,
    definition: Arc<Definition>,
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meaning").field(&self.cagg.query).finish()
    }
}

/// When the transaction and the statement began, microseconds since 1970 UTC.
#[derive(Clone, Copy, Debug)]
pub struct StatementTimes {
    /// What `now()` says.
    pub transaction: i64,
    /// What `statement_timestamp()` says.
    pub statement: i64,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Relation {
    /// A table or view.
    Table(Arc<Table>),
    /// A continuous aggregate.
    Cagg(Arc<ContinuousAggregate>),
}

/// Looks a name up in a version.
///
/// # Errors
/// 42P01 when there is no such relation, 3F000 when its schema does not exist, 0A000 when another database
/// is named.
pub fn resolve(version: &Version, search_path: &[String], parts: &[String]) -> Result<Relation> {
    let catalog = version.catalog();
    let find = |schema: &str, name: &str| {
        // Temporary tables are found by their own session only, which may call their schema by another name.
        let schema = match is_temporary(schema) {
            true => search_path.first().filter(|own| is_temporary(own) && (schema == "pg_temp" || schema == *own))?,
            false => schema,
        };
        let table = catalog.table(schema, name).cloned().map(Relation::Table);
        table.or_else(|| catalog.cagg(schema, name).cloned().map(Relation::Cagg))
    };
    match parts {
        [name] => search_path.iter().find_map(|schema| find(schema, name)).ok_or_else(|| Error::no_relation(name)),
        [schema, name] | [_, schema, name] => {
            find(schema, name).ok_or_else(|| Error::no_relation(&format!("{schema}.{name}")))
        }
        _ => Err(Error::syntax(format!("improper qualified name (too many dotted names): {}", parts.join(".")))),
    }
}

impl ContextProvider for Planner {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>, DataFusionError> {
        let parts: Vec<String> = match &name {
            TableReference::Bare { table } => vec![table.to_string()],
            TableReference::Partial { schema, table } => vec![schema.to_string(), table.to_string()],
            TableReference::Full { catalog, schema, table } => {
                vec![catalog.to_string(), schema.to_string(), table.to_string()]
            }
        };
        Ok(self.source(&parts)?)
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>, DataFusionError> {
        let bare = name.rsplit('.').next().unwrap_or(name);
        if let Some(function) = information::table_function(bare) {
            return Ok(provider_as_source(function(self.known(), &self.arguments(args)?)?));
        }
        match crate::function::table_function(bare) {
            Some(function) => Ok(provider_as_source(function(&self.arguments(args)?, self.state())?)),
            // Any function may stand in FROM: its value is a row.
            None if let Some(function) = self.get_function_meta(bare) => {
                let literals = self.arguments(args)?.into_iter().map(|value| Expr::Literal(value, None)).collect();
                let call = meaning::apply_expr(function.call(literals), &DFSchema::empty(), self.state())?;
                let value = self.constant_of(&call)?.to_array()?;
                let rows = RecordBatch::try_from_iter_with_nullable([(bare, value, true)])?;
                Ok(provider_as_source(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?)))
            }
            None => Err(Error::new("42883", format!("function {bare} does not exist")).into()),
        }
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>, DataFusionError> {
        Ok(provider_as_source(Arc::new(datafusion::datasource::cte_worktable::CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.expr_planners.get_or_init(|| meaning::planners(self.clock(), self.state()))
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(types::PgTypePlanner(self.type_names())))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let bare = name.rsplit('.').next().unwrap_or(name);
        if let Some(function) = self.sequences().function(bare) {
            self.numbered.store(true, Ordering::Relaxed);
            return Some(function);
        }
        information::scalar_function(self, bare).or_else(|| self.engine.functions.scalars.get(bare).cloned())
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.engine.functions.higher_order.get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.engine.functions.aggregates.get(name.rsplit('.').next().unwrap_or(name)).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.engine.functions.windows.get(name.rsplit('.').next().unwrap_or(name)).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state().config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.engine.functions.scalars.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.engine.functions.higher_order.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.engine.functions.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.engine.functions.windows.keys().cloned().collect()
    }
}

/// A table of rows in memory.
pub fn memory_table(schema: SchemaRef, batches: Vec<RecordBatch>) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(schema, vec![batches])?))
}

fn parser_options() -> ParserOptions {
    ParserOptions {
        parse_float_as_decimal: true,
        enable_ident_normalization: true,
        support_varchar_with_length: true,
        map_string_types_to_utf8view: false,
        enable_options_value_normalization: false,
        collect_spans: false,
        default_null_ordering: NullOrdering::NullsMax,
    }
}

/// A join can make rows for ever out of one batch of a scan: it must let cancelling have its turn too.
fn let_others_in(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>, DataFusionError> {
    match plan.name() {
        "CrossJoinExec" | "NestedLoopJoinExec" | "HashJoinExec" | "SortMergeJoinExec" | "UnnestExec" => {
            Ok(Transformed::yes(Arc::new(CooperativeExec::new(plan))))
        }
        _ => Ok(Transformed::no(plan)),
    }
}

/// Whether an optimized plan is one scan and what is done to its rows one after another. Made physical with one
/// partition, there is nothing left to optimize in it.
fn is_straight(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(p) => is_straight(&p.input),
        LogicalPlan::Filter(f) => is_straight(&f.input),
        LogicalPlan::Sort(s) => is_straight(&s.input),
        LogicalPlan::Limit(l) => is_straight(&l.input),
        LogicalPlan::SubqueryAlias(a) => is_straight(&a.input),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::TableScan(scan) => {
            source_as_provider(&scan.source).is_ok_and(|provider| StoreTable::of(provider.as_ref()).is_some())
        }
        _ => false,
    }
}

/// Roughly how many rows a plan reads from the store.
fn scanned_rows(plan: &LogicalPlan) -> u64 {
    let mut rows = 0;
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            rows += StoreTable::of(provider.as_ref()).map_or(0, StoreTable::row_count);
        }
        Ok(TreeNodeRecursion::Continue)
    });
    rows
}
