//! A model that calls tools until it can answer.

mod protocol;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use self::protocol::Action;
use super::ask::{self, Turn};
use super::tool::Failed;
use super::{Answer, Llm, Message, TokenUsage, Tool, ToolCall, ToolSpec};
use crate::error::LlmError;
use crate::http::spawn_blocking;

/// Questions to the model when nothing else is said.
const ROUNDS: usize = 8;
/// Calls of a round that are made.
const CALLS: usize = 32;
/// Characters of a result that the model is given.
const LONGEST_RESULT: usize = 40_000;

/// A model and the tools that it may have called.
///
/// Where the provider has calls of tools they are used; elsewhere, and where they are refused, the model is asked for
/// them in words. A call of a tool that there is not, and arguments that do not fit, go back to the model; a tool that
/// fails ends the run.
///
/// ```no_run
/// use gyeol::llm::{Agent, Llm, Tool, schemars};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[schemars(crate = "gyeol::llm::schemars")]
/// struct City { name: String }
/// let time = Tool::new("time", "Tells the time in a city.", |city: City| {
///     if city.name == "서울" { Ok("09:00") } else { Err("no such city") }
/// })?;
/// let run = Agent::new(&Llm::new("openai::gpt-4o-mini")?).tool(time)?.run("서울은 지금 몇 시야?")?;
/// println!("{} ({} calls)", run.text, run.uses.len());
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Agent {
    llm: Llm,
    tools: Vec<Tool>,
    rounds: usize,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolUse {
    /// The round, from 1.
    pub round: usize,
    /// The tool, as the model named it.
    pub name: String,
    /// The arguments, as the model wrote them.
    pub arguments: String,
    /// What the model was given back.
    pub result: String,
    /// Whether that was a complaint: no such tool, or arguments that do not fit.
    pub is_error: bool,
}

/// What an agent did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct AgentRun {
    /// The answer.
    pub text: String,
    /// The calls, in order.
    pub uses: Vec<ToolUse>,
    /// Questions to the model.
    pub rounds: usize,
    /// Tokens of all of them.
    pub usage: TokenUsage,
}

impl Agent {
    /// An agent without tools. The model's conversation goes along, and gets the prompt and the answer in the end.
    pub fn new(llm: &Llm) -> Agent {
        Agent { llm: llm.clone(), tools: Vec::new(), rounds: ROUNDS }
    }

    /// Adds a tool.
    ///
    /// # Errors
    /// [`LlmError::Tool`] for a name that stands twice, or is `none`.
    pub fn tool(mut self, tool: Tool) -> Result<Agent, LlmError> {
        let name = &tool.spec().name;
        if name == protocol::NONE || self.tools.iter().any(|other| other.spec().name == *name) {
            let reason = "this name is taken; give the tool another one".to_owned();
            return Err(LlmError::Tool { name: name.clone(), reason });
        }
        self.tools.push(tool);
        Ok(self)
    }

    /// Questions to the model, at most; at least 1. Default 8.
    pub fn max_rounds(mut self, rounds: usize) -> Agent {
        self.rounds = rounds.max(1);
        self
    }

    /// Asks, has tools called, and gives the answer.
    ///
    /// # Errors
    /// [`LlmError::Tool`] when a tool fails; [`LlmError::Rounds`] when the model does not come to an answer; those of
    /// [`Llm::ask`]. The conversation stays as it was then.
    pub fn run(&self, prompt: &str) -> Result<AgentRun, LlmError> {
        self.llm.wait(self.go(prompt))?
    }

    /// [`Agent::run`] as a future, for any executor.
    ///
    /// # Errors
    /// As [`Agent::run`].
    pub async fn run_async(&self, prompt: &str) -> Result<AgentRun, LlmError> {
        self.llm.drive(self.go(prompt))?.await
    }

    async fn go(&self, prompt: &str) -> Result<AgentRun, LlmError> {
        let turn = Turn::of(&self.llm, prompt)?;
        let takes = &self.llm.core.takes_tools;
        let (mut result, mut lasts) = (None, false);
        if takes.load(Ordering::Relaxed) || self.tools.is_empty() {
            match self.native(turn.clone()).await {
                // Refused at once, so perhaps for the tools.
                Err((error, 0)) if ask::is_refusal(&error) && !self.tools.is_empty() => {
                    lasts = ask::is_lasting(&error);
                }
                Err((error, _)) => return Err(error),
                Ok(run) => result = Some(run),
            }
        }
        let run = match result {
            Some(run) => run,
            None => {
                let run = self.in_words(turn).await?;
                if lasts {
                    takes.store(false, Ordering::Relaxed);
                }
                run
            }
        };
        self.llm.remember(prompt, &run.text);
        Ok(run)
    }

    /// With the provider's own calls. An error comes with the rounds that went well before it.
    async fn native(&self, mut turn: Turn) -> Result<AgentRun, (LlmError, usize)> {
        turn.tools = self.tools.iter().map(|tool| tool.spec().clone()).collect::<Arc<[ToolSpec]>>();
        let (mut uses, mut usage) = (Vec::new(), TokenUsage::default());
        for round in 1..=self.rounds {
            let answer = ask::answer(&self.llm, &turn).await.map_err(|error| (error, round - 1))?;
            usage = usage.plus(answer.usage);
            let Answer { text, calls, .. } = answer;
            if calls.is_empty() {
                return Ok(AgentRun { text, uses, rounds: round, usage });
            }
            turn.messages.push(Message::Assistant { text, calls: calls.clone() });
            for (number, call) in calls.into_iter().enumerate() {
                let used = self.call(&call, round, number).await.map_err(|error| (error, round))?;
                turn.messages.push(Message::Tool { id: call.id, name: call.name, result: used.result.clone() });
                uses.push(used);
            }
        }
        Err((self.endless(), self.rounds))
    }

    /// With calls as JSON in the text.
    async fn in_words(&self, mut turn: Turn) -> Result<AgentRun, LlmError> {
        let before = self.llm.system.as_deref().map(|system| format!("{system}\n\n")).unwrap_or_default();
        let specs: Vec<&ToolSpec> = self.tools.iter().map(Tool::spec).collect();
        turn.system = Some(before + &protocol::instructions(&specs));
        let (mut uses, mut usage) = (Vec::new(), TokenUsage::default());
        for round in 1..=self.rounds {
            let answer = ask::answer(&self.llm, &turn).await?;
            usage = usage.plus(answer.usage);
            let told = match protocol::read(&answer.text) {
                Action::Answer(text) => return Ok(AgentRun { text, uses, rounds: round, usage }),
                Action::Calls(calls) => {
                    let mut told = Vec::with_capacity(calls.len());
                    for (number, call) in calls.into_iter().enumerate() {
                        let used = self.call(&call, round, number).await?;
                        told.push(protocol::result(&used.name, &used.result));
                        uses.push(used);
                    }
                    told.join("\n")
                }
                Action::Unreadable(reason) => protocol::complaint(&reason),
            };
            turn.messages.push(Message::assistant(answer.text));
            turn.messages.push(Message::user(told));
        }
        Err(self.endless())
    }

    fn endless(&self) -> LlmError {
        LlmError::Rounds { model: self.llm.name().to_owned(), rounds: self.rounds }
    }

    /// A call, the `number`th of its round.
    async fn call(&self, call: &ToolCall, round: usize, number: usize) -> Result<ToolUse, LlmError> {
        let used = |result: String, is_error| ToolUse {
            round,
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            result,
            is_error,
        };
        if number >= CALLS {
            return Ok(used(format!("error: only {CALLS} calls at a time are made; call again"), true));
        }
        let Some(tool) = self.tools.iter().find(|tool| tool.spec().name == call.name).cloned() else {
            let known: Vec<&str> = self.tools.iter().map(|tool| tool.spec().name.as_str()).collect();
            return Ok(used(format!("error: there is no tool {}; there are {}", call.name, known.join(", ")), true));
        };
        let failed = |reason: String| LlmError::Tool { name: call.name.clone(), reason };
        let arguments = call.arguments.clone();
        match spawn_blocking(move || tool.try_call(&arguments)).await {
            None => Err(failed("it panicked".to_owned())),
            Some(Err(Failed::Function(reason))) => Err(failed(reason)),
            Some(Err(Failed::Arguments(reason))) => {
                Ok(used(format!("error: the arguments do not fit the tool's schema: {reason}"), true))
            }
            Some(Ok(mut result)) => {
                if let Some((at, _)) = result.char_indices().nth(LONGEST_RESULT) {
                    result.truncate(at);
                    result.push_str("… (cut)");
                }
                Ok(used(result, false))
            }
        }
    }
}
