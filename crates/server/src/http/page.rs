//! The page: files that are part of the program.

use super::error::ApiError;
use super::langfuse;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "ui/"]
struct Files;

/// Answers with a file, or with the page itself for the paths that it knows what to show for.
pub(super) async fn page(method: Method, uri: Uri) -> Response {
    if uri.path().starts_with(langfuse::PATHS) {
        return langfuse::unknown(&method, &uri);
    }
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") || path.starts_with("v1/") {
        return ApiError::not_found("route").into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "only GET is answered here",
        )
        .into_response();
    }
    // A file that is asked for by name and is not there is not the page.
    let (name, what) =
        path.strip_prefix("assets/").map_or(("index.html", "page"), |file| (file, "file"));
    match Files::get(name) {
        Some(file) => file_of(name, file.data.into_owned()),
        None => ApiError::not_found(what).into_response(),
    }
}

fn file_of(path: &str, bytes: Vec<u8>) -> Response {
    let kind = match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, bytes).into_response()
}
