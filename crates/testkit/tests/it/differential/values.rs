//! The values that are tried of each type: limits, zeros, what is not finite, what is not regular.

/// A type, by its name in `pg_type`, and the texts of values of it.
pub const VALUES: &[(&str, &[&str])] = &[
    ("bool", &["t", "f"]),
    ("int2", &["0", "1", "-1", "7", "32767", "-32768"]),
    ("int4", &["0", "1", "-1", "7", "12", "2147483647", "-2147483648"]),
    ("int8", &["0", "1", "-1", "42", "9223372036854775807", "-9223372036854775808"]),
    (
        "numeric",
        &[
            "0",
            "1",
            "-1",
            "0.5",
            "-0.5",
            "1.50",
            "2.5",
            "-7.25",
            "12345.678",
            "-99999999.99",
            "0.0000001",
            "0.000",
            "1.000",
            "123456789012345678901234567890.123456789",
            "-1e-30",
            "NaN",
            "Infinity",
            "-Infinity",
        ],
    ),
    ("float4", &["0", "-0", "1", "-1.5", "0.1", "2.5", "1e6", "3.4028235e38", "1e-45", "NaN", "Infinity", "-Infinity"]),
    (
        "float8",
        &[
            "0",
            "-0",
            "1",
            "-1.5",
            "0.1",
            "2.5",
            "123456.789",
            "1e15",
            "1.7976931348623157e308",
            "5e-324",
            "NaN",
            "Infinity",
            "-Infinity",
        ],
    ),
    (
        "text",
        &[
            "",
            "a",
            "abc",
            "ABC",
            "Hello World",
            " x ",
            "ähm ß Ω",
            "%",
            "a_c",
            "\\",
            "123",
            "-1.5",
            "2024-02-29",
            "aXbXc",
            "it's",
            "1 day",
        ],
    ),
    (
        "date",
        &[
            "2024-02-29",
            "1970-01-01",
            "1999-12-31",
            "2000-01-01",
            "2021-01-03",
            "2024-03-31",
            "0044-03-15 BC",
            "4713-11-24 BC",
            "5874897-12-31",
            "infinity",
            "-infinity",
        ],
    ),
    ("time", &["00:00", "24:00", "12:34:56.789", "23:59:59.999999", "00:00:00.000001", "01:30"]),
    (
        "timestamp",
        &[
            "2024-02-29 12:34:56.789",
            "1970-01-01 00:00",
            "1999-12-31 23:59:59.999999",
            "2021-01-03 05:06:07",
            "2001-01-31 00:00",
            "2024-03-31 02:30",
            "2024-10-27 02:30",
            "0044-03-15 12:00 BC",
            "4713-11-24 00:00 BC",
            "294246-12-31 23:59:59.999999",
            "infinity",
            "-infinity",
        ],
    ),
    (
        "timestamptz",
        &[
            "2024-02-29 12:34:56.789+00",
            "1970-01-01 00:00+00",
            "1999-12-31 23:59:59.999999+00",
            "2021-01-03 05:06:07+02",
            "2001-01-31 00:00+00",
            "2024-03-31 01:30+00",
            "2024-10-27 00:30+00",
            "1890-06-01 12:00+00",
            "0044-03-15 12:00+00 BC",
            "294246-12-31 00:00+00",
            "infinity",
            "-infinity",
        ],
    ),
    (
        "interval",
        &[
            "0",
            "1 day",
            "-1 day",
            "1 mon",
            "1 year 2 mons 3 days 04:05:06.789",
            "-1 mon 1 day -00:00:01",
            "24:00",
            "36:00:00",
            "30 days",
            "1 mon -30 days",
            "00:00:00.000001",
            "-3 days 12:00",
            "178000000 years",
            "100:20:00",
            "1 year -1 mon",
        ],
    ),
    (
        "uuid",
        &[
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ],
    ),
    ("bytea", &["\\x", "\\x00", "\\xff00", "\\x616263"]),
];

/// A literal without a type.
pub const UNKNOWN: &str = "unknown";

/// The texts of values of a type.
pub fn of(name: &str) -> &'static [&'static str] {
    VALUES.iter().find(|(known, _)| *known == name).map_or(&[], |(_, values)| values)
}

/// A value in SQL: of this type, as a person would write it where that has a form of its own.
pub fn literal(name: &str, value: Option<&str>) -> String {
    let Some(value) = value else {
        return if name == UNKNOWN { "NULL".to_owned() } else { format!("NULL::{name}") };
    };
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    match name {
        UNKNOWN => quoted(value),
        "bool" => if value == "t" { "true" } else { "false" }.to_owned(),
        "int4" if digits => value.to_owned(),
        "numeric" if value.contains('.') && !value.starts_with('-') => value.to_owned(),
        _ => format!("{}::{name}", quoted(value)),
    }
}

/// A text in quotes.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What is tried in place of the values of its type for an argument of a function, where most of them would
/// only give errors, or too much.
pub fn of_argument(function: &str, argument: usize) -> Option<&'static [&'static str]> {
    const FIELDS: &[&str] = &[
        "microseconds",
        "milliseconds",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
        "decade",
        "century",
        "millennium",
        "Days",
        "fortnight",
        "",
    ];
    const PARTS: &[&str] = &[
        "microseconds",
        "milliseconds",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
        "decade",
        "century",
        "millennium",
        "epoch",
        "dow",
        "isodow",
        "doy",
        "isoyear",
        "julian",
        "timezone",
        "timezone_hour",
        "timezone_minute",
        "DOW",
        "fortnight",
    ];
    const FORMATS: &[&str] = &[
        "YYYY-MM-DD HH24:MI:SS",
        "YYYY-MM-DD\"T\"HH24:MI:SS.MS",
        "Day, DD Mon YYYY",
        "FMDay FMDD FMMonth",
        "HH12:MI AM",
        "hh:mi p.m.",
        "IYYY-IW-ID",
        "DDD D J Q WW W",
        "YY Y,YYY Y CC",
        "US MS FF3 SSSS",
        "TZ tz OF TZH:TZM",
        "DDth ddTH",
        "MONTH mon RM rm",
        "BC B.C. ad",
        "\"quoted\" YYYY \\\"",
        "FMYYYY-FMMM-FMDD",
        "9.9",
        "999D99",
        "S000",
        "0999.90",
        "FM999990.00",
        "L9G999G999",
        "PL99",
        "RN",
        "9.99EEEE",
        "MI99PR",
        "99V99",
        "",
    ];
    const COUNTS: &[&str] = &["-1", "0", "1", "2", "5", "12"];
    const PATTERNS: &[&str] =
        &["a", "b.", "^a", "(x)|(b)", "[a-c]+", "(?i)h", "\\d+", "\\mW", "X", "", "(", "a*", "l{2}", "[[:alpha:]]+"];
    const FLAGS: &[&str] = &["", "g", "i", "gi", "n", "x", "z"];
    Some(match (function, argument) {
        ("date_trunc", 0) => FIELDS,
        ("date_part" | "extract", 0) => PARTS,
        ("to_char", 1) => FORMATS,
        ("to_date" | "to_timestamp" | "to_number", 1) => FORMATS,
        ("to_date" | "to_timestamp", 0) => {
            &["2024-02-29 12:34:56", "05 Dec 2000", "2024-02-30", "20240229", "", "2024-061", "abc", "1997-W03", "4 AM"]
        }
        ("to_number", 0) => &["12,454.8-", "-12.3", "", "abc", "1,234", "<12>", "00042", "12"],
        ("timezone", 0) | ("date_trunc", 2) | ("make_timestamptz", 6) => {
            &["UTC", "Europe/Berlin", "america/new_york", "+05:30", "-3", "EST", "Mars/Olympus", "", "CET"]
        }
        ("repeat" | "lpad" | "rpad", 1) => COUNTS,
        ("chr", 0) => &["-1", "0", "1", "65", "233", "8364", "1114112"],
        ("factorial", 0) => &["-1", "0", "1", "5", "20"],
        ("encode", 1) | ("decode", 1) => &["hex", "base64", "escape", "HEX", "nope"],
        ("decode", 0) => &["", "616263", "YWJj", "a", "zz", "\\000a", "6162 63"],
        ("regexp_replace" | "regexp_match" | "regexp_matches" | "regexp_count" | "regexp_like" | "regexp_instr", 1)
        | ("regexp_split_to_array" | "regexp_substr" | "substring", 1) => PATTERNS,
        ("regexp_replace", 3) | ("regexp_match" | "regexp_like", 2) | ("regexp_count", 3) => FLAGS,
        ("regexp_replace", 2) => &["", "-", "\\1", "[\\&]", "\\\\"],
        ("regexp_count" | "regexp_instr" | "regexp_substr", 2) => &["1", "2", "0", "20"],
        ("split_part", 1) => &["X", "", " ", "b", "l"],
        ("split_part", 2) => &["1", "2", "-1", "0", "9"],
        ("translate", 1) => &["abc", "", "aXl", "ä"],
        ("translate", 2) => &["xy", "", "123"],
        ("btrim" | "ltrim" | "rtrim", 1) => &[" ", "a", "", "ac", " xH"],
        ("substr", 1) | ("left" | "right", 1) => &["-2147483648", "-2", "0", "1", "3", "2147483647"],
        ("substr" | "substring", 2) => &["-1", "0", "2", "2147483647"],
        ("overlay", 2) => &["-1", "0", "1", "3", "40"],
        ("overlay", 3) => &["-1", "0", "2"],
        ("make_date" | "make_timestamp" | "make_timestamptz", 0) => &["2024", "2023", "-44", "0", "300000"],
        ("make_date" | "make_timestamp" | "make_timestamptz", 1) => &["1", "2", "12", "13", "0"],
        ("make_date" | "make_timestamp" | "make_timestamptz", 2) => &["1", "29", "31", "0"],
        ("make_timestamp" | "make_timestamptz", 3) | ("make_time", 0) => &["0", "2", "23", "24", "25", "-1"],
        ("make_timestamp" | "make_timestamptz", 4) | ("make_time", 1) => &["0", "30", "59", "60", "-1"],
        ("make_timestamp" | "make_timestamptz", 5) | ("make_time", 2) => &["0", "7.5", "59.9999999", "60", "-1", "61"],
        ("make_interval", 6) => &["0", "1.5", "-0.000001", "1e20"],
        ("make_interval", _) => &["0", "1", "-13", "100", "2147483647"],
        ("width_bucket", 3) => &["0", "1", "4", "2147483647"],
        ("power" | "pow", 1) => &["0", "1", "-1", "2", "0.5", "-2", "1000"],
        ("exp", 0) => &["0", "1", "-1", "0.5", "2.5", "-7.25", "100", "1000"],
        ("round" | "trunc", 1) => &["0", "1", "-1", "2", "5", "-3"],
        ("ntile", 0) => &["1", "3", "0"],
        _ => return None,
    })
}
