//! `pg_catalog`: what PostgreSQL's own catalog would say of this database.
//!
//! Oids are true and stay: a table's is its [`highwater_model::TableId`], an index's and an aggregate's are
//! their own. What there is nothing of is an empty view with the right columns, because clients join it.
//!
//! The list of views is here; the columns of each, and what makes its rows, stand beside each other in
//! [`tables`], [`indexes`], [`types`], [`functions`] and [`instance`], and the columns of empty ones in [`empty`].

mod empty;
mod functions;
mod indexes;
mod instance;
mod tables;
mod types;

use crate::Result;
use crate::information::Known;
use crate::information::rows::{Columns, Row, table};
use crate::query::Planner;
use datafusion::catalog::TableProvider;
use std::sync::Arc;

pub use instance::{PG_SETTINGS, pg_settings};

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

/// Every view: its name, its oid where PostgreSQL keeps it as a table, its columns, what makes its rows. Those without
/// an oid are numbered in this order.
const VIEWS: &[View] = &[
    ("pg_class", 1259, tables::PG_CLASS, tables::pg_class),
    ("pg_namespace", 2615, tables::PG_NAMESPACE, tables::pg_namespace),
    ("pg_attribute", 1249, tables::PG_ATTRIBUTE, tables::pg_attribute),
    ("pg_attrdef", 2604, tables::PG_ATTRDEF, tables::pg_attrdef),
    ("pg_type", 1247, types::PG_TYPE, types::pg_type),
    ("pg_index", 2610, indexes::PG_INDEX, indexes::pg_index),
    ("pg_constraint", 2606, indexes::PG_CONSTRAINT, indexes::pg_constraint),
    ("pg_am", 2601, tables::PG_AM, tables::pg_am),
    ("pg_proc", 1255, functions::PG_PROC, functions::pg_proc),
    ("pg_database", 1262, instance::PG_DATABASE, instance::pg_database),
    ("pg_authid", 1260, instance::PG_AUTHID, instance::pg_authid),
    ("pg_roles", 0, instance::PG_ROLES, instance::pg_roles),
    ("pg_user", 0, instance::PG_USER, instance::pg_user),
    ("pg_tables", 0, tables::PG_TABLES, tables::pg_tables),
    ("pg_views", 0, tables::PG_VIEWS, tables::pg_views),
    ("pg_matviews", 0, tables::PG_MATVIEWS, tables::pg_matviews),
    ("pg_indexes", 0, indexes::PG_INDEXES, indexes::pg_indexes),
    ("pg_extension", 3079, instance::PG_EXTENSION, instance::pg_extension),
    ("pg_available_extensions", 0, instance::PG_AVAILABLE_EXTENSIONS, instance::pg_available_extensions),
    ("pg_settings", 0, instance::PG_SETTINGS, instance::pg_settings),
    ("pg_stat_user_tables", 0, tables::PG_STAT_USER_TABLES, tables::pg_stat_user_tables),
    ("pg_stat_activity", 0, instance::PG_STAT_ACTIVITY, instance::pg_stat_activity),
    ("pg_description", 2609, tables::PG_DESCRIPTION, tables::pg_description),
    ("pg_shdescription", 2396, empty::PG_SHDESCRIPTION, empty::nothing),
    ("pg_collation", 3456, types::PG_COLLATION, types::pg_collation),
    ("pg_language", 2612, functions::PG_LANGUAGE, functions::pg_language),
    ("pg_tablespace", 1213, instance::PG_TABLESPACE, instance::pg_tablespace),
    ("pg_inherits", 2611, empty::PG_INHERITS, empty::nothing),
    ("pg_policy", 3256, empty::PG_POLICY, empty::nothing),
    ("pg_publication", 6104, empty::PG_PUBLICATION, empty::nothing),
    ("pg_publication_rel", 6106, empty::PG_PUBLICATION_REL, empty::nothing),
    ("pg_publication_namespace", 6237, empty::PG_PUBLICATION_NAMESPACE, empty::nothing),
    ("pg_subscription", 6100, empty::PG_SUBSCRIPTION, empty::nothing),
    ("pg_statistic_ext", 3381, empty::PG_STATISTIC_EXT, empty::nothing),
    ("pg_trigger", 2620, empty::PG_TRIGGER, empty::nothing),
    ("pg_rewrite", 2618, empty::PG_REWRITE, empty::nothing),
    ("pg_depend", 2608, empty::PG_DEPEND, empty::nothing),
    ("pg_shdepend", 1214, empty::PG_SHDEPEND, empty::nothing),
    ("pg_enum", 3501, types::PG_ENUM, types::pg_enum),
    ("pg_range", 3541, empty::PG_RANGE, empty::nothing),
    ("pg_foreign_table", 3118, empty::PG_FOREIGN_TABLE, empty::nothing),
    ("pg_foreign_server", 1417, empty::PG_FOREIGN_SERVER, empty::nothing),
    ("pg_foreign_data_wrapper", 2328, empty::PG_FOREIGN_DATA_WRAPPER, empty::nothing),
    ("pg_user_mapping", 1418, empty::PG_USER_MAPPING, empty::nothing),
    ("pg_auth_members", 1261, empty::PG_AUTH_MEMBERS, empty::nothing),
    ("pg_db_role_setting", 2964, empty::PG_DB_ROLE_SETTING, empty::nothing),
    ("pg_default_acl", 826, empty::PG_DEFAULT_ACL, empty::nothing),
    ("pg_event_trigger", 3466, empty::PG_EVENT_TRIGGER, empty::nothing),
    ("pg_aggregate", 2600, empty::PG_AGGREGATE, empty::nothing),
    ("pg_operator", 2617, empty::PG_OPERATOR, empty::nothing),
    ("pg_opclass", 2616, empty::PG_OPCLASS, empty::nothing),
    ("pg_opfamily", 2753, empty::PG_OPFAMILY, empty::nothing),
    ("pg_cast", 2605, empty::PG_CAST, empty::nothing),
    ("pg_conversion", 2607, empty::PG_CONVERSION, empty::nothing),
    ("pg_partitioned_table", 3350, empty::PG_PARTITIONED_TABLE, empty::nothing),
    ("pg_sequence", 2224, tables::PG_SEQUENCE, tables::pg_sequence),
    ("pg_seclabel", 3596, empty::PG_SECLABEL, empty::nothing),
    ("pg_largeobject_metadata", 2995, empty::PG_LARGEOBJECT_METADATA, empty::nothing),
    ("pg_ts_config", 3602, empty::PG_TS_CONFIG, empty::nothing),
    ("pg_ts_dict", 3600, empty::PG_TS_DICT, empty::nothing),
    ("pg_ts_parser", 3601, empty::PG_TS_PARSER, empty::nothing),
    ("pg_ts_template", 3764, empty::PG_TS_TEMPLATE, empty::nothing),
    ("pg_transform", 3576, empty::PG_TRANSFORM, empty::nothing),
    ("pg_group", 0, empty::PG_GROUP, empty::nothing),
    ("pg_shadow", 0, instance::PG_USER, instance::pg_user),
    ("pg_sequences", 0, tables::PG_SEQUENCES, tables::pg_sequences),
    ("pg_policies", 0, empty::PG_POLICIES, empty::nothing),
    ("pg_rules", 0, empty::PG_RULES, empty::nothing),
    ("pg_locks", 0, empty::PG_LOCKS, empty::nothing),
    ("pg_prepared_statements", 0, empty::PG_PREPARED_STATEMENTS, empty::nothing),
    ("pg_prepared_xacts", 0, empty::PG_PREPARED_XACTS, empty::nothing),
    ("pg_cursors", 0, empty::PG_CURSORS, empty::nothing),
    ("pg_stat_replication", 0, empty::PG_STAT_REPLICATION, empty::nothing),
    ("pg_replication_slots", 0, empty::PG_REPLICATION_SLOTS, empty::nothing),
    ("pg_publication_tables", 0, empty::PG_PUBLICATION_TABLES, empty::nothing),
    ("pg_timezone_names", 0, empty::PG_TIMEZONE_NAMES, empty::nothing),
    ("pg_stat_database", 0, empty::PG_STAT_DATABASE, empty::nothing),
    ("pg_stat_all_tables", 0, tables::PG_STAT_USER_TABLES, tables::pg_stat_user_tables),
];

fn schema_oid(known: &Known, schema: &str) -> u32 {
    known.schemas().get(schema).copied().unwrap_or(0)
}
