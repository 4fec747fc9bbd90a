//! Commits: one writer, readers on snapshots, all or nothing, merging, damage.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::Error;
use crate::error::StoreError;
use crate::store::{Disk, Mapped, StorageFile};

#[test]
fn one_writer_and_readers_that_keep_what_they_opened() {
    let home = Home::new(&[]);
    let mut writer = home.open();
    writer.upsert(&[document("a", "A cat sleeps.")]).unwrap();
    writer.commit().unwrap();
    let mut reader = Collection::open(home.at(), builtin()).unwrap();
    let refused = Collection::open(home.at(), builtin()).unwrap().upsert(&[document("b", "x")]);
    let message = match refused {
        Err(Error::Store(e @ StoreError::Locked { .. })) => e.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(message.contains(&std::process::id().to_string()), "{message}");

    writer.delete("a").unwrap();
    for i in 0..20 {
        writer.upsert(&[document(&format!("b{i}"), &format!("Ship number {i} sails."))]).unwrap();
        writer.commit().unwrap();
    }
    assert_eq!(reader.search("kitten").run().unwrap().hits[0].text, "A cat sleeps.");
    assert_eq!(reader.status().unwrap().documents, 1);
    reader.refresh().unwrap();
    assert_eq!(reader.status().unwrap().documents, 20);
    assert!(reader.get("a").unwrap().is_empty());
    drop(writer);
    reader.delete("b0").unwrap();
    reader.commit().unwrap();
    assert_eq!(reader.status().unwrap().documents, 19);
}

/// Commits of many sizes with deletions agree with a map, and leave few segments and no old file.
#[test]
fn many_commits_are_merged_and_agree_with_a_map() {
    let home = Home::new(&[]);
    let mut collection = home.open();
    let mut want: BTreeMap<String, String> = BTreeMap::new();
    let mut state = 7u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    for round in 0..60 {
        let batch: Vec<NewDocument> = (0..1 + random(25))
            .map(|i| {
                document(
                    &format!("key {}", (random(200) / 7) * 26 + i),
                    &format!("Entry {round} {i}: {}", random(1000)),
                )
            })
            .collect();
        collection.upsert(&batch).unwrap();
        want.extend(batch.into_iter().map(|d| (d.key, d.text)));
        for _ in 0..random(12) {
            let key = format!("key {}", random(800));
            assert_eq!(collection.delete(&key).unwrap() == 1, want.remove(&key).is_some());
        }
        collection.commit().unwrap();
    }
    let found =
        collection.search("entry").mode(Mode::Dense).k(10_000).effort(crate::index::Effort::Exact).run().unwrap();
    let got: BTreeMap<String, String> = found.into_iter().map(|h| (h.key, h.text)).collect();
    assert_eq!(got, want);
    let status = collection.status().unwrap();
    assert_eq!((status.documents, status.without_vector), (want.len() as u64, 0));
    assert!(status.segments <= 12, "{status:?}");
    assert!(collection.wait_for_merges().unwrap().is_empty());
    let named = collection.manifest(|m| m.vector_files().count());
    assert_eq!(fs::read_dir(home.at().join(snapshot::FOLDER)).unwrap().count(), named);
}

/// A disk that fails for good after so many operations, as when it is full or taken away.
#[derive(Debug)]
struct Failing {
    disk: Disk,
    left: Arc<AtomicI64>,
}

fn spend(left: &AtomicI64) -> io::Result<()> {
    if left.fetch_sub(1, Ordering::Relaxed) > 0 { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
}

impl Storage for Failing {
    fn open(&self, name: &Path) -> io::Result<Mapped> {
        self.disk.open(name)
    }

    fn create(&self, name: &Path) -> io::Result<Box<dyn StorageFile>> {
        spend(&self.left)?;
        Ok(Box::new(FailingFile(self.disk.create(name)?, self.left.clone())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        spend(&self.left).and_then(|()| self.disk.rename(from, to))
    }

    fn remove(&self, name: &Path) -> io::Result<()> {
        spend(&self.left).and_then(|()| self.disk.remove(name))
    }

    fn exists(&self, name: &Path) -> io::Result<bool> {
        self.disk.exists(name)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        self.disk.list(folder)
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_dir(folder)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        spend(&self.left).and_then(|()| self.disk.sync_dir(folder))
    }

    fn lock(&self, name: &Path) -> Result<Box<dyn Send + Sync>, StoreError> {
        self.disk.lock(name)
    }

    fn full_path(&self, name: &Path) -> PathBuf {
        self.disk.full_path(name)
    }
}

struct FailingFile(Box<dyn StorageFile>, Arc<AtomicI64>);

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        spend(&self.1).and_then(|()| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl StorageFile for FailingFile {
    fn sync(&mut self) -> io::Result<()> {
        spend(&self.1).and_then(|()| self.0.sync())
    }
}

fn texts(path: &Path) -> Vec<String> {
    let collection = Collection::open(path, builtin()).unwrap();
    let found = collection.search("a text").mode(Mode::Dense).k(100).effort(crate::index::Effort::Exact).run().unwrap();
    let mut dense: Vec<String> = found.into_iter().map(|h| h.text).collect();
    let found = collection.search("text").k(100).mode(Mode::Lexical).run().unwrap();
    let mut lexical: Vec<String> = found.into_iter().map(|h| h.text).collect();
    dense.sort();
    lexical.sort();
    assert_eq!(dense, lexical, "vectors and documents are of one commit");
    dense
}

/// Wherever the disk fails, the collection is as of the old or the new commit, and goes on.
#[test]
fn a_failing_disk_leaves_one_commit_or_the_other() {
    let (mut old_seen, mut new_seen, mut allowed) = (0, 0, 0);
    loop {
        let home = Home::new(&[]);
        let mut collection = home.open();
        collection.upsert(&[document("a", "text one"), document("b", "text two")]).unwrap();
        collection.commit().unwrap();
        drop(collection);
        let old = texts(&home.at());

        let left = Arc::new(AtomicI64::new(allowed));
        let storage = Arc::new(Failing { disk: Disk::new(home.at()), left: left.clone() });
        let mut failing = Collection::open_on(storage, builtin()).unwrap();
        let changed = failing
            .upsert(&[document("a", "text changed"), document("c", "text three")])
            .and_then(|_| failing.commit());
        if changed.is_err() {
            assert!(failing.upsert(&[document("d", "more")]).is_err(), "a failed writer takes no more");
        }
        let whole = changed.is_ok() && left.load(Ordering::Relaxed) >= 0;
        drop(failing);
        let now = texts(&home.at());
        if now == old {
            assert!(changed.is_err(), "a commit that was told to be done is done");
            old_seen += 1;
        } else {
            assert_eq!(now, ["text changed", "text three", "text two"]);
            new_seen += 1;
        }
        let mut again = home.open();
        again.upsert(&[document("e", "text at the end")]).unwrap();
        again.commit().unwrap();
        drop(again);
        assert_eq!(texts(&home.at()).len(), now.len() + 1);
        if whole {
            break;
        }
        allowed += 1;
    }
    println!("{allowed} places to fail: {old_seen} old, {new_seen} new");
    assert!(old_seen > 10 && new_seen >= 1);
}

#[test]
fn damaged_files_are_named() {
    let home = Home::new(&[("a.md", "A cat sleeps."), ("b.md", "A ship sails.")]);
    home.index();
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in [directory::FOLDER, snapshot::FOLDER] {
        files.extend(fs::read_dir(home.at().join(folder)).unwrap().map(|e| e.unwrap().path()));
    }
    files.push(home.at().join(manifest::FILE));
    assert!(files.len() > 5);
    for file in files {
        let sound = fs::read(&file).unwrap();
        for cut in [0, sound.len() / 2, sound.len() - 1] {
            fs::write(&file, &sound[..cut]).unwrap();
            ask(&home);
        }
        for at in (0..sound.len()).step_by(sound.len() / 20 + 1) {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x55;
            fs::write(&file, &bytes).unwrap();
            ask(&home);
        }
        fs::remove_file(&file).unwrap();
        ask(&home);
        fs::write(&file, &sound).unwrap();
    }
    assert_eq!(paths(home.open().search("kitten").k(1).run().unwrap()), ["a.md"]);
}

/// Whatever the files hold, the answer is a result or a typed error.
fn ask(home: &Home) {
    let Ok(collection) = Collection::open(home.at(), builtin()) else { return };
    let _ = collection.search("kitten").run();
    let _ = collection.search("cat").mode(Mode::Lexical).run();
    let _ = collection.get("a.md");
    let _ = collection.status();
}

/// Writing onto damaged files is a result or a typed error too, and ends.
#[test]
fn damaged_files_are_no_panic_to_a_writer() {
    let home = Home::new(&[("a.md", "A cat sleeps."), ("b.md", "A ship sails.")]);
    home.index();
    let files = |home: &Home| -> Vec<PathBuf> {
        let list = |folder| fs::read_dir(home.at().join(folder)).unwrap().map(|e| e.unwrap().path());
        let mut files: Vec<PathBuf> = list(directory::FOLDER).chain(list(snapshot::FOLDER)).collect();
        files.extend(Some(home.at().join(manifest::FILE)).filter(|f| f.exists()));
        files.sort();
        files
    };
    let sound: Vec<(PathBuf, Vec<u8>)> = files(&home).into_iter().map(|f| (f.clone(), fs::read(f).unwrap())).collect();
    for (damaged, bytes) in &sound {
        for part in 2..16 {
            let mut bytes = bytes.clone();
            let at = bytes.len() * (part - 1) / part;
            bytes[at] ^= 0x55;
            fs::write(damaged, &bytes).unwrap();
            if let Ok(mut collection) = Collection::open(home.at(), builtin()) {
                let _ = collection.upsert(&[document("a.md", "A dog barks."), document("new", "A train.")]);
                let _ = collection.commit();
            }
            files(&home).iter().for_each(|f| fs::remove_file(f).unwrap());
            sound.iter().for_each(|(file, bytes)| fs::write(file, bytes).unwrap());
        }
    }
    assert_eq!(home.open().status().unwrap().documents, 2);
}

#[test]
fn a_collection_made_anew_replaces_the_old_one_at_once() {
    let home = Home::new(&[("a.md", "A cat sleeps."), ("b.md", "A ship sails.")]);
    home.index();
    let mut reader = Collection::open(home.at(), builtin()).unwrap();
    let mut anew = Collection::rebuild(home.at(), builtin(), ChunkSize::Whole).unwrap();
    anew.add_dir(home.dir.path()).unwrap();
    anew.refresh().unwrap();
    drop(anew);
    reader.refresh().unwrap();
    assert_eq!(paths(reader.search("kitten").k(1).run().unwrap()), ["a.md"], "nothing is lost without a commit");
    assert_eq!(reader.chunk(), ChunkSize::default());

    for round in 0..2 {
        let mut anew = Collection::rebuild(home.at(), builtin(), ChunkSize::Whole).unwrap();
        assert_eq!(anew.add_dir(home.dir.path()).unwrap().embedded, 2);
        assert_eq!(reader.search("kitten").run().unwrap().hits.len(), 2 + round);
        anew.commit().unwrap();
        anew.upsert(&[document("c", "A train arrives.")]).unwrap();
        anew.commit().unwrap();
        drop(anew);
        reader.refresh().unwrap();
        let status = reader.status().unwrap();
        assert_eq!((status.documents, status.chunk, status.without_vector), (3, ChunkSize::Whole, 0), "round {round}");
        assert_eq!(reader.search("train").k(10).run().unwrap().hits.len(), 3);
    }
    for folder in [directory::FOLDER, snapshot::FOLDER] {
        for file in fs::read_dir(home.at().join(folder)).unwrap() {
            fs::write(file.unwrap().path(), "damaged").unwrap();
        }
    }
    fs::write(home.at().join(manifest::FILE), "damaged").unwrap();
    assert!(Collection::open(home.at(), builtin()).is_err());
    let mut anew = Collection::rebuild(home.at(), builtin(), ChunkSize::default()).unwrap();
    anew.add_dir(home.dir.path()).unwrap();
    anew.commit().unwrap();
    assert_eq!(home.open().status().unwrap().documents, 2);
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let home = Home::new(&[
        ("documents/meta.json", "{\"title\":\"x\"}"),
        ("documents/thesis.md", "work"),
        ("vectors/logo.svg", "<svg/>"),
    ]);
    let at = home.dir.path();
    let refused = |r: Result<Collection>| assert!(r.is_err());
    refused(Collection::open_or_create(at, builtin()));
    refused(Collection::rebuild(at, builtin(), ChunkSize::default()));
    fs::remove_file(home.path("documents/meta.json")).unwrap();
    let message = Collection::open_or_create(at, builtin()).err().unwrap().to_string();
    assert!(message.contains("a folder of its own"), "{message}");
    assert!(home.path("documents/thesis.md").exists() && home.path("vectors/logo.svg").exists());
    assert!(!home.path(".gitignore").exists());
}

#[test]
fn a_changed_letter_in_the_commit_is_found() {
    let home = Home::new(&[("a.md", "A cat sleeps.")]);
    home.index();
    let meta = home.at().join(manifest::FILE);
    let text = fs::read_to_string(&meta).unwrap();
    let changed = text.replacen("\"opstamp\"", "\"opstamq\"", 1);
    assert_ne!(changed, text);
    fs::write(&meta, changed).unwrap();
    let error = Collection::open(home.at(), builtin()).err().unwrap();
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn a_missing_file_is_damage() {
    let home = Home::new(&[("a.md", "A cat sleeps.")]);
    home.index();
    let segment = fs::read_dir(home.at().join(snapshot::FOLDER)).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(segment).unwrap();
    let error = Collection::open(home.at(), builtin()).err().unwrap();
    assert!(matches!(error, Error::Collection(CollectionError::Corrupt { .. })), "{error}");
    assert!(error.to_string().contains(".seg") && error.to_string().contains("--rebuild"), "{error}");
}

#[test]
fn a_collection_removed_under_a_reader_is_made_anew() {
    let home = Home::new(&[("a.md", "A cat sleeps.")]);
    home.index();
    let mut collection = Collection::open(home.at(), builtin()).unwrap();
    fs::remove_dir_all(home.at()).unwrap();
    collection.upsert(&[document("b", "A ship sails.")]).unwrap();
    collection.commit().unwrap();
    drop(collection);
    assert_eq!(home.open().status().unwrap().documents, 1);
}

#[test]
fn a_newer_format_says_upgrade() {
    let home = Home::new(&[]);
    let mut collection = home.open();
    collection.upsert(&[document("a", "x")]).unwrap();
    collection.commit().unwrap();
    let newer = collection.manifest(|m| Manifest { format: manifest::FORMAT + 1, ..m.clone() });
    drop(collection);
    fs::write(home.at().join(manifest::FILE), newer.to_bytes().unwrap()).unwrap();
    let refused = Collection::open(home.at(), builtin());
    assert!(matches!(refused, Err(Error::Collection(CollectionError::NewerFormat { found: 2, supported: 1, .. }))));
}
