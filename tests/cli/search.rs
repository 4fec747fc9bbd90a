//! `gyeol search` with filters and shapes, and `gyeol duplicates`.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use gyeol::Vectors;
use gyeol::vectors::npy;
use serde_json::Value;

use super::{Home, stderr, stdout};

/// Rows with payloads: `n` from 0 to 29, every third in Korean.
fn rows() -> Home {
    let home = Home::new();
    let row = |n: usize| {
        let (lang, text) = match n % 3 {
            0 => ("ko", format!("조수 간만의 차가 {n}번 항구를 바꾼다.")),
            1 => ("en", format!("The tide turned in harbour number {n}.")),
            _ => ("en", format!("Harbour {n} has a lighthouse with a red lamp.")),
        };
        serde_json::json!({"key": format!("r{n}"), "text": text, "lang": lang, "n": n, "tags": ["sea", format!("t{}", n % 2)]})
    };
    let lines: Vec<String> = (0..30).map(|n| row(n).to_string()).collect();
    home.write("harbours.jsonl", &lines.join("\n"));
    home.json(&["index", "--json"]);
    home
}

fn keys(answer: &Value) -> Vec<&str> {
    answer["hits"].as_array().unwrap().iter().map(|hit| hit["key"].as_str().unwrap()).collect()
}

#[test]
fn every_way_of_searching_keeps_to_the_filter() {
    let home = rows();
    let filter = "lang = \"ko\" and (n >= 20 or tags contains \"t1\") and not path like \"drafts/*\"";
    for how in [&["--dense"][..], &["--hybrid"], &["--dense", "--lexical"], &["--exact"], &["--exact", "--dense"], &[]]
    {
        let answer = home.json(&[&["search", "tide", "-k", "30", "--json", "--filter", filter], how].concat());
        let mut found = keys(&answer);
        found.sort_unstable();
        assert_eq!(found, ["r15", "r21", "r24", "r27", "r3", "r9"], "{how:?}");
        assert_eq!(answer["matches"], 6);
    }
    let lexical = home.json(&["search", "항구", "--lexical", "--exact", "--filter", "n < 10", "--json"]);
    let mut found = keys(&lexical);
    found.sort_unstable();
    assert_eq!((found, &lexical["mode"]), (vec!["r0", "r3", "r6", "r9"], &Value::from("lexical")));
    let hit = &home.json(&["search", "tide", "--json"])["hits"][0];
    assert!(hit["dense"].is_number() && hit["lexical"].is_number() && hit["payload"]["n"].is_number(), "{hit}");
    let explained = home.run(&["search", "tide", "--filter", "n < 10", "--explain"]);
    let told = stderr(&explained);
    assert!(told.contains("filter: 10 texts pass") && told.contains("of 10 rows 10 compared"), "{told}");
}

#[test]
fn a_filter_that_cannot_be_read_is_marked_where_it_goes_wrong() {
    let home = Home::new();
    // Before there is any collection: what was typed is looked at first.
    let output = home.run(&["search", "x", "--filter", "lang = \"ko\" and yeer >< 3"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    let shown = lines.iter().position(|line| line.contains("yeer")).unwrap();
    assert_eq!(lines[shown + 1].find('^'), lines[shown].find("><").map(|at| at + 1).or(None), "{told}");
    assert_eq!(stdout(&output), "");
    let home = rows();
    let none = home.run(&["search", "tide", "--filter", "n > 100", "--json"]);
    assert_eq!(none.status.code(), Some(1));
    let answer: Value = serde_json::from_str(&stdout(&none)).unwrap();
    assert_eq!((&answer["hits"], &answer["matches"]), (&serde_json::json!([]), &Value::from(0)));
}

#[test]
fn hits_are_shaped_as_asked() {
    let home = rows();
    let all = home.json(&["search", "harbour tide", "-k", "50", "--json"]);
    let (mut pages, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut args = vec!["search", "harbour tide", "-k", "8", "--json"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let output = home.run(&args);
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        pages.extend(keys(&answer).into_iter().map(str::to_owned));
        let Some(next) = answer["next"].as_str() else { break };
        after = Some(next.to_owned());
    }
    assert_eq!(pages, keys(&all));
    let one = home.json(&["search", "cat ship", "--group-by-document", "-k", "40", "--json"]);
    let mut once = keys(&one);
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), keys(&one).len());
    let best = all["hits"][4]["score"].as_f64().unwrap();
    let over = home.json(&["search", "harbour tide", "--all", "--min-score", &best.to_string(), "--json"]);
    let count = all["hits"].as_array().unwrap().iter().filter(|hit| hit["score"].as_f64().unwrap() >= best).count();
    assert_eq!(keys(&over).len(), count);
    assert_eq!(keys(&home.json(&["search", "tide", "--mmr", "0.3", "-k", "6", "--json"])).len(), 6);
    let like = home.json(&["search", "--like", "r1", "-k", "3", "--json"]);
    assert!(!keys(&like).contains(&"r1") && like["mode"] == "dense" && like.get("query").is_none(), "{like}");
    let unlike = home.json(&["search", "harbour", "--dense", "--unlike", "lighthouse lamp", "-k", "5", "--json"]);
    assert!(keys(&unlike).iter().all(|key| key[1..].parse::<usize>().is_ok_and(|n| n % 3 != 2)), "{unlike}");
    for (args, words) in [
        (&["search", "x", "--mmr", "2"][..], "from 0 to 1"),
        (&["search", "x", "--after", "nonsense"], "is no cursor"),
        (&["search", "--like", "nobody"], "no document with the key"),
        (&["search", "x", "--lexical-weight", "7"], "from 0 to 1"),
        (&["search", "x", "--like", "r1"], "cannot be used with"),
        (&["search", "x", "--per-document", "0"], "at least one"),
    ] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn many_queries_and_vectors_are_answered_like_single_ones() {
    let home = rows();
    let mut child = home.command(&["search", "--queries", "-", "--json", "-k", "2"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("tide\n항구\n".as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let answers: Vec<Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let single = ["tide", "항구"].map(|query| home.json(&["search", query, "--json", "-k", "2"]));
    assert_eq!(answers, single);
    home.write("blank.txt", "tide\n\n");
    let blank = home.run(&["search", "--queries", "blank.txt"]);
    assert_eq!(blank.status.code(), Some(2));
    assert!(stderr(&blank).contains("line 2 is blank"), "{}", stderr(&blank));

    let values = gyeol::Embedder::embed_many(&gyeol::embed::builtin(), &["tide"], gyeol::embed::Role::Query).unwrap();
    let file = home.at().join("v.npy");
    npy::write(&file, values.vectors.view()).unwrap();
    let by_vector = home.json(&["search", "--vector", "v.npy", "--json"]);
    assert_eq!(keys(&by_vector), keys(&home.json(&["search", "tide", "--dense", "--json"])));
    npy::write(&file, Vectors::new(vec![1.0; 7], 7).unwrap().view()).unwrap();
    let wrong = home.run(&["search", "--vector", "v.npy"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    fs::remove_file(&file).unwrap();
    assert_eq!(home.run(&["search", "--vector", "v.npy"]).status.code(), Some(7));
}

#[test]
fn near_duplicates_are_listed_in_groups() {
    let home = Home::new();
    home.write("a.txt", "The ferry to the island leaves at nine every morning from the old pier.");
    home.write("b.txt", "The ferry to the island leaves at nine every morning from the old pier!");
    home.write("c.txt", "매일 아침 아홉 시에 섬으로 가는 배가 떠난다.");
    home.json(&["index", "--json"]);
    for how in [&[][..], &["--exact"]] {
        let answer = home.json(&[&["duplicates", "--json"], how].concat());
        let groups = answer["groups"].as_array().unwrap();
        assert_eq!(groups.len(), 1, "{answer}");
        let paths: Vec<&str> = groups[0].as_array().unwrap().iter().map(|hit| hit["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["a.txt", "b.txt"]);
    }
    let shown = home.run(&["duplicates"]);
    assert!(stdout(&shown).starts_with("2 texts\n"), "{}", stdout(&shown));
    let none = home.run(&["duplicates", "--threshold", "1.01"]);
    assert_eq!((none.status.code(), stdout(&none).as_str()), (Some(1), ""));
    assert_eq!(home.run(&["duplicates", "--threshold", "NaN"]).status.code(), Some(2));
}

#[cfg(feature = "rerank")]
#[test]
fn a_cross_encoder_in_a_folder_reranks() {
    let home = rows();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/golden/rerank/bert");
    let answer = home.json(&["search", "tide", "--rerank", folder, "-k", "30", "--json"]);
    let hits = answer["hits"].as_array().unwrap();
    assert!(hits.len() == 30 && hits.iter().all(|hit| hit["rerank"] == hit["score"]));
    assert!(hits.is_sorted_by(|a, b| a["score"].as_f64() >= b["score"].as_f64()));
    let absent = home.run(&["search", "tide", "--rerank", "absent"]);
    assert_eq!(absent.status.code(), Some(6), "{}", stderr(&absent));
    assert_eq!(home.run(&["search", "--like", "r1", "--rerank", folder]).status.code(), Some(2));
}
