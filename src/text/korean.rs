//! Stems of Korean words, by rules and without a dictionary.
//!
//! A word is what stands between spaces: a noun with particles, or a verb with endings. Both hang on
//! at the end, so the end is compared with lists. A verb's stem also changes before its endings, and
//! its forms are led back to one spelling: a final consonant that some endings swallow is left out
//! (이끌었다, 이끄는, 이끈: 이끄; 돕다, 도와: 도), a contraction is undone (가르쳤다: 가르치), and 르
//! comes back (불러: 부르). That spelling need not be the right stem, it must only be the same one.

/// Longer runs are no words.
const LONGEST: usize = 12;

/// Particles and forms of 이다, by their number of syllables, as the lists that follow.
const PARTICLES: &[&[&str]] = &[
    &["은", "는", "이", "가", "을", "를", "에", "의", "와", "과", "도", "로", "만", "나", "랑", "야", "께", "들", "인"],
    &[
        "에서", "에게", "에는", "에도", "에의", "에만", "에선", "으로", "로서", "로써", "로는", "로도", "로의", "까지",
        "부터", "처럼", "보다", "이나", "이란", "이라", "이랑", "이며", "이다", "이고", "인가", "이었", "라는", "라고",
        "만을", "만이", "만의", "들이", "들을", "들은", "들의", "들과", "들도", "들에", "께서", "하고", "마다", "조차",
        "밖에", "대로", "과는", "와는", "과의", "와의", "였다",
    ],
    &[
        "에서는",
        "에서도",
        "에서의",
        "에게는",
        "에게서",
        "으로서",
        "으로써",
        "으로는",
        "으로도",
        "으로의",
        "까지는",
        "까지의",
        "부터는",
        "이라는",
        "이라고",
        "들에게",
        "들에서",
        "들이다",
        "이었다",
        "이지만",
        "이면서",
        "입니다",
        "였으며",
    ],
    &["이었으며"],
];

/// Endings after a verb's stem or its past, except those of [`AFTER_VOWEL`] and [`AFTER_EU`].
const ENDINGS: &[&[&str]] = &[
    &["다", "고", "지", "게", "는", "면", "며", "니", "나", "자", "던", "네", "기", "러"],
    &[
        "느라", "거나", "거든", "려고", "면서", "면은", "지만", "는데", "는지", "는가", "는다", "도록", "던데", "다가",
        "다고", "다는", "다면", "니까", "니다", "세요", "시다", "므로", "기도", "기는", "기를", "기에", "기로", "지는",
        "지도", "지를", "고자", "고서", "게도", "더니", "더라", "라고", "려는", "어요", "아요",
    ],
    &["자마자", "습니다", "습니까"],
];
/// Endings that follow 어 or 아, alone or in a contraction.
const AFTER_VOWEL: &[&[&str]] = &[&["서", "도", "야", "요", "선"], &["서는", "서도"]];
/// Endings with 으 or its like, which follow a consonant other than ㄴ, ㄹ and ㅁ, where they are a noun's particle.
const AFTER_EU: &[&[&str]] =
    &[&["은", "을", "음"], &["으며", "으면", "으니", "으나", "은데", "을까", "으로"], &["으므로", "으면서"]];

// Vowels and final consonants by their numbers in a syllable (Unicode, chapter 3.12).
const EO: u32 = 4;
const YEO: u32 = 6;
const WA: u32 = 9;
const WAE: u32 = 10;
const OE: u32 = 11;
const WO: u32 = 14;
const U: u32 = 13;
const EU: u32 = 18;
const O: u32 = 8;
const I: u32 = 20;
const FINAL_N: u32 = 4;
const FINAL_L: u32 = 8;
const FINAL_M: u32 = 16;
const FINAL_SS: u32 = 20;
/// ㄷ, ㄹ, ㅂ, ㅅ and ㅎ: what some endings swallow or change.
const UNSTEADY: [u32; 5] = [7, 8, 17, 19, 27];

/// What a word is made of, as far as its end tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// Bytes of the word before its particle, from one syllable on.
    pub noun: usize,
    /// Bytes of the word before its particle or ending, whichever leaves less.
    pub stem: usize,
    /// What the stem of a verb would be: none, one, or two where the form does not tell.
    pub verbs: Vec<String>,
}

/// Takes a run of Hangul syllables apart.
pub(super) fn parts(word: &str) -> Parts {
    let whole = Parts { noun: word.len(), stem: word.len(), verbs: Vec::new() };
    if word.len() <= SYLLABLE || word.len() > LONGEST * SYLLABLE || !word.chars().all(is_syllable) {
        return whole;
    }
    let noun = without(word, PARTICLES).map_or(word.len(), str::len);
    let mut verbs = Vec::new();
    let before = verb(word, &mut verbs);
    verbs.retain(|stem| !stem.is_empty());
    verbs.dedup();
    Parts { noun, stem: noun.min(before), verbs }
}

/// Whether a run of Hangul is a particle and nothing else, as after a word in Latin letters.
pub(super) fn is_particle(run: &str) -> bool {
    PARTICLES.iter().any(|particles| particles.contains(&run))
}

/// Bytes of a syllable in UTF-8.
const SYLLABLE: usize = 3;

fn is_syllable(c: char) -> bool {
    matches!(c, '가'..='힣')
}

/// The word before the longest of some ends, if it has one and there is anything before it.
fn without<'a>(word: &'a str, ends: &[&[&str]]) -> Option<&'a str> {
    let mut longest_first = ends.iter().enumerate().rev();
    longest_first.find_map(|(shorter, ends)| {
        let at = word.len().checked_sub((shorter + 1) * SYLLABLE).filter(|&at| at > 0)?;
        ends.contains(&&word[at..]).then(|| &word[..at])
    })
}

/// Finds the stems of a verb's form. Returns how many bytes of it come before the ending.
fn verb(word: &str, stems: &mut Vec<String>) -> usize {
    let plain = without(word, ENDINGS).filter(|rest| !(word.ends_with('러') && is_l_before_reo(rest)));
    let vowel = without(word, AFTER_VOWEL);
    let eu = without(word, AFTER_EU);
    let Some(rest) = [plain, vowel, eu].into_iter().flatten().min_by_key(|rest| rest.len()) else {
        return bare(word, stems);
    };
    let (head, last) = split_last(rest);
    let (.., coda) = jamo(last);
    if coda == FINAL_SS && !matches!(last, '있' | '겠') {
        open(&joined(head, with_coda(last, 0)), stems);
        return if matches!(last, '었' | '았' | '였') && !head.is_empty() { head.len() } else { rest.len() };
    }
    // 이끈다, 본다: ㄴ is of the ending.
    if coda == FINAL_N && word[rest.len()..].starts_with('다') {
        stems.push(joined(head, with_coda(last, 0)));
        return rest.len();
    }
    if matches!(last, '겠' | '시') && !head.is_empty() {
        stems.push(steady(head));
        return head.len();
    }
    if Some(rest) == eu && matches!(coda, FINAL_N | FINAL_L | FINAL_M) {
        return word.len();
    }
    if last == '우' && !head.is_empty() {
        stems.extend([rest.to_owned(), steady(head)]);
    } else if Some(rest) == vowel {
        open(rest, stems);
    } else {
        stems.push(steady(rest));
    }
    rest.len()
}

/// The stems of a form whose ending is part of its last syllable: 이끈, 부를, 불러, 마셔.
fn bare(word: &str, stems: &mut Vec<String>) -> usize {
    let (head, last) = split_last(word);
    let (_, vowel, coda) = jamo(last);
    if matches!(coda, FINAL_N | FINAL_L) {
        let stem = joined(head, with_coda(last, 0));
        if stem.ends_with('우') && !head.is_empty() {
            stems.extend([stem, head.to_owned()]);
        } else {
            stems.push(stem);
        }
    } else if coda == 0 && (matches!(vowel, YEO | WA | WAE | WO) || matches!(last, '어' | '아' | '해' | '러' | '라'))
    {
        open(word, stems);
        return if matches!(last, '어' | '아' | '여') { head.len() } else { word.len() };
    }
    word.len()
}

/// The stems of a form in 어 or 아: 걸어, 도와, 불러, 가르쳐, 가.
fn open(form: &str, stems: &mut Vec<String>) {
    let (head, last) = split_last(form);
    let (lead, vowel, coda) = jamo(last);
    let changed = |vowel| joined(head, syllable(lead, vowel, 0));
    match (last, vowel) {
        _ if coda != 0 => {}
        ('어' | '아' | '여', _) if !head.is_empty() => stems.push(steady(head)),
        ('러' | '라', _) if is_l_before_reo(head) => {
            let (before, doubled) = split_last(head);
            stems.push(joined(before, with_coda(doubled, 0)) + "르");
        }
        // 도와 is of 돕다, 배워 of 배우다: the form does not tell.
        ('와' | '워', _) if !head.is_empty() => {
            stems.extend([steady(head), joined(head, if last == '와' { '오' } else { '우' })]);
        }
        ('해', _) => stems.push(joined(head, '하')),
        (_, YEO) => stems.push(changed(I)),
        (_, WA) => stems.push(changed(O)),
        (_, WAE) => stems.push(changed(OE)),
        (_, WO) => stems.push(changed(U)),
        (_, EO) => stems.extend([changed(EU), form.to_owned()]),
        _ => stems.push(form.to_owned()),
    }
}

fn is_l_before_reo(head: &str) -> bool {
    head.chars().next_back().is_some_and(|last| jamo(last).2 == FINAL_L)
}

/// A stem without an unsteady consonant at its end.
fn steady(stem: &str) -> String {
    let (head, last) = split_last(stem);
    if UNSTEADY.contains(&jamo(last).2) { joined(head, with_coda(last, 0)) } else { stem.to_owned() }
}

fn split_last(word: &str) -> (&str, char) {
    let mut chars = word.chars();
    let last = chars.next_back().unwrap_or('가');
    (chars.as_str(), last)
}

fn joined(head: &str, last: char) -> String {
    let mut out = String::with_capacity(head.len() + 2 * SYLLABLE);
    out.push_str(head);
    out.push(last);
    out
}

/// The numbers of a syllable's leading consonant, vowel and final consonant (0: none).
fn jamo(c: char) -> (u32, u32, u32) {
    let at = (c as u32).saturating_sub('가' as u32);
    (at / 588, at / 28 % 21, at % 28)
}

fn syllable(lead: u32, vowel: u32, coda: u32) -> char {
    char::from_u32('가' as u32 + lead * 588 + vowel * 28 + coda).unwrap_or('가')
}

fn with_coda(c: char, coda: u32) -> char {
    let (lead, vowel, _) = jamo(c);
    syllable(lead, vowel, coda)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(word: &str) -> (&str, &str, String) {
        let parts = parts(word);
        (&word[..parts.noun], &word[..parts.stem], parts.verbs.join(" "))
    }

    #[test]
    fn words_are_taken_apart() {
        for (word, noun, stem, verbs) in [
            ("물", "물", "물", ""),
            ("물을", "물", "물", ""),
            ("강에서", "강", "강", "강에"),
            ("학교에서는", "학교", "학교", "학교에"),
            ("이끌었다", "이끌었다", "이끌", "이끄"),
            ("이끄는", "이끄", "이끄", "이끄"),
            ("이끈", "이끈", "이끈", "이끄"),
            ("돕다", "돕다", "돕", "도"),
            ("도와", "도", "도", "도 도오"),
            ("불러", "불러", "불러", "부르"),
            ("불렀다", "불렀다", "불렀", "부르"),
            ("가르쳤다", "가르쳤다", "가르쳤", "가르치"),
            ("아름다운", "아름다운", "아름다운", "아름다우 아름다"),
            ("했다", "했다", "했", "하"),
            ("봤다", "봤다", "봤", "보"),
            ("본다", "본다", "본", "보"),
            ("컸다", "컸다", "컸", "크 커"),
            ("지은", "지", "지", "지"),
            ("서울은", "서울", "서울", ""),
        ] {
            assert_eq!(told(word), (noun, stem, verbs.to_owned()), "{word}");
        }
    }

    #[test]
    fn what_is_no_word_stays_whole() {
        let long = "가".repeat(LONGEST + 1);
        for run in ["", "물", "ㅋㅋㅋ", "학교a", long.as_str()] {
            assert_eq!(parts(run), Parts { noun: run.len(), stem: run.len(), verbs: Vec::new() }, "{run}");
        }
    }

    #[test]
    fn every_syllable_is_taken_apart_without_fault() {
        for c in '가'..='힣' {
            for word in [format!("{c}다"), format!("가{c}"), format!("{c}{c}는데")] {
                let parts = parts(&word);
                assert!(word.is_char_boundary(parts.noun) && word.is_char_boundary(parts.stem) && parts.stem > 0);
                assert!(parts.verbs.iter().all(|stem| stem.chars().all(is_syllable)), "{word}: {parts:?}");
            }
        }
    }
}
