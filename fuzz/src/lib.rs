//! What the fuzz targets share: inputs as files, checksums put right, documents checked.

pub mod collection;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gyeol::text::{Chunk, ChunkSize, Chunker, Document, Entry, Fields, FileText, Refused, SourceMap, read};
use twox_hash::XxHash3_64;

/// A file of this process, in memory where the system has such a folder.
pub fn scratch(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let shm = Path::new("/dev/shm");
        let base = if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() };
        let folder = base.join(format!("gyeol-fuzz-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for inputs");
        folder
    });
    folder.join(name)
}

/// The input as a file of a name.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = scratch(name);
    fs::write(&path, bytes).expect("the input as a file");
    path
}

/// Reads the input as a file of a name, cuts its documents, and checks what must hold of any file.
pub fn read_and_cut(name: &str, bytes: &[u8], fields: &Fields, tokens: usize) {
    let entry = Entry {
        path: file(name, bytes),
        name: name.to_owned(),
        len: bytes.len() as u64,
        modified_ns: 0,
        changed_ns: 0,
    };
    match read(&entry, fields) {
        Ok(file) => check(&file, bytes, tokens),
        Err(Refused::NotText(reason)) => assert!(!reason.is_empty() && reason.len() < 2_000, "{reason}"),
        Err(Refused::Unread(reason)) => panic!("{reason}"),
    }
}

fn check(file: &FileText, bytes: &[u8], tokens: usize) {
    for skipped in &file.skipped {
        assert!(!skipped.reason.is_empty() && skipped.reason.len() < 2_000, "{skipped:?}");
    }
    for document in &file.documents {
        let chunks = cut(document, tokens);
        for chunk in &chunks {
            assert!(chunk.span.bytes.start <= chunk.span.bytes.end, "{chunk:?}");
            // A file in another encoding has its places in the text as UTF-8.
            let Some(source) = std::str::from_utf8(bytes).ok() else { continue };
            assert!(chunk.span.bytes.end <= source.len() as u64, "{chunk:?}");
            if matches!(document.map, SourceMap::Shifted { .. }) {
                let span = chunk.span.bytes.start as usize..chunk.span.bytes.end as usize;
                assert_eq!(&source[span], chunk.text);
            }
        }
    }
}

/// A token is four characters of a word, or what is left of it.
fn count(text: &str) -> usize {
    text.split_whitespace().map(|word| word.chars().count().div_ceil(4)).sum()
}

/// The chunks of a document, after checks: in order, within the limit, nothing lost.
pub fn cut(document: &Document, tokens: usize) -> Vec<Chunk> {
    let tokens = tokens.max(1);
    let chunks = Chunker::new(ChunkSize::Tokens(tokens), &count).expect("a good size").chunks(document);
    let mut at = 0;
    let text = document.text.as_str();
    for chunk in &chunks {
        assert!(count(&chunk.text) <= tokens, "{} tokens: {chunk:?}", count(&chunk.text));
        assert_eq!(chunk.text.trim(), chunk.text);
        at += text[at..].find(chunk.text.as_str()).expect("chunks stand in the text, in order");
        at += chunk.text.len();
    }
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    assert_eq!(chunks.iter().map(|c| letters(&c.text)).sum::<usize>(), letters(text), "nothing is lost");
    chunks
}

/// Puts a container's header and checksums right, so that what is behind them is reached; other fields
/// stay as the fuzzer made them. The byte tables are in the documentation of `gyeol::store::file`: when
/// the format changes, so does this.
pub fn fix_container(bytes: &mut [u8], kind: u32) {
    const HEADER: usize = 64;
    const ENTRY: usize = 32;
    if bytes.len() < HEADER {
        return;
    }
    let length = bytes.len() as u64;
    bytes[..8].copy_from_slice(b"\x89GYEOL\r\n");
    bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
    bytes[12..16].copy_from_slice(&kind.to_le_bytes());
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let count = bytes[24..28].first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
    let table_end = HEADER + count.min(64) * ENTRY;
    if count <= 64 && table_end <= bytes.len() {
        for at in (HEADER..table_end).step_by(ENTRY) {
            let number = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
            let (start, len) = (number(at + 8), number(at + 16));
            let Some(end) = start.checked_add(len).filter(|&end| end <= length) else { continue };
            let sum = XxHash3_64::oneshot(&bytes[start as usize..end as usize]);
            bytes[at + 24..at + 32].copy_from_slice(&sum.to_le_bytes());
        }
        let sum = XxHash3_64::oneshot(&bytes[HEADER..table_end]);
        bytes[32..40].copy_from_slice(&sum.to_le_bytes());
    }
    let sum = XxHash3_64::oneshot(&bytes[..56]);
    bytes[56..64].copy_from_slice(&sum.to_le_bytes());
}

/// A small file of the document store with its line of checksum, as `gyeol` seals it.
pub fn sealed(data: &[u8]) -> Vec<u8> {
    let sum = blake3::hash(data).to_hex();
    [data, b"\n", &sum.as_bytes()[..32], b"\n"].concat()
}
