//! Columns that a join merges: in `FROM a JOIN b USING (id) WHERE id > 1` there is one `id`.
//!
//! DataFusion knows that in all clauses but WHERE, where it is given the column of the first table: a left and an inner
//! join give the same value for both.

use crate::names;
use crate::parse::ident;
use crate::whole_row::{Known, Rows};
use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectNamePart, Query, Select, TableWithJoins, VisitMut, VisitorMut,
};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// Tells of which table merged columns are in the conditions of WHERE.
///
/// * `columns_of` – the columns of a relation; `None` where they are not known.
pub fn name_tables(query: &mut Query, columns_of: impl Fn(&[String]) -> Option<Vec<String>>) {
    let _ = VisitMut::visit(query, &mut Selects(Rows { columns_of }));
}

struct Selects<F>(Rows<F>);

impl<F: Fn(&[String]) -> Option<Vec<String>>> VisitorMut for Selects<F> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if select.selection.is_none()
            || !select.from.iter().any(|from| from.joins.iter().any(|j| merges(&j.join_operator)))
        {
            return ControlFlow::Continue(());
        }
        let known = self.0.tables(select);
        let merged: HashMap<String, Ident> = select.from.iter().flat_map(|from| merged(from, &known)).collect();
        names::replace_columns(&mut select.selection, &|name| {
            let table = merged.get(&ident(name))?;
            Some(Expr::CompoundIdentifier(vec![table.clone(), name.clone()]))
        });
        ControlFlow::Continue(())
    }
}

fn constraint(join: &JoinOperator) -> Option<&JoinConstraint> {
    use JoinOperator::{Inner, Join, Left, LeftOuter};
    match join {
        Join(constraint) | Inner(constraint) | Left(constraint) | LeftOuter(constraint) => Some(constraint),
        _ => None,
    }
}

fn merges(join: &JoinOperator) -> bool {
    matches!(constraint(join), Some(JoinConstraint::Using(_) | JoinConstraint::Natural))
}

/// Merged columns, and the first table that has each.
fn merged(from: &TableWithJoins, known: &[Known]) -> Vec<(String, Ident)> {
    let mut names: Vec<String> = Vec::new();
    for join in &from.joins {
        match constraint(&join.join_operator) {
            Some(JoinConstraint::Using(columns)) => names.extend(columns.iter().filter_map(|column| {
                let ObjectNamePart::Identifier(name) = column.0.last()? else { return None };
                Some(ident(name))
            })),
            Some(JoinConstraint::Natural) if from.joins.iter().all(|join| merges(&join.join_operator)) => {
                let all = known.iter().flat_map(|(_, columns)| columns);
                let is_shared = |name: &&String| known.iter().filter(|(_, columns)| columns.contains(name)).count() > 1;
                names.extend(all.filter(is_shared).cloned());
            }
            _ => {}
        }
    }
    let table_of =
        |name: &String| known.iter().find(|(_, columns)| columns.contains(name)).map(|(table, _)| table.clone());
    names.into_iter().filter_map(|name| Some((name.clone(), table_of(&name)?))).collect()
}
