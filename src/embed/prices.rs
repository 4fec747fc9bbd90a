//! What tokens cost: a table that is compiled in (`data/prices.toml`), and one of the user's own before it.

use std::collections::HashMap;
use std::path::PathBuf;

use super::name::ModelName;
use crate::error::EmbedError;

const OURS: &str = include_str!("../../data/prices.toml");
/// The user's table, in the folder of settings.
const FILE: &str = "gyeol/prices.toml";

/// US dollars for a million tokens, by the name of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices(HashMap<String, f64>);

impl Prices {
    /// The table, with what the user's `gyeol/prices.toml` in the folder of settings (`$XDG_CONFIG_HOME`, `~/.config`)
    /// says in its place.
    ///
    /// # Errors
    /// [`EmbedError::Setting`] when that file cannot be read.
    pub fn load() -> Result<Prices, EmbedError> {
        let mut prices = Prices::default();
        prices.add("data/prices.toml", OURS)?;
        if let Some(path) = Prices::file() {
            let shown = path.display().to_string();
            match std::fs::read_to_string(&path) {
                Ok(text) => prices.add(&shown, &text)?,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(broken(&shown, &e.to_string())),
            }
        }
        Ok(prices)
    }

    /// The user's table, whether there is one or not.
    pub fn file() -> Option<PathBuf> {
        use etcetera::BaseStrategy;
        etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join(FILE))
    }

    fn add(&mut self, file: &str, text: &str) -> Result<(), EmbedError> {
        let table: HashMap<String, f64> = toml::from_str(text).map_err(|e| broken(file, e.message()))?;
        if let Some((name, price)) = table.iter().find(|(_, price)| !(price.is_finite() && **price >= 0.0)) {
            return Err(broken(file, &format!("{name} = {price}; a price is 0 or more")));
        }
        self.0.extend(table);
        Ok(())
    }

    /// The price of a model: 0 for those that run on machines of one's own, `None` where it is not known.
    pub fn of(&self, model: &str) -> Option<f64> {
        let provider = ModelName::parse(model).ok()?.provider;
        let own = matches!(provider, "builtin" | "local" | "hf" | "ollama" | "tei");
        self.0.get(model).copied().or(own.then_some(0.0))
    }
}

fn broken(file: &str, reason: &str) -> EmbedError {
    let reason = format!("{reason}; write \"provider::model\" = PRICE, one a line");
    EmbedError::Setting { model: format!("prices in {file}"), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_prices_go_first_and_every_known_model_has_one() {
        let mut prices = Prices::default();
        prices.add("ours", OURS).unwrap();
        for model in super::super::known::models() {
            assert!(prices.of(model.name).is_some(), "{}", model.name);
        }
        assert_eq!(prices.of("openai::text-embedding-3-small"), Some(0.02));
        prices.add("mine", "\"openai::text-embedding-3-small\" = 7").unwrap();
        assert_eq!(prices.of("openai::text-embedding-3-small"), Some(7.0));
        assert_eq!((prices.of("builtin"), prices.of("openai::new")), (Some(0.0), None));
        assert!(prices.add("mine", "\"a::b\" = -1").is_err() && prices.add("mine", "a = \"x\"").is_err());
    }
}
