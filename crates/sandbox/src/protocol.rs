//! The protocol between host and worker: frames over the worker's stdin and stdout.
//!
//! A frame is its length in bytes as a little-endian `u32`, and then one JSON message: an [`Order`] to the worker, a
//! [`Report`] from it. Neither side trusts the other's frames.
//!
//! ```text
//! host                       worker
//!   Start(version, limits)  ->
//!                           <-  Ready(version, memory)
//!   Run(code, tools)        ->
//!                           <-  Output(text)            any number of times
//!                           <-  Call(name, args)        any number of times, each answered by
//!   Value(..) | Raise(..)   ->
//!                           <-  Done(value, error, limit)
//! ```

use crate::limits::{Limit, Limits};
use crate::tools::{Call, Exception};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, ErrorKind};

/// The version of the protocol. A worker and a host of different versions refuse each other.
pub(crate) const VERSION: u32 = 1;

/// The largest frame in bytes: a longer one is garbage.
pub(crate) const MAX_FRAME: usize = 16 << 20;

/// How deep a value may nest, so that neither side's reader recurses further than its stack goes.
pub(crate) const MAX_DEPTH: usize = 64;

/// Names the worker to itself when an executable runs itself again.
pub(crate) const WORKER_ARGUMENT: &str = "--glassbox-sandbox-worker";

/// What the host asks of the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    Start { version: u32, limits: Limits },
    Run { code: String, tools: Vec<String> },
    Value(Value),
    Raise(Exception),
}

/// What the worker tells the host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    Ready { version: u32, memory: MemoryGuard },
    Output(String),
    Call(Call),
    Done(Done),
}

/// What guards a worker's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryGuard {
    /// The worker's own allocator counts each byte: the limit is exact, and mostly a `MemoryError` of the code.
    Allocator,
    /// The kernel bounds the address space: the limit is rough, and the worker dies of it.
    AddressSpace,
}

/// How a run ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) value: Option<Value>,
    pub(crate) repr: Option<String>,
    pub(crate) error: Option<Exception>,
    pub(crate) limit: Option<Limit>,
}

/// Writes a message as a frame.
///
/// # Errors
///
/// The message is larger than a frame may be.
pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = frame.len() - 4;
    if length > MAX_FRAME {
        return Err(invalid(format!("a message of {length} bytes is longer than {MAX_FRAME}")));
    }
    // Smaller than `MAX_FRAME`, so that it fits.
    frame[..4].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// Reads a frame's first four bytes as the length of its message.
///
/// # Errors
///
/// It is longer than a frame may be.
pub(crate) fn length(head: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_le_bytes(head) as usize;
    if length > MAX_FRAME {
        return Err(invalid(format!("a frame of {length} bytes is longer than {MAX_FRAME}")));
    }
    Ok(length)
}

/// Reads a message of a frame.
///
/// # Errors
///
/// It is no message of this protocol.
pub(crate) fn decode<T: DeserializeOwned>(message: &[u8]) -> io::Result<T> {
    serde_json::from_slice(message)
        .map_err(|error| invalid(format!("a frame is not a message: {error}")))
}

fn invalid(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, message)
}

/// Returns whether a value nests deeper than [`MAX_DEPTH`].
pub(crate) fn too_deep(value: &Value) -> bool {
    fn deeper(value: &Value, left: usize) -> bool {
        match value {
            Value::Array(_) | Value::Object(_) if left == 0 => true,
            Value::Array(items) => items.iter().any(|item| deeper(item, left - 1)),
            Value::Object(fields) => fields.values().any(|field| deeper(field, left - 1)),
            _ => false,
        }
    }
    deeper(value, MAX_DEPTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_read_as_they_were_written() {
        let order = Order::Run { code: "1 + 1".into(), tools: vec!["search".into()] };
        let frame = encode(&order).unwrap();
        let head = <[u8; 4]>::try_from(&frame[..4]).unwrap();
        assert_eq!(length(head).unwrap(), frame.len() - 4);
        let Order::Run { code, tools } = decode(&frame[4..]).unwrap() else { panic!() };
        assert_eq!((code.as_str(), tools.len()), ("1 + 1", 1));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(!too_deep(&nested(MAX_DEPTH)));
        assert!(too_deep(&nested(MAX_DEPTH + 1)));
    }

    proptest! {
        #[test]
        fn garbage_is_an_error(head: [u8; 4], message: Vec<u8>) {
            let _ = length(head);
            prop_assert!(decode::<Report>(&message).is_err());
        }
    }
}
