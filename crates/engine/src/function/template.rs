//! Templates like `YYYY-MM-DD HH24:MI`: `to_char`, `to_timestamp`, `to_date`, `to_number`.
//!
//! ```text
//! template ──pieces──▶ pieces ──show──▶ text        of dates, times and intervals
//!                             ──read──▶ time
//! template ──number──▶ text or number               of numbers, whose templates are another language
//! ```

mod number;
mod pieces;
mod read;
mod show;

use super::define::{Call, function, takes};
use crate::error::Result;
use crate::operator::kernel::rowwise;
use crate::operator::operand::Kind;
use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility};
use number::to_number;
use pieces::{Piece, pieces};
pub use read::{to_date, to_timestamp};
use show::{show, time_fields};
use std::sync::Arc;

/// `to_char` and `to_number`; [`to_timestamp`] and [`to_date`] are declared beside the other forms.
pub fn functions() -> Vec<Arc<ScalarUDF>> {
    use Kind::*;
    vec![
        function(
            "to_char",
            Volatility::Stable,
            &[
                takes(&[Timestamptz, Text], Text, to_char),
                takes(&[Timestamp, Text], Text, to_char),
                takes(&[Interval, Text], Text, to_char),
                takes(&[SmallInt, Text], Text, to_char),
                takes(&[Integer, Text], Text, to_char),
                takes(&[BigInt, Text], Text, to_char),
                takes(&[Numeric, Text], Text, to_char),
                takes(&[Real, Text], Text, to_char),
                takes(&[Double, Text], Text, to_char),
            ],
        ),
        function("to_number", Volatility::Immutable, &[takes(&[Text, Text], Numeric, to_number)]),
    ]
}

fn to_char(call: &Call) -> Result<ColumnarValue> {
    let zone = call.clock()?.zone;
    rowwise(call.args, call.rows, |arrays, rows| {
        let (values, templates) = (&arrays[0], arrays[1].as_string::<i32>());
        let mut texts = StringBuilder::new();
        let mut known: Option<(String, Vec<Piece>)> = None;
        for row in 0..rows {
            if values.is_null(row) || templates.is_null(row) {
                texts.append_null();
                continue;
            }
            let template = templates.value(row);
            let mut out = String::new();
            match values.data_type() {
                DataType::Timestamp(..) | DataType::Interval(_) => {
                    if known.as_ref().is_none_or(|(text, _)| text != template) {
                        known = Some((template.to_owned(), pieces(template)));
                    }
                    let pieces = known.as_ref().map_or(&[][..], |(_, pieces)| pieces);
                    match time_fields(values, row, &zone) {
                        Some(fields) => show(pieces, &fields, &zone, &mut out)?,
                        None => {
                            // PostgreSQL gives nothing for infinity.
                            texts.append_null();
                            continue;
                        }
                    }
                }
                _ => number::show(values, row, template, &mut out)?,
            }
            texts.append_value(out);
        }
        Ok(Arc::new(texts.finish()))
    })
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The suffix of an ordinal number.
fn ordinal(n: i64) -> &'static str {
    match (n.abs() % 100, n.abs() % 10) {
        (11..=13, _) => "TH",
        (_, 1) => "ST",
        (_, 2) => "ND",
        (_, 3) => "RD",
        _ => "TH",
    }
}
