//! A collection as a tool of an agent.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::source::merged;
use crate::collection::Collection;
use crate::error::LlmError;
use crate::llm::{Tool, schemars};

/// Texts that one call may ask for.
const MOST: usize = 20;
const K: usize = 5;

/// What to look for.
#[derive(Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
struct Wanted {
    /// What to look for, in words or as a question, in any language.
    query: String,
    /// How many texts, 1 to 20; 5 when it is left out.
    #[serde(default)]
    k: Option<usize>,
}

/// A tool that searches a collection, by meaning and by words. `description` says what is in the collection, so that the
/// model knows when to look there. It gives JSON: a list of objects with `key`, `place`, `score` and `text`.
///
/// # Errors
/// [`LlmError::Tool`] for a name that is none.
pub fn search_tool(collection: Arc<Collection>, name: &str, description: &str) -> Result<Tool, LlmError> {
    Tool::new(name, description, move |wanted: Wanted| {
        let k = wanted.k.unwrap_or(K).clamp(1, MOST);
        let found = collection.search(&wanted.query).k(2 * k).run()?;
        let texts: Vec<Value> = merged(found.hits, k)
            .into_iter()
            .map(|s| json!({"key": s.key, "place": s.place(), "score": s.score, "text": s.text}))
            .collect();
        Ok::<_, crate::Error>(Value::from(texts))
    })
}
