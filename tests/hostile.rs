//! Files made to hurt whoever reads them: nested without end, lines without end, rows without end.
//!
//! Every case is read and cut, and becomes text or is skipped by name; what it took is printed
//! (`--nocapture`). The files are of 256 KiB; with `GYEOL_LARGE_FILES=1` of 100 MiB (in a release build),
//! or of `GYEOL_MIB=n`; `GYEOL_CASE=part` takes the cases of which the name has that part. Time is only
//! held against what quadratic work would take.

use std::fs;
use std::io::Write;
use std::sync::Mutex;
use std::time::Instant;

use gyeol::embed::{Embedder, builtin};
use gyeol::text::{Chunk, ChunkSize, Chunker, Fields, Refused, read, walk};

const MIB: usize = 1 << 20;
/// Seconds for each MiB, and for a smaller file: only quadratic work takes more.
const SLOWEST: f64 = 60.0;

/// One at a time, so that the peak of the memory is that of one file.
static TURN: Mutex<()> = Mutex::new(());

/// What became of a file.
struct Outcome {
    chunks: Vec<Chunk>,
    documents: usize,
    /// Why the file, or parts of it, were skipped.
    reasons: Vec<String>,
}

/// A line of `/proc/self/status` in MiB; 0 where there is none.
fn memory(line: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|l| l.strip_prefix(line));
    found.and_then(|l| l.split_whitespace().next()).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Reads and cuts a file, and prints what that took.
fn take(name: &str, case: &str, bytes: Vec<u8>) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), &bytes).unwrap();
    let size = bytes.len() as f64 / MIB as f64;
    drop(bytes);
    let embedder = builtin();
    let count = |text: &str| embedder.count_tokens(text);
    // Lets the kernel count the peak anew.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let before = memory("VmRSS:");
    let started = Instant::now();
    let found = walk(dir.path(), None).unwrap();
    let mut outcome = Outcome { chunks: Vec::new(), documents: 0, reasons: Vec::new() };
    let mut read_seconds = 0.0;
    match read(&found.entries[0], &Fields::default()) {
        Ok(file) => {
            read_seconds = started.elapsed().as_secs_f64();
            outcome.documents = file.documents.len();
            outcome.reasons.extend(file.skipped.iter().map(|s| format!("{}: {}", s.path, s.reason)));
            let chunker = Chunker::new(ChunkSize::default(), &count).unwrap();
            for document in &file.documents {
                outcome.chunks.extend(chunker.chunks(document));
            }
        }
        Err(Refused::NotText(reason)) => outcome.reasons.push(reason),
        Err(Refused::Unread(reason)) => panic!("{case}: {reason}"),
    }
    let seconds = started.elapsed().as_secs_f64();
    let line = format!(
        "{case:<44} {size:6.1} MiB {read_seconds:7.2} s read {seconds:8.2} s all {:7.0} MiB peak ({:4.1} x), {:7} documents, {:8} chunks; {:.150}",
        memory("VmHWM:") - before,
        (memory("VmHWM:") - before) / size,
        outcome.documents,
        outcome.chunks.len(),
        outcome.reasons.first().map_or("", String::as_str),
    );
    let _ = writeln!(std::io::stderr(), "{line}");
    assert!(seconds < SLOWEST * size.clamp(1.0, 10.0), "{case}: {seconds} s");
    outcome
}

/// A case at each size that is asked for.
fn each(name: &str, case: &str, make: impl Fn(usize) -> Vec<u8>, check: impl Fn(&Outcome)) {
    let _turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
    if std::env::var("GYEOL_CASE").is_ok_and(|only| !case.contains(&only)) {
        return;
    }
    let large = std::env::var_os("GYEOL_LARGE_FILES").is_some();
    let asked = std::env::var("GYEOL_MIB").ok().and_then(|mib| mib.parse::<usize>().ok()).map(|mib| mib * MIB);
    check(&take(name, case, make(asked.unwrap_or(if large { 100 * MIB } else { MIB / 4 }))));
}

/// A part over and over.
fn times(part: &str, size: usize) -> Vec<u8> {
    part.repeat(size / part.len().max(1)).into_bytes()
}

fn any(_: &Outcome) {}

/// Skipped by a name that says this.
fn skipped(says: &'static str) -> impl Fn(&Outcome) {
    move |outcome| assert!(outcome.reasons.iter().any(|r| r.contains(says)), "{says}: {:.300?}", outcome.reasons)
}

/// Read as text, all of it.
fn text(outcome: &Outcome) {
    assert!(!outcome.chunks.is_empty() && outcome.reasons.is_empty(), "{:.300?}", outcome.reasons);
}

/// A part over and over in words of nearly the longest.
fn in_words(part: &str, end: &str, size: usize) -> Vec<u8> {
    times(&(part.repeat(16_000 / part.len()) + end), size)
}

#[test]
fn markdown() {
    let case = |case: &str, part: &'static str| each("a.md", case, |size| times(part, size), any);
    each("a.md", "md one line of quotes", |size| times("> ", size), skipped("deeper than 200"));
    case("md one line of quotes without spaces", ">");
    case("md one line of bullets", "- ");
    case("md one line of numbers", "1. ");
    case("md quoted lists", "> - ");
    case("md brackets", "[");
    case("md brackets closed", "[]");
    case("md images", "![[]()");
    case("md emphasis", "*a **a ");
    case("md underscores", "_a__");
    case("md stars", "*");
    case("md backticks", "`a``b```c");
    case("md links that do not end", "[a](<b");
    case("md comments that do not end", "<!-- a\n");
    case("md instructions", "<?a ");
    case("md tags", "<a b=\"");
    case("md cdata", "<![CDATA[a");
    case("md autolinks", "<a:");
    case("md definitions", "[a]: /u\n");
    case("md definitions one after another", "[a]: u 't\n");
    case("md many headings", "# a\n\n");
    case("md many headings with text", "# a\nb\n\n");
    case("md setext", "a\n=\n");
    case("md tables", "|a|b|\n|-|-|\n|c|d|\n");
    case("md backslashes", "\\\\*");
    case("md entities", "&amp;");
    case("md blank lines", "\n");
    case("md rules", "---\n");
    case("md rules two", "---\n\na\n");
    case("md fence", "```\n# a\n\n");
    case("md hard breaks", "a  \n");
    case("md indented", "    a\n\n");
    case("md words in one line", "word ");
}

#[test]
fn markdown_lists_and_headings() {
    each(
        "a.md",
        "md long headings over short texts",
        |size| {
            let mut out: String = (1..6).map(|i| format!("{} {}\n\n", "#".repeat(i), "긴제목".repeat(60))).collect();
            out.push_str(&"###### a\nb\n\n".repeat(size / 12));
            out.into_bytes()
        },
        any,
    );
    each(
        "a.md",
        "md bullets then blank lines",
        |size| {
            let half = "- ".repeat(size / 4) + "a";
            (half + &"\n".repeat(size / 2)).into_bytes()
        },
        skipped("deeper than 200"),
    );
    each(
        "a.md",
        "md many lines of bullets",
        |size| {
            let line = "- ".repeat(10_000) + "a\n" + &"\n".repeat(10_000);
            times(&line, size)
        },
        any,
    );
    each(
        "a.md",
        "md lists one in another",
        |size| {
            let lines: String = (0..400).map(|i| format!("{}- a\n", "  ".repeat(i))).collect();
            times(&lines, size)
        },
        any,
    );
    each(
        "a.md",
        "md lists one in another and blank lines",
        |size| {
            let lines: String = (0..300).map(|i| format!("{}- a\n", "  ".repeat(i))).collect();
            times(&(lines + &"\n".repeat(60_000)), size)
        },
        any,
    );
}

#[test]
fn markdown_references() {
    each(
        "a.md",
        "md references",
        |size| {
            let mut out = format!("[a]: /{}\n\n", "u".repeat(10_000));
            out.push_str(&"[a] ".repeat(size / 4));
            out.into_bytes()
        },
        any,
    );
    each(
        "a.md",
        "md many definitions and references",
        |size| (0..size / 20).map(|i| format!("[{i}]: /u\n\n[x][{i}]\n\n")).collect::<String>().into_bytes(),
        any,
    );
    each("a.md", "md a heading of one line", |size| [b"# ".to_vec(), times("word ", size)].concat(), any);
}

#[test]
fn markdown_within_the_limits() {
    let parts = [
        "[",
        "[]",
        "![[]()",
        "*a**a",
        "_a__",
        "*",
        "`a``b```c",
        "[a](<b",
        "<!--a",
        "<?a",
        "<a:",
        "<![CDATA[a",
        "\\\\*",
        "&amp;",
        "x",
    ];
    for part in parts {
        each("a.md", &format!("md words of {part}"), |size| in_words(part, "\n", size), text);
    }
    let deep = |case: &str, part: &str| {
        let lines = format!("{}a\n{}", part.repeat(199), "\n".repeat(100_000));
        each("a.md", case, |size| times(&lines, size), text);
    };
    each("a.md", "md quotes as deep as may be", |size| times(&("> ".repeat(199) + "a\n"), size), text);
    deep("md lists as deep as may be", "- ");
    deep("md numbers as deep as may be", "1. ");
}

#[test]
fn html() {
    let case = |case: &str, part: &'static str| each("a.html", case, |size| times(part, size), any);
    case("html divs in divs", "<div>");
    case("html bold in bold", "<b>a");
    case("html tables in tables", "<table><tr><td>");
    case("html references", "&amp;");
    case("html references with spaces", "&lt; ");
    case("html white space references", "&#32;a");
    case("html longest references", "&CounterClockwiseContourIntegral;");
    case("html references that are none", "&aaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    case("html numbers", "&#99999999999999999999;");
    case("html titles", "<title>a</title>");
    case("html headings", "<h1>a</h1>");
    case("html open headings", "<h1>a");
    case("html breaks", "<br>");
    case("html short words", "a  ");
    case("html blank lines", "\n");
    case("html pre", "<pre>\n");
    case("html comments", "<!--a-->");
    case("html open comments", "<!--a");
    case("html doctypes", "<!doctype a>");
    case("html angle brackets", "<");
    case("html closed", "</a>");
    case("html scripts", "<script>a</script>b");
    case("html cdata", "<svg><![CDATA[a");
    let inside = |case: &str, start: &'static str, part: &'static str, end: &'static str| {
        let make = |size| [start.as_bytes(), &times(part, size), end.as_bytes(), b"<p>words after"].concat();
        each("a.html", case, make, any);
    };
    inside("html one attribute", "<p>words<a b=\"", "c", "\">");
    inside("html one attribute name", "<p>words<a ", "c", ">");
    inside("html one tag name", "<p>words<a", "c", ">");
    inside("html attributes", "<p>words<a ", "c ", ">");
    inside("html attributes with names of their own", "<p>words<a ", "c d e f g=1 h=", ">");
    inside("html an open script", "<p>words<script>", "var a; ", "");
    inside("html an open comment", "<p>words<!--", "a -", "");
    inside("html one comment", "<p>words<!--", "a -", "-->");
    inside("html an open title", "<title>", "a ", "");
    inside("html one heading", "<h1>", "a ", "</h1>");
    inside("html a doctype", "<!doctype ", "a", ">");
    each(
        "a.html",
        "html many attributes",
        |size| {
            let names: String = (0..size / 8).map(|i| format!("a{i:x} ")).collect();
            format!("<p>words<a {names}>words").into_bytes()
        },
        any,
    );
}

#[test]
fn json() {
    let json = |case: &str, make: &dyn Fn(usize) -> String| each("a.jsonl", case, |size| make(size).into_bytes(), any);
    let named = |case: &str, says: &'static str, make: &dyn Fn(usize) -> String| {
        each("a.jsonl", case, |size| make(size).into_bytes(), skipped(says));
    };
    named("json a row of 17 MiB", "a row of 17", &|_| format!("{{\"text\":\"{}\"}}\n", "word ".repeat(17 * MIB / 5)));
    named("json nested arrays", "127", &|size| format!("{{\"text\":\"a\",\"b\":{}}}\n", "[".repeat(size)));
    json("json nested arrays closed", &|size| {
        format!("{{\"text\":\"a\",\"b\":{}{}}}\n", "[".repeat(size / 2), "]".repeat(size / 2))
    });
    json("json nested objects", &|size| "{\"a\":".repeat(size / 5));
    json("json one row", &|size| format!("{{\"text\":\"{}\"}}\n", "word ".repeat(size / 5)));
    json("json one row of a number", &|size| format!("{{\"text\":\"a\",\"b\":{}}}\n", "9".repeat(size)));
    json("json one row of zeros", &|size| format!("{{\"text\":\"a\",\"b\":0.{}}}\n", "0".repeat(size)));
    named("json huge numbers", "number out of range", &|size| "{\"text\":\"a\",\"b\":1e999999}\n".repeat(size / 26));
    named("json lone surrogates", "not JSON", &|size| "{\"text\":\"\\ud800\"}\n".repeat(size / 18));
    json("json one row of empty arrays", &|size| format!("{{\"text\":\"a\",\"b\":[{}[]]}}\n", "[],".repeat(size / 3)));
    json("json one row of objects", &|size| {
        format!("{{\"text\":\"a\",\"b\":[{}{{}}]}}\n", "{\"a\":1},".repeat(size / 8))
    });
    json("json rows of empty arrays", &|size| {
        "{\"text\":\"a\",\"b\":[[],[],[],[],[],[],[],[],[]]}\n".repeat(size / 46)
    });
    json("json one row of keys", &|size| {
        let keys: String = (0..size / 10).map(|i| format!("\"{i:x}\":0,")).collect();
        format!("{{{keys}\"text\":\"a\"}}\n")
    });
    json("json equal keys", &|size| format!("{{{}\"text\":\"a\"}}\n", "\"a\":1,".repeat(size / 6)));
    json("json lines that are none", &|size| "x\n".repeat(size / 2));
    json("json rows without text", &|size| "{\"text\":\"\"}\n".repeat(size / 12));
    json("json short rows", &|size| "{\"text\":\"a\"}\n".repeat(size / 13));
    json("json escapes", &|size| format!("{{\"text\":\"{}\"}}\n", "\\u0041".repeat(size / 6)));
}

#[test]
fn csv() {
    let named = |case: &str, says: &'static str, make: &dyn Fn(usize) -> String| {
        each("a.csv", case, |size| make(size).into_bytes(), skipped(says));
    };
    named("csv a quote open for 17 MiB", "never be closed", &|_| {
        format!("text\n\"{}", "word, \n".repeat(17 * MIB / 7))
    });
    named("csv too many columns", "more than 16384", &|size| format!("text{}\na\n", ",b".repeat(size / 2)));
    let csv = |case: &str, make: &dyn Fn(usize) -> String| each("a.csv", case, |size| make(size).into_bytes(), any);
    csv("csv an open quote", &|size| format!("text,b\na,\"{}", "word, \n".repeat(size / 7)));
    csv("csv an open quote in the text", &|size| format!("text,b\n\"{}", "word, \n".repeat(size / 7)));
    csv("csv a million columns", &|size| format!("text{}\na\n", ",b".repeat(size / 2)));
    csv("csv columns of other names", &|size| {
        let names: String = (0..size / 8).map(|i| format!(",c{i}")).collect();
        format!("text{names}\na\n")
    });
    csv("csv columns and no text", &|size| format!("a{}\na\n", ",b".repeat(size / 2)));
    csv("csv a wide row", &|size| format!("text\na{}\n", ",b".repeat(size / 2)));
    csv("csv short rows", &|size| format!("text\n{}", "a\n".repeat(size / 2)));
    csv("csv rows without text", &|size| format!("b,text\n{}", "a,\n".repeat(size / 3)));
    csv("csv blank rows", &|size| format!("b,text\n{}", "\n".repeat(size)));
    csv("csv rows of all widths", &|size| {
        let row: String = (0..100).map(|i| format!("a{}\n", ",b".repeat(i))).collect();
        format!("text\n{}", row.repeat(size / row.len()))
    });
    csv("csv quotes", &|size| format!("text\n\"{}\"\n", "\"\"".repeat(size / 2)));
    named("csv zero bytes", "zero byte", &|size| {
        format!("text\n{}\n{}", "word ".repeat(20_000), "a\0\n".repeat(size / 3))
    });
}

#[test]
fn lines() {
    for name in ["a.txt", "a.md", "a.rs", "a.html"] {
        let each = |case: &str, part: &'static str, check: &dyn Fn(&Outcome)| {
            each(name, &format!("{name} {case}"), |size| times(part, size), check);
        };
        for (what, part) in [
            ("one word", "x"),
            ("base64", "iVBORw0KGgoAAAANSUhEUgAA"),
            ("code", "a(b,c);"),
            ("combining marks", "\u{301}"),
            ("letters with marks", "a\u{301}\u{302}"),
            ("joiners", "\u{200d}"),
            ("families", "👩\u{200d}👩\u{200d}👧\u{200d}"),
            ("flags", "🇰🇷"),
            ("punctuation", "."),
            ("marks that turn the direction", "\u{202e}\u{202d}"),
        ] {
            each(what, part, &skipped("without"));
            self::each(name, &format!("{name} words of {what}"), |size| in_words(part, " ", size), text);
        }
        each("one line of words", "word ", &text);
        each("one line of Korean", "가나다라마바사아자차카타파하", &text);
        each("one line of Chinese sentences", "天地玄黄宇宙洪荒。日月盈昃辰宿列张。", &text);
        each("one line of Thai", "ภาษาไทยเขียนติดกัน", &text);
        each("jamo", "\u{1100}", &text);
        each("decomposed Korean", "\u{1112}\u{1161}\u{11ab}", &text);
        each("Korean with marks", "가\u{301}", &text);
        each("Burmese marks", "\u{102d}", &any);
        each("white space", " \t", &any);
        each("ideographic spaces", "\u{3000}", &any);
        each("blank lines and letters", "a\n\n", &text);
        each("sentences", "a. ", &text);
        each("short lines", "a\n", &text);
        each("carriage returns", "a\r", &text);
        each("other line ends", "a\u{2028}", &text);
    }
}

#[test]
fn encodings() {
    let case = |name: &str, case: &str, start: &[u8], part: &[u8]| {
        each(name, case, |size| [start, &part.repeat(size / part.len())].concat(), any);
    };
    case("a.txt", "utf-16 lone surrogates", b"\xFF\xFE", b"a\0\x00\xD8");
    case("a.txt", "utf-16 few lone surrogates", b"\xFF\xFE", &[&b"a\0 \0".repeat(40)[..], b"\x00\xD8"].concat());
    case("a.txt", "utf-16 zeros", b"\xFF\xFE", b"a\0\0\0");
    case("a.txt", "utf-16 odd", b"\xFF\xFEa", b"a\0 \0");
    case("a.txt", "utf-16 one word", b"\xFF\xFE", b"a\0");
    case("a.txt", "mixed encodings", b"", b"\xC7\xD1\xB1\xDB \xED\x95\x9C\xEA\xB8\x80 caf\xE9 ");
    case("a.txt", "bytes that are no text", b"", b"\xFF\xFE\x80\x81");
    case("a.txt", "windows-1252 words", b"", b"caf\xE9 \x80 ");
    case("a.txt", "utf-8 and bad bytes", b"", "가나다 \u{e9}".as_bytes());
    case("a.txt", "words and then zeros", &b"word ".repeat(20_000), b"\0");
    case("a.txt", "words and then controls", &b"word ".repeat(20_000), b"\x01\x02\x03");
    case("a.txt", "a gzip file by its bytes", b"\x1f\x8b\x08\x00", b"\xA7words");
    case("a.md", "a zip file by its bytes", b"PK\x03\x04", b"words ");
    case("a.md", "a PDF by its bytes", b"%PDF-1.7\n", b"words ");
}
