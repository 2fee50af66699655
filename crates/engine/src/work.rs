//! One statement at work on one transaction.

use crate::database::Engine;
use crate::error::{Error, Notice, Result};
use crate::instance::Instance;
use crate::operator::marked::marked_field;
use crate::parse::{self, CopySource, CopyStatement, Statement};
use crate::query::{Planner, Relation, StatementTimes, resolve};
use crate::sequence::Seen;
use crate::session::{CopyData, CopyOut, Outcome};
use crate::setting::Settings;
use crate::{administration, check, copy, define, refresh, types, write};
use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast;
use futures::StreamExt;
use highwater_model::{CatalogChange, Clockface, ContinuousAggregate, Table, TableKind};
use highwater_store::Transaction;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::sync::Arc;

/// What a statement works with.
pub struct Work {
    /// The instance, for other databases.
    pub instance: Arc<Instance>,
    /// The database.
    pub engine: Arc<Engine>,
    /// The transaction.
    pub transaction: Transaction,
    /// The session's settings.
    pub settings: Settings,
    /// The session's user.
    pub user: String,
    /// When the transaction and the statement began.
    pub times: StatementTimes,
    /// Whether the transaction is the statement's own.
    pub autocommit: bool,
    /// What the person should know.
    pub notices: Vec<Notice>,
    /// The parameters as the statement was described with.
    pub described: Vec<FieldRef>,
    /// The values of the statement's parameters.
    pub bound: Arc<[ScalarValue]>,
    /// What the session has seen of sequences.
    pub seen: Arc<Mutex<Seen>>,
    /// The session's number.
    pub session: i32,
}

impl Work {
    /// A statement of no session, on a transaction of its own.
    pub fn alone(instance: &Arc<Instance>, engine: &Arc<Engine>, user: &str) -> Work {
        let now = engine.now();
        Work {
            instance: instance.clone(),
            engine: engine.clone(),
            transaction: engine.store.begin(),
            settings: Settings::default(),
            user: user.to_owned(),
            times: StatementTimes { transaction: now, statement: now },
            autocommit: true,
            notices: Vec::new(),
            described: Vec::new(),
            bound: Arc::default(),
            seen: Arc::default(),
            session: 0,
        }
    }

    /// A planner that sees what the transaction sees.
    pub fn planner(&self) -> Planner {
        Planner::new(&self.engine, self.transaction.version(), &self.settings, &self.user, self.times)
            .with_session(self.session, self.seen.clone())
            .with_bound(self.bound.clone())
    }

    /// The relation that a name stands for.
    pub fn resolve(&self, parts: &[String]) -> Result<Relation> {
        resolve(self.transaction.version(), &self.settings.search_path(&self.user), parts)
    }

    /// The relation that a name stands for in what is kept, such as a view.
    pub fn resolve_kept(&self, parts: &[String]) -> Result<Relation> {
        resolve(self.transaction.version(), &self.settings.kept_search_path(&self.user), parts)
    }

    /// The table that a name stands for, to write to or define.
    ///
    /// # Errors
    /// 42P01 when there is none, 42809 when it is a view, 0A000 when it keeps an aggregate.
    pub fn table(&self, name: &ast::ObjectName) -> Result<Arc<Table>> {
        self.table_of(&parse::name_parts(name))
    }

    /// As [`Work::table`], by the parts of the name.
    pub fn table_of(&self, parts: &[String]) -> Result<Arc<Table>> {
        match self.resolve(parts)? {
            Relation::Table(table) if !matches!(table.kind, TableKind::View(_)) => {
                self.refuse_kept(&table)?;
                Ok(table)
            }
            Relation::Table(table) => Err(Error::new("42809", format!("\"{}\" is a view", table.name))),
            Relation::Cagg(cagg) => Err(Error::new("42809", format!("\"{}\" is a continuous aggregate", cagg.name))
                .hint("Change its source table and refresh it.")),
        }
    }

    /// Refuses to change a table that keeps a continuous aggregate: it would no longer hold what its rows give.
    ///
    /// # Errors
    /// 0A000, unless `allow_system_table_mods` is on.
    pub fn refuse_kept(&self, table: &Table) -> Result<()> {
        let (TableKind::Materialization(cagg) | TableKind::FrozenBase(cagg)) = table.kind else { return Ok(()) };
        if self.settings.get("allow_system_table_mods")? == "on" {
            return Ok(());
        }
        let cagg = self.transaction.version().catalog().caggs.get(&cagg);
        let cagg = cagg.ok_or_else(|| Error::internal("what is kept is kept of an aggregate"))?;
        Err(Error::unsupported(format!("cannot change \"{}\"", table.name))
            .detail(format!("It is what continuous aggregate \"{}\" keeps, which only a refresh writes.", cagg.name))
            .hint("Change the source table of the aggregate; a refresh brings it up to date."))
    }

    /// The continuous aggregate that a name stands for.
    ///
    /// # Errors
    /// 42P01 when there is no relation, 22023 when it is not an aggregate.
    pub fn cagg_of(&self, parts: &[String]) -> Result<Arc<ContinuousAggregate>> {
        match self.resolve(parts)? {
            Relation::Cagg(cagg) => Ok(cagg),
            Relation::Table(table) => Err(not_an_aggregate(&table, self.transaction.version().catalog())),
        }
    }

    /// The types that names stand for.
    pub fn type_names(&self) -> types::Names {
        let search_path = self.settings.search_path(&self.user);
        types::Names { version: self.transaction.version().clone(), search_path }
    }

    /// The schema and name for a new relation.
    pub fn new_name(&self, name: &ast::ObjectName) -> Result<(String, String)> {
        let parts = parse::name_parts(name);
        let catalog = self.transaction.version().catalog();
        match parts.as_slice() {
            [name] => {
                let path = self.settings.kept_search_path(&self.user);
                let schema = path.into_iter().find(|s| catalog.schemas.contains_key(s));
                let schema = schema.ok_or_else(|| Error::new("3F000", "no schema has been selected to create in"))?;
                Ok((schema, name.clone()))
            }
            [schema, name] | [_, schema, name] if catalog.schemas.contains_key(schema) => {
                Ok((schema.clone(), name.clone()))
            }
            [schema, _] | [_, schema, _] if schema == "pg_catalog" || schema.starts_with("timescaledb_") => {
                Err(Error::new("42501", format!("permission denied for schema {schema}")))
            }
            [schema, _] | [_, schema, _] => Err(Error::new("3F000", format!("schema \"{schema}\" does not exist"))),
            _ => Err(Error::syntax("improper qualified name (too many dotted names)")),
        }
    }

    /// Changes the catalog.
    pub fn change(&mut self, change: CatalogChange) -> Result<()> {
        Ok(self.transaction.change(change)?)
    }

    /// Tells the person something.
    pub fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// The types of bound values. What goes where a type is kept as text is text here; the statement tells what it
    /// becomes.
    pub fn types_of(&self, parameters: &[ScalarValue]) -> Vec<Option<DataType>> {
        let marked = |i: usize| self.described.get(i).is_some_and(|f| marked_field(f).is_some());
        parameters.iter().enumerate().map(|(i, p)| (!marked(i)).then(|| p.data_type())).collect()
    }

    /// The types of a statement's parameters and result.
    pub fn describe(
        &mut self,
        statement: &Statement,
        text: &Arc<str>,
        types: &[Option<DataType>],
    ) -> Result<(Vec<FieldRef>, Option<SchemaRef>)> {
        let sql = match statement {
            Statement::Sql(sql) => sql,
            Statement::Declare(declare) => {
                let planner = self.planner();
                let plan = planner.plan_query(&declare.query, types)?;
                let mut parameters = parameters_of(&plan, types)?;
                planner.add_taken(&mut parameters, types);
                return Ok((parameters, None));
            }
            Statement::ExplainRefresh(args) => {
                return Ok((administration::untyped(args, types), Some(refresh::explain_columns())));
            }
            Statement::CheckAggregate { .. } => return Ok((declared(types), Some(check::columns()))),
            _ => return Ok((declared(types), None)),
        };
        match sql.as_ref() {
            ast::Statement::Query(query) if into(query).is_some() => {
                Ok((administration::written(self, query.as_ref(), types), None))
            }
            ast::Statement::Query(query) => {
                let planner = self.planner();
                if let Some(kept) = planner.kept(text, types) {
                    return Ok((kept.parameters.clone(), Some(kept.columns.clone())));
                }
                let clock_reads = Clockface::times_read();
                let planned = administration::described(query)?;
                let plan = planner.plan_query(&planned, types)?;
                let mut parameters = parameters_of(&plan, types)?;
                planner.add_taken(&mut parameters, types);
                match planned {
                    Cow::Borrowed(_) => drop(planner.keep(text, types, parameters.clone(), &plan, clock_reads)),
                    // Those of functions that are executed before planning are not in the plan.
                    Cow::Owned(_) => {
                        let written = administration::written(self, query.as_ref(), types);
                        let planned = std::mem::replace(&mut parameters, written);
                        for (parameter, planned) in parameters.iter_mut().zip(planned) {
                            if *planned.data_type() != DataType::Utf8 {
                                *parameter = planned;
                            }
                        }
                    }
                }
                Ok((parameters, Some(Arc::new(plan.schema().as_arrow().clone()))))
            }
            ast::Statement::Insert(_) | ast::Statement::Update(_) | ast::Statement::Delete(_) => {
                write::describe(self, sql, types)
            }
            ast::Statement::Explain { .. } | ast::Statement::ExplainTable { .. } => {
                Ok((administration::written(self, sql.as_ref(), types), Some(explain_columns())))
            }
            ast::Statement::Call(call) => Ok((administration::called(self, call, types), None)),
            other => Ok((administration::written(self, other, types), None)),
        }
    }

    /// Executes a statement.
    ///
    /// * `text` – what it was read from.
    pub async fn run(&mut self, statement: &Statement, text: &Arc<str>, parameters: &[ScalarValue]) -> Result<Outcome> {
        if !parameters.is_empty() {
            self.bound = parameters.into();
        }
        match statement {
            Statement::Empty => Ok(Outcome::Empty),
            Statement::Nothing(tag) => Ok(Outcome::Done((*tag).to_owned())),
            Statement::Checkpoint => {
                tokio::task::block_in_place(|| self.engine.store.checkpoint())?;
                Ok(Outcome::Done("CHECKPOINT".to_owned()))
            }
            Statement::Sql(sql) => match sql.as_ref() {
                ast::Statement::Query(query) if into(query).is_some() => {
                    let mut query = query.clone();
                    let into = match query.body.as_mut() {
                        ast::SetExpr::Select(select) => select.into.take(),
                        _ => None,
                    };
                    let into = into.ok_or_else(|| Error::internal("a query INTO has a table"))?;
                    define::select_into(self, &into, &query).await
                }
                ast::Statement::Query(query) => self.query(query, text, parameters).await,
                other => self.run_sql(other, parameters).await,
            },
            Statement::CreateTable(table, likes, options) => define::create_table(self, table, likes, options).await,
            Statement::CreateProcedure(procedure) => define::create_function(self, procedure, true),
            Statement::CreateMaterializedView(view) => define::create_aggregate(self, view).await,
            Statement::AlterMaterializedView { name, if_exists, action } => {
                define::alter_aggregate(self, name, *if_exists, action).await
            }
            Statement::SetTableOptions(name, options) => define::set_table_options(self, name, options),
            Statement::SetTableSchema(name, schema) => define::set_schema(self, name, schema),
            Statement::RefreshMaterializedView(name) => {
                let cagg = self.cagg_of(&parse::name_parts(name))?;
                Err(Error::new("42809", format!("\"{}\" is a continuous aggregate", cagg.name))
                    .hint(format!("Use CALL refresh_continuous_aggregate('{}', NULL, NULL).", cagg.name)))
            }
            Statement::ExplainRefresh(args) => administration::explain_refresh(self, args, parameters),
            Statement::CheckAggregate { name, repair } => {
                let cagg = self.cagg_of(&parse::name_parts(name))?;
                check::check(self, &cagg, *repair).await
            }
            Statement::Copy(copy) => self.copy_out(copy).await,
            // The session has the cursors.
            Statement::Declare(declare) => self.query(&declare.query, text, parameters).await,
            Statement::Fetch(_) => Err(Error::internal("FETCH is executed by the session")),
            Statement::AlterNamed(alter) => define::alter_named(self, alter),
            Statement::CommentOnConstraint { name, table, comment } => {
                define::comment_on_constraint(self, name, table, comment.clone())
            }
            Statement::AlterSequence(alter) => define::alter_sequence(self, alter),
            Statement::CreateExtension { name, if_not_exists } => define::create_extension(self, name, *if_not_exists),
        }
    }

    async fn query(&mut self, query: &ast::Query, text: &Arc<str>, parameters: &[ScalarValue]) -> Result<Outcome> {
        let types = self.types_of(parameters);
        let planner = self.planner();
        if let Some(kept) = planner.kept(text, &types) {
            let rows = planner.stream(planner.bound(&kept, parameters).await?)?;
            return Ok(Outcome::Rows { columns: kept.columns.clone(), rows, tag: "SELECT" });
        }
        let executed = administration::execute(self, query, parameters).await?;
        let planner = self.planner();
        let clock_reads = Clockface::times_read();
        let plan = planner.plan_query(&executed, &types)?;
        let columns = Arc::new(plan.schema().as_arrow().clone());
        let kept = match executed {
            Cow::Borrowed(_) => {
                let given = parameters.iter().map(|p| parameter(p.data_type())).collect();
                planner.keep(text, &types, parameters_as(&self.described, given), &plan, clock_reads)
            }
            Cow::Owned(_) => None,
        };
        let physical = match kept {
            Some(kept) => planner.bound(&kept, parameters).await?,
            None => planner.physical(plan, parameters).await?,
        };
        Ok(Outcome::Rows { columns, rows: planner.stream(physical)?, tag: "SELECT" })
    }

    async fn run_sql(&mut self, statement: &ast::Statement, parameters: &[ScalarValue]) -> Result<Outcome> {
        use ast::Statement as Sql;
        match statement {
            Sql::Insert(insert) => write::insert(self, insert, parameters).await,
            Sql::Update(update) => write::update(self, update, parameters).await,
            Sql::Delete(delete) => write::delete(self, delete, parameters).await,
            Sql::Truncate(truncate) => write::truncate(self, truncate),
            Sql::Call(call) => administration::call(self, call, parameters).await,
            Sql::Explain { statement, analyze, verbose, options, format, .. } => {
                let mut asked = Explained { analyze: *analyze, verbose: *verbose };
                if format.is_some() {
                    return Err(Error::syntax("EXPLAIN FORMAT is written in parentheses: EXPLAIN (FORMAT TEXT) …"));
                }
                options.iter().flatten().try_for_each(|option| asked.take(option))?;
                self.explain(statement, asked.analyze, asked.verbose, parameters).await
            }
            other => define::execute(self, other).await,
        }
    }

    async fn explain(
        &mut self,
        statement: &ast::Statement,
        analyze: bool,
        verbose: bool,
        parameters: &[ScalarValue],
    ) -> Result<Outcome> {
        let types = self.types_of(parameters);
        let (does, planner, plan) = match statement {
            ast::Statement::Query(query) => {
                let planner = self.planner();
                let plan = planner.plan_query(query, &types)?;
                (None, planner, plan)
            }
            other => {
                let (does, planner, plan) = write::explained(self, other, types)?.ok_or_else(|| {
                    Error::unsupported("EXPLAIN of a statement that neither reads nor writes rows is not supported")
                })?;
                if analyze {
                    return Err(Error::unsupported("EXPLAIN ANALYZE of a statement that writes is not supported")
                        .hint("Leave ANALYZE out: the statement would be executed."));
                }
                (Some(does), planner, plan)
            }
        };
        let physical = planner.physical(plan, parameters).await?;
        let text = if analyze {
            let mut rows = planner.stream(physical.clone())?;
            while let Some(batch) = rows.next().await {
                batch?;
            }
            datafusion::physical_plan::display::DisplayableExecutionPlan::with_metrics(physical.as_ref())
                .indent(verbose)
                .to_string()
        } else {
            datafusion::physical_plan::displayable(physical.as_ref()).indent(verbose).to_string()
        };
        let indent = if does.is_some() { "  " } else { "" };
        let lines: Vec<String> = does.into_iter().chain(text.lines().map(|line| format!("{indent}{line}"))).collect();
        let batch = RecordBatch::try_new(explain_columns(), vec![Arc::new(StringArray::from(lines))])?;
        let rows = futures::stream::once(async { Ok(batch) }).boxed();
        Ok(Outcome::Rows { columns: explain_columns(), rows, tag: "EXPLAIN" })
    }

    /// Makes ready to take the rows of a COPY … FROM.
    pub fn load(&self, copy: &CopyStatement) -> Result<copy::Loading> {
        let CopySource::Table(name, columns) = &copy.source else {
            return Err(Error::syntax("COPY FROM needs a table"));
        };
        copy::Loading::new(self, &self.table(name)?, columns, &copy.options, copy.filter.as_ref())
    }

    async fn copy_out(&mut self, statement: &CopyStatement) -> Result<Outcome> {
        let query = match &statement.source {
            CopySource::Query(query) => query.clone(),
            CopySource::Table(name, columns) => {
                let relation = self.resolve(&parse::name_parts(name))?;
                if let Relation::Cagg(cagg) = &relation {
                    self.notices.push(Notice::new(format!("copying the rows that \"{}\" shows now", cagg.name)));
                }
                let list = match columns.is_empty() {
                    true => "*".to_owned(),
                    false => columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", "),
                };
                parse::parse_query(&format!("SELECT {list} FROM {name}"))?
            }
        };
        let planner = self.planner();
        let plan = planner.plan_query(&query, &[])?;
        let columns = crate::names::displayed(&Arc::new(plan.schema().as_arrow().clone()));
        let rows = planner.run(plan, &[]).await?;
        let count = columns.fields().len();
        let data = match statement.binary {
            true => CopyData::Rows(columns, rows),
            false => CopyData::Lines(copy::unload(columns, rows, &statement.options, self.settings.time_zone())?),
        };
        Ok(Outcome::CopyOut(CopyOut { binary: statement.binary, columns: count, data, _running: None }))
    }
}

/// The table that SELECT … INTO makes.
fn into(query: &ast::Query) -> Option<&ast::SelectInto> {
    match query.body.as_ref() {
        ast::SetExpr::Select(select) => select.into.as_ref(),
        _ => None,
    }
}

/// A name as SQL text that means exactly it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What is wrong with asking for a table as an aggregate.
pub fn not_an_aggregate(table: &Table, catalog: &highwater_model::Catalog) -> Error {
    let over: Vec<&str> = catalog.caggs_over(table.id).map(|c| c.name.as_str()).collect();
    let error = Error::new("22023", format!("relation \"{}\" is not a continuous aggregate", table.name));
    match over.as_slice() {
        [] => error.hint("SELECT view_name FROM timescaledb_information.continuous_aggregates lists those there are."),
        names => error.hint(format!("Continuous aggregates over it: {}.", names.join(", "))),
    }
}

/// The parameters as they were described, where they were.
fn parameters_as(described: &[FieldRef], given: Vec<FieldRef>) -> Vec<FieldRef> {
    if described.len() == given.len() { described.to_vec() } else { given }
}

/// A parameter of this type.
pub fn parameter(data_type: DataType) -> FieldRef {
    Arc::new(Field::new("", data_type, true))
}

/// Parameters of these types, those unknown as text.
pub fn declared(types: &[Option<DataType>]) -> Vec<FieldRef> {
    types.iter().map(|t| parameter(t.clone().unwrap_or(DataType::Utf8))).collect()
}

/// The types of a plan's parameters: as declared, or else as it needs them, or else text.
pub fn parameters_of(plan: &LogicalPlan, types: &[Option<DataType>]) -> Result<Vec<FieldRef>> {
    let inferred = plan.get_parameter_fields()?;
    let highest =
        inferred.keys().filter_map(|name| name.trim_start_matches('$').parse::<usize>().ok()).max().unwrap_or(0);
    Ok((0..highest.max(types.len()))
        .map(|i| {
            let declared = types.get(i).cloned().flatten();
            let needed = inferred.get(&format!("${}", i + 1)).cloned().flatten();
            declared.map(parameter).or(needed).unwrap_or_else(|| parameter(DataType::Utf8))
        })
        .collect())
}

/// What EXPLAIN is asked to do.
struct Explained {
    analyze: bool,
    verbose: bool,
}

impl Explained {
    /// Takes an option in parentheses.
    fn take(&mut self, option: &ast::UtilityOption) -> Result<()> {
        let name = option.name.value.to_lowercase();
        let value = option.arg.as_ref().map(|arg| arg.to_string().trim_matches('\'').to_lowercase());
        let is_on = || match value.as_deref() {
            None | Some("true" | "on" | "1") => Ok(true),
            Some("false" | "off" | "0") => Ok(false),
            Some(_) => Err(Error::syntax(format!("{name} requires a Boolean value"))),
        };
        match (name.as_str(), value.as_deref()) {
            ("analyze", _) => self.analyze = is_on()?,
            ("verbose", _) => self.verbose = is_on()?,
            // Plans have no costs, and times only where they were executed.
            ("costs" | "timing" | "summary", _) => _ = is_on()?,
            ("buffers" | "wal" | "settings", _) if !is_on()? => {}
            ("buffers" | "wal" | "settings", _) => {
                return Err(Error::unsupported(format!("EXPLAIN ({}) is not supported", name.to_uppercase())));
            }
            ("format", Some("text")) => {}
            ("format", Some("json" | "xml" | "yaml")) => {
                return Err(Error::unsupported("EXPLAIN gives text only").hint("Use EXPLAIN (FORMAT TEXT)."));
            }
            ("format", other) => {
                let other = other.unwrap_or_default();
                let message = format!("unrecognized value for EXPLAIN option \"format\": \"{other}\"");
                return Err(Error::invalid_parameter(message));
            }
            _ => return Err(Error::syntax(format!("unrecognized EXPLAIN option \"{name}\""))),
        }
        Ok(())
    }
}

fn explain_columns() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("QUERY PLAN", DataType::Utf8, false)]))
}
