//! Folders whose files come, change and go.

use super::*;
use crate::text::Fields;

const CATS: &str = "# Cats\n\nA cat sleeps most of the day.\n";
const SHIPS: &str = "# Ships\n\nA ship crosses the sea with cargo.\n";
const 김치: &str = "# 김치\n\n배추를 소금에 절여 김치를 담근다.\n";

#[test]
fn a_folder_is_found_by_meaning_in_two_languages() {
    let home = Home::new(&[("cats.md", CATS), ("trade/ships.md", SHIPS), ("요리/김치.md", 김치)]);
    let report = home.index();
    assert_eq!(counts(&report), [3, 0, 0, 0, 3, 0, 3]);
    let collection = Collection::open(home.at(), builtin()).unwrap();
    for (query, path) in
        [("kitten napping", "cats.md"), ("sailing vessel", "trade/ships.md"), ("한국의 절임 채소", "요리/김치.md")]
    {
        let found = collection.search(query).mode(Mode::Dense).k(1).run().unwrap();
        assert_eq!((found.mode, paths(found)), (Mode::Dense, vec![path.to_owned()]), "{query}");
    }
    let hit = collection.search("vessel").k(3).run().unwrap().hits.remove(0);
    assert_eq!((hit.key.as_str(), hit.source.lines, hit.source.bytes), ("trade/ships.md", (1, 3), (0, 43)));
    assert_eq!(hit.text, SHIPS.trim());
    let status = collection.status().unwrap();
    assert_eq!((status.documents, status.chunks, status.without_vector, status.segments), (3, 3, 0, 1));
    assert_eq!(status.bytes, total_bytes(&home.at()));
}

#[test]
fn an_unchanged_folder_is_no_work() {
    let home = Home::new(&[("a.md", CATS), ("b.md", SHIPS), ("empty.txt", ""), ("blob.png", "\u{0}")]);
    let first = home.index();
    assert_eq!(counts(&first), [3, 0, 0, 0, 2, 0, 2]);
    for _ in 0..2 {
        let report = home.index();
        assert_eq!(counts(&report), [0, 0, 4, 0, 0, 0, 0]);
        assert_eq!(report.skipped, first.skipped, "what is left out is told every time");
    }
}

#[test]
fn a_change_touches_only_its_own_chunks() {
    let sections = |middle: &str| {
        let filler = "Some words about the weather and the harvest of this year. ".repeat(20);
        format!("# One\n\n{filler}\n\n# Two\n\n{middle} {filler}\n\n# Three\n\n{filler}\n")
    };
    let home = Home::new(&[("a.md", &sections("Old")), ("b.md", SHIPS), ("c.md", CATS)]);
    let first = home.index();
    let of_a = first.chunks_added - 2;
    assert!(of_a >= 3);
    home.write("a.md", sections("New"));
    let edited = home.index();
    assert_eq!(counts(&edited), [0, 1, 2, 0, of_a, of_a, 1], "one section is new, the others keep their vectors");

    fs::rename(home.path("b.md"), home.path("d.md")).unwrap();
    assert_eq!(counts(&home.index()), [1, 0, 2, 1, 1, 1, 0], "a renamed file is not embedded again");
    let collection = Collection::open(home.at(), builtin()).unwrap();
    assert_eq!(paths(collection.search("vessel").k(1).run().unwrap()), ["d.md"]);

    fs::remove_file(home.path("d.md")).unwrap();
    assert_eq!(counts(&home.index()), [0, 0, 2, 1, 0, 1, 0]);
    let collection = Collection::open(home.at(), builtin()).unwrap();
    let found = collection.search("vessel").k(1000).run().unwrap();
    assert_eq!(found.hits.len() as u64, of_a + 1, "k is more than there are, and nothing deleted comes back");
    assert!(collection.search("ship").mode(Mode::Lexical).run().unwrap().hits.is_empty());

    home.write("c.md", "");
    assert_eq!(counts(&home.index()), [0, 1, 1, 0, 0, 1, 0], "an emptied file has no chunks");
}

#[test]
fn sub_folders_and_other_folders_keep_apart() {
    let home = Home::new(&[("a.md", CATS), ("sub/b.md", SHIPS)]);
    home.index();
    let other = Home::new(&[("a.md", 김치)]);
    let mut collection = home.open();
    let report = collection.add_dir(home.path("sub")).unwrap();
    assert_eq!(counts(&report), [0, 0, 1, 0, 0, 0, 0], "a.md is not looked for in sub");
    let report = collection.add_dir(other.dir.path()).unwrap();
    assert_eq!(counts(&report), [1, 0, 0, 0, 1, 0, 1]);
    collection.commit().unwrap();
    let all = paths(collection.search("food").run().unwrap());
    assert!(all.contains(&other.path("a.md").canonicalize().unwrap().to_str().unwrap().to_owned()), "{all:?}");
    assert_eq!(all.len(), 3);
    drop(collection);
    assert_eq!(counts(&home.index()), [0, 0, 2, 0, 0, 0, 0], "the other folder's files are not taken for gone");
}

#[test]
fn rows_are_documents_with_keys_and_payload() {
    let home = Home::new(&[
        (
            "a.jsonl",
            "{\"key\":\"k1\",\"text\":\"A cat sleeps.\",\"year\":2020}\n{\"text\":\"Ships sail.\"}\n{\"key\":\"k1\",\"text\":\"again\"}\n",
        ),
        ("b.csv", "id,body,lang\nx1,고양이가 잔다,ko\n"),
    ]);
    let report = home.index();
    assert_eq!(report.chunks_added, 2);
    let reasons: Vec<_> = report.skipped.iter().map(|s| (s.path.as_str(), s.reason.as_str())).collect();
    assert_eq!(reasons[0], ("a.jsonl:3", "the key \"k1\" stands in an earlier row of the file"));
    assert!(reasons[1].0.starts_with("b.csv") && reasons[1].1.contains("text"), "{reasons:?}");
    let collection = Collection::open(home.at(), builtin()).unwrap();
    let hit = collection.get("k1").unwrap().remove(0);
    assert_eq!(
        (hit.text.as_str(), hit.payload["year"].as_u64(), hit.source.lines),
        ("A cat sleeps.", Some(2020), (1, 1))
    );
    assert_eq!(collection.get("a.jsonl:2").unwrap()[0].text, "Ships sail.");
    drop(collection);

    let fields = Fields { key: "id".to_owned(), text: "body".to_owned() };
    let mut collection = home.open();
    let options = AddOptions { fields: Some(fields), ..AddOptions::default() };
    let report = collection.add_dir_with(home.dir.path(), &options, &mut |_| ControlFlow::Continue(())).unwrap();
    collection.commit().unwrap();
    assert_eq!((report.updated, report.removed, report.chunks_removed), (1, 1, 2), "a.jsonl has no such fields");
    assert_eq!(collection.get("x1").unwrap()[0].payload["lang"], "ko");
    assert!(collection.get("k1").unwrap().is_empty());
    drop(collection);
    let again = home.index();
    assert_eq!((again.unchanged, again.removed), (2, 0), "the fields are remembered");
    assert_eq!(home.open().get("x1").unwrap().len(), 1);
}

#[test]
fn every_chunk_of_a_row_has_its_payload_which_is_stored_once() {
    let notes = "Some words about the weather and the harvest. ".repeat(200);
    let html = "x".repeat(100_000);
    let row = serde_json::json!({"key": "k", "text": notes, "html": html, "year": 1999});
    let home = Home::new(&[(
        "a.jsonl",
        &format!("{{\"key\":\"b\",\"text\":\"\"}}\n{{\"key\":\"b\",\"text\":\"Yaks.\"}}\n{row}\n"),
    )]);
    let report = home.index();
    assert!(report.chunks_added > 20 && report.skipped.is_empty(), "{report:?}");
    let collection = home.open();
    for hit in collection.search("harvest").k(15).run().unwrap() {
        assert_eq!((hit.payload["year"].as_u64(), hit.payload["html"].as_str().unwrap().len()), (Some(1999), 100_000));
    }
    let found = collection.search("harvest").k(15).mode(Mode::Lexical).run().unwrap();
    assert!(found.hits.iter().all(|hit| hit.payload["year"] == 1999));
    assert!(collection.status().unwrap().bytes < 1_000_000);
    assert_eq!(collection.get("b").unwrap()[0].text, "Yaks.", "a row without text takes no key");
}

#[test]
fn a_file_deleted_by_its_key_comes_back_with_the_folder() {
    let home = Home::new(&[("a.md", CATS), ("b.md", SHIPS)]);
    home.index();
    let mut collection = home.open();
    assert_eq!(collection.delete("a.md").unwrap(), 1);
    collection.commit().unwrap();
    assert!(collection.get("a.md").unwrap().is_empty());
    assert_eq!(counts(&collection.add_dir(home.dir.path()).unwrap()), [1, 0, 1, 0, 1, 0, 1]);
    assert_eq!(collection.delete("a.md").unwrap(), 1, "also before the commit");
    assert_eq!(collection.add_dir(home.dir.path()).unwrap().added, 1);
    collection.commit().unwrap();
    assert_eq!(collection.get("a.md").unwrap().len(), 1);
}

#[test]
fn one_key_in_two_files_is_two_documents() {
    let home = Home::new(&[
        ("a.jsonl", "{\"key\":\"k\",\"text\":\"A cat.\"}\n"),
        ("b.jsonl", "{\"key\":\"k\",\"text\":\"A ship.\"}\n"),
    ]);
    home.index();
    assert_eq!(home.open().get("k").unwrap().len(), 2);
    fs::remove_file(home.path("a.jsonl")).unwrap();
    home.index();
    assert_eq!(home.open().get("k").unwrap()[0].text, "A ship.");
}

#[cfg(unix)]
#[test]
fn odd_names_are_found_and_forgotten() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new(&[("new\nline.md", CATS)]);
    let odd = home.dir.path().join(OsStr::from_bytes(b"ship\xFF.txt"));
    fs::write(&odd, SHIPS).unwrap();
    assert_eq!(counts(&home.index()), [2, 0, 0, 0, 2, 0, 2]);
    let found = paths(home.open().search("vessel").run().unwrap());
    assert_eq!(found, ["ship\\xFF.txt", "new\nline.md"]);
    fs::remove_file(odd).unwrap();
    assert_eq!(counts(&home.index()), [0, 0, 1, 1, 0, 1, 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn folders_whose_names_are_not_utf8_keep_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let (home, other) = (Home::new(&[]), Home::new(&[]));
    let folders = [&b"a\xFF"[..], b"a\xFE", br"a\xFF"].map(|name| other.dir.path().join(OsStr::from_bytes(name)));
    let mut collection = home.open();
    for (folder, text) in folders.iter().zip([CATS, SHIPS, 김치]) {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("note.md"), text).unwrap();
        assert_eq!(counts(&collection.add_dir(folder).unwrap())[..4], [1, 0, 0, 0]);
    }
    collection.commit().unwrap();
    assert_eq!(collection.status().unwrap().documents, 3);
}

#[test]
fn a_cancelled_run_keeps_the_files_it_finished_and_the_next_goes_on() {
    let home = Home::new(&[]);
    // Eight chunks a file: the embedder is called several times in a group, and between files too.
    let section = |i: usize, s: usize| {
        format!("# Section {s}\n\nNote {i} of part {s}. {}\n\n", "The harvest was good. ".repeat(9))
    };
    for i in 0..1_500 {
        home.write(&format!("{i:04}.md"), (0..8).map(|s| section(i, s)).collect::<String>());
    }
    let mut collection = home.open();
    let mut seen = 0;
    let report = collection.add_dir_with(home.dir.path(), &AddOptions::default(), &mut |progress| {
        assert!(progress.bytes <= progress.total_bytes && progress.chunks > seen);
        seen = progress.chunks;
        if seen > 5_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let report = report.unwrap();
    assert!(report.cancelled && report.added > 0 && report.added < 1_500, "{report:?}");
    assert!(report.embedded - report.chunks_added < 20, "all but the chunks of one file are kept: {report:?}");
    collection.commit().unwrap();
    drop(collection);
    let rest = home.index();
    assert_eq!((rest.added, rest.unchanged), (1_500 - report.added, report.added));
    assert_eq!(rest.chunks_added + report.chunks_added, home.open().status().unwrap().chunks);
    assert_eq!(home.open().status().unwrap().documents, 1_500);
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_nothing_is_lost() {
    let home = Home::new(&[("a.md", CATS)]);
    home.index();
    let mut collection = home.open();
    assert!(matches!(collection.add_dir(home.path("absent")), Err(crate::Error::Text(_))));
    assert_eq!(collection.status().unwrap().documents, 1);
}
