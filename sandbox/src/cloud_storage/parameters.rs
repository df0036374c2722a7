//! Query parameters and percent-encoding, as the JSON API reads and writes them.

use super::reply::Refusal;

/// The decoded parameters of one request, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self { pairs: pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect() }
    }

    /// The first value; an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// A whole number, as generations are.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| Refusal::bad(format!("Invalid value '{value}' for {name}.")))
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

/// The query for the log: the id of an upload session lets everybody write, so it is left out.
pub(crate) fn without_secrets(query: &str) -> String {
    let part = |part: &str| if part.starts_with("upload_id=") { "upload_id=".to_owned() } else { part.to_owned() };
    query.split('&').map(part).collect::<Vec<_>>().join("&")
}

/// A segment of a path, decoded; `None` where it is no UTF-8 or its escapes are broken.
pub(crate) fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = tail.get(2..)?;
    }
    String::from_utf8(bytes).ok()
}

/// A name as one segment of a path.
pub(crate) fn encoded(name: &str) -> String {
    let form: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    // A form writes a space as a plus sign (and a plus sign as %2B); a path does not.
    form.replace('+', "%20")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_encoding() {
        for name in ["a/b c+d%2F?&=é~*.gz", "plain", "100%"] {
            assert_eq!(decoded(&encoded(name)).unwrap(), name);
            assert!(!encoded(name).contains('/'));
        }
        assert_eq!(decoded("a%2"), None);
        assert_eq!(decoded("%ff"), None);
        assert_eq!(decoded("a+b").unwrap(), "a+b");
    }

    #[test]
    fn session_ids_are_left_out() {
        assert_eq!(without_secrets("name=a%2Fb&upload_id=secret&x=1"), "name=a%2Fb&upload_id=&x=1");
    }
}
