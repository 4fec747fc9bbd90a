//! Chat models that cannot be asked, and answers that cannot be used.

use super::HttpError;

/// A chat model that cannot be asked as told, or an answer that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LlmError {
    /// A name that is none of a known provider.
    #[error("no chat model `{name}` is known; write PROVIDER::MODEL, with one of {known}")]
    UnknownModel {
        /// The name given.
        name: String,
        /// The providers that are known.
        known: String,
    },
    /// A provider that has no chat models here.
    #[error("{provider} embeds and does not chat (`{name}`); take one of {known}")]
    EmbedOnly {
        /// The name given.
        name: String,
        /// The provider.
        provider: &'static str,
        /// The providers that chat.
        known: String,
    },
    /// A setting, prompt or history that cannot be used.
    #[error("{model}: {reason}")]
    Setting {
        /// The model.
        model: String,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
    /// The request failed.
    #[error("{model}: {source}")]
    Http {
        /// The model.
        model: String,
        /// How.
        source: HttpError,
    },
    /// The stream ended before its end was told.
    #[error("{model}: the answer broke off after {} characters ({reason}); ask again", text.chars().count())]
    Truncated {
        /// The model.
        model: String,
        /// What ended it.
        reason: String,
        /// What came before.
        text: String,
    },
    /// A list to choose from that is none.
    #[error("{reason}")]
    Choices {
        /// What is wrong with it.
        reason: String,
    },
    /// A reply that is none of the choices.
    #[error("the reply is no choice: {reason}; it was: {reply}")]
    Choice {
        /// Why.
        reason: String,
        /// The reply, cut.
        reply: String,
    },
    /// A template, or the name of a step, that cannot be used.
    #[error("{name}: {reason}")]
    Template {
        /// The step, or what the template is for.
        name: String,
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A step of a chain that failed.
    #[error("step {name}: {source}")]
    Step {
        /// The step.
        name: String,
        /// How.
        #[source]
        source: Box<LlmError>,
    },
    /// No route is meant by what came in.
    #[error("no route fits ({reason}); there are {known}")]
    NoRoute {
        /// What the classifier said.
        reason: String,
        /// The routes.
        known: String,
    },
    /// A tool that cannot be used, or that failed.
    #[error("tool {name}: {reason}")]
    Tool {
        /// The tool.
        name: String,
        /// What went wrong.
        reason: String,
    },
    /// A processor of the program's own that failed.
    #[error("{reason}")]
    Processor {
        /// What went wrong.
        reason: String,
    },
    /// The model went on calling tools.
    #[error("{model}: no answer after {rounds} rounds of tools; allow more rounds, or ask for less at once")]
    Rounds {
        /// The model.
        model: String,
        /// The rounds that were allowed.
        rounds: usize,
    },
    /// The question and what must stand beside it leave no room for a source.
    #[error(
        "{needed} tokens are needed and {budget} are allowed; raise the budget, or shorten the question or the history"
    )]
    Budget {
        /// What question, history and answer take, in estimated tokens.
        needed: usize,
        /// What is allowed.
        budget: usize,
    },
    /// It was stopped by the program.
    #[error("stopped")]
    Stopped,
    /// Nothing was found to answer from.
    #[error("nothing in the collection fits the question; ask in other words, or index more")]
    NothingFound,
    /// Prices that cannot be read.
    #[error("{file}: {reason}")]
    Prices {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}
