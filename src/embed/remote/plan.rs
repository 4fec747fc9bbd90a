//! Which texts go out together, and how many tokens they have.

use super::provider::Caps;

/// Bytes of a request beside its texts, for each text: quotes, commas, and what Gemini repeats.
const AROUND: usize = 160;

/// Tokens of a text, at most: never low for Korean, and hardly ever for other text.
///
/// A Hangul syllable counts for its three bytes, which no tokeniser of bytes can exceed: GPT-4's gives most of the
/// 11,172 syllables three tokens, its successor two, and both give the most frequent ones one. Letters of words count
/// in threes, capitals in pairs, other characters by their bytes.
pub fn tokens(text: &str) -> usize {
    let (mut total, mut small, mut capital) = (1, 0usize, 0usize);
    for c in text.chars() {
        match c {
            'a'..='z' => small += 1,
            'A'..='Z' => capital += 1,
            _ => {
                total += small.div_ceil(3) + capital.div_ceil(2);
                (small, capital) = (0, 0);
                total += if c == ' ' { 0 } else { c.len_utf8() };
            }
        }
    }
    total + small.div_ceil(3) + capital.div_ceil(2) + text.matches("  ").count()
}

/// A text cut so that it has at most so many tokens, at a space where one is near.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let (mut low, mut high) = (0, text.len());
    // `tokens` grows with the text.
    while low < high {
        let middle = text.ceil_char_boundary(low + (high - low).div_ceil(2));
        if tokens(&text[..middle]) <= most {
            low = middle;
        } else {
            high = text.floor_char_boundary(middle - 1);
        }
    }
    let kept = &text[..low];
    match kept.rfind(char::is_whitespace) {
        Some(at) if low < text.len() && at * 10 > low * 9 => &kept[..at],
        _ => kept,
    }
}

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
        Size { tokens: tokens(text), bytes: text.len() + 5 * escaped + AROUND }
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
    fn the_estimate_is_no_lower_than_what_tokenisers_give() {
        // Tokens of cl100k_base and o200k_base, the larger of the two.
        let known = [
            ("안녕하세요", 5),
            ("프로그래밍 언어 문법", 12),
            ("뷁쀍쫣", 9),
            ("대한민국의 수도는 서울특별시이다.", 21),
            ("The quick brown fox jumps over the lazy dog.", 10),
            ("CEO of NASA, 2024-11-26", 11),
            ("fn main() { println!(\"{x:?}\"); }", 11),
        ];
        for (text, least) in known {
            assert!(tokens(text) >= least, "{text}: {} for {least}", tokens(text));
        }
        for c in '가'..='힣' {
            assert!(tokens(&c.to_string()) >= 3);
        }
    }

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

    #[test]
    fn a_text_is_cut_to_what_fits() {
        let text = "가나다라 마바사아 ".repeat(100);
        for most in [1, 2, 10, 99, 1000, 100_000] {
            let kept = cut(&text, most);
            assert!(text.starts_with(kept) && tokens(kept) <= most.max(1));
            if kept.len() < text.len() {
                assert!(tokens(kept) + 14 >= most, "{most}: {}", tokens(kept));
            }
        }
        assert_eq!(cut("short", 100), "short");
    }
}
