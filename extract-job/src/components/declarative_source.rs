//! DeclarativeSource: the manifest as a whole. Parts of the format that are not supported are refused here by name.

use super::check_stream::CheckStream;
use super::concurrency_level::ConcurrencyLevel;
use super::declarative_stream::DeclarativeStream;
use super::http_api_budget::HttpApiBudget;
use crate::manifest::reader::Reader;
use crate::manifest::spec::Spec;
use contract::pipeline::did_you_mean;
use contract::yaml::Node;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct DeclarativeSource {
    pub(crate) streams: Vec<Arc<DeclarativeStream>>,
    pub(crate) check: CheckStream,
    pub(crate) budget: Arc<HttpApiBudget>,
    pub(crate) concurrency: Arc<ConcurrencyLevel>,
    pub(crate) spec: Option<Spec>,
}

impl DeclarativeSource {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "DeclarativeSource" {
            reader.unsupported("DeclarativeSource");
            return None;
        }
        if !reader.has("dynamic_streams") {
            reader.required("streams");
        }
        let (mut streams, mut is_whole) = (Vec::new(), true);
        for (index, child) in reader.children("streams").into_iter().enumerate() {
            let name = child.get("name").and_then(Node::as_str);
            let place = name.map_or_else(|| format!("streams[{index}]"), |name| format!("stream {name}"));
            let stream = DeclarativeStream::read(&child.at(place)).map(Arc::new);
            is_whole &= stream.is_some();
            streams.extend(stream);
        }
        let mut names = BTreeSet::new();
        for stream in &streams {
            if !names.insert(stream.name.as_str()) {
                reader.error(format!("two streams are called `{}`", stream.name));
            }
        }
        let check = reader.child("check").and_then(|child| CheckStream::read(&child)).unwrap_or_default();
        for name in &check.stream_names {
            // One that cannot be read is told of already.
            if is_whole && !streams.is_empty() && !names.contains(name.as_str()) {
                let near = did_you_mean(name, names.iter().copied());
                reader.error(format!("check: there is no stream `{name}`{near}"));
            }
        }
        let budget = reader.child("api_budget").and_then(|child| HttpApiBudget::read(&child)).unwrap_or_default();
        let concurrency = reader.child("concurrency_level").and_then(|child| ConcurrencyLevel::read(&child));
        let spec = reader.child("spec").and_then(|child| read_spec(&child));
        reader.accept(&[
            // Read by themselves, before parameters are spread.
            "dynamic_streams",
            "version",
            "description",
            "metadata",
            "definitions",
            "schemas",
            "max_concurrent_async_job_count",
        ]);
        reader.finish();
        let concurrency = Arc::new(concurrency.unwrap_or_default());
        Some(Self { streams, check, budget: Arc::new(budget), concurrency, spec })
    }

    pub(crate) fn stream(&self, name: &str) -> Option<&Arc<DeclarativeStream>> {
        self.streams.iter().find(|stream| stream.name == name)
    }
}

fn read_spec(reader: &Reader<'_>) -> Option<Spec> {
    let spec = Spec::new(reader.required("connection_specification")?.to_json());
    if let Err(message) = spec.is_valid_schema() {
        reader.error_at("connection_specification", message);
    }
    reader.refuse(&["config_normalization_rules"]);
    reader.accept(&["documentation_url", "advanced_auth"]);
    reader.finish();
    Some(spec)
}
