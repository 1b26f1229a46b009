//! Bodies of requests, within limits of size and time, decompressed.

use super::error::ApiError;
use crate::ingest::Limits;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::io::Read as _;

/// Reads a body as it was sent.
pub(super) async fn read(body: Body, limits: &Limits) -> Result<Bytes, ApiError> {
    let collecting = Limited::new(body, limits.body_bytes).collect();
    match tokio::time::timeout(limits.read_timeout, collecting).await {
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!(
                "the request did not arrive within {:?}; send smaller batches",
                limits.read_timeout
            ),
        )),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limits.body_bytes)),
        Ok(Err(error)) => Err(ApiError::bad_request(format!("the request broke off: {error}"))),
    }
}

/// Decompresses a body, if its headers say that it is compressed.
pub(super) fn plain(body: Bytes, headers: &HeaderMap, limits: &Limits) -> Result<Bytes, ApiError> {
    let encoding =
        headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim());
    match encoding {
        None | Some("" | "identity") => Ok(body),
        Some("gzip" | "x-gzip") => gunzip(&body, limits),
        Some(other) => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            format!("content-encoding {other:?} is not known; send gzip or none"),
        )),
    }
}

/// Decompresses gzip, as far as the limit goes.
pub(super) fn gunzip(body: &[u8], limits: &Limits) -> Result<Bytes, ApiError> {
    let mut plain = Vec::with_capacity(body.len().saturating_mul(4).min(limits.plain_bytes));
    // One byte more than is allowed shows that there is more.
    let most = u64::try_from(limits.plain_bytes).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body)
        .take(most)
        .read_to_end(&mut plain)
        .map_err(|error| ApiError::bad_request(format!("the body is no gzip: {error}")))?;
    if plain.len() > limits.plain_bytes {
        return Err(too_large(limits.plain_bytes));
    }
    Ok(plain.into())
}

fn too_large(limit: usize) -> ApiError {
    let message = format!("the request has more than {limit} bytes; send smaller batches");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}
