//! Writes small valid inputs for every target: `seeds FOLDER` makes `FOLDER/TARGET/*`.

use std::fs;
use std::path::Path;

use gyeol::Vectors;
use gyeol::vectors::{fvecs, npy};

const MARKDOWN: &str = "---\ntitle: a\n---\n# One *two*\n\ntext [link][a] `code` ![i](u)\n\n> - quote\n>   1. list\n\n```rs\n# no\n```\n\nSet\n===\n\n| a | b |\n|---|---|\n<b>x</b> &amp; 결을 따라\n\n[a]: /u 't'\n";
const HTML: &str = "<!doctype html><html><head><title>T</title><style>p{}</style><script>var a='<p>'</script></head><body a=\"b\" c>\n<nav>no</nav><h1>결 &amp; b</h1><p>one<br>two<pre>\n a\n  b</pre><table><tr><td>x<th>y</table><!-- c --><svg/><textarea><b></textarea></body>";
const CSV: &str = "k,t,n,n\r\n1,\"two\nlines, \"\"quoted\"\"\",x,y\r\n2,plain\r\n\r\n3,a,b,c,d\n";
const TSV: &str = "k\tt\n1\ta b\n2\t\"c\td\"\n";
const JSONL: &str =
    "{\"k\":\"a\",\"t\":\"첫째 \\u00e9\",\"title\":\"x\",\"n\":[1,2.5e3,{\"a\":null}]}\n\n{\"t\":\"b\"}\n[1]\n{oops\n";

/// Every operator, every kind of value, names and escapes.
const FILTERS: [&str; 4] = [
    "lang = \"ko\" and (year >= 2020 or tags contains 'rust') and not path like \"drafts/*\\?\"",
    "`a b`.c in (1, -2.5e3, true) or 언어 not in ['\\u00e9', 2024-01-15] and exists(author.name)",
    "at between 2024-01-15T10:00:00.5+09:00 and 9999-12-31 or payload.path <> 18446744073709551615",
    "not (a < nan) or b <= 1e999 or key exists or c not like '\\\\*' or d == false",
];

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("the folder to write to");
    let folder = Path::new(&folder);
    let write = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder.join(target))?;
        fs::write(folder.join(target).join(name), bytes)
    };
    let led = |first: u8, text: &str| [&[first], text.as_bytes()].concat();
    write("markdown", "seed", &led(20, MARKDOWN))?;
    write("html", "seed", &led(20, HTML))?;
    write("html", "xml", &led(21, &format!("<?xml version='1.0'?>{HTML}")))?;
    for (kind, text) in [(30, CSV), (31, TSV), (32, JSONL)] {
        write("table", &format!("seed{kind}"), &led(kind, text))?;
    }
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    write("decode", "utf8", &led(6, "\u{feff}결을 따라 쪼갠다"))?;
    write("decode", "utf16", &[&[0, 0xFF, 0xFE][..], &wide("결을 따라\ntwo")].concat())?;
    write("decode", "latin", b"\x02<meta charset=\"windows-1252\">caf\xE9 tr\xE8s bon")?;
    write("decode", "euc", b"\x00\xC7\xD1\xB1\xDB \xB9\xAE\xBC\xAD\xC0\xD4\xB4\xCF\xB4\xD9.\n")?;
    write("decode", "gzip", b"\x00\x1f\x8b\x08\x00")?;
    for kind in 0..3u8 {
        write("chunk", &format!("seed{kind}"), &[&[kind, 9, 20], MARKDOWN.as_bytes()].concat())?;
        write("chunk", &format!("korean{kind}"), &[&[kind, 3, 31], "가나다라。마바 사🇰🇷e\u{301}".as_bytes()].concat())?;
    }
    let rows = Vectors::new((0..12).map(|x| x as f32 / 3.0).collect(), 4).expect("whole rows");
    for target in ["npy", "fvecs"] {
        fs::create_dir_all(folder.join(target))?;
    }
    npy::write(folder.join("npy/seed"), rows.view()).expect("a matrix");
    fvecs::write(folder.join("fvecs/seed"), rows.view()).expect("a matrix");
    let ids = "\u{93}NUMPY\u{1}\0v\0{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }";
    let ids: Vec<u8> = ids.chars().map(|c| c as u8).collect();
    let mut ids = [ids, vec![b' '; 57]].concat();
    ids.truncate(127);
    ids.push(b'\n');
    write("npy", "ids", &[ids, vec![1; 16]].concat())?;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/golden"))? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        fs::create_dir_all(folder.join("segment"))?;
        fs::copy(entry.path(), folder.join("segment").join(entry.file_name()))?;
    }
    for (name, filter) in ["a", "b", "c", "d"].into_iter().zip(FILTERS) {
        write("filter", name, filter.as_bytes())?;
    }
    let path = gyeol_fuzz::scratch("seeds");
    gyeol_fuzz::collection::make(&path);
    write("manifest", "seed", &gyeol_fuzz::collection::manifest(&path))
}
