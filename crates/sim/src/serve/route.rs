//! Which provider a request is for, and what it wants.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

use crate::ask::Stream;
use crate::wire::Provider;

/// A request that has been read.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    /// `None` if it was larger than accepted.
    pub(super) body: Option<Bytes>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Route {
    pub(super) provider: Provider,
    pub(super) wanted: Wanted,
}

#[derive(Debug, PartialEq)]
pub(super) enum Wanted {
    /// An answer of a model. Gemini has the model and the kind of stream in the URL.
    Answer {
        in_url: Option<(String, Option<Stream>)>,
    },
    /// Vectors of texts.
    Embeddings,
    Models,
    /// Nothing that we know.
    Unknown,
}

pub(super) fn route(request: &Request) -> Route {
    let (method, path) = (&request.method, request.uri.path());
    let is_post = method == Method::POST;
    let known = |provider, wanted| Route { provider, wanted };
    match path {
        "/v1/chat/completions" if is_post => {
            known(Provider::OpenAi, Wanted::Answer { in_url: None })
        }
        "/v1/embeddings" if is_post => known(Provider::OpenAi, Wanted::Embeddings),
        "/v1/messages" if is_post => known(Provider::Anthropic, Wanted::Answer { in_url: None }),
        "/v1/models" if method == Method::GET => known(guess(request), Wanted::Models),
        "/v1beta/models" if method == Method::GET => known(Provider::Gemini, Wanted::Models),
        _ => {
            let wanted = gemini(request).filter(|_| is_post);
            let in_url = wanted.map(|in_url| Wanted::Answer { in_url: Some(in_url) });
            known(guess(request), in_url.unwrap_or(Wanted::Unknown))
        }
    }
}

fn gemini(request: &Request) -> Option<(String, Option<Stream>)> {
    let (model, action) = request.uri.path().strip_prefix("/v1beta/models/")?.split_once(':')?;
    let is_events =
        request.uri.query().unwrap_or_default().split('&').any(|pair| pair == "alt=sse");
    let stream = match action {
        "generateContent" => None,
        "streamGenerateContent" if is_events => Some(Stream::Events { usage: true }),
        "streamGenerateContent" => Some(Stream::Array),
        _ => return None,
    };
    Some((model.to_owned(), stream))
}

/// The provider that a request seems to be meant for: two of them share `/v1/`.
fn guess(request: &Request) -> Provider {
    let has = |name: &str| request.headers.contains_key(name);
    if request.uri.path().starts_with("/v1beta/") {
        Provider::Gemini
    } else if has("anthropic-version") || has("x-api-key") {
        Provider::Anthropic
    } else {
        Provider::OpenAi
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(method: Method, uri: &'static str) -> Route {
        route(&Request {
            method,
            uri: Uri::from_static(uri),
            headers: HeaderMap::new(),
            body: None,
        })
    }

    #[test]
    fn paths_and_methods_decide() {
        let answer = |provider, in_url| Route { provider, wanted: Wanted::Answer { in_url } };
        let flash = |stream| Some(("gemini-2.5-flash".to_owned(), stream));
        let events = Some(Stream::Events { usage: true });
        for (uri, expected) in [
            ("/v1/chat/completions", answer(Provider::OpenAi, None)),
            ("/v1/messages?beta=true", answer(Provider::Anthropic, None)),
            (
                "/v1beta/models/gemini-2.5-flash:generateContent",
                answer(Provider::Gemini, flash(None)),
            ),
            (
                "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
                answer(Provider::Gemini, flash(events)),
            ),
            (
                "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
                answer(Provider::Gemini, flash(Some(Stream::Array))),
            ),
            (
                "/v1beta/models/gemini-2.5-flash:fly",
                Route { provider: Provider::Gemini, wanted: Wanted::Unknown },
            ),
            ("/v1/embeddings", Route { provider: Provider::OpenAi, wanted: Wanted::Embeddings }),
            ("/v1/rerank", Route { provider: Provider::OpenAi, wanted: Wanted::Unknown }),
        ] {
            assert_eq!(routed(Method::POST, uri), expected, "{uri}");
        }
        assert_eq!(routed(Method::GET, "/v1/chat/completions").wanted, Wanted::Unknown);
        assert_eq!(routed(Method::GET, "/v1/models").wanted, Wanted::Models);
    }
}
