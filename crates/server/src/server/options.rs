//! How the server is started.

use crate::http::Keys;
use crate::ingest::Limits;
use crate::store::{Retention, StoreError};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// How the server is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where HTTP is answered; port 0 takes a free one.
    pub http: SocketAddr,
    /// Where gRPC is answered, if anywhere; port 0 takes a free one.
    pub grpc: Option<SocketAddr>,
    /// The file that traces are kept in.
    pub store: PathBuf,
    /// What senders have to show; without any, all local programs may send.
    pub keys: Vec<Keys>,
    /// What whoever looks has to show; a random one if it is not set.
    pub token: Option<String>,
    /// Names under which the server is asked for, besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// How much is accepted at once.
    pub limits: Limits,
    /// What is kept for how long.
    pub retention: Retention,
    /// How long a process that announces spans may be silent before its running spans are given up.
    pub live_timeout: Duration,
}

impl Options {
    /// Listens on free ports of loopback.
    #[must_use]
    pub fn local(store: impl Into<PathBuf>) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            http: any,
            grpc: Some(any),
            store: store.into(),
            keys: Vec::new(),
            token: None,
            hosts: Vec::new(),
            limits: Limits::default(),
            retention: Retention::default(),
            live_timeout: Duration::from_secs(15),
        }
    }

    /// Checks that nobody from outside can send or look without being asked for a secret.
    pub(super) fn check(&self) -> Result<(), BindError> {
        let addresses = [Some(self.http), self.grpc];
        match addresses.into_iter().flatten().find(|address| !address.ip().is_loopback()) {
            Some(address) if self.keys.is_empty() => Err(BindError::Open(address)),
            _ => Ok(()),
        }
    }
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Others could reach it, and would not be asked for anything.
    #[error("{0} can be reached from outside; set a key pair, or listen on 127.0.0.1")]
    Open(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {error}; choose another port, 0 takes a free one")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refuses something else.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
