//! The worker: reads orders from stdin, runs code, writes reports to stdout, and ends when stdin does.

use crate::protocol::{MemoryGuard, Order, Report, VERSION};
use session::Session;
use std::io;
use std::process::ExitCode;
use std::thread;
use wire::Wire;

mod wire;
mod confine;
mod values;
mod console;
mod session;

/// The native stack of the interpreter, larger than the deepest recursion that the limits allow.
const STACK: usize = 64 << 20;

/// Runs this process as a worker, until the host goes away.
///
/// This is the `main` of the `glassbox-sandbox` binary. A program that wants to be its own worker calls
/// [`init`](crate::init()) instead.
#[must_use]
pub fn main() -> ExitCode {
    run().into()
}

/// Runs this process as a worker, and returns its exit code.
pub(crate) fn run() -> u8 {
    let worker = thread::Builder::new().name("interpreter".into()).stack_size(STACK).spawn(serve);
    match worker.map(thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => 0,
        Ok(Ok(Err(error))) | Err(error) => {
            tell(&error);
            1
        }
        // The panic has told what it was.
        Ok(Err(_panic)) => 101,
    }
}

#[allow(clippy::print_stderr, reason = "the host reads it when the worker is dead")]
fn tell(error: &io::Error) {
    eprintln!("{error}");
}

fn serve() -> io::Result<()> {
    let mut wire = Wire::stdio();
    let Some(order) = wire.read()? else { return Ok(()) };
    let Order::Start { version, limits } = order else {
        return Err(io::Error::other("the first order has to be to start"));
    };
    let counted = monty_alloc::set_limit(Some(limits.memory), false).is_ok();
    let memory = if counted { MemoryGuard::Allocator } else { MemoryGuard::AddressSpace };
    // A host of another version is told so, and does not go on.
    wire.write(&Report::Ready { version: VERSION, memory })?;
    if version != VERSION {
        return Ok(());
    }
    let confinement = confine::enter(&limits, memory)?;

    let mut session = Session::new(limits);
    while let Some(order) = wire.read()? {
        let Order::Run { code, tools } = order else {
            return Err(io::Error::other("nothing was asked that this order answers"));
        };
        confinement.allow_run();
        let done = session.run(&code, &tools, &mut wire)?;
        wire.write(&Report::Done(done))?;
    }
    Ok(())
}
