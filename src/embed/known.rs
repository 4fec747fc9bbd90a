//! Models of providers of which the dimension is known without asking, and what they cost.
//!
//! `data/prices.toml` is compiled in; a file of the user's own goes before it.

/// A model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownModel {
    /// `provider::model`.
    pub name: &'static str,
    /// The number of values in a vector.
    pub dim: usize,
    /// Tokens that one text may have.
    pub text_tokens: usize,
}

const fn model(name: &'static str, dim: usize, text_tokens: usize) -> KnownModel {
    KnownModel { name, dim, text_tokens }
}

/// As the providers' documentation has them, 2026.
static MODELS: [KnownModel; 20] = [
    model("openai::text-embedding-3-small", 1536, 8192),
    model("openai::text-embedding-3-large", 3072, 8192),
    model("openai::text-embedding-ada-002", 1536, 8192),
    model("gemini::gemini-embedding-001", 3072, 2048),
    model("cohere::embed-v4.0", 1536, 128_000),
    model("cohere::embed-multilingual-v3.0", 1024, 512),
    model("cohere::embed-multilingual-light-v3.0", 384, 512),
    model("cohere::embed-english-v3.0", 1024, 512),
    model("voyage::voyage-3.5", 1024, 32_000),
    model("voyage::voyage-3.5-lite", 1024, 32_000),
    model("voyage::voyage-3-large", 1024, 32_000),
    model("voyage::voyage-code-3", 1024, 32_000),
    model("upstage::embedding", 4096, 4000),
    model("upstage::solar-embedding-1-large", 4096, 4000),
    model("together::intfloat/multilingual-e5-large-instruct", 1024, 514),
    model("ollama::bge-m3", 1024, 8192),
    model("ollama::nomic-embed-text", 768, 2048),
    model("ollama::mxbai-embed-large", 1024, 512),
    model("ollama::embeddinggemma", 768, 2048),
    model("ollama::qwen3-embedding:0.6b", 1024, 32_768),
];

/// All of them.
pub fn models() -> &'static [KnownModel] {
    &MODELS
}

/// The model of this name.
pub(super) fn find(name: &str) -> Option<&'static KnownModel> {
    MODELS.iter().find(|model| model.name == name)
}
