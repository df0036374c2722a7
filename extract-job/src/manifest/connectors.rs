//! Where manifests come from: the connectors that are built in, by name, or a file by its path.

use contract::pipeline::{Problems, did_you_mean};
use std::path::{Path, PathBuf};

/// Name and text of each built-in connector.
pub(crate) const BUILT_IN: [(&str, &str); 5] = [
    ("servicetitan", include_str!("../../connectors/servicetitan.yaml")),
    ("zoho_salesiq", include_str!("../../connectors/zoho_salesiq.yaml")),
    ("gong", include_str!("../../connectors/gong.yaml")),
    ("callio", include_str!("../../connectors/callio.yaml")),
    ("gaio_social", include_str!("../../connectors/gaio_social.yaml")),
];

/// Whether a connector is named by the path of its manifest.
pub(crate) fn is_path(connector: &str) -> bool {
    connector.contains(['/', '\\']) || connector.ends_with(".yaml") || connector.ends_with(".yml")
}

/// The text of a connector and the name of its file for messages. A relative path starts at `base`.
///
/// # Errors
/// No such built-in connector and no such file.
pub(crate) fn find(connector: &str, base: &Path) -> Result<(String, String), Problems> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == connector) {
        return Ok((format!("connectors/{name}.yaml"), (*text).to_owned()));
    }
    if !is_path(connector) {
        let near = did_you_mean(connector, BUILT_IN.iter().map(|(name, _)| *name));
        let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        let message = format!(
            "there is no built-in connector of this name{near} (built in: {}; or give a path)",
            names.join(", ")
        );
        return Err(Problems::one(connector, 0, "", message));
    }
    let path: PathBuf = base.join(connector).components().collect();
    let name = path.strip_prefix(".").unwrap_or(&path).to_string_lossy().into_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((name, text)),
        // Named as it is written, so that a pipeline file can tell where.
        Err(error) => Err(Problems::one(connector, 0, "", format!("the manifest {name} cannot be read: {error}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_built_in_and_paths_are_read() {
        assert_eq!(find("servicetitan", Path::new(".")).unwrap().0, "connectors/servicetitan.yaml");
        let near = find("servicetitn", Path::new(".")).unwrap_err().to_string();
        assert!(near.contains("did you mean `servicetitan`"), "{near}");
        let missing = find("./none.yaml", Path::new(".")).unwrap_err().to_string();
        assert!(missing.contains("cannot be read"), "{missing}");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.yaml"), "x").unwrap();
        let (name, _) = find("./own.yaml", folder.path()).unwrap();
        assert_eq!(Path::new(&name), folder.path().join("own.yaml"));
        assert!(!name.contains("/./"), "{name}");
    }
}
