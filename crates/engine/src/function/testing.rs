//! Asks DataFusion with our operators and functions, for the tests of this crate.

use super::context::{SessionClock, clockface};
use crate::error::{Error, Result};
use crate::operator::{PgMeaning, PgPlanner, rewrite_syntax};
use crate::text::{Clockface, ColumnWriter};
use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field};
use datafusion::catalog::{TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ExprPlanner, TypePlanner};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use highwater_model::ColumnType;
use highwater_model::time::Zone;
use std::sync::Arc;

/// 2024-02-29 13:37:00 UTC
pub const NOW: i64 = 1_709_213_820_000_000;

/// Our `generate_series` for a session of DataFusion's.
#[derive(Debug)]
struct Series;

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs) -> datafusion::error::Result<Arc<dyn TableProvider>> {
        let session = args.session();
        let state = session.as_any().downcast_ref::<SessionState>().expect("the session is one of DataFusion's");
        let clock = clockface(state.config_options())?;
        let values = args.exprs().iter().map(|expr| {
            let schema = DFSchema::empty();
            let expr = PgMeaning::new(clock).rewrite_expr(expr.clone(), &schema)?;
            let row = RecordBatch::try_new_with_options(
                Arc::new(arrow::datatypes::Schema::empty()),
                vec![],
                &RecordBatchOptions::new().with_row_count(Some(1)),
            )?;
            let value = state.create_physical_expr(expr, &schema)?.evaluate(&row)?.into_array(1)?;
            Ok(ScalarValue::try_from_array(&value, 0)?)
        });
        let values = values.collect::<Result<Vec<_>>>()?;
        Ok(super::table_function("generate_series").expect("it is ours")(&values, state)?)
    }
}

#[derive(Debug)]
struct Types;

impl TypePlanner for Types {
    fn plan_type(&self, sql: &ast::DataType) -> datafusion::error::Result<Option<DataType>> {
        fn column_type(sql: &ast::DataType) -> Option<ColumnType> {
            use ast::DataType as Sql;
            Some(match sql {
                Sql::Timestamp(_, ast::TimezoneInfo::None | ast::TimezoneInfo::WithoutTimeZone) => {
                    ColumnType::Timestamp
                }
                Sql::Timestamp(..) => ColumnType::Timestamptz,
                Sql::Numeric(ast::ExactNumberInfo::None) => ColumnType::AnyNumeric(None),
                Sql::Uuid => ColumnType::Uuid,
                Sql::Interval { .. } => ColumnType::Interval,
                Sql::Float(_) | Sql::DoublePrecision | Sql::Float8 => ColumnType::Double,
                Sql::Time(..) => ColumnType::Time,
                Sql::Text => ColumnType::Text,
                Sql::Custom(name, _) if name.to_string() == "timestamptz" => ColumnType::Timestamptz,
                Sql::Array(ast::ArrayElemTypeDef::SquareBracket(item, _)) => {
                    let item =
                        column_type(item).or_else(|| matches!(**item, Sql::Int(_)).then_some(ColumnType::Integer));
                    ColumnType::List(Box::new(item?))
                }
                _ => return None,
            })
        }
        Ok(column_type(sql).map(|t| highwater_store::schema::arrow_type(&t)))
    }
}

/// The answer to a query in a session with this zone: columns separated by `|`, rows by `;`, NULL as nothing; or
/// the error with its code.
pub fn ask_in(zone: &str, sql: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(answer(zone, sql)).unwrap_or_else(|e| format!("{} {}", e.sqlstate, e.message))
}

/// The answer in UTC.
pub fn ask(sql: &str) -> String {
    ask_in("UTC", sql)
}

/// Asks each question and compares the answers.
pub fn check(cases: &[(&str, &str)]) {
    check_in("UTC", cases);
}

/// Asks each question in a session with this zone and compares the answers.
pub fn check_in(zone: &str, cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(sql, expected)| (sql, expected, ask_in(zone, &format!("SELECT {sql}"))))
        .filter(|(_, expected, answer)| answer != *expected)
        .map(|(sql, expected, answer)| format!("{sql}\n    expected {expected}\n    answered {answer}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} answers are wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Gives each column a name of its own, because DataFusion refuses two of one name.
fn name_columns(statement: &mut ast::Statement) {
    let ast::Statement::Query(query) = statement else { return };
    let ast::SetExpr::Select(select) = query.body.as_mut() else { return };
    for (i, item) in select.projection.iter_mut().enumerate() {
        if let ast::SelectItem::UnnamedExpr(expr) = item {
            *item = ast::SelectItem::ExprWithAlias { expr: expr.clone(), alias: ast::Ident::new(format!("c{i}")) };
        }
    }
}

async fn answer(zone: &str, sql: &str) -> Result<String> {
    let clock = Clockface::new(Zone::parse(zone)?, NOW);
    let mut options = ConfigOptions::new();
    options.execution.time_zone = Some(zone.to_owned());
    options.sql_parser.parse_float_as_decimal = true;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.execution.target_partitions = 1;
    options.extensions.insert(SessionClock { transaction_start_micros: NOW, statement_start_micros: NOW + 1_000_000 });
    let mut state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(SessionConfig::from(options))
        .with_type_planner(Arc::new(Types))
        .build();
    use datafusion::execution::FunctionRegistry;
    for function in super::all() {
        state.register_udf(function)?;
    }
    for aggregate in super::aggregates() {
        state.register_udaf(aggregate)?;
    }
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(PgPlanner::new(clock))];
    planners.extend(state.expr_planners().iter().cloned());
    let mut tables = state.table_functions().clone();
    tables.insert(
        "generate_series".to_owned(),
        Arc::new(TableFunction::new("generate_series".to_owned(), Arc::new(Series))),
    );
    let state =
        SessionStateBuilder::new_from_existing(state).with_expr_planners(planners).with_table_functions(tables).build();
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|e| Error::syntax(e.to_string()))?;
    rewrite_syntax(&mut statements[0]);
    name_columns(&mut statements[0]);
    let plan = state.statement_to_plan(Statement::Statement(Box::new(statements.remove(0)))).await?;
    let plan = PgMeaning::new(clock).apply(plan)?;
    let batches = SessionContext::new_with_state(state).execute_logical_plan(plan).await?.collect().await?;
    let (mut out, mut begun) = (Vec::new(), false);
    for batch in batches {
        let fields = batch.schema();
        let writers = batch.columns().iter().zip(fields.fields());
        let writers = writers.map(|(c, f): (_, &Arc<Field>)| ColumnWriter::new(c, f, clock.zone));
        let writers = writers.collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            if std::mem::replace(&mut begun, true) {
                out.push(b';');
            }
            for (i, writer) in writers.iter().enumerate() {
                if i > 0 {
                    out.push(b'|');
                }
                writer.write(row, &mut out);
            }
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
