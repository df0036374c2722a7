//! Names of things: random ids as the platform makes them, and full names under a project and region.
//! Answers always carry the project's number, whatever the client wrote.

use rand::Rng;

/// The letters of the platform's short random suffixes.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// `projects/<number>/locations/<region>`.
#[derive(Debug, Clone)]
pub(crate) struct Place(String);

impl Place {
    pub(crate) fn new(project_number: u64, region: &str) -> Self {
        Self(format!("projects/{project_number}/locations/{region}"))
    }

    /// The full name of what is under this location (`jobs/x`).
    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.0)
    }

    pub(crate) fn execution(&self, job: &str, execution: &str) -> String {
        self.name(&format!("jobs/{job}/executions/{execution}"))
    }
}

/// A suffix as in `extract-x7k2p`.
pub(crate) fn suffix() -> String {
    let mut random = rand::rng();
    (0..5).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

/// A random UUID (version 4).
pub(crate) fn uuid() -> String {
    let bits: u128 = rand::rng().random();
    let versioned = (bits & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{versioned:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_form() {
        let id = uuid();
        assert_eq!(id.len(), 36, "{id}");
        assert_eq!(id.as_bytes()[14], b'4', "{id}");
        assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        assert_ne!(id, uuid());
        assert!(suffix().bytes().all(|letter| LETTERS.contains(&letter)));
        assert_eq!(Place::new(12, "r").execution("j", "e"), "projects/12/locations/r/jobs/j/executions/e");
    }
}
