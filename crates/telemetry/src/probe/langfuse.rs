//! What only Langfuse can be asked: whose keys they are, and whether the span is there.

use super::{Prober, Step, Stopped};
use glassbox_trace::span::Span;
use serde_json::Value;
use std::time::{Duration, Instant};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Where observations are read, newest version first.
const OBSERVATIONS: [&str; 2] = ["/api/public/v2/observations", "/api/public/observations"];

impl Prober<'_> {
    /// Asks whose project the keys are for.
    pub(super) async fn project(&mut self, base: &str) -> Result<(), Stopped> {
        let url = self.address(base, "/api/public/projects", &[])?;
        let reply = self.ask(Step::Credentials, self.http.get(url.clone())).await?;
        if matches!(reply.status.as_u16(), 401 | 403) {
            let advice = self.target().check.to_owned();
            return Err(self.findings.stop(Step::Credentials, reply.in_words(), advice));
        }
        if reply.is_page() || !reply.status.is_success() {
            let advice = self.advice.refusal(&reply, &url);
            return Err(self.findings.stop(Step::Credentials, reply.in_words(), advice));
        }
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match body["data"][0]["name"].as_str() {
            Some(name) => {
                self.findings
                    .ok(Step::Credentials, format!("the keys are for the project {name:?}"));
            }
            None => self.findings.ok(Step::Credentials, "the keys are accepted"),
        }
        self.findings.begin();
        Ok(())
    }

    /// Looks for the span until it is there or patience is over.
    pub(super) async fn read_back(
        &mut self,
        base: &str,
        span: &Span,
        patience: Duration,
    ) -> Result<(), Stopped> {
        let (trace_id, span_id) = (span.trace_id.to_string(), span.span_id.to_string());
        let began = Instant::now();
        let mut paths = OBSERVATIONS.into_iter();
        let mut path = paths.next().unwrap_or_default();
        loop {
            self.findings.begin();
            let url =
                self.address(base, path, &[("traceId", trace_id.as_str()), ("limit", "10")])?;
            let reply = self.ask(Step::ReadBack, self.http.get(url)).await?;
            let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let found = body["data"].as_array().into_iter().flatten();
            if found.into_iter().any(|one| one["id"].as_str() == Some(&span_id)) {
                let seen =
                    format!("after {:.1}s: {base}/trace/{trace_id}", began.elapsed().as_secs_f64());
                self.findings.ok(Step::ReadBack, seen);
                return Ok(());
            }
            if reply.status.as_u16() == 404 && !reply.body.is_empty() {
                // An older Langfuse does not know the newest way.
                match paths.next() {
                    Some(older) => path = older,
                    None => {
                        let advice = format!("look for the trace {trace_id} at {base}");
                        self.findings.warn(Step::ReadBack, reply.in_words(), advice);
                        return Ok(());
                    }
                }
                continue;
            }
            if began.elapsed() + PAUSE > patience {
                let seen = format!(
                    "accepted, and not there after {:.0}s ({})",
                    began.elapsed().as_secs_f64(),
                    if reply.status.is_success() {
                        "not found".to_owned()
                    } else {
                        reply.in_words()
                    }
                );
                let advice = format!(
                    "Langfuse's worker may be behind or down: see its log, or look later for the trace {trace_id} at \
                     {base}"
                );
                return Err(self.findings.stop(Step::ReadBack, seen, advice));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
