//! `gyeol models`, `gyeol doctor` and `gyeol key`.

use std::io::{self, Read};
use std::time::Instant;

use gyeol::Error;
use gyeol::embed::{Prices, ProviderInfo, Remote, Role, embed_many, models};
use gyeol::http::Key;
use serde_json::{Value, json};

use super::args::{DoctorArgs, KeyArgs, ModelsArgs};
use super::failure::{Failure, PROVIDER, USAGE};
use super::{Outcome, model, print};

/// What `gyeol doctor` embeds.
const PROBE: &str = "안녕하세요, hello";

pub fn models_run(args: &ModelsArgs) -> Result<Outcome, Failure> {
    let prices = Prices::load().map_err(Error::from)?;
    let builtin = gyeol::embed::builtin();
    let own = gyeol::Embedder::identity(&builtin);
    if args.json {
        let known = models().iter().map(|m| json!({"name": m.name, "dim": m.dim, "text_tokens": m.text_tokens, "usd_per_million_tokens": prices.of(m.name)}));
        let first = json!({"name": own.name, "dim": own.dim, "text_tokens": null, "usd_per_million_tokens": 0.0});
        let known: Vec<Value> = std::iter::once(first).chain(known).collect();
        let providers: Vec<Value> = Remote::providers().iter().map(provider_json).collect();
        let chat: Vec<Value> = gyeol::llm::providers()
            .iter()
            .map(|p| json!({"name": p.name, "base_url": p.base_url, "key_variables": p.key_variables, "needs_key": p.needs_key}))
            .collect();
        print::json(&json!({"schema": 1, "models": known, "providers": providers, "chat_providers": chat}))?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        writeln!(out, "{:<52} {:>5} {:>8}  $/M tokens", "model", "dim", "tokens")?;
        writeln!(out, "{:<52} {:>5} {:>8}  0", own.name, own.dim, "any")?;
        for m in models() {
            let price = prices.of(m.name).map_or_else(|| "?".to_owned(), |price| price.to_string());
            writeln!(out, "{:<52} {:>5} {:>8}  {price}", m.name, m.dim, m.text_tokens)?;
        }
        writeln!(
            out,
            "\nlocal::FOLDER and hf::OWNER/NAME: Model2Vec and sentence transformers (BERT, XLM-RoBERTa, RoBERTa, ELECTRA)\n"
        )?;
        writeln!(out, "{:<18} {:>6} {:>8} {:>8}  {:<22} base URL", "provider", "texts", "tokens", "bytes", "key")?;
        for p in Remote::providers() {
            let limit = |n: usize| if n == 0 { "-".to_owned() } else { n.to_string() };
            let key = p.key_variables.first().copied().unwrap_or_default();
            let url = p.base_url.unwrap_or("(--base-url)");
            writeln!(
                out,
                "{:<18} {:>6} {:>8} {:>8}  {key:<22} {url}",
                p.name,
                limit(p.inputs),
                limit(p.tokens),
                limit(p.bytes)
            )?;
        }
        writeln!(out, "\n{:<18} {:<22} base URL", "chat provider", "key")?;
        for p in gyeol::llm::providers() {
            let key = p.key_variables.first().copied().unwrap_or_default();
            writeln!(out, "{:<18} {key:<22} {}", p.name, p.base_url.unwrap_or("(--base-url)"))?;
        }
        Ok(())
    })?;
    Ok(Outcome::Done)
}

fn provider_json(p: &ProviderInfo) -> Value {
    let limit = |n: usize| (n > 0).then_some(n);
    json!({
        "name": p.name,
        "base_url": p.base_url,
        "key_variables": p.key_variables,
        "needs_key": p.needs_key,
        "texts_per_request": limit(p.inputs),
        "tokens_per_request": limit(p.tokens),
        "bytes_per_request": limit(p.bytes),
        "tokens_per_text": limit(p.text_tokens),
    })
}

/// A provider that has a key, whatever its models are for.
struct Keyed {
    name: &'static str,
    variables: &'static [&'static str],
    needs_key: bool,
}

/// All of them, those that embed first.
fn keyed() -> Vec<Keyed> {
    let embed = Remote::providers().into_iter().map(|p| (p.name, p.key_variables, p.needs_key));
    let chat = gyeol::llm::providers().into_iter().map(|p| (p.name, p.key_variables, p.needs_key));
    let mut all: Vec<Keyed> = Vec::new();
    for (name, variables, needs_key) in embed.chain(chat) {
        if all.iter().all(|other| other.name != name) {
            all.push(Keyed { name, variables, needs_key });
        }
    }
    all
}

/// Where a provider's key is, in words; never the key.
fn key_of(provider: &Keyed) -> (bool, String) {
    match Key::find(provider.name, provider.variables) {
        Ok(Some(key)) => (true, key.source().to_string()),
        Ok(None) => (false, "none".to_owned()),
        Err(error) => (false, error.to_string()),
    }
}

pub fn doctor(args: &DoctorArgs) -> Result<Outcome, Failure> {
    match &args.model.model {
        Some(name) => examine(args, name),
        None => keys(args),
    }
}

fn keys(args: &DoctorArgs) -> Result<Outcome, Failure> {
    let found: Vec<(Keyed, (bool, String))> =
        keyed().into_iter().map(|p| (key_of(&p), p)).map(|(key, p)| (p, key)).collect();
    let file = Key::file().map(|path| path.display().to_string()).unwrap_or_default();
    let cache = model::default_cache().map(|path| path.display().to_string()).unwrap_or_default();
    if args.json {
        let keys: Vec<Value> =
            found.iter().map(|(p, (has, from))| json!({"provider": p.name, "key": has, "source": from})).collect();
        print::json(&json!({"schema": 1, "keys": keys, "keys_file": file, "cache": cache}))?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        for (provider, (has, from)) in &found {
            let mark = if *has { "key" } else { "-" };
            let needs = if provider.needs_key || *has { "" } else { " (needs none)" };
            writeln!(out, "{:<18} {mark:<4} {}{needs}", provider.name, print::shown(from))?;
        }
        writeln!(out, "\nfile of keys       {}", print::shown(&file))?;
        writeln!(out, "kept vectors       {}", print::shown(&cache))?;
        writeln!(out, "\n`gyeol doctor --model PROVIDER::NAME` asks a model")
    })?;
    Ok(Outcome::Done)
}

/// Embeds one short text, and not from the cache.
fn examine(args: &DoctorArgs, name: &str) -> Result<Outcome, Failure> {
    let mut given = args.model.clone();
    (given.no_cache, given.cache, given.cache_ttl) = (true, None, 0);
    let started = Instant::now();
    let provider = name.split("::").next().unwrap_or_default();
    let info = keyed().into_iter().find(|p| p.name == provider);
    let key = info.as_ref().map(key_of);
    let answered = model::open(&given, name).and_then(|model| {
        let answer = embed_many(&model.embedder, &[PROBE], Role::Query).map_err(Error::from)?;
        match answer.refusals.first() {
            None => Ok((answer.vectors.dim(), model.usage())),
            Some(refusal) => Err(Failure::new(PROVIDER, &refusal.reason)),
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let (dim, usage) = match answered {
        Ok(answer) => answer,
        Err(Failure::Error { code, message }) => {
            if args.json {
                let key = key.as_ref().map(|(_, from)| from.as_str());
                print::json(&json!({"schema": 1, "model": name, "ok": false, "key": key, "error": message}))?;
            } else if let Some((_, from)) = &key {
                print::note(&format!("key: {from}"));
            }
            return Err(Failure::Error { code, message });
        }
        Err(failure) => return Err(failure),
    };
    if args.json {
        let tokens = usage.map(|usage| usage.tokens);
        let key = key.as_ref().map(|(_, from)| from.as_str());
        print::json(
            &json!({"schema": 1, "model": name, "ok": true, "key": key, "dim": dim, "seconds": seconds, "tokens": tokens}),
        )?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        writeln!(out, "model      {}", print::shown(name))?;
        if let Some((_, from)) = &key {
            writeln!(out, "key        {}", print::shown(from))?;
        }
        writeln!(out, "dimension  {dim}")?;
        writeln!(out, "answered   in {seconds:.2} s")
    })?;
    Ok(Outcome::Done)
}

pub fn key(args: &KeyArgs) -> Result<Outcome, Failure> {
    if !keyed().iter().any(|p| p.name == args.provider) {
        return Err(Failure::new(USAGE, format!("{}: no such provider; see `gyeol models`", args.provider)));
    }
    let refused = |error: gyeol::error::HttpError| Failure::new(PROVIDER, error.to_string());
    let key = if args.remove {
        None
    } else {
        let mut text = String::new();
        io::stdin().take(1 << 16).read_to_string(&mut text).map_err(|e| Failure::stream("stdin", &e))?;
        Some(Key::new(text).map_err(refused)?)
    };
    Key::store(&args.provider, key.as_ref()).map_err(refused)?;
    print::note(if args.remove { "taken out of the keyring" } else { "kept in the keyring" });
    Ok(Outcome::Done)
}
