//! The differences that are known, each with a reason.

use super::answer::{Answer, Difference, Row};

/// A difference that is accepted.
pub struct Accepted {
    /// Why.
    pub reason: &'static str,
    /// Whether a difference is of this kind.
    pub is: fn(&Difference) -> bool,
}

const fn because(reason: &'static str, is: fn(&Difference) -> bool) -> Accepted {
    Accepted { reason, is }
}

/// All of them. The first that fits counts.
pub const ACCEPTED: &[Accepted] = &[
    because("a numeric of at most 38 digits is not NaN or infinite", |d| {
        highwater_fails(d, &["0A000"]) && d.statement.contains("numeric(")
    }),
    because("extract gives six digits after the point, and nothing of an infinite time", |d| {
        d.case.starts_with("extract julian") || refused(d, &["the field of an infinite time"])
    }),
    because("refused: roman numerals in to_char", |d| refused(d, &["roman numerals"])),
    because("which of 0 and −0 stands for both, and that −0 is sorted before 0", |d| {
        d.case.starts_with("order of float")
            || cells_as(d, |cell| if cell == "-0" { "0".to_owned() } else { cell.to_owned() })
    }),
    because("the last digits of floats that are computed in another order or by another library", same_floats),
    because("statistics of floats that overflow are infinite or not a number", |d| {
        of_float_statistics(d) && (sqlstate(&d.postgresql) == Some("22003") || both_rows(d))
    }),
    because("refused: OVERLAPS, LATERAL over outer columns, EXCEPT ALL, USING with FULL JOIN", |d| {
        const WORDS: &[&str] =
            &["literals are supported in tuples", "OuterReferenceColumn", "ALL is not supported", "JOIN with USING"];
        refused(d, WORDS) || (d.case.starts_with("overlaps") && sqlstate(&d.highwater) == Some("0A000"))
    }),
    because(
        "refused: frames that slide over bit_and, bool_or and their like, defaults of lead that are columns",
        |d| refused(d, &["sliding accumulator", "support Literal types"]),
    ),
    because("refused: EXCLUDE, BETWEEN SYMMETRIC, COLLATE after a cast", |d| {
        sqlstate(&d.highwater) == Some("42601")
            && ["EXCLUDE", "SYMMETRIC", "COLLATE"].iter().any(|word| d.statement.contains(word))
    }),
    because("there is no time with time zone", |d| {
        d.statement.contains("AT TIME ZONE") && d.statement.contains("::time") && says(d, "42883", "timezone(")
    }),
    because("a time of day is taken for an interval in sums of times only", |d| {
        let of_time = d.case.split(' ').any(|word| word == "time");
        of_time && matches!(sqlstate(&d.highwater), Some("42883" | "42804"))
    }),
    because("a date later than any timestamp cannot be compared with one, and has no parts", |d| {
        d.statement.contains("5874897") && highwater_fails(d, &["22008"])
    }),
    because("the time of day of an interval is kept in nanoseconds, so it ends after 292 years", |d| {
        highwater_fails(d, &["22008"]) && says(d, "22008", "interval out of range")
    }),
    because("timestamps begin and end some decades earlier, and are not checked where they are cut", |d| {
        let far = d.statement.contains("2942") || d.statement.contains("4713");
        far && (highwater_fails(d, &["22008"])
            || (sqlstate(&d.postgresql) == Some("22008") && d.case.contains("date_trunc")))
    }),
    because("infinite times are checked as finite ones are: zones must exist, and there is no age", |d| {
        d.statement.contains("infinity") && highwater_fails(d, &["22023", "22008"])
    }),
    because("fields and zones are checked before a NULL is seen", |d| {
        d.statement.contains("NULL") && highwater_fails(d, &["22023", "2201B"])
    }),
    because("intervals of one length that are written otherwise are not one group, and are averaged by parts", |d| {
        d.case.ends_with("of interval") || (d.case.starts_with("aggregate") && d.case.ends_with("(interval)"))
    }),
    because("regular expressions are those of a library that knows no flags n and no start in regexp_replace", |d| {
        let words = ["regexp_", " ~ ", " ~* ", " !~ ", " !~* ", "substring(", "similar_to_escape"];
        words.iter().any(|word| d.statement.contains(word))
    }),
    because("bytea has no LIKE, no trimming and no string_agg", |d| {
        d.statement.contains("bytea") && ["LIKE", "trim(", "string_agg("].iter().any(|word| d.statement.contains(word))
    }),
    because("of two errors in one statement, another is told", |d| {
        matches!((sqlstate(&d.postgresql), sqlstate(&d.highwater)), (Some(_), Some(_)))
            && ["read ", "operator unknown", "operator time", "coalesce", "greatest", "least"]
                .iter()
                .any(|case| d.case.starts_with(case))
    }),
    because("a pattern of LIKE may end with its escape character", |d| sqlstate(&d.postgresql) == Some("22025")),
    because("an interval is read from a text that is a timestamp, too", |d| {
        (d.case.contains("+ unknown") || d.case.starts_with("operator unknown"))
            && sqlstate(&d.postgresql) == Some("22007")
    }),
    because("formats that make no sense, abbreviations of zones, escaped quotes in to_char and its like", |d| {
        ["function to_char", "function to_date", "function to_number", "function to_timestamp"]
            .iter()
            .any(|case| d.case.starts_with(case))
    }),
    because("PostgreSQL counts weeks in 32 bits, and date_bin in fewer", |d| {
        d.case.starts_with("function make_interval") || d.case.starts_with("function date_bin")
    }),
    because("a float is not read from hexadecimal digits", |d| d.statement.contains("0x10")),
    because("there are no operators of jsonb", |d| d.case == "operator unknown - text"),
    because("arrays", |d| d.case == "form arrays" || d.statement.contains("ANY ('{")),
    because("a series that is selected is of bigint", |d| d.statement.contains("generate_series(") && both_rows(d)),
    because("accepted although PostgreSQL refuses it, or refused with another code", |d| {
        LENIENT.contains(&&*d.statement)
    }),
    because("open", |d| OPEN.contains(&&*d.statement)),
];

/// What is taken where PostgreSQL is stricter, and what is refused with another code.
pub const LENIENT: &[&str] = &[
    "SELECT NULL + NULL",
    "SELECT n AS x FROM grouped ORDER BY x + 1",
    "SELECT kind AS k, count(*) FROM grouped GROUP BY k HAVING k = 'a'",
    "SELECT * FROM grouped LIMIT 'a'",
    "SELECT a FROM (SELECT 1 AS a, 2 AS a) x",
    "SELECT * FROM (SELECT a FROM left_side WHERE a = 1)",
    "SELECT 1 < 2 = true",
    "SELECT sum('a')",
    "SELECT count()",
    "SELECT row_number() OVER (), lag(x) OVER (ORDER BY x), percentile_cont(0.5) WITHIN GROUP (ORDER BY x) OVER () FROM (VALUES (1)) v(x)",
    "SELECT nosuch.nosuch()",
    "SELECT lower(DISTINCT 'A')",
    "SELECT 1 WHERE 'x'",
    "SELECT 1 = ALL (1)",
    "SELECT 5 !",
    "SELECT ~~ 5",
    "SELECT 'a' COLLATE \"nosuch\"",
    "SELECT time '12:00' + time '12:00'",
    "SELECT date_trunc('day', '2024-02-29')",
    "SELECT t, x FROM windowed WHERE row_number() OVER (ORDER BY t) = 1",
    "SELECT row_number() FROM windowed",
    "SELECT upper(g) OVER () FROM windowed",
    "SELECT lag(x) IGNORE NULLS OVER (ORDER BY t) FROM windowed",
];

/// Defects.
pub const OPEN: &[&str] = &[
    "SELECT kind, day::date, grouping(kind, day::date) FROM grouped GROUP BY GROUPING SETS ((kind), (day::date)) ORDER BY 1, 2, 3",
];

fn of_float_statistics(d: &Difference) -> bool {
    let words = ["avg(", "stddev", "var_", "variance(", "corr(", "covar_", "regr_"];
    d.statement.contains("float8") && words.iter().any(|word| d.statement.contains(word))
}

fn both_rows(d: &Difference) -> bool {
    sqlstate(&d.postgresql).is_none() && sqlstate(&d.highwater).is_none()
}

/// Whether Highwater has an error with this code and these words.
fn says(d: &Difference, code: &str, words: &str) -> bool {
    matches!(&d.highwater, Answer::Error { sqlstate, message } if sqlstate == code && message.contains(words))
}

/// Whether PostgreSQL has rows and Highwater refuses with one of these words.
fn refused(d: &Difference, words: &[&str]) -> bool {
    sqlstate(&d.postgresql).is_none() && words.iter().any(|words| says(d, "0A000", words))
}

/// Whether columns of floats differ in their last digits.
fn same_floats(d: &Difference) -> bool {
    let of_floats = matches!(&d.postgresql, Answer::Rows { types, .. } if types.iter().any(|t| t.starts_with("float")));
    of_floats && rows_alike(d, |a, b| a == b, |a, b| near(a, b).unwrap_or(false))
}

/// Whether two texts are numbers with a dozen digits in common.
fn near(a: &str, b: &str) -> Option<bool> {
    let (a, b): (f64, f64) = (a.parse().ok()?, b.parse().ok()?);
    Some((a - b).abs() <= 1e-12 * a.abs().max(b.abs()))
}

fn sqlstate(answer: &Answer) -> Option<&str> {
    match answer {
        Answer::Error { sqlstate, .. } => Some(sqlstate),
        Answer::Rows { .. } => None,
    }
}

/// Whether PostgreSQL has rows and Highwater an error with one of these codes.
fn highwater_fails(d: &Difference, codes: &[&str]) -> bool {
    sqlstate(&d.postgresql).is_none() && sqlstate(&d.highwater).is_some_and(|code| codes.contains(&code))
}

/// Whether both have the same columns, and rows that are alike.
fn rows_alike(d: &Difference, types_alike: impl Fn(&str, &str) -> bool, alike: impl Fn(&str, &str) -> bool) -> bool {
    let (
        Answer::Rows { names, types, rows },
        Answer::Rows { names: other_names, types: other_types, rows: other_rows },
    ) = (&d.postgresql, &d.highwater)
    else {
        return false;
    };
    let cells = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => a == b || alike(a, b),
        (a, b) => a == b,
    };
    let each = |a: &Row, b: &Row| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| cells(a, b));
    let (mut rows, mut other_rows) = (rows.clone(), other_rows.clone());
    if !d.statement.contains("ORDER BY") {
        rows.sort();
        other_rows.sort();
    }
    names == other_names
        && types.len() == other_types.len()
        && types.iter().zip(other_types).all(|(a, b)| types_alike(a, b))
        && rows.len() == other_rows.len()
        && rows.iter().zip(&other_rows).all(|(a, b)| each(a, b))
}

fn cells_as(d: &Difference, f: fn(&str) -> String) -> bool {
    rows_alike(d, |a, b| a == b, |a, b| f(a) == f(b))
}
