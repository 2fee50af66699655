//! Every relation there is, as `pg_class` counts them: tables, views, aggregates, indexes, system views.

use crate::information::{Known, pg_catalog, rows::Columns, schema, timescale, types};
use crate::temporary::is_temporary;
use highwater_model::{ContinuousAggregate, Identity, Index, Output, Rules, Table, TableKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a relation is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A table or hypertable, also one that keeps an aggregate's buckets.
    Table(Arc<Table>),
    /// A view and its query.
    View(String),
    /// A continuous aggregate.
    Cagg(Arc<ContinuousAggregate>),
    /// An index and the table it is on.
    Index(Arc<Table>, Index),
    /// A sequence.
    Sequence,
    /// A system view that PostgreSQL keeps as a table.
    SystemTable,
    /// A system view.
    SystemView,
}

/// A column of a relation.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its number, which renaming keeps.
    pub number: i32,
    /// Its name.
    pub name: String,
    /// Oid of its type.
    pub type_oid: u32,
    /// Modifier of its type, or −1.
    pub modifier: i32,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Its DEFAULT, or what computes it.
    pub default: Option<String>,
    /// How it numbers itself.
    pub identity: Option<Identity>,
    /// Whether it is computed.
    pub generated: bool,
}

impl Attribute {
    /// A column that is no more than that, `index` from 0.
    fn plain(index: usize, name: &str, type_oid: u32, modifier: i32) -> Attribute {
        Attribute {
            number: index as i32 + 1,
            name: name.to_owned(),
            type_oid,
            modifier,
            not_null: false,
            default: None,
            identity: None,
            generated: false,
        }
    }
}

/// A relation.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its oid.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its columns.
    pub attributes: Vec<Attribute>,
}

impl Relation {
    /// `relkind`
    pub fn letter(&self) -> char {
        match self.kind {
            Kind::Table(_) | Kind::SystemTable => 'r',
            Kind::View(_) | Kind::SystemView => 'v',
            Kind::Cagg(_) => 'm',
            Kind::Index(..) => 'i',
            Kind::Sequence => 'S',
        }
    }

    /// Whether the system has it, not the user.
    pub fn is_system(&self) -> bool {
        matches!(self.kind, Kind::SystemTable | Kind::SystemView)
    }

    /// The query behind it, when it has one.
    pub fn definition(&self) -> Option<String> {
        match &self.kind {
            Kind::View(query) => Some(format!(" {};", query.trim_end_matches(';'))),
            Kind::Cagg(cagg) => Some(format!(" {};", cagg.query.trim_end_matches(';'))),
            _ => None,
        }
    }

    /// The table whose rows it has or covers.
    pub fn table(&self) -> Option<&Arc<Table>> {
        match &self.kind {
            Kind::Table(table) | Kind::Index(table, _) => Some(table),
            _ => None,
        }
    }
}

/// Schemas with their oids; those of the system first.
pub fn schemas(known: &Known) -> BTreeMap<String, u32> {
    let mut schemas: BTreeMap<String, u32> = SYSTEM_SCHEMAS.iter().map(|(n, oid)| ((*n).to_owned(), *oid)).collect();
    schemas.extend(known.version.catalog().schemas.clone());
    schemas
}

/// Schemas that the system has, and their oids.
pub const SYSTEM_SCHEMAS: &[(&str, u32)] =
    &[("pg_catalog", 11), ("pg_toast", 99), ("information_schema", 13_000), ("timescaledb_information", 13_001)];

/// All relations.
pub fn all(known: &Known) -> Vec<Relation> {
    let mut all = users(known);
    // Temporary tables are their own session's.
    all.retain(|relation| !is_temporary(&relation.schema) || known.search_path.contains(&relation.schema));
    all.extend(systems());
    all
}

/// The relations that users made, and those that keep aggregates.
pub fn users(known: &Known) -> Vec<Relation> {
    let catalog = known.version.catalog();
    let mut all = Vec::new();
    for table in catalog.tables.values() {
        let kind = match &table.kind {
            TableKind::FrozenBase(_) => continue,
            TableKind::View(query) => Kind::View(query.clone()),
            TableKind::Table | TableKind::Materialization(_) => Kind::Table(table.clone()),
        };
        all.push(Relation {
            oid: table.id.0,
            schema: table.schema.clone(),
            name: table.name.clone(),
            kind,
            attributes: attributes_of(known, table, catalog.objects.rules.get(&table.id).map(Arc::as_ref)),
        });
        let indexes = table.indexes.iter().map(|index| Relation {
            oid: index.id,
            schema: table.schema.clone(),
            name: index.name.clone(),
            kind: Kind::Index(table.clone(), index.clone()),
            attributes: index_attributes(table, index),
        });
        all.extend(indexes);
    }
    for cagg in catalog.caggs.values() {
        let kept = catalog.tables.get(&cagg.materialization);
        let attribute = |(i, (name, output)): (usize, &(String, Output))| {
            let column_type = match output {
                Output::Kept(id) => &kept.and_then(|table| table.column_by_id(*id))?.column_type,
                Output::Windowed(column_type) => column_type,
            };
            let (type_oid, modifier) = types::of_column(column_type);
            Some(Attribute::plain(i, name, type_oid, modifier))
        };
        all.push(Relation {
            oid: cagg.id.0,
            schema: cagg.schema.clone(),
            name: cagg.name.clone(),
            kind: Kind::Cagg(cagg.clone()),
            attributes: cagg.outputs.iter().enumerate().filter_map(attribute).collect(),
        });
    }
    for sequence in catalog.objects.sequences.values() {
        all.push(Relation {
            oid: sequence.id,
            schema: sequence.schema.clone(),
            name: sequence.name.clone(),
            kind: Kind::Sequence,
            attributes: Vec::new(),
        });
    }
    all
}

fn attributes_of(known: &Known, table: &Table, rules: Option<&Rules>) -> Vec<Attribute> {
    let attribute = |column: &highwater_model::Column| {
        let (type_oid, modifier) = types::of_column(&column.column_type);
        let identity = rules.and_then(|r| r.identity.get(&column.id)).copied();
        let generated = rules.and_then(|r| r.generated.get(&column.id)).map(|sql| format!("({sql})"));
        Attribute {
            number: column.id.0 as i32,
            name: column.name.clone(),
            type_oid,
            modifier,
            not_null: column.not_null,
            default: generated.or_else(|| {
                let default = column.default.as_deref().filter(|_| identity.is_none());
                default.map(|sql| shown_default(known, sql))
            }),
            identity,
            generated: rules.is_some_and(|r| r.generated.contains_key(&column.id)),
        }
    };
    table.columns.iter().map(attribute).collect()
}

/// A DEFAULT as it has to be written here: without the schema of a sequence that is found without it.
fn shown_default(known: &Known, sql: &str) -> String {
    let name = sql.strip_prefix("nextval('").and_then(|rest| rest.split_once('.'));
    match name {
        Some((schema, rest)) if known.search_path.iter().any(|s| s == schema) => format!("nextval('{rest}"),
        _ => sql.to_owned(),
    }
}

fn index_attributes(table: &Table, index: &Index) -> Vec<Attribute> {
    let attribute = |(i, part): (usize, &highwater_model::IndexColumn)| {
        let column = part.column.and_then(|id| table.column_by_id(id));
        let (type_oid, modifier) = column.map_or((25, -1), |c| types::of_column(&c.column_type));
        Attribute::plain(i, column.map_or("expr", |c| &c.name), type_oid, modifier)
    };
    index.columns.iter().enumerate().map(attribute).collect()
}

/// The views that the system has.
pub fn systems() -> Vec<Relation> {
    let relation = |schema: &str, name: &str, oid: u32, kind: Kind, columns: Columns| Relation {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        attributes: columns
            .iter()
            .enumerate()
            .map(|(i, (name, pg_type))| Attribute::plain(i, name, types::by_name(pg_type).unwrap_or(25), -1))
            .collect(),
    };
    // Below the first oid that a user's relation can have, and always the same.
    let mut oid = 14_000;
    let mut next = || {
        oid += 1;
        oid
    };
    let mut all = Vec::new();
    for (name, known, columns) in pg_catalog::views() {
        let (number, kind) = if known == 0 { (next(), Kind::SystemView) } else { (known, Kind::SystemTable) };
        all.push(relation("pg_catalog", name, number, kind, columns));
    }
    for (name, columns) in schema::views() {
        all.push(relation("information_schema", name, next(), Kind::SystemView, columns));
    }
    for (name, columns) in timescale::views() {
        all.push(relation("timescaledb_information", name, next(), Kind::SystemView, columns));
    }
    all
}

/// The relation that a name stands for, with the search path; system views included.
pub fn find(known: &Known, parts: &[String]) -> Option<Relation> {
    let mut path = known.search_path.clone();
    if !path.iter().any(|schema| schema == "pg_catalog") {
        path.insert(0, "pg_catalog".to_owned());
    }
    let named =
        |schema: &str, name: &str| known.relations().iter().find(|r| r.schema == schema && r.name == name).cloned();
    match parts {
        [name] => path.iter().find_map(|schema| named(schema, name)),
        [schema, name] | [_, schema, name] => named(schema, name),
        _ => None,
    }
}

/// Whether an unqualified name finds this relation.
pub fn is_visible(known: &Known, relation: &Relation) -> bool {
    relation.schema == "pg_catalog" || known.search_path.contains(&relation.schema)
}
