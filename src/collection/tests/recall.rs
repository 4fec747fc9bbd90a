//! What a collection says about its own recall.

use super::*;
use crate::error::{Error, IndexError};
use crate::index::{Effort, Recall};

fn measure(collection: &Collection, sample: Sample<'_>, k: usize) -> Option<Recall> {
    collection.measure_recall(sample, k, Effort::default()).unwrap()
}

#[test]
fn own_rows_are_asked_without_themselves_and_without_deleted_ones() {
    let home = Home::new(&[]);
    let mut collection = home.open();
    let nothing = |c: &Collection| measure(c, Sample::Rows(10), 3).is_none();
    assert!(nothing(&collection), "there is nothing to ask");
    collection.upsert(&[document("a", "A cat sleeps.")]).unwrap();
    collection.commit().unwrap();
    assert!(nothing(&collection), "one row has no neighbour");
    collection.upsert(&[document("b", "A cat sleeps."), document("c", "A ship sails.")]).unwrap();
    collection.commit().unwrap();
    let all = measure(&collection, Sample::Rows(10), 3).unwrap();
    assert_eq!((all.queries, all.k, all.recall, all.high), (3, 3, 1.0, 1.0), "two others there are to find");
    assert_eq!(all.compared, 3.0);
    assert_eq!(measure(&collection, Sample::Rows(2), 1).unwrap().queries, 2);

    collection.delete("c").unwrap();
    collection.delete("b").unwrap();
    collection.commit().unwrap();
    assert!(nothing(&collection), "deleted rows are neither asked nor found");
}

#[test]
fn queries_without_a_vector_are_left_out() {
    let home = Home::new(&[]);
    let mut collection = home.open();
    collection.upsert(&[document("a", "A cat sleeps."), document("b", "A ship sails.")]).unwrap();
    collection.commit().unwrap();
    let asked = |queries: &[&str]| measure(&collection, Sample::Queries(queries), 1).map(|m| m.queries);
    assert_eq!(asked(&["kitten", " ", "ⵣⴻⵎⴰⵏ", "vessel"]), Some(2));
    assert_eq!(asked(&[" ", "ⵣⴻⵎⴰⵏ"]), None);
    assert_eq!(asked(&[]), None);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let home = Home::new(&[]);
    let collection = home.open();
    let refused = |sample, k, effort| match collection.measure_recall(sample, k, effort) {
        Err(Error::Index(error)) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(refused(Sample::Rows(1), 0, Effort::Exact), IndexError::ZeroK));
    let name = |error| match error {
        IndexError::Parameter { name, .. } => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(refused(Sample::Rows(0), 1, Effort::Exact)), "sample");
    assert_eq!(name(refused(Sample::Rows(1), 1, Effort::Recall(2.0))), "recall");
    assert_eq!(name(refused(Sample::Queries(&[]), 1, Effort::Ef(0))), "ef");
}
