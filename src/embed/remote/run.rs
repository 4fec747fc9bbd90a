//! One call: what is sent, in which requests, and what is made of the answers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::kept::{self, Identity};
use super::plan::{self, Size};
use super::provider::Wire;
use super::wire::{Ask, Lie, Reply};
use super::{OnProgress, Outcome, Remote};
use crate::cache::CacheKey;
use crate::embed::{Answer, EmbedProgress, Embeddings, Refusal, Role, Usage};
use crate::error::{EmbedError, HttpError};
use crate::http::{Effort, Failure, cut_to_tokens, estimated_tokens, spawn_blocking};
use crate::vectors::{Vectors, normalize};

/// Entries of the cache that are read in one go.
const LOOKED_UP_TOGETHER: usize = 4096;
/// So many single texts may be refused while none is taken; then it is not the texts.
const REFUSED_AT_FIRST: usize = 3;
/// A text that is too long for the server is cut by half so often.
const CUTS: usize = 6;

/// A text that is to be embedded, once.
struct Item<'a> {
    /// As it is sent: with its prefix, and cut.
    text: Cow<'a, str>,
    /// The position of the first text that is this one.
    index: usize,
    key: CacheKey,
}

/// What a call works with.
struct Call<'a> {
    remote: &'a Remote,
    items: Vec<Item<'a>>,
    model: String,
    role: Role,
    /// Whether any request was answered.
    answered: AtomicBool,
    refused: AtomicUsize,
    /// Texts of a request that the server turned out to take, at most; 0 is what the limits say.
    learned: AtomicUsize,
}

/// What became of one planned request.
#[derive(Default)]
struct Done {
    rows: Vec<(usize, Vec<f32>)>,
    refused: Vec<(usize, String)>,
    usage: Usage,
    failure: Option<EmbedError>,
}

enum Trouble {
    Http(Failure),
    Answer(EmbedError),
}

/// What the texts of a call are, before anything is sent.
struct Prepared<'a> {
    items: Vec<Item<'a>>,
    /// For each text, its item; `None` where it has its answer.
    item_of: Vec<Option<usize>>,
    answers: Vec<Answer>,
    refusals: Vec<Refusal>,
}

/// The whole call.
pub(super) async fn run(
    remote: &Remote,
    texts: &[&str],
    role: Role,
    on_progress: OnProgress<'_>,
) -> Result<Outcome, EmbedError> {
    let started = Instant::now();
    let Prepared { items, item_of, answers, refusals } = prepare(remote, texts, role);
    let call = Call {
        remote,
        items,
        model: remote.provider.model_for(&remote.model, role),
        role,
        answered: AtomicBool::new(false),
        refused: AtomicUsize::new(0),
        learned: AtomicUsize::new(0),
    };
    let mut state = State::new(call.items.len(), item_of, answers, refusals);
    call.look_up(&mut state).await;
    let left = (0..call.items.len()).filter(|&i| state.rows[i].is_none());
    let requests = plan::requests(left.map(|i| (i, Size::of(&call.items[i].text))), remote.caps);
    let mut requests = requests.into_iter();
    let mut under_way = FuturesUnordered::new();
    let before = state.done();
    state.tell(started, before, on_progress);
    loop {
        while state.failure.is_none() && under_way.len() < remote.options.concurrency {
            let Some(request) = requests.next() else { break };
            under_way.push(call.planned(request));
        }
        // After a failure, what is under way is waited for: it is paid for.
        let Some(done) = under_way.next().await else { break };
        state.take(done);
        state.tell(started, before, on_progress);
    }
    state.usage.texts = texts.len() as u64;
    state.usage.seconds = started.elapsed().as_secs_f64();
    let outcome = state.outcome(remote)?;
    if let Ok(mut all) = remote.usage.lock() {
        all.add(&outcome.embeddings.usage);
    }
    Ok(outcome)
}

/// Blank texts, texts that are too long, and texts that stand twice.
fn prepare<'a>(remote: &Remote, texts: &[&'a str], role: Role) -> Prepared<'a> {
    let options = &remote.options;
    let prefix = match role {
        Role::Document => &options.document_prefix,
        Role::Query => &options.query_prefix,
    };
    let identity = Identity {
        provider: remote.provider.name,
        url: remote.base_url.as_str(),
        model: &remote.provider.model_for(&remote.model, role),
        dimensions: options.dimensions,
        role,
    };
    let hasher = identity.hasher();
    let mut prepared = Prepared {
        items: Vec::new(),
        item_of: vec![None; texts.len()],
        answers: vec![Answer::Unanswered; texts.len()],
        refusals: Vec::new(),
    };
    let mut seen: HashMap<CacheKey, usize> = HashMap::new();
    for (index, &text) in texts.iter().enumerate() {
        if text.trim().is_empty() {
            prepared.answers[index] = Answer::Blank;
            continue;
        }
        let mut text = if prefix.is_empty() { Cow::Borrowed(text) } else { Cow::Owned([prefix, text].concat()) };
        let most = remote.caps.text_tokens;
        // No text has more tokens than bytes, by this estimate either.
        if most > 0 && text.len() >= most && estimated_tokens(&text) > most {
            if options.refuse_long {
                let reason = format!(
                    "it has up to {} tokens, and the model takes {most}; cut it, or allow cutting",
                    estimated_tokens(&text)
                );
                prepared.answers[index] = Answer::Refused;
                prepared.refusals.push(Refusal { index, reason });
                continue;
            }
            text = Cow::Owned(cut_to_tokens(&text, most).to_owned());
        }
        let key = kept::key(&hasher, &text);
        let items = &mut prepared.items;
        let item = *seen.entry(key).or_insert_with(|| {
            items.push(Item { text, index, key });
            items.len() - 1
        });
        prepared.item_of[index] = Some(item);
    }
    prepared
}

/// What there is up to now.
struct State {
    /// One an item.
    rows: Vec<Option<Vec<f32>>>,
    from_cache: Vec<bool>,
    item_refusals: HashMap<usize, String>,
    item_of: Vec<Option<usize>>,
    answers: Vec<Answer>,
    refusals: Vec<Refusal>,
    usage: Usage,
    failure: Option<EmbedError>,
    /// How many texts an item stands for.
    weight: Vec<usize>,
    done: usize,
}

impl State {
    fn new(items: usize, item_of: Vec<Option<usize>>, answers: Vec<Answer>, refusals: Vec<Refusal>) -> State {
        let mut weight = vec![0; items];
        item_of.iter().flatten().for_each(|&item| weight[item] += 1);
        let done = item_of.iter().filter(|item| item.is_none()).count();
        let (rows, from_cache) = (vec![None; items], vec![false; items]);
        let usage = Usage::default();
        State {
            rows,
            from_cache,
            item_refusals: HashMap::new(),
            item_of,
            answers,
            refusals,
            usage,
            failure: None,
            weight,
            done,
        }
    }

    fn done(&self) -> usize {
        self.done
    }

    fn take(&mut self, done: Done) {
        for (item, row) in done.rows {
            self.done += self.weight[item];
            self.rows[item] = Some(row);
        }
        for (item, reason) in done.refused {
            self.done += self.weight[item];
            self.item_refusals.insert(item, reason);
        }
        self.usage.add(&done.usage);
        // The first error is the cause of what follows.
        self.failure = self.failure.take().or(done.failure);
    }

    fn tell(&self, started: Instant, before: usize, on_progress: OnProgress<'_>) {
        let (total, new) = (self.answers.len(), self.done - before);
        let rate = (new > 0).then(|| started.elapsed().div_f64(new as f64));
        let mut usage = self.usage;
        usage.seconds = started.elapsed().as_secs_f64();
        let remaining = rate.map(|rate| rate.mul_f64((total - self.done) as f64));
        on_progress(&EmbedProgress { done: self.done, total, usage, remaining });
    }

    /// Puts everything in the order of the texts.
    fn outcome(mut self, remote: &Remote) -> Result<Outcome, EmbedError> {
        let dim = self.rows.iter().flatten().map(Vec::len).next().or(remote.dim()).unwrap_or(1);
        let n = self.answers.len();
        let mut values = vec![0.0; n * dim];
        let mut from_cache = Vec::new();
        for (index, item) in self.item_of.iter().enumerate() {
            let Some(item) = *item else { continue };
            if let Some(row) = &self.rows[item] {
                values[index * dim..(index + 1) * dim].copy_from_slice(row);
                self.answers[index] = Answer::Embedded;
                if self.from_cache[item] {
                    from_cache.push(index);
                }
            } else if let Some(reason) = self.item_refusals.get(&item) {
                self.answers[index] = Answer::Refused;
                self.refusals.push(Refusal { index, reason: reason.clone() });
            }
        }
        self.refusals.sort_by_key(|refusal| refusal.index);
        self.usage.cache_hits = from_cache.len() as u64;
        let vectors = Vectors::new(values, dim)
            .map_err(|e| EmbedError::Run { model: remote.name.clone(), reason: e.to_string() })?;
        let embeddings =
            Embeddings { vectors, answers: self.answers, refusals: self.refusals, from_cache, usage: self.usage };
        Ok(Outcome { embeddings, failure: self.failure })
    }
}

impl Call<'_> {
    /// Takes what the cache has.
    async fn look_up(&self, state: &mut State) {
        let Some(cache) = &self.remote.options.cache else { return };
        for range in ranges(self.items.len(), LOOKED_UP_TOGETHER) {
            let keys: Vec<CacheKey> = self.items[range.clone()].iter().map(|item| item.key).collect();
            let (cache, count) = (cache.clone(), keys.len());
            let found = spawn_blocking(move || cache.get_many(&keys)).await;
            // An answer of another length is a cache that does not work.
            let Some(Ok(found)) = found.filter(|f| f.as_ref().is_ok_and(|f| f.len() == count)) else {
                state.usage.cache_failures += 1;
                continue;
            };
            for (item, entry) in range.zip(found) {
                let row = entry.and_then(|bytes| kept::read(&bytes)).and_then(|row| self.accepted(row));
                if let Some(row) = row {
                    state.done += state.weight[item];
                    state.from_cache[item] = true;
                    state.rows[item] = Some(row);
                }
            }
        }
    }

    /// A kept row in its final form, if it is of the dimension of the others and sound.
    fn accepted(&self, mut row: Vec<f32>) -> Option<Vec<f32>> {
        let sound = row.iter().all(|value| value.is_finite());
        let fits = *self.remote.sent_dim.get_or_init(|| row.len()) == row.len();
        (sound && fits && self.shorten(&mut row).is_ok()).then_some(row)
    }

    /// A planned request, in as many requests as it turns out to take.
    async fn planned(&self, request: Vec<usize>) -> Done {
        let mut done = Done::default();
        let mut parts = vec![request];
        let mut cuts: HashMap<usize, String> = HashMap::new();
        let (mut too_large, mut largest) = (false, 0);
        while let Some(part) = parts.pop() {
            let learned = self.learned.load(Ordering::Relaxed);
            if learned > 0 && part.len() > learned {
                parts.extend(part.chunks(learned).rev().map(<[usize]>::to_vec));
                continue;
            }
            let trouble = match self.request(&part, &cuts, &mut done).await {
                Ok(rows) => {
                    self.answered.store(true, Ordering::Relaxed);
                    largest = largest.max(part.len());
                    self.keep(&rows, &mut done).await;
                    if let Some(rows) = self.shortened(rows, &mut done) {
                        done.rows.extend(rows);
                    }
                    if done.failure.is_some() { break } else { continue }
                }
                Err(trouble) => trouble,
            };
            let (error, is_size) = match trouble {
                Trouble::Answer(error) => {
                    done.failure = Some(error);
                    break;
                }
                Trouble::Http(Failure::Fatal(error)) => {
                    done.failure = Some(self.error(&part, error));
                    break;
                }
                Trouble::Http(Failure::TooLarge(error)) => (error, true),
                Trouble::Http(Failure::Refused(error)) => (error, false),
            };
            if let [item] = part[..] {
                if is_size && !self.remote.options.refuse_long && self.cut_again(item, &mut cuts) {
                    parts.push(part);
                } else if let Err(error) = self.refuse(item, error, &mut done) {
                    done.failure = Some(error);
                    break;
                }
                continue;
            }
            let (first, second) = part.split_at(part.len().div_ceil(2));
            too_large |= is_size;
            parts.extend([second.to_vec(), first.to_vec()]);
        }
        if too_large && largest > 0 {
            // What comes later need not find out anew.
            self.learned.store(largest, Ordering::Relaxed);
        }
        done
    }

    /// A single text that the server refuses.
    fn refuse(&self, item: usize, error: HttpError, done: &mut Done) -> Result<(), EmbedError> {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused >= REFUSED_AT_FIRST && !self.answered.load(Ordering::Relaxed) && self.items.len() > refused {
            return Err(self.error(&[item], error));
        }
        done.refused.push((item, error.to_string()));
        Ok(())
    }

    /// Makes a text half as long; false when it was cut often enough.
    fn cut_again(&self, item: usize, cuts: &mut HashMap<usize, String>) -> bool {
        let before = cuts.get(&item).map_or(&*self.items[item].text, String::as_str);
        let half = cut_to_tokens(before, estimated_tokens(before) / 2).trim_end().to_owned();
        let whole = &self.items[item].text;
        if half.trim().is_empty() || half.len() < whole.len() >> CUTS {
            return false;
        }
        cuts.insert(item, half);
        true
    }

    /// Sends one request and checks its answer.
    async fn request(
        &self,
        part: &[usize],
        cuts: &HashMap<usize, String>,
        done: &mut Done,
    ) -> Result<Vec<(usize, Vec<f32>)>, Trouble> {
        let remote = self.remote;
        let ask = Ask {
            wire: remote.provider.wire,
            model: &self.model,
            dimensions: remote.options.dimensions,
            role: self.role,
            base64: matches!(remote.provider.wire, Wire::OpenAi | Wire::Voyage) && remote.provider.needs_key,
        };
        let text = |item: &usize| cuts.get(item).map_or(&*self.items[*item].text, String::as_str);
        let texts: Vec<&str> = part.iter().map(text).collect();
        let tokens: u64 = texts.iter().map(|text| estimated_tokens(text) as u64).sum();
        let mut effort = Effort::default();
        let answer = remote.client.post(&ask.path(), ask.body(&texts), tokens, &mut effort).await;
        done.usage.requests += effort.requests;
        done.usage.retries += effort.retries;
        let answer = answer.map_err(Trouble::Http)?;
        let Reply { rows, tokens: billed } =
            ask.read(&answer, part.len()).map_err(|lie| Trouble::Answer(self.lie(part, lie)))?;
        match billed {
            Some(billed) => done.usage.tokens += billed,
            None => done.usage.estimated_tokens += tokens,
        }
        let rows = part.iter().copied().zip(rows).map(|(item, row)| self.checked(item, row).map(|row| (item, row)));
        rows.collect::<Result<Vec<_>, _>>().map_err(Trouble::Answer)
    }

    /// A row of length 1, if it is sound.
    fn checked(&self, item: usize, mut row: Vec<f32>) -> Result<Vec<f32>, EmbedError> {
        let (model, index) = (self.remote.name.clone(), self.items[item].index);
        let known = &self.remote.sent_dim;
        // An empty row tells no dimension, and is never of one.
        let expected =
            if row.is_empty() { known.get().copied().unwrap_or(1) } else { *known.get_or_init(|| row.len()) };
        if row.len() != expected {
            let hint = match self.remote.options.dimensions {
                Some(_) => {
                    "the server does not give the dimension that was asked for; ask for none, and truncate (--truncate) instead"
                }
                None => "the server changed its model, or has several",
            };
            return Err(EmbedError::Dimension { model, index, found: row.len(), expected, hint });
        }
        if let Some(at) = row.iter().position(|value| !value.is_finite()) {
            return Err(EmbedError::Vector { model, index, reason: format!("holds {} at position {at}", row[at]) });
        }
        if normalize(&mut row) == 0.0 {
            return Err(EmbedError::Vector { model, index, reason: "is zero, which has no direction".to_owned() });
        }
        Ok(row)
    }

    /// Leaves the first values of a row, scaled to length 1.
    fn shorten(&self, row: &mut Vec<f32>) -> Result<(), String> {
        let Some(kept) = self.remote.options.truncate else { return Ok(()) };
        if kept > row.len() {
            return Err(format!("has {} values, of which {kept} cannot be kept", row.len()));
        }
        row.truncate(kept);
        match normalize(row) > 0.0 {
            true => Ok(()),
            false => Err(format!("is zero in its first {kept} values")),
        }
    }

    fn shortened(&self, mut rows: Vec<(usize, Vec<f32>)>, done: &mut Done) -> Option<Vec<(usize, Vec<f32>)>> {
        for (item, row) in &mut rows {
            if let Err(reason) = self.shorten(row) {
                let (model, index) = (self.remote.name.clone(), self.items[*item].index);
                done.failure = Some(EmbedError::Vector { model, index, reason });
                return None;
            }
        }
        Some(rows)
    }

    /// Writes rows to the cache.
    async fn keep(&self, rows: &[(usize, Vec<f32>)], done: &mut Done) {
        let Some(cache) = self.remote.options.cache.clone() else { return };
        let entries: Vec<_> = rows.iter().map(|(item, row)| (self.items[*item].key, kept::write(row))).collect();
        if !matches!(spawn_blocking(move || cache.put_many(entries)).await, Some(Ok(()))) {
            done.usage.cache_failures += 1;
        }
    }

    fn ends(&self, part: &[usize]) -> (usize, usize) {
        let index = |item: Option<&usize>| item.map_or(0, |&item| self.items[item].index);
        (index(part.first()), index(part.last()))
    }

    fn error(&self, part: &[usize], source: HttpError) -> EmbedError {
        let (first, last) = self.ends(part);
        EmbedError::Request { model: self.remote.name.clone(), first, last, source }
    }

    /// The error of an answer that breaks the protocol, by the positions of the call.
    fn lie(&self, part: &[usize], lie: Lie) -> EmbedError {
        let model = self.remote.name.clone();
        let index = |at: usize| part.get(at).map_or(0, |&item| self.items[item].index);
        match lie {
            Lie::Unreadable(reason) => self.error(part, self.remote.client.body_error(reason)),
            Lie::Count(found) => {
                let (first, last) = self.ends(part);
                EmbedError::Count { model, found, expected: part.len(), first, last }
            }
            Lie::Duplicate(at) => EmbedError::Duplicate { model, index: index(at) },
            Lie::Missing(at, detail) => EmbedError::Missing { model, index: index(at), detail },
        }
    }
}

fn ranges(n: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(step).map(move |start| start..n.min(start + step))
}
