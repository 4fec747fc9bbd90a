//! A stream that ends at a keyword, however the keyword is cut.

/// Lets text through up to a keyword.
#[derive(Debug, Default)]
pub(super) struct Stop {
    keywords: Vec<String>,
    /// What may be the beginning of a keyword.
    held: String,
}

impl Stop {
    pub fn new(keywords: &[String]) -> Self {
        let keywords = keywords.iter().filter(|keyword| !keyword.is_empty()).cloned().collect();
        Stop { keywords, held: String::new() }
    }

    /// The text that can go on, and whether a keyword ends it.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        let mut all = std::mem::take(&mut self.held);
        all.push_str(text);
        // The keyword that ends first, as it would where the text comes a character at a time.
        let ends = self.keywords.iter().filter_map(|keyword| all.find(keyword).map(|at| (at + keyword.len(), at)));
        if let Some((_, at)) = ends.min() {
            all.truncate(at);
            return (all, true);
        }
        let at = self.keywords.iter().map(|keyword| begins(&all, keyword)).min().unwrap_or(all.len());
        self.held = all.split_off(at);
        (all, false)
    }

    /// What is left when the stream ends without a keyword.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Where the keyword may begin at the end of the text.
fn begins(text: &str, keyword: &str) -> usize {
    let from = text.len().saturating_sub(keyword.len());
    let mut starts = text.char_indices().map(|(at, _)| at).skip_while(|at| *at < from);
    starts.find(|at| keyword.starts_with(&text[*at..])).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(keywords: &[&str], chunks: &[&str]) -> (String, bool) {
        let mut stop = Stop::new(&keywords.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>());
        let mut out = String::new();
        for chunk in chunks {
            let (text, found) = stop.push(chunk);
            out.push_str(&text);
            if found {
                return (out, true);
            }
        }
        out.push_str(&stop.rest());
        (out, false)
    }

    #[test]
    fn keywords_are_found_however_they_are_cut() {
        let text = "하나 둘 끝! 셋";
        for (at, _) in text.char_indices() {
            let (a, b) = text.split_at(at);
            assert_eq!(through(&["끝!"], &[a, b]), ("하나 둘 ".to_owned(), true), "{a}|{b}");
        }
        let each: Vec<String> = text.chars().map(String::from).collect();
        let each: Vec<&str> = each.iter().map(String::as_str).collect();
        assert_eq!(through(&["nothing", "끝!"], &each).0, "하나 둘 ");
        assert_eq!(through(&["끝?"], &each), (text.to_owned(), false));
        assert_eq!(through(&["END", "E"], &["aE", "ND"]), ("a".to_owned(), true));
        for cut in [&["END!"][..], &["EN", "D!"], &["E", "N", "D", "!"]] {
            assert_eq!(through(&["END!", "N"], cut), ("E".to_owned(), true));
        }
        assert_eq!(through(&["aab"], &["aa", "aab", "x"]), ("aa".to_owned(), true));
        assert_eq!(through(&[], &["a", "b"]), ("ab".to_owned(), false));
        assert_eq!(through(&[""], &["a"]), ("a".to_owned(), false));
    }
}
