//! What tokens of chat models cost: a table that is compiled in (`data/chat_prices.toml`), and one of the user's own
//! before it.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::TokenUsage;
use crate::error::LlmError;

const OURS: &str = include_str!("../../data/chat_prices.toml");
/// The user's table, in the folder of settings.
const FILE: &str = "gyeol/chat_prices.toml";

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatPrice {
    /// Of what is sent.
    pub prompt: f64,
    /// Of what comes back.
    pub completion: f64,
}

/// Prices by the name of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatPrices(HashMap<String, ChatPrice>);

impl Default for ChatPrices {
    /// The table that is compiled in.
    fn default() -> Self {
        // A test reads it, too.
        ChatPrices(toml::from_str(OURS).unwrap_or_default())
    }
}

impl ChatPrices {
    /// The table, with what the user's `gyeol/chat_prices.toml` in the folder of settings (`$XDG_CONFIG_HOME`,
    /// `~/.config`) says in its place.
    ///
    /// # Errors
    /// [`LlmError::Prices`] when that file cannot be read.
    pub fn load() -> Result<ChatPrices, LlmError> {
        let mut prices = ChatPrices::default();
        if let Some(path) = ChatPrices::file() {
            let file = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => prices.add(&file, &text)?,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(LlmError::Prices { file, reason: e.to_string() }),
            }
        }
        Ok(prices)
    }

    /// The user's table, whether there is one or not.
    pub fn file() -> Option<PathBuf> {
        use etcetera::BaseStrategy;
        etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join(FILE))
    }

    /// Puts a price in.
    pub fn set(&mut self, model: &str, price: ChatPrice) {
        self.0.insert(model.to_owned(), price);
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), LlmError> {
        let broken = |reason: String| LlmError::Prices {
            file: file.to_owned(),
            reason: format!(
                "{reason}; write \"provider::model\" = {{ prompt = PRICE, completion = PRICE }}, one a line"
            ),
        };
        let table: HashMap<String, ChatPrice> = toml::from_str(text).map_err(|e| broken(e.message().to_owned()))?;
        let is_price = |value: f64| value.is_finite() && value >= 0.0;
        if let Some((name, _)) = table.iter().find(|(_, price)| !is_price(price.prompt) || !is_price(price.completion))
        {
            return Err(broken(format!("{name}: a price is 0 or more")));
        }
        self.0.extend(table);
        Ok(())
    }

    /// The price of a model: 0 for Ollama's, which run on machines of one's own; `None` where it is not known.
    pub fn of(&self, model: &str) -> Option<ChatPrice> {
        let own = model.starts_with("ollama::").then_some(ChatPrice { prompt: 0.0, completion: 0.0 });
        self.0.get(model).copied().or(own)
    }

    /// What tokens of a model cost, in US dollars; `None` where the price or the tokens are not known.
    pub fn cost(&self, model: &str, usage: TokenUsage) -> Option<f64> {
        let price = self.of(model)?;
        let (prompt, completion) = (usage.prompt_tokens? as f64, usage.completion_tokens? as f64);
        Some((prompt * price.prompt + completion * price.completion) / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_prices_go_first() {
        let mut prices = ChatPrices::default();
        prices.add("ours", OURS).unwrap();
        let usage = TokenUsage::new(Some(1_000_000), Some(500_000), None);
        assert!((prices.cost("openai::gpt-4o-mini", usage).unwrap() - 0.45).abs() < 1e-12);
        assert_eq!((prices.cost("ollama::x", usage), prices.cost("openai::new", usage)), (Some(0.0), None));
        assert_eq!(prices.cost("openai::gpt-4o-mini", TokenUsage::default()), None);
        prices.add("mine", "\"openai::gpt-4o-mini\" = { prompt = 1, completion = 2 }").unwrap();
        assert_eq!(prices.cost("openai::gpt-4o-mini", usage), Some(2.0));
        for bad in ["\"a::b\" = 1", "\"a::b\" = { prompt = -1, completion = 1 }", "\"a::b\" = { prompt = 1 }", "a = ["]
        {
            assert!(prices.add("mine", bad).is_err(), "{bad}");
        }
    }
}
