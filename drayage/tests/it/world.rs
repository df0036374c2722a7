//! A stand-in of ServiceTitan with secrets that are hard to quote, an empty folder, and the program in it.

pub(crate) use sandbox::process::Ended;

use flate2::read::MultiGzDecoder;
use sandbox::servicetitan::{self, Options, ServiceTitan, Tenant};
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub(crate) const TENANT: &str = "900100";
pub(crate) const CLIENT_ID: &str = "cid.acme";
pub(crate) const SECRET: &str = "cs1.$HOME it's \"Gq7\" \\n #z=${x}";
pub(crate) const APP_KEY: &str = "ak1.4f0c9d $Zt4";

pub(crate) struct World {
    pub(crate) api: ServiceTitan,
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let tenant = Tenant { id: TENANT.into(), client_id: CLIENT_ID.into(), client_secret: SECRET.into() };
        let options = Options {
            records: 60,
            tenants: vec![tenant],
            app_key: APP_KEY.into(),
            requests_per_second: None,
            ..Options::default()
        };
        let api = futures::executor::block_on(servicetitan::start(options)).unwrap();
        Self { api, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The permissions of a file.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().mode() & 0o777
    }

    /// The names of what lies in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A program in this folder, without a terminal and without settings of the caller's.
    pub(crate) fn program(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        clean(&mut command);
        command.args(arguments).current_dir(self.folder());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn drayage(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.program(env!("CARGO_BIN_EXE_drayage"), arguments).output().unwrap())
    }

    /// `drayage init` with all that the stand-in needs.
    pub(crate) fn init(&self, more: &[&str]) -> Ended {
        let settings = self.settings();
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        self.drayage(&[&["init", "servicetitan", "--account", "acme-hvac"], &settings[..], more].concat())
    }

    /// The flags that set the connector up.
    pub(crate) fn settings(&self) -> Vec<String> {
        let url = self.api.url();
        let settings = [
            ("tenant_id", TENANT),
            ("client_id", CLIENT_ID),
            ("client_secret", SECRET),
            ("app_key", APP_KEY),
            ("api_url", &url),
            ("auth_url", &url),
        ];
        settings.iter().flat_map(|(key, value)| ["--set".to_owned(), format!("{key}={value}")]).collect()
    }

    /// How many live rows a table of the warehouse has.
    pub(crate) fn rows(&self, warehouse: &str, table: &str) -> usize {
        let connection = duckdb::Connection::open(self.path(warehouse)).unwrap();
        let query = format!("SELECT count(*) FROM bronze.{table} WHERE _etl_operation <> 'DELETE'");
        let count: i64 = connection.query_row(&query, [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    /// How many records the stand-in has.
    pub(crate) fn records(&self, stream: &str) -> usize {
        self.api.truth(TENANT, stream).len()
    }

    /// Looks for the secrets in what was said and in every file but `.env`, batches unpacked.
    #[track_caller]
    pub(crate) fn assert_secrets_only_in_dotenv(&self, said: &[&str]) {
        let encoded = |secret: &str| serde_json::to_string(secret).unwrap().trim_matches('"').to_owned();
        let forbidden = [SECRET.to_owned(), APP_KEY.to_owned(), encoded(SECRET), "Gq7".into(), "4f0c9d".into()];
        let look = |place: &str, text: &str| {
            for secret in &forbidden {
                assert!(!text.contains(secret), "{place} holds {secret}:\n{text}");
            }
        };
        said.iter().for_each(|text| look("the output", text));
        let mut looked_at = 0;
        for file in files(self.folder()) {
            if file == self.path(".env") {
                continue;
            }
            let mut bytes = fs::read(&file).unwrap();
            if file.extension().is_some_and(|extension| extension == "gz") {
                let mut text = Vec::new();
                MultiGzDecoder::new(&bytes[..]).read_to_end(&mut text).unwrap();
                bytes = text;
            }
            look(&file.display().to_string(), &String::from_utf8_lossy(&bytes));
            looked_at += 1;
        }
        assert!(looked_at > 0);
    }
}

/// Takes the caller's settings out of a command's environment, and the account's secrets.
pub(crate) fn clean(command: &mut Command) {
    sandbox::process::clean(command, &["ACME_HVAC_"]);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
