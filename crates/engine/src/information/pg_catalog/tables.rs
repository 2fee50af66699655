//! Tables, views, aggregates and sequences: themselves, their columns and what is said of them.

use super::types::{alignment, storage};
use crate::information::relations::{Kind, Relation};
use crate::information::rows::{Cell, Columns, Row, columns, row};
use crate::information::{Known, OWNER_OID, functions, timescale, types};
use crate::temporary::is_temporary;
use highwater_model::Identity;

/// Oid of the access method of tables.
const HEAP: u32 = 2;

/// Oid of the access method of indexes.
const BTREE: u32 = 403;

/// Number of rows of a table that was never analyzed.
const UNKNOWN_ROWS: f64 = -1.0;

pub const PG_CLASS: Columns = columns! {
    oid oid, relname name, relnamespace oid, reltype oid, reloftype oid, relowner oid, relam oid, relfilenode oid,
    reltablespace oid, relpages int4, reltuples float4, relallvisible int4, reltoastrelid oid, relhasindex bool,
    relisshared bool, relpersistence char, relkind char, relnatts int2, relchecks int2, relhasrules bool,
    relhastriggers bool, relhassubclass bool, relrowsecurity bool, relforcerowsecurity bool, relispopulated bool,
    relreplident char, relispartition bool, relrewrite oid, relfrozenxid xid, relminmxid xid, relacl aclitem[],
    reloptions text[], relpartbound pg_node_tree,
};

pub fn pg_class(known: &Known) -> Vec<Row> {
    let schemas = known.schemas();
    let row = |relation: &Relation| {
        let is_rows = matches!(relation.kind, Kind::Table(_) | Kind::Cagg(_));
        let indexed = matches!(&relation.kind, Kind::Table(t) if !t.indexes.is_empty());
        let rows = match functions::rows_of(relation) {
            Some(id) => known.version.table(id).row_count as f64,
            None if matches!(relation.kind, Kind::Index(..)) => 0.0,
            None => UNKNOWN_ROWS,
        };
        let am = match relation.kind {
            Kind::Index(..) => BTREE,
            Kind::View(_) | Kind::SystemView | Kind::Sequence => 0,
            _ => HEAP,
        };
        row![
            relation.oid,
            &relation.name,
            schemas.get(&relation.schema).copied().unwrap_or(0),
            0,
            0,
            OWNER_OID,
            am,
            relation.oid,
            0,
            0,
            rows,
            0,
            0,
            indexed,
            false,
            if is_temporary(&relation.schema) { 't' } else { 'p' },
            relation.letter(),
            relation.attributes.len(),
            match &relation.kind {
                Kind::Table(t) => known.version.catalog().objects.rules.get(&t.id).map_or(0, |r| r.checks.len()),
                _ => 0,
            },
            matches!(relation.kind, Kind::View(_) | Kind::Cagg(_)),
            false,
            false,
            false,
            false,
            true,
            if is_rows { 'd' } else { 'n' },
            false,
            0,
            0,
            0,
            Cell::Null,
            Cell::Null,
            Cell::Null,
        ]
    };
    known.relations().iter().map(row).collect()
}

pub const PG_NAMESPACE: Columns = columns! { oid oid, nspname name, nspowner oid, nspacl aclitem[] };

pub fn pg_namespace(known: &Known) -> Vec<Row> {
    known.schemas().into_iter().map(|(name, oid)| row![oid, name, OWNER_OID, Cell::Null]).collect()
}

pub const PG_ATTRIBUTE: Columns = columns! {
    attrelid oid, attname name, atttypid oid, attstattarget int4, attlen int2, attnum int2, attndims int4,
    attcacheoff int4, atttypmod int4, attbyval bool, attalign char, attstorage char, attcompression char,
    attnotnull bool, atthasdef bool, atthasmissing bool, attidentity char, attgenerated char, attisdropped bool,
    attislocal bool, attinhcount int4, attcollation oid, attacl aclitem[], attoptions text[], attfdwoptions text[],
    attmissingval anyarray,
};

pub fn pg_attribute(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in known.relations() {
        for column in &relation.attributes {
            let length = types::length(column.type_oid);
            let enums = &known.version.catalog().objects.enums;
            let is_array = types::by_oid(column.type_oid).is_some_and(|(_, is_array)| is_array)
                || enums.values().any(|kind| kind.array_id == column.type_oid);
            rows.push(row![
                relation.oid,
                &column.name,
                column.type_oid,
                -1,
                i32::from(length),
                column.number,
                i32::from(is_array),
                -1,
                column.modifier,
                (1..=8).contains(&length),
                alignment(length),
                storage(length),
                "",
                column.not_null,
                column.default.is_some(),
                false,
                match column.identity {
                    Some(Identity::Always) => "a",
                    Some(Identity::ByDefault) => "d",
                    None => "",
                },
                if column.generated { "s" } else { "" },
                false,
                true,
                0,
                types::collation(column.type_oid),
                Cell::Null,
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ]);
        }
    }
    rows
}

pub const PG_ATTRDEF: Columns = columns! { oid oid, adrelid oid, adnum int2, adbin pg_node_tree };

/// A default's oid is made of those of its table and column.
pub fn pg_attrdef(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in known.relations() {
        for column in &relation.attributes {
            if let Some(default) = &column.default {
                let oid =
                    0x4000_0000 | (relation.oid.wrapping_mul(2048) & 0x3fff_f800) | (column.number as u32 & 0x7ff);
                rows.push(row![oid, relation.oid, column.number, default]);
            }
        }
    }
    rows
}

pub const PG_AM: Columns = columns! { oid oid, amname name, amhandler regproc, amtype char };

pub fn pg_am(_: &Known) -> Vec<Row> {
    vec![
        row![HEAP, "heap", "heap_tableam_handler", 't'],
        row![BTREE, "btree", "bthandler", 'i'],
        row![405, "hash", "hashhandler", 'i'],
    ]
}

pub const PG_TABLES: Columns = columns! {
    schemaname name, tablename name, tableowner name, tablespace name, hasindexes bool, hasrules bool, hastriggers bool,
    rowsecurity bool,
};

pub fn pg_tables(known: &Known) -> Vec<Row> {
    let tables = known.relations().iter().filter(|r| r.letter() == 'r');
    tables
        .map(|r| {
            let indexed = r.table().is_some_and(|t| !t.indexes.is_empty());
            row![&r.schema, &r.name, timescale::OWNER, Cell::Null, indexed, false, false, false]
        })
        .collect()
}

pub const PG_VIEWS: Columns = columns! { schemaname name, viewname name, viewowner name, definition text };

pub fn pg_views(known: &Known) -> Vec<Row> {
    let views = known.relations().iter().filter(|r| r.letter() == 'v');
    views.map(|r| row![&r.schema, &r.name, timescale::OWNER, r.definition()]).collect()
}

pub const PG_MATVIEWS: Columns = columns! {
    schemaname name, matviewname name, matviewowner name, tablespace name, hasindexes bool, ispopulated bool,
    definition text,
};

pub fn pg_matviews(known: &Known) -> Vec<Row> {
    let views = known.relations().iter().filter(|r| r.letter() == 'm');
    views.map(|r| row![&r.schema, &r.name, timescale::OWNER, Cell::Null, false, true, r.definition()]).collect()
}

pub const PG_SEQUENCE: Columns = columns! {
    seqrelid oid, seqtypid oid, seqstart int8, seqincrement int8, seqmax int8, seqmin int8, seqcache int8,
    seqcycle bool,
};

pub fn pg_sequence(known: &Known) -> Vec<Row> {
    let sequences = known.version.catalog().objects.sequences.values();
    sequences.map(|s| row![s.id, number_type(s.bytes), s.start, s.increment, s.max, s.min, 1, s.cycle]).collect()
}

pub const PG_SEQUENCES: Columns = columns! {
    schemaname name, sequencename name, sequenceowner name, data_type regtype, start_value int8, min_value int8,
    max_value int8, increment_by int8, cycle bool, cache_size int8, last_value int8,
};

pub fn pg_sequences(known: &Known) -> Vec<Row> {
    let sequences = known.version.catalog().objects.sequences.values();
    sequences
        .map(|s| {
            let name = types::format_type(number_type(s.bytes), None);
            let owner = timescale::OWNER;
            row![&s.schema, &s.name, owner, name, s.start, s.min, s.max, s.increment, s.cycle, 1, s.reserved]
        })
        .collect()
}

fn number_type(bytes: u8) -> u32 {
    match bytes {
        2 => 21,
        4 => 23,
        _ => 20,
    }
}

pub const PG_DESCRIPTION: Columns = columns! { objoid oid, classoid oid, objsubid int4, description text };

pub fn pg_description(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in known.relations().iter().filter(|r| !r.is_system()) {
        if let Some(comment) = known.comment_on(relation) {
            rows.push(row![relation.oid, 1259, 0, comment]);
        }
        for column in &relation.attributes {
            if let Some(comment) = known.comment_on_column(relation, &column.name) {
                rows.push(row![relation.oid, 1259, column.number, comment]);
            }
        }
    }
    let constraints = known.comments_on_constraints().into_iter();
    rows.extend(constraints.map(|(oid, comment)| row![oid, 2606, 0, comment]));
    rows
}

pub const PG_STAT_USER_TABLES: Columns = columns! {
    relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8, idx_tup_fetch int8,
    n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8, n_live_tup int8, n_dead_tup int8,
    n_mod_since_analyze int8, n_ins_since_vacuum int8, last_vacuum timestamptz, last_autovacuum timestamptz,
    last_analyze timestamptz, last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8,
    analyze_count int8, autoanalyze_count int8,
};

pub fn pg_stat_user_tables(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for relation in known.relations() {
        let Kind::Table(table) = &relation.kind else { continue };
        let live = known.version.table(table.id).row_count as i64;
        let mut row = row![table.id.0, &table.schema, &table.name, 0, 0, 0, 0, 0, 0, 0, 0, live, 0, 0, 0];
        row.extend(vec![Cell::Null; 4]);
        row.extend(vec![Cell::Int(0); 4]);
        rows.push(row);
    }
    rows
}
