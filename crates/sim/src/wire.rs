//! The wire formats. Each of the three modules reads a request, and writes an answer, a stream and an error.

mod problem;
mod reply;
mod read;
mod openai;
mod anthropic;
mod gemini;

pub(crate) use problem::Problem;
pub(crate) use read::Key;
pub(crate) use reply::{Frame, Reply, Usage};

use http::HeaderMap;
use serde_json::Value;

use crate::ask::Ask;
use crate::schema::Dialect;

/// A provider, by its wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// OpenAI chat completions.
    OpenAi,
    /// Anthropic messages.
    Anthropic,
    /// Gemini `generateContent`.
    Gemini,
}

impl Provider {
    /// Finds the API key in a request's headers or query.
    pub(crate) fn key(self, headers: &HeaderMap, query: &str) -> Key {
        match self {
            Self::OpenAi => openai::key(headers),
            Self::Anthropic => anthropic::key(headers),
            Self::Gemini => gemini::key(headers, query),
        }
    }

    /// Reads a request. For Gemini, the model and the kind of stream stand in the URL, and are set by the caller.
    pub(crate) fn read(self, headers: &HeaderMap, body: &Value) -> Result<Ask, Problem> {
        match self {
            Self::OpenAi => openai::read(body),
            Self::Anthropic => anthropic::read(headers, body),
            Self::Gemini => gemini::read(body),
        }
    }

    /// Writes an answer.
    pub(crate) fn whole(self, reply: &Reply<'_>) -> Value {
        match self {
            Self::OpenAi => openai::whole(reply),
            Self::Anthropic => anthropic::whole(reply),
            Self::Gemini => gemini::whole(reply),
        }
    }

    /// Writes an answer as the parts of a stream.
    pub(crate) fn stream(self, reply: &Reply<'_>) -> Vec<Frame> {
        match self {
            Self::OpenAi => openai::stream(reply),
            Self::Anthropic => anthropic::stream(reply),
            Self::Gemini => gemini::stream(reply),
        }
    }

    /// Writes an error: its status and body.
    pub(crate) fn error(self, problem: &Problem, request_id: &str) -> (u16, Value) {
        match self {
            Self::OpenAi => openai::error(problem),
            Self::Anthropic => anthropic::error(problem, request_id),
            Self::Gemini => gemini::error(problem),
        }
    }

    /// Lists the models that the provider offers.
    pub(crate) fn models(self) -> Value {
        match self {
            Self::OpenAi => openai::models(),
            Self::Anthropic => anthropic::models(),
            Self::Gemini => gemini::models(),
        }
    }

    /// The name that the response gives to a model: dated, where the provider has an alias.
    pub(crate) fn dated(self, model: &str) -> String {
        let models = match self {
            Self::OpenAi => openai::MODELS,
            Self::Anthropic => anthropic::MODELS,
            Self::Gemini => gemini::MODELS,
        };
        let known = models.iter().find(|(alias, _)| *alias == model);
        known.map_or(model, |(_, dated)| dated).to_owned()
    }

    /// The header in which the provider tells the request's id.
    pub(crate) fn request_id_header(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("x-request-id"),
            Self::Anthropic => Some("request-id"),
            Self::Gemini => None,
        }
    }

    /// Whose rules for strict schemas apply; Gemini takes any.
    pub(crate) fn dialect(self) -> Option<Dialect> {
        match self {
            Self::OpenAi => Some(Dialect::OpenAi),
            Self::Anthropic => Some(Dialect::Anthropic),
            Self::Gemini => None,
        }
    }
}
