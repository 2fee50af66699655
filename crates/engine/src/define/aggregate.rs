//! CREATE, ALTER and DROP of continuous aggregates.

mod columns;
mod planned;
mod replace;

use super::compression::{CompressionOptions, kept_as};
use super::hypertable::next_number;
use super::{dependents, done};
use crate::error::{Error, Notice, Result};
use crate::parse::{AlterView, CreateMaterializedView, Options, ident, name_parts};
use crate::query::Relation;
use crate::refresh::{self, Choice, Refresher};
use crate::session::Outcome;
use crate::work::Work;
use datafusion::sql::sqlparser::ast::{self, Distinct, Expr, SelectItem, SetExpr, Visit, Visitor};
use highwater_model::{CaggId, CatalogChange, ColumnId, ContinuousAggregate, Reach, TableId, TimeRange};
use planned::{INTERNAL, Planned};
use replace::{Fill, IfUnknown, replace};
use std::ops::ControlFlow;
use std::sync::Arc;

/// CREATE [OR REPLACE] MATERIALIZED VIEW … WITH (timescaledb.continuous).
pub async fn create_aggregate(work: &mut Work, create: &CreateMaterializedView) -> Result<Outcome> {
    let options = AggregateOptions::read(&create.options)?;
    if options.continuous != Some(true) {
        return Err(Error::unsupported("plain materialized views are not supported")
            .hint("Use WITH (timescaledb.continuous) and a time_bucket."));
    }
    if !create.or_replace {
        options.refuse_discarding()?;
    }
    if options.compression.is_given() {
        return Err(Error::unsupported("options of compression are not supported in CREATE MATERIALIZED VIEW")
            .hint("Use ALTER MATERIALIZED VIEW … SET (timescaledb.enable_columnstore) afterwards."));
    }
    let (schema, name) = work.new_name(&create.name)?;
    let catalog = work.transaction.version().catalog();
    let replaced = catalog.cagg(&schema, &name).cloned().filter(|_| create.or_replace);
    if replaced.is_none() && catalog.is_taken(&schema, &name) {
        if create.if_not_exists {
            work.notice(Notice::new(match work.transaction.version().catalog().cagg(&schema, &name) {
                Some(_) => format!("continuous aggregate \"{name}\" already exists, skipping"),
                None => format!("relation \"{name}\" already exists, skipping"),
            }));
            return done("CREATE MATERIALIZED VIEW");
        }
        if create.or_replace {
            return Err(Error::new("42809", format!("\"{name}\" is not a continuous aggregate"))
                .hint("CREATE OR REPLACE MATERIALIZED VIEW replaces continuous aggregates only."));
        }
        return Err(Error::new("42P07", format!("relation \"{name}\" already exists")));
    }
    let mut query = create.query.as_ref().clone();
    name_outputs(&mut query, &create.columns)?;
    refuse_form(&create.query)?;
    crate::temporary::refuse_in(work, &create.query, "continuous aggregates")?;
    let planned = Planned::new(work, &work.planner(), &query, &format!("{schema}.{name}"))?;
    planned.warn_of_finished(work)?;
    if let Some(old) = replaced {
        let changed = ContinuousAggregate {
            search_path: work.settings.kept_search_path(&work.user),
            time_zone: work.settings.time_zone().to_owned(),
            materialized_only: options.materialized_only.unwrap_or(old.materialized_only),
            ..old.as_ref().clone()
        };
        let fill = if create.with_data { Fill::Everything } else { Fill::Nothing };
        let if_unknown = if options.discard_frozen == Some(true) { IfUnknown::Discard } else { IfUnknown::Refuse };
        replace(work, &old, changed, planned, fill, if_unknown).await?;
        return done("CREATE MATERIALIZED VIEW");
    }
    let id = CaggId(work.engine.store.take_oid());
    let number = next_number(work.transaction.version().catalog());
    let table_ids = (TableId(work.engine.store.take_oid()), TableId(work.engine.store.take_oid()));
    let materialization = planned.materialization(id, table_ids.0, number)?;
    let frozen_base = planned.frozen_base(id, table_ids.1, number)?;
    let cagg = Arc::new(planned.describe(ContinuousAggregate {
        id,
        schema,
        name,
        query: String::new(),
        search_path: work.settings.kept_search_path(&work.user),
        time_zone: work.settings.time_zone().to_owned(),
        source: planned.source.id,
        united: Vec::new(),
        joined: Vec::new(),
        bucket: planned.bucket.clone(),
        materialization: materialization.id,
        frozen_base: frozen_base.id,
        materialized_only: options.materialized_only.unwrap_or(true),
        outputs: Vec::new(),
        reach: Reach::OWN,
        bucket_column: ColumnId(0),
        group_columns: Vec::new(),
    })?);
    if !work.transaction.version().catalog().schemas.contains_key(INTERNAL) {
        let oid = work.engine.store.take_oid();
        work.change(CatalogChange::PutSchema(INTERNAL.to_owned(), oid))?;
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

/// Whether a definition replaces one of which dropped chunks held what it cannot take over.
const DISCARD_FROZEN: &str = "highwater.discard_frozen";

/// The options of an aggregate.
#[derive(Debug, Default)]
struct AggregateOptions {
    continuous: Option<bool>,
    materialized_only: Option<bool>,
    discard_frozen: Option<bool>,
    compression: CompressionOptions,
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
                Some("continuous") => read.continuous = Some(truth()?),
                Some("materialized_only") => read.materialized_only = Some(truth()?),
                // Groups are how rows are sorted here; there is no separate index to make.
                Some("create_group_indexes") | Some("finalized") => drop(truth()?),
                Some(other) if read.compression.take(other, value)? => {}
                Some(other) => {
                    return Err(Error::invalid_parameter(format!("unrecognized parameter \"timescaledb.{other}\"")));
                }
                None if name == DISCARD_FROZEN => read.discard_frozen = Some(truth()?),
                None => {
                    return Err(Error::unsupported(format!(
                        "option \"{name}\" is not supported for a continuous aggregate"
                    )));
                }
            }
        }
        Ok(read)
    }

    /// Refuses what is said of replacing a definition where none is replaced.
    fn refuse_discarding(&self) -> Result<()> {
        match self.discard_frozen {
            Some(_) => Err(Error::invalid_parameter(format!("{DISCARD_FROZEN} is not an option of this statement"))
                .hint("It is one of CREATE OR REPLACE MATERIALIZED VIEW.")),
            None => Ok(()),
        }
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
    if matches!(select.distinct, Some(Distinct::On(_))) {
        return Err(invalid("DISTINCT ON is not supported in a continuous aggregate.")
            .hint("Use first or last to choose a row of each group."));
    }
    let mut subqueries = Subqueries(0);
    let _ = Visit::visit(query, &mut subqueries);
    if subqueries.0 > 0 {
        return Err(invalid("Subqueries in expressions are not supported in a continuous aggregate.")
            .hint("Join what they read."));
    }
    Ok(())
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
pub async fn alter_aggregate(
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
        AlterView::AddColumn(added) => {
            columns::add(work, &cagg, added).await?;
            return done("ALTER MATERIALIZED VIEW");
        }
        AlterView::DropColumn { name, if_exists } => {
            columns::drop(work, &cagg, name, *if_exists).await?;
            return done("ALTER MATERIALIZED VIEW");
        }
        AlterView::Set(options) => {
            let read = AggregateOptions::read(options)?;
            read.refuse_discarding()?;
            if read.continuous == Some(false) {
                return Err(Error::new("XX000", "cannot disable continuous aggregates")
                    .hint("Drop it, and create a view or a table in its place."));
            }
            changed.materialized_only = read.materialized_only.unwrap_or(changed.materialized_only);
            if read.compression.is_given() {
                let table = work.transaction.version().catalog().tables.get(&cagg.materialization).cloned();
                let table = table.ok_or_else(|| Error::internal("an aggregate has a materialization"))?;
                let table = read.compression.applied(work, &table, &cagg.name, &|column| kept_as(&cagg, column))?;
                work.change(CatalogChange::PutTable(Arc::new(table)))?;
            }
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
            let catalog = work.transaction.version().catalog();
            if !catalog.schemas.contains_key(&schema) {
                return Err(Error::new("3F000", format!("schema \"{schema}\" does not exist")));
            }
            if schema != cagg.schema && catalog.is_taken(&schema, &cagg.name) {
                let (name, schema) = (&cagg.name, &schema);
                return Err(Error::new("42P07", format!("relation \"{name}\" already exists in schema \"{schema}\"")));
            }
            changed.schema = schema;
        }
        AlterView::Owner => {}
    }
    let new_name = (changed.schema.clone(), changed.name.clone());
    if columns {
        dependents::keep_columns(work, &Relation::Cagg(cagg))?;
    } else if new_name != (cagg.schema.clone(), cagg.name.clone()) {
        dependents::rename(work, &Relation::Cagg(cagg), &new_name)?;
    }
    work.change(CatalogChange::PutCagg(Arc::new(changed)))?;
    done("ALTER MATERIALIZED VIEW")
}
