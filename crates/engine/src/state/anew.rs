//! Any aggregate in a window that slides.
//!
//! Most states cannot have a row taken out. So the rows of a window are a queue of two stacks, of which states are
//! merged only:
//!
//! ```text
//! leaving    [ a+b+c, b+c, c ]      the oldest on top of one stack, merged with all that came after it
//! entered    [ d, e ]               the newest, and `total` = d+e
//! ```
//!
//! States that are lists of their input would be as many lists as rows; those are made anew of the rows that stay.

use crate::Error;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature};
use datafusion::physical_expr::PhysicalExpr;
use std::collections::VecDeque;
use std::sync::Arc;

/// The aggregate, for windows.
pub fn rolling(aggregate: Arc<AggregateUDF>) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Rolling { aggregate }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rolling {
    aggregate: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Rolling {
    fn name(&self) -> &str {
        self.aggregate.name()
    }

    fn signature(&self) -> &Signature {
        self.aggregate.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.aggregate.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.aggregate.return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.aggregate.return_field(fields)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.aggregate.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.aggregate.accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let is_list = matches!(args.return_field.data_type(), DataType::List(_) | DataType::LargeList(_));
        let maker = Maker {
            aggregate: self.aggregate.clone(),
            return_field: args.return_field,
            schema: args.schema.clone(),
            name: args.name.to_owned(),
            exprs: args.exprs.to_vec(),
            expr_fields: args.expr_fields.to_vec(),
        };
        Ok(match is_list {
            true => Box::new(Anew { maker, batches: VecDeque::new() }),
            false => Box::new(Stacks { maker, leaving: Vec::new(), entered: Vec::new(), total: None }),
        })
    }
}

/// What is needed to aggregate rows.
#[derive(Debug)]
struct Maker {
    aggregate: Arc<AggregateUDF>,
    return_field: FieldRef,
    schema: Schema,
    name: String,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    expr_fields: Vec<FieldRef>,
}

/// The state of an accumulator.
type State = Vec<ScalarValue>;

impl Maker {
    /// An accumulator of what these states were taken from.
    fn merged(&self, states: [Option<&State>; 2]) -> Result<Box<dyn Accumulator>> {
        let mut accumulator = self.aggregate.accumulator(AccumulatorArgs {
            return_field: self.return_field.clone(),
            schema: &self.schema,
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name: &self.name,
            is_distinct: false,
            exprs: &self.exprs,
            expr_fields: &self.expr_fields,
        })?;
        for state in states.into_iter().flatten() {
            let columns = state.iter().map(ScalarValue::to_array).collect::<Result<Vec<_>>>()?;
            accumulator.merge_batch(&columns)?;
        }
        Ok(accumulator)
    }
}

/// The rows of a window, as states.
#[derive(Debug)]
struct Stacks {
    maker: Maker,
    /// The oldest row last, each with all that came after it.
    leaving: Vec<State>,
    /// The newest rows last.
    entered: Vec<Vec<ArrayRef>>,
    /// The state of those that entered.
    total: Option<State>,
}

impl Accumulator for Stacks {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut total = self.maker.merged([self.total.as_ref(), None])?;
        total.update_batch(values)?;
        self.total = Some(total.state()?);
        self.entered.push(values.to_vec());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for _ in 0..values[0].len() {
            if self.leaving.is_empty() {
                while let Some(rows) = self.entered.pop() {
                    for i in (0..rows[0].len()).rev() {
                        let row: Vec<ArrayRef> = rows.iter().map(|column| column.slice(i, 1)).collect();
                        let mut with = self.maker.merged([self.leaving.last(), None])?;
                        with.update_batch(&row)?;
                        self.leaving.push(with.state()?);
                    }
                }
                self.total = None;
            }
            self.leaving.pop();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.maker.merged([self.leaving.last(), self.total.as_ref()])?.evaluate()
    }

    fn size(&self) -> usize {
        let states = self.leaving.iter().chain(&self.total).flatten();
        let rows = self.entered.iter().flatten().map(|column| column.get_array_memory_size());
        size_of::<Self>() + states.map(ScalarValue::size).sum::<usize>() + rows.sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Err(Error::internal("the state of a window is asked").into())
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        Err(Error::internal("the state of a window is merged").into())
    }
}

/// The rows of a window.
#[derive(Debug)]
struct Anew {
    maker: Maker,
    batches: VecDeque<Vec<ArrayRef>>,
}

impl Accumulator for Anew {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.batches.push_back(values.to_vec());
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        // Rows leave in the order in which they came.
        let mut left = values[0].len();
        while left > 0 {
            let Some(first) = self.batches.pop_front() else { break };
            let rows = first[0].len();
            if rows > left {
                self.batches.push_front(first.iter().map(|column| column.slice(left, rows - left)).collect());
            }
            left = left.saturating_sub(rows);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut accumulator = self.maker.merged([None, None])?;
        self.batches.iter().try_for_each(|batch| accumulator.update_batch(batch))?;
        accumulator.evaluate()
    }

    fn size(&self) -> usize {
        let columns = self.batches.iter().flatten();
        size_of::<Self>() + columns.map(|column| column.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Err(Error::internal("the state of a window is asked").into())
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> Result<()> {
        Err(Error::internal("the state of a window is merged").into())
    }
}
