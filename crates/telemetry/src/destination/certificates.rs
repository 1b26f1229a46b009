//! Certificates of authorities that the system does not know, such as a company's own.

use crate::error::{ConfigError, Kind};
use reqwest::Certificate;
use std::fs;
use std::path::Path;

/// Reads a file of one or more certificates in PEM. `variable` is what to correct if it cannot be read.
pub(crate) fn read(path: &Path, variable: &'static str) -> Result<Vec<Certificate>, ConfigError> {
    let error = |problem: String| Kind::Certificates { variable, path: path.to_owned(), problem };
    let pem = fs::read(path).map_err(|io| error(format!("cannot be read ({io})")))?;
    let certificates = Certificate::from_pem_bundle(&pem)
        .map_err(|_| error("is not a file of certificates in PEM".to_owned()))?;
    if certificates.is_empty() {
        return Err(error("holds no certificate in PEM".to_owned()).into());
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_the_file_is_told() {
        let check = |content: Option<&str>, expected: &str| {
            let path = std::env::temp_dir().join(format!("glassbox-ca-{}.pem", expected.len()));
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => drop(fs::remove_file(&path)),
            }
            let error = read(&path, "GLASSBOX_CA_FILE").map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.variable(), Some("GLASSBOX_CA_FILE"));
            // Nothing depends on whether it is gone.
            let _ = fs::remove_file(path);
        };
        check(None, "cannot be read (No such file");
        check(Some(""), "holds no certificate in PEM; name a file");
        check(Some("certificate"), "holds no certificate in PEM");
        let cut = "-----BEGIN CERTIFICATE-----\nMIIB";
        check(Some(cut), "is not a file of certificates in PEM");
    }
}
