//! What is the same for every schema: databases, roles, extensions, settings and sessions.

use super::schema_oid;
use crate::activity::Activity;
use crate::information::rows::{Cell, Columns, Row, columns, row};
use crate::information::{Known, OWNER_OID};
use crate::session::TransactionStatus;
use crate::setting::{self, SETTINGS};
use std::sync::Arc;

/// The version of TimescaleDB whose behaviour is offered.
const TIMESCALEDB_VERSION: &str = "2.28.0";

/// Oid of the first database.
const FIRST_DATABASE: u32 = 5;

pub const PG_DATABASE: Columns = columns! {
    oid oid, datname name, datdba oid, encoding int4, datlocprovider char, datistemplate bool, datallowconn bool,
    datconnlimit int4, datfrozenxid xid, datminmxid xid, dattablespace oid, datcollate text, datctype text,
    daticulocale text, datcollversion text, datacl aclitem[],
};

pub fn pg_database(known: &Known) -> Vec<Row> {
    known
        .databases
        .iter()
        .enumerate()
        .map(|(i, name)| {
            row![
                FIRST_DATABASE + i as u32,
                name,
                OWNER_OID,
                6,
                'c',
                false,
                true,
                -1,
                0,
                0,
                1663,
                "C.UTF-8",
                "C.UTF-8",
                Cell::Null,
                Cell::Null,
                Cell::Null,
            ]
        })
        .collect()
}

pub const PG_AUTHID: Columns = columns! {
    oid oid, rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool,
    rolreplication bool, rolbypassrls bool, rolconnlimit int4, rolpassword text, rolvaliduntil timestamptz,
};

pub fn pg_authid(known: &Known) -> Vec<Row> {
    let role = |(name, oid): (String, u32)| {
        row![oid, name, true, true, true, true, true, true, true, -1, Cell::Null, Cell::Null]
    };
    known.roles().into_iter().map(role).collect()
}

pub const PG_ROLES: Columns = columns! {
    rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool, rolcanlogin bool,
    rolreplication bool, rolconnlimit int4, rolpassword text, rolvaliduntil timestamptz, rolbypassrls bool,
    rolconfig text[], oid oid,
};

pub fn pg_roles(known: &Known) -> Vec<Row> {
    let role = |(name, oid): (String, u32)| {
        row![name, true, true, true, true, true, true, -1, "********", Cell::Null, true, Cell::Null, oid]
    };
    known.roles().into_iter().map(role).collect()
}

pub const PG_USER: Columns = columns! {
    usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, usebypassrls bool, passwd text,
    valuntil timestamptz, useconfig text[],
};

pub fn pg_user(known: &Known) -> Vec<Row> {
    let role = |(name, oid): (String, u32)| row![name, oid, true, true, true, true, "********", Cell::Null, Cell::Null];
    known.roles().into_iter().map(role).collect()
}

pub const PG_TABLESPACE: Columns = columns! {
    oid oid, spcname name, spcowner oid, spcacl aclitem[], spcoptions text[],
};

pub fn pg_tablespace(_: &Known) -> Vec<Row> {
    vec![
        row![1663, "pg_default", OWNER_OID, Cell::Null, Cell::Null],
        row![1664, "pg_global", OWNER_OID, Cell::Null, Cell::Null],
    ]
}

pub const PG_EXTENSION: Columns = columns! {
    oid oid, extname name, extowner oid, extnamespace oid, extrelocatable bool, extversion text, extconfig oid[],
    extcondition text[],
};

pub fn pg_extension(known: &Known) -> Vec<Row> {
    let public = schema_oid(known, "public");
    let extension = |(i, (name, version)): (usize, (String, &str))| {
        let schema = if name == "plpgsql" { 11 } else { public };
        row![13_800 + i, name, OWNER_OID, schema, false, version, Cell::Null, Cell::Null]
    };
    extensions(known).into_iter().enumerate().map(extension).collect()
}

pub const PG_AVAILABLE_EXTENSIONS: Columns = columns! {
    name name, default_version text, installed_version text, comment text,
};

pub fn pg_available_extensions(known: &Known) -> Vec<Row> {
    extensions(known).into_iter().map(|(name, version)| row![name, version, version, Cell::Null]).collect()
}

/// TimescaleDB is always there: tools look for it before they offer what they know of it.
fn extensions(known: &Known) -> Vec<(String, &'static str)> {
    let mut all = vec![("plpgsql".to_owned(), "1.0"), ("timescaledb".to_owned(), TIMESCALEDB_VERSION)];
    let created = known.version.catalog().extensions.iter();
    for name in created {
        if !all.iter().any(|(known, _)| known == name) {
            all.push((name.clone(), "1.0"));
        }
    }
    all
}

pub const PG_SETTINGS: Columns = columns! {
    name text, setting text, unit text, category text, short_desc text, extra_desc text, context text, vartype text,
    source text, min_val text, max_val text, enumvals text[], boot_val text, reset_val text, sourcefile text,
    sourceline int4, pending_restart bool,
};

/// The rows of `pg_settings`.
pub fn pg_settings(known: &Known) -> Vec<Row> {
    let of_setting = |s: &setting::Setting| {
        let (kind, unit) = match s.kind {
            setting::Kind::Bool => ("bool", None),
            setting::Kind::Milliseconds(_) => ("integer", Some("ms")),
            setting::Kind::OneOf(_) => ("enum", None),
            _ => ("string", None),
        };
        let context = if s.kind == setting::Kind::Fixed { "internal" } else { "user" };
        let shown = known.settings.get(s.name).unwrap_or(s.default);
        let source = if shown == s.default { "default" } else { "session" };
        let value = match (unit, setting::milliseconds(shown)) {
            (Some(_), Some(number)) => number.to_string(),
            _ => shown.to_owned(),
        };
        row![
            s.name,
            value,
            unit,
            "Highwater",
            s.description,
            Cell::Null,
            context,
            kind,
            source,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            s.default,
            s.default,
            Cell::Null,
            Cell::Null,
            false,
        ]
    };
    SETTINGS.iter().map(of_setting).collect()
}

pub const PG_STAT_ACTIVITY: Columns = columns! {
    datid oid, datname name, pid int4, leader_pid int4, usesysid oid, usename name, application_name text,
    client_addr inet, client_hostname text, client_port int4, backend_start timestamptz, xact_start timestamptz,
    query_start timestamptz, state_change timestamptz, wait_event_type text, wait_event text, state text,
    backend_xid xid, backend_xmin xid, query_id int8, query text, backend_type text,
};

/// How much of a statement is shown, in bytes.
const SHOWN_BYTES: usize = 1023;

pub fn pg_stat_activity(known: &Known) -> Vec<Row> {
    let of_session = |session: Arc<Activity>| {
        let doing = session.doing();
        let database = known.databases.iter().position(|name| *name == session.database);
        let in_transaction = doing.active || doing.status != TransactionStatus::Idle;
        let state = match doing.status {
            _ if doing.active => "active",
            TransactionStatus::Idle => "idle",
            TransactionStatus::InBlock => "idle in transaction",
            TransactionStatus::Failed => "idle in transaction (aborted)",
        };
        row![
            database.map(|place| FIRST_DATABASE + place as u32),
            &session.database,
            session.pid,
            Cell::Null,
            known.role_oid(&session.user),
            &session.user,
            doing.application_name,
            doing.client.map(|client| client.ip().to_string()),
            Cell::Null,
            doing.client.map(|client| i32::from(client.port())),
            session.began,
            doing.block_start.or(doing.query_start).filter(|_| in_transaction),
            doing.query_start,
            doing.state_change,
            (!doing.active).then_some("Client"),
            (!doing.active).then_some("ClientRead"),
            state,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            &doing.query[..doing.query.floor_char_boundary(SHOWN_BYTES)],
            "client backend",
        ]
    };
    known.sessions.all().into_iter().map(of_session).collect()
}
