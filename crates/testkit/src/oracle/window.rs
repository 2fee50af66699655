//! Window functions over the groups of an aggregate: as SQL, and as what they mean.

use super::definition::{Aggregate, Argument, Function, Group, Member, Output, TimeKind};
use super::value::{Expected, Value};

/// A window function over the groups, in the order of their buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The function.
    pub function: WindowFunction,
    /// What it is of: an output of each group.
    pub of: Box<Output>,
    /// Whether groups with other keys are apart.
    pub partitioned: bool,
    /// Whether the newest bucket is the first.
    pub descending: bool,
    /// Which groups it is of.
    pub frame: Frame,
}

/// What a window function computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are SQL's")]
pub enum WindowFunction {
    Sum,
    Min,
    Max,
    Count,
    FirstValue,
    LastValue,
    Lag(usize),
    Lead(usize),
    RowNumber,
    Rolling,
}

/// From where to where a window goes; `None` is without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// So far before and after, in time.
    Range(Option<i64>, Option<i64>),
    /// So many groups before and after.
    Rows(Option<i64>, Option<i64>),
}

impl Window {
    /// As SQL.
    ///
    /// * `of` – what it is of.
    /// * `bucket`, `keys` – of the aggregate.
    pub fn sql(&self, of: &str, bucket: &str, keys: &[&str], kind: TimeKind) -> String {
        use WindowFunction::{Count, FirstValue, Lag, LastValue, Lead, Max, Min, Rolling, RowNumber, Sum};
        let call = match self.function {
            Sum => format!("sum({of})"),
            Min => format!("min({of})"),
            Max => format!("max({of})"),
            Count => format!("count({of})"),
            FirstValue => format!("first_value({of})"),
            LastValue => format!("last_value({of})"),
            Lag(by) => format!("lag({of}, {by})"),
            Lead(by) => format!("lead({of}, {by})"),
            RowNumber => "row_number()".to_owned(),
            Rolling => format!("rolling({of})"),
        };
        let bound = |at: Option<i64>, to: &str, shown: &dyn Fn(i64) -> String| match at {
            None => format!("UNBOUNDED {to}"),
            Some(0) => "CURRENT ROW".to_owned(),
            Some(by) => format!("{} {to}", shown(by)),
        };
        let (units, (back, ahead), shown): (_, _, &dyn Fn(i64) -> String) = match self.frame {
            Frame::Range(back, ahead) => ("RANGE", (back, ahead), &|by| kind.distance(by)),
            Frame::Rows(back, ahead) => ("ROWS", (back, ahead), &|by| by.to_string()),
        };
        let (from, to) = (bound(back, "PRECEDING", shown), bound(ahead, "FOLLOWING", shown));
        let partition = match self.partitioned && !keys.is_empty() {
            true => format!("PARTITION BY {} ", keys.join(", ")),
            false => String::new(),
        };
        let order = if self.descending { " DESC" } else { "" };
        format!("{call} OVER ({partition}ORDER BY {bucket}{order} {units} BETWEEN {from} AND {to})")
    }

    /// How far before and after its own bucket a row looks; `None` where nobody can tell.
    pub fn reach(&self) -> (Option<i64>, Option<i64>) {
        let known = |by: Option<i64>| by.filter(|by| *by == 0);
        let (back, ahead) = match (self.function, self.frame) {
            (WindowFunction::Lag(_) | WindowFunction::RowNumber, _) => (None, Some(0)),
            (WindowFunction::Lead(_), _) => (Some(0), None),
            (_, Frame::Range(back, ahead)) => (back, ahead),
            (_, Frame::Rows(back, ahead)) => (known(back), known(ahead)),
        };
        if self.descending { (ahead, back) } else { (back, ahead) }
    }

    /// Its value is a number that is not too large.
    pub fn is_small(&self) -> bool {
        use Function::{Count, CountDistinct, Max, Min, Sum};
        let small = match self.of.as_ref() {
            Output::Rows | Output::Call(Count | CountDistinct, ..) => true,
            Output::Call(Min | Max | Sum, argument, _) => *argument == Argument::Site,
            _ => false,
        };
        small && self.function != WindowFunction::Rolling
    }

    /// Its value for each of the groups.
    pub fn values(&self, aggregate: &Aggregate, groups: &[Group]) -> Vec<Expected> {
        let of: Vec<Expected> = groups.iter().map(|group| aggregate.value_of_group(&self.of, group)).collect();
        (0..groups.len()).map(|row| self.value(aggregate, groups, &of, row)).collect()
    }

    fn value(&self, aggregate: &Aggregate, groups: &[Group], of: &[Expected], row: usize) -> Expected {
        use WindowFunction::{Count, FirstValue, Lag, LastValue, Lead, Max, Min, Rolling, RowNumber, Sum};
        let is_peer =
            |i: &usize| !self.partitioned || format!("{:?}", groups[*i].keys) == format!("{:?}", groups[row].keys);
        let mut partition: Vec<usize> = (0..groups.len()).filter(is_peer).collect();
        partition.sort_by_key(|i| if self.descending { -groups[*i].start } else { groups[*i].start });
        let place = partition.iter().position(|i| *i == row).expect("a row is in its own partition") as i64;
        let in_frame = |(at, i): &(usize, usize)| {
            let later = groups[*i].start - groups[row].start;
            let (distance, back, ahead) = match self.frame {
                Frame::Rows(back, ahead) => (*at as i64 - place, back, ahead),
                Frame::Range(back, ahead) => (if self.descending { -later } else { later }, back, ahead),
            };
            back.is_none_or(|back| distance >= -back) && ahead.is_none_or(|ahead| distance <= ahead)
        };
        let frame: Vec<usize> = partition.iter().copied().enumerate().filter(in_frame).map(|(_, i)| i).collect();
        if self.function == Rolling {
            let mut members: Vec<Member> = Vec::new();
            for i in frame {
                let Some(own) = &groups[i].members else { return Expected::Anything };
                members.extend(own.iter().cloned());
            }
            return aggregate.value(&self.of, &members);
        }
        let at = |place: i64| usize::try_from(place).ok().and_then(|place| partition.get(place)).copied();
        let chosen = match self.function {
            Lag(by) => vec![at(place - by as i64)],
            Lead(by) => vec![at(place + by as i64)],
            FirstValue => vec![frame.first().copied()],
            LastValue => vec![frame.last().copied()],
            _ => frame.into_iter().map(Some).collect(),
        };
        let exact = |i: Option<usize>| match i.map(|i| &of[i]) {
            None => Some(Value::Null),
            Some(Expected::Exactly(value)) => Some(value.clone()),
            Some(_) => None,
        };
        if self.function == RowNumber {
            return Expected::Exactly(Value::Int((place + 1).into()));
        }
        let Some(values) = chosen.into_iter().map(exact).collect::<Option<Vec<Value>>>() else {
            return Expected::Anything;
        };
        let known: Vec<Value> = values.iter().filter(|value| **value != Value::Null).cloned().collect();
        match self.function {
            Sum => super::definition::call(Function::Sum, known),
            Min => super::definition::call(Function::Min, known),
            Max => super::definition::call(Function::Max, known),
            Count => super::definition::call(Function::Count, known),
            _ => Expected::Exactly(values[0].clone()),
        }
    }
}
