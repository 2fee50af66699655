//! Views of what there is nothing of.

use crate::information::Known;
use crate::information::rows::{Columns, Row};

pub const PG_SHDESCRIPTION: Columns = &[("objoid", "oid"), ("classoid", "oid"), ("description", "text")];

pub const PG_INHERITS: Columns =
    &[("inhrelid", "oid"), ("inhparent", "oid"), ("inhseqno", "int4"), ("inhdetachpending", "bool")];

pub const PG_POLICY: Columns = &[
    ("oid", "oid"),
    ("polname", "name"),
    ("polrelid", "oid"),
    ("polcmd", "char"),
    ("polpermissive", "bool"),
    ("polroles", "oid[]"),
    ("polqual", "pg_node_tree"),
    ("polwithcheck", "pg_node_tree"),
];

pub const PG_PUBLICATION: Columns = &[
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

pub const PG_PUBLICATION_REL: Columns =
    &[("oid", "oid"), ("prpubid", "oid"), ("prrelid", "oid"), ("prqual", "pg_node_tree"), ("prattrs", "int2vector")];

pub const PG_PUBLICATION_NAMESPACE: Columns = &[("oid", "oid"), ("pnpubid", "oid"), ("pnnspid", "oid")];

pub const PG_SUBSCRIPTION: Columns =
    &[("oid", "oid"), ("subdbid", "oid"), ("subname", "name"), ("subowner", "oid"), ("subenabled", "bool")];

pub const PG_STATISTIC_EXT: Columns = &[
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

pub const PG_TRIGGER: Columns = &[
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

pub const PG_REWRITE: Columns = &[
    ("oid", "oid"),
    ("rulename", "name"),
    ("ev_class", "oid"),
    ("ev_type", "char"),
    ("ev_enabled", "char"),
    ("is_instead", "bool"),
    ("ev_qual", "pg_node_tree"),
    ("ev_action", "pg_node_tree"),
];

pub const PG_DEPEND: Columns = &[
    ("classid", "oid"),
    ("objid", "oid"),
    ("objsubid", "int4"),
    ("refclassid", "oid"),
    ("refobjid", "oid"),
    ("refobjsubid", "int4"),
    ("deptype", "char"),
];

pub const PG_SHDEPEND: Columns = &[
    ("dbid", "oid"),
    ("classid", "oid"),
    ("objid", "oid"),
    ("objsubid", "int4"),
    ("refclassid", "oid"),
    ("refobjid", "oid"),
    ("deptype", "char"),
];

pub const PG_RANGE: Columns = &[
    ("rngtypid", "oid"),
    ("rngsubtype", "oid"),
    ("rngmultitypid", "oid"),
    ("rngcollation", "oid"),
    ("rngsubopc", "oid"),
    ("rngcanonical", "regproc"),
    ("rngsubdiff", "regproc"),
];

pub const PG_FOREIGN_TABLE: Columns = &[("ftrelid", "oid"), ("ftserver", "oid"), ("ftoptions", "text[]")];

pub const PG_FOREIGN_SERVER: Columns = &[
    ("oid", "oid"),
    ("srvname", "name"),
    ("srvowner", "oid"),
    ("srvfdw", "oid"),
    ("srvtype", "text"),
    ("srvversion", "text"),
    ("srvacl", "aclitem[]"),
    ("srvoptions", "text[]"),
];

pub const PG_FOREIGN_DATA_WRAPPER: Columns = &[
    ("oid", "oid"),
    ("fdwname", "name"),
    ("fdwowner", "oid"),
    ("fdwhandler", "oid"),
    ("fdwvalidator", "oid"),
    ("fdwacl", "aclitem[]"),
    ("fdwoptions", "text[]"),
];

pub const PG_USER_MAPPING: Columns = &[("oid", "oid"), ("umuser", "oid"), ("umserver", "oid"), ("umoptions", "text[]")];

pub const PG_AUTH_MEMBERS: Columns =
    &[("roleid", "oid"), ("member", "oid"), ("grantor", "oid"), ("admin_option", "bool")];

pub const PG_DB_ROLE_SETTING: Columns = &[("setdatabase", "oid"), ("setrole", "oid"), ("setconfig", "text[]")];

pub const PG_DEFAULT_ACL: Columns = &[
    ("oid", "oid"),
    ("defaclrole", "oid"),
    ("defaclnamespace", "oid"),
    ("defaclobjtype", "char"),
    ("defaclacl", "aclitem[]"),
];

pub const PG_EVENT_TRIGGER: Columns = &[
    ("oid", "oid"),
    ("evtname", "name"),
    ("evtevent", "name"),
    ("evtowner", "oid"),
    ("evtfoid", "oid"),
    ("evtenabled", "char"),
    ("evttags", "text[]"),
];

pub const PG_AGGREGATE: Columns = &[
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

pub const PG_OPERATOR: Columns = &[
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

pub const PG_OPCLASS: Columns = &[
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

pub const PG_OPFAMILY: Columns =
    &[("oid", "oid"), ("opfmethod", "oid"), ("opfname", "name"), ("opfnamespace", "oid"), ("opfowner", "oid")];

pub const PG_CAST: Columns = &[
    ("oid", "oid"),
    ("castsource", "oid"),
    ("casttarget", "oid"),
    ("castfunc", "oid"),
    ("castcontext", "char"),
    ("castmethod", "char"),
];

pub const PG_CONVERSION: Columns = &[
    ("oid", "oid"),
    ("conname", "name"),
    ("connamespace", "oid"),
    ("conowner", "oid"),
    ("conforencoding", "int4"),
    ("contoencoding", "int4"),
    ("conproc", "regproc"),
    ("condefault", "bool"),
];

pub const PG_PARTITIONED_TABLE: Columns = &[
    ("partrelid", "oid"),
    ("partstrat", "char"),
    ("partnatts", "int2"),
    ("partdefid", "oid"),
    ("partattrs", "int2vector"),
    ("partclass", "oidvector"),
    ("partcollation", "oidvector"),
    ("partexprs", "pg_node_tree"),
];

pub const PG_SECLABEL: Columns =
    &[("objoid", "oid"), ("classoid", "oid"), ("objsubid", "int4"), ("provider", "text"), ("label", "text")];

pub const PG_LARGEOBJECT_METADATA: Columns = &[("oid", "oid"), ("lomowner", "oid"), ("lomacl", "aclitem[]")];

pub const PG_TS_CONFIG: Columns =
    &[("oid", "oid"), ("cfgname", "name"), ("cfgnamespace", "oid"), ("cfgowner", "oid"), ("cfgparser", "oid")];

pub const PG_TS_DICT: Columns = &[
    ("oid", "oid"),
    ("dictname", "name"),
    ("dictnamespace", "oid"),
    ("dictowner", "oid"),
    ("dicttemplate", "oid"),
    ("dictinitoption", "text"),
];

pub const PG_TS_PARSER: Columns = &[("oid", "oid"), ("prsname", "name"), ("prsnamespace", "oid")];

pub const PG_TS_TEMPLATE: Columns = &[("oid", "oid"), ("tmplname", "name"), ("tmplnamespace", "oid")];

pub const PG_TRANSFORM: Columns =
    &[("oid", "oid"), ("trftype", "oid"), ("trflang", "oid"), ("trffromsql", "regproc"), ("trftosql", "regproc")];

pub const PG_GROUP: Columns = &[("groname", "name"), ("grosysid", "oid"), ("grolist", "oid[]")];

pub const PG_POLICIES: Columns = &[
    ("schemaname", "name"),
    ("tablename", "name"),
    ("policyname", "name"),
    ("permissive", "text"),
    ("roles", "name[]"),
    ("cmd", "text"),
    ("qual", "text"),
    ("with_check", "text"),
];

pub const PG_RULES: Columns =
    &[("schemaname", "name"), ("tablename", "name"), ("rulename", "name"), ("definition", "text")];

pub const PG_LOCKS: Columns = &[
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

pub const PG_PREPARED_STATEMENTS: Columns = &[
    ("name", "text"),
    ("statement", "text"),
    ("prepare_time", "timestamptz"),
    ("parameter_types", "text[]"),
    ("from_sql", "bool"),
    ("generic_plans", "int8"),
    ("custom_plans", "int8"),
];

pub const PG_PREPARED_XACTS: Columns =
    &[("transaction", "xid"), ("gid", "text"), ("prepared", "timestamptz"), ("owner", "name"), ("database", "name")];

pub const PG_CURSORS: Columns = &[
    ("name", "text"),
    ("statement", "text"),
    ("is_holdable", "bool"),
    ("is_binary", "bool"),
    ("is_scrollable", "bool"),
    ("creation_time", "timestamptz"),
];

pub const PG_STAT_REPLICATION: Columns =
    &[("pid", "int4"), ("usesysid", "oid"), ("usename", "name"), ("application_name", "text"), ("state", "text")];

pub const PG_REPLICATION_SLOTS: Columns = &[
    ("slot_name", "name"),
    ("plugin", "name"),
    ("slot_type", "text"),
    ("datoid", "oid"),
    ("database", "name"),
    ("temporary", "bool"),
    ("active", "bool"),
];

pub const PG_PUBLICATION_TABLES: Columns = &[
    ("pubname", "name"),
    ("schemaname", "name"),
    ("tablename", "name"),
    ("attnames", "name[]"),
    ("rowfilter", "text"),
];

pub const PG_TIMEZONE_NAMES: Columns =
    &[("name", "text"), ("abbrev", "text"), ("utc_offset", "interval"), ("is_dst", "bool")];

pub const PG_STAT_DATABASE: Columns = &[
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

pub fn nothing(_: &Known) -> Vec<Row> {
    Vec::new()
}
