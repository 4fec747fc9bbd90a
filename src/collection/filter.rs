//! Filters: which chunks of a collection are meant, by key, path and payload.
//!
//! ```text
//! lang = "ko" and (year >= 2020 or tags contains "rust") and not path like "drafts/*"
//! ```
//!
//! | written | holds when |
//! |---|---|
//! | `year = 2020`, `year == 2020` | a value of the field is 2020 |
//! | `year != 2020`, `year <> 2020` | `year = 2020` does not hold: also where the field is missing |
//! | `year < 2020`, `<=`, `>`, `>=` | a value is smaller, at most, larger, at least that |
//! | `year between 2020 and 2024` | one value is at least the first and at most the second |
//! | `lang in ("ko", "en")`, `lang in ["ko", "en"]`, `lang not in (…)` | a value is one of them; none is |
//! | `tags contains "rust"` | an element of the array is that; the same as `=` |
//! | `path like "drafts/*"`, `path not like "*.md"` | a text fits the pattern as a whole; none does |
//! | `exists author`, `exists(author)`, `author exists` | the field has a value, or fields below it have |
//! | `a and b`, `a or b`, `not a`, `( … )` | as ever; `not` binds tighter than `and`, `and` tighter than `or` |
//!
//! Words of the language (`and`, `like`, `true`, …) may be written in any case.
//!
//! **Fields.** `key` is the key of the document, `path` the file it came from. Any other name is a field of the payload;
//! dots lead into objects (`author.name`). Names are letters of any script, digits, `_` and `-`, and begin with a letter
//! or `_`; others stand in backticks: `` `a b`.c ``, `` `version 1.2` ``. `payload.path` is the payload's field `path`.
//!
//! **Arrays** have the values of their elements, and arrays of objects those of their elements' fields: a condition
//! holds when it holds for any of them. No array is told from its single element, so `contains` does not look into
//! texts: `like "*rust*"` does.
//!
//! **Values** are texts in double or single quotes, with the escapes of JSON, `\'` and, for patterns, `\*` and `\?`;
//! numbers; `true` and `false`; days and moments, without quotes: `2024-01-15`, `2024-01-15T10:00:00Z` (see [`Date`]).
//! Values of different kinds do not compare: `year = "2020"` does not hold where `year` is a number. Numbers compare by
//! value, whole ones exactly over the whole range of `i64` and `u64`. Texts compare by their UTF-8 bytes, case
//! included. Dates compare with texts that are a day or a moment, whatever their offset; texts in quotes compare with
//! what the text is, letter by letter.
//!
//! **Patterns**: `*` is any run of characters, `/` among them, `?` is one character, and `\` takes the next one as it
//! is. They are compared with texts only.
//!
//! **Limits.** Texts longer than [`MAX_FILTERED_BYTES`], and what stands under a name longer than [`MAX_NAME_BYTES`] or
//! in more than [`MAX_NESTING`] arrays and objects, are not offered to filters: to them they are missing, as `null` and
//! empty arrays and objects are. An expression has at most [`MAX_BYTES`], nests at most [`MAX_DEPTH`] deep and
//! compares a field with at most [`MAX_VALUES`] values at once.

mod condition;
mod date;
mod field;
mod glob;
mod lex;
mod parse;
mod payload;
mod steps;
#[cfg(test)]
pub(super) mod tests;
mod value;

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};

pub use date::Date;
pub use payload::{MAX_FILTERED_BYTES, MAX_NAME_BYTES, MAX_NESTING};
pub use value::{Number, Value};

pub(super) use condition::{Check, Condition, Interval, between};
pub(super) use field::Field;
pub(super) use glob::Glob;
pub(super) use payload::{is_offered, offered};
pub(super) use steps::Truth;
pub(super) use value::Kind;

use self::condition::Order;
use self::steps::Step;
use crate::error::FilterError;

/// Longer expressions are refused.
pub const MAX_BYTES: usize = 64 * 1024;
/// Expressions that nest deeper are refused.
pub const MAX_DEPTH: usize = 200;
/// Longer lists of `in` are refused.
pub const MAX_VALUES: usize = 10_000;

/// Which chunks are meant; see the [module](self) for the language.
///
/// ```
/// use gyeol::Filter;
///
/// let written: Filter = r#"lang = "ko" and year >= 2020 and not path like "drafts/*""#.parse()?;
/// let built = Filter::field("lang").is("ko")
///     & Filter::field("year").at_least(2020)
///     & !Filter::path().like("drafts/*");
/// assert_eq!(written, built);
/// # Ok::<(), gyeol::Error>(())
/// ```
///
/// Its text, by `to_string()`, reads back as an equal filter while it is within the limits; it is serialised as that.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The operators before what they join. No operator stands directly under its own kind.
    steps: Vec<Step>,
}

impl Filter {
    /// The key of the document.
    pub fn key() -> FilterField {
        FilterField(Field::Key)
    }

    /// The path of the file that it came from; missing where it came from none.
    pub fn path() -> FilterField {
        FilterField(Field::Path)
    }

    /// The field of a name as in an expression: `key`, `path`, or names of the payload with dots between. Nothing is
    /// quoted here; see [`Filter::payload`] for names with dots in them.
    pub fn field(name: &str) -> FilterField {
        FilterField(Field::of(name.split('.').map(str::to_owned).collect()))
    }

    /// The field of the payload that these names lead to, the outermost first, whatever characters they have.
    pub fn payload<N: Into<String>>(names: impl IntoIterator<Item = N>) -> FilterField {
        let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            names.push(String::new());
        }
        FilterField(Field::Payload(names))
    }

    /// Holds where all of them hold; with none, everywhere.
    pub fn all(filters: impl IntoIterator<Item = Filter>) -> Self {
        filters.into_iter().reduce(BitAnd::bitand).unwrap_or_else(|| Filter::key().exists())
    }

    /// Holds where one of them holds; with none, nowhere.
    pub fn any(filters: impl IntoIterator<Item = Filter>) -> Self {
        filters.into_iter().reduce(BitOr::bitor).unwrap_or_else(|| !Filter::key().exists())
    }

    /// Whether it holds for a chunk of this key, path and payload. A search asks the document store instead, which
    /// answers the same for all chunks at once.
    pub fn matches(&self, key: &str, path: Option<&str>, payload: &Map<String, Json>) -> bool {
        steps::fold(&self.steps, |condition| Ok::<bool, ()>(condition.holds(key, path, payload))) == Ok(Some(true))
    }

    /// Compares it with [`MAX_DEPTH`] and [`MAX_VALUES`], which filters made in code may be over.
    ///
    /// # Errors
    /// [`FilterError`], which names the limit.
    pub fn validate(&self) -> Result<(), FilterError> {
        let longest = self.conditions().map(Condition::values).max().unwrap_or(0);
        let reason = if steps::depth(&self.steps) > MAX_DEPTH {
            format!("it nests deeper than {MAX_DEPTH}; write it flatter")
        } else if longest > MAX_VALUES {
            format!("a list has {longest} values, over the limit of {MAX_VALUES}; ask in parts")
        } else {
            return Ok(());
        };
        Err(FilterError { expression: self.to_string(), column: 1, reason })
    }

    /// What it is made of, evaluated by `holds` and put together.
    pub(super) fn fold<T: Truth, E>(&self, holds: impl FnMut(&Condition) -> Result<T, E>) -> Result<Option<T>, E> {
        steps::fold(&self.steps, holds)
    }

    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.steps.iter().filter_map(|step| if let Step::Holds(condition) = step { Some(condition) } else { None })
    }

    /// Both under one operator.
    fn joined(mut self, other: Filter, operator: fn(usize) -> Step) -> Filter {
        let joins = |steps: &[Step]| match steps.first() {
            Some(Step::All(n)) if operator(*n) == Step::All(*n) => Some(*n),
            Some(Step::Any(n)) if operator(*n) == Step::Any(*n) => Some(*n),
            _ => None,
        };
        let (ours, theirs) = (joins(&self.steps), joins(&other.steps));
        let joined = operator(ours.unwrap_or(1) + theirs.unwrap_or(1));
        match (ours, self.steps.first_mut()) {
            (Some(_), Some(first)) => *first = joined,
            _ => self.steps.insert(0, joined),
        }
        self.steps.extend(other.steps.into_iter().skip(usize::from(theirs.is_some())));
        self
    }
}

/// A field, about which a condition is to be made. See [`Filter::field`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterField(Field);

impl FilterField {
    /// A value is this one; of an array, an element.
    pub fn is(self, value: impl Into<Value>) -> Filter {
        self.check(Check::Is(Order::Equal, value.into()))
    }

    /// No value is this one: also where the field is missing.
    pub fn is_not(self, value: impl Into<Value>) -> Filter {
        !self.is(value)
    }

    /// A value is smaller.
    pub fn less_than(self, value: impl Into<Value>) -> Filter {
        self.check(Check::Is(Order::Less, value.into()))
    }

    /// A value is smaller or the same.
    pub fn at_most(self, value: impl Into<Value>) -> Filter {
        self.check(Check::Is(Order::AtMost, value.into()))
    }

    /// A value is larger.
    pub fn greater_than(self, value: impl Into<Value>) -> Filter {
        self.check(Check::Is(Order::Greater, value.into()))
    }

    /// A value is larger or the same.
    pub fn at_least(self, value: impl Into<Value>) -> Filter {
        self.check(Check::Is(Order::AtLeast, value.into()))
    }

    /// One value is at least the first and at most the second. Bounds of two kinds have none between them.
    pub fn between(self, from: impl Into<Value>, to: impl Into<Value>) -> Filter {
        let (from, to) = (from.into(), to.into());
        let one_kind = std::mem::discriminant(&from) == std::mem::discriminant(&to);
        self.check(if one_kind { Check::Between(from, to) } else { Check::OneOf(Vec::new()) })
    }

    /// A value is one of these.
    pub fn one_of<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        self.check(Check::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// A text fits a pattern as a whole: `*` is any run of characters, `?` one, `\` takes the next as it is.
    pub fn like(self, pattern: &str) -> Filter {
        self.check(Check::Like(Glob::new(pattern)))
    }

    /// It has a value, or fields below it have.
    pub fn exists(self) -> Filter {
        self.check(Check::Exists)
    }

    fn check(self, check: Check) -> Filter {
        Filter { steps: vec![Step::Holds(Condition { field: self.0, check })] }
    }
}

impl BitAnd for Filter {
    type Output = Filter;

    fn bitand(self, other: Filter) -> Filter {
        self.joined(other, Step::All)
    }
}

impl BitOr for Filter {
    type Output = Filter;

    fn bitor(self, other: Filter) -> Filter {
        self.joined(other, Step::Any)
    }
}

impl Not for Filter {
    type Output = Filter;

    fn not(mut self) -> Filter {
        match self.steps.first() {
            Some(Step::Not) => drop(self.steps.remove(0)),
            _ => self.steps.insert(0, Step::Not),
        }
        self
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(expression: &str) -> Result<Self, FilterError> {
        parse::parse(expression)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        steps::write(&self.steps, f)
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expression = String::deserialize(deserializer)?;
        expression.parse().map_err(serde::de::Error::custom)
    }
}
