//! OTLP: protobuf as it is, JSON as the protobuf that it stands for.

use super::{Limits, Unreadable};
use crate::received::Origin;
use crate::store::{Batch, OriginBytes, Packer};
use crate::wire::{self, WireSpan};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// What was made of a request.
#[derive(Debug, Default)]
pub struct Accepted {
    /// What is to be kept.
    pub batch: Batch,
    /// How many spans that is.
    pub spans: usize,
    /// How many spans are not kept, by the reason.
    pub rejected: BTreeMap<String, usize>,
}

impl Accepted {
    /// Returns how many spans are not kept, and why.
    #[must_use]
    pub fn rejection(&self) -> Option<(usize, String)> {
        let count: usize = self.rejected.values().sum();
        let reasons: Vec<_> = self
            .rejected
            .iter()
            .map(|(reason, count)| format!("{count} times: {reason}"))
            .collect();
        (count > 0).then(|| (count, reasons.join("; ")))
    }
}

/// Reads an export request. A bad span is rejected alone.
///
/// # Errors
///
/// If the outer messages cannot be read.
pub fn otlp(body: &[u8], format: Format, limits: &Limits) -> Result<Accepted, Unreadable> {
    match format {
        Format::Protobuf => protobuf(body, limits),
        Format::Json => {
            let request: ExportTraceServiceRequest = serde_json::from_slice(body).map_err(|error| {
                Unreadable(format!(
                    "expected an OTLP trace export request in JSON: {error}; if it is protobuf, send content-type application/x-protobuf"
                ))
            })?;
            protobuf(&request.encode_to_vec(), limits)
        }
    }
}

fn protobuf(body: &[u8], limits: &Limits) -> Result<Accepted, Unreadable> {
    let groups = wire::groups(body).map_err(|error| {
        Unreadable(format!(
            "expected an OTLP trace export request in protobuf: {error}; if it is JSON, send content-type application/json"
        ))
    })?;
    let mut accepted = Accepted::default();
    let mut packer = Packer::default();
    for group in groups {
        let origin = match group.resource_attributes() {
            Ok(attributes) => Origin::read(&attributes),
            Err(error) => {
                *accepted.rejected.entry(format!("the resource: {error}")).or_default() +=
                    group.spans.len();
                continue;
            }
        };
        let origin = Arc::new(OriginBytes::new(group.resource, group.scope, origin));
        for bytes in group.spans {
            if accepted.spans >= limits.spans {
                let reason = format!(
                    "more than {} spans in one request; send smaller batches",
                    limits.spans
                );
                *accepted.rejected.entry(reason).or_default() += 1;
                continue;
            }
            match WireSpan::read(bytes) {
                Ok(wire) if wire.fragment_at.is_none() && !wire.is_trace_record => {
                    packer.push(&wire, bytes, &origin);
                    accepted.spans += 1;
                }
                Ok(_) => {
                    *accepted
                        .rejected
                        .entry("fields that OTLP does not have".to_owned())
                        .or_default() += 1
                }
                Err(error) => *accepted.rejected.entry(error.to_string()).or_default() += 1,
            }
        }
    }
    accepted.batch.blocks = packer.finish();
    Ok(accepted)
}
