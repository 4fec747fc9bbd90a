//! The providers of chat models: where they are, how they speak.

use crate::error::LlmError;
use crate::http::{BaseUrl, Known};

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// `POST chat/completions`, as OpenAI has it.
    OpenAi,
    /// `POST messages`.
    Anthropic,
    /// `POST models/NAME:generateContent`.
    Gemini,
    /// `POST api/chat`.
    Ollama,
}

/// A provider of chat models.
#[derive(Debug)]
pub(super) struct Provider {
    pub name: &'static str,
    pub wire: Wire,
    /// `None`: it must be given.
    base_url: Option<&'static str>,
    base_url_variables: &'static [&'static str],
    pub key_variables: &'static [&'static str],
    needs_key: bool,
    /// The host of its API, by which it is known behind `openai-compatible` too.
    host: &'static str,
}

const fn openai_like(
    name: &'static str,
    base_url: &'static str,
    host: &'static str,
    base_url_variables: &'static [&'static str],
    key_variables: &'static [&'static str],
) -> Provider {
    Provider {
        name,
        wire: Wire::OpenAi,
        base_url: Some(base_url),
        base_url_variables,
        key_variables,
        needs_key: true,
        host,
    }
}

/// Providers that have no chat models, or whose chat is not spoken here.
const EMBED_ONLY: [&str; 6] = ["builtin", "local", "hf", "tei", "voyage", "cohere"];

static PROVIDERS: [Provider; 14] = [
    openai_like("openai", "https://api.openai.com/v1", "api.openai.com", &["OPENAI_BASE_URL"], &["OPENAI_API_KEY"]),
    Provider {
        name: "openai-compatible",
        wire: Wire::OpenAi,
        base_url: None,
        base_url_variables: &["OPENAI_COMPATIBLE_BASE_URL"],
        key_variables: &["OPENAI_COMPATIBLE_API_KEY", "OPENAI_API_KEY"],
        needs_key: false,
        host: "",
    },
    Provider {
        name: "anthropic",
        wire: Wire::Anthropic,
        base_url: Some("https://api.anthropic.com/v1"),
        base_url_variables: &["ANTHROPIC_BASE_URL"],
        key_variables: &["ANTHROPIC_API_KEY"],
        needs_key: true,
        host: "api.anthropic.com",
    },
    Provider {
        name: "gemini",
        wire: Wire::Gemini,
        base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
        base_url_variables: &["GEMINI_BASE_URL"],
        key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        needs_key: true,
        host: "generativelanguage.googleapis.com",
    },
    Provider {
        name: "ollama",
        wire: Wire::Ollama,
        base_url: Some("http://127.0.0.1:11434"),
        base_url_variables: &["OLLAMA_BASE_URL"],
        key_variables: &["OLLAMA_API_KEY"],
        needs_key: false,
        host: "",
    },
    openai_like("upstage", "https://api.upstage.ai/v1", "api.upstage.ai", &["UPSTAGE_BASE_URL"], &["UPSTAGE_API_KEY"]),
    openai_like(
        "together",
        "https://api.together.xyz/v1",
        "api.together.xyz",
        &["TOGETHER_BASE_URL"],
        &["TOGETHER_API_KEY"],
    ),
    openai_like("groq", "https://api.groq.com/openai/v1", "api.groq.com", &["GROQ_BASE_URL"], &["GROQ_API_KEY"]),
    openai_like(
        "deepseek",
        "https://api.deepseek.com/v1",
        "api.deepseek.com",
        &["DEEPSEEK_BASE_URL"],
        &["DEEPSEEK_API_KEY"],
    ),
    openai_like("xai", "https://api.x.ai/v1", "api.x.ai", &["XAI_BASE_URL"], &["XAI_API_KEY"]),
    openai_like("mistral", "https://api.mistral.ai/v1", "api.mistral.ai", &["MISTRAL_BASE_URL"], &["MISTRAL_API_KEY"]),
    openai_like(
        "openrouter",
        "https://openrouter.ai/api/v1",
        "openrouter.ai",
        &["OPENROUTER_BASE_URL"],
        &["OPENROUTER_API_KEY"],
    ),
    openai_like(
        "perplexity",
        "https://api.perplexity.ai",
        "api.perplexity.ai",
        &["PERPLEXITY_BASE_URL"],
        &["PERPLEXITY_API_KEY"],
    ),
    openai_like(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "api.cerebras.ai",
        &["CEREBRAS_BASE_URL"],
        &["CEREBRAS_API_KEY"],
    ),
];

/// The names of all, for messages.
fn names() -> String {
    PROVIDERS.iter().map(|provider| provider.name).collect::<Vec<_>>().join(", ")
}

impl Provider {
    /// The provider and the model that a name means. What is not known is an error, never a default.
    pub fn parse(name: &str) -> Result<(&'static Provider, &str), LlmError> {
        let (provider, model) = name.split_once("::").unwrap_or((name, ""));
        if let Some(provider) = EMBED_ONLY.iter().find(|p| **p == provider) {
            return Err(LlmError::EmbedOnly { name: name.to_owned(), provider, known: names() });
        }
        let found = PROVIDERS.iter().find(|p| p.name == provider);
        match found.filter(|_| !model.trim().is_empty() && model.trim() == model) {
            Some(provider) => Ok((provider, model)),
            None => Err(LlmError::UnknownModel { name: name.to_owned(), known: names() }),
        }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static Provider> {
        PROVIDERS.iter()
    }

    /// What is known of it before anything is given.
    pub fn known(&'static self) -> Known<'static> {
        Known {
            name: self.name,
            base_url: self.base_url,
            base_url_variables: self.base_url_variables,
            key_variables: self.key_variables,
            needs_key: self.needs_key,
        }
    }

    /// The provider whose API this is, when another one's protocol was named with its URL.
    pub fn at(&'static self, url: &BaseUrl) -> &'static Provider {
        let found = PROVIDERS.iter().find(|p| !p.host.is_empty() && p.host == url.domain());
        if self.name == "openai-compatible" { found.unwrap_or(self) } else { self }
    }

    /// Whether its streams take the wish that tokens be counted; Mistral counts them without, and refuses it.
    pub fn takes_counts(&self) -> bool {
        self.name != "mistral"
    }

    /// The key's header, where it is not `Authorization`.
    pub fn key_header(&self) -> Option<&'static str> {
        match self.wire {
            Wire::Anthropic => Some("x-api-key"),
            Wire::Gemini => Some("x-goog-api-key"),
            Wire::OpenAi | Wire::Ollama => None,
        }
    }
}

/// What is known of a provider of chat models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChatProvider {
    /// What stands before `::`.
    pub name: &'static str,
    /// Where its API is; `None`: it must be given.
    pub base_url: Option<&'static str>,
    /// Variables of the environment that its key is looked for in.
    pub key_variables: &'static [&'static str],
    /// Variables of the environment that its base URL is looked for in.
    pub base_url_variables: &'static [&'static str],
    /// Whether it answers no one without a key.
    pub needs_key: bool,
}

/// The providers whose models chat.
pub fn providers() -> Vec<ChatProvider> {
    let info = |p: &Provider| ChatProvider {
        name: p.name,
        base_url: p.base_url,
        key_variables: p.key_variables,
        base_url_variables: p.base_url_variables,
        needs_key: p.needs_key,
    };
    Provider::all().map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_and_never_guessed() {
        let parts = |name| Provider::parse(name).map(|(provider, model)| (provider.name, model));
        assert_eq!(parts("openai::gpt-4o-mini").unwrap(), ("openai", "gpt-4o-mini"));
        // Part of a name, not a setting.
        assert_eq!(parts("openai-compatible::qwen3-max").unwrap(), ("openai-compatible", "qwen3-max"));
        assert_eq!(parts("ollama::a/b:7b").unwrap(), ("ollama", "a/b:7b"));
        for bad in ["", "::", "openai", "openai::", "openai:: x", "gpt-4o-mini", "OpenAI::x", "llama3"] {
            assert!(matches!(parts(bad), Err(LlmError::UnknownModel { .. })), "{bad}");
        }
        assert!(matches!(parts("voyage::voyage-3"), Err(LlmError::EmbedOnly { .. })));
        assert!(PROVIDERS.iter().all(|p| p.base_url.is_none_or(|url| BaseUrl::new(url).is_ok())));
    }

    #[test]
    fn a_provider_is_known_by_its_host() {
        let (compatible, _) = Provider::parse("openai-compatible::solar-pro2").unwrap();
        assert_eq!(compatible.at(&BaseUrl::new("https://api.upstage.ai/v1").unwrap()).name, "upstage");
        assert_eq!(compatible.at(&BaseUrl::new("http://localhost:1").unwrap()).name, "openai-compatible");
        let keys = |url: &str| compatible.at(&BaseUrl::new(url).unwrap()).known().key_variables_as(&compatible.known());
        assert_eq!(keys("https://api.upstage.ai/v1"), ["UPSTAGE_API_KEY", "OPENAI_COMPATIBLE_API_KEY"]);
        assert_eq!(keys("https://api.openai.com/v1"), ["OPENAI_API_KEY", "OPENAI_COMPATIBLE_API_KEY"]);
        assert!(keys("https://example.org/v1").contains(&"OPENAI_API_KEY"));
    }
}
