//! Pairs a second of a cross-encoder, by length.
//!
//! `cargo bench --bench rerank [-- FOLDER]` times the model in FOLDER, or one of
//! random weights that is as large as MiniLM-L6 (6 layers of 384 values, 12 heads, a vocabulary of
//! 30,522). `RAYON_NUM_THREADS=n` bounds the threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gyeol::rerank::{CrossEncoder, CrossEncoderOptions, Scale, scores};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// Texts of one query.
const TEXTS: usize = 100;
/// Each length is timed so many times; the fastest counts.
const ROUNDS: usize = 3;
const TOKENIZER: &str = "data/golden/rerank/bert/tokenizer.json";

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let named: Option<PathBuf> = std::env::args().skip(1).find(|a| !a.starts_with("--")).map(PathBuf::from);
    let folder = named.unwrap_or_else(|| {
        let folder = dir.path().join("random-minilm-l6");
        write_model(&folder);
        folder
    });
    let text = "the nearest neighbours of a query are found by a vector index while the rain falls. ".repeat(40);
    let texts = vec![text.as_str(); TEXTS];
    for max_tokens in [32, 64, 128, 256, 512] {
        let started = Instant::now();
        let options = CrossEncoderOptions { max_tokens, scale: Scale::Logit };
        let reranker = CrossEncoder::open(&folder, &options).unwrap();
        let opened = started.elapsed().as_secs_f64() * 1000.0;
        let time = |_| {
            let started = Instant::now();
            scores(&reranker, "where are the neighbours", &texts).unwrap();
            started.elapsed().as_secs_f64()
        };
        let best = (0..ROUNDS).map(time).fold(f64::INFINITY, f64::min);
        let (speed, milliseconds) = (TEXTS as f64 / best, best * 1000.0);
        println!(
            "{max_tokens:>4} tokens: {speed:>7.1} pairs/s, {TEXTS} pairs in {milliseconds:.0} ms (opened in {opened:.0} ms)"
        );
    }
}

/// Writes a model of random weights.
fn write_model(folder: &Path) {
    const HIDDEN: usize = 384;
    const INNER: usize = 1536;
    fs::create_dir_all(folder).unwrap();
    fs::copy(TOKENIZER, folder.join("tokenizer.json")).unwrap();
    let config = serde_json::json!({
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_act": "gelu",
        "hidden_size": HIDDEN, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": INNER,
        "vocab_size": 30_522, "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut shapes = Vec::new();
    let mut dense = |name: &str, inputs: usize, outputs: usize| {
        shapes.push((format!("{name}.weight"), vec![outputs, inputs]));
        shapes.push((format!("{name}.bias"), vec![outputs]));
    };
    for layer in (0..6).map(|i| format!("bert.encoder.layer.{i}")) {
        for part in ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"] {
            dense(&format!("{layer}.{part}"), HIDDEN, HIDDEN);
        }
        dense(&format!("{layer}.intermediate.dense"), HIDDEN, INNER);
        dense(&format!("{layer}.output.dense"), INNER, HIDDEN);
    }
    dense("bert.pooler.dense", HIDDEN, HIDDEN);
    dense("classifier", HIDDEN, 1);
    for (name, rows) in [("word", 30_522), ("position", 512), ("token_type", 2)] {
        shapes.push((format!("bert.embeddings.{name}_embeddings.weight"), vec![rows, HIDDEN]));
    }
    let layers =
        (0..6).flat_map(|i| ["attention.output", "output"].map(|part| format!("bert.encoder.layer.{i}.{part}")));
    for name in layers.chain(["bert.embeddings".to_owned()]) {
        shapes.push((format!("{name}.LayerNorm.weight"), vec![HIDDEN]));
        shapes.push((format!("{name}.LayerNorm.bias"), vec![HIDDEN]));
    }
    let mut seed = 1u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(seed) / f64::from(u32::MAX) - 0.5) as f32 * 0.1
    };
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let values = shape.iter().product::<usize>();
            let data = (0..values).flat_map(|_| random().to_le_bytes()).collect();
            (name, shape, data)
        })
        .collect();
    let views = tensors.iter().map(|(n, shape, data)| (n, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
    fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}
