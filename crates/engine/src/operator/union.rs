//! UNION, whose parts get the types that PostgreSQL settles for all of them.

use super::cast::cast_operand;
use super::marked::{is_rounded, mark, marked_field};
use super::operand::{Kind, Operand};
use crate::error::Result;
use crate::function::common::common_type;
use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
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
    let mixed: Vec<bool> = (0..width).map(|column| is_mixed(&union.inputs, column)).collect();
    // Types that are kept as text settle by themselves.
    if union.inputs.iter().any(|input| input.schema().fields().iter().any(|field| marked_field(field).is_some())) {
        return Ok(LogicalPlan::Union(if mixed.contains(&true) { without_limits(&union, &mixed)? } else { union }));
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
            let expr = match mixed[i] {
                true => unlimited(expr, target.as_ref().unwrap_or(input.schema().field(i).data_type())),
                false => expr,
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
    let rounded = |t: &Option<ColumnType>| t.as_ref().is_some_and(is_rounded);
    let mut any = rounded(&first);
    types.fold(false, |differ, t| {
        any |= rounded(&t);
        differ || t != first
    }) && any
}

/// The same where these columns of all parts have all digits and fields.
fn without_limits(union: &Union, mixed: &[bool]) -> Result<Union> {
    let inputs = union.inputs.iter().map(|input| {
        let exprs = input.schema().iter().enumerate().map(|(i, (qualifier, field))| {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            match mixed[i] {
                true => unlimited(column, field.data_type()).alias_qualified(qualifier.cloned(), field.name()),
                false => column,
            }
        });
        Ok(Arc::new(LogicalPlan::Projection(Projection::try_new(exprs.collect(), input.clone())?)))
    });
    Ok(Union::try_new_with_loose_types(inputs.collect::<Result<Vec<_>>>()?)?)
}

/// The expression, which is of this type, as one with all digits and fields of it.
fn unlimited(expr: Expr, data_type: &DataType) -> Expr {
    match column_type(data_type) {
        Some(plain) => mark(expr, &plain),
        None => expr,
    }
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
