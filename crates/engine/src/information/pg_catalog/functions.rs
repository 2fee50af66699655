//! Functions and the languages they are in.

use super::schema_oid;
use crate::information::rows::{Cell, Columns, Row, columns, row};
use crate::information::{Known, OWNER_OID, functions, types};

/// Oid of the first built-in function that has no oid of its own.
const FIRST_FUNCTION: u32 = 9_000;

pub const PG_PROC: Columns = columns! {
    oid oid, proname name, pronamespace oid, proowner oid, prolang oid, procost float4, prorows float4, provariadic oid,
    prosupport regproc, prokind char, prosecdef bool, proleakproof bool, proisstrict bool, proretset bool,
    provolatile char, proparallel char, pronargs int2, pronargdefaults int2, prorettype oid, proargtypes oidvector,
    proallargtypes oid[], proargmodes text[], proargnames text[], proargdefaults pg_node_tree, protrftypes oid[],
    prosrc text, probin text, prosqlbody pg_node_tree, proconfig text[], proacl aclitem[],
};

pub fn pg_proc(known: &Known) -> Vec<Row> {
    struct Function<'a> {
        oid: u32,
        name: &'a str,
        schema: u32,
        language: u32,
        kind: char,
        returns: u32,
        arguments: Vec<(String, u32)>,
        body: &'a str,
    }
    let of = |f: &Function| {
        let types: Vec<u32> = f.arguments.iter().map(|(_, t)| *t).collect();
        let names: Vec<String> = f.arguments.iter().map(|(name, _)| name.clone()).collect();
        let named = names.iter().any(|name| !name.is_empty());
        row![
            f.oid,
            f.name,
            f.schema,
            OWNER_OID,
            f.language,
            1,
            0,
            0,
            "-",
            f.kind,
            false,
            false,
            false,
            false,
            's',
            's',
            types.len(),
            0,
            f.returns,
            types,
            Cell::Null,
            Cell::Null,
            if named { Cell::from(names) } else { Cell::Null },
            Cell::Null,
            Cell::Null,
            f.body,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
        ]
    };
    let users = known.version.catalog().functions.values().map(|f| Function {
        oid: f.id,
        name: &f.name,
        schema: schema_oid(known, &f.schema),
        language: 14,
        kind: if f.returns.is_some() { 'f' } else { 'p' },
        returns: f.returns.as_deref().map_or(2278, |t| types::by_name(t).unwrap_or(0)),
        arguments: f.arguments.iter().map(|(name, t)| (name.clone(), types::by_name(t).unwrap_or(0))).collect(),
        body: &f.body,
    });
    let builtin = functions::names().enumerate().map(|(i, (name, gives))| Function {
        oid: FIRST_FUNCTION + i as u32,
        name,
        schema: 11,
        language: 12,
        kind: 'f',
        returns: types::by_name(gives).unwrap_or(0),
        arguments: Vec::new(),
        body: name,
    });
    users.chain(builtin).map(|f| of(&f)).collect()
}

pub const PG_LANGUAGE: Columns = columns! {
    oid oid, lanname name, lanowner oid, lanispl bool, lanpltrusted bool, lanplcallfoid oid, laninline oid,
    lanvalidator oid, lanacl aclitem[],
};

pub fn pg_language(_: &Known) -> Vec<Row> {
    let language = |oid: u32, name: &str| row![oid, name, OWNER_OID, false, true, 0, 0, 0, Cell::Null];
    vec![language(12, "internal"), language(13, "c"), language(14, "sql")]
}
