//! What a model answered, and what it took.

use serde::{Deserialize, Serialize};

use super::ToolCall;

/// Tokens of an answer, as the provider counts them; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Of what was sent.
    pub prompt_tokens: Option<u64>,
    /// Of what came back.
    pub completion_tokens: Option<u64>,
    /// Of both.
    pub total_tokens: Option<u64>,
}

impl TokenUsage {
    /// Of two parts, the total where the provider does not give it.
    pub(super) fn new(prompt: Option<u64>, completion: Option<u64>, total: Option<u64>) -> TokenUsage {
        let total = total.or_else(|| Some(prompt?.saturating_add(completion?)));
        TokenUsage { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total }
    }

    /// Both together; what one of them does not know is what the other says.
    #[must_use]
    pub fn plus(self, other: TokenUsage) -> TokenUsage {
        let add = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        TokenUsage {
            prompt_tokens: add(self.prompt_tokens, other.prompt_tokens),
            completion_tokens: add(self.completion_tokens, other.completion_tokens),
            total_tokens: add(self.total_tokens, other.total_tokens),
        }
    }
}

/// Why a model stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// It had said all.
    #[default]
    Stop,
    /// It had used up the tokens that it was allowed; the text breaks off.
    Length,
    /// The provider's filter stopped it.
    Filter,
    /// It calls tools.
    ToolCalls,
    /// It came to the keyword at which the stream was to stop.
    Keyword,
    /// Anything else, in the provider's words.
    Other(String),
}

impl Finish {
    /// From a provider's word.
    pub(super) fn read(word: &str) -> Finish {
        match word.to_ascii_lowercase().as_str() {
            "" | "stop" | "end_turn" | "stop_sequence" | "complete" | "completed" | "eos" => Finish::Stop,
            "length" | "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "content_filter" | "refusal" | "safety" | "recitation" | "blocklist" | "prohibited_content" | "spii" => {
                Finish::Filter
            }
            "tool_calls" | "tool_use" | "function_call" => Finish::ToolCalls,
            _ => Finish::Other(word.to_owned()),
        }
    }
}

/// A model's answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// The text.
    pub text: String,
    /// `provider::model`.
    pub model: String,
    /// Tokens. What a cache had cost none now: these are of when it was first asked.
    pub usage: TokenUsage,
    /// Why it ended.
    pub finish: Finish,
    /// The tools that it calls.
    pub calls: Vec<ToolCall>,
    /// Whether it came from a cache, and nothing was sent.
    pub cache_hit: bool,
    /// Requests that were sent; none for a cache hit.
    pub requests: u64,
    /// How many of them were repetitions.
    pub retries: u64,
    /// Seconds from the question to the end of the answer.
    pub seconds: f64,
}

/// What a model said, before it is known what it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    pub text: String,
    pub usage: TokenUsage,
    pub finish: Finish,
    #[serde(default)]
    pub calls: Vec<ToolCall>,
}
