//! What can be typed after `gyeol ask` and `gyeol chat`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gyeol::Filter;
use gyeol::http::Retry;
use gyeol::llm::LlmOptions;

use super::search::LegArgs;

/// The chat model and how it is asked. Keys come from the environment, the file of keys, or the keyring, never from here.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Chat model")]
pub struct ChatModelArgs {
    /// The chat model: openai::NAME, anthropic::NAME, gemini::NAME, ollama::NAME, upstage::NAME, openai-compatible::NAME
    /// and more; see `gyeol models` [default: what GYEOL_CHAT_MODEL says]
    #[arg(long, value_name = "PROVIDER::NAME")]
    pub model: Option<String>,
    /// Where its API is: https, or http on this machine
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// How freely it chooses words, 0 to 2 [default: the provider's own]
    #[arg(long, value_name = "T")]
    pub temperature: Option<f64>,
    /// Tokens of an answer, at most [default: the provider's own]
    #[arg(long, value_name = "N")]
    pub max_tokens: Option<u32>,
    /// Seconds that an answer may take to come, or each piece of a streamed one
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub timeout: u64,
    /// How often a request is sent again when the provider is busy or the network fails
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: usize,
    /// Keep answers there, and send no question twice: a folder, or redis://HOST:PORT/DB
    #[arg(long, value_name = "DIR|URL")]
    pub cache: Option<PathBuf>,
    /// Seconds from which a kept answer is asked for anew; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 0, requires = "cache", allow_negative_numbers = true)]
    pub cache_ttl: i64,
}

impl ChatModelArgs {
    /// As the library takes them, but for the cache.
    pub fn options(&self) -> LlmOptions {
        LlmOptions {
            base_url: self.base_url.clone(),
            temperature: self.temperature,
            max_tokens: self.max_tokens,
            timeout: Duration::from_secs(self.timeout),
            retry: Retry { repeats: self.retries, ..Retry::default() },
            ..LlmOptions::default()
        }
    }
}

/// What answers are made from.
#[derive(Args, Debug)]
pub struct RetrievalArgs {
    /// The collection: a folder, or its .gyeol [default: found upward from here]
    #[arg(long = "in", value_name = "PATH")]
    pub collection: Option<PathBuf>,
    /// Texts that an answer is made from, at most
    #[arg(short, value_name = "K", default_value_t = 8)]
    pub k: usize,
    /// Only texts that this selects: 'lang = "ko" and year >= 2020'
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<Filter>,
    /// Only texts of this score and over
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub min_score: Option<f32>,
    /// Tokens of a question with all that goes along, and of its answer
    #[arg(long, value_name = "N", default_value_t = 8000)]
    pub budget: usize,
    /// A file with the message that is asked: a minijinja template over `question` and `sources`
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Ask the model also when no text fits, and have it say so
    #[arg(long)]
    pub without_sources: bool,
    /// Where the API of the model that embeds the collection is
    #[arg(long, value_name = "URL")]
    pub embed_base_url: Option<String>,
    #[command(flatten)]
    pub leg: LegArgs,
}

/// Answer a question from the texts that fit it
///
/// The texts that fit are found as `gyeol search` finds them, put before a chat model as quotations, and cited by their
/// numbers. --extractive needs no model: it answers with the sentences that fit best, quoted and cited. Ends with 1 when
/// nothing fits.
#[derive(Args, Debug)]
pub struct AskArgs {
    /// The question
    #[arg(value_name = "QUESTION", required = true)]
    pub question: Vec<String>,
    /// Answer with quotations, offline, without a chat model
    #[arg(long, conflicts_with_all = ["model", "base_url", "stream", "temperature", "max_tokens", "cache", "template", "without_sources"])]
    pub extractive: bool,
    /// Print the answer as it comes; with --json an event a line: sources, texts, end
    #[arg(long)]
    pub stream: bool,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub retrieval: RetrievalArgs,
    #[command(flatten)]
    pub model: ChatModelArgs,
}

/// Talk with a chat model over the texts of a collection
///
/// Each question is answered from the texts that fit it, which are shown first; a follow-up is understood by what was
/// said before. Ctrl-C stops the answer, Ctrl-D ends. /help lists commands. Lines from a pipe are questions, too.
#[derive(Args, Debug)]
pub struct ChatArgs {
    #[command(flatten)]
    pub retrieval: RetrievalArgs,
    #[command(flatten)]
    pub model: ChatModelArgs,
}
