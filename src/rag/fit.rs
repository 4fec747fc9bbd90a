//! What of the history and of the sources fits the budget of tokens.

use super::CitedSource;
use super::prompt::quoted;
use crate::error::LlmError;
use crate::http::{cut_to_tokens, estimated_tokens};
use crate::llm::Message;

/// Tokens around a source beside its place: its number, brackets, line ends.
const AROUND: usize = 15;
/// A source of fewer tokens says nothing.
const LEAST: usize = 40;

/// The newest turns that fit beside `fixed` tokens and room for one source, in their order.
///
/// # Errors
/// [`LlmError::Budget`] when there is no room for a source even without the history.
pub(super) fn history(turns: Vec<Message>, fixed: usize, budget: usize) -> Result<(Vec<Message>, usize), LlmError> {
    let least = fixed.saturating_add(LEAST + AROUND);
    if least > budget {
        return Err(LlmError::Budget { needed: least, budget });
    }
    let mut left = budget - least;
    let mut kept = 0;
    // A question and its answer stay together; half of the room is left to sources.
    let half = left / 2;
    for turn in turns.rchunks(2) {
        let tokens: usize = turn.iter().map(|message| estimated_tokens(message.text())).sum();
        if tokens > left || budget - least - (left - tokens) > half {
            break;
        }
        left -= tokens;
        kept += turn.len();
    }
    let used = budget - least - left;
    let first = turns.len() - kept;
    Ok((turns.into_iter().skip(first).collect(), used))
}

/// The first sources that fit so many tokens; the last of them cut, where that leaves something of it.
pub(super) fn sources(all: Vec<CitedSource>, mut room: usize) -> Vec<CitedSource> {
    let mut out = Vec::new();
    for mut source in all {
        let around = AROUND + estimated_tokens(&source.place());
        let tokens = estimated_tokens(&quoted(&source.text)) + around;
        if tokens <= room {
            room -= tokens;
            out.push(source);
            continue;
        }
        let left = room.saturating_sub(around);
        if left >= LEAST || (out.is_empty() && left > 0) {
            source.text = cut(&source.text, left);
            out.push(source);
        }
        break;
    }
    out
}

/// A text cut so that it has so many tokens where it is quoted.
pub(super) fn cut(text: &str, tokens: usize) -> String {
    let mut most = tokens;
    loop {
        let kept = cut_to_tokens(text, most);
        let over = estimated_tokens(&quoted(kept)).saturating_sub(tokens);
        if over == 0 || most == 0 {
            return kept.to_owned();
        }
        most = most.saturating_sub(over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: usize, text: &str) -> CitedSource {
        let (key, text) = (format!("k{n}"), text.to_owned());
        CitedSource { n, key, path: None, lines: (1, 1), bytes: (0, 0), score: 1.0, text, merged: Vec::new() }
    }

    #[test]
    fn sources_fill_the_room_and_no_more() {
        let text = "가나다라 마바사아 자차카타 파하".repeat(10);
        let each = estimated_tokens(&quoted(&text)) + estimated_tokens("k1") + AROUND;
        let all = || (1..=5).map(|n| source(n, &text)).collect::<Vec<_>>();
        assert_eq!(sources(all(), 5 * each).len(), 5);
        assert_eq!(sources(all(), 2 * each).len(), 2);
        let cut = sources(all(), 2 * each + each / 2);
        assert_eq!(cut.len(), 3);
        assert!(text.starts_with(&cut[2].text) && !cut[2].text.is_empty() && cut[2].text.len() < text.len());
        for room in 0..3 * each {
            let used: usize = sources(all(), room)
                .iter()
                .map(|s| estimated_tokens(&quoted(&s.text)) + estimated_tokens("k1") + AROUND)
                .sum();
            assert!(used <= room.max(AROUND + 6), "{used} of {room}");
        }
    }

    #[test]
    fn old_turns_go_first_and_no_room_is_an_error() {
        let turns: Vec<Message> = (0..10).map(|i| Message::user(format!("question number {i}"))).collect();
        let (all, used) = history(turns.clone(), 100, 10_000).unwrap();
        assert_eq!((all.len(), used > 0), (10, true));
        let (some, used) = history(turns.clone(), 100, 230).unwrap();
        assert!(!some.is_empty() && some.len() < 10 && some.last() == turns.last() && used <= 60);
        assert!(matches!(history(turns, 100, 120), Err(LlmError::Budget { .. })));
    }
}
