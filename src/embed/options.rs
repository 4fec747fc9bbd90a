//! Any model by its name.

use std::path::Path;
#[cfg(feature = "hub")]
use std::path::PathBuf;

use super::name::ModelName;
use super::{Embedder, truncated};
use crate::error::EmbedError;

#[cfg(feature = "providers")]
use super::{Remote, RemoteOptions};

/// How a model is opened by [`open`]. What a model has no use for is refused, not passed over.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// The dimension: asked of a provider; of models that run here, the first so many values are kept (Matryoshka).
    /// `None`: the model's own.
    pub dimensions: Option<usize>,
    /// What is put before a query. `None`: what the model's files say, else nothing.
    pub query_prefix: Option<String>,
    /// What is put before a document. `None`: what the model's files say, else nothing.
    pub document_prefix: Option<String>,
    /// Whether a text that is too long is refused alone, not cut.
    pub refuse_long: bool,
    /// Whether transformers that run here do so in f32 throughout; see
    #[cfg_attr(feature = "local", doc = "[`LocalOptions`](super::LocalOptions::full_precision).")]
    #[cfg_attr(not(feature = "local"), doc = "the feature `local`.")]
    pub full_precision: bool,
    /// How models of the hub are fetched.
    #[cfg(feature = "hub")]
    pub hub: super::HubOptions,
    /// How providers are asked. Its own `dimensions`, prefixes and `refuse_long` are overruled by those here.
    #[cfg(feature = "providers")]
    pub remote: RemoteOptions,
}

/// Opens a model by its name.
///
/// | name | model |
/// |---|---|
/// | `builtin` | the model that is compiled in |
/// | `local::FOLDER` | a Model2Vec model or sentence transformer in a folder (feature `local`) |
/// | `hf::OWNER/NAME` | the same from the Hugging Face hub, fetched once (feature `hub`) |
/// | `openai::NAME`, `gemini::`, `cohere::`, `voyage::`, `upstage::`, `together::` | a provider's model (feature `providers`) |
/// | `ollama::NAME`, `tei::NAME`, `openai-compatible::NAME` | a server's model |
///
/// ```
/// # #[cfg(feature = "builtin")] {
/// use gyeol::embed::{Embedder, ModelOptions, open};
/// let model = open("builtin", &ModelOptions { dimensions: Some(128), ..ModelOptions::default() })?;
/// assert_eq!(model.identity().dim, 128);
/// assert!(open("text-embedding-3-small", &ModelOptions::default()).is_err());
/// # }
/// # Ok::<(), gyeol::Error>(())
/// ```
///
/// # Errors
/// [`EmbedError::UnknownModel`], [`EmbedError::ChatOnly`], [`EmbedError::NotBuilt`], and those of the model.
pub fn open(name: &str, options: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    let parsed = ModelName::parse(name)?;
    let model: Box<dyn Embedder> = match parsed.provider {
        "builtin" => builtin(name, options)?,
        "local" => local(name, Path::new(parsed.model), options)?,
        "hf" => hub(name, parsed.model, options)?,
        _ => return remote(name, options),
    };
    match options.dimensions {
        None => Ok(model),
        Some(dimensions) => truncated::first(model, dimensions),
    }
}

#[cfg(feature = "builtin")]
fn builtin(name: &str, options: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    let mut prefixes = options.query_prefix.iter().chain(&options.document_prefix);
    if prefixes.any(|prefix| !prefix.is_empty()) {
        let reason = "the built-in model takes no prefixes; leave them out".to_owned();
        return Err(EmbedError::Setting { model: name.to_owned(), reason });
    }
    Ok(Box::new(super::builtin()))
}

#[cfg(not(feature = "builtin"))]
fn builtin(name: &str, _: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    Err(EmbedError::NotBuilt { name: name.to_owned(), feature: "builtin" })
}

#[cfg(feature = "local")]
fn local_options(options: &ModelOptions) -> super::LocalOptions {
    super::LocalOptions {
        query_prefix: options.query_prefix.clone(),
        document_prefix: options.document_prefix.clone(),
        refuse_long: options.refuse_long,
        full_precision: options.full_precision,
    }
}

#[cfg(feature = "local")]
fn local(_: &str, folder: &Path, options: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    Ok(Box::new(super::Local::open(folder, &local_options(options))?))
}

#[cfg(not(feature = "local"))]
fn local(name: &str, _: &Path, _: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    Err(EmbedError::NotBuilt { name: name.to_owned(), feature: "local" })
}

#[cfg(feature = "hub")]
fn hub(name: &str, repository: &str, options: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    let folder: PathBuf = super::hub::fetch(repository, &options.hub)?;
    Ok(Box::new(super::Local::open_as(&folder, name.to_owned(), &local_options(options))?))
}

#[cfg(not(feature = "hub"))]
fn hub(name: &str, _: &str, _: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    Err(EmbedError::NotBuilt { name: name.to_owned(), feature: "hub" })
}

#[cfg(feature = "providers")]
impl ModelOptions {
    /// As [`Remote`] takes them.
    pub fn for_remote(&self) -> RemoteOptions {
        RemoteOptions {
            dimensions: self.dimensions,
            query_prefix: self.query_prefix.clone().unwrap_or_default(),
            document_prefix: self.document_prefix.clone().unwrap_or_default(),
            refuse_long: self.refuse_long,
            ..self.remote.clone()
        }
    }
}

#[cfg(feature = "providers")]
fn remote(name: &str, options: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    Ok(Box::new(Remote::new(name, options.for_remote())?.connect()?))
}

#[cfg(not(feature = "providers"))]
fn remote(name: &str, _: &ModelOptions) -> Result<Box<dyn Embedder>, EmbedError> {
    Err(EmbedError::NotBuilt { name: name.to_owned(), feature: "providers" })
}
