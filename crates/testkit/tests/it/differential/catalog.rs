//! What PostgreSQL's catalog tells of the functions that we offer.

use super::answer::Sides;
use super::values;
use std::collections::BTreeSet;

/// One way to call a function.
#[derive(Clone, Debug)]
pub struct Overload {
    /// The function.
    pub name: String,
    /// `f`, `a` or `w`.
    pub kind: char,
    /// Whether each call may give another result.
    pub volatile: bool,
    /// The types of the arguments, by their names in `pg_type`.
    pub takes: Vec<String>,
}

/// Functions that share nothing but a name with PostgreSQL's: its `slope` is of two points.
const OTHERS: [&str; 1] = ["slope"];

/// The functions that PostgreSQL has, in whatever form, of those that are offered.
pub async fn common(sides: &Sides, offered: &BTreeSet<String>) -> BTreeSet<String> {
    let sql = format!("SELECT DISTINCT proname FROM pg_proc WHERE proname IN ({})", list(offered));
    let rows = sides.texts(&sql).await.expect("the catalog can be read");
    let names = rows.into_iter().filter_map(|row| row[0].clone());
    names.filter(|name| !OTHERS.contains(&name.as_str())).collect()
}

/// The overloads of functions, without those that give sets and those of types that we have not.
///
/// An argument of any type gives an overload for each type, all such arguments being of the same.
pub async fn overloads(sides: &Sides, names: &BTreeSet<String>) -> Vec<Overload> {
    let sql = format!(
        "SELECT proname, prokind, provolatile = 'v' OR (pronargs = 0 AND provolatile = 's'),
                (SELECT string_agg(typname, ',' ORDER BY i) FROM unnest(proargtypes) WITH ORDINALITY a(t, i)
                 JOIN pg_type ON pg_type.oid = t)
         FROM pg_proc p WHERE proname IN ({}) AND pronamespace = 'pg_catalog'::regnamespace AND NOT proretset
         AND provariadic = 0 AND NOT EXISTS (SELECT FROM pg_aggregate WHERE aggfnoid = p.oid AND aggkind <> 'n') ORDER BY proname, proargtypes::text",
        list(names)
    );
    let rows = sides.texts(&sql).await.expect("the catalog can be read");
    let mut all = Vec::new();
    for row in rows {
        let text = |i: usize| row[i].clone().unwrap_or_default();
        let takes: Vec<String> = text(3).split(',').filter(|t| !t.is_empty()).map(str::to_owned).collect();
        let overload =
            Overload { name: text(0), kind: text(1).chars().next().unwrap_or('f'), volatile: text(2) == "t", takes };
        let any = |t: &String| matches!(t.as_str(), "any" | "anyelement" | "anycompatible");
        let kinds: Vec<&str> = values::VALUES.iter().map(|(name, _)| *name).collect();
        if overload.takes.iter().any(any) {
            for kind in &kinds {
                let takes = overload.takes.iter().map(|t| if any(t) { (*kind).to_owned() } else { t.clone() });
                all.push(Overload { takes: takes.collect(), ..overload.clone() });
            }
        } else {
            all.push(overload);
        }
    }
    all.retain(|overload| overload.takes.iter().all(|t| !values::of(t).is_empty()));
    all
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| values::quoted(name)).collect::<Vec<_>>().join(", ")
}
