//! The board on the whole screen, drawn anew as events come.

use super::board::{Board, COLUMNS, Row};
use crate::client::Client;
use anyhow::Context as _;
use ratatui::crossterm::event::{self, Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row as TableRow, Table};
use ratatui::{DefaultTerminal, Frame};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(250);

/// How often a key is looked for.
const KEYS_EVERY: Duration = Duration::from_millis(100);

/// How wide the columns after the first one are.
const WIDTHS: [u16; 8] = [11, 8, 8, 7, 7, 7, 11, 11];

/// Shows the board until q, Esc or Ctrl-C.
pub(super) async fn run(client: &Client, board: Board, colour: bool) -> anyhow::Result<()> {
    let events = client.stream("", None).await?;
    let terminal = ratatui::try_init().context("the terminal cannot be drawn on; use --once")?;
    let shown = show(terminal, client, board, events, colour).await;
    ratatui::restore();
    shown
}

async fn show(
    mut terminal: DefaultTerminal,
    client: &Client,
    mut board: Board,
    mut events: crate::events::Events,
    colour: bool,
) -> anyhow::Result<()> {
    let mut ends = keys();
    let mut clock = tokio::time::interval(EVERY);
    let mut is_connected = true;
    loop {
        tokio::select! {
            _ = ends.recv() => return Ok(()),
            event = events.next(), if is_connected => match event {
                Ok(Some(event)) => super::heard(&mut board, &event),
                Ok(None) | Err(_) => is_connected = false,
            },
            _ = clock.tick() => {
                if !is_connected && let Ok(again) = client.stream("", None).await {
                    (events, is_connected) = (again, true);
                }
                board.forget();
                let rows = board.rows();
                terminal.draw(|frame| draw(frame, client.url(), &rows, is_connected, colour))?;
            }
        }
    }
}

/// Tells when somebody has seen enough. The thread ends with the process.
fn keys() -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        while !sender.is_closed() {
            match event::poll(KEYS_EVERY) {
                Ok(false) => continue,
                Ok(true) => (),
                Err(_) => break,
            }
            let Ok(Input::Key(key)) = event::read() else { continue };
            let is_interrupt =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            let ends = is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc);
            if key.kind == KeyEventKind::Press && ends {
                break;
            }
        }
        // Whoever listens may be gone.
        let _ = sender.blocking_send(());
    });
    receiver
}

fn draw(frame: &mut Frame<'_>, url: &str, rows: &[Row], is_connected: bool, colour: bool) {
    let [head, body] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1)]).areas(frame.area());
    let calls: u64 = rows.iter().filter(|row| row.kind == "generation").map(|row| row.calls).sum();
    let running: u64 =
        rows.iter().filter(|row| row.kind == "generation").map(|row| row.running).sum();
    let state = if is_connected { "" } else { "  the server is gone; waiting for it" };
    let title = format!("glassbox  {url}  {calls} model calls, {running} running{state}  (q ends)");
    frame.render_widget(Line::from(title), head);
    let ink = |cell: &str, at: usize, row: &Row| match COLUMNS[at].0 {
        _ if !colour || cell == "-" => Style::new(),
        "ERRORS" => Style::new().fg(Color::Red),
        "RUNNING" => Style::new().fg(Color::Green),
        "NAME" if row.kind == "generation" => Style::new().fg(Color::Magenta),
        _ => Style::new(),
    };
    let cell = |text: &str, at: usize| {
        let text = Text::from(text.to_owned());
        Cell::from(if COLUMNS[at].1 { text.right_aligned() } else { text })
    };
    let lines = rows.iter().map(|row| {
        let cells = row.cells();
        TableRow::new(
            cells.iter().enumerate().map(|(at, text)| cell(text, at).style(ink(text, at, row))),
        )
    });
    let heads = COLUMNS.iter().enumerate().map(|(at, (head, _))| cell(head, at));
    let widths = std::iter::once(Constraint::Fill(1)).chain(WIDTHS.map(Constraint::Length));
    let bold = Style::new().add_modifier(Modifier::BOLD);
    frame.render_widget(Table::new(lines, widths).header(TableRow::new(heads).style(bold)), body);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn the_table_fits_the_screen() {
        let row = Row {
            name: "gpt-4o-mini".to_owned(),
            kind: "generation".to_owned(),
            calls: 20,
            running: 1,
            errors: 1,
            p50_us: Some(812_000),
            p95_us: Some(4_970_000),
            tokens: 1810,
            cost_usd: None,
        };
        let mut terminal = Terminal::new(TestBackend::new(96, 4)).unwrap();
        terminal.draw(|frame| draw(frame, "http://127.0.0.1:4318", &[row], true, false)).unwrap();
        let buffer = terminal.backend().buffer();
        let cells = |y| (0..96).map(move |x| buffer[(x, y)].symbol());
        let lines = [0, 2, 3].map(|y| cells(y).collect::<String>().trim_end().to_owned());
        assert_eq!(
            lines,
            [
                "glassbox  http://127.0.0.1:4318  20 model calls, 1 running  (q ends)",
                "NAME               KIND           CALLS  RUNNING  ERRORS     P50     P95      TOKENS        COST",
                "gpt-4o-mini        generation        20        1       1   812ms   4.97s       1,810           -",
            ]
        );
    }
}
