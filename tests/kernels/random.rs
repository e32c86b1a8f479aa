//! Seeded values, the same for both devices.

use specter_web::text::Batch;

/// A `SplitMix64` generator (Steele et al. 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Values spread evenly around `center`.
    pub(crate) fn values(&mut self, count: usize, center: f32, spread: f32) -> Vec<f32> {
        let unit = |bits: u64| (bits >> 40) as f32 / (1_u64 << 24) as f32;
        (0..count).map(|_| center + spread * (2.0 * unit(self.next()) - 1.0)).collect()
    }

    /// Documents of the given lengths, of any tokens of a vocabulary.
    pub(crate) fn batch(&mut self, lengths: &[usize], vocabulary: usize) -> Batch {
        let mut batch = Batch::new();
        for &length in lengths {
            let ids: Vec<u32> = (0..length).map(|_| (self.next() % vocabulary as u64) as u32).collect();
            batch.push(&ids);
        }
        batch
    }
}
