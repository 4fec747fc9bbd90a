//! Each provider's own words.

use gyeol::embed::{Embedder, ModelOptions, Remote, RemoteOptions, Role, embed_many, open};
use gyeol::error::EmbedError;
use gyeol::http::Key;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::server::{Server, answer, ok, unit_of, vector_of};

fn key() -> Option<Key> {
    Some(Key::new("k-test").unwrap())
}

/// Asks a model at `below` of a server.
fn ask(server: &Server, name: &str, below: &str, role: Role, dimensions: Option<usize>) -> gyeol::embed::Embeddings {
    let base_url = Some(format!("{}{below}", server.url));
    let model =
        Remote::new(name, RemoteOptions { base_url, key: key(), dimensions, ..RemoteOptions::default() }).unwrap();
    model.embed(&["하나", "둘"], role).unwrap().whole().unwrap()
}

fn checked(got: &gyeol::embed::Embeddings) {
    assert_eq!((got.get(0).unwrap(), got.get(1).unwrap()), (&unit_of("하나")[..], &unit_of("둘")[..]));
}

fn header(server: &Server, name: &str) -> Option<String> {
    server.seen()[0].headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
}

#[test]
fn gemini() {
    let server = Server::at("/v1beta/models/gemini-embedding-001:batchEmbedContents", |_, texts, body| {
        let first = &body["requests"][0];
        assert_eq!(
            (&first["model"], &first["taskType"]),
            (&json!("models/gemini-embedding-001"), &json!("RETRIEVAL_QUERY"))
        );
        assert_eq!(first["outputDimensionality"], 4);
        ok(json!({"embeddings": texts.iter().map(|t| json!({"values": vector_of(t)})).collect::<Vec<_>>()}))
    });
    let got = ask(&server, "gemini::gemini-embedding-001", "/v1beta/", Role::Query, Some(4));
    checked(&got);
    assert!(got.usage.estimated_tokens > 0);
    assert_eq!(header(&server, "x-goog-api-key").as_deref(), Some("k-test"));
    assert_eq!(header(&server, "authorization"), None);
}

#[test]
fn cohere() {
    for (role, kind) in [(Role::Document, "search_document"), (Role::Query, "search_query")] {
        let server = Server::at("/v2/embed", move |_, texts, body| {
            assert_eq!(
                (&body["input_type"], &body["output_dimension"], &body["truncate"]),
                (&json!(kind), &json!(4), &json!("NONE"))
            );
            let rows: Vec<Vec<f32>> = texts.iter().map(|t| vector_of(t)).collect();
            ok(json!({"id": "x", "embeddings": {"float": rows}, "meta": {"billed_units": {"input_tokens": 5.0}}}))
        });
        let got = ask(&server, "cohere::embed-v4.0", "", role, Some(4));
        checked(&got);
        assert_eq!(got.usage.tokens, 5);
        assert_eq!(header(&server, "authorization").as_deref(), Some("Bearer k-test"));
    }
}

#[test]
fn ollama() {
    let server = Server::at("/api/embed", |_, texts, body| {
        assert_eq!((&body["model"], &body["truncate"]), (&json!("bge-m3"), &json!(false)));
        let rows: Vec<Vec<f32>> = texts.iter().map(|t| vector_of(t)).collect();
        ok(json!({"embeddings": rows, "prompt_eval_count": 9}))
    });
    let base_url = Some(server.url.clone());
    let model = Remote::new("ollama::bge-m3", RemoteOptions { base_url, ..RemoteOptions::default() }).unwrap();
    let got = model.embed(&["하나", "둘"], Role::Document).unwrap().whole().unwrap();
    checked(&got);
    assert_eq!(got.usage.tokens, 9);
    let few = Server::at("/api/embed", |_, _, _| ok(json!({"embeddings": [[1, 2, 3, 4]]})));
    let model =
        Remote::new("ollama::bge-m3", RemoteOptions { base_url: Some(few.url.clone()), ..RemoteOptions::default() })
            .unwrap();
    let failure = model.embed(&["하나", "둘"], Role::Document).unwrap().failure.unwrap();
    assert!(matches!(failure, EmbedError::Count { found: 1, expected: 2, .. }), "{failure:?}");
}

#[test]
fn voyage() {
    let server = Server::new(|_, texts, body| {
        assert_eq!((&body["input_type"], &body["output_dimension"]), (&json!("query"), &json!(4)));
        assert_eq!(body.get("dimensions"), None);
        ok(answer(texts))
    });
    checked(&ask(&server, "voyage::voyage-3.5", "/v1", Role::Query, Some(4)));
}

#[test]
fn upstage_has_a_model_for_each_role() {
    for (role, model) in [(Role::Document, "embedding-passage"), (Role::Query, "embedding-query")] {
        for name in ["upstage::embedding", "upstage::embedding-query", "upstage::embedding-passage"] {
            let server = Server::new(move |_, texts, body| {
                assert_eq!(body["model"], model);
                ok(answer(texts))
            });
            checked(&ask(&server, name, "/v1", role, None));
        }
    }
}

#[test]
fn prefixes_stand_before_texts_by_their_role() {
    let server = Server::good();
    let model = server.model(|o| (o.query_prefix, o.document_prefix) = ("query: ".into(), "passage: ".into()));
    model.embed(&["a", " "], Role::Query).unwrap().whole().unwrap();
    model.embed(&["a"], Role::Document).unwrap().whole().unwrap();
    assert_eq!(server.texts(), ["query: a", "passage: a"]);
}

#[test]
fn a_slash_reaches_the_same_path() {
    let server = Server::good();
    for below in ["/v1", "/v1/"] {
        checked(&ask(&server, "openai-compatible::m", below, Role::Document, None));
    }
    assert_eq!(server.requests(), 2);
}

#[test]
fn names_that_are_not_known_are_errors() {
    let options = ModelOptions::default();
    let refused = |name: &str| open(name, &options).map(|_| ()).unwrap_err();
    for name in ["", "gpt-4o", "opena::x", "openai::", "openai-compatible", "ollama::"] {
        assert!(matches!(refused(name), EmbedError::UnknownModel { .. }), "{name}");
    }
    assert!(refused("opena::x").to_string().contains("openai-compatible"));
    let chat = refused("anthropic::claude-opus");
    assert!(matches!(&chat, EmbedError::ChatOnly { provider: "anthropic", .. }), "{chat}");
    let no_url = refused("openai-compatible::m");
    assert!(matches!(&no_url, EmbedError::Setting { .. }) && no_url.to_string().contains("--base-url"), "{no_url}");
    let plain = ModelOptions {
        remote: RemoteOptions { base_url: Some("http://example.org/v1".into()), ..Default::default() },
        ..Default::default()
    };
    let error = open("openai-compatible::m", &plain).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("in the clear"), "{error}");
}

#[test]
fn an_embedder_learns_its_dimension_once() {
    let server = Server::good();
    let model = server.model(|_| ()).connect().unwrap();
    assert_eq!(model.identity().dim, 4);
    assert_eq!(server.requests(), 1);
    let got = embed_many(&model, &["", "a"], Role::Document).unwrap();
    assert_eq!((got.vectors.dim(), got.missing()), (4, 1));
    assert_eq!(embed_many(&model, &[" "], Role::Query).unwrap().vectors.dim(), 4);
    // As it is remembered, nothing needs to be asked.
    let again =
        Remote::new("openai-compatible::m", server.options(|_| ()).like(model.identity())).unwrap().connect().unwrap();
    assert_eq!((again.identity(), server.requests()), (model.identity(), 2));
    let cut = server.model(|o| o.truncate = Some(2)).connect().unwrap();
    assert_eq!((cut.identity().dim, cut.identity().hash.as_str()), (2, "truncate=2"));
    let again =
        Remote::new("openai-compatible::m", server.options(|_| ()).like(cut.identity())).unwrap().connect().unwrap();
    assert_eq!(again.identity(), cut.identity());
}

#[test]
fn a_body_that_is_no_json_is_told() {
    let server = Server::new(|_, _, _| ResponseTemplate::new(200).set_body_string("<html>login</html>"));
    let failure = server.model(|_| ()).embed(&["a"], Role::Document).unwrap().failure.unwrap();
    assert!(failure.to_string().contains("cannot be read"), "{failure}");
    let server = Server::new(|_, _, _| ok(Value::Null));
    assert!(server.model(|_| ()).embed(&["a"], Role::Document).unwrap().failure.is_some());
}
