//! CRC32C and MD5 as the API writes them: taken while bytes arrive, and compared with what the client said.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};

use super::reply::Refusal;

/// The hashes of the bytes so far. A clone is a mark that can be gone back to.
#[derive(Clone, Default)]
pub(crate) struct Hashes {
    crc32c: u32,
    md5: Md5,
}

impl std::fmt::Debug for Hashes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Hashes").field("crc32c", &self.crc32c).finish_non_exhaustive()
    }
}

impl Hashes {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        self.md5.update(bytes);
    }

    /// Base64 of the big-endian CRC32C.
    pub(crate) fn crc32c(&self) -> String {
        BASE64_STANDARD.encode(self.crc32c.to_be_bytes())
    }

    /// Base64 of the MD5.
    pub(crate) fn md5(&self) -> String {
        BASE64_STANDARD.encode(self.md5.clone().finalize())
    }
}

/// What the client says that the hashes must be, in base64.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) crc32c: Option<String>,
    pub(crate) md5: Option<String>,
}

impl Expected {
    /// Adds what an `x-goog-hash` header says: `crc32c=…,md5=…`.
    pub(crate) fn add_header(&mut self, header: &str) {
        for part in header.split(',') {
            match part.trim().split_once('=') {
                Some(("crc32c", value)) => self.crc32c = Some(value.to_owned()),
                Some(("md5", value)) => self.md5 = Some(value.to_owned()),
                _ => {}
            }
        }
    }

    /// 400 where a hash is not the one that was promised.
    pub(crate) fn check(&self, hashes: &Hashes) -> Result<(), Refusal> {
        let cases = [("CRC32C", &self.crc32c, hashes.crc32c()), ("MD5 hash", &self.md5, hashes.md5())];
        for (what, expected, actual) in cases {
            if let Some(expected) = expected.as_ref().filter(|expected| **expected != actual) {
                let message = format!("Provided {what} \"{expected}\" doesn't match calculated {what} \"{actual}\".");
                return Err(Refusal::bad(message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn known_hashes() {
        let mut hashes = Hashes::default();
        hashes.update(b"hello ");
        hashes.update(b"world");
        assert_eq!(hashes.crc32c(), "yZRlqg==");
        assert_eq!(hashes.md5(), "XrY7u+Ae7tCTyyK7j1rNww==");
        let mut expected = Expected::default();
        expected.add_header("crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww==");
        assert!(expected.check(&hashes).is_ok());
        expected.add_header("crc32c=AAAAAA==");
        assert_eq!(expected.check(&hashes).unwrap_err().code, 400);
    }
}
