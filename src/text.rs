//! Folders in, chunks of text out: walking, reading formats, decoding, chunking.
//!
//! [`walk()`] lists what a folder holds, [`read()`] makes documents of one file, and [`Chunker`] cuts a
//! document into chunks of at most so many tokens, each with the bytes and lines it came from.

mod blocks;
mod chunk;
mod decode;
mod html;
mod korean;
mod lexical;
pub mod limits;
mod markdown;
mod read;
mod split;
mod stretch;
mod table;
mod topics;
mod units;
mod walk;

use std::ops::Range;

pub use chunk::{Chunk, ChunkSize, Chunker};
pub(crate) use lexical::single_character;
pub use lexical::{lexical_terms, query_terms};
pub use limits::MAX_FILE_BYTES;
pub use read::{Fields, FileText, Refused, read};
pub use topics::{TopicWords, topic_words};
pub use walk::{Entry, Walk, path_name, walk};

/// What a file is read as; told from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// CommonMark, cut along its headings and blocks.
    Markdown,
    /// Anything that reads as text.
    Plain,
    /// A page; its text is read, its scripts and styles are not.
    Html,
    /// Source code, cut along its top-level blocks.
    Code,
    /// One document a row; the first row names the columns.
    Csv,
    /// As [`Format::Csv`], with tabs.
    Tsv,
    /// One JSON object a line, one document each.
    Jsonl,
}

impl Format {
    /// The format of a file name, or why files of that name are not read.
    ///
    /// # Errors
    /// The reason, for formats that are known not to be text.
    pub fn of_name(name: &str) -> Result<Self, String> {
        const CODE: &str = " rs py pyi js mjs cjs jsx ts tsx java kt kts scala go c h cc cpp cxx hpp hh cs swift rb php pl pm \
            lua r jl sh bash zsh fish ps1 sql css scss less vue svelte dart ex exs erl hs ml mli clj lisp el vim zig nim asm s \
            proto graphql cmake gradle groovy tf m mm f90 pas ";
        const PACKED: &str = " zip gz tgz bz2 tbz tbz2 xz txz zst tzst lz lz4 lzma lzo br z sz 7z rar tar cab ar cpio xar jar war \
            ear whl egg gem nupkg crate deb rpm pkg dmg iso apk ipa msi crx xpi vsix snap appimage ";
        const DOCUMENTS: &str = " pdf doc docx docm dot dotx ppt pptx pptm pps ppsx xls xlsx xlsm xlsb odt ods odp odg fodt rtf \
            epub mobi azw azw3 djvu hwp hwpx pages numbers key one ";
        const NOT_TEXT: &str = " png jpg jpeg gif bmp webp ico tif tiff heic avif psd mp3 mp4 m4a m4v avi mov mkv webm wav flac \
            ogg opus exe dll so dylib a o obj lib pyc class wasm bin dat db sqlite sqlite3 parquet arrow npy npz safetensors \
            gguf onnx pt pth pkl ttf otf woff woff2 eot fvecs ivecs ps eps ai ";
        let extension = name.rsplit_once('.').map_or("", |(_, e)| e).to_ascii_lowercase();
        let among = |list: &str| !extension.is_empty() && list.split_whitespace().any(|e| e == extension);
        Ok(match extension.as_str() {
            "md" | "markdown" | "mdx" | "mkd" => Format::Markdown,
            "html" | "htm" | "xhtml" => Format::Html,
            "csv" => Format::Csv,
            "tsv" => Format::Tsv,
            "jsonl" | "ndjson" => Format::Jsonl,
            _ if among(CODE) => Format::Code,
            _ if among(PACKED) => {
                return Err(format!(".{extension} files are not unpacked; unpack it into the folder"));
            }
            _ if among(DOCUMENTS) => {
                return Err(format!(".{extension} files are not read; save it as text, Markdown or HTML"));
            }
            _ if among(NOT_TEXT) => return Err(format!(".{extension} files are not read")),
            _ => Format::Plain,
        })
    }
}

/// A file, or a part of one, that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The path relative to the folder, with `:line` for a row.
    pub path: String,
    /// Why, in words.
    pub reason: String,
}

/// Where in its file a text stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Bytes from the start of the file. For a file that is not UTF-8: of its text as UTF-8.
    pub bytes: Range<u64>,
    /// First and last line, from 1.
    pub lines: (u64, u64),
}

/// One document of a file: the whole file, or a row of it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The key that a row states; a whole file has none but its path.
    pub key: Option<String>,
    /// The text, to be chunked.
    pub text: String,
    /// The headings over parts of the text.
    pub headings: Vec<Heading>,
    /// A row's other fields.
    pub payload: serde_json::Map<String, serde_json::Value>,
    /// Where the bytes of `text` stand in the file.
    pub map: SourceMap,
    /// How to cut the text.
    pub format: Format,
}

/// A heading, which holds for the text after it until one of its level or above comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Where it starts in the document's text.
    pub at: usize,
    /// 0 for a title, 1 to 6 for headings.
    pub level: u8,
    /// Its words.
    pub text: String,
}

/// Where the bytes of a document's text stand in its file. No text is longer than a `u32` counts.
#[derive(Clone, Debug)]
pub enum SourceMap {
    /// Byte `i` of the text is byte `from + i` of the file; `newlines` are the text's.
    Shifted {
        /// What comes before the text, such as a byte order mark.
        from: u64,
        /// Byte offsets of the line ends in the text.
        newlines: Vec<u32>,
    },
    /// Pieces `(start in the text, start in the file, length in the file)`, ascending, the last one
    /// empty and at the end; `newlines` are the file's.
    Pieces {
        /// The pieces.
        pieces: Vec<(u32, u32, u32)>,
        /// Byte offsets of the line ends in the file.
        newlines: Vec<u32>,
    },
    /// All of the text comes from one stretch of the file.
    Whole(Span),
}

impl SourceMap {
    /// The span in the file of a range of the text.
    pub fn span(&self, range: &Range<usize>) -> Span {
        let line_of = |newlines: &[u32], at: u64| newlines.partition_point(|&n| u64::from(n) < at) as u64 + 1;
        let (start, end) = (range.start as u64, range.end as u64);
        match self {
            SourceMap::Shifted { from, newlines } => Span {
                bytes: start + from..end + from,
                lines: (line_of(newlines, start), line_of(newlines, end.max(start + 1) - 1)),
            },
            SourceMap::Pieces { pieces, newlines } => {
                let first = pieces.partition_point(|p| u64::from(p.0) <= start).saturating_sub(1);
                let last = pieces.partition_point(|p| u64::from(p.0) < end).saturating_sub(1);
                // A piece whose text is as long as its source is a plain copy: its bytes line up. Within
                // another one a start is its start, and an end its end.
                let place = |i: usize, at: u64, next: u64, inside: u64| {
                    let (text, file, len) = (u64::from(pieces[i].0), u64::from(pieces[i].1), u64::from(pieces[i].2));
                    let text_len = pieces.get(i + 1).map_or(next, |p| u64::from(p.0)) - text;
                    if text_len >= len {
                        file + at.saturating_sub(text).min(len)
                    } else {
                        file + if at > text { inside.min(len) } else { 0 }
                    }
                };
                if pieces.is_empty() {
                    return Span::default();
                }
                let (from, to) = (place(first, start, end.max(start), 0), place(last, end, end, u64::MAX));
                let to = to.max(from);
                Span { bytes: from..to, lines: (line_of(newlines, from), line_of(newlines, to.max(from + 1) - 1)) }
            }
            SourceMap::Whole(span) => span.clone(),
        }
    }
}

/// The byte offsets of the line ends of a text.
fn newlines(text: &[u8]) -> Vec<u32> {
    memchr::memchr_iter(b'\n', text).map(|at| at as u32).collect()
}

#[cfg(test)]
mod tests;
