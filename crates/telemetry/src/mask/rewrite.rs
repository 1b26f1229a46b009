//! Replaces parts of a text, without copying one that has none to replace.

use std::borrow::Cow;
use std::ops::Range;

/// What was found in a text.
pub(super) struct Found<'m> {
    pub(super) range: Range<usize>,
    /// What to write instead.
    pub(super) mark: &'m str,
}

/// Replaces whatever `find` finds from a place on. What it finds is not empty, lies behind that place, and is never
/// looked at again.
pub(super) fn rewrite<'t, 'm>(
    text: &'t str,
    mut find: impl FnMut(usize) -> Option<Found<'m>>,
) -> Cow<'t, str> {
    let mut rewritten = String::new();
    let mut copied = 0;
    while let Some(Found { range, mark }) = find(copied) {
        rewritten.push_str(&text[copied..range.start]);
        rewritten.push_str(mark);
        copied = range.end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    rewritten.push_str(&text[copied..]);
    Cow::Owned(rewritten)
}
