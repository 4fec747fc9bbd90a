//! How a model is asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;
use crate::http::{Key, RateLimit, Retry};

/// How an [`Llm`](super::Llm) is made.
#[derive(Clone)]
pub struct LlmOptions {
    /// Where the API is. `None`: what the environment says (`OPENAI_BASE_URL` and its like), else the provider's own.
    pub base_url: Option<String>,
    /// The key. `None`: it is looked for, see [`Key::find`].
    pub key: Option<Key>,
    /// How freely the model chooses words, 0 to 2. `None`: the provider's own.
    pub temperature: Option<f64>,
    /// Tokens of an answer, at most. `None`: the provider's own; 4096 for Anthropic, which wants a number.
    pub max_tokens: Option<u32>,
    /// What the model is told before the conversation.
    pub system: Option<String>,
    /// What an answer has to come in; of a stream, each of its pieces. Default 120 s.
    pub timeout: Duration,
    /// When a request is sent again.
    pub retry: Retry,
    /// What may be sent in a minute. No limit by default.
    pub rate_limit: RateLimit,
    /// Where answers are kept. None by default.
    pub cache: Option<Arc<dyn Cache>>,
    /// Whether the provider's own way of giving replies a form (JSON schemas) is used. Where it is refused, and where
    /// this is false, the form is asked for in words and read strictly. Default true.
    pub native_shapes: bool,
    /// Whether the provider's own calls of tools are used. Where they are refused, and where this is false, calls are
    /// asked for in words, as JSON. Default true.
    pub native_tools: bool,
}

impl Default for LlmOptions {
    fn default() -> Self {
        LlmOptions {
            base_url: None,
            key: None,
            temperature: None,
            max_tokens: None,
            system: None,
            timeout: Duration::from_secs(120),
            retry: Retry::default(),
            rate_limit: RateLimit::default(),
            cache: None,
            native_shapes: true,
            native_tools: true,
        }
    }
}

impl LlmOptions {
    /// Checks the ranges; the error says what is allowed.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(temperature) = self.temperature.filter(|t| !(0.0..=2.0).contains(t)) {
            return Err(format!("temperature is {temperature}; it must be 0 to 2"));
        }
        if self.max_tokens == Some(0) {
            return Err("max_tokens is 0; it must be 1 or more".to_owned());
        }
        if self.timeout.is_zero() {
            return Err("timeout is 0; it must be more".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for LlmOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmOptions")
            .field("base_url", &self.base_url)
            .field("key", &self.key)
            .field("temperature", &self.temperature)
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}
