//! Fuzzing of templates: whole ones grown from the dialect's grammar, heaps of its tokens, and literals near their limits.
//! Whatever the text, loading and rendering end, stay within their limits, and agree with the literal rule.

use std::sync::LazyLock;

use chrono::DateTime;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use regex::Regex;
use serde_json::{Value, json};

use super::*;

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..Config::default() }
}

fn names() -> Names {
    Names::REQUEST | Names::PAGINATION | Names::RECORD
}

fn context() -> Context {
    let config = json!({
        "n": 5, "big": i64::MIN, "max": u64::MAX, "pi": -3.5, "tiny": 5e-324, "huge": 1.7e308, "none": null, "yes": true,
        "text": "a,b é 😀 {{ n }}", "empty": "", "day": "2024-02-29T23:59:59.999999+14:00", "list": [3, 1, 2, "x", null],
        "obj": {"a": {"b": [1, {"c": "d"}]}, "é": 0}, "pattern": "(a+)+$", "format": "%Y-%j %_ms %",
    });
    Context::new(DateTime::parse_from_rfc3339("2026-11-20T16:11:33.485185Z").unwrap().to_utc())
        .with(Names::CONFIG, config)
        .with(Names::RESPONSE, json!({"next": "0012", "more": true, "data": [{"id": 1}, {"id": 2}]}))
        .with(Names::RECORD, json!({"id": 7, "tags": ["x", "y"]}))
        .with(Names::LAST_PAGE_SIZE, 3)
}

/// Renders in every way, and checks what must hold of any template that loads.
fn check(text: &str) -> Result<(), TestCaseError> {
    let Ok(template) = Template::parse(text, names()) else { return Ok(()) };
    let context = context();
    let (value, rendered) = (template.value(&context), template.text(&context));
    let _ = (template.condition(&context), template.option(&context), template.header(&context));
    let _ = (template.parameter(&context), template.may_read("config", None), template.keys_of("config").count());
    if let Ok(rendered) = &rendered {
        prop_assert!(rendered.len() <= MAX_TEXT_BYTES + text.len(), "{text}: {} bytes", rendered.len());
    }
    prop_assert_eq!(value.is_ok(), rendered.is_ok(), "{}: {:?} {:?}", text, value, rendered);
    // The filter `string` makes a text of whatever it gets, also where the text would read as something else.
    let steady = !["uuid", "set", "for ", "string"].iter().any(|word| text.contains(word));
    if let (Ok(value), Ok(rendered)) = (value, rendered)
        && steady
    {
        prop_assert!(count(&value) <= engine::MAX_ITEMS * 20);
        // What is printed as a literal reads back as the value itself.
        let read = literal::read(&rendered).map(Literal::into_value);
        prop_assert_eq!(read.unwrap_or_else(|| value.clone()), value, "{}: {}", text, rendered);
    }
    Ok(())
}

fn count(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(count).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

const ATOMS: &[&str] = &[
    "config",
    "config.n",
    "config.big",
    "config.max",
    "config.pi",
    "config.tiny",
    "config.huge",
    "config.none",
    "config.yes",
    "config.text",
    "config.empty",
    "config.day",
    "config.list",
    "config.obj",
    "config['obj']['a']",
    "config.missing",
    "config.missing.deep",
    "config.pattern",
    "config.format",
    "response.data",
    "response.next",
    "record.tags",
    "record",
    "last_page_size",
    "next_page_token",
    "stream_slice.start",
    "headers",
    "0",
    "1",
    "-1",
    "2",
    "127",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "170141183460469231731687303715884105727",
    "1.5",
    "1e300",
    "1e-300",
    "'a'",
    "'é😀'",
    "\"it's\"",
    "''",
    "'%Y-%m-%d'",
    "'%s'",
    "'P1D'",
    "'P1M'",
    "'PT0.5S'",
    "'2024-02-29'",
    "'a(b)?'",
    "true",
    "false",
    "none",
    "now_utc()",
    "today_utc()",
    "duration('P1Y2M3DT4H')",
    "duration('-P999999Y')",
    "duration('P999999999D')",
    "str_to_datetime('9999-12-31T23:59:59.999999Z')",
    "str_to_datetime('0001-01-01')",
    "x",
];

/// An expression of one operand in `{}`, or of two with the second in `{1}`.
const FORMS: &[&str] = &[
    "({})",
    "-{}",
    "not {}",
    "({} + {1})",
    "({} - {1})",
    "({} * {1})",
    "({} / {1})",
    "({} // {1})",
    "({} % {1})",
    "({} ** {1})",
    "({} ~ {1})",
    "({} < {1})",
    "({} <= {1} > 0)",
    "(0 < {} < {1})",
    "({} == {1})",
    "({} != {1})",
    "({} in {1})",
    "({} not in {1})",
    "({} and {1})",
    "({} or {1})",
    "({} if {1} else 1)",
    "({} if {1})",
    "[{}, {1}]",
    "({},)",
    "({}, {1})",
    "{'k': {}, {1}: 1}",
    "{}[{1}]",
    "{}[{1}:]",
    "{}[:{1}]",
    "{}[1:{1}:2]",
    "{}[::{1}]",
    "{}[{1}:0:-1]",
    "{}.a",
    "{}.days",
    "{}.year",
    "{}.get({1})",
    "{}.get('a', {1})",
    "{}.items()",
    "{}.keys()",
    "{}.values()",
    "{}.split({1})",
    "{}.split(',', {1})",
    "{}.splitlines()",
    "{}.join({1})",
    "{}.replace('a', {1})",
    "{}.replace('', {1}, 3)",
    "{}.strip({1})",
    "{}.lstrip()",
    "{}.rstrip()",
    "{}.lower()",
    "{}.upper()",
    "{}.title()",
    "{}.capitalize()",
    "{}.startswith({1})",
    "{}.endswith('é')",
    "{}.format({1})",
    "'{:>{}}'.format({})",
    "'{0!r:<9}{a}'.format({}, a={1})",
    "{}.find({1})",
    "{}.count({1})",
    "{}.isdigit()",
    "{}.isalpha()",
    "{}.strftime({1})",
    "{}.isoformat()",
    "{}.timestamp()",
    "{}.date()",
    "{}.weekday()",
    "{}.total_seconds()",
    "{}|int",
    "{}|int({1})",
    "{}|int(0, {1})",
    "{}|float",
    "{}|string",
    "{}|length",
    "{}|default({1})",
    "{}|d({1}, true)",
    "{}|join({1})",
    "{}|join('-', attribute={1})",
    "{}|first",
    "{}|last",
    "{}|list",
    "{}|map('int')|list",
    "{}|map(attribute={1})|list",
    "{}|select|list",
    "{}|reject('none')|list",
    "{}|selectattr('id')|list",
    "{}|selectattr('id', 'gt', {1})|list",
    "{}|rejectattr('id', 'eq', {1})|list",
    "{}|lower",
    "{}|upper",
    "{}|title",
    "{}|capitalize",
    "{}|replace({1}, 'z')",
    "{}|urlencode",
    "{}|tojson",
    "{}|trim",
    "{}|trim({1})",
    "{}|unique|list",
    "{}|round",
    "{}|round({1})",
    "{}|abs",
    "{}|sum",
    "{}|min",
    "{}|max",
    "{}|sort",
    "{}|sort(reverse=true)",
    "{}|reverse",
    "{}|items|list",
    "{}|dictsort",
    "{}|hash",
    "{}|hash('sha256', {1})",
    "{}|hmac({1})",
    "{}|base64encode",
    "{}|base64decode",
    "{}|base64binascii_decode",
    "{}|regex_search({1})",
    "{}|regex_replace({1}, '<\\\\1>')",
    "{} is none",
    "{} is defined",
    "{} is mapping",
    "{} is number",
    "{} is odd",
    "{} is divisibleby({1})",
    "{} is in({1})",
    "{} is sameas({1})",
    "{} is gt({1})",
    "{} is lower",
    "max({}, {1})",
    "min({})",
    "timestamp({})",
    "format_datetime({}, {1})",
    "format_datetime({}, '%c%e%-d%s', {1})",
    "str_to_datetime({})",
    "duration({})",
    "day_delta({})",
    "day_delta({}, format={1})",
    "today_with_timezone({})",
    "sanitize_url({})",
    "camel_case_to_snake_case({})",
    "generate_uuid()",
];

fn expression() -> impl Strategy<Value = String> {
    select(ATOMS).prop_map(str::to_owned).prop_recursive(4, 24, 2, |inner| {
        (select(FORMS), inner.clone(), inner)
            .prop_map(|(form, one, other)| {
                form.replace("{1}", "\u{1}").replacen("{}", &one, 1).replace('\u{1}', &other)
            })
            .prop_map(|whole| format!("({whole})"))
    })
}

fn template() -> impl Strategy<Value = String> {
    let text = select(vec!["", "a", "é", "\n", " ", "'", "12", "[", "{", "%", "/", "=", "\\", "{# c #}"])
        .prop_map(str::to_owned);
    let printed = expression().prop_map(|expression| format!("{{{{ {expression} }}}}"));
    let part = prop_oneof![2 => text, 5 => printed].prop_recursive(3, 12, 3, |inner| {
        let body = vec(inner, 0..3).prop_map(|parts| parts.concat());
        prop_oneof![
            (expression(), body.clone(), body.clone())
                .prop_map(|(test, yes, no)| format!("{{% if {test} %}}{yes}{{% else %}}{no}{{% endif %}}")),
            (expression(), body.clone())
                .prop_map(|(items, body)| format!("{{% for x in {items} %}}{body}{{% endfor %}}")),
            (expression(), body).prop_map(|(value, body)| format!("{{%- set x = {value} -%}}{body}{{{{ x }}}}")),
        ]
    });
    vec(part, 1..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn templates_of_the_dialect_end_within_their_limits(text in template()) {
        check(&text)?;
    }

    #[test]
    fn single_expressions_end_within_their_limits(text in expression()) {
        check(&format!("{{{{ {text} }}}}"))?;
    }

    #[test]
    fn heaps_of_tokens_and_damaged_templates_are_handled(
        text in template(),
        tokens in vec(prop_oneof![select(ATOMS), select(FORMS), select(vec![
            "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", "if", "else", "endif", "for", "in", "endfor", "set", "=", "elif", "raw",
            "endraw", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":", "'", "\"", "\\", "macro", "block", "include", "\u{0}", "é",
        ])], 0..10),
        at in any::<proptest::sample::Index>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        check(&tokens.join(" "))?;
        let letters: Vec<char> = text.chars().collect();
        let (at, cut) = (at.index(letters.len() + 1), cut.index(letters.len() + 1));
        let (at, cut) = (at.min(cut), at.max(cut));
        let keep = |letters: &[char]| letters.iter().collect::<String>();
        check(&(keep(&letters[..at]) + &keep(&letters[cut..])))?;
        check(&(keep(&letters[..at]) + &tokens.concat() + &keep(&letters[at..])))?;
    }

    #[test]
    fn any_bytes_are_handled(bytes in vec(any::<u8>(), 0..60), open in select(vec!["", "{{", "{%", "{{ '", "{{ config."])) {
        let text = format!("{open}{}", String::from_utf8_lossy(&bytes));
        check(&text)?;
        check(&(text + " }}"))?;
    }

    #[test]
    fn numbers_and_words_read_as_in_python(
        text in "[ \t]{0,2}[-+]{0,2}[ ]?(0[xXoObB])?[0-9a-f_]{0,6}(\\.[0-9_]{0,4})?([eE][-+]?[0-9_]{0,4})?[ \n]{0,2}",
        jumble in "[-+0-9_.eExXoObBaf ]{0,10}",
        long in "[-+]?[0-9]{15,22}(\\.[0-9]{0,3})?(e[0-9]{1,3})?",
        word in "[ ]{0,2}-?(True|False|None|true|Tru|Nonee|inf|nan)[ \n]?",
    ) {
        for text in [text, jumble, long, word] {
            prop_assert_eq!(literal::read(&text).map(Literal::into_value), scalar(&text), "{:?}", text);
        }
    }
}

/// Python's integers by radix and its floats, as its reference manual spells them.
static NUMBERS: LazyLock<Vec<(Regex, Option<u32>)>> = LazyLock::new(|| {
    let part = "[0-9](_?[0-9])*";
    let exponent = format!("[eE][-+]?{part}");
    let float = format!("(({part})?\\.{part}|{part}\\.)({exponent})?|{part}{exponent}");
    let integers =
        [("0[xX](_?[0-9a-fA-F])+", 16), ("0[oO](_?[0-7])+", 8), ("0[bB](_?[01])+", 2), ("[1-9](_?[0-9])*|0(_?0)*", 10)];
    let integers = integers.map(|(pattern, radix)| (pattern.to_owned(), Some(radix)));
    let all = integers.into_iter().chain([(float, None)]);
    all.map(|(pattern, radix)| (Regex::new(&format!("^(?:{pattern})$")).unwrap(), radix)).collect()
});

/// What a number or a word reads as.
fn scalar(text: &str) -> Option<Value> {
    let text = text.trim_start_matches([' ', '\t']).trim_end_matches([' ', '\t', '\n']);
    match text {
        "True" => return Some(json!(true)),
        "False" => return Some(json!(false)),
        "None" => return Some(Value::Null),
        _ => {}
    }
    let negative = text.starts_with('-');
    let plain = text.strip_prefix(['-', '+']).unwrap_or(text).trim_start_matches([' ', '\t']);
    let (_, radix) = NUMBERS.iter().find(|(pattern, _)| pattern.is_match(plain))?;
    let digits = plain.replace('_', "");
    let Some(radix) = radix else {
        let number: f64 = digits.parse().unwrap();
        return serde_json::Number::from_f64(if negative { -number } else { number }).map(Value::Number);
    };
    let number = i128::from_str_radix(&digits[if *radix == 10 { 0 } else { 2 }..], *radix).ok()?;
    let number = if negative { -number } else { number };
    i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from)).ok()
}

#[test]
fn what_is_nested_does_not_double_with_every_level() {
    let chain = (0..23).fold("1".to_owned(), |inner, _| format!("0 < ({inner}) < 2"));
    for text in [format!("{{{{ {chain} }}}}"), format!("{{% if {chain} %}}a{{% endif %}}")] {
        let error = Template::parse(&text, names()).expect_err("it is too large").to_string();
        assert!(error.contains("not supported"), "{error}");
    }
}
