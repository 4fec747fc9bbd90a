//! What a test found.

use std::collections::BTreeMap;

/// All that is wrong, so that one run shows it.
#[derive(Default)]
pub struct Wrong(Vec<String>);

impl Wrong {
    /// Adds what is wrong with `what`, if anything is.
    pub fn note(&mut self, result: Result<(), String>, what: impl Fn() -> String) {
        self.0.extend(result.err().map(|e| format!("{}: {e}", what())));
    }

    /// Fails the test if there is anything.
    pub fn report(self) {
        // Many calls have one fault in common: the first of each kind says enough.
        let kind = |wrong: &str| {
            let error = wrong.split_once(": ").map_or("", |(_, error)| error);
            error.split([';', '[', '/']).next().unwrap_or_default().to_owned()
        };
        let mut kinds: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        self.0.iter().for_each(|wrong| kinds.entry(kind(wrong)).or_default().push(wrong));
        let lines = kinds.values().map(|all| format!("{} times, first {}", all.len(), all[0]));
        let lines: Vec<String> = lines.take(40).collect();
        assert!(lines.is_empty(), "{} times something is wrong:\n{}", self.0.len(), lines.join("\n"));
    }
}
