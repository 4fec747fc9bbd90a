//! Which texts go out together.

use super::provider::Caps;
use crate::http::estimated_tokens;

/// Bytes of a request beside its texts, for each text: quotes, commas, and what Gemini repeats.
const AROUND: usize = 160;

/// A text's share of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub tokens: usize,
    pub bytes: usize,
}

impl Size {
    pub fn of(text: &str) -> Size {
        // As JSON has it: quotes and control characters take more.
        let escaped: usize = text.bytes().filter(|b| matches!(b, b'"' | b'\\' | 0..=0x1f)).count();
        Size { tokens: estimated_tokens(text), bytes: text.len() + 5 * escaped + AROUND }
    }
}

/// Texts in their order, as few requests as the limits allow. A text that is over a limit goes alone.
pub(super) fn requests(sizes: impl Iterator<Item = (usize, Size)>, caps: Caps) -> Vec<Vec<usize>> {
    let mut out: Vec<Vec<usize>> = Vec::new();
    let (mut tokens, mut bytes) = (0usize, 0usize);
    let over = |sum: usize, cap: usize| cap > 0 && sum > cap;
    for (text, size) in sizes {
        let full = out.last().is_none_or(|request| {
            over(request.len() + 1, caps.inputs)
                || over(tokens + size.tokens, caps.tokens)
                || over(bytes + size.bytes, caps.bytes)
        });
        if full {
            out.push(Vec::new());
            (tokens, bytes) = (0, 0);
        }
        tokens += size.tokens;
        bytes += size.bytes;
        if let Some(request) = out.last_mut() {
            request.push(text);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_every_limit_and_every_text() {
        let caps = Caps { inputs: 10, tokens: 300, bytes: 5000, text_tokens: 0 };
        let texts: Vec<String> = (0..200).map(|i| "한글 text ".repeat(i % 23)).collect();
        let sizes: Vec<Size> = texts.iter().map(|t| Size::of(t)).collect();
        let all = requests(sizes.iter().copied().enumerate(), caps);
        assert_eq!(all.concat(), (0..200).collect::<Vec<_>>());
        for request in &all {
            let sum = |of: fn(&Size) -> usize| request.iter().map(|&i| of(&sizes[i])).sum::<usize>();
            assert!(request.len() <= 10 && sum(|s| s.tokens) <= 300 && sum(|s| s.bytes) <= 5000);
        }
        let large =
            requests([(0, Size { tokens: 999, bytes: 1 }), (1, Size { tokens: 1, bytes: 1 })].into_iter(), caps);
        assert_eq!(large, [vec![0], vec![1]]);
    }
}
