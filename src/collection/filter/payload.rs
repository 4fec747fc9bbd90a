//! What of a payload filters see: the same rules when it is stored and when it is compared.

use serde_json::{Map, Value as Json};
use tantivy::DateTime;
use tantivy::schema::OwnedValue;

use super::date::Date;
use super::value::{Kind, Number, Scalar};

/// Longer texts are stored and shown, but not offered to filters: to them the field is not there.
pub const MAX_FILTERED_BYTES: usize = 8 * 1024;
/// What is under longer names is not offered either, nor under an empty one or one with the characters 0 and 1.
pub const MAX_NAME_BYTES: usize = 512;
/// What stands in more arrays and objects than this, besides the payload itself, is not offered either.
pub const MAX_NESTING: usize = 16;

/// Whether filters see what is under a name.
pub(in crate::collection) fn is_offered(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.contains(['\0', '\u{1}'])
}

/// Calls `visit` for the values of a field, until it says that it has seen enough; whether it did. An array has the
/// values of its elements.
pub(super) fn any_value(
    payload: &Map<String, Json>,
    names: &[String],
    mut visit: impl FnMut(Scalar<'_>) -> bool,
) -> bool {
    below(payload, names, 0, Below::Skip, &mut visit)
}

/// Whether a field has a value, or fields below it have.
pub(super) fn exists(payload: &Map<String, Json>, names: &[String]) -> bool {
    below(payload, names, 0, Below::Visit, &mut |_| true)
}

/// What is done with an object where a field's name ends.
#[derive(Clone, Copy, PartialEq)]
enum Below {
    Skip,
    Visit,
}

type Visit<'a> = &'a mut dyn FnMut(Scalar<'_>) -> bool;

fn below(object: &Map<String, Json>, names: &[String], nesting: usize, at_end: Below, visit: Visit<'_>) -> bool {
    match names {
        [name, rest @ ..] => {
            is_offered(name) && object.get(name).is_some_and(|value| within(value, rest, nesting, at_end, visit))
        }
        [] if at_end == Below::Visit => {
            object.iter().any(|(name, value)| is_offered(name) && within(value, names, nesting, at_end, visit))
        }
        [] => false,
    }
}

fn within(value: &Json, names: &[String], nesting: usize, at_end: Below, visit: Visit<'_>) -> bool {
    match value {
        Json::Array(_) | Json::Object(_) if nesting == MAX_NESTING => false,
        Json::Array(items) => items.iter().any(|item| within(item, names, nesting + 1, at_end, visit)),
        Json::Object(object) => below(object, names, nesting + 1, at_end, visit),
        Json::String(text) if text.len() > MAX_FILTERED_BYTES => false,
        value => names.is_empty() && Scalar::of(value).is_some_and(visit),
    }
}

/// A payload as the document store takes it: what filters see of it.
pub(in crate::collection) fn offered(payload: &Map<String, Json>) -> Vec<(String, OwnedValue)> {
    object(payload, 0)
}

fn object(fields: &Map<String, Json>, nesting: usize) -> Vec<(String, OwnedValue)> {
    let field = |(name, value): (&String, &Json)| {
        let value = if is_offered(name) { stored(value, nesting)? } else { return None };
        Some((name.clone(), value))
    };
    fields.iter().filter_map(field).collect()
}

fn stored(value: &Json, nesting: usize) -> Option<OwnedValue> {
    Some(match value {
        Json::Array(_) | Json::Object(_) if nesting == MAX_NESTING => return None,
        Json::Array(items) => OwnedValue::Array(items.iter().filter_map(|item| stored(item, nesting + 1)).collect()),
        Json::Object(fields) => OwnedValue::Object(object(fields, nesting + 1)),
        Json::String(text) if text.len() > MAX_FILTERED_BYTES => return None,
        Json::String(text) => text_and_date(text),
        Json::Number(n) => number(Number::of(n)),
        Json::Bool(b) => OwnedValue::Bool(*b),
        Json::Null => return None,
    })
}

/// A text, and the moment that it names beside it, so that it is found by both. The moments that the store holds are
/// those of the years 1677 to 2262; the others are read from the texts when they are asked for.
fn text_and_date(text: &str) -> OwnedValue {
    let own = OwnedValue::Str(text.to_owned());
    match Date::read(text).and_then(|date| i64::try_from(date.start()).ok()) {
        Some(nanos) => OwnedValue::Array(vec![own, OwnedValue::Date(DateTime::from_timestamp_nanos(nanos))]),
        None => own,
    }
}

/// Whole numbers are stored as such, however they are written.
fn number(number: Number) -> OwnedValue {
    match number.kind() {
        Kind::Whole(n) => match (i64::try_from(n), u64::try_from(n)) {
            (Ok(n), _) => OwnedValue::I64(n),
            (_, Ok(n)) => OwnedValue::U64(n),
            _ => OwnedValue::Null,
        },
        Kind::Real(x) => OwnedValue::F64(x),
    }
}
