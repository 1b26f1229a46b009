//! The server on this machine: whether one runs, and how it does.

use anyhow::Context as _;
use glassbox::telemetry::address::ServerAddress;
use glassbox::telemetry::config;
use glassbox_server::store::examine;
use serde::Serialize;
use std::path::PathBuf;

/// A server that programs find.
#[derive(Debug, Serialize)]
pub(super) struct Server {
    pub(super) url: String,
    pub(super) pid: Option<u32>,
    pub(super) version: Option<String>,
    pub(super) store: Option<PathBuf>,
    /// What the store takes of the disk, with what is not yet in its main file.
    pub(super) store_bytes: Option<u64>,
    /// Why it does not answer.
    pub(super) problem: Option<String>,
}

impl Server {
    /// Looks for the server that programs find; one that the variables name wrongly is told elsewhere.
    pub(super) async fn look() -> Option<Self> {
        let address = config::server().ok().flatten()?;
        let asked = version(&address).await;
        let (version, problem) = match asked {
            Ok(version) => (Some(version), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let store_bytes =
            address.store.as_deref().and_then(|store| Some(examine(store).ok()??.bytes));
        let ServerAddress { url, pid, store, .. } = address;
        Some(Self { url, pid, version, store, store_bytes, problem })
    }
}

async fn version(address: &ServerAddress) -> anyhow::Result<String> {
    let client = crate::client::Client::new(address.clone())?;
    let said = client.get("/healthz", &[]).await?;
    said["version"].as_str().map(str::to_owned).context("it is no glassbox server")
}
