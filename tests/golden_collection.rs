//! A collection of format 1, written by an earlier build, is read and written by this one.
//!
//! `GYEOL_WRITE_GOLDEN=1 cargo test --test golden_collection` makes it anew; that is right only before a format is
//! released.

mod small;

use std::fs;
use std::path::Path;

use gyeol::Collection;
use gyeol::collection::{Mode, NewDocument, Thoroughness};

const COLLECTION: &str = "data/golden/collection-1";

fn document(key: &str, text: &str, payload: &serde_json::Value) -> NewDocument {
    let payload = payload.as_object().cloned().unwrap_or_default();
    NewDocument { key: key.to_owned(), text: text.to_owned(), payload }
}

/// Two commits, a deleted row and a replaced one: every kind of file.
fn write_collection() {
    let _ = fs::remove_dir_all(COLLECTION);
    let mut collection = Collection::open_or_create(COLLECTION, small::Small::new()).unwrap();
    let none = serde_json::Value::Null;
    let numbered: Vec<NewDocument> = (0..40).map(|i| document(&i.to_string(), &format!("entry {i}"), &none)).collect();
    collection.upsert(&numbered).unwrap();
    collection.commit().unwrap();
    collection.upsert(&[document("ko", "고양이가 잔다", &serde_json::json!({ "lang": "ko", "year": 2024 }))]).unwrap();
    collection.delete("3").unwrap();
    collection.commit().unwrap();
    drop(collection);
    // Version control would leave out what this file names, and a lock is no part of a copy.
    fs::remove_file(Path::new(COLLECTION).join(".gitignore")).unwrap();
    fs::remove_file(Path::new(COLLECTION).join("LOCK")).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &to) } else { fs::copy(&path, &to).map(drop).unwrap() }
    }
}

#[test]
fn the_golden_collection_is_read_and_written() {
    if std::env::var_os("GYEOL_WRITE_GOLDEN").is_some() {
        write_collection();
    }
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("c");
    copy(Path::new(COLLECTION), &at);
    let mut collection = Collection::open(&at, small::Small::new()).unwrap();
    let status = collection.status().unwrap();
    assert_eq!((status.documents, status.chunks, status.format, status.commit), (40, 40, 1, 3));
    assert!(status.deleted_vectors == 1 && status.segments > 1, "{status:?}");
    for i in (0..40).filter(|&i| i != 3) {
        assert_eq!(collection.search(&format!("entry {i}")).k(1).run().unwrap().hits[0].key, i.to_string());
    }
    let korean = &collection.search("고양이").mode(Mode::Lexical).run().unwrap().hits[0];
    assert_eq!((korean.key.as_str(), korean.payload["year"].as_u64()), ("ko", Some(2024)));
    // Its terms are pairs only: what is new in a query adds to them and takes nothing away.
    for query in ["고양이는", "잔", "고양이가 자고 있다"] {
        let found = collection.search(query).mode(Mode::Lexical).run().unwrap();
        assert_eq!(found.hits.iter().map(|hit| hit.key.as_str()).collect::<Vec<_>>(), ["ko"], "{query}");
    }
    assert!(collection.get("3").unwrap().is_empty());
    let whole = |at: &Path| Collection::verify(at, Thoroughness::Full).unwrap().problems.is_empty();
    assert!(whole(&at));
    collection.upsert(&[document("new", "written by a later build", &serde_json::Value::Null)]).unwrap();
    collection.purge(&["ko"]).unwrap();
    assert_eq!(collection.status().unwrap().documents, 40);
    assert!(whole(&at));
}
