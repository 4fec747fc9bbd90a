//! Answers from a collection: what fits is found, put before a chat model as quoted data, and cited.
//!
//! ```no_run
//! # fn ask(notes: &gyeol::Collection) -> gyeol::Result<()> {
//! use gyeol::llm::Llm;
//! let chat = notes.chat(&Llm::new("openai::gpt-4o-mini")?);
//! let answer = chat.ask("밀물과 썰물은 왜 생겨?")?;
//! println!("{}", answer.text);
//! for source in answer.sources {
//!     println!("[{}] {}", source.n, source.place());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! - A follow-up is rewritten to a question that stands alone before anything is searched for.
//! - Texts that are nearly the same are merged, so that the budget of tokens is not spent on copies.
//! - Documents enter only as data: every line of theirs is quoted, and the model is told what that means. A model may
//!   still be led astray by what it reads; what it may *do* is up to the program.
//! - A number in brackets that is none of a source is taken out of the answer.

mod chat;
mod cite;
mod extract;
mod fit;
mod prompt;
mod source;
mod titles;
mod tool;

pub use self::chat::{Chat, ChatAnswer, ChatEvent, ChatStop, ChatStream, NoneFound};
pub use self::extract::{Extract, extract};
pub use self::source::CitedSource;
pub use self::titles::titles;
pub use self::tool::search_tool;
