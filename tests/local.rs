//! Models from folders and from a hub.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use gyeol::embed::{Answer, Embedder, Local, LocalOptions, ModelOptions, Role, builtin, embed_many, open};
use gyeol::error::{EmbedError, ModelError};

const TEXTS: [&str; 6] = [
    "the cat sleeps on the sofa",
    "neighbours of a query are found while the rain falls",
    "a",
    "",
    "the rain falls and falls and falls and falls on the sofa of the cat",
    "고양이가 잔다",
];

/// A sentence transformer made of a golden cross-encoder's body.
fn sentence(dir: &Path, golden: &str, architecture: &str, more: &[(&str, &str)]) -> PathBuf {
    let (from, to) = (Path::new("data/golden/rerank").join(golden), dir.join(format!("{golden}-{}", more.len())));
    fs::create_dir_all(to.join("1_Pooling")).unwrap();
    for name in ["tokenizer.json", "model.safetensors"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(from.join("config.json")).unwrap()).unwrap();
    config["architectures"] = serde_json::json!([architecture]);
    fs::write(to.join("config.json"), config.to_string()).unwrap();
    for (name, text) in more {
        fs::write(to.join(name), text).unwrap();
    }
    to
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn model(folder: &Path, full_precision: bool) -> Local {
    Local::open(folder, &LocalOptions { full_precision, ..LocalOptions::default() }).unwrap()
}

#[test]
fn codes_are_near_to_full_precision_and_texts_do_not_depend_on_each_other() {
    let dir = tempfile::tempdir().unwrap();
    for (golden, architecture) in
        [("bert", "BertModel"), ("xlm-roberta", "XLMRobertaModel"), ("electra", "ElectraModel")]
    {
        let folder = sentence(dir.path(), golden, architecture, &[]);
        let (full, codes) = (model(&folder, true), model(&folder, false));
        assert_eq!(full.identity(), codes.identity(), "vectors of both may be compared");
        let all = embed_many(&codes, &TEXTS, Role::Document).unwrap();
        let exact = embed_many(&full, &TEXTS, Role::Document).unwrap();
        assert_eq!(all.answers[3], Answer::Blank);
        for (i, text) in TEXTS.iter().enumerate().filter(|(i, _)| *i != 3) {
            let row = all.get(i).unwrap();
            let near = cosine(row, exact.get(i).unwrap());
            assert!(near > 0.998, "{golden}: {text}: {near}");
            assert!((cosine(row, row) - 1.0).abs() < 1e-5);
            let alone = embed_many(&codes, &[text], Role::Document).unwrap();
            assert_eq!(alone.get(0).unwrap(), row, "{golden}: {text}");
        }
    }
}

#[test]
fn pooling_and_prefixes_are_those_of_the_models_files() {
    let dir = tempfile::tempdir().unwrap();
    let mean = model(&sentence(dir.path(), "bert", "BertModel", &[]), true);
    let cls = ("1_Pooling/config.json", r#"{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false}"#);
    let cls = model(&sentence(dir.path(), "bert", "BertModel", &[cls]), true);
    let row = |model: &Local, text, role| embed_many(model, &[text], role).unwrap().vectors.row(0).to_vec();
    let (a, b) = (row(&mean, TEXTS[0], Role::Query), row(&cls, TEXTS[0], Role::Query));
    assert!(cosine(&a, &b) < 0.999);
    assert_ne!(mean.identity().hash, cls.identity().hash);
    let prompts = ("config_sentence_transformers.json", r#"{"prompts":{"query":"cat ","document":"sofa "}}"#);
    let prompted = model(&sentence(dir.path(), "bert", "BertModel", &[prompts, ("modules.json", "[]")]), true);
    assert_eq!(
        (prompted.identity().prefix(Role::Query), prompted.identity().prefix(Role::Document)),
        ("cat ", "sofa ")
    );
    assert_eq!(row(&prompted, "rain", Role::Query), row(&mean, "cat rain", Role::Query));
    assert_eq!(row(&prompted, "rain", Role::Document), row(&mean, "sofa rain", Role::Query));
    let given = LocalOptions { query_prefix: Some(String::new()), ..LocalOptions::default() };
    let folder = dir.path().join("bert-2");
    assert_eq!(Local::open(folder, &given).unwrap().identity().prefix(Role::Query), "");
}

#[test]
fn long_texts_are_cut_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let most = ("sentence_bert_config.json", r#"{"max_seq_length": 12}"#);
    let folder = sentence(dir.path(), "bert", "BertModel", &[most]);
    let long = "the rain falls on the cat ".repeat(20);
    let (short, long): (&str, &str) = ("the rain falls", &long);
    let cut = embed_many(&model(&folder, false), &[short, long], Role::Document).unwrap();
    assert_eq!(cut.missing(), 0);
    let refusing = Local::open(&folder, &LocalOptions { refuse_long: true, ..LocalOptions::default() }).unwrap();
    let refused = embed_many(&refusing, &[long, short], Role::Document).unwrap();
    assert_eq!(refused.answers, [Answer::Refused, Answer::Embedded]);
    assert_eq!(refused.refusals[0].index, 0);
    assert!(refusing.count_tokens(long) > 100, "all tokens are counted");
}

#[test]
fn what_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |folder: &Path| Local::open(folder, &LocalOptions::default()).map(|_| ()).unwrap_err();
    assert!(matches!(refused(&dir.path().join("none")), EmbedError::Files(ModelError::Io { .. })));
    let other = refused(&sentence(dir.path(), "bert", "LlamaModel", &[]));
    assert!(matches!(&other, EmbedError::Files(ModelError::Architecture { .. })), "{other}");
    let dense = ("modules.json", r#"[{"type":"sentence_transformers.models.Dense"}]"#);
    let error = refused(&sentence(dir.path(), "bert", "BertModel", &[dense])).to_string();
    assert!(error.contains("Dense") && error.contains("modules.json"), "{error}");
    let pooling = ("1_Pooling/config.json", r#"{"pooling_mode_lasttoken":true}"#);
    let error = refused(&sentence(dir.path(), "electra", "ElectraModel", &[pooling])).to_string();
    assert!(error.contains("lasttoken"), "{error}");
    fs::write(dir.path().join("bert-0/model.safetensors"), b"short").unwrap();
    fs::write(dir.path().join("bert-0/config.json"), fs::read(dir.path().join("electra-1/config.json")).unwrap())
        .unwrap();
    assert!(matches!(refused(&dir.path().join("bert-0")), EmbedError::Files(_)));
}

#[test]
fn a_model2vec_folder_gives_what_the_built_in_model_gives() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["model.safetensors", "tokenizer.json"] {
        fs::copy(Path::new("data/model").join(name), dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("config.json"), r#"{"model_type":"model2vec"}"#).unwrap();
    let local = model(dir.path(), false);
    let (ours, theirs) = (embed_many(&local, &TEXTS, Role::Document), embed_many(&builtin(), &TEXTS, Role::Document));
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_eq!(ours.answers, theirs.answers);
    for i in (0..TEXTS.len()).filter(|i| *i != 3) {
        assert!(cosine(ours.vectors.row(i), theirs.vectors.row(i)) > 0.99999, "{}", TEXTS[i]);
    }
    for (text, count) in [(TEXTS[0], builtin().count_tokens(TEXTS[0])), ("", 0)] {
        assert_eq!(local.count_tokens(text), count);
    }
    // The first values, scaled to length 1.
    let options = ModelOptions { dimensions: Some(64), ..ModelOptions::default() };
    let name = format!("local::{}", dir.path().display());
    for name in ["builtin", name.as_str()] {
        let cut = open(name, &options).unwrap();
        assert_eq!(cut.identity().dim, 64);
        let row = embed_many(&cut, &TEXTS[..1], Role::Document).unwrap().vectors.row(0).to_vec();
        assert!((cosine(&row, &row) - 1.0).abs() < 1e-5);
        let whole = theirs.vectors.row(0);
        let norm = cosine(&whole[..64], &whole[..64]).sqrt();
        assert!((cosine(&row, &whole[..64]) - norm).abs() < 1e-4);
    }
    let too_many = ModelOptions { dimensions: Some(257), ..ModelOptions::default() };
    assert!(matches!(open("builtin", &too_many).map(|_| ()), Err(EmbedError::Setting { .. })));
}

/// A large model beside the vectors of its own makers' library, where there is one.
#[test]
fn a_real_transformer_gives_its_reference_vectors() {
    let folder = std::env::var("GYEOL_MODEL").unwrap_or_else(|_| "../shared/model/e5-small-koen".to_owned());
    let Ok(json) = fs::read(format!("{folder}.reference.json")) else {
        eprintln!("SKIPPED: no {folder}.reference.json; GYEOL_MODEL names a folder beside one");
        return;
    };
    let reference: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
    let texts: Vec<&str> = reference.iter().map(|r| r["text"].as_str().unwrap()).collect();
    for (full, least) in [(true, 0.99999), (false, 0.999)] {
        let answer = embed_many(&model(Path::new(&folder), full), &texts, Role::Document).unwrap();
        for (i, entry) in reference.iter().enumerate() {
            let truth: Vec<f32> =
                entry["vector"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
            let near = cosine(answer.vectors.row(i), &truth);
            assert!(near >= least, "full {full}: {}: {near}", texts[i]);
        }
    }
}

/// A hub that has the files of `folder` as `owner/name`.
fn hub(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            thread::spawn(move || serve(stream, &folder));
        }
    });
    url
}

fn serve(mut stream: TcpStream, folder: &Path) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let path = head[0].split(' ').nth(1).unwrap();
        let file = path.strip_prefix("/owner/name/resolve/main/").and_then(|name| fs::read(folder.join(name)).ok());
        let Some(bytes) = file else {
            write!(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
            continue;
        };
        let range = head.iter().find_map(|line| line.to_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
        let (from, to) = range.as_deref().and_then(|r| r.split_once('-')).unwrap_or(("0", ""));
        let from: usize = from.parse().unwrap();
        let to = to.parse().unwrap_or(bytes.len() - 1).min(bytes.len() - 1);
        let etag = blake3::hash(&bytes).to_hex();
        let answer = format!(
            "HTTP/1.1 206 Partial Content\r\ncontent-length: {}\r\ncontent-range: bytes {from}-{to}/{}\r\netag: \"{etag}\"\r\nx-repo-commit: c0ffee\r\n\r\n",
            to + 1 - from,
            bytes.len()
        );
        let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&bytes[from..=to]));
    }
}

#[test]
fn a_model_of_a_hub_is_fetched_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = sentence(dir.path(), "bert", "BertModel", &[("sentence_bert_config.json", "{}")]);
    let run = |endpoint: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
        command.args(["embed", "--model", "hf::owner/name"]).args(more).env("HF_ENDPOINT", endpoint);
        command.env("HF_HOME", dir.path().join("home")).env("HOME", dir.path()).env_remove("HF_HUB_OFFLINE");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(b"the cat\n");
        let output = child.wait_with_output().unwrap();
        (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let nobody = "http://127.0.0.1:9";
    let (code, _, said) = run(nobody, &[]);
    assert_eq!(code, Some(6), "{said}");
    assert!(said.contains(nobody) && said.contains("local::FOLDER"), "{said}");
    let (code, _, said) = run(nobody, &["--offline"]);
    assert!(code == Some(6) && said.contains("--offline"), "{said}");
    // Something that is no hub.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let odd = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\netag: \"x\"\r\nx-repo-commit: c\r\n\r\n");
        }
    });
    let (code, _, said) = run(&odd, &[]);
    assert_eq!(code, Some(6), "{said}");
    let (code, first, said) = run(&hub(folder.clone()), &[]);
    assert_eq!(code, Some(0), "{said}");
    let own = embed_many(&model(&folder, false), &["the cat"], Role::Document).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&first).unwrap();
    let row: Vec<f32> = line["vector"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
    assert_eq!(row, own.vectors.row(0));
    // Now it is there, and nobody is asked.
    assert_eq!(run(nobody, &["--offline"]).1, first);
    for bad in ["hf::x", "hf::a/b/c", "hf::../x", "hf::a/../b"] {
        assert!(open(bad, &ModelOptions::default()).is_err(), "{bad}");
    }
}
