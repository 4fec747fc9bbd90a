//! Chat models: asked, streamed, cached, watched; choosing, chaining and calling tools.
//!
//! A model is meant by its name, `provider::model`; what is not known is an error and never a guess. An [`Llm`] keeps
//! its conversation, [`Llm::stateless`] gives a handle that does not. Asking, streaming, choosing, chains,
//! pipelines and agents have a blocking and an asynchronous form; the latter runs in any executor.
//!
//! ```no_run
//! use gyeol::llm::Llm;
//! let llm = Llm::new("openai::gpt-4o-mini")?;
//! println!("{}", llm.ask("결이 무슨 뜻이야?")?.text);
//! println!("{}", llm.ask("And in English?")?.text);
//! # Ok::<(), gyeol::Error>(())
//! ```
//!
//! | to | take |
//! |---|---|
//! | ask, ask many at once, stream | [`Llm::ask`], [`Llm::ask_many`], [`Llm::stream`] |
//! | cut a stream into sentences | [`AnswerStream::sentences`], [`Sentences`] |
//! | pay once | [`Llm::cached`], [`CacheKinds`] |
//! | have one of several answers | [`Llm::choose`], [`Router`] |
//! | go through steps | [`Chain`], [`Pipeline`] |
//! | let it call functions | [`Agent`], [`Tool`] |
//! | write and mend prompts | [`Llm::generate_prompt`], [`Llm::optimize_prompt`] |
//! | see what it takes | [`Monitor`] |

mod agent;
mod answer;
mod ask;
mod bare;
mod chain;
mod choose;
mod kept;
mod kinds;
mod message;
mod meta;
mod monitor;
mod options;
mod pipeline;
mod prices;
mod provider;
mod router;
mod sentences;
mod stop;
mod stream;
mod template;
mod tool;
mod wire;

use std::fmt;
use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use self::ask::Turn;
use self::provider::Provider;
use crate::cache::Cache;
use crate::error::LlmError;
use crate::http::{BaseUrl, Client, ClientOptions, Driven, Known, block_on};

pub(crate) use self::bare::bare;

pub use self::agent::{Agent, AgentRun, ToolUse};
pub use self::answer::{Answer, Finish, TokenUsage};
pub use self::chain::{Chain, ChainRun, StepRun};
pub use self::choose::Choice;
pub use self::kinds::{CacheKind, CacheKinds};
pub use self::message::{Message, ToolCall, ToolSpec};
pub use self::meta::Example;
pub use self::monitor::{ModelReport, Monitor, Report};
pub use self::options::LlmOptions;
pub use self::pipeline::Pipeline;
pub use self::prices::{ChatPrice, ChatPrices};
pub use self::provider::{ChatProvider, providers};
pub use self::router::{Processor, Routed, Router};
pub use self::sentences::Sentences;
pub use self::stream::{AnswerStream, AsyncAnswerStream, SentenceStream, StopHandle, StreamEvent, StreamOptions};
pub use self::template::Template;
pub use self::tool::Tool;
/// What tools derive the schema of their arguments with.
pub use schemars;

/// Answers of more bytes are not read on.
const LONGEST_ANSWER: usize = 32 << 20;

/// The model itself, which handles share.
struct Core {
    /// `provider::model`.
    name: String,
    provider: &'static Provider,
    model: String,
    base_url: BaseUrl,
    client: Client,
    /// Whether it takes the form of a reply, as far as is known.
    takes_shapes: AtomicBool,
    /// Whether it takes tools, as far as is known.
    takes_tools: AtomicBool,
    /// Whether its streams take the wish that tokens be counted, as far as is known.
    takes_counts: AtomicBool,
}

/// A handle of a chat model. Clones share the model and the conversation.
#[derive(Clone)]
#[must_use]
pub struct Llm {
    core: Arc<Core>,
    temperature: Option<f64>,
    max_tokens: Option<u32>,
    system: Option<Arc<str>>,
    /// `None` in handles that keep no conversation.
    history: Option<Arc<Mutex<Vec<Message>>>>,
    cache: Option<Arc<dyn Cache>>,
    monitor: Option<Monitor>,
}

impl fmt::Debug for Llm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Llm")
            .field("name", &self.core.name)
            .field("base_url", &self.core.base_url)
            .field("turns", &self.history().len())
            .finish_non_exhaustive()
    }
}

impl Llm {
    /// A model by its name, with all else as by default. Nothing is sent.
    ///
    /// | name | key, base URL |
    /// |---|---|
    /// | `openai::`, `anthropic::`, `gemini::`, `upstage::`, `together::`, `groq::`, `deepseek::`, `xai::`, `mistral::`, `openrouter::`, `perplexity::`, `cerebras::` | `OPENAI_API_KEY`, `OPENAI_BASE_URL` and their like |
    /// | `ollama::` | none, `http://127.0.0.1:11434` |
    /// | `openai-compatible::` | `OPENAI_COMPATIBLE_API_KEY`, the key of the provider whose URL it is, else `OPENAI_API_KEY`, or none; the URL must be given |
    ///
    /// # Errors
    /// As [`Llm::with`].
    pub fn new(name: &str) -> Result<Llm, LlmError> {
        Llm::with(name, LlmOptions::default())
    }

    /// A model by its name. Nothing is sent.
    ///
    /// # Errors
    /// [`LlmError::UnknownModel`], [`LlmError::EmbedOnly`]; [`LlmError::Setting`] for options out of range, a missing
    /// or refused base URL, and a missing key.
    pub fn with(name: &str, options: LlmOptions) -> Result<Llm, LlmError> {
        let (provider, model) = Provider::parse(name)?;
        let broken = |reason: String| LlmError::Setting { model: name.to_owned(), reason };
        options.check().map_err(&broken)?;
        let known = provider.known();
        let base_url = known.base_url(options.base_url.as_deref()).map_err(&broken)?;
        let actual = provider.at(&base_url);
        let variables = actual.known().key_variables_as(&known);
        let known = Known { key_variables: &variables, ..known };
        let key = known.key(options.key.as_ref(), actual.name, &base_url).map_err(&broken)?;
        let client = ClientOptions {
            base_url: base_url.clone(),
            key,
            key_header: provider.key_header(),
            headers: provider.wire.headers(),
            timeout: options.timeout,
            retry: options.retry,
            rate_limit: options.rate_limit,
            longest_answer: LONGEST_ANSWER,
        };
        let client = Client::new(client).map_err(|e| broken(e.to_string()))?;
        let core = Core {
            name: name.to_owned(),
            provider,
            model: model.to_owned(),
            base_url,
            client,
            takes_shapes: AtomicBool::new(options.native_shapes),
            takes_tools: AtomicBool::new(options.native_tools),
            takes_counts: AtomicBool::new(actual.takes_counts()),
        };
        Ok(Llm {
            core: Arc::new(core),
            temperature: options.temperature,
            max_tokens: options.max_tokens,
            system: options.system.map(Arc::from),
            history: Some(Arc::default()),
            cache: options.cache,
            monitor: None,
        })
    }

    /// `provider::model`.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Where requests go.
    pub fn base_url(&self) -> &BaseUrl {
        &self.core.base_url
    }

    /// A handle of the same model that keeps no conversation: every question stands alone.
    pub fn stateless(&self) -> Llm {
        Llm { history: None, ..self.clone() }
    }

    /// A handle of the same model with a conversation of its own, which begins here.
    pub fn conversation(&self) -> Llm {
        Llm { history: Some(Arc::default()), ..self.clone() }
    }

    /// A handle that looks for answers in a cache first, and keeps them there. The conversation is shared.
    pub fn cached(&self, cache: Arc<dyn Cache>) -> Llm {
        Llm { cache: Some(cache), ..self.clone() }
    }

    /// A handle that uses no cache.
    pub fn uncached(&self) -> Llm {
        Llm { cache: None, ..self.clone() }
    }

    /// A handle with another system prompt. The conversation is shared.
    pub fn with_system(&self, system: &str) -> Llm {
        Llm { system: Some(Arc::from(system)), ..self.clone() }
    }

    /// The conversation up to now, without the system prompt.
    pub fn history(&self) -> Vec<Message> {
        self.history.as_ref().map(|h| h.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }

    /// Puts a conversation in the place of the one up to now; handles that keep none stay without.
    pub fn set_history(&self, messages: Vec<Message>) {
        if let Some(history) = &self.history {
            *history.lock().unwrap_or_else(PoisonError::into_inner) = messages;
        }
    }

    /// What was said in a turn that went well. One without an answer is as if it had not been: providers refuse blank
    /// messages.
    pub(crate) fn remember(&self, prompt: &str, answer: &str) {
        if let Some(history) = self.history.as_ref().filter(|_| !answer.trim().is_empty()) {
            let turn = [Message::user(prompt), Message::assistant(answer)];
            history.lock().unwrap_or_else(PoisonError::into_inner).extend(turn);
        }
    }

    /// What the model is told first.
    #[cfg(feature = "collection")]
    pub(crate) fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// Asks, and waits for the whole answer. The conversation goes along; when the call fails it stays as it was.
    ///
    /// # Errors
    /// [`LlmError::Http`]; [`LlmError::Setting`] for a blank prompt.
    pub fn ask(&self, prompt: &str) -> Result<Answer, LlmError> {
        self.wait(self.say(prompt))?
    }

    /// [`Llm::ask`] as a future, for any executor. Dropping it closes its connection and leaves the conversation as it
    /// was.
    pub fn ask_async(&self, prompt: &str) -> impl Future<Output = Result<Answer, LlmError>> + Send + use<> {
        let (llm, prompt) = (self.clone(), prompt.to_owned());
        async move { llm.drive(llm.say(&prompt))?.await }
    }

    /// Asks many questions, so many at a time (0 is one). Each stands alone, with the conversation up to now before
    /// it; the conversation stays as it is. Answers are in the order of the prompts, and one that fails fails alone.
    pub fn ask_many<S: AsRef<str>>(&self, prompts: &[S], at_once: usize) -> Vec<Result<Answer, LlmError>> {
        let prompts: Vec<&str> = prompts.iter().map(AsRef::as_ref).collect();
        Pipeline::of(std::slice::from_ref(self), at_once).process_batch(&prompts)
    }

    /// [`Llm::ask_many`] as a future, for any executor.
    pub fn ask_many_async<S: AsRef<str>>(
        &self,
        prompts: &[S],
        at_once: usize,
    ) -> impl Future<Output = Vec<Result<Answer, LlmError>>> + Send + use<S> {
        let prompts: Vec<String> = prompts.iter().map(|prompt| prompt.as_ref().to_owned()).collect();
        let pipeline = Pipeline::of(std::slice::from_ref(self), at_once);
        async move { pipeline.process_batch_async(&prompts).await }
    }

    /// One turn of the conversation, to its end.
    async fn say(&self, prompt: &str) -> Result<Answer, LlmError> {
        let turn = Turn::of(self, prompt)?;
        let answer = ask::answer(self, &turn).await?;
        self.remember(prompt, &answer.text);
        Ok(answer)
    }

    /// The whole answer to messages as they are; the conversation of the handle plays no part and stays as it is.
    #[cfg(feature = "collection")]
    pub(crate) async fn ask_messages(&self, system: String, messages: Vec<Message>) -> Result<Answer, LlmError> {
        let turn = Turn { system: Some(system), messages, ..Turn::default() };
        ask::answer(self, &turn).await
    }

    /// Runs a future of this model to its end on this thread.
    fn wait<F: Future>(&self, future: F) -> Result<F::Output, LlmError> {
        block_on(future).map_err(|source| self.http(source))
    }

    fn drive<F: Future>(&self, future: F) -> Result<Driven<F>, LlmError> {
        Driven::new(future).map_err(|source| self.http(source))
    }

    fn http(&self, source: crate::error::HttpError) -> LlmError {
        LlmError::Http { model: self.core.name.clone(), source }
    }

    pub(crate) fn setting(&self, reason: impl Into<String>) -> LlmError {
        LlmError::Setting { model: self.core.name.clone(), reason: reason.into() }
    }
}
