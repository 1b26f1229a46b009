//! OTLP over gRPC: one method, one message each way, which takes no framework.

use super::App;
use super::app::work;
use super::body;
use super::error::ApiError;
use super::otlp::partial_success;
use crate::ingest::{Format, otlp};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use prost::Message as _;
use std::sync::Arc;

/// The path of the method.
pub(super) const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What may not stand in a message as it is.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

const UNIMPLEMENTED: i32 = 12;

/// Takes an export request; the answer comes when all of it is durable.
pub(super) async fn export(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match keep(&app, &headers, body).await {
        Ok(response) => answer(&response),
        Err(error) => failure(code(&error), &error.message),
    }
}

/// Lets in what speaks HTTP/2, as gRPC does. What does not is OTLP over HTTP at the wrong address, which an answer in the
/// manner of gRPC, 200, would seem to be kept; or a page in a browser, which has no business here.
pub(super) async fn http2(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.version() == Version::HTTP_2 {
        return next.run(request).await;
    }
    let there = app.connect.otlp.as_deref().unwrap_or("the other port");
    let message = format!("this address takes gRPC; send OTLP over HTTP to {there}");
    ApiError::bad_request(message).into_response()
}

/// Anything else.
pub(super) async fn unknown() -> Response {
    failure(UNIMPLEMENTED, "only the export of traces is served here")
}

async fn keep(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<ExportTraceServiceResponse, ApiError> {
    if !app.access.is_sender(headers) {
        app.counters.reject("not authorized", 1);
        let message =
            "send with the keys of this server: authorization: Basic base64(public:secret)";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message));
    }
    let bytes = body::read(body, &app.limits).await?;
    app.counters.request(bytes.len());
    let is_gzip = headers.get(GRPC_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let limits = app.limits;
    let accepted = work(move || {
        let plain = message(&bytes, is_gzip, &limits)?;
        Ok::<_, ApiError>(otlp(&plain, Format::Protobuf, &limits)?)
    })
    .await??;
    let rejection = accepted.rejection();
    for (reason, count) in &accepted.rejected {
        app.counters.reject(reason, *count);
    }
    let surplus = if accepted.spans > 0 { app.receive(accepted.batch).await?.surplus } else { 0 };
    Ok(ExportTraceServiceResponse { partial_success: partial_success(rejection, surplus) })
}

/// Takes the message out of its frame: a byte that says whether it is compressed, its length, itself.
fn message(
    frame: &Bytes,
    is_gzip: bool,
    limits: &crate::ingest::Limits,
) -> Result<Bytes, ApiError> {
    let cut = || ApiError::bad_request("the gRPC message is cut off");
    let (head, rest) = frame.split_first_chunk::<5>().ok_or_else(cut)?;
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if rest.len() < length {
        return Err(cut());
    }
    let message = frame.slice(5..5 + length);
    match head[0] {
        0 => Ok(message),
        1 if is_gzip => body::gunzip(&message, limits),
        _ => Err(ApiError::bad_request("the compression is not known; send gzip or none")),
    }
}

fn answer(response: &ExportTraceServiceResponse) -> Response {
    let message = response.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    frame.extend(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(Bytes::from(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    ([(header::CONTENT_TYPE, "application/grpc")], Body::new(body)).into_response()
}

/// An answer that consists of its status alone.
fn failure(code: i32, message: &str) -> Response {
    let message = utf8_percent_encode(message, ESCAPED).to_string();
    let message = HeaderValue::from_str(&message).unwrap_or(HeaderValue::from_static("failed"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/grpc")),
        (GRPC_STATUS, HeaderValue::from(code)),
        (GRPC_MESSAGE, message),
    ];
    (headers, Body::empty()).into_response()
}

/// Returns gRPC's code for an error. What can be sent again is `UNAVAILABLE`, which clients do send again.
pub(super) fn code(error: &ApiError) -> i32 {
    match error.status {
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => 3,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::FORBIDDEN => 7,
        // `RESOURCE_EXHAUSTED` without details is not sent again, as is right for what is too large.
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::UNAUTHORIZED => 16,
        _ => 13,
    }
}
