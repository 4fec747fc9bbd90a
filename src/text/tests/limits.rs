//! What is beyond a limit is named, and what is within it is read.

use super::super::limits::{LONGEST_WORD, MAX_HEADINGS};
use super::*;

fn reason(name: &str, bytes: &[u8]) -> String {
    match read_file(name, bytes) {
        Err(read::Refused::NotText(reason)) => reason,
        other => panic!("{name}: {other:?}"),
    }
}

/// An image within a note is left out and named; the places of the rest stay right.
#[test]
fn data_within_a_text_is_left_out() {
    let data = "iVBORw0KGgo".repeat(LONGEST_WORD / 10);
    let source = format!(
        "\u{feff}# 결\n\n앞의 글이다.\n\n![그림](data:image/png;base64,{data})\n\n뒤의 글이다.\n\n{data}\n\n끝.\n"
    );
    for name in ["a.md", "a.txt", "a.rs"] {
        let file = read_file(name, source.as_bytes()).unwrap();
        let document = &file.documents[0];
        assert!(!document.text.contains("VBOR"), "{name}");
        let cut = chunks(document, 3);
        for chunk in &cut {
            let span = chunk.span.bytes.start as usize..chunk.span.bytes.end as usize;
            // A chunk over the gap spans it.
            let around = source[span.clone()].replace(&format!("![그림](data:image/png;base64,{data})"), "");
            assert!(around.replace(&data, "") == chunk.text, "{name}: {}", chunk.text);
            assert_eq!(chunk.span.lines.0 as usize, source[..span.start].matches('\n').count() + 1);
            assert_eq!(chunk.span.lines.1 as usize, source[..span.end].matches('\n').count() + 1);
        }
        assert!(cut.last().unwrap().text.ends_with("끝."));
        let skipped: Vec<&str> = file.skipped.iter().map(|s| s.path.as_str()).collect();
        assert_eq!(skipped, [format!("{name}:5"), format!("{name}:9")]);
        assert!(file.skipped[0].reason.contains("without a space"), "{:?}", file.skipped);
    }
    assert!(reason("a.txt", data.as_bytes()).contains("all of it data"));
    let book = "가나다라마바사。".repeat(LONGEST_WORD);
    assert_eq!(one("a.txt", book.as_bytes()).text, book);
    let page = format!("<p>one two</p><p>{data}</p>\n<pre>{data}\nthree</pre>");
    let file = read_file("a.html", page.as_bytes()).unwrap();
    assert_eq!(file.documents[0].text.split_whitespace().collect::<Vec<_>>(), ["one", "two", "three"]);
    let skipped: Vec<&str> = file.skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, ["a.html:1", "a.html:2"]);
    let rows = format!("{{\"text\":\"one {data} two\"}}\n{{\"text\":\"{data}\"}}\n");
    let file = read_file("a.jsonl", rows.as_bytes()).unwrap();
    assert_eq!(file.documents.len(), 1);
    assert_eq!(file.documents[0].text, "one  two");
    assert_eq!(file.skipped.len(), 2);
}

#[test]
fn reasons_say_what_to_do_and_stay_short() {
    assert!(reason("a.tar.gz", b"x").contains("unpack it"));
    assert!(reason("a.docx", b"x").contains("save it as text"));
    assert!(reason("a.txt", b"\x1f\x8b\x08 and words").contains("gzip"));
    assert!(reason("a.md", b"%PDF-1.7\nwords").contains("PDF"));
    assert!(reason("a.txt", &[&b"word ".repeat(50_000)[..], b"\0"].concat()).contains("zero byte after 250000 bytes"));
    assert!(reason("a.txt", &[0xFF, 0xFE, b'a', 0, 0, 0]).contains("zero byte"));
    let columns = (0..500).map(|i| format!("column number {i}{}", "x".repeat(i))).collect::<Vec<_>>().join(",");
    assert!(reason("a.csv", columns.as_bytes()).len() < 1_000);
    assert!(reason("a.csv", ",a".repeat(20_000).as_bytes()).contains("more than 16384"));
    let headings = "# a\n\n".repeat(MAX_HEADINGS + 1);
    assert!(reason("a.md", headings.as_bytes()).contains("headings"));
}

/// Lines that are no rows are named up to a number, and counted.
#[test]
fn rows_that_are_none_are_counted() {
    let file = read_file("a.jsonl", "x\n".repeat(1_000).as_bytes()).unwrap();
    assert_eq!(file.skipped.len(), 20);
    assert_eq!(file.skipped[19].reason, "and 981 more rows");
    let deep = format!("{{\"text\":\"a\",\"b\":{}{}}}\n{{\"text\":\"b\"}}\n", "[".repeat(200), "]".repeat(200));
    let file = read_file("a.jsonl", deep.as_bytes()).unwrap();
    assert_eq!((file.documents.len(), file.skipped.len()), (1, 1));
    assert!(file.skipped[0].reason.contains("127"), "{:?}", file.skipped);
}

#[test]
fn no_column_is_lost() {
    let source = "text,a,a,a_3,text\n1,2,3,4,5\n1,2,3,4,5,6\n";
    let file = read_file("a.csv", source.as_bytes()).unwrap();
    let values = |d: &Document| d.payload.values().map(|v| v.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(values(&file.documents[0]), ["2", "3", "4", "5"]);
    assert_eq!(values(&file.documents[1]), ["2", "3", "4", "5", "6"]);
}

/// Long headings over very many short texts do not make the chunks many times as long as the file.
#[test]
fn what_headings_add_is_bounded() {
    let mut source: String = (1..6).map(|i| format!("{} {}\n\n", "#".repeat(i), "긴제목".repeat(60))).collect();
    source.push_str(&"###### a\nb\n\n".repeat(20_000));
    let document = one("a.md", source.as_bytes());
    let cut = chunks(&document, 2);
    assert!(cut.len() > 15_000);
    assert!(cut[10].headings.len() >= 5);
    let carried: usize = cut.iter().flat_map(|c| &c.headings).map(String::len).sum();
    assert!(carried < 5 * source.len() + (2 << 20), "{carried}");
}
