//! An answer on its way to a wire format.

use bytes::Bytes;
use serde_json::Value;

use crate::answer::{Answer, Call};
use crate::ask::Ask;
use crate::tokens;

/// All that a wire format needs to write an answer.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) answer: &'a Answer,
    /// The model as the response names it.
    pub(crate) model: String,
    /// Letters and digits from which the response's ids are made.
    pub(crate) id: String,
    /// Seconds since the Unix epoch.
    pub(crate) created: u64,
    pub(crate) usage: Option<Usage>,
    /// How many tokens each part of a stream holds.
    pub(crate) tokens_per_chunk: usize,
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// The whole prompt, the cached part included.
    pub(crate) input: u64,
    /// The part of the prompt that was read from the cache.
    pub(crate) cached: u64,
    /// The part that was written to it.
    pub(crate) written: u64,
    pub(crate) output: u64,
}

/// A part of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Sent when so many tokens have been written.
    pub(crate) after: u64,
    pub(crate) bytes: Bytes,
}

impl Frame {
    /// Makes a server-sent event without a name.
    pub(crate) fn data(after: u64, data: &Value) -> Self {
        Self { after, bytes: Bytes::from(format!("data: {data}\n\n")) }
    }

    /// Makes a server-sent event with a name.
    pub(crate) fn event(after: u64, name: &str, data: &Value) -> Self {
        Self { after, bytes: Bytes::from(format!("event: {name}\ndata: {data}\n\n")) }
    }
}

impl Reply<'_> {
    /// Splits a text into the pieces that a stream sends, each with the number of tokens written before it.
    pub(crate) fn pieces<'t>(
        &self,
        text: &'t str,
    ) -> impl Iterator<Item = (u64, &'t str)> + use<'t> {
        let mut before = 0;
        tokens::pieces(text, self.tokens_per_chunk).into_iter().map(move |piece| {
            let after = before / tokens::BYTES as u64;
            before += piece.len() as u64;
            (after, piece)
        })
    }

    /// The calls' ids, which begin as the provider's do.
    pub(crate) fn calls<'c>(&self, calls: &'c [Call], prefix: &str) -> Vec<(String, &'c Call)> {
        let id = |index: usize| {
            let tail: String = self.id.chars().rev().take(22).collect();
            format!("{prefix}{tail}{index:02}")
        };
        calls.iter().enumerate().map(|(index, call)| (id(index), call)).collect()
    }
}
