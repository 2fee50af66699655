//! CREATE, ALTER and DROP of continuous aggregates.

use super::hypertable::next_number;
use super::{dependents, done};
use crate::definition::{Definition, Role};
use crate::error::{Error, Notice, Result};
use crate::parse::{AlterView, CreateMaterializedView, Options, ident, name_parts};
use crate::query::Relation;
use crate::refresh::{self, Choice, Refresher};
use crate::session::Outcome;
use crate::work::Work;
use datafusion::sql::sqlparser::ast::{self, Expr, SelectItem, SetExpr, Visit, Visitor};
use highwater_model::hierarchy::Unfit;
use highwater_model::hypertable::Hypertable;
use highwater_model::{
    CaggId, CatalogChange, Column, ColumnId, ContinuousAggregate, Table, TableId, TableKind, TimeRange,
};
use std::collections::BTreeSet;
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
    refuse_form(&create.query)?;
    let planner = work.planner();
    let definition = Definition::new(&planner, &query)?;
    let catalog = work.transaction.version().catalog().clone();
    let inputs = definition.inputs();
    let source = catalog.tables.get(&inputs.source).cloned();
    let source = source.ok_or_else(|| Error::internal("a definition has a source"))?;
    let mut joined: BTreeSet<TableId> = inputs.joined.clone();
    joined.extend(views_in(work, &create.query)?);
    let hypertable = source.hypertable.as_ref().expect("sources are hypertables");
    let bucket = definition.bucket_spec(hypertable.time_type)?;
    let parent = catalog.kept_by(source.id).cloned();
    if let Some(parent) = &parent {
        bucket.fits_over(&parent.bucket).map_err(|unfit| {
            let (own, others) = (bucket.width_display(), parent.bucket.width_display());
            let names = (format!("{schema}.{name}"), format!("{}.{}", parent.schema, parent.name));
            unfit_error(unfit, (&names.0, &own), (&names.1, &others))
        })?;
    }
    let root = parent.as_ref().and_then(|parent| catalog.root(parent)).unwrap_or(&source);
    if hypertable.time_type.is_integer() && root.hypertable.as_ref().is_none_or(|h| h.integer_now.is_none()) {
        return Err(Error::unsupported(format!("custom time function required on hypertable \"{}\"", root.name))
            .detail("An integer-based hypertable requires a custom time function to support continuous aggregates.")
            .hint("Set a custom time function on the hypertable."));
    }
    // What keeps an aggregate has wide chunks already.
    let factor = if parent.is_some() { 1 } else { CHUNK_FACTOR };
    for (call, parent, output) in definition.of_finished(&planner)? {
        let column = &parent.outputs[output].0;
        work.notice(
            Notice::new(format!("{call}({column}) is of finished values of \"{}\", not of all its rows", parent.name))
                .hint(format!("rollup({column}) merges the states that they were finished from.")),
        );
    }
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
            chunk_interval: hypertable.chunk_interval.saturating_mul(factor),
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
        joined: joined.into_iter().collect(),
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
        let refresher = Refresher { engine: &work.engine, settings: &work.settings, user: &work.user };
        let refreshed = refresher.run_in(&mut work.transaction, &cagg, TimeRange::ALL, Choice::Pending).await?;
        work.notice(match refreshed.is_nothing() {
            true => refresh::up_to_date(&cagg),
            false => Notice::new(format!("refreshing continuous aggregate \"{}\"", cagg.name))
                .hint("Use WITH NO DATA if you do not want to refresh the continuous aggregate on creation."),
        });
    }
    done("CREATE MATERIALIZED VIEW")
}

/// What to say of a bucket that cannot be made of its parent's.
///
/// * `own`, `parent` – names and widths.
fn unfit_error(unfit: Unfit, own: (&str, &str), parent: (&str, &str)) -> Error {
    let widths = |should: &str| {
        let ((own, width), (parent, of)) = (own, parent);
        format!(
            "Time bucket width of \"{own}\" [{width}] should be {should} the time bucket width of \"{parent}\" [{of}]."
        )
    };
    let same = |what: &str| format!("The {what} of \"{}\" and \"{}\" should be the same.", own.0, parent.0);
    Error::unsupported(unfit.to_string()).detail(match unfit {
        Unfit::FixedOverVariable => {
            format!("Buckets of \"{}\" differ in length, so no fixed width is made of them.", parent.0)
        }
        Unfit::Narrower => widths("greater or equal than"),
        Unfit::NoMultiple => widths("multiple of"),
        Unfit::Origin => same("time origin"),
        Unfit::Offset => same("time offset"),
        Unfit::Zone => same("time zone"),
    })
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

/// Refuses what no definition may have, whatever it reads.
fn refuse_form(query: &ast::Query) -> Result<()> {
    let invalid = |detail: &str| Error::unsupported("invalid continuous aggregate view").detail(detail);
    if query.limit_clause.is_some() || query.fetch.is_some() {
        return Err(invalid("LIMIT and OFFSET are not supported in a continuous aggregate."));
    }
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(invalid("UNION, INTERSECT and EXCEPT are not supported in a continuous aggregate."));
    };
    if select.distinct.is_some() {
        return Err(invalid("DISTINCT is not supported in a continuous aggregate."));
    }
    let mut subqueries = Subqueries(0);
    let _ = Visit::visit(query, &mut subqueries);
    if subqueries.0 > 0 {
        return Err(invalid("Subqueries in expressions are not supported in a continuous aggregate.")
            .hint("Join what they read."));
    }
    Ok(())
}

/// The views that a query reads, and those that these read.
fn views_in(work: &Work, query: &ast::Query) -> Result<BTreeSet<TableId>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![Box::new(query.clone())];
    while let Some(query) = waiting.pop() {
        let mut views = Vec::new();
        let _: ControlFlow<()> = ast::visit_relations(query.as_ref(), |name| {
            if let Ok(Relation::Table(table)) = work.resolve(&name_parts(name))
                && matches!(table.kind, TableKind::View(_))
            {
                views.push(table);
            }
            ControlFlow::Continue(())
        });
        for view in views {
            if let TableKind::View(text) = &view.kind
                && found.insert(view.id)
            {
                waiting.push(crate::parse::parse_query(text)?);
            }
        }
    }
    Ok(found)
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
    let mut columns = false;
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
            columns = true;
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
    let new_name = (changed.schema.clone(), changed.name.clone());
    if columns {
        dependents::keep_columns(work, &cagg)?;
    } else if new_name != (cagg.schema.clone(), cagg.name.clone()) {
        dependents::rename(work, &Relation::Cagg(cagg), &new_name)?;
    }
    work.change(CatalogChange::PutCagg(Arc::new(changed)))?;
    done("ALTER MATERIALIZED VIEW")
}
