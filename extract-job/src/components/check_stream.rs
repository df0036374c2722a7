//! CheckStream: the streams whose first record shows that the connection works.

use crate::manifest::reader::Reader;
use contract::yaml::Node;

#[derive(Debug, Default)]
pub(crate) struct CheckStream {
    pub(crate) stream_names: Vec<String>,
}

impl CheckStream {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "CheckStream" {
            reader.unsupported("CheckStream");
            return None;
        }
        let names = reader.required("stream_names").map(Node::items).unwrap_or_default();
        let stream_names = names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        reader.refuse(&["dynamic_streams_check_configs"]);
        reader.finish();
        Some(Self { stream_names })
    }
}
