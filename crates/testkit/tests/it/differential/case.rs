//! The cases: what is asked, made of small products of values.

use super::answer::{Answer, Difference, Row, Sides, same};
use super::catalog::{self, Overload};
use super::values::{self, UNKNOWN, VALUES, literal};
use highwater_testkit::oracle::random::Random;
use std::collections::{BTreeMap, BTreeSet};

/// Statements that belong together.
pub struct Case {
    /// What it is called in reports.
    pub name: String,
    zone: &'static str,
    ask: Ask,
}

enum Ask {
    /// An expression of arguments `{0}`, `{1}`, …, for each combination of values, alone and over a column.
    Expression { template: String, takes: Vec<String>, combinations: Vec<Vec<Option<String>>>, types_only: bool },
    /// Whole statements, in order, in a session of their own when they leave something behind.
    Statements(Vec<String>),
}

/// What a case found.
#[derive(Default)]
pub struct Outcome {
    /// How many statements were compared.
    pub compared: usize,
    /// Those that gave something else.
    pub differences: Vec<Difference>,
    /// The functions of which a call was answered alike, without an error.
    pub alike: BTreeSet<String>,
}

/// How many expressions are asked in one statement, where PostgreSQL has a value for each.
const TOGETHER: usize = 24;

/// How many errors with one code are compared of a case.
const ERRORS: usize = 3;

fn combinations_per_case() -> usize {
    std::env::var("HIGHWATER_DIFFERENTIAL")
        .map_or(40, |text| text.parse().unwrap_or_else(|_| panic!("HIGHWATER_DIFFERENTIAL is no number: {text}")))
}

/// All cases.
///
/// * `names` – the functions that both sides have.
pub async fn all(sides: &Sides, names: &BTreeSet<String>) -> Vec<Case> {
    let overloads = catalog::overloads(sides, names).await;
    let mut all = Vec::new();
    operators(&mut all);
    casts(&mut all);
    syntax(&mut all);
    for overload in &overloads {
        match overload.kind {
            'f' => function(overload, &mut all),
            'a' => aggregate(overload, &mut all),
            _ => {}
        }
    }
    ordered_sets(&mut all);
    orders(&mut all);
    windows(&mut all);
    forms(sides, &mut all);
    if let Ok(only) = std::env::var("HIGHWATER_DIFFERENTIAL_ONLY") {
        all.retain(|case| case.name.contains(&only));
    }
    // Few changes of the zone.
    all.sort_by_key(|case| case.zone != "UTC");
    all
}

/// Operators of two operands, for every pair of types.
fn operators(all: &mut Vec<Case>) {
    const OPERATORS: &[&str] = &[
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "||",
        "LIKE",
        "NOT LIKE",
        "ILIKE",
        "~",
        "~*",
        "!~",
        "!~*",
        "SIMILAR TO",
        "&",
        "|",
        "#",
        "<<",
        ">>",
        "AND",
        "OR",
        "IS DISTINCT FROM",
        "IS NOT DISTINCT FROM",
        "^@",
        "AT TIME ZONE",
    ];
    let names: Vec<&str> = VALUES.iter().map(|(name, _)| *name).chain([UNKNOWN]).collect();
    for operator in OPERATORS {
        for left in &names {
            for right in &names {
                let takes = [(*left).to_owned(), (*right).to_owned()];
                let of = |name: &str, other: &str| match (*operator, name) {
                    ("~" | "~*" | "!~" | "!~*", "text") => Some(values::of_argument("regexp_match", 1)?.to_vec()),
                    ("AT TIME ZONE", "text" | UNKNOWN) => Some(values::of_argument("timezone", 0)?.to_vec()),
                    (_, UNKNOWN) => Some(values::of(if other == UNKNOWN { "text" } else { other }).to_vec()),
                    _ => Some(values::of(name).to_vec()),
                };
                let domains = vec![of(left, right).unwrap_or_default(), of(right, left).unwrap_or_default()];
                let case = format!("operator {left} {operator} {right}");
                expression(case, format!("{{0}} {operator} {{1}}"), &takes, domains, false, all);
            }
        }
    }
    for prefix in ["-", "+", "@", "~", "|/", "||/", "NOT"] {
        unary(&format!("operator {prefix}"), &format!("{prefix} {{0}}"), all);
    }
}

/// Casts between every pair of types, and of the texts that are read as a type.
fn casts(all: &mut Vec<Case>) {
    let targets = VALUES.iter().map(|(name, _)| *name).chain(["varchar", "numeric(6,2)", "numeric(4,0)"]);
    for to in targets {
        let template = format!("CAST({{0}} AS {to})");
        unary(&format!("cast to {to}"), &template, all);
        let texts: Vec<&str> = match to {
            "varchar" => values::of("text").to_vec(),
            _ => values::of(to.split('(').next().unwrap_or(to)).to_vec(),
        };
        let more = [
            "",
            " ",
            "abc",
            "1",
            "-1.5",
            "1e3",
            "0x10",
            "1_000",
            " 42 ",
            "NaN",
            "-Infinity",
            "inf",
            "yes",
            "on",
            "TRUE",
            "tr",
            "2024-02-30",
            "2024-13-01",
            "20240229",
            "Feb 29, 2024",
            "29/02/2024",
            "2024-02-29T12:00:00Z",
            "2024-061",
            "2024-02-29 25:00",
            "12:60",
            "now there",
            "epoch",
            "1 fortnight",
            "P1Y2M3DT4H5M6S",
            "1-2",
            "3 4:05:06",
            "@ 1 day ago",
            "1.5 months",
            "1 day 1 day",
            "\\x6",
            "abc\\134",
            "99999999999999999999",
            "1e400",
            "1e-400",
            "2024-02-29 12:00:00 Europe/Berlin",
            "2024-02-29 12:00:00+05:30",
            "y",
            "2 weeks",
            "-00:01",
            "1:2:3.4567891",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        ];
        let texts: Vec<&str> = texts.into_iter().chain(more).collect();
        for takes in [UNKNOWN, "text"] {
            let case = format!("read {takes} as {to}");
            whole(case, template.clone(), &[takes.to_owned()], vec![texts.clone()], all);
        }
    }
}

/// What has a syntax of its own, or is a function only in the grammar.
fn syntax(all: &mut Vec<Case>) {
    let names: Vec<&str> = VALUES.iter().map(|(name, _)| *name).collect();
    for field in values::of_argument("extract", 0).into_iter().flatten() {
        for name in ["date", "time", "timestamp", "timestamptz", "interval"] {
            let takes = [name.to_owned()];
            let template = format!("extract({field} FROM {{0}})");
            expression(
                format!("extract {field} {name}"),
                template,
                &takes,
                vec![values::of(name).to_vec()],
                false,
                all,
            );
        }
    }
    for function in ["coalesce", "nullif", "greatest", "least", "concat"] {
        for left in &names {
            for right in &names {
                let takes = [(*left).to_owned(), (*right).to_owned()];
                let domains = vec![values::of(left).to_vec(), values::of(right).to_vec()];
                let template = format!("{function}({{0}}, {{1}})");
                expression(format!("{function} {left} {right}"), template, &takes, domains, false, all);
            }
        }
    }
    for name in &names {
        for (case, template) in [
            ("is null", "{0} IS NULL"),
            ("between", "{0} BETWEEN {0} AND {0}"),
            ("in", "{0} IN ({0}, NULL)"),
            ("case", "CASE WHEN {0} IS NULL THEN NULL ELSE {0} END"),
            ("simple case", "CASE {0} WHEN {0} THEN 1 ELSE 2.5 END"),
            ("array", "ARRAY[{0}, {0}]"),
        ] {
            let domain = vec![values::of(name).to_vec()];
            expression(format!("{case} {name}"), template.to_owned(), &[(*name).to_owned()], domain, false, all);
        }
    }
    for template in ["{0} IS TRUE", "{0} IS NOT TRUE", "{0} IS FALSE", "{0} IS UNKNOWN", "{0} IS NOT UNKNOWN"] {
        unary(&template[4..].to_lowercase(), template, all);
    }
    let text = || "text".to_owned();
    let texts = || values::of("text").to_vec();
    for (template, takes) in [
        ("position({0} IN {1})", vec![text(), text()]),
        ("trim({0})", vec![text()]),
        ("trim(LEADING {1} FROM {0})", vec![text(), text()]),
        ("trim(TRAILING {1} FROM {0})", vec![text(), text()]),
        ("trim(BOTH {1} FROM {0})", vec![text(), text()]),
        ("overlay({0} PLACING {1} FROM 2)", vec![text(), text()]),
        ("overlay({0} PLACING {1} FROM 2 FOR 3)", vec![text(), text()]),
        ("substring({0} FROM 2)", vec![text()]),
        ("substring({0} FROM 2 FOR 3)", vec![text()]),
        ("substring({0} FROM 'b.')", vec![text()]),
        ("substring({0} FROM 'l(.)')", vec![text()]),
        ("{0} LIKE {1} ESCAPE '!'", vec![text(), text()]),
        ("{0} COLLATE \"C\" < {1}", vec![text(), text()]),
        ("concat_ws({0}, {1}, NULL, 'z')", vec![text(), text()]),
        ("format('%s|%I|%L|%%', {0}, 'a b', {1})", vec![text(), text()]),
        ("format('%2$s %1$5s %-6s|', {0}, {1})", vec![text(), text()]),
    ] {
        let domains = takes.iter().map(|_| texts()).collect();
        expression(format!("syntax {template}"), template.to_owned(), &takes, domains, false, all);
    }
    for function in ["ceil", "floor"] {
        unary(&format!("syntax {function}"), &format!("{function}({{0}})"), all);
    }
    let pairs = ["date", "time", "timestamp", "timestamptz"];
    for name in pairs {
        let takes = vec![name.to_owned(); 4];
        let domains = takes.iter().map(|name| values::of(name).to_vec()).collect();
        let template = "({0}, {1}) OVERLAPS ({2}, {3})".to_owned();
        expression(format!("overlaps {name}"), template, &takes, domains, false, all);
    }
}

fn unary(case: &str, template: &str, all: &mut Vec<Case>) {
    for (name, of) in VALUES {
        expression(format!("{case} {name}"), template.to_owned(), &[(*name).to_owned()], vec![of.to_vec()], false, all);
    }
}

/// A call of a function, for an overload of it.
fn function(overload: &Overload, all: &mut Vec<Case>) {
    // What the grammar keeps for a syntax of its own, and what waits.
    if matches!(overload.name.as_str(), "position" | "extract" | "normalize" | "pg_sleep" | "overlaps") {
        return;
    }
    let arguments: Vec<String> = (0..overload.takes.len()).map(|i| format!("{{{i}}}")).collect();
    let template = format!("{}({})", overload.name, arguments.join(", "));
    let domain = |(i, name): (usize, &String)| match values::of_argument(&overload.name, i) {
        Some(domain) if fits(name, domain) => domain.to_vec(),
        _ => values::of(name).to_vec(),
    };
    let domains = overload.takes.iter().enumerate().map(domain).collect();
    let case = format!("function {}({})", overload.name, overload.takes.join(", "));
    expression(case, template, &overload.takes, domains, overload.volatile, all);
}

/// Whether texts are those of values of a type; what is tried of an argument is meant for one overload only.
fn fits(name: &str, domain: &[&str]) -> bool {
    match name {
        "int2" | "int4" | "int8" => domain.iter().all(|text| text.parse::<i32>().is_ok()),
        "numeric" | "float4" | "float8" => domain.iter().all(|text| text.parse::<f64>().is_ok()),
        "text" => true,
        _ => false,
    }
}

/// An expression for a sample of all combinations, and for NULL in each place.
fn expression(
    name: String,
    template: String,
    takes: &[String],
    domains: Vec<Vec<&str>>,
    types_only: bool,
    all: &mut Vec<Case>,
) {
    let limit = combinations_per_case();
    let product: usize = domains.iter().map(Vec::len).product();
    let mut random = Random::new(name.bytes().fold(17, |seed, b| seed * 31 % 1_000_003 + u64::from(b)));
    let mut chosen: Vec<usize> = (0..product).collect();
    if product > limit {
        chosen = (0..limit).map(|_| random.below(product)).collect();
        chosen.sort_unstable();
        chosen.dedup();
    }
    let value = |domain: &Vec<&str>, i: usize| Some(domain[i].to_owned());
    let mut combinations: Vec<Vec<Option<String>>> = Vec::new();
    for mut number in chosen {
        let mut combination = Vec::new();
        for domain in &domains {
            combination.push(value(domain, number % domain.len()));
            number /= domain.len();
        }
        combinations.push(combination);
    }
    for null in 0..domains.len() {
        let place = |(i, domain): (usize, &Vec<&str>)| if i == null { None } else { value(domain, domain.len() / 2) };
        combinations.push(domains.iter().enumerate().map(place).collect());
    }
    push(name, template, takes, combinations, types_only, all);
}

/// An expression for all combinations.
fn whole(name: String, template: String, takes: &[String], domains: Vec<Vec<&str>>, all: &mut Vec<Case>) {
    let combinations = domains[0].iter().map(|text| vec![Some((*text).to_owned())]).collect();
    push(name, template, takes, combinations, false, all);
}

fn push(
    name: String,
    template: String,
    takes: &[String],
    combinations: Vec<Vec<Option<String>>>,
    types_only: bool,
    all: &mut Vec<Case>,
) {
    let zoned = takes.iter().any(|t| t == "timestamptz") || name.contains("timestamptz");
    let zones: &[&'static str] = if zoned { &["UTC", "Europe/Berlin"] } else { &["UTC"] };
    for zone in zones {
        let ask = Ask::Expression {
            template: template.clone(),
            takes: takes.to_vec(),
            combinations: combinations.clone(),
            types_only,
        };
        let name = if *zone == "UTC" { name.clone() } else { format!("{name} in {zone}") };
        all.push(Case { name, zone, ask });
    }
}

/// `(VALUES …) AS v(i, x)` with values of a type, NULL among them.
fn rows(name: &str, texts: &[&str]) -> String {
    let all = texts.iter().map(|text| Some(*text)).chain([None]);
    let rows: Vec<String> = all.enumerate().map(|(i, text)| format!("({i}, {})", literal(name, text))).collect();
    format!("(VALUES {}) AS v(i, x)", rows.join(", "))
}

/// An aggregate, over several sets of values.
fn aggregate(overload: &Overload, all: &mut Vec<Case>) {
    let [first, rest @ ..] = overload.takes.as_slice() else { return };
    let name = &overload.name;
    let mut random = Random::new(name.bytes().fold(23, |seed, b| seed * 31 % 1_000_003 + u64::from(b)));
    let extra = match (name.as_str(), rest) {
        (_, []) => String::new(),
        ("string_agg", [_]) if first == "bytea" => ", '\\x2c'::bytea".to_owned(),
        ("string_agg", [_]) => ", ','".to_owned(),
        // Of two numbers: a column and something of it.
        (_, [second]) if second == first => ", x * 2 + 1".to_owned(),
        _ => return,
    };
    let ordered = matches!(name.as_str(), "array_agg" | "string_agg");
    let inside = if ordered { " ORDER BY i" } else { "" };
    // What depends on the order in which rows come is asked over one order.
    let texts = values::of(first);
    let mut sets: Vec<Vec<&str>> = vec![texts.to_vec()];
    for size in [1, 2, 3, 3, 4] {
        sets.push((0..size).map(|_| texts[random.below(texts.len())]).collect());
    }
    let mut statements = Vec::new();
    for set in &sets {
        let from = rows(first, set);
        let call = format!("{name}(x{extra}{inside})");
        statements.push(format!("SELECT {call} FROM {from}"));
        statements.push(format!("SELECT i % 2 AS g, {call} FROM {from} GROUP BY 1 ORDER BY 1"));
        statements.push(format!("SELECT {call} FROM {from} WHERE i < 0"));
        statements.push(format!("SELECT {call} FILTER (WHERE i % 2 = 0) FROM {from}"));
        if extra.is_empty() {
            statements.push(format!("SELECT {name}(DISTINCT x) FROM {from}"));
        }
        if !ordered {
            statements.push(format!("SELECT i, {name}(x{extra}) OVER (ORDER BY i) FROM {from} ORDER BY i"));
            let frame = "ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING";
            statements.push(format!("SELECT i, {name}(x{extra}) OVER (ORDER BY i {frame}) FROM {from} ORDER BY i"));
        }
    }
    let case = format!("aggregate {name}({})", overload.takes.join(", "));
    all.push(Case { name: case, zone: "UTC", ask: Ask::Statements(statements) });
}

/// Aggregates of an ordered set.
fn ordered_sets(all: &mut Vec<Case>) {
    for (name, texts) in VALUES {
        let mut statements = Vec::new();
        for size in [texts.len(), 3, 2, 1] {
            let from = rows(name, &texts[..size.min(texts.len())]);
            for call in ["percentile_cont(0.3)", "percentile_disc(0.3)", "percentile_disc(1)", "mode()"] {
                statements.push(format!("SELECT {call} WITHIN GROUP (ORDER BY x) FROM {from}"));
                let sets = "GROUP BY 1 ORDER BY 1";
                statements.push(format!("SELECT i % 2 AS g, {call} WITHIN GROUP (ORDER BY x DESC) FROM {from} {sets}"));
            }
        }
        all.push(Case { name: format!("ordered set of {name}"), zone: "UTC", ask: Ask::Statements(statements) });
    }
}

/// How values of each type are ordered, grouped and joined.
fn orders(all: &mut Vec<Case>) {
    for (name, texts) in VALUES {
        let from = rows(name, texts);
        let twice = [*texts, *texts].concat();
        let doubled = rows(name, &twice);
        let statements = vec![
            format!("SELECT x, i FROM {from} ORDER BY x, i"),
            format!("SELECT x, i FROM {from} ORDER BY x DESC, i"),
            format!("SELECT x, i FROM {from} ORDER BY x NULLS FIRST, i"),
            format!("SELECT x, i FROM {from} ORDER BY x DESC NULLS LAST, i LIMIT 3"),
            format!("SELECT DISTINCT x FROM {doubled}"),
            format!("SELECT DISTINCT x FROM {doubled} ORDER BY x"),
            format!("SELECT x, count(*) FROM {doubled} GROUP BY x"),
            format!("SELECT count(DISTINCT x) FROM {doubled}"),
            format!("SELECT x FROM {from} UNION SELECT x FROM {doubled}"),
            format!("SELECT x FROM {doubled} EXCEPT SELECT x FROM {from} WHERE i > 1"),
            format!("SELECT x FROM {doubled} INTERSECT ALL SELECT x FROM {from}"),
            format!(
                "SELECT a.i, b.i FROM {from} JOIN {from2} ON a.x = b.x",
                from = from.replace(" v(", " a("),
                from2 = from.replace(" v(", " b(")
            ),
            format!("SELECT i FROM {from} WHERE x IN (SELECT x FROM {doubled} WHERE i < 3)"),
            format!("SELECT i FROM {from} WHERE x = (SELECT x FROM {doubled} WHERE i = 1)"),
            format!("SELECT DISTINCT ON (x) x, i FROM {doubled} ORDER BY x, i DESC"),
            format!("SELECT i, rank() OVER (ORDER BY x) FROM {doubled} ORDER BY i"),
            format!("SELECT i, count(*) OVER (PARTITION BY x) FROM {doubled} ORDER BY i"),
        ];
        all.push(Case { name: format!("order of {name}"), zone: "UTC", ask: Ask::Statements(statements) });
    }
}

/// Window functions, over values of each type.
fn windows(all: &mut Vec<Case>) {
    for (name, texts) in VALUES {
        let from = rows(name, texts);
        let mut statements = Vec::new();
        for call in [
            "lag(x)",
            "lead(x)",
            "lag(x, 2)",
            "lead(x, 2, x)",
            "first_value(x)",
            "last_value(x)",
            "nth_value(x, 2)",
            "row_number()",
            "rank()",
            "dense_rank()",
            "percent_rank()",
            "cume_dist()",
            "ntile(3)",
            "count(x)",
            "min(x)",
            "max(x)",
            "sum(x)",
            "avg(x)",
        ] {
            for over in [
                "ORDER BY i",
                "PARTITION BY i % 2 ORDER BY i DESC",
                "ORDER BY i ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING",
                "ORDER BY i % 3",
                "",
            ] {
                if over.is_empty() && call.contains("_value") {
                    continue;
                }
                if matches!(over, "ORDER BY i % 3" | "")
                    && !["rank()", "dense_rank()", "percent_rank()", "cume_dist()", "count(x)"].contains(&call)
                {
                    continue;
                }
                statements.push(format!("SELECT i, {call} OVER ({over}) FROM {from} ORDER BY i"));
            }
        }
        all.push(Case { name: format!("windows over {name}"), zone: "UTC", ask: Ask::Statements(statements) });
    }
}

/// The statements of `forms.sql`: one case for each heading.
fn forms(sides: &Sides, all: &mut Vec<Case>) {
    for part in include_str!("forms.sql").split("--- ").skip(1) {
        let (heading, text) = part.split_once('\n').expect("a heading is a line");
        let statements = sides.split(text).iter().map(|s| without_comments(s)).filter(|s| !s.is_empty()).collect();
        all.push(Case { name: format!("form {heading}"), zone: "UTC", ask: Ask::Statements(statements) });
    }
}

fn without_comments(sql: &str) -> String {
    let lines: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    lines.join("\n").trim().to_owned()
}

/// Runs a case.
pub async fn run(case: &Case, sides: &mut Sides) -> Outcome {
    sides.set_zone(case.zone).await;
    let mut outcome = Outcome::default();
    match &case.ask {
        Ask::Statements(statements) => {
            for sql in statements {
                let postgresql = sides.ask_postgresql(sql).await;
                let highwater = sides.ask_highwater(sql).await;
                outcome.note(case, sql, postgresql, highwater);
            }
        }
        Ask::Expression { template, takes, combinations, types_only } => {
            expressions(case, sides, template, takes, combinations, *types_only, &mut outcome).await;
        }
    }
    outcome
}

impl Outcome {
    fn note(&mut self, case: &Case, sql: &str, postgresql: Answer, highwater: Answer) -> bool {
        self.compared += 1;
        if same(sql, &postgresql, &highwater) {
            if matches!(highwater, Answer::Rows { .. }) {
                self.alike.extend(called(sql));
            }
            return true;
        }
        self.differences.push(Difference { case: case.name.clone(), statement: sql.to_owned(), postgresql, highwater });
        false
    }
}

/// The functions that a statement calls.
pub fn called(sql: &str) -> impl Iterator<Item = String> {
    sql.match_indices('(').filter_map(|(end, _)| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = sql[..end].rsplit(|c| !word(c)).next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_lowercase())
    })
}

fn fill(template: &str, arguments: &[String]) -> String {
    let each = arguments.iter().enumerate();
    each.fold(template.to_owned(), |sql, (i, argument)| sql.replace(&format!("{{{i}}}"), argument))
}

async fn expressions(
    case: &Case,
    sides: &mut Sides,
    template: &str,
    takes: &[String],
    combinations: &[Vec<Option<String>>],
    types_only: bool,
    outcome: &mut Outcome,
) {
    let arguments = |combination: &Vec<Option<String>>| -> Vec<String> {
        takes.iter().zip(combination).map(|(name, value)| literal(name, value.as_deref())).collect()
    };
    let expressions: Vec<String> = match combinations {
        [] => vec![fill(template, &[])],
        all => all.iter().map(|combination| fill(template, &arguments(combination))).collect(),
    };
    // Most operators do not exist, which one combination tells.
    let first = format!("SELECT {}", expressions[0]);
    let described = sides.ask_postgresql(&first).await;
    if let Answer::Error { sqlstate, .. } = &described
        && sqlstate.starts_with("42")
    {
        let highwater = sides.ask_highwater(&first).await;
        outcome.note(case, &first, described, highwater);
        return;
    }
    if types_only {
        let highwater = sides.ask_highwater(&first).await;
        outcome.note(case, &first, without_rows(described), without_rows(highwater));
        return;
    }
    let sql: Vec<String> = expressions.iter().map(|e| format!("SELECT {e}")).collect();
    let answers = futures::future::join_all(sql.iter().map(|sql| sides.texts(sql))).await;
    let mut errors: BTreeMap<String, usize> = BTreeMap::new();
    let mut good: Vec<(usize, Row)> = Vec::new();
    for (i, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(mut rows) => good.push((i, rows.pop().unwrap_or_default())),
            Err(postgresql) => {
                let Answer::Error { sqlstate, .. } = &postgresql else { continue };
                let count = errors.entry(sqlstate.clone()).or_default();
                *count += 1;
                if *count <= ERRORS {
                    let highwater = sides.ask_highwater(&sql[i]).await;
                    outcome.note(case, &sql[i], postgresql, highwater);
                }
            }
        }
    }
    // The values alone, many in one statement; each by itself where that gives something else.
    for chunk in good.chunks(TOGETHER) {
        let columns: Vec<String> =
            chunk.iter().enumerate().map(|(n, (i, _))| format!("{} AS c{n}", expressions[*i])).collect();
        let together = format!("SELECT {}", columns.join(", "));
        let texts: Row = chunk.iter().map(|(_, row)| row.first().cloned().flatten()).collect();
        let all_alike = match sides.ask_highwater(&together).await {
            Answer::Rows { rows, types, .. } => {
                let types_of = match &described {
                    Answer::Rows { types: expected, .. } => types.iter().all(|t| Some(t) == expected.first()),
                    Answer::Error { .. } => false,
                };
                types_of && rows == [texts]
            }
            Answer::Error { .. } => false,
        };
        if all_alike {
            outcome.compared += chunk.len();
            outcome.alike.extend(called(&together));
            continue;
        }
        for (i, _) in chunk {
            let (postgresql, highwater) = (sides.ask_postgresql(&sql[*i]).await, sides.ask_highwater(&sql[*i]).await);
            outcome.note(case, &sql[*i], postgresql, highwater);
        }
    }
    // The same over columns, where nothing is known when the statement is planned.
    if takes.is_empty() || takes.iter().any(|t| t == UNKNOWN) || good.is_empty() {
        return;
    }
    let before = outcome.differences.len();
    let names: Vec<String> = (0..takes.len()).map(|i| format!("a{i}")).collect();
    let of = |rows: &[(usize, Row)]| {
        let rows: Vec<String> =
            rows.iter().map(|(i, _)| format!("({i}, {})", arguments(&combinations[*i]).join(", "))).collect();
        let (expression, names) = (fill(template, &names), names.join(", "));
        format!("SELECT i, {expression} AS r FROM (VALUES {}) AS v(i, {names}) ORDER BY i", rows.join(", "))
    };
    let all = of(&good);
    let (postgresql, highwater) = (sides.ask_postgresql(&all).await, sides.ask_highwater(&all).await);
    if same(&all, &postgresql, &highwater) {
        outcome.compared += good.len();
        outcome.alike.extend(called(&all));
        return;
    }
    // Which rows? What differs alone already is not said twice.
    let mut told = false;
    for row in &good {
        let one = of(std::slice::from_ref(row));
        let literal = &sql[row.0];
        if outcome.differences[..before].iter().any(|d| d.statement == *literal) {
            told = true;
            continue;
        }
        let (postgresql, highwater) = (sides.ask_postgresql(&one).await, sides.ask_highwater(&one).await);
        told |= !outcome.note(case, &one, postgresql, highwater);
    }
    if !told {
        outcome.note(case, &all, postgresql, highwater);
    }
}

fn without_rows(answer: Answer) -> Answer {
    match answer {
        Answer::Rows { names, types, rows } => {
            Answer::Rows { names, types, rows: rows.iter().map(|row| vec![None; row.len()]).collect() }
        }
        error => error,
    }
}
