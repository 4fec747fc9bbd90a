//! p
/// s
#[derive(Debug, Default)]
pub struct Sentences;
impl Sentences {
    /// n
    pub fn new() -> Self {
        Self
    }
    /// n
    pub fn push(&mut self, _: &str) -> Vec<String> {
        Vec::new()
    }
    /// n
    pub fn finish(&mut self) -> Vec<String> {
        Vec::new()
    }
}
