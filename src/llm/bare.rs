//! What a reply says, without what models put around it.

/// Reasoning that some servers leave in the text.
const THOUGHTS: (&str, &str) = ("<think>", "</think>");
const FENCE: &str = "```";

/// A reply without its reasoning, and without a fence around all of it.
pub(crate) fn bare(text: &str) -> &str {
    let text = text.trim();
    let after = text.strip_prefix(THOUGHTS.0).and_then(|thoughts| thoughts.split_once(THOUGHTS.1));
    let text = after.map_or(text, |(_, reply)| reply).trim();
    let fenced = text.strip_prefix(FENCE).and_then(|inner| inner.strip_suffix(FENCE));
    // The language of the fence stands on its first line.
    fenced.map_or(text, |inner| inner.split_once('\n').map_or(inner, |(_, inner)| inner).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_and_fences_are_taken_off() {
        assert_eq!(bare("<think>\nhm {x}\n</think>\n\n```json\n{}\n```\n"), "{}");
        assert_eq!(bare(" plain ``` text "), "plain ``` text");
        assert_eq!(bare("```a```"), "a");
        assert_eq!(bare("``````"), "");
        assert_eq!(bare("```"), "```");
        assert_eq!(bare("<think> without an end"), "<think> without an end");
    }
}
