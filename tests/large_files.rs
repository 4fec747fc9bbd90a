//! Files that are large in one way or another. Four minutes in a release build, so they run on
//! request: `GYEOL_LARGE_FILES=1 cargo test --release --test large_files`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use gyeol::Collection;
use gyeol::collection::{Mode, Report};
use gyeol::embed::builtin;

fn wanted() -> bool {
    let wanted = std::env::var_os("GYEOL_LARGE_FILES").is_some();
    if !wanted {
        let _ = writeln!(std::io::stderr(), "SKIPPED: set GYEOL_LARGE_FILES=1");
    }
    wanted
}

fn write(folder: &Path, name: &str, lines: impl Iterator<Item = String>) {
    let mut out = BufWriter::new(File::create(folder.join(name)).unwrap());
    lines.for_each(|line| writeln!(out, "{line}").unwrap());
    out.flush().unwrap();
}

fn index(folder: &Path) -> (Report, Collection) {
    let mut collection = Collection::open_or_create(folder.join(".gyeol"), builtin()).unwrap();
    let report = collection.add_dir(folder).unwrap();
    collection.commit().unwrap();
    assert!(report.skipped.is_empty(), "{:?}", report.skipped);
    (report, collection)
}

/// The articles of the library over and over, each with its number.
fn articles() -> impl Iterator<Item = String> {
    let walk = gyeol::text::walk(Path::new("data/library"), None).unwrap();
    let texts: Vec<String> = walk.entries.iter().map(|e| std::fs::read_to_string(&e.path).unwrap()).collect();
    (0..).map(move |i| format!("Article {i}.\n\n{}\n", texts[i % texts.len()]))
}

#[test]
fn a_file_of_200_megabytes() {
    if !wanted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = 0;
    let articles = articles().take_while(|a| {
        bytes += a.len();
        bytes < 200_000_000
    });
    write(dir.path(), "big.txt", articles);
    let (report, collection) = index(dir.path());
    assert!(report.chunks_added > 100_000, "{report:?}");
    let found = collection.search("how are files replaced safely?").k(3).run().unwrap();
    let text = std::fs::read(dir.path().join("big.txt")).unwrap();
    for hit in found.hits {
        let (from, to) = hit.source.bytes;
        assert_eq!(&text[from as usize..to as usize], hit.text.as_bytes(), "the bytes stated are those of the text");
    }
}

#[test]
fn a_text_of_a_million_lines() {
    if !wanted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "lines.txt", (0..1_000_000).map(|i| format!("line {i} says something short")));
    let (_, collection) = index(dir.path());
    let hit = collection.search("777777").mode(Mode::Lexical).k(1).run().unwrap().hits.remove(0);
    assert!(hit.source.lines.0 <= 777_778 && hit.source.lines.1 >= 777_778, "{:?}", hit.source);
    assert!(hit.text.contains("line 777777 says"));
}

/// A million rows of which fifty thousand have text, so that the time goes into reading rows and not
/// into a graph of a million vectors.
#[test]
fn a_table_of_a_million_rows() {
    if !wanted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let row = |i: u32| {
        let text = if i % 20 == 7 { format!("entry number {i} of the register") } else { String::new() };
        format!("{{\"key\":\"row {i}\",\"text\":\"{text}\",\"at\":{i}}}")
    };
    write(dir.path(), "rows.jsonl", (0..1_000_000).map(row));
    let (report, collection) = index(dir.path());
    assert_eq!(report.chunks_added, 50_000);
    let hit = collection.get("row 777767").unwrap().remove(0);
    assert_eq!((hit.payload["at"].as_u64(), hit.source.lines), (Some(777_767), (777_768, 777_768)));
}

/// A million rows are clustered in less address space than their file takes.
#[test]
#[cfg(all(feature = "cli", target_os = "linux"))]
fn a_file_of_vectors_larger_than_the_memory_is_clustered() {
    if !wanted() {
        return;
    }
    use gyeol::vectors::npy::{NpyWriter, read_ids};
    let (n, dim) = (1_000_000, 128);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.npy");
    let mut out = NpyWriter::new(File::create(&path).unwrap(), dim).unwrap();
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u32 << 24) as f32 - 0.5
    };
    for row in 0..n {
        // A thousand corners of a cube of ten columns, each with its noise.
        let corner = row % 1000;
        let high = |j: usize| if j < 10 && (corner >> j) & 1 == 1 { 8.0 } else { 0.0 };
        let values: Vec<f32> = (0..dim).map(|j| high(j) + noise()).collect();
        out.write_rows(&values).unwrap();
    }
    out.finish().unwrap();
    let command = format!(
        "ulimit -v 524288; exec {} cluster --vectors rows.npy -k 1000 --algorithm minibatch --threads 2 --labels labels.npy --json",
        env!("CARGO_BIN_EXE_gyeol")
    );
    let output = std::process::Command::new("sh").args(["-c", &command]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let labels = read_ids(folder.path().join("labels.npy")).unwrap().0;
    // Rows of a corner stay together.
    let together = (0..1000).filter(|&c| (1..1000).all(|i| labels[i * 1000 + c] == labels[c])).count();
    assert!(together > 900, "{together} corners of 1000");
}
