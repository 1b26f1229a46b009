//! Where randomness comes from: always the server's seed and the request itself, never the clock or the order of arrival.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// The seed of a server that is given none.
pub(crate) const DEFAULT: u64 = 7;

/// What a random stream is for, so that two uses within one request do not see the same numbers.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Latency = 1,
    Content = 2,
    Fault = 3,
    Id = 4,
}

/// Makes the random stream of one use within one request.
pub(crate) fn rng(seed: u64, purpose: Purpose, request: u64, number: u64) -> StdRng {
    let mut state = mix(seed);
    for part in [purpose as u64, request, number] {
        state = mix(state ^ part);
    }
    StdRng::seed_from_u64(state)
}

/// Hashes the parts of a request: FNV-1a, because it must give the same number in every build.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u64 {
    let mut hash = Fnv::default();
    for part in parts {
        hash.eat(part);
        hash.eat(&[0xff]);
    }
    hash.value()
}

/// A running FNV-1a hash, whose value can be read at any byte.
#[derive(Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(crate) fn eat(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

/// The finalizer of splitmix64: neighbouring inputs give unrelated outputs.
fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    fn a_stream_depends_on_each_of_its_inputs() {
        let first =
            |seed, purpose, request, number| rng(seed, purpose, request, number).random::<u64>();
        let base = first(1, Purpose::Latency, 2, 3);
        assert_eq!(base, first(1, Purpose::Latency, 2, 3));
        for other in [
            first(2, Purpose::Latency, 2, 3),
            first(1, Purpose::Fault, 2, 3),
            first(1, Purpose::Latency, 3, 3),
            first(1, Purpose::Latency, 2, 4),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
    }
}
