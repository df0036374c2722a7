//! Where things lie: objects at `<root>/<bucket>/<object>`, sidecars at the same place under `<root>/.metadata`.
//! Unfinished uploads lie in `<root>/.uploads`, on the same file system, so that a rename finishes them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::reply::Refusal;

const SIDECARS: &str = ".metadata";
const UPLOADS: &str = ".uploads";
/// What common file systems allow for one name.
const LONGEST_PART: usize = 255;
/// What Cloud Storage allows, in bytes of UTF-8.
const LONGEST_NAME: usize = 1024;

#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(root.join(SIDECARS))?;
        let uploads = root.join(UPLOADS);
        // What a server before this one did not finish, nobody can finish any more.
        match fs::remove_dir_all(&uploads) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(uploads)?,
        }
        Ok(Self { root })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn uploads(&self) -> PathBuf {
        self.root.join(UPLOADS)
    }

    pub(crate) fn bucket(&self, bucket: &str) -> PathBuf {
        self.root.join(bucket)
    }

    /// The object's file and its sidecar.
    ///
    /// # Errors
    /// 400 when the name is not allowed, or cannot be a file's.
    pub(crate) fn object(&self, bucket: &str, name: &str) -> Result<(PathBuf, PathBuf), Refusal> {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(['\r', '\n', '\0']) {
            return Err(Refusal::bad(format!("Invalid object name: '{}'", name.escape_default())));
        }
        let is_file_name = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= LONGEST_PART;
        if !name.split('/').all(is_file_name) {
            let name = name.escape_default();
            return Err(Refusal::bad(format!("This stand-in keeps objects as files; '{name}' cannot be one.")));
        }
        Ok((self.bucket(bucket).join(name), self.root.join(SIDECARS).join(bucket).join(name)))
    }

    /// Removes the folders above `path` that are empty now, up to the bucket's own, which stays.
    pub(crate) fn prune(&self, bucket: &str, path: &Path) {
        let tops = [self.bucket(bucket), self.root.join(SIDECARS).join(bucket)];
        for folder in path.ancestors().skip(1) {
            // A folder that is not empty refuses to go, and so do all above it.
            if tops.iter().any(|top| top == folder) || fs::remove_dir(folder).is_err() {
                return;
            }
        }
    }

    /// The names of all objects that begin with `prefix`, in order of their UTF-8 bytes.
    pub(crate) fn names(&self, bucket: &str, prefix: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut folders = vec![(self.bucket(bucket), String::new())];
        while let Some((folder, before)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                // It was emptied and removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let Ok(part) = entry.file_name().into_string() else { continue };
                let name = format!("{before}{part}");
                if entry.path().is_dir() {
                    let inside = format!("{name}/");
                    if inside.starts_with(prefix) || prefix.starts_with(&inside) {
                        folders.push((entry.path(), inside));
                    }
                } else if name.starts_with(prefix) {
                    names.push(name);
                }
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The buckets, in order.
    pub(crate) fn buckets(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && is_bucket_name(&name)
                && entry.path().is_dir()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// 3 to 222 small letters, digits, dots, dashes and underscores, a letter or digit at both ends.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (3..=222).contains(&bytes.len())
        && bytes.iter().all(|&byte| plain(byte) || matches!(byte, b'.' | b'-' | b'_'))
        && bytes.first().zip(bytes.last()).is_some_and(|(&first, &last)| plain(first) && plain(last))
}
