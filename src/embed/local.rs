//! Models from a folder, run here: Model2Vec models, and sentence transformers of the BERT kind.
//!
//! | file | of | what is read of it |
//! |---|---|---|
//! | `config.json` | both | the kind of model, and its sizes |
//! | `tokenizer.json` | both | the tokeniser |
//! | `model.safetensors` | both | weights: F32, F16 or BF16; rows of Model2Vec also I8 |
//! | `modules.json` | transformers, may be absent | that there is nothing but transformer, pooling and normalisation |
//! | `1_Pooling/config.json` | transformers, may be absent | mean or CLS pooling; without the file, mean |
//! | `sentence_bert_config.json` | transformers, may be absent | `max_seq_length` |
//! | `config_sentence_transformers.json` | both, may be absent | `prompts`: what is put before a query and a document |

mod layout;
mod sentence;
mod static_rows;

use std::path::Path;

use self::layout::{Kind, Layout};
use self::sentence::Sentence;
use self::static_rows::StaticRows;
use super::{Embedder, Embeddings, ModelIdentity, Role};
use crate::error::{EmbedError, ModelError};
use crate::transformer::Precision;

/// How a [`Local`] model runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalOptions {
    /// What is put before a query. `None`: what the model's files say, which is nothing where they say nothing.
    pub query_prefix: Option<String>,
    /// What is put before a document. `None`: what the model's files say.
    pub document_prefix: Option<String>,
    /// Whether a text that is longer than the model can take is refused alone
    /// ([`Answer::Refused`](super::Answer::Refused)); else it is cut at its end. Model2Vec models take any length.
    pub refuse_long: bool,
    /// Whether transformers run in f32 throughout. Else, where the processor has instructions for 8-bit integers, the
    /// products of their matrices are computed by integer codes: about twice as fast. The cosine to f32 is then 0.9994 and
    /// more with multilingual-e5-small, and 0.998 on average (0.994 at least) with all-MiniLM-L6-v2. Vectors of both may
    /// be compared.
    pub full_precision: bool,
}

/// A model from a folder, run on the processor. A call runs on the threads of rayon's current pool. A text's vector
/// does not depend on the other texts of its call.
#[derive(Debug)]
pub struct Local {
    model: Model,
    identity: ModelIdentity,
}

#[derive(Debug)]
enum Model {
    Static(Box<StaticRows>),
    Sentence(Box<Sentence>),
}

impl Local {
    /// Reads the model in `folder`. Its name is `local::` and the folder's full path.
    ///
    /// # Errors
    /// [`EmbedError::Files`] when a file is missing or broken, does not fit the others, or is of a model that is not
    /// supported.
    ///
    /// ```no_run
    /// use gyeol::embed::{Local, LocalOptions, Role, embed_many};
    /// let model = Local::open("models/multilingual-e5-small", &LocalOptions::default())?;
    /// let answer = embed_many(&model, &["고양이가 잔다"], Role::Document)?;
    /// # Ok::<(), gyeol::Error>(())
    /// ```
    pub fn open(folder: impl AsRef<Path>, options: &LocalOptions) -> Result<Local, EmbedError> {
        let folder = folder.as_ref();
        let full = folder.canonicalize().map_err(|source| ModelError::Io { path: folder.into(), source })?;
        let name = format!("local::{}", full.display());
        Local::open_as(folder, name, options)
    }

    /// [`Local::open`] under another name.
    pub(super) fn open_as(folder: &Path, name: String, options: &LocalOptions) -> Result<Local, EmbedError> {
        let mut layout = Layout::read(folder)?;
        let prefix = |given: &Option<String>, own: &mut String| given.clone().unwrap_or_else(|| std::mem::take(own));
        let query_prefix = prefix(&options.query_prefix, &mut layout.query_prefix);
        let document_prefix = prefix(&options.document_prefix, &mut layout.document_prefix);
        let precision = if options.full_precision { Precision::Full } else { Precision::Codes };
        let (model, dim) = match layout.kind {
            Kind::Static => {
                let model = StaticRows::open(folder, &name)?;
                let dim = model.dim();
                (Model::Static(Box::new(model)), dim)
            }
            Kind::Sentence { pooling, max_tokens } => {
                let model = Sentence::open(folder, &name, pooling, max_tokens, precision, options.refuse_long)?;
                let dim = model.dim();
                (Model::Sentence(Box::new(model)), dim)
            }
        };
        let hash = layout.hash(folder)?;
        Ok(Local { model, identity: ModelIdentity { name, hash, dim, query_prefix, document_prefix } })
    }
}

impl Embedder for Local {
    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn embed_many(&self, texts: &[&str], role: Role) -> Result<Embeddings, EmbedError> {
        let prefix = self.identity.prefix(role);
        match &self.model {
            Model::Static(model) => model.embed(texts, prefix),
            Model::Sentence(model) => model.embed(texts, prefix),
        }
    }

    fn count_tokens(&self, text: &str) -> usize {
        match &self.model {
            Model::Static(model) => model.count(text),
            Model::Sentence(model) => model.count(text),
        }
    }

    fn texts_at_once(&self) -> usize {
        match &self.model {
            Model::Static(_) => 4096,
            Model::Sentence(_) => 256,
        }
    }
}
