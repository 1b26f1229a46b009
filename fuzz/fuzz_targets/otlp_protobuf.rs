//! OTLP in protobuf.
#![no_main]

use glassbox_fuzz::{MOST_BYTES, look_at};
use glassbox_server::ingest::{Format, Limits, otlp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if data.len() <= MOST_BYTES
        && let Ok(accepted) = otlp(data, Format::Protobuf, &Limits::default())
    {
        look_at(&accepted.batch);
    }
});
