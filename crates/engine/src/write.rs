//! INSERT, UPDATE, DELETE, TRUNCATE.
//!
//! Each plans a query for the rows concerned and hands whole Arrow batches to the transaction: an UPDATE
//! is the old rows deleted by their ids and the new rows inserted, in one commit.

mod conflict;
mod defaults;
mod rules;
mod values;

use crate::administration::placeholders;
use crate::error::{Error, Result};
use crate::parse::{self, ident};
use crate::query::{Planner, memory_table};
use crate::session::{Outcome, RowStream};
use crate::work::{Work, declared, parameters_of, quoted};
use crate::{convert, names};
use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    self, AssignmentTarget, Expr, FromTable, SelectItem, SetExpr, TableFactor, TableObject,
};
use futures::{StreamExt, TryStreamExt};
use highwater_model::{Column, ColumnId, ColumnType, Identity, RangeSet, Rules, Table};
use highwater_store::rows::times;
use highwater_store::schema::{ROW_ID, arrow_schema, arrow_type, type_mark, typed_field};
use highwater_store::{RowIds, Transaction};
use std::collections::HashMap;
use std::sync::Arc;

/// The types of the parameters and the columns of RETURNING.
pub fn describe(
    work: &mut Work,
    statement: &ast::Statement,
    types: &[Option<DataType>],
) -> Result<(Vec<FieldRef>, Option<SchemaRef>)> {
    let planner = work.planner();
    match statement {
        ast::Statement::Insert(insert) => {
            let target = Target::of_insert(work, insert)?;
            let mut types = types.to_vec();
            let mut marks = Vec::new();
            if let Some(source) = &insert.source {
                marks = infer_from_columns(source, &target.columns, &mut types);
            }
            let mut parameters = match &insert.source {
                Some(source) if !all_known(statement, &types) => {
                    parameters_of(&planner.plan_source(&with_defaults(source, &target)?, &types)?, &types)?
                }
                _ => declared(&types),
            };
            apply_marks(&mut parameters, marks);
            Ok((parameters, returning_columns(&planner, &target.table, insert.returning.as_deref())?))
        }
        ast::Statement::Update(update) => {
            let table = updated_table(work, update)?;
            let rules = rules_of(work, &table);
            let query = update_query(update, &table, rules.as_deref())?;
            let mut types = types.to_vec();
            let marks = infer_from_assignments(update, &table, &mut types);
            let mut parameters = match all_known(statement, &types) {
                true => declared(&types),
                false => parameters_of(&work.planner().with_row_ids().plan_query(&query, &types)?, &types)?,
            };
            apply_marks(&mut parameters, marks);
            Ok((parameters, returning_columns(&planner, &table, update.returning.as_deref())?))
        }
        ast::Statement::Delete(delete) => {
            let table = deleted_table(work, delete)?;
            let parameters = match all_known(statement, types) {
                true => declared(types),
                false => {
                    let query = delete_query(delete, &table)?;
                    parameters_of(&work.planner().with_row_ids().plan_query(&query, types)?, types)?
                }
            };
            Ok((parameters, returning_columns(&planner, &table, delete.returning.as_deref())?))
        }
        _ => Ok((Vec::new(), None)),
    }
}

/// Whether the type of every parameter is known without planning.
fn all_known(statement: &ast::Statement, types: &[Option<DataType>]) -> bool {
    (0..placeholders(statement)).all(|i| types.get(i).is_some_and(Option::is_some))
}

/// Tells of parameters that go to columns of marked types which these are.
fn apply_marks(parameters: &mut [FieldRef], marks: Marks) {
    for (i, column_type) in marks {
        if let Some(parameter) = parameters.get_mut(i) {
            *parameter = Arc::new(typed_field("", &column_type));
        }
    }
}

/// Parameters, from 0, that are of types whose Arrow type does not tell.
type Marks = Vec<(usize, ColumnType)>;

/// The table that rows go to, and the columns that are given.
struct Target {
    table: Arc<Table>,
    columns: Vec<Column>,
}

impl Target {
    fn of_insert(work: &Work, insert: &ast::Insert) -> Result<Target> {
        let TableObject::TableName(name) = &insert.table else {
            return Err(Error::unsupported("INSERT into something that is not a table is not supported"));
        };
        refuse_aggregate(work, name, "insert into")?;
        let table = work.table(name)?;
        let columns = match insert.columns.as_slice() {
            [] => {
                let width = insert.source.as_deref().and_then(width_of).unwrap_or(table.columns.len());
                table.columns.iter().take(width).cloned().collect()
            }
            names => named_columns(&table, names.iter().map(|n| parse::name_parts(n).pop().unwrap_or_default()))?,
        };
        Ok(Target { table, columns })
    }
}

/// The columns with these names.
pub fn named_columns(table: &Table, names: impl IntoIterator<Item = String>) -> Result<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::new();
    for name in names {
        let column = table.column(&name).ok_or_else(|| {
            Error::new("42703", format!("column \"{name}\" of relation \"{}\" does not exist", table.name))
        })?;
        if columns.iter().any(|c| c.id == column.id) {
            return Err(Error::new("42701", format!("column \"{name}\" specified more than once")));
        }
        columns.push(column.clone());
    }
    Ok(columns)
}

fn rules_of(work: &Work, table: &Table) -> Option<Arc<Rules>> {
    work.transaction.version().catalog().objects.rules.get(&table.id).cloned()
}

/// Whether only the database gives a column its values.
fn is_computed(rules: Option<&Rules>, column: ColumnId) -> bool {
    rules.is_some_and(|rules| {
        rules.generated.contains_key(&column) || rules.identity.get(&column) == Some(&Identity::Always)
    })
}

/// Refuses values for columns that the database computes.
fn refuse_computed(work: &Work, target: &Target, source: Option<&ast::Query>) -> Result<()> {
    let rules = rules_of(work, &target.table);
    for (i, column) in target.columns.iter().enumerate().filter(|(_, c)| is_computed(rules.as_deref(), c.id)) {
        let only_default = match source.map(|source| source.body.as_ref()) {
            Some(SetExpr::Values(values)) => values.rows.iter().all(|row| row.content.get(i).is_none_or(is_default)),
            None => true,
            Some(_) => false,
        };
        if !only_default {
            let name = &column.name;
            let generated = rules.as_ref().is_some_and(|rules| rules.generated.contains_key(&column.id));
            let detail = match generated {
                true => format!("Column \"{name}\" is a generated column."),
                false => format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS."),
            };
            let message = format!("cannot insert a non-DEFAULT value into column \"{name}\"");
            return Err(Error::new("428C9", message).detail(detail));
        }
    }
    Ok(())
}

fn refuse_aggregate(work: &Work, name: &ast::ObjectName, what: &str) -> Result<()> {
    match work.resolve(&parse::name_parts(name))? {
        crate::query::Relation::Cagg(cagg) => {
            Err(Error::unsupported(format!("cannot {what} continuous aggregate \"{}\"", cagg.name))
                .hint("Change its source table; a refresh brings the aggregate up to date."))
        }
        crate::query::Relation::Table(_) => Ok(()),
    }
}

/// How many columns a query gives, where that can be seen without planning it.
fn width_of(query: &ast::Query) -> Option<usize> {
    match query.body.as_ref() {
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        SetExpr::Select(select) => {
            let plain = select
                .projection
                .iter()
                .all(|i| matches!(i, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }));
            plain.then_some(select.projection.len())
        }
        SetExpr::Query(inner) => width_of(inner),
        _ => None,
    }
}

/// Parameters that stand alone in VALUES or SELECT are of the type of the column they go to.
fn infer_from_columns(query: &ast::Query, columns: &[Column], types: &mut Vec<Option<DataType>>) -> Marks {
    let mut marks = Vec::new();
    let mut see = |exprs: Vec<&Expr>| {
        for (expr, column) in exprs.into_iter().zip(columns) {
            infer(expr, column, types, &mut marks);
        }
    };
    match query.body.as_ref() {
        SetExpr::Values(values) => values.rows.iter().for_each(|row| see(row.content.iter().collect())),
        SetExpr::Select(select) => see(select
            .projection
            .iter()
            .filter_map(|item| match item {
                SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => Some(e),
                _ => None,
            })
            .collect()),
        _ => {}
    }
    marks
}

fn infer_from_assignments(update: &ast::Update, table: &Table, types: &mut Vec<Option<DataType>>) -> Marks {
    let mut marks = Vec::new();
    for assignment in &update.assignments {
        if let AssignmentTarget::ColumnName(name) = &assignment.target
            && let Some(column) = parse::name_parts(name).pop().and_then(|n| table.column(&n).cloned())
        {
            infer(&assignment.value, &column, types, &mut marks);
        }
    }
    marks
}

fn infer(expr: &Expr, column: &Column, types: &mut Vec<Option<DataType>>, marks: &mut Marks) {
    if let Expr::Value(value) = expr
        && let ast::Value::Placeholder(name) = &value.value
        && let Some(i) = name.trim_start_matches('$').parse::<usize>().ok().filter(|i| *i > 0)
    {
        if types.len() < i {
            types.resize(i, None);
        }
        let arrow = arrow_type(&column.column_type);
        if *types[i - 1].get_or_insert_with(|| arrow.clone()) == arrow && type_mark(&column.column_type).is_some() {
            marks.push((i - 1, column.column_type.clone()));
        }
    }
}

/// VALUES with each DEFAULT replaced by the column's.
fn with_defaults(query: &ast::Query, target: &Target) -> Result<ast::Query> {
    let mut query = query.clone();
    if let SetExpr::Values(values) = query.body.as_mut() {
        for row in &mut values.rows {
            if row.content.len() > target.columns.len() {
                return Err(Error::syntax("INSERT has more expressions than target columns"));
            }
            if row.content.len() < target.columns.len() {
                return Err(Error::syntax("INSERT has more target columns than expressions"));
            }
            for (expr, column) in row.content.iter_mut().zip(&target.columns) {
                if is_default(expr) {
                    *expr = default_of(column)?;
                }
            }
        }
    }
    Ok(query)
}

fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(i) if i.quote_style.is_none() && i.value.eq_ignore_ascii_case("default"))
}

fn default_of(column: &Column) -> Result<Expr> {
    match &column.default {
        // A sequence is found by its name as well, which is cheaper than to ask the catalog for its oid.
        Some(sql) if sql.starts_with("nextval('") => parse::parse_expr(&sql.replace("'::regclass)", "')")),
        Some(sql) => parse::parse_expr(sql),
        None => Ok(Expr::value(ast::Value::Null)),
    }
}

/// Rows that are inserted without letting others run meanwhile.
const FEW_ROWS: usize = 256;

/// INSERT.
pub async fn insert(work: &mut Work, insert: &ast::Insert, parameters: &[ScalarValue]) -> Result<Outcome> {
    let target = Target::of_insert(work, insert)?;
    let conflict = match &insert.on {
        None => None,
        Some(ast::OnInsert::OnConflict(on)) => {
            Some(conflict::Conflict::new(&target.table, on, insert.table_alias.as_ref())?)
        }
        Some(other) => return Err(Error::unsupported(format!("{other} is not supported"))),
    };
    let planner = work.planner();
    refuse_computed(work, &target, insert.source.as_deref())?;
    let Some(source) = &insert.source else {
        let batch = WholeRows::of(&planner, &target.table, &[])?.rows(&[], 1)?;
        work.transaction.insert(&target.table, batch.clone())?;
        return finish(work, &target.table, vec![batch], insert.returning.as_deref(), "INSERT 0").await;
    };
    let source = with_defaults(source, &target)?;
    let mut rows = match values::read(&planner, &source, &target.columns, parameters)? {
        Some((arrays, rows)) => {
            let batch = WholeRows::of(&planner, &target.table, &target.columns)?.rows(&arrays, rows)?;
            futures::stream::once(async { Ok(batch) }).boxed()
        }
        None => {
            let types = work.types_of(parameters);
            planned(&planner, &source, &target, !insert.columns.is_empty(), parameters, types).await?
        }
    };
    let mut written = Vec::new();
    let mut count = 0;
    let keep = insert.returning.is_some();
    let mut gathered = Gathered::default();
    loop {
        let next = rows.next().await.transpose()?;
        let ended = next.is_none();
        if let Some(batch) = next {
            gathered.push(batch)?;
        }
        if let Some(batch) = gathered.take(ended)? {
            let batch = match &conflict {
                None => {
                    // Making way for others takes longer than a few rows do.
                    match batch.num_rows() > FEW_ROWS {
                        true => tokio::task::block_in_place(|| work.transaction.insert(&target.table, batch.clone()))?,
                        false => work.transaction.insert(&target.table, batch.clone())?,
                    }
                    batch
                }
                Some(conflict) => conflict.insert(work, batch)?,
            };
            count += batch.num_rows();
            if keep {
                written.push(batch);
            }
        }
        if ended {
            break;
        }
    }
    match insert.returning.as_deref() {
        Some(_) => finish(work, &target.table, written, insert.returning.as_deref(), "INSERT 0").await,
        None => Ok(Outcome::Done(format!("INSERT 0 {count}"))),
    }
}

/// Whole rows from a query, by a plan.
async fn planned(
    planner: &Planner,
    source: &ast::Query,
    target: &Target,
    named: bool,
    parameters: &[ScalarValue],
    mut types: Vec<Option<DataType>>,
) -> Result<RowStream> {
    infer_from_columns(source, &target.columns, &mut types);
    let plan = planner.plan_source(source, &types)?;
    let given = plan.schema().fields().len();
    if given > target.columns.len() {
        return Err(Error::syntax("INSERT has more expressions than target columns"));
    }
    if given < target.columns.len() && named {
        return Err(Error::syntax("INSERT has more target columns than expressions"));
    }
    let columns = target.columns[..given].to_vec();
    let plan = convert::assign(plan, &columns, &target.table.name, planner.state())?;
    let rows = planner.run(plan, parameters).await?;
    let whole = WholeRows::of(planner, &target.table, &columns)?;
    Ok(rows.map(move |batch| batch.and_then(|batch| whole.rows(batch.columns(), batch.num_rows()))).boxed())
}

/// Batches gathered until they are worth handing over.
#[derive(Default)]
pub struct Gathered {
    batches: Vec<RecordBatch>,
    bytes: usize,
}

/// Enough that the transaction writes them to segments at once.
const GATHERED_BYTES: usize = 32 << 20;

impl Gathered {
    /// Adds a batch.
    pub fn push(&mut self, batch: RecordBatch) -> Result<()> {
        // Batches may be slices of the same memory.
        for column in batch.columns() {
            self.bytes += column.to_data().get_slice_memory_size()?;
        }
        self.batches.push(batch);
        Ok(())
    }

    /// All of them in one, when there is enough or `now`.
    pub fn take(&mut self, now: bool) -> Result<Option<RecordBatch>> {
        if self.batches.is_empty() || !(now || self.bytes >= GATHERED_BYTES) {
            return Ok(None);
        }
        let batches = std::mem::take(&mut self.batches);
        self.bytes = 0;
        Ok(Some(concat_batches(&batches[0].schema(), &batches)?))
    }
}

/// Adds rows that have all the columns of a table, and gives how many.
///
/// # Errors
/// The first of the rows; those of [`Transaction::insert`].
pub async fn insert_all(transaction: &mut Transaction, table: &Arc<Table>, mut rows: RowStream) -> Result<u64> {
    let schema = arrow_schema(table);
    let mut gathered = Gathered::default();
    let mut count = 0;
    loop {
        let next = rows.next().await.transpose()?;
        let ended = next.is_none();
        if let Some(batch) = next {
            count += batch.num_rows() as u64;
            gathered.push(RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?)?;
        }
        if let Some(batch) = gathered.take(ended)? {
            tokio::task::block_in_place(|| transaction.insert(table, batch))?;
        }
        if ended {
            return Ok(count);
        }
    }
}

pub use defaults::Defaults;
pub use rules::RowRules;

/// Makes rows of all columns of a table from values for some of them.
pub struct WholeRows {
    table: Arc<Table>,
    schema: SchemaRef,
    given: Vec<Column>,
    defaults: Defaults,
    rules: RowRules,
}

impl WholeRows {
    /// Rows from values for the columns `given`.
    ///
    /// # Errors
    /// When a default or a rule does not plan any more.
    pub fn of(planner: &Planner, table: &Arc<Table>, given: &[Column]) -> Result<WholeRows> {
        Ok(WholeRows {
            table: table.clone(),
            schema: planner.version().arrow_schema(table),
            given: given.to_vec(),
            defaults: Defaults::of(planner, table, given)?,
            rules: RowRules::of(planner, table)?,
        })
    }

    /// The rows with these values, the defaults of the other columns, and what is computed.
    ///
    /// # Errors
    /// 23502 when a NOT NULL column is NULL, 23514 when a CHECK does not hold.
    pub fn rows(&self, arrays: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.table.columns.len());
        for column in &self.table.columns {
            let given = self.given.iter().position(|given| given.id == column.id).and_then(|at| arrays.get(at));
            columns.push(match (given, self.defaults.values(column.id, rows)?) {
                (Some(array), _) => array.clone(),
                (None, Some(values)) => values,
                (None, None) => new_null_array(&arrow_type(&column.column_type), rows),
            });
        }
        self.rules.apply(&self.table, RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

fn check_not_null(table: &Table, batch: &RecordBatch) -> Result<()> {
    check_times(table, batch)?;
    for (column, array) in table.columns.iter().zip(batch.columns()) {
        let time = table.hypertable.as_ref().is_some_and(|h| h.time_column == column.id);
        if (column.not_null || time) && array.null_count() > 0 {
            let row = (0..array.len()).find(|i| array.is_null(*i)).unwrap_or_default();
            let (column, table) = (&column.name, &table.name);
            // A hypertable looks for the chunk first, as TimescaleDB does.
            let message = match time {
                true => format!("NULL value in column \"{column}\" violates not-null constraint"),
                false => {
                    format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint")
                }
            };
            return Err(Error::new("23502", message).detail(format!("Failing row contains {}.", shown_row(batch, row))));
        }
    }
    Ok(())
}

/// The beginning of time has no chunk; its end has one, because the future is where data goes.
fn check_times(table: &Table, batch: &RecordBatch) -> Result<()> {
    let Some(hypertable) = table.hypertable.as_ref().filter(|h| !h.time_type.is_integer()) else { return Ok(()) };
    let Some(position) = table.position(hypertable.time_column) else { return Ok(()) };
    match times(batch.column(position)).contains(&Some(i64::MIN)) {
        true => Err(Error::new("22008", "timestamp out of range")),
        false => Ok(()),
    }
}

fn shown_row(batch: &RecordBatch, row: usize) -> String {
    let options = arrow::util::display::FormatOptions::default().with_null("null");
    let values: Vec<String> = batch
        .columns()
        .iter()
        .map(|c| {
            arrow::util::display::ArrayFormatter::try_new(c, &options)
                .map(|f| f.value(row).to_string())
                .unwrap_or_default()
        })
        .collect();
    format!("({})", values.join(", "))
}

fn updated_table(work: &Work, update: &ast::Update) -> Result<Arc<Table>> {
    let TableFactor::Table { name, .. } = &update.table.relation else {
        return Err(Error::syntax("UPDATE needs a table"));
    };
    refuse_aggregate(work, name, "update")?;
    work.table(name)
}

/// The name by which the rest of the statement refers to the table.
fn alias_of(factor: &TableFactor, table: &Table) -> String {
    match factor {
        TableFactor::Table { alias: Some(alias), .. } => ident(&alias.name),
        _ => table.name.clone(),
    }
}

/// `SELECT row id, old time, every column as it becomes FROM … WHERE …`
fn update_query(update: &ast::Update, table: &Table, rules: Option<&Rules>) -> Result<ast::Query> {
    let alias = quoted(&alias_of(&update.table.relation, table));
    let mut assigned: HashMap<String, Expr> = HashMap::new();
    for assignment in &update.assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(
                Error::unsupported("UPDATE … SET (a, b) = (…) is not supported").hint("Assign each column by itself.")
            );
        };
        let column = named_columns(table, [parse::name_parts(name).pop().unwrap_or_default()])?.remove(0);
        if !is_default(&assignment.value) && is_computed(rules, column.id) {
            return Err(Error::new("428C9", format!("column \"{}\" can only be updated to DEFAULT", column.name))
                .detail(format!(
                    "Column \"{}\" is a generated column, or an identity column defined as GENERATED ALWAYS.",
                    column.name
                )));
        }
        let value = if is_default(&assignment.value) { default_of(&column)? } else { assignment.value.clone() };
        if assigned.insert(column.name.clone(), value).is_some() {
            return Err(Error::new("42601", format!("multiple assignments to same column \"{}\"", column.name)));
        }
    }
    let mut items = vec![format!("{alias}.\"{ROW_ID}\" AS \"{ROW_ID}\"")];
    items.push(match table.time_column() {
        Some(time) => format!("{alias}.{} AS \"_old_time\"", quoted(&time.name)),
        None => "NULL AS \"_old_time\"".to_owned(),
    });
    for column in &table.columns {
        let name = quoted(&column.name);
        items.push(match assigned.get(&column.name) {
            Some(expr) => format!("{expr} AS {name}"),
            None => format!("{alias}.{name} AS {name}"),
        });
    }
    let from = match &update.from {
        None => update.table.to_string(),
        Some(ast::UpdateTableFromKind::BeforeSet(more) | ast::UpdateTableFromKind::AfterSet(more)) => {
            let more: Vec<String> = more.iter().map(ToString::to_string).collect();
            format!("{}, {}", update.table, more.join(", "))
        }
    };
    let filter = update.selection.as_ref().map(|e| format!(" WHERE {e}")).unwrap_or_default();
    Ok(*parse::parse_query(&format!("SELECT {} FROM {from}{filter}", items.join(", ")))?)
}

/// UPDATE.
pub async fn update(work: &mut Work, update: &ast::Update, parameters: &[ScalarValue]) -> Result<Outcome> {
    let (table, planner, plan) = plan_update(work, update, work.types_of(parameters))?;
    let found: Vec<RecordBatch> = planner.run(plan, parameters).await?.try_collect().await?;
    let (ids, found) = first_of_each(found)?;
    let Some(found) = found else {
        return finish(work, &table, Vec::new(), update.returning.as_deref(), "UPDATE").await;
    };
    let new = RecordBatch::try_new(arrow_schema(&table), found.columns()[2..].to_vec())?;
    let new = RowRules::of(&planner, &table)?.apply(&table, new)?;
    let old = touched(work, &table, found.column(1));
    tokio::task::block_in_place(|| {
        work.transaction.delete(table.id, ids, old)?;
        work.transaction.insert(&table, new.clone())
    })?;
    finish(work, &table, vec![new], update.returning.as_deref(), "UPDATE").await
}

/// The rows that an UPDATE finds: id, old time, and every column as it becomes.
fn plan_update(
    work: &Work,
    update: &ast::Update,
    mut types: Vec<Option<DataType>>,
) -> Result<(Arc<Table>, Planner, LogicalPlan)> {
    let table = updated_table(work, update)?;
    let planner = work.planner().with_row_ids();
    infer_from_assignments(update, &table, &mut types);
    let rules = rules_of(work, &table);
    let plan = planner.plan_query(&update_query(update, &table, rules.as_deref())?, &types)?;
    let plan = convert::assign_after(plan, 2, &table.columns, &table.name, planner.state())?;
    Ok((table, planner, plan))
}

/// Each row once, although a join may find it several times.
fn first_of_each(batches: Vec<RecordBatch>) -> Result<(RowIds, Option<RecordBatch>)> {
    let mut ids = RowIds::new();
    let mut kept = Vec::new();
    for batch in batches {
        let row_ids = batch.column(0).as_any().downcast_ref::<UInt64Array>().expect("row ids are UInt64");
        let first: Vec<u32> = (0..batch.num_rows() as u32).filter(|i| ids.insert(row_ids.value(*i as usize))).collect();
        kept.push(match first.len() == batch.num_rows() {
            true => batch,
            false => highwater_store::rows::take_rows(&batch, &first)?,
        });
    }
    let all = match kept.first() {
        Some(first) if !ids.is_empty() => Some(concat_batches(&first.schema(), &kept)?),
        _ => None,
    };
    Ok((ids, all))
}

/// The times of removed rows, as a set that is exact for buckets.
fn touched(work: &Work, table: &Table, old_times: &ArrayRef) -> RangeSet {
    match table.hypertable {
        Some(_) => RangeSet::from_times(
            times(old_times).into_iter().flatten(),
            work.transaction.version().touch_grain(table.id),
        ),
        None => RangeSet::all(),
    }
}

fn deleted_table(work: &Work, delete: &ast::Delete) -> Result<Arc<Table>> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    match from.as_slice() {
        [one] => match &one.relation {
            TableFactor::Table { name, .. } => {
                refuse_aggregate(work, name, "delete from")?;
                work.table(name)
            }
            _ => Err(Error::syntax("DELETE needs a table")),
        },
        _ => Err(Error::syntax("DELETE needs one table")),
    }
}

/// `SELECT row id, old time, every column FROM … WHERE …`
fn delete_query(delete: &ast::Delete, table: &Table) -> Result<ast::Query> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let alias = quoted(&alias_of(&from[0].relation, table));
    let mut items = vec![format!("{alias}.\"{ROW_ID}\" AS \"{ROW_ID}\"")];
    items.push(match table.time_column() {
        Some(time) => format!("{alias}.{} AS \"_old_time\"", quoted(&time.name)),
        None => "NULL AS \"_old_time\"".to_owned(),
    });
    if delete.returning.is_some() {
        items.extend(table.columns.iter().map(|c| format!("{alias}.{name} AS {name}", name = quoted(&c.name))));
    }
    let using: Vec<String> = delete.using.iter().flatten().map(ToString::to_string).collect();
    let from = std::iter::once(from[0].to_string()).chain(using).collect::<Vec<_>>().join(", ");
    let filter = delete.selection.as_ref().map(|e| format!(" WHERE {e}")).unwrap_or_default();
    Ok(*parse::parse_query(&format!("SELECT {} FROM {from}{filter}", items.join(", ")))?)
}

/// DELETE.
pub async fn delete(work: &mut Work, delete: &ast::Delete, parameters: &[ScalarValue]) -> Result<Outcome> {
    let (table, planner, plan) = plan_delete(work, delete, &work.types_of(parameters))?;
    let found: Vec<RecordBatch> = planner.run(plan, parameters).await?.try_collect().await?;
    let (ids, found) = first_of_each(found)?;
    let Some(found) = found else {
        return finish(work, &table, Vec::new(), delete.returning.as_deref(), "DELETE").await;
    };
    let old = touched(work, &table, found.column(1));
    work.transaction.delete(table.id, ids, old)?;
    match &delete.returning {
        None => Ok(Outcome::Done(format!("DELETE {}", found.num_rows()))),
        Some(items) => {
            let gone = RecordBatch::try_new(arrow_schema(&table), found.columns()[2..].to_vec())?;
            finish(work, &table, vec![gone], Some(items), "DELETE").await
        }
    }
}

/// The rows that a DELETE finds: id, old time, and with RETURNING every column.
fn plan_delete(
    work: &Work,
    delete: &ast::Delete,
    types: &[Option<DataType>],
) -> Result<(Arc<Table>, Planner, LogicalPlan)> {
    let table = deleted_table(work, delete)?;
    let planner = work.planner().with_row_ids();
    let plan = planner.plan_query(&delete_query(delete, &table)?, types)?;
    Ok((table, planner, plan))
}

/// What a statement that writes does, and the plan of the rows with which it does it; `None` for other statements.
///
/// # Errors
/// As executing it would give for names and types.
pub fn explained(
    work: &Work,
    statement: &ast::Statement,
    mut types: Vec<Option<DataType>>,
) -> Result<Option<(String, Planner, LogicalPlan)>> {
    let (does, (table, planner, plan)) = match statement {
        ast::Statement::Update(update) => ("Update", plan_update(work, update, types)?),
        ast::Statement::Delete(delete) => ("Delete", plan_delete(work, delete, &types)?),
        ast::Statement::Insert(insert) => {
            let target = Target::of_insert(work, insert)?;
            let planner = work.planner();
            let source = match &insert.source {
                Some(source) => with_defaults(source, &target)?,
                // DEFAULT VALUES is one row.
                None => *parse::parse_query("SELECT 1")?,
            };
            infer_from_columns(&source, &target.columns, &mut types);
            let plan = planner.plan_source(&source, &types)?;
            ("Insert", (target.table, planner, plan))
        }
        _ => return Ok(None),
    };
    Ok(Some((format!("{does} on {}", table.name), planner, plan)))
}

/// TRUNCATE.
pub fn truncate(work: &mut Work, truncate: &ast::Truncate) -> Result<Outcome> {
    for target in &truncate.table_names {
        refuse_aggregate(work, &target.name, "truncate")?;
        let table = work.table(&target.name)?;
        work.transaction.truncate(table.id)?;
        if truncate.identity == Some(ast::TruncateIdentityOption::Restart) {
            crate::define::restart_owned(work, table.id)?;
        }
    }
    Ok(Outcome::Done("TRUNCATE TABLE".to_owned()))
}

/// The command tag, or the rows that RETURNING asks for.
async fn finish(
    work: &mut Work,
    table: &Arc<Table>,
    rows: Vec<RecordBatch>,
    returning: Option<&[SelectItem]>,
    tag: &'static str,
) -> Result<Outcome> {
    let Some(items) = returning else {
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        return Ok(Outcome::Done(format!("{tag} {count}")));
    };
    let planner = work.planner().with_override(table.id, memory_table(arrow_schema(table), rows)?);
    let plan = planner.plan_query(&returning_query(table, items)?, &[])?;
    let columns = Arc::new(plan.schema().as_arrow().clone());
    let rows = planner.run(plan, &[]).await?;
    Ok(Outcome::Rows { columns, rows, tag })
}

fn returning_columns(planner: &Planner, table: &Table, returning: Option<&[SelectItem]>) -> Result<Option<SchemaRef>> {
    let Some(items) = returning else { return Ok(None) };
    let plan = planner.plan_query(&returning_query(table, items)?, &[])?;
    Ok(Some(names::displayed(&Arc::new(plan.schema().as_arrow().clone()))))
}

fn returning_query(table: &Table, items: &[SelectItem]) -> Result<ast::Query> {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    let from = format!("{}.{}", quoted(&table.schema), quoted(&table.name));
    Ok(*parse::parse_query(&format!("SELECT {} FROM {from} AS {}", items.join(", "), quoted(&table.name)))?)
}
