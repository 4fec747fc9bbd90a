//! The binary as its users meet it: output, JSON shapes, exit codes, pipes and signals.

mod cluster;
mod maintain;
mod search;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use gyeol::Vectors;
use gyeol::vectors::npy;
use serde_json::Value;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Home(tempfile::tempdir().unwrap());
        home.write("cats.md", "# Cats\n\nA cat sleeps most of the day.\n");
        home.write("trade/ships.txt", "A ship crosses the sea with cargo.\n");
        home.write(
            "rows.jsonl",
            "{\"key\":\"k1\",\"text\":\"배추를 소금에 절인다.\",\"lang\":\"ko\"}\n{\"key\":\"k2\"}\n",
        );
        home.write("photo.png", "not read");
        home
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn at(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
        command.current_dir(self.at()).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        let text = stdout(&output);
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn indexed() -> Self {
        let home = Home::new();
        home.json(&["index", "--json"]);
        home
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn index_reports_in_json() {
    let home = Home::new();
    let report = home.json(&["index", ".", "--json"]);
    assert_eq!(report["schema"], 1);
    let files = &report["files"];
    let counts =
        |r: &Value| ["added", "updated", "unchanged", "removed"].map(|name| r["files"][name].as_u64().unwrap());
    assert_eq!(counts(&report), [3, 0, 0, 0]);
    assert_eq!(files["skipped"][0], serde_json::json!({"path": "photo.png", "reason": ".png files are not read"}));
    assert_eq!(files["skipped"][1]["path"], "rows.jsonl:2");
    assert_eq!(
        (&report["chunks"]["added"], &report["chunks"]["removed"], &report["embedded"]),
        (&3.into(), &0.into(), &3.into())
    );
    assert!(report["seconds"].as_f64().unwrap() > 0.0);

    let again = home.json(&["index", ".", "--json"]);
    assert_eq!(counts(&again), [0, 0, 4, 0], "the picture is as it was, too");
    assert_eq!(again["embedded"], 0);
    assert_eq!(again["files"]["skipped"], files["skipped"]);
}

#[test]
fn search_answers_in_json_and_in_words() {
    let home = Home::indexed();
    let found = home.json(&["search", "한국의", "절임", "채소", "-k", "1", "--json"]);
    assert_eq!(
        (&found["schema"], &found["query"], &found["mode"]),
        (&1.into(), &"한국의 절임 채소".into(), &"hybrid".into())
    );
    let hit = &found["hits"][0];
    assert!(hit["score"].as_f64().unwrap() > 0.1);
    let want = serde_json::json!({
        "key": "k1", "score": hit["score"], "dense": hit["dense"], "lexical": hit["lexical"], "path": "rows.jsonl", "lines": [1, 1], "bytes": hit["bytes"],
        "text": "배추를 소금에 절인다.", "payload": {"lang": "ko"}
    });
    assert_eq!(hit, &want);
    let output = home.run(&["search", "vessel", "-k", "1"]);
    let text = stdout(&output);
    assert!(text.contains("trade/ships.txt:1-1") && text.contains("A ship crosses the sea"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours in a pipe");

    let lexical = home.json(&["search", "--lexical", "ships", "--json"]);
    assert_eq!((&lexical["mode"], &lexical["hits"][0]["path"]), (&"lexical".into(), &"trade/ships.txt".into()));
    for how in [&["--exact"][..], &["--ef", "200"], &["--dense"], &["--hybrid", "--fusion", "ranks"]] {
        let found = home.json(&[&["search", "vessel", "--json"], how].concat());
        assert_eq!(found["hits"].as_array().unwrap().len(), 3);
        assert_eq!(found["hits"][0]["path"], "trade/ships.txt");
    }
}

#[test]
fn a_collection_is_found_upward_and_by_name() {
    let home = Home::indexed();
    let here = home.at().to_str().unwrap();
    let dot = home.at().join(".gyeol");
    let elsewhere = tempfile::tempdir().unwrap();
    let ask = |folder: &Path, args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_gyeol")).current_dir(folder).args(args).output().unwrap()
    };
    for args in [vec!["status", "--json", "--in", here], vec!["status", "--json", "--in", dot.to_str().unwrap()]] {
        let output = ask(elsewhere.path(), &args);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(status["documents"], 3);
    }
    let output = ask(&home.at().join("trade"), &["search", "kitten", "-k", "1", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["hits"][0]["path"], "cats.md");
    let output = ask(&home.at().join("trade"), &["index", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["files"]["unchanged"], 4, "the whole folder of the collection above is meant");
}

#[test]
fn status_has_the_promised_fields() {
    let home = Home::indexed();
    let status = home.json(&["status", "--json"]);
    let [bytes, documents, vectors] = ["bytes", "document_bytes", "vector_bytes"].map(|name| status[name].clone());
    let number = |value: &Value| value.as_u64().unwrap();
    assert!(number(&documents) > 1000 && number(&vectors) > 3000);
    assert!(number(&bytes) > number(&documents) + number(&vectors));
    let want = serde_json::json!({
        "schema": 1, "documents": 3, "chunks": 3, "without_vector": 0, "dim": 256, "model": "builtin::static-koen",
        "metric": "cosine", "bytes": bytes, "document_bytes": documents, "vector_bytes": vectors,
        "document_segments": 1, "deleted_documents": 0, "segments": 1, "deleted_vectors": 0, "commit": 2, "format": 1
    });
    assert_eq!(status, want);
    assert!(stdout(&home.run(&["status"])).contains("builtin::static-koen"));
}

fn embed(home: &Home, args: &[&str], input: &[u8]) -> Output {
    let mut child =
        home.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn embed_writes_lines_and_npy() {
    let home = Home::new();
    let input = "고양이가 잔다\r\n\nThe cat sleeps\n주식 시장이 열렸다".as_bytes();
    let output = embed(&home, &["embed", "--json"], input);
    let lines: Vec<Value> = stdout(&output).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.iter().map(|l| l["index"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(lines[1]["vector"].is_null() && stderr(&output).contains("1 of 4 lines have no vector"));
    let vector =
        |i: usize| -> Vec<f64> { lines[i]["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect() };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    assert!((dot(&vector(0), &vector(0)) - 1.0).abs() < 1e-5);
    assert!(dot(&vector(0), &vector(2)) > dot(&vector(2), &vector(3)) + 0.1);

    let output = embed(&home, &["embed", "--out", "v.npy"], input);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
    let matrix = gyeol::vectors::npy::read(home.at().join("v.npy")).unwrap();
    assert_eq!((matrix.len(), matrix.dim()), (4, 256));
    assert!(matrix.row(1).iter().all(|&x| x == 0.0));
    assert!(matrix.row(2).iter().zip(vector(2)).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6));

    assert_eq!(stdout(&embed(&home, &["embed"], b"")), "", "no line is no work");
    let refused = embed(&home, &["embed"], b"fine\n\xFF\xFE\n");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("line 2 is not UTF-8"));
}

#[test]
fn exit_codes_say_what_went_wrong() {
    let home = Home::new();
    let code = |args: &[&str]| home.run(args).status.code();
    let fails = |args: &[&str], want: i32, words: &str| {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(want), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    };
    fails(&["search", "x"], 3, "gyeol index DIR");
    fails(&["status", "--in", "absent"], 3, "no collection");
    fails(&["index", "absent"], 7, "absent");
    assert!(!home.at().join("absent").exists(), "a mistyped folder is not made");
    assert_eq!(code(&["index", "-q"]), Some(0));
    fails(&["search"], 2, "QUERY");
    fails(&["search", "x", "-k", "0"], 2, "k is 0");
    fails(&["search", "x", "--ef", "0"], 2, "ef is 0");
    fails(&["search", "x", "--exact", "--recall", "0.9"], 2, "cannot be used with");
    fails(&["search", " "], 2, "blank");
    fails(&["index", "--chunk-tokens", "0"], 2, "tokens");
    fails(&["index", "--chunk-tokens", "17"], 2, "--rebuild");
    fails(&["search", "--lexical", "zzzunheard"], 1, "nothing found");
    assert_eq!(code(&["index", "-q", "--rebuild", "--chunk-tokens", "17"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["help", "search"]), Some(0));

    let segment = fs::read_dir(home.at().join(".gyeol/vectors")).unwrap().next().unwrap().unwrap().path();
    fs::write(segment, "damaged").unwrap();
    fails(&["search", "x"], 4, "7 bytes where");
    assert_eq!(code(&["index", "-q", "--rebuild"]), Some(0));
    assert_eq!(code(&["search", "cat"]), Some(0));
}

#[test]
fn a_search_tells_what_it_took() {
    let home = Home::indexed();
    let answer = home.json(&["search", "cat", "--json", "--explain", "--recall", "0.9"]);
    let work = &answer["explain"][0];
    assert_eq!(
        (&work["plan"], &work["ef"]),
        (&Value::from("scan"), &Value::from(0)),
        "few rows are compared one by one"
    );
    assert!(work["compared"].as_u64().unwrap() >= 3, "{work}");
    assert!(home.json(&["search", "cat", "--json"]).get("explain").is_none());
    let told = home.run(&["search", "cat", "--explain"]);
    assert!(stderr(&told).contains("vectors 0: scan"), "{}", stderr(&told));
    assert!(stdout(&told).starts_with("0."), "{}", stdout(&told));
    let refused = home.run(&["search", "cat", "--recall", "1.5"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("recall is 1.5"), "{}", stderr(&refused));
}

#[test]
fn recall_is_measured_with_an_interval() {
    let home = Home::indexed();
    let own = home.json(&["recall", "-k", "2", "--json"]);
    let low = own["low"].as_f64().unwrap();
    assert!((low - 3.0 / (3.0 + 3.841_459)).abs() < 1e-6, "all of three are found: {own}");
    let want = serde_json::json!({
        "schema": 1, "k": 2, "recall": 1.0, "low": low, "high": 1.0, "asked": 3, "vectors": 3, "queries": null,
        "effort": "recall 0.95", "compared": 3.0
    });
    assert_eq!(own, want);
    let one = home.json(&["recall", "--sample", "1", "--ef", "30", "--json"]);
    assert_eq!((&one["asked"], &one["effort"]), (&Value::from(1), &Value::from("ef 30")));
    let told = stdout(&home.run(&["recall", "--in", ".", "--recall", "0.9"]));
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("recall@10 1.000 (95 % interval 0.4"), "{told}");
    assert_eq!(lines[1], "3 of 3 vectors asked, each for the nearest others");
    assert_eq!(lines[2], "effort: recall 0.9; 3 rows compared a query");

    home.write("queries.txt", "kitten\n\nvessel\n");
    let asked = home.run(&["recall", "--queries", "queries.txt", "--json"]);
    assert!(stderr(&asked).starts_with("1 of 3 queries have no vector"), "{}", stderr(&asked));
    let asked: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!((&asked["asked"], &asked["queries"]), (&Value::from(2), &Value::from(3)));
    let piped = embed(&home, &["recall", "--queries", "-"], b"kitten\r\nvessel");
    assert!(stdout(&piped).contains("2 of 2 queries asked, for the nearest of 3 vectors"), "{}", stdout(&piped));
}

#[test]
fn recall_says_what_is_wrong() {
    let home = Home::new();
    let fails = |args: &[&str], want: i32, words: &str| {
        let output = home.run(&[&["recall"], args].concat());
        assert_eq!(output.status.code(), Some(want), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    };
    fails(&[], 3, "gyeol index DIR");
    fs::remove_file(home.at().join("cats.md")).unwrap();
    fs::remove_file(home.at().join("rows.jsonl")).unwrap();
    home.run(&["index"]);
    fails(&[], 1, "nothing to measure: a single vector has no neighbours");
    fails(&["-k", "0"], 2, "k is 0; ask for at least one neighbour");
    fails(&["--sample", "0"], 2, "sample is 0; it must be at least 1");
    fails(&["--recall", "2"], 2, "recall is 2; it must be over 0 and at most 1");
    fails(&["--recall", "0.9", "--ef", "20"], 2, "cannot be used with");
    fails(&["--queries", "absent"], 7, "absent");
    fails(&["--queries", "/dev/null"], 1, "there are no queries");
    fs::write(home.at().join("latin1.txt"), b"fine\nna\xEFve\n").unwrap();
    fails(&["--queries", "latin1.txt"], 2, "latin1.txt: line 2 is not UTF-8");
    fs::remove_file(home.at().join("trade/ships.txt")).unwrap();
    fs::remove_file(home.at().join("latin1.txt")).unwrap();
    home.run(&["index"]);
    fails(&[], 1, "the collection has no vectors");
    let none = home.run(&["recall", "--json"]);
    let figures: Value = serde_json::from_slice(&none.stdout).unwrap();
    assert_eq!((none.status.code(), &figures["recall"], &figures["vectors"]), (Some(1), &Value::Null, &Value::from(0)));
}

#[test]
fn an_index_of_vectors_is_measured() {
    let home = Home::new();
    let mut state = 3u64;
    let mut matrix = |name: &str, n: usize| {
        let mut values = Vec::new();
        for _ in 0..n * 24 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            values.push((state >> 40) as f32 / (1 << 23) as f32 - 1.0);
        }
        npy::write(home.at().join(name), Vectors::new(values, 24).unwrap().view()).unwrap();
    };
    matrix("base.npy", 5000);
    matrix("queries.npy", 20);
    let bench = ["bench", "--base", "base.npy", "--queries", "queries.npy", "--metric", "l2", "--threads", "2"];
    let kept = [&bench[..], &["--index", "kept/segment", "--ef", "16,400", "--json"]].concat();
    let first = home.json(&kept);
    assert_eq!((&first["schema"], &first["n"], &first["dim"]), (&Value::from(1), &Value::from(5000), &Value::from(24)));
    let number = |v: &Value| v.as_f64().unwrap();
    for field in ["seconds", "cpu_seconds", "threads", "peak_rss_bytes", "file_bytes"] {
        assert!(number(&first["build"][field]) > 0.0, "{field}");
    }
    let curve = first["curve"].as_array().unwrap();
    assert_eq!(curve.iter().map(|p| number(&p["effort"])).collect::<Vec<_>>(), [16.0, 400.0]);
    assert!(
        number(&curve[0]["recall"]) < number(&curve[1]["recall"]) && number(&curve[1]["recall"]) > 0.97,
        "{curve:?}"
    );
    assert!(curve.iter().all(|p| ["qps", "qps_wall", "p50_us", "p99_us"].iter().all(|f| number(&p[*f]) > 0.0)));
    let again = home.json(&kept);
    assert_eq!(
        (&again["build"]["seconds"], &again["build"]["file_bytes"]),
        (&Value::from(0.0), &first["build"]["file_bytes"])
    );

    let other = home.run(&["bench", "--base", "queries.npy", "--queries", "queries.npy", "--index", "kept/segment"]);
    assert_eq!(other.status.code(), Some(2), "{}", stderr(&other));
    assert!(stderr(&other).contains("name another file"), "{}", stderr(&other));
    let absent = home.run(&["bench", "--base", "absent.npy", "--queries", "queries.npy"]);
    assert_eq!(absent.status.code(), Some(7), "{}", stderr(&absent));
    let half = home.run(&[&bench[..], &["--storage", "f16", "--ef", "32"]].concat());
    assert!(stdout(&half).contains("recall@10"), "{}", stderr(&half));
}

#[test]
fn a_second_writer_is_told_who_writes() {
    let home = Home::indexed();
    let lock = fs::File::options().read(true).write(true).open(home.at().join(".gyeol/LOCK")).unwrap();
    lock.lock().unwrap();
    let output = home.run(&["index"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("locked by"), "{}", stderr(&output));
    assert_eq!(home.run(&["search", "cat"]).status.code(), Some(0), "readers do not wait");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let home = Home::new();
    home.write("cats.md", "A cat \u{1b}[31msleeps\u{1b}[0m all day.\n");
    home.write("bell.png\u{7}", "x");
    let index = home.run(&["index"]);
    let search = home.run(&["search", "kitten", "-k", "1"]);
    for text in [stdout(&index), stderr(&index), stdout(&search)] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
    assert!(stdout(&search).contains("\\u{1b}[31msleeps"));
}

#[cfg(unix)]
mod unix {
    use super::*;

    /// Many small files, enough for several groups of them.
    fn many(home: &Home, files: usize) {
        for i in 0..files {
            let text = format!("Note {i}: the harvest of the year {} was good. ", 1000 + i).repeat(40);
            home.write(&format!("notes/{i:05}.txt"), &text);
        }
    }

    fn piped(home: &Home, args: &[&str]) -> Child {
        home.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    #[test]
    fn a_broken_pipe_is_quiet() {
        let home = Home::new();
        let mut child = piped(&home, &["embed"]);
        let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        // Writing ends with an error when the child does.
        let writer = std::thread::spawn(move || {
            let lines = "a cat sleeps\n".repeat(10_000);
            while input.write_all(lines.as_bytes()).is_ok() {}
        });
        let mut first = String::new();
        BufReader::new(output).read_line(&mut first).unwrap();
        assert!(first.starts_with("{\"index\":0,"));
        let status = child.wait().unwrap();
        writer.join().unwrap();
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    }

    #[test]
    fn ctrl_c_keeps_what_is_finished_and_the_next_run_goes_on() {
        let home = Home::new();
        many(&home, 6_000);
        let mut child = piped(&home, &["index", "--json"]);
        // The lock's file names its holder once the run is under way.
        let lock = home.at().join(".gyeol/LOCK");
        while fs::read_to_string(&lock).unwrap_or_default().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert!(child.try_wait().unwrap().is_none());
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        let first: Value = serde_json::from_slice(&output.stdout).unwrap();
        let done = first["files"]["added"].as_u64().unwrap();
        assert!(done < 6_003, "interrupted before the end");
        let rest = home.json(&["index", "--json"]);
        assert_eq!(rest["files"]["added"].as_u64().unwrap(), 6_003 - done);
        assert_eq!(home.json(&["status", "--json"])["documents"], 6_003);
    }

    #[test]
    fn a_full_stdout_is_an_error() {
        if !Path::new("/dev/full").exists() {
            let _ = writeln!(std::io::stderr(), "SKIPPED: no /dev/full");
            return;
        }
        let home = Home::indexed();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = home.command(&["search", "cat"]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert!(stderr(&output).contains("stdout"), "{}", stderr(&output));
    }

    #[test]
    fn a_read_only_collection_can_be_searched_and_says_why_it_cannot_be_written() {
        use std::os::unix::fs::PermissionsExt;
        let home = Home::indexed();
        let folder: PathBuf = home.at().join(".gyeol");
        let modes = |mode: u32, file: u32| {
            for path in [folder.clone(), folder.join("documents"), folder.join("vectors")] {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
            fs::set_permissions(folder.join("LOCK"), fs::Permissions::from_mode(file)).unwrap();
        };
        modes(0o555, 0o444);
        // The superuser writes anywhere.
        let writable = fs::File::options().write(true).open(folder.join("LOCK")).is_ok();
        let index = home.run(&["index"]);
        let search = home.run(&["search", "cat"]);
        modes(0o755, 0o644);
        assert_eq!(search.status.code(), Some(0));
        if writable {
            let _ = writeln!(std::io::stderr(), "SKIPPED: this user may write to read-only files");
            return;
        }
        assert_eq!(index.status.code(), Some(7));
        assert!(stderr(&index).contains("LOCK"), "{}", stderr(&index));
    }
}
