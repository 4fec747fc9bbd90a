//! The commands that look after a collection.

use super::*;

fn store(home: &Home, ending: &str) -> PathBuf {
    let folders = ["documents", "vectors"].map(|f| fs::read_dir(home.at().join(".gyeol").join(f)).unwrap());
    let mut files = folders.into_iter().flatten().map(|e| e.unwrap().path());
    files.find(|f| f.extension().is_some_and(|e| e == ending)).unwrap()
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn damage_is_verified_and_repaired() {
    let home = Home::indexed();
    let sound = home.json(&["verify", "--full", "--json"]);
    assert_eq!((&sound["problems"], &sound["commit"]), (&serde_json::json!([]), &Value::from(2)));
    assert!(sound["files"].as_u64().unwrap() > 5 && sound["bytes"].as_u64().unwrap() > 1000);
    assert_eq!(stdout(&home.run(&["repair"])), "nothing to repair\n");

    let segment = store(&home, "seg");
    flip(&segment, 5);
    let verified = home.run(&["verify"]);
    assert_eq!(verified.status.code(), Some(4));
    let told = stdout(&verified);
    assert!(told.contains(".seg") && told.contains("run gyeol repair") && told.contains("cannot be opened"), "{told}");
    assert_eq!(stderr(&verified), "gyeol: 1 problem\n");
    assert_eq!(home.run(&["search", "cat"]).status.code(), Some(4));
    let repaired = home.json(&["repair", "--json"]);
    assert_eq!(repaired, serde_json::json!({ "schema": 1, "segments": 1, "embedded": 3, "lists": 0 }));
    assert_eq!(home.run(&["verify", "--full"]).status.code(), Some(0));
    assert!(stdout(&home.run(&["search", "cat", "--paranoid"])).contains("cats.md"));

    flip(&store(&home, "store"), 3);
    let verified = home.run(&["verify", "--json"]);
    let problems: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((verified.status.code(), problems["problems"].as_array().unwrap().len()), (Some(4), 1));
    assert!(problems["problems"][0]["remedy"].as_str().unwrap().contains("--rebuild"));
    let refused = home.run(&["repair"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(stderr(&refused).contains(".store"), "{}", stderr(&refused));
    assert_eq!(home.run(&["index", "--rebuild", "-q"]).status.code(), Some(0));
    assert_eq!(home.run(&["verify", "--full"]).status.code(), Some(0));
}

#[test]
fn documents_are_purged_and_files_joined() {
    let home = Home::indexed();
    for round in 0..3 {
        home.write(&format!("note {round}.md"), "Another note about the harvest.\n");
        home.json(&["index", "--json"]);
    }
    let compacted = home.json(&["compact", "--json"]);
    assert!(compacted["before"]["bytes"].as_u64() >= compacted["after"]["bytes"].as_u64(), "{compacted}");
    assert_eq!((&compacted["after"]["segments"], &compacted["after"]["document_segments"]), (&1.into(), &1.into()));

    let purged = home.json(&["purge", "trade/ships.txt", "k1", "--json"]);
    assert_eq!((&purged["chunks_deleted"], &purged["after"]["deleted_documents"]), (&2.into(), &0.into()));
    assert_eq!(home.json(&["status", "--json"])["documents"], 4);
    assert_eq!(home.run(&["search", "--lexical", "cargo"]).status.code(), Some(1));
    let nothing = home.run(&["purge", "absent"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(stdout(&nothing).starts_with("chunks deleted  0\n"));
    home.json(&["index", "--json"]);
    let found = stdout(&home.run(&["search", "--lexical", "cargo"]));
    assert!(found.contains("ships.txt"), "what is still a file comes back: {found}");
}

#[test]
fn a_snapshot_is_a_collection() {
    let home = Home::indexed();
    let copied = home.json(&["snapshot", "copy", "--json"]);
    assert_eq!((&copied["commit"], &copied["files"]), (&2.into(), &copied["linked"].as_u64().map(|n| n + 1).into()));
    assert_eq!(home.run(&["snapshot", "copy"]).status.code(), Some(2), "not into a folder that holds something");
    home.write("cats.md", "");
    home.json(&["index", "--json"]);
    assert_eq!(home.run(&["search", "--lexical", "cat"]).status.code(), Some(1));
    let found = home.run(&["search", "--lexical", "cat", "--in", "copy"]);
    assert!(stdout(&found).contains("cats.md"), "{}", stderr(&found));
    assert_eq!(home.run(&["verify", "--full", "--in", "copy"]).status.code(), Some(0));
    let copied = home.json(&["snapshot", "bytes", "--copy", "--json"]);
    assert_eq!(copied["linked"], 0);
    // To another file system, where there is one.
    if let Ok(other) = tempfile::tempdir_in("/dev/shm") {
        let at = other.path().join("copy");
        let copied = home.json(&["snapshot", at.to_str().unwrap(), "--json"]);
        assert_eq!(copied["linked"], 0);
        assert_eq!(home.run(&["verify", "--full", "--in", at.to_str().unwrap()]).status.code(), Some(0));
    }
    for args in [&["verify"][..], &["repair"], &["compact"], &["purge"], &["snapshot", "x"]] {
        let absent = home.run(&[args, &["--in", "absent"]].concat());
        assert_eq!(absent.status.code(), Some(3), "{args:?}: {}", stderr(&absent));
    }
}
