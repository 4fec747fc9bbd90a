//! What a file may be, so that none can hurt whoever reads it.
//!
//! | what | limit | beyond it |
//! |---|---|---|
//! | a file | [`MAX_FILE_BYTES`] | skipped |
//! | a word, where none is of a script written without spaces | [`LONGEST_WORD`] | left out; the rest is read |
//! | Markdown quotes and lists one in another, in one line | [`DEEPEST_MARKDOWN`] | skipped |
//! | headings in a file | [`MAX_HEADINGS`] | skipped |
//! | a row of a table | [`MAX_ROW_BYTES`] | the row is skipped |
//! | a row of CSV or TSV | [`MAX_COLUMNS`] | the row is skipped; of the first row, the file |
//! | values one in another in a row of JSON | 127 | the row is skipped |
//! | rows with text in a file | [`MAX_ROWS`] | the rows after it are skipped |
//! | values of all rows of a file | [`MAX_VALUES`] | the rows after it are skipped |
//! | a `.gitignore` or `.ignore` file | [`MAX_RULES_BYTES`] | its folder is skipped |
//!
//! Whatever is skipped is named with its reason. Within these limits reading and cutting take time that
//! grows as the file does: Markdown is parsed in pieces of a few hundred KiB, and a text is cut within
//! windows of a few KiB. Compressed files are not read; when a format that unpacks is, the limit of
//! what comes out (bytes in all and for each byte that goes in) belongs here, and is to be held while
//! unpacking.

/// Larger files are skipped: a file is read into memory whole.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// A longer stretch without white space is data (an image in base64, a minified table) and no word.
/// Hangul, kana, Han and the scripts of South East Asia are written without spaces or may be, so
/// their characters end a stretch: a book in one line is text.
pub const LONGEST_WORD: usize = 16 << 10;

/// Quotes and list items that one line may open. Each line goes through all that are open, so deep
/// ones would make a short file slow.
pub const DEEPEST_MARKDOWN: usize = 200;

/// Headings of one file; each takes some fifty bytes beside its words.
pub const MAX_HEADINGS: usize = 1 << 20;

/// A longer row of CSV, TSV or JSON Lines is a mistake (a quote that is never closed) or data.
pub const MAX_ROW_BYTES: usize = 16 << 20;

/// Columns of CSV and TSV, as many as spreadsheets have.
pub const MAX_COLUMNS: usize = 16_384;

/// Rows of one file that become documents; each takes some hundred bytes beside its text.
pub const MAX_ROWS: usize = 1 << 22;

/// Values of one file's rows: fields, and what is inside of JSON ones. Each takes some hundred bytes.
pub const MAX_VALUES: usize = 1 << 24;

/// A larger `.gitignore` or `.ignore` is not one; every line of it costs memory.
pub const MAX_RULES_BYTES: u64 = 256 << 10;

/// Bytes of a heading that are kept.
pub(super) const LONGEST_HEADING: usize = 1024;

/// Rows of a file that are named one by one; then their number is.
pub(super) const LISTED_ROWS: usize = 19;

/// Bytes of something foreign that a reason repeats.
pub(super) const SHOWN: usize = 60;

/// A foreign name as a reason may show it.
pub(super) fn shown(name: &str) -> String {
    if name.len() <= SHOWN { format!("{name:?}") } else { format!("{:?}...", &name[..name.floor_char_boundary(SHOWN)]) }
}
