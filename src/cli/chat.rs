//! `gyeol chat`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gyeol::llm::{StopHandle, TokenUsage};
use gyeol::rag::{Chat, ChatEvent, CitedSource};
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, config::Config};

use super::args::ChatArgs;
use super::failure::{Failure, INTERRUPTED, USAGE};
use super::{Outcome, ask, print};

const HELP: &str = "\
/sources   the texts of the last answer, whole
/history   what was said
/tokens    tokens of this conversation, as far as the provider told
/clear     forget what was said
/quit      end, as Ctrl-D does
Ctrl-C stops an answer.";

pub fn run(args: &ChatArgs) -> Result<Outcome, Failure> {
    let llm = ask::llm(&args.model)?;
    let collection = ask::collection(&args.retrieval)?;
    let chat = ask::chat(&collection, &llm, &args.retrieval)?;
    let stop = Stop::on_ctrl_c()?;
    let config = Config::builder().auto_add_history(true).build();
    let mut editor = DefaultEditor::with_config(config)
        .map_err(|e| Failure::new(USAGE, format!("the terminal cannot be used: {e}")))?;
    print::note(&format!("{} over {}; /help lists commands, Ctrl-D ends", llm.name(), collection.path().display()));
    let mut talk = Talk { chat, stop, sources: Vec::new(), usage: TokenUsage::default() };
    loop {
        match editor.readline("» ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) if line.trim_start().starts_with('/') => {
                if !talk.command(line.trim())? {
                    return Ok(Outcome::Done);
                }
            }
            Ok(line) => talk.answer(&line)?,
            Err(ReadlineError::Interrupted) => print::note("Ctrl-D ends"),
            Err(ReadlineError::Eof) => return Ok(Outcome::Done),
            Err(ReadlineError::Io(error)) => return Err(Failure::stream("stdin", &error)),
            Err(error) => return Err(Failure::new(USAGE, format!("the line cannot be read: {error}"))),
        }
    }
}

struct Talk<'a> {
    chat: Chat<'a>,
    stop: Stop,
    /// Of the last answer.
    sources: Vec<CitedSource>,
    usage: TokenUsage,
}

impl Talk<'_> {
    /// Whether to go on.
    fn command(&mut self, line: &str) -> Result<bool, Failure> {
        match line {
            "/quit" | "/exit" | "/q" => return Ok(false),
            "/clear" => {
                self.chat.clear();
                self.sources.clear();
                print::note("forgotten");
            }
            "/sources" => print::out(|out| {
                self.sources.iter().try_for_each(|source| {
                    ask::write_source(out, source)?;
                    writeln!(out, "{}\n", ask::shown_lines(&source.text))
                })
            })?,
            "/history" => print::out(|out| {
                self.chat.history().iter().try_for_each(|turn| {
                    let mark = if matches!(turn, gyeol::llm::Message::User { .. }) { "» " } else { "" };
                    writeln!(out, "{mark}{}\n", ask::shown_lines(turn.text()))
                })
            })?,
            "/tokens" => {
                let told =
                    |tokens: Option<u64>| tokens.map_or_else(|| "unknown".to_owned(), |tokens| tokens.to_string());
                print::out(|out| {
                    writeln!(
                        out,
                        "{} sent, {} back",
                        told(self.usage.prompt_tokens),
                        told(self.usage.completion_tokens)
                    )
                })?;
            }
            _ => print::note(HELP),
        }
        Ok(true)
    }

    /// Answers a question. What goes wrong with the provider is told, and the conversation goes on.
    fn answer(&mut self, question: &str) -> Result<(), Failure> {
        self.stop.begin();
        let result = self.stream(question);
        self.stop.end();
        match result {
            Err(Failure::Error { message, .. }) => {
                print::note(&format!("gyeol: {message}"));
                Ok(())
            }
            other => other,
        }
    }

    fn stream(&mut self, question: &str) -> Result<(), Failure> {
        let mut stream = self.chat.stream(question)?;
        let told = |e: io::Error| Failure::stream("stdout", &e);
        let mut out = print::stdout();
        if let Some(handle) = stream.stop_handle() {
            self.stop.watch(handle);
        }
        for event in &mut stream {
            match event? {
                ChatEvent::Sources { rewritten, sources } => {
                    if let Some(rewritten) = rewritten {
                        writeln!(out, "({})", print::shown(&rewritten)).map_err(told)?;
                    }
                    sources.iter().try_for_each(|source| ask::write_source(&mut out, source)).map_err(told)?;
                    writeln!(out).and_then(|()| out.flush()).map_err(told)?;
                    self.sources = sources;
                }
                ChatEvent::Text(text) => {
                    out.write_all(ask::shown_lines(&text).as_bytes()).and_then(|()| out.flush()).map_err(told)?;
                }
                ChatEvent::End(answer) => {
                    self.usage = self.usage.plus(answer.usage);
                    return writeln!(out, "\n").and_then(|()| out.flush()).map_err(told);
                }
                _ => {}
            }
        }
        writeln!(out).and_then(|()| out.flush()).map_err(told)?;
        print::note("stopped; this question and its answer are forgotten");
        Ok(())
    }
}

/// What Ctrl-C does: it stops the answer that is under way. A second one, before that is done, ends the program.
struct Stop(Arc<State>);

#[derive(Default)]
struct State {
    answering: AtomicBool,
    asked: AtomicBool,
    handle: Mutex<Option<StopHandle>>,
}

impl Stop {
    fn on_ctrl_c() -> Result<Stop, Failure> {
        let state: Arc<State> = Arc::default();
        let shared = state.clone();
        let handler = move || {
            let again = shared.asked.swap(true, Ordering::SeqCst);
            if again || !shared.answering.load(Ordering::SeqCst) {
                std::process::exit(i32::from(INTERRUPTED));
            }
            if let Some(handle) = shared.handle.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                handle.stop();
            }
        };
        ctrlc::set_handler(handler).map_err(|e| Failure::new(USAGE, format!("Ctrl-C cannot be handled: {e}")))?;
        Ok(Stop(state))
    }

    fn begin(&self) {
        self.0.asked.store(false, Ordering::SeqCst);
        self.0.answering.store(true, Ordering::SeqCst);
    }

    /// What is to be stopped; at once, if that was asked for before.
    fn watch(&self, handle: StopHandle) {
        *self.0.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.clone());
        if self.0.asked.load(Ordering::SeqCst) {
            handle.stop();
        }
    }

    fn end(&self) {
        self.0.answering.store(false, Ordering::SeqCst);
        *self.0.handle.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
