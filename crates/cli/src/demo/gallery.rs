//! A server of the demo's own, which stays open after it, so that its traces can be looked at.

use crate::serve;
use crate::signals::Signals;
use anyhow::Context as _;
use glassbox::telemetry::address::{Posted, ServerAddress};
use glassbox::telemetry::destination::Destination;
use glassbox_server::Running;
use std::process::ExitCode;
use tempfile::TempDir;

/// A server with a store that goes away with it.
#[derive(Debug)]
pub(super) struct Gallery {
    running: Running,
    /// Where tail, top and other programs find it, unless they find another one.
    posted: Option<Posted>,
    folder: TempDir,
}

impl Gallery {
    /// Starts a server.
    pub(super) async fn open() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("there is no place to keep traces in")?;
        let store = folder.path().join("traces.db");
        let running = serve::local(&store).await?;
        println!("Look at it while it runs: open {}\n", running.url);
        Ok(Self { running, posted: None, folder })
    }

    /// The page, with the token.
    pub(super) fn url(&self) -> &str {
        &self.running.url
    }

    /// The server as a destination. The demo is told of it, so that it need not find it.
    pub(super) fn destination(&self) -> anyhow::Result<Destination> {
        let address = ServerAddress::new(&self.running.otlp).with_secret(&self.running.token);
        Ok(Destination::server(&address)?.named("the page"))
    }

    /// Lets other programs find it.
    pub(super) fn post(&mut self) {
        self.posted = serve::post(&self.running, &self.folder.path().join("traces.db"));
    }

    /// Stays open until somebody has seen enough.
    pub(super) async fn stay(self, signals: &mut Signals) -> ExitCode {
        println!("The server stays open, and its traces go away with it. Stop with Ctrl-C.");
        let signal = signals.next().await;
        drop(self.posted);
        self.running.stop().await;
        drop(self.folder);
        eprintln!("\nstopped by {signal}");
        ExitCode::SUCCESS
    }
}
