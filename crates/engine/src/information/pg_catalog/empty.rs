//! Views of what there is nothing of.

use crate::information::Known;
use crate::information::rows::{Columns, Row, columns};

pub const PG_SHDESCRIPTION: Columns = columns! { objoid oid, classoid oid, description text };

pub const PG_INHERITS: Columns = columns! { inhrelid oid, inhparent oid, inhseqno int4, inhdetachpending bool };

pub const PG_POLICY: Columns = columns! {
    oid oid, polname name, polrelid oid, polcmd char, polpermissive bool, polroles oid[], polqual pg_node_tree,
    polwithcheck pg_node_tree,
};

pub const PG_PUBLICATION: Columns = columns! {
    oid oid, pubname name, pubowner oid, puballtables bool, pubinsert bool, pubupdate bool, pubdelete bool,
    pubtruncate bool, pubviaroot bool,
};

pub const PG_PUBLICATION_REL: Columns = columns! {
    oid oid, prpubid oid, prrelid oid, prqual pg_node_tree, prattrs int2vector,
};

pub const PG_PUBLICATION_NAMESPACE: Columns = columns! { oid oid, pnpubid oid, pnnspid oid };

pub const PG_SUBSCRIPTION: Columns = columns! { oid oid, subdbid oid, subname name, subowner oid, subenabled bool };

pub const PG_STATISTIC_EXT: Columns = columns! {
    oid oid, stxrelid oid, stxname name, stxnamespace oid, stxowner oid, stxstattarget int4, stxkeys int2vector,
    stxkind text[], stxexprs pg_node_tree,
};

pub const PG_TRIGGER: Columns = columns! {
    oid oid, tgrelid oid, tgparentid oid, tgname name, tgfoid oid, tgtype int2, tgenabled char, tgisinternal bool,
    tgconstrrelid oid, tgconstrindid oid, tgconstraint oid, tgdeferrable bool, tginitdeferred bool, tgnargs int2,
    tgattr int2vector, tgargs bytea, tgqual pg_node_tree, tgoldtable name, tgnewtable name,
};

pub const PG_REWRITE: Columns = columns! {
    oid oid, rulename name, ev_class oid, ev_type char, ev_enabled char, is_instead bool, ev_qual pg_node_tree,
    ev_action pg_node_tree,
};

pub const PG_DEPEND: Columns = columns! {
    classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, refobjsubid int4, deptype char,
};

pub const PG_SHDEPEND: Columns = columns! {
    dbid oid, classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, deptype char,
};

pub const PG_RANGE: Columns = columns! {
    rngtypid oid, rngsubtype oid, rngmultitypid oid, rngcollation oid, rngsubopc oid, rngcanonical regproc,
    rngsubdiff regproc,
};

pub const PG_FOREIGN_TABLE: Columns = columns! { ftrelid oid, ftserver oid, ftoptions text[] };

pub const PG_FOREIGN_SERVER: Columns = columns! {
    oid oid, srvname name, srvowner oid, srvfdw oid, srvtype text, srvversion text, srvacl aclitem[], srvoptions text[],
};

pub const PG_FOREIGN_DATA_WRAPPER: Columns = columns! {
    oid oid, fdwname name, fdwowner oid, fdwhandler oid, fdwvalidator oid, fdwacl aclitem[], fdwoptions text[],
};

pub const PG_USER_MAPPING: Columns = columns! { oid oid, umuser oid, umserver oid, umoptions text[] };

pub const PG_AUTH_MEMBERS: Columns = columns! { roleid oid, member oid, grantor oid, admin_option bool };

pub const PG_DB_ROLE_SETTING: Columns = columns! { setdatabase oid, setrole oid, setconfig text[] };

pub const PG_DEFAULT_ACL: Columns = columns! {
    oid oid, defaclrole oid, defaclnamespace oid, defaclobjtype char, defaclacl aclitem[],
};

pub const PG_EVENT_TRIGGER: Columns = columns! {
    oid oid, evtname name, evtevent name, evtowner oid, evtfoid oid, evtenabled char, evttags text[],
};

pub const PG_AGGREGATE: Columns = columns! {
    aggfnoid regproc, aggkind char, aggnumdirectargs int2, aggtransfn regproc, aggfinalfn regproc, aggcombinefn regproc,
    aggserialfn regproc, aggdeserialfn regproc, aggsortop oid, aggtranstype oid, agginitval text,
};

pub const PG_OPERATOR: Columns = columns! {
    oid oid, oprname name, oprnamespace oid, oprowner oid, oprkind char, oprcanmerge bool, oprcanhash bool, oprleft oid,
    oprright oid, oprresult oid, oprcom oid, oprnegate oid, oprcode regproc, oprrest regproc, oprjoin regproc,
};

pub const PG_OPCLASS: Columns = columns! {
    oid oid, opcmethod oid, opcname name, opcnamespace oid, opcowner oid, opcfamily oid, opcintype oid, opcdefault bool,
    opckeytype oid,
};

pub const PG_OPFAMILY: Columns = columns! { oid oid, opfmethod oid, opfname name, opfnamespace oid, opfowner oid };

pub const PG_CAST: Columns = columns! {
    oid oid, castsource oid, casttarget oid, castfunc oid, castcontext char, castmethod char,
};

pub const PG_CONVERSION: Columns = columns! {
    oid oid, conname name, connamespace oid, conowner oid, conforencoding int4, contoencoding int4, conproc regproc,
    condefault bool,
};

pub const PG_PARTITIONED_TABLE: Columns = columns! {
    partrelid oid, partstrat char, partnatts int2, partdefid oid, partattrs int2vector, partclass oidvector,
    partcollation oidvector, partexprs pg_node_tree,
};

pub const PG_SECLABEL: Columns = columns! { objoid oid, classoid oid, objsubid int4, provider text, label text };

pub const PG_LARGEOBJECT_METADATA: Columns = columns! { oid oid, lomowner oid, lomacl aclitem[] };

pub const PG_TS_CONFIG: Columns = columns! { oid oid, cfgname name, cfgnamespace oid, cfgowner oid, cfgparser oid };

pub const PG_TS_DICT: Columns = columns! {
    oid oid, dictname name, dictnamespace oid, dictowner oid, dicttemplate oid, dictinitoption text,
};

pub const PG_TS_PARSER: Columns = columns! { oid oid, prsname name, prsnamespace oid };

pub const PG_TS_TEMPLATE: Columns = columns! { oid oid, tmplname name, tmplnamespace oid };

pub const PG_TRANSFORM: Columns = columns! { oid oid, trftype oid, trflang oid, trffromsql regproc, trftosql regproc };

pub const PG_GROUP: Columns = columns! { groname name, grosysid oid, grolist oid[] };

pub const PG_POLICIES: Columns = columns! {
    schemaname name, tablename name, policyname name, permissive text, roles name[], cmd text, qual text,
    with_check text,
};

pub const PG_RULES: Columns = columns! { schemaname name, tablename name, rulename name, definition text };

pub const PG_LOCKS: Columns = columns! {
    locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text, transactionid xid, classid oid,
    objid oid, objsubid int2, virtualtransaction text, pid int4, mode text, granted bool, fastpath bool,
    waitstart timestamptz,
};

pub const PG_PREPARED_STATEMENTS: Columns = columns! {
    name text, statement text, prepare_time timestamptz, parameter_types text[], from_sql bool, generic_plans int8,
    custom_plans int8,
};

pub const PG_PREPARED_XACTS: Columns = columns! {
    transaction xid, gid text, prepared timestamptz, owner name, database name,
};

pub const PG_CURSORS: Columns = columns! {
    name text, statement text, is_holdable bool, is_binary bool, is_scrollable bool, creation_time timestamptz,
};

pub const PG_STAT_REPLICATION: Columns = columns! {
    pid int4, usesysid oid, usename name, application_name text, state text,
};

pub const PG_REPLICATION_SLOTS: Columns = columns! {
    slot_name name, plugin name, slot_type text, datoid oid, database name, temporary bool, active bool,
};

pub const PG_PUBLICATION_TABLES: Columns = columns! {
    pubname name, schemaname name, tablename name, attnames name[], rowfilter text,
};

pub const PG_TIMEZONE_NAMES: Columns = columns! { name text, abbrev text, utc_offset interval, is_dst bool };

pub const PG_STAT_DATABASE: Columns = columns! {
    datid oid, datname name, numbackends int4, xact_commit int8, xact_rollback int8, blks_read int8, blks_hit int8,
    tup_returned int8, tup_fetched int8, tup_inserted int8, tup_updated int8, tup_deleted int8, stats_reset timestamptz,
};

pub fn nothing(_: &Known) -> Vec<Row> {
    Vec::new()
}
