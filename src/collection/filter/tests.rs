//! The language: what is read, what is refused and where, and what holds.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(expression: &str) -> Filter {
    expression.parse().unwrap_or_else(|e: FilterError| panic!("{e}"))
}

/// The same filter in two spellings.
fn same(one: &str, other: &str) {
    assert_eq!(read(one), read(other), "{one}");
}

fn holds(expression: &str, payload: &Json) -> bool {
    read(expression).matches("notes/1", Some("drafts/하나.md"), payload.as_object().unwrap())
}

#[test]
fn operators_have_their_spellings() {
    let year = || Filter::field("year");
    for (text, filter) in [
        ("year = 2020", year().is(2020)),
        ("year == 2020.0", year().is(2020)),
        ("year != 2020", year().is_not(2020)),
        ("year <> 2020", !year().is(2020)),
        ("year<2020", year().less_than(2020)),
        ("year<=2020", year().at_most(2020)),
        ("year>-1", year().greater_than(-1)),
        ("year >= 1e3", year().at_least(1000)),
        ("year between 1 and 2.5", year().between(1, 2.5)),
        ("year NOT BETWEEN 1 AND 2", !year().between(1, 2)),
        ("year in (1, 2,3,)", year().one_of([1, 2, 3])),
        ("year Not In [1]", !year().one_of([1])),
        ("year in ()", year().one_of(Vec::<i64>::new())),
        ("tags contains 'rust'", Filter::field("tags").is("rust")),
        ("tags not contains \"rust\"", Filter::field("tags").is_not("rust")),
        ("path like \"a/*\"", Filter::path().like("a/*")),
        (r#"path not like "a\*\\\\""#, !Filter::path().like(r"a\*\\")),
        ("exists author", Filter::field("author").exists()),
        ("EXISTS ( author.name )", Filter::field("author.name").exists()),
        ("author exists", Filter::field("author").exists()),
        ("author not exists", !Filter::field("author").exists()),
        ("live = TRUE and not live = false", Filter::field("live").is(true) & Filter::field("live").is_not(false)),
        ("not not a = 1", Filter::field("a").is(1)),
        ("at = 2024-01-15", Filter::field("at").is("2024-01-15".parse::<Date>().unwrap())),
        ("at<2024-01-15T19:00:00+09:00", {
            Filter::field("at").less_than("2024-01-15T10:00:00Z".parse::<Date>().unwrap())
        }),
    ] {
        assert_eq!(read(text), filter, "{text}");
        assert_eq!(read(&filter.to_string()), filter, "{filter}");
    }
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_both() {
    let [a, b, c] = ["a", "b", "c"].map(|name| move || Filter::field(name).is(1));
    let (a, b, c) = (&a, &b, &c);
    assert_eq!(read("a=1 or b=1 and c=1"), a() | (b() & c()));
    assert_eq!(read("not a=1 and b=1"), !a() & b());
    assert_eq!(read("not (a=1 or b=1) and c=1"), !(a() | b()) & c());
    same("(a=1 and b=1) and (c=1)", "a=1 and b=1 and c=1");
    same("((a=1 or b=1) or c=1)", "a=1 or b=1 or c=1");
    let deep = (a() | b()) & !(c() & !(a() | !b()));
    assert_eq!(deep.to_string(), "(a = 1 or b = 1) and not (c = 1 and not (a = 1 or b != 1))");
    assert_eq!(read(&deep.to_string()), deep);
}

#[test]
fn names_are_of_any_script_and_odd_ones_are_quoted() {
    for (text, filter) in [
        ("언어 = '한국어'", Filter::field("언어").is("한국어")),
        ("straße-2_a = 1", Filter::field("straße-2_a").is(1)),
        ("`a b`.c = 1", Filter::payload(["a b", "c"]).is(1)),
        ("`version 1.2`.`` = 1", Filter::payload(["version 1.2", ""]).is(1)),
        (r"`a\`b` = 1", Filter::payload(["a`b"]).is(1)),
        ("`in` = 1", Filter::payload(["in"]).is(1)),
        ("a.in.2 = 1", Filter::payload(["a", "in", "2"]).is(1)),
        ("payload.path = 1", Filter::payload(["path"]).is(1)),
        ("payload = 1", Filter::payload(["payload"]).is(1)),
        ("payload.payload.x = 1", Filter::payload(["payload", "x"]).is(1)),
        ("key.x = 1", Filter::payload(["key", "x"]).is(1)),
        ("key = 'a'", Filter::key().is("a")),
        ("path = 'a'", Filter::field("path").is("a")),
    ] {
        assert_eq!(read(text), filter, "{text}");
        assert_eq!(read(&filter.to_string()), filter, "{filter}");
    }
    assert_ne!(Filter::payload(["path"]).is("a"), Filter::path().is("a"));
}

#[test]
fn texts_have_the_escapes_of_json() {
    let text = |expression: &str| read(&format!("a = {expression}"));
    let is = |text: &str| Filter::field("a").is(text);
    assert_eq!(text(r#""\"\\\/\n\r\t\b\f\u00e9\uD55C\ud83d\ude00""#), is("\"\\/\n\r\t\u{8}\u{c}é한😀"));
    assert_eq!(text(r"'it\'s'"), is("it's"));
    assert_eq!(text("\"two\nlines\""), is("two\nlines"));
}

#[test]
fn numbers_are_exact() {
    for (text, number) in [
        ("9223372036854775807", i64::MAX.into()),
        ("-9223372036854775808", i64::MIN.into()),
        ("18446744073709551615", u64::MAX.into()),
        ("-0", Number::from(0)),
        ("1.5E-3", 0.0015.into()),
        ("100000000000000000000", 1e20.into()),
        ("1e999", f64::INFINITY.into()),
        ("nan", f64::NAN.into()),
    ] {
        let filter = Filter::field("a").is(number);
        assert_eq!(read(&format!("a = {text}")), filter);
        assert_eq!(read(&filter.to_string()), filter);
    }
}

/// Every error, with the column at which it is seen and words of its reason.
#[test]
fn errors_name_their_column() {
    for (expression, column, words) in [
        ("", 1, "empty"),
        ("  ", 1, "empty"),
        ("lang", 5, "an operator"),
        ("lang = ko", 8, "quotes: \"ko\""),
        ("언어 = 한국어", 6, "quotes: \"한국어\""),
        ("lang = ", 8, "a value is expected here, not the end"),
        ("a = null", 5, "not exists"),
        ("a = 1 b", 7, "`and`, `or` or the end is expected here, not the name `b`"),
        ("a = 1 and", 10, "a field is expected here, not the end"),
        ("a = 1 or or b = 2", 10, "backticks"),
        ("in = 1", 1, "backticks"),
        ("(a = 1", 7, "`)` for the parenthesis of column 1"),
        ("a = 1)", 6, "closes nothing"),
        ("exists (a", 10, "`)` for the parenthesis of column 8"),
        ("a = \"ko", 5, "no closing one"),
        ("a = \"\\x\"", 6, "escape"),
        ("a = \"\\u12g4\"", 6, "four hexadecimal"),
        ("a = \"\\ud800\"", 6, "four hexadecimal"),
        ("a = \"\\udc00\"", 6, "four hexadecimal"),
        ("a = \"x\\*\"", 7, "pattern"),
        ("`a\\?` = 1", 3, "pattern"),
        ("a like 1", 8, "a pattern in quotes"),
        ("a in 1", 6, "a list"),
        ("a in (1 2)", 9, "`,` or `)`"),
        ("a in (1]", 8, "`,` or `)`"),
        ("a in (b)", 7, "quotes"),
        ("a between 1", 12, "`and` with the upper bound"),
        ("a between 1 and 'x'", 17, "of one kind"),
        ("a.=1", 3, "a name is missing"),
        ("a. b = 1", 3, "a name is missing"),
        (".5 = a", 1, "dot"),
        ("a && b", 3, "write `and`"),
        ("a | b", 3, "write `or`"),
        ("! a = 1", 1, "write `not`"),
        ("a ~ 1", 3, "like"),
        ("a = “x”", 5, "no quote"),
        ("a = 1 ; b", 7, "means nothing"),
        ("a = 2024-13-01", 5, "neither a number nor a date"),
        ("a = 12abc", 5, "neither a number nor a date"),
        ("c in(`\u{7f}\0\n`", 6, "a value is expected here"),
        ("`a\nb` `c\nd`", 7, "an operator"),
        ("a = -", 5, "neither a number nor a date"),
        ("a = 1_000", 5, "neither a number nor a date"),
        ("2fa = 1", 1, "backticks"),
        ("1 = a", 1, "a field is expected here, not a number"),
        ("한 = 'ㄱ' and\n나 = 다", 17, "quotes: \"다\""),
    ] {
        let error = expression.parse::<Filter>().expect_err(expression);
        assert_eq!((error.column, error.expression.as_str()), (column, expression), "{error}");
        assert!(error.reason.contains(words), "{error}");
        assert_eq!(error.to_string().lines().count(), 3, "{error}");
    }
}

#[test]
fn limits_are_named() {
    let reason = |expression: &str| expression.parse::<Filter>().unwrap_err();
    let long = format!("a = \"{}\"", "x".repeat(MAX_BYTES));
    assert!(reason(&long).to_string().contains("over the limit of 65536"));
    let nested = |n: usize| format!("{}a = 1{}", "(".repeat(n), ")".repeat(n));
    read(&nested(MAX_DEPTH));
    assert_eq!(reason(&nested(MAX_DEPTH + 1)).column, MAX_DEPTH + 1);
    assert!(reason(&nested(30_000)).reason.contains("200"));
    let twice = format!("{}a = 1{}", "not (b = 1 or not (c = 1 and ".repeat(70), "))".repeat(70));
    assert!(reason(&twice).reason.contains("deeper than 200"));
    let list = |n: usize| format!("a in ({})", "1,".repeat(n));
    read(&list(MAX_VALUES));
    assert_eq!(reason(&list(MAX_VALUES + 1)).column, 6);
    // Many in a row are not deep.
    read(&format!("a = 1{}", " and not a = 1".repeat(4_000)));
    read(&format!("{} a = 1", "not ".repeat(16_000)));
}

#[test]
fn filters_made_in_code_are_held_to_the_limits() {
    let a = || Filter::field("a").is(1);
    let deep = |n: usize| (0..n).fold(a(), |filter, i| if i % 2 == 0 { filter & a() } else { filter | a() });
    deep(MAX_DEPTH).validate().unwrap();
    assert!(deep(MAX_DEPTH + 1).validate().unwrap_err().reason.contains("200"));
    // Neither is it dropped, compared, evaluated or written by recursion.
    let deepest = deep(5_000);
    assert!(deepest.clone() == deepest && deepest.matches("", None, json!({ "a": 1 }).as_object().unwrap()));
    assert!(deepest.validate().unwrap_err().to_string().len() < 1_000);
    Filter::field("a").one_of(0..MAX_VALUES).validate().unwrap();
    assert!(Filter::field("a").one_of(0..=MAX_VALUES).validate().is_err());
    assert!(Filter::all([]).matches("", None, &Map::new()) && !Filter::any([]).matches("", None, &Map::new()));
}

#[test]
fn a_filter_is_serialised_as_its_text() {
    let filter = Filter::field("lang").is("ko") | Filter::path().like("a*");
    let text = serde_json::to_string(&filter).unwrap();
    assert_eq!(text, r#""lang = \"ko\" or path like \"a*\"""#);
    assert_eq!(serde_json::from_str::<Filter>(&text).unwrap(), filter);
    assert!(serde_json::from_str::<Filter>("\"lang = ko\"").unwrap_err().to_string().contains("column 8"));
}

#[test]
fn conditions_hold_for_values_and_elements() {
    let payload = json!({
        "lang": "ko", "year": 2020, "score": 2020.5, "live": false, "tags": ["rust", "한국어", 7, [8]],
        "author": { "name": "Kim", "a.b": 1 }, "people": [{ "name": "A" }, { "name": ["B", "C"] }], "none": null,
        "empty": [], "object": {}, "big": u64::MAX, "day": "2024-01-15", "at": "2024-01-15T23:30:00-01:00",
        "long": "x".repeat(MAX_FILTERED_BYTES + 1), "path": "own",
    });
    for expression in [
        "lang = 'ko'",
        "year = 2020.0",
        "score > 2020 and score < 2021",
        "live = false",
        "tags contains 'rust'",
        "tags = 8",
        "author.name = 'Kim'",
        "author.`a.b` = 1",
        "people.name = 'C'",
        "exists author",
        "exists people.name",
        "big = 18446744073709551615",
        "big > 18446744073709551614",
        "path = 'drafts/하나.md'",
        "payload.path = 'own'",
        "path like 'drafts/*'",
        "key like 'notes/?'",
        "lang != 'en'",
        "none != 1",
        "missing != 1",
        "lang < 'kp'",
        "day = 2024-01-15",
        "day >= 2024-01-15",
        "day <= 2024-01-15",
        "day < 2024-01-16",
        "day > 2024-01-14",
        "day = '2024-01-15'",
        "at = 2024-01-16",
        "at > 2024-01-15",
        "at = 2024-01-16T00:30:00Z",
        "day between 2024-01-01 and 2024-01-15",
        "tags in (1, 7)",
        "tags like '한*'",
        "year between 2020 and 2020",
        "not exists none",
        "year not in ('2020')",
    ] {
        assert!(holds(expression, &payload), "{expression}");
        assert!(!holds(&format!("not ({expression})"), &payload), "{expression}");
    }
    for expression in [
        "lang = 'KO'",
        "lang = 'k'",
        "year = '2020'",
        "lang contains 'k'",
        "live = 0",
        "author = 'Kim'",
        "author.a.b = 1",
        "exists none",
        "exists empty",
        "exists object",
        "exists missing",
        "exists long",
        "long like 'x*'",
        "big = 18446744073709551614",
        "day = 2024-01-16",
        "day < 2024-01-15",
        "day > 2024-01-15",
        "at = 2024-01-15",
        "lang = 2024-01-15",
        "year like '2*'",
        "path like 'drafts'",
        "tags between 1 and 6",
        "year = nan",
        "year < nan",
        "lang in ()",
        "score between 'a' and 'b'",
    ] {
        assert!(!holds(expression, &payload), "{expression}");
    }
}

/// Values that are equal, near each other, or at a limit.
pub(in crate::collection) const TEXTS: [&str; 18] = [
    "",
    "a",
    "ab",
    "b",
    "ko",
    "한",
    "한국어",
    "A",
    "a*",
    "a\\",
    "2024-01-15",
    "2024-01-15T10:00:00Z",
    "2024-01-15T19:00:00+09:00",
    "2024-01-16",
    "1492-10-12",
    "1066-10-14T09:00:00Z",
    "2500-01-01",
    "2024-13-01",
];

pub(in crate::collection) fn numbers() -> impl Strategy<Value = serde_json::Number> {
    let two = |power: i32| 2f64.powi(power);
    let whole = [0, 1, -1, 2019, 2020, 2021, (1 << 53) + 1, 1 << 53, i64::MAX, i64::MIN, i64::MAX - 1];
    let real = [-0.0, 2020.0, 2020.5, 0.1, -1.5, 1e300, -1e300, two(53), two(63), two(64), -two(63), -1e19, 1e-300];
    prop_oneof![
        prop::sample::select(whole.to_vec()).prop_map(serde_json::Number::from),
        prop::sample::select(vec![u64::MAX, u64::MAX - 1, 1 << 63]).prop_map(serde_json::Number::from),
        prop::sample::select(real.to_vec()).prop_map(|x| serde_json::Number::from_f64(x).unwrap()),
        (-20i64..20).prop_map(serde_json::Number::from),
        any::<i64>().prop_map(serde_json::Number::from),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    let dates = TEXTS.iter().filter_map(|text| Date::read(text)).collect::<Vec<_>>();
    let odd = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    prop_oneof![
        4 => prop::sample::select(TEXTS.to_vec()).prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        4 => numbers().prop_map(|n| Value::Number(Number::of(&n))),
        1 => prop::sample::select(odd).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        4 => prop::sample::select(dates).prop_map(Value::from),
        1 => any::<i64>().prop_map(|n| {
            let time = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_nanos(n.unsigned_abs()));
            Value::from(Date::from(time.unwrap_or(std::time::UNIX_EPOCH)))
        }),
    ]
}

/// Names that payloads have too; some are words of the language, some are not offered to filters.
pub(in crate::collection) const NAMES: [&str; 12] =
    ["a", "b", "언어", "a b", "a.b", "a\\b", "in", "key", "path", "", "x\u{1}y", "payload"];

fn fields() -> impl Strategy<Value = FilterField> {
    let names = prop::collection::vec(prop::sample::select(NAMES.to_vec()), 1..3);
    prop_oneof![
        6 => names.prop_map(Filter::payload),
        1 => prop::collection::vec(any::<String>(), 1..4).prop_map(Filter::payload),
        1 => Just(Filter::key()),
        2 => Just(Filter::path()),
    ]
}

fn conditions() -> impl Strategy<Value = Filter> {
    let patterns = prop_oneof![
        prop::collection::vec(prop::sample::select(vec!["*", "?", "a", "2", "-", "한", "\\*", "\\", "/"]), 0..5)
            .prop_map(|parts| parts.concat()),
        Just("2024*".to_owned()),
    ];
    let values = || values().boxed();
    (fields(), 0..9u8, values(), values(), prop::collection::vec(values(), 0..4), patterns).prop_map(
        |(field, kind, a, b, list, pattern)| match kind {
            0 => field.is(a),
            1 => field.less_than(a),
            2 => field.at_most(a),
            3 => field.greater_than(a),
            4 => field.at_least(a),
            5 => field.between(a, b),
            6 => field.one_of(list),
            7 => field.like(&pattern),
            _ => field.exists(),
        },
    )
}

/// Filters of all kinds.
pub(in crate::collection) fn filters() -> impl Strategy<Value = Filter> {
    conditions().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::all),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Filter::any),
            inner.prop_map(|filter| !filter),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_equal(filter in filters()) {
        let text = filter.to_string();
        let read: Filter = text.parse().map_err(|e: FilterError| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(&read, &filter);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        if let Err(error) = text.parse::<Filter>() {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1);
        }
    }

    #[test]
    fn any_tokens_are_read_or_refused(
        tokens in prop::collection::vec(prop::sample::select(vec![
            "a", "key", "`", "\"", "\"x\"", "not", "and", "or", "(", ")", "=", "<", "in", "[", "]", ",", "1", "2024-01-15",
            "like", "exists", "between", "contains", "\\", "한", ".", "true",
        ]), 0..12)
    ) {
        let text = tokens.join(" ");
        match text.parse::<Filter>() {
            Ok(filter) => prop_assert_eq!(filter.to_string().parse::<Filter>().unwrap(), filter),
            Err(error) => prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1),
        }
    }
}
