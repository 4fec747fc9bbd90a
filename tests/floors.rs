//! Modules use only what is below them: the floors of ARCHITECTURE.md.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules that it may use.
const FLOORS: [(&str, &[&str]); 17] = [
    ("error", &[]),
    ("vectors", &["error"]),
    ("metric", &["error", "vectors"]),
    ("store", &["error", "vectors"]),
    ("index", &["error", "vectors", "metric", "store"]),
    ("cluster", &["error", "vectors", "metric"]),
    ("picture", &["error"]),
    ("text", &["error"]),
    ("transformer", &["error", "metric"]),
    ("http", &["error"]),
    ("cache", &["error"]),
    ("embed", &["error", "vectors", "transformer", "http", "cache"]),
    ("llm", &["error", "http", "cache"]),
    ("rerank", &["error", "transformer"]),
    ("collection", &["error", "vectors", "metric", "store", "index", "text", "embed", "rerank", "cluster"]),
    ("rag", &["error", "vectors", "http", "embed", "collection", "llm"]),
    ("cli", &[]),
];

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// What a line takes from the crate: the names after each `crate::`, also within braces.
fn used(line: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        // `$crate::` and `mycrate::` are other things.
        if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = &line[at + "crate::".len()..];
        let list = rest.strip_prefix('{').and_then(|r| r.split('}').next()).unwrap_or(rest);
        let items = if rest.starts_with('{') { list.split(',').collect() } else { vec![list] };
        let name =
            |item: &str| item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        names.extend(items.into_iter().map(name));
    }
    names
}

fn wrong_arrows(module: &str, allowed: &[&str], text: &str) -> Vec<String> {
    // `Error`, `Result` and `Hit` at the root are re-exports: `Error` is the floor `error`.
    let of = |name: &str| match name {
        "Error" | "Result" => "error".to_owned(),
        name => name.to_owned(),
    };
    let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    let names = code.flat_map(used).map(|name| of(&name));
    names.filter(|name| name != module && !allowed.contains(&name.as_str())).collect()
}

#[test]
fn no_arrow_points_up() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 30);
    let mut wrong = Vec::new();
    for file in files {
        let below = file.strip_prefix(&src).unwrap();
        let module = below.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let floor = FLOORS.iter().find(|(name, _)| *name == module);
        let (_, allowed) = floor.unwrap_or_else(|| panic!("{module} has no floor; give it one"));
        let text = fs::read_to_string(&file).unwrap();
        wrong.extend(
            wrong_arrows(module, allowed, &text).into_iter().map(|name| format!("{}: {name}", below.display())),
        );
    }
    assert!(wrong.is_empty(), "arrows that point up: {wrong:#?}");
}

#[test]
fn an_arrow_up_is_seen() {
    assert_eq!(wrong_arrows("index", &["error"], "use crate::collection::Collection;"), ["collection"]);
    assert_eq!(wrong_arrows("index", &["error"], "    let x = crate::{error::E, text};"), ["text"]);
    assert!(
        wrong_arrows("index", &["error"], "use crate::index::top;\n// crate::collection\nuse crate::Error;").is_empty()
    );
}
