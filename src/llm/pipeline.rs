//! Many questions over several models.

use futures_util::stream::{StreamExt, iter};

use super::{Answer, Llm};
use crate::error::LlmError;
use crate::http::{Driven, block_on};

/// What a prompt of [`Pipeline::process_chain`] is given.
const INPUT: &str = "{input}";

/// Several models that share work: question `i` goes to model `i` modulo their number.
///
/// No conversation grows; what a handle's own holds already goes along with each of its questions.
#[derive(Clone, Debug)]
#[must_use]
pub struct Pipeline {
    models: Vec<Llm>,
    at_once: usize,
}

impl Pipeline {
    /// A pipeline over models, with so many questions under way at once.
    ///
    /// # Errors
    /// [`LlmError::Choices`] without a model, or with 0 at once.
    pub fn new(models: &[Llm], at_once: usize) -> Result<Pipeline, LlmError> {
        let refuse = |reason: &str| Err(LlmError::Choices { reason: reason.to_owned() });
        match (models.is_empty(), at_once) {
            (true, _) => refuse("a pipeline needs a model"),
            (_, 0) => refuse("a pipeline with 0 questions at once never ends; allow 1 or more"),
            _ => Ok(Pipeline::of(models, at_once)),
        }
    }

    pub(super) fn of(models: &[Llm], at_once: usize) -> Pipeline {
        // A conversation goes along as far as it is now; none is added to.
        Pipeline { models: models.to_vec(), at_once: at_once.max(1) }
    }

    /// Asks all prompts. Answers are in their order, and one that fails fails alone.
    pub fn process_batch<S: AsRef<str> + Sync>(&self, prompts: &[S]) -> Vec<Result<Answer, LlmError>> {
        block_on(self.batch(prompts)).unwrap_or_else(|source| {
            let error = |llm: &Llm| Err(llm.http(source.clone()));
            self.models.iter().cycle().zip(prompts).map(|(llm, _)| error(llm)).collect()
        })
    }

    /// [`Pipeline::process_batch`] as a future, for any executor.
    pub async fn process_batch_async<S: AsRef<str> + Sync>(&self, prompts: &[S]) -> Vec<Result<Answer, LlmError>> {
        match Driven::new(self.batch(prompts)) {
            Ok(all) => all.await,
            Err(source) => {
                let error = |llm: &Llm| Err(llm.http(source.clone()));
                self.models.iter().cycle().zip(prompts).map(|(llm, _)| error(llm)).collect()
            }
        }
    }

    async fn batch<S: AsRef<str> + Sync>(&self, prompts: &[S]) -> Vec<Result<Answer, LlmError>> {
        let asked = self.models.iter().cycle().zip(prompts);
        let asked: Vec<(Llm, String)> = asked.map(|(llm, prompt)| (llm.clone(), prompt.as_ref().to_owned())).collect();
        let asked = asked.into_iter().map(|(llm, prompt)| async move { alone(&llm, &prompt).await });
        iter(asked).buffered(self.at_once).collect().await
    }

    /// Asks prompts one after another, over the models in turn: `{input}` in a prompt is what the one before gave, and
    /// in the first what is given here.
    ///
    /// # Errors
    /// [`LlmError::Step`] with the number of the prompt that failed, from 1; [`LlmError::Choices`] without a prompt.
    pub fn process_chain<S: AsRef<str>>(&self, prompts: &[S], input: &str) -> Result<Vec<Answer>, LlmError> {
        let Some(first) = self.models.first() else { return Ok(Vec::new()) };
        first.wait(self.chain(prompts, input))?
    }

    /// [`Pipeline::process_chain`] as a future, for any executor.
    ///
    /// # Errors
    /// As [`Pipeline::process_chain`].
    pub async fn process_chain_async<S: AsRef<str>>(
        &self,
        prompts: &[S],
        input: &str,
    ) -> Result<Vec<Answer>, LlmError> {
        let Some(first) = self.models.first() else { return Ok(Vec::new()) };
        first.drive(self.chain(prompts, input))?.await
    }

    async fn chain<S: AsRef<str>>(&self, prompts: &[S], input: &str) -> Result<Vec<Answer>, LlmError> {
        if prompts.is_empty() {
            return Err(LlmError::Choices { reason: "a chain needs a prompt".to_owned() });
        }
        let mut answers: Vec<Answer> = Vec::with_capacity(prompts.len());
        for (i, (llm, prompt)) in self.models.iter().cycle().zip(prompts).enumerate() {
            let before = answers.last().map_or(input, |answer| &answer.text);
            let prompt = prompt.as_ref().replace(INPUT, before);
            let answer = alone(llm, &prompt).await;
            let failed = |source| LlmError::Step { name: (i + 1).to_string(), source: Box::new(source) };
            answers.push(answer.map_err(failed)?);
        }
        Ok(answers)
    }
}

/// A question that no conversation remembers; the one up to now goes along.
async fn alone(llm: &Llm, prompt: &str) -> Result<Answer, LlmError> {
    let turn = super::ask::Turn::of(llm, prompt)?;
    super::ask::answer(llm, &turn).await
}
