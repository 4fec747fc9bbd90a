//! Verifying, repairing, copying, and giving space back.

use super::small::*;
use super::*;
use crate::Error;
use crate::error::StoreError;
use crate::index::Effort;
use crate::store::BLOCK;

/// Writes over the bytes of a section of a segment's file, `from` its start.
fn damage(file: &Path, section: u32, from: usize, bytes: &[u8]) {
    use crate::store::file::{Kind, Sections};
    let map = crate::store::Mapped::copy_of(&fs::read(file).unwrap());
    let at = Sections::open(map, file, Kind::Segment, &[]).unwrap().offset(section).unwrap() + from;
    let mut content = fs::read(file).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    // Under a new inode, as readers have the old one mapped.
    fs::remove_file(file).unwrap();
    fs::write(file, content).unwrap();
}

const ROWS: u32 = 3;
const LINKS: u32 = 5;
const CODES: u32 = 10;

fn open(home: &Home) -> Collection {
    Collection::open(home.at(), Small::new()).unwrap()
}

fn problems(home: &Home, thoroughness: Thoroughness) -> Vec<Problem> {
    Collection::verify(home.at(), thoroughness).unwrap().problems
}

#[test]
fn a_whole_collection_has_no_problem() {
    let home = Home::new(&[]);
    drop(with_graph(&home));
    let found = Collection::verify(home.at(), Thoroughness::Full).unwrap();
    assert!(found.problems.is_empty(), "{found:?}");
    assert_eq!(found.bytes, open(&home).status().unwrap().bytes - 2, "all but the ignore file; the lock is empty");
    assert!(Collection::repair(home.at(), Small::new()).unwrap().is_nothing());
}

#[test]
fn a_damaged_graph_is_searched_exactly_and_repaired() {
    let home = Home::new(&[]);
    let right = answers(&with_graph(&home));
    let file = &vector_files(&home, "seg")[0];
    damage(file, LINKS, 0, &[0xF0; 32]);
    damage(file, CODES, 3 * BLOCK / 2, &[0xF0; 32]);
    let collection = open(&home);
    let query = text(9);
    let search = || collection.search(&query).mode(Mode::Dense).k(3);
    let first = search().run().unwrap();
    assert_eq!(first.hits[0].key, "9");
    let found = search().paranoid(true).run().unwrap();
    assert!(found.warnings.len() == 1 && found.warnings[0].contains("gyeol repair"), "{:?}", found.warnings);
    assert_eq!(found.hits, search().effort(Effort::Exact).run().unwrap().hits);
    assert_eq!(found.work[0].plan, crate::index::Plan::Scan);
    let found = problems(&home, Thoroughness::Checksums);
    assert!(found.iter().all(|p| p.effect == Effect::Slower && p.remedy == Remedy::Repair), "{found:?}");
    assert!(found.len() == 2 && found[0].what.contains("LINKS") && found[1].what.contains("CODES"), "{found:?}");

    let done = Collection::repair(home.at(), Small::new()).unwrap();
    assert_eq!((done.segments, done.embedded), (1, 0));
    assert!(problems(&home, Thoroughness::Full).is_empty());
    let collection = open(&home);
    assert_eq!(answers(&collection), right);
    let found = collection.search(&text(9)).mode(Mode::Dense).paranoid(true).run().unwrap();
    let by_graph = found.work.iter().any(|work| work.plan != crate::index::Plan::Scan);
    assert!(found.warnings.is_empty() && by_graph, "{found:?}");
}

#[test]
fn a_damaged_vector_is_an_error_by_name_and_embedded_again() {
    let home = Home::new(&[]);
    let right = answers(&with_graph(&home));
    let file = &vector_files(&home, "seg")[0];
    damage(file, ROWS, BLOCK, &[0x3F; 3]);
    let collection = open(&home);
    let mut failed = 0;
    for i in 0..200 {
        match collection.search(&text(i)).mode(Mode::Dense).k(1).run() {
            Ok(found) => assert!(found.hits[0].key == i.to_string() || i == 7, "a wrong answer in silence"),
            Err(error) => {
                failed += 1;
                let message = error.to_string();
                assert!(
                    message.contains("ROWS") && message.contains(".seg") && message.contains("repair"),
                    "{message}"
                );
            }
        }
    }
    assert!(failed > 0);
    assert!(collection.search("x").mode(Mode::Dense).effort(Effort::Exact).run().is_err());
    let found = problems(&home, Thoroughness::Checksums);
    assert!(found.len() == 1 && found[0].effect == Effect::Errors && found[0].what.contains("16384"), "{found:?}");
    let done = Collection::repair(home.at(), Small::new()).unwrap();
    assert_eq!(done.segments, 1);
    assert!((1..=BLOCK as u64 / 32).contains(&done.embedded), "only what was damaged: {done:?}");
    assert_eq!(answers(&open(&home)), right);
    assert!(problems(&home, Thoroughness::Full).is_empty());
}

/// Files that are gone, swapped, cut, or another collection's.
#[test]
fn lost_files_of_vectors_are_made_again() {
    let home = Home::new(&[]);
    let right = answers(&with_graph(&home));
    let mend = |what: &str| {
        let refused = Collection::open(home.at(), Small::new());
        assert!(refused.is_err(), "{what}");
        let found = problems(&home, Thoroughness::Checksums);
        assert!(!found.is_empty() && found.iter().all(|p| p.effect == Effect::Closed), "{what}: {found:?}");
        assert!(!Collection::repair(home.at(), Small::new()).unwrap().is_nothing());
        assert_eq!(answers(&open(&home)), right, "{what}");
        assert!(problems(&home, Thoroughness::Full).is_empty(), "{what}");
    };
    let list = &vector_files(&home, "del")[0];
    fs::remove_file(list).unwrap();
    mend("a list of deleted rows is gone");
    let segments = vector_files(&home, "seg");
    assert!(segments.len() > 1);
    let (one, other) = (fs::read(&segments[0]).unwrap(), fs::read(&segments[1]).unwrap());
    fs::write(&segments[0], &other).unwrap();
    fs::write(&segments[1], &one).unwrap();
    mend("two segments are swapped");
    let segment = &vector_files(&home, "seg")[0];
    fs::write(segment, &fs::read(segment).unwrap()[1..]).unwrap();
    mend("a segment is cut");
    vector_files(&home, "seg").iter().chain(&vector_files(&home, "del")).for_each(|f| fs::remove_file(f).unwrap());
    mend("all are gone");
}

#[test]
fn damaged_texts_are_named_and_not_repaired() {
    let home = Home::new(&[]);
    drop(with_graph(&home));
    let files = || fs::read_dir(home.at().join(directory::FOLDER)).unwrap().map(|e| e.unwrap().path());
    let stores = files().filter(|f| f.extension().is_some_and(|e| e == "store"));
    let store = stores.max_by_key(|f| fs::metadata(f).unwrap().len()).unwrap();
    let mut bytes = fs::read(&store).unwrap();
    bytes[100] ^= 1;
    fs::write(&store, bytes).unwrap();
    let found = problems(&home, Thoroughness::Checksums);
    assert!(found.len() == 1 && found[0].remedy == Remedy::Rebuild && found[0].path == store, "{found:?}");
    for error in [
        open(&home).search(&text(0)).mode(Mode::Dense).k(MANY).run().map(drop).unwrap_err(),
        Collection::repair(home.at(), Small::new()).map(drop).unwrap_err(),
        open(&home).delete("0").map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Store(StoreError::Corrupt { .. })), "{error:?}");
        assert!(error.to_string().contains(".store"), "{error}");
    }
}

/// A block is compared before any merge gives its rows checksums of their own.
#[test]
fn damage_is_not_merged_into_a_whole_file() {
    let home = Home::new(&[]);
    drop(with_graph(&home));
    damage(&vector_files(&home, "seg")[0], ROWS, 5, &[0xF0]);
    let mut collection = open(&home);
    let error = collection.compact().unwrap_err();
    assert!(error.to_string().contains("ROWS"), "{error}");
    collection.upsert(&[document("new", "still written")]).unwrap();
    collection.commit().unwrap();
    assert_eq!(collection.wait_for_merges().unwrap().len(), 0);
    drop(collection);
    assert!(!Collection::repair(home.at(), Small::new()).unwrap().is_nothing());
    assert!(problems(&home, Thoroughness::Full).is_empty());
}

fn holds(folder: &Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holds(&path, needle)
        } else {
            fs::read(path).unwrap().windows(needle.len()).any(|w| w == needle)
        }
    })
}

#[test]
fn nothing_of_a_purged_document_is_left() {
    let home = Home::new(&[]);
    let mut collection = with_graph(&home);
    let secret = NewDocument {
        key: "purge-me-key".to_owned(),
        text: "xkcdqzv".to_owned(),
        payload: serde_json::json!({ "owner": "jvwqkzx" }).as_object().cloned().unwrap(),
    };
    collection.upsert(std::slice::from_ref(&secret)).unwrap();
    collection.commit().unwrap();
    let snapshot = collection.snapshot().unwrap();
    let slot = snapshot.documents.slots(By::Key("purge-me-key")).unwrap()[0];
    let row: Vec<u8> = snapshot.vector(slot).unwrap().unwrap().0.iter().flat_map(|x| x.to_le_bytes()).collect();
    drop(snapshot);
    // Terms are stored as a tree of letters; texts are compressed, but letters that repeat nothing stay.
    let words: Vec<&[u8]> = vec![b"xkcdqzv", b"jvwqkzx", &row];
    for needle in &words {
        assert!(holds(&home.at(), needle), "{:?} is there to be found", String::from_utf8_lossy(needle));
    }
    assert_eq!(collection.purge(&["purge-me-key"]).unwrap(), 1);
    for needle in words.iter().chain(&[&b"purge-me"[..], b"xkcd"]) {
        assert!(!holds(&home.at(), needle), "{:?}", String::from_utf8_lossy(needle));
    }
    let status = collection.status().unwrap();
    assert_eq!((status.segments, status.deleted_vectors), (1, 0));
    assert_eq!((status.document_segments, status.deleted_documents), (1, 0));
    assert_eq!(status.documents as usize, MANY + 100 - 2);
    assert!(problems(&home, Thoroughness::Full).is_empty());
    assert_eq!(collection.purge::<&str>(&[]).unwrap(), 0, "nothing is left to do");
}

/// Bytes of the collection's files that this process has mapped, those that are gone included.
fn mapped(folder: &Path) -> f64 {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let ours = maps.lines().filter(|line| line.contains(folder.to_str().unwrap()));
    let size = |line: &str| {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        Some((u64::from_str_radix(to, 16).ok()? - u64::from_str_radix(from, 16).ok()?) as f64)
    };
    ours.filter_map(size).sum()
}

/// Deleting nine of ten, and replacing everything a hundred times, leave no more than a fresh build and a third.
#[test]
fn space_comes_back_by_itself() {
    let documents = |round: usize| -> Vec<NewDocument> {
        (0..1_000).map(|i| document(&i.to_string(), &format!("entry {i} of round {round}"))).collect()
    };
    let (home, fresh) = (Home::new(&[]), Home::new(&[]));
    let mut collection = Collection::open_or_create(home.at(), Small::new()).unwrap();
    for round in 0..100 {
        collection.upsert(&documents(round)).unwrap();
        collection.commit().unwrap();
    }
    assert!(collection.wait_for_merges().unwrap().is_empty());
    let make = |documents: &[NewDocument]| {
        let _ = fs::remove_dir_all(fresh.at());
        let mut collection = Collection::open_or_create(fresh.at(), Small::new()).unwrap();
        collection.upsert(documents).unwrap();
        collection.commit().unwrap();
        drop(collection);
        total_bytes(&fresh.at()) as f64
    };
    let (replaced, whole) = (total_bytes(&home.at()) as f64, make(&documents(99)));
    assert!(replaced <= 1.3 * whole, "{replaced} of {whole}");
    assert!(cfg!(not(target_os = "linux")) || mapped(&home.at()) > 0.5 * whole);
    assert!(mapped(&home.at()) <= 1.3 * whole, "the memory that is mapped: {}", mapped(&home.at()));
    for i in 0..900 {
        collection.delete(&i.to_string()).unwrap();
    }
    collection.commit().unwrap();
    assert!(collection.wait_for_merges().unwrap().is_empty());
    let (left, tenth) = (total_bytes(&home.at()) as f64, make(&documents(99)[900..]));
    println!("replaced {:.2}, deleted {:.2} of a fresh build", replaced / whole, left / tenth);
    assert!(left <= 1.3 * tenth, "{left} of {tenth}");
    // Mapped are whole pages of each file.
    assert!(mapped(&home.at()) <= 1.3 * tenth + 16.0 * 4096.0, "the memory that is mapped: {}", mapped(&home.at()));
    assert_eq!(collection.status().unwrap().documents, 100);
}

#[test]
fn a_copy_is_of_one_commit_while_a_writer_goes_on() {
    let home = Home::new(&[]);
    let mut collection = Collection::open_or_create(home.at(), Small::new()).unwrap();
    let to = home.path("copies");
    let all = |round: usize| -> Vec<NewDocument> {
        (0..30).map(|i| document(&i.to_string(), &format!("entry {i} of round {round}"))).collect()
    };
    collection.upsert(&all(0)).unwrap();
    collection.commit().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (flag, path) = (&done, home.at());
        let copies = scope.spawn(move || {
            let mut n = 0;
            while !flag.load(std::sync::atomic::Ordering::Relaxed) || n == 0 {
                let copying = if n % 2 == 0 { Copying::Links } else { Copying::Bytes };
                Collection::snapshot_to(&path, to.join(n.to_string()), copying).unwrap();
                n += 1;
            }
            n
        });
        for round in 1..40 {
            collection.upsert(&all(round)).unwrap();
            collection.commit().unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for n in 0..copies.join().unwrap() {
            let at = home.path("copies").join(n.to_string());
            assert!(Collection::verify(&at, Thoroughness::Full).unwrap().problems.is_empty());
            let mut copy = Collection::open(&at, Small::new()).unwrap();
            let texts: Vec<String> =
                copy.search("x").mode(Mode::Dense).k(100).run().unwrap().into_iter().map(|h| h.text).collect();
            let round = texts[0].rsplit(' ').next().unwrap().to_owned();
            assert!(texts.len() == 30 && texts.iter().all(|t| t.ends_with(&format!("round {round}"))), "{texts:?}");
            copy.upsert(&[document("own", "a copy is written to like any other")]).unwrap();
            copy.commit().unwrap();
        }
    });
    assert_eq!(collection.status().unwrap().documents, 30);
    let refused = Collection::snapshot_to(home.at(), home.path("copies"), Copying::Links).unwrap_err();
    assert!(refused.to_string().contains("not empty"), "{refused}");
}

/// A writer that cannot open what others committed builds nothing on what it had.
#[test]
fn a_writer_that_cannot_see_the_latest_commit_undoes_nothing() {
    let home = Home::new(&[]);
    let mut worn = with_graph(&home);
    // Merging is due, and not done.
    worn.writer().unwrap().vectors().hold_all();
    for i in 0..MANY * 3 / 4 {
        worn.delete(&i.to_string()).unwrap();
    }
    worn.commit().unwrap();
    drop(worn);
    let mut stale = open(&home);
    assert!(stale.status().unwrap().deleted_vectors as usize > MANY / 2);
    let mut other = open(&home);
    other.writer().unwrap().vectors().hold_all();
    other.upsert(&[document("late", "a text of the other writer")]).unwrap();
    other.commit().unwrap();
    drop(other);
    let late = vector_files(&home, "seg").pop().unwrap();
    let sound = fs::read(&late).unwrap();
    fs::write(&late, &sound[..100]).unwrap();
    assert!(stale.upsert(&[document("early", "not to be written")]).is_err());
    drop(stale);
    fs::write(&late, &sound).unwrap();
    let collection = open(&home);
    assert_eq!(collection.search("a text of the other writer").k(1).run().unwrap().hits[0].key, "late");
    assert!(collection.get("0").unwrap().is_empty());
    assert!(problems(&home, Thoroughness::Full).is_empty());
}

/// What lies in the folders and is not ours by its name stays, and links are not followed.
#[test]
fn files_of_others_are_left_alone() {
    let home = Home::new(&[]);
    drop(with_graph(&home));
    let others = ["vectors/notes.seg", "vectors/00000001.txt", "documents/thesis.md", "documents/meta.json"];
    others.iter().for_each(|name| fs::write(home.at().join(name), "mine").unwrap());
    let left = home.at().join("vectors/99999999.seg");
    fs::write(&left, "what a killed writer left").unwrap();
    let mut collection = open(&home);
    collection.upsert(&[document("new", "x")]).unwrap();
    collection.compact().unwrap();
    drop(collection);
    assert!(others.iter().all(|name| home.at().join(name).exists()) && !left.exists());

    // Without its manifest nothing is known to be old.
    let manifest = home.at().join(manifest::FILE);
    let sound = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    let error = Collection::open_or_create(home.at(), Small::new()).err().unwrap();
    assert!(error.to_string().contains("manifest.json is gone"), "{error}");
    fs::write(&manifest, sound).unwrap();
    assert_eq!(open(&home).status().unwrap().documents as usize, MANY + 99);

    #[cfg(unix)]
    {
        let (victim, planted) = (home.path("victim"), home.path("planted"));
        fs::create_dir_all(&victim).unwrap();
        fs::create_dir_all(&planted).unwrap();
        fs::write(victim.join("00000001.seg"), "mine").unwrap();
        fs::write(planted.join("LOCK"), "").unwrap();
        std::os::unix::fs::symlink(&victim, planted.join("vectors")).unwrap();
        assert!(Collection::open_or_create(&planted, Small::new()).is_err());
        assert!(Collection::rebuild(&planted, Small::new(), ChunkSize::default()).is_err());
        assert!(victim.join("00000001.seg").exists());
    }
}
