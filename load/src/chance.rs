//! Chance from a seed, so that a run that found something can be run again (splitmix64).

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of a seed and a name: streams of other names do not disturb it.
    pub fn new(seed: u64, name: &str) -> Chance {
        let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        Chance(name.bytes().fold(seed ^ 0xCBF2_9CE4_8422_2325, mix))
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most.saturating_sub(least) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_name_gives_others() {
        let draw = |seed, name| {
            let mut chance = Chance::new(seed, name);
            [(); 8].map(|()| chance.next())
        };
        assert_eq!(draw(1, "kills"), draw(1, "kills"));
        assert_ne!(draw(1, "kills"), draw(2, "kills"));
        assert_ne!(draw(1, "kills"), draw(1, "turns"));
    }

    #[test]
    fn both_ends_are_drawn_and_nothing_beyond() {
        let mut chance = Chance::new(7, "dice");
        let drawn: std::collections::BTreeSet<u64> =
            (0..1_000).map(|_| chance.between(1, 6)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    }
}
