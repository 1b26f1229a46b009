//! Binary data in texts: data URIs and long base64 become a type, a size and a hash, or what the filter makes of them.

use super::Media;
use super::clean::Clean;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::sync::LazyLock;

/// A string of nothing but base64 is taken for binary data from this length on.
const BASE64_BYTES: usize = 1024;

/// How far before `;base64,` a data URI may begin: longer media types are none.
const MEDIA_TYPE_BYTES: usize = 128;

/// What stands between the media type and the data of a data URI.
const MARK: &str = ";base64,";

/// A quick look at JSON or text: whether it may hold binary data.
pub(super) fn may_hold(text: &str) -> bool {
    next_mark(text, 0).is_some() || has_long_run(text.as_bytes())
}

/// Tells whether base64 goes on for long enough. Read backwards, most texts show that it does not in a few bytes of each
/// stretch.
fn has_long_run(bytes: &[u8]) -> bool {
    let mut start = 0;
    while let Some(stretch) = bytes.get(start..start + BASE64_BYTES) {
        match stretch.iter().rposition(|byte| !is_base64(*byte)) {
            Some(end) => start += end + 1,
            None => return true,
        }
    }
    false
}

/// Replaces data URIs, and a text that is base64 as a whole, and filters what stands between them. `None` if there is
/// nothing to replace.
pub(super) fn replace(text: &str, clean: &Clean<'_>) -> Option<String> {
    if text.len() >= BASE64_BYTES && looks_random(text) {
        return replacement("", text, clean);
    }
    let mut replaced = String::new();
    let (mut copied, mut searched) = (0, 0);
    while let Some(at) = next_mark(text, searched) {
        let data = at + MARK.len();
        let end = data + text.bytes().skip(data).take_while(|byte| is_base64(*byte)).count();
        searched = end;
        let earliest = text.ceil_char_boundary(at.saturating_sub(MEDIA_TYPE_BYTES).max(copied));
        let Some(start) = text[earliest..at].rfind("data:").map(|start| earliest + start) else {
            continue;
        };
        let media_type = &text[start + "data:".len()..at];
        let Some(instead) = replacement(media_type, &text[data..end], clean) else { continue };
        replaced.push_str(&clean.leaf(&text[copied..start]));
        replaced.push_str(&instead);
        copied = end;
    }
    (copied > 0).then(|| replaced + &clean.leaf(&text[copied..]))
}

fn next_mark(text: &str, from: usize) -> Option<usize> {
    static FINDER: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new(MARK));
    FINDER.find(&text.as_bytes()[from..]).map(|at| from + at)
}

/// Says what the data is, such as `[image/png, 34567 bytes, sha256 9f86d081884c7d65…]`, unless the filter has something
/// better; `None` if it is not base64.
fn replacement(written_type: &str, data: &str, clean: &Clean<'_>) -> Option<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let bytes = LENIENT.decode(data).ok().filter(|bytes| !bytes.is_empty())?;
    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
    let known_type = if written_type.is_empty() { sniff(&bytes) } else { Some(written_type) };
    if let (Some(media_type), Some(at)) = (known_type, clean.at) {
        let (trace_id, span_id) = at;
        let place = clean.place;
        let media = Media { trace_id, span_id, place, media_type, bytes: &bytes, sha256 };
        if let Some(instead) = clean.filter.and_then(|filter| filter.media(&media)) {
            return Some(instead);
        }
    }
    let name: Cow<'_, str> = match known_type {
        Some(media_type) => clean.leaf(media_type),
        None => "base64".into(),
    };
    let hash: String = sha256.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Some(format!("[{name}, {} bytes, sha256 {hash}…]", bytes.len()))
}

/// Tells what data is by its first bytes.
fn sniff(bytes: &[u8]) -> Option<&'static str> {
    const FIRST: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"ID3", "audio/mpeg"),
        (b"\xff\xfb", "audio/mpeg"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
    ];
    match (bytes.get(..4), bytes.get(8..12)) {
        (Some(b"RIFF"), Some(b"WAVE")) => return Some("audio/wav"),
        (Some(b"RIFF"), Some(b"WEBP")) => return Some("image/webp"),
        _ => (),
    }
    FIRST.iter().find(|(first, _)| bytes.starts_with(first)).map(|(_, media_type)| *media_type)
}

fn looks_random(text: &str) -> bool {
    let any = |of: fn(&u8) -> bool| text.as_bytes().iter().any(of);
    text.bytes().all(is_base64)
        && any(u8::is_ascii_digit)
        && any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_uppercase)
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD as PLAIN;

    fn replaced(text: &str) -> Option<String> {
        replace(text, &Clean::new(None))
    }

    #[test]
    fn data_uris_become_type_size_and_hash() {
        let picture =
            "see data:image/png;base64,aGVsbG8= and data:;base64,aGVsbG8, or data:x;base64,- end";
        assert_eq!(
            replaced(picture).as_deref(),
            Some(
                "see [image/png, 5 bytes, sha256 2cf24dba5fb0a30e…] and [base64, 5 bytes, sha256 2cf24dba5fb0a30e…], \
                 or data:x;base64,- end"
            )
        );
    }

    #[test]
    fn long_base64_is_told_from_long_words() {
        assert!(replaced(&"aB3/".repeat(300)).unwrap().starts_with("[base64, 900 bytes, sha256 "));
        assert_eq!(replaced(&"x".repeat(2000)), None);
    }

    #[test]
    fn pictures_and_sound_are_known_by_their_first_bytes() {
        let check = |first: &[u8], expected: &str| {
            let noise =
                (0_u32..800).flat_map(|number| (number.wrapping_mul(2_654_435_761)).to_be_bytes());
            let data: Vec<u8> = first.iter().copied().chain(noise).collect();
            let replaced = replaced(&PLAIN.encode(data)).unwrap();
            assert!(replaced.starts_with(&format!("[{expected}, ")), "{replaced}");
        };
        check(b"\x89PNG\r\n\x1a\n", "image/png");
        check(b"RIFF....WAVEfmt ", "audio/wav");
        check(b"RIFF....WEBPVP8 ", "image/webp");
        check(b"unheard of", "base64");
    }
    #[test]
    fn only_a_long_run_may_be_binary() {
        let check = |before: usize, run: usize, after: &str| {
            let text = format!("{}{}{after}", " x".repeat(before), "A".repeat(run));
            assert_eq!(has_long_run(text.as_bytes()), run >= BASE64_BYTES, "{before} {run}");
        };
        for before in [0, 1, 511, 512, 513, 3000] {
            // What is before ends in one letter of base64.
            for run in [0, 1, BASE64_BYTES - 2, BASE64_BYTES, BASE64_BYTES + 1, 5000] {
                check(before, run, "");
                check(before, run, " after");
            }
        }
    }
}
