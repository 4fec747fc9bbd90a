//! One condition on one field.

use std::fmt;
use std::ops::Bound;

use serde_json::{Map, Value as Json};

use super::date::Date;
use super::field::Field;
use super::glob::Glob;
use super::payload::{any_value, exists};
use super::value::{Number, Scalar, Value};

/// A condition: holds when one value of the field satisfies the check.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::collection) struct Condition {
    pub field: Field,
    pub check: Check,
}

/// What is asked of a value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::collection) enum Check {
    Is(Order, Value),
    Between(Value, Value),
    OneOf(Vec<Value>),
    Like(Glob),
    Exists,
}

/// How a value stands to the one given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collection) enum Order {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Values of one kind between two bounds.
#[derive(Clone, Copy, Debug)]
pub(in crate::collection) enum Interval<'a> {
    Texts(Bound<&'a str>, Bound<&'a str>),
    Numbers(Bound<Number>, Bound<Number>),
    Booleans(Bound<bool>, Bound<bool>),
    /// Nanoseconds since 1970.
    Moments(Bound<i128>, Bound<i128>),
}

/// Whether a value lies between two bounds.
pub(in crate::collection) fn between<T: PartialOrd>(value: &T, (lower, upper): (&Bound<T>, &Bound<T>)) -> bool {
    let above = match lower {
        Bound::Included(bound) => value >= bound,
        Bound::Excluded(bound) => value > bound,
        Bound::Unbounded => true,
    };
    above
        && match upper {
            Bound::Included(bound) => value <= bound,
            Bound::Excluded(bound) => value < bound,
            Bound::Unbounded => true,
        }
}

impl Interval<'_> {
    fn has(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Interval::Texts(lower, upper), Scalar::Text(text)) => between(&text, (lower, upper)),
            (Interval::Numbers(lower, upper), Scalar::Number(number)) => between(&number, (lower, upper)),
            (Interval::Booleans(lower, upper), Scalar::Boolean(boolean)) => between(&boolean, (lower, upper)),
            (Interval::Moments(lower, upper), Scalar::Text(text)) => {
                Date::read(text).is_some_and(|date| between(&date.start(), (lower, upper)))
            }
            _ => false,
        }
    }
}

impl Order {
    /// The values that stand so to `value`.
    fn interval(self, value: &Value) -> Interval<'_> {
        match value {
            Value::Text(text) => {
                let (lower, upper) = self.bounds(text.as_str());
                Interval::Texts(lower, upper)
            }
            Value::Number(number) => {
                let (lower, upper) = self.bounds(*number);
                Interval::Numbers(lower, upper)
            }
            Value::Boolean(boolean) => {
                let (lower, upper) = self.bounds(*boolean);
                Interval::Booleans(lower, upper)
            }
            Value::Date(date) => {
                let moments = date.moments();
                let (start, end) = (moments.start, moments.end);
                let (lower, upper) = match self {
                    Order::Equal => (Bound::Included(start), Bound::Excluded(end)),
                    Order::Less => (Bound::Unbounded, Bound::Excluded(start)),
                    Order::AtMost => (Bound::Unbounded, Bound::Excluded(end)),
                    Order::Greater => (Bound::Included(end), Bound::Unbounded),
                    Order::AtLeast => (Bound::Included(start), Bound::Unbounded),
                };
                Interval::Moments(lower, upper)
            }
        }
    }

    fn bounds<T: Copy>(self, value: T) -> (Bound<T>, Bound<T>) {
        match self {
            Order::Equal => (Bound::Included(value), Bound::Included(value)),
            Order::Less => (Bound::Unbounded, Bound::Excluded(value)),
            Order::AtMost => (Bound::Unbounded, Bound::Included(value)),
            Order::Greater => (Bound::Excluded(value), Bound::Unbounded),
            Order::AtLeast => (Bound::Included(value), Bound::Unbounded),
        }
    }
}

impl Check {
    /// The values that satisfy it, as intervals of which one must hold the value; `None` when it asks for something
    /// else.
    pub fn intervals(&self) -> Option<Vec<Interval<'_>>> {
        match self {
            Check::Is(order, value) => Some(vec![order.interval(value)]),
            Check::OneOf(values) => Some(values.iter().map(|value| Order::Equal.interval(value)).collect()),
            Check::Between(from, to) => {
                let both = match (Order::AtLeast.interval(from), Order::AtMost.interval(to)) {
                    (Interval::Texts(lower, _), Interval::Texts(_, upper)) => Interval::Texts(lower, upper),
                    (Interval::Numbers(lower, _), Interval::Numbers(_, upper)) => Interval::Numbers(lower, upper),
                    (Interval::Booleans(lower, _), Interval::Booleans(_, upper)) => Interval::Booleans(lower, upper),
                    (Interval::Moments(lower, _), Interval::Moments(_, upper)) => Interval::Moments(lower, upper),
                    // No value is of two kinds.
                    _ => return Some(Vec::new()),
                };
                Some(vec![both])
            }
            Check::Like(_) | Check::Exists => None,
        }
    }
}

impl Condition {
    /// Whether it holds for a chunk.
    pub fn holds(&self, key: &str, path: Option<&str>, payload: &Map<String, Json>) -> bool {
        let intervals = self.check.intervals();
        let satisfied = |value: Scalar<'_>| match (&self.check, &intervals, value) {
            (_, Some(intervals), value) => intervals.iter().any(|interval| interval.has(value)),
            (Check::Like(glob), None, Scalar::Text(text)) => glob.fits(text),
            (check, None, _) => *check == Check::Exists,
        };
        match &self.field {
            Field::Key => satisfied(Scalar::Text(key)),
            Field::Path => path.is_some_and(|path| satisfied(Scalar::Text(path))),
            Field::Payload(names) if self.check == Check::Exists => exists(payload, names),
            Field::Payload(names) => any_value(payload, names, satisfied),
        }
    }

    /// How many values it compares with.
    pub fn values(&self) -> usize {
        if let Check::OneOf(values) = &self.check { values.len() } else { 1 }
    }
}

impl Order {
    fn sign(self) -> &'static str {
        match self {
            Order::Equal => "=",
            Order::Less => "<",
            Order::AtMost => "<=",
            Order::Greater => ">",
            Order::AtLeast => ">=",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

impl Condition {
    /// Writes that it does not hold.
    pub(super) fn write_negated(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.check {
            Check::Is(Order::Equal, value) => write!(f, "{} != {value}", self.field),
            Check::Like(_) | Check::OneOf(_) => self.write(f, "not "),
            _ => write!(f, "not {self}"),
        }
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, not: &str) -> fmt::Result {
        let field = &self.field;
        match &self.check {
            Check::Is(order, value) => write!(f, "{field} {} {value}", order.sign()),
            Check::Between(from, to) => write!(f, "{field} between {from} and {to}"),
            Check::Like(glob) => write!(f, "{field} {not}like {glob}"),
            Check::Exists => write!(f, "exists {field}"),
            Check::OneOf(values) => {
                write!(f, "{field} {not}in (")?;
                for (i, value) in values.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str(")")
            }
        }
    }
}
