//! How many tokens a provider will count in a text, without its tokeniser.

/// Tokens of a text, at most: never low for Korean, and hardly ever for other text.
///
/// A Hangul syllable counts for its three bytes, which no tokeniser of bytes can exceed: GPT-4's gives most of the
/// 11,172 syllables three tokens, its successor two, and both give the most frequent ones one. Letters of words count
/// in threes, capitals in pairs, other characters by their bytes.
pub fn estimated_tokens(text: &str) -> usize {
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
pub(crate) fn cut_to_tokens(text: &str, most: usize) -> &str {
    let (mut low, mut high) = (0, text.len());
    // The estimate grows with the text.
    while low < high {
        let middle = text.ceil_char_boundary(low + (high - low).div_ceil(2));
        if estimated_tokens(&text[..middle]) <= most {
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
            assert!(estimated_tokens(text) >= least, "{text}: {} for {least}", estimated_tokens(text));
        }
        for c in '가'..='힣' {
            assert!(estimated_tokens(&c.to_string()) >= 3);
        }
    }

    #[test]
    fn a_text_is_cut_to_what_fits() {
        let text = "가나다라 마바사아 ".repeat(100);
        for most in [1, 2, 10, 99, 1000, 100_000] {
            let kept = cut_to_tokens(&text, most);
            assert!(text.starts_with(kept) && estimated_tokens(kept) <= most.max(1));
            if kept.len() < text.len() {
                assert!(estimated_tokens(kept) + 14 >= most, "{most}: {}", estimated_tokens(kept));
            }
        }
        assert_eq!(cut_to_tokens("short", 100), "short");
    }
}
