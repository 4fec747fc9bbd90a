//! Prompts with places to fill: minijinja templates whose names are checked before they are used.

use std::fmt;

use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::LlmError;

const NAME: &str = "template";

/// A prompt with places to fill, `{{ input }}`, in the language of [minijinja](https://docs.rs/minijinja). Values go in
/// as they are: nothing is escaped, and braces in them stay braces. Single braces, as JSON has them, are text; `{{`, `{%`
/// and `{#` begin what is not.
#[derive(Clone)]
pub struct Template {
    environment: Environment<'static>,
    text: String,
    uses: Vec<String>,
}

impl Template {
    /// Reads a template that may name these values, which are texts. It is tried with a text for each, so that what is
    /// wrong with it is mostly told here; what is behind a condition is only read.
    ///
    /// ```
    /// use gyeol::llm::Template;
    /// let template = Template::new("greeting", "{{ name }}: {\"a\": 1}", &["name"])?;
    /// assert_eq!(template.fill(&serde_json::json!({"name": "{{ x }}"}))?, "{{ x }}: {\"a\": 1}");
    /// assert!(Template::new("greeting", "{{ nmae }}", &["name"]).is_err());
    /// # Ok::<(), gyeol::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`LlmError::Template`] for what is no template, or names something else. `what` is for messages.
    pub fn new(what: &str, text: &str, names: &[&str]) -> Result<Template, LlmError> {
        let sample = names.iter().map(|name| ((*name).to_owned(), "text".into())).collect();
        Template::like(what, text, &sample)
    }

    /// [`Template::new`] for values like these.
    pub(crate) fn like(what: &str, text: &str, sample: &Map<String, Value>) -> Result<Template, LlmError> {
        let names: Vec<&str> = sample.keys().map(String::as_str).collect();
        let refuse = |reason: String| LlmError::Template { name: what.to_owned(), reason };
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_keep_trailing_newline(true);
        environment.add_template_owned(NAME, text.to_owned()).map_err(|e| refuse(reason_of(&e)))?;
        let mut uses: Vec<String> = match environment.get_template(NAME) {
            Ok(template) => template.undeclared_variables(false).into_iter().collect(),
            Err(e) => return Err(refuse(reason_of(&e))),
        };
        uses.retain(|name| !environment.globals().any(|(global, _)| global == name));
        uses.sort();
        let unknown: Vec<&str> = uses.iter().map(String::as_str).filter(|name| !names.contains(name)).collect();
        if !unknown.is_empty() {
            return Err(refuse(format!("it names {}; there are {}", unknown.join(", "), names.join(", "))));
        }
        // Filters, functions and parts of values are looked up only when they are used.
        let tried = environment.get_template(NAME).and_then(|template| template.render(sample));
        match tried {
            Err(error) if is_of_template(error.kind()) => Err(refuse(reason_of(&error))),
            _ => Ok(Template { environment, text: text.to_owned(), uses }),
        }
    }

    /// A text of our own with its places filled.
    pub(crate) fn filled(what: &str, text: &str, values: &Value) -> Result<String, LlmError> {
        let empty = Map::new();
        Template::like(what, text, values.as_object().unwrap_or(&empty))?.fill(values)
    }

    /// The text with its places filled.
    ///
    /// # Errors
    /// [`LlmError::Template`] when a value that is needed is missing or of the wrong kind.
    pub fn fill(&self, values: &impl Serialize) -> Result<String, LlmError> {
        let template = self.environment.get_template(NAME);
        let filled = template.and_then(|template| template.render(values));
        filled.map_err(|e| LlmError::Template { name: NAME.to_owned(), reason: reason_of(&e) })
    }

    /// The values that it names, by name.
    pub fn uses(&self) -> &[String] {
        &self.uses
    }

    /// The template as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Whether an error would come with other values, too.
fn is_of_template(kind: ErrorKind) -> bool {
    use ErrorKind::{UndefinedError, UnknownFilter, UnknownFunction, UnknownMethod, UnknownTest};
    matches!(kind, UndefinedError | UnknownFilter | UnknownFunction | UnknownMethod | UnknownTest)
}

/// On one line, with the line of the template.
fn reason_of(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    match error.line() {
        Some(line) => format!("{what} (line {line})"),
        None => what,
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.text).finish()
    }
}
