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

const HEADER: usize = 64;
const ENTRY: usize = 32;
const BLOCK: usize = 16 * 1024;
/// The id of the section of the blocks' sums.
const SUMS: u32 = u32::MAX;

fn number(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// Puts a container's header and checksums right, so that what is behind them is reached; other fields
/// stay as the fuzzer made them. The byte tables are in the documentation of `gyeol::store::file`: when
/// the format changes, so does this.
pub fn fix_container(bytes: &mut [u8], kind: u32) {
    if bytes.len() < HEADER {
        return;
    }
    let length = bytes.len() as u64;
    bytes[..8].copy_from_slice(b"\x89GYEOL\r\n");
    bytes[8..12].copy_from_slice(&1u32.to_le_bytes());
    bytes[12..16].copy_from_slice(&kind.to_le_bytes());
    put(bytes, 16, length);
    let count = bytes[24..28].first_chunk().map_or(0, |b| u32::from_le_bytes(*b)) as usize;
    let table_end = HEADER + count.min(64) * ENTRY;
    if count <= 64 && table_end <= bytes.len() {
        fix_sections(bytes, table_end);
        let sum = XxHash3_64::oneshot(&bytes[HEADER..table_end]);
        put(bytes, 32, sum);
    }
    let sum = XxHash3_64::oneshot(&bytes[..56]);
    put(bytes, 56, sum);
}

/// Sums the blocks of all sections into the last one, and the sums into the table.
fn fix_sections(bytes: &mut [u8], table_end: usize) {
    let entries: Vec<(usize, u32, usize, usize)> = (HEADER..table_end)
        .step_by(ENTRY)
        .filter_map(|at| {
            let (id, start) = (number(bytes, at) as u32, number(bytes, at + 8));
            let end = start.checked_add(number(bytes, at + 16)).filter(|&end| end <= bytes.len() as u64)?;
            Some((at, id, start as usize, end as usize))
        })
        .collect();
    let Some(&(last, SUMS, mut to, end)) = entries.last() else { return };
    let from = to;
    for &(at, _, start, stop) in &entries[..entries.len() - 1] {
        let sums: Vec<u8> =
            bytes[start..stop].chunks(BLOCK).flat_map(|block| XxHash3_64::oneshot(block).to_le_bytes()).collect();
        put(bytes, at + 24, XxHash3_64::oneshot(&sums));
        let room = sums.len().min(end - to);
        bytes[to..to + room].copy_from_slice(&sums[..room]);
        to += room;
    }
    let sum = XxHash3_64::oneshot(&bytes[from..end]);
    put(bytes, last + 24, sum);
}

/// A manifest with its line of checksum, as `gyeol` writes it.
pub fn sealed(json: &[u8]) -> Vec<u8> {
    let line = [json, b"\n"].concat();
    let sum = blake3::hash(&line).to_hex();
    [&line, &sum.as_bytes()[..32], b"\n"].concat()
}
