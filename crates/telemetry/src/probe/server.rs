//! What a glassbox server can be asked: whether the span is there.

use super::{Prober, SPAN_NAME, Step, Stopped};
use glassbox_trace::span::Span;
use serde_json::Value;

impl Prober<'_> {
    /// Reads the span back. What the server acknowledged is there, so it is asked once.
    pub(super) async fn seen_by_server(&mut self, base: &str, span: &Span) -> Result<(), Stopped> {
        self.findings.begin();
        let trace_id = span.trace_id.to_string();
        let url = self.address(base, &format!("/api/v1/traces/{trace_id}"), &[])?;
        let reply = self.ask(Step::ReadBack, self.http.get(url)).await?;
        if reply.status.as_u16() == 401 {
            let seen = "the server takes spans and does not show them to whoever has no token";
            let advice =
                "set GLASSBOX_SERVER_KEY to its token or a key pair, to read the span back";
            self.findings.warn(Step::ReadBack, seen, advice);
            return Ok(());
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if reply.status.is_success() && body["trace"]["name"] == SPAN_NAME {
            self.findings.ok(Step::ReadBack, format!("{base}/trace/{trace_id}"));
            return Ok(());
        }
        let advice = format!("see the server's log, and look for the trace {trace_id} at {base}");
        Err(self.findings.stop(Step::ReadBack, reply.in_words(), advice))
    }
}
