//! Every way a pipeline file can be wrong, and the whole message the user gets: file, line, key, and the nearest valid key.

use contract::pipeline::Pipeline;
use contract::secret::SecretSource;
use std::path::Path;

struct NoSecrets;

impl SecretSource for NoSecrets {
    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn message(text: &str) -> String {
    message_of("p.yaml", text)
}

fn message_of(name: &str, text: &str) -> String {
    Pipeline::parse(name, text, Path::new("/base"), &NoSecrets)
        .map(|_| "it is accepted".into())
        .unwrap_or_else(|problems| problems.to_string())
}

const GOOD: &str = "landing: ./l
warehouse: {type: duckdb, path: w.duckdb}
sources:
  - connector: servicetitan
    accounts:
      - id: acme
        config: {app_key: k}
    streams: [jobs]
";

#[test]
fn the_message_names_line_key_and_remedy() {
    let with = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replace(from, to)
    };
    let cases: Vec<(&str, String)> = vec![
        ("good", GOOD.into()),
        ("landing as a map", with("./l", "{path: ./l, compression: zstd}")),
        ("empty", String::new()),
        ("broken YAML", with("[jobs]", "[jobs")),
        ("a list at the top", "- a\n- b\n".into()),
        ("unknown key, near", with("accounts:", "acounts:")),
        ("unknown key, far", with("landing:", "elephant: 1\nlanding:")),
        ("unknown key in the landing map", with("./l", "{path: ./l, compresion: zstd}")),
        ("unknown compression", with("./l", "{path: ./l, compression: gzap}")),
        ("landing map without its path", with("./l", "{compression: zstd}")),
        ("landing of a wrong type", with("./l", "[1]")),
        ("unknown warehouse", with("duckdb, path", "duckbd, path")),
        ("unknown warehouse, far", with("duckdb, path", "snowflake, path")),
        ("warehouse without type", with("type: duckdb, ", "")),
        ("warehouse without its path", with(", path: w.duckdb", "")),
        ("warehouse as a word", with("{type: duckdb, path: w.duckdb}", "duckdb")),
        ("no warehouse", with("warehouse: {type: duckdb, path: w.duckdb}\n", "")),
        ("warehouse key unknown", with("path: w.duckdb", "path: w.duckdb, shema: x")),
        ("no sources", "landing: l\nwarehouse: {type: duckdb, path: w}\nsources: []\n".into()),
        ("no accounts", with("    accounts:\n      - id: acme\n        config: {app_key: k}\n", "")),
        ("no id", with("id: acme\n        config", "config")),
        ("a number as id", with("id: acme", "id: 42")),
        ("account id with ../", with("id: acme", "id: ../acme")),
        ("account twice", with("      - id: acme\n", "      - id: acme\n      - id: acme\n")),
        ("source twice", GOOD.to_owned() + "  - connector: servicetitan\n    accounts: [{id: b}]\n"),
        ("stream twice", with("[jobs]", "[jobs, {name: jobs}]")),
        ("two streams for one table", with("[jobs]", "[{name: jobs, table: work}, {name: Work}, \"a-b\", a.b]")),
        (
            "one account by two sources",
            GOOD.to_owned() + "  - {connector: servicetitan, name: two, accounts: [{id: acme}], streams: [jobs]}\n",
        ),
        (
            "one table for two connectors",
            GOOD.to_owned() + "  - {connector: gong, accounts: [{id: other}], streams: [{name: users, table: JOBS}]}\n",
        ),
        (
            "no table names",
            with("[jobs]", "[{name: jobs, table: my-jobs}, {name: b, table: 1st}, {name: c, table: _ETL_c}]"),
        ),
        (
            "the log's own table",
            with("path: w.duckdb", "path: w.duckdb, schema: Management")
                .replace("[jobs]", "[{name: jobs, table: etl_logs}]"),
        ),
        ("stream map, unknown key", with("[jobs]", "[{name: jobs, tabel: x}]")),
        (
            "stream map, wrong words",
            with("[jobs]", "[{name: jobs, mode: snapshoot, write: mergee, columns: {a: INT}}]"),
        ),
        ("stream map without a name", with("[jobs]", "[{table: x}]")),
        ("numbers out of range", with("[jobs]", "[{name: jobs, max_delete_fraction: 2, max_bad_records: -1}]")),
        ("a number as mode", with("[jobs]", "[{name: jobs, mode: 1}]")),
        ("a project for duckdb", with("config: {app_key: k}", "warehouse: {project: p}")),
        ("a misspelt account warehouse", with("config: {app_key: k}", "warehouse: {projct: p}")),
        (
            "a schema for bigquery",
            with("type: duckdb, path: w.duckdb", "type: bigquery, project: p")
                .replace("config: {app_key: k}", "warehouse: {schema: s}"),
        ),
        ("bigquery from a folder", with("type: duckdb, path: w.duckdb", "type: bigquery, project: p")),
        ("a manifest in a bucket", with("connector: servicetitan", "connector: gs://b/m.yaml")),
        ("a manifest of another scheme", with("connector: servicetitan", "connector: https://x/m.yaml")),
        ("a landing zone of another scheme", with("./l", "s3://bucket/x")),
        ("a landing zone of another scheme in a map", with("./l", "{path: GS://bucket/x}")),
        ("a warehouse of another scheme", with("w.duckdb", "motherduck://my_db")),
        ("a warehouse in a bucket", with("w.duckdb", "gs://bucket/w.duckdb")),
        ("a secret in a path that is not fetched", with("./l", "\"${secret:projects/p/secrets/s/versions/1}\"")),
        ("unknown launcher", GOOD.to_owned() + "orchestrator: {launcher: cloud}\n"),
        ("launcher map, incomplete", GOOD.to_owned() + "orchestrator: {launcher: {cloud_run: {project: p}}}\n"),
        ("concurrency out of range", GOOD.to_owned() + "concurrency: 0\n"),
        ("concurrency as text", GOOD.to_owned() + "concurrency: many\n"),
        ("config of a wrong type", with("{app_key: k}", "[k]")),
        ("a secret in a path", with("./l", "\"${env:NOWHERE}\"")),
        ("a secret file in a path", with("w.duckdb", "\"${file:none}\"")),
        ("an unknown reference", with("./l", "\"${vault:x}\"")),
        ("a reference without an end", with("./l", "\"${env:X\"")),
        ("key twice", GOOD.to_owned() + "landing: again\n"),
        ("several at once", with("landing: ./l", "landng: ./l").replace("id: acme", "id: a b").replace("[jobs]", "7")),
    ];
    let all: Vec<String> = cases.iter().map(|(name, text)| format!("## {name}\n{}\n", message(text))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn account_secrets_are_resolved_late_and_named_with_their_line() {
    let text = GOOD.replace(
        "app_key: k",
        "app_key: \"${env:ST_APP_KEY}\", client_secret: \"${secret:projects/p/secrets/s/versions/1}\"",
    );
    let pipeline = Pipeline::parse("p.yaml", &text, Path::new("/base"), &NoSecrets).unwrap();
    let problems = pipeline.resolve_config(&pipeline.sources[0], "acme", &NoSecrets).unwrap_err();
    insta::assert_snapshot!(problems);
}

#[test]
fn a_file_in_a_bucket_has_no_folder() {
    let text = GOOD.replace("connector: servicetitan", "connector: ./my/manifest.yaml").replace(
        "app_key: k",
        "app_key: \"${file:key}\", other: [\"x-${file:/run/secrets/other}\", \"${file:../up}\"]",
    );
    insta::assert_snapshot!(message_of("gs://b/p.yaml", &text));
    let good = GOOD.replace("./l", "gs://acme-data/landing").replace("w.duckdb", "/data/w.duckdb");
    assert_eq!(message_of("gs://b/p.yaml", &good), "it is accepted");
}
