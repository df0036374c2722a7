//! A `.env` beside the pipeline file feeds every reference to the environment, behind the environment itself, and is never shown.

use contract::pipeline::{Pipeline, Problems, WarehouseEntry};
use contract::secret::SecretSource;
use std::path::Path;
use tempfile::TempDir;

/// An environment with one variable.
struct Only(&'static str, &'static str);

impl SecretSource for Only {
    fn env(&self, name: &str) -> Option<String> {
        (name == self.0).then(|| self.1.to_owned())
    }

    fn file(&self, _: &Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

const NOTHING: Only = Only("", "");

const PIPELINE: &str = "landing: ${env:LANDING}
warehouse: {type: duckdb, path: '${env:FOLDER}/w.duckdb'}
sources:
  - connector: servicetitan
    accounts:
      - id: acme
        config: {app_key: '${env:APP_KEY}'}
notify: {slack_webhook: '${env:HOOK}'}
redact_salt: ${env:SALT}
";
const DOTENV: &str =
    "LANDING=./l\nFOLDER=/data\nAPP_KEY='ak1.$hush'\nHOOK=https://hooks.example/hush\nSALT=hush-salt\n";

/// A folder with a pipeline file and this `.env`.
fn folder(dotenv: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pipeline.yaml");
    std::fs::write(&file, PIPELINE).unwrap();
    std::fs::write(folder.path().join(".env"), dotenv).unwrap();
    (folder, file.display().to_string())
}

fn app_key(pipeline: &Pipeline, from: &dyn SecretSource) -> String {
    let (config, secrets) = pipeline.resolve_config(&pipeline.sources[0], "acme", from).unwrap();
    assert_eq!(secrets.len(), 1);
    config["app_key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_reference_of_the_file_finds_its_entry() {
    let (_folder, file) = folder(DOTENV);
    for pipeline in [Pipeline::read(&file, &NOTHING).unwrap(), Pipeline::open(&file, &NOTHING).await.unwrap()] {
        assert!(pipeline.landing.as_str().ends_with("/l"), "{}", pipeline.landing);
        assert!(matches!(&pipeline.warehouse, WarehouseEntry::Duckdb { path, .. } if path == "/data/w.duckdb"));
        assert_eq!(app_key(&pipeline, &NOTHING), "ak1.$hush");
        let hook = pipeline.resolve_slack_webhook(&NOTHING).unwrap().unwrap();
        assert_eq!(hook.expose(), "https://hooks.example/hush");
        assert_eq!(pipeline.resolve_redact_salt(&NOTHING).unwrap().unwrap().expose(), "hush-salt");
        assert!(!format!("{pipeline:?}").contains("hush"), "{pipeline:?}");
    }
}

#[test]
fn the_environment_wins_unless_it_is_empty() {
    let (_folder, file) = folder(DOTENV);
    let pipeline = Pipeline::read(&file, &NOTHING).unwrap();
    assert_eq!(app_key(&pipeline, &Only("APP_KEY", "from the environment")), "from the environment");
    assert_eq!(app_key(&pipeline, &Only("APP_KEY", "")), "ak1.$hush");
}

#[test]
fn what_neither_has_is_named_with_both_places() {
    let (folder, file) = folder(&DOTENV.replace("APP_KEY", "APPKEY").replace("LANDING", "LADING"));
    let problems = Pipeline::read(&file, &NOTHING).unwrap_err();
    let place = folder.path().join(".env").display().to_string();
    let expected = format!("the environment variable LANDING is not set, and {place} has no LANDING");
    assert_eq!((problems.list[0].line, problems.list[0].message.as_str()), (1, expected.as_str()));
    let pipeline = Pipeline::read(&file, &Only("LANDING", "./l")).unwrap();
    let problems = pipeline.resolve_config(&pipeline.sources[0], "acme", &NOTHING).unwrap_err().to_string();
    assert!(problems.contains(&format!("{place} has no APP_KEY")), "{problems}");
    assert!(!problems.contains("hush"), "{problems}");
}

#[test]
fn one_that_cannot_be_read_is_told_where_it_is_needed_and_shows_none_of_it() {
    let (folder, file) = folder("LANDING=./l\nhush hush\n");
    let place = folder.path().join(".env").display().to_string();
    let told = |problems: &Problems, line: usize, name: &str| {
        let text = problems.to_string();
        assert_eq!((problems.file.as_str(), problems.list[0].line), (file.as_str(), line), "{text}");
        assert!(text.contains(&format!("the environment variable {name} is not set, and ")), "{text}");
        assert!(text.contains(&format!("{place}:2: what follows the entry LANDING cannot be read")), "{text}");
        assert!(!format!("{text} {problems:?}").contains("hush"), "{text}");
    };
    told(&Pipeline::read(&file, &NOTHING).unwrap_err(), 1, "LANDING");

    // Where the environment has what the file refers to, nothing else is asked of `.env`.
    std::fs::write(&file, PIPELINE.replace("${env:FOLDER}", "/data")).unwrap();
    let landing = Only("LANDING", "./from-the-environment");
    let pipeline = Pipeline::read(&file, &landing).unwrap();
    assert!(pipeline.landing.as_str().ends_with("from-the-environment"), "{}", pipeline.landing);
    assert_eq!(app_key(&pipeline, &Only("APP_KEY", "k")), "k");
    assert!(!format!("{pipeline:?}").contains("hush"), "{pipeline:?}");
    told(&pipeline.resolve_config(&pipeline.sources[0], "acme", &landing).unwrap_err(), 7, "APP_KEY");
    told(&pipeline.resolve_slack_webhook(&NOTHING).unwrap_err(), 8, "HOOK");
}

#[test]
fn a_file_in_a_bucket_has_none() {
    let (folder, _) = folder("APP_KEY=k\nthis is no entry\n");
    let text = PIPELINE.replace("${env:LANDING}", "gs://b/l").replace("${env:FOLDER}", "/data");
    let pipeline = Pipeline::parse("gs://b/p.yaml", &text, folder.path(), &NOTHING).unwrap();
    let problems = pipeline.resolve_config(&pipeline.sources[0], "acme", &NOTHING).unwrap_err().to_string();
    assert!(
        problems.contains("the environment variable APP_KEY is not set") && !problems.contains(".env"),
        "{problems}"
    );
}
