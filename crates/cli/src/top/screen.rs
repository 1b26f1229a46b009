//! The board on the whole screen, drawn anew as events come.

use super::board::{Board, Row};
use super::table::{self, Told};
use crate::client::ServerArgs;
use crate::signals::Signals;
use crate::watch::{self, Seen, Watch};
use anyhow::Context as _;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(250);

/// How often a key is looked for.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// What somebody wants.
#[derive(Clone, Copy, Debug)]
enum Wish {
    End,
    Scroll(isize),
}

/// Shows the board until q, Esc or Ctrl-C.
pub(super) async fn run(
    server: &ServerArgs,
    since: Duration,
    colour: bool,
) -> anyhow::Result<ExitCode> {
    // What happens while the past is read is not missed.
    let (client, watch) = watch::begin(server, "").await?;
    let mut board = Board::new(since);
    super::past(&client, &mut board).await?;
    let signals = Signals::listen()?;
    let terminal = ratatui::try_init().context("the terminal cannot be drawn on; use --once")?;
    let told = Told { url: client.url().to_owned(), since, is_connected: true, colour, first: 0 };
    let shown = show(terminal, board, watch, signals, told).await;
    ratatui::restore();
    shown
}

async fn show(
    mut terminal: DefaultTerminal,
    mut board: Board,
    mut watch: Watch,
    mut signals: Signals,
    mut told: Told,
) -> anyhow::Result<ExitCode> {
    let mut wishes = keys();
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut rows: Vec<Row> = Vec::new();
    loop {
        tokio::select! {
            wish = wishes.recv() => match wish {
                Some(Wish::Scroll(lines)) => {
                    let last = rows.len().saturating_sub(1);
                    told.first = told.first.saturating_add_signed(lines).min(last);
                }
                Some(Wish::End) | None => return Ok(ExitCode::SUCCESS),
            },
            signal = signals.next() => return Ok(signal.exit_code()),
            seen = watch.recv() => match seen {
                Some(Ok(Seen::Event(event))) => super::heard(&mut board, &event),
                Some(Ok(Seen::Gone)) => told.is_connected = false,
                Some(Ok(Seen::Back(client))) => {
                    client.url().clone_into(&mut told.url);
                    // What was told to nobody is read. If the server is gone again, that is told next.
                    told.is_connected = super::past(&client, &mut board).await.is_ok();
                }
                Some(Err(error)) => return Err(error),
                None => return Ok(ExitCode::SUCCESS),
            },
            _ = clock.tick() => {
                board.forget();
                rows = board.rows();
                let mut first = 0;
                terminal.draw(|frame| first = table::draw(frame, &told, &rows))?;
                told.first = first;
            }
        }
    }
}

/// Tells what somebody types. The thread ends with the process.
fn keys() -> mpsc::Receiver<Wish> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            match event::poll(KEYS_EVERY) {
                Ok(false) => continue,
                Ok(true) => (),
                Err(_) => break,
            }
            let Ok(Input::Key(key)) = event::read() else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            let wish = match key.code {
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Wish::End,
                KeyCode::Char('q') | KeyCode::Esc => Wish::End,
                KeyCode::Down | KeyCode::Char('j') => Wish::Scroll(1),
                KeyCode::Up | KeyCode::Char('k') => Wish::Scroll(-1),
                KeyCode::PageDown | KeyCode::Char(' ') => Wish::Scroll(10),
                KeyCode::PageUp => Wish::Scroll(-10),
                KeyCode::Home | KeyCode::Char('g') => Wish::Scroll(isize::MIN),
                _ => continue,
            };
            if sender.blocking_send(wish).is_err() {
                return;
            }
        }
    });
    receiver
}
