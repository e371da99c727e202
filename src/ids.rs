//! Ids for what the core sends: unguessable, and the same again from the same seed.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Makes ids.
#[derive(Debug)]
pub(crate) struct Ids(ChaCha12Rng);

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// An id of 80 random bits.
    pub(crate) fn next(&mut self) -> Box<str> {
        let random = (u128::from(self.0.next_u64()) << 64) | u128::from(self.0.next_u64());
        (0..16).map(|position| letter(random >> (position * 5))).collect::<String>().into()
    }
}

fn letter(bits: u128) -> char {
    let position = usize::try_from(bits & 31).unwrap_or_default();
    ALPHABET.get(position).map_or('a', |byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_ids_again_and_never_one_twice() {
        let ids = |seed| {
            let mut ids = Ids::new(seed);
            [ids.next(), ids.next(), ids.next()]
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
        let [one, two, _] = ids(1);
        assert_ne!(one, two);
    }
}
