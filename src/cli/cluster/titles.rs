//! Titles of clusters, by a chat model.

use gyeol::collection::Clusters;
use gyeol::error::LlmError;
use gyeol::llm::{Llm, LlmOptions};

use crate::cli::args::ClusterArgs;
use crate::cli::failure::{Failure, PROVIDER};
use crate::cli::{Outcome, ask, print};

/// Requests under way at once.
const AT_ONCE: usize = 4;

pub type Title = Result<String, LlmError>;

/// The chat model that is meant.
pub fn llm(args: &ClusterArgs) -> Result<Llm, Failure> {
    let options = LlmOptions { base_url: args.titles.chat_base_url.clone(), ..LlmOptions::default() };
    ask::named_llm(args.titles.chat_model.clone(), options, None)
}

/// A title for each cluster; what goes wrong is told.
pub fn of(llm: &Llm, clusters: &Clusters) -> Vec<Title> {
    let titles = gyeol::rag::titles(llm, clusters, AT_ONCE);
    for (id, title) in titles.iter().enumerate() {
        if let Err(error) = title {
            print::note(&format!("cluster {id} has no title: {}", print::shown(&error.to_string())));
        }
    }
    titles
}

/// How a run ends whose clusters have been printed.
pub fn outcome(titles: &[Title]) -> Result<Outcome, Failure> {
    match titles.iter().filter(|title| title.is_err()).count() {
        0 => Ok(Outcome::Done),
        n => Err(Failure::new(PROVIDER, format!("{n} of {} clusters have no title", titles.len()))),
    }
}
