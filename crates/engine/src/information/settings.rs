//! Settings that PostgreSQL has, clients ask for, and nothing here depends on.

/// Name and value.
pub const ACCEPTED: &[(&str, &str)] = &[
    ("autovacuum", "off"),
    ("block_size", "8192"),
    ("data_checksums", "on"),
    ("default_table_access_method", "heap"),
    ("default_tablespace", ""),
    ("default_transaction_deferrable", "off"),
    ("in_hot_standby", "off"),
    ("jit", "off"),
    ("lc_collate", "C.UTF-8"),
    ("lc_ctype", "C.UTF-8"),
    ("lc_messages", "C.UTF-8"),
    ("lc_monetary", "C.UTF-8"),
    ("lc_numeric", "C.UTF-8"),
    ("lc_time", "C.UTF-8"),
    ("max_connections", "100"),
    ("max_index_keys", "32"),
    ("port", "5432"),
    ("role", "none"),
    ("row_security", "on"),
    ("session_replication_role", "origin"),
    ("timescaledb.license", "timescale"),
    ("transaction_deferrable", "off"),
    ("wal_level", "replica"),
    ("work_mem", "4MB"),
    ("xmloption", "content"),
];

/// The value of such a setting.
pub fn accepted(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    ACCEPTED.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
