//! The console: sends on what the code prints, as it prints it, up to the limit.

use super::wire::Wire;
use crate::protocol::Report;
use monty_types::{ExcType, MontyException, PrintWriterCallback};
use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

/// How much is held back before it is sent.
const BATCH: usize = 4 << 10;
/// How long it is held back: should the worker be killed, this much of the output is lost.
const HELD: Duration = Duration::from_millis(20);

pub(super) struct Console<'a> {
    pub(super) wire: &'a mut Wire,
    held: String,
    sent_at: Instant,
    /// Bytes that may be printed still.
    left: usize,
    pub(super) flooded: bool,
    /// The host has gone: nothing matters any more.
    broken: Option<io::Error>,
}

impl<'a> Console<'a> {
    pub(super) fn new(wire: &'a mut Wire, limit: usize) -> Self {
        let held = String::new();
        Self { wire, held, sent_at: Instant::now(), left: limit, flooded: false, broken: None }
    }

    /// Sends what is held back.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        if !self.held.is_empty() {
            self.wire.write(&Report::Output(std::mem::take(&mut self.held)))?;
        }
        self.sent_at = Instant::now();
        Ok(())
    }

    fn print(&mut self, text: &str) -> Result<(), MontyException> {
        let fits = text.len().min(self.left);
        let end = (0..=fits).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.held.push_str(&text[..end]);
        self.left -= end;
        if end < text.len() {
            self.flooded = true;
            // Nothing more is printed, not even something shorter.
            self.left = 0;
            let message = "output limit exceeded".to_owned();
            return Err(MontyException::new(ExcType::RuntimeError, Some(message)));
        }
        if self.held.len() >= BATCH { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), MontyException> {
        self.flush().map_err(|error| {
            let exception = MontyException::runtime_error(&error);
            self.broken = Some(error);
            exception
        })
    }
}

impl PrintWriterCallback for Console<'_> {
    fn stdout_write(&mut self, output: Cow<'_, str>) -> Result<(), MontyException> {
        self.print(&output)
    }

    fn stdout_push(&mut self, end: char) -> Result<(), MontyException> {
        self.print(end.encode_utf8(&mut [0; 4]))
    }

    fn poll_flush(&mut self) -> Result<(), MontyException> {
        if !self.held.is_empty() && self.sent_at.elapsed() >= HELD { self.send() } else { Ok(()) }
    }
}
