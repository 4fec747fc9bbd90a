//! `provider::model`.

use crate::error::EmbedError;

/// Providers whose models are run here, and those over HTTP.
const PROVIDERS: [&str; 12] = [
    "builtin",
    "local",
    "hf",
    "openai",
    "openai-compatible",
    "tei",
    "ollama",
    "gemini",
    "cohere",
    "voyage",
    "upstage",
    "together",
];
/// Providers that have no models for embedding.
const CHAT_ONLY: [&str; 6] = ["anthropic", "groq", "deepseek", "xai", "perplexity", "cerebras"];

/// A model's name, in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ModelName<'a> {
    pub provider: &'a str,
    /// Empty only for `builtin`.
    pub model: &'a str,
}

impl<'a> ModelName<'a> {
    /// Takes a name apart. What is not known is an error, never a default.
    pub fn parse(name: &'a str) -> Result<ModelName<'a>, EmbedError> {
        let (provider, model) = name.split_once("::").unwrap_or((name, ""));
        if let Some(provider) = CHAT_ONLY.iter().find(|p| **p == provider) {
            return Err(EmbedError::ChatOnly { name: name.to_owned(), provider, known: PROVIDERS.join(", ") });
        }
        let is_whole = match provider {
            "builtin" => name == "builtin" || model == "static-koen",
            _ => !model.trim().is_empty() && model.trim() == model,
        };
        match PROVIDERS.contains(&provider) && is_whole {
            true => Ok(ModelName { provider, model }),
            false => Err(ModelName::unknown(name)),
        }
    }

    /// The error of a name that is not known.
    pub fn unknown(name: &str) -> EmbedError {
        EmbedError::UnknownModel { name: name.to_owned(), known: PROVIDERS.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_never_guessed() {
        let parts = |name| ModelName::parse(name).map(|n| (n.provider, n.model));
        assert_eq!(parts("openai::text-embedding-3-small").unwrap(), ("openai", "text-embedding-3-small"));
        assert_eq!(parts("local::./a::b").unwrap(), ("local", "./a::b"));
        assert_eq!(parts("builtin").unwrap(), ("builtin", ""));
        assert_eq!(parts("builtin::static-koen").unwrap(), ("builtin", "static-koen"));
        for bad in [
            "",
            "::",
            "openai",
            "openai::",
            "openai:: x",
            "opena::x",
            "OpenAI::x",
            "text-embedding-3-small",
            "builtin::other",
            "builtin::",
        ] {
            assert!(matches!(parts(bad), Err(EmbedError::UnknownModel { .. })), "{bad}");
        }
        assert!(matches!(parts("anthropic::claude"), Err(EmbedError::ChatOnly { .. })));
    }
}
