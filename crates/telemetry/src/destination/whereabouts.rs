//! Where a server is now that was found by its file: it may come back at another address, with another token.

use super::server::authorization;
use crate::address::ServerAddress;
use crate::destination::target::parse_url;
use crate::error::ConfigError;
use reqwest::header::HeaderMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use url::Url;

/// Where a server is that leaves its address in a folder.
#[derive(Debug)]
pub(crate) struct Whereabouts {
    /// The folder in which it can be found.
    pub(crate) folder: PathBuf,
    here: RwLock<Option<Here>>,
}

/// Where a server is, and how to come in.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    /// Takes spans that have ended.
    pub(crate) spans: Url,
    /// Takes spans that begin.
    pub(crate) live: Url,
    /// The credentials, marked as sensitive.
    pub(crate) headers: HeaderMap,
}

impl Here {
    pub(crate) fn at(address: &ServerAddress) -> Result<Self, ConfigError> {
        let url = |path: &str| {
            parse_url(&format!("{}{path}", address.url), "GLASSBOX_SERVER", "http://localhost:4318")
        };
        Ok(Self {
            spans: url("/v1/traces")?,
            live: url("/api/v1/live")?,
            headers: authorization(address)?,
        })
    }
}

impl Whereabouts {
    /// Begins with where the server is now, if it runs.
    pub(crate) const fn new(folder: PathBuf, here: Option<Here>) -> Self {
        Self { folder, here: RwLock::new(here) }
    }

    /// Returns where it is, or was last; `None` if it has not been seen yet.
    pub(crate) fn now(&self) -> Option<Here> {
        self.here.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes where it is. Returns whether that is news.
    pub(crate) fn move_to(&self, there: Here) -> bool {
        let mut here = self.here.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = |here: &Here| here.spans == there.spans && here.headers == there.headers;
        let is_news = !here.as_ref().is_some_and(is_same);
        *here = Some(there);
        is_news
    }
}
