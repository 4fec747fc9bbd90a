//! Formats, encodings, spans and chunks.

use std::fs;
use std::path::Path;

use super::*;

mod limits;

/// Tokens are words here, so that the numbers can be counted by eye.
fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn read_file(name: &str, bytes: &[u8]) -> Result<read::FileText, read::Refused> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    let found = walk(dir.path(), None).unwrap();
    read(&found.entries[0], &Fields::default())
}

fn one(name: &str, bytes: &[u8]) -> Document {
    let mut file = read_file(name, bytes).unwrap();
    assert_eq!(file.documents.len(), 1);
    file.documents.remove(0)
}

fn chunks(document: &Document, tokens: usize) -> Vec<Chunk> {
    Chunker::new(ChunkSize::Tokens(tokens), &words).unwrap().chunks(document)
}

/// Every chunk's span names the bytes and lines of the file that hold its text.
fn assert_spans(source: &str, chunks: &[Chunk]) {
    for chunk in chunks {
        let bytes = chunk.span.bytes.start as usize..chunk.span.bytes.end as usize;
        assert_eq!(&source[bytes.clone()], chunk.text);
        assert_eq!(chunk.span.lines.0 as usize, source[..bytes.start].matches('\n').count() + 1);
        assert_eq!(chunk.span.lines.1 as usize, source[..bytes.end].matches('\n').count() + 1);
    }
}

#[test]
fn markdown_is_cut_along_headings_and_keeps_their_path() {
    let source = "# 결\n\n머리말 하나.\n\n## 나무\n\n나무에는 결이 있다. 결을 따라 쪼갠다. 결을 거스르면 힘들다.\n\n### Oak\n\nOak splits along \
        its grain when it is green and dry.\n\n## 돌\n\n돌에도 결이 있다.\n";
    let document = one("a.md", source.as_bytes());
    let cut = chunks(&document, 12);
    assert_spans(source, &cut);
    assert!(cut.iter().all(|c| words(&c.text) <= 12));
    let oak = cut.iter().find(|c| c.text.contains("splits along")).unwrap();
    let path: Vec<&str> = oak.headings.iter().map(String::as_str).collect();
    assert!(path == ["결", "나무"] && oak.text.starts_with("### Oak") || path == ["결", "나무", "Oak"], "{oak:?}");
    let stone = cut.iter().find(|c| c.text.contains("돌에도")).unwrap();
    assert!(!stone.headings.contains(&"나무".to_owned()), "{stone:?}");
    assert_eq!(chunks(&document, 1000).len(), 1);
    let whole = Chunker::new(ChunkSize::Whole, &words).unwrap().chunks(&document);
    assert_eq!((whole.len(), whole[0].text.as_str()), (1, source.trim()));
}

#[test]
fn a_heading_stays_with_its_text_and_sentences_stay_whole() {
    let long = "The *load factor* is the number of pairs divided by the number of slots. As it rises, searches slow down. Then the \
        table grows and every pair is inserted again.";
    let source = format!(
        "# Tables\n\n## Growing\n\n{long}\n\n- first item here\n- second item here\n\n## Empty\n\n## Last\n\nThe end.\n"
    );
    let cut = chunks(&one("a.md", source.as_bytes()), 20);
    assert_spans(&source, &cut);
    let texts: Vec<&str> = cut.iter().map(|c| c.text.as_str()).collect();
    assert!(
        texts[0].starts_with("# Tables\n\n## Growing\n\nThe *load factor*") && texts[0].ends_with("of slots."),
        "{texts:#?}"
    );
    assert!(texts.iter().all(|t| t.ends_with(['.', 'e'])), "no chunk ends within a sentence: {texts:#?}");
    assert!(texts.iter().any(|t| t.ends_with("again.\n\n- first item here")), "{texts:#?}");
    assert_eq!(*texts.last().unwrap(), "## Empty\n\n## Last\n\nThe end.");
    assert!(cut.iter().all(|c| words(&c.text) <= 20), "{texts:#?}");
}

#[test]
fn code_is_cut_between_top_level_blocks() {
    let source: String = (0..20).map(|i| format!("fn f{i}() {{\n    let a = {i};\n\n    a + 1\n}}\n\n")).collect();
    let document = one("a.rs", source.as_bytes());
    let cut = chunks(&document, 24);
    assert_spans(&source, &cut);
    assert!(cut.len() >= 8 && cut.iter().all(|c| c.text.starts_with("fn ") && c.text.ends_with('}')), "{cut:?}");
}

#[test]
fn html_gives_the_page_and_not_its_machinery() {
    let source = "<!doctype html>\n<html><head><title>결의 쪽</title><style>p { color: red }</style></head>\n<body><nav>menu \
        home</nav>\n<h1>Grain</h1>\n<p>Wood &amp; stone\n have <b>gr</b>ain.</p><script>let x = '<p>no</p>';</script>\n<ul><li>one<li>two</ul>\n\
        <pre>a\n  b</pre></body></html>\n";
    let document = one("a.html", source.as_bytes());
    assert_eq!(document.text, "Grain\n\nWood & stone have grain.\n\none\n\ntwo\n\na\n  b");
    let titles: Vec<(u8, &str)> = document.headings.iter().map(|h| (h.level, h.text.as_str())).collect();
    assert_eq!(titles, [(0, "결의 쪽"), (1, "Grain")]);
    let at = document.text.find("grain.").unwrap();
    let span = document.map.span(&(at..at + "grain.".len()));
    assert_eq!(&source[span.bytes.start as usize..span.bytes.end as usize], "gr</b>ain.");
    assert_eq!(span.lines, (6, 6));
    let cut = chunks(&document, 5);
    let list = cut.iter().find(|c| c.text.starts_with("one")).unwrap();
    assert_eq!((&list.headings[..], list.span.lines), (&["결의 쪽".to_owned(), "Grain".to_owned()][..], (7, 9)));
}

/// Pages that are put together badly, cut as small as can be: every chunk stands in the file where it
/// says, and no page is a panic.
#[test]
fn odd_pages_are_read_and_every_word_keeps_its_place() {
    let headings = |d: &Document| d.headings.iter().map(|h| (h.at, h.text.clone())).collect::<Vec<_>>();
    let breaks = one("a.html", "foo<br><br><br><br><h1>한글 제목</h1><p>본문".as_bytes());
    assert_eq!(
        (breaks.text.as_str(), headings(&breaks)),
        ("foo\n\n한글 제목\n\n본문", vec![(5, "한글 제목".to_owned())])
    );

    let lines: String = (1..60).map(|i| format!("word{i} fish &amp; chips{i}\r\n")).collect();
    let page = format!("<p>\r\n{lines}</p><pre>\r\none  &lt;two&gt;\r\nthree</pre>");
    let document = one("a.html", page.as_bytes());
    let cut = chunks(&document, 4);
    assert!(cut.len() > 50);
    for chunk in &cut {
        let raw = &page[chunk.span.bytes.start as usize..chunk.span.bytes.end as usize];
        let decoded = raw.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&decoded), words(&chunk.text));
        let line = 1 + page[..chunk.span.bytes.start as usize].matches('\n').count() as u64;
        assert_eq!(chunk.span.lines.0, line, "{chunk:?}");
    }

    let headless = one("a.html", b"<head><title>T</title><h1>Head</h1><p>Text</p>");
    assert_eq!(headless.text, "Head\n\nText");
    let xhtml = b"<?xml version='1.0'?><html><head><script src='x.js'/></head><body><p>Sharks</p></body></html>";
    assert_eq!(one("a.xhtml", xhtml).text, "Sharks");

    let mut state = 1u64;
    for _ in 0..3000 {
        let parts = [
            "<h1>", "</h1>", "<br>", "<pre>", "</pre>", "<p>", "한글 ", " ", "\r\n", "&nbsp;", "&#32;", "&amp", "a\n",
            "<td>", "<li>", "\u{3000}",
        ];
        let page: String = (0..12)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                parts[(state >> 33) as usize % parts.len()]
            })
            .collect();
        let Ok(file) = read_file("a.html", page.as_bytes()) else { continue };
        for document in &file.documents {
            let mut from = 0;
            for chunk in chunks(document, 1) {
                let bytes = &chunk.span.bytes;
                assert!(
                    bytes.start <= bytes.end && bytes.end <= page.len() as u64 && bytes.start >= from,
                    "{page:?} {chunk:?}"
                );
                from = bytes.start;
            }
        }
    }
}

#[test]
fn settings_before_a_note_are_no_heading() {
    let note = "---\ntitle: Plans\ntags: [a, b]\n---\n\n# One\ntwo\n\nA heading\nof lines\n===\n\nText.\n";
    let headings: Vec<String> = one("a.md", note.as_bytes()).headings.into_iter().map(|h| h.text).collect();
    assert_eq!(headings, ["One", "A heading of lines"]);
    let long = format!("# {}\n\n{}", "x".repeat(10_000), "word ".repeat(40));
    let cut = chunks(&one("a.md", long.as_bytes()), 10);
    assert!(cut.last().unwrap().headings[0].len() == 200);
}

#[test]
fn a_few_bad_bytes_do_not_spoil_a_text() {
    let mut french = "Le café est très bon à côté. ".repeat(10).into_bytes();
    french.extend(b"\xff\n");
    assert!(one("a.txt", &french).text.starts_with("Le café est très bon"));
    let mut korean = "\u{feff}결을 따라 쪼갠다. ".repeat(10).into_bytes();
    korean.extend("결".as_bytes()[..2].iter());
    assert!(one("a.txt", &korean).text.contains("결을 따라"));
}

#[test]
fn rows_are_documents() {
    let source = "{\"key\":\"a\",\"text\":\"첫째 줄\",\"year\":2020,\"title\":\"머리\"}\n\n{\"text\":\"no key\"}\n[1]\n{\"text\":5}\n{oops\n{\"key\":7,\"text\":\"x\"}\n";
    let file = read_file("rows.jsonl", source.as_bytes()).unwrap();
    let keys: Vec<Option<&str>> = file.documents.iter().map(|d| d.key.as_deref()).collect();
    assert_eq!(keys, [Some("a"), None, Some("7")]);
    assert_eq!(file.documents[0].payload["year"], 2020);
    assert_eq!(chunks(&file.documents[0], 50)[0].headings, ["머리"]);
    assert_eq!(file.documents[2].map.span(&(0..1)).lines, (7, 7));
    let skipped: Vec<&str> = file.skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, ["rows.jsonl:4", "rows.jsonl:5", "rows.jsonl:6"]);

    let source = "key,text,note\r\nk1,\"two\nlines, quoted\",n1\r\nk2,plain,n2\r\n";
    let file = read_file("rows.csv", source.as_bytes()).unwrap();
    assert_eq!(file.documents.len(), 2);
    assert_eq!(
        (file.documents[0].text.as_str(), &file.documents[0].payload["note"]),
        ("two\nlines, quoted", &"n1".into())
    );
    let spans: Vec<Span> = file.documents.iter().map(|d| d.map.span(&(0..1))).collect();
    let at = |s: &Span| &source[s.bytes.start as usize..s.bytes.end as usize];
    assert_eq!((at(&spans[0]), spans[0].lines), ("k1,\"two\nlines, quoted\",n1", (2, 3)));
    assert_eq!((at(&spans[1]), spans[1].lines), ("k2,plain,n2", (4, 4)));
    let Err(read::Refused::NotText(reason)) = read_file("other.csv", b"a,b\n1,2\n") else { panic!() };
    assert!(reason.contains("--text-field"), "{reason}");
}

#[test]
fn old_encodings_are_read() {
    let korean = "한국어로 쓴 오래된 문서입니다. 완성형으로 저장되어 있습니다.\n둘째 줄도 있습니다.";
    let (euc_kr, _, _) = encoding_rs::EUC_KR.encode(korean);
    assert_eq!(one("old.txt", &euc_kr).text, korean);
    let page = format!("<html><head><meta charset=\"euc-kr\"></head><body><p>{korean}</p></body></html>");
    let (euc_kr, _, _) = encoding_rs::EUC_KR.encode(&page);
    assert!(one("old.html", &euc_kr).text.starts_with("한국어로 쓴"));
    let utf16: Vec<u8> = [0xFF, 0xFE].into_iter().chain(korean.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(one("wide.txt", &utf16).text, korean);
    let marked = [b"\xEF\xBB\xBF", korean.as_bytes()].concat();
    let document = one("marked.txt", &marked);
    assert_eq!((document.text.as_str(), document.map.span(&(0..3)).bytes), (korean, 3..6));
}

#[test]
fn what_is_not_text_is_named() {
    let reason = |name: &str, bytes: &[u8]| match read_file(name, bytes) {
        Err(read::Refused::NotText(reason)) => reason,
        other => panic!("{name}: {other:?}"),
    };
    assert!(reason("a.png", b"whatever").contains(".png"));
    assert!(reason("a.txt", b"abc\0def").contains("zero byte"));
    assert!(reason("a", &[1, 2, 3, 4, 5, 6]).contains("control"));
    assert!(read_file("empty.txt", b"").unwrap().documents.is_empty());
    assert!(read_file("blank.md", b" \n\n\t\n").unwrap().documents.is_empty());
}

#[cfg(unix)]
#[test]
fn a_walk_opens_only_regular_files_inside() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(dir.path().join("secret.txt"), "outside").unwrap();
    for name in ["b.txt", "a.txt", ".hidden.txt", "sub/c.md", "skip.log", "new\nline.txt"] {
        fs::write(root.join(name), "x").unwrap();
    }
    fs::write(root.join(OsStr::from_bytes(b"bad\xFFname.txt")), "x").unwrap();
    fs::write(root.join(".gitignore"), "*.log\n").unwrap();
    symlink("../secret.txt", root.join("leak.txt")).unwrap();
    symlink("..", root.join("up")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(root.join("pipe.txt")).status();
    assert!(fifo.unwrap().success());
    let exclude = root.join("sub");
    let found = walk(&root, Some(&exclude)).unwrap();
    let names: Vec<&str> = found.entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["a.txt", "b.txt", "bad\\xFFname.txt", "new\nline.txt"]);
    let skipped: Vec<&str> = found.skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, ["leak.txt", "pipe.txt", "up"]);
    let all = walk(&root, None).unwrap();
    assert!(all.entries.iter().any(|e| e.name == "sub/c.md"));
    assert!(walk(Path::new("/nowhere/at/all"), None).is_err());
}

#[cfg(unix)]
#[test]
fn rules_that_are_no_file_are_never_opened() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["fifo", "huge", "device", "good"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        fs::write(dir.path().join(folder).join("a.txt"), "x").unwrap();
    }
    let fifo = std::process::Command::new("mkfifo").arg(dir.path().join("fifo/.gitignore")).status();
    assert!(fifo.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("device/.ignore")).unwrap();
    fs::write(dir.path().join("huge/.gitignore"), "a\n".repeat(200_000)).unwrap();
    fs::write(dir.path().join("good/.gitignore"), "b.txt\n").unwrap();
    let found = walk(dir.path(), None).unwrap();
    let names: Vec<&str> = found.entries.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["good/a.txt"]);
    let skipped: Vec<&str> = found.skipped.iter().map(|s| s.path.as_str()).collect();
    assert_eq!(skipped, ["device", "fifo", "huge"]);
    assert_eq!(found.unread.len(), 3, "what they hold is unknown, not gone");
    assert!(found.skipped[2].reason.contains("256 KiB"), "{found:?}");
    let above = walk(&dir.path().join("fifo"), None).unwrap_err().to_string();
    assert!(above.contains("left out"), "{above}");
}

#[test]
fn long_texts_are_cut_into_blocks_without_loss() {
    let line = "가나다 라마바 abc def 0123456789.\n";
    let texts = [
        line.repeat(20_000),
        "x".repeat(700_000),
        "단어 ".repeat(200_000),
        format!("{}\n\n", line.repeat(7)).repeat(2_000),
    ];
    for text in &texts {
        for format in [Format::Plain, Format::Markdown, Format::Code] {
            let parts = blocks::blocks(text, format);
            assert!(parts.iter().all(|p| p.len() <= 2 * 64 * 1024), "{format:?}");
            assert_eq!(parts.first().map(|p| p.start), Some(0));
            assert!(parts.windows(2).all(|w| w[0].end == w[1].start));
            assert_eq!(parts.last().map(|p| p.end), Some(text.len()));
        }
    }
    let fenced = format!("# a\n\n```text\n{}```\n\nafter\n", "# not a heading\n\n".repeat(2_500));
    let parts = blocks::blocks(&fenced, Format::Markdown);
    assert_eq!(&fenced[parts[1].clone()], "after\n", "a fence is kept whole");
}
