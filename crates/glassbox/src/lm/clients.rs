//! Clients of `genai` for one model: one for requests without a schema, and one for each schema that answers follow.
//!
//! The transport takes a schema by value with the options of a call, or keeps it with the client. Copied for each call, it
//! would cost as much as all else that we do for one.

use crate::lm::request::ResponseSchema;
use genai::Client;
use genai::adapter::AdapterKind;
use genai::chat::{
    ChatOptions, ChatResponseFormat, JsonSchemaDialect, JsonSpec, sanitize_json_schema,
};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// How many schemas have a client at most. A program has one for each signature; more are only made on the fly.
const MOST: usize = 64;

/// The clients, which share one pool of connections.
pub(super) struct Clients {
    http: reqwest::Client,
    kind: AdapterKind,
    plain: Client,
    /// Schemas by their address. A weak pointer keeps it from being used again, and tells whether the schema is still
    /// there.
    with_schema: Mutex<Vec<(Weak<ResponseSchema>, Client)>>,
}

impl Clients {
    pub(super) fn new(http: reqwest::Client, kind: AdapterKind) -> Result<Self, genai::Error> {
        let plain = Client::builder().with_reqwest(http.clone()).build()?;
        Ok(Self { http, kind, plain, with_schema: Mutex::default() })
    }

    /// Returns the client for requests without a schema.
    pub(super) const fn plain(&self) -> &Client {
        &self.plain
    }

    /// Returns the client for requests with this schema, or without one.
    pub(super) fn of(&self, schema: Option<&Arc<ResponseSchema>>) -> Result<Client, genai::Error> {
        let Some(schema) = schema else { return Ok(self.plain.clone()) };
        let mut clients = self.with_schema.lock().unwrap_or_else(PoisonError::into_inner);
        let known = clients.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(schema));
        if let Some((_, client)) = known {
            return Ok(client.clone());
        }
        let builder = Client::builder().with_reqwest(self.http.clone());
        let client = builder.with_chat_options(following(self.kind, schema)).build()?;
        clients.retain(|(known, _)| known.strong_count() > 0);
        if clients.len() == MOST {
            clients.remove(0);
        }
        clients.push((Arc::downgrade(schema), client.clone()));
        Ok(client)
    }
}

/// Asks for answers that follow a schema.
fn following(kind: AdapterKind, schema: &ResponseSchema) -> ChatOptions {
    if kind != AdapterKind::OpenAI {
        let spec = JsonSpec::new(schema.name.clone(), schema.schema.clone());
        return ChatOptions::default().with_response_format(ChatResponseFormat::JsonSpec(spec));
    }
    // What the transport makes of a `JsonSpec`, for each call anew: a third of all its work.
    let strict = sanitize_json_schema(&schema.schema, JsonSchemaDialect::OpenAiStrict);
    let json_schema = json!({ "name": schema.name, "strict": true, "schema": strict });
    ChatOptions::default().with_extra_body(
        json!({ "response_format": { "type": "json_schema", "json_schema": json_schema } }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema(name: &str) -> Arc<ResponseSchema> {
        let schema = json!({ "type": "object", "properties": {}, "required": [] });
        Arc::new(ResponseSchema { name: name.to_owned(), schema })
    }

    fn kept(clients: &Clients) -> usize {
        clients.with_schema.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    #[test]
    fn a_schema_keeps_its_client_as_long_as_it_lives() -> Result<(), genai::Error> {
        let clients = Clients::new(reqwest::Client::new(), AdapterKind::OpenAI)?;
        let (one, other) = (schema("one"), schema("other"));
        for schema in [&one, &other, &one] {
            clients.of(Some(schema))?;
        }
        clients.of(None)?;
        assert_eq!(kept(&clients), 2);
        drop(one);
        clients.of(Some(&schema("third")))?;
        assert_eq!(kept(&clients), 2);
        Ok(())
    }

    #[test]
    fn schemas_made_on_the_fly_do_not_pile_up() -> Result<(), genai::Error> {
        let clients = Clients::new(reqwest::Client::new(), AdapterKind::OpenAI)?;
        let schemas: Vec<_> = (0..2 * MOST).map(|at| schema(&at.to_string())).collect();
        for schema in &schemas {
            clients.of(Some(schema))?;
        }
        assert_eq!(kept(&clients), MOST);
        Ok(())
    }
}
