//! Bytes to text: UTF-8, UTF-16 by its mark, and old encodings by their looks.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

/// How much of a file tells its encoding.
const SNIFF: usize = 64 * 1024;

/// What files of these first bytes are, whatever their names say.
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xFD7zXZ\0", "xz"),
    (b"\x28\xB5\x2F\xFD", "zstd"),
    (b"BZh91AY&SY", "bzip2"),
    (b"7z\xBC\xAF\x27\x1C", "7z"),
    (b"\x04\x22\x4D\x18", "lz4"),
    (b"Rar!\x1A\x07", "rar"),
    (b"%PDF-", "PDF"),
    (b"{\\rtf", "RTF"),
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "old Office"),
];

/// Decoded text, and how many bytes of the file come before it.
pub(super) struct Decoded {
    pub text: String,
    pub skipped: u64,
}

/// Decodes a file. `html` lets a page state its own encoding.
///
/// # Errors
/// The reason why the bytes are not text.
pub(super) fn decode(bytes: Vec<u8>, html: bool) -> Result<Decoded, String> {
    if let Some((_, kind)) = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(binary(&format!("by its first bytes it is a {kind} file")));
    }
    let decoded = decoded(bytes, html)?;
    // Places in a text are kept in 32 bits; no encoding makes more than three bytes of one.
    if u32::try_from(decoded.text.len()).is_err() {
        return Err(format!("{} bytes as UTF-8, more than {}", decoded.text.len(), u32::MAX));
    }
    if let Some(at) = memchr::memchr(0, decoded.text.as_bytes()) {
        return Err(binary(&format!("a zero byte after {at} bytes")));
    }
    if decoded.text.as_bytes().iter().filter(|b| is_control(b)).count() * 50 > decoded.text.len() {
        return Err(binary("control characters"));
    }
    Ok(decoded)
}

/// Control characters that text has no use for; escapes colour the output of commands.
fn is_control(byte: &u8) -> bool {
    byte.is_ascii_control() && !byte.is_ascii_whitespace() && *byte != 0x1b
}

fn decoded(bytes: Vec<u8>, html: bool) -> Result<Decoded, String> {
    if let Some((encoding, mark)) = Encoding::for_bom(&bytes) {
        if encoding == UTF_8 {
            let text = legacy(UTF_8, &bytes[mark..])?.text;
            return Ok(Decoded { text, skipped: mark as u64 });
        }
        return legacy(encoding, &bytes[mark..]);
    }
    // Said of the bytes, since an encoding may make anything of them.
    if let Some(at) = memchr::memchr(0, &bytes) {
        return Err(binary(&format!("a zero byte after {at} bytes")));
    }
    if bytes.iter().filter(|b| is_control(b)).count() * 50 > bytes.len() {
        return Err(binary("control characters"));
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(Decoded { text, skipped: 0 }),
        Err(not_utf8) => not_utf8.into_bytes(),
    };
    if is_almost_utf8(&bytes) {
        return legacy(UTF_8, &bytes);
    }
    let stated = html.then(|| stated_encoding(&bytes)).flatten();
    // Korean files from before UTF-8 are the likeliest here, and short ones are hard to tell.
    let guess = || {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(&bytes[..bytes.len().min(SNIFF)], bytes.len() <= SNIFF);
        detector.guess(Some(b"kr"), Utf8Detection::Deny)
    };
    legacy(stated.unwrap_or_else(guess), &bytes)
}

/// Whether there are a few bad bytes among many characters that are UTF-8 and not ASCII; in another
/// encoding hardly any sequence of bytes is both.
fn is_almost_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > 4 * bad
}

fn legacy(encoding: &'static Encoding, bytes: &[u8]) -> Result<Decoded, String> {
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    let wrong = text.chars().filter(|&c| c == '\u{FFFD}').count();
    if wrong * 20 > text.chars().count() {
        let why =
            if encoding == UTF_8 { "not UTF-8".to_owned() } else { format!("neither UTF-8 nor {}", encoding.name()) };
        return Err(binary(&why));
    }
    Ok(Decoded { text: text.into_owned(), skipped: 0 })
}

/// The encoding that a page's first kilobyte names in a `charset=`.
fn stated_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let label = head.split("charset=").nth(1)?.trim_start_matches(['"', '\'']);
    let label = label.split(['"', '\'', ';', '>', '/', ' ']).next()?;
    Encoding::for_label(label.as_bytes())
}

fn binary(why: &str) -> String {
    format!("not text ({why})")
}
