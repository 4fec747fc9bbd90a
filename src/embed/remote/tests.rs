//! The tables agree with each other.

use super::super::name::ModelName;
use super::*;

#[test]
fn every_provider_and_every_known_model_can_be_named() {
    for provider in &PROVIDERS {
        let name = format!("{}::m", provider.name);
        assert_eq!(ModelName::parse(&name).unwrap().provider, provider.name);
        assert!(provider.base_url.is_none_or(|url| BaseUrl::new(url).is_ok()), "{name}");
        assert!(!provider.key_variables.is_empty() && !provider.base_url_variables.is_empty());
    }
    for model in known::models() {
        let parsed = ModelName::parse(model.name).unwrap();
        assert!(Provider::named(parsed.provider).is_some(), "{}", model.name);
    }
}
