//! What an answer's body is: JSON, one JSON value a line (JsonlDecoder), or plain lines (IterableDecoder: each is `{record: line}`).

use crate::http::buffers::Buffer;
use crate::manifest::reader::Reader;
use crate::record::tree::write_text;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Decoder {
    #[default]
    Json,
    Jsonl,
    Lines,
}

impl Decoder {
    pub(crate) fn read(reader: &Reader<'_>) -> Self {
        let decoder = match reader.kind() {
            "JsonDecoder" => Self::Json,
            "JsonlDecoder" => Self::Jsonl,
            "IterableDecoder" => Self::Lines,
            _ => {
                reader.unsupported("JsonDecoder, JsonlDecoder, IterableDecoder");
                return Self::Json;
            }
        };
        reader.finish();
        decoder
    }

    /// Whether a decoded body is an export without a single line.
    pub(crate) fn has_no_lines(self, decoded: &[u8]) -> bool {
        self != Self::Json && decoded == b"[]"
    }

    /// The body as one JSON text; lines become the items of a list.
    ///
    /// # Errors
    /// Lines that are no text.
    pub(crate) fn decode(self, body: Buffer) -> Result<Buffer, String> {
        if self == Self::Json {
            return Ok(body);
        }
        let text = std::str::from_utf8(&body).map_err(|_| "the answer is not valid UTF-8".to_owned())?;
        let mut list = Vec::with_capacity(body.len() + body.len() / 8 + 2);
        list.push(b'[');
        for line in text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()) {
            if list.len() > 1 {
                list.push(b',');
            }
            match self {
                Self::Lines => {
                    list.extend_from_slice(b"{\"record\":");
                    write_text(&mut list, line);
                    list.push(b'}');
                }
                Self::Json | Self::Jsonl => list.extend_from_slice(line.as_bytes()),
            }
        }
        list.push(b']');
        Ok(Buffer::from(list))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_a_list() {
        let decoded = |decoder: Decoder, text: &str| {
            String::from_utf8(decoder.decode(Buffer::from(text.as_bytes().to_vec())).unwrap().to_vec()).unwrap()
        };
        assert_eq!(decoded(Decoder::Jsonl, "{\"a\":1}\r\n\n{\"a\":2}"), "[{\"a\":1},{\"a\":2}]");
        assert_eq!(decoded(Decoder::Lines, "x \"y\"\nz\n"), "[{\"record\":\"x \\\"y\\\"\"},{\"record\":\"z\"}]");
        assert_eq!(decoded(Decoder::Json, " {} "), " {} ");
        assert_eq!(decoded(Decoder::Jsonl, ""), "[]");
        assert!(Decoder::Jsonl.has_no_lines(b"[]") && Decoder::Lines.has_no_lines(b"[]"));
        assert!(
            !Decoder::Jsonl.has_no_lines(b"[{}]") && !Decoder::Json.has_no_lines(b"[]"),
            "an array says nothing of a path"
        );
    }
}
