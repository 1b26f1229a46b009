//! The server's stream, event by event.

use anyhow::Context as _;
use serde_json::Value;

/// The most bytes of an event: the server sends summaries.
const MOST_BYTES: usize = 4 << 20;

/// An event of the stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// Events as they come.
#[derive(Debug)]
pub(crate) struct Events {
    response: reqwest::Response,
    buffer: Vec<u8>,
}

impl Events {
    pub(crate) const fn new(response: reqwest::Response) -> Self {
        Self { response, buffer: Vec::new() }
    }

    /// Waits for the next event; `None` when the server ends the stream.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            while let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                    return Ok(Some(event));
                }
            }
            anyhow::ensure!(self.buffer.len() < MOST_BYTES, "the server sends an endless event");
            let chunk = self.response.chunk().await.context("the stream broke off")?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.buffer.extend_from_slice(&chunk);
        }
    }
}

/// Reads a block of lines; comments and blocks without data are none.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|text| text.strip_prefix(' ').unwrap_or(text))
    };
    Some(Event {
        id: field("id").unwrap_or_default().to_owned(),
        name: field("event").unwrap_or("message").to_owned(),
        data: serde_json::from_str(field("data")?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_comments_are_not() {
        let event = parse("id: 7\nevent: span_end\ndata: {\"name\":\"a: b\"}\n\n").unwrap();
        assert_eq!((event.id.as_str(), event.name.as_str()), ("7", "span_end"));
        assert_eq!(event.data["name"], "a: b");
        assert_eq!(parse(":\n\n"), None);
    }
}
