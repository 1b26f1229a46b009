//! OTLP over HTTP.

use super::App;
use super::app::work;
use super::body;
use super::error::ApiError;
use crate::ingest::{Format, otlp};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use std::sync::Arc;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// An error as OTLP has it, `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Takes an export request; the answer comes when all of it is durable.
pub(super) async fn export(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let format = match format(&headers) {
        Ok(format) => format,
        Err(error) => return error.into_response(),
    };
    match keep(&app, &headers, body, format).await {
        Ok(partial_success) => {
            let has_all = partial_success.is_none();
            let response = ExportTraceServiceResponse { partial_success };
            let bytes = match format {
                Format::Protobuf => response.encode_to_vec(),
                // What is not set is left out, as protobuf's JSON has it.
                Format::Json if has_all => b"{}".to_vec(),
                // The response has a text and a number, which can always be written.
                Format::Json => serde_json::to_vec(&response).unwrap_or_default(),
            };
            ([(header::CONTENT_TYPE, content_type(format))], bytes).into_response()
        }
        Err(error) => failure(error, format),
    }
}

async fn keep(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    format: Format,
) -> Result<Option<ExportTracePartialSuccess>, ApiError> {
    let bytes = body::read(body, &app.limits).await?;
    app.counters.request(bytes.len());
    let (limits, headers) = (app.limits, headers.clone());
    let accepted = work(move || {
        let plain = body::plain(bytes, &headers, &limits)?;
        Ok::<_, ApiError>(otlp(&plain, format, &limits)?)
    })
    .await??;
    let rejection = accepted.rejection();
    for (reason, count) in &accepted.rejected {
        app.counters.reject(reason, *count);
    }
    let surplus = if accepted.spans > 0 { app.receive(accepted.batch).await?.surplus } else { 0 };
    Ok(partial_success(rejection, surplus))
}

/// Tells how many spans were not taken; nothing if all were.
pub(super) fn partial_success(
    rejection: Option<(usize, String)>,
    surplus: usize,
) -> Option<ExportTracePartialSuccess> {
    let (mut count, mut message) = rejection.unwrap_or_default();
    if surplus > 0 {
        count += surplus;
        message.push_str("; their trace has too many spans already");
    }
    (count > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(count).unwrap_or(i64::MAX),
        error_message: message,
    })
}

fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        PROTOBUF | "application/protobuf" => Ok(Format::Protobuf),
        JSON => Ok(Format::Json),
        other => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_content_type",
            format!("content-type {other:?} is not known; send {PROTOBUF} or {JSON}"),
        )),
    }
}

const fn content_type(format: Format) -> HeaderValue {
    HeaderValue::from_static(match format {
        Format::Protobuf => PROTOBUF,
        Format::Json => JSON,
    })
}

fn failure(error: ApiError, format: Format) -> Response {
    if format == Format::Json {
        return error.into_response();
    }
    let status = Status { code: super::grpc::code(&error), message: error.message.clone() };
    let mut response =
        (error.status, [(header::CONTENT_TYPE, content_type(format))], status.encode_to_vec())
            .into_response();
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
