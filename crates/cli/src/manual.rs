//! `glassbox completions` and `glassbox man`: for packagers, and whoever likes to press Tab.

use anyhow::Context as _;
use clap::{Args as ClapArgs, Command};
use clap_complete::Shell;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Write what a shell needs to complete the command's arguments
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox completions bash > ~/.local/share/bash-completion/completions/glassbox
  glassbox completions zsh > ~/.zfunc/_glassbox
  glassbox completions fish > ~/.config/fish/completions/glassbox.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Write the manual as man pages
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  glassbox man | man -l -
  glassbox man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// A folder for a page of each command; by default the first page goes to stdout
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) fn completions(args: &Completions, mut command: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "glassbox", &mut script);
    // Whoever reads it may have enough, as `head` has.
    let _ = io::stdout().lock().write_all(&script);
    ExitCode::SUCCESS
}

pub(crate) fn man(args: &Man, command: Command) -> anyhow::Result<ExitCode> {
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)
                .and_then(|()| clap_mangen::generate_to(command, folder))
                .with_context(|| format!("{} cannot be written", folder.display()))?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            let _ = io::stdout().lock().write_all(&page);
        }
    }
    Ok(ExitCode::SUCCESS)
}
