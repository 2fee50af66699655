//! `ON CONFLICT`: what happens to rows whose key is there already.

use crate::convert;
use crate::error::{Error, Result};
use crate::meaning;
use crate::parse::{self, ident};
use crate::query::Planner;
use crate::work::Work;
use crate::write::{default_of, is_default, named_columns};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema};
use datafusion::common::{DFSchema, TableReference};
use datafusion::sql::sqlparser::ast::{self, AssignmentTarget, ConflictTarget, OnConflictAction};
use highwater_model::{Column, ColumnId, Index, RangeSet, Table};
use highwater_store::rows::{take_rows, times};
use highwater_store::schema::arrow_schema;
use highwater_store::{RowIds, Scan, unique};
use std::collections::HashMap;
use std::sync::Arc;

/// An ON CONFLICT clause of an INSERT into a table.
pub struct Conflict {
    table: Arc<Table>,
    alias: String,
    /// The keys that arbitrate.
    keys: Vec<Vec<ColumnId>>,
    action: Action,
}

enum Action {
    Nothing,
    Update { assignments: Vec<(Column, ast::Expr)>, filter: Option<Box<ast::Expr>> },
}

impl Conflict {
    /// Reads the clause.
    ///
    /// # Errors
    /// 42P10 when no unique key is on the named columns.
    pub fn new(
        table: &Arc<Table>,
        on: &ast::OnConflict,
        alias: Option<&ast::TableAliasWithoutColumns>,
    ) -> Result<Self> {
        let matching: Vec<&Index> = match &on.conflict_target {
            None => table.unique_keys().collect(),
            Some(ConflictTarget::Columns(names)) => {
                let mut wanted: Vec<ColumnId> =
                    named_columns(table, names.iter().map(ident))?.iter().map(|c| c.id).collect();
                wanted.sort();
                let same = |index: &&Index| {
                    let mut columns = index.column_ids().unwrap_or_default();
                    columns.sort();
                    columns == wanted
                };
                table.unique_keys().filter(same).collect()
            }
            Some(ConflictTarget::OnConstraint(name)) => {
                let name = parse::name_parts(name).pop().unwrap_or_default();
                let found: Vec<&Index> = table.unique_keys().filter(|i| i.name == name).collect();
                if found.is_empty() {
                    return Err(Error::new(
                        "42704",
                        format!("constraint \"{name}\" for table \"{}\" does not exist", table.name),
                    ));
                }
                found
            }
        };
        if matching.is_empty() && on.conflict_target.is_some() {
            return Err(Error::new(
                "42P10",
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            ));
        }
        let action = match &on.action {
            OnConflictAction::DoNothing => Action::Nothing,
            OnConflictAction::DoUpdate(update) => {
                if on.conflict_target.is_none() {
                    return Err(Error::syntax(
                        "ON CONFLICT DO UPDATE requires inference specification or constraint name",
                    )
                    .hint("For example, ON CONFLICT (column_name)."));
                }
                let mut assignments = Vec::new();
                for assignment in &update.assignments {
                    let AssignmentTarget::ColumnName(name) = &assignment.target else {
                        return Err(Error::unsupported("SET (a, b) = (…) is not supported")
                            .hint("Assign each column by itself."));
                    };
                    let column = named_columns(table, [parse::name_parts(name).pop().unwrap_or_default()])?.remove(0);
                    let value =
                        if is_default(&assignment.value) { default_of(&column)? } else { assignment.value.clone() };
                    assignments.push((column, value));
                }
                Action::Update { assignments, filter: update.selection.clone().map(Box::new) }
            }
        };
        Ok(Conflict {
            table: table.clone(),
            alias: alias.map_or_else(|| table.name.clone(), |a| ident(&a.alias)),
            keys: matching.into_iter().filter_map(Index::column_ids).collect(),
            action,
        })
    }

    /// Inserts rows, settling conflicts; gives the rows that were inserted or updated.
    pub fn insert(&self, work: &mut Work, batch: RecordBatch) -> Result<RecordBatch> {
        let data = work.transaction.version().table(self.table.id);
        let mut existing: Vec<Option<u64>> = vec![None; batch.num_rows()];
        for key in &self.keys {
            for (slot, found) in existing.iter_mut().zip(unique::find_existing(&data, &self.table, key, &batch)?) {
                *slot = slot.or(found);
            }
        }
        let repeated = self.repeated(&batch)?;
        let fresh: BooleanArray =
            existing.iter().zip(&repeated).map(|(found, repeat)| Some(found.is_none() && !repeat)).collect();
        let inserted = filter_record_batch(&batch, &fresh)?;
        let Action::Update { assignments, filter } = &self.action else {
            work.transaction.insert(&self.table, inserted.clone())?;
            return Ok(inserted);
        };
        let mut seen = RowIds::new();
        let twice = existing.iter().flatten().any(|id| !seen.insert(*id));
        if twice || repeated.iter().any(|r| *r) {
            return Err(Error::new("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time").hint(
                "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
            ));
        }
        let updated = self.updated(work, &batch, &existing, assignments, filter.as_deref())?;
        work.transaction.insert(&self.table, inserted.clone())?;
        Ok(match updated {
            Some(updated) => concat_batches(&batch.schema(), [&inserted, &updated])?,
            None => inserted,
        })
    }

    /// Which rows repeat a key of an earlier row of the batch.
    fn repeated(&self, batch: &RecordBatch) -> Result<Vec<bool>> {
        let mut repeated = vec![false; batch.num_rows()];
        for key in &self.keys {
            let mut rest: Vec<u32> = (0..batch.num_rows() as u32).collect();
            while let Some(at) = unique::first_repeat(key, &take_rows(batch, &rest)?)? {
                repeated[rest.remove(at) as usize] = true;
            }
        }
        Ok(repeated)
    }

    fn updated(
        &self,
        work: &mut Work,
        batch: &RecordBatch,
        existing: &[Option<u64>],
        assignments: &[(Column, ast::Expr)],
        filter: Option<&ast::Expr>,
    ) -> Result<Option<RecordBatch>> {
        let ids: Vec<u64> = existing.iter().copied().flatten().collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let proposed: Vec<u32> = (0..batch.num_rows()).filter(|i| existing[*i].is_some()).map(|i| i as u32).collect();
        let excluded = take_rows(batch, &proposed)?;
        let old = self.rows(work, &ids)?;
        let fields = |relation: &str| {
            let relation = TableReference::bare(relation.to_owned());
            let schema = arrow_schema(&self.table);
            schema.fields().iter().map(|f| (Some(relation.clone()), f.clone())).collect::<Vec<_>>()
        };
        let qualified = [fields(&self.alias), fields("excluded")].concat();
        let schema = DFSchema::new_with_metadata(qualified, HashMap::new())?;
        let columns: Vec<ArrayRef> = old.columns().iter().chain(excluded.columns()).cloned().collect();
        let positions: Vec<Field> =
            (0..columns.len()).map(|i| Field::new(format!("c{i}"), columns[i].data_type().clone(), true)).collect();
        let both = RecordBatch::try_new(Arc::new(Schema::new(positions)), columns)?;
        let planner = work.planner();
        let kept = match filter {
            None => None,
            Some(filter) => {
                let expr = self.plan(&planner, filter, &schema)?;
                let mask = planner.evaluate(&[expr], &schema, &both)?.remove(0);
                Some(mask.as_boolean().iter().map(|v| Some(v == Some(true))).collect::<BooleanArray>())
            }
        };
        let mut new = old.columns().to_vec();
        for (column, value) in assignments {
            let expr = self.plan(&planner, value, &schema)?;
            let expr = convert::assign_expr(expr, column, &self.table.name, &schema, planner.state())?;
            let position = self.table.position(column.id).expect("the column was found in this table");
            new[position] = planner.evaluate(&[expr], &schema, &both)?.remove(0);
        }
        let ids = UInt64Array::from(ids);
        let (new, old, ids) = match kept {
            None => (RecordBatch::try_new(old.schema(), new)?, old, ids),
            Some(mask) => {
                let new = RecordBatch::try_new(old.schema(), new)?;
                let ids = arrow::compute::filter(&ids, &mask)?;
                (filter_record_batch(&new, &mask)?, filter_record_batch(&old, &mask)?, ids.as_primitive().clone())
            }
        };
        let new = super::RowRules::of(&planner, &self.table)?.apply(&self.table, new)?;
        let touched = match self.table.time_column().and_then(|c| self.table.position(c.id)) {
            Some(time) => {
                let grain = work.transaction.version().touch_grain(self.table.id);
                RangeSet::from_times(times(old.column(time)).into_iter().flatten(), grain)
            }
            None => RangeSet::all(),
        };
        work.transaction.delete(self.table.id, ids.values().iter().copied().collect(), touched)?;
        work.transaction.insert(&self.table, new.clone())?;
        Ok(Some(new))
    }

    fn plan(&self, planner: &Planner, expr: &ast::Expr, schema: &DFSchema) -> Result<datafusion::logical_expr::Expr> {
        // An unqualified name is the existing row's.
        let mut expr = expr.clone();
        meaning::qualify(&mut expr, &self.alias);
        planner.plan_expr(&expr, schema)
    }

    /// The rows with these ids, in their order.
    fn rows(&self, work: &Work, ids: &[u64]) -> Result<RecordBatch> {
        let wanted: HashMap<u64, usize> = ids.iter().enumerate().map(|(i, id)| (*id, i)).collect();
        let data = work.transaction.version().table(self.table.id);
        let scan =
            Scan { columns: self.table.columns.iter().map(|c| c.id).collect(), row_ids: true, ..Scan::default() };
        let mut found: Vec<(usize, RecordBatch)> = Vec::with_capacity(ids.len());
        for unit in data.scan_ids(&self.table, scan, ids) {
            for batch in unit.read()? {
                let row_ids = batch.column(batch.num_columns() - 1).as_primitive::<arrow::datatypes::UInt64Type>();
                for (row, id) in row_ids.values().iter().enumerate() {
                    if let Some(position) = wanted.get(id) {
                        found.push((*position, batch.slice(row, 1)));
                    }
                }
            }
        }
        found.sort_by_key(|(position, _)| *position);
        let schema = arrow_schema(&self.table);
        let batches: Vec<RecordBatch> = found
            .into_iter()
            .map(|(_, row)| RecordBatch::try_new(schema.clone(), row.columns()[..row.num_columns() - 1].to_vec()))
            .collect::<Result<_, _>>()?;
        Ok(concat_batches(&schema, &batches)?)
    }
}
