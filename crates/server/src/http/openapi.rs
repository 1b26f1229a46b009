//! The description of the whole API in OpenAPI 3.1: routes from a table, shapes from the types that are answered with.

mod routes;

use super::App;
use super::api::answer;
use super::asked::{Asked, Nothing};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use routes::{Body, ROUTES, Route};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const ABOUT: &str = "Receives, keeps and shows traces of LLM programs.\n\nTimes are microseconds since the epoch (`_us`), \
     ids are lower-case hex, money is decimal text in US dollars, `null` is unknown. Lists are asked for in parts: hand \
     `next_cursor` in as `cursor`. Answers have an `ETag`.";

pub(super) async fn openapi(
    State(_): State<Arc<App>>,
    _: Asked<Nothing>,
    headers: HeaderMap,
) -> Response {
    answer(&headers, &document())
}

/// Writes the description.
fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut shapes = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation(route, &mut shapes);
    }
    let mut schemas = shapes.take_definitions(true);
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Glassbox trace server", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "security": [{ "token": [] }, { "keys": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "The token that the server printed" },
                "keys": { "type": "http", "scheme": "basic", "description": "A key pair of the server; the token also does as the secret one" },
            },
        },
    })
}

fn operation(route: &Route, shapes: &mut SchemaGenerator) -> Value {
    let of_path = route.path.split('/').filter_map(|part| part.strip_prefix('{'));
    let of_path = of_path.map(|name| {
        let name = name.trim_end_matches('}');
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" }, "description": "The id" })
    });
    let of_query = route.query.iter().map(|(name, kind, about)| {
        json!({ "name": name, "in": "query", "schema": { "type": kind }, "description": about })
    });
    let parameters: Vec<_> = of_path.chain(of_query).collect();
    let failed = json!({
        "description": "What is wrong, and what to send instead",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    let mut operation = json!({
        "summary": route.about,
        "parameters": parameters,
        "responses": {
            route.status: { "description": "As asked", "content": content(&route.answer, shapes) },
            "default": failed,
        },
    });
    if route.method == "get" && matches!(route.answer, Body::Json(_)) {
        operation["responses"]["304"] =
            json!({ "description": "What If-None-Match names is still the answer" });
    }
    if let Some(body) = &route.body {
        operation["requestBody"] = json!({ "required": true, "content": content(body, shapes) });
    }
    if route.is_open {
        operation["security"] = json!([]);
    }
    operation
}

fn content(body: &Body, shapes: &mut SchemaGenerator) -> Value {
    match body {
        Body::Json(shape) => json!({ "application/json": { "schema": shape(shapes) } }),
        Body::Other(kinds, about) => {
            let media = json!({ "schema": { "description": about } });
            kinds
                .iter()
                .map(|kind| ((*kind).to_owned(), media.clone()))
                .collect::<Map<_, _>>()
                .into()
        }
    }
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message", "at"],
            "properties": {
                "code": { "type": "string", "description": "A word for programs, such as bad_filter" },
                "message": { "type": "string", "description": "What is wrong, and what to send instead" },
                "at": { "type": ["integer", "null"], "description": "Where in the filter, in bytes" },
            },
        } },
    })
}
