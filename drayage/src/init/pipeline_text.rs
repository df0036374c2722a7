//! The text of the pipeline file: short, with comments that show what else can be said.

use super::streams::{how, tables};
use super::yaml::{comment, entry, text};
use extract_job::StreamDescription;
use serde_json::{Value, json};

/// The schema's file beside it.
pub(crate) const SCHEMA: &str = "pipeline.schema.json";

/// What the file says.
#[derive(Debug)]
pub(crate) struct PipelineText<'a> {
    pub(crate) landing: &'a str,
    pub(crate) warehouse: &'a str,
    pub(crate) connector: &'a str,
    /// The source's name, where it is not the connector's.
    pub(crate) source: Option<&'a str>,
    pub(crate) account: &'a str,
    /// The account's settings, without secrets.
    pub(crate) settings: &'a Value,
    /// Keys of settings that could be set as well.
    pub(crate) unset: Vec<String>,
    pub(crate) streams: &'a [StreamDescription],
}

impl PipelineText<'_> {
    /// The whole file.
    pub(crate) fn render(&self) -> String {
        let mut out = format!(
            "# yaml-language-server: $schema=./{SCHEMA}\n\
             # Written by `drayage init`; from here on it is yours. The line above lets your editor complete and check it.\n\
             # Paths start at this file. A secret is a reference: ${{env:NAME}}, which may stand in .env, or ${{file:PATH}}.\n\n"
        );
        out.push_str("# Where the raw records lie: a folder, or gs://bucket/prefix.\n");
        entry(&mut out, 0, "landing", &json!(self.landing));
        out.push_str("\n# A DuckDB file. For BigQuery: {type: bigquery, project: …, dataset: bronze}, and a landing zone in a bucket.\n");
        entry(&mut out, 0, "warehouse", &json!({"type": "duckdb", "path": self.warehouse}));
        out.push_str(&format!("\nsources:\n  - connector: {}\n", text(self.connector)));
        if let Some(source) = self.source {
            entry(&mut out, 4, "name", &json!(source));
        }
        out.push_str("    # One entry for each account, each with its own credentials.\n    accounts:\n");
        out.push_str(&format!("      - id: {}\n", text(self.account)));
        entry(&mut out, 8, "config", self.settings);
        if !self.unset.is_empty() {
            out.push_str(&format!("          # Not set: {}\n", comment(&self.unset.join(", "))));
        }
        out.push_str(
            "    # Without this list all streams are read. An entry can be a mapping: {name: jobs, table: st_jobs, redact: {email: hash}}.\n    \
             streams:\n",
        );
        let tables = tables(self.streams);
        let entry = |(stream, table): (&StreamDescription, &String)| match text(&stream.name) {
            name if stream.name == *table => name,
            name => format!("{{name: {name}, table: {}}}", text(table)),
        };
        let entries: Vec<String> = self.streams.iter().zip(&tables).map(entry).collect();
        let width = entries.iter().map(String::len).max().unwrap_or_default();
        for (entry, stream) in entries.iter().zip(self.streams) {
            out.push_str(&format!("      - {entry:width$}  # {}\n", comment(&how(stream))));
        }
        out.push_str(
            "\n# Other keys: concurrency, notify (Slack), redact_salt (personal data), orchestrator (Cloud Run).\n",
        );
        out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use contract::pipeline::{Pipeline, StreamMode};
    use contract::secret::Machine;
    use std::path::Path;

    #[test]
    fn the_file_is_a_pipeline_whatever_it_holds() {
        let stream = |name: &str, key: &str| StreamDescription {
            name: name.into(),
            mode: StreamMode::Snapshot,
            primary_key: vec![key.into()],
        };
        for (connector, account, value, landing) in [
            ("servicetitan", "acme-hvac", "plain", "./data/landing"),
            ("./my manifests/#1: \"x\".yaml", "true", "a: b # c\n- d", "./with space"),
            ("/abs/m.yml", "00501", "'\"\\\u{85}", "gs://bucket/prefix"),
            ("m.yaml", "1e3", "~", "./~"),
        ] {
            let settings = json!({"x": value, "empty": "", "deep": {"y": [value]}});
            let streams = [stream("jobs", "id"), stream("null", "a\nb"), stream("123", ""), stream("a-b", "id")];
            let file = PipelineText {
                landing,
                warehouse: "./w #1.duckdb",
                connector,
                source: Some("source"),
                account,
                settings: &settings,
                unset: vec!["a\nb: c".into(), "d".into()],
                streams: &streams,
            };
            let rendered = file.render();
            let folder = Path::new("/no-such-folder");
            let pipeline = Pipeline::parse("p.yaml", &rendered, folder, &Machine)
                .unwrap_or_else(|problems| panic!("{problems}\n{rendered}"));
            let source = &pipeline.sources[0];
            assert_eq!((source.connector.as_str(), source.accounts[0].id.as_str()), (connector, account));
            assert_eq!(Value::Object(source.accounts[0].config.clone()), settings, "{rendered}");
            let names: Vec<&str> = source.streams.iter().flatten().map(|stream| stream.name.as_str()).collect();
            assert_eq!(names, ["jobs", "null", "123", "a-b"]);
            let tables: Vec<_> = source.streams.iter().flatten().map(|stream| stream.table.as_deref()).collect();
            assert_eq!(tables, [None, None, Some("_123"), Some("a_b")]);
            assert!(pipeline.landing.as_str().ends_with(landing), "{}", pipeline.landing);
        }
    }

    #[test]
    fn without_settings_it_is_a_pipeline_too() {
        let stream = StreamDescription { name: "s".into(), mode: StreamMode::Append, primary_key: vec![] };
        let file = PipelineText {
            landing: "./l",
            warehouse: "./w",
            connector: "m.yaml",
            source: None,
            account: "a",
            settings: &json!({}),
            unset: vec![],
            streams: &[stream],
        };
        let rendered = file.render();
        assert!(rendered.contains("- s  # append, without a key\n"), "{rendered}");
        Pipeline::parse("p.yaml", &rendered, Path::new("/none"), &Machine).unwrap();
    }
}
