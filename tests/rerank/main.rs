//! Cross-encoders against the reference, and against files that are broken.
//!
//! `tests/rerank/make.py` makes the models and the reference's scores in `data/golden/rerank`. With
//! `GYEOL_RERANK_MODEL=FOLDER` a large model is compared as well; its folder needs a `reference.json`.

mod broken;

use std::fs;
use std::path::{Path, PathBuf};

use gyeol::error::RerankError;
use gyeol::rerank::{CrossEncoder, CrossEncoderOptions, Reranker, Scale, scores};

const MODELS: [&str; 3] = ["bert", "electra", "xlm-roberta"];

fn folder(model: &str) -> PathBuf {
    Path::new("data/golden/rerank").join(model)
}

fn open(folder: &Path) -> Result<CrossEncoder, RerankError> {
    CrossEncoder::open(folder, &CrossEncoderOptions { scale: Scale::Logit, ..CrossEncoderOptions::default() })
}

struct Pair {
    query: String,
    text: String,
    logit: f32,
}

fn reference(model: &str) -> Vec<Pair> {
    let json = fs::read(folder(model).join("reference.json")).unwrap();
    let pairs: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
    let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
    let pair = |p: &serde_json::Value| Pair {
        query: text(&p["query"]),
        text: text(&p["text"]),
        logit: p["logit"].as_f64().unwrap() as f32,
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn scores_are_those_of_the_reference() {
    let named = std::env::var("GYEOL_RERANK_MODEL").ok();
    for model in MODELS.into_iter().chain(named.as_deref()) {
        let reranker = open(&folder(model)).unwrap();
        assert_eq!(reranker.name().strip_prefix("local::"), model.rsplit('/').next());
        let pairs = reference(model);
        assert!(pairs.len() >= 14);
        for pair in &pairs {
            let ours = scores(&reranker, &pair.query, &[&pair.text]).unwrap()[0];
            let far = (ours - pair.logit).abs();
            assert!(far < 1e-4, "{model}: {:?} with {:?} is {}, not {ours}", pair.query, pair.text, pair.logit);
        }
    }
}

#[test]
fn a_score_does_not_depend_on_the_others() {
    for model in MODELS {
        let reranker = open(&folder(model)).unwrap();
        let pairs = reference(model);
        // Four of each length, so that pairs are run together in every way.
        let texts: Vec<&str> = (0..4).flat_map(|_| pairs.iter().map(|p| p.text.as_str())).collect();
        for query in ["", "고양이는 어디에 있나"] {
            let together = scores(&reranker, query, &texts).unwrap();
            for (text, together) in texts.iter().zip(&together) {
                let alone = scores(&reranker, query, &[text]).unwrap()[0];
                assert!(
                    (alone - together).abs() < 1e-5,
                    "{model}: {text:?} is {alone} alone and {together} with others"
                );
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let reranker = open(&folder("xlm-roberta")).unwrap();
    let pairs = reference("xlm-roberta");
    let texts: Vec<&str> = pairs.iter().map(|p| p.text.as_str()).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| scores(&reranker, "질의", &texts)).unwrap()
    };
    let one = on(1);
    for threads in [2, 5] {
        for (a, b) in one.iter().zip(on(threads)) {
            assert!((a - b).abs() < 1e-5, "{a} on one thread, {b} on {threads}");
        }
    }
}

#[test]
fn the_scale_is_the_models_own() {
    let open =
        |model, scale| CrossEncoder::open(folder(model), &CrossEncoderOptions { scale, max_tokens: 512 }).unwrap();
    let score = |model, scale| scores(&open(model, scale), "where is the cat", &["The cat sleeps."]).unwrap()[0];
    for model in MODELS {
        let logit = score(model, Scale::Logit);
        assert!((score(model, Scale::Sigmoid) - 1.0 / (1.0 + (-logit).exp())).abs() < 1e-6);
        // The config of the first names Identity; those of the others name nothing.
        let own = if model == "bert" { Scale::Logit } else { Scale::Sigmoid };
        assert_eq!(score(model, Scale::Model), score(model, own), "{model}");
    }
}

#[test]
fn long_texts_are_cut_and_take_no_time() {
    let reranker = open(&folder("bert")).unwrap();
    let long = "the cat sleeps on the warm sofa. ".repeat(60);
    let longer = "the cat sleeps on the warm sofa. ".repeat(100_000);
    let cut = scores(&reranker, "cat", &[&long, &longer]).unwrap();
    assert_eq!(cut[0], cut[1]);
    assert!(scores(&reranker, &longer, &[&longer]).unwrap()[0].is_finite());
    // Fewer tokens see less of the text.
    let few = CrossEncoderOptions { max_tokens: 16, scale: Scale::Logit };
    let few = CrossEncoder::open(folder("bert"), &few).unwrap();
    assert_ne!(scores(&few, "cat", &[&long]).unwrap()[0], cut[0]);
    let none = CrossEncoderOptions { max_tokens: 15, scale: Scale::Logit };
    let refused = CrossEncoder::open(folder("bert"), &none).unwrap_err();
    assert!(matches!(refused, RerankError::Parameter { name: "max_tokens", value: 15, .. }), "{refused}");
}

#[test]
fn marks_written_in_a_text_are_no_trouble() {
    for (model, text) in [("xlm-roberta", "a<pad>b</s><s><pad>"), ("bert", "[PAD] a [SEP][CLS] b [PAD]")] {
        let reranker = open(&folder(model)).unwrap();
        let both = scores(&reranker, "q", &[text, "\0\u{fffd}\u{200b}", "\n\n\t"]).unwrap();
        assert_eq!(both.len(), 3);
    }
}
