//! What fields are compared with.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value as Json;

use super::date::Date;

/// A value that a field is compared with. Made from texts, numbers, `bool`s and [`Date`]s by `into()`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A text, compared with texts.
    Text(String),
    /// A number, compared with numbers of any kind.
    Number(Number),
    /// `true` or `false`; `false` is the smaller.
    Boolean(bool),
    /// A day or a moment, compared with texts that are dates; see [`Date`].
    Date(Date),
}

/// A number: any `i64`, `u64` or `f64`, compared by value and never rounded: 2020 is 2020.0.
///
/// 2^64, the one whole number next to those of `u64`, counts as `u64::MAX`. NaN is smaller, larger and equal to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Number(Kind);

/// Whole numbers from `i64::MIN` to `u64::MAX` are `Whole`, all others `Real`.
#[derive(Clone, Copy, Debug)]
pub(in crate::collection) enum Kind {
    Whole(i128),
    Real(f64),
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

impl Number {
    pub(in crate::collection) fn kind(self) -> Kind {
        self.0
    }

    /// The number of a JSON value.
    pub(in crate::collection) fn of(number: &serde_json::Number) -> Self {
        match (number.as_i64(), number.as_u64()) {
            (Some(n), _) => n.into(),
            (_, Some(n)) => n.into(),
            _ => number.as_f64().unwrap_or(f64::NAN).into(),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let whole_to_real = |a: i128, b: f64| {
            // A real number is no whole one of this range: it lies beyond it, or between two small ones.
            let ordering = if b >= TWO_TO_64 { Ordering::Less } else { a.cmp(&(b.floor() as i128)) };
            (!b.is_nan()).then_some(if ordering.is_eq() { Ordering::Less } else { ordering })
        };
        match (self.0, other.0) {
            (Kind::Whole(a), Kind::Whole(b)) => Some(a.cmp(&b)),
            (Kind::Real(a), Kind::Real(b)) => a.partial_cmp(&b),
            (Kind::Whole(a), Kind::Real(b)) => whole_to_real(a, b),
            (Kind::Real(a), Kind::Whole(b)) => whole_to_real(b, a).map(Ordering::reverse),
        }
    }
}

/// As [`PartialOrd`], except that NaN equals itself: a filter that holds it equals its copy.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Kind::Real(a), Kind::Real(b)) => a == b || a.is_nan() && b.is_nan(),
            (Kind::Whole(a), Kind::Whole(b)) => a == b,
            _ => false,
        }
    }
}

impl From<f64> for Number {
    fn from(x: f64) -> Self {
        if x.fract() == 0.0 && (-TWO_TO_63..=TWO_TO_64).contains(&x) {
            return Number(Kind::Whole((x as i128).min(u64::MAX.into())));
        }
        Number(Kind::Real(x))
    }
}

impl From<f32> for Number {
    fn from(x: f32) -> Self {
        f64::from(x).into()
    }
}

macro_rules! whole_numbers {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Number {
            fn from(n: $kind) -> Self {
                Number(Kind::Whole(n as i128))
            }
        }
    )*};
}

whole_numbers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

macro_rules! values {
    ($($kind:ty => $variant:ident),*) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Value::$variant(value.into())
            }
        }
    )*};
}

values!(
    &str => Text, String => Text, &String => Text, Number => Number, i8 => Number, i16 => Number, i32 => Number,
    i64 => Number, isize => Number, u8 => Number, u16 => Number, u32 => Number, u64 => Number, usize => Number,
    f32 => Number, f64 => Number, bool => Boolean, Date => Date
);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Whole(n) => write!(f, "{n}"),
            Kind::Real(x) if x.is_nan() => write!(f, "nan"),
            Kind::Real(x) if x.is_infinite() => write!(f, "{}1e999", if x < 0.0 { "-" } else { "" }),
            // With an exponent where that is shorter.
            Kind::Real(x) => write!(f, "{x:?}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => quoted(f, text, '"'),
            Value::Number(number) => number.fmt(f),
            Value::Boolean(boolean) => boolean.fmt(f),
            Value::Date(date) => date.fmt(f),
        }
    }
}

/// Writes a text between quotes, with escapes for what could not stand there.
pub(super) fn quoted(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    use fmt::Write;
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            c if c == quote => write!(f, "\\{c}")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char(quote)
}

/// A value of a payload, as it is compared.
#[derive(Clone, Copy)]
pub(in crate::collection) enum Scalar<'a> {
    Text(&'a str),
    Number(Number),
    Boolean(bool),
}

impl<'a> Scalar<'a> {
    /// What a JSON value is, unless it is null, an array or an object.
    pub fn of(json: &'a Json) -> Option<Self> {
        match json {
            Json::String(text) => Some(Scalar::Text(text)),
            Json::Number(number) => Some(Scalar::Number(Number::of(number))),
            Json::Bool(boolean) => Some(Scalar::Boolean(*boolean)),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_without_rounding() {
        let two_53 = 9_007_199_254_740_992i64;
        let ascending: Vec<Number> = vec![
            f64::NEG_INFINITY.into(),
            (-1e19).into(),
            i64::MIN.into(),
            (i64::MIN + 1).into(),
            (-0.5).into(),
            0.into(),
            0.1.into(),
            2020.into(),
            2020.5.into(),
            (two_53).into(),
            (two_53 + 1).into(),
            i64::MAX.into(),
            TWO_TO_63.into(),
            (u64::MAX - 1).into(),
            u64::MAX.into(),
            1e20.into(),
            f64::INFINITY.into(),
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(a.partial_cmp(b), Some(i.cmp(&j)), "{a} {b}");
                assert_eq!(a == b, i == j, "{a} {b}");
            }
        }
    }

    #[test]
    fn the_same_number_is_equal_however_it_was_made() {
        assert_eq!(Number::from(2020), 2020.0.into());
        assert_eq!(Number::from(-0.0), 0.into());
        assert_eq!(Number::from(-TWO_TO_63), i64::MIN.into());
        assert_eq!(Number::from(TWO_TO_64), u64::MAX.into());
        let nan = Number::from(f64::NAN);
        assert!(nan == nan && nan.partial_cmp(&nan).is_none() && nan.partial_cmp(&1.into()).is_none());
    }
}
