//! Several sets of keys: GROUPING SETS, ROLLUP and CUBE.
//!
//! ```text
//! GROUP BY bucket, ROLLUP (site)          keys bucket, site, and which of the sets (bucket), (bucket, site)
//!
//! bucket │ site │ _key_2 │ states
//! 01:00  │ x    │      0 │                the rows of a site
//! 01:00  │ NULL │      0 │                the rows that have none
//! 01:00  │ NULL │      1 │                all rows: grouping(site) is 1
//! ```
//!
//! Which set a row is of is one more key, the last. So the NULL of a value and the NULL of a set without that key are two
//! groups, and whatever is done with states is done with them as with all others.

use super::{Definition, bare};
use crate::{Error, Result};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, Projection, cast};
use highwater_model::ColumnType;
use highwater_store::schema::arrow_type;

/// The type that the key is kept in, which says of what set a row is.
pub const KEPT: ColumnType = ColumnType::BigInt;

/// What refuses sets that are not all of one bucket.
pub fn without_bucket() -> Error {
    Error::unsupported("invalid continuous aggregate view")
        .detail("Each set of GROUPING SETS, ROLLUP or CUBE must have the time bucket in a continuous aggregate.")
        .hint("A set without it is of all time. Put the bucket before them: GROUP BY bucket, ROLLUP (a, b).")
}

/// What is grouped by, each key once, and after the keys of several sets which set it is.
///
/// * `key` – what a key is to be instead.
///
/// # Errors
/// 0A000 when a set is of all time.
pub fn keys(group_expr: Vec<Expr>, key: impl Fn(Expr) -> Result<Expr>) -> Result<Vec<Expr>> {
    let sets = match group_expr.as_slice() {
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets,
        // By themselves they have the set without keys.
        [Expr::GroupingSet(_)] => return Err(without_bucket()),
        _ => return group_expr.into_iter().map(key).collect(),
    };
    let sets = sets.iter().map(|set| set.iter().cloned().map(&key).collect());
    let sets = GroupingSet::GroupingSets(sets.collect::<Result<_>>()?);
    let mut keys: Vec<Expr> = sets.distinct_expr().into_iter().cloned().collect();
    keys.push(Expr::GroupingSet(sets));
    Ok(keys)
}

/// What `grouping()` tells, which is computed between the groups and what is made of them.
pub struct Told(Option<Projection>);

impl Told {
    /// Takes it out of a plan, of which the groups are left.
    pub fn of(plan: LogicalPlan) -> (Told, LogicalPlan) {
        match plan {
            LogicalPlan::Projection(told) if matches!(told.input.as_ref(), LogicalPlan::Aggregate(_)) => {
                let groups = told.input.as_ref().clone();
                (Told(Some(told)), groups)
            }
            other => (Told(None), other),
        }
    }

    /// The same expression over the groups themselves.
    pub fn put_into(&self, expr: Expr) -> Result<Expr> {
        let Told(Some(told)) = self else { return Ok(expr) };
        let put = expr.transform_up(|expr| {
            let place = expr.try_as_col().and_then(|column| told.schema.maybe_index_of_column(column));
            Ok(match place {
                Some(place) => Transformed::yes(told.expr[place].clone().unalias()),
                None => Transformed::no(expr),
            })
        })?;
        Ok(put.data)
    }
}

impl Definition {
    /// The sets of keys that rows are grouped by, if there are several.
    pub(super) fn sets(&self) -> Option<&[Vec<Expr>]> {
        match self.groups.last() {
            Some(Expr::GroupingSet(GroupingSet::GroupingSets(sets))) => Some(sets),
            _ => None,
        }
    }

    /// Whether a group is not a key but the set that a row is of.
    pub(super) fn is_set(&self, group: usize) -> bool {
        matches!(self.groups[group], Expr::GroupingSet(_))
    }

    /// The groups under the names that partial states know them by, and the same as columns of what is grouped.
    pub(super) fn named_groups(&self) -> (Vec<Expr>, Vec<Expr>) {
        let names = self.group_names();
        let mut columns: Vec<Expr> = names.iter().map(bare).collect();
        let named = |(group, name): (&Expr, &String)| group.clone().alias(name);
        let Some(sets) = self.sets() else { return (self.groups.iter().zip(&names).map(named).collect(), columns) };
        let keys = || self.groups.iter().zip(&names);
        let of_set =
            |set: &Vec<Expr>| set.iter().filter_map(|key| keys().find(|(group, _)| *group == key)).map(named).collect();
        let sets = GroupingSet::GroupingSets(sets.iter().map(of_set).collect());
        if let (Some(which), Some(name)) = (columns.last_mut(), names.last()) {
            *which = cast(bare(Aggregate::INTERNAL_GROUPING_ID), arrow_type(&KEPT)).alias(name);
        }
        (vec![Expr::GroupingSet(sets)], columns)
    }
}
