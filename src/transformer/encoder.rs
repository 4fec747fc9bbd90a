//! The encoder: embeddings, and layers of attention and feed-forward, each with a norm behind it.

use candle_core::{Device, Tensor};

use crate::error::ModelError;
use crate::transformer::pointwise::{Norm, Softmax};
use crate::transformer::{Config, Family, Linear, Precision, Tokens, Weights};

/// Scores of attention held at once, 16 MiB: a long text's rows are taken some at a time.
const SCORES: usize = 1 << 22;

/// A model's encoder, in memory.
pub(crate) struct Encoder {
    words: Vec<f32>,
    positions: Vec<f32>,
    types: Vec<f32>,
    norm: Norm,
    /// From the width of the embeddings to that of the layers, where they differ.
    project: Option<Linear>,
    layers: Vec<Layer>,
    config: Config,
}

struct Layer {
    /// Query, key and value side by side; the query is already scaled by 1 / sqrt(values a head).
    attend: Linear,
    output: Linear,
    output_norm: Norm,
    inner: Linear,
    outer: Linear,
    outer_norm: Norm,
    heads: usize,
}

impl Encoder {
    /// Reads the tensors that the config tells of.
    pub fn read(weights: &mut Weights, config: &Config, precision: Precision) -> Result<Encoder, ModelError> {
        let root = root(weights, config.family);
        let at = format!("{root}embeddings");
        let width = config.embedding;
        let mut table = |name: &str, rows| weights.read(&format!("{at}.{name}_embeddings.weight"), &[rows, width]);
        let words = table("word", config.vocabulary)?;
        let positions = table("position", config.positions)?;
        let types = table("token_type", config.types)?;
        let norm = read_norm(weights, &format!("{at}.LayerNorm"), width, config)?;
        let project = match config.family {
            Family::Electra if width != config.hidden => {
                Some(Linear::read(weights, &format!("{root}embeddings_project"), width, config.hidden, precision)?)
            }
            _ => None,
        };
        let layers =
            (0..config.layers).map(|i| Layer::read(weights, root, i, config, precision)).collect::<Result<_, _>>()?;
        Ok(Encoder { words, positions, types, norm, project, layers, config: config.clone() })
    }

    /// One row of `hidden` values for the first token of each sequence. There must be a sequence,
    /// and each must be as [`Sequences`](crate::transformer::Sequences) makes them.
    pub fn first_tokens(&self, batch: &[&Tokens]) -> candle_core::Result<Tensor> {
        let mut x = self.embed(batch)?;
        let spans = spans(batch);
        let (last, layers) = match self.layers.split_last() {
            Some(split) => split,
            None => return first_rows(&x, &spans),
        };
        for layer in layers {
            let attended = layer.attention(&x, &spans, None)?;
            x = layer.feed_forward(&attended, &x)?;
        }
        // Of the last layer nothing but the first rows is wanted.
        let first = first_rows(&x, &spans)?;
        let attended = last.attention(&x, &spans, Some(&first))?;
        last.feed_forward(&attended, &first)
    }

    /// One row of `hidden` values for each sequence of [`Encoder::first_tokens`]: the mean of its tokens' rows.
    pub fn means(&self, batch: &[&Tokens]) -> candle_core::Result<Tensor> {
        let mut x = self.embed(batch)?;
        let spans = spans(batch);
        for layer in &self.layers {
            let attended = layer.attention(&x, &spans, None)?;
            x = layer.feed_forward(&attended, &x)?;
        }
        let means = spans.iter().map(|&(start, len)| x.narrow(0, start, len)?.mean_keepdim(0));
        Tensor::cat(&means.collect::<candle_core::Result<Vec<_>>>()?, 0)
    }

    fn embed(&self, batch: &[&Tokens]) -> candle_core::Result<Tensor> {
        let width = self.config.embedding;
        let n = batch.iter().map(|tokens| tokens.ids.len()).sum::<usize>();
        let mut rows = Vec::with_capacity(n * width);
        for tokens in batch {
            let mut next = self.config.first_position();
            for (&id, &kind) in tokens.ids.iter().zip(&tokens.types) {
                // RoBERTa gives a padding mark within a text no position of its own.
                let skipped = self.config.family == Family::Roberta && id == self.config.padding;
                let position = if skipped { self.config.padding as usize } else { next };
                next += usize::from(!skipped);
                let from = rows.len();
                let word = row(&self.words, id as usize, width);
                let place = row(&self.positions, position, width);
                let role = row(&self.types, kind as usize, width);
                let (Some(word), Some(place), Some(role)) = (word, place, role) else {
                    candle_core::bail!("token {id} of type {kind} at position {position} is not in the model's tables")
                };
                rows.extend(word.iter().zip(place).zip(role).map(|((w, p), r)| w + p + r));
                self.norm.apply(&mut rows[from..]);
            }
        }
        let x = Tensor::from_vec(rows, (n, width), &Device::Cpu)?;
        match &self.project {
            Some(project) => project.forward(&x),
            None => Ok(x),
        }
    }
}

/// Where each sequence begins among the rows of its batch, and how many it has.
fn spans(batch: &[&Tokens]) -> Vec<(usize, usize)> {
    let mut start = 0;
    let span = |tokens: &&Tokens| {
        let span = (start, tokens.ids.len());
        start += span.1;
        span
    };
    batch.iter().map(span).collect()
}

/// What the names of the encoder's tensors begin with: models without a head are often saved without
/// the name of their kind.
fn root(weights: &Weights, family: Family) -> &'static str {
    match weights.shape("embeddings.word_embeddings.weight") {
        Some(_) => "",
        None => family.prefix(),
    }
}

fn read_norm(weights: &mut Weights, name: &str, width: usize, config: &Config) -> Result<Norm, ModelError> {
    let scale = weights.read(&format!("{name}.weight"), &[width])?;
    let shift = weights.read(&format!("{name}.bias"), &[width])?;
    Ok(Norm { scale, shift, epsilon: config.epsilon })
}

/// A row of a table, if it has that one.
fn row(table: &[f32], i: usize, width: usize) -> Option<&[f32]> {
    table.get(i * width..(i + 1) * width)
}

/// The first row of each span.
fn first_rows(x: &Tensor, spans: &[(usize, usize)]) -> candle_core::Result<Tensor> {
    let rows = spans.iter().map(|(start, _)| x.narrow(0, *start, 1)).collect::<candle_core::Result<Vec<_>>>()?;
    Tensor::cat(&rows, 0)
}

impl Layer {
    fn read(
        weights: &mut Weights,
        root: &str,
        i: usize,
        config: &Config,
        precision: Precision,
    ) -> Result<Layer, ModelError> {
        let at = format!("{root}encoder.layer.{i}");
        let (hidden, intermediate) = (config.hidden, config.intermediate);
        let mut rows = Vec::with_capacity(3 * hidden * hidden);
        let mut bias = Vec::with_capacity(3 * hidden);
        for name in ["query", "key", "value"] {
            let name = format!("{at}.attention.self.{name}");
            rows.extend(weights.read(&format!("{name}.weight"), &[hidden, hidden])?);
            bias.extend(weights.read(&format!("{name}.bias"), &[hidden])?);
        }
        let scale = 1.0 / ((hidden / config.heads) as f32).sqrt();
        rows[..hidden * hidden].iter_mut().chain(&mut bias[..hidden]).for_each(|value| *value *= scale);
        // Where most is lost: queries are compared with keys.
        let attending = if precision == Precision::Codes { Precision::DoubleCodes } else { precision };
        let attend = Linear::new(rows, bias, hidden, attending)
            .map_err(|e| ModelError::file(weights.path(), format!("{at}.attention: {e}")))?;
        Ok(Layer {
            attend,
            output: Linear::read(weights, &format!("{at}.attention.output.dense"), hidden, hidden, precision)?,
            output_norm: read_norm(weights, &format!("{at}.attention.output.LayerNorm"), hidden, config)?,
            inner: Linear::read(weights, &format!("{at}.intermediate.dense"), hidden, intermediate, precision)?,
            outer: Linear::read(weights, &format!("{at}.output.dense"), intermediate, hidden, precision)?,
            outer_norm: read_norm(weights, &format!("{at}.output.LayerNorm"), hidden, config)?,
            heads: config.heads,
        })
    }

    /// What each token takes from the others of its span: a row for each row of `x`, or for each
    /// span where `first` has the rows that ask.
    fn attention(&self, x: &Tensor, spans: &[(usize, usize)], first: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let (n, hidden) = x.dims2()?;
        let (heads, width) = (self.heads, hidden / self.heads);
        let all = self.attend.forward(x)?.reshape((n, 3 * heads, width))?;
        let asking = match first {
            // One row a span instead of all is a small product; keys and values were the large part.
            Some(first) => Some(self.attend.forward(first)?.reshape((spans.len(), 3 * heads, width))?),
            None => None,
        };
        // `heads x rows x width`, without a copy.
        let part = |of: &Tensor, start, rows, which: usize| {
            of.narrow(0, start, rows)?.narrow(1, which * heads, heads)?.transpose(0, 1)
        };
        let mut out = Vec::with_capacity(spans.len());
        for (i, &(start, len)) in spans.iter().enumerate() {
            let keys = part(&all, start, len, 1)?.t()?;
            let values = part(&all, start, len, 2)?;
            let (queries, rows) = match &asking {
                Some(asking) => (part(asking, i, 1, 0)?, 1),
                None => (part(&all, start, len, 0)?, len),
            };
            let step = (SCORES / (heads * len)).clamp(1, rows);
            for from in (0..rows).step_by(step) {
                let scores = queries.narrow(1, from, step.min(rows - from))?.matmul(&keys)?;
                scores.inplace_op1(&Softmax)?;
                out.push(scores.matmul(&values)?.transpose(0, 1)?);
            }
        }
        Tensor::cat(&out, 0)?.reshape(((), hidden))
    }

    /// What is made of `attended`, which was taken for the rows of `before`.
    fn feed_forward(&self, attended: &Tensor, before: &Tensor) -> candle_core::Result<Tensor> {
        let x = self.output.forward_norm(attended, before, &self.output_norm)?;
        let inner = self.inner.forward_gelu(&x)?;
        self.outer.forward_norm(&inner, &x, &self.outer_norm)
    }
}
