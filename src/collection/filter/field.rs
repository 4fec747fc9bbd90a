//! What of a chunk a condition is about.

use std::fmt;

use super::value::quoted;

/// What stands before the name of a payload field that has a source field's name.
const PAYLOAD: &str = "payload";
/// Words of the language, which are no names unless they are quoted.
const WORDS: [&str; 11] = ["and", "or", "not", "in", "contains", "like", "exists", "between", "true", "false", "nan"];

/// A field: the key, the path of the file, or one of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::collection) enum Field {
    Key,
    Path,
    /// The names on the way to it, from the outermost.
    Payload(Vec<String>),
}

impl Field {
    /// The field of these names; at least one.
    pub fn of(mut names: Vec<String>) -> Self {
        match names.as_slice() {
            [name] if name == "key" => return Field::Key,
            [name] if name == "path" => return Field::Path,
            [first, _, ..] if first == PAYLOAD => drop(names.remove(0)),
            _ => {}
        }
        Field::Payload(names)
    }
}

/// Whether an unquoted word is one of the language.
pub(super) fn is_word(name: &str) -> bool {
    WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Whether a character may stand in a name that is not quoted.
pub(super) fn in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Whether a name that is not quoted may begin so.
pub(super) fn begins_name(c: char) -> bool {
    in_name(c) && !c.is_numeric() && c != '-'
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = match self {
            Field::Key => return f.write_str("key"),
            Field::Path => return f.write_str("path"),
            Field::Payload(names) => names,
        };
        let taken = match names.as_slice() {
            [name] => matches!(name.as_str(), "key" | "path"),
            [first, ..] => first == PAYLOAD,
            [] => false,
        };
        if taken {
            write!(f, "{PAYLOAD}.")?;
        }
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            let bare = name.starts_with(begins_name) && name.chars().all(in_name) && !is_word(name);
            if bare { f.write_str(name)? } else { quoted(f, name, '`')? }
        }
        Ok(())
    }
}
