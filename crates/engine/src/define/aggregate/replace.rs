//! Another definition for a continuous aggregate.
//!
//! ```text
//! readers     old definition, old buckets ─────────────────────────────│ new definition, new buckets
//! this        new tables' columns │ frozen states taken over │ buckets computed again │ COMMIT
//! writers     touch buckets ────────────────────────────────── pending again ──▲
//! ```
//!
//! One transaction: it reads one snapshot, and nobody sees any of it before its commit. What others touch meanwhile is
//! pending again then, as after a refresh. The aggregate stays the one that it was, with its policies, and what is
//! defined over it goes on if it can be planned as before.
//!
//! Rows that were dropped live on in frozen states. Of these the new definition takes what it needs too; what it needs
//! beyond is unknown, and NULL ([`crate::definition::history`]).

use super::planned::Planned;
use crate::define::{compression, dependents};
use crate::definition::Definition;
use crate::error::{Error, Notice, Result};
use crate::information::timescale::multirange;
use crate::parse::parse_query;
use crate::query::Relation;
use crate::refresh::{Choice, Refresher, ids_within};
use crate::table::StoreTable;
use crate::work::Work;
use crate::write::insert_all;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use highwater_model::{CaggId, CatalogChange, ContinuousAggregate, Output, RangeSet, Table, TableId, TimeRange};
use std::collections::HashMap;
use std::sync::Arc;

/// Which buckets are computed by the new definition before readers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All there are.
    Everything,
    /// Those that were materialized.
    Materialized,
    /// None: a refresh is to do it.
    Nothing,
}

/// What to do where frozen states of dropped rows do not tell what the new definition needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfUnknown {
    /// The definition is refused.
    Refuse,
    /// The states go, and the aggregate begins with the rows that are there.
    Discard,
}

/// What aggregates meant before, by which states are taken over.
type Meanings = HashMap<CaggId, Arc<Definition>>;

/// Gives an aggregate another definition.
///
/// * `changed` – the aggregate with all that the definition does not say.
///
/// # Errors
/// 0A000 when frozen states do not tell what the definition needs, and are not to be discarded; 2BP01 when something
/// over the aggregate could not be planned any more.
pub async fn replace(
    work: &mut Work,
    old: &Arc<ContinuousAggregate>,
    changed: ContinuousAggregate,
    planned: Planned,
    fill: Fill,
    if_unknown: IfUnknown,
) -> Result<()> {
    refuse_own(work, old, &planned)?;
    let mut before = Meanings::new();
    let planner = work.planner();
    let mut waiting = vec![old.clone()];
    while let Some(cagg) = waiting.pop() {
        waiting.extend(dependents::aggregates_over(work, &Relation::Cagg(cagg.clone())));
        before.insert(cagg.id, planner.meaning_of(&cagg)?);
    }
    exchange(work, old, changed, planned, fill, if_unknown, &before).await
}

/// The same, once it is known what all that is over the aggregate meant before.
async fn exchange(
    work: &mut Work,
    old: &Arc<ContinuousAggregate>,
    changed: ContinuousAggregate,
    planned: Planned,
    fill: Fill,
    if_unknown: IfUnknown,
    meanings: &Meanings,
) -> Result<()> {
    let (materialization, frozen_base) = (table(work, old.materialization)?, table(work, old.frozen_base)?);
    let mut planned = planned.with_columns_after([&materialization, &frozen_base]);
    let before = meanings.get(&old.id).ok_or_else(|| Error::internal("it was planned before"))?;
    let (frozen, frozen_rows) = {
        let version = work.transaction.version();
        (version.cagg(old.id).frozen.clone(), version.table(frozen_base.id))
    };
    let mut states = None;
    if frozen_rows.row_count > 0 {
        match planned.definition.take_over(before) {
            Ok(taken) => {
                planned.definition = planned.definition.lacking(&taken.unknown);
                let rows = StoreTable::new(frozen_base.clone(), frozen_rows);
                let rows = LogicalPlanBuilder::scan("_frozen", provider_as_source(Arc::new(rows)), None)?.build()?;
                let plan = planned.definition.taken(before, &taken, rows)?;
                states = Some(work.planner().run(plan, &[]).await?);
            }
            Err(_) if if_unknown == IfUnknown::Discard => tell_lost(work, old, &frozen_base, &frozen).await?,
            Err(why) => {
                let what = format!("cannot replace the definition of continuous aggregate \"{}\"", old.name);
                return Err(Error::unsupported(what)
                    .detail(format!("Chunks of {} were dropped, and {why}.", source_names(work, old)))
                    .hint("Create another aggregate beside it, which begins with the rows that are there, or let go of what they held by WITH (…, highwater.discard_frozen)."));
            }
        }
    }
    let mut new_materialization = Table {
        indexes: kept_indexes(&materialization, &planned, old)?,
        name: materialization.name.clone(),
        ..planned.materialization(old.id, materialization.id, number(&materialization))?
    };
    let new_frozen = Arc::new(Table {
        name: frozen_base.name.clone(),
        ..planned.frozen_base(old.id, frozen_base.id, number(&frozen_base))?
    });
    let cagg = Arc::new(planned.describe(changed)?);
    if let (Some(new), Some(kept)) = (&mut new_materialization.hypertable, &materialization.hypertable) {
        new.compression = kept.compression.as_ref().map(|kept| compression::carried_over(kept, old, &cagg));
    }
    tell_unknown(work, (old, before), (&cagg, &planned));
    let names: Vec<String> = cagg.outputs.iter().map(|(name, _)| name.clone()).collect();
    dependents::recount_columns(work, &Relation::Cagg(old.clone()), &names)?;
    work.transaction.truncate(materialization.id)?;
    work.transaction.truncate(frozen_base.id)?;
    work.change(CatalogChange::PutTable(Arc::new(new_materialization)))?;
    work.change(CatalogChange::PutTable(new_frozen.clone()))?;
    work.change(CatalogChange::PutCagg(cagg.clone()))?;
    if let Some(states) = states {
        insert_all(&mut work.transaction, &new_frozen, states).await?;
        work.transaction.freeze(cagg.id, frozen)?;
    }
    let others = reformed(work, &cagg)?;
    dependents::views_follow(work, &cagg)?;
    fill_buckets(work, old, &cagg, fill).await?;
    for (over, planned) in others {
        let changed = over.as_ref().clone();
        Box::pin(exchange(work, &over, changed, planned, Fill::Materialized, IfUnknown::Refuse, meanings)).await?;
    }
    Ok(())
}

/// The aggregates over an aggregate whose tables have to be others now, because they have states of it.
///
/// # Errors
/// 2BP01 when one cannot be planned as before.
fn reformed(work: &Work, cagg: &Arc<ContinuousAggregate>) -> Result<Vec<(Arc<ContinuousAggregate>, Planned)>> {
    let mut reformed = Vec::new();
    for over in dependents::aggregates_over(work, &Relation::Cagg(cagg.clone())) {
        let refused = |why: String| {
            let kind = "continuous aggregate";
            dependents::cannot_change((kind, &cagg.name), kind, &over.name, &why)
        };
        let planner = work.planner().for_definition(&over);
        let name = format!("{}.{}", over.schema, over.name);
        let planned = Planned::new(work, &planner, &*parse_query(&over.query)?, &name);
        let planned = planned.map_err(|e| refused(e.detail.unwrap_or(e.message)))?;
        let kept = table(work, over.materialization)?;
        let kept: Vec<_> =
            kept.columns.iter().map(|column| (column.name.clone(), column.column_type.clone())).collect();
        let now = Definition::of(&planner, &over)?;
        let is_windowed = |(_, output): &(String, Output)| matches!(output, Output::Windowed(_));
        let windowed = |cagg: &ContinuousAggregate| cagg.outputs.iter().filter(|o| is_windowed(o)).cloned().collect();
        let names: Vec<String> = over.outputs.iter().map(|(name, _)| name.clone()).collect();
        let planned = planned.with_names(names);
        let (before, after): (Vec<_>, Vec<_>) = (windowed(&over), windowed(&planned.describe(over.as_ref().clone())?));
        let outputs = now.output_count();
        let now: Vec<_> = now.columns()?.into_iter().map(|column| (column.name, column.column_type)).collect();
        if kept.get(..outputs) != now.get(..outputs) || before != after {
            return Err(refused("its columns would be of other types".to_owned()));
        }
        if now != kept {
            reformed.push((over, planned));
        }
    }
    Ok(reformed)
}

/// Refuses a definition that reads the aggregate itself, or has another kind of time.
fn refuse_own(work: &Work, old: &ContinuousAggregate, planned: &Planned) -> Result<()> {
    let catalog = work.transaction.version().catalog();
    let mut below = catalog.kept_by(planned.source.id);
    while let Some(parent) = below {
        if parent.id == old.id {
            return Err(Error::new("42P17", format!("continuous aggregate \"{}\" cannot be over itself", old.name)));
        }
        below = catalog.parent(parent);
    }
    if planned.bucket.time_type != old.bucket.time_type {
        return Err(Error::unsupported(format!(
            "cannot change the time of continuous aggregate \"{}\" from {} to {}",
            old.name,
            old.bucket.time_type.column_type(),
            planned.bucket.time_type.column_type()
        ))
        .hint("Drop it and create it again."));
    }
    Ok(())
}

fn table(work: &Work, id: TableId) -> Result<Arc<Table>> {
    let table = work.transaction.version().catalog().tables.get(&id).cloned();
    table.ok_or_else(|| Error::internal("an aggregate has its tables"))
}

/// Says of which times frozen states go.
///
/// * `frozen` – the times that there may be some of.
async fn tell_lost(
    work: &mut Work,
    cagg: &ContinuousAggregate,
    frozen_base: &Arc<Table>,
    frozen: &RangeSet,
) -> Result<()> {
    let planner = work.planner();
    let mut lost = Vec::new();
    for range in frozen.iter() {
        if !ids_within(&planner, frozen_base, &RangeSet::from(range)).await?.is_empty() {
            lost.push(range);
        }
    }
    let lost = multirange(&lost.into_iter().collect(), cagg.bucket.time_type.is_integer(), &work.settings.zone());
    let what = format!("continuous aggregate \"{}\" lost what it held of dropped chunks", cagg.name);
    let sources = source_names(work, cagg);
    work.notice(
        Notice::new(what).detail(format!("Of {lost} it has the rows that are in {sources} now, and those that come.")),
    );
    Ok(())
}

/// What an aggregate is over, by name.
fn source_names(work: &Work, cagg: &ContinuousAggregate) -> String {
    let catalog = work.transaction.version().catalog();
    let name = |id: TableId| {
        let parent = catalog.kept_by(id).map(|parent| &parent.name);
        parent.or(catalog.tables.get(&id).map(|table| &table.name)).map(|name| format!("\"{name}\""))
    };
    cagg.sources().filter_map(name).collect::<Vec<_>>().join(" and ")
}

fn number(table: &Table) -> u32 {
    table.hypertable.as_ref().map_or(0, |hypertable| hypertable.number)
}

/// Says which outputs are unknown where rows were dropped, and were not before.
fn tell_unknown(
    work: &mut Work,
    (old, before): (&ContinuousAggregate, &Definition),
    (cagg, planned): (&ContinuousAggregate, &Planned),
) {
    let sources = source_names(work, old);
    let known: Vec<&String> = before.unknown_outputs().into_iter().map(|place| &old.outputs[place].0).collect();
    for place in planned.definition.unknown_outputs() {
        let name = &cagg.outputs[place].0;
        if !known.contains(&name) {
            work.notice(
                Notice::new(format!("column \"{name}\" of \"{}\" is NULL where chunks were dropped", cagg.name))
                    .detail(format!("What it is computed from was not kept of the rows of {sources}.")),
            );
        }
    }
}

/// The indexes whose columns are still there.
fn kept_indexes(before: &Table, planned: &Planned, old: &ContinuousAggregate) -> Result<Vec<highwater_model::Index>> {
    let after = planned.materialization(old.id, before.id, number(before))?;
    let mut kept = Vec::new();
    for index in &before.indexes {
        let mut index = index.clone();
        let is_kept = index.columns.iter_mut().all(|column| {
            let Some(id) = column.column else { return true };
            let name = before.column_by_id(id).map(|c| c.name.as_str());
            column.column = name.and_then(|name| after.column(name)).map(|c| c.id);
            column.column.is_some()
        });
        kept.extend(is_kept.then_some(index));
    }
    Ok(kept)
}

/// Computes buckets by the new definition. Those that retention dropped from the aggregate stay as they are.
async fn fill_buckets(
    work: &mut Work,
    old: &ContinuousAggregate,
    cagg: &Arc<ContinuousAggregate>,
    fill: Fill,
) -> Result<()> {
    let version = work.transaction.version();
    let stale = match old.sources().eq(cagg.sources()) {
        true => {
            let materialized = RangeSet::all().subtract(version.cagg(cagg.id).pending.never_materialized());
            materialized.subtract(&version.table(cagg.materialization).dropped)
        }
        false => RangeSet::all(),
    };
    let buckets: RangeSet = stale.iter().map(|range| cagg.bucket.align_out(range)).collect();
    work.transaction.dirty(cagg.id, stale)?;
    let refresher = Refresher { engine: &work.engine, settings: &work.settings, user: &work.user };
    match fill {
        Fill::Everything => {
            refresher.run_in(&mut work.transaction, cagg, TimeRange::ALL, Choice::Pending).await?;
        }
        Fill::Materialized => {
            refresher.settle(&mut work.transaction, cagg, &buckets).await?;
        }
        Fill::Nothing => {}
    }
    Ok(())
}
