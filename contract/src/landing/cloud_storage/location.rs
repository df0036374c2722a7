//! `gs://bucket/prefix` taken apart and checked, and the names of the objects below it.
//! A name that could mean another object than it seems to is refused before anything is sent.

use crate::landing::LandingError;
use crate::segment::{is_path_segment, is_safe_segment};
use std::net::Ipv4Addr;

/// The longest prefix; with it every path of the landing zone stays below the 1,024 bytes of an object's name.
const LONGEST_PREFIX: usize = 256;

/// A bucket and a prefix in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) bucket: String,
    /// Empty, or ends with a slash.
    prefix: String,
    /// As the user wrote it.
    pub(super) text: String,
}

/// An object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectName {
    pub(super) bucket: String,
    pub(super) name: String,
    /// As the landing zone's users say it: without bucket and prefix.
    pub(super) path: String,
}

impl Location {
    /// Reads a URI.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, LandingError> {
        let refuse = |why: String| LandingError::Unsupported(format!("landing `{text}`: {why}"));
        let rest = text.strip_prefix("gs://").ok_or_else(|| refuse("it is no gs:// URI".into()))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(bucket).map_err(|why| refuse(format!("`{bucket}` is no bucket name: {why}")))?;
        let prefix = prefix.strip_suffix('/').filter(|inner| !inner.is_empty()).unwrap_or(prefix);
        if prefix.len() > LONGEST_PREFIX {
            return Err(refuse(format!("the prefix has more than {LONGEST_PREFIX} bytes")));
        }
        if let Some(bad) = prefix.split('/').find(|segment| !prefix.is_empty() && !is_safe_segment(segment)) {
            let rule = "letters, digits, `_`, `-` and `.`, not starting with a dot, between single slashes";
            return Err(refuse(format!("`{bad}` cannot stand in the prefix: use {rule}")));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket: bucket.to_owned(), prefix, text: text.to_owned() })
    }

    /// The object at a path of the landing zone.
    ///
    /// # Errors
    /// A path that could leave the prefix.
    pub(super) fn object(&self, path: &str) -> Result<ObjectName, LandingError> {
        if !path.split('/').all(is_path_segment) {
            return Err(LandingError::Unsupported(format!("unsafe path `{path}`")));
        }
        let name = format!("{}{path}", self.prefix);
        Ok(ObjectName { bucket: self.bucket.clone(), name, path: path.to_owned() })
    }
}

impl ObjectName {
    /// `gs://bucket/object`.
    pub(super) fn uri(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.name)
    }

    /// The path of its resource in the JSON API: its name is one segment there.
    pub(super) fn resource(&self) -> String {
        format!("/storage/v1/b/{}/o/{}", self.bucket, self.name.replace('/', "%2F"))
    }

    /// By the name's ending. Never a content encoding: with one, readers would get other bytes than those that are stored.
    pub(super) fn content_type(&self) -> &'static str {
        match self.name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("gz") => "application/gzip",
            Some("zst") => "application/zstd",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        }
    }
}

/// The naming rules of buckets ("Cloud Storage bucket naming").
fn check_bucket(name: &str) -> Result<(), &'static str> {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    let is_end = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let longest = if name.contains('.') { 222 } else { 63 };
    if !(3..=longest).contains(&bytes.len()) || name.split('.').any(|part| part.len() > 63) {
        return Err("it has 3 to 63 characters (222 with dots, 63 between two dots)");
    }
    if !bytes.iter().all(|b| is_inner(*b)) {
        return Err("it has lowercase letters, digits, `-`, `_` and `.`");
    }
    if !is_end(bytes.first()) || !is_end(bytes.last()) {
        return Err("it starts and ends with a letter or a digit");
    }
    if name.split('.').any(str::is_empty) || name.parse::<Ipv4Addr>().is_ok() {
        return Err("it has no two dots in a row and is no IP address");
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn objects_lie_below_the_prefix() {
        let cases = [
            ("gs://acme-data", "gs://acme-data/runs/latest.json"),
            ("gs://acme-data/", "gs://acme-data/runs/latest.json"),
            ("gs://acme-data/landing", "gs://acme-data/landing/runs/latest.json"),
            ("gs://a.b_c/x/y.z/", "gs://a.b_c/x/y.z/runs/latest.json"),
        ];
        for (location, uri) in cases {
            let object = Location::parse(location).unwrap().object("runs/latest.json").unwrap();
            assert_eq!(object.uri(), uri);
            assert_eq!(object.path, "runs/latest.json");
        }
        let object = Location::parse("gs://acme-data/landing").unwrap().object("a/b.ndjson.gz").unwrap();
        assert_eq!(object.resource(), "/storage/v1/b/acme-data/o/landing%2Fa%2Fb.ndjson.gz");
        assert_eq!(object.content_type(), "application/gzip");
    }

    #[test]
    fn what_names_no_bucket_or_leaves_it_is_refused() {
        let long = format!("gs://abc/{}", "x/".repeat(129));
        for bad in [
            "gs://",
            "gs:///x",
            "gs://ab",
            "gs://Acme",
            "gs://acme data",
            "gs://-acme",
            "gs://acme-",
            "gs://ac..me",
            "gs://192.168.1.1",
            "gs://acme?x=1",
            "gs://acme#x",
            "gs://acme/a//b",
            "gs://acme/../b",
            "gs://acme/a?b",
            "gs://acme/a#b",
            "gs://acme/a%2Fb",
            "gs://acme/.hidden",
            "gs://user@acme/x",
            "gs://acme//",
            "s3://acme",
            &long,
        ] {
            let error = Location::parse(bad).unwrap_err().to_string();
            assert!(error.starts_with(&format!("landing `{bad}`: ")), "{error}");
        }
        let location = Location::parse("gs://acme").unwrap();
        for bad in ["", "/a", "a/", "../a", "a/./b", "a b"] {
            assert!(matches!(location.object(bad), Err(LandingError::Unsupported(_))), "{bad}");
        }
    }
}
