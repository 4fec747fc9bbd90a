//! Bytes to text: UTF-8, UTF-16 by its mark, and old encodings by their looks.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

/// How much of a file tells text from binary.
const SNIFF: usize = 64 * 1024;

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
    if let Some((encoding, mark)) = Encoding::for_bom(&bytes) {
        if encoding == UTF_8 {
            let text = legacy(UTF_8, &bytes[mark..])?.text;
            return Ok(Decoded { text, skipped: mark as u64 });
        }
        return legacy(encoding, &bytes[mark..]);
    }
    let head = &bytes[..bytes.len().min(SNIFF)];
    if head.contains(&0) {
        return Err(binary("a zero byte"));
    }
    let control = head.iter().filter(|b| b.is_ascii_control() && !b.is_ascii_whitespace() && **b != 0x1b).count();
    if control * 50 > head.len() {
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
