//! A program as its own worker.

use crate::locate;
use crate::protocol::WORKER_ARGUMENT;
use crate::worker;

/// Lets this program be its own worker, so that no second executable has to be shipped. Call it first in `main`.
///
/// In the program as it was started it returns at once. Where the sandbox ran the program again, to be a worker, it
/// does not return: it runs code until the host goes away. There the kernel bounds the memory, more roughly than the
/// allocator of the `glassbox-sandbox` binary.
///
/// In a program with `#[tokio::main]`, that is before the runtime starts: put the attribute on a function that `main`
/// calls.
///
/// ```
/// glassbox_sandbox::init();
/// // The program.
/// ```
pub fn init() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == WORKER_ARGUMENT) {
        std::process::exit(worker::run().into());
    }
    locate::offer_own_worker();
}
