//! Order, and answers that break the protocol.

use base64::Engine;
use gyeol::embed::{Answer, Role};
use gyeol::error::{EmbedError, HttpError};
use serde_json::{Value, json};

use crate::server::{DIM, Server, answer, numbered, ok, refs, unit_of};

/// What a whole call of six texts, two a request, comes to.
fn failure(server: &Server) -> EmbedError {
    let texts = numbered("t", 6);
    let model = server.model(|o| (o.limits.inputs, o.concurrency) = (Some(2), 1));
    let outcome = model.embed(&refs(&texts), Role::Document).unwrap();
    // What came before is kept.
    assert_eq!(outcome.embeddings.answers[..2], [Answer::Embedded; 2]);
    assert_eq!(outcome.embeddings.get(1).unwrap(), unit_of("t1"));
    assert_eq!(outcome.embeddings.answers[2..], [Answer::Unanswered; 4], "nothing of a broken answer is taken");
    assert_eq!(server.requests(), 2, "a lie is not asked for again");
    outcome.failure.unwrap()
}

/// A server whose second answer is another one.
fn second(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Server {
    Server::new(move |n, texts, _| {
        let mut body = answer(texts);
        if n == 1 {
            change(&mut body);
        }
        ok(body)
    })
}

#[test]
fn answers_are_put_in_order_by_their_index() {
    let server = Server::new(|_, texts, _| {
        let mut body = answer(texts);
        body["data"].as_array_mut().unwrap().reverse();
        ok(body)
    });
    let texts = numbered("텍스트 ", 100);
    let model = server.model(|o| (o.limits.inputs, o.concurrency) = (Some(7), 4));
    let answer = model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
    for (i, text) in texts.iter().enumerate() {
        assert_eq!(answer.get(i).unwrap(), unit_of(text), "{text}");
    }
    assert_eq!(server.requests(), 15);
    assert_eq!((answer.usage.requests, answer.usage.texts, answer.usage.tokens), (15, 100, 100));
}

#[test]
fn too_few_and_too_many_answers_are_errors_with_positions() {
    let few = failure(&second(|body| drop(body["data"].as_array_mut().unwrap().pop())));
    assert!(matches!(few, EmbedError::Count { found: 1, expected: 2, first: 2, last: 3, .. }), "{few:?}");
    let many = failure(&second(|body| {
        let extra = json!({"index": 2, "embedding": [1, 2, 3, 4]});
        body["data"].as_array_mut().unwrap().push(extra);
    }));
    assert!(matches!(many, EmbedError::Count { found: 3, expected: 2, .. }), "{many:?}");
    let none = failure(&second(|body| body["data"] = json!([])));
    assert!(matches!(none, EmbedError::Count { found: 0, .. }), "{none:?}");
}

#[test]
fn duplicate_and_missing_indexes_are_errors_with_positions() {
    let twice = failure(&second(|body| body["data"][1]["index"] = json!(0)));
    assert!(matches!(twice, EmbedError::Duplicate { index: 2, .. }), "{twice:?}");
    let outside = failure(&second(|body| body["data"][1]["index"] = json!(7)));
    assert!(matches!(outside, EmbedError::Missing { index: 3, .. }), "{outside:?}");
    let negative = failure(&second(|body| body["data"][0]["index"] = json!(-1)));
    assert!(matches!(negative, EmbedError::Missing { index: 2, .. }), "{negative:?}");
    let without = failure(&second(|body| drop(body["data"][1].as_object_mut().unwrap().remove("index"))));
    assert!(matches!(without, EmbedError::Missing { index: 3, .. }), "{without:?}");
    assert!(without.to_string().contains("text 3"), "{without}");
}

#[test]
fn vectors_that_cannot_be_used_are_errors_with_positions() {
    let base64 = |values: &[f32]| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    for bad in [
        json!([0, 0, 0, 0]),
        json!([1, null, 1, 1]),
        json!([1e39, 1, 1, 1]),
        json!(base64(&[1.0, f32::NAN, 0.0, 0.0])),
        json!(base64(&[1.0, f32::INFINITY, 0.0, 0.0])),
    ] {
        let shown = bad.to_string();
        let error = failure(&second(move |body| body["data"][1]["embedding"] = bad.clone()));
        assert!(matches!(error, EmbedError::Vector { index: 3, .. }), "{shown}: {error:?}");
    }
    for (bad, found) in [(json!([1, 2, 3]), 3), (json!([]), 0), (json!([1, 2, 3, 4, 5]), 5)] {
        let error = failure(&second(move |body| body["data"][0]["embedding"] = bad.clone()));
        assert!(
            matches!(error, EmbedError::Dimension { index: 2, found: f, expected: DIM, .. } if f == found),
            "{error:?}"
        );
    }
}

#[test]
fn answers_that_are_no_answers_are_errors() {
    for bad in [json!([]), json!({"data": "x"}), json!({"data": [{"index": 0, "embedding": "!!"}]}), json!("text")] {
        let error = failure(&second(move |body| *body = bad.clone()));
        let EmbedError::Request { first: 2, last: 3, source: HttpError::Body { .. }, .. } = error else {
            panic!("{error:?}")
        };
    }
}

#[test]
fn floats_and_base64_are_taken_whatever_was_asked() {
    // `openai` asks for base64, `openai-compatible` does not; each gets the other form.
    let in_base64 = |texts: &[String]| {
        let mut body = answer(texts);
        for (row, text) in body["data"].as_array_mut().unwrap().iter_mut().zip(texts) {
            let bytes: Vec<u8> = crate::server::vector_of(text).iter().flat_map(|v| v.to_le_bytes()).collect();
            row["embedding"] = json!(base64::engine::general_purpose::STANDARD.encode(bytes));
        }
        body
    };
    let texts = ["하나", "둘"];
    let server = Server::new(move |_, texts, body| {
        assert!(body.get("encoding_format").is_none());
        ok(in_base64(texts))
    });
    let got = server.model(|_| ()).embed(&texts, Role::Document).unwrap().whole().unwrap();
    assert_eq!(got.get(1).unwrap(), unit_of("둘"));
    let server = Server::new(move |_, texts, body| {
        assert_eq!(body["encoding_format"], "base64");
        ok(answer(texts))
    });
    let model = gyeol::embed::Remote::new("openai::text-embedding-3-small", server.options(|_| ())).unwrap();
    let got = model.embed(&texts, Role::Document).unwrap().whole().unwrap();
    assert_eq!(got.get(1).unwrap(), unit_of("둘"));
}

#[test]
fn usage_and_model_may_be_missing() {
    let server = Server::new(|_, texts, _| ok(json!({"data": answer(texts)["data"]})));
    let got = server.model(|_| ()).embed(&["안녕하세요"], Role::Document).unwrap().whole().unwrap();
    assert_eq!(got.usage.tokens, 0);
    assert!(got.usage.estimated_tokens >= 15, "{:?}", got.usage);
}

#[test]
fn a_dimension_is_asked_for_and_held_to() {
    let server = Server::new(|_, texts, body| {
        assert_eq!(body["dimensions"], 4);
        ok(answer(texts))
    });
    let model = server.model(|o| o.dimensions = Some(4));
    assert_eq!(model.dim(), Some(4));
    assert_eq!(model.embed(&["a"], Role::Document).unwrap().whole().unwrap().vectors.dim(), 4);
    let server = Server::good();
    let error = server.model(|o| o.dimensions = Some(2)).embed(&["a"], Role::Document).unwrap().failure.unwrap();
    assert!(matches!(error, EmbedError::Dimension { found: 4, expected: 2, .. }), "{error:?}");
    // The first values instead, scaled to length 1 again.
    let kept = server.model(|o| o.truncate = Some(2)).embed(&["a"], Role::Document).unwrap().whole().unwrap();
    let whole = unit_of("a");
    let norm = (whole[0] * whole[0] + whole[1] * whole[1]).sqrt();
    assert_eq!(kept.vectors.dim(), 2);
    for (kept, whole) in kept.get(0).unwrap().iter().zip(&whole) {
        assert!((kept - whole / norm).abs() < 1e-6);
    }
}
