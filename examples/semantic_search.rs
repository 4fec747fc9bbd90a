//! Five sentences in Korean, and a question that shares few words with its answer.
//!
//!     cargo run --release --example semantic_search

use gyeol::collection::{Collection, NewDocument};
use gyeol::embed::builtin;

const SENTENCES: [(&str, &str); 5] = [
    ("python", "파이썬은 읽기 쉬운 문법을 가진 프로그래밍 언어다."),
    ("machine-learning", "기계 학습은 데이터에서 규칙을 찾아 예측하는 방법이다."),
    ("web", "웹 브라우저는 서버에서 받은 문서를 화면에 그린다."),
    ("database", "데이터베이스는 많은 자료를 저장하고 빠르게 찾아 준다."),
    ("api", "API는 프로그램끼리 서로 요청하고 응답하는 약속이다."),
];

fn main() -> gyeol::Result<()> {
    let folder = std::env::temp_dir().join(format!("gyeol-example-{}", std::process::id()));
    let mut sentences = Collection::open_or_create(&folder, builtin())?;
    let document = |(key, text): (&str, &str)| NewDocument { key: key.into(), text: text.into(), ..Default::default() };
    sentences.upsert(&SENTENCES.map(document))?;
    sentences.commit()?;

    let found = sentences.search("프로그래밍 언어 문법").k(5).run()?;
    for hit in &found.hits {
        println!("{:.3} {:<16} {}", hit.score, hit.key, hit.text);
    }
    assert_eq!(found.hits[0].key, "python", "the sentence on a programming language comes first");
    drop(sentences);
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}
