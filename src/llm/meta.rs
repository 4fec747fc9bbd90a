//! Prompts that are written and mended by a model.

use serde::Serialize;
use serde_json::json;

use super::{Llm, Template, bare};
use crate::error::LlmError;

const WRITE: &str = "Write a prompt for a language model. It will be used again and again, each time with another \
input in the place of the word INPUT, which must stand in it once.\n\nThe task, between lines of three equals \
signs:\n===\n{{ task }}\n===\n{% if examples %}\nExamples of inputs, and of what should come back:\n\
{% for example in examples %}===\ninput: {{ example.input }}\noutput: {{ example.output }}\n{% endfor %}===\n\
{% endif %}\nWrite it in the language of the task. Reply with the prompt and nothing else.";
const MEND: &str = "Here is a prompt for a language model, between lines of three equals signs:\n===\n{{ prompt }}\n===\n\
And here is what is wrong with what comes of it:\n===\n{{ feedback }}\n===\nWrite the prompt anew so that this is \
mended and all else stays as it is; placeholders must stay as they are. Reply with the prompt and nothing else.";

/// An input, and what should come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// What goes in.
    pub input: String,
    /// What should come back.
    pub output: String,
}

impl Example {
    /// An example.
    pub fn new(input: impl Into<String>, output: impl Into<String>) -> Example {
        Example { input: input.into(), output: output.into() }
    }
}

impl Llm {
    /// Has the model write a prompt for a task, with `INPUT` where an input is to go. Task and examples are passed on
    /// as they are, braces and all. The conversation is neither sent nor changed.
    ///
    /// # Errors
    /// [`LlmError::Setting`] for a blank task, or a blank reply; those of [`Llm::ask`].
    pub fn generate_prompt(&self, task: &str, examples: &[Example]) -> Result<String, LlmError> {
        if task.trim().is_empty() {
            return Err(self.setting("the task is blank; say what the prompt is for"));
        }
        self.written(&Template::filled("generate_prompt", WRITE, &json!({"task": task, "examples": examples}))?)
    }

    /// Has the model mend a prompt by what is wrong with it. Both are passed on as they are, braces and all. The
    /// conversation is neither sent nor changed.
    ///
    /// # Errors
    /// [`LlmError::Setting`] for a blank prompt or feedback, or a blank reply; those of [`Llm::ask`].
    pub fn optimize_prompt(&self, prompt: &str, feedback: &str) -> Result<String, LlmError> {
        if prompt.trim().is_empty() || feedback.trim().is_empty() {
            return Err(self.setting("the prompt or the feedback is blank; give both"));
        }
        self.written(&Template::filled("optimize_prompt", MEND, &json!({"prompt": prompt, "feedback": feedback}))?)
    }

    fn written(&self, prompt: &str) -> Result<String, LlmError> {
        let text = self.stateless().ask(prompt)?.text;
        match bare(&text) {
            "" => Err(self.setting("the model wrote nothing; ask again, or another model")),
            text => Ok(text.to_owned()),
        }
    }
}
