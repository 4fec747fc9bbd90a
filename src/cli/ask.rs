//! `gyeol ask`.

use std::io::{self, Write};

use gyeol::Collection;
use gyeol::llm::TokenUsage;
use gyeol::rag::{ChatAnswer, ChatEvent, CitedSource};
use serde_json::{Value, json};

use super::args::{AskArgs, ChatModelArgs, ModelArgs, RetrievalArgs};
use super::failure::{Failure, IO, USAGE};
use super::{Outcome, locate, model, print};

/// Quotations of an answer without a model, at most.
const QUOTATIONS: usize = 3;
/// What names the chat model when --model does not.
const VARIABLE: &str = "GYEOL_CHAT_MODEL";
/// Where that one's API is. It says nothing of a model that is named otherwise, whose key would go there.
const URL_VARIABLE: &str = "GYEOL_CHAT_BASE_URL";

pub fn run(args: &AskArgs) -> Result<Outcome, Failure> {
    let question = args.question.join(" ");
    if question.trim().is_empty() {
        return Err(Failure::new(USAGE, "the question is blank; ask something"));
    }
    if args.extractive {
        return extractive(args, &question);
    }
    // What was typed is looked at before the collection is.
    let llm = llm(&args.model)?;
    let collection = collection(&args.retrieval)?;
    let chat = chat(&collection, &llm, &args.retrieval)?;
    let mut out = print::stdout();
    let told = |e: io::Error| Failure::stream("stdout", &e);
    if !args.stream {
        let answer = chat.ask(&question)?;
        finish(args, &mut out, &answer).map_err(told)?;
        return Ok(outcome(&answer.sources));
    }
    for event in chat.stream(&question)? {
        let event = event?;
        match &event {
            event if args.json => write_event(&mut out, event).map_err(told)?,
            ChatEvent::Text(text) => {
                out.write_all(shown_lines(text).as_bytes()).and_then(|()| out.flush()).map_err(told)?;
            }
            ChatEvent::End(answer) => finish(args, &mut out, answer).map_err(told)?,
            _ => {}
        }
        if let ChatEvent::End(answer) = event {
            return Ok(outcome(&answer.sources));
        }
    }
    Ok(Outcome::Interrupted)
}

fn outcome(sources: &[CitedSource]) -> Outcome {
    if sources.is_empty() { Outcome::NothingFound } else { Outcome::Done }
}

/// The end of an answer; its text, too, where it was not streamed.
fn finish(args: &AskArgs, out: &mut dyn Write, answer: &ChatAnswer) -> io::Result<()> {
    if args.json {
        serde_json::to_writer(&mut *out, &as_json(answer))?;
        writeln!(out)?;
        return out.flush();
    }
    if !args.stream {
        out.write_all(shown_lines(&answer.text).as_bytes())?;
    }
    writeln!(out, "\n")?;
    // What is cited; all where the model cites nothing.
    let cited = |source: &&CitedSource| answer.cited.is_empty() || answer.cited.contains(&source.n);
    answer.sources.iter().filter(cited).try_for_each(|source| write_source(out, source))?;
    out.flush()
}

pub fn write_source(out: &mut dyn Write, source: &CitedSource) -> io::Result<()> {
    let more = match source.merged.len() {
        0 => String::new(),
        n => format!("  (and {n} nearly the same)"),
    };
    writeln!(out, "[{}] {}  {:.3}{more}", source.n, print::shown(&source.place()), source.score)
}

/// A text from outside for a terminal, with its line ends and tabs.
pub fn shown_lines(text: &str) -> String {
    let tabs = |line: &str| line.split('\t').map(print::shown).collect::<Vec<_>>().join("\t");
    text.split('\n').map(|line| tabs(line.strip_suffix('\r').unwrap_or(line))).collect::<Vec<_>>().join("\n")
}

fn extractive(args: &AskArgs, question: &str) -> Result<Outcome, Failure> {
    let collection = collection(&args.retrieval)?;
    let retrieval = &args.retrieval;
    let mut search = collection.search(question).mode(retrieval.leg.mode()).fusion(retrieval.leg.fusion());
    if let Some(filter) = &retrieval.filter {
        search = search.filter(filter);
    }
    if let Some(score) = retrieval.min_score {
        search = search.min_score(score);
    }
    let found = gyeol::rag::extract(&collection, question, search, retrieval.k.clamp(1, QUOTATIONS))?;
    if args.json {
        let sources: Vec<Value> = found.sources.iter().map(source_json).collect();
        let none = TokenUsage { prompt_tokens: Some(0), completion_tokens: Some(0), total_tokens: Some(0) };
        print::json(&whole_json(question, None, sources, &found.text, none, false))?;
    } else if found.sources.is_empty() {
        print::note("nothing in the collection fits this question");
    } else {
        print::out(|out| {
            writeln!(out, "{}\n", shown_lines(&found.text))?;
            found.sources.iter().try_for_each(|source| write_source(out, source))
        })?;
    }
    Ok(outcome(&found.sources))
}

fn source_json(source: &CitedSource) -> Value {
    json!({
        "n": source.n,
        "key": source.key,
        "path": source.path,
        "lines": [source.lines.0, source.lines.1],
        "bytes": [source.bytes.0, source.bytes.1],
        "score": source.score,
        "text": source.text,
        "merged": source.merged,
    })
}

fn whole_json(
    question: &str,
    rewritten: Option<&str>,
    sources: Vec<Value>,
    text: &str,
    usage: TokenUsage,
    cache_hit: bool,
) -> Value {
    json!({
        "schema": 1,
        "question": question,
        "rewritten": rewritten,
        "sources": sources,
        "text": text,
        "usage": usage,
        "cache_hit": cache_hit,
    })
}

fn as_json(answer: &ChatAnswer) -> Value {
    let sources = answer.sources.iter().map(source_json).collect();
    whole_json(&answer.question, answer.rewritten.as_deref(), sources, &answer.text, answer.usage, answer.cache_hit)
}

/// An event as a line of JSON, at once.
fn write_event(out: &mut dyn Write, event: &ChatEvent) -> io::Result<()> {
    let value = match event {
        ChatEvent::Sources { rewritten, sources } => {
            let sources: Vec<Value> = sources.iter().map(source_json).collect();
            json!({"schema": 1, "event": "sources", "rewritten": rewritten, "sources": sources})
        }
        ChatEvent::Text(text) => json!({"schema": 1, "event": "text", "text": text}),
        ChatEvent::End(answer) => {
            let mut value = as_json(answer);
            value["event"] = json!("end");
            value
        }
        _ => return Ok(()),
    };
    serde_json::to_writer(&mut *out, &value)?;
    writeln!(out)?;
    out.flush()
}

/// The collection that is meant, with the model that it was made with.
pub fn collection(args: &RetrievalArgs) -> Result<Collection, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let embedding = ModelArgs {
        base_url: args.embed_base_url.clone(),
        // As on the command line of the others.
        concurrency: 4,
        timeout: 120,
        retries: 5,
        ..ModelArgs::default()
    };
    Ok(Collection::open(&path, model::of_collection(&embedding, &path)?)?)
}

/// A conversation as it was typed.
pub fn chat<'a>(
    collection: &'a Collection,
    llm: &gyeol::llm::Llm,
    args: &RetrievalArgs,
) -> Result<gyeol::rag::Chat<'a>, Failure> {
    let mut chat = collection.chat(llm).k(args.k).mode(args.leg.mode()).fusion(args.leg.fusion()).budget(args.budget);
    if let Some(filter) = &args.filter {
        chat = chat.filter(filter.clone());
    }
    if let Some(score) = args.min_score {
        chat = chat.min_score(score);
    }
    if args.without_sources {
        chat = chat.none_found(gyeol::rag::NoneFound::Ask);
    }
    if let Some(path) = &args.template {
        let text = std::fs::read_to_string(path);
        chat = chat.template(&text.map_err(|e| Failure::new(IO, format!("{}: {e}", path.display())))?)?;
    }
    Ok(chat)
}

/// The chat model that is meant.
pub fn llm(args: &ChatModelArgs) -> Result<gyeol::llm::Llm, Failure> {
    named_llm(args.model.clone(), args.options(), args.cache.as_deref().map(|place| (place, args.cache_ttl)))
}

/// A chat model by its name, or by what the environment says.
pub fn named_llm(
    name: Option<String>,
    options: gyeol::llm::LlmOptions,
    cache: Option<(&std::path::Path, i64)>,
) -> Result<gyeol::llm::Llm, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (name, options) = match (name, variable(VARIABLE)) {
        (Some(name), _) => (name, options),
        (None, Some(name)) => {
            let base_url = options.base_url.clone().or_else(|| variable(URL_VARIABLE));
            (name, gyeol::llm::LlmOptions { base_url, ..options })
        }
        (None, None) => {
            let hint = format!(
                "no chat model; name one with --model PROVIDER::NAME (openai::gpt-4o-mini, anthropic::claude-sonnet-4-5, \
                 gemini::gemini-2.5-flash, upstage::solar-pro2, ollama::qwen3, ...) or in {VARIABLE}; `gyeol ask \
                 --extractive` needs none"
            );
            return Err(Failure::new(USAGE, hint));
        }
    };
    let llm = gyeol::llm::Llm::with(&name, options).map_err(gyeol::Error::from)?;
    match cache {
        None => Ok(llm),
        Some((place, ttl)) => Ok(llm.cached(model::cache_at(place, ttl).open().map_err(gyeol::Error::from)?)),
    }
}
