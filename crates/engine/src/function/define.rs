//! How a function of ours is declared: its overloads, and what each computes.
//!
//! ```text
//! date_trunc   (text, timestamp) → timestamp
//!              (text, timestamptz) → timestamptz        one of them is chosen as PostgreSQL does:
//!              (text, interval) → interval              most exact types, then preferred ones
//! ```

use crate::error::{Error, Result};
use crate::function::context::clockface;
use crate::operator::cast::cast_operand;
use crate::operator::named;
use crate::operator::operand::{Kind, Operand, UNBOUNDED, taken_as, type_name};
use crate::operator::plan::not_unique;
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use highwater_model::time::Clockface;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

/// One call of a function.
#[derive(Debug)]
pub struct Call<'a> {
    /// The arguments, of the types of the overload.
    pub args: &'a [ColumnarValue],
    /// How many rows there are.
    pub rows: usize,
    /// The type of the result.
    pub out: &'a DataType,
    /// The session's settings.
    pub config: &'a ConfigOptions,
}

impl Call<'_> {
    /// The session's zone and the start of its transaction.
    ///
    /// # Errors
    /// 22023 when there is no such zone.
    pub fn clock(&self) -> Result<Clockface> {
        clockface(self.config)
    }
}

/// What computes a call.
pub type Run = fn(&Call) -> Result<ColumnarValue>;

/// What an overload gives.
#[derive(Clone, Copy, Debug)]
pub enum Gives {
    /// Always this.
    Kind(Kind),
    /// What follows from the types of the arguments.
    Of(fn(&[DataType]) -> DataType),
}

/// A function for arguments of certain types.
#[derive(Clone, Copy, Debug)]
pub struct Overload {
    /// What it takes.
    pub takes: &'static [Kind],
    /// What it gives.
    pub gives: Gives,
    /// What computes it.
    pub run: Run,
}

/// An overload that always gives the same type.
pub const fn takes(takes: &'static [Kind], gives: Kind, run: Run) -> Overload {
    Overload { takes, gives: Gives::Kind(gives), run }
}

/// An overload whose type follows from those of its arguments.
pub const fn takes_and(takes: &'static [Kind], gives: fn(&[DataType]) -> DataType, run: Run) -> Overload {
    Overload { takes, gives: Gives::Of(gives), run }
}

/// Declares a function.
pub fn function(name: &'static str, volatility: Volatility, overloads: &[Overload]) -> Arc<ScalarUDF> {
    let overloads = overloads.to_vec();
    // Whoever registers functions by their aliases as well must not find DataFusion's again.
    let aliases = datafusion_aliases().get(name).cloned().unwrap_or_default();
    Arc::new(ScalarUDF::from(Function { name, overloads, aliases, signature: Signature::user_defined(volatility) }))
}

/// Other names of DataFusion's functions.
fn datafusion_aliases() -> &'static HashMap<String, Vec<String>> {
    static ALIASES: LazyLock<HashMap<String, Vec<String>>> = LazyLock::new(|| {
        let all = datafusion::functions::all_default_functions();
        all.iter().map(|f| (f.name().to_owned(), f.aliases().to_vec())).collect()
    });
    &ALIASES
}

/// A function with overloads.
#[derive(Debug)]
pub struct Function {
    name: &'static str,
    overloads: Vec<Overload>,
    aliases: Vec<String>,
    signature: Signature,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

/// How well a value of one kind goes where another is taken; `None` when it does not.
fn fit(from: Kind, to: Kind) -> Option<u32> {
    use Kind::*;
    let preferred = matches!(to, Double | Text | Timestamptz | Interval | Boolean);
    match (from, to) {
        (a, b) if a == b => Some(100),
        (Unknown, Text) => Some(12),
        (Unknown, _) => Some(10 + u32::from(preferred)),
        (a, b) if a.is_number() && b.is_number() && a < b => Some(1 + u32::from(preferred)),
        (a, b) if a.is_datetime() && b.is_datetime() && a < b => Some(1 + u32::from(preferred)),
        (Time, Interval) => Some(2),
        _ => None,
    }
}

impl Function {
    /// The overload that PostgreSQL would choose.
    ///
    /// * `literals` – whether a text or bigint may be a literal whose type is still to be found.
    fn choose(&self, kinds: &[Kind], literals: bool) -> Option<&Overload> {
        let score = |overload: &Overload| {
            (overload.takes.len() == kinds.len()).then_some(())?;
            kinds.iter().zip(overload.takes).try_fold(0u32, |sum, (from, to)| {
                let literal = match (from, to) {
                    (Kind::Text, _) | (Kind::BigInt, Kind::Integer) => Some(1),
                    _ => None,
                };
                Some(sum + fit(*from, *to).or(literal.filter(|_| literals))?)
            })
        };
        let mut best: Option<(&Overload, u32)> = None;
        for overload in &self.overloads {
            if let Some(score) = score(overload)
                && best.is_none_or(|(_, best)| score > best)
            {
                best = Some((overload, score));
            }
        }
        best.map(|(overload, _)| overload)
    }

    fn unknown(&self, types: &[DataType]) -> Error {
        let types: Vec<String> = types.iter().map(type_name).collect();
        if let Some(symbol) = named::symbol(self.name) {
            return Error::no_operator(&match types.as_slice() {
                [left, right] => format!("{left} {symbol} {right}"),
                all => format!("{symbol} {}", all.join(" ")),
            });
        }
        Error::no_function(self.name, types)
    }

    fn overload(&self, types: &[DataType]) -> Result<&Overload> {
        let kinds: Vec<Kind> = types.iter().map(Kind::of).collect();
        self.choose(&kinds, true).ok_or_else(|| self.unknown(types))
    }

    /// The arguments as the chosen overload takes them, literals without a type included.
    ///
    /// # Errors
    /// 42883 when there is no such overload; those of reading literals.
    pub fn resolve(&self, args: Vec<Expr>, schema: &DFSchema, clock: &Clockface) -> Result<Vec<Expr>> {
        let operands: Option<Vec<Operand>> = args.iter().map(|a| Operand::new(a.clone(), schema)).collect();
        let Some(operands) = operands else { return Ok(args) };
        let kinds: Vec<Kind> = operands.iter().map(|o| o.kind).collect();
        let types = || operands.iter().map(|o| o.data_type.clone()).collect::<Vec<_>>();
        if let ("pg_neg" | "pg_bitnot", [Expr::Literal(ScalarValue::Utf8(Some(_)), _)]) = (self.name, args.as_slice()) {
            let symbol = named::symbol(self.name).unwrap_or(self.name);
            return Err(not_unique(&format!("{symbol} unknown")));
        }
        let overload = self.choose(&kinds, false).ok_or_else(|| self.unknown(&types()))?;
        let resolved = operands.iter().zip(overload.takes).map(|(operand, takes)| {
            let target = target(&operand.data_type, *takes);
            match operand.kind {
                Kind::Unknown => Ok(operand.clone().resolve(&target, clock)?.expr),
                _ => cast_operand(operand.clone(), &target, clock),
            }
        });
        resolved.collect()
    }
}

/// The Arrow type that an argument of this type gets where `kind` is taken.
fn target(from: &DataType, kind: Kind) -> DataType {
    match (kind, from) {
        (Kind::Numeric, DataType::Decimal128(..)) => from.clone(),
        (Kind::Numeric, DataType::Int16) => DataType::Decimal128(5, 0),
        (Kind::Numeric, DataType::Int32) => DataType::Decimal128(10, 0),
        (Kind::Numeric, DataType::Int64) => DataType::Decimal128(19, 0),
        (Kind::Numeric, _) => UNBOUNDED,
        (Kind::Other | Kind::Unknown, _) => from.clone(),
        _ => kind.arrow().unwrap_or_else(|| from.clone()),
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> DfResult<Vec<DataType>> {
        // DataFusion would put the error into words of its own; the one of `return_type` it passes on.
        let Ok(overload) = self.overload(types) else { return Ok(types.to_vec()) };
        let taken = types.iter().zip(overload.takes).map(|(from, kind)| target(from, *kind)).collect();
        Ok(taken_as(types, taken))
    }

    fn return_type(&self, types: &[DataType]) -> DfResult<DataType> {
        let overload = self.overload(types)?;
        Ok(match overload.gives {
            Gives::Kind(kind) => kind.arrow().unwrap_or(UNBOUNDED),
            Gives::Of(gives) => gives(types),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let overload = self.overload(&types)?;
        let call = Call {
            args: &args.args,
            rows: args.number_rows,
            out: args.return_field.data_type(),
            config: &args.config_options,
        };
        Ok((overload.run)(&call)?)
    }
}
