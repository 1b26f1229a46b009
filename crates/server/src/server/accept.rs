//! Connections: so many at a time, none that dawdles, and all ended in good order.

use crate::http::App;
use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// How long the head of a request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after the system refused a connection, as it does when there are too many files open.
const PAUSE: Duration = Duration::from_millis(50);

/// How long requests that are under way may take when the server stops.
const DRAIN: Duration = Duration::from_secs(8);

/// Serves connections until the server stops.
pub(super) async fn serve(listener: TcpListener, router: Router, app: Arc<App>) {
    let slots = Arc::new(Semaphore::new(app.limits.connections));
    let mut stopping = app.stopping.clone();
    let graceful = GracefulShutdown::new();
    let builder = builder();
    loop {
        let next = async {
            // The semaphore is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            next = next => next,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Small answers go out at once; where that cannot be had they go out later.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A connection that breaks off is the other side's matter.
            let _ = connection.await;
            drop(slot);
        });
    }
    drop(listener);
    // What is not done by then is broken off; its sender got no answer and sends again.
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .keep_alive_interval(Some(Duration::from_secs(30)));
    builder
}
