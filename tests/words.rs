//! What a search by words promises: inflected forms, spellings, scripts, single syllables, absent words.

mod small;

use gyeol::Collection;
use gyeol::collection::{Mode, NewDocument};

/// Forms of one word each. A query of any of them finds all of them before every form of another word.
const FORMS: &[&[&str]] = &[
    // Nouns and particles.
    &["학교", "학교에", "학교를", "학교에서는", "학교까지"],
    &["사람", "사람들이", "사람은", "사람에게"],
    &["도서관", "도서관에서", "도서관의"],
    &["정부", "정부는", "정부와"],
    &["물", "물을", "물이", "물에서"],
    &["강", "강에서", "강으로", "강의"],
    &["책", "책으로", "책을"],
    // Regular verbs and contractions.
    &["먹다", "먹었다", "먹는", "먹고"],
    &["읽다", "읽은", "읽으며"],
    &["가르치다", "가르쳤다", "가르친", "가르치는", "가르쳐"],
    &["마시다", "마셨다", "마신", "마셔"],
    &["기다리다", "기다렸다", "기다리는"],
    &["배우다", "배워", "배웠다", "배우는", "배운"],
    &["바꾸다", "바꿔", "바꿨다", "바꾼"],
    &["보다", "봤다", "본다"],
    &["움직이다", "움직였다", "움직이는"],
    // ㄹ that falls out.
    &["이끌었다", "이끄는", "이끌고", "이끈", "이끌다"],
    &["만들다", "만드는", "만든", "만들었다"],
    // ㅂ, ㄷ and ㅅ that change.
    &["돕다", "도와", "도왔다"],
    &["아름답다", "아름다운", "아름다워"],
    &["어렵다", "어려운", "어려웠다"],
    &["무겁다", "무거운", "무거웠다"],
    &["걷다", "걸어", "걸었다"],
    &["짓다", "지어", "지은", "지었다"],
    // 르 and 으.
    &["부르다", "불러", "불렀다", "부르는"],
    &["흐르다", "흘러", "흘렀다", "흐르는"],
    &["빠르다", "빨라", "빨랐다", "빠른"],
    &["크다", "컸다"],
    // English.
    &["university", "universities"],
    &["lead", "leads", "leading"],
];

/// What a dictionary would be needed for: stems too short or too common to be told, and forms that share nothing.
const NOT_PROMISED: &[(&str, &str)] =
    &[("하다", "했다"), ("살다", "산"), ("주다", "드리다"), ("lead", "led"), ("go", "went")];

fn collection(dir: &tempfile::TempDir, texts: &[&str]) -> Collection {
    let mut collection = Collection::open_or_create(dir.path().join("c"), small::Small::new()).unwrap();
    let document =
        |text: &&str| NewDocument { key: (*text).to_owned(), text: (*text).to_owned(), ..Default::default() };
    collection.upsert(&texts.iter().map(document).collect::<Vec<_>>()).unwrap();
    collection.commit().unwrap();
    collection
}

fn found(collection: &Collection, query: &str) -> Vec<String> {
    let found = collection.search(query).mode(Mode::Lexical).k(1_000).run().unwrap();
    assert!(found.hits.is_sorted_by(|a, b| a.score >= b.score) && found.hits.iter().all(|hit| hit.score > 0.0));
    found.hits.into_iter().map(|hit| hit.key).collect()
}

fn all_found(texts: &[&str], query: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    found(&collection(&dir, texts), query)
}

#[test]
fn every_form_finds_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let collection = collection(&dir, &FORMS.concat());
    let mut faults = Vec::new();
    for forms in FORMS {
        for form in *forms {
            let found = found(&collection, form);
            let first = &found[..forms.len().min(found.len())];
            let missing: Vec<_> = forms.iter().filter(|f| !first.iter().any(|key| key == *f)).collect();
            if !missing.is_empty() {
                faults.push(format!("{form}: {missing:?} not among the first {first:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_is_not_promised_is_known() {
    for (one, other) in NOT_PROMISED {
        assert!(all_found(&[other], one).is_empty() && all_found(&[one], other).is_empty(), "{one}, {other}");
    }
}

#[test]
fn one_syllable_finds_words_before_what_has_it_within() {
    let dir = tempfile::tempdir().unwrap();
    let texts =
        ["물을 마신다", "물", "건물 앞에서", "식물학자", "불이 났다", "water", "한강 북쪽", "水", "水道", "下水道の"];
    let collection = collection(&dir, &texts);
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    let found = |query: &str| found(&collection, query);
    assert_eq!(sorted(found("물")[..2].to_vec()), ["물", "물을 마신다"]);
    assert_eq!(sorted(found("물")[2..].to_vec()), ["건물 앞에서", "식물학자"]);
    assert_eq!(found("강"), ["한강 북쪽"]);
    assert_eq!(found("水")[0], "水");
    assert_eq!(sorted(found("水")[1..].to_vec()), ["下水道の", "水道"]);
    assert_eq!(found("달"), [""; 0]);
    assert_eq!(found("물 불").len(), 5);
    // Among other words a syllable counts as a word.
    assert_eq!(found("물 마신다")[0], "물을 마신다");
    assert!(!found("물 마신다").contains(&"건물 앞에서".to_owned()));
}

#[test]
fn an_absent_word_lowers_nothing_but_its_own_share() {
    let texts = ["고양이가 잔다", "강아지가 뛴다", "the cat sleeps"];
    assert_eq!(all_found(&texts, "고양이 뷁뷁뷁"), ["고양이가 잔다"]);
    assert_eq!(all_found(&texts, "cat zyzzyva"), ["the cat sleeps"]);
    assert_eq!(all_found(&texts, "zyzzyva 뷁뷁"), [""; 0]);
    assert_eq!(all_found(&texts, "!?"), [""; 0]);
    // Words that every text has still find, when there is nothing else.
    assert_eq!(all_found(&texts, "the"), ["the cat sleeps"]);
}

#[test]
fn spellings_and_scripts_meet() {
    // As macOS writes names: each syllable in its letters.
    let decomposed =
        "\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF} \u{1106}\u{116E}\u{11AF}\u{110B}\u{1173}\u{11AF}";
    let texts = [
        decomposed,
        "ＡＢＣ 모델",
        "GPT4는 말한다",
        "C++ 안내서",
        "C 안내서",
        "iPhone15 pro",
        "in the U.S. senate",
        "모두 12,500원",
        "大韓民國",
        "東京タワーへ行く",
        "我们学习机器学习",
        "un café noir",
    ];
    let dir = tempfile::tempdir().unwrap();
    let collection = collection(&dir, &texts);
    for (query, text) in [
        ("한글", decomposed),
        ("물", decomposed),
        ("abc", "ＡＢＣ 모델"),
        ("ａｂｃ", "ＡＢＣ 모델"),
        ("gpt4", "GPT4는 말한다"),
        ("GPT-4", "GPT4는 말한다"),
        ("c++", "C++ 안내서"),
        ("iphone 15", "iPhone15 pro"),
        ("U.S.", "in the U.S. senate"),
        ("12500", "모두 12,500원"),
        ("民國", "大韓民國"),
        ("東京", "東京タワーへ行く"),
        ("タワー", "東京タワーへ行く"),
        ("机器学习", "我们学习机器学习"),
        ("cafe\u{301}", "un café noir"),
    ] {
        assert_eq!(found(&collection, query).first().map(String::as_str), Some(text), "{query}");
    }
}
