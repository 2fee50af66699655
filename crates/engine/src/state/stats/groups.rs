//! What all groups of one column have seen, and the arrays that it is read from and written to.

use super::cell::{AnyCell, ExactCell, FloatCell};
use super::numbers::Numbers;
use super::{Kind, Needs};
use crate::Error;
use crate::operator::exact;
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float64Type, Int16Type, Int32Type, Int64Type, i256};
use datafusion::common::Result;
use datafusion::logical_expr::EmitTo;
use highwater_model::Numeric;
use std::sync::Arc;

/// The cells of all groups.
#[derive(Debug)]
enum Cells {
    Float(Vec<FloatCell>),
    Exact(Vec<ExactCell>),
    Any(Vec<AnyCell>),
}

/// The state of every group of one column.
#[derive(Debug)]
pub struct Stats {
    pub numbers: Numbers,
    pub needs: Needs,
    cells: Cells,
}

impl Stats {
    /// No groups yet.
    pub fn new(numbers: Numbers, needs: Needs) -> Self {
        let cells = match numbers {
            Numbers::AnyNumeric => Cells::Any(Vec::new()),
            numbers if numbers.is_exact() => Cells::Exact(Vec::new()),
            _ => Cells::Float(Vec::new()),
        };
        Stats { numbers, needs, cells }
    }

    /// Groups that have seen what these components say.
    ///
    /// # Errors
    /// XX001 when a number is damaged.
    pub fn of_components(numbers: Numbers, needs: Needs, arrays: &[ArrayRef]) -> Result<Self> {
        let cells = match numbers {
            Numbers::AnyNumeric => Cells::Any(any_cells(arrays, needs)?),
            numbers if numbers.is_exact() => Cells::Exact(exact_cells(arrays, numbers, needs)),
            _ => Cells::Float(float_cells(arrays, numbers, needs)?),
        };
        Ok(Stats { numbers, needs, cells })
    }

    /// No groups of the same.
    pub fn anew(&self) -> Self {
        Stats::new(self.numbers, self.needs)
    }

    /// Makes room for this many groups.
    pub fn grow(&mut self, groups: usize) {
        match &mut self.cells {
            Cells::Float(cells) => cells.resize(groups.max(cells.len()), FloatCell::default()),
            Cells::Exact(cells) => cells.resize(groups.max(cells.len()), ExactCell::default()),
            Cells::Any(cells) => cells.resize(groups.max(cells.len()), AnyCell::default()),
        }
    }

    /// Adds rows to their groups.
    pub fn update(&mut self, values: &ArrayRef, groups: &[usize], filter: Option<&BooleanArray>) -> Result<()> {
        let Needs { moments, .. } = self.needs;
        match (&mut self.cells, self.numbers) {
            (Cells::Float(cells), _) => {
                let values = cast(values, &DataType::Float64)?;
                runs::<Float64Type>(&values, groups, filter, |group, values| {
                    cells[group].add_all(values);
                    Ok(())
                })
            }
            (Cells::Any(cells), _) => {
                let numbers = exact::Numbers::of(values)?;
                let counts = |row: usize| filter.is_none_or(|f| f.is_valid(row) && f.value(row));
                for (row, group) in groups.iter().enumerate().filter(|(row, _)| counts(*row)) {
                    if let Some(number) = numbers.get(row)? {
                        cells[*group].add(number, self.needs)?;
                    }
                }
                Ok(())
            }
            (Cells::Exact(cells), Numbers::SmallInt) => exacts::<Int16Type>(cells, values, groups, filter, moments),
            (Cells::Exact(cells), Numbers::Integer) => exacts::<Int32Type>(cells, values, groups, filter, moments),
            (Cells::Exact(cells), Numbers::BigInt) => exacts::<Int64Type>(cells, values, groups, filter, moments),
            (Cells::Exact(cells), _) => exacts::<Decimal128Type>(cells, values, groups, filter, moments),
        }
    }

    /// Merges components into their groups.
    pub fn merge(&mut self, arrays: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>) -> Result<()> {
        let kept = |i: usize| filter.is_none_or(|f| f.is_valid(i) && f.value(i));
        match &mut self.cells {
            Cells::Float(cells) => {
                let other = float_cells(arrays, self.numbers, self.needs)?;
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
            Cells::Any(cells) => {
                let other = any_cells(arrays, self.needs)?;
                for (i, (group, cell)) in groups.iter().zip(&other).enumerate() {
                    if kept(i) {
                        cells[*group].merge(cell)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes groups out.
    pub fn take(&mut self, emit: EmitTo) -> Stats {
        let cells = match &mut self.cells {
            Cells::Float(cells) => Cells::Float(emit.take_needed(cells)),
            Cells::Exact(cells) => Cells::Exact(emit.take_needed(cells)),
            Cells::Any(cells) => Cells::Any(emit.take_needed(cells)),
        };
        Stats { cells, ..*self }
    }

    /// The components as arrays, in the order of [`Numbers::components`].
    pub fn arrays(&self) -> Result<Vec<ArrayRef>> {
        let Needs { sum, moments, min, max } = self.needs;
        let mut arrays: Vec<ArrayRef> = vec![self.finish(Kind::Count)?];
        match &self.cells {
            Cells::Float(cells) => {
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
            }
            Cells::Exact(cells) => {
                let scale = self.numbers.scale();
                if sum || moments {
                    let sums: Decimal128Array = cells.iter().map(|c| (c.n > 0).then_some(c.sum)).collect();
                    arrays.push(Arc::new(sums.with_precision_and_scale(38, scale)?));
                }
                if moments {
                    let squares: Decimal256Array = cells.iter().map(|c| (c.n > 0).then_some(c.sumsq)).collect();
                    arrays.push(Arc::new(squares.with_precision_and_scale(76, 2 * scale)?));
                }
            }
            Cells::Any(cells) => {
                let known = |cell: &AnyCell, number: &Numeric| Ok((cell.n > 0).then(|| number.clone()));
                if sum || moments {
                    arrays.push(exact::column(cells.iter().map(|c| known(c, &c.sum)))?);
                }
                if moments {
                    arrays.push(exact::column(cells.iter().map(|c| known(c, &c.sumsq)))?);
                }
            }
        }
        if min {
            arrays.push(self.finish(Kind::Min)?);
        }
        if max {
            arrays.push(self.finish(Kind::Max)?);
        }
        Ok(arrays)
    }

    /// The finished values.
    pub fn finish(&self, kind: Kind) -> Result<ArrayRef> {
        match &self.cells {
            Cells::Float(cells) => Ok(finish_floats(cells, kind, self.numbers)),
            Cells::Exact(cells) => finish_exact(cells, kind, self.numbers),
            Cells::Any(cells) if kind == Kind::Count => Ok(Arc::new(cells.iter().map(|c| c.n).collect::<Int64Array>())),
            Cells::Any(cells) => Ok(exact::column(cells.iter().map(|c| c.finish(kind)))?),
        }
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        match &self.cells {
            Cells::Float(cells) => cells.capacity() * size_of::<FloatCell>(),
            Cells::Exact(cells) => cells.capacity() * size_of::<ExactCell>(),
            // Four numbers, of which few have more than these digits.
            Cells::Any(cells) => cells.capacity() * (size_of::<AnyCell>() + 4 * 32),
        }
    }
}

/// Calls `add` with the values of rows that count, are of one group and follow one another: where rows are sorted by
/// series and time, these are all rows of a bucket.
fn runs<T: ArrowPrimitiveType>(
    values: &ArrayRef,
    groups: &[usize],
    filter: Option<&BooleanArray>,
    mut add: impl FnMut(usize, &[T::Native]) -> Result<()>,
) -> Result<()> {
    let values = values.as_primitive::<T>();
    let passes = filter.map(|filter| NullBuffer::new(filter.values().clone()));
    let passes = NullBuffer::union(passes.as_ref(), filter.and_then(BooleanArray::nulls));
    let mut add_between = |mut start: usize, end: usize| {
        groups[start..end].chunk_by(|a, b| a == b).try_for_each(|run| {
            let rows = start..start + run.len();
            start = rows.end;
            add(run[0], &values.values()[rows])
        })
    };
    match NullBuffer::union(passes.as_ref(), values.nulls()) {
        Some(counts) => counts.valid_slices().try_for_each(|(start, end)| add_between(start, end)),
        None => add_between(0, groups.len()),
    }
}

/// Adds integers to the cells of their groups.
fn exacts<T: ArrowPrimitiveType<Native: Into<i128>>>(
    cells: &mut [ExactCell],
    values: &ArrayRef,
    groups: &[usize],
    filter: Option<&BooleanArray>,
    moments: bool,
) -> Result<()> {
    runs::<T>(values, groups, filter, |group, values| {
        let cell = &mut cells[group];
        values.iter().try_for_each(|x| cell.add((*x).into(), moments))
    })
}

/// The array of a component, when the state has it.
fn component<'a>(arrays: &'a [ArrayRef], numbers: Numbers, needs: Needs, name: &str) -> Option<&'a ArrayRef> {
    let position = numbers.components(needs).iter().position(|(component, _)| *component == name);
    position.map(|i| &arrays[i])
}

fn float_cells(arrays: &[ArrayRef], numbers: Numbers, needs: Needs) -> Result<Vec<FloatCell>> {
    let n = arrays[0].as_primitive::<Int64Type>();
    let mut cells: Vec<FloatCell> = (0..n.len())
        .map(|i| FloatCell { n: if n.is_valid(i) { n.value(i) } else { 0 }, ..FloatCell::default() })
        .collect();
    let mut set = |name: &str, set: fn(&mut FloatCell, f64)| -> Result<()> {
        let Some(array) = component(arrays, numbers, needs, name) else { return Ok(()) };
        let array = cast(array, &DataType::Float64)?;
        let values = array.as_primitive::<Float64Type>();
        for (i, cell) in cells.iter_mut().enumerate().filter(|(i, cell)| cell.n > 0 && values.is_valid(*i)) {
            set(cell, values.value(i));
        }
        Ok(())
    };
    set("sum", |cell, x| cell.sum = x)?;
    set("mean", |cell, x| cell.pivot = x)?;
    set("m2", |cell, x| cell.squares = x)?;
    set("min", |cell, x| cell.min = x)?;
    set("max", |cell, x| cell.max = x)?;
    Ok(cells)
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

fn any_cells(arrays: &[ArrayRef], needs: Needs) -> Result<Vec<AnyCell>> {
    let n = arrays[0].as_primitive::<Int64Type>();
    let column = |name: &str| component(arrays, Numbers::AnyNumeric, needs, name).map(exact::Numbers::of).transpose();
    let (sums, squares, least, most) = (column("sum")?, column("sumsq")?, column("min")?, column("max")?);
    let number = |column: &Option<exact::Numbers>, row: usize| match column {
        Some(column) => Ok(column.get(row)?.unwrap_or(Numeric::ZERO)),
        None => Ok::<_, Error>(Numeric::ZERO),
    };
    let mut cells = Vec::with_capacity(n.len());
    for row in 0..n.len() {
        cells.push(match n.is_valid(row) && n.value(row) > 0 {
            false => AnyCell::default(),
            true => AnyCell {
                n: n.value(row),
                sum: number(&sums, row)?,
                sumsq: number(&squares, row)?,
                min: number(&least, row)?,
                max: number(&most, row)?,
            },
        });
    }
    Ok(cells)
}

fn finish_floats(cells: &[FloatCell], kind: Kind, numbers: Numbers) -> ArrayRef {
    if kind == Kind::Count {
        return Arc::new(cells.iter().map(|c| c.n).collect::<Int64Array>());
    }
    match numbers.finished_type(kind) {
        DataType::Float32 => Arc::new(cells.iter().map(|c| c.finish(kind).map(|v| v as f32)).collect::<Float32Array>()),
        _ => Arc::new(cells.iter().map(|c| c.finish(kind)).collect::<Float64Array>()),
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
        _ => Ok(exact::column(cells.iter().map(|c| c.finish(kind, scale)))?),
    }
}
