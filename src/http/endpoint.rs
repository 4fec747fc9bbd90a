//! Where a provider is, and the key for it: as given, as the environment says, or as it is known.

use super::{BaseUrl, Key};

/// What is known of a provider before anything is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub name: &'a str,
    pub base_url: Option<&'a str>,
    pub base_url_variables: &'a [&'a str],
    pub key_variables: &'a [&'a str],
    pub needs_key: bool,
}

impl<'a> Known<'a> {
    /// Where the key is looked for when `self` is the provider behind the protocol of the one that was named. OpenAI's
    /// key goes to no one who is known to be someone else.
    pub fn key_variables_as(&self, named: &Known<'a>) -> Vec<&'a str> {
        let is_foreign = |name: &str| self.name != named.name && name == "OPENAI_API_KEY";
        let foreign = named.key_variables.iter().copied().filter(|name| !is_foreign(name));
        self.key_variables.iter().copied().chain(foreign).collect()
    }

    /// The base URL: the one given, the environment's, or the provider's own. An error says what to do.
    pub fn base_url(&self, given: Option<&str>) -> Result<BaseUrl, String> {
        let given = given
            .map(str::to_owned)
            .or_else(|| variable(self.base_url_variables))
            .or(self.base_url.map(str::to_owned))
            .ok_or_else(|| {
                let variables = self.base_url_variables.join(" or ");
                format!("no base URL; give one (--base-url URL), or set {variables}")
            })?;
        BaseUrl::new(&given).map_err(|e| e.to_string())
    }

    /// The key: the one given, or one that is found. An error when there is none and the provider needs one.
    pub fn key(&self, given: Option<&Key>, found_as: &str, url: &BaseUrl) -> Result<Option<Key>, String> {
        let key = match given {
            Some(key) => Some(key.clone()),
            None => Key::find(found_as, self.key_variables).map_err(|e| e.to_string())?,
        };
        if key.is_none() && self.needs_key && !url.is_loopback() {
            let variable = self.key_variables.first().copied().unwrap_or_default();
            let name = self.name;
            return Err(format!(
                "no key; set {variable}, or write it to the file of keys (mode 0600): {name} = \"...\""
            ));
        }
        Ok(key)
    }
}

fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}
