//! A collection does what a map and comparing all would do, whatever the order of things: changes,
//! commits, closing, power cuts, a second reader, and searches between them.
//!
//! A few cases run always. `GYEOL_STATE_MACHINE_CASES=256 cargo test --release --test
//! state_machine` runs more, of 200 steps on average.

mod simulated;

use std::sync::Arc;

use gyeol::error::StoreError;
use gyeol::{Collection, Effort, Error};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};

use simulated::answers::{Checked, check_key, check_nearest, check_nearest_among, check_status, check_word};
use simulated::disk::SimulatedDisk;
use simulated::durable::{Durable, Loss};
use simulated::words::{Documents, EVERYWHERE, Words, document, text, vector, word};

/// Few, so that most changes are of a document that is there.
const KEYS: u64 = 30;
/// The longest case. They are half as long on average.
const STEPS: usize = 400;

/// Who is asked.
#[derive(Clone, Copy, Debug)]
enum Who {
    Writer,
    Reader,
}

#[derive(Clone, Debug)]
enum Op {
    /// Keys and the numbers of their texts; the last text of a key counts.
    Upsert(Vec<(u64, u64)>),
    /// The same key twice in one call is refused, and changes nothing.
    UpsertTwice(u64, u64),
    Delete(u64),
    Commit,
    /// Merging is waited for, which changes nothing that is seen.
    Merge,
    /// Everything is committed and written anew.
    Compact,
    /// The writer is closed without a commit and opened again.
    Reopen,
    /// The power is cut: what was not synced is lost, kept, or anything between.
    PowerCut(Loss),
    Refresh,
    /// The number of a text, how many, whether exactly, and the fewest words of a document that passes a filter.
    Nearest(Who, u64, usize, bool, Option<usize>),
    Word(Who, usize),
    Get(Who, u64),
    Status(Who),
}

fn op() -> impl Strategy<Value = Op> {
    let who = || prop_oneof![2 => Just(Who::Writer), 1 => Just(Who::Reader)];
    let loss = prop_oneof![
        Just(Loss::Everything),
        Just(Loss::Nothing),
        Just(Loss::Bytes),
        Just(Loss::BytesToZero),
        any::<u64>().prop_map(Loss::Some)
    ];
    // Few texts, so that some stand under several keys.
    let (key, number) = (|| 0..KEYS, || 0..200_u64);
    prop_oneof![
        8 => vec((key(), number()), 1..3).prop_map(Op::Upsert),
        2 => vec((key(), number()), 3..40).prop_map(Op::Upsert),
        1 => (key(), number()).prop_map(|(key, number)| Op::UpsertTwice(key, number)),
        6 => key().prop_map(Op::Delete),
        10 => Just(Op::Commit),
        1 => Just(Op::Merge),
        1 => Just(Op::Compact),
        2 => Just(Op::Reopen),
        2 => loss.prop_map(Op::PowerCut),
        3 => Just(Op::Refresh),
        6 => (who(), number(), 1..50_usize, any::<bool>(), proptest::option::of(1..7_usize))
            .prop_map(|(who, n, k, exact, words)| Op::Nearest(who, n, k, exact, words)),
        4 => (who(), 0..40_usize).prop_map(|(who, n)| Op::Word(who, n)),
        4 => (who(), key()).prop_map(|(who, key)| Op::Get(who, key)),
        2 => who().prop_map(Op::Status),
    ]
}

fn key(number: u64) -> String {
    format!("key {number}")
}

fn documents(changes: &[(u64, u64)]) -> Documents {
    changes.iter().map(|&(k, n)| (key(k), text(n))).collect()
}

fn told<T>(what: &str, result: gyeol::Result<T>) -> Checked<T> {
    result.map_err(|e| format!("{what}: {e}"))
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}

/// A collection with a writer and a reader, and what each of them must see.
struct Machine {
    disk: SimulatedDisk,
    writer: Option<Collection>,
    reader: Collection,
    committed: Documents,
    /// What the next commit makes of it.
    pending: Documents,
    /// What the reader saw last.
    seen: Documents,
}

impl Machine {
    fn new() -> Checked<Self> {
        let disk = SimulatedDisk::default();
        let writer = Some(told("create", Collection::open_or_create_on(Arc::new(disk.clone()), Words::new()))?);
        let reader = Self::open(&disk)?;
        let (committed, pending, seen) = Default::default();
        Ok(Machine { disk, writer, reader, committed, pending, seen })
    }

    fn open(disk: &SimulatedDisk) -> Checked<Collection> {
        told("open", Collection::open_on(Arc::new(disk.clone()), Words::new()))
    }

    fn writer(&mut self) -> Checked<&mut Collection> {
        self.writer.as_mut().ok_or_else(|| "no writer".to_owned())
    }

    /// Who is asked, and what must be the answer.
    fn view(&self, who: Who) -> Checked<(&Collection, &Documents)> {
        match (who, &self.writer) {
            (Who::Reader, _) => Ok((&self.reader, &self.seen)),
            (Who::Writer, Some(writer)) => Ok((writer, &self.committed)),
            (Who::Writer, None) => Err("no writer".to_owned()),
        }
    }

    fn apply(&mut self, op: &Op) -> Checked {
        match op {
            Op::Upsert(changes) => self.upsert(documents(changes)),
            Op::UpsertTwice(k, n) => {
                let twice = [document(&key(*k), &text(*n)), document(&key(*k), &text(n + 1))];
                let refused = matches!(self.writer()?.upsert(&twice), Err(Error::Collection(_)));
                expect(refused, || "a key that stands twice is taken".to_owned())
            }
            Op::Delete(k) => {
                let (key, count) = (key(*k), told("delete", self.writer()?.delete(&key(*k)))?);
                let want = u64::from(self.pending.remove(&key).is_some());
                expect(count == want, || format!("delete {key}: {count} chunks, not {want}"))
            }
            Op::Commit => {
                told("commit", self.writer()?.commit())?;
                self.committed.clone_from(&self.pending);
                Ok(())
            }
            Op::Merge => {
                let trouble = told("wait for merges", self.writer()?.wait_for_merges())?;
                expect(trouble.is_empty(), || format!("merging: {trouble:?}"))
            }
            Op::Compact => {
                told("compact", self.writer()?.compact())?;
                self.committed.clone_from(&self.pending);
                let status = told("status", self.writer()?.status())?;
                let left = (status.deleted_vectors, status.deleted_documents);
                expect(left == (0, 0) && status.segments < 2, || format!("compact leaves {status:?}"))
            }
            Op::Reopen => self.reopen(),
            Op::PowerCut(loss) => self.cut_power(*loss),
            Op::Refresh => {
                told("refresh", self.reader.refresh())?;
                self.seen.clone_from(&self.committed);
                Ok(())
            }
            Op::Nearest(who, number, k, exact, words) => {
                let (collection, want) = self.view(*who)?;
                let query = (*number..).map(text).find(|text| vector(text).is_some()).unwrap_or_default();
                // As few rows as these are compared without being asked to.
                let effort = if *exact { Effort::Exact } else { Effort::default() };
                check_nearest_among(collection, want, (&query, *words), *k, effort)
            }
            Op::Word(who, number) => {
                let (collection, want) = self.view(*who)?;
                let word = if *number == 0 { EVERYWHERE.to_owned() } else { word(*number) };
                check_word(collection, want, &word)
            }
            Op::Get(who, k) => self.view(*who).and_then(|(collection, want)| check_key(collection, want, &key(*k))),
            Op::Status(who) => self.view(*who).and_then(|(collection, want)| check_status(collection, want)),
        }
    }

    fn upsert(&mut self, documents: Documents) -> Checked {
        let new: Vec<_> = documents.iter().map(|(key, text)| document(key, text)).collect();
        let embedded = told("upsert", self.writer()?.upsert(&new))?;
        let has_vector = |text: &String| self.committed.values().any(|t| t == text) && vector(text).is_some();
        let most = documents.values().filter(|text| !has_vector(text)).count() as u64;
        self.pending.extend(documents);
        expect(embedded <= most, || format!("{embedded} texts were embedded where {most} are new"))
    }

    /// One writer at a time: it is closed before another one is opened.
    fn reopen(&mut self) -> Checked {
        if self.pending != self.committed {
            let refused = Self::open(&self.disk)?.delete("key 0");
            let is_locked = matches!(refused, Err(Error::Store(StoreError::Locked { .. })));
            expect(is_locked, || format!("a second writer: {refused:?}"))?;
        }
        self.writer = None;
        self.writer = Some(Self::open(&self.disk)?);
        self.pending.clone_from(&self.committed);
        Ok(())
    }

    fn cut_power(&mut self, loss: Loss) -> Checked {
        let history = self.disk.history();
        self.disk = SimulatedDisk::holding(&Durable::at_the_end(&history).image(loss));
        // The old ones go on with the old disk, of which nobody sees anything any more.
        self.writer = Some(Self::open(&self.disk)?);
        self.reader = Self::open(&self.disk)?;
        self.pending.clone_from(&self.committed);
        self.seen.clone_from(&self.committed);
        Ok(())
    }

    /// Everything that can be asked for.
    fn check_all(&self) -> Checked {
        for who in [Who::Writer, Who::Reader] {
            let (collection, want) = self.view(who)?;
            check_word(collection, want, EVERYWHERE)?;
            check_nearest(collection, want, &word(1), KEYS as usize, Effort::Exact)?;
            (0..KEYS).try_for_each(|k| check_key(collection, want, &key(k)))?;
            check_status(collection, want)?;
        }
        Ok(())
    }
}

fn run(ops: &[Op]) -> Checked {
    let mut machine = Machine::new()?;
    for (step, op) in ops.iter().enumerate() {
        let before = machine.disk.operations();
        machine.apply(op).map_err(|e| format!("step {step} (after operation {before}), {op:?}: {e}"))?;
    }
    machine.check_all().map_err(|e| format!("at the end: {e}"))?;
    // And once more from the disk alone.
    machine.reopen()?;
    machine.check_all().map_err(|e| format!("opened again: {e}"))
}

/// How many cases to run.
fn config() -> Config {
    let cases = std::env::var("GYEOL_STATE_MACHINE_CASES").map_or(8, |cases| cases.parse().unwrap());
    // What fails is printed, and depends on the order of threads: a file of seeds would not help.
    Config { cases, max_shrink_iters: 2_000, failure_persistence: None, ..Config::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_collection_agrees_with_a_map(ops in vec(op(), 1..=STEPS)) {
        run(&ops).map_err(TestCaseError::fail)?;
    }
}

/// The test above can fail: a document that nobody added is missed.
#[test]
fn a_model_that_is_wrong_is_found_out() {
    let ops = [Op::Upsert(vec![(1, 1), (2, 2)]), Op::Commit];
    let wrong: [fn(&mut Documents); 3] = [
        |documents| drop(documents.pop_first()),
        |documents| drop(documents.insert(key(3), text(3))),
        |documents| drop(documents.insert(key(1), text(4))),
    ];
    for change in wrong {
        let mut machine = Machine::new().unwrap();
        ops.iter().try_for_each(|op| machine.apply(op)).unwrap();
        machine.apply(&Op::Refresh).unwrap();
        machine.check_all().unwrap();
        change(&mut machine.seen);
        for op in [Op::Word(Who::Reader, 0), Op::Nearest(Who::Reader, 1, 9, true, None)] {
            machine.apply(&op).unwrap_err();
        }
        machine.check_all().unwrap_err();
    }
}
