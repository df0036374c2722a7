//! DuckDB's library is found when the program starts, and may be another than the one that the program was built for.
//! One of another minor version is refused before it touches a file: files and behaviour differ between minor versions.

use duckdb::Connection;
use std::sync::OnceLock;

/// The minor version that the crate `duckdb` 1.10505 is made for.
const MINOR: &str = "1.5";

/// Makes sure once that the library is of the right version.
///
/// # Errors
/// It is of another one, or does not work at all.
pub(super) fn check() -> Result<(), String> {
    static CHECKED: OnceLock<Result<(), String>> = OnceLock::new();
    let checked = CHECKED.get_or_init(|| {
        let version = Connection::open_in_memory().and_then(|connection| connection.version());
        version
            .map_err(|error| format!("DuckDB's library does not work: {error}"))
            .and_then(|version| is_right(&version))
    });
    checked.clone()
}

fn is_right(version: &str) -> Result<(), String> {
    let rest = version.strip_prefix('v').unwrap_or(version).strip_prefix(MINOR);
    if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        return Ok(());
    }
    Err(format!(
        "this program needs DuckDB {MINOR}, and found {version}: put libduckdb {MINOR} beside the program, and look whether \
         LD_LIBRARY_PATH leads to another one"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_this_build_is_right() {
        check().unwrap();
    }

    #[test]
    fn another_minor_version_is_refused_by_name() {
        for version in ["v1.5.5", "v1.5.0-dev12", "1.5"] {
            assert_eq!(is_right(version), Ok(()), "{version}");
        }
        for version in ["v1.4.9", "v1.50.1", "v2.5.5", "", "v11.5.1"] {
            let error = is_right(version).unwrap_err();
            assert!(error.contains("needs DuckDB 1.5, and found"), "{version}: {error}");
        }
    }
}
