//! HTTP over TCP: accepts connections, reads requests, sends what was decided.

mod route;
mod decide;
mod send;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::state::State;

use route::Request;
use send::{Hangup, Response};

/// The largest request body accepted.
const MOST_BODY_BYTES: usize = 32 << 20;

/// Accepts connections until told to stop, or until the other end of `stop` is gone.
pub(crate) async fn serve(
    listener: TcpListener,
    state: Arc<State>,
    mut stop: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            _ = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    state.connected();
                    tokio::spawn(connection(stream, Arc::clone(&state)));
                }
                // The process has no file descriptor left, most likely; connections that end will free some.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

/// Serves the requests of one connection, one after another.
async fn connection(stream: TcpStream, state: Arc<State>) {
    // Without it, each event of a stream could wait for the acknowledgement of the one before.
    let _best_effort = stream.set_nodelay(true);
    let resets = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        let (state, resets) = (Arc::clone(&state), Arc::clone(&resets));
        Box::pin(async move {
            let answered = exchange(request, &state).await;
            if matches!(answered, Err(Hangup::Reset)) {
                resets.store(true, Ordering::Relaxed);
            }
            answered
        })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error here is a client that went away, or one of our own hangups.
    let _ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if resets.load(Ordering::Relaxed) {
        // A socket that is closed without lingering sends a reset in place of an orderly end.
        let _best_effort = connection.into_parts().io.inner().set_zero_linger();
    }
}

async fn exchange(
    request: hyper::Request<Incoming>,
    state: &Arc<State>,
) -> Result<Response, Hangup> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MOST_BODY_BYTES).collect().await;
    let arrived = Instant::now();
    let body = match body {
        Ok(body) => Some(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => None,
        Err(_) => return Err(Hangup::ClientGone),
    };
    let request = Request { method: parts.method, uri: parts.uri, headers: parts.headers, body };
    send::send(decide::decide(&request, state, arrived), arrived).await
}
