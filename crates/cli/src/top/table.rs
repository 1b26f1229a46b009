//! How the board looks on a screen of any width.

use super::board::{COLUMNS, Row};
use crate::paint;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row as TableRow, Table};
use rust_decimal::Decimal;
use std::time::Duration;

/// A name that has so many columns is read well.
const NAME_COLUMNS: usize = 32;

/// The columns that are left out where there is no room, the first one first.
const SPARED: [&str; 3] = ["KIND", "P50", "TOKENS"];

/// What stands above the table, and how it is drawn.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) url: String,
    pub(super) since: Duration,
    pub(super) is_connected: bool,
    pub(super) colour: bool,
    /// How many rows are scrolled away.
    pub(super) first: usize,
}

/// Draws, and returns how many rows are scrolled away: no more than do not fit.
pub(super) fn draw(frame: &mut Frame<'_>, told: &Told, rows: &[Row]) -> usize {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(3), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    let title = format!("glassbox top  {}  last {}  q ends", told.url, minutes(told.since));
    let faint = Style::new().add_modifier(Modifier::DIM);
    let state = match told.is_connected {
        true => Line::from(sums(rows)),
        false => {
            let gone = "the server is gone; waiting for it";
            Line::styled(gone, if told.colour { Style::new().fg(Color::Red) } else { Style::new() })
        }
    };
    frame.render_widget(Text::from(vec![Line::from(title), state]), head);
    // The head of the table takes a line.
    let fitting = usize::from(body.height).saturating_sub(1);
    let first = told.first.min(rows.len().saturating_sub(fitting));
    let layout = Shape::of(rows, usize::from(body.width));
    frame.render_widget(layout.table(&rows[first..], told.colour), body);
    let below = rows.len().saturating_sub(first).saturating_sub(fitting);
    let below = match (rows.is_empty(), below) {
        (true, _) => "nothing has run yet; programs find the server by themselves".to_owned(),
        (false, 0) if first == 0 => String::new(),
        (false, 0) => format!("{first} above: up"),
        (false, below) => format!("{below} more: down"),
    };
    frame.render_widget(Line::styled(below, faint), foot);
    first
}

/// All rows in a line. Only model calls have tokens and cost, so nothing counts twice.
fn sums(rows: &[Row]) -> String {
    let calls = || rows.iter().filter(|row| row.kind == "generation");
    let sum = |of: fn(&Row) -> u64| paint::count(calls().map(of).sum());
    let cost = calls().filter_map(|row| row.cost_usd);
    let cost = cost.reduce(|sum: Decimal, cost| sum.saturating_add(cost));
    format!(
        "{} model calls  {} running  {} failed  {} tokens  {}",
        sum(|row| row.calls),
        sum(|row| row.running),
        sum(|row| row.errors),
        sum(|row| row.tokens),
        cost.map_or_else(|| "cost unknown".to_owned(), paint::dollars)
    )
}

fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Which columns there are, with how many characters and which head.
struct Shape {
    columns: Vec<(usize, usize)>,
    is_short: bool,
    name: usize,
}

impl Shape {
    /// Makes the best of so many characters: short heads first, then fewer columns.
    fn of(rows: &[Row], width: usize) -> Self {
        let cells: Vec<_> = rows.iter().map(Row::cells).collect();
        let shape = |is_short: bool, spared: usize| {
            let columns =
                (1..COLUMNS.len()).filter(|at| !SPARED[..spared].contains(&COLUMNS[*at].head));
            let wide = |at: usize| {
                let head = if is_short { COLUMNS[at].short } else { COLUMNS[at].head };
                let cells = cells.iter().map(|row| row[at].chars().count());
                cells.chain([head.len()]).max().unwrap_or_default()
            };
            let columns: Vec<_> = columns.map(|at| (at, wide(at))).collect();
            let taken: usize = columns.iter().map(|(_, wide)| wide + 2).sum();
            Self { columns, is_short, name: width.saturating_sub(taken) }
        };
        let ways = [(false, 0), (true, 0), (true, 1), (true, 2), (true, 3)];
        let mut shapes = ways.into_iter().map(|(is_short, spared)| shape(is_short, spared));
        let longest = cells.iter().map(|row| row[0].chars().count()).max().unwrap_or_default();
        let enough = longest.min(NAME_COLUMNS);
        shapes.find(|shape| shape.name >= enough).unwrap_or_else(|| shape(true, SPARED.len()))
    }

    fn table(&self, rows: &[Row], colour: bool) -> Table<'static> {
        let ink = |cell: &str, at: usize, row: &Row| match COLUMNS[at].head {
            _ if !colour || cell == "-" => Style::new(),
            "ERRORS" => Style::new().fg(Color::Red),
            "RUNNING" => Style::new().fg(Color::Green),
            "NAME" if row.kind == "generation" => Style::new().fg(Color::Magenta),
            _ => Style::new(),
        };
        let cell = |text: &str, at: usize| {
            let text = match at {
                0 => paint::short(text, self.name.max(1)),
                _ => text.to_owned(),
            };
            let text = Text::from(text);
            Cell::from(if COLUMNS[at].is_number { text.right_aligned() } else { text })
        };
        let shown = || std::iter::once(0).chain(self.columns.iter().map(|(at, _)| *at));
        let lines: Vec<_> = rows
            .iter()
            .map(|row| {
                let cells = row.cells();
                let cells = shown().map(|at| cell(&cells[at], at).style(ink(&cells[at], at, row)));
                TableRow::new(cells.collect::<Vec<_>>())
            })
            .collect();
        let head = |at: usize| if self.is_short { COLUMNS[at].short } else { COLUMNS[at].head };
        let heads: Vec<_> = shown().map(|at| cell(head(at), at)).collect();
        let wide = |wide: usize| Constraint::Length(u16::try_from(wide).unwrap_or(u16::MAX));
        let widths = std::iter::once(Constraint::Fill(1))
            .chain(self.columns.iter().map(|(_, columns)| wide(*columns)));
        let bold = Style::new().add_modifier(Modifier::BOLD);
        Table::new(lines, widths.collect::<Vec<_>>())
            .column_spacing(2)
            .header(TableRow::new(heads).style(bold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    fn row(name: &str, kind: &str) -> Row {
        Row {
            name: name.to_owned(),
            kind: kind.to_owned(),
            calls: 20,
            running: 1,
            errors: 1,
            p50_us: Some(812_000),
            p95_us: Some(4_970_000),
            tokens: 1810,
            cost_usd: None,
        }
    }

    #[track_caller]
    fn check(width: u16, rows: &[Row], told: &Told, expected: &[&str]) {
        let height = u16::try_from(expected.len()).unwrap();
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut first = 0;
        terminal.draw(|frame| first = draw(frame, told, rows)).unwrap();
        assert!(first <= told.first);
        let buffer = terminal.backend().buffer();
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        let lines: Vec<_> = (0..height).map(|y| line(y).trim_end().to_owned()).collect();
        assert_eq!(lines, expected, "{width} columns");
    }

    #[test]
    fn the_table_fits_the_screen() {
        let rows =
            [row("gpt-4o-mini", "generation"), row("ChainOfThought(CustomerRequest)", "chain")];
        let mut told = Told {
            url: "http://127.0.0.1:4318".to_owned(),
            since: Duration::from_secs(900),
            is_connected: true,
            colour: false,
            first: 0,
        };
        check(
            100,
            &rows,
            &told,
            &[
                "glassbox top  http://127.0.0.1:4318  last 15m  q ends",
                "20 model calls  1 running  1 failed  1,810 tokens  cost unknown",
                "",
                "NAME                                  KIND        CALLS  RUNNING  ERRORS    P50    P95  TOKENS  COST",
                "gpt-4o-mini                           generation     20        1       1  812ms  4.97s   1,810     -",
                "ChainOfThought(CustomerRequest)       chain          20        1       1  812ms  4.97s   1,810     -",
                "",
            ],
        );
        told.is_connected = false;
        check(
            80,
            &rows,
            &told,
            &[
                "glassbox top  http://127.0.0.1:4318  last 15m  q ends",
                "the server is gone; waiting for it",
                "",
                "NAME                                 CALLS  RUN  ERR    P50    P95  TOKENS  COST",
                "gpt-4o-mini                             20    1    1  812ms  4.97s   1,810     -",
                "1 more: down",
            ],
        );
        (told.first, told.since) = (1, Duration::from_secs(7200));
        check(
            40,
            &rows,
            &told,
            &[
                "glassbox top  http://127.0.0.1:4318  las",
                "the server is gone; waiting for it",
                "",
                "NAME        CALLS  RUN  ERR    P95  COST",
                "ChainOfTh…     20    1    1  4.97s     -",
                "1 above: up",
            ],
        );
    }
}
