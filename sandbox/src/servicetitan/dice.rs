//! Repeatable chance: the same key gives the same numbers on every machine and in every run.
//! Everything that the stand-in makes up comes from here, so that nothing has to be stored.

/// Mixes two numbers into one whose bits all depend on both (the finaliser of SplitMix64).
pub(crate) const fn mix(a: u64, b: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The key of a text (FNV-1a, then mixed).
pub(crate) fn key_of(seed: u64, parts: &[&str]) -> u64 {
    parts.iter().fold(mix(seed, 1), |key, part| {
        let hash = part
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        mix(key, hash)
    })
}

/// A stream of numbers from one key.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(key: u64) -> Self {
        Self(key)
    }

    #[inline]
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0, 0)
    }

    /// A number from 0 to `limit - 1` (0 when the limit is 0).
    #[inline]
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.roll()) * u128::from(limit)) >> 64) as u64
    }

    #[inline]
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// `value`, once in `n` rolls; the value is rolled in any case, so that the stream stays in step.
    #[inline]
    pub(crate) fn sometimes<T>(&mut self, n: u64, value: T) -> Option<T> {
        self.one_in(n).then_some(value)
    }

    #[inline]
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, from: &[T; N]) -> T {
        const { assert!(N > 0) };
        from[self.below(N as u64) as usize]
    }
}
