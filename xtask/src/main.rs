//! Chores of the repository, as `cargo xtask CHORE`.
#![allow(clippy::print_stdout, reason = "a chore reports on the terminal")]
#![allow(clippy::print_stderr, reason = "a chore reports on the terminal")]

mod command;
mod workspace;
mod tools;
mod peers;
mod programs;
mod check;
mod prices;

use std::process::ExitCode;

const HELP: &str = "\
Chores of the repository.

Usage: cargo xtask check [STEP]..   run all checks, or the named ones
       cargo xtask prices           take the built-in prices anew from LiteLLM's package

";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] | ["help" | "-h" | "--help"] => {
            print!("{HELP}{}", check::steps_help());
            return ExitCode::SUCCESS;
        }
        ["check", steps @ ..] => check::check(steps),
        ["prices"] => prices::refresh().map(|()| true),
        [chore, ..] => Err(anyhow::anyhow!("no chore `{chore}`, type `cargo xtask` to see them")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
