//! Steps that go one after another, each with what came before.

use std::collections::HashMap;

use super::{Answer, Llm, Template};
use crate::error::LlmError;

/// Names that every step knows.
const INPUT: &str = "input";
const INITIAL_INPUT: &str = "initial_input";
/// Words of the template language, which can name no step.
const RESERVED: [&str; 24] = [
    "and", "block", "break", "continue", "do", "elif", "else", "extends", "false", "filter", "for", "from", "if",
    "import", "in", "include", "is", "loop", "macro", "none", "not", "or", "self", "true",
];

#[derive(Clone, Debug)]
struct Step {
    name: String,
    llm: Llm,
    template: Template,
}

/// Steps that go one after another. The template of each sees `{{ input }}` (what the step before gave),
/// `{{ initial_input }}`, and every earlier step by its name.
///
/// ```no_run
/// use gyeol::llm::{Chain, Llm};
/// let llm = Llm::new("openai::gpt-4o-mini")?;
/// let chain = Chain::new()
///     .step("summary", &llm, "세 문장으로 줄여라:\n{{ input }}")?
///     .step("title", &llm, "Give a title to this summary: {{ summary }}\nThe whole text was: {{ initial_input }}")?;
/// let run = chain.run("긴 글 ...")?;
/// println!("{}: {}", run.text, run.step("summary").unwrap().answer.text);
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Chain {
    steps: Vec<Step>,
}

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepRun {
    /// The step.
    pub name: String,
    /// What was asked.
    pub prompt: String,
    /// What came back.
    pub answer: Answer,
}

/// What a chain did.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChainRun {
    /// What the last step gave.
    pub text: String,
    /// All steps, in order.
    pub steps: Vec<StepRun>,
}

impl ChainRun {
    /// The step of a name.
    pub fn step(&self, name: &str) -> Option<&StepRun> {
        self.steps.iter().find(|step| step.name == name)
    }
}

impl Chain {
    /// A chain without steps.
    pub fn new() -> Chain {
        Chain::default()
    }

    /// Adds a step. Each question stands alone: the conversation of the handle is neither sent nor changed.
    ///
    /// # Errors
    /// [`LlmError::Template`] for a name that stands twice, or is no name (letters, digits and `_`, not a digit first,
    /// no word of the template language), and for a template that names what the step cannot know.
    pub fn step(mut self, name: &str, llm: &Llm, template: &str) -> Result<Chain, LlmError> {
        let refuse = |reason: &str| Err(LlmError::Template { name: format!("step {name}"), reason: reason.to_owned() });
        let mut chars = name.chars();
        let is_name = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && chars.all(|c| c.is_alphanumeric() || c == '_');
        if !is_name || RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            return refuse("this is no name for a step; take letters, digits and `_`, and no word of the templates");
        }
        if name == INPUT || name == INITIAL_INPUT || self.steps.iter().any(|step| step.name == name) {
            return refuse("this name is taken; give the step another one");
        }
        let known: Vec<&str> =
            [INPUT, INITIAL_INPUT].into_iter().chain(self.steps.iter().map(|step| step.name.as_str())).collect();
        let template = Template::new(&format!("step {name}"), template, &known)?;
        self.steps.push(Step { name: name.to_owned(), llm: llm.stateless(), template });
        Ok(self)
    }

    /// Goes through the steps.
    ///
    /// # Errors
    /// [`LlmError::Step`] with the step that failed; [`LlmError::Template`] when there is no step.
    pub fn run(&self, input: &str) -> Result<ChainRun, LlmError> {
        let Some(first) = self.steps.first() else { return Err(without_steps()) };
        first.llm.wait(self.run_all(input))?
    }

    /// [`Chain::run`] as a future, for any executor.
    ///
    /// # Errors
    /// As [`Chain::run`].
    pub async fn run_async(&self, input: &str) -> Result<ChainRun, LlmError> {
        let Some(first) = self.steps.first() else { return Err(without_steps()) };
        first.llm.drive(self.run_all(input))?.await
    }

    async fn run_all(&self, input: &str) -> Result<ChainRun, LlmError> {
        let mut known =
            HashMap::from([(INPUT.to_owned(), input.to_owned()), (INITIAL_INPUT.to_owned(), input.to_owned())]);
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let failed = |source: LlmError| LlmError::Step { name: step.name.clone(), source: Box::new(source) };
            let prompt = step.template.fill(&known).map_err(failed)?;
            let answer = step.llm.say(&prompt).await.map_err(failed)?;
            known.insert(INPUT.to_owned(), answer.text.clone());
            known.insert(step.name.clone(), answer.text.clone());
            steps.push(StepRun { name: step.name.clone(), prompt, answer });
        }
        let text = steps.last().map(|step| step.answer.text.clone()).unwrap_or_default();
        Ok(ChainRun { text, steps })
    }
}

fn without_steps() -> LlmError {
    LlmError::Template { name: "chain".to_owned(), reason: "it has no steps; add one".to_owned() }
}
