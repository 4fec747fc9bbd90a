//! Models of providers and of servers, over HTTP.

mod kept;
mod plan;
mod provider;
mod run;
#[cfg(test)]
mod tests;
mod values;
mod wire;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use self::provider::{Caps, PROVIDERS, Provider};
use super::name::ModelName;
use super::{EmbedProgress, Embedder, Embeddings, ModelIdentity, Role, Usage, known};
use crate::cache::Cache;
use crate::error::{EmbedError, HttpError};
use crate::http::{BaseUrl, Client, ClientOptions, Driven, Key, Known, RateLimit, Retry, block_on};

pub use crate::http::estimated_tokens;

/// Answers of more bytes are not read on: 2,048 vectors of 4,096 values take some 200 MB as text.
const LONGEST_ANSWER: usize = 512 << 20;

/// What goes into one request, at most. `None` is what the provider states; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Texts of a request.
    pub inputs: Option<usize>,
    /// Tokens of a request, by our estimate.
    pub tokens: Option<usize>,
    /// Bytes of a request.
    pub bytes: Option<usize>,
    /// Tokens of one text, by our estimate. It is never low for Korean, so a Korean text may be taken for longer than
    /// it is.
    pub text_tokens: Option<usize>,
}

/// How a [`Remote`] model is asked.
#[derive(Clone)]
pub struct RemoteOptions {
    /// Where the API is. `None`: what the environment says (`OPENAI_BASE_URL` and its like), else the provider's own.
    pub base_url: Option<String>,
    /// The key. `None`: it is looked for, see [`Key::find`].
    pub key: Option<Key>,
    /// The number of values in a vector, where it is known from before: nothing is sent to learn it, and another one is
    /// an error.
    pub dim: Option<usize>,
    /// The dimension to ask the provider for. `None`: the model's own.
    pub dimensions: Option<usize>,
    /// Values of each vector that are kept, for models whose first values say most (Matryoshka); vectors are scaled to
    /// length 1 again. `None`: all.
    pub truncate: Option<usize>,
    /// What is put before a query; nothing by default.
    pub query_prefix: String,
    /// What is put before a document; nothing by default.
    pub document_prefix: String,
    /// What goes into one request.
    pub limits: Limits,
    /// Whether a text that is too long is refused alone ([`Answer::Refused`](super::Answer::Refused)); else it is cut
    /// at its end.
    pub refuse_long: bool,
    /// Requests under way at once. Default 4.
    pub concurrency: usize,
    /// What one attempt has to be answered in. Default 120 s.
    pub timeout: Duration,
    /// When a request is sent again.
    pub retry: Retry,
    /// What may be sent in a minute. No limit by default.
    pub rate_limit: RateLimit,
    /// Where vectors are kept. None by default.
    pub cache: Option<Arc<dyn Cache>>,
}

impl RemoteOptions {
    /// Options for the model that made the vectors of a collection: the dimension, what was asked of the model, and
    /// the prefixes are taken from its identity.
    #[must_use]
    pub fn like(self, identity: &ModelIdentity) -> Self {
        let asked = |name: &str| {
            let parts = identity.hash.split(' ').filter_map(|part| part.split_once('='));
            parts.filter(|(n, _)| *n == name).find_map(|(_, value)| value.parse().ok())
        };
        RemoteOptions {
            dim: Some(identity.dim),
            dimensions: asked("dimensions"),
            truncate: asked("truncate"),
            query_prefix: identity.query_prefix.clone(),
            document_prefix: identity.document_prefix.clone(),
            ..self
        }
    }
}

impl Default for RemoteOptions {
    fn default() -> Self {
        RemoteOptions {
            base_url: None,
            key: None,
            dim: None,
            dimensions: None,
            truncate: None,
            query_prefix: String::new(),
            document_prefix: String::new(),
            limits: Limits::default(),
            refuse_long: false,
            concurrency: 4,
            timeout: Duration::from_secs(120),
            retry: Retry::default(),
            rate_limit: RateLimit::default(),
            cache: None,
        }
    }
}

impl fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteOptions")
            .field("key", &self.key)
            .field("dimensions", &self.dimensions)
            .finish_non_exhaustive()
    }
}

/// What a call came to: the answers that there are, and the error that ended it early, if one did.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// Texts whose turn did not come are [`Answer::Unanswered`](super::Answer::Unanswered).
    pub embeddings: Embeddings,
    /// What ended the call early.
    pub failure: Option<EmbedError>,
}

impl From<Embeddings> for Outcome {
    fn from(embeddings: Embeddings) -> Self {
        Outcome { embeddings, failure: None }
    }
}

impl Outcome {
    /// The answers, when all texts have theirs.
    ///
    /// # Errors
    /// What ended the call early.
    pub fn whole(self) -> Result<Embeddings, EmbedError> {
        match self.failure {
            None => Ok(self.embeddings),
            Some(error) => Err(error),
        }
    }
}

/// Told how far a call is.
pub type OnProgress<'a> = &'a mut (dyn FnMut(&EmbedProgress) + Send);

/// A model behind HTTP. Its dimension need not be known before it answers; [`Remote::connect`] makes an
/// [`Embedder`] of it, whose is.
///
/// A call splits its texts by what the provider takes in one request, sends a few requests at a time, and puts the
/// answers in the order of the texts. Blank texts are not sent; a text that stands twice is sent once; what the cache has
/// is not sent. A request that is too large is halved; where the provider refuses something, halving goes on until the
/// one bad text is found, which alone is refused. What is answered stays answered when the call fails later.
///
/// ```no_run
/// use gyeol::embed::{Remote, RemoteOptions, Role};
/// let options = RemoteOptions { base_url: Some("http://localhost:8080/v1".into()), ..Default::default() };
/// let model = Remote::new("openai-compatible::bge-m3", options)?;
/// let answer = model.embed(&["고양이가 잔다", "a cat sleeps"], Role::Document)?.whole()?;
/// println!("{} values, {} tokens", answer.vectors.dim(), answer.usage.tokens);
/// # Ok::<(), gyeol::Error>(())
/// ```
pub struct Remote {
    name: String,
    provider: &'static Provider,
    model: String,
    base_url: BaseUrl,
    client: Client,
    caps: Caps,
    options: RemoteOptions,
    /// The dimension of the vectors as they are sent.
    sent_dim: OnceLock<usize>,
    usage: Mutex<Usage>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("name", &self.name).field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Remote {
    /// A model by its name, `provider::model`. Nothing is sent.
    ///
    /// # Errors
    /// [`EmbedError::UnknownModel`] and [`EmbedError::ChatOnly`]; [`EmbedError::Setting`] for options out of range, a
    /// missing or refused base URL, and a missing key.
    pub fn new(name: &str, options: RemoteOptions) -> Result<Remote, EmbedError> {
        let parsed = ModelName::parse(name)?;
        let Some(provider) = Provider::named(parsed.provider) else {
            return Err(ModelName::unknown(name));
        };
        let broken = |reason: String| EmbedError::Setting { model: name.to_owned(), reason };
        let known = provider.known();
        let base_url = known.base_url(options.base_url.as_deref()).map_err(&broken)?;
        let actual = provider.at(&base_url);
        check(&options).map_err(&broken)?;
        let variables = actual.known().key_variables_as(&known);
        let known = Known { key_variables: &variables, ..known };
        let key = known.key(options.key.as_ref(), actual.name, &base_url).map_err(&broken)?;
        let client = ClientOptions {
            base_url: base_url.clone(),
            key,
            key_header: actual.key_header,
            headers: &[],
            timeout: options.timeout,
            retry: options.retry,
            rate_limit: options.rate_limit,
            longest_answer: LONGEST_ANSWER,
        };
        let client = Client::new(client).map_err(|e| broken(e.to_string()))?;
        let caps = merged(actual.caps_of(parsed.model), &options);
        let sent_dim = OnceLock::new();
        if let Some(dim) = options.dimensions.or(options.dim.filter(|_| options.truncate.is_none())) {
            let _ = sent_dim.set(dim);
        }
        Ok(Remote {
            name: name.to_owned(),
            provider: actual,
            model: parsed.model.to_owned(),
            base_url,
            client,
            caps,
            options,
            sent_dim,
            usage: Mutex::default(),
        })
    }

    /// `provider::model`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where requests go.
    pub fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// The number of values in a vector, once it is known: as asked for, as the model is known, or as it answered.
    pub fn dim(&self) -> Option<usize> {
        let sent = self.sent_dim.get().copied();
        self.options.truncate.or(sent).or_else(|| known::find(&self.name).map(|model| model.dim))
    }

    /// Texts of a call that keeps all connections busy: a few requests for each.
    pub fn texts_at_once(&self) -> usize {
        let inputs = if self.caps.inputs == 0 { 256 } else { self.caps.inputs };
        (2 * inputs * self.options.concurrency).clamp(64, 16_384)
    }

    /// What all calls up to now took together.
    pub fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vectors of texts.
    ///
    /// # Errors
    /// [`EmbedError::Setting`] when the network cannot be used at all. What goes wrong with the server is in the
    /// [`Outcome`], beside what went well.
    pub fn embed(&self, texts: &[&str], role: Role) -> Result<Outcome, EmbedError> {
        self.embed_with(texts, role, &mut |_| {})
    }

    /// [`Remote::embed`], with a function that is told how far it is.
    ///
    /// # Errors
    /// As [`Remote::embed`].
    pub fn embed_with(&self, texts: &[&str], role: Role, on_progress: OnProgress<'_>) -> Result<Outcome, EmbedError> {
        block_on(run::run(self, texts, role, on_progress)).map_err(|e| self.no_network(&e))?
    }

    /// [`Remote::embed`] as a future, for any executor. Dropping it closes its connections; what was answered by then
    /// is in the cache, if there is one.
    ///
    /// # Errors
    /// As [`Remote::embed`].
    pub fn embed_async<'a>(
        &'a self,
        texts: &'a [&'a str],
        role: Role,
    ) -> Result<impl Future<Output = Result<Outcome, EmbedError>> + Send + use<'a>, EmbedError> {
        Driven::new(async move { run::run(self, texts, role, &mut |_| {}).await }).map_err(|e| self.no_network(&e))
    }

    fn no_network(&self, error: &HttpError) -> EmbedError {
        EmbedError::Setting { model: self.name.clone(), reason: error.to_string() }
    }

    /// An embedder of this model. Where its dimension is not known yet, one short text is embedded to learn it.
    ///
    /// # Errors
    /// Those of that call.
    pub fn connect(self) -> Result<RemoteEmbedder, EmbedError> {
        let dim = match self.dim() {
            Some(dim) => dim,
            None => self.embed(&["dimension"], Role::Document)?.whole()?.vectors.dim(),
        };
        let (query_prefix, document_prefix) = (self.options.query_prefix.clone(), self.options.document_prefix.clone());
        let identity =
            ModelIdentity { name: self.name.clone(), hash: self.asked(), dim, query_prefix, document_prefix };
        Ok(RemoteEmbedder { remote: self, identity })
    }

    /// What was asked of the model beside its name: part of its identity, since it makes other vectors.
    fn asked(&self) -> String {
        let part = |name: &str, value: Option<usize>| value.map(|value| format!("{name}={value}"));
        let parts = [part("dimensions", self.options.dimensions), part("truncate", self.options.truncate)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The providers whose models embed: name, base URL, the variable that its key is looked for in, and texts of a
    /// request.
    pub fn providers() -> Vec<ProviderInfo> {
        let info = |p: &Provider| ProviderInfo {
            name: p.name,
            base_url: p.base_url,
            key_variables: p.key_variables,
            base_url_variables: p.base_url_variables,
            needs_key: p.needs_key,
            inputs: p.caps.inputs,
            tokens: p.caps.tokens,
            bytes: p.caps.bytes,
            text_tokens: p.caps.text_tokens,
        };
        PROVIDERS.iter().map(info).collect()
    }
}

/// What is known of a provider. Limits are of one request; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProviderInfo {
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
    /// Texts.
    pub inputs: usize,
    /// Tokens.
    pub tokens: usize,
    /// Bytes.
    pub bytes: usize,
    /// Tokens of one text.
    pub text_tokens: usize,
}

fn check(options: &RemoteOptions) -> Result<(), String> {
    let positive = [
        ("dimensions", options.dimensions),
        ("truncate", options.truncate),
        ("concurrency", Some(options.concurrency)),
    ];
    if let Some((name, _)) = positive.iter().find(|(_, value)| *value == Some(0)) {
        return Err(format!("{name} is 0; it must be 1 or more"));
    }
    if options.timeout.is_zero() {
        return Err("timeout is 0; it must be more".to_owned());
    }
    match (options.truncate, options.dimensions) {
        (Some(kept), Some(asked)) if kept > asked => {
            Err(format!("truncate is {kept}, and {asked} dimensions are asked for"))
        }
        _ => Ok(()),
    }
}

fn merged(caps: Caps, options: &RemoteOptions) -> Caps {
    let limits = &options.limits;
    let tokens = limits.tokens.unwrap_or(caps.tokens);
    let minute = options.rate_limit.tokens_per_minute.map_or(0, |n| n as usize);
    Caps {
        inputs: limits.inputs.unwrap_or(caps.inputs),
        tokens: if minute > 0 && (tokens == 0 || minute < tokens) { minute } else { tokens },
        bytes: limits.bytes.unwrap_or(caps.bytes),
        text_tokens: limits.text_tokens.unwrap_or(caps.text_tokens),
    }
}

/// A [`Remote`] model whose dimension is known: an [`Embedder`] for collections.
#[derive(Debug)]
pub struct RemoteEmbedder {
    remote: Remote,
    identity: ModelIdentity,
}

impl RemoteEmbedder {
    /// The model.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }
}

impl Embedder for RemoteEmbedder {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn embed_many(&self, texts: &[&str], role: Role) -> Result<Embeddings, EmbedError> {
        let mut answer = self.remote.embed(texts, role)?.whole()?;
        if answer.vectors.dim() != self.identity.dim && answer.missing() == texts.len() {
            // Nothing had a vector, so nothing told the dimension.
            answer.vectors = crate::vectors::Vectors::zeros(texts.len(), self.identity.dim)
                .map_err(|e| EmbedError::Run { model: self.identity.name.clone(), reason: e.to_string() })?;
        }
        Ok(answer)
    }

    fn count_tokens(&self, text: &str) -> usize {
        estimated_tokens(text)
    }

    fn texts_at_once(&self) -> usize {
        self.remote.texts_at_once()
    }
}
