//! Sends a decided answer, each part when it is due.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use tokio::time::{Instant, sleep_until};

use super::decide::{Decision, Kind, Planned};

pub(super) type Response = hyper::Response<UnsyncBoxBody<Bytes, Hangup>>;

/// Why a connection ends without an orderly answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hangup {
    Reset,
    /// In the middle of the body.
    Truncated,
    ClientGone,
}

impl fmt::Display for Hangup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Reset => "reset as planned",
            Self::Truncated => "truncated as planned",
            Self::ClientGone => "the client went away",
        })
    }
}

impl std::error::Error for Hangup {}

pub(super) async fn send(decision: Decision, arrived: Instant) -> Result<Response, Hangup> {
    match decision {
        Decision::Reset => Err(Hangup::Reset),
        Decision::Stall { in_flight } => {
            // The connection drops this future when the client goes away, and with it the call ends.
            let _in_flight = in_flight;
            pending().await
        }
        Decision::Answer(planned) => {
            if let Some((due, _)) = planned.parts.first() {
                wait(arrived, *due).await;
            }
            Ok(response(planned, arrived))
        }
    }
}

async fn wait(arrived: Instant, due: Duration) {
    match arrived.checked_add(due) {
        _ if due.is_zero() => {}
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

fn response(planned: Planned, arrived: Instant) -> Response {
    let Planned { status, headers, mut parts, kind, breaks, in_flight } = planned;
    let is_whole = matches!(kind, Kind::Json { .. }) && !breaks;
    let body = if is_whole {
        let bytes = parts.pop().map(|(_, bytes)| bytes).unwrap_or_default();
        Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
    } else {
        let parts = stream::unfold(
            (parts.into_iter(), in_flight, false),
            move |(mut parts, in_flight, ended)| async move {
                if let Some((due, bytes)) = parts.next() {
                    wait(arrived, due).await;
                    return Some((Ok(Frame::data(bytes)), (parts, in_flight, false)));
                }
                if ended || !breaks {
                    return None;
                }
                // Lets the connection write what it has been given before it learns that there is no more.
                tokio::task::yield_now().await;
                Some((Err(Hangup::Truncated), (parts, in_flight, true)))
            },
        );
        StreamBody::new(parts).boxed_unsync()
    };

    let mut response = hyper::Response::new(body);
    *response.status_mut() = status;
    let content_type = match kind {
        Kind::Json { .. } | Kind::JsonStream => "application/json",
        Kind::Events => "text/event-stream",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Kind::Json { length } = kind {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
