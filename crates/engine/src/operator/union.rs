//! UNION, whose parts get the types that PostgreSQL settles for all of them.

use super::cast::cast_operand;
use super::marked::{mark, marked_field};
use super::operand::{Kind, Operand};
use crate::error::Result;
use crate::function::common::common_type;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Union};
use highwater_model::ColumnType;
use highwater_model::time::Clockface;
use highwater_store::schema::{column_type, field_type};
use std::sync::Arc;

/// The union of parts whose columns are of one type each.
///
/// # Errors
/// 42804 when a column has values of types that have none in common; those of reading literals.
pub fn settle_union(union: Union, clock: &Clockface) -> Result<LogicalPlan> {
    let width = union.schema.fields().len();
    // Types that are kept as text settle by themselves.
    if union.inputs.iter().any(|input| input.schema().fields().iter().any(|field| marked_field(field).is_some())) {
        return Ok(LogicalPlan::Union(union));
    }
    let parts: Option<Vec<Vec<Operand>>> = union.inputs.iter().map(|input| outputs(input)).collect();
    let Some(parts) = parts.filter(|parts| parts.iter().all(|part| part.len() == width)) else {
        return Ok(LogicalPlan::Union(union));
    };
    let mut targets: Vec<Option<DataType>> = Vec::with_capacity(width);
    for column in 0..width {
        let types: Vec<DataType> = parts.iter().map(|part| part[column].data_type.clone()).collect();
        let other = parts.iter().any(|part| part[column].kind == Kind::Other);
        targets.push(if other { None } else { Some(common_type(&types, "UNION", false)?) });
    }
    let mixed: Vec<bool> = (0..width).map(|column| is_mixed(&union.inputs, column)).collect();
    let mut inputs = Vec::with_capacity(parts.len());
    for (input, part) in union.inputs.into_iter().zip(parts) {
        let settled = !mixed.contains(&true)
            && part.iter().zip(&targets).all(|(operand, target)| {
                let text = operand.kind == Kind::Unknown && *target == Some(DataType::Utf8);
                text || target.as_ref().is_none_or(|target| operand.data_type == *target)
            });
        if settled {
            inputs.push(input);
            continue;
        }
        let mut exprs = Vec::with_capacity(width);
        for (i, (operand, name)) in part.into_iter().zip(input.schema().columns()).enumerate() {
            let target = &targets[i];
            let expr = match (target, operand.kind) {
                (None, _) => operand.expr,
                (Some(target), Kind::Unknown) => operand.resolve(target, clock)?.expr,
                (Some(target), _) => cast_operand(operand, target, clock)?,
            };
            let expr = match (mixed[i], target.as_ref().and_then(column_type)) {
                (true, Some(plain)) => mark(expr, &plain),
                _ => expr,
            };
            exprs.push(expr.alias_qualified(name.relation, name.name));
        }
        let below = match input.as_ref() {
            LogicalPlan::Projection(projection) => Arc::clone(&projection.input),
            _ => input,
        };
        inputs.push(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, below)?)));
    }
    Ok(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?))
}

/// Whether the parts have a column of one type, but with other digits or fields: the union has all of them.
fn is_mixed(parts: &[Arc<LogicalPlan>], column: usize) -> bool {
    let mut types = parts.iter().map(|part| field_type(part.schema().field(column)));
    let first = types.next().flatten();
    let rounded = |t: &Option<ColumnType>| matches!(t, Some(ColumnType::Limited(..) | ColumnType::AnyNumeric(Some(_))));
    let mut any = rounded(&first);
    types.fold(false, |differ, t| {
        any |= rounded(&t);
        differ || t != first
    }) && any
}

/// What a part gives, as expressions over the plan below its projection, or over itself where it has none.
fn outputs(plan: &LogicalPlan) -> Option<Vec<Operand>> {
    let over = |exprs: Vec<Expr>, schema: &DFSchema| {
        exprs.into_iter().map(|expr| Operand::new(expr.unalias(), schema)).collect::<Option<Vec<_>>>()
    };
    match plan {
        LogicalPlan::Projection(projection) => over(projection.expr.clone(), projection.input.schema()),
        other => over(other.schema().columns().into_iter().map(Expr::Column).collect(), other.schema()),
    }
}
