//! Nine Korean sentences, three each on programming, food and sport, fall into three groups, and are drawn.
//!
//!     cargo run --release --example cluster_texts [FOLDER]
//!
//! With a folder the drawing is written there: texts.svg, texts.png and texts.html.

use gyeol::cluster::{KMeans, cluster_words, pca_layout};
use gyeol::embed::{Role, builtin, embed_many};
use gyeol::picture::{Map, MapCluster, MapPoint};
use gyeol::text::topic_words;

const TEXTS: [&str; 9] = [
    "파이썬은 읽기 쉬운 프로그래밍 언어다.",
    "러스트 컴파일러는 메모리 오류를 코드에서 미리 찾아 준다.",
    "자바스크립트 코드는 웹 브라우저에서 실행되는 프로그램이다.",
    "김치찌개는 김치와 돼지고기로 만드는 매운 음식이다.",
    "비빔밥은 나물과 고추장으로 비비는 음식이다.",
    "된장국은 된장과 두부, 채소로 끓이는 음식이다.",
    "축구 선수가 후반전에 골을 넣어 경기에서 이겼다.",
    "농구 경기에서 우리 팀 선수가 슛으로 점수를 얻었다.",
    "야구 경기에서 선수가 홈런을 쳤다.",
];

fn main() -> gyeol::Result<()> {
    let model = builtin();
    let vectors = embed_many(&model, &TEXTS, Role::Document)?.vectors;
    let fit = KMeans::new(3).seed(42).spherical(true).fit(vectors.view())?;

    let words = topic_words(TEXTS);
    let documents = fit.labels.iter().zip(&words.of_text);
    let documents =
        documents.map(|(&label, of_text)| (label, of_text.iter().map(|&w| words.words[w as usize].as_str())));
    let names: Vec<String> = cluster_words(documents, 3, 3)
        .iter()
        .map(|words| words.iter().map(|w| w.word.as_str()).collect::<Vec<_>>().join(", "))
        .collect();
    for (cluster, name) in (0..).zip(&names) {
        println!("{cluster}  {name}");
        let members = TEXTS.iter().zip(&fit.labels).filter(|(_, label)| **label == cluster);
        members.for_each(|(text, _)| println!("   {text}"));
    }
    // The three of a kind are together, and no two kinds are.
    for kind in fit.labels.chunks(3) {
        assert!(kind.iter().all(|label| label == &kind[0]), "{:?}", fit.labels);
    }

    let places = pca_layout(vectors.view())?;
    let point = |(i, place): (usize, &[f32; 2])| MapPoint {
        x: place[0],
        y: place[1],
        cluster: fit.labels[i],
        title: TEXTS[i].to_owned(),
        ..MapPoint::default()
    };
    let map = Map {
        title: "아홉 문장".to_owned(),
        points: places.iter().enumerate().map(point).collect(),
        clusters: (0..).zip(names).map(|(id, label)| MapCluster { id, label }).collect(),
        ..Map::default()
    };
    if let Some(folder) = std::env::args().nth(1).map(std::path::PathBuf::from) {
        let io = |source| gyeol::error::VectorsError::Io { path: folder.clone(), source };
        std::fs::write(folder.join("texts.svg"), map.svg()?).map_err(io)?;
        std::fs::write(folder.join("texts.png"), map.png(1200, 800)?).map_err(io)?;
        std::fs::write(folder.join("texts.html"), map.html()?).map_err(io)?;
    }
    println!("drawn: {} bytes of SVG", map.svg()?.len());
    Ok(())
}
