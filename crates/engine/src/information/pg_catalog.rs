//! `pg_catalog`: what PostgreSQL's own catalog would say of this database.
//!
//! Oids are true and stay: a table's is its [`highwater_model::TableId`], an index's and an aggregate's are
//! their own. What there is nothing of is an empty view with the right columns, because clients join it.

use crate::Result;
use crate::information::constraint::{self, method};
use crate::information::relations::{Kind, Relation};
use crate::information::rows::{Cell, Columns, Row, row, table};
use crate::information::{Known, OWNER_OID, functions, timescale, types};
use crate::query::Planner;
use crate::setting::{self, SETTINGS};
use datafusion::catalog::TableProvider;
use highwater_model::{Identity, Index, Table};
use std::sync::Arc;

/// The version of TimescaleDB whose behaviour is offered.
const TIMESCALEDB_VERSION: &str = "2.28.0";

/// Oid of the access method of tables.
const HEAP: u32 = 2;

/// Oid of the access method of indexes.
const BTREE: u32 = 403;

/// Oid of the first database.
const FIRST_DATABASE: u32 = 5;

/// Oid of the first built-in function that has no oid of its own.
const FIRST_FUNCTION: u32 = 9_000;

/// Number of rows of a table that was never analyzed.
const UNKNOWN_ROWS: f64 = -1.0;

type View = (&'static str, u32, Columns, fn(&Known) -> Vec<Row>);

/// The names, oids and columns of all views.
pub fn views() -> impl Iterator<Item = (&'static str, u32, Columns)> {
    VIEWS.iter().map(|(name, oid, columns, _)| (*name, *oid, *columns))
}

/// The rows of a view, if there is one of this name.
pub fn provider(planner: &Planner, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let view = VIEWS.iter().find(|(view, ..)| *view == name);
    view.map(|(_, _, columns, rows)| table(columns, rows(planner.known()))).transpose()
}

/// Every view: its name, its oid where PostgreSQL keeps it as a table, its columns, what makes its rows.
const VIEWS: &[View] = &[
    ("pg_class", 1259, PG_CLASS, pg_class),
    ("pg_namespace", 2615, PG_NAMESPACE, pg_namespace),
    ("pg_attribute", 1249, PG_ATTRIBUTE, pg_attribute),
    ("pg_attrdef", 2604, PG_ATTRDEF, pg_attrdef),
    ("pg_type", 1247, PG_TYPE, pg_type),
    ("pg_index", 2610, PG_INDEX, pg_index),
    ("pg_constraint", 2606, PG_CONSTRAINT, pg_constraint),
    ("pg_am", 2601, PG_AM, pg_am),
    ("pg_proc", 1255, PG_PROC, pg_proc),
    ("pg_database", 1262, PG_DATABASE, pg_database),
    ("pg_authid", 1260, PG_AUTHID, pg_authid),
    ("pg_roles", 0, PG_ROLES, pg_roles),
    ("pg_user", 0, PG_USER, pg_user),
    ("pg_tables", 0, PG_TABLES, pg_tables),
    ("pg_views", 0, PG_VIEWS, pg_views),
    ("pg_matviews", 0, PG_MATVIEWS, pg_matviews),
    ("pg_indexes", 0, PG_INDEXES, pg_indexes),
    ("pg_extension", 3079, PG_EXTENSION, pg_extension),
    ("pg_available_extensions", 0, PG_AVAILABLE_EXTENSIONS, pg_available_extensions),
    ("pg_settings", 0, PG_SETTINGS, pg_settings),
    ("pg_stat_user_tables", 0, PG_STAT_USER_TABLES, pg_stat_user_tables),
    ("pg_stat_activity", 0, PG_STAT_ACTIVITY, pg_stat_activity),
    ("pg_description", 2609, PG_DESCRIPTION, pg_description),
    ("pg_shdescription", 2396, PG_SHDESCRIPTION, nothing),
    ("pg_collation", 3456, PG_COLLATION, pg_collation),
    ("pg_language", 2612, PG_LANGUAGE, pg_language),
    ("pg_tablespace", 1213, PG_TABLESPACE, pg_tablespace),
    ("pg_inherits", 2611, PG_INHERITS, nothing),
    ("pg_policy", 3256, PG_POLICY, nothing),
    ("pg_publication", 6104, PG_PUBLICATION, nothing),
    ("pg_publication_rel", 6106, PG_PUBLICATION_REL, nothing),
    ("pg_publication_namespace", 6237, PG_PUBLICATION_NAMESPACE, nothing),
    ("pg_subscription", 6100, PG_SUBSCRIPTION, nothing),
    ("pg_statistic_ext", 3381, PG_STATISTIC_EXT, nothing),
    ("pg_trigger", 2620, PG_TRIGGER, nothing),
    ("pg_rewrite", 2618, PG_REWRITE, nothing),
    ("pg_depend", 2608, PG_DEPEND, nothing),
    ("pg_shdepend", 1214, PG_SHDEPEND, nothing),
    ("pg_enum", 3501, PG_ENUM, pg_enum),
    ("pg_range", 3541, PG_RANGE, nothing),
    ("pg_foreign_table", 3118, PG_FOREIGN_TABLE, nothing),
    ("pg_foreign_server", 1417, PG_FOREIGN_SERVER, nothing),
    ("pg_foreign_data_wrapper", 2328, PG_FOREIGN_DATA_WRAPPER, nothing),
    ("pg_user_mapping", 1418, PG_USER_MAPPING, nothing),
    ("pg_auth_members", 1261, PG_AUTH_MEMBERS, nothing),
    ("pg_db_role_setting", 2964, PG_DB_ROLE_SETTING, nothing),
    ("pg_default_acl", 826, PG_DEFAULT_ACL, nothing),
    ("pg_event_trigger", 3466, PG_EVENT_TRIGGER, nothing),
    ("pg_aggregate", 2600, PG_AGGREGATE, nothing),
    ("pg_operator", 2617, PG_OPERATOR, nothing),
    ("pg_opclass", 2616, PG_OPCLASS, nothing),
    ("pg_opfamily", 2753, PG_OPFAMILY, nothing),
    ("pg_cast", 2605, PG_CAST, nothing),
    ("pg_conversion", 2607, PG_CONVERSION, nothing),
    ("pg_partitioned_table", 3350, PG_PARTITIONED_TABLE, nothing),
    ("pg_sequence", 2224, PG_SEQUENCE, pg_sequence),
    ("pg_seclabel", 3596, PG_SECLABEL, nothing),
    ("pg_largeobject_metadata", 2995, PG_LARGEOBJECT_METADATA, nothing),
    ("pg_ts_config", 3602, PG_TS_CONFIG, nothing),
    ("pg_ts_dict", 3600, PG_TS_DICT, nothing),
    ("pg_ts_parser", 3601, PG_TS_PARSER, nothing),
    ("pg_ts_template", 3764, PG_TS_TEMPLATE, nothing),
    ("pg_transform", 3576, PG_TRANSFORM, nothing),
    ("pg_group", 0, PG_GROUP, nothing),
    ("pg_shadow", 0, PG_USER, pg_user),
    ("pg_sequences", 0, PG_SEQUENCES, pg_sequences),
    ("pg_policies", 0, PG_POLICIES, nothing),
    ("pg_rules", 0, PG_RULES, nothing),
    ("pg_locks", 0, PG_LOCKS, nothing),
    ("pg_prepared_statements", 0, PG_PREPARED_STATEMENTS, nothing),
    ("pg_prepared_xacts", 0, PG_PREPARED_XACTS, nothing),
    ("pg_cursors", 0, PG_CURSORS, nothing),
    ("pg_stat_replication", 0, PG_STAT_REPLICATION, nothing),
    ("pg_replication_slots", 0, PG_REPLICATION_SLOTS, nothing),
    ("pg_publication_tables", 0, PG_PUBLICATION_TABLES, nothing),
    ("pg_timezone_names", 0, PG_TIMEZONE_NAMES, nothing),
    ("pg_stat_database", 0, PG_STAT_DATABASE, nothing),
    ("pg_stat_all_tables", 0, PG_STAT_USER_TABLES, pg_stat_user_tables),
];

const PG_CLASS: Columns = &[
    ("oid", "oid"),
    ("relname", "name"),
    ("relnamespace", "oid"),
    ("reltype", "oid"),
    ("reloftype", "oid"),
    ("relowner", "oid"),
    ("relam", "oid"),
    ("relfilenode", "oid"),
    ("reltablespace", "oid"),
    ("relpages", "int4"),
    ("reltuples", "float4"),
    ("relallvisible", "int4"),
    ("reltoastrelid", "oid"),
    ("relhasindex", "bool"),
    ("relisshared", "bool"),
    ("relpersistence", "char"),
    ("relkind", "char"),
    ("relnatts", "int2"),
    ("relchecks", "int2"),
    ("relhasrules", "bool"),
    ("relhastriggers", "bool"),
    ("relhassubclass", "bool"),
    ("relrowsecurity", "bool"),
    ("relforcerowsecurity", "bool"),
    ("relispopulated", "bool"),
    ("relreplident", "char"),
    ("relispartition", "bool"),
    ("relrewrite", "oid"),
    ("relfrozenxid", "xid"),
    ("relminmxid", "xid"),
    ("relacl", "aclitem[]"),
    ("reloptions", "text[]"),
    ("relpartbound", "pg_node_tree"),
];

const PG_NAMESPACE: Columns = &[("oid", "oid"), ("nspname", "name"), ("nspowner", "oid"), ("nspacl", "aclitem[]")];

const PG_ATTRIBUTE: Columns = &[
    ("attrelid", "oid"),
    ("attname", "name"),
    ("atttypid", "oid"),
    ("attstattarget", "int4"),
    ("attlen", "int2"),
    ("attnum", "int2"),
    ("attndims", "int4"),
    ("attcacheoff", "int4"),
    ("atttypmod", "int4"),
    ("attbyval", "bool"),
    ("attalign", "char"),
    ("attstorage", "char"),
    ("attcompression", "char"),
    ("attnotnull", "bool"),
    ("atthasdef", "bool"),
    ("atthasmissing", "bool"),
    ("attidentity", "char"),
    ("attgenerated", "char"),
    ("attisdropped", "bool"),
    ("attislocal", "bool"),
    ("attinhcount", "int4"),
    ("attcollation", "oid"),
    ("attacl", "aclitem[]"),
    ("attoptions", "text[]"),
    ("attfdwoptions", "text[]"),
    ("attmissingval", "anyarray"),
];

const PG_ATTRDEF: Columns = &[("oid", "oid"), ("adrelid", "oid"), ("adnum", "int2"), ("adbin", "pg_node_tree")];

const PG_TYPE: Columns = &[
    ("oid", "oid"),
    ("typname", "name"),
    ("typnamespace", "oid"),
    ("typowner", "oid"),
    ("typlen", "int2"),
    ("typbyval", "bool"),
    ("typtype", "char"),
    ("typcategory", "char"),
    ("typispreferred", "bool"),
    ("typisdefined", "bool"),
    ("typdelim", "char"),
    ("typrelid", "oid"),
    ("typsubscript", "regproc"),
    ("typelem", "oid"),
    ("typarray", "oid"),
    ("typinput", "regproc"),
    ("typoutput", "regproc"),
    ("typreceive", "regproc"),
    ("typsend", "regproc"),
    ("typmodin", "regproc"),
    ("typmodout", "regproc"),
    ("typanalyze", "regproc"),
    ("typalign", "char"),
    ("typstorage", "char"),
    ("typnotnull", "bool"),
    ("typbasetype", "oid"),
    ("typtypmod", "int4"),
    ("typndims", "int4"),
    ("typcollation", "oid"),
    ("typdefaultbin", "pg_node_tree"),
    ("typdefault", "text"),
    ("typacl", "aclitem[]"),
];

const PG_INDEX: Columns = &[
    ("indexrelid", "oid"),
    ("indrelid", "oid"),
    ("indnatts", "int2"),
    ("indnkeyatts", "int2"),
    ("indisunique", "bool"),
    ("indnullsnotdistinct", "bool"),
    ("indisprimary", "bool"),
    ("indisexclusion", "bool"),
    ("indimmediate", "bool"),
    ("indisclustered", "bool"),
    ("indisvalid", "bool"),
    ("indcheckxmin", "bool"),
    ("indisready", "bool"),
    ("indislive", "bool"),
    ("indisreplident", "bool"),
    ("indkey", "int2vector"),
    ("indcollation", "oidvector"),
    ("indclass", "oidvector"),
    ("indoption", "int2vector"),
    ("indexprs", "pg_node_tree"),
    ("indpred", "pg_node_tree"),
];

const PG_CONSTRAINT: Columns = &[
    ("oid", "oid"),
    ("conname", "name"),
    ("connamespace", "oid"),
    ("contype", "char"),
    ("condeferrable", "bool"),
    ("condeferred", "bool"),
    ("convalidated", "bool"),
    ("conrelid", "oid"),
    ("contypid", "oid"),
    ("conindid", "oid"),
    ("conparentid", "oid"),
    ("confrelid", "oid"),
    ("confupdtype", "char"),
    ("confdeltype", "char"),
    ("confmatchtype", "char"),
    ("conislocal", "bool"),
    ("coninhcount", "int4"),
    ("connoinherit", "bool"),
    ("conkey", "int2[]"),
    ("confkey", "int2[]"),
    ("conpfeqop", "oid[]"),
    ("conppeqop", "oid[]"),
    ("conffeqop", "oid[]"),
    ("confdelsetcols", "int2[]"),
    ("conexclop", "oid[]"),
    ("conbin", "pg_node_tree"),
];

const PG_AM: Columns = &[("oid", "oid"), ("amname", "name"), ("amhandler", "regproc"), ("amtype", "char")];

const PG_PROC: Columns = &[
    ("oid", "oid"),
    ("proname", "name"),
    ("pronamespace", "oid"),
    ("proowner", "oid"),
    ("prolang", "oid"),
    ("procost", "float4"),
    ("prorows", "float4"),
    ("provariadic", "oid"),
    ("prosupport", "regproc"),
    ("prokind", "char"),
    ("prosecdef", "bool"),
    ("proleakproof", "bool"),
    ("proisstrict", "bool"),
    ("proretset", "bool"),
    ("provolatile", "char"),
    ("proparallel", "char"),
    ("pronargs", "int2"),
    ("pronargdefaults", "int2"),
    ("prorettype", "oid"),
    ("proargtypes", "oidvector"),
    ("proallargtypes", "oid[]"),
    ("proargmodes", "text[]"),
    ("proargnames", "text[]"),
    ("proargdefaults", "pg_node_tree"),
    ("protrftypes", "oid[]"),
    ("prosrc", "text"),
    ("probin", "text"),
    ("prosqlbody", "pg_node_tree"),
    ("proconfig", "text[]"),
    ("proacl", "aclitem[]"),
];

const PG_DATABASE: Columns = &[
    ("oid", "oid"),
    ("datname", "name"),
    ("datdba", "oid"),
    ("encoding", "int4"),
    ("datlocprovider", "char"),
    ("datistemplate", "bool"),
    ("datallowconn", "bool"),
    ("datconnlimit", "int4"),
    ("datfrozenxid", "xid"),
    ("datminmxid", "xid"),
    ("dattablespace", "oid"),
    ("datcollate", "text"),
    ("datctype", "text"),
    ("daticulocale", "text"),
    ("datcollversion", "text"),
    ("datacl", "aclitem[]"),
];

const PG_AUTHID: Columns = &[
    ("oid", "oid"),
    ("rolname", "name"),
    ("rolsuper", "bool"),
    ("rolinherit", "bool"),
    ("rolcreaterole", "bool"),
    ("rolcreatedb", "bool"),
    ("rolcanlogin", "bool"),
    ("rolreplication", "bool"),
    ("rolbypassrls", "bool"),
    ("rolconnlimit", "int4"),
    ("rolpassword", "text"),
    ("rolvaliduntil", "timestamptz"),
];

const PG_ROLES: Columns = &[
    ("rolname", "name"),
    ("rolsuper", "bool"),
    ("rolinherit", "bool"),
    ("rolcreaterole", "bool"),
    ("rolcreatedb", "bool"),
    ("rolcanlogin", "bool"),
    ("rolreplication", "bool"),
    ("rolconnlimit", "int4"),
    ("rolpassword", "text"),
    ("rolvaliduntil", "timestamptz"),
    ("rolbypassrls", "bool"),
    ("rolconfig", "text[]"),
    ("oid", "oid"),
];

const PG_USER: Columns = &[
    ("usename", "name"),
    ("usesysid", "oid"),
    ("usecreatedb", "bool"),
    ("usesuper", "bool"),
    ("userepl", "bool"),
    ("usebypassrls", "bool"),
    ("passwd", "text"),
    ("valuntil", "timestamptz"),
    ("useconfig", "text[]"),
];

const PG_TABLES: Columns = &[
    ("schemaname", "name"),
    ("tablename", "name"),
    ("tableowner", "name"),
    ("tablespace", "name"),
    ("hasindexes", "bool"),
    ("hasrules", "bool"),
    ("hastriggers", "bool"),
    ("rowsecurity", "bool"),
];

const PG_VIEWS: Columns =
    &[("schemaname", "name"), ("viewname", "name"), ("viewowner", "name"), ("definition", "text")];

const PG_MATVIEWS: Columns = &[
    ("schemaname", "name"),
    ("matviewname", "name"),
    ("matviewowner", "name"),
    ("tablespace", "name"),
    ("hasindexes", "bool"),
    ("ispopulated", "bool"),
    ("definition", "text"),
];

const PG_INDEXES: Columns = &[
    ("schemaname", "name"),
    ("tablename", "name"),
    ("indexname", "name"),
    ("tablespace", "name"),
    ("indexdef", "text"),
];

const PG_EXTENSION: Columns = &[
    ("oid", "oid"),
    ("extname", "name"),
    ("extowner", "oid"),
    ("extnamespace", "oid"),
    ("extrelocatable", "bool"),
    ("extversion", "text"),
    ("extconfig", "oid[]"),
    ("extcondition", "text[]"),
];

const PG_AVAILABLE_EXTENSIONS: Columns =
    &[("name", "name"), ("default_version", "text"), ("installed_version", "text"), ("comment", "text")];

pub const PG_SETTINGS: Columns = &[
    ("name", "text"),
    ("setting", "text"),
    ("unit", "text"),
    ("category", "text"),
    ("short_desc", "text"),
    ("extra_desc", "text"),
    ("context", "text"),
    ("vartype", "text"),
    ("source", "text"),
    ("min_val", "text"),
    ("max_val", "text"),
    ("enumvals", "text[]"),
    ("boot_val", "text"),
    ("reset_val", "text"),
    ("sourcefile", "text"),
    ("sourceline", "int4"),
    ("pending_restart", "bool"),
];

const PG_STAT_USER_TABLES: Columns = &[
    ("relid", "oid"),
    ("schemaname", "name"),
    ("relname", "name"),
    ("seq_scan", "int8"),
    ("seq_tup_read", "int8"),
    ("idx_scan", "int8"),
    ("idx_tup_fetch", "int8"),
    ("n_tup_ins", "int8"),
    ("n_tup_upd", "int8"),
    ("n_tup_del", "int8"),
    ("n_tup_hot_upd", "int8"),
    ("n_live_tup", "int8"),
    ("n_dead_tup", "int8"),
    ("n_mod_since_analyze", "int8"),
    ("n_ins_since_vacuum", "int8"),
    ("last_vacuum", "timestamptz"),
    ("last_autovacuum", "timestamptz"),
    ("last_analyze", "timestamptz"),
    ("last_autoanalyze", "timestamptz"),
    ("vacuum_count", "int8"),
    ("autovacuum_count", "int8"),
    ("analyze_count", "int8"),
    ("autoanalyze_count", "int8"),
];

const PG_STAT_ACTIVITY: Columns = &[
    ("datid", "oid"),
    ("datname", "name"),
    ("pid", "int4"),
    ("leader_pid", "int4"),
    ("usesysid", "oid"),
    ("usename", "name"),
    ("application_name", "text"),
    ("client_addr", "inet"),
    ("client_hostname", "text"),
    ("client_port", "int4"),
    ("backend_start", "timestamptz"),
    ("xact_start", "timestamptz"),
    ("query_start", "timestamptz"),
    ("state_change", "timestamptz"),
    ("wait_event_type", "text"),
    ("wait_event", "text"),
    ("state", "text"),
    ("backend_xid", "xid"),
    ("backend_xmin", "xid"),
    ("query_id", "int8"),
    ("query", "text"),
    ("backend_type", "text"),
];

const PG_DESCRIPTION: Columns =
    &[("objoid", "oid"), ("classoid", "oid"), ("objsubid", "int4"), ("description", "text")];

const PG_SHDESCRIPTION: Columns = &[("objoid", "oid"), ("classoid", "oid"), ("description", "text")];

const PG_COLLATION: Columns = &[
    ("oid", "oid"),
    ("collname", "name"),
    ("collnamespace", "oid"),
    ("collowner", "oid"),
    ("collprovider", "char"),
    ("collisdeterministic", "bool"),
    ("collencoding", "int4"),
    ("collcollate", "text"),
    ("collctype", "text"),
    ("colliculocale", "text"),
    ("collversion", "text"),
];

const PG_LANGUAGE: Columns = &[
    ("oid", "oid"),
    ("lanname", "name"),
    ("lanowner", "oid"),
    ("lanispl", "bool"),
    ("lanpltrusted", "bool"),
    ("lanplcallfoid", "oid"),
    ("laninline", "oid"),
    ("lanvalidator", "oid"),
    ("lanacl", "aclitem[]"),
];

const PG_TABLESPACE: Columns =
    &[("oid", "oid"), ("spcname", "name"), ("spcowner", "oid"), ("spcacl", "aclitem[]"), ("spcoptions", "text[]")];

const PG_INHERITS: Columns =
    &[("inhrelid", "oid"), ("inhparent", "oid"), ("inhseqno", "int4"), ("inhdetachpending", "bool")];

const PG_POLICY: Columns = &[
    ("oid", "oid"),
    ("polname", "name"),
    ("polrelid", "oid"),
    ("polcmd", "char"),
    ("polpermissive", "bool"),
    ("polroles", "oid[]"),
    ("polqual", "pg_node_tree"),
    ("polwithcheck", "pg_node_tree"),
];

const PG_PUBLICATION: Columns = &[
    ("oid", "oid"),
    ("pubname", "name"),
    ("pubowner", "oid"),
    ("puballtables", "bool"),
    ("pubinsert", "bool"),
    ("pubupdate", "bool"),
    ("pubdelete", "bool"),
    ("pubtruncate", "bool"),
    ("pubviaroot", "bool"),
];

const PG_PUBLICATION_REL: Columns =
    &[("oid", "oid"), ("prpubid", "oid"), ("prrelid", "oid"), ("prqual", "pg_node_tree"), ("prattrs", "int2vector")];

const PG_PUBLICATION_NAMESPACE: Columns = &[("oid", "oid"), ("pnpubid", "oid"), ("pnnspid", "oid")];

const PG_SUBSCRIPTION: Columns =
    &[("oid", "oid"), ("subdbid", "oid"), ("subname", "name"), ("subowner", "oid"), ("subenabled", "bool")];

const PG_STATISTIC_EXT: Columns = &[
    ("oid", "oid"),
    ("stxrelid", "oid"),
    ("stxname", "name"),
    ("stxnamespace", "oid"),
    ("stxowner", "oid"),
    ("stxstattarget", "int4"),
    ("stxkeys", "int2vector"),
    ("stxkind", "text[]"),
    ("stxexprs", "pg_node_tree"),
];

const PG_TRIGGER: Columns = &[
    ("oid", "oid"),
    ("tgrelid", "oid"),
    ("tgparentid", "oid"),
    ("tgname", "name"),
    ("tgfoid", "oid"),
    ("tgtype", "int2"),
    ("tgenabled", "char"),
    ("tgisinternal", "bool"),
    ("tgconstrrelid", "oid"),
    ("tgconstrindid", "oid"),
    ("tgconstraint", "oid"),
    ("tgdeferrable", "bool"),
    ("tginitdeferred", "bool"),
    ("tgnargs", "int2"),
    ("tgattr", "int2vector"),
    ("tgargs", "bytea"),
    ("tgqual", "pg_node_tree"),
    ("tgoldtable", "name"),
    ("tgnewtable", "name"),
];

const PG_REWRITE: Columns = &[
    ("oid", "oid"),
    ("rulename", "name"),
    ("ev_class", "oid"),
    ("ev_type", "char"),
    ("ev_enabled", "char"),
    ("is_instead", "bool"),
    ("ev_qual", "pg_node_tree"),
    ("ev_action", "pg_node_tree"),
];

const PG_DEPEND: Columns = &[
    ("classid", "oid"),
    ("objid", "oid"),
    ("objsubid", "int4"),
    ("refclassid", "oid"),
    ("refobjid", "oid"),
    ("refobjsubid", "int4"),
    ("deptype", "char"),
];

const PG_SHDEPEND: Columns = &[
    ("dbid", "oid"),
    ("classid", "oid"),
    ("objid", "oid"),
    ("objsubid", "int4"),
    ("refclassid", "oid"),
    ("refobjid", "oid"),
    ("deptype", "char"),
];

const PG_ENUM: Columns = &[("oid", "oid"), ("enumtypid", "oid"), ("enumsortorder", "float4"), ("enumlabel", "name")];

const PG_RANGE: Columns = &[
    ("rngtypid", "oid"),
    ("rngsubtype", "oid"),
    ("rngmultitypid", "oid"),
    ("rngcollation", "oid"),
    ("rngsubopc", "oid"),
    ("rngcanonical", "regproc"),
    ("rngsubdiff", "regproc"),
];

const PG_FOREIGN_TABLE: Columns = &[("ftrelid", "oid"), ("ftserver", "oid"), ("ftoptions", "text[]")];

const PG_FOREIGN_SERVER: Columns = &[
    ("oid", "oid"),
    ("srvname", "name"),
    ("srvowner", "oid"),
    ("srvfdw", "oid"),
    ("srvtype", "text"),
    ("srvversion", "text"),
    ("srvacl", "aclitem[]"),
    ("srvoptions", "text[]"),
];

const PG_FOREIGN_DATA_WRAPPER: Columns = &[
    ("oid", "oid"),
    ("fdwname", "name"),
    ("fdwowner", "oid"),
    ("fdwhandler", "oid"),
    ("fdwvalidator", "oid"),
    ("fdwacl", "aclitem[]"),
    ("fdwoptions", "text[]"),
];

const PG_USER_MAPPING: Columns = &[("oid", "oid"), ("umuser", "oid"), ("umserver", "oid"), ("umoptions", "text[]")];

const PG_AUTH_MEMBERS: Columns = &[("roleid", "oid"), ("member", "oid"), ("grantor", "oid"), ("admin_option", "bool")];

const PG_DB_ROLE_SETTING: Columns = &[("setdatabase", "oid"), ("setrole", "oid"), ("setconfig", "text[]")];

const PG_DEFAULT_ACL: Columns = &[
    ("oid", "oid"),
    ("defaclrole", "oid"),
    ("defaclnamespace", "oid"),
    ("defaclobjtype", "char"),
    ("defaclacl", "aclitem[]"),
];

const PG_EVENT_TRIGGER: Columns = &[
    ("oid", "oid"),
    ("evtname", "name"),
    ("evtevent", "name"),
    ("evtowner", "oid"),
    ("evtfoid", "oid"),
    ("evtenabled", "char"),
    ("evttags", "text[]"),
];

const PG_AGGREGATE: Columns = &[
    ("aggfnoid", "regproc"),
    ("aggkind", "char"),
    ("aggnumdirectargs", "int2"),
    ("aggtransfn", "regproc"),
    ("aggfinalfn", "regproc"),
    ("aggcombinefn", "regproc"),
    ("aggserialfn", "regproc"),
    ("aggdeserialfn", "regproc"),
    ("aggsortop", "oid"),
    ("aggtranstype", "oid"),
    ("agginitval", "text"),
];

const PG_OPERATOR: Columns = &[
    ("oid", "oid"),
    ("oprname", "name"),
    ("oprnamespace", "oid"),
    ("oprowner", "oid"),
    ("oprkind", "char"),
    ("oprcanmerge", "bool"),
    ("oprcanhash", "bool"),
    ("oprleft", "oid"),
    ("oprright", "oid"),
    ("oprresult", "oid"),
    ("oprcom", "oid"),
    ("oprnegate", "oid"),
    ("oprcode", "regproc"),
    ("oprrest", "regproc"),
    ("oprjoin", "regproc"),
];

const PG_OPCLASS: Columns = &[
    ("oid", "oid"),
    ("opcmethod", "oid"),
    ("opcname", "name"),
    ("opcnamespace", "oid"),
    ("opcowner", "oid"),
    ("opcfamily", "oid"),
    ("opcintype", "oid"),
    ("opcdefault", "bool"),
    ("opckeytype", "oid"),
];

const PG_OPFAMILY: Columns =
    &[("oid", "oid"), ("opfmethod", "oid"), ("opfname", "name"), ("opfnamespace", "oid"), ("opfowner", "oid")];

const PG_CAST: Columns = &[
    ("oid", "oid"),
    ("castsource", "oid"),
    ("casttarget", "oid"),
    ("castfunc", "oid"),
    ("castcontext", "char"),
    ("castmethod", "char"),
];

const PG_CONVERSION: Columns = &[
    ("oid", "oid"),
    ("conname", "name"),
    ("connamespace", "oid"),
    ("conowner", "oid"),
    ("conforencoding", "int4"),
    ("contoencoding", "int4"),
    ("conproc", "regproc"),
    ("condefault", "bool"),
];

const PG_PARTITIONED_TABLE: Columns = &[
    ("partrelid", "oid"),
    ("partstrat", "char"),
    ("partnatts", "int2"),
    ("partdefid", "oid"),
    ("partattrs", "int2vector"),
    ("partclass", "oidvector"),
    ("partcollation", "oidvector"),
    ("partexprs", "pg_node_tree"),
];

const PG_SEQUENCE: Columns = &[
    ("seqrelid", "oid"),
    ("seqtypid", "oid"),
    ("seqstart", "int8"),
    ("seqincrement", "int8"),
    ("seqmax", "int8"),
    ("seqmin", "int8"),
    ("seqcache", "int8"),
    ("seqcycle", "bool"),
];

const PG_SECLABEL: Columns =
    &[("objoid", "oid"), ("classoid", "oid"), ("objsubid", "int4"), ("provider", "text"), ("label", "text")];

const PG_LARGEOBJECT_METADATA: Columns = &[("oid", "oid"), ("lomowner", "oid"), ("lomacl", "aclitem[]")];

const PG_TS_CONFIG: Columns =
    &[("oid", "oid"), ("cfgname", "name"), ("cfgnamespace", "oid"), ("cfgowner", "oid"), ("cfgparser", "oid")];

const PG_TS_DICT: Columns = &[
    ("oid", "oid"),
    ("dictname", "name"),
    ("dictnamespace", "oid"),
    ("dictowner", "oid"),
    ("dicttemplate", "oid"),
    ("dictinitoption", "text"),
];

const PG_TS_PARSER: Columns = &[("oid", "oid"), ("prsname", "name"), ("prsnamespace", "oid")];

const PG_TS_TEMPLATE: Columns = &[("oid", "oid"), ("tmplname", "name"), ("tmplnamespace", "oid")];

const PG_TRANSFORM: Columns =
    &[("oid", "oid"), ("trftype", "oid"), ("trflang", "oid"), ("trffromsql", "regproc"), ("trftosql", "regproc")];

const PG_GROUP: Columns = &[("groname", "name"), ("grosysid", "oid"), ("grolist", "oid[]")];

const PG_SEQUENCES: Columns = &[
    ("schemaname", "name"),
    ("sequencename", "name"),
    ("sequenceowner", "name"),
    ("data_type", "regtype"),
    ("start_value", "int8"),
    ("min_value", "int8"),
    ("max_value", "int8"),
    ("increment_by", "int8"),
    ("cycle", "bool"),
    ("cache_size", "int8"),
    ("last_value", "int8"),
];

const PG_POLICIES: Columns = &[
    ("schemaname", "name"),
    ("tablename", "name"),
    ("policyname", "name"),
    ("permissive", "text"),
    ("roles", "name[]"),
    ("cmd", "text"),
    ("qual", "text"),
    ("with_check", "text"),
];

const PG_RULES: Columns =
    &[("schemaname", "name"), ("tablename", "name"), ("rulename", "name"), ("definition", "text")];

const PG_LOCKS: Columns = &[
    ("locktype", "text"),
    ("database", "oid"),
    ("relation", "oid"),
    ("page", "int4"),
    ("tuple", "int2"),
    ("virtualxid", "text"),
    ("transactionid", "xid"),
    ("classid", "oid"),
    ("objid", "oid"),
    ("objsubid", "int2"),
    ("virtualtransaction", "text"),
    ("pid", "int4"),
    ("mode", "text"),
    ("granted", "bool"),
    ("fastpath", "bool"),
    ("waitstart", "timestamptz"),
];

const PG_PREPARED_STATEMENTS: Columns = &[
    ("name", "text"),
    ("statement", "text"),
    ("prepare_time", "timestamptz"),
    ("parameter_types", "text[]"),
    ("from_sql", "bool"),
    ("generic_plans", "int8"),
    ("custom_plans", "int8"),
];

const PG_PREPARED_XACTS: Columns =
    &[("transaction", "xid"), ("gid", "text"), ("prepared", "timestamptz"), ("owner", "name"), ("database", "name")];

const PG_CURSORS: Columns = &[
    ("name", "text"),
    ("statement", "text"),
    ("is_holdable", "bool"),
    ("is_binary", "bool"),
    ("is_scrollable", "bool"),
    ("creation_time", "timestamptz"),
];

const PG_STAT_REPLICATION: Columns =
    &[("pid", "int4"), ("usesysid", "oid"), ("usename", "name"), ("application_name", "text"), ("state", "text")];

const PG_REPLICATION_SLOTS: Columns = &[
    ("slot_name", "name"),
    ("plugin", "name"),
    ("slot_type", "text"),
    ("datoid", "oid"),
    ("database", "name"),
    ("temporary", "bool"),
    ("active", "bool"),
];

const PG_PUBLICATION_TABLES: Columns = &[
    ("pubname", "name"),
    ("schemaname", "name"),
    ("tablename", "name"),
    ("attnames", "name[]"),
    ("rowfilter", "text"),
];

const PG_TIMEZONE_NAMES: Columns =
    &[("name", "text"), ("abbrev", "text"), ("utc_offset", "interval"), ("is_dst", "bool")];

const PG_STAT_DATABASE: Columns = &[
    ("datid", "oid"),
    ("datname", "name"),
    ("numbackends", "int4"),
    ("xact_commit", "int8"),
    ("xact_rollback", "int8"),
    ("blks_read", "int8"),
    ("blks_hit", "int8"),
    ("tup_returned", "int8"),
    ("tup_fetched", "int8"),
    ("tup_inserted", "int8"),
    ("tup_updated", "int8"),
    ("tup_deleted", "int8"),
    ("stats_reset", "timestamptz"),
];

fn nothing(_: &Known) -> Vec<Row> {
    Vec::new()
}

fn schema_oid(known: &Known, schema: &str) -> u32 {
    known.schemas().get(schema).copied().unwrap_or(0)
}

fn pg_class(known: &Known) -> Vec<Row> {
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
            'p',
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

fn pg_namespace(known: &Known) -> Vec<Row> {
    known.schemas().into_iter().map(|(name, oid)| row![oid, name, OWNER_OID, Cell::Null]).collect()
}

fn pg_attribute(known: &Known) -> Vec<Row> {
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

fn alignment(length: i16) -> char {
    match length {
        1 => 'c',
        2 => 's',
        8 | 16 => 'd',
        _ => 'i',
    }
}

fn storage(length: i16) -> char {
    if length < 0 { 'x' } else { 'p' }
}

/// A default's oid is made of those of its table and column.
fn pg_attrdef(known: &Known) -> Vec<Row> {
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

fn pg_type(known: &Known) -> Vec<Row> {
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
        let namespace = known.schemas().get(&kind.schema).copied().unwrap_or(0);
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

fn pg_enum(known: &Known) -> Vec<Row> {
    let mut rows = Vec::new();
    for kind in known.version.catalog().objects.enums.values() {
        for (i, label) in kind.labels.iter().enumerate() {
            // Values have no oids of their own; these are never asked for again.
            rows.push(row![kind.id.wrapping_add(i as u32 + 1), kind.id, (i + 1) as f64, label]);
        }
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

/// All indexes with the tables they are on.
fn indexes(known: &Known) -> impl Iterator<Item = (&Relation, &Arc<Table>, &Index)> {
    known.relations().iter().filter_map(|relation| match &relation.kind {
        Kind::Index(table, index) => Some((relation, table, index)),
        _ => None,
    })
}

fn numbers(index: &Index) -> Vec<u32> {
    index.columns.iter().map(|c| c.column.map_or(0, |id| id.0)).collect()
}

fn pg_index(known: &Known) -> Vec<Row> {
    indexes(known)
        .map(|(relation, table, index)| {
            let zeros = vec![0u32; index.columns.len()];
            let options: Vec<u32> = index.columns.iter().map(|c| if c.descending { 3 } else { 0 }).collect();
            let expressions: Vec<&str> =
                index.columns.iter().filter(|c| c.column.is_none()).map(|c| c.sql.as_str()).collect();
            row![
                relation.oid,
                table.id.0,
                index.columns.len(),
                index.columns.len(),
                index.unique,
                false,
                index.primary,
                false,
                true,
                false,
                true,
                false,
                true,
                true,
                false,
                numbers(index),
                zeros.clone(),
                zeros,
                options,
                (!expressions.is_empty()).then(|| expressions.join(", ")),
                Cell::Null,
            ]
        })
        .collect()
}

fn pg_constraint(known: &Known) -> Vec<Row> {
    let keys = indexes(known).filter(|(_, _, index)| index.constraint || index.primary);
    keys.map(|(relation, table, index)| {
        row![
            relation.oid,
            &index.name,
            schema_oid(known, &table.schema),
            if index.primary { 'p' } else { 'u' },
            false,
            false,
            true,
            table.id.0,
            0,
            relation.oid,
            0,
            0,
            " ",
            " ",
            " ",
            true,
            0,
            true,
            numbers(index),
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
            Cell::Null,
        ]
    })
    .chain(checks(known))
    .collect()
}

/// CHECK constraints as rows of `pg_constraint`.
fn checks(known: &Known) -> Vec<Row> {
    let catalog = known.version.catalog();
    let mut rows = Vec::new();
    for (id, rules) in &catalog.objects.rules {
        let Some(table) = catalog.tables.get(id) else { continue };
        for check in &rules.checks {
            let used = crate::parse::parse_expr(&check.sql).map(|e| crate::define::columns_of(&e, table));
            let numbers: Vec<u32> = used.unwrap_or_default().iter().map(|c| c.id.0).collect();
            let mut row = row![
                check.id,
                &check.name,
                schema_oid(known, &table.schema),
                'c',
                false,
                false,
                true,
                table.id.0,
                0,
                0,
                0,
                0,
                " ",
                " ",
                " ",
                true,
                0,
                false,
                numbers,
            ];
            row.extend(vec![Cell::Null; 6]);
            row.push(format!("({})", check.sql).into());
            rows.push(row);
        }
    }
    rows
}

fn pg_sequence(known: &Known) -> Vec<Row> {
    let sequences = known.version.catalog().objects.sequences.values();
    sequences.map(|s| row![s.id, number_type(s.bytes), s.start, s.increment, s.max, s.min, 1, s.cycle]).collect()
}

fn pg_sequences(known: &Known) -> Vec<Row> {
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

fn pg_am(_: &Known) -> Vec<Row> {
    vec![
        row![HEAP, "heap", "heap_tableam_handler", 't'],
        row![BTREE, "btree", "bthandler", 'i'],
        row![405, "hash", "hashhandler", 'i'],
    ]
}

fn pg_proc(known: &Known) -> Vec<Row> {
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

fn pg_database(known: &Known) -> Vec<Row> {
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

fn pg_authid(known: &Known) -> Vec<Row> {
    let role = |(name, oid): (String, u32)| {
        row![oid, name, true, true, true, true, true, true, true, -1, Cell::Null, Cell::Null]
    };
    known.roles().into_iter().map(role).collect()
}

fn pg_roles(known: &Known) -> Vec<Row> {
    let role = |(name, oid): (String, u32)| {
        row![name, true, true, true, true, true, true, -1, "********", Cell::Null, true, Cell::Null, oid]
    };
    known.roles().into_iter().map(role).collect()
}

fn pg_user(known: &Known) -> Vec<Row> {
    let role = |(name, oid): (String, u32)| row![name, oid, true, true, true, true, "********", Cell::Null, Cell::Null];
    known.roles().into_iter().map(role).collect()
}

fn pg_tables(known: &Known) -> Vec<Row> {
    let tables = known.relations().iter().filter(|r| r.letter() == 'r');
    tables
        .map(|r| {
            let indexed = r.table().is_some_and(|t| !t.indexes.is_empty());
            row![&r.schema, &r.name, timescale::OWNER, Cell::Null, indexed, false, false, false]
        })
        .collect()
}

fn pg_views(known: &Known) -> Vec<Row> {
    let views = known.relations().iter().filter(|r| r.letter() == 'v');
    views.map(|r| row![&r.schema, &r.name, timescale::OWNER, r.definition()]).collect()
}

fn pg_matviews(known: &Known) -> Vec<Row> {
    let views = known.relations().iter().filter(|r| r.letter() == 'm');
    views.map(|r| row![&r.schema, &r.name, timescale::OWNER, Cell::Null, false, true, r.definition()]).collect()
}

fn pg_indexes(known: &Known) -> Vec<Row> {
    indexes(known)
        .map(|(relation, table, index)| {
            let definition = constraint::index_definition(known, relation.oid, 0);
            debug_assert!(!method(index).is_empty());
            row![&table.schema, &table.name, &index.name, Cell::Null, definition]
        })
        .collect()
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

fn pg_extension(known: &Known) -> Vec<Row> {
    let public = schema_oid(known, "public");
    let extension = |(i, (name, version)): (usize, (String, &str))| {
        let schema = if name == "plpgsql" { 11 } else { public };
        row![13_800 + i, name, OWNER_OID, schema, false, version, Cell::Null, Cell::Null]
    };
    extensions(known).into_iter().enumerate().map(extension).collect()
}

fn pg_available_extensions(known: &Known) -> Vec<Row> {
    extensions(known).into_iter().map(|(name, version)| row![name, version, version, Cell::Null]).collect()
}

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

fn pg_stat_user_tables(known: &Known) -> Vec<Row> {
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

/// The session that asks; what others do is not known here.
fn pg_stat_activity(known: &Known) -> Vec<Row> {
    let database = known.databases.iter().position(|name| *name == known.database).unwrap_or(0) as u32;
    let application = known.settings.get("application_name").unwrap_or_default().to_owned();
    vec![row![
        FIRST_DATABASE + database,
        &known.database,
        std::process::id(),
        Cell::Null,
        known.role_oid(&known.user),
        &known.user,
        application,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        Cell::Null,
        known.now,
        known.now,
        known.now,
        Cell::Null,
        Cell::Null,
        "active",
        Cell::Null,
        Cell::Null,
        Cell::Null,
        "",
        "client backend",
    ]]
}

fn pg_description(known: &Known) -> Vec<Row> {
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
    rows
}

fn pg_collation(_: &Known) -> Vec<Row> {
    let collation = |oid: u32, name: &str, provider: char| {
        let locale = if name == "default" { Cell::Null } else { name.into() };
        row![oid, name, 11, OWNER_OID, provider, true, -1, locale.clone(), locale, Cell::Null, Cell::Null]
    };
    vec![collation(100, "default", 'd'), collation(950, "C", 'c'), collation(951, "POSIX", 'c')]
}

fn pg_language(_: &Known) -> Vec<Row> {
    let language = |oid: u32, name: &str| row![oid, name, OWNER_OID, false, true, 0, 0, 0, Cell::Null];
    vec![language(12, "internal"), language(13, "c"), language(14, "sql")]
}

fn pg_tablespace(_: &Known) -> Vec<Row> {
    vec![
        row![1663, "pg_default", OWNER_OID, Cell::Null, Cell::Null],
        row![1664, "pg_global", OWNER_OID, Cell::Null, Cell::Null],
    ]
}
