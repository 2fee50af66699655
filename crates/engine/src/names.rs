//! Names of result columns.
//!
//! PostgreSQL names an unnamed column after the function or the column it comes from, or else
//! `?column?`, and does not mind when two columns have one name. DataFusion names it after the whole
//! expression and insists that names differ. So every SELECT item gets its PostgreSQL name, and a repeated
//! name gets a mark that is taken off again where the result is described.

use crate::parse::ident;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::sql::sqlparser::ast::{
    AccessExpr, CastKind, DataType, Expr, Ident, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Subscript, TrimWhereField, VisitMut, VisitorMut,
};
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Between a repeated name and its number; no name contains it.
const MARK: char = '\u{1}';

/// Gives every unnamed SELECT item of a query and its subqueries the name PostgreSQL gives it.
pub fn name_columns<T: VisitMut>(statement: &mut T) {
    let _ = VisitMut::visit(statement, &mut Namer);
}

/// A name that is there again, for the `n`th time.
pub fn repeated(name: &str, n: usize) -> String {
    format!("{name}{MARK}{n}")
}

/// A name as the client sees it.
pub fn shown(name: &str) -> &str {
    name.split(MARK).next().unwrap_or_default()
}

/// The columns of a result as the client sees them.
pub fn displayed(schema: &SchemaRef) -> SchemaRef {
    let marked = schema.fields().iter().any(|f| f.name().contains(MARK));
    if !marked {
        return schema.clone();
    }
    let fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone().with_name(shown(f.name()))).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Replaces columns that are named without their table, but not in subqueries; gives whether there was one.
pub fn replace_columns(part: &mut impl VisitMut, by: &dyn Fn(&Ident) -> Option<Expr>) -> bool {
    let mut columns = Columns { by, depth: 0, found: false };
    let _ = VisitMut::visit(part, &mut columns);
    columns.found
}

struct Columns<'a> {
    by: &'a dyn Fn(&Ident) -> Option<Expr>,
    /// How many subqueries around it there are.
    depth: usize,
    found: bool,
}

impl VisitorMut for Columns<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && self.depth == 0
            && let Some(other) = (self.by)(name)
        {
            *expr = other;
            self.found = true;
        }
        ControlFlow::Continue(())
    }
}

struct Namer;

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        name_set(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn name_set(set: &mut SetExpr) {
    match set {
        SetExpr::Select(select) => name_select(select),
        SetExpr::SetOperation { left, right, .. } => {
            name_set(left);
            name_set(right);
        }
        _ => {}
    }
}

fn name_select(select: &mut Select) {
    let mut taken = HashSet::new();
    let stars = stars(select);
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let plain = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                let name = name_of(expr).unwrap_or_else(|| "?column?".to_owned());
                if plain && stars.contains(expr) {
                    taken.insert(name.clone());
                } else if plain && taken.insert(name.clone()) {
                    continue;
                }
                let alias = Ident::with_quote('"', unused(name, &mut taken));
                let expr = std::mem::replace(expr, Expr::value(datafusion::sql::sqlparser::ast::Value::Null));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
            SelectItem::ExprWithAlias { alias, .. } => {
                let name = ident(alias);
                if taken.contains(&name) {
                    *alias = Ident::with_quote('"', unused(name, &mut taken));
                } else {
                    taken.insert(name);
                }
            }
            _ => {}
        }
    }
}

/// What the stars of a SELECT stand for.
struct Stars {
    /// Whether there is a `*`.
    all: bool,
    /// The tables of `t.*`.
    of: Vec<String>,
    /// Whether all columns are of one table.
    only_one: bool,
}

impl Stars {
    /// Whether a star stands for this column, too: `SELECT a, *`, `SELECT t.a, t.*`.
    fn contains(&self, column: &Expr) -> bool {
        match column {
            Expr::CompoundIdentifier(path) if path.len() > 1 => {
                self.all || self.of.contains(&ident(&path[path.len() - 2]))
            }
            _ => self.all || (self.only_one && !self.of.is_empty()),
        }
    }
}

fn stars(select: &Select) -> Stars {
    let mut stars = Stars { all: false, of: Vec::new(), only_one: false };
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_) => stars.all = true,
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                if let Some(ObjectNamePart::Identifier(table)) = name.0.last() {
                    stars.of.push(ident(table));
                }
            }
            _ => {}
        }
    }
    stars.only_one = matches!(select.from.as_slice(), [one] if one.joins.is_empty());
    stars
}

fn unused(name: String, taken: &mut HashSet<String>) -> String {
    let mut candidate = name.clone();
    let mut n = 1;
    while !taken.insert(candidate.clone()) {
        n += 1;
        candidate = repeated(&name, n);
    }
    candidate
}

/// The name PostgreSQL gives to a column with this expression.
fn name_of(expr: &Expr) -> Option<String> {
    name_and_strength(expr).map(|(name, _)| name)
}

/// How well a name tells what a column is: that of a type or of a CASE gives way to any that is found outside.
#[derive(PartialEq)]
enum Strength {
    Weak,
    Strong,
}

fn name_and_strength(expr: &Expr) -> Option<(String, Strength)> {
    let weak = |name: String| Some((name, Strength::Weak));
    let strong_or = |inner: Option<(String, Strength)>, name: String| match inner {
        Some((inner, Strength::Strong)) => Some((inner, Strength::Strong)),
        _ => Some((name, Strength::Weak)),
    };
    match expr {
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. } => {
            return strong_or(name_and_strength(expr), type_name(data_type));
        }
        Expr::Case { else_result, .. } => {
            return strong_or(else_result.as_deref().and_then(name_and_strength), "case".to_owned());
        }
        Expr::TypedString(typed) => return weak(type_name(&typed.data_type)),
        Expr::Interval(_) => return weak("interval".to_owned()),
        Expr::Nested(inner) => return name_and_strength(inner),
        Expr::Collate { expr, .. } => return name_and_strength(expr),
        _ => {}
    }
    strong_name(expr).map(|name| (name, Strength::Strong))
}

fn strong_name(expr: &Expr) -> Option<String> {
    Some(match expr {
        Expr::Identifier(name) => ident(name),
        Expr::CompoundIdentifier(names) => ident(names.last()?),
        Expr::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(name))) => ident(name),
            Some(AccessExpr::Subscript(Subscript::Index { .. } | Subscript::Slice { .. })) | None => name_of(root)?,
            Some(AccessExpr::Dot(_)) => return None,
        },
        Expr::Function(function) => match function.name.0.last()? {
            ObjectNamePart::Identifier(name) => ident(name),
            ObjectNamePart::Function(f) => ident(&f.name),
        },
        Expr::Extract { .. } => "extract".to_owned(),
        Expr::Substring { shorthand: true, .. } => "substr".to_owned(),
        Expr::Substring { .. } => "substring".to_owned(),
        Expr::Trim { trim_where: Some(TrimWhereField::Leading), .. } => "ltrim".to_owned(),
        Expr::Trim { trim_where: Some(TrimWhereField::Trailing), .. } => "rtrim".to_owned(),
        Expr::Trim { .. } => "btrim".to_owned(),
        Expr::Position { .. } => "position".to_owned(),
        Expr::Overlay { .. } => "overlay".to_owned(),
        Expr::Ceil { .. } => "ceil".to_owned(),
        Expr::Floor { .. } => "floor".to_owned(),
        Expr::AtTimeZone { .. } => "timezone".to_owned(),
        Expr::Exists { .. } => "exists".to_owned(),
        Expr::Array(_) => "array".to_owned(),
        Expr::Tuple(_) => "row".to_owned(),
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.first()? {
                SelectItem::UnnamedExpr(expr) => name_of(expr)?,
                SelectItem::ExprWithAlias { alias, .. } => ident(alias),
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    })
}

/// PostgreSQL's internal name of a type.
fn type_name(data_type: &DataType) -> String {
    if let DataType::Interval { .. } = data_type {
        return "interval".to_owned();
    }
    let text = data_type.to_string().to_lowercase();
    let base = text.split('(').next().unwrap_or_default().trim();
    match base {
        "boolean" => "bool",
        "smallint" => "int2",
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double" | "double precision" | "float" => "float8",
        "decimal" => "numeric",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "character varying" => "varchar",
        "char" | "character" => "bpchar",
        other => other,
    }
    .to_owned()
}
