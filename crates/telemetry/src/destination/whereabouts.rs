//! Where a server is now that was found by its file: it may come back at another address, with another token.

use super::server::{Entrance, authorization, is_at};
use crate::address::ServerAddress;
use crate::destination::target::parse_url;
use crate::error::ConfigError;
use reqwest::header::HeaderMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use url::Url;

/// Where a server is that leaves its address in a folder.
///
/// Whoever asks looks at the file and its lock, which takes microseconds. So nothing is sent to a stranger that took the
/// port of a server that is gone.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    folder: PathBuf,
    /// Where spans go already: a server that is there gets nothing twice.
    others: OnceLock<Vec<Url>>,
}

/// Where a server is, and how to come in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Here {
    /// Takes spans that have ended.
    pub(crate) spans: Url,
    /// Takes spans that begin.
    pub(crate) live: Url,
    /// The credentials, marked as sensitive.
    pub(crate) headers: HeaderMap,
}

impl Here {
    fn at(address: &ServerAddress) -> Result<Self, ConfigError> {
        let spans = format!("{}/v1/traces", address.url);
        let spans = parse_url(&spans, "GLASSBOX_SERVER", "http://localhost:4318")?;
        let Entrance { url: live, headers } = Entrance::of(address)?;
        Ok(Self { spans, live, headers })
    }

    /// Returns where announcements go.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance { url: self.live.clone(), headers: self.headers.clone() }
    }
}

impl Whereabouts {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder, others: OnceLock::new() }
    }

    /// Says where spans go already.
    pub(crate) fn besides(&self, others: Vec<Url>) {
        // It is said once, before anybody looks.
        let _ = self.others.set(others);
    }

    /// Returns where it is now; `None` if it does not run, or gets spans by another way.
    pub(crate) fn now(&self) -> Option<Here> {
        let found = ServerAddress::find(&self.folder)?;
        let others = self.others.get().map_or(&[][..], Vec::as_slice);
        if others.iter().any(|url| is_at(url, &found)) {
            return None;
        }
        // What stands in the file can be no address only if somebody else wrote it.
        Here::at(&found).ok()
    }
}

/// Returns how to come in if the server that runs leaves its address in this folder, and is the one at this address.
pub(crate) fn found_at(url: &Url, folder: &std::path::Path) -> Option<HeaderMap> {
    let found = ServerAddress::find(folder).filter(|found| is_at(url, found))?;
    authorization(&found).ok()
}
