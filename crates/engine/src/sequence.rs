//! Sequences at work: `nextval`, `currval`, `setval`, `lastval`.
//!
//! Numbers are handed out from memory. Before the first of some numbers is, the log says that they may have been:
//!
//! ```text
//! handed out   1 2 3 4 5 . . . . . . 32 │ 33
//! in the log   reserved = 32            │ reserved = 64 first
//! ```
//!
//! So a crash leaves numbers out and never gives one twice. Nothing of it is undone with a transaction, but for a
//! sequence that the transaction itself has made.

use crate::database::Engine;
use crate::error::{Error, Result};
use crate::parse;
use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use highwater_model::{CatalogChange, Sequence};
use highwater_store::{Transaction, Version};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// How many numbers are reserved at once.
const RESERVED_AHEAD: usize = 32;

/// The sequences of a database, as far as they were used since it was opened.
#[derive(Debug, Default)]
pub struct Numbers(Mutex<HashMap<u32, Counter>>);

#[derive(Clone, Copy, Debug)]
struct Counter {
    /// The last number that was handed out.
    last: Option<i64>,
    /// The last number that the log knows of.
    reserved: Option<i64>,
}

/// What a session has seen of sequences.
#[derive(Debug, Default)]
pub struct Seen {
    values: HashMap<u32, i64>,
    latest: Option<u32>,
}

impl Numbers {
    fn next(&self, engine: &Engine, sequence: &Sequence) -> Result<i64> {
        let mut counters = self.0.lock();
        let counter =
            counters.entry(sequence.id).or_insert(Counter { last: sequence.reserved, reserved: sequence.reserved });
        let Some(next) = sequence.after(counter.last) else {
            let (bound, limit) = match sequence.increment > 0 {
                true => ("maximum", sequence.max),
                false => ("minimum", sequence.min),
            };
            return Err(Error::new(
                "2200H",
                format!("nextval: reached {bound} value of sequence \"{}\" ({limit})", sequence.name),
            ));
        };
        if counter.last == counter.reserved {
            // One that begins again tells the log of each number: ahead of which it is, cannot be told.
            let ahead = if sequence.cycle { 0 } else { RESERVED_AHEAD - 1 };
            let reserved = (0..ahead).try_fold(next, |last, _| sequence.after(Some(last)).ok_or(last));
            let reserved = reserved.unwrap_or_else(|last| last);
            reserve(engine, sequence, reserved)?;
            counter.reserved = Some(reserved);
        }
        counter.last = Some(next);
        Ok(next)
    }

    fn set(&self, engine: &Engine, sequence: &Sequence, last: i64) -> Result<()> {
        let mut counters = self.0.lock();
        reserve(engine, sequence, last)?;
        counters.insert(sequence.id, Counter { last: Some(last), reserved: Some(last) });
        Ok(())
    }

    /// Makes a sequence begin again, whatever the transaction does that says so.
    pub fn restart(&self, engine: &Engine, sequence: &Sequence, at: i64) -> Result<()> {
        self.set(engine, sequence, at.wrapping_sub(sequence.increment))
    }

    /// Puts into a transaction how far the sequences are that it has made itself.
    ///
    /// # Errors
    /// As of the transaction.
    pub fn settle(&self, transaction: &mut Transaction) -> Result<()> {
        let made: Vec<Arc<Sequence>> = {
            let known = &transaction.base().catalog().objects.sequences;
            let all = transaction.version().catalog().objects.sequences.values();
            all.filter(|s| !known.contains_key(&s.id)).cloned().collect()
        };
        for sequence in made {
            let counter = self.0.lock().get(&sequence.id).copied();
            if let Some(counter) = counter.filter(|c| c.reserved != sequence.reserved) {
                let reserved = counter.reserved;
                let change = Sequence { reserved, ..sequence.as_ref().clone() };
                transaction.change(CatalogChange::PutSequence(Arc::new(change)))?;
            }
        }
        Ok(())
    }
}

/// Makes it durable that numbers up to `reserved` may have been handed out.
fn reserve(engine: &Engine, sequence: &Sequence, reserved: i64) -> Result<()> {
    let mut transaction = engine.store.begin();
    // One that nobody else sees yet is settled with the transaction that makes it.
    let Some(kept) = transaction.version().catalog().objects.sequences.get(&sequence.id).cloned() else {
        return Ok(());
    };
    let change = Sequence { reserved: Some(reserved), ..kept.as_ref().clone() };
    transaction.change(CatalogChange::PutSequence(Arc::new(change)))?;
    Ok(tokio::task::block_in_place(|| engine.store.commit_here(transaction)?.wait())?)
}

/// What the functions of a statement work with.
#[derive(Clone)]
pub struct Sequences {
    /// The database.
    pub engine: Arc<Engine>,
    /// What the statement sees.
    pub version: Version,
    /// Schemas that unqualified names are looked up in.
    pub search_path: Vec<String>,
    /// What the session has seen.
    pub seen: Arc<Mutex<Seen>>,
}

impl std::fmt::Debug for Sequences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequences").field("search_path", &self.search_path).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Next,
    Current,
    Set,
    Last,
}

impl Sequences {
    /// The function of this name, if it is one of sequences.
    pub fn function(self, name: &str) -> Option<Arc<ScalarUDF>> {
        let (name, what) = match name {
            "nextval" => ("nextval", What::Next),
            "currval" => ("currval", What::Current),
            "setval" => ("setval", What::Set),
            "lastval" => ("lastval", What::Last),
            _ => return None,
        };
        let signature = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        let signature = Signature::new(signature, Volatility::Volatile);
        Some(Arc::new(ScalarUDF::from(SequenceFunction { name, what, sequences: self, signature })))
    }

    /// The sequence of a name.
    ///
    /// # Errors
    /// 42P01 when there is none, 42809 when the name is that of something else.
    pub fn find(&self, parts: &[String]) -> Result<Arc<Sequence>> {
        let catalog = self.version.catalog();
        let found = match parts {
            [name] => self.search_path.iter().find_map(|schema| catalog.objects.sequence(schema, name)),
            [.., schema, name] => catalog.objects.sequence(schema, name),
            [] => None,
        };
        if let Some(found) = found {
            return Ok(found.clone());
        }
        match crate::query::resolve(&self.version, &self.search_path, parts) {
            Ok(_) => Err(Error::new("42809", format!("\"{}\" is not a sequence", parts.join(".")))),
            Err(e) => Err(e),
        }
    }

    fn of(&self, value: &ScalarValue) -> Result<Arc<Sequence>> {
        let oid = match value {
            ScalarValue::UInt32(Some(oid)) => Some(*oid),
            ScalarValue::Int32(Some(oid)) => u32::try_from(*oid).ok(),
            ScalarValue::Int64(Some(oid)) => u32::try_from(*oid).ok(),
            _ => None,
        };
        if let Some(oid) = oid {
            let found = self.version.catalog().objects.sequences.get(&oid).cloned();
            return found.ok_or_else(|| Error::new("42P01", format!("there is no sequence with oid {oid}")));
        }
        let name = value.try_as_str().flatten().ok_or_else(|| Error::invalid_parameter("a sequence needs a name"))?;
        self.find(&parse::parse_name(name)?)
    }

    fn call(&self, what: What, args: &[ScalarValue]) -> Result<Option<i64>> {
        if args.iter().any(ScalarValue::is_null) {
            return Ok(None);
        }
        match (what, args) {
            (What::Next, [name]) => {
                let sequence = self.of(name)?;
                let value = self.engine.numbers.next(&self.engine, &sequence)?;
                let mut seen = self.seen.lock();
                seen.values.insert(sequence.id, value);
                seen.latest = Some(sequence.id);
                Ok(Some(value))
            }
            (What::Current, [name]) => {
                let sequence = self.of(name)?;
                let value = self.seen.lock().values.get(&sequence.id).copied();
                value.map(Some).ok_or_else(|| {
                    let name = &sequence.name;
                    Error::new("55000", format!("currval of sequence \"{name}\" is not yet defined in this session"))
                })
            }
            (What::Last, []) => {
                let seen = self.seen.lock();
                let value = seen.latest.and_then(|id| seen.values.get(&id).copied());
                value.map(Some).ok_or_else(|| Error::new("55000", "lastval is not yet defined in this session"))
            }
            (What::Set, [name, value, rest @ ..]) => {
                let sequence = self.of(name)?;
                let number = value.cast_to(&DataType::Int64)?;
                let ScalarValue::Int64(Some(number)) = number else { return Ok(None) };
                if !(sequence.min..=sequence.max).contains(&number) {
                    return Err(Error::new(
                        "22003",
                        format!(
                            "setval: value {number} is out of bounds for sequence \"{}\" ({}..{})",
                            sequence.name, sequence.min, sequence.max
                        ),
                    ));
                }
                let called = !matches!(rest, [ScalarValue::Boolean(Some(false))]);
                match called {
                    true => {
                        self.engine.numbers.set(&self.engine, &sequence, number)?;
                        self.seen.lock().values.insert(sequence.id, number);
                    }
                    false => self.engine.numbers.restart(&self.engine, &sequence, number)?,
                }
                Ok(Some(number))
            }
            _ => Err(Error::new("42883", "no function of sequences takes these arguments")
                .hint("They are nextval(name), currval(name), setval(name, value [, called]) and lastval().")),
        }
    }
}

#[derive(Debug)]
struct SequenceFunction {
    name: &'static str,
    what: What,
    sequences: Sequences,
    signature: Signature,
}

impl PartialEq for SequenceFunction {
    fn eq(&self, other: &Self) -> bool {
        self.what == other.what
    }
}

impl Eq for SequenceFunction {}

impl std::hash::Hash for SequenceFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.what.hash(state);
    }
}

impl ScalarUDFImpl for SequenceFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let mut numbers = Vec::with_capacity(args.number_rows);
        for row in 0..args.number_rows {
            let values = args.args.iter().map(|arg| match arg {
                ColumnarValue::Scalar(value) => Ok(value.clone()),
                ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row),
            });
            numbers.push(self.sequences.call(self.what, &values.collect::<DfResult<Vec<_>>>()?)?);
        }
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(numbers)) as ArrayRef))
    }
}
