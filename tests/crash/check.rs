//! Compares a whole collection with what its commits must have made of it.

use std::collections::BTreeMap;
use std::path::Path;

use gyeol::collection::{Hit, Mode, Thoroughness};
use gyeol::error::CollectionError;
use gyeol::{Collection, Effort, Error};

use super::driver;
use super::embedder::{self, Hashed};
use super::plan::{COMMON, NUMBER, Plan, number_of};

/// Texts by key.
type Content = BTreeMap<String, String>;

/// What a collection must hold after a number of commits.
#[derive(Clone, Debug)]
pub struct Model {
    plan: Plan,
    number: u64,
    content: Content,
}

impl Model {
    /// Before the first commit.
    pub fn new(plan: Plan) -> Self {
        Model { plan, number: 0, content: Content::new() }
    }

    /// After commit `n`.
    pub fn at(plan: Plan, n: u64) -> Self {
        let mut model = Model::new(plan);
        model.advance(n);
        model
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    fn advance(&mut self, n: u64) {
        while self.number < n {
            self.number += 1;
            let changes = self.plan.changes(self.number);
            changes.delete.iter().for_each(|key| drop(self.content.remove(key)));
            self.content.extend(changes.upsert);
        }
    }
}

/// Checks that the collection is that of commit `acknowledged` or of the next one, and brings the
/// model there. A collection that is not there, or empty, is that of commit 0.
pub fn verify(path: &Path, model: &mut Model, acknowledged: u64) -> Result<(), String> {
    let acknowledged = acknowledged.max(model.number);
    let content = content(path)?;
    let number = match content.get(NUMBER) {
        Some(text) => number_of(text).ok_or_else(|| format!("no number in {text:?}"))?,
        None => 0,
    };
    if number < acknowledged {
        return Err(format!("commit {acknowledged} was acknowledged and is lost: the collection is that of {number}"));
    }
    if number > acknowledged + 1 {
        return Err(format!("the collection is that of {number}, which was never begun after {acknowledged}"));
    }
    model.advance(number);
    compare(&format!("commit {number}"), &content, &model.content)
}

/// Opens the collection for writing, which a lock left behind would prevent, and checks that the
/// next commit arrives.
pub fn go_on(path: &Path, model: &mut Model) -> Result<(), String> {
    let failed = |e: Error| format!("a new writer cannot go on: {e}");
    let mut collection = driver::open(path).map_err(failed)?;
    let next = model.number + 1;
    driver::commit(&mut collection, model.plan, next).map_err(failed)?;
    driver::settle(&mut collection).map_err(failed)?;
    drop(collection);
    verify(path, model, next)
}

/// All texts, as the search by vectors, the search by words and the look-up by key show them alike.
fn content(path: &Path) -> Result<Content, String> {
    let said = |what: &str, e: Error| format!("{what}: {e}");
    let collection = match Collection::open(path, Hashed::new()) {
        Err(Error::Collection(CollectionError::NotFound { .. })) => return Ok(Content::new()),
        opened => opened.map_err(|e| said("cannot be opened", e))?,
    };
    let verified = Collection::verify(path, Thoroughness::Full).map_err(|e| said("cannot be verified", e))?;
    if let Some(problem) = verified.problems.first() {
        return Err(format!("{problem:?} is one of {} problems", verified.problems.len()));
    }
    let status = collection.status().map_err(|e| said("has no status", e))?;
    // Enough for a hit too many to be seen.
    let k = 2 * status.chunks as usize + 16;
    let search = |mode| collection.search(COMMON).mode(mode).effort(Effort::Exact).k(k).run();
    let dense = search(Mode::Dense).map_err(|e| said("cannot be searched by vectors", e))?.hits;
    let lexical = search(Mode::Lexical).map_err(|e| said("cannot be searched by words", e))?.hits;
    let query = embedder::vector(COMMON);
    for hit in &dense {
        let score: f32 = embedder::vector(&hit.text).iter().zip(&query).map(|(a, b)| a * b).sum();
        if (score - hit.score).abs() > 1e-4 {
            return Err(format!("the vector of {:?} is not that of its text: {score}, {}", hit.key, hit.score));
        }
    }
    let (dense, lexical) = (by_key(dense)?, by_key(lexical)?);
    compare("the search by words", &dense, &lexical)?;
    if (status.documents, status.chunks) != (dense.len() as u64, dense.len() as u64) {
        return Err(format!("{} texts are found where the status says {status:?}", dense.len()));
    }
    for key in dense.keys().step_by(7).map(String::as_str).chain([NUMBER]) {
        let got = by_key(collection.get(key).map_err(|e| said("has no look-up by key", e))?)?;
        if got.get(key) != dense.get(key) {
            return Err(format!("under the key {key:?} stands {got:?}, and the search finds {:?}", dense.get(key)));
        }
    }
    Ok(dense)
}

fn by_key(hits: Vec<Hit>) -> Result<Content, String> {
    let mut content = Content::new();
    for Hit { key, text, .. } in hits {
        if let Some(other) = content.insert(key.clone(), text.clone()) {
            return Err(format!("{key:?} is found twice: {text:?}, {other:?}"));
        }
    }
    Ok(content)
}

fn compare(what: &str, found: &Content, expected: &Content) -> Result<(), String> {
    let keys = found.keys().chain(expected.keys());
    let mut wrong: Vec<&String> = keys.filter(|&key| found.get(key) != expected.get(key)).collect();
    wrong.sort();
    wrong.dedup();
    let Some(key) = wrong.first() else { return Ok(()) };
    let (found, expected) = (found.get(*key), expected.get(*key));
    let keys = wrong.len();
    Err(format!("{what} differs in {keys} keys; the first is {key:?}: found {found:?}, expected {expected:?}"))
}
