//! Tests of templates as a whole: typing, names, functions, filters, limits.
//! They go through the public surface only.

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn names() -> Names {
    Names::REQUEST | Names::PAGINATION | Names::RECORD
}

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T16:11:33.485185Z").unwrap().to_utc()
}

fn context() -> Context {
    Context::new(now())
        .with(
            Names::CONFIG,
            json!({
                "tenant": "1234", "n": 5, "zero": 0, "flag": true, "none": null, "list": [3, 1, 2], "obj": {"a": {"b": 1}},
                "empty": "", "start": "2026-01-31", "quoted": "'x'", "pi": 3.5, "big": 9007199254740993_i64, "text": "No data"
            }),
        )
        .with(Names::PARAMETERS, json!({"path": "/jobs"}))
        .with(Names::STREAM_SLICE, json!({"start_time": "2026-01-01T00:00:00Z"}))
        .with(Names::RESPONSE, json!({"hasMore": false, "continueFrom": "007abc", "totalCount": 12, "data": [{"id": 1}]}))
        .with(Names::LAST_PAGE_SIZE, 3)
        .with(Names::RECORD, Shared::from(json!({"id": 7, "tags": ["x", "y"], "name": "Ann"})))
}

fn parse(text: &str) -> Template {
    Template::parse(text, names()).unwrap_or_else(|error| panic!("{error}"))
}

fn value(text: &str) -> Value {
    parse(text).value(&context()).unwrap_or_else(|error| panic!("{error}"))
}

fn is_undefined(error: &TemplateError) -> bool {
    error.to_string().ends_with("uses a value that is not defined")
}

fn check_values(cases: &[(&str, Value)]) {
    for (text, expected) in cases {
        assert_eq!(&value(text), expected, "{text}");
    }
}

#[test]
fn results_are_typed_as_python_literals() {
    check_values(&[
        ("plain", json!("plain")),
        ("12", json!(12)),
        ("True", json!(true)),
        ("true", json!("true")),
        ("", json!("")),
        ("{{ config.n }}", json!(5)),
        ("{{ config['tenant'] }}", json!(1234)),
        ("{{ config.flag }}", json!(true)),
        ("{{ config.none }}", json!(null)),
        ("{{ config.list }}", json!([3, 1, 2])),
        ("x{{ config.list }}", json!("x[3, 1, 2]")),
        (" {{ config.obj }}", json!({"a": {"b": 1}})),
        ("{{ config.big }}", json!(9007199254740993_i64)),
        ("{{ config.quoted }}", json!("x")),
        ("{{ config.missing }}", json!("")),
        ("{{ config.n }}{{ config.n }}", json!(55)),
        ("{{ response.continueFrom }}", json!("007abc")),
        ("{{ '{\"a\": true}' }}", json!("{\"a\": true}")),
        ("{{ config.n }}\n", json!(5)),
        ("{{ (1, 2) }}x", json!("(1, 2)x")),
        ("{# note #}a", json!("a")),
        ("{{ 123456789012345678901 }}", json!("123456789012345678901")),
        ("{{ next_page_token }}", json!(null)),
        ("{{ next_page_token['next_page_token'] }}", json!("")),
        ("{{ stream_interval.start_time }}", json!("2026-01-01T00:00:00Z")),
    ]);
    let undefined = parse("{{ config.a.b }}").value(&context()).unwrap_err();
    assert!(is_undefined(&undefined));
    assert_eq!(undefined.to_string(), "the template `{{ config.a.b }}` uses a value that is not defined");
}

#[test]
fn operators_follow_python() {
    check_values(&[
        ("{{ config.missing or 'x' }}", json!("x")),
        ("{{ config.n and config.pi }}", json!(3.5)),
        ("{{ 7 // 2 }} {{ 7 % 4 }} {{ 7 / 2 }} {{ 2 ** 3 }}", json!("3 3 3.5 8")),
        ("{{ 1 + 2 - 3 * 4 }}", json!(-9)),
        ("{{ (1 + 2) * 3 }}", json!(9)),
        ("{{ 'a' ~ 1 ~ true ~ none ~ 1.0 ~ config.missing }}", json!("a1TrueNone1.0")),
        ("{{ 'ab' * 2 + 'c' }}", json!("ababc")),
        ("{{ [1] + [2] }}", json!([1, 2])),
        ("{{ 2 in config.list and 9 not in config.list }}", json!(true)),
        ("{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }}", json!("True False")),
        ("{{ 'yes' if config.flag else 'no' }}", json!("yes")),
        ("{{ 'x' if config.empty }}", json!("")),
        (
            "{{ config.list[0] }} {{ config.list[1:] }} {{ config.start[:4] }} {{ config.list[-1] }}",
            json!("3 [1, 2] 2026 2"),
        ),
        (
            "{{ config.empty[::-1] }}{{ config.start[::-1] }} {{ config.list[2:0:-1] }} {{ (1, 2)[:1] }} {{ 'é😀'[1:9] }}",
            json!("13-10-6202 [2, 1] (1,) 😀"),
        ),
        ("{{ not config.flag }}", json!(false)),
        ("{{ -config.n }}", json!(-5)),
        ("{{ {'a': config.n, 'b': [none, true]} }}", json!({"a": 5, "b": [null, true]})),
        ("{{ (1,) }}", json!([1])),
        ("{{ 1e3 }}", json!(1000.0)),
        ("{{ \"a\\\"b\\n\" }}!", json!("a\"b\n!")),
        ("{{ config.n is defined and config.x is not defined and config.none is none }}", json!(true)),
        ("{{ 4 is divisibleby 2 }} {{ 4.5 is divisibleby 2 }} {{ 'a' is divisibleby 2 }}", json!("True False False")),
    ]);
    for text in [
        "{{ config.x + 1 }}",
        "{{ config.x < 1 }}",
        "{{ config.x / 2 }}",
        "{{ config.none.get('a') }}",
        "{{ config.n.strip() }}",
        "{{ now_utc().get('a') }}",
        "{{ config.x[1:] }}",
        "{{ config.x.strip() }}",
    ] {
        assert!(is_undefined(&parse(text).value(&context()).unwrap_err()), "{text}");
    }
    for text in
        ["{{ 'a' + 1 }}", "{{ 'a' < 1 }}", "{{ 1 // 0 }}", "{{ 1 is divisibleby 0 }}", "{{ 1.5 is divisibleby false }}"]
    {
        assert!(!is_undefined(&parse(text).value(&context()).unwrap_err()), "{text}");
    }
}

#[test]
fn time_functions_follow_python() {
    check_values(&[
        ("{{ now_utc() }}", json!("2026-11-20 16:11:33.485185+00:00")),
        ("{{ today_utc() }}", json!("2026-11-20")),
        (
            "{{ duration('PT1H') }} {{ duration('P1DT1S') }} {{ duration('P1Y2M') }}",
            json!("1:00:00 1 day, 0:00:01 1 years, 2 months, 0:00:00"),
        ),
        ("{{ now_utc() - duration('P1D') }}", json!("2026-11-19 16:11:33.485185+00:00")),
        ("{{ (now_utc() - duration('P1M')).strftime('%Y-%m-%dT%H:%M:%SZ') }}", json!("2026-10-20T16:11:33Z")),
        ("{{ (today_utc() - duration('P1D')).strftime('%Y/%m/%d') }}", json!("2026/11/19")),
        ("{{ day_delta(-1) }}", json!("2026-11-19T16:11:33.485185+0000")),
        ("{{ day_delta(1, format='%Y-%m-%d') }} {{ day_delta(0, '%d') }}", json!("2026-11-21 20")),
        ("{{ format_datetime(config.start, '%d.%m.%Y') }}", json!("31.01.2026")),
        ("{{ format_datetime('2026-01-01T00:00:00+02:00', '%Y-%m-%dT%H:%M:%SZ') }}", json!("2025-12-31T22:00:00Z")),
        ("{{ format_datetime('01/02/2026', '%s', '%d/%m/%Y') }}", json!(1769904000)),
        ("{{ format_datetime(0, '%Y', input_format='%s') }} {{ format_datetime(0, '%ms') }}", json!("1970 0")),
        ("{{ format_datetime(now_utc(), '%Y') }}", json!(2026)),
        ("{{ timestamp('2024-01-01T00:00:00Z') }} {{ timestamp(1.9) }}", json!("1704067200.0 1")),
        ("{{ str_to_datetime('2026-01-01') }}", json!("2026-01-01 00:00:00+00:00")),
        ("{{ str_to_datetime('2026-01-02') > str_to_datetime('2026-01-01') }}", json!(true)),
        ("{{ (str_to_datetime('2026-01-02') - str_to_datetime('2026-01-01')).days }}", json!(1)),
        ("{{ now_utc().year }}-{{ now_utc().isoformat() }}", json!("2026-2026-11-20T16:11:33.485185+00:00")),
        ("{{ now_utc().date() }} {{ now_utc().timestamp() }}", json!("2026-11-20 1795191093.485185")),
        ("{{ max(1, 3, 2) }} {{ min(config.list) }} {{ max(config.start, '2025') }}", json!("3 1 2026-01-31")),
        ("{{ today_with_timezone('Pacific/Auckland') }}", json!("2026-11-21")),
        ("{{ sanitize_url('a b/ü') }}", json!("a+b%2F%C3%BC")),
        ("{{ camel_case_to_snake_case('jobTypeId') }}", json!("job_type_id")),
        ("{{ generate_uuid() | length }}", json!(36)),
    ]);
}

#[test]
fn filters_and_methods_follow_python() {
    check_values(&[
        (
            "{{ '42' | int + 1 }} {{ 'x' | int }} {{ '4.9' | int }} {{ none | int(7) }} {{ 'ff' | int(0, 16) }}",
            json!("43 0 4 7 255"),
        ),
        ("{{ '1.5' | float }} {{ 'x' | float }}", json!("1.5 0.0")),
        ("{{ config.list | string }}", json!("[3, 1, 2]")),
        ("{{ config.n | string }}", json!("5")),
        ("{{ config.list | string }}{{ 'é' | string }}", json!("\"\"\"[3, 1, 2]\"\"\"é")),
        ("{{ {'a': ['é', none]} | string }}!", json!("\"\"\"{\"a\": [\"\\u00e9\", null]}\"\"\"!")),
        ("{{ config.list | length }} {{ 'é' | length }} {{ config.x | length }}", json!("3 1 0")),
        ("{{ config.x | default('d') }} {{ config.empty | default('e', true) }} {{ config.x | d }}", json!("d e ")),
        ("{{ config.list | join(',') }}", json!([3, 1, 2])),
        ("{{ response.data | join('-', attribute='id') }}", json!(1)),
        (
            "{{ config.list | first }} {{ config.list | last }} {{ config.list | sort | list }} {{ config.list | max }}",
            json!("3 2 [1, 2, 3] 3"),
        ),
        ("{{ response.data | map(attribute='id') | list }} {{ [1, 1] | unique | list }}", json!("[1] [1]")),
        ("{{ response.data | selectattr('id', 'equalto', 1) | list | length }}", json!(1)),
        (
            "{{ 'aB' | lower }} {{ 'aB' | upper }} {{ 'aBc' | replace('B', '-') }} {{ ' a ' | trim }}",
            json!("ab AB a-c a"),
        ),
        ("{{ 'a b/c' | urlencode }} {{ {'a b': 'c/d'} | urlencode }}", json!("a%20b/c a+b=c%2Fd")),
        ("{{ {'b': 1, 'a': \"<'\"} | tojson }}!", json!("{\"a\": \"\\u003c\\u0027\", \"b\": 1}!")),
        ("{{ 2.71828 | round(1) }}", json!(2.7)),
        (
            "{{ 'a' | hash }} {{ 'a' | hash('sha1') }}",
            json!("0cc175b9c0f1b6a831c399e269772661 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ),
        ("{{ 'a' | hash('md5', 'b') == 'ab' | hash }}", json!(true)),
        ("{{ 'a' | hmac('k', 'sha256') | length }}", json!(64)),
        ("{{ 'hé' | base64encode }} {{ 'aMOp' | base64decode }}", json!("aMOp hé")),
        ("{{ 'page=12&x' | regex_search('page=([0-9]+)') }}", json!(12)),
        ("{{ 'x' | regex_search('(a)') }}|{{ 'a1b2' | regex_replace('([0-9])', '<\\\\1>') }}", json!("|a<1>b<2>")),
        ("{{ config.get('x', 'd') }} {{ config.get('n') }} {{ config.get('x') }}", json!("d 5 None")),
        (
            "{{ 'a,b'.split(',') }} {{ '-'.join(['a', '1'|string]) }} {{ 'aXb'.replace('X', '') }}",
            json!("['a', 'b'] a-1 ab"),
        ),
        (
            "{{ ' a '.strip() }} {{ 'Ab'.lower() }} {{ 'ab'.startswith('a') }} {{ '{}-{}'.format(1, 'b') }}",
            json!("a ab True 1-b"),
        ),
        ("{{ config.obj.keys() | list }} {{ config.obj.items() | list }}", json!("['a'] [('a', {'b': 1})]")),
        ("{{ (config.start|lower).split('-')[0] }} {{ config.x|first }}{{ config.obj|last }}", json!("2026 a")),
        ("{{ config.flag is true }} {{ config.text is string }} {{ config.obj is mapping }}", json!("True True True")),
    ]);
}

#[test]
fn statements_work() {
    check_values(&[
        ("{% if config.n > 3 %}big{% else %}small{% endif %}", json!("big")),
        ("{% if config.n > 9 %}a{% elif config.n > 4 %}b{% endif %}", json!("b")),
        ("{% set x = config.n * 2 %}{{ x }}", json!(10)),
        ("{% for t in record.tags %}{{ t }}{% if not loop.last %},{% endif %}{% endfor %}", json!("x,y")),
        ("{% for k, v in config.obj.items() %}{{ k }}={{ v }}{% else %}none{% endfor %}", json!("a={'b': 1}")),
        ("{% for i in config.list if i > 1 %}{{ i }}{% endfor %}", json!(32)),
        ("a {%- if true -%} b {%- endif %}\n", json!("ab")),
    ]);
}

#[test]
fn texts_are_not_read_as_literals() {
    for (text, expected) in [
        ("{{ parameters.path }}/{{ config.tenant }}", "/jobs/1234"),
        ("{{ '1e5' }}", "1e5"),
        ("{{ config.none }}", "None"),
        ("{{ config.missing }}", ""),
        ("0x10", "0x10"),
    ] {
        assert_eq!(parse(text).text(&context()).unwrap(), expected, "{text}");
    }
    assert!(is_undefined(&parse("a{{ config.a.b }}").text(&context()).unwrap_err()));
}

#[test]
fn conditions_follow_python() {
    let cases = [
        ("{{ not response.hasMore }}", true),
        ("{{ response.hasMore }}", false),
        ("{{ response.data }}", true),
        ("{{ config.a.b.c }}", false),
        ("{{ config.missing }}", false),
        ("{{ config.none }}", false),
        ("{{ config.zero }}", false),
        ("{{ [] }}", false),
        ("{{ 'no' }}", true),
        ("no", true),
        ("false", false),
        ("False", false),
        ("0.0", false),
        ("()", false),
        ("'0'", false),
        ("{}", false),
        ("", false),
        ("{{ last_page_size < 5 }}", true),
        ("{{ 'No data' in config.text }}", true),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).condition(&context()).unwrap(), expected, "{text}");
    }
    assert!(parse("{{ 'a' < 1 }}").condition(&context()).is_err());
}

#[test]
fn options_and_parameters_drop_what_is_empty() {
    for (text, option, parameter) in [
        ("{{ config.n }}", Some(json!(5)), Some(vec!["5"])),
        ("5", Some(json!(5)), Some(vec!["5"])),
        ("{{ config.flag }}", Some(json!(true)), Some(vec!["True"])),
        ("{{ config.none }}", None, Some(vec!["None"])),
        ("{{ config.empty }}", None, None),
        ("{{ config.missing }}", None, None),
        ("{{ config.a.b }}", None, None),
        ("{{ config.list }}", Some(json!([3, 1, 2])), Some(vec!["3", "1", "2"])),
        ("1,2", Some(json!([1, 2])), Some(vec!["1,2"])),
        ("{{ ['a', none, true] }}", Some(json!(["a", null, true])), Some(vec!["a", "True"])),
        ("'q'", Some(json!("q")), Some(vec!["q"])),
        ("{{ config.obj }}", Some(json!({"a": {"b": 1}})), Some(vec!["{'a': {'b': 1}}"])),
        ("+Id", Some(json!("+Id")), Some(vec!["+Id"])),
    ] {
        assert_eq!(parse(text).option(&context()).unwrap(), option, "{text}");
        let expected = parameter.map(|items| items.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parse(text).parameter(&context()).unwrap(), expected, "{text}");
    }
}

#[test]
fn headers_are_text_letter_by_letter() {
    for (text, expected) in [
        ("{{ '1e5' }}", Some("1e5")),
        ("1_000", Some("1_000")),
        ("{{ config.flag }}", Some("True")),
        ("{{ config.none }}", None),
        ("{{ config.empty }}", None),
        ("{{ config.a.b }}", None),
    ] {
        assert_eq!(parse(text).header(&context()).unwrap().as_deref(), expected, "{text}");
    }
}

#[test]
fn wrong_templates_are_refused_when_they_are_loaded() {
    for (text, allowed, part) in [
        ("{{ confg.a }}", Names::ANYWHERE, "uses the unknown name `confg` (did you mean `config`?)"),
        (
            "{{ record.id }}",
            Names::REQUEST,
            "uses `record`, which is not available here (available: config, parameters, stream_slice,",
        ),
        ("{{ now_ut() }}", Names::ANYWHERE, "unknown function `now_ut` (did you mean `now_utc`?)"),
        ("{{ config.a | intt }}", Names::ANYWHERE, "unknown filter `intt` (did you mean `int`?)"),
        ("{{ config.a is definedd }}", Names::ANYWHERE, "unknown test `definedd` (did you mean `defined`?)"),
        ("{{ config.a.strp() }}", Names::ANYWHERE, "unknown method `strp` (did you mean `strip`?)"),
        ("{{ range(3) }}", Names::ANYWHERE, "unknown function `range`"),
        ("{{ now_utc }}", Names::ANYWHERE, "the function `now_utc` without a call"),
        ("{{ stream_state.x }}", Names::ANYWHERE, "`stream_state`"),
        ("{{ options.x }}", Names::ANYWHERE, "unknown name `options`"),
        ("{{ config.a", Names::ANYWHERE, "is not valid"),
        ("{% if %}", Names::ANYWHERE, "is not valid"),
        ("{% if true %}", Names::ANYWHERE, "is not valid"),
        ("{% include 'x' %}", Names::ANYWHERE, ""),
        ("{% macro m() %}{% endmacro %}", Names::ANYWHERE, ""),
        ("{% set a %}x{% endset %}", Names::ANYWHERE, "a statement other than if, for and set"),
        ("{% set __now = 1 %}", Names::ANYWHERE, "unknown name `__now`"),
        ("{{ __now }}", Names::ANYWHERE, "unknown name `__now`"),
        ("{{ __add(1, 2) }}", Names::ANYWHERE, "unknown function `__add`"),
    ] {
        let error = Template::parse(text, allowed).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
        assert!(error.starts_with("the template `"), "{error}");
    }
}

#[test]
fn settings_that_a_template_reads_can_be_listed() {
    let template = parse("{{ config.tenant }}{{ config['n'] + config.get('x', 1) }}{{ parameters.path }}");
    assert_eq!(template.keys_of("config").collect::<Vec<_>>(), ["n", "tenant"]);
    assert_eq!(template.keys_of("parameters").collect::<Vec<_>>(), ["path"]);
}

#[test]
fn hostile_templates_end_with_an_error() {
    let loops = "{% for a in config.list %}".repeat(20) + "x" + &"{% endfor %}".repeat(20);
    let doubling = "{% set a = 'xxxxxxxxxxxxxxxx' %}".to_owned() + &"{% set a = a ~ a %}".repeat(40) + "{{ a }}";
    let lists = "{% set a = [1] %}".to_owned() + &"{% set a = [a, a] %}".repeat(60) + "{{ a }}";
    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(2000), ")".repeat(2000));
    let chain = format!("{{{{ 1{} }}}}", " - 1".repeat(3000));
    let filters = format!("{{{{ 1{} }}}}", "|int".repeat(3000));
    let dots = format!("{{{{ config{} }}}}", ".a".repeat(3000));
    let ifs = "{% if 1 %}".repeat(1000) + &"{% endif %}".repeat(1000);
    for text in [
        loops.as_str(),
        &doubling,
        &lists,
        &nested,
        &chain,
        &filters,
        &dots,
        &ifs,
        "{{ 'x' * 100000000 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ 10 ** 1000 }}",
        "{{ 'a' | replace('', 'b' * 1000000) }}",
        &"x{{ 1 }}".repeat(10_000),
    ] {
        let shown = &text[..text.len().min(60)];
        if let Ok(template) = Template::parse(text, names()) {
            template.value(&context()).expect_err(shown);
        }
    }
    let flat = format!("{{{{ {} }}}}", vec!["'a'"; 500].join(" ~ "));
    assert_eq!(value(&flat), json!("a".repeat(500)));
}

proptest! {
    #[test]
    fn any_text_is_handled_without_panic(text in "\\PC*") {
        if let Ok(template) = Template::parse(&text, names()) {
            let _ = template.value(&context());
        }
    }

    #[test]
    fn texts_close_to_templates_are_handled_without_panic(
        text in "(\\{\\{ ?(config|record|now_utc\\(\\)|duration\\('P1D'\\)|1|'a'|\\[1,2\\])(\\.a|\\.get\\('n'\\)|\\[0\\]|\\[1:\\]|\\|int|\\|string| [-+*/~<%] 2| or 'x'| if 1 else 2| in 'a'| is none){0,3} ?\\}\\}|a|\\{% if 1 %\\}x\\{% endif %\\}){0,4}"
    ) {
        if let Ok(template) = Template::parse(&text, names()) {
            let _ = template.value(&context());
            let _ = template.condition(&context());
            let _ = template.parameter(&context());
        }
    }
}
