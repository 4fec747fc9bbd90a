//! Folders that are no model, or are one no more: each is refused, and nothing panics.

use std::fs;
use std::path::Path;

use gyeol::error::{ModelError, RerankError};
use gyeol::rerank::scores;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{MODELS, folder, open};

const FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

fn copy(model: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in FILES {
        fs::copy(folder(model).join(file), dir.path().join(file)).unwrap();
    }
    dir
}

/// Opens a folder, and scores a pair if it can be opened.
fn attempt(at: &Path) -> Result<f32, RerankError> {
    scores(&open(at)?, "고양이 cat", &["고양이가 잔다. The cat sleeps."]).map(|s| s[0])
}

/// Changes one key of a config.
fn set(at: &Path, key: &str, value: serde_json::Value) {
    let path = at.join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    fs::write(path, config.to_string()).unwrap();
}

#[test]
fn a_file_that_is_missing_is_named() {
    for file in FILES {
        let dir = copy("bert");
        fs::remove_file(dir.path().join(file)).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(&error, RerankError::Model(ModelError::Io { path, .. }) if path.ends_with(file)), "{error}");
    }
}

#[test]
fn a_file_that_is_cut_is_refused() {
    for model in MODELS {
        for file in FILES {
            let dir = copy(model);
            let whole = fs::read(folder(model).join(file)).unwrap();
            // The last byte of a config is the end of its last line.
            let lengths = (0..whole.len() - 1).step_by((whole.len() / 60).max(1)).chain([whole.len() - 2]);
            for length in lengths {
                fs::write(dir.path().join(file), &whole[..length]).unwrap();
                let error = open(dir.path()).unwrap_err();
                assert!(matches!(error, RerankError::Model(_)), "{file} cut to {length}: {error}");
            }
        }
    }
}

#[test]
fn files_with_wrong_bytes_never_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut refused = 0;
    for round in 0..400 {
        let (model, file) = (MODELS[round % 3], FILES[round / 3 % 3]);
        let dir = copy(model);
        let mut bytes = fs::read(folder(model).join(file)).unwrap();
        for _ in 0..=random(3) {
            // Half of them in the first KiB, where a file of weights has its table.
            let within = if random(2) == 0 { bytes.len().min(1024) } else { bytes.len() };
            let at = random(within);
            bytes[at] = random(256) as u8;
        }
        fs::write(dir.path().join(file), bytes).unwrap();
        refused += usize::from(attempt(dir.path()).is_err());
    }
    assert!(refused > 100, "{refused} of 400");
}

#[test]
fn a_table_of_characters_that_is_damaged_is_an_error() {
    let dir = copy("xlm-roberta");
    let path = dir.path().join("tokenizer.json");
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // A table of four bytes that leads out of itself.
    let table = serde_json::json!({ "type": "Precompiled", "precompiled_charsmap": "BAAAAP///38=" });
    tokenizer["normalizer"] = table;
    fs::write(&path, tokenizer.to_string()).unwrap();
    let error = attempt(dir.path()).unwrap_err();
    assert!(matches!(error, RerankError::Tokenize { index: 0, .. }), "{error}");
}

#[test]
fn other_architectures_are_named() {
    let cases = [
        (serde_json::json!(["Qwen3ForCausalLM"]), "Qwen3ForCausalLM"),
        (serde_json::json!(["BertModel"]), "BertModel"),
        (serde_json::json!([]), "model_type bert"),
    ];
    for (architectures, name) in cases {
        let dir = copy("bert");
        set(dir.path(), "architectures", architectures);
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, RerankError::Model(ModelError::Architecture { .. })), "{error}");
        let message = error.to_string();
        assert!(message.contains(name) && message.contains("XLMRobertaForSequenceClassification"), "{message}");
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    let sizes = [
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
        "type_vocab_size",
    ];
    for key in sizes {
        for value in [serde_json::json!(0), serde_json::json!(u64::MAX), serde_json::json!(-1), serde_json::json!("3")]
        {
            let dir = copy("bert");
            set(dir.path(), key, value.clone());
            let error = open(dir.path()).unwrap_err();
            assert!(matches!(error, RerankError::Model(ModelError::File { .. })), "{key} {value}: {error}");
        }
    }
    let others = [("hidden_act", "relu"), ("position_embedding_type", "relative_key")];
    for (key, value) in others {
        let dir = copy("bert");
        set(dir.path(), key, value.into());
        let message = open(dir.path()).unwrap_err().to_string();
        assert!(message.contains(key) && message.contains("supported"), "{message}");
    }
    let dir = copy("xlm-roberta");
    set(dir.path(), "pad_token_id", 81.into());
    assert!(open(dir.path()).unwrap_err().to_string().contains("max_position_embeddings"));
}

#[test]
fn weights_that_do_not_fit_the_config_are_named() {
    for (key, value, tensor) in [
        ("hidden_size", 64, "pooler.dense.weight"),
        ("num_hidden_layers", 3, "layer.2."),
        ("intermediate_size", 50, "intermediate.dense.weight"),
        ("vocab_size", 4000, "word_embeddings.weight"),
    ] {
        let dir = copy("bert");
        set(dir.path(), key, value.into());
        let error = open(dir.path()).unwrap_err();
        assert!(
            matches!(&error, RerankError::Model(ModelError::Tensor { name, .. }) if name.contains(tensor)),
            "{error}"
        );
    }
    // A vocabulary that is smaller than the tokeniser's.
    let dir = copy("bert");
    set(dir.path(), "vocab_size", 20.into());
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

/// Writes a model's weights anew, with one tensor in place of its own.
fn replace(at: &Path, name: &str, dtype: Dtype, shape: &[usize], data: &[u8]) {
    let path = at.join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut all = tensors.tensors();
    all.retain(|(own, _)| own != name);
    all.push((name.to_owned(), TensorView::new(dtype, shape.to_vec(), data).unwrap()));
    fs::write(path, safetensors::serialize(all, None).unwrap()).unwrap();
}

#[test]
fn a_head_of_many_labels_is_refused() {
    for (model, head, hidden) in [("bert", "classifier", 32), ("xlm-roberta", "classifier.out_proj", 32)] {
        let dir = copy(model);
        replace(dir.path(), &format!("{head}.weight"), Dtype::F32, &[3, hidden], &vec![0; 12 * hidden]);
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, RerankError::Labels { labels: 3, .. }), "{error}");
    }
}

#[test]
fn weights_that_are_no_numbers_are_found_in_the_score() {
    let dir = copy("bert");
    let nan: Vec<u8> = std::iter::repeat_n(f32::NAN.to_le_bytes(), 32).flatten().collect();
    replace(dir.path(), "bert.encoder.layer.0.attention.self.key.bias", Dtype::F32, &[32], &nan);
    let error = attempt(dir.path()).unwrap_err();
    assert!(matches!(error, RerankError::NotFinite { index: 0, .. }), "{error}");
    replace(dir.path(), "bert.encoder.layer.0.attention.self.key.bias", Dtype::I64, &[32], &[0; 256]);
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, RerankError::Model(ModelError::Tensor { .. })), "{error}");
}
