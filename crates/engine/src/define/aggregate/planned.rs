//! A definition that was accepted: what it reads, how its time is cut, and the tables that will keep it.

use crate::definition::windows::Windows;
use crate::definition::{Definition, Role};
use crate::error::{Error, Notice, Result};
use crate::parse::name_parts;
use crate::query::{Planner, Relation};
use crate::work::Work;
use datafusion::sql::sqlparser::ast;
use highwater_model::hierarchy::Unfit;
use highwater_model::hypertable::Hypertable;
use highwater_model::{
    Bucket, CaggId, Column, ColumnId, ColumnType, ContinuousAggregate, Output, Reach, Table, TableId, TableKind,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The schema of what keeps aggregates.
pub const INTERNAL: &str = "_timescaledb_internal";

/// A chunk of an aggregate holds as much time as this many of its source's.
const CHUNK_FACTOR: i64 = 10;

/// A definition that was accepted.
pub struct Planned {
    /// What it means.
    pub definition: Definition,
    /// As SQL.
    pub query: String,
    /// The hypertable whose time is bucketed, the first of those that are united, or what keeps the aggregate that it is
    /// over.
    pub source: Arc<Table>,
    /// How its time is cut.
    pub bucket: Bucket,
    /// Other tables and views that it reads.
    joined: BTreeSet<TableId>,
    /// The aggregate that it is over.
    parent: Option<Arc<ContinuousAggregate>>,
    /// What its view's columns are called, where it is not what the query calls them.
    names: Option<Vec<String>>,
    /// The last number that columns of its tables may not have.
    used_columns: u32,
}

impl Planned {
    /// Plans a definition.
    ///
    /// * `planner` – reads names as its author means them.
    /// * `name` – of the aggregate, for errors.
    ///
    /// # Errors
    /// 0A000 with the reason when dirty ranges cannot be derived, or its buckets are not made of its parent's.
    pub fn new(work: &Work, planner: &Planner, query: &ast::Query, name: &str) -> Result<Planned> {
        let text = query.to_string();
        let definition = Definition::new(planner, &text)?;
        let catalog = work.transaction.version().catalog();
        let inputs = definition.inputs();
        let source = catalog.tables.get(&inputs.source).cloned();
        let source = source.ok_or_else(|| Error::internal("a definition has a source"))?;
        let mut joined: BTreeSet<TableId> = inputs.joined.clone();
        joined.extend(views_in(planner, query)?);
        let hypertable = hypertable_of(&source);
        let bucket = definition.bucket_spec(hypertable.time_type)?;
        let parent = catalog.kept_by(source.id).cloned();
        if let Some(parent) = &parent {
            bucket.fits_over(&parent.bucket).map_err(|unfit| {
                let (own, others) = (bucket.width_display(), parent.bucket.width_display());
                unfit_error(unfit, (name, &own), (&format!("{}.{}", parent.schema, parent.name), &others))
            })?;
        }
        let root = parent.as_ref().and_then(|parent| catalog.root(parent)).unwrap_or(&source);
        if hypertable.time_type.is_integer() && root.hypertable.as_ref().is_none_or(|h| h.integer_now.is_none()) {
            return Err(Error::unsupported(format!("custom time function required on hypertable \"{}\"", root.name))
                .detail("An integer-based hypertable requires a custom time function to support continuous aggregates.")
                .hint("Set a custom time function on the hypertable."));
        }
        let (names, used_columns) = (None, 0);
        Ok(Planned { definition, query: text, source, bucket, joined, parent, names, used_columns })
    }

    /// Gives the view's columns other names than the query does.
    pub fn with_names(mut self, names: Vec<String>) -> Self {
        self.names = Some(names);
        self
    }

    /// Gives the columns of its tables numbers that these tables have not used.
    pub fn with_columns_after(mut self, tables: [&Table; 2]) -> Self {
        self.used_columns = tables.map(|table| table.next_column).into_iter().max().unwrap_or(0);
        self
    }

    fn column_id(&self, place: usize) -> ColumnId {
        ColumnId(self.used_columns + place as u32 + 1)
    }

    /// Tells who aggregates finished values what composes.
    pub fn warn_of_finished(&self, work: &mut Work) -> Result<()> {
        for (call, parent, output) in self.definition.of_finished(&work.planner())? {
            let column = &parent.outputs[output].0;
            let what = format!("{call}({column}) is of finished values of \"{}\", not of all its rows", parent.name);
            work.notice(
                Notice::new(what).hint(format!("rollup({column}) merges the states that they were finished from.")),
            );
        }
        Ok(())
    }

    /// The table of its buckets.
    pub fn materialization(&self, cagg: CaggId, id: TableId, number: u32) -> Result<Table> {
        let columns: Vec<(String, ColumnType)> =
            self.definition.columns()?.into_iter().map(|column| (column.name, column.column_type)).collect();
        let name = format!("_materialized_hypertable_{number}");
        Ok(self.table(id, name, &columns, self.keys()?, TableKind::Materialization(cagg), number))
    }

    /// The table of the states of dropped rows.
    pub fn frozen_base(&self, cagg: CaggId, id: TableId, number: u32) -> Result<Table> {
        let columns = self.definition.partial_columns()?;
        let bucket = self.column_id(self.definition.bucket_group());
        let name = format!("_frozen_base_{number}");
        Ok(self.table(id, name, &columns, (bucket, Vec::new()), TableKind::FrozenBase(cagg), number))
    }

    /// The bucket's column among those that are kept, and the other keys'.
    fn keys(&self) -> Result<(ColumnId, Vec<ColumnId>)> {
        let (mut bucket, mut groups) = (None, Vec::new());
        for (i, column) in self.definition.columns()?.iter().enumerate() {
            let id = self.column_id(i);
            match column.role {
                Role::Group(group) if group == self.definition.bucket_group() => bucket = Some(id),
                Role::Group(_) => groups.push(id),
                _ => {}
            }
        }
        Ok((bucket.ok_or_else(|| Error::internal("every group is a column"))?, groups))
    }

    fn table(
        &self,
        id: TableId,
        name: String,
        columns: &[(String, ColumnType)],
        (time_column, segment_by): (ColumnId, Vec<ColumnId>),
        kind: TableKind,
        number: u32,
    ) -> Table {
        let hypertable = hypertable_of(&self.source);
        // What keeps an aggregate has wide chunks already.
        let factor = if self.parent.is_some() { 1 } else { CHUNK_FACTOR };
        let column = |(i, (name, column_type)): (usize, &(String, ColumnType))| Column {
            id: self.column_id(i),
            name: name.clone(),
            column_type: column_type.clone(),
            not_null: false,
            default: None,
            missing: None,
        };
        Table {
            id,
            schema: INTERNAL.to_owned(),
            name,
            columns: columns.iter().enumerate().map(column).collect(),
            next_column: self.column_id(columns.len()).0,
            indexes: Vec::new(),
            hypertable: Some(Hypertable {
                number,
                time_column,
                time_type: hypertable.time_type,
                chunk_interval: hypertable.chunk_interval.saturating_mul(factor),
                integer_now: None,
                segment_by,
                compression: None,
            }),
            kind,
        }
    }

    /// An aggregate with this definition, kept in [`Planned::materialization`].
    pub fn describe(&self, cagg: ContinuousAggregate) -> Result<ContinuousAggregate> {
        let (bucket_column, group_columns) = self.keys()?;
        let name = |i: usize, own: String| self.names.as_ref().and_then(|names| names.get(i).cloned()).unwrap_or(own);
        let output = |(i, (own, column_type, kept)): (usize, (String, ColumnType, Option<usize>))| {
            let windowed = || Output::Windowed(column_type);
            (name(i, own), kept.map_or_else(windowed, |place| Output::Kept(self.column_id(place))))
        };
        let outputs = self.definition.shown()?.into_iter().enumerate().map(output).collect();
        Ok(ContinuousAggregate {
            query: self.query.clone(),
            source: self.source.id,
            united: self.definition.inputs().united.clone(),
            joined: self.joined.iter().copied().collect(),
            bucket: self.bucket.clone(),
            outputs,
            reach: self.definition.windows().map_or(Reach::OWN, Windows::reach),
            bucket_column,
            group_columns,
            ..cagg
        })
    }
}

fn hypertable_of(source: &Table) -> &Hypertable {
    source.hypertable.as_ref().expect("sources are hypertables")
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

/// The views that a query reads, and those that these read.
fn views_in(planner: &Planner, query: &ast::Query) -> Result<BTreeSet<TableId>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![Box::new(query.clone())];
    while let Some(query) = waiting.pop() {
        let mut views = Vec::new();
        let _: ControlFlow<()> = ast::visit_relations(query.as_ref(), |name| {
            if let Ok(Relation::Table(table)) = planner.resolve(&name_parts(name))
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
