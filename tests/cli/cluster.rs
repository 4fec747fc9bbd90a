//! `gyeol cluster`, `gyeol map` and `gyeol pca`.

use std::fs;

use gyeol::Vectors;
use gyeol::vectors::npy;
use serde_json::Value;

use super::{Home, stderr, stdout};

/// Four rows around each of three corners.
fn corners(home: &Home) -> Vec<f32> {
    let value = |i: usize| {
        let (row, column) = (i / 3, i % 3);
        let corner = if row % 3 == column { 10.0 } else { 0.0 };
        corner + (row / 3) as f32 * 0.1
    };
    let values: Vec<f32> = (0..36).map(value).collect();
    npy::write(home.at().join("rows.npy"), Vectors::new(values.clone(), 3).unwrap().view()).unwrap();
    values
}

fn labels(home: &Home, name: &str) -> Vec<i64> {
    npy::read_ids(home.at().join(name)).unwrap().0
}

#[test]
fn vectors_are_clustered_by_every_algorithm() {
    let home = Home::new();
    corners(&home);
    for algorithm in ["kmeans", "minibatch", "gmm", "dbscan", "optics", "hdbscan"] {
        let eps = if matches!(algorithm, "dbscan" | "optics") { &["--eps", "1"][..] } else { &[] };
        let more = ["--algorithm", algorithm, "--min-points", "3", "--labels", "labels.npy", "--threads", "2"];
        let answer = home.json(&[&["cluster", "--vectors", "rows.npy", "--k", "3", "--json"], &more[..], eps].concat());
        assert_eq!((&answer["schema"], &answer["k"], &answer["noise"]), (&1.into(), &3.into(), &0.into()), "{answer}");
        assert_eq!(answer["sizes"], serde_json::json!([4, 4, 4]), "{algorithm}");
        assert!(answer["seconds"].is_number() && answer["cpu_seconds"].is_number());
        assert_eq!(answer["inertia"].is_number(), matches!(algorithm, "kmeans" | "minibatch"), "{answer}");
        let found = labels(&home, "labels.npy");
        assert!(found.iter().enumerate().all(|(i, &label)| label == found[i % 3]), "{algorithm} {found:?}");
    }
    let auto = home.json(&["cluster", "--vectors", "rows.npy", "--json"]);
    assert_eq!((&auto["k"], &auto["choice"]["k"], &auto["choice"]["by"]), (&3.into(), &3.into(), &"silhouette".into()));
    let shown = stdout(&home.run(&["cluster", "--vectors", "rows.npy"]));
    assert!(shown.contains("chosen") && shown.contains("3 clusters of 12 rows, inertia"), "{shown}");
}

#[test]
fn given_centroids_keep_their_order_and_are_written() {
    let home = Home::new();
    let values = corners(&home);
    let init = [&values[6..9], &values[0..3], &values[3..6]].concat();
    npy::write(home.at().join("init.npy"), Vectors::new(init, 3).unwrap().view()).unwrap();
    let more = ["--init", "init.npy", "--max-iters", "25", "--labels", "l.npy", "--centroids", "c.npy", "--json"];
    let answer = home.json(&[&["cluster", "--vectors", "rows.npy", "-k", "3", "--threads", "1"], &more[..]].concat());
    assert_eq!(labels(&home, "l.npy")[..6], [1, 2, 0, 1, 2, 0]);
    assert!(answer["iterations"].as_u64().unwrap() <= 25 && answer["converged"] == true);
    let centroids = npy::read(home.at().join("c.npy")).unwrap();
    assert!((centroids.row(1)[0] - 10.15).abs() < 1e-5, "{centroids:?}");
}

#[test]
fn what_cannot_be_clustered_ends_with_a_reason() {
    let home = Home::new();
    corners(&home);
    fs::write(home.at().join("bad.npy"), "not an array of numbers").unwrap();
    let nan = Vectors::new(vec![1.0, f32::NAN], 1).unwrap();
    npy::write(home.at().join("nan.npy"), nan.view()).unwrap();
    for (args, code, reason) in [
        (&["cluster", "--vectors", "rows.npy", "-k", "13"][..], 2, "ask for at most 12"),
        (&["cluster", "--vectors", "rows.npy", "-k", "0"], 2, "at least 1"),
        (&["cluster", "--vectors", "rows.npy", "-k", "many"], 2, "neither a number nor `auto`"),
        (&["cluster", "--vectors", "nan.npy", "-k", "1"], 2, "row 1 holds NaN"),
        (&["cluster", "--vectors", "bad.npy", "-k", "1"], 2, "not an npy file"),
        (&["cluster", "--vectors", "none.npy", "-k", "1"], 7, "none.npy"),
        (&["cluster", "--vectors", "rows.npy", "-k", "3", "--init", "nan.npy"], 2, "values where 3 are expected"),
        (&["cluster", "--vectors", "rows.npy", "--algorithm", "minibatch"], 2, "give --k N"),
        (&["cluster", "--vectors", "rows.npy", "--threads", "0"], 2, "--threads 0"),
        (&["cluster"], 3, "no collection"),
        (&["map", "--html", "m.html"], 3, "no collection"),
        (&["pca", "--vectors", "rows.npy", "--components", "4"], 2, "ask for 1 to 3"),
        (&["pca", "--vectors", "rows.npy", "--components", "1", "--out", "none/y.npy"], 7, "none/y.npy"),
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{args:?}: {}", stderr(&output));
    }
}

/// Texts on tides and on bread, each in Korean and English.
fn texts() -> Home {
    let home = Home::new();
    for i in 0..6 {
        home.write(
            &format!("sea/{i}.txt"),
            &format!("바다의 밀물과 썰물, 조수가 항구에 들어온다. The tide of the sea, number {i}."),
        );
        home.write(
            &format!("bread/{i}.txt"),
            &format!("밀가루 반죽으로 빵을 굽는다. 오븐에서 빵이 익는다. Bread and flour in the oven, number {i}."),
        );
    }
    for other in ["cats.md", "trade/ships.txt", "rows.jsonl"] {
        fs::remove_file(home.at().join(other)).unwrap();
    }
    home.json(&["index", "--json"]);
    home
}

#[test]
fn documents_get_clusters_that_filters_find_and_that_stay() {
    let home = texts();
    let answer = home.json(&["cluster", "-k", "2", "--seed", "3", "--write", "--json", "--labels", "labels.npy"]);
    assert_eq!((&answer["k"], &answer["clusters"][0]["size"], &answer["noise"]), (&2.into(), &6.into(), &0.into()));
    let documents = answer["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 12);
    let of = |folder: &str| {
        let own: Vec<&Value> = documents.iter().filter(|d| d["path"].as_str().unwrap().starts_with(folder)).collect();
        assert!(own.len() == 6 && own.iter().all(|d| d["cluster"] == own[0]["cluster"]), "{own:?}");
        own[0]["cluster"].as_i64().unwrap()
    };
    let (sea, bread) = (of("sea"), of("bread"));
    assert_ne!(sea, bread);
    assert_eq!(labels(&home, "labels.npy").iter().filter(|&&label| label == sea).count(), 6);
    let words = |id: i64| answer["clusters"][id as usize]["label"].as_str().unwrap().to_owned();
    assert!(words(sea).contains("tide") || words(sea).contains("바다"), "{}", words(sea));
    assert!(words(bread).contains("bread") || words(bread).contains('빵'), "{}", words(bread));
    // Filters find them, searches go on as before, and every byte is as it should be.
    let filter = format!("cluster = {sea}");
    let found = home.json(&["search", "빵 굽기", "-k", "20", "--filter", &filter, "--json"]);
    assert_eq!(found["matches"], 6);
    assert!(found["hits"].as_array().unwrap().iter().all(|hit| hit["path"].as_str().unwrap().starts_with("sea")));
    assert_eq!(home.run(&["verify"]).status.code(), Some(0));
    let again = home.json(&["index", "--json"]);
    assert_eq!((&again["files"]["updated"], &again["embedded"]), (&0.into(), &0.into()), "{again}");
    // A new file gets the cluster of its like; the others keep theirs, also when clusters are found anew.
    home.write("sea/new.txt", "바다에 밀물이 든다. The tide of the sea comes in.");
    home.json(&["index", "--json"]);
    let assigned = home.json(&["cluster", "--assign", "--json"]);
    assert_eq!(
        assigned["documents"],
        serde_json::json!([{"key": "sea/new.txt", "path": "sea/new.txt", "cluster": sea}])
    );
    assert_eq!(home.run(&["cluster", "--assign"]).status.code(), Some(1));
    for seed in ["7", "8", "9"] {
        let anew = home.json(&["cluster", "-k", "2", "--seed", seed, "--json"]);
        let same = |d: &&Value| d["path"].as_str().unwrap().starts_with("sea");
        assert!(anew["documents"].as_array().unwrap().iter().filter(same).all(|d| d["cluster"] == sea), "{anew}");
    }
    let copied = home.run(&["snapshot", "copy/.gyeol"]);
    assert_eq!(copied.status.code(), Some(0), "{}", stderr(&copied));
    assert_eq!(home.run(&["cluster", "--in", "copy", "--assign"]).status.code(), Some(1), "its clusters go along");
    // An algorithm without centroids leaves none behind.
    home.json(&["cluster", "--algorithm", "hdbscan", "--min-points", "3", "--write", "--json"]);
    assert_eq!(home.run(&["cluster", "--in", "copy", "--assign"]).status.code(), Some(1));
    let output = home.run(&["cluster", "--assign"]);
    assert!(
        output.status.code() == Some(2) && stderr(&output).contains("gyeol cluster --write"),
        "{}",
        stderr(&output)
    );
    let few = home.run(&["cluster", "-k", "2", "--filter", "path like \"none/*\""]);
    assert!(few.status.code() == Some(2) && stderr(&few).contains("there are no rows"), "{}", stderr(&few));
    let unset = texts();
    let output = unset.run(&["cluster", "--assign"]);
    assert!(
        output.status.code() == Some(2) && stderr(&output).contains("gyeol cluster --write"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_collection_is_drawn() {
    let home = texts();
    let args =
        ["map", "--html", "m.html", "--svg", "m.svg", "--png", "m.png", "--choice", "k.svg", "--size", "600x400"];
    let output = home.run(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let read = |name: &str| fs::read(home.at().join(name)).unwrap();
    let page = String::from_utf8(read("m.html")).unwrap();
    assert!(page.contains("Content-Security-Policy") && page.contains("sea/3.txt"));
    assert!(String::from_utf8(read("m.svg")).unwrap().matches("<circle").count() >= 12);
    assert!(String::from_utf8(read("k.svg")).unwrap().contains("silhouette"));
    assert_eq!(read("m.png")[..4], [0x89, b'P', b'N', b'G']);
    // The same collection gives the same picture.
    home.run(&["map", "--html", "again.html", "--threads", "1"]);
    assert_eq!(read("again.html"), page.into_bytes());
    for (args, code) in [
        (&["map"][..], 2),
        (&["map", "--html", "none/m.html"], 7),
        (&["map", "--png", "m.png", "--size", "9x9"], 2),
        (&["map", "--choice", "k.svg", "-k", "3"], 2),
        (&["map", "--choice", "k.txt"], 2),
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn vectors_are_reduced() {
    let home = Home::new();
    corners(&home);
    let answer = home.json(&["pca", "--vectors", "rows.npy", "--components", "2", "--json", "--out", "y.npy"]);
    let ratio: Vec<f64> =
        answer["explained_variance_ratio"].as_array().unwrap().iter().map(|r| r.as_f64().unwrap()).collect();
    assert!(ratio.len() == 2 && ratio.iter().sum::<f64>() > 0.99, "{answer}");
    assert_eq!(npy::shape(home.at().join("y.npy")).unwrap(), (12, 2));
    let whole = fs::read(home.at().join("y.npy")).unwrap();
    home.json(&["pca", "--vectors", "rows.npy", "--components", "2", "--stream", "--json", "--out", "s.npy"]);
    assert_eq!(fs::read(home.at().join("s.npy")).unwrap(), whole);
    let shown = stdout(&home.run(&["pca", "--vectors", "rows.npy", "--components", "1"]));
    assert!(shown.contains("1 components explain"), "{shown}");
}
