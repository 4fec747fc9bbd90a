//! An expression cut into tokens.

use super::date::Date;
use super::field::{begins_name, in_name, is_word};
use super::value::{Number, Value};

/// A piece of an expression and where it begins.
#[derive(Debug)]
pub(super) struct Token {
    pub kind: Kind,
    /// Characters from the start of the expression, from 1.
    pub column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A word of the language, in small letters.
    Word(String),
    /// The names of a field.
    Names(Vec<String>),
    /// A text in quotes, and where it has an escape that only a pattern may have.
    Text(String, Option<usize>),
    /// A number or a date.
    Value(Value),
    /// An operator, a parenthesis or a comma.
    Sign(&'static str),
    End,
}

/// What is wrong, and at which column.
pub(super) type Wrong = (usize, String);

/// Longer signs stand before those that they begin with.
const SIGNS: [&str; 13] = ["==", "=", "!=", "<>", "<=", "<", ">=", ">", "(", ")", "[", "]", ","];

/// The tokens of an expression, the last of them its end.
pub(super) fn tokens(expression: &str) -> Result<Vec<Token>, Wrong> {
    let mut lexer = Lexer { rest: expression, column: 1 };
    let mut tokens = Vec::new();
    loop {
        while lexer.peek().is_some_and(char::is_whitespace) {
            lexer.next();
        }
        let column = lexer.column;
        let kind = lexer.token()?;
        let at_end = kind == Kind::End;
        tokens.push(Token { kind, column });
        if at_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    /// Of the next character.
    column: usize,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.column += 1;
        Some(c)
    }

    /// The characters from here on that are so.
    fn take(&mut self, so: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !so(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }

    fn token(&mut self) -> Result<Kind, Wrong> {
        let Some(c) = self.peek() else { return Ok(Kind::End) };
        if let Some(sign) = SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
            self.rest = &self.rest[sign.len()..];
            self.column += sign.len();
            return Ok(Kind::Sign(sign));
        }
        match c {
            '"' | '\'' => self.quoted(c).map(|(text, pattern)| Kind::Text(text, pattern)),
            '`' => self.names(),
            c if begins_name(c) => self.names(),
            c if c.is_ascii_digit() || c == '-' => self.value(),
            c => Err((self.column, wrong_character(c))),
        }
    }

    /// Names with dots between, or a word of the language.
    fn names(&mut self) -> Result<Kind, Wrong> {
        let mut names = Vec::new();
        loop {
            let column = self.column;
            if self.peek() == Some('`') {
                let (name, escape) = self.quoted('`')?;
                refuse_pattern(escape)?;
                names.push(name);
            } else {
                let name = self.take(in_name);
                if name.is_empty() {
                    return Err((column, "a name is missing after the dot".to_owned()));
                }
                if names.is_empty() && self.peek() != Some('.') && is_word(name) {
                    return Ok(Kind::Word(name.to_ascii_lowercase()));
                }
                names.push(name.to_owned());
            }
            if self.peek() != Some('.') {
                return Ok(Kind::Names(names));
            }
            self.next();
        }
    }

    fn value(&mut self) -> Result<Kind, Wrong> {
        let column = self.column;
        let text = self.take(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '+' | '-'));
        if let Some(date) = Date::read(text) {
            return Ok(Kind::Value(Value::Date(date)));
        }
        if let Some(number) = number(text) {
            return Ok(Kind::Value(Value::Number(number)));
        }
        let shown: String = text.chars().take(40).collect();
        let hint = "text stands in quotes, and a name that begins with a digit in backticks";
        Err((column, format!("`{shown}` is neither a number nor a date (2024-01-15, 2024-01-15T10:00:00Z); {hint}")))
    }

    /// What stands between quotes, and where it has an escape of patterns.
    fn quoted(&mut self, quote: char) -> Result<(String, Option<usize>), Wrong> {
        let start = self.column;
        self.next();
        let (mut text, mut pattern) = (String::new(), None);
        loop {
            let column = self.column;
            match self.next() {
                None => return Err((start, format!("this {quote} has no closing one"))),
                Some(c) if c == quote => return Ok((text, pattern)),
                Some('\\') => match self.next() {
                    Some(c @ ('\\' | '"' | '\'' | '`' | '/')) => text.push(c),
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some('b') => text.push('\u{8}'),
                    Some('f') => text.push('\u{c}'),
                    Some('u') => text.push(self.unicode(column)?),
                    Some(c @ ('*' | '?')) => {
                        text.extend(['\\', c]);
                        pattern = pattern.or(Some(column));
                    }
                    _ => return Err((column, "no such escape; a backslash itself is written \\\\".to_owned())),
                },
                Some(c) => text.push(c),
            }
        }
    }

    /// The character of four hexadecimal digits, or of two times four as in JSON.
    fn unicode(&mut self, column: usize) -> Result<char, Wrong> {
        let wrong = || (column, "\\u takes four hexadecimal digits, those of a character".to_owned());
        let first = self.four_digits().ok_or_else(wrong)?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first).ok_or_else(wrong);
        }
        let escape = (self.next(), self.next());
        let second = self.four_digits().filter(|second| (0xDC00..0xE000).contains(second)).ok_or_else(wrong)?;
        if escape != (Some('\\'), Some('u')) {
            return Err(wrong());
        }
        char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or_else(wrong)
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        (self.rest, self.column) = (&self.rest[4..], self.column + 4);
        u32::from_str_radix(digits, 16).ok()
    }
}

/// An escape that only patterns have, where there is none.
pub(super) fn refuse_pattern(escape: Option<usize>) -> Result<(), Wrong> {
    match escape {
        Some(column) => {
            Err((column, "only a pattern after `like` has this escape; a backslash itself is written \\\\".to_owned()))
        }
        None => Ok(()),
    }
}

/// A number as JSON writes them, apart from leading zeros.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        match (text.parse::<i64>(), text.parse::<u64>()) {
            (Ok(n), _) => return Some(n.into()),
            (_, Ok(n)) => return Some(n.into()),
            _ => {}
        }
    }
    let real = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
    let x: f64 = if digits.bytes().all(real) { text.parse().ok()? } else { return None };
    Some(x.into())
}

fn wrong_character(c: char) -> String {
    match c {
        '&' => "`&` is no operator here; write `and`".to_owned(),
        '|' => "`|` is no operator here; write `or`".to_owned(),
        '!' => "`!` is no operator alone; write `not`, or `!=`".to_owned(),
        '~' => "`~` is no operator here; write `like \"*text*\"`".to_owned(),
        '“' | '”' | '„' | '‘' | '’' | '«' | '»' => {
            format!("`{c}` is no quote of this language; write \" or '")
        }
        '.' => "a name or a number cannot begin with a dot".to_owned(),
        c => format!("`{}` means nothing here; text stands in quotes, odd names in backticks", c.escape_debug()),
    }
}
