//! One of several answers, or an error: never something else.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::answer::Said;
use super::ask::{self, Turn};
use super::message::Shape;
use super::{Answer, Llm, Message, bare};
use crate::error::LlmError;

/// What a reply says of its choice with: no name for a tool of the user's.
const SHAPE: &str = "chosen_reply";
/// Characters of a reply that an error shows.
const SHOWN: usize = 200;
/// What may stand after a Korean noun.
const PARTICLES: [&str; 22] = [
    "을",
    "를",
    "이",
    "가",
    "은",
    "는",
    "로",
    "으로",
    "입니다",
    "이다",
    "다",
    "요",
    "이요",
    "예요",
    "이에요",
    "에요",
    "라고",
    "이라고",
    "도",
    "만",
    "의",
    "와",
];
/// With one of these words beside it in prose, what is named may be what is not chosen.
const NEGATIONS: [&str; 8] = ["not", "never", "neither", "nor", "except", "instead", "cannot", "without"];
/// The same within Korean words.
const KOREAN_NEGATIONS: [&str; 5] = ["아니", "아닌", "않", "말고", "없"];

/// What was chosen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Choice {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Its text, as in the list.
    pub text: String,
    /// The reply that says so.
    pub answer: Answer,
}

impl Llm {
    /// Has the model choose one of several texts. The question stands alone: the conversation is neither sent nor
    /// changed.
    ///
    /// Where the provider can give replies a form, it is asked for; the reply is read strictly all the same: a text of the list, its number from 1, both where they agree, or a sentence that names exactly one.
    ///
    /// # Errors
    /// [`LlmError::Choices`] for fewer than two choices, blank ones, and one that stands twice; [`LlmError::Choice`]
    /// when the reply is none of them; those of [`Llm::ask`].
    pub fn choose<S: AsRef<str>>(&self, prompt: &str, choices: &[S]) -> Result<Choice, LlmError> {
        let choices = listed(choices)?;
        self.wait(self.choose_of(prompt, &choices))?
    }

    /// [`Llm::choose`] as a future, for any executor.
    pub fn choose_async<S: AsRef<str>>(
        &self,
        prompt: &str,
        choices: &[S],
    ) -> impl Future<Output = Result<Choice, LlmError>> + Send + use<S> {
        let (llm, prompt, choices) = (self.clone(), prompt.to_owned(), listed(choices));
        async move {
            let choices = choices?;
            llm.drive(llm.choose_of(&prompt, &choices))?.await
        }
    }

    pub(super) async fn choose_of(&self, prompt: &str, choices: &[String]) -> Result<Choice, LlmError> {
        if prompt.trim().is_empty() {
            return Err(self.setting("the prompt is blank; ask something"));
        }
        let list: String = choices.iter().enumerate().map(|(i, choice)| format!("{}. {choice}\n", i + 1)).collect();
        let form = r#"Reply with {"choice": TEXT}, where TEXT is one of these texts, and with nothing else."#;
        let prompt = format!("{prompt}\n\nChoose exactly one of these:\n{list}\n{form}");
        let schema = json!({
            "type": "object",
            "properties": {"choice": {"type": "string", "enum": choices}},
            "required": ["choice"],
            "additionalProperties": false,
        });
        let shape = Arc::new(Shape { name: SHAPE.to_owned(), schema });
        let mut turn = Turn { messages: vec![Message::user(prompt)], ..Turn::default() };
        turn.unkept = true;
        let takes = &self.core.takes_shapes;
        turn.shape = takes.load(Ordering::Relaxed).then_some(shape);
        let mut answer = ask::answer(self, &turn).await;
        if let Some(refusal) = answer.as_ref().err().filter(|error| turn.shape.is_some() && ask::is_refusal(error)) {
            let lasts = ask::is_lasting(refusal);
            turn.shape = None;
            answer = ask::answer(self, &turn).await;
            if answer.is_ok() && lasts {
                takes.store(false, Ordering::Relaxed);
            }
        }
        let answer = answer?;
        match read(&answer.text, choices) {
            Ok(index) => {
                // A reply that is no choice is asked for again the next time.
                if !answer.cache_hit {
                    let (text, finish) = (answer.text.clone(), answer.finish.clone());
                    let said = Said { text, usage: answer.usage, finish, calls: Vec::new() };
                    ask::keep(self, ask::key(self, &turn), &said).await;
                }
                Ok(Choice { index, text: choices[index].clone(), answer })
            }
            Err(reason) => {
                let reply: String = answer.text.chars().take(SHOWN).collect();
                Err(LlmError::Choice { reason, reply: reply.split_whitespace().collect::<Vec<_>>().join(" ") })
            }
        }
    }
}

/// The choices, checked.
pub(super) fn listed<S: AsRef<str>>(choices: &[S]) -> Result<Vec<String>, LlmError> {
    let all: Vec<String> = choices.iter().map(|choice| choice.as_ref().trim().to_owned()).collect();
    let refuse = |reason: String| Err(LlmError::Choices { reason });
    if all.len() < 2 {
        return refuse(format!("{} to choose from; give two or more", all.len()));
    }
    if all.iter().any(String::is_empty) {
        return refuse("a choice is blank; give each a text".to_owned());
    }
    match (1..all.len()).find(|i| all[..*i].iter().any(|other| is_same(other, &all[*i]))) {
        Some(i) => refuse(format!("the choice {} stands twice", all[i])),
        None => Ok(all),
    }
}

fn is_same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// The choice that a reply means; the error says why it means none.
fn read(reply: &str, choices: &[String]) -> Result<usize, String> {
    let reply = bare(reply);
    if let Some(index) = exact(reply, choices) {
        return Ok(index);
    }
    match serde_json::from_str::<Value>(reply) {
        Ok(Value::Object(object)) => match object.get("choice") {
            Some(Value::String(text)) => of_text(text, choices),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => of_text(&value.to_string(), choices),
            Some(_) => Err("its `choice` is neither text nor number".to_owned()),
            None => Err("its JSON has no `choice`".to_owned()),
        },
        Ok(Value::String(text)) => of_text(&text, choices),
        Ok(Value::Array(_)) => Err("its JSON is no choice".to_owned()),
        _ => of_text(reply, choices),
    }
}

fn exact(text: &str, choices: &[String]) -> Option<usize> {
    let bare =
        |text: &str| text.trim_matches(|c: char| c.is_whitespace() || "\"'`*“”‘’「」.。!".contains(c)).to_owned();
    let whole = choices.iter().position(|choice| is_same(choice, text.trim()));
    // What is nothing but marks is no text without them.
    let text = bare(text);
    whole.or_else(|| choices.iter().position(|choice| !text.is_empty() && is_same(&bare(choice), &text)))
}

fn of_text(text: &str, choices: &[String]) -> Result<usize, String> {
    if let Some(index) = exact(text, choices) {
        return Ok(index);
    }
    // Where choices are numbers themselves, a number is never one's place.
    let are_numbers = choices.iter().any(|choice| choice.starts_with(|c: char| c.is_ascii_digit()));
    let (number, rest) = if are_numbers { (None, None) } else { leading_number(text) };
    let numbered = match number {
        // A quantity within a sentence is no number of a choice.
        Some(number) if rest.is_some() => match number.checked_sub(1).filter(|i| *i < choices.len()) {
            Some(index) => Some(index),
            None => return Err(format!("there is no choice {number} of {}", choices.len())),
        },
        _ => None,
    };
    let rest = if numbered.is_some() { rest.unwrap_or_default() } else { text };
    if rest.trim().is_empty() {
        return numbered.ok_or_else(|| "it is empty".to_owned());
    }
    let named = match exact(rest, choices) {
        Some(index) => vec![(index, true)],
        None => named(rest, choices),
    };
    if let ([(name, true)], Some(word)) = (named.as_slice(), negation(rest, choices, &named)) {
        return Err(format!("with `{word}` in it, it may not mean {}", choices[*name]));
    }
    match (numbered, named.as_slice()) {
        (Some(number), [(name, true)]) if number == *name => Ok(number),
        (Some(number), [(name, true)]) => {
            Err(format!("its number means {} and its text {}", choices[number], choices[*name]))
        }
        (_, [] | [(_, false)]) => Err("it names none of them".to_owned()),
        (_, [_, _, ..]) => Err(format!("it names {} of them", named.len())),
        (None, [(name, true)]) => Ok(*name),
    }
}

/// A word beside the choice that a text names which may turn its meaning round.
fn negation(text: &str, choices: &[String], named: &[(usize, bool)]) -> Option<String> {
    let mut text = text.to_lowercase();
    if exact(&text, choices).is_some() {
        return None;
    }
    named.iter().for_each(|(name, _)| text = text.replace(&choices[*name].to_lowercase(), " "));
    let is_apart = |c: char| !(c.is_alphanumeric() || c == '\'' || c == '’');
    text.split(is_apart)
        .find(|word| {
            NEGATIONS.contains(word)
                || word.ends_with("n't")
                || word.ends_with("n’t")
                || KOREAN_NEGATIONS.iter().any(|negation| word.contains(negation))
        })
        .map(str::to_owned)
}

/// The number at the start, and what follows it where that marks it as one: `2`, `2.`, `(2) text`, `2번`.
fn leading_number(text: &str) -> (Option<usize>, Option<&str>) {
    let text = text.trim().trim_start_matches(['(', '[', '#', '*']);
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, rest) = text.split_at(digits);
    // More digits than fit are out of any range.
    let number = (digits > 0).then(|| number.parse().unwrap_or(usize::MAX));
    let marks: &[char] = &['.', ')', ']', ':', '*'];
    let marked = match rest {
        "" => Some(""),
        _ if rest.starts_with('번') => Some(rest.trim_start_matches('번')),
        // A decimal is none.
        _ if rest.starts_with(marks) => {
            Some(rest.trim_start_matches(marks)).filter(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        }
        _ => None,
    };
    (number, marked)
}

/// The choices that a text names, each once, and whether as a word of its own: one that only begins a word is named by
/// nobody, and makes another one doubtful all the same. A choice within a longer one that stands there is not named.
fn named(text: &str, choices: &[String]) -> Vec<(usize, bool)> {
    let text = text.to_lowercase();
    let mut order: Vec<usize> = (0..choices.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(choices[*i].len()));
    let (mut taken, mut out): (Vec<std::ops::Range<usize>>, Vec<(usize, bool)>) = (Vec::new(), Vec::new());
    for i in order {
        let choice = choices[i].to_lowercase();
        for (at, found) in text.match_indices(choice.as_str()) {
            let range = at..at + found.len();
            let free = taken.iter().all(|other| range.end <= other.start || other.end <= range.start);
            if !free || text[..range.start].chars().next_back().is_some_and(char::is_alphanumeric) {
                continue;
            }
            let after: String = text[range.end..].chars().take_while(|c| c.is_alphanumeric()).collect();
            let is_word = after.is_empty() || PARTICLES.contains(&after.as_str());
            taken.push(range);
            match out.iter_mut().find(|(other, _)| *other == i) {
                Some((_, word)) => *word |= is_word,
                None => out.push((i, is_word)),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_strictly() {
        let fruit = listed(&["apple", "Pear", "green pear", "사과"]).unwrap();
        let of = |reply: &str| read(reply, &fruit);
        for (reply, index) in [
            ("apple", 0),
            (" \"Apple\". ", 0),
            ("{\"choice\": \"PEAR\"}", 1),
            ("```json\n{\"choice\": \"green pear\"}\n```", 2),
            ("<think>apple? No, pear.</think>\n\n{\"choice\": \"pear\"}", 1),
            ("{\"choice\": 4}", 3),
            ("2", 1),
            ("(2)", 1),
            ("2. Pear", 1),
            ("3번", 2),
            ("**1. apple**", 0),
            ("I choose the green pear.", 2),
            ("사과를 고르겠습니다.", 3),
            ("사과", 3),
        ] {
            assert_eq!(of(reply), Ok(index), "{reply}");
        }
        for bad in [
            "",
            "0",
            "5",
            "99999999999999999999999",
            "2. apple",
            "apple or pear",
            "사과이거나 apple",
            "사과나무",
            "pineapple",
            "I would not take the apple",
            "사과는 아니다",
            "{\"choice\": \"plum\"}",
            "{\"choice\": [1]}",
            "{}",
            "[1]",
            "2.5",
            "none",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let is = |reply: &str, choices: &[&str]| read(reply, &listed(choices).unwrap());
        assert_eq!((is("true", &["true", "false"]), is("{\"choice\": false}", &["true", "false"])), (Ok(0), Ok(1)));
        assert_eq!(is("3.10", &["3.1", "3.10"]), Ok(1));
        assert!(is("3", &["0", "1", "2"]).is_err() && is("", &["*", "**"]).is_err());
        assert_eq!(
            (is("I choose the notebook.", &["notebook", "pen"]), is("It is not spam.", &["spam", "not spam"])),
            (Ok(0), Ok(1))
        );
        assert!(
            is("1. not apple", &["apple", "pear"]).is_err() && is("I don't want the pen", &["pen", "ink"]).is_err()
        );
        // The text goes before the number.
        assert_eq!(read("1", &["2".to_owned(), "1".to_owned()]), Ok(1));
    }

    #[test]
    fn lists_that_are_none_are_refused() {
        let bad: [&[&str]; 4] = [&[], &["a"], &["a", " "], &["a", "A"]];
        for bad in bad {
            assert!(matches!(listed(bad), Err(LlmError::Choices { .. })), "{bad:?}");
        }
    }
}
