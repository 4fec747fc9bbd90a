//! Which model embeds, and how.

use std::path::PathBuf;

use clap::Args;

/// The model and how it is asked. Keys come from the environment, the file of keys, or the keyring, never from here.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// The model: builtin, local::FOLDER, hf::OWNER/NAME, openai::NAME, openai-compatible::NAME, ollama::NAME,
    /// gemini::NAME, cohere::NAME and more; see `gyeol models` [default: the collection's own, else builtin]
    #[arg(long, value_name = "PROVIDER::NAME")]
    pub model: Option<String>,
    /// Where the API of the model is: https, or http on this machine
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// The dimension to ask a provider for; of models that run here the first N values are kept
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub dimensions: Option<usize>,
    /// Keep the first N values of each vector that a provider sends, scaled to length 1 again
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub truncate: Option<usize>,
    /// What is put before a query [default: what the model's files say]
    #[arg(long, value_name = "TEXT")]
    pub query_prefix: Option<String>,
    /// What is put before a document [default: what the model's files say]
    #[arg(long, value_name = "TEXT")]
    pub document_prefix: Option<String>,
    /// Refuse texts that are too long for the model, instead of cutting them
    #[arg(long)]
    pub refuse_long: bool,
    /// Run transformers in f32 throughout: half as fast, and without the last small error of 8-bit products
    #[arg(long)]
    pub full_precision: bool,
    /// Use models of the hub only as far as they were fetched before
    #[arg(long)]
    pub offline: bool,
    /// Keep no vectors of providers, and look for none that were kept
    #[arg(long, conflicts_with_all = ["cache", "cache_ttl"])]
    pub no_cache: bool,
    /// Where vectors of providers are kept, so that no text is paid for twice: a folder, or redis://HOST:PORT/DB
    /// [default: gyeol/embeddings in the user's folder of caches]
    #[arg(long, value_name = "DIR|URL")]
    pub cache: Option<PathBuf>,
    /// Seconds from which a kept vector is fetched anew; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true)]
    pub cache_ttl: i64,
    /// Texts of one request to a provider, at most [default: what the provider states]
    #[arg(long, value_name = "N")]
    pub batch_texts: Option<usize>,
    /// Tokens of one request to a provider, at most; 0 is no limit [default: what the provider states]
    #[arg(long, value_name = "N")]
    pub batch_tokens: Option<usize>,
    /// Bytes of one request to a provider, at most; 0 is no limit [default: what the provider states]
    #[arg(long, value_name = "N")]
    pub batch_bytes: Option<usize>,
    /// Tokens of one text, at most; 0 is no limit [default: what the provider states]
    #[arg(long, value_name = "N")]
    pub text_tokens: Option<usize>,
    /// Requests to a provider under way at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one)]
    pub concurrency: usize,
    /// Seconds that one request to a provider has
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub timeout: u64,
    /// How often a request is sent again when the provider is busy or the network fails
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: usize,
    /// Requests to a provider in a minute, at most [default: no limit]
    #[arg(long, value_name = "N")]
    pub requests_per_minute: Option<u32>,
    /// Tokens to a provider in a minute, at most [default: no limit]
    #[arg(long, value_name = "N")]
    pub tokens_per_minute: Option<u32>,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be 1 or more".to_owned()),
        Ok(n) => Ok(n),
        Err(e) => Err(format!("{e}")),
    }
}

/// List the models that are known, and the providers
///
/// Dimensions, and what a provider takes in one request. Any other name works too where the provider has it.
#[derive(Args, Debug)]
pub struct ModelsArgs {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Look whether a model can be used: its key, its endpoint, its dimension
///
/// Without --model: which keys are there, and from where. With it: one short text is embedded. Ends with 6 when that
/// fails.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Keep a provider's key in the keyring of the operating system, or take it out
///
/// The key is read from stdin, so that it stands in no history of commands.
#[derive(Args, Debug)]
pub struct KeyArgs {
    /// The provider: openai, openai-compatible, cohere, ...
    #[arg(value_name = "PROVIDER")]
    pub provider: String,
    /// Take the key out
    #[arg(long)]
    pub remove: bool,
}
