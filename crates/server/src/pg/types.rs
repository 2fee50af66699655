//! PostgreSQL's types as clients know them: oids, sizes, and how Arrow's types map to them.

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use highwater_model::ColumnType;
pub use highwater_store::schema::PG_TYPE;
use std::sync::Arc;

/// A PostgreSQL type.
#[derive(Debug, PartialEq, Eq)]
pub struct PgType {
    /// Its name in `pg_type`.
    pub name: &'static str,
    /// Its oid.
    pub oid: u32,
    /// Bytes of a value, `-1` when they vary, `-2` when it ends with a zero.
    pub size: i16,
    /// Oid of the array of it; 0 when there is none.
    pub array_oid: u32,
}

macro_rules! types {
    ($($constant:ident $name:literal $oid:literal $size:literal $array:literal;)*) => {
        $(
            #[doc = concat!("`", $name, "`")]
            pub const $constant: &PgType = &PgType { name: $name, oid: $oid, size: $size, array_oid: $array };
        )*
        static ALL: &[&PgType] = &[$($constant),*];
    };
}

types! {
    BOOL "bool" 16 1 1000;
    BYTEA "bytea" 17 -1 1001;
    CHAR "char" 18 1 1002;
    NAME "name" 19 64 1003;
    INT8 "int8" 20 8 1016;
    INT2 "int2" 21 2 1005;
    INT2VECTOR "int2vector" 22 -1 1006;
    INT4 "int4" 23 4 1007;
    REGPROC "regproc" 24 4 1008;
    TEXT "text" 25 -1 1009;
    OID "oid" 26 4 1028;
    TID "tid" 27 6 1010;
    XID "xid" 28 4 1011;
    CID "cid" 29 4 1012;
    OIDVECTOR "oidvector" 30 -1 1013;
    JSON "json" 114 -1 199;
    XML "xml" 142 -1 143;
    PG_NODE_TREE "pg_node_tree" 194 -1 0;
    CIDR "cidr" 650 -1 651;
    FLOAT4 "float4" 700 4 1021;
    FLOAT8 "float8" 701 8 1022;
    UNKNOWN "unknown" 705 -2 0;
    MACADDR "macaddr" 829 6 1040;
    INET "inet" 869 -1 1041;
    ACLITEM "aclitem" 1033 12 1034;
    BPCHAR "bpchar" 1042 -1 1014;
    VARCHAR "varchar" 1043 -1 1015;
    DATE "date" 1082 4 1182;
    TIME "time" 1083 8 1183;
    TIMESTAMP "timestamp" 1114 8 1115;
    TIMESTAMPTZ "timestamptz" 1184 8 1185;
    INTERVAL "interval" 1186 16 1187;
    TIMETZ "timetz" 1266 12 1270;
    NUMERIC "numeric" 1700 -1 1231;
    REFCURSOR "refcursor" 1790 -1 2201;
    REGPROCEDURE "regprocedure" 2202 4 2207;
    REGOPER "regoper" 2203 4 2208;
    REGCLASS "regclass" 2205 4 2210;
    REGTYPE "regtype" 2206 4 2211;
    RECORD "record" 2249 -1 2287;
    ANYARRAY "anyarray" 2277 -1 0;
    VOID "void" 2278 4 0;
    UUID "uuid" 2950 16 2951;
    PG_LSN "pg_lsn" 3220 8 3221;
    JSONB "jsonb" 3802 -1 3807;
    REGNAMESPACE "regnamespace" 4089 4 4090;
    REGROLE "regrole" 4096 4 4097;
    XID8 "xid8" 5069 8 271;
    HYPERLOGLOG "hyperloglog" 13001 -1 13101;
    UDDSKETCH "uddsketch" 13002 -1 13102;
    TDIGEST "tdigest" 13003 -1 13103;
    STATS_SUMMARY_1D "statssummary1d" 13004 -1 13104;
    STATS_SUMMARY_2D "statssummary2d" 13005 -1 13105;
    CANDLESTICK "candlestick" 13006 -1 13106;
    COUNTER_SUMMARY "countersummary" 13007 -1 13107;
    GAUGE_SUMMARY "gaugesummary" 13008 -1 13108;
    TIME_WEIGHT_SUMMARY "timeweightsummary" 13009 -1 13109;
}

/// What a client is told of one column or parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The type of the value, or of its elements when it is an array.
    pub element: &'static PgType,
    /// Whether it is an array.
    pub is_array: bool,
    /// Precision and scale as PostgreSQL packs them, or `-1`.
    pub modifier: i32,
    /// Of an enumeration, its oid and that of the array of it, which [`ENUM`] has none of.
    pub enum_oids: (u32, u32),
}

/// Any enumeration.
pub const ENUM: &PgType = &PgType { name: "enum", oid: 0, size: 4, array_oid: 0 };

impl Described {
    /// The oid to announce.
    pub fn oid(&self) -> u32 {
        let (oid, array_oid) = match self.element.oid {
            0 => self.enum_oids,
            oid => (oid, self.element.array_oid),
        };
        if self.is_array { array_oid } else { oid }
    }

    /// The size to announce.
    pub fn size(&self) -> i16 {
        if self.is_array { -1 } else { self.element.size }
    }

    /// Whether it is an `int2vector` or `oidvector`: a list in Arrow, but not an array in PostgreSQL.
    pub fn is_vector(&self) -> bool {
        !self.is_array && matches!(self.element.oid, 22 | 30)
    }

    /// What is known of a field.
    pub fn of_field(field: &Field) -> Described {
        let from_arrow = Described::of(field.data_type());
        if let Some(column_type) = highwater_store::schema::field_type(field)
            && let Some(described) = Described::of_marked(&column_type)
        {
            return described;
        }
        let Some(name) = field.metadata().get(PG_TYPE) else { return from_arrow };
        let element_name = name.strip_suffix("[]").or_else(|| name.strip_prefix('_'));
        match by_name(element_name.unwrap_or(name)) {
            // A vector is a list in Arrow, but not an array of vectors.
            Some(element) => Described {
                element,
                is_array: element_name.is_some()
                    || (from_arrow.is_array && !matches!(element.oid, 22 | 30 | 2277 | 25 | 114 | 3802)),
                modifier: if element == from_arrow.element { from_arrow.modifier } else { -1 },
                enum_oids: (0, 0),
            },
            None => from_arrow,
        }
    }

    /// What a type is whose Arrow type does not tell; `None` for others.
    fn of_marked(column_type: &ColumnType) -> Option<Described> {
        let plain = |element| Some(Described { element, is_array: false, modifier: -1, enum_oids: (0, 0) });
        match column_type {
            ColumnType::Varchar(None) => plain(VARCHAR),
            ColumnType::Varchar(Some(n)) => Some(Described { modifier: *n as i32 + 4, ..plain(VARCHAR)? }),
            ColumnType::Char(n) => Some(Described { modifier: *n as i32 + 4, ..plain(BPCHAR)? }),
            ColumnType::Json => plain(JSON),
            ColumnType::Jsonb => plain(JSONB),
            ColumnType::Inet => plain(INET),
            ColumnType::Cidr => plain(CIDR),
            ColumnType::Enum(kind) => Some(Described { enum_oids: (kind.id, kind.array_id), ..plain(ENUM)? }),
            ColumnType::AnyNumeric(Some(digits)) => {
                Some(Described { modifier: numeric_modifier(digits.precision, digits.scale), ..plain(NUMERIC)? })
            }
            ColumnType::Limited(of, limit) => {
                let of = Described::of(&highwater_store::schema::arrow_type(of));
                Some(Described { modifier: limit.modifier(of.element == INTERVAL), ..of })
            }
            ColumnType::List(item) => Some(Described { is_array: true, ..Described::of_marked(item)? }),
            _ => None,
        }
    }

    /// What an Arrow type is in PostgreSQL.
    pub fn of(data_type: &DataType) -> Described {
        let plain = |element| Described { element, is_array: false, modifier: -1, enum_oids: (0, 0) };
        match data_type {
            DataType::Boolean => plain(BOOL),
            DataType::Int8 | DataType::UInt8 | DataType::Int16 => plain(INT2),
            DataType::Int32 | DataType::UInt16 => plain(INT4),
            DataType::UInt32 => plain(OID),
            DataType::Int64 | DataType::UInt64 => plain(INT8),
            DataType::Float16 | DataType::Float32 => plain(FLOAT4),
            DataType::Float64 => plain(FLOAT8),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale) => {
                Described { modifier: numeric_modifier((*precision).into(), (*scale).into()), ..plain(NUMERIC) }
            }
            DataType::Decimal256(_, _) | DataType::LargeBinary => plain(NUMERIC),
            DataType::Binary | DataType::BinaryView | DataType::FixedSizeBinary(..=15 | 17..) => plain(BYTEA),
            DataType::FixedSizeBinary(16) => plain(UUID),
            DataType::Date32 | DataType::Date64 => plain(DATE),
            DataType::Time32(_) | DataType::Time64(_) => plain(TIME),
            DataType::Timestamp(_, None) => plain(TIMESTAMP),
            DataType::Timestamp(_, Some(_)) => plain(TIMESTAMPTZ),
            DataType::Interval(_) | DataType::Duration(_) => plain(INTERVAL),
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::FixedSizeList(item, _)
            | DataType::ListView(item)
            | DataType::LargeListView(item) => Described { is_array: true, ..Described::of_field(item) },
            DataType::Dictionary(_, value) => Described::of(value),
            // A state has one field, which has the name of its type.
            DataType::Struct(fields) => match fields.as_ref() {
                [field] if *field.data_type() == DataType::Binary => plain(by_name(field.name()).unwrap_or(RECORD)),
                _ => plain(RECORD),
            },
            _ => plain(TEXT),
        }
    }
}

fn numeric_modifier(precision: u16, scale: i16) -> i32 {
    ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4
}

/// The type of a name, also by the names that SQL has for some.
pub fn by_name(name: &str) -> Option<&'static PgType> {
    ALL.iter().copied().find(|t| t.name == name)
}

/// The type of an oid, and whether the oid is that of the array of it.
pub fn by_oid(oid: u32) -> Option<(&'static PgType, bool)> {
    ALL.iter().find_map(|t| {
        if t.oid == oid {
            Some((*t, false))
        } else if oid != 0 && t.array_oid == oid {
            Some((*t, true))
        } else {
            None
        }
    })
}

/// The Arrow type that a parameter declared with this oid has; `None` when the statement is to tell.
pub fn arrow_type(oid: u32) -> Option<DataType> {
    let (element, is_array) = by_oid(oid)?;
    let data_type = match element.oid {
        16 => DataType::Boolean,
        17 => DataType::Binary,
        20 => DataType::Int64,
        21 => DataType::Int16,
        23 => DataType::Int32,
        26 => DataType::UInt32,
        700 => DataType::Float32,
        701 => DataType::Float64,
        1082 => DataType::Date32,
        1083 => DataType::Time64(TimeUnit::Microsecond),
        1114 => DataType::Timestamp(TimeUnit::Microsecond, None),
        1184 => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        1186 => DataType::Interval(IntervalUnit::MonthDayNano),
        2950 => DataType::FixedSizeBinary(16),
        18 | 19 | 25 | 1042 | 1043 => DataType::Utf8,
        // A number of unknown precision takes the precision of what it meets; the rest has no Arrow type.
        _ => return None,
    };
    Some(if is_array { DataType::List(Arc::new(Field::new("item", data_type, true))) } else { data_type })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn check(data_type: DataType, oid: u32, size: i16, modifier: i32) {
        let described = Described::of(&data_type);
        assert_eq!((described.oid(), described.size(), described.modifier), (oid, size, modifier), "{data_type}");
    }

    #[test]
    fn arrow_types_have_oids() {
        check(DataType::Boolean, 16, 1, -1);
        check(DataType::Int16, 21, 2, -1);
        check(DataType::Int32, 23, 4, -1);
        check(DataType::Int64, 20, 8, -1);
        check(DataType::UInt32, 26, 4, -1);
        check(DataType::UInt64, 20, 8, -1);
        check(DataType::Float32, 700, 4, -1);
        check(DataType::Float64, 701, 8, -1);
        check(DataType::Decimal128(10, 2), 1700, -1, (10 << 16 | 2) + 4);
        check(DataType::LargeBinary, 1700, -1, -1);
        check(DataType::Utf8, 25, -1, -1);
        check(DataType::Null, 25, -1, -1);
        check(DataType::FixedSizeBinary(16), 2950, 16, -1);
        check(DataType::Timestamp(TimeUnit::Nanosecond, None), 1114, 8, -1);
        check(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), 1184, 8, -1);
        check(DataType::List(Arc::new(Field::new("item", DataType::Int64, true))), 1016, -1, -1);
        check(DataType::Struct(Default::default()), 2249, -1, -1);
    }

    #[test]
    fn metadata_names_the_type() {
        let named = |data_type: DataType, name: &str| {
            let field =
                Field::new("x", data_type, true).with_metadata(HashMap::from([(PG_TYPE.to_owned(), name.to_owned())]));
            Described::of_field(&field).oid()
        };
        assert_eq!(named(DataType::Utf8, "name"), 19);
        assert_eq!(named(DataType::Utf8, "jsonb"), 3802);
        assert_eq!(named(DataType::UInt32, "regclass"), 2205);
        assert_eq!(named(DataType::Utf8, "no such type"), 25);
        let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
        assert_eq!(named(list.clone(), "name[]"), 1003);
        assert_eq!(named(list.clone(), "_name"), 1003);
        assert_eq!(named(list.clone(), "name"), 1003);
        assert_eq!(named(list, "oidvector"), 30);
    }

    #[test]
    fn declared_oids_have_arrow_types() {
        for oid in [16, 17, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 2950, 25, 1016, 1009, 1185] {
            let data_type = arrow_type(oid).unwrap();
            assert_eq!(Described::of(&data_type).oid(), oid);
        }
        assert_eq!(arrow_type(0), None);
        assert_eq!(arrow_type(705), None);
    }
}
