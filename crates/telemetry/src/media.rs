//! Pictures and sound for Langfuse: uploaded beside the spans, which refer to them.

use crate::http::{Answer, Http};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use glassbox_trace::id::{SpanId, TraceId};
use glassbox_trace::otlp::{Media, Place};
use glassbox_trace::time::Timestamp;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use url::Url;

/// Lets the storage check what it got.
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-sha256");

/// The pause before a storage that did not answer well is asked once more.
const STORAGE_PAUSE: Duration = Duration::from_millis(500);

/// A file that is to be uploaded, and the span that refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upload {
    trace_id: TraceId,
    span_id: SpanId,
    place: Place,
    media_type: String,
    sha256: [u8; 32],
    pub(crate) bytes: Bytes,
}

/// Why a file was not uploaded.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Langfuse could not take it now; the spans would fare no better.
    Later { error: String, after: Option<Duration> },
    /// The credentials are not accepted.
    Unauthorized(String),
    /// It will not be uploaded.
    Refused(String),
}

impl Upload {
    /// Takes data that is a picture, sound, video or a PDF. Anything else may be a text, with secrets in it that nobody
    /// has masked.
    pub(crate) fn of(media: &Media<'_>) -> Option<Self> {
        let media_type = media.media_type.split(';').next()?.trim().to_ascii_lowercase();
        let (kind, form) = media_type.split_once('/')?;
        let is_name = |name: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            (1..40).contains(&name.len()) && name.bytes().all(fits)
        };
        let is_binary = matches!(kind, "image" | "audio" | "video") && form != "svg+xml";
        if !(is_name(form) && (is_binary || media_type == "application/pdf")) {
            return None;
        }
        let media_type = if form == "jpg" { "image/jpeg".to_owned() } else { media_type };
        Some(Self {
            trace_id: media.trace_id,
            span_id: media.span_id,
            place: media.place,
            media_type,
            sha256: media.sha256,
            bytes: Bytes::copy_from_slice(media.bytes),
        })
    }

    /// Returns what stands in a text in place of the data.
    pub(crate) fn reference(&self) -> String {
        let (media_type, id) = (&self.media_type, self.id());
        format!("@@@langfuseMedia:type={media_type}|id={id}|source=base64_data_uri@@@")
    }

    /// Returns the id that Langfuse gives a file with this content.
    fn id(&self) -> String {
        let mut id = URL_SAFE_NO_PAD.encode(self.sha256);
        id.truncate(22);
        id
    }

    /// Uploads the file: asks where to, puts it there, and tells what came of it.
    pub(crate) async fn send(&self, http: &Http) -> Result<(), Failure> {
        let announced = json!({
            "contentType": self.media_type,
            "contentLength": self.bytes.len(),
            "sha256Hash": STANDARD.encode(self.sha256),
            "traceId": self.trace_id.to_string(),
            "observationId": self.span_id.to_string(),
            "field": match self.place {
                Place::Input => "input",
                Place::Output => "output",
                Place::Metadata => "metadata",
            },
        });
        let answer = call(http, Method::POST, "", &announced).await?;
        let answer: Value = serde_json::from_slice(&answer)
            .map_err(|_| Failure::Refused("an answer is no JSON; check the address".to_owned()))?;
        if answer["mediaId"] != *self.id() {
            return Err(Failure::Refused("the file has another id than expected".to_owned()));
        }
        // Without an address, it is there already.
        let Some(address) = answer["uploadUrl"].as_str() else { return Ok(()) };
        let address = Url::parse(address)
            .map_err(|_| Failure::Refused("the address for the file is no URL".to_owned()))?;

        let began = Instant::now();
        let mut put = self.put(http, &address).await;
        if matches!(put, Err((_, Answer::Later { .. }))) {
            tokio::time::sleep(STORAGE_PAUSE).await;
            put = self.put(http, &address).await;
        }
        // Without an answer there is no status to tell.
        let (status, error) = match &put {
            Ok(_) => (200, None),
            Err((status, answer)) => (*status, Some(in_words(answer))),
        };
        let time = began.elapsed().as_millis();
        let told = json!({
            "uploadedAt": now().to_string(),
            "uploadHttpStatus": status,
            "uploadHttpError": error,
            "uploadTimeMs": u64::try_from(time).unwrap_or(u64::MAX),
        });
        let told = call(http, Method::PATCH, &format!("/{}", self.id()), &told).await;
        match error {
            Some(error) => {
                Err(Failure::Refused(format!("the storage did not take the file: {error}")))
            }
            None => told.map(|_| ()),
        }
    }

    /// Puts the file where Langfuse said. The storage need not know Langfuse's keys.
    async fn put(&self, http: &Http, address: &Url) -> Result<Vec<u8>, (u16, Answer)> {
        let request = http.elsewhere(Method::PUT, address.clone()).map(|request| {
            request
                .header(CONTENT_TYPE, &self.media_type)
                .header(CHECKSUM, STANDARD.encode(self.sha256))
                .body(self.bytes.clone())
        });
        http.call(request).await
    }
}

/// Calls Langfuse's interface for media, which lies beside that for traces.
async fn call(http: &Http, method: Method, path: &str, body: &Value) -> Result<Vec<u8>, Failure> {
    let url = http.target().url.join(&format!("../../media{path}"));
    let url = url.map_err(|error| Failure::Refused(error.to_string()))?;
    let request = http.elsewhere(method, url).map(|request| {
        request
            .headers(http.target().headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string())
    });
    http.call(request).await.map_err(|(_, answer)| match answer {
        Answer::Later { error, after } => Failure::Later { error, after },
        Answer::Unauthorized(error) => Failure::Unauthorized(error),
        other => Failure::Refused(in_words(&other)),
    })
}

fn in_words(answer: &Answer) -> String {
    match answer {
        Answer::Accepted { why: error, .. }
        | Answer::Later { error, .. }
        | Answer::TooLarge(error)
        | Answer::Malformed(error)
        | Answer::Unauthorized(error)
        | Answer::Refused(error) => error.clone(),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(media_type: &str) -> Option<Upload> {
        Upload::of(&Media {
            trace_id: TraceId::from_bytes([1; 16]),
            span_id: SpanId::from_bytes([2; 8]),
            place: Place::Input,
            media_type,
            bytes: b"hello",
            sha256: [0xff; 32],
        })
    }

    #[test]
    fn only_what_cannot_hold_secrets_is_uploaded() {
        let reference = |media_type| upload(media_type).map(|upload| upload.reference());
        assert_eq!(
            reference("image/PNG").as_deref(),
            Some(
                "@@@langfuseMedia:type=image/png|id=______________________|source=base64_data_uri@@@"
            )
        );
        assert!(reference("audio/wav; rate=1").unwrap().contains("type=audio/wav|"));
        for text in
            ["text/plain", "application/json", "image/svg+xml", "image/", "image", "image/a|b", ""]
        {
            assert_eq!(reference(text), None, "{text}");
        }
    }
}
