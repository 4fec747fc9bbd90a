//! Damaged collections: flipped bits, files cut, extended, swapped and gone. Whatever was done to the files, a
//! search gives the right answer or an error that names a file, `verify` finds it, and nothing panics or ends the
//! process.
//!
//! `GYEOL_DAMAGES=20000 cargo test --release --test damage -- --nocapture` flips every bit of manifest and headers and
//! so many others; a few hundred by default.

mod small;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use gyeol::collection::{Mode, NewDocument, Thoroughness};
use gyeol::{Collection, Effort, Result};

use small::Small;

const DOCUMENTS: usize = 4_300;
const QUERIES: [&str; 3] = ["entry 11", "entry 4000", "nothing like it"];

/// A collection with a graph, a small segment, deleted rows of both, and what it answers.
struct Sound {
    dir: tempfile::TempDir,
    /// Every file and its content.
    files: Vec<(PathBuf, Vec<u8>)>,
    answers: Answers,
    /// The true score of every document for each query.
    scores: Vec<BTreeMap<String, f32>>,
}

#[derive(PartialEq, Debug)]
struct Answers {
    exact: Vec<Vec<(String, f32)>>,
    lexical: Vec<(String, f32)>,
    got: Vec<String>,
}

fn document(i: usize) -> NewDocument {
    NewDocument { key: i.to_string(), text: format!("entry {i}"), ..NewDocument::default() }
}

impl Sound {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut collection = Collection::open_or_create(dir.path().join("c"), Small::new()).unwrap();
        collection.upsert(&(0..DOCUMENTS - 50).map(document).collect::<Vec<_>>()).unwrap();
        collection.commit().unwrap();
        collection.upsert(&(DOCUMENTS - 50..DOCUMENTS).map(document).collect::<Vec<_>>()).unwrap();
        collection.delete("11").unwrap();
        collection.commit().unwrap();
        collection.delete(&(DOCUMENTS - 1).to_string()).unwrap();
        collection.commit().unwrap();
        collection.wait_for_merges().unwrap();
        drop(collection);
        let mut files = Vec::new();
        for folder in ["c", "c/documents", "c/vectors"] {
            for entry in fs::read_dir(dir.path().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() && path.file_name().is_some_and(|n| n != "LOCK" && n != ".gitignore") {
                    files.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        let (answers, scores) = {
            let collection = open(dir.path()).unwrap();
            (ask(&collection).unwrap(), QUERIES.iter().map(|q| scores(&collection, q)).collect())
        };
        Sound { dir, files, answers, scores }
    }

    fn restore(&self, damaged: &[&Path]) {
        for (path, bytes) in self.files.iter().filter(|(path, _)| damaged.contains(&path.as_path())) {
            let _ = fs::remove_file(path);
            fs::write(path, bytes).unwrap();
        }
    }

    /// Looks at the collection as it is now; `what` was done to it.
    fn check(&self, what: &str) -> Seen {
        let opened = open(self.dir.path());
        if let Ok(collection) = &opened {
            match ask(collection) {
                Ok(answers) => assert_eq!(answers, self.answers, "{what}: a wrong answer in silence"),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
            for (query, scores) in QUERIES.iter().zip(&self.scores) {
                // By a damaged graph some of the nearest may be missing, but none is wrong.
                let found = collection.search(query).mode(Mode::Dense).k(10).run();
                for hit in found.into_iter().flatten() {
                    assert_eq!(scores.get(&hit.key), Some(&hit.score), "{what}: {}", hit.key);
                }
            }
            let _ = collection.status();
        }
        let verified = Collection::verify(self.dir.path().join("c"), Thoroughness::Checksums);
        let found = verified.map_or(true, |v| !v.problems.is_empty());
        assert!(found, "{what}: verify finds nothing");
        if opened.is_ok() { Seen::Opened } else { Seen::Refused }
    }

    /// Writes to the damaged collection, which may be refused, and puts it right again.
    fn write_and_restore(&self) {
        if let Ok(mut collection) = open(self.dir.path()) {
            let changed = collection.upsert(&[document(5), document(DOCUMENTS)]).and_then(|_| collection.commit());
            if changed.is_ok() {
                let _ = collection.compact();
            }
        }
        for folder in ["c/documents", "c/vectors"] {
            let _ = fs::remove_dir_all(self.dir.path().join(folder));
            fs::create_dir(self.dir.path().join(folder)).unwrap();
        }
        let all: Vec<&Path> = self.files.iter().map(|(path, _)| path.as_path()).collect();
        self.restore(&all);
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Seen {
    Opened,
    Refused,
}

fn open(dir: &Path) -> Result<Collection> {
    Collection::open(dir.join("c"), Small::new())
}

fn ask(collection: &Collection) -> Result<Answers> {
    let pairs = |found: gyeol::collection::Found| found.into_iter().map(|h| (h.key, h.score)).collect::<Vec<_>>();
    let exact =
        QUERIES.iter().map(|q| collection.search(q).mode(Mode::Dense).k(10).effort(Effort::Exact).run().map(pairs));
    let exact = exact.collect::<Result<Vec<_>>>()?;
    let lexical = pairs(collection.search("entry 77").mode(Mode::Lexical).k(5).run()?);
    let got = ["11", "12", "4290"].iter().map(|key| collection.get(key));
    let got = got.collect::<Result<Vec<_>>>()?.into_iter().flatten().map(|hit| hit.text).collect();
    Ok(Answers { exact, lexical, got })
}

fn scores(collection: &Collection, query: &str) -> BTreeMap<String, f32> {
    let found = collection.search(query).mode(Mode::Dense).k(DOCUMENTS).effort(Effort::Exact).run().unwrap();
    found.into_iter().map(|hit| (hit.key, hit.score)).collect()
}

/// A sequence of numbers that is the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

fn count(default: usize) -> usize {
    std::env::var("GYEOL_DAMAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn write(path: &Path, bytes: &[u8]) {
    // A new file: readers may have the old one mapped.
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}

/// The bits that must be refused at once: all of the manifest, and of the headers of files of vectors.
fn sure_bits(path: &Path, bytes: &[u8]) -> usize {
    match path.extension().and_then(|e| e.to_str()) {
        Some("json") => bytes.len() * 8,
        Some("seg" | "del") if path.parent().is_some_and(|folder| folder.ends_with("vectors")) => {
            let sections = u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]) as usize;
            (64 + 32 * sections) * 8
        }
        _ => 0,
    }
}

#[test]
fn every_flipped_bit_is_found_or_harms_nothing() {
    let sound = Sound::new();
    let wanted = count(300);
    let (mut flips, mut refused, mut random) = (0, 0, Random(1));
    let mut flip = |path: &Path, bytes: &[u8], bit: usize, must_refuse: bool| {
        let mut bad = bytes.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        write(path, &bad);
        let what = format!("bit {} of byte {} of {}", bit % 8, bit / 8, path.display());
        let seen = sound.check(&what);
        assert!(seen == Seen::Refused || !must_refuse, "{what}: not refused");
        flips += 1;
        refused += usize::from(seen == Seen::Refused);
        if flips % 20 == 0 { sound.write_and_restore() } else { sound.restore(&[path]) }
    };
    // Every bit of headers and manifest, or in the short form as many of them as half of what is wanted.
    let sure: Vec<(&PathBuf, &Vec<u8>, usize)> = sound
        .files
        .iter()
        .flat_map(|(path, bytes)| (0..sure_bits(path, bytes)).map(move |b| (path, bytes, b)))
        .collect();
    let step = if wanted < 10_000 { (2 * sure.len()).div_ceil(wanted).max(1) } else { 1 };
    for &(path, bytes, bit) in sure.iter().step_by(step) {
        flip(path, bytes, bit, true);
    }
    let surely = sure.len().div_ceil(step);
    for _ in 0..if step == 1 { wanted } else { wanted - surely } {
        let (path, bytes) = &sound.files[random.below(sound.files.len())];
        flip(path, bytes, random.below(8 * bytes.len()), false);
    }
    println!("{flips} flipped bits, {surely} of {} in headers and manifest: {refused} refused at once", sure.len());
}

#[test]
fn files_cut_extended_swapped_and_gone_are_found() {
    let sound = Sound::new();
    let (mut random, mut done) = (Random(2), 0);
    let rounds = count(300) / 100 + 1;
    for (i, (path, bytes)) in sound.files.iter().enumerate() {
        let mut damage = |what: &str, content: Option<Vec<u8>>| {
            let _ = fs::remove_file(path);
            if let Some(content) = content {
                fs::write(path, content).unwrap();
            }
            let seen = sound.check(&format!("{} {what}", path.display()));
            assert!(seen == Seen::Refused, "{} {what}: not refused", path.display());
            done += 1;
            sound.restore(&[path]);
        };
        if path.extension().is_some_and(|e| e == "json") {
            damage("of no byte", Some(Vec::new()));
        } else {
            damage("gone", None);
        }
        for _ in 0..rounds {
            damage("cut", Some(bytes[..random.below(bytes.len())].to_vec()));
            damage("extended", Some([&bytes[..], &vec![0; 1 + random.below(100)]].concat()));
            let other = &sound.files[(i + 1 + random.below(sound.files.len() - 1)) % sound.files.len()];
            damage("swapped", Some(other.1.clone()));
        }
    }
    println!("{done} files cut, extended, swapped or gone");
}
