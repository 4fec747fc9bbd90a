//! Functions that a model may have called.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ToolSpec;
use crate::error::LlmError;

const LONGEST_NAME: usize = 64;

/// Why a call came to nothing.
pub(super) enum Failed {
    /// The model wrote arguments that are none: it may try again.
    Arguments(String),
    /// The function failed.
    Function(String),
}

type Run = dyn Fn(&str) -> Result<String, Failed> + Send + Sync;

/// A function with a name, a description, and typed arguments whose JSON schema the model is shown.
///
/// ```
/// use gyeol::llm::{Tool, schemars};
///
/// /// What to add up.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[schemars(crate = "gyeol::llm::schemars")]
/// struct Sum {
///     /// The numbers.
///     numbers: Vec<f64>,
/// }
///
/// let sum = Tool::new("sum", "Adds numbers up.", |sum: Sum| Ok::<_, String>(sum.numbers.iter().sum::<f64>()))?;
/// assert_eq!(sum.call(r#"{"numbers": [1, 2.5]}"#)?, "3.5");
/// assert!(sum.call(r#"{"numbers": "many"}"#).is_err());
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone)]
pub struct Tool {
    spec: ToolSpec,
    run: Arc<Run>,
}

impl Tool {
    /// A tool. Its function may block, and is called on a thread where that does no harm.
    ///
    /// # Errors
    /// [`LlmError::Tool`] for a name that is none (letters, digits, `_` and `-`, at most 64), and arguments that are no
    /// structure.
    pub fn new<A, R, E>(
        name: &str,
        description: &str,
        run: impl Fn(A) -> Result<R, E> + Send + Sync + 'static,
    ) -> Result<Tool, LlmError>
    where
        A: DeserializeOwned + JsonSchema,
        R: fmt::Display,
        E: fmt::Display,
    {
        let refuse = |reason: &str| Err(LlmError::Tool { name: name.to_owned(), reason: reason.to_owned() });
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if name.is_empty() || name.len() > LONGEST_NAME || !is_name {
            return refuse("this is no name; take ASCII letters, digits, `_` and `-`, at most 64");
        }
        let parameters = schema_of::<A>();
        if parameters.get("type").and_then(Value::as_str) != Some("object") {
            return refuse("its arguments must be a structure with named fields");
        }
        let spec = ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters };
        let run = move |arguments: &str| {
            // A function without arguments may be called with nothing.
            let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
            let arguments = serde_json::from_str(arguments).map_err(|e| Failed::Arguments(e.to_string()))?;
            run(arguments).map(|result| result.to_string()).map_err(|e| Failed::Function(e.to_string()))
        };
        Ok(Tool { spec, run: Arc::new(run) })
    }

    /// As a model is told of it.
    pub fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    /// Calls it with arguments as JSON.
    ///
    /// # Errors
    /// [`LlmError::Tool`] for arguments that are none, and when the function fails.
    pub fn call(&self, arguments: &str) -> Result<String, LlmError> {
        self.try_call(arguments).map_err(|failed| {
            let reason = match failed {
                Failed::Arguments(reason) => format!("the arguments do not fit: {reason}"),
                Failed::Function(reason) => reason,
            };
            LlmError::Tool { name: self.spec.name.clone(), reason }
        })
    }

    pub(super) fn try_call(&self, arguments: &str) -> Result<String, Failed> {
        (self.run)(arguments)
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tool").field(&self.spec).finish()
    }
}

/// The schema of arguments, without what some providers do not take: references, and the dialect's address.
fn schema_of<A: JsonSchema>() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<A>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
        // A structure without fields has none, and some providers want them.
        object.entry("properties").or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    schema
}
