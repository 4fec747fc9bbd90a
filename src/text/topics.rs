//! Words of texts that can stand as labels: no particles, no endings, no stop words.
//!
//! A Korean word comes with particles, and what is a particle in one (은행이: 은행) is part of another
//! (고양이). No dictionary tells, but the texts do: of the ways to cut a word the one is taken whose stem is met with
//! most different particles, or alone. 고양이가, 고양이는 and 고양이 speak for 고양이, and only one for 고양.

use std::collections::{HashMap, HashSet};

use rust_stemmers::{Algorithm, Stemmer};

use super::korean;
use super::lexical::{Run, word_runs};

/// Longer words are no labels.
const LONGEST: usize = 24;

/// English words that label nothing.
const ENGLISH: &str = "a about above after again against ago all also although always am among an and another any are \
around as at away back be became because become been before began being below between both but by came can cannot come \
could did do does doing done down during each either else enough even ever every few find first for from further gave \
get give given go goes going gone good got had has have having he her here hers herself him himself his how however if \
in into is it its itself just keep kept know known last later least less let like likely little long made make makes \
making many may me might mine more most much must my myself near need never new next no nor not nothing now of off often \
old on once one only onto or other others our ours out over own part per perhaps put quite rather really said same saw \
say says second see seen several shall she should show shown since so some something soon still such take taken than \
that the their theirs them then there these they thing things third this those though three through thus till to today \
together told too took toward two under until up upon us use used uses using usually very via want was way we well went \
were what when where whether which while who whole whom whose why will with within without would yes yet you your yours";

/// Korean words that label nothing, without particles.
const KOREAN: &str = "가장 각각 각종 간의 갑자기 같은 같이 거기 거의 것들 결국 경우 계속 관련 관하여 관해 그것 그녀 그대로 그동안 그들 그때 그래서 그러나 \
그러므로 그런 그런데 그럼 그렇게 그리고 그밖 그중 기타 까지 나머지 나중 너무 너희 누구 다른 다만 다시 다음 다음과 단지 당시 당신 대부분 대신 대하여 대한 \
대해 더욱 덕분 동시 동안 되어 되는 된다 두고 둘째 듯이 따라 따라서 따른 때문 또는 또한 로서 로써 마다 마치 만약 만일 많은 많이 매우 모두 모든 무슨 무엇 \
물론 및 바로 반면 밖에 받은 받아 버린 번째 보다 본래 부터 불구 비롯 비롯한 비록 사이 사실 상당 새로운 생각 서로 수도 스스로 시작 아니 아니라 아닌 아마 \
아무 아주 아직 앞서 약간 양쪽 어느 어디 어떤 어떻게 언제 얼마 여기 여러 여러분 여전히 역시 오늘 오직 오히려 와서 외에 우리 우선 원래 위의 위하여 위한 위해 \
으로 의하여 의한 의해 이것 이는 이들 이때 이라고 이라는 이런 이렇게 이로 이미 이번 이상 이어 이용 이외 이유 이제 이중 이하 이후 일부 일반 있는 있다 \
있어 있으며 있을 자기 자신 자체 잘못 저것 저기 저희 전혀 전부 정도 제대로 조금 존재 주로 중에 중에서 즉시 지금 지난 지만 직접 진짜 처럼 처음 첫째 최근 \
최초 통하여 통한 통해 특히 하게 하고 하나 하는 하며 하면 하지만 한다 한번 한편 함께 해당 해서 향해 현재 혹은 후에 훨씬 했다 하였다 되었다 있었다 없다 \
없는 없이 것이다 이다 아니다 같다 된다 않는 않은 않고 않았다 못한 못했다 라고 라는 년대 가지 그것이 이것이 이는 정말 그냥 진행 매일 요즘 어제 내일";

/// Ends of verbs and adjectives. A word that is only met as it is, with one of these, is no noun.
const VERBAL: [&str; 33] = [
    "다", "요", "까", "죠", "며", "면", "는", "고", "서", "게", "던", "할", "될", "한", "된", "해", "와", "려", "워",
    "러", "려고", "운", "긴", "진", "킨", "든", "은", "을", "지", "네", "니", "히", "로",
];
/// Particles that no verb has.
const NOMINAL: [&str; 24] = [
    "을",
    "를",
    "의",
    "에서",
    "에게",
    "으로",
    "로",
    "와",
    "과",
    "까지",
    "부터",
    "에",
    "가",
    "도",
    "에는",
    "에도",
    "들",
    "들이",
    "들은",
    "들을",
    "에서는",
    "만",
    "처럼",
    "이다",
];
/// Last syllables of verbs' stems, which 는, 은 and others follow too.
const VERBAL_STEMS: [char; 22] = [
    '하', '되', '있', '없', '같', '않', '지', '키', '리', '치', '르', '우', '어', '아', '해', '오', '내', '주', '보',
    '나', '만', '추',
];

/// Words of some texts, each text's in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TopicWords {
    /// Every word once.
    pub words: Vec<String>,
    /// For each text the places of its words.
    pub of_text: Vec<Vec<u32>>,
}

/// The words of texts that can label them; English ones by their most frequent form, Korean ones without
/// particles. What is cut off a word depends on all texts given.
///
/// ```
/// let words = gyeol::text::topic_words(["고양이가 은행에서 잤다", "고양이는 은행을 안다"]);
/// assert_eq!(words.words, ["고양이", "은행"]);
/// ```
pub fn topic_words<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> TopicWords {
    let mut seen = Seen::default();
    let texts: Vec<Vec<u32>> = texts.into_iter().map(|text| seen.read(text.as_ref())).collect();
    let word_of = seen.words();
    let mut out = TopicWords::default();
    let mut place: HashMap<&str, u32> = HashMap::new();
    for surfaces in &texts {
        let mut words = Vec::with_capacity(surfaces.len());
        for word in surfaces.iter().filter_map(|&surface| word_of[surface as usize].as_deref()) {
            let next = out.words.len() as u32;
            words.push(*place.entry(word).or_insert_with(|| {
                out.words.push(word.to_owned());
                next
            }));
        }
        out.of_text.push(words);
    }
    out
}

/// Words as they stand in the texts.
#[derive(Default)]
struct Seen {
    place: HashMap<String, u32>,
    surfaces: Vec<(String, bool, u32)>,
}

impl Seen {
    /// Notes the words of a text.
    fn read(&mut self, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        word_runs(text, |run| {
            let (word, hangul) = match run {
                Run::Hangul(word) => (word.to_owned(), true),
                Run::Letters(word) if word.chars().any(char::is_alphabetic) => (word.to_lowercase(), false),
                Run::Han(word) => (word.to_owned(), false),
                Run::Letters(_) => return,
            };
            let length = word.chars().count();
            if !(2..=LONGEST).contains(&length) {
                return;
            }
            let next = self.surfaces.len() as u32;
            let place = *self.place.entry(word.clone()).or_insert(next);
            if place == next {
                self.surfaces.push((word, hangul, 0));
            }
            self.surfaces[place as usize].2 += 1;
            out.push(place);
        });
        out
    }

    /// The label that each of them gives, if any.
    fn words(&self) -> Vec<Option<String>> {
        let english: HashSet<&str> = ENGLISH.split_whitespace().collect();
        let korean: HashSet<&str> = KOREAN.split_whitespace().collect();
        let contexts = self.contexts();
        let forms = self.english_forms();
        let stemmer = Stemmer::create(Algorithm::English);
        let word = |(word, hangul, _): &(String, bool, u32)| {
            if *hangul {
                let stem = noun(word, &contexts)?;
                return (!korean.contains(stem) && !korean.contains(word.as_str())).then(|| stem.to_owned());
            }
            if !word.is_ascii() || word.bytes().any(|b| b.is_ascii_digit()) {
                return Some(word.clone());
            }
            let form = &forms.get(stemmer.stem(word).as_ref())?.0;
            (!english.contains(word.as_str()) && !english.contains(form.as_str())).then(|| form.clone())
        };
        self.surfaces.iter().map(word).collect()
    }

    /// For each stem what it was met with: particles, or nothing.
    fn contexts(&self) -> HashMap<&str, Vec<&str>> {
        let mut contexts: HashMap<&str, Vec<&str>> = HashMap::new();
        for (word, ..) in self.surfaces.iter().filter(|s| s.1) {
            for stem in stems(word) {
                contexts.entry(stem).or_default().push(&word[stem.len()..]);
            }
        }
        contexts
    }

    /// For each English stem its most frequent form, the first by the alphabet of equally frequent ones.
    fn english_forms(&self) -> HashMap<String, (String, u32)> {
        let stemmer = Stemmer::create(Algorithm::English);
        let mut forms: HashMap<String, (String, u32)> = HashMap::new();
        for (word, _, count) in self.surfaces.iter().filter(|s| !s.1 && s.0.is_ascii()) {
            let form = forms.entry(stemmer.stem(word).into_owned()).or_insert_with(|| (word.clone(), *count));
            if (*count, std::cmp::Reverse(word)) > (form.1, std::cmp::Reverse(&form.0)) {
                *form = (word.clone(), *count);
            }
        }
        forms
    }
}

/// The ways to cut a word: as it is, and before each particle that it may end with.
fn stems(word: &str) -> impl Iterator<Item = &str> {
    let cut = word.char_indices().skip(2).map(|(at, _)| at).filter(|&at| korean::is_particle(&word[at..]));
    std::iter::once(word).chain(cut.map(|at| &word[..at]))
}

/// The noun of a word, by what its stems are met with; none when it looks like a verb.
fn noun<'a>(word: &'a str, contexts: &HashMap<&str, Vec<&str>>) -> Option<&'a str> {
    let met = |stem: &str| contexts.get(stem).map_or(0, Vec::len);
    // Of stems met alike the one before what can only be a particle, else the longest.
    let stem = stems(word).max_by_key(|stem| (met(stem), agrees(stem, &word[stem.len()..]), stem.len()))?;
    let with = contexts.get(stem)?;
    if with.iter().any(|particle| NOMINAL.contains(particle)) {
        return Some(stem);
    }
    if with[..] == [""] {
        return (!VERBAL.iter().any(|end| stem.ends_with(end))).then_some(stem);
    }
    (!stem.ends_with(VERBAL_STEMS)).then_some(stem)
}

/// Whether what follows a stem is a particle that is rarely part of a word, in the form that goes with the stem's
/// last syllable: 을, 은 and 과 after a consonant, 를, 는, 와 and 가 after a vowel.
fn agrees(stem: &str, particle: &str) -> bool {
    let ends_in_consonant = stem.chars().next_back().is_some_and(|c| (u32::from(c).wrapping_sub(0xAC00)) % 28 != 0);
    match particle {
        "을" | "은" | "과" => ends_in_consonant,
        "를" | "는" | "와" | "가" => !ends_in_consonant,
        _ => particle.chars().count() > 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<String> {
        topic_words(texts).words
    }

    #[test]
    fn korean_words_lose_their_particles_and_no_more() {
        let texts = [
            "고양이가 마당에서 잔다",
            "고양이는 물고기를 좋아한다",
            "마당의 나무와 고양이",
            "나무가 자란다",
            "물고기의 나무",
        ];
        assert_eq!(words(&texts), ["고양이", "마당", "물고기", "나무"]);
        assert_eq!(words(&["학교에서 배웠다", "학교까지 걸었다", "학교는 멀다"]), ["학교"]);
        // A word that is met once is cut where only a particle can stand.
        assert_eq!(words(&["선수가 나물과 코드에서 고양이 학교를"]), ["선수", "나물", "코드", "고양이", "학교"]);
        // Verbs, stop words and single syllables are no labels.
        assert!(words(&["그리고 우리는 이것을 했다", "하지만 있는 것은 그렇게 만들었다"]).is_empty());
    }

    #[test]
    fn english_words_are_one_word_in_all_forms() {
        let texts = ["The boats and a boat are sailing", "Boats sailed with 3 boats in 1999", "B2B boats"];
        assert_eq!(words(&texts), ["boats", "sailed", "b2b"]);
        let of_text = topic_words(texts).of_text;
        assert_eq!(of_text, [vec![0, 0, 1], vec![0, 1, 0], vec![2, 0]]);
    }

    #[test]
    fn mixed_and_odd_texts_are_read() {
        assert_eq!(words(&["Rust로 만든 검색을 썼다", "검색은 rust 1990년에"]), ["rust", "검색"]);
        assert!(words(&["", "  \n", "!!!", "12 34", "ㅋㅋ"]).len() <= 1);
        let long = "가".repeat(200);
        assert!(words(&[&long]).is_empty());
    }
}
