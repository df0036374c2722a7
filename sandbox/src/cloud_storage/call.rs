//! What a request asks for: the path, the method and the parameters, read once.

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

use super::content_range::ContentRange;
use super::parameters::{Parameters, decoded};

/// The kinds of requests that the stand-in tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    BucketList,
    BucketGet,
    BucketCreate,
    List,
    /// An object's resource, without its bytes.
    Metadata,
    /// An object's bytes.
    Download,
    /// An upload in one request: `media` or `multipart`.
    Upload,
    /// Opens a resumable upload.
    Start,
    /// Some bytes of a resumable upload, not the last.
    Chunk,
    /// The last bytes of a resumable upload, or the word that there are no more.
    Finish,
    /// Asks how far a resumable upload has come.
    Query,
    /// Gives a resumable upload up.
    Cancel,
    Delete,
    /// Changes an object's metadata.
    Update,
    Compose,
    /// `rewriteTo` and `copyTo`.
    Rewrite,
}

/// What the path names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Buckets,
    Bucket,
    StorageLayout,
    Objects,
    Object,
    Download,
    Upload,
    Compose,
    /// Bucket and object; `true` for a rewrite, whose answer differs.
    Copy(String, String, bool),
}

/// One request that means something here.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// Empty where the path names none.
    pub(crate) bucket: String,
    /// From the path, or for uploads from the `name` parameter.
    pub(crate) object: Option<String>,
    /// Where a copy goes to, and whether it is a rewrite.
    pub(crate) copy_to: Option<(String, String, bool)>,
    /// The settings of the bucket's storage are asked for, not the bucket.
    pub(crate) storage_layout: bool,
    /// The settings that the request does not name are dropped.
    pub(crate) replaces: bool,
    pub(crate) parameters: Parameters,
    pub(crate) headers: HeaderMap,
}

impl Call {
    /// `None` where the path or the method means nothing here.
    pub(crate) fn read(parts: &Parts) -> Option<Self> {
        let (target, bucket, object) = target(parts.uri.path())?;
        let parameters = Parameters::parse(parts.uri.query().unwrap_or_default());
        let operation = operation(&parts.method, &target, &parameters, &parts.headers)?;
        let storage_layout = target == Target::StorageLayout;
        let object =
            object.or_else(|| (target == Target::Upload).then(|| parameters.get("name").map(str::to_owned)).flatten());
        let copy_to = match target {
            Target::Copy(bucket, object, rewrite) => Some((bucket, object, rewrite)),
            _ => None,
        };
        let replaces = parts.method == Method::PUT;
        let headers = parts.headers.clone();
        Some(Self { operation, bucket, object, copy_to, storage_layout, replaces, parameters, headers })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn object(&self) -> &str {
        self.object.as_deref().unwrap_or_default()
    }
}

fn target(path: &str) -> Option<(Target, String, Option<String>)> {
    let segments: Vec<_> = path.trim_start_matches('/').split('/').map(decoded).collect::<Option<_>>()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (target, bucket, object) = match segments.as_slice() {
        ["storage", "v1", "b"] => (Target::Buckets, "", None),
        ["storage", "v1", "b", bucket] => (Target::Bucket, *bucket, None),
        ["storage", "v1", "b", bucket, "storageLayout"] => (Target::StorageLayout, *bucket, None),
        ["storage", "v1", "b", bucket, "o"] => (Target::Objects, *bucket, None),
        ["storage", "v1", "b", bucket, "o", object] => (Target::Object, *bucket, Some(*object)),
        ["storage", "v1", "b", bucket, "o", object, "compose"] => (Target::Compose, *bucket, Some(*object)),
        [
            "storage",
            "v1",
            "b",
            bucket,
            "o",
            object,
            verb @ ("copyTo" | "rewriteTo"),
            "b",
            to_bucket,
            "o",
            to_object,
        ] => {
            let target = Target::Copy((*to_bucket).to_owned(), (*to_object).to_owned(), *verb == "rewriteTo");
            (target, *bucket, Some(*object))
        }
        ["download", "storage", "v1", "b", bucket, "o", object] => (Target::Download, *bucket, Some(*object)),
        ["upload", "storage", "v1", "b", bucket, "o"] | ["resumable", "upload", "storage", "v1", "b", bucket, "o"] => {
            (Target::Upload, *bucket, None)
        }
        _ => return None,
    };
    Some((target, bucket.to_owned(), object.map(str::to_owned)))
}

fn operation(method: &Method, target: &Target, parameters: &Parameters, headers: &HeaderMap) -> Option<Operation> {
    let media = parameters.get("alt") == Some("media");
    let in_session = parameters.get("upload_id").is_some();
    Some(match (method.as_str(), target) {
        ("GET", Target::Buckets) => Operation::BucketList,
        ("POST", Target::Buckets) => Operation::BucketCreate,
        ("GET", Target::Bucket | Target::StorageLayout) => Operation::BucketGet,
        ("GET", Target::Objects) => Operation::List,
        ("GET", Target::Download) => Operation::Download,
        ("GET", Target::Object) if media => Operation::Download,
        ("GET", Target::Object) => Operation::Metadata,
        ("DELETE", Target::Object) => Operation::Delete,
        ("PATCH" | "PUT", Target::Object) => Operation::Update,
        ("POST", Target::Compose) => Operation::Compose,
        ("POST", Target::Copy(..)) => Operation::Rewrite,
        ("POST", Target::Upload) if parameters.get("uploadType") == Some("resumable") => Operation::Start,
        ("POST", Target::Upload) => Operation::Upload,
        ("DELETE", Target::Upload) if in_session => Operation::Cancel,
        ("PUT", Target::Upload) if in_session => {
            let range = headers.get("content-range").and_then(|range| range.to_str().ok());
            match ContentRange::read(range) {
                Ok(ContentRange::Nothing { .. }) => Operation::Query,
                Ok(range) if range.is_last() => Operation::Finish,
                _ => Operation::Chunk,
            }
        }
        _ => return None,
    })
}
