//! What the person who sent a statement is told when it fails.
//!
//! One type with an SQLSTATE and the parts of a PostgreSQL message. Causes become SQLSTATEs here and
//! nowhere else.

use datafusion::error::DataFusionError;
use highwater_model::numeric::NumericError;

/// Result of an engine operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error as PostgreSQL reports one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Five characters, as PostgreSQL and TimescaleDB use them.
    pub sqlstate: &'static str,
    /// Lower case, without a full stop; names the object and what was attempted.
    pub message: String,
    /// Whole sentences on the circumstances.
    pub detail: Option<String>,
    /// Whole sentences on what to do.
    pub hint: Option<String>,
    /// Position in the statement, in characters from 1.
    pub position: Option<usize>,
}

/// Something a person should know although the statement succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`, `LOG` or `DEBUG`.
    pub severity: &'static str,
    /// As in [`Error`].
    pub sqlstate: &'static str,
    /// The message.
    pub message: String,
    /// Whole sentences on the circumstances.
    pub detail: Option<String>,
    /// Whole sentences on what to do.
    pub hint: Option<String>,
}

impl Notice {
    /// A notice.
    pub fn new(message: impl Into<String>) -> Self {
        Notice { severity: "NOTICE", sqlstate: "00000", message: message.into(), detail: None, hint: None }
    }

    /// A warning.
    pub fn warning(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Notice { severity: "WARNING", sqlstate, ..Notice::new(message) }
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a detail.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

impl Error {
    /// An error with an SQLSTATE.
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Error { sqlstate, message: message.into(), detail: None, hint: None, position: None }
    }

    /// With a detail.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a position in the statement, in characters from 1.
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// 42601: the statement cannot be read.
    pub fn syntax(message: impl Into<String>) -> Self {
        Error::new("42601", message)
    }

    /// 0A000: PostgreSQL or TimescaleDB can do this, Highwater cannot.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Error::new("0A000", message)
    }

    /// 42P01: no such table or view.
    pub fn no_relation(name: &str) -> Self {
        Error::new("42P01", format!("relation \"{name}\" does not exist"))
    }

    /// 42703: no such column.
    pub fn no_column(name: &str) -> Self {
        Error::new("42703", format!("column \"{name}\" does not exist"))
    }

    /// 42883: no function of this name takes arguments of these types.
    pub fn no_function(name: &str, types: impl IntoIterator<Item = String>) -> Self {
        let types: Vec<String> = types.into_iter().collect();
        Error::new("42883", format!("function {name}({}) does not exist", types.join(", ")))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
    }

    /// 42883: no operator stands between operands of these types.
    ///
    /// * `call` – the operator among its operands' types: `text + integer`.
    pub fn no_operator(call: &str) -> Self {
        Error::new("42883", format!("operator does not exist: {call}"))
            .hint("No operator matches the given name and argument types. You might need to add explicit type casts.")
    }

    /// 22023: an argument has a value that makes no sense.
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Error::new("22023", message)
    }

    /// XX000: a bug.
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new("XX000", message)
    }
}

impl From<highwater_store::Error> for Error {
    fn from(e: highwater_store::Error) -> Self {
        use highwater_store::Error as Store;
        let sqlstate = match &e {
            Store::Conflict => "40001",
            Store::Duplicate { .. } => "23505",
            Store::Catalog(highwater_model::CatalogError::RelationExists(_)) => "42P07",
            Store::Catalog(highwater_model::CatalogError::NoSchema(_)) => "3F000",
            Store::Corrupt { .. } => "XX001",
            Store::Io { .. } => "58030",
            Store::ReadOnly { .. } => "25006",
            Store::InUse(_) => "55006",
            Store::Closed => "57P01",
            Store::Format(_) => "XX000",
        };
        let detail = match &e {
            Store::Duplicate { key, .. } => Some(format!("Key {key} already exists.")),
            _ => None,
        };
        let hint = match &e {
            Store::Conflict => Some("The transaction might succeed if retried.".to_owned()),
            Store::ReadOnly { .. } => {
                Some("Free space on the disk or repair it, then start the server again.".to_owned())
            }
            _ => None,
        };
        Error { sqlstate, message: e.to_string(), detail, hint, position: None }
    }
}

impl From<NumericError> for Error {
    fn from(e: NumericError) -> Self {
        let sqlstate = match e {
            NumericError::Syntax => "22P02",
            NumericError::Overflow => "22003",
            NumericError::DivisionByZero => "22012",
            NumericError::NegativeRoot | NumericError::ZeroToNegative | NumericError::Complex => "2201F",
            NumericError::LogarithmOfZero | NumericError::LogarithmOfNegative => "2201E",
        };
        Error::new(sqlstate, e.to_string())
    }
}

impl From<Error> for DataFusionError {
    fn from(e: Error) -> Self {
        DataFusionError::External(Box::new(e))
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(e: arrow::error::ArrowError) -> Self {
        use arrow::error::ArrowError as Arrow;
        match e {
            Arrow::DivideByZero => Error::new("22012", "division by zero"),
            Arrow::ArithmeticOverflow(_) => Error::new("22003", "value out of range"),
            Arrow::ExternalError(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => match other.downcast::<DataFusionError>() {
                    Ok(e) => Error::from(*e),
                    Err(other) => from_words(other.to_string()),
                },
            },
            Arrow::CastError(message) if message.contains("overflow") || message.contains("out of range") => {
                Error::new("22003", message.to_lowercase())
            }
            Arrow::CastError(message) | Arrow::ParseError(message) => Error::new("22P02", message),
            Arrow::InvalidArgumentError(message)
                if message.contains("too large to store") || message.contains("precision") =>
            {
                Error::new("22003", "numeric field overflow").detail(message)
            }
            Arrow::ComputeError(message) if message.contains("overflow") || message.contains("Overflow") => {
                Error::new("22003", message)
            }
            Arrow::ComputeError(message) => from_words(message),
            other => from_words(other.to_string()),
        }
    }
}

impl From<DataFusionError> for Error {
    fn from(e: DataFusionError) -> Self {
        match e {
            DataFusionError::External(inner) => match inner.downcast::<Error>() {
                Ok(ours) => *ours,
                Err(other) => match other.downcast::<highwater_store::Error>() {
                    Ok(store) => Error::from(*store),
                    Err(other) => from_words(other.to_string()),
                },
            },
            DataFusionError::ArrowError(inner, _) => Error::from(*inner),
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => Error::from(*inner),
            DataFusionError::Collection(mut all) if !all.is_empty() => Error::from(all.remove(0)),
            DataFusionError::Shared(inner) => from_shared(&inner),
            DataFusionError::SQL(inner, _) => Error::syntax(inner.to_string()),
            DataFusionError::SchemaError(inner, _) => from_schema_error(&inner),
            DataFusionError::NotImplemented(message) => Error::unsupported(message),
            DataFusionError::ResourcesExhausted(message) => Error::new("53200", "out of memory")
                .detail(message)
                .hint("Raise memory_limit, or ask for less at once."),
            DataFusionError::Plan(message) => from_plan_message(message),
            other => from_words(other.strip_backtrace()),
        }
    }
}

/// An error that several readers share is described again, because it cannot be taken out.
fn from_shared(e: &DataFusionError) -> Error {
    match e {
        DataFusionError::External(inner) => match inner.downcast_ref::<Error>() {
            Some(ours) => ours.clone(),
            None => from_words(inner.to_string()),
        },
        DataFusionError::Shared(inner) => from_shared(inner),
        DataFusionError::Context(_, inner) => from_shared(inner),
        DataFusionError::ArrowError(inner, _) => match &**inner {
            arrow::error::ArrowError::DivideByZero => Error::new("22012", "division by zero"),
            arrow::error::ArrowError::ExternalError(inner) => match inner.downcast_ref::<Error>() {
                Some(ours) => ours.clone(),
                None => from_words(inner.to_string()),
            },
            other => from_words(other.to_string()),
        },
        other => from_words(other.to_string()),
    }
}

fn from_schema_error(e: &datafusion::common::SchemaError) -> Error {
    use datafusion::common::SchemaError as Schema;
    match e {
        Schema::FieldNotFound { field, valid_fields }
            if field.relation.is_some() && !valid_fields.iter().any(|valid| valid.relation == field.relation) =>
        {
            let relation = field.relation.as_ref().map_or("", |relation| relation.table());
            Error::new("42P01", format!("missing FROM-clause entry for table \"{relation}\""))
        }
        Schema::FieldNotFound { field, .. } => match &field.relation {
            Some(relation) => {
                Error::new("42703", format!("column {}.{} does not exist", relation.table(), field.name()))
            }
            None => Error::no_column(field.name()),
        },
        Schema::AmbiguousReference { field } => {
            Error::new("42702", format!("column reference \"{}\" is ambiguous", field.name()))
        }
        Schema::DuplicateUnqualifiedField { name } => {
            Error::new("42701", format!("column \"{name}\" specified more than once"))
        }
        Schema::DuplicateQualifiedField { name, .. } => {
            Error::new("42712", format!("column \"{name}\" specified more than once"))
        }
    }
}

/// Words of DataFusion's that tell what is wrong, whether it says so while it plans or while it runs.
const WORDS: &[(&str, &str)] = &[
    ("requires a boolean expression", "42804"),
    ("Cannot create filter with non-boolean predicate", "42804"),
    ("Aggregate functions are not allowed", "42803"),
    ("Aggregate function calls cannot be nested", "42803"),
    ("Cannot find column with position", "42P10"),
    ("Order by column out of bounds", "42P10"),
    ("must appear in select list", "42P10"),
    ("must match initial ORDER BY", "42P10"),
    ("names given as column alias", "42P10"),
    ("LIMIT must be >= 0", "2201W"),
    ("OFFSET must be >=0", "2201X"),
    ("Scalar subquery returned more than one row", "21000"),
    ("specified more than once", "42712"),
    ("was not provided a value for execution", "42P02"),
    ("NTILE requires a positive integer", "22014"),
    ("is not defined!", "42704"),
    ("frame offsets for ROWS / GROUPS must be non negative", "22013"),
    ("regex parse error", "2201B"),
    ("Regular expression did not compile", "2201B"),
    ("requires start to be", "22023"),
    ("N must be 1 or greater", "22023"),
    ("does not support the \"global\" option", "22023"),
    ("There is no built-in encoding named", "22023"),
    ("Failed to decode value using", "22023"),
    ("factorial of a negative number", "22003"),
    ("field position must not be zero", "22023"),
];

/// An error that DataFusion or Arrow puts into words only.
fn from_words(message: String) -> Error {
    match WORDS.iter().find(|(words, _)| message.contains(words)) {
        Some((_, sqlstate)) => Error::new(sqlstate, message),
        None => Error::internal(message),
    }
}

/// DataFusion's planner gives only words; these are the ones it uses.
fn from_plan_message(message: String) -> Error {
    if let Some(name) = message.strip_prefix("Invalid function '").and_then(|rest| rest.split('\'').next()) {
        return Error::new("42883", format!("function {name} does not exist"))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.");
    }
    let known = WORDS.iter().find(|(words, _)| message.contains(words)).map(|(_, sqlstate)| *sqlstate);
    let sqlstate = if let Some(sqlstate) = known {
        sqlstate
    } else if message.contains("Invalid function") || message.contains("No function matches") {
        "42883"
    } else if message.contains("could not be resolved from available columns")
        || message.contains("must appear in the GROUP BY clause")
        || message.contains("while planning aggregate")
    {
        "42803"
    } else if message.contains("Cannot coerce")
        || message.contains("Cannot infer common argument type")
        || message.contains("type_coercion")
    {
        "42883"
    } else if message.contains("not implemented")
        || message.contains("not supported")
        || message.contains("Unsupported")
    {
        "0A000"
    } else {
        "42601"
    };
    let (first, rest) = message.split_once('\n').map_or((message.as_str(), None), |(f, r)| (f, Some(r.trim())));
    let error = Error::new(sqlstate, first);
    match rest {
        Some(rest) if !rest.is_empty() => error.detail(rest),
        _ => error,
    }
}
