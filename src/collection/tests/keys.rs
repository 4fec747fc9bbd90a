//! Texts that a program adds by key, and what a search refuses.

use super::*;
use crate::embed::ModelIdentity;
use crate::error::IndexError;
use crate::{Error, embed};

#[test]
fn a_key_is_replaced_and_deleted_before_and_after_a_commit() {
    let home = Home::new(&[]);
    let mut collection = home.open();
    let payload = serde_json::json!({"lang": "en", "year": 1999}).as_object().cloned().unwrap();
    let cat = NewDocument { payload: payload.clone(), ..document("a", "A cat sleeps.") };
    assert_eq!(collection.upsert(&[cat, document("b", "A ship sails.")]).unwrap(), 2);
    assert!(collection.get("a").unwrap().is_empty(), "nothing is seen before the commit");
    collection.upsert(&[document("b", "A train arrives.")]).unwrap();
    collection.commit().unwrap();
    let texts = |c: &Collection, key| c.get(key).unwrap().into_iter().map(|h| h.text).collect::<Vec<_>>();
    assert_eq!(texts(&collection, "b"), ["A train arrives."]);
    assert_eq!(collection.get("a").unwrap()[0].payload, payload);
    assert_eq!(collection.get("a").unwrap()[0].source, Source::default());

    assert_eq!(collection.upsert(&[document("c", "A cat sleeps.")]).unwrap(), 0, "a known text keeps its vector");
    assert_eq!(collection.delete("a").unwrap(), 1);
    assert_eq!(collection.delete("a").unwrap(), 0);
    assert_eq!(texts(&collection, "a").len(), 1, "deleted at the commit");
    collection.commit().unwrap();
    assert!(texts(&collection, "a").is_empty());
    let found = collection.search("kitten").run().unwrap();
    assert_eq!(found.hits.iter().map(|h| h.key.as_str()).collect::<Vec<_>>(), ["c", "b"]);
}

#[test]
fn a_text_without_a_known_token_is_found_by_words() {
    let home = Home::new(&[("a.txt", "ⵣⴻⵎⴰⵏ ⵓⵔⴰⵔ"), ("b.txt", "A cat sleeps.")]);
    let report = home.index();
    assert_eq!((report.chunks_added, report.embedded, report.without_vector), (2, 2, 1));
    let collection = home.open();
    assert_eq!(collection.status().unwrap().without_vector, 1);
    let found = collection.search("ⵓⵔⴰⵔ").run().unwrap();
    assert_eq!((found.mode, paths(found)), (Mode::Lexical, vec!["a.txt".to_owned()]));
    assert_eq!(paths(collection.search("cat").run().unwrap()), ["b.txt"], "it is no neighbour of anything");
}

#[test]
fn words_find_inflected_forms() {
    let home = Home::new(&[("a.txt", "학교에서 수업을 들었다."), ("b.txt", "The engines were running.")]);
    home.index();
    let collection = home.open();
    for (query, path) in [("학교", "a.txt"), ("engine", "b.txt"), ("RUN", "b.txt")] {
        let found = collection.search(query).mode(Mode::Lexical).run().unwrap();
        assert_eq!(paths(found), [path], "{query}");
    }
}

#[test]
fn unusable_calls_are_typed_and_change_nothing() {
    let home = Home::new(&[]);
    let mut collection = home.open();
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    for key in ["", &long] {
        let refused = collection.upsert(&[document("fine", "text"), document(key, "text")]);
        assert!(matches!(refused, Err(Error::Collection(CollectionError::Key { .. }))));
    }
    assert!(collection.upsert(&[document("a", "one"), document("a", "two")]).is_err());
    collection.commit().unwrap();
    assert_eq!(collection.status().unwrap().chunks, 0);
    assert!(collection.search("anything").run().unwrap().hits.is_empty(), "an empty collection has no hits");
    collection.upsert(&[document("blank", " \n ")]).unwrap();
    collection.commit().unwrap();
    assert_eq!(collection.status().unwrap().chunks, 0, "a blank text has no chunk");
    assert!(matches!(collection.search("x").k(0).run(), Err(Error::Index(IndexError::ZeroK))));
    assert!(matches!(
        collection.search("x").effort(crate::index::Effort::Ef(0)).run(),
        Err(Error::Index(IndexError::Parameter { .. }))
    ));
    assert!(matches!(collection.search("  ").run(), Err(Error::Collection(CollectionError::Query(_)))));
}

/// The built-in model under another name.
struct Renamed(embed::ModelIdentity);

impl Embedder for Renamed {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(
        &self,
        texts: &[&str],
        role: embed::Role,
    ) -> std::result::Result<embed::Embeddings, crate::error::EmbedError> {
        builtin().embed_many(texts, role)
    }

    fn count_tokens(&self, text: &str) -> usize {
        builtin().count_tokens(text)
    }
}

#[test]
fn another_model_or_cut_is_refused_with_the_fix() {
    let home = Home::new(&[("a.md", "A cat sleeps.")]);
    home.index();
    let other = || Renamed(ModelIdentity { name: "other::model".to_owned(), ..builtin().identity().clone() });
    for refused in [Collection::open(home.at(), other()), Collection::open_or_create(home.at(), other())] {
        let message = refused.err().unwrap().to_string();
        assert!(message.contains("other::model") && message.contains("--model"), "{message}");
    }
    let refused = Collection::open_or_create_with(home.at(), builtin(), ChunkSize::Whole);
    assert!(matches!(refused, Err(Error::Collection(CollectionError::SettingMismatch { .. }))));
    let mut anew = Collection::rebuild(home.at(), other(), ChunkSize::Whole).unwrap();
    assert_eq!(anew.add_dir(home.dir.path()).unwrap().added, 1);
    anew.commit().unwrap();
    assert!(Collection::open(home.at(), builtin()).is_err());
    assert_eq!(Collection::status_of(home.at()).unwrap().model.name, "other::model");
    assert!(matches!(
        Collection::open(home.path("none"), builtin()),
        Err(Error::Collection(CollectionError::NotFound { .. }))
    ));
}

#[test]
fn another_model_takes_the_place_of_the_first_with_all_texts() {
    let home = Home::new(&[("a.md", "# Cats\n\nA cat sleeps."), ("b.txt", "A ship sails.")]);
    home.index();
    let mut old = home.open();
    old.upsert(&[document("own", "배추를 소금에 절인다.")]).unwrap();
    old.delete("b.txt").unwrap();
    old.commit().unwrap();
    drop(old);
    let reader = home.open();
    let options = embed::ModelOptions { dimensions: Some(64), ..embed::ModelOptions::default() };
    let new = || embed::open("builtin", &options).unwrap();
    // Interrupted, and dropped before the commit: the old one stands.
    let stopped = Collection::change_model(home.at(), new(), &mut |_| std::ops::ControlFlow::Break(()));
    assert!(stopped.unwrap().is_none());
    drop(Collection::change_model(home.at(), new(), &mut |_| std::ops::ControlFlow::Continue(())).unwrap());
    assert_eq!(Collection::model_of(home.at()).unwrap().dim, 256);
    let mut told = Vec::new();
    let changed = Collection::change_model(home.at(), new(), &mut |progress| {
        told.push((progress.bytes, progress.total_bytes));
        assert_eq!(reader.search("kitten").run().unwrap().hits.len(), 2, "the old one is searched meanwhile");
        std::ops::ControlFlow::Continue(())
    });
    let mut changed = changed.unwrap().unwrap();
    assert_eq!(told, [(2, 2)]);
    changed.commit().unwrap();
    assert_eq!(Collection::model_of(home.at()).unwrap().dim, 64);
    assert!(Collection::open(home.at(), builtin()).is_err());
    for collection in [changed, Collection::open(home.at(), new()).unwrap()] {
        let found = collection.search("kitten").run().unwrap();
        assert_eq!(found.hits.iter().map(|h| h.key.as_str()).collect::<Vec<_>>(), ["a.md", "own"]);
        assert_eq!(collection.get("a.md").unwrap()[0].text, "# Cats\n\nA cat sleeps.");
    }
    let mut again = Collection::open(home.at(), new()).unwrap();
    let report = again.add_dir(home.dir.path()).unwrap();
    assert_eq!((report.added, report.unchanged), (1, 1), "files are known; the one that was deleted comes back");
    again.commit().unwrap();
    let found = Collection::verify(home.at(), verify::Thoroughness::Full).unwrap();
    assert!(found.problems.is_empty(), "{found:?}");
}
