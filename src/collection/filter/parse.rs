//! The one reader of filter expressions.

use super::condition::{Check, Order};
use super::field::Field;
use super::glob::Glob;
use super::lex::{Kind, Token, Wrong, refuse_pattern, tokens};
use super::value::Value;
use super::{Filter, FilterField, MAX_BYTES, MAX_DEPTH, MAX_VALUES};
use crate::error::FilterError;

/// Reads an expression.
pub(super) fn parse(expression: &str) -> Result<Filter, FilterError> {
    if expression.len() > MAX_BYTES {
        let reason = format!("it has {} bytes, over the limit of {MAX_BYTES}; ask in parts", expression.len());
        // What is shown of it is its beginning.
        let beginning = expression.chars().take(100).collect();
        return Err(FilterError { expression: beginning, column: 1, reason });
    }
    let wrong = |(column, reason)| FilterError { expression: expression.to_owned(), column, reason };
    let filter = tokens(expression).and_then(|tokens| Parser { tokens, at: 0, open: 0 }.whole()).map_err(wrong)?;
    filter.validate().map_err(|error| wrong((1, error.reason)))?;
    Ok(filter)
}

struct Parser {
    /// The last is the end, which is never passed.
    tokens: Vec<Token>,
    at: usize,
    /// Parentheses that are open.
    open: usize,
}

impl Parser {
    fn whole(mut self) -> Result<Filter, Wrong> {
        if *self.peek() == Kind::End {
            return Err((1, "the expression is empty; write a condition like lang = \"ko\"".to_owned()));
        }
        let filter = self.any()?;
        match self.peek() {
            Kind::End => Ok(filter),
            Kind::Sign(")") => Err(self.wrong("this `)` closes nothing")),
            _ => Err(self.expected("`and`, `or` or the end")),
        }
    }

    fn peek(&self) -> &Kind {
        self.tokens.get(self.at).map_or(&Kind::End, |token| &token.kind)
    }

    fn column(&self) -> usize {
        self.tokens.get(self.at).map_or(1, |token| token.column)
    }

    fn wrong(&self, reason: &str) -> Wrong {
        (self.column(), reason.to_owned())
    }

    /// That something else is expected than what stands here.
    fn expected(&self, what: &str) -> Wrong {
        let found = match self.peek() {
            Kind::Word(word) => format!("the word `{word}`"),
            Kind::Names(names) => format!("the name `{}`", Field::Payload(names.clone())),
            Kind::Text(..) => "a text".to_owned(),
            Kind::Value(Value::Date(_)) => "a date".to_owned(),
            Kind::Value(_) => "a number".to_owned(),
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::End => "the end".to_owned(),
        };
        (self.column(), format!("{what} is expected here, not {found}"))
    }

    /// Passes a word if it stands here.
    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Kind::Word(found) if found == word);
        self.at += usize::from(found);
        found
    }

    /// Passes a sign if it stands here.
    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Kind::Sign(found) if *found == sign);
        self.at += usize::from(found);
        found
    }

    fn any(&mut self) -> Result<Filter, Wrong> {
        let mut filter = self.all()?;
        while self.word("or") {
            filter = filter | self.all()?;
        }
        Ok(filter)
    }

    fn all(&mut self) -> Result<Filter, Wrong> {
        let mut filter = self.one()?;
        while self.word("and") {
            filter = filter & self.one()?;
        }
        Ok(filter)
    }

    fn one(&mut self) -> Result<Filter, Wrong> {
        let mut negated = false;
        while self.word("not") {
            negated = !negated;
        }
        let column = self.column();
        let filter = if self.sign("(") {
            self.open += 1;
            if self.open > MAX_DEPTH {
                return Err((column, format!("more than {MAX_DEPTH} parentheses within each other; write it flatter")));
            }
            let filter = self.any()?;
            if !self.sign(")") {
                return Err(self.expected(&format!("`)` for the parenthesis of column {column}")));
            }
            self.open -= 1;
            filter
        } else {
            self.condition()?
        };
        Ok(if negated { !filter } else { filter })
    }

    fn condition(&mut self) -> Result<Filter, Wrong> {
        if self.word("exists") {
            let column = self.column();
            let in_parentheses = self.sign("(");
            let field = self.field()?;
            if in_parentheses && !self.sign(")") {
                return Err(self.expected(&format!("`)` for the parenthesis of column {column}")));
            }
            return Ok(FilterField(field).exists());
        }
        let field = self.field()?;
        if let Kind::Sign(sign @ ("=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=")) = *self.peek() {
            self.at += 1;
            let order = match sign {
                "<" => Order::Less,
                "<=" => Order::AtMost,
                ">" => Order::Greater,
                ">=" => Order::AtLeast,
                _ => Order::Equal,
            };
            let filter = FilterField(field).check(Check::Is(order, self.value()?));
            return Ok(if matches!(sign, "!=" | "<>") { !filter } else { filter });
        }
        let negated = self.word("not");
        let check = self.check()?;
        let filter = FilterField(field).check(check);
        Ok(if negated { !filter } else { filter })
    }

    /// What stands after a field and is a word.
    fn check(&mut self) -> Result<Check, Wrong> {
        if self.word("exists") {
            return Ok(Check::Exists);
        }
        if self.word("contains") {
            return Ok(Check::Is(Order::Equal, self.value()?));
        }
        if self.word("in") {
            return self.list().map(Check::OneOf);
        }
        if self.word("between") {
            let from = self.value()?;
            if !self.word("and") {
                return Err(self.expected("`and` with the upper bound"));
            }
            let column = self.column();
            let to = self.value()?;
            if std::mem::discriminant(&from) != std::mem::discriminant(&to) {
                return Err((column, "both bounds of `between` must be of one kind".to_owned()));
            }
            return Ok(Check::Between(from, to));
        }
        if self.word("like") {
            let Kind::Text(pattern, _) = self.peek() else { return Err(self.expected("a pattern in quotes")) };
            let glob = Glob::new(pattern);
            self.at += 1;
            return Ok(Check::Like(glob));
        }
        let operators = "an operator (=, !=, <, <=, >, >=, in, contains, like, between, exists)";
        Err(self.expected(operators))
    }

    fn field(&mut self) -> Result<Field, Wrong> {
        let field = match self.peek() {
            Kind::Names(names) => Field::of(names.clone()),
            Kind::Word(word) => {
                let reason = format!("a field is expected here; if `{word}` is one, write it in backticks");
                return Err(self.wrong(&reason));
            }
            _ => return Err(self.expected("a field")),
        };
        self.at += 1;
        Ok(field)
    }

    fn value(&mut self) -> Result<Value, Wrong> {
        let value = match self.peek() {
            Kind::Text(text, escape) => {
                refuse_pattern(*escape)?;
                Value::Text(text.clone())
            }
            Kind::Value(value) => value.clone(),
            Kind::Word(word) if word == "true" => Value::Boolean(true),
            Kind::Word(word) if word == "false" => Value::Boolean(false),
            Kind::Word(word) if word == "nan" => f64::NAN.into(),
            Kind::Names(names) if names.len() == 1 && names[0].eq_ignore_ascii_case("null") => {
                return Err(self.wrong("nothing is compared with null; write `not exists FIELD`"));
            }
            Kind::Names(names) => {
                let reason = format!("a value is expected here; text stands in quotes: \"{}\"", names.join("."));
                return Err(self.wrong(&reason));
            }
            _ => return Err(self.expected("a value")),
        };
        self.at += 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Vec<Value>, Wrong> {
        let column = self.column();
        let close = match self.peek() {
            Kind::Sign("(") => ")",
            Kind::Sign("[") => "]",
            _ => return Err(self.expected("a list of values in parentheses")),
        };
        self.at += 1;
        let mut values = Vec::new();
        while !self.sign(close) {
            values.push(self.value()?);
            if values.len() > MAX_VALUES {
                return Err((column, format!("this list has more than {MAX_VALUES} values; ask in parts")));
            }
            if !self.sign(",") && !matches!(self.peek(), Kind::Sign(sign) if *sign == close) {
                return Err(self.expected(&format!("`,` or `{close}`")));
            }
        }
        Ok(values)
    }
}
