//! The worker process, whose allocator counts the memory of the code that it runs.

use monty_alloc::LimitedAllocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: LimitedAllocator = LimitedAllocator;

fn main() -> ExitCode {
    glassbox_sandbox::worker::main()
}
