//! A collection whose manifest is the input, under a good checksum: opened, searched, taken stock of.
//!
//! The manifest is the payload of `documents/meta.json`. An input that begins with `{"segments"` is all
//! of that file instead.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use gyeol::Collection;
use gyeol::collection::NewDocument;
use gyeol::embed::{Answer, Embeddings, ModelIdentity, Role};
use gyeol::error::EmbedError;
use gyeol::store::Disk;
use gyeol::{Embedder, Vectors};
use gyeol_fuzz::{scratch, sealed};
use libfuzzer_sys::fuzz_target;

/// A vector of the first letters.
struct Letters(ModelIdentity);

impl Letters {
    fn new() -> Self {
        let (name, hash) = ("fuzz::letters".to_owned(), "00000000".to_owned());
        let (query_prefix, document_prefix) = (String::new(), String::new());
        Letters(ModelIdentity { name, hash, dim: 4, query_prefix, document_prefix })
    }
}

impl Embedder for Letters {
    fn identity(&self) -> &ModelIdentity {
        &self.0
    }

    fn embed_many(&self, texts: &[&str], _: Role) -> Result<Embeddings, EmbedError> {
        let row = |text: &&str| {
            let mut row = [1.0f32; 4];
            row.iter_mut().zip(text.bytes()).for_each(|(x, b)| *x = f32::from(b) - 95.5);
            gyeol::vectors::normalize(&mut row);
            row
        };
        let rows: Vec<f32> = texts.iter().flat_map(row).collect();
        let vectors = Vectors::new(rows, 4).map_err(|e| EmbedError::Answer { model: self.0.name.clone(), reason: e.to_string() })?;
        Ok(Embeddings { vectors, answers: vec![Answer::Embedded; texts.len()] })
    }

    fn count_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }
}

/// A collection of two commits, and its `meta.json`.
fn collection() -> &'static (PathBuf, Vec<u8>) {
    static MADE: OnceLock<(PathBuf, Vec<u8>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let path = scratch("collection");
        let mut made = Collection::open_or_create(&path, Letters::new()).expect("a collection");
        for part in [["alpha", "beta", "gamma"], ["delta", "epsilon", "zeta"]] {
            let documents = part.map(|key| NewDocument { key: key.into(), text: format!("{key} text"), ..Default::default() });
            made.upsert(&documents).expect("documents");
            made.commit().expect("a commit");
        }
        made.delete("beta").expect("a deletion");
        made.commit().expect("a commit");
        let meta = fs::read(path.join("documents/meta.json")).expect("its manifest");
        // tantivy's panics on damage are caught where it is called, and made errors.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.location().is_some_and(|at| at.file().contains("tantivy")) {
                before(panic);
            }
        }));
        (path, meta)
    })
}

/// `meta.json` with another payload.
fn with_payload(meta: &[u8], payload: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(meta);
    let mut quoted = String::from("\"");
    for c in payload.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    let at = text.find("\"payload\":").map_or(text.len(), |at| at + "\"payload\":".len());
    let end = text.rfind('}').unwrap_or(text.len());
    format!("{} {quoted}\n{}", &text[..at.min(end)], &text[end..end + 1]).into_bytes()
}

fuzz_target!(|input: &[u8]| {
    let (path, meta) = collection();
    let bytes = match std::str::from_utf8(input) {
        Ok(text) if !text.starts_with("{\"segments\"") => with_payload(meta, text),
        _ => input.to_vec(),
    };
    fs::write(path.join("documents/meta.json"), sealed(&bytes)).expect("the input as a manifest");
    let _ = Collection::status_of(path);
    let Ok(opened) = Collection::open_on(Arc::new(Disk::new(path)), Letters::new()) else { return };
    let _ = opened.status();
    let _ = opened.get("alpha");
    let _ = opened.search("alpha text").k(3).run();
});
