//! The worker's end of the protocol.

use crate::protocol::{self, Order, Report};
use std::io::{self, ErrorKind, Read, Stdin, Stdout, Write};

/// Reads orders from stdin and writes reports to stdout.
pub(super) struct Wire {
    orders: Stdin,
    reports: Stdout,
}

impl Wire {
    pub(super) fn stdio() -> Self {
        Self { orders: io::stdin(), reports: io::stdout() }
    }

    /// Reads the next order; none when the host has gone.
    pub(super) fn read(&mut self) -> io::Result<Option<Order>> {
        let mut head = [0; 4];
        let mut orders = self.orders.lock();
        match orders.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let mut message = vec![0; protocol::length(head)?];
        orders.read_exact(&mut message)?;
        protocol::decode(&message).map(Some)
    }

    pub(super) fn write(&mut self, report: &Report) -> io::Result<()> {
        let frame = protocol::encode(report)?;
        let mut reports = self.reports.lock();
        reports.write_all(&frame)?;
        reports.flush()
    }
}
