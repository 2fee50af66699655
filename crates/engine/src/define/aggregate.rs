//! CREATE, ALTER and DROP of continuous aggregates.

use super::done;
use super::hypertable::next_number;
use crate::definition::{Definition, Role};
use crate::error::{Error, Notice, Result};
use crate::parse::{AlterView, CreateMaterializedView, Options, ident, name_parts};
use crate::query::Relation;
use crate::refresh::{self, Choice};
use crate::session::Outcome;
use crate::work::Work;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::sql::sqlparser::ast::{self, Expr, GroupByExpr, SelectItem, SetExpr, TableFactor, Visit, Visitor};
use highwater_model::hypertable::Hypertable;
use highwater_model::{
    CaggId, CatalogChange, Column, ColumnId, ContinuousAggregate, Table, TableId, TableKind, TimeRange,
};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A chunk of an aggregate holds as much time as this many of its source's.
const CHUNK_FACTOR: i64 = 10;

/// CREATE MATERIALIZED VIEW … WITH (timescaledb.continuous).
pub async fn create_aggregate(work: &mut Work, create: &CreateMaterializedView) -> Result<Outcome> {
    let options = AggregateOptions::read(&create.options)?;
    if !options.continuous {
        return Err(Error::unsupported("plain materialized views are not supported")
            .hint("Use WITH (timescaledb.continuous) and a time_bucket."));
    }
    let (schema, name) = work.new_name(&create.name)?;
    if work.transaction.version().catalog().is_taken(&schema, &name) {
        if create.if_not_exists {
            work.notice(Notice::new(match work.transaction.version().catalog().cagg(&schema, &name) {
                Some(_) => format!("continuous aggregate \"{name}\" already exists, skipping"),
                None => format!("relation \"{name}\" already exists, skipping"),
            }));
            return done("CREATE MATERIALIZED VIEW");
        }
        return Err(Error::new("42P07", format!("relation \"{name}\" already exists")));
    }
    let mut query = create.query.as_ref().clone();
    name_outputs(&mut query, &create.columns)?;
    let query = query.to_string();
    let (source, joined) = sources(work, &create.query)?;
    let hypertable = source.hypertable.as_ref().expect("sources are hypertables");
    if hypertable.time_type.is_integer() && hypertable.integer_now.is_none() {
        return Err(Error::unsupported(format!("custom time function required on hypertable \"{}\"", source.name))
            .detail("An integer-based hypertable requires a custom time function to support continuous aggregates.")
            .hint("Set a custom time function on the hypertable."));
    }
    let planner = work.planner();
    let definition = Definition::new(&planner, &query, source.id)?;
    let bucket = definition.bucket_spec(hypertable.time_type)?;
    let columns = definition.columns()?;
    let id = CaggId(work.engine.store.take_oid());
    let kept = |name: String,
                table_columns: Vec<Column>,
                time_column: ColumnId,
                segment_by: Vec<ColumnId>,
                kind: TableKind,
                number: u32| Table {
        id: TableId(work.engine.store.take_oid()),
        schema: "_timescaledb_internal".to_owned(),
        name,
        next_column: table_columns.len() as u32 + 1,
        columns: table_columns,
        indexes: Vec::new(),
        hypertable: Some(Hypertable {
            number,
            time_column,
            time_type: hypertable.time_type,
            chunk_interval: hypertable.chunk_interval.saturating_mul(CHUNK_FACTOR),
            integer_now: None,
            segment_by,
        }),
        kind,
    };
    let column = |i: usize, name: &str, column_type: &highwater_model::ColumnType| Column {
        id: ColumnId(i as u32 + 1),
        name: name.to_owned(),
        column_type: column_type.clone(),
        not_null: false,
        default: None,
        missing: None,
    };
    let bucket_column = columns.iter().position(|c| c.role == Role::Group(definition.bucket_group()));
    let bucket_column = ColumnId(bucket_column.expect("every group is a column") as u32 + 1);
    let group_columns: Vec<ColumnId> = columns
        .iter()
        .enumerate()
        .filter(|(_, c)| matches!(c.role, Role::Group(i) if i != definition.bucket_group()))
        .map(|(i, _)| ColumnId(i as u32 + 1))
        .collect();
    let number = next_number(work.transaction.version().catalog());
    let materialization = kept(
        format!("_materialized_hypertable_{number}"),
        columns.iter().enumerate().map(|(i, c)| column(i, &c.name, &c.column_type)).collect(),
        bucket_column,
        group_columns.clone(),
        TableKind::Materialization(id),
        number,
    );
    let partials = definition.partial_columns()?;
    let frozen_base = kept(
        format!("_frozen_base_{number}"),
        partials.iter().enumerate().map(|(i, (name, t))| column(i, name, t)).collect(),
        ColumnId(definition.bucket_group() as u32 + 1),
        Vec::new(),
        TableKind::FrozenBase(id),
        number,
    );
    let cagg = Arc::new(ContinuousAggregate {
        id,
        schema,
        name,
        query,
        search_path: work.settings.search_path(&work.user),
        time_zone: work.settings.time_zone().to_owned(),
        source: source.id,
        joined,
        bucket,
        materialization: materialization.id,
        frozen_base: frozen_base.id,
        materialized_only: options.materialized_only.unwrap_or(true),
        outputs: columns
            .iter()
            .take(definition.output_count())
            .enumerate()
            .map(|(i, c)| (c.name.clone(), ColumnId(i as u32 + 1)))
            .collect(),
        bucket_column,
        group_columns,
    });
    if !work.transaction.version().catalog().schemas.contains_key("_timescaledb_internal") {
        let oid = work.engine.store.take_oid();
        work.change(CatalogChange::PutSchema("_timescaledb_internal".to_owned(), oid))?;
    }
    work.change(CatalogChange::PutTable(Arc::new(materialization)))?;
    work.change(CatalogChange::PutTable(Arc::new(frozen_base)))?;
    work.change(CatalogChange::PutCagg(cagg.clone()))?;
    if create.with_data {
        let ranges = refresh::plan(work.transaction.version(), &cagg, TimeRange::ALL, Choice::Pending);
        if ranges.is_empty() {
            work.notice(refresh::up_to_date(&cagg));
        } else {
            work.notice(
                Notice::new(format!("refreshing continuous aggregate \"{}\"", cagg.name))
                    .hint("Use WITH NO DATA if you do not want to refresh the continuous aggregate on creation."),
            );
            refresh::replace(&work.engine, &mut work.transaction, &work.settings, &work.user, &cagg, &ranges).await?;
        }
    }
    done("CREATE MATERIALIZED VIEW")
}

/// The options of an aggregate.
#[derive(Debug, Default)]
struct AggregateOptions {
    continuous: bool,
    materialized_only: Option<bool>,
}

impl AggregateOptions {
    fn read(options: &Options) -> Result<Self> {
        let mut read = AggregateOptions::default();
        for (name, value) in options {
            let bare = name.strip_prefix("timescaledb.").or_else(|| name.strip_prefix("tsdb."));
            let truth = || match value.as_deref().map(str::to_lowercase).as_deref() {
                None | Some("true" | "on" | "1" | "yes" | "t") => Ok(true),
                Some("false" | "off" | "0" | "no" | "f") => Ok(false),
                Some(other) => Err(Error::invalid_parameter(format!("invalid value for {name} '{other}'"))
                    .hint(format!("{name} must be a valid bool"))),
            };
            match bare {
                Some("continuous") => read.continuous = truth()?,
                Some("materialized_only") => read.materialized_only = Some(truth()?),
                // Groups are how rows are sorted here; there is no separate index to make.
                Some("create_group_indexes") | Some("finalized") => drop(truth()?),
                Some(other) => {
                    return Err(Error::invalid_parameter(format!("unrecognized parameter \"timescaledb.{other}\"")));
                }
                None => {
                    return Err(Error::unsupported(format!(
                        "option \"{name}\" is not supported for a continuous aggregate"
                    )));
                }
            }
        }
        Ok(read)
    }
}

/// Gives the outputs the names listed after the view's.
fn name_outputs(query: &mut ast::Query, names: &[ast::Ident]) -> Result<()> {
    let SetExpr::Select(select) = query.body.as_mut() else { return Ok(()) };
    if names.len() > select.projection.len() {
        return Err(Error::syntax("too many column names were specified"));
    }
    for (item, name) in select.projection.iter_mut().zip(names) {
        let expr = match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => expr.clone(),
            other => return Err(Error::unsupported(format!("{other} cannot be named"))),
        };
        *item = SelectItem::ExprWithAlias { expr, alias: name.clone() };
    }
    Ok(())
}

/// The hypertable that a definition buckets, and the other tables it reads.
fn sources(work: &Work, query: &ast::Query) -> Result<(Arc<Table>, Vec<TableId>)> {
    let invalid = |detail: &str| Error::unsupported("invalid continuous aggregate view").detail(detail);
    if query.with.is_some() {
        return Err(invalid("CTEs are not supported in a continuous aggregate.").hint("Write the query without WITH."));
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(invalid("LIMIT and OFFSET are not supported in a continuous aggregate."));
    }
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(invalid("UNION, INTERSECT and EXCEPT are not supported in a continuous aggregate."));
    };
    if select.distinct.is_some() {
        return Err(invalid("DISTINCT is not supported in a continuous aggregate."));
    }
    let grouped = match &select.group_by {
        GroupByExpr::Expressions(exprs, _) => !exprs.is_empty(),
        GroupByExpr::All(_) => false,
    };
    if !grouped {
        return Err(invalid("Include at least one aggregate function and a GROUP BY clause with time bucket."));
    }
    let mut tables = Vec::new();
    let factors =
        select.from.iter().flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)));
    for factor in factors {
        match factor {
            TableFactor::Table { name, args: None, .. } => tables.push(work.resolve(&name_parts(name))?),
            _ => return Err(invalid("Subqueries and functions in FROM are not supported in a continuous aggregate.")),
        }
    }
    let mut subqueries = Subqueries(0);
    let _ = Visit::visit(&select.as_ref().clone(), &mut subqueries);
    if subqueries.0 > 0 {
        return Err(invalid("Subqueries are not supported in a continuous aggregate."));
    }
    let mut source: Option<Arc<Table>> = None;
    let mut joined = Vec::new();
    for relation in tables {
        match relation {
            Relation::Cagg(_) => {
                return Err(Error::unsupported("continuous aggregates on continuous aggregates are not supported")
                    .hint("Bucket the hypertable itself."));
            }
            Relation::Table(table) if matches!(table.kind, TableKind::View(_)) => {
                return Err(invalid("Views are not supported in FROM of a continuous aggregate."));
            }
            Relation::Table(table) if table.hypertable.is_some() && source.is_none() => source = Some(table),
            Relation::Table(table) if table.hypertable.is_some() => {
                return Err(invalid("Only one hypertable is allowed in a continuous aggregate."));
            }
            Relation::Table(table) => joined.push(table.id),
        }
    }
    let source = source.ok_or_else(|| {
        Error::unsupported("invalid continuous aggregate view")
            .detail("At least one hypertable should be used in the view definition.")
    })?;
    Ok((source, joined))
}

struct Subqueries(usize);

impl Visitor for Subqueries {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if matches!(expr, Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. }) {
            self.0 += 1;
        }
        ControlFlow::Continue(())
    }
}

/// ALTER MATERIALIZED VIEW.
pub fn alter_aggregate(
    work: &mut Work,
    name: &ast::ObjectName,
    if_exists: bool,
    action: &AlterView,
) -> Result<Outcome> {
    let cagg = match work.resolve(&name_parts(name)) {
        Ok(Relation::Cagg(cagg)) => cagg,
        Ok(Relation::Table(table)) => {
            return Err(Error::new("42809", format!("\"{}\" is not a materialized view", table.name)));
        }
        Err(_) if if_exists => {
            work.notice(Notice::new(format!("relation \"{name}\" does not exist, skipping")));
            return done("ALTER MATERIALIZED VIEW");
        }
        Err(e) => return Err(e),
    };
    let mut changed = cagg.as_ref().clone();
    match action {
        AlterView::Set(options) => {
            let read = AggregateOptions::read(options)?;
            changed.materialized_only = read.materialized_only.unwrap_or(changed.materialized_only);
        }
        AlterView::Rename(name) => {
            changed.name = ident(name);
            if work.transaction.version().catalog().is_taken(&changed.schema, &changed.name) {
                return Err(Error::new("42P07", format!("relation \"{}\" already exists", changed.name)));
            }
        }
        AlterView::RenameColumn(from, to) => {
            let (from, to) = (ident(from), ident(to));
            if changed.outputs.iter().any(|(name, _)| *name == to) {
                return Err(Error::new(
                    "42701",
                    format!("column \"{to}\" of relation \"{}\" already exists", changed.name),
                ));
            }
            let output = changed.outputs.iter_mut().find(|(name, _)| *name == from);
            output.ok_or_else(|| Error::no_column(&from))?.0 = to;
        }
        AlterView::SetSchema(schema) => {
            let schema = ident(schema);
            if !work.transaction.version().catalog().schemas.contains_key(&schema) {
                return Err(Error::new("3F000", format!("schema \"{schema}\" does not exist")));
            }
            changed.schema = schema;
        }
        AlterView::Owner => {}
    }
    work.change(CatalogChange::PutCagg(Arc::new(changed)))?;
    done("ALTER MATERIALIZED VIEW")
}

/// Drops an aggregate, what it keeps and its policies.
pub fn drop_aggregate(work: &mut Work, cagg: &Arc<ContinuousAggregate>, _cascade: bool) -> Result<()> {
    let jobs: Vec<_> = work
        .transaction
        .version()
        .catalog()
        .jobs
        .values()
        .filter(|job| match &job.action {
            highwater_model::job::Action::Refresh { cagg: of, .. } => *of == cagg.id,
            highwater_model::job::Action::Retention { table, .. } => *table == cagg.materialization,
            highwater_model::job::Action::Procedure { .. } => false,
        })
        .map(|job| job.id)
        .collect();
    for job in jobs {
        work.change(CatalogChange::DropJob(job))?;
    }
    work.change(CatalogChange::DropCagg(cagg.id))?;
    work.change(CatalogChange::DropTable(cagg.materialization))?;
    work.change(CatalogChange::DropTable(cagg.frozen_base))
}

/// Refuses to change a column that an aggregate's definition names.
pub fn refuse_if_used(work: &Work, table: &Table, column: &str, what: &str) -> Result<()> {
    let catalog = work.transaction.version().catalog();
    for cagg in catalog.caggs.values().filter(|c| c.source == table.id || c.joined.contains(&table.id)) {
        let planner = work.planner().with_search_path(&cagg.search_path);
        let plan = planner.plan_query(&*crate::parse::parse_query(&cagg.query)?, &[])?;
        let mut used = false;
        plan.apply(|node| {
            used |= node.expressions().iter().any(|e| e.column_refs().iter().any(|c| c.name == column));
            Ok(TreeNodeRecursion::Continue)
        })?;
        if used {
            return Err(Error::new(
                "2BP01",
                format!("cannot {what} column {column} of table {} because other objects depend on it", table.name),
            )
            .detail(format!("view {} depends on column {column} of table {}", cagg.name, table.name))
            .hint("Drop the continuous aggregate first."));
        }
    }
    Ok(())
}

/// Lets the definitions over a table follow its new name.
pub fn rename_source(work: &mut Work, old: &Table, new: &Table) -> Result<()> {
    struct Rename<'a>(&'a Table, &'a Table);
    impl ast::VisitorMut for Rename<'_> {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, alias, .. } = factor
                && name_parts(name).last() == Some(&self.0.name)
            {
                alias.get_or_insert_with(|| ast::TableAlias {
                    explicit: true,
                    name: ast::Ident::with_quote('"', &self.0.name),
                    columns: vec![],
                    at: None,
                });
                *name = ast::ObjectName::from(vec![
                    ast::Ident::with_quote('"', &self.1.schema),
                    ast::Ident::with_quote('"', &self.1.name),
                ]);
            }
            ControlFlow::Continue(())
        }
    }
    let over: Vec<_> = work
        .transaction
        .version()
        .catalog()
        .caggs
        .values()
        .filter(|c| c.source == old.id || c.joined.contains(&old.id))
        .cloned()
        .collect();
    for cagg in over {
        let mut query = crate::parse::parse_query(&cagg.query)?;
        let _ = ast::VisitMut::visit(query.as_mut(), &mut Rename(old, new));
        let changed = ContinuousAggregate { query: query.to_string(), ..cagg.as_ref().clone() };
        work.change(CatalogChange::PutCagg(Arc::new(changed)))?;
    }
    Ok(())
}
