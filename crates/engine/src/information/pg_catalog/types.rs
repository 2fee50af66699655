//! Types, the labels of enumerations, and collations.

use super::schema_oid;
use crate::information::rows::{Cell, Columns, Row, columns, row};
use crate::information::{Known, OWNER_OID, types};

pub const PG_TYPE: Columns = columns! {
    oid oid, typname name, typnamespace oid, typowner oid, typlen int2, typbyval bool, typtype char, typcategory char,
    typispreferred bool, typisdefined bool, typdelim char, typrelid oid, typsubscript regproc, typelem oid,
    typarray oid, typinput regproc, typoutput regproc, typreceive regproc, typsend regproc, typmodin regproc,
    typmodout regproc, typanalyze regproc, typalign char, typstorage char, typnotnull bool, typbasetype oid,
    typtypmod int4, typndims int4, typcollation oid, typdefaultbin pg_node_tree, typdefault text, typacl aclitem[],
};

pub fn pg_type(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for t in types::TYPES {
        let is_text = t.category == 'S' && t.name != "name";
        let preferred =
            matches!(t.name, "bool" | "text" | "timestamptz" | "float8" | "oid" | "interval" | "inet" | "varbit");
        rows.push(type_row(
            &TypeRow {
                oid: t.oid,
                name: t.name.to_owned(),
                length: t.length,
                kind: t.kind,
                category: t.category,
                preferred,
                element: t.element,
                array: t.array,
                functions: t.name.to_owned(),
                collation: if is_text { 100 } else { types::collation(t.oid) },
            },
            11,
        ));
        if t.array != 0 {
            rows.push(type_row(
                &TypeRow {
                    oid: t.array,
                    name: format!("_{}", t.name),
                    length: -1,
                    kind: t.kind,
                    category: 'A',
                    preferred: false,
                    element: t.oid,
                    array: 0,
                    functions: "array_".to_owned(),
                    collation: types::collation(t.oid),
                },
                11,
            ));
        }
    }
    for kind in known.version.catalog().objects.enums.values() {
        let namespace = schema_oid(known, &kind.schema);
        let of = |oid, name: String, length, letter, category, element, array, functions: &str| {
            let functions = functions.to_owned();
            let row = TypeRow {
                oid,
                name,
                length,
                kind: letter,
                category,
                preferred: false,
                element,
                array,
                functions,
                collation: 0,
            };
            type_row(&row, namespace)
        };
        rows.push(of(kind.id, kind.name.clone(), 4, 'e', 'E', 0, kind.array_id, "enum_"));
        rows.push(of(kind.array_id, format!("_{}", kind.name), -1, 'b', 'A', kind.id, 0, "array_"));
    }
    rows
}

struct TypeRow {
    oid: u32,
    name: String,
    length: i16,
    kind: char,
    category: char,
    preferred: bool,
    element: u32,
    array: u32,
    /// What its functions are named after.
    functions: String,
    collation: u32,
}

fn type_row(t: &TypeRow, namespace: u32) -> Row {
    // PostgreSQL's older types have no underscore between their name and the function's.
    let separator = match t.functions.as_str() {
        "date" | "time" | "timestamp" | "timestamptz" | "interval" | "numeric" | "uuid" | "json" | "jsonb"
        | "record" | "array_" | "timetz" | "void" | "xml" | "pg_lsn" | "bit" | "varbit" | "inet" | "cidr"
        | "macaddr" | "any" | "anyarray" => "_",
        _ => "",
    };
    let function = |what: &str| match t.functions.as_str() {
        "array_" | "enum_" => format!("{}{what}", t.functions),
        name => format!("{name}{separator}{what}"),
    };
    row![
        t.oid,
        &t.name,
        namespace,
        OWNER_OID,
        i32::from(t.length),
        (1..=8).contains(&t.length),
        t.kind,
        t.category,
        t.preferred,
        true,
        ",",
        0,
        if t.category == 'A' { "array_subscript_handler" } else { "-" },
        t.element,
        t.array,
        function("in"),
        function("out"),
        function("recv"),
        function("send"),
        "-",
        "-",
        "-",
        alignment(t.length),
        storage(t.length),
        false,
        0,
        -1,
        0,
        t.collation,
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ]
}

pub fn alignment(length: i16) -> char {
    match length {
        1 => 'c',
        2 => 's',
        8 | 16 => 'd',
        _ => 'i',
    }
}

pub fn storage(length: i16) -> char {
    if length < 0 { 'x' } else { 'p' }
}

pub const PG_ENUM: Columns = columns! { oid oid, enumtypid oid, enumsortorder float4, enumlabel name };

pub fn pg_enum(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in known.version.catalog().objects.enums.values() {
        for (i, label) in kind.labels.iter().enumerate() {
            // Values have no oids of their own; these are never asked for again.
            rows.push(row![kind.id.wrapping_add(i as u32 + 1), kind.id, (i + 1) as f64, label]);
        }
    }
    rows
}

pub const PG_COLLATION: Columns = columns! {
    oid oid, collname name, collnamespace oid, collowner oid, collprovider char, collisdeterministic bool,
    collencoding int4, collcollate text, collctype text, colliculocale text, collversion text,
};

pub fn pg_collation(_: &Known) -> Vec<Row> {
    let collation = |oid: u32, name: &str, provider: char| {
        let locale = if name == "default" { Cell::Null } else { name.into() };
        row![oid, name, 11, OWNER_OID, provider, true, -1, locale.clone(), locale, Cell::Null, Cell::Null]
    };
    vec![collation(100, "default", 'd'), collation(950, "C", 'c'), collation(951, "POSIX", 'c')]
}
