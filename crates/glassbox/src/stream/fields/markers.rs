//! Reads fields below their markers while they are being written: `[[ ## answer ## ]]`, and then the value.

use super::{Growing, News};
use crate::stream::FieldChange;

/// The fields below markers, and where the text so far ends.
#[derive(Default)]
pub(super) struct MarkerFields {
    /// The line that is being written, and how much of it has been read: a line that may become a marker waits.
    line: String,
    read: usize,
    name: Option<String>,
    value: Sort,
    /// White space that is a part of the value only if something follows.
    blank: String,
}

/// What sort of value a field has; its first character tells.
#[derive(Default)]
enum Sort {
    #[default]
    Unknown,
    Text,
    Other(Growing),
}

impl MarkerFields {
    pub(super) fn push(&mut self, text: &str, news: &mut News<'_>) {
        let mut rest = text;
        while let Some((until, next)) = rest.split_once('\n') {
            self.line.push_str(until);
            self.end_line(news);
            rest = next;
        }
        self.line.push_str(rest);
        let begins = self.line.trim_start();
        if !begins.is_empty() && !begins.starts_with('[') {
            self.read_line(news);
        }
        if let (Some(name), Sort::Other(value)) = (&self.name, &mut self.value) {
            value.tell(name, false, news);
        }
    }

    pub(super) fn end(&mut self, news: &mut News<'_>) {
        self.end_line(news);
        self.end_field(news);
    }

    fn end_line(&mut self, news: &mut News<'_>) {
        if let Some((name, rest)) = marked(&self.line) {
            let (name, rest) = (name.to_owned(), rest.to_owned());
            self.end_field(news);
            self.name = Some(name);
            self.line = rest;
            self.read = 0;
        }
        self.read_line(news);
        self.blank.push('\n');
        self.line.clear();
        self.read = 0;
    }

    fn end_field(&mut self, news: &mut News<'_>) {
        if let (Some(name), Sort::Other(value)) = (&self.name, &mut self.value) {
            value.tell(name, true, news);
        }
        self.name = None;
        self.value = Sort::Unknown;
        self.blank.clear();
    }

    /// Reads what is new in the line.
    fn read_line(&mut self, news: &mut News<'_>) {
        let new = &self.line[self.read..];
        self.read = self.line.len();
        let Some(name) = &self.name else { return };
        let said = new.trim_end();
        if said.is_empty() {
            self.blank.push_str(new);
            return;
        }
        let blank = std::mem::replace(&mut self.blank, new[said.len()..].to_owned());
        match &mut self.value {
            Sort::Unknown => {
                let said = said.trim_start();
                if said.starts_with(['{', '[']) {
                    self.value = Sort::Other(Growing { text: said.to_owned(), told: 0 });
                } else {
                    self.value = Sort::Text;
                    news.tell(name, FieldChange::Text(said.to_owned()));
                }
            }
            Sort::Other(value) => {
                value.text.push_str(&blank);
                value.text.push_str(said);
            }
            Sort::Text => news.tell(name, FieldChange::Text(blank + said)),
        }
    }
}

/// Splits a line that begins with a marker into the field's name and what follows.
pub(crate) fn marked(line: &str) -> Option<(&str, &str)> {
    let inner = line.trim_start().strip_prefix("[[")?.trim_start().strip_prefix("##")?;
    let (name, rest) = inner.split_once("##")?;
    Some((name.trim(), rest.trim_start().strip_prefix("]]")?))
}
