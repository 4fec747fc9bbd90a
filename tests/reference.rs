//! The built-in model gives the vectors that its Python original gives.

#![cfg(feature = "builtin")]

use gyeol::embed::{Answer, Role, builtin, embed_many};

#[test]
fn vectors_equal_the_reference() {
    let text = std::fs::read_to_string("data/model/reference.json").unwrap();
    let reference: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let texts: Vec<&str> = reference.iter().map(|r| r["text"].as_str().unwrap()).collect();
    assert!(texts.len() >= 10);
    let answer = embed_many(&builtin(), &texts, Role::Document).unwrap();
    for (i, text) in texts.iter().enumerate() {
        let want: Vec<f64> = reference[i]["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        let norm = want.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm == 0.0 {
            assert_ne!(answer.answers[i], Answer::Embedded, "{text:?}");
            assert!(answer.get(i).is_none());
            continue;
        }
        let dot: f64 = answer.vectors.row(i).iter().zip(&want).map(|(a, b)| f64::from(*a) * b).sum();
        assert!(dot / norm >= 0.9999, "{text:?}: cosine {}", dot / norm);
    }
}
