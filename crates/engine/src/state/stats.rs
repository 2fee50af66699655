//! The shared state of a numeric column: count, sum, minimum, maximum and moments.
//!
//! Floats keep sums in `f64` and the second moment as deviations from the first value seen, which costs no
//! division per row and loses no digits to a large mean. Integers and numerics are exact: the sum in 128
//! bits, the sum of squares in 256.
//!
//! The same accumulator serves three functions: the SQL aggregate (rows in, value out), the state function
//! (rows in, components out) and the merge function (components in, components out).

use crate::Error;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, StructArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Fields, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, i256,
};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, GroupsAccumulator, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::collections::HashSet;
use std::sync::Arc;

/// Digits after the point of an average or deviation of exact numbers.
const AVERAGE_SCALE: i8 = crate::types::FREE_SCALE;

/// What is finished from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `count(x)`
    Count,
    /// `sum(x)`
    Sum,
    /// `avg(x)`
    Avg,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `stddev(x)`, `stddev_samp(x)`
    StddevSamp,
    /// `stddev_pop(x)`
    StddevPop,
    /// `variance(x)`, `var_samp(x)`
    VarSamp,
    /// `var_pop(x)`
    VarPop,
}

impl Kind {
    /// The aggregate of this name.
    pub fn of(name: &str) -> Option<Kind> {
        Some(match name {
            "count" => Kind::Count,
            "sum" => Kind::Sum,
            "avg" | "mean" => Kind::Avg,
            "min" => Kind::Min,
            "max" => Kind::Max,
            "stddev" | "stddev_samp" => Kind::StddevSamp,
            "stddev_pop" => Kind::StddevPop,
            "variance" | "var" | "var_samp" | "var_sample" => Kind::VarSamp,
            "var_pop" | "var_population" => Kind::VarPop,
            _ => return None,
        })
    }

    /// The components it needs.
    pub fn needs(self) -> Needs {
        Needs {
            sum: matches!(self, Kind::Sum | Kind::Avg),
            moments: matches!(self, Kind::StddevSamp | Kind::StddevPop | Kind::VarSamp | Kind::VarPop),
            min: self == Kind::Min,
            max: self == Kind::Max,
        }
    }
}

/// Which components a state has, beside the count that every state has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs {
    /// The sum.
    pub sum: bool,
    /// Mean and squared deviations, or the sum of squares.
    pub moments: bool,
    /// The minimum.
    pub min: bool,
    /// The maximum.
    pub max: bool,
}

impl Needs {
    /// What either needs.
    pub fn or(self, other: Needs) -> Needs {
        Needs {
            sum: self.sum || other.sum,
            moments: self.moments || other.moments,
            min: self.min || other.min,
            max: self.max || other.max,
        }
    }
}

/// What kind of numbers a state is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Numbers {
    Real,
    Double,
    SmallInt,
    Integer,
    BigInt,
    Numeric(i8),
}

impl Numbers {
    fn of(data_type: &DataType) -> Option<Numbers> {
        Some(match data_type {
            DataType::Float32 => Numbers::Real,
            DataType::Float64 => Numbers::Double,
            DataType::Int16 => Numbers::SmallInt,
            DataType::Int32 => Numbers::Integer,
            DataType::Int64 => Numbers::BigInt,
            DataType::Decimal128(_, scale) => Numbers::Numeric(*scale),
            _ => return None,
        })
    }

    fn is_exact(self) -> bool {
        !matches!(self, Numbers::Real | Numbers::Double)
    }

    fn scale(self) -> i8 {
        match self {
            Numbers::Numeric(scale) => scale,
            _ => 0,
        }
    }

    fn value_type(self) -> DataType {
        match self {
            Numbers::Real => DataType::Float32,
            Numbers::Double => DataType::Float64,
            Numbers::SmallInt => DataType::Int16,
            Numbers::Integer => DataType::Int32,
            Numbers::BigInt => DataType::Int64,
            Numbers::Numeric(scale) => DataType::Decimal128(38, scale),
        }
    }

    fn finished_type(self, kind: Kind) -> DataType {
        match (kind, self) {
            (Kind::Count, _) => DataType::Int64,
            (Kind::Min | Kind::Max, _) => self.value_type(),
            (Kind::Sum, Numbers::SmallInt | Numbers::Integer) => DataType::Int64,
            (Kind::Sum, Numbers::BigInt) => DataType::Decimal128(38, 0),
            (Kind::Sum, _) => self.value_type(),
            (_, Numbers::Real | Numbers::Double) => DataType::Float64,
            (_, _) => DataType::Decimal128(38, AVERAGE_SCALE.max(self.scale())),
        }
    }

    /// Names and types of the components.
    fn components(self, needs: Needs) -> Vec<(&'static str, DataType)> {
        let scale = self.scale();
        let mut components = vec![("n", DataType::Int64)];
        if self.is_exact() {
            if needs.sum || needs.moments {
                components.push(("sum", DataType::Decimal128(38, scale)));
            }
            if needs.moments {
                components.push(("sumsq", DataType::Decimal256(76, 2 * scale)));
            }
        } else {
            if needs.sum {
                components.push(("sum", DataType::Float64));
            }
            if needs.moments {
                components.push(("mean", DataType::Float64));
                components.push(("m2", DataType::Float64));
            }
        }
        if needs.min {
            components.push(("min", self.value_type()));
        }
        if needs.max {
            components.push(("max", self.value_type()));
        }
        components
    }
}

/// Names and types of the components of a state over a column, in the order in which the state and merge
/// functions give and take them; `None` when such a column has no such state.
pub fn components(data_type: &DataType, needs: Needs) -> Option<Vec<(&'static str, DataType)>> {
    Some(Numbers::of(data_type)?.components(needs))
}

/// What one group has seen of floats.
#[derive(Clone, Copy, Debug)]
struct FloatCell {
    n: i64,
    sum: f64,
    /// The first value; deviations are from it.
    pivot: f64,
    deviation: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Default for FloatCell {
    fn default() -> Self {
        FloatCell { n: 0, sum: 0.0, pivot: 0.0, deviation: 0.0, squares: 0.0, min: f64::NAN, max: f64::NEG_INFINITY }
    }
}

impl FloatCell {
    #[inline]
    fn add(&mut self, x: f64) {
        if self.n == 0 {
            self.pivot = x;
        }
        self.n += 1;
        self.sum += x;
        let d = x - self.pivot;
        self.deviation += d;
        self.squares += d * d;
        // NaN is greater than everything, as in PostgreSQL.
        if x < self.min || self.min.is_nan() {
            self.min = x;
        }
        if x > self.max || x.is_nan() {
            self.max = x;
        }
    }

    fn mean(&self) -> f64 {
        self.pivot + self.deviation / self.n as f64
    }

    fn m2(&self) -> f64 {
        let m2 = self.squares - self.deviation * self.deviation / self.n as f64;
        if m2 < 0.0 { 0.0 } else { m2 }
    }

    fn merge(&mut self, other: &FloatCell) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let delta = other.mean() - self.mean();
        let m2 = self.m2() + other.m2() + delta * delta * a * b / (a + b);
        let mean = self.mean() + delta * b / (a + b);
        self.n += other.n;
        self.sum += other.sum;
        (self.pivot, self.deviation, self.squares) = (mean, 0.0, m2);
        if other.min < self.min || self.min.is_nan() {
            self.min = other.min;
        }
        if other.max > self.max || other.max.is_nan() {
            self.max = other.max;
        }
    }
}

/// What one group has seen of integers or numerics.
#[derive(Clone, Copy, Debug, Default)]
struct ExactCell {
    n: i64,
    sum: i128,
    sumsq: i256,
    min: i128,
    max: i128,
}

impl ExactCell {
    #[inline]
    fn add(&mut self, x: i128, squares: bool) -> Result<()> {
        if self.n == 0 {
            (self.min, self.max) = (x, x);
        }
        self.n += 1;
        self.sum = self.sum.checked_add(x).ok_or_else(overflow)?;
        if squares {
            let x = i256::from_i128(x);
            let square = x.checked_mul(x).ok_or_else(overflow)?;
            self.sumsq = self.sumsq.checked_add(square).ok_or_else(overflow)?;
        }
        self.min = self.min.min(x);
        self.max = self.max.max(x);
        Ok(())
    }

    fn merge(&mut self, other: &ExactCell) -> Result<()> {
        if other.n == 0 {
            return Ok(());
        }
        if self.n == 0 {
            *self = *other;
            return Ok(());
        }
        self.n += other.n;
        self.sum = self.sum.checked_add(other.sum).ok_or_else(overflow)?;
        self.sumsq = self.sumsq.checked_add(other.sumsq).ok_or_else(overflow)?;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        Ok(())
    }
}

fn overflow() -> Error {
    Error::new("22003", "value overflows numeric format")
}

/// The cells of all groups.
#[derive(Debug)]
enum Cells {
    Float(Vec<FloatCell>),
    Exact(Vec<ExactCell>),
}

/// The state of every group of one column.
#[derive(Debug)]
struct Stats {
    numbers: Numbers,
    needs: Needs,
    cells: Cells,
}

impl Stats {
    fn new(numbers: Numbers, needs: Needs) -> Self {
        let cells = if numbers.is_exact() { Cells::Exact(Vec::new()) } else { Cells::Float(Vec::new()) };
        Stats { numbers, needs, cells }
    }

    fn grow(&mut self, groups: usize) {
        match &mut self.cells {
            Cells::Float(cells) => cells.resize(groups.max(cells.len()), FloatCell::default()),
            Cells::Exact(cells) => cells.resize(groups.max(cells.len()), ExactCell::default()),
        }
    }

    fn update(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>) -> Result<()> {
        let squares = self.needs.moments;
        match (&mut self.cells, self.numbers) {
            (Cells::Float(cells), Numbers::Double) => each::<Float64Type>(values, groups, filter, |g, x| {
                cells[g].add(x);
                Ok(())
            }),
            (Cells::Float(cells), _) => each::<Float32Type>(values, groups, filter, |g, x| {
                cells[g].add(f64::from(x));
                Ok(())
            }),
            (Cells::Exact(cells), Numbers::SmallInt) => {
                each::<Int16Type>(values, groups, filter, |g, x| cells[g].add(i128::from(x), squares))
            }
            (Cells::Exact(cells), Numbers::Integer) => {
                each::<Int32Type>(values, groups, filter, |g, x| cells[g].add(i128::from(x), squares))
            }
            (Cells::Exact(cells), Numbers::BigInt) => {
                each::<Int64Type>(values, groups, filter, |g, x| cells[g].add(i128::from(x), squares))
            }
            (Cells::Exact(cells), _) => each::<Decimal128Type>(values, groups, filter, |g, x| cells[g].add(x, squares)),
        }
    }

    fn merge(&mut self, arrays: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Result<()> {
        let kept = |i: usize| filter.is_none_or(|f| f.is_valid(i) && f.value(i));
        match &mut self.cells {
            Cells::Float(cells) => {
                let other = float_cells(arrays, self.numbers, self.needs);
                for (i, (group, cell)) in groups.iter().zip(&other).enumerate() {
                    if kept(i) {
                        cells[*group].merge(cell);
                    }
                }
            }
            Cells::Exact(cells) => {
                let other = exact_cells(arrays, self.numbers, self.needs);
                for (i, (group, cell)) in groups.iter().zip(&other).enumerate() {
                    if kept(i) {
                        cells[*group].merge(cell)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, emit: EmitTo) -> Stats {
        let cells = match &mut self.cells {
            Cells::Float(cells) => Cells::Float(emit.take_needed(cells)),
            Cells::Exact(cells) => Cells::Exact(emit.take_needed(cells)),
        };
        Stats { cells, ..*self }
    }

    /// The components as arrays, in the order of [`Numbers::components`].
    fn arrays(&self) -> Result<Vec<ArrayRef>> {
        let Needs { sum, moments, min, max } = self.needs;
        let mut arrays: Vec<ArrayRef> = Vec::new();
        match &self.cells {
            Cells::Float(cells) => {
                arrays.push(Arc::new(cells.iter().map(|c| c.n).collect::<Int64Array>()));
                let mut push = |value: fn(&FloatCell) -> f64| {
                    arrays.push(Arc::new(cells.iter().map(|c| (c.n > 0).then(|| value(c))).collect::<Float64Array>()));
                };
                if sum {
                    push(|c| c.sum);
                }
                if moments {
                    push(FloatCell::mean);
                    push(FloatCell::m2);
                }
                if min {
                    arrays.push(self.finish(Kind::Min)?);
                }
                if max {
                    arrays.push(self.finish(Kind::Max)?);
                }
            }
            Cells::Exact(cells) => {
                let scale = self.numbers.scale();
                arrays.push(Arc::new(cells.iter().map(|c| c.n).collect::<Int64Array>()));
                if sum || moments {
                    let sums: Decimal128Array = cells.iter().map(|c| (c.n > 0).then_some(c.sum)).collect();
                    arrays.push(Arc::new(sums.with_precision_and_scale(38, scale)?));
                }
                if moments {
                    let squares: Decimal256Array = cells.iter().map(|c| (c.n > 0).then_some(c.sumsq)).collect();
                    arrays.push(Arc::new(squares.with_precision_and_scale(76, 2 * scale)?));
                }
                if min {
                    arrays.push(self.finish(Kind::Min)?);
                }
                if max {
                    arrays.push(self.finish(Kind::Max)?);
                }
            }
        }
        Ok(arrays)
    }

    /// The finished values.
    fn finish(&self, kind: Kind) -> Result<ArrayRef> {
        match &self.cells {
            Cells::Float(cells) => Ok(finish_floats(cells, kind, self.numbers)),
            Cells::Exact(cells) => finish_exact(cells, kind, self.numbers),
        }
    }

    fn size(&self) -> usize {
        match &self.cells {
            Cells::Float(cells) => cells.capacity() * size_of::<FloatCell>(),
            Cells::Exact(cells) => cells.capacity() * size_of::<ExactCell>(),
        }
    }
}

/// Calls `add` with the group and value of each row that counts.
#[inline]
fn each<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    groups: &[usize],
    filter: Option<&BooleanArray>,
    mut add: impl FnMut(usize, T::Native) -> Result<()>,
) -> Result<()> {
    let values = values.as_primitive::<T>();
    if filter.is_none() && values.null_count() == 0 {
        for (group, value) in groups.iter().zip(values.values()) {
            add(*group, *value)?;
        }
        return Ok(());
    }
    for (i, group) in groups.iter().enumerate() {
        if values.is_valid(i) && filter.is_none_or(|f| f.is_valid(i) && f.value(i)) {
            add(*group, values.value(i))?;
        }
    }
    Ok(())
}

/// The array of a component, when the state has it.
fn component<'a>(arrays: &'a [ArrayRef], numbers: Numbers, needs: Needs, name: &str) -> Option<&'a ArrayRef> {
    let position = numbers.components(needs).iter().position(|(component, _)| *component == name);
    position.map(|i| &arrays[i])
}

fn float_cells(arrays: &[ArrayRef], numbers: Numbers, needs: Needs) -> Vec<FloatCell> {
    let n = arrays[0].as_primitive::<Int64Type>();
    let mut cells: Vec<FloatCell> = (0..n.len())
        .map(|i| FloatCell { n: if n.is_valid(i) { n.value(i) } else { 0 }, ..FloatCell::default() })
        .collect();
    let mut set = |name: &str, set: fn(&mut FloatCell, f64)| {
        let Some(array) = component(arrays, numbers, needs, name) else { return };
        let reals = array.as_primitive_opt::<Float32Type>();
        let doubles = array.as_primitive_opt::<Float64Type>();
        for (i, cell) in cells.iter_mut().enumerate().filter(|(i, cell)| cell.n > 0 && array.is_valid(*i)) {
            let value = reals.map(|a| f64::from(a.value(i))).or_else(|| doubles.map(|a| a.value(i)));
            set(cell, value.expect("components are floats"));
        }
    };
    set("sum", |cell, x| cell.sum = x);
    set("mean", |cell, x| cell.pivot = x);
    set("m2", |cell, x| cell.squares = x);
    set("min", |cell, x| cell.min = x);
    set("max", |cell, x| cell.max = x);
    cells
}

fn exact_cells(arrays: &[ArrayRef], numbers: Numbers, needs: Needs) -> Vec<ExactCell> {
    let n = arrays[0].as_primitive::<Int64Type>();
    let column = |name: &str| component(arrays, numbers, needs, name);
    let (sums, squares, least, most) = (column("sum"), column("sumsq"), column("min"), column("max"));
    let whole = |array: Option<&ArrayRef>, i: usize| match array {
        Some(array) if array.is_valid(i) => match array.data_type() {
            DataType::Int16 => i128::from(array.as_primitive::<Int16Type>().value(i)),
            DataType::Int32 => i128::from(array.as_primitive::<Int32Type>().value(i)),
            DataType::Int64 => i128::from(array.as_primitive::<Int64Type>().value(i)),
            _ => array.as_primitive::<Decimal128Type>().value(i),
        },
        _ => 0,
    };
    let wide = |array: Option<&ArrayRef>, i: usize| match array {
        Some(array) if array.is_valid(i) => array.as_primitive::<Decimal256Type>().value(i),
        _ => i256::ZERO,
    };
    (0..n.len())
        .map(|i| match n.is_valid(i) && n.value(i) > 0 {
            false => ExactCell::default(),
            true => ExactCell {
                n: n.value(i),
                sum: whole(sums, i),
                sumsq: wide(squares, i),
                min: whole(least, i),
                max: whole(most, i),
            },
        })
        .collect()
}

fn finish_floats(cells: &[FloatCell], kind: Kind, numbers: Numbers) -> ArrayRef {
    if kind == Kind::Count {
        return Arc::new(cells.iter().map(|c| c.n).collect::<Int64Array>());
    }
    let value = |c: &FloatCell| -> Option<f64> {
        let n = c.n as f64;
        match kind {
            _ if c.n == 0 => None,
            Kind::Sum => Some(c.sum),
            Kind::Avg => Some(c.sum / n),
            Kind::Min => Some(c.min),
            Kind::Max => Some(c.max),
            Kind::VarPop => Some(c.m2() / n),
            Kind::StddevPop => Some((c.m2() / n).sqrt()),
            Kind::VarSamp if c.n > 1 => Some(c.m2() / (n - 1.0)),
            Kind::StddevSamp if c.n > 1 => Some((c.m2() / (n - 1.0)).sqrt()),
            _ => None,
        }
    };
    match numbers.finished_type(kind) {
        DataType::Float32 => Arc::new(cells.iter().map(|c| value(c).map(|v| v as f32)).collect::<Float32Array>()),
        _ => Arc::new(cells.iter().map(value).collect::<Float64Array>()),
    }
}

fn finish_exact(cells: &[ExactCell], kind: Kind, numbers: Numbers) -> Result<ArrayRef> {
    let scale = numbers.scale();
    let whole = |value: fn(&ExactCell) -> i128| -> Result<ArrayRef> {
        let values = cells.iter().map(|c| (c.n > 0).then(|| value(c)));
        let narrow = |v: i128, name: &str| Error::new("22003", format!("{name} out of range: {v}"));
        Ok(match numbers.finished_type(kind) {
            DataType::Int16 => Arc::new(values.map(|v| v.map(|v| v as i16)).collect::<Int16Array>()),
            DataType::Int32 => Arc::new(values.map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
            DataType::Int64 => {
                let values = values.map(|v| v.map(|v| i64::try_from(v).map_err(|_| narrow(v, "bigint"))).transpose());
                Arc::new(values.collect::<Result<Int64Array, Error>>()?)
            }
            other => {
                let DataType::Decimal128(p, s) = other else {
                    unreachable!("exact numbers finish as integers or numerics")
                };
                Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(p, s)?)
            }
        })
    };
    match kind {
        Kind::Count => Ok(Arc::new(cells.iter().map(|c| c.n).collect::<Int64Array>())),
        Kind::Sum => whole(|c| c.sum),
        Kind::Min => whole(|c| c.min),
        Kind::Max => whole(|c| c.max),
        _ => {
            let DataType::Decimal128(p, s) = numbers.finished_type(kind) else { unreachable!("averages are numeric") };
            let values: Decimal128Array = cells
                .iter()
                .map(|c| finish_ratio(c, kind, scale, s))
                .collect::<Result<Vec<_>, Error>>()?
                .into_iter()
                .collect();
            Ok(Arc::new(values.with_precision_and_scale(p, s)?))
        }
    }
}

/// An average or deviation of exact numbers of `scale`, as an integer of scale `to`.
fn finish_ratio(cell: &ExactCell, kind: Kind, scale: i8, to: i8) -> Result<Option<i128>, Error> {
    if cell.n == 0 {
        return Ok(None);
    }
    let n = i256::from_i128(i128::from(cell.n));
    let power = |exponent: i8| i256::from_i128(10).checked_pow(u32::from(exponent.unsigned_abs())).ok_or_else(overflow);
    if kind == Kind::Avg {
        let scaled = i256::from_i128(cell.sum).checked_mul(power(to - scale)?).ok_or_else(overflow)?;
        return rounded(scaled, n).and_then(|v| v.to_i128()).map(Some).ok_or_else(overflow);
    }
    let denominator = match kind {
        Kind::VarPop | Kind::StddevPop => n,
        _ if cell.n > 1 => n - i256::ONE,
        _ => return Ok(None),
    };
    // n·Σx² − (Σx)² is exact; only the last division, and a root, round.
    let sum = i256::from_i128(cell.sum);
    let squares = n.checked_mul(cell.sumsq).ok_or_else(overflow)?;
    let spread = squares.checked_sub(sum.checked_mul(sum).ok_or_else(overflow)?).ok_or_else(overflow)?;
    let divisor = n.checked_mul(denominator).ok_or_else(overflow)?;
    let deviation = matches!(kind, Kind::StddevSamp | Kind::StddevPop);
    let exponent = if deviation { 2 * to - 2 * scale } else { to - 2 * scale };
    let value = match spread.checked_mul(power(exponent.max(0))?) {
        Some(scaled) if exponent >= 0 => rounded(scaled, divisor),
        _ => None,
    };
    let value = match (value, deviation) {
        (Some(v), true) => v.to_i128().map(|v| v.isqrt()),
        (Some(v), false) => v.to_i128(),
        // Too many digits for 256 bits: a double has fewer than are lost.
        (None, _) => {
            let double = |v: i256| v.to_string().parse::<f64>().unwrap_or(f64::NAN);
            let variance = double(spread) / double(divisor) / 10f64.powi(2 * i32::from(scale));
            let value = if deviation { variance.sqrt() } else { variance };
            let scaled = value * 10f64.powi(i32::from(to));
            (scaled.abs() < 1e38).then_some(scaled.round() as i128)
        }
    };
    value.map(Some).ok_or_else(overflow)
}

/// Division rounded half away from zero.
fn rounded(a: i256, b: i256) -> Option<i256> {
    let quotient = a.checked_div(b)?;
    let rest = a.checked_rem(b)?;
    let twice = rest.wrapping_abs().checked_mul(i256::from_i128(2))?;
    if twice < b.wrapping_abs() {
        return Some(quotient);
    }
    let away = if (a < i256::ZERO) == (b < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
    quotient.checked_add(away)
}

/// What a function takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// Rows to a finished value.
    Finish(Kind),
    /// Rows to components.
    State,
    /// Components to components, of these numbers.
    Merge(Numbers),
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct StatsFunction {
    name: String,
    aliases: Vec<String>,
    mode: Mode,
    needs: Needs,
    signature: Signature,
}

impl StatsFunction {
    fn aggregate(name: &str, aliases: &[&str], mode: Mode, needs: Needs) -> AggregateUDF {
        AggregateUDF::new_from_impl(StatsFunction {
            name: name.to_owned(),
            aliases: aliases.iter().map(|a| (*a).to_owned()).collect(),
            mode,
            needs,
            signature: Signature::new(TypeSignature::UserDefined, Volatility::Immutable),
        })
    }

    fn numbers(&self, types: &[DataType]) -> Result<Numbers> {
        match (self.mode, types.first()) {
            (Mode::Merge(numbers), _) => Ok(numbers),
            (_, Some(data_type)) => Numbers::of(data_type).ok_or_else(|| self.no_such(types).into()),
            (_, None) => Err(self.no_such(types).into()),
        }
    }

    fn no_such(&self, types: &[DataType]) -> Error {
        let names: Vec<String> = types
            .iter()
            .map(|t| highwater_store::schema::column_type(t).map_or_else(|| t.to_string(), |t| t.to_string()))
            .collect();
        Error::new("42883", format!("function {}({}) does not exist", self.name, names.join(", ")))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
    }

    fn accumulators(&self, args: &AccumulatorArgs<'_>) -> Result<Stats> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|f| f.data_type().clone()).collect();
        Ok(Stats::new(self.numbers(&types)?, self.needs))
    }
}

/// What a kind is called in SQL, and its other names.
fn names(kind: Kind) -> (&'static str, &'static [&'static str]) {
    match kind {
        Kind::Count => ("count", &[]),
        Kind::Sum => ("sum", &[]),
        Kind::Avg => ("avg", &[]),
        Kind::Min => ("min", &[]),
        Kind::Max => ("max", &[]),
        Kind::StddevSamp => ("stddev", &["stddev_samp"]),
        Kind::StddevPop => ("stddev_pop", &[]),
        Kind::VarSamp => ("var_samp", &["variance", "var", "var_sample"]),
        Kind::VarPop => ("var_pop", &["var_population"]),
    }
}

/// The SQL aggregate of numbers that finishes a state so.
pub fn function(kind: Kind) -> Arc<AggregateUDF> {
    let (name, aliases) = names(kind);
    Arc::new(StatsFunction::aggregate(name, aliases, Mode::Finish(kind), kind.needs()))
}

/// The SQL aggregates that are of numbers only.
pub fn functions() -> Vec<Arc<AggregateUDF>> {
    let of = [Kind::StddevSamp, Kind::StddevPop, Kind::VarSamp, Kind::VarPop];
    of.map(function).to_vec()
}

/// The function from rows to components, as a struct with the fields of [`components`].
pub fn state_function(needs: Needs) -> Arc<AggregateUDF> {
    Arc::new(StatsFunction::aggregate("stats_state", &[], Mode::State, needs))
}

/// The function that merges components over a column of this type, taken one by one, into a struct.
pub fn merge_function(data_type: &DataType, needs: Needs) -> Option<Arc<AggregateUDF>> {
    let numbers = Numbers::of(data_type)?;
    Some(Arc::new(StatsFunction::aggregate("stats_merge", &[], Mode::Merge(numbers), needs)))
}

/// The function that finishes components over a column of this type, taken one by one.
pub fn final_function(data_type: &DataType, needs: Needs, kind: Kind) -> Option<Arc<ScalarUDF>> {
    let numbers = Numbers::of(data_type)?;
    let signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
    Some(Arc::new(ScalarUDF::new_from_impl(FinalFunction { numbers, needs, kind, signature })))
}

impl AggregateUDFImpl for StatsFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if matches!(self.mode, Mode::Merge(_)) {
            return Ok(types.to_vec());
        }
        match types {
            [DataType::Int8 | DataType::UInt8] => Ok(vec![DataType::Int16]),
            [DataType::UInt16] => Ok(vec![DataType::Int32]),
            [DataType::UInt32 | DataType::UInt64] => Ok(vec![DataType::Int64]),
            [DataType::Null] => Ok(vec![DataType::Float64]),
            [one] if Numbers::of(one).is_some() => Ok(vec![one.clone()]),
            _ => Err(self.no_such(types).into()),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let numbers = self.numbers(types)?;
        Ok(match self.mode {
            Mode::Finish(kind) => numbers.finished_type(kind),
            Mode::State | Mode::Merge(_) => struct_type(numbers, self.needs),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            let item = Field::new("item", args.input_fields[0].data_type().clone(), true);
            return Ok(vec![Arc::new(Field::new(
                format!("{}_values", args.name),
                DataType::List(Arc::new(item)),
                true,
            ))]);
        }
        let types: Vec<DataType> = args.input_fields.iter().map(|f| f.data_type().clone()).collect();
        let components = self.numbers(&types)?.components(self.needs);
        Ok(components
            .into_iter()
            .map(|(c, t)| Arc::new(Field::new(format!("{}_{c}", args.name), t, true)) as FieldRef)
            .collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut stats = self.accumulators(&args)?;
        stats.grow(1);
        let distinct = args.is_distinct.then(HashSet::new);
        Ok(Box::new(OneGroup { stats, mode: self.mode, distinct, window: None }))
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let mut stats = self.accumulators(&args)?;
        stats.grow(1);
        Ok(Box::new(OneGroup {
            stats,
            mode: self.mode,
            distinct: None,
            window: Some(std::collections::VecDeque::new()),
        }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(ManyGroups { stats: self.accumulators(&args)?, mode: self.mode }))
    }
}

fn struct_type(numbers: Numbers, needs: Needs) -> DataType {
    DataType::Struct(numbers.components(needs).into_iter().map(|(c, t)| Field::new(c, t, true)).collect::<Fields>())
}

fn output(stats: &Stats, mode: Mode) -> Result<ArrayRef> {
    match mode {
        Mode::Finish(kind) => stats.finish(kind),
        Mode::State | Mode::Merge(_) => {
            let DataType::Struct(fields) = struct_type(stats.numbers, stats.needs) else {
                unreachable!("it is a struct")
            };
            Ok(Arc::new(StructArray::try_new(fields, stats.arrays()?, None)?))
        }
    }
}

/// All groups of a GROUP BY.
#[derive(Debug)]
struct ManyGroups {
    stats: Stats,
    mode: Mode,
}

impl GroupsAccumulator for ManyGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.stats.grow(total);
        match self.mode {
            Mode::Merge(_) => self.stats.merge(values, groups, filter),
            _ => self.stats.update(&values[0], groups, filter),
        }
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.stats.grow(total);
        self.stats.merge(values, groups, None)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        output(&self.stats.take(emit), self.mode)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.stats.take(emit).arrays()
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        // Each row is a group of its own.
        let rows = values[0].len();
        let groups: Vec<usize> = (0..rows).collect();
        let mut each = ManyGroups { stats: Stats::new(self.stats.numbers, self.stats.needs), mode: self.mode };
        each.update_batch(values, &groups, filter, rows)?;
        each.stats.arrays()
    }

    fn size(&self) -> usize {
        self.stats.size()
    }
}

/// No GROUP BY, DISTINCT, or a window.
#[derive(Debug)]
struct OneGroup {
    stats: Stats,
    mode: Mode,
    distinct: Option<HashSet<ScalarValue>>,
    /// The rows in the frame, for a window that slides. Rows leave in the order in which they came, and the
    /// state is made anew from those that stay: floats, minima and maxima cannot be taken back exactly.
    window: Option<std::collections::VecDeque<ArrayRef>>,
}

impl OneGroup {
    fn add(&mut self, values: &[ArrayRef]) -> Result<()> {
        let groups = vec![0; values[0].len()];
        match self.mode {
            Mode::Merge(_) => self.stats.merge(values, &groups, None),
            _ => self.stats.update(&values[0], &groups, None),
        }
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if let Some(seen) = &mut self.distinct {
            let fresh: BooleanArray = (0..values[0].len())
                .map(|i| Ok(Some(values[0].is_valid(i) && seen.insert(ScalarValue::try_from_array(&values[0], i)?))))
                .collect::<Result<_>>()?;
            let fresh = arrow::compute::filter(&values[0], &fresh)?;
            return self.add(&[fresh]);
        }
        if let Some(window) = &mut self.window {
            window.push_back(values[0].clone());
        }
        self.add(values)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(window) = &mut self.window else { return Err(Error::internal("no window slides here").into()) };
        let mut left = values[0].len();
        while left > 0 {
            let Some(first) = window.pop_front() else { break };
            if first.len() > left {
                window.push_front(first.slice(left, first.len() - left));
                left = 0;
            } else {
                left -= first.len();
            }
        }
        let rows: Vec<ArrayRef> = window.iter().cloned().collect();
        self.stats = Stats::new(self.stats.numbers, self.stats.needs);
        self.stats.grow(1);
        rows.iter().try_for_each(|row| self.add(std::slice::from_ref(row)))
    }

    fn supports_retract_batch(&self) -> bool {
        self.window.is_some()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        if self.distinct.is_some() {
            for list in states[0].as_list::<i32>().iter().flatten() {
                self.update_batch(&[list])?;
            }
            return Ok(());
        }
        let groups = vec![0; states[0].len()];
        self.stats.merge(states, &groups, None)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        if let Some(seen) = &self.distinct {
            let item = self.stats.numbers.value_type();
            let values: Vec<ScalarValue> = seen.iter().cloned().collect();
            return Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&values, &item))]);
        }
        self.stats.arrays()?.iter().map(|a| ScalarValue::try_from_array(a, 0)).collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&output(&self.stats, self.mode)?, 0)
    }

    fn size(&self) -> usize {
        self.stats.size() + size_of::<Self>()
    }
}

/// Components to a finished value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FinalFunction {
    numbers: Numbers,
    needs: Needs,
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for FinalFunction {
    fn name(&self) -> &str {
        "stats_final"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(types.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.numbers.finished_type(self.kind))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let cells = match self.numbers.is_exact() {
            false => Cells::Float(float_cells(&arrays, self.numbers, self.needs)),
            true => Cells::Exact(exact_cells(&arrays, self.numbers, self.needs)),
        };
        let stats = Stats { numbers: self.numbers, needs: self.needs, cells };
        Ok(ColumnarValue::Array(stats.finish(self.kind)?))
    }
}
