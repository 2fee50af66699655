//! `information_schema`: the same in the standard's words.

use crate::Result;
use crate::information::relations::{Attribute, Kind, Relation};
use crate::information::rows::{Cell, Columns, Row, columns, row, table};
use crate::information::{Known, OWNER_OID, timescale, types};
use crate::query::Planner;
use crate::temporary::is_temporary;
use datafusion::catalog::TableProvider;
use highwater_model::time::Limit;
use highwater_model::{ColumnId, Identity, TableId};
use std::sync::Arc;

type View = (&'static str, Columns, fn(&Known) -> Vec<Row>);

const VIEWS: &[View] = &[
    ("tables", TABLES, tables),
    ("columns", COLUMNS, columns),
    ("schemata", SCHEMATA, schemata),
    ("views", VIEW_COLUMNS, views_of),
    ("table_constraints", TABLE_CONSTRAINTS, table_constraints),
    ("key_column_usage", KEY_COLUMN_USAGE, key_column_usage),
    ("constraint_column_usage", CONSTRAINT_COLUMN_USAGE, |_| Vec::new()),
    ("referential_constraints", REFERENTIAL_CONSTRAINTS, |_| Vec::new()),
    ("sequences", SEQUENCES, sequences),
    ("check_constraints", CHECK_CONSTRAINTS, check_constraints),
    ("routines", ROUTINES, |_| Vec::new()),
    ("table_privileges", TABLE_PRIVILEGES, table_privileges),
    ("role_table_grants", TABLE_PRIVILEGES, table_privileges),
    ("column_privileges", COLUMN_PRIVILEGES, |_| Vec::new()),
    ("role_column_grants", COLUMN_PRIVILEGES, |_| Vec::new()),
    ("information_schema_catalog_name", columns! { catalog_name name }, |known| vec![row![&known.database]]),
];

const TABLE_PRIVILEGES: Columns = columns! {
    grantor name, grantee name, table_catalog name, table_schema name, table_name name, privilege_type text, is_grantable text, with_hierarchy text,
};

/// What the owner may do with a table: everything, until there are roles.
fn table_privileges(known: &Known) -> Vec<Row> {
    const ALL: [&str; 7] = ["INSERT", "SELECT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];
    let owner = known.role_name(OWNER_OID);
    let of_relation = |r: &Relation| {
        let row = |privilege: &str| {
            let hierarchy = if privilege == "SELECT" { "YES" } else { "NO" };
            row![&owner, &owner, &known.database, &r.schema, &r.name, privilege, "YES", hierarchy]
        };
        ALL.map(row)
    };
    listed(known).flat_map(of_relation).collect()
}

const COLUMN_PRIVILEGES: Columns = columns! {
    grantor name, grantee name, table_catalog name, table_schema name, table_name name, column_name name, privilege_type text, is_grantable text,
};

/// The names and columns of all views.
pub fn views() -> impl Iterator<Item = (&'static str, Columns)> {
    VIEWS.iter().map(|(name, columns, _)| (*name, *columns))
}

/// The rows of a view, if there is one of this name.
pub fn provider(planner: &Planner, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let view = VIEWS.iter().find(|(view, ..)| *view == name);
    view.map(|(_, columns, rows)| table(columns, rows(planner.known()))).transpose()
}

/// Tables and views; aggregates and indexes are not in the standard, but tools list columns by these views, so
/// aggregates are here as views.
fn listed(known: &Known) -> impl Iterator<Item = &Relation> {
    known.relations().iter().filter(|r| !matches!(r.kind, Kind::Index(..) | Kind::Sequence))
}

const TABLES: Columns = columns! {
    table_catalog name, table_schema name, table_name name, table_type text, self_referencing_column_name name,
    reference_generation text, user_defined_type_catalog name, user_defined_type_schema name,
    user_defined_type_name name, is_insertable_into text, is_typed text, commit_action text,
};

fn tables(known: &Known) -> Vec<Row> {
    listed(known)
        .map(|r| {
            let is_table = matches!(r.kind, Kind::Table(_) | Kind::SystemTable);
            row![
                &known.database,
                &r.schema,
                &r.name,
                match is_table {
                    true if is_temporary(&r.schema) => "LOCAL TEMPORARY",
                    true => "BASE TABLE",
                    false => "VIEW",
                },
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::Null,
                if matches!(r.kind, Kind::Table(_)) { "YES" } else { "NO" },
                "NO",
                Cell::Null,
            ]
        })
        .collect()
}

const COLUMNS: Columns = columns! {
    table_catalog name, table_schema name, table_name name, column_name name, ordinal_position int4,
    column_default text, is_nullable text, data_type text, character_maximum_length int4, character_octet_length int4,
    numeric_precision int4, numeric_precision_radix int4, numeric_scale int4, datetime_precision int4,
    interval_type text, interval_precision int4, character_set_catalog name, character_set_schema name,
    character_set_name name, collation_catalog name, collation_schema name, collation_name name, domain_catalog name,
    domain_schema name, domain_name name, udt_catalog name, udt_schema name, udt_name name, scope_catalog name,
    scope_schema name, scope_name name, maximum_cardinality int4, dtd_identifier text, is_self_referencing text,
    is_identity text, identity_generation text, identity_start text, identity_increment text, identity_maximum text,
    identity_minimum text, identity_cycle text, is_generated text, generation_expression text, is_updatable text,
};

fn columns(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in listed(known) {
        for column in &relation.attributes {
            let enums = &known.version.catalog().objects.enums;
            let made = enums.values().find(|t| t.id == column.type_oid || t.array_id == column.type_oid);
            let (name, is_array) = match made {
                Some(kind) => (kind.name.as_str(), kind.array_id == column.type_oid),
                None => types::by_oid(column.type_oid).map_or(("text", false), |(t, a)| (t.name, a)),
            };
            let data_type = match name {
                _ if made.is_some() && !is_array => "USER-DEFINED".to_owned(),
                _ if is_array => "ARRAY".to_owned(),
                "bpchar" => "character".to_owned(),
                _ => types::format_type(column.type_oid, None),
            };
            let characters = match name {
                "varchar" | "bpchar" if !is_array && column.modifier >= 4 => Some(column.modifier - 4),
                _ => None,
            };
            let octets = match name {
                "text" | "varchar" | "bpchar" if !is_array => Some(characters.map_or(1 << 30, |n| n * 4)),
                _ => None,
            };
            let (precision, radix, scale) = match (name, column.modifier) {
                _ if is_array => (None, None, None),
                ("int2", _) => (Some(16), Some(2), Some(0)),
                ("int4", _) => (Some(32), Some(2), Some(0)),
                ("int8", _) => (Some(64), Some(2), Some(0)),
                ("float4", _) => (Some(24), Some(2), None),
                ("float8", _) => (Some(53), Some(2), None),
                ("numeric", m) if m >= 4 => (Some(((m - 4) >> 16) & 0xffff), Some(10), Some((m - 4) & 0x7ff)),
                ("numeric", _) => (None, Some(10), None),
                _ => (None, None, None),
            };
            let digits = match name {
                "timestamp" | "timestamptz" | "time" | "interval" if !is_array => {
                    let limit = (column.modifier >= 0).then(|| Limit::of_modifier(column.modifier, name == "interval"));
                    Some(limit.and_then(|limit| limit.digits).map_or(6, i32::from))
                }
                "date" if !is_array => Some(0),
                _ => None,
            };
            let interval_type = match name {
                "interval" if !is_array && column.modifier >= 0 => {
                    let limit = Limit::of_modifier(column.modifier, true);
                    limit.fields.map(|_| limit.name("").trim_start().to_uppercase())
                }
                _ => None,
            };
            let mut row = row![
                &known.database,
                &relation.schema,
                &relation.name,
                &column.name,
                column.number,
                column.default.as_ref().filter(|_| !column.generated),
                if column.not_null { "NO" } else { "YES" },
                data_type,
                characters,
                octets,
                precision,
                radix,
                scale,
                digits,
                interval_type,
            ];
            row.extend(vec![Cell::Null; 10]);
            row.extend(row![
                &known.database,
                made.map_or("pg_catalog", |kind| kind.schema.as_str()),
                if is_array { format!("_{name}") } else { name.to_owned() }
            ]);
            row.extend(vec![Cell::Null; 4]);
            row.extend(row![column.number.to_string(), "NO"]);
            row.extend(match identity_of(known, relation, column) {
                None => {
                    let mut none = row!["NO"];
                    none.extend(vec![Cell::Null; 5]);
                    none.extend(row!["NO"]);
                    none
                }
                Some((generation, s)) => row![
                    "YES",
                    generation,
                    s.start.to_string(),
                    s.increment.to_string(),
                    s.max.to_string(),
                    s.min.to_string(),
                    if s.cycle { "YES" } else { "NO" }
                ],
            });
            row.extend(row![
                if column.generated { "ALWAYS" } else { "NEVER" },
                column.default.as_ref().filter(|_| column.generated),
                if matches!(relation.kind, Kind::Table(_)) { "YES" } else { "NO" }
            ]);
            rows.push(row);
        }
    }
    rows
}

/// How a column numbers itself, and its sequence.
fn identity_of<'a>(
    known: &'a Known,
    relation: &Relation,
    column: &Attribute,
) -> Option<(&'static str, &'a highwater_model::Sequence)> {
    let generation = match column.identity? {
        Identity::Always => "ALWAYS",
        Identity::ByDefault => "BY DEFAULT",
    };
    let owner = Some((TableId(relation.oid), ColumnId(column.number.unsigned_abs())));
    let mut sequences = known.version.catalog().objects.sequences.values();
    sequences.find(|s| s.owner == owner).map(|s| (generation, s.as_ref()))
}

const CHECK_CONSTRAINTS: Columns = columns! {
    constraint_catalog name, constraint_schema name, constraint_name name, check_clause text,
};

fn check_constraints(known: &Known) -> Vec<Row> {
    conditions(known)
        .map(|(table, check)| row![&known.database, &table.schema, &check.name, format!("(({}))", check.sql)])
        .collect()
}

fn sequences(known: &Known) -> Vec<Row> {
    let all = known.version.catalog().objects.sequences.values();
    all.map(|s| {
        let (data_type, bits) = match s.bytes {
            2 => ("smallint", 16),
            4 => ("integer", 32),
            _ => ("bigint", 64),
        };
        row![
            &known.database,
            &s.schema,
            &s.name,
            data_type,
            bits,
            2,
            0,
            s.start.to_string(),
            s.min.to_string(),
            s.max.to_string(),
            s.increment.to_string(),
            if s.cycle { "YES" } else { "NO" }
        ]
    })
    .collect()
}

const SCHEMATA: Columns = columns! {
    catalog_name name, schema_name name, schema_owner name, default_character_set_catalog name,
    default_character_set_schema name, default_character_set_name name, sql_path text,
};

fn schemata(known: &Known) -> Vec<Row> {
    let schema =
        |name: String| row![&known.database, name, timescale::OWNER, Cell::Null, Cell::Null, Cell::Null, Cell::Null];
    known.schemas().into_keys().map(schema).collect()
}

const VIEW_COLUMNS: Columns = columns! {
    table_catalog name, table_schema name, table_name name, view_definition text, check_option text, is_updatable text,
    is_insertable_into text, is_trigger_updatable text, is_trigger_deletable text, is_trigger_insertable_into text,
};

fn views_of(known: &Known) -> Vec<Row> {
    let views = listed(known).filter(|r| matches!(r.kind, Kind::View(_) | Kind::Cagg(_) | Kind::SystemView));
    views
        .map(|r| row![&known.database, &r.schema, &r.name, r.definition(), "NONE", "NO", "NO", "NO", "NO", "NO"])
        .collect()
}

const TABLE_CONSTRAINTS: Columns = columns! {
    constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name, table_schema name,
    table_name name, constraint_type text, is_deferrable text, initially_deferred text, enforced text,
    nulls_distinct text,
};

/// The indexes that stand for keys, with their relations.
fn keys(known: &Known) -> impl Iterator<Item = (&Relation, &highwater_model::Table, &highwater_model::Index)> {
    known.relations().iter().filter_map(|relation| match &relation.kind {
        Kind::Index(table, index) if index.constraint || index.primary => Some((relation, table.as_ref(), index)),
        _ => None,
    })
}

fn table_constraints(known: &Known) -> Vec<Row> {
    let database = &known.database;
    keys(known)
        .map(|(_, table, index)| {
            let kind = if index.primary { "PRIMARY KEY" } else { "UNIQUE" };
            let nulls = (!index.primary).then_some("YES");
            row![
                database,
                &table.schema,
                &index.name,
                database,
                &table.schema,
                &table.name,
                kind,
                "NO",
                "NO",
                "YES",
                nulls
            ]
        })
        .chain(conditions(known).map(|(table, check)| {
            row![
                database,
                &table.schema,
                &check.name,
                database,
                &table.schema,
                &table.name,
                "CHECK",
                "NO",
                "NO",
                "YES",
                Cell::Null
            ]
        }))
        .collect()
}

/// CHECK constraints with their tables.
fn conditions(known: &Known) -> impl Iterator<Item = (&highwater_model::Table, &highwater_model::Check)> {
    let catalog = known.version.catalog();
    let rules = catalog.objects.rules.iter();
    let of_tables = rules.filter_map(|(id, rules)| Some((catalog.tables.get(id)?.as_ref(), rules)));
    of_tables.flat_map(|(table, rules)| rules.checks.iter().map(move |check| (table, check)))
}

const KEY_COLUMN_USAGE: Columns = columns! {
    constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name, table_schema name,
    table_name name, column_name name, ordinal_position int4, position_in_unique_constraint int4,
};

fn key_column_usage(known: &Known) -> Vec<Row> {
    let database = &known.database;
    let mut rows = Vec::new();
    for (relation, table, index) in keys(known) {
        for column in &relation.attributes {
            rows.push(row![
                database,
                &table.schema,
                &index.name,
                database,
                &table.schema,
                &table.name,
                &column.name,
                column.number,
                Cell::Null
            ]);
        }
    }
    rows
}

const CONSTRAINT_COLUMN_USAGE: Columns = columns! {
    table_catalog name, table_schema name, table_name name, column_name name, constraint_catalog name,
    constraint_schema name, constraint_name name,
};

const REFERENTIAL_CONSTRAINTS: Columns = columns! {
    constraint_catalog name, constraint_schema name, constraint_name name, unique_constraint_catalog name,
    unique_constraint_schema name, unique_constraint_name name, match_option text, update_rule text, delete_rule text,
};

const SEQUENCES: Columns = columns! {
    sequence_catalog name, sequence_schema name, sequence_name name, data_type text, numeric_precision int4,
    numeric_precision_radix int4, numeric_scale int4, start_value text, minimum_value text, maximum_value text,
    increment text, cycle_option text,
};

const ROUTINES: Columns = columns! {
    specific_catalog name, specific_schema name, specific_name name, routine_catalog name, routine_schema name,
    routine_name name, routine_type text, data_type text, routine_definition text,
};
