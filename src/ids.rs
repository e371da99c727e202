//! Ids for what the core sends: unguessable, and the same again from the same seed.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What nobody else can guess: 32 random bytes. All ids come from it. A number does for a test.
#[derive(Clone, Debug)]
pub struct Seed {
    random: ChaCha12Rng,
    /// From which nothing can be told about the ids.
    salt: u64,
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        let random = ChaCha12Rng::from_seed(bytes);
        let mut apart = random.clone();
        apart.set_stream(1);
        Self { random, salt: apart.next_u64() }
    }
}

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        Self { random: ChaCha12Rng::seed_from_u64(number), salt: number }
    }
}

impl Seed {
    /// A number that others may learn something of.
    pub(crate) fn salt(&self) -> u64 {
        self.salt
    }
}

/// Makes ids.
#[derive(Debug)]
pub(crate) struct Ids(ChaCha12Rng);

impl Ids {
    pub(crate) fn new(seed: Seed) -> Self {
        Self(seed.random)
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
        fn ids(seed: impl Into<Seed>) -> [Box<str>; 3] {
            let mut ids = Ids::new(seed.into());
            [ids.next(), ids.next(), ids.next()]
        }
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
        let (mut one, mut other) = ([7; 32], [7; 32]);
        assert_eq!(ids(one), ids(other));
        (one[0], other[31]) = (8, 8);
        assert_ne!(ids(one), ids([7; 32]), "each byte counts");
        assert_ne!(ids(other), ids([7; 32]), "each byte counts");
        let [one, two, _] = ids(1);
        assert_ne!(one, two);
    }
}
