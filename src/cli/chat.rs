//! `gyeol chat`.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gyeol::Error;
use gyeol::error::LlmError;
use gyeol::llm::TokenUsage;
use gyeol::rag::{Chat, ChatEvent, ChatStop, CitedSource};
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, config::Config};

use super::args::ChatArgs;
use super::failure::{Failure, INTERRUPTED, PROVIDER, USAGE};
use super::{Outcome, ask, print};

const HELP: &str = "\
/sources   the texts of the last answer, whole
/history   what was said
/tokens    tokens of this conversation, as far as the provider told
/clear     forget what was said
/quit      end, as Ctrl-D does
Ctrl-C stops an answer.";

const STOPPED: &str = "stopped; this question and its answer are forgotten";

pub fn run(args: &ChatArgs) -> Result<Outcome, Failure> {
    let llm = ask::llm(&args.model)?;
    let collection = ask::collection(&args.retrieval)?;
    let chat = ask::chat(&collection, &llm, &args.retrieval)?;
    let stop = Stop::on_ctrl_c(chat.stop_handle())?;
    let config = Config::builder().auto_add_history(true).build();
    let mut editor = DefaultEditor::with_config(config)
        .map_err(|e| Failure::new(USAGE, format!("the terminal cannot be used: {e}")))?;
    print::note(&format!("{} over {}; /help lists commands, Ctrl-D ends", llm.name(), collection.path().display()));
    let mut talk = Talk { chat, stop, sources: Vec::new(), usage: TokenUsage::default(), failed: 0 };
    loop {
        match editor.readline("» ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) if is_command(&line) => {
                if !talk.command(line.trim())? {
                    return talk.end();
                }
            }
            Ok(line) => talk.answer(&line)?,
            Err(ReadlineError::Interrupted) => print::note("Ctrl-D ends"),
            Err(ReadlineError::Eof) => return talk.end(),
            Err(ReadlineError::Io(error)) => return Err(Failure::stream("stdin", &error)),
            Err(error) => return Err(Failure::new(USAGE, format!("the line cannot be read: {error}"))),
        }
    }
}

/// A word after a slash; a path or a sentence is a question.
fn is_command(line: &str) -> bool {
    let word = line.trim().strip_prefix('/');
    word.is_some_and(|word| word.bytes().all(|b| b.is_ascii_lowercase()))
}

struct Talk<'a> {
    chat: Chat<'a>,
    stop: Stop,
    /// Of the last answer.
    sources: Vec<CitedSource>,
    usage: TokenUsage,
    /// Questions that had no answer.
    failed: usize,
}

impl Talk<'_> {
    /// How the run ends: who sent questions through a pipe must learn that one had no answer.
    fn end(&self) -> Result<Outcome, Failure> {
        match self.failed {
            n if n > 0 && !io::stdin().is_terminal() => {
                Err(Failure::new(PROVIDER, format!("{n} questions had no answer")))
            }
            _ => Ok(Outcome::Done),
        }
    }

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
                self.failed += 1;
                print::note(&format!("gyeol: {message}"));
                Ok(())
            }
            other => other,
        }
    }

    fn stream(&mut self, question: &str) -> Result<(), Failure> {
        let mut stream = match self.chat.stream(question) {
            Err(Error::Llm(LlmError::Stopped)) => {
                print::note(STOPPED);
                return Ok(());
            }
            other => other?,
        };
        let told = |e: io::Error| Failure::stream("stdout", &e);
        let mut out = print::stdout();
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
        print::note(STOPPED);
        Ok(())
    }
}

/// What Ctrl-C does: it stops the answer that is under way. A second one, before that is done, ends the program.
struct Stop(Arc<State>);

#[derive(Default)]
struct State {
    answering: AtomicBool,
    asked: AtomicBool,
}

impl Stop {
    fn on_ctrl_c(chat: ChatStop) -> Result<Stop, Failure> {
        let state: Arc<State> = Arc::default();
        let shared = state.clone();
        let handler = move || {
            let again = shared.asked.swap(true, Ordering::SeqCst);
            if again || !shared.answering.load(Ordering::SeqCst) {
                std::process::exit(i32::from(INTERRUPTED));
            }
            chat.stop();
        };
        ctrlc::set_handler(handler).map_err(|e| Failure::new(USAGE, format!("Ctrl-C cannot be handled: {e}")))?;
        Ok(Stop(state))
    }

    fn begin(&self) {
        self.0.asked.store(false, Ordering::SeqCst);
        self.0.answering.store(true, Ordering::SeqCst);
    }

    fn end(&self) {
        self.0.answering.store(false, Ordering::SeqCst);
    }
}
