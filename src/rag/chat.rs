//! A conversation over a collection.

mod stop;
mod stream;

use crate::collection::{Collection, Filter, Fusion, Mode};
use crate::error::{LlmError, Result};
use crate::http::{cut_to_tokens, estimated_tokens};
use crate::llm::{Llm, Message, Template, TokenUsage, bare};

use super::source::merged;
use super::{CitedSource, fit, prompt};

pub use self::stop::ChatStop;
pub use self::stream::{ChatAnswer, ChatEvent, ChatStream};

/// Hits that are looked at for each source: some are merged.
const HITS: usize = 2;
const K: usize = 8;
const BUDGET: usize = 8_000;
const ANSWER: usize = 1_000;
/// Turns that a follow-up is understood by.
const TURNS: usize = 6;
/// Tokens of each of them.
const REMEMBERED: usize = 400;
/// Tokens of a rewritten question beside twice those of what was asked.
const LONGEST_REWRITTEN: usize = 200;

/// What is done with a question to which nothing is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoneFound {
    /// The answer says so, in the language of the question, and no model is asked.
    #[default]
    Tell,
    /// The answer is this, and no model is asked.
    Say(String),
    /// The model is asked all the same, and told that nothing was found.
    Ask,
    /// [`LlmError::NothingFound`](LlmError::NothingFound).
    Fail,
}

/// A conversation over a collection, made by [`Collection::chat`]. Each question is answered from what is found for it.
pub struct Chat<'a> {
    collection: &'a Collection,
    /// Its conversation is questions and answers as they were, without sources.
    llm: Llm,
    k: usize,
    mode: Mode,
    fusion: Fusion,
    filter: Option<Filter>,
    min_score: Option<f32>,
    budget: usize,
    answer_room: usize,
    rewrites: bool,
    none_found: NoneFound,
    template: Option<Template>,
    system: Option<String>,
    stop: ChatStop,
}

/// What is known before the model answers.
struct Prepared {
    question: String,
    rewritten: Option<String>,
    sources: Vec<CitedSource>,
    /// What is asked; `None` where the answer is known already.
    asked: Option<(String, Vec<Message>)>,
    /// That answer.
    told: String,
    /// What the rewriting took.
    usage: TokenUsage,
}

impl Collection {
    /// Starts a conversation over this collection. It is the chat's own: that of the handle is neither sent nor
    /// changed. The handle's system prompt follows that of the chat.
    pub fn chat(&self, llm: &Llm) -> Chat<'_> {
        Chat {
            collection: self,
            llm: llm.conversation(),
            k: K,
            mode: Mode::default(),
            fusion: Fusion::default(),
            filter: None,
            min_score: None,
            budget: BUDGET,
            answer_room: ANSWER,
            rewrites: true,
            none_found: NoneFound::default(),
            template: None,
            system: None,
            stop: ChatStop::default(),
        }
    }
}

impl Chat<'_> {
    /// Sources of an answer, at most. Default 8.
    #[must_use]
    pub fn k(mut self, k: usize) -> Self {
        self.k = k.max(1);
        self
    }

    /// What is searched by. Default: meaning and words.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How meaning and words are made one.
    #[must_use]
    pub fn fusion(mut self, fusion: Fusion) -> Self {
        self.fusion = fusion;
        self
    }

    /// Only among chunks that pass.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Only hits of this score and over.
    #[must_use]
    pub fn min_score(mut self, score: f32) -> Self {
        self.min_score = Some(score);
        self
    }

    /// Tokens of a question with all that goes along and of its answer, at most, by [`estimated_tokens`]. Sources get
    /// what the instructions, the question, the history and the room for the answer leave. Default 8,000.
    #[must_use]
    pub fn budget(mut self, tokens: usize) -> Self {
        self.budget = tokens;
        self
    }

    /// Tokens of the budget that are kept for the answer. Default 1,000.
    #[must_use]
    pub fn answer_room(mut self, tokens: usize) -> Self {
        self.answer_room = tokens;
        self
    }

    /// Whether follow-ups are rewritten to questions that stand alone, which takes a request. Default true.
    #[must_use]
    pub fn rewrites(mut self, rewrites: bool) -> Self {
        self.rewrites = rewrites;
        self
    }

    /// What is done when nothing is found.
    #[must_use]
    pub fn none_found(mut self, policy: NoneFound) -> Self {
        self.none_found = policy;
        self
    }

    /// The message that is asked, as a [`Template`] over `question` and `sources`; each of these has `n`, `place`,
    /// `key`, `path`, `lines`, `score` and `text`, which is quoted line by line.
    ///
    /// # Errors
    /// [`LlmError::Template`](crate::error::LlmError::Template) when it names others, or not both.
    pub fn template(mut self, text: &str) -> Result<Self> {
        self.template = Some(prompt::template(text)?);
        Ok(self)
    }

    /// What the model is told first, in the place of our own.
    #[must_use]
    pub fn system(mut self, text: &str) -> Self {
        self.system = Some(text.to_owned());
        self
    }

    /// What stops a question of this chat from another thread, wherever it is.
    pub fn stop_handle(&self) -> ChatStop {
        self.stop.clone()
    }

    /// Questions and answers up to now, without sources and citations.
    pub fn history(&self) -> Vec<Message> {
        self.llm.history()
    }

    /// Forgets the conversation.
    pub fn clear(&self) {
        self.llm.set_history(Vec::new());
    }

    /// Answers a question.
    ///
    /// # Errors
    /// [`LlmError`](crate::error::LlmError) of the model, and for a budget without room; those of
    /// [`Search::run`](crate::collection::Search::run). The conversation stays as it was then.
    pub fn ask(&self, question: &str) -> Result<ChatAnswer> {
        ChatStream::answered(self.llm.clone(), &self.stop, self.prepare(question)?)
    }

    /// Answers a question piece by piece: sources first, then text, then the end. Rewriting and searching are done
    /// when this returns.
    ///
    /// # Errors
    /// As [`Chat::ask`].
    pub fn stream(&self, question: &str) -> Result<ChatStream> {
        let prepared = self.prepare(question)?;
        ChatStream::begun(self.llm.clone(), &self.stop, prepared)
    }

    fn prepare(&self, question: &str) -> Result<Prepared> {
        self.stop.begin();
        let question = question.trim();
        if question.is_empty() {
            return Err(self.llm.setting("the question is blank; ask something").into());
        }
        let turns = self.llm.history();
        let (rewritten, usage) = self.rewrite(&turns, question)?;
        let sources = self.find(rewritten.as_deref().unwrap_or(question))?;
        self.stop.check()?;
        let mut prepared = Prepared {
            question: question.to_owned(),
            rewritten,
            sources: Vec::new(),
            asked: None,
            told: String::new(),
            usage,
        };
        if sources.is_empty() {
            match &self.none_found {
                NoneFound::Fail => return Err(LlmError::NothingFound.into()),
                NoneFound::Tell => prepared.told = nothing(question).to_owned(),
                NoneFound::Say(text) => prepared.told = text.clone(),
                NoneFound::Ask => {
                    let system = self.told(prompt::SYSTEM_WITHOUT);
                    let fixed = [estimated_tokens(&system), estimated_tokens(question), self.answer_room];
                    let fixed = fixed.into_iter().fold(0, usize::saturating_add);
                    let (mut messages, _) = fit::history(turns, fixed, self.budget)?;
                    messages.push(Message::user(question));
                    prepared.asked = Some((system, messages));
                }
            }
            return Ok(prepared);
        }
        self.fit(prepared, turns, sources)
    }

    /// Puts what fits into the question.
    fn fit(&self, mut prepared: Prepared, turns: Vec<Message>, sources: Vec<CitedSource>) -> Result<Prepared> {
        let default;
        let template = match &self.template {
            Some(template) => template,
            None => {
                default = prompt::template(prompt::TEMPLATE)?;
                &default
            }
        };
        let system = self.told(self.system.as_deref().unwrap_or(prompt::SYSTEM));
        // The question as it was understood stands beside the one that was asked.
        let question = match &prepared.rewritten {
            Some(rewritten) => format!("{}\n(that is: {rewritten})", prepared.question),
            None => prepared.question.clone(),
        };
        let bare = prompt::filled(template, &question, &[])?;
        let fixed = [estimated_tokens(&system), estimated_tokens(&bare), self.answer_room];
        let fixed = fixed.into_iter().fold(0, usize::saturating_add);
        let (mut messages, used) = fit::history(turns, fixed, self.budget)?;
        let mut sources = fit::sources(sources, self.budget.saturating_sub(fixed + used));
        // The user's template may say more of a source than is reckoned with.
        let others = fixed - estimated_tokens(&bare) + used;
        loop {
            let message = prompt::filled(template, &question, &sources)?;
            let over = (others + estimated_tokens(&message)).saturating_sub(self.budget);
            if over > 0
                && let Some(mut last) = sources.pop()
            {
                let kept = estimated_tokens(&last.text).saturating_sub(over);
                if sources.is_empty() && kept > 0 && kept < estimated_tokens(&last.text) {
                    last.text = fit::cut(&last.text, kept);
                    sources.push(last);
                }
                continue;
            }
            if sources.is_empty() {
                return Err(LlmError::Budget { needed: self.budget + over.max(1), budget: self.budget }.into());
            }
            messages.push(Message::user(message));
            break;
        }
        prepared.sources = sources;
        prepared.asked = Some((system, messages));
        Ok(prepared)
    }

    /// What the model is told first: ours, and what the handle has.
    fn told(&self, ours: &str) -> String {
        self.llm.system().map_or_else(|| ours.to_owned(), |own| format!("{ours}\n\n{own}"))
    }

    /// The question on its own, where it follows others and differs from what was asked.
    fn rewrite(&self, turns: &[Message], question: &str) -> Result<(Option<String>, TokenUsage)> {
        if turns.is_empty() || !self.rewrites {
            return Ok((None, TokenUsage::default()));
        }
        let line = |message: &Message| {
            let who = if matches!(message, Message::User { .. }) { "user" } else { "assistant" };
            format!("{who}: {}", cut_to_tokens(message.text(), REMEMBERED))
        };
        let newest = turns.len().saturating_sub(TURNS);
        let conversation: Vec<String> = turns[newest..].iter().map(line).collect();
        let prompt = prompt::rewriting(&conversation.join("\n"), question)?;
        let answer =
            self.stop.wait(self.llm.stateless().with_system(prompt::SYSTEM_REWRITING).ask_async(&prompt))??;
        let rewritten = bare(&answer.text).trim_matches('"').trim();
        // What says more than a question is none, and would be searched for as such.
        let longest = 2 * estimated_tokens(question) + LONGEST_REWRITTEN;
        let is_question = !rewritten.is_empty() && !rewritten.contains('\n') && estimated_tokens(rewritten) <= longest;
        Ok(((is_question && rewritten != question).then(|| rewritten.to_owned()), answer.usage))
    }

    fn find(&self, question: &str) -> Result<Vec<CitedSource>> {
        let mut search =
            self.collection.search(question).mode(self.mode).fusion(self.fusion).k(self.k.saturating_mul(HITS));
        if let Some(filter) = &self.filter {
            search = search.filter(filter);
        }
        if let Some(score) = self.min_score {
            search = search.min_score(score);
        }
        Ok(merged(search.run()?.hits, self.k))
    }
}

/// What is said when nothing is found, in Korean to a Korean question.
fn nothing(question: &str) -> &'static str {
    if question.chars().any(|c| ('가'..='힣').contains(&c)) {
        "모아 둔 글에서 이 물음에 맞는 것을 찾지 못했습니다."
    } else {
        "Nothing in the collection fits this question."
    }
}

impl std::fmt::Debug for Chat<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chat")
            .field("llm", &self.llm)
            .field("k", &self.k)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
