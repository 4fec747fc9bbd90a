//! The providers that are known: where they are, what they take, how they speak.

use crate::embed::Role;
use crate::http::{BaseUrl, Known};

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// `POST embeddings`, as OpenAI has it.
    OpenAi,
    /// The same, with Voyage's names for dimension and role.
    Voyage,
    /// `POST models/NAME:batchEmbedContents`.
    Gemini,
    /// `POST v2/embed`.
    Cohere,
    /// `POST api/embed`.
    Ollama,
}

/// What a provider takes in one request; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Caps {
    pub inputs: usize,
    pub tokens: usize,
    pub bytes: usize,
    /// Tokens of one text.
    pub text_tokens: usize,
}

/// A provider of models.
#[derive(Debug, PartialEq)]
pub(super) struct Provider {
    pub name: &'static str,
    pub wire: Wire,
    /// `None`: it must be given.
    pub base_url: Option<&'static str>,
    pub base_url_variables: &'static [&'static str],
    pub key_variables: &'static [&'static str],
    pub needs_key: bool,
    /// The host of its API, by which it is known behind `openai-compatible` too.
    pub host: &'static str,
    pub caps: Caps,
    /// The key's header, where it is not `Authorization`.
    pub key_header: Option<&'static str>,
}

const fn caps(inputs: usize, tokens: usize, bytes: usize, text_tokens: usize) -> Caps {
    Caps { inputs, tokens, bytes, text_tokens }
}

/// What a server is taken to allow of which nothing is known: the defaults of text-embeddings-inference.
const UNKNOWN: Caps = caps(32, 0, 2_000_000, 0);
const MIB: usize = 1 << 20;

/// Limits as the providers state them, as of 2026.
pub(super) static PROVIDERS: [Provider; 9] = [
    Provider {
        name: "openai",
        wire: Wire::OpenAi,
        base_url: Some("https://api.openai.com/v1"),
        base_url_variables: &["OPENAI_BASE_URL"],
        key_variables: &["OPENAI_API_KEY"],
        needs_key: true,
        host: "api.openai.com",
        caps: caps(2048, 300_000, 0, 8192),
        key_header: None,
    },
    Provider {
        name: "openai-compatible",
        wire: Wire::OpenAi,
        base_url: None,
        base_url_variables: &["OPENAI_COMPATIBLE_BASE_URL"],
        key_variables: &["OPENAI_COMPATIBLE_API_KEY", "OPENAI_API_KEY"],
        needs_key: false,
        host: "",
        caps: UNKNOWN,
        key_header: None,
    },
    Provider {
        name: "tei",
        wire: Wire::OpenAi,
        base_url: None,
        base_url_variables: &["TEI_BASE_URL"],
        key_variables: &["TEI_API_KEY"],
        needs_key: false,
        host: "",
        caps: UNKNOWN,
        key_header: None,
    },
    Provider {
        name: "ollama",
        wire: Wire::Ollama,
        base_url: Some("http://127.0.0.1:11434"),
        base_url_variables: &["OLLAMA_BASE_URL"],
        key_variables: &["OLLAMA_API_KEY"],
        needs_key: false,
        host: "",
        caps: UNKNOWN,
        key_header: None,
    },
    Provider {
        name: "gemini",
        wire: Wire::Gemini,
        base_url: Some("https://generativelanguage.googleapis.com/v1beta"),
        base_url_variables: &["GEMINI_BASE_URL"],
        key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        needs_key: true,
        host: "generativelanguage.googleapis.com",
        caps: caps(100, 0, 0, 2048),
        key_header: Some("x-goog-api-key"),
    },
    Provider {
        name: "cohere",
        wire: Wire::Cohere,
        base_url: Some("https://api.cohere.com"),
        base_url_variables: &["COHERE_BASE_URL"],
        key_variables: &["COHERE_API_KEY", "CO_API_KEY"],
        needs_key: true,
        host: "api.cohere.com",
        caps: caps(96, 0, 0, 0),
        key_header: None,
    },
    Provider {
        name: "voyage",
        wire: Wire::Voyage,
        base_url: Some("https://api.voyageai.com/v1"),
        base_url_variables: &["VOYAGE_BASE_URL"],
        key_variables: &["VOYAGE_API_KEY"],
        needs_key: true,
        host: "api.voyageai.com",
        caps: caps(1000, 120_000, 0, 32_000),
        key_header: None,
    },
    Provider {
        name: "upstage",
        wire: Wire::OpenAi,
        base_url: Some("https://api.upstage.ai/v1"),
        base_url_variables: &["UPSTAGE_BASE_URL"],
        key_variables: &["UPSTAGE_API_KEY"],
        needs_key: true,
        host: "api.upstage.ai",
        caps: caps(100, 204_800, 0, 4000),
        key_header: None,
    },
    Provider {
        name: "together",
        wire: Wire::OpenAi,
        base_url: Some("https://api.together.xyz/v1"),
        base_url_variables: &["TOGETHER_BASE_URL"],
        key_variables: &["TOGETHER_API_KEY"],
        needs_key: true,
        host: "api.together.xyz",
        caps: caps(128, 0, 4 * MIB, 0),
        key_header: None,
    },
];

impl Provider {
    /// The provider of this name.
    pub fn named(name: &str) -> Option<&'static Provider> {
        PROVIDERS.iter().find(|provider| provider.name == name)
    }

    /// The provider whose API this is, when another one's protocol was named with its URL.
    pub fn at(&'static self, url: &BaseUrl) -> &'static Provider {
        let found = PROVIDERS
            .iter()
            .find(|p| !p.host.is_empty() && p.host == url.domain() && p.wire != Wire::Gemini && p.wire != Wire::Cohere);
        if self.name == "openai-compatible" { found.unwrap_or(self) } else { self }
    }

    /// What is known of it before anything is given.
    pub fn known(&self) -> Known<'static> {
        Known {
            name: self.name,
            base_url: self.base_url,
            base_url_variables: self.base_url_variables,
            key_variables: self.key_variables,
            needs_key: self.needs_key,
        }
    }

    /// Limits for a model.
    pub fn caps_of(&self, model: &str) -> Caps {
        let tokens = match (self.wire, model) {
            (Wire::Voyage, model) if model.contains("-lite") => 1_000_000,
            (Wire::Voyage, "voyage-3.5" | "voyage-2" | "voyage-3") => 320_000,
            _ => self.caps.tokens,
        };
        Caps { tokens, ..self.caps }
    }

    /// The model to ask for a role: Upstage has one for each.
    pub fn model_for(&self, model: &str, role: Role) -> String {
        if self.name != "upstage" {
            return model.to_owned();
        }
        let base = model.strip_suffix("-query").or_else(|| model.strip_suffix("-passage")).unwrap_or(model);
        match role {
            Role::Query => format!("{base}-query"),
            Role::Document => format!("{base}-passage"),
        }
    }
}
