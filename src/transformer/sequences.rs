//! `tokenizer.json`: a text, or a query and a text, as the tokens of one sequence.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::Deserialize;
use tokenizers::{Encoding, PostProcessor, Tokenizer, TruncationParams, truncate_encodings};

use crate::error::ModelError;
use crate::transformer::Config;

/// The largest published ones have 35 MB.
const LONGEST_TOKENIZER: u64 = 256 << 20;
/// A text is cut behind so many bytes for each token that it may have, before the tokeniser sees
/// it: what is behind would be cut off anyway, and takes time and memory first. Text of any language
/// has 2 to 6 bytes a token.
const BYTES_A_TOKEN: usize = 64;

/// The tokens of one sequence, with the marks that the model wants at its ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    pub ids: Vec<u32>,
    /// 0 for the query and 1 for the text, if the model tells them apart.
    pub types: Vec<u32>,
}

/// A tokeniser for single texts, and for pairs.
pub(crate) struct Sequences {
    tokenizer: Tokenizer,
    longest: usize,
    /// Tokens that a sequence has beside those of its texts, by whether it is of two.
    marks: [usize; 2],
    vocabulary: usize,
    types: usize,
}

impl Sequences {
    /// Reads a tokeniser for sequences of at most `longest` tokens.
    pub fn open(path: &Path, config: &Config, longest: usize) -> Result<Sequences, ModelError> {
        let io = |source| ModelError::Io { path: path.into(), source };
        let length = fs::metadata(path).map_err(io)?.len();
        if length > LONGEST_TOKENIZER {
            return Err(ModelError::file(path, format!("{length} bytes; no tokeniser has over {LONGEST_TOKENIZER}")));
        }
        let json = fs::read(path).map_err(io)?;
        let broken = |reason: String| ModelError::file(path, reason);
        check_table(&json).map_err(|reason| broken(format!("not a tokeniser: {reason}")))?;
        let parsed = guarded(|| Tokenizer::from_bytes(&json).map_err(|e| e.to_string()));
        let mut tokenizer = parsed.map_err(|e| broken(format!("not a tokeniser: {e}")))?;
        let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0) as usize;
        if largest >= config.vocabulary {
            return Err(broken(format!(
                "token {largest}, and the model knows {} from 0; take tokenizer.json and config.json from one model",
                config.vocabulary
            )));
        }
        // With fewer there would be nothing of the texts beside the marks.
        let marks = [false, true].map(|pair| tokenizer.get_post_processor().map_or(0, |p| p.added_tokens(pair)));
        if longest < marks[1] + 2 {
            return Err(broken(format!("{} marks a pair, and a sequence may have {longest} tokens", marks[1])));
        }
        tokenizer.with_truncation(None).map_err(|e| broken(e.to_string()))?;
        tokenizer.with_padding(None);
        Ok(Sequences { tokenizer, longest, marks, vocabulary: config.vocabulary, types: config.types })
    }

    /// The tokens of a query or a text alone, without marks and whole.
    pub fn side(&self, text: &str) -> Result<Encoding, String> {
        let text = &text[..text.floor_char_boundary(self.longest * BYTES_A_TOKEN)];
        guarded(|| self.tokenizer.encode(text, false).map_err(|e| e.to_string()))
    }

    /// The most tokens that a single text may have beside its marks.
    pub fn longest_alone(&self) -> usize {
        self.longest - self.marks[0]
    }

    /// The tokens of a text alone, or of a pair. What is too long is cut at the ends, the longer one first.
    pub fn join(&self, first: Encoding, second: Option<Encoding>) -> Result<Tokens, String> {
        // The tokeniser's own truncation stops in the middle of a long text, and does not know then
        // which of the two was the longer one.
        let marks = self.marks[usize::from(second.is_some())];
        let cut = TruncationParams { max_length: self.longest - marks, ..TruncationParams::default() };
        let encoding = guarded(|| {
            let (first, second) = truncate_encodings(first, second, &cut).map_err(|e| e.to_string())?;
            self.tokenizer.post_process(first, second, true).map_err(|e| e.to_string())
        })?;
        let ids = encoding.get_ids().to_vec();
        // A model with one type does not tell the two apart.
        let types = if self.types == 1 { vec![0; ids.len()] } else { encoding.get_type_ids().to_vec() };
        if ids.is_empty() || ids.len() > self.longest {
            return Err(format!("{} tokens where 1 to {} are expected", ids.len(), self.longest));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            return Err(format!("token {id}, and the model knows {} from 0", self.vocabulary));
        }
        match types.iter().find(|t| **t as usize >= self.types) {
            Some(t) => Err(format!("token type {t}, and the model knows {} from 0", self.types)),
            None => Ok(Tokens { ids, types }),
        }
    }
}

/// The parts of a `tokenizer.json` that are read before the tokeniser reads them.
#[derive(Deserialize)]
struct Probe {
    normalizer: Option<Normalizer>,
}

#[derive(Deserialize)]
struct Normalizer {
    precompiled_charsmap: Option<String>,
    #[serde(default)]
    normalizers: Vec<Normalizer>,
}

/// A table of characters begins with its own length, and the tokeniser takes memory for that length
/// unseen, 8 GiB at most; where there is not so much, the process ends.
pub(crate) fn check_table(json: &[u8]) -> Result<(), String> {
    let probe: Probe = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    let mut left: Vec<Normalizer> = probe.normalizer.into_iter().collect();
    while let Some(normalizer) = left.pop() {
        left.extend(normalizer.normalizers);
        let Some(table) = normalizer.precompiled_charsmap else { continue };
        let stated = stated_length(table.as_bytes()).ok_or("its table of characters is no base64")?;
        if stated > table.len() / 4 * 3 {
            return Err(format!("its table of characters has {stated} bytes in {} of base64", table.len()));
        }
    }
    Ok(())
}

/// The 32 bits, lowest byte first, that a base64 text begins with.
fn stated_length(base64: &[u8]) -> Option<usize> {
    let mut bits = 0u64;
    for byte in base64.get(..6)? {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u64::from(value);
    }
    Some(((bits >> 4) as u32).swap_bytes() as usize)
}

/// Runs the tokeniser. It trusts its file: a table of characters that is damaged makes it index out
/// of bounds. Nothing of it is changed by a call, so it can be used again.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err("tokenizer.json is damaged: the tokeniser stopped; take the file anew".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_table_is_read_from_its_base64() {
        // The bytes 12 34 56 00 and then ff; the bytes ff ff ff ff 00.
        assert_eq!(stated_length(b"EjRWAP8="), Some(0x56_3412));
        assert_eq!(stated_length(b"/////wA="), Some(u32::MAX as usize));
        assert_eq!((stated_length(b"EjR"), stated_length(b"E!RWAP8=")), (None, None));
    }

    #[test]
    fn a_table_that_is_longer_than_its_text_is_refused() {
        let with = |table: &str| {
            let one = format!(r#"{{"type":"Precompiled","precompiled_charsmap":"{table}"}}"#);
            format!(r#"{{"normalizer":{{"type":"Sequence","normalizers":[{{"type":"NFC"}},{one}]}}}}"#)
        };
        assert!(check_table(with("/////wA=").as_bytes()).unwrap_err().contains("4294967295"));
        assert!(check_table(with("!").as_bytes()).is_err());
        assert!(check_table(with("BAAAAAAAAAA=").as_bytes()).is_ok());
        assert!(check_table(br#"{"normalizer":null,"model":{}}"#).is_ok());
    }
}
