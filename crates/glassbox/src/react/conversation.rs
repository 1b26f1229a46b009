//! What a model and an agent have said to each other, turn by turn, so that whole turns can be forgotten.

use glassbox_trace::message::{Message, Part, Role, ToolResult};
use serde_json::Value;
use std::sync::Arc;

/// How many bytes of each observation stay when a single turn is longer than the model can take.
const SHORTEST: usize = 500;

/// A conversation.
#[derive(Debug)]
pub(super) struct Conversation {
    opening: Vec<Message>,
    turns: Vec<Turn>,
    /// How many of the oldest turns were dropped.
    dropped: u32,
}

/// A turn, as it is sent and as it is told.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub(super) messages: Vec<Message>,
    /// The same in words, for a model that is told of it.
    pub(super) log: String,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trimmed {
    pub(super) dropped: u32,
    pub(super) kept: u32,
}

impl Conversation {
    /// Begins with messages of which the last one is the user's.
    pub(super) fn new(opening: Vec<Message>) -> Self {
        Self { opening, turns: Vec::new(), dropped: 0 }
    }

    pub(super) fn push(&mut self, turn: Turn) {
        self.turns.push(turn);
    }

    /// Returns all that the model is sent.
    pub(super) fn messages(&self) -> Arc<[Message]> {
        let mut opening = self.opening.clone();
        if let (Some(notice), Some(asked)) = (self.notice(), opening.last_mut()) {
            asked.parts.push(Part::Text(format!("\n\n{notice}").into()));
        }
        opening
            .into_iter()
            .chain(self.turns.iter().flat_map(|turn| turn.messages.clone()))
            .collect()
    }

    /// Tells what was done in words.
    pub(super) fn log(&self) -> String {
        let logs = self.turns.iter().map(|turn| turn.log.as_str());
        self.notice().as_deref().into_iter().chain(logs).collect::<Vec<_>>().join("\n\n")
    }

    /// Begins anew with other words, and tells the turns so far in words too.
    pub(super) fn reopen(&mut self, opening: Vec<Message>) {
        self.opening = opening;
        for turn in &mut self.turns {
            turn.messages = vec![Message::user(turn.log.as_str())];
        }
    }

    /// Drops the oldest turns, about a quarter of all that was said, or else cuts the observations of the only turn.
    /// Returns nothing if there is nothing to forget.
    pub(super) fn trim(&mut self) -> Option<Trimmed> {
        let sizes: Vec<usize> = self.turns.iter().map(Turn::bytes).collect();
        let enough = sizes.iter().sum::<usize>().div_ceil(4);
        let mut drop = 0;
        let mut freed = 0;
        // The last turn stays: without it the model would do the same again.
        while drop + 1 < sizes.len() && freed < enough {
            freed += sizes[drop];
            drop += 1;
        }
        self.turns.drain(..drop);
        let dropped = u32::try_from(drop).unwrap_or(u32::MAX);
        self.dropped = self.dropped.saturating_add(dropped);
        let did_cut = drop == 0 && self.turns.last_mut().is_some_and(Turn::shorten);
        let kept = u32::try_from(self.turns.len()).unwrap_or(u32::MAX);
        (drop > 0 || did_cut).then_some(Trimmed { dropped, kept })
    }

    fn notice(&self) -> Option<String> {
        (self.dropped > 0)
            .then(|| format!("(The first {} turns are left out, for want of room.)", self.dropped))
    }
}

impl Turn {
    fn bytes(&self) -> usize {
        self.messages.iter().map(Message::bytes).sum()
    }

    /// Cuts what is long to a half. Returns whether anything was.
    fn shorten(&mut self) -> bool {
        let mut did_cut = false;
        for part in self
            .messages
            .iter_mut()
            .filter(|message| message.role != Role::Assistant)
            .flat_map(|message| &mut message.parts)
        {
            match part {
                Part::ToolResult(ToolResult { result: Value::String(text), .. })
                    if text.len() > SHORTEST =>
                {
                    *text = half(text);
                    did_cut = true;
                }
                Part::Text(text) if text.len() > SHORTEST => {
                    *text = half(text).into();
                    did_cut = true;
                }
                _ => {}
            }
        }
        if self.log.len() > SHORTEST {
            self.log = half(&self.log);
        }
        did_cut
    }
}

/// Keeps the first half of a text, with a mark where it was cut.
fn half(text: &str) -> String {
    const MARK: &str = " … (cut)";
    let end = text.floor_char_boundary((text.len() / 2).saturating_sub(MARK.len()));
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(text: &str) -> Turn {
        Turn { messages: vec![Message::user(text)], log: text.to_owned() }
    }

    #[test]
    fn the_oldest_turns_go_first_and_the_last_one_stays() {
        let mut conversation = Conversation::new(vec![Message::user("begin")]);
        assert_eq!(conversation.trim(), None);
        for text in ["a".repeat(100), "b".repeat(100), "c".repeat(100), "d".repeat(4000)] {
            conversation.push(turn(&text));
        }
        assert_eq!(conversation.trim(), Some(Trimmed { dropped: 3, kept: 1 }));
        let messages = conversation.messages();
        assert_eq!(
            messages[0].to_text(),
            "begin\n\n(The first 3 turns are left out, for want of room.)"
        );
        assert!(conversation.log().starts_with("(The first 3 turns"));

        let mut lengths = Vec::new();
        while let Some(trimmed) = conversation.trim() {
            assert_eq!(trimmed, Trimmed { dropped: 0, kept: 1 });
            lengths.push(conversation.messages()[1].bytes());
        }
        assert_eq!(lengths, [2000, 1000, 500]);
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let mut long = turn(&"ä".repeat(600));
        assert!(long.shorten());
        assert!(long.messages[0].to_text().ends_with("ä … (cut)"));
    }
}
