//! Sentences of a text that arrives in pieces.

/// Cuts a stream of text into sentences as it arrives.
///
/// How the text is cut into pieces changes nothing: the sentences are those of the whole text.
///
/// ```
/// use gyeol::llm::Sentences;
///
/// let mut sentences = Sentences::new();
/// assert_eq!(sentences.push("반갑습니다. It costs 3"), ["반갑습니다."]);
/// assert_eq!(sentences.push(".5 won. Good"), ["It costs 3.5 won."]);
/// assert_eq!(sentences.finish(), ["Good"]);
/// ```
#[derive(Debug, Default)]
pub struct Sentences {
    /// The sentence so far, without whitespace before it.
    text: String,
    /// Where its last word starts.
    word: usize,
    /// Where its last run of marks starts.
    mark: usize,
    run: Run,
    state: State,
    /// A word has ended, so a number is no list number any more.
    begun: bool,
    /// The word before was a number with a dot, as in `2024. 3. 12.`.
    dated: bool,
    /// A `"` is open in this line.
    quoted: bool,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Text,
    /// In a run of end marks, closing quotes and brackets.
    Marks,
    /// In the whitespace after such a run.
    Gap(Ends),
}

/// What a run of marks is: its strongest mark decides.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Run {
    #[default]
    Dot,
    Ellipsis,
    Strong,
    /// Ends a sentence without whitespace too.
    Hard,
}

impl Run {
    fn of(mark: char) -> Option<Run> {
        match mark {
            '.' => Some(Run::Dot),
            '…' | '⋯' => Some(Run::Ellipsis),
            '!' | '?' => Some(Run::Strong),
            '。' | '！' | '？' | '｡' => Some(Run::Hard),
            _ => None,
        }
    }
}

/// Whether a sentence ends, by what stands after its marks and whitespace.
type Ends = fn(char) -> bool;

const NEVER: Ends = |_| false;
const UNLESS_DIGIT: Ends = |next| !next.is_ascii_digit();
const UNLESS_LOWER: Ends = |next| !next.is_ascii_lowercase();
/// Letters of a script without case are capitals here.
const IF_CAPITAL: Ends = |next| next.is_alphabetic() && !next.is_lowercase();

impl Sentences {
    /// Starts with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece; answers with the sentences that are finished now, in order, trimmed and never empty.
    pub fn push(&mut self, chunk: &str) -> Vec<String> {
        let mut out = Vec::new();
        for c in chunk.chars() {
            self.step(c, &mut out);
        }
        out
    }

    /// What is left at the end of the text. A new text can start after it.
    pub fn finish(&mut self) -> Vec<String> {
        self.push("\n")
    }

    /// Takes each character once and in order, so pieces cannot matter and nothing is scanned again.
    fn step(&mut self, c: char, out: &mut Vec<String>) {
        let (mark, space) = (Run::of(c), c.is_whitespace());
        match (self.state, mark) {
            _ if matches!(c, '\n' | '\r') => self.cut(out),
            (State::Text, _) if space => self.end_word(false),
            (State::Marks, Some(mark)) => {
                // A dot after a bracket is a plain end, as in `(etc.).`.
                let joined = if self.text.ends_with(closes) { Run::Strong } else { Run::Ellipsis };
                self.run = self.run.max(mark).max(joined);
                return self.text.push(c);
            }
            (State::Marks, None) if space => match self.judge() {
                None => self.cut(out),
                Some(ends) => self.state = State::Gap(ends),
            },
            (State::Marks, None) if !closes(c) => self.cut_before(c, out),
            (State::Gap(ends), _) if !space && ends(c) => self.cut(out),
            (State::Gap(_), _) if !space => self.state = State::Text,
            _ => {}
        }
        if let Some(run) = mark {
            (self.state, self.run, self.mark) = (State::Marks, run, self.text.len());
        }
        // A quote that was never closed says nothing of the next line.
        self.quoted = self.quoted ^ (c == '"') && !matches!(c, '\n' | '\r');
        if !space || !self.text.is_empty() {
            self.text.push(c);
        }
        if space {
            self.word = self.text.len();
        }
    }

    fn end_word(&mut self, dated: bool) {
        self.dated = dated;
        // Signs such as `-` and `##` may stand before a list number.
        self.begun = self.begun || self.text.get(self.word..).is_some_and(|word| word.contains(char::is_alphanumeric));
    }

    /// Judges the run of marks that whitespace follows; without an answer it ends the sentence at once.
    fn judge(&mut self) -> Option<Ends> {
        let opens = |c: char| OPENING_QUOTES.contains(c) || "\"'*_".contains(c);
        let word = self.text.get(self.word..self.mark).unwrap_or_default();
        let word = word.rsplit(['(', '[', '{']).next().unwrap_or_default().trim_start_matches(opens);
        let number = is_number(word);
        let date = self.dated || word.split('.').count() == 3 && word.find('.') == Some(4);
        let ends = match self.run {
            Run::Strong | Run::Hard => None,
            Run::Ellipsis => Some(UNLESS_LOWER),
            Run::Dot if !self.begun && is_label(word) || number && date => Some(NEVER),
            Run::Dot if number => Some(UNLESS_DIGIT),
            Run::Dot => after_word(word, self.text.len() > self.mark + 1),
        };
        self.end_word(number);
        ends
    }

    /// Ends the sentence where no whitespace follows its marks, if they can.
    fn cut_before(&mut self, next: char, out: &mut Vec<String>) {
        self.state = State::Text;
        // A `"` that opens belongs to what follows.
        let opened = self.quoted && self.text.ends_with('"');
        let starts = opened || matches!(next, '가'..='힣') || OPENING_QUOTES.contains(next);
        let lone = self.run == Run::Dot && self.text.len() == self.mark + 1 + usize::from(opened);
        let korean = lone && starts && self.text.get(..self.mark).is_some_and(ends_in_korean);
        if korean || self.run == Run::Hard {
            let quote = opened.then(|| self.text.pop()).flatten();
            self.cut(out);
            self.text.extend(quote);
        }
    }

    fn cut(&mut self, out: &mut Vec<String>) {
        if !self.text.is_empty() {
            out.push(self.text.trim_end().to_owned());
        }
        *self = Sentences { quoted: self.quoted, ..Self::default() };
    }
}

const OPENING_QUOTES: &str = "“‘「『【《〈";

fn closes(c: char) -> bool {
    "\"'”’)]}」』】》〉*_".contains(c)
}

/// A final ending of two syllables or more: a lone one before a dot is a label, as in `가.나.다`.
fn ends_in_korean(text: &str) -> bool {
    let mut back = text.chars().rev();
    back.next().is_some_and(|c| "다요죠까네지음함임됨오라군냐".contains(c))
        && back.next().is_some_and(char::is_alphanumeric)
}

fn is_number(word: &str) -> bool {
    word.split('.').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// What a list item may start with: `1`, `2.1`, `a`, `iv`, `가`. `네` and `예` say yes.
fn is_label(word: &str) -> bool {
    let letter =
        |c: char| c.is_ascii_alphabetic() || "가나다라마바사아자차카타파하ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ".contains(c);
    let roman = !word.is_empty() && word.chars().all(|c| "ivxIVX".contains(c));
    roman || is_number(word) || only_char(word).is_some_and(letter)
}

fn only_char(word: &str) -> Option<char> {
    let mut chars = word.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// `J`, `U.S`, `e.g`, but not the word `I`.
fn is_initials(word: &str) -> bool {
    let letter = |c: char| c.is_uppercase() || word.contains('.') && c.is_lowercase();
    word != "I" && word.split('.').all(|part| only_char(part).is_some_and(letter))
}

/// Capitals matter in these: `ms` and `co` are other words.
const TITLES: [&str; 12] = ["Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Jr", "Sr", "Inc", "Ltd", "Co", "Fig"];
const SHORT: [&str; 5] = ["vs", "cf", "approx", "al", "ph.d"];

/// Judges the dot after a word, which a quote or bracket may have closed, as [`Sentences::judge`] does.
fn after_word(word: &str, closed: bool) -> Option<Ends> {
    let lower = word.to_ascii_lowercase();
    let known = TITLES.contains(&word) || SHORT.contains(&lower.as_str()) || is_initials(word);
    match lower.as_str() {
        "etc" => Some(IF_CAPITAL),
        "no" | "fig" if !known => Some(UNLESS_DIGIT),
        _ if !known => None,
        _ if closed => Some(IF_CAPITAL),
        _ => Some(NEVER),
    }
}

#[cfg(test)]
mod tests {
    use super::Sentences;

    /// Texts with `|` where a sentence ends.
    const CASES: &[&str] = &[
        "One. |Two! |Three? |Really?! |Yes!!! |Wow!Nice?yes.No",
        "Pi is 3.14. |Use v1.2.3 of main.rs at https://example.com/a.b?c=d.e! |Done.",
        "He said \"Go.\" |Then (he left.) |**Bold.** |_Done._ |“Stop.” |‘Why?’ |[See it.] |{A.} ok.",
        "Well... |Then it... stopped… here… |Now…and...then.. |끝… |그리고 (...) then. |Wait...? |what?... |go",
        "Use it, e.g. this, i.e. that vs. those, Cf. Smith et al. 2020, approx. 5. |End.",
        "Mr. Kim, Mrs. Lee, Ms. Park, Dr. Who, Prof. X and St. Paul met J. Smith of Foo Inc. and Bar Co. Ltd. there.",
        "Apples, pears, etc. are good. |Apples, etc. |Then pears etc. |그리고 (a, etc.) go.",
        "See No. 5 and Fig. A and fig. 2 (e.g. here). |No. |It said no. |Then 5 ms. |So do I. |Right",
        "The U.S. Army left at 5 p.m. on Monday (by Lee et al.) and (by Kim et al.) |Then in 2024. |The end",
        "1. First item. |Second part.\n|2. Next\n|  - 3. Third: 5. |End\n|**4.** Bold\n|## 1.2. Head\n|iv. four\n|a. x",
        "One: 1. |Two. |2. Three. |3. Four.\n|10.) y\n|Mr.\n|Kim etc.\n|1.\n|a",
        " \n\r\n\t |Heading\n\n|Para one\r\n|para two\r|He left (Lee et al.). |the end (etc.). |so e.g.) it",
        "안녕하세요. |반갑습니다! |누구세요? |네. |예. |U.S. 정부는 말했다. |Dr. 김이 왔다. |An English one. |네",
        "했다.|그리고 갔어요.|“왜요?” |했죠.|「네」 좋네.|다음은 필요함.|끝",
        "갈까.|그렇지.|있음.|것임.|안됨.|하오.|가라.|그렇군.|뭐냐.|‘가’ 했다.|『나』 했다.|【다】 했다.|《라》 했다.|〈마〉",
        "So.' |Yo.} |Go.】 |Do.》 |Oh.〉 |Kim Jr. and Lee Sr. with a Ph.D. there and x. |Then etc. 3 - 1. |End",
        "버전 1.2.3. |그리고 2024.5. |했어요!그리고 했다.|\"Hello",
        "가.나.다 순서와 다.라.마 순서. |다.라\n|가. 항목 하나. |둘.\n|나. 항목\n|ㄱ. 항목",
        "2024. 3. 12. 발표했다. |오늘(2024. 3. 12.) 발표한 것은 12. |발표다. |날짜는 2024.3.12. 오후다.",
        "회의는 3. 12. 열린다. |값은 3.5이다.|그리고 10. |끝\n|3. 12. 발표",
        "\"갔다.\"라고 말했다.|\"정말요.\" |했다.|\"그래.\"라고\n|\"\n|했다.|\"그",
        "파일은 보고서.한글 또는 naver.com이다. |Rust는 좋다.AI다.|그래 API.문서",
        "끝났다\u{a0}그래.\u{3000}|다음. \u{2003} |끝. |. |.. a . |b",
        "你好。|我很好！|真的？|他说。|\"你好。\"|然后……走了。|「行きます。」|と言った。|はい｡|そう！？』|ok。) |x",
    ];

    fn run<'a>(chunks: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut sentences = Sentences::new();
        let mut all: Vec<String> = chunks.into_iter().flat_map(|chunk| sentences.push(chunk)).collect();
        all.extend(sentences.finish());
        all
    }

    #[test]
    fn every_way_of_cutting_gives_the_expected_sentences() {
        for case in CASES {
            let expected: Vec<&str> = case.split('|').map(str::trim).filter(|part| !part.is_empty()).collect();
            let text = case.replace('|', "");
            assert_eq!(run([text.as_str()]), expected, "{text:?}");
            assert_eq!(run(text.split_inclusive(|_| true)), expected, "{text:?} by characters");
            for (at, _) in text.char_indices() {
                let (head, tail) = text.split_at(at);
                assert_eq!(run([head, "", tail]), expected, "{head:?} and {tail:?}");
            }
        }
    }

    #[test]
    fn a_sentence_comes_as_soon_as_it_is_certain() {
        let mut sentences = Sentences::new();
        let pieces = ["", "It is 3.", "5.", " ", "So", "? 네.", " 가\n나。다"];
        let expected = ["", "", "", "", "It is 3.5.", "So?", "네.|가|나。"];
        assert_eq!(pieces.map(|piece| sentences.push(piece).join("|")), expected);
        assert_eq!(sentences.finish(), ["다"]);
        assert_eq!(sentences.push("1. new\n"), ["1. new"]);
    }

    #[test]
    fn a_long_text_without_an_end_is_one_sentence() {
        for unit in ["a", "가 ", "1.1.", "x!", "- ", "\"", "x.)", ".", "e.g. "] {
            let text = unit.repeat((1 << 20) / unit.len());
            assert!(run(text.split_inclusive(|_| true)) == [text.trim()], "{unit:?}");
        }
    }
}
