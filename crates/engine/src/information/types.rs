//! PostgreSQL's types as its catalog lists them.

use highwater_model::ColumnType;
use highwater_model::time::Limit;

/// A type that `pg_type` lists; its array is listed beside it.
#[derive(Debug)]
pub struct PgType {
    /// Its oid.
    pub oid: u32,
    /// Its name in `pg_type`.
    pub name: &'static str,
    /// Its name in SQL.
    pub sql: &'static str,
    /// Bytes of a value, −1 when they vary.
    pub length: i16,
    /// `typcategory`
    pub category: char,
    /// `typtype`
    pub kind: char,
    /// Oid of the array of it, 0 when there is none.
    pub array: u32,
    /// Oid of what it consists of, for the vectors and `name`.
    pub element: u32,
}

macro_rules! types {
    ($($oid:literal $name:literal $sql:literal $length:literal $category:literal $kind:literal $array:literal $element:literal;)*) => {
        /// Every type that is not an array.
        pub const TYPES: &[PgType] = &[$(PgType {
            oid: $oid, name: $name, sql: $sql, length: $length, category: $category, kind: $kind, array: $array, element: $element,
        }),*];
    };
}

types! {
    16 "bool" "boolean" 1 'B' 'b' 1000 0;
    17 "bytea" "bytea" -1 'U' 'b' 1001 0;
    18 "char" "\"char\"" 1 'Z' 'b' 1002 0;
    19 "name" "name" 64 'S' 'b' 1003 18;
    20 "int8" "bigint" 8 'N' 'b' 1016 0;
    21 "int2" "smallint" 2 'N' 'b' 1005 0;
    22 "int2vector" "int2vector" -1 'A' 'b' 1006 21;
    23 "int4" "integer" 4 'N' 'b' 1007 0;
    24 "regproc" "regproc" 4 'N' 'b' 1008 0;
    25 "text" "text" -1 'S' 'b' 1009 0;
    26 "oid" "oid" 4 'N' 'b' 1028 0;
    27 "tid" "tid" 6 'U' 'b' 1010 0;
    28 "xid" "xid" 4 'U' 'b' 1011 0;
    29 "cid" "cid" 4 'U' 'b' 1012 0;
    30 "oidvector" "oidvector" -1 'A' 'b' 1013 26;
    114 "json" "json" -1 'U' 'b' 199 0;
    142 "xml" "xml" -1 'U' 'b' 143 0;
    194 "pg_node_tree" "pg_node_tree" -1 'Z' 'b' 0 0;
    650 "cidr" "cidr" -1 'I' 'b' 651 0;
    700 "float4" "real" 4 'N' 'b' 1021 0;
    701 "float8" "double precision" 8 'N' 'b' 1022 0;
    705 "unknown" "unknown" -2 'X' 'p' 0 0;
    829 "macaddr" "macaddr" 6 'U' 'b' 1040 0;
    869 "inet" "inet" -1 'I' 'b' 1041 0;
    1033 "aclitem" "aclitem" 12 'U' 'b' 1034 0;
    1042 "bpchar" "character" -1 'S' 'b' 1014 0;
    1043 "varchar" "character varying" -1 'S' 'b' 1015 0;
    1082 "date" "date" 4 'D' 'b' 1182 0;
    1083 "time" "time without time zone" 8 'D' 'b' 1183 0;
    1114 "timestamp" "timestamp without time zone" 8 'D' 'b' 1115 0;
    1184 "timestamptz" "timestamp with time zone" 8 'D' 'b' 1185 0;
    1186 "interval" "interval" 16 'T' 'b' 1187 0;
    1266 "timetz" "time with time zone" 12 'D' 'b' 1270 0;
    1560 "bit" "bit" -1 'V' 'b' 1561 0;
    1562 "varbit" "bit varying" -1 'V' 'b' 1563 0;
    1700 "numeric" "numeric" -1 'N' 'b' 1231 0;
    1790 "refcursor" "refcursor" -1 'U' 'b' 2201 0;
    2202 "regprocedure" "regprocedure" 4 'N' 'b' 2207 0;
    2203 "regoper" "regoper" 4 'N' 'b' 2208 0;
    2205 "regclass" "regclass" 4 'N' 'b' 2210 0;
    2206 "regtype" "regtype" 4 'N' 'b' 2211 0;
    2249 "record" "record" -1 'P' 'p' 2287 0;
    2276 "any" "\"any\"" 4 'P' 'p' 0 0;
    2277 "anyarray" "anyarray" -1 'P' 'p' 0 0;
    2278 "void" "void" 4 'P' 'p' 0 0;
    2279 "trigger" "trigger" 4 'P' 'p' 0 0;
    2283 "anyelement" "anyelement" 4 'P' 'p' 0 0;
    2950 "uuid" "uuid" 16 'U' 'b' 2951 0;
    3220 "pg_lsn" "pg_lsn" 8 'U' 'b' 3221 0;
    3614 "tsvector" "tsvector" -1 'U' 'b' 3643 0;
    3802 "jsonb" "jsonb" -1 'U' 'b' 3807 0;
    4089 "regnamespace" "regnamespace" 4 'N' 'b' 4090 0;
    4096 "regrole" "regrole" 4 'N' 'b' 4097 0;
    5069 "xid8" "xid8" 8 'U' 'b' 271 0;
    13001 "hyperloglog" "hyperloglog" -1 'U' 'b' 13101 0;
    13002 "uddsketch" "uddsketch" -1 'U' 'b' 13102 0;
    13003 "tdigest" "tdigest" -1 'U' 'b' 13103 0;
    13004 "statssummary1d" "statssummary1d" -1 'U' 'b' 13104 0;
    13005 "statssummary2d" "statssummary2d" -1 'U' 'b' 13105 0;
    13006 "candlestick" "candlestick" -1 'U' 'b' 13106 0;
    13007 "countersummary" "countersummary" -1 'U' 'b' 13107 0;
    13008 "gaugesummary" "gaugesummary" -1 'U' 'b' 13108 0;
    13009 "timeweightsummary" "timeweightsummary" -1 'U' 'b' 13109 0;
}

/// The type of an oid, and whether the oid is that of the array of it.
pub fn by_oid(oid: u32) -> Option<(&'static PgType, bool)> {
    let found = TYPES.iter().find(|t| t.oid == oid || (oid != 0 && t.array == oid))?;
    Some((found, found.oid != oid))
}

/// The oid of a type named as in SQL or as in `pg_type`.
pub fn by_name(name: &str) -> Option<u32> {
    let name = name.trim();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    if let Some(item) = name.strip_suffix("[]").or_else(|| name.strip_prefix('_')) {
        return by_name(item).and_then(by_oid).map(|(t, _)| t.array).filter(|oid| *oid != 0);
    }
    // A modifier says nothing about which type it is.
    let bare = name.split('(').next().unwrap_or(name).trim().to_lowercase();
    let bare = match bare.as_str() {
        "int" => "int4",
        "decimal" => "numeric",
        "float" => "float8",
        "char" => "bpchar",
        "timestamp" => "timestamp",
        other => other,
    };
    TYPES.iter().find(|t| t.name == bare || t.sql == bare).map(|t| t.oid)
}

/// A type with its modifier, as PostgreSQL's `format_type` writes it.
pub fn format_type(oid: u32, modifier: Option<i32>) -> String {
    let Some((found, is_array)) = by_oid(oid) else {
        return if oid == 0 { "-".to_owned() } else { "???".to_owned() };
    };
    let modifier = modifier.filter(|m| *m >= 0);
    let base = match (found.oid, modifier) {
        (1700, Some(m)) if m >= 4 => {
            // The scale has eleven bits and a sign.
            let scale = (((m - 4) & 0x7ff) ^ 1024) - 1024;
            format!("numeric({},{scale})", ((m - 4) >> 16) & 0xffff)
        }
        (1042, None) if !is_array => "bpchar".to_owned(),
        (1042 | 1043, Some(m)) if m >= 4 => format!("{}({})", found.sql, m - 4),
        (1083 | 1114 | 1184 | 1186, Some(m)) => Limit::of_modifier(m, found.oid == 1186).name(found.sql),
        _ => found.sql.to_owned(),
    };
    if is_array { format!("{base}[]") } else { base }
}

/// The oid and modifier of a column's type.
pub fn of_column(column_type: &ColumnType) -> (u32, i32) {
    match column_type {
        ColumnType::Boolean => (16, -1),
        ColumnType::SmallInt => (21, -1),
        ColumnType::Integer => (23, -1),
        ColumnType::BigInt => (20, -1),
        ColumnType::Real => (700, -1),
        ColumnType::Double => (701, -1),
        ColumnType::Numeric { precision, scale } => (1700, numeric_modifier((*precision).into(), (*scale).into())),
        ColumnType::AnyNumeric(None) => (1700, -1),
        ColumnType::AnyNumeric(Some(digits)) => (1700, numeric_modifier(digits.precision.into(), digits.scale.into())),
        ColumnType::WideNumeric { .. } => (1700, -1),
        ColumnType::Text => (25, -1),
        ColumnType::Date => (1082, -1),
        ColumnType::Time => (1083, -1),
        ColumnType::Timestamp => (1114, -1),
        ColumnType::Timestamptz => (1184, -1),
        ColumnType::Interval => (1186, -1),
        ColumnType::Uuid => (2950, -1),
        ColumnType::Bytea => (17, -1),
        ColumnType::List(item) => match item.as_ref() {
            ColumnType::Enum(kind) => (kind.array_id, -1),
            item => {
                let (item, modifier) = of_column(item);
                (by_oid(item).map_or(2277, |(t, _)| t.array), modifier)
            }
        },
        ColumnType::Struct(_) => (column_type.state_name().and_then(by_name).unwrap_or(2249), -1),
        ColumnType::Varchar(None) => (1043, -1),
        ColumnType::Varchar(Some(n)) => (1043, *n as i32 + 4),
        ColumnType::Char(n) => (1042, *n as i32 + 4),
        ColumnType::Json => (114, -1),
        ColumnType::Jsonb => (3802, -1),
        ColumnType::Inet => (869, -1),
        ColumnType::Cidr => (650, -1),
        ColumnType::Enum(kind) => (kind.id, -1),
        ColumnType::Limited(of, limit) => (of_column(of).0, limit.modifier(**of == ColumnType::Interval)),
    }
}

fn numeric_modifier(precision: i32, scale: i32) -> i32 {
    ((precision << 16) | (scale & 0x7ff)) + 4
}

/// Bytes of a value of a type, −1 when they vary.
pub fn length(oid: u32) -> i16 {
    by_oid(oid).map_or(-1, |(t, is_array)| if is_array { -1 } else { t.length })
}

/// The collation of a type: the default one for text, none for others.
pub fn collation(oid: u32) -> u32 {
    match by_oid(oid) {
        Some((t, _)) if t.name == "name" => 950,
        Some((t, _)) if t.category == 'S' => 100,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_by_any_of_their_names() {
        for (name, oid) in [
            ("int4", 23),
            ("integer", 23),
            ("double precision", 701),
            ("text[]", 1009),
            ("_int8", 1016),
            ("numeric(10,2)", 1700),
        ] {
            assert_eq!(by_name(name), Some(oid), "{name}");
        }
    }

    #[test]
    fn every_state_is_listed() {
        for kind in crate::state::value::Kind::ALL {
            let column_type = highwater_store::schema::column_type(&kind.data_type()).expect("states are kept");
            let listed = by_oid(of_column(&column_type).0).map(|(t, _)| t.name);
            assert_eq!(listed, Some(kind.name()));
        }
    }

    #[test]
    fn modifiers_are_written_as_declared() {
        let (oid, modifier) = of_column(&ColumnType::Numeric { precision: 10, scale: 2 });
        assert_eq!(format_type(oid, Some(modifier)), "numeric(10,2)");
        let thousands = ColumnType::AnyNumeric(Some(highwater_model::Digits { precision: 2, scale: -3 }));
        assert_eq!(format_type(1700, Some(of_column(&thousands).1)), "numeric(2,-3)");
        assert_eq!(format_type(1115, None), "timestamp without time zone[]");
    }
}
