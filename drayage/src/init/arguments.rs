//! What `drayage init` can be told on its command line.

use clap::Args;
use clap::builder::FalseyValueParser;
use contract::name_list::NameList;
use contract::secret::Secret;
use std::convert::Infallible;

/// The pipeline file, unless another one is named.
const PIPELINE: &str = "pipeline.yaml";
/// The landing zone, unless another one is named.
pub(crate) const LANDING: &str = "./data/landing";
/// The DuckDB file, unless another one is named.
pub(crate) const WAREHOUSE: &str = "./data/warehouse.duckdb";

/// What `init` can be told.
#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// A built-in connector's name, or the path of a manifest of your own
    #[arg(env = "DRAYAGE_CONNECTOR")]
    pub(crate) connector: Option<String>,
    /// A short name for the account whose data this is: letters, digits, `_`, `-` and `.`
    #[arg(long, env = "DRAYAGE_ACCOUNT", value_name = "ID")]
    pub(crate) account: Option<String>,
    /// A setting of the connector; may be repeated. Lists and mappings are JSON, and `a.b=VALUE` sets `b` in `a`
    ///
    /// Other people on this machine can see a secret in the list of processes. Give it as a reference instead: `${env:NAME}`,
    /// `${file:PATH}` or `${secret:NAME}`. A reference goes into the pipeline file as it is; any other secret goes into `.env`, and so
    /// does the text of a key that the connector does not describe: it may be a secret.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = unseen)]
    pub(crate) settings: Vec<Secret>,
    /// A stream to read; may be repeated, or separated by commas. A comma within its name is written `\,`
    #[arg(long = "stream", env = "DRAYAGE_STREAM", value_name = "NAME")]
    pub(crate) streams: Vec<NameList>,
    /// The pipeline file to write; one that is there is never touched
    #[arg(long, env = "DRAYAGE_PIPELINE", value_name = "FILE", default_value = PIPELINE)]
    pub(crate) pipeline: String,
    /// The landing zone: a folder, relative to the pipeline file, or gs://bucket/prefix
    #[arg(long, env = "DRAYAGE_LANDING", value_name = "PATH", default_value = LANDING)]
    pub(crate) landing: String,
    /// The DuckDB file, relative to the pipeline file
    #[arg(long, env = "DRAYAGE_WAREHOUSE", value_name = "PATH", default_value = WAREHOUSE)]
    pub(crate) warehouse: String,
    /// Does not try the connection at the end
    #[arg(long, env = "DRAYAGE_NO_CONNECT", value_parser = FalseyValueParser::new())]
    pub(crate) no_connect: bool,
    /// Loads this stream at the end
    #[arg(long, env = "DRAYAGE_LOAD", value_name = "STREAM")]
    pub(crate) load: Option<String>,
    /// Asks nothing: what is missing is an error. The same without a terminal
    #[arg(long, env = "DRAYAGE_NO_INPUT", value_parser = FalseyValueParser::new())]
    pub(crate) no_input: bool,
}

impl InitArguments {
    /// The streams that are named; an empty variable names none.
    pub(crate) fn streams(&self) -> Vec<String> {
        let names = NameList::names(&self.streams);
        names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

/// A value that no message of the command line shows: it may hold a secret.
fn unseen(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

/// An option that an empty variable does not set.
pub(crate) fn given(option: Option<&String>) -> Option<&str> {
    option.map(|text| text.trim()).filter(|text| !text.is_empty())
}
