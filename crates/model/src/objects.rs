//! What has a name beside tables: enumerations and sequences; and what tables insist on beside keys.

use crate::schema::{ColumnId, TableId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A type whose values are listed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EnumType {
    /// Its oid.
    pub id: u32,
    /// The oid of the array of it.
    pub array_id: u32,
    /// Schema it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its values in their order.
    pub labels: Vec<String>,
}

impl EnumType {
    /// Where a value stands in the order.
    pub fn rank(&self, label: &str) -> Option<usize> {
        self.labels.iter().position(|l| l == label)
    }
}

/// A sequence of numbers.
///
/// Numbers are handed out in memory and reserved in advance, so that a crash may leave some out but never gives one
/// twice. `reserved` is the last number that may have been handed out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its oid.
    pub id: u32,
    /// Schema it is in.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The first number.
    pub start: i64,
    /// From one number to the next; not 0.
    pub increment: i64,
    /// The smallest number.
    pub min: i64,
    /// The largest number.
    pub max: i64,
    /// Whether it begins again after its end.
    pub cycle: bool,
    /// Bytes of its type: 2, 4 or 8.
    pub bytes: u8,
    /// The last number that may have been handed out; `None` when none was.
    pub reserved: Option<i64>,
    /// The column that it numbers, with which it is dropped.
    pub owner: Option<(TableId, ColumnId)>,
}

impl Sequence {
    /// The number after `last`; `None` at the end of a sequence that does not begin again.
    pub fn after(&self, last: Option<i64>) -> Option<i64> {
        let Some(last) = last else { return Some(self.start) };
        let next = last.checked_add(self.increment).filter(|n| (self.min..=self.max).contains(n));
        next.or_else(|| self.cycle.then_some(if self.increment > 0 { self.min } else { self.max }))
    }
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its oid.
    pub id: u32,
    /// Its name, unique among those of its table.
    pub name: String,
    /// The condition as SQL text, with the columns' current names.
    pub sql: String,
}

/// How a column gets its numbers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// Only by itself, unless OVERRIDING SYSTEM VALUE is said.
    Always,
    /// When none is given.
    ByDefault,
}

/// What a table insists on beside keys and NOT NULL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Conditions that every row satisfies, in the order of their names.
    pub checks: Vec<Check>,
    /// Columns that are computed from others: their expression as SQL text.
    pub generated: BTreeMap<ColumnId, String>,
    /// Columns that are numbered.
    pub identity: BTreeMap<ColumnId, Identity>,
}

/// Everything of this page in a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// Enumerations by oid.
    pub enums: BTreeMap<u32, Arc<EnumType>>,
    /// Sequences by oid.
    pub sequences: BTreeMap<u32, Arc<Sequence>>,
    /// Rules by table; none for a table without.
    pub rules: BTreeMap<TableId, Arc<Rules>>,
}

impl Objects {
    /// The enumeration named so, exactly.
    pub fn enum_type(&self, schema: &str, name: &str) -> Option<&Arc<EnumType>> {
        self.enums.values().find(|t| t.name == name && t.schema == schema)
    }

    /// The sequence named so, exactly.
    pub fn sequence(&self, schema: &str, name: &str) -> Option<&Arc<Sequence>> {
        self.sequences.values().find(|s| s.name == name && s.schema == schema)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_ends_or_begins_again() {
        let mut sequence = Sequence {
            id: 1,
            schema: "public".to_owned(),
            name: "s".to_owned(),
            start: 2,
            increment: 2,
            min: 1,
            max: 5,
            cycle: false,
            bytes: 8,
            reserved: None,
            owner: None,
        };
        assert_eq!(sequence.after(None), Some(2));
        assert_eq!(sequence.after(Some(2)), Some(4));
        assert_eq!(sequence.after(Some(4)), None);
        sequence.cycle = true;
        assert_eq!(sequence.after(Some(4)), Some(1));
        sequence.increment = -3;
        assert_eq!(sequence.after(Some(2)), Some(5));
    }
}
