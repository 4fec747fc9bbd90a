//! A program that fills a collection on a simulated disk, and what it was told on the way.

use std::sync::Arc;

use gyeol::Collection;
use gyeol::collection::NewDocument;
use gyeol::store::Storage;

use super::simulated::answers::Checked;
use super::simulated::disk::{History, SimulatedDisk};
use super::simulated::words::{Documents, Random, Words, document, text};

/// Enough for the merges of small segments, of vectors and of documents, to take place.
const COMMITS: usize = 12;
const KEYS: usize = 24;

/// The documents of a commit; none where there is no collection.
pub type Found = Option<Arc<Documents>>;

/// What a program did to a disk until it was gone.
pub struct Life {
    pub history: History,
    /// What the program found, and each of its commits.
    commits: Vec<Commit>,
}

struct Commit {
    documents: Found,
    /// How many operations were done when it was asked for.
    begun: usize,
    /// How many when it was acknowledged.
    done: usize,
}

impl Life {
    /// What a disk may hold when the power is cut after so many operations: the last commit that
    /// was acknowledged, or the one under way.
    pub fn allowed(&self, operations: usize) -> Vec<Found> {
        let last = |reached: &dyn Fn(&Commit) -> bool| self.commits.iter().rposition(reached).unwrap_or_default();
        let (done, begun) = (last(&|c| c.done <= operations), last(&|c| c.begun <= operations));
        self.commits[done..=begun].iter().map(|commit| commit.documents.clone()).collect()
    }
}

/// Runs a program on a disk that holds the documents `found`, through `storage`.
pub fn live(disk: &SimulatedDisk, storage: Arc<dyn Storage>, found: Found, random: &mut Random) -> Checked<Life> {
    let mut program = Program { disk, commits: vec![Commit { documents: found, begun: 0, done: 0 }] };
    let mut collection = program.open(&storage)?;
    for commit in 0..COMMITS {
        // Some commits are larger, so that segments of several tiers stand side by side.
        let most = if commit % 5 == 3 { 30 } else { 4 };
        let want = program.change(&mut collection, most, random)?;
        program.commit(want, |collection| collection.commit().map(|()| collection), &mut collection)?;
        if random.below(4) == 0 {
            if random.below(2) == 0 {
                // Lost, as it was never committed.
                program.change(&mut collection, 3, random)?;
            }
            drop(collection);
            collection = program.open(&storage)?;
        }
    }
    drop(collection);
    Ok(Life { history: disk.history(), commits: program.commits })
}

struct Program<'a> {
    disk: &'a SimulatedDisk,
    commits: Vec<Commit>,
}

impl Program<'_> {
    /// Opens the collection, or makes it, which is a commit.
    fn open(&mut self, storage: &Arc<dyn Storage>) -> Checked<Collection> {
        let open = |_: &mut ()| Collection::open_or_create_on(storage.clone(), Words::new());
        match self.last() {
            Some(_) => open(&mut ()).map_err(|e| format!("open: {e}")),
            None => self.commit(Documents::new(), open, &mut ()),
        }
    }

    fn last(&self) -> Found {
        self.commits.last().and_then(|commit| commit.documents.clone())
    }

    /// Does what makes the documents durable.
    fn commit<'c, T, C>(
        &mut self,
        want: Documents,
        durably: impl FnOnce(&'c mut C) -> gyeol::Result<T>,
        on: &'c mut C,
    ) -> Checked<T> {
        let begun = self.disk.operations();
        let committed = durably(on).map_err(|e| format!("commit {}: {e}", self.commits.len()))?;
        let done = self.disk.operations();
        self.commits.push(Commit { documents: Some(Arc::new(want)), begun, done });
        Ok(committed)
    }

    /// Adds, replaces and deletes documents; returns what is there with the next commit.
    fn change(&self, collection: &mut Collection, most: usize, random: &mut Random) -> Checked<Documents> {
        let mut want = self.last().map(|documents| (*documents).clone()).unwrap_or_default();
        let mut key = || format!("key {}", random.below(KEYS));
        let gone: Vec<String> = (0..2).map(|_| key()).collect();
        let keys: Vec<String> = (0..most).map(|_| key()).collect();
        for key in gone.iter().take(random.below(3)) {
            let count = collection.delete(key).map_err(|e| format!("delete: {e}"))?;
            if (count > 0) != want.remove(key).is_some() {
                return Err(format!("delete {key}: {count} chunks"));
            }
        }
        let fresh: Documents = keys.into_iter().map(|key| (key, text(random.next()))).collect();
        let documents: Vec<NewDocument> = fresh.iter().map(|(key, text)| document(key, text)).collect();
        collection.upsert(&documents).map_err(|e| format!("upsert: {e}"))?;
        want.extend(fresh);
        Ok(want)
    }
}

/// The keys that a collection of this program may have.
pub fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|n| format!("key {n}"))
}
