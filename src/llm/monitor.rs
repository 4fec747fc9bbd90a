//! What models take: requests, errors, times, tokens, money.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::{Answer, ChatPrices, Llm};
use crate::error::LlmError;

/// Times of a model that are kept, the newest: percentiles are of these.
const KEPT: usize = 10_000;

#[derive(Debug, Default)]
struct Times(VecDeque<f64>);

impl Times {
    fn add(&mut self, time: Duration) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(time.as_secs_f64());
    }

    fn mean(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().sum::<f64>() / self.0.len() as f64)
    }

    /// By nearest rank.
    fn percentile(&self, share: f64) -> Option<f64> {
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

#[derive(Debug, Default)]
struct Record {
    requests: u64,
    errors: u64,
    abandoned: u64,
    retries: u64,
    cache_hits: u64,
    times: Times,
    first: Times,
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    cost: f64,
    has_cost: bool,
    uncounted: u64,
}

#[derive(Debug, Default)]
struct State {
    prices: ChatPrices,
    models: Mutex<BTreeMap<String, Record>>,
}

/// Counts what handles take. Clones count together.
///
/// ```
/// use gyeol::llm::{Llm, Monitor};
/// let monitor = Monitor::new();
/// let llm = monitor.watch(&Llm::new("ollama::qwen3")?);
/// // llm is used as before ...
/// println!("{}", monitor.report().to_json());
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Monitor(Arc<State>);

/// What a model took.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelReport {
    /// `provider::model`.
    pub model: String,
    /// Questions, those that a cache answered among them.
    pub requests: u64,
    /// Questions that failed.
    pub errors: u64,
    /// Their share.
    pub error_rate: f64,
    /// Streams that were dropped before their end.
    pub abandoned: u64,
    /// Requests that were sent again, of questions that were answered.
    pub retries: u64,
    /// Questions that a cache answered.
    pub cache_hits: u64,
    /// Their share.
    pub cache_hit_rate: f64,
    /// Seconds of an answer that no cache gave: the mean of the last 10,000, as are the percentiles. `None` before the
    /// first.
    pub mean_seconds: Option<f64>,
    /// Half of them took no longer.
    pub p50_seconds: Option<f64>,
    /// 95 of 100 took no longer.
    pub p95_seconds: Option<f64>,
    /// Seconds to the first text of a stream, on average.
    pub first_token_seconds: Option<f64>,
    /// Tokens sent, as far as the provider told.
    pub prompt_tokens: u64,
    /// Tokens that came back, as far as the provider told.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Answers of which the provider told no tokens.
    pub uncounted: u64,
    /// US dollars; `None` where the price is not known. What a cache answers costs nothing.
    pub cost: Option<f64>,
}

/// What all models took, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of this form: 1.
    pub schema: u32,
    /// A model each, by name.
    pub models: Vec<ModelReport>,
}

impl Report {
    /// As JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The model of a name.
    pub fn model(&self, name: &str) -> Option<&ModelReport> {
        self.models.iter().find(|model| model.model == name)
    }
}

impl Monitor {
    /// A monitor with the prices that are compiled in; with those of the user's file,
    /// `Monitor::with_prices(ChatPrices::load()?)`.
    pub fn new() -> Monitor {
        Monitor::default()
    }

    /// A monitor with prices of one's own.
    pub fn with_prices(prices: ChatPrices) -> Monitor {
        Monitor(Arc::new(State { prices, models: Mutex::default() }))
    }

    /// A handle whose questions are counted, by this monitor and no other. It is used as the one that it was made of, and
    /// shares its conversation.
    pub fn watch(&self, llm: &Llm) -> Llm {
        Llm { monitor: Some(self.clone()), ..llm.clone() }
    }

    /// What was counted up to now.
    pub fn report(&self) -> Report {
        let models = self.0.models.lock().unwrap_or_else(PoisonError::into_inner);
        Report { schema: 1, models: models.iter().map(|(name, record)| report_of(name, record)).collect() }
    }

    /// Begins to count anew.
    pub fn reset(&self) {
        self.0.models.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn record(
        &self,
        model: &str,
        result: &Result<Answer, LlmError>,
        took: Duration,
        first: Option<Duration>,
    ) {
        let mut models = self.0.models.lock().unwrap_or_else(PoisonError::into_inner);
        let record = models.entry(model.to_owned()).or_default();
        record.requests += 1;
        let answer = match result {
            Err(_) => {
                record.errors += 1;
                return;
            }
            Ok(answer) if answer.cache_hit => {
                record.cache_hits += 1;
                return;
            }
            Ok(answer) => answer,
        };
        record.retries += answer.retries;
        record.times.add(took);
        first.into_iter().for_each(|first| record.first.add(first));
        let usage = answer.usage;
        let add = |sum: &mut u64, more: Option<u64>| *sum = sum.saturating_add(more.unwrap_or(0));
        add(&mut record.prompt_tokens, usage.prompt_tokens);
        add(&mut record.completion_tokens, usage.completion_tokens);
        add(&mut record.total_tokens, usage.total_tokens);
        record.uncounted += u64::from(usage.total_tokens.is_none());
        if let Some(cost) = self.0.prices.cost(model, usage) {
            record.cost += cost;
            record.has_cost = true;
        }
    }

    /// A stream that was dropped before its end.
    pub(super) fn record_abandoned(&self, model: &str) {
        let mut models = self.0.models.lock().unwrap_or_else(PoisonError::into_inner);
        let record = models.entry(model.to_owned()).or_default();
        record.requests += 1;
        record.abandoned += 1;
    }
}

fn report_of(name: &str, record: &Record) -> ModelReport {
    let share = |part: u64| if record.requests == 0 { 0.0 } else { part as f64 / record.requests as f64 };
    ModelReport {
        model: name.to_owned(),
        requests: record.requests,
        errors: record.errors,
        error_rate: share(record.errors),
        abandoned: record.abandoned,
        retries: record.retries,
        cache_hits: record.cache_hits,
        cache_hit_rate: share(record.cache_hits),
        mean_seconds: record.times.mean(),
        p50_seconds: record.times.percentile(0.5),
        p95_seconds: record.times.percentile(0.95),
        first_token_seconds: record.first.mean(),
        prompt_tokens: record.prompt_tokens,
        completion_tokens: record.completion_tokens,
        total_tokens: record.total_tokens,
        uncounted: record.uncounted,
        cost: record.has_cost.then_some(record.cost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut times = Times::default();
        assert_eq!((times.mean(), times.percentile(0.5)), (None, None));
        (1..=100).for_each(|i| times.add(Duration::from_secs(i)));
        assert_eq!((times.percentile(0.5), times.percentile(0.95)), (Some(50.0), Some(95.0)));
        (0..KEPT).for_each(|_| times.add(Duration::from_secs(1)));
        assert_eq!((times.0.len(), times.mean()), (KEPT, Some(1.0)));
    }
}
