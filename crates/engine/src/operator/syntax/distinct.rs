//! Where the second operand of IS DISTINCT FROM ends.

use super::{binary, take};
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};

/// Ends IS DISTINCT FROM before an AND or OR: `a IS DISTINCT FROM b AND c` is parsed as if `b AND c` stood in parentheses.
pub fn end(expr: &mut Expr) {
    if !reads_on(expr) {
        return;
    }
    let mut operands = Vec::new();
    in_order(take(expr), BinaryOperator::Or, &mut operands);
    let mut terms: Vec<Expr> = Vec::new();
    for (op, operand) in operands {
        match terms.pop() {
            Some(term) if op == BinaryOperator::And => terms.push(binary(term, op, operand)),
            before => terms.extend(before.into_iter().chain([operand])),
        }
    }
    if let Some(all) = terms.into_iter().reduce(|all, term| binary(all, BinaryOperator::Or, term)) {
        *expr = all;
    }
}

/// Whether an IS DISTINCT FROM took what follows the operand after it.
fn reads_on(expr: &Expr) -> bool {
    match expr {
        Expr::IsDistinctFrom(_, right) | Expr::IsNotDistinctFrom(_, right) => {
            matches!(right.as_ref(), Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. })
                || reads_on(right)
        }
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            reads_on(left) || reads_on(right)
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => reads_on(expr),
        _ => false,
    }
}

/// The operands of AND and OR as they are written, each with the operator before it.
fn in_order(expr: Expr, before: BinaryOperator, operands: &mut Vec<(BinaryOperator, Expr)>) {
    let first = operands.len();
    match expr {
        Expr::BinaryOp { left, op: op @ (BinaryOperator::And | BinaryOperator::Or), right } => {
            in_order(*left, before, operands);
            in_order(*right, op, operands);
        }
        Expr::IsDistinctFrom(left, right) => {
            in_order(*right, before, operands);
            let right = take(&mut operands[first].1);
            operands[first].1 = Expr::IsDistinctFrom(left, Box::new(right));
        }
        Expr::IsNotDistinctFrom(left, right) => {
            in_order(*right, before, operands);
            let right = take(&mut operands[first].1);
            operands[first].1 = Expr::IsNotDistinctFrom(left, Box::new(right));
        }
        Expr::UnaryOp { op: op @ UnaryOperator::Not, expr } => {
            in_order(*expr, before, operands);
            let operand = take(&mut operands[first].1);
            operands[first].1 = Expr::UnaryOp { op, expr: Box::new(operand) };
        }
        other => operands.push((before, other)),
    }
}
