//! Langfuse's own batches.
#![no_main]

use glassbox_fuzz::{MOST_BYTES, look_at};
use glassbox_server::ingest::langfuse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if data.len() <= MOST_BYTES
        && let Ok(read) = langfuse(data)
    {
        look_at(&read.batch);
    }
});
