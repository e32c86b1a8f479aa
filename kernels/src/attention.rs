//! Scaled dot-product attention over packed documents: `softmax(Q Kᵀ / √head_size) V` for each head.
//!
//! Scores may also depend on how far tokens are apart ([`crate::positions`]).
//!
//! A head's keys and values are laid out as panels of weights, so that both products are those of a dense layer.

use core::array;

use bytemuck::{Pod, Zeroable};

use crate::command::Kernel;
use crate::linear::{products, rows};
use crate::math::exp;
use crate::memory::{Address, Memory};
use crate::positions::{BLOCK, HeadPositions};
use crate::simd::{LANES, Simd, load_some, store_some};

/// Queries that are attended from at once.
const TILE: usize = 4;

/// All heads of all documents.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Attention {
    /// Rows of f32 of [`query_width`](Self::query_width).
    pub queries: Address,
    /// Columns of these rows.
    pub query_width: u32,
    /// The first column of the first head's queries.
    pub query_column: u32,
    /// `(tokens, key_width)` f32.
    pub keys: Address,
    /// Columns of these rows.
    pub key_width: u32,
    /// The first column of the first head's keys.
    pub key_column: u32,
    /// The first column of the first head's values, in the same rows.
    pub value_column: u32,
    /// `(documents + 1,)`: the token row where each document starts, and where the last one ends.
    pub starts: Address,
    /// How many documents.
    pub documents: u32,
    /// Whether there is one query a document, and not one a token.
    pub one_query: u32,
    /// How many heads.
    pub heads: u32,
    /// Columns of a head.
    pub head_size: u32,
    /// Tokens of the longest document.
    pub longest: u32,
    /// [`Positions`](crate::positions::Positions), or nowhere.
    pub positions: Address,
    /// `(queries, heads · head_size)` f32.
    pub output: Address,
}

impl Attention {
    /// What a head's keys, values, scores and positions take, in eights of f32.
    #[inline(always)]
    fn scratch(&self) -> [usize; 4] {
        let (longest, head_size) = (self.longest as usize, self.head_size as usize);
        let key_panels = longest.div_ceil(LANES);
        let positions = if self.positions == 0 { 0 } else { HeadPositions::scratch(longest) };
        [key_panels * head_size, longest * head_size.div_ceil(LANES), TILE * key_panels, positions]
    }
}

impl Kernel for Attention {
    const NUMBER: u32 = 3;
    const NAME: &'static str = "attention";

    #[inline(always)]
    fn chunks(&self) -> u32 {
        self.documents * self.heads
    }

    fn scratch_bytes(&self) -> usize {
        self.scratch().iter().sum::<usize>() * LANES * 4
    }

    #[inline(always)]
    #[expect(unsafe_code, reason = "a chunk writes the columns of its head, and nobody writes what it reads")]
    unsafe fn run<S: Simd>(&self, s: S, chunk: u32, memory: &Memory, scratch: &mut [f32]) {
        let (document, head) = ((chunk / self.heads) as usize, (chunk % self.heads) as usize);
        let head_size = self.head_size as usize;
        // SAFETY: as said above.
        let (starts, keys) = unsafe {
            let starts = memory.read::<u32>(self.starts + document as u32 * 4, 2);
            let count = (starts[1] - starts[0]) * self.key_width;
            (starts, memory.read::<f32>(self.keys + starts[0] * self.key_width * 4, count as usize))
        };
        let tokens = (starts[1] - starts[0]) as usize;
        if tokens == 0 {
            return;
        }
        let [key_space, value_space, score_space, _] = self.scratch();
        let (scratch, _) = scratch.as_chunks_mut::<LANES>();
        let (key_panels, rest) = scratch.split_at_mut(key_space);
        let (value_panels, rest) = rest.split_at_mut(value_space);
        let (scores, position_scores) = rest.split_at_mut(score_space);

        let column = |first: u32| first as usize + head * head_size;
        let head_columns = [self.heads as usize * head_size, head * head_size, head_size];
        // SAFETY: as said above.
        let positions = (self.positions != 0)
            .then(|| unsafe { HeadPositions::new(self.positions, head_columns, memory) });
        let scale = match &positions {
            Some(positions) => positions.scale,
            None => crate::simd::lanes(s, s.sqrt(s.splat(1.0 / (head_size as f32))))[0],
        };
        let panel_count = tokens.div_ceil(LANES);
        for (token, row) in keys.chunks_exact(self.key_width as usize).enumerate() {
            let (key, value) = (
                &row[column(self.key_column)..][..head_size],
                &row[column(self.value_column)..][..head_size],
            );
            let panel = &mut key_panels[token / LANES * head_size..][..head_size];
            for (to, key) in panel.iter_mut().zip(key) {
                to[token % LANES] = key * scale;
            }
            for (block, value) in value.chunks(LANES).enumerate() {
                s.store(load_some(s, value), &mut value_panels[block * tokens + token]);
            }
        }

        let (first, count) = if self.one_query == 0 { (starts[0] as usize, tokens) } else { (document, 1) };
        let key_row =
            |token: usize| &keys[token * self.key_width as usize + column(self.key_column)..][..head_size];
        for tile in (0..count).step_by(TILE) {
            let block = tile / BLOCK * BLOCK;
            if let Some(positions) = positions.as_ref().filter(|_| tile == block) {
                let last = (block + BLOCK).min(count) - 1;
                positions.of_keys(s, key_row, tokens, [block, last], position_scores);
            }
            // The last queries stand in for those that are missing; all that is written is written to them.
            let query = |at: usize| first + (tile + at).min(count - 1);
            // SAFETY: as said above.
            let queries: [&[f32]; TILE] = array::from_fn(|at| unsafe {
                let at = query(at) as u32 * self.query_width + column(self.query_column) as u32;
                memory.read(self.queries + at * 4, head_size)
            });
            for (panel, keys) in key_panels.chunks_exact(head_size).take(panel_count).enumerate() {
                for (row, sums) in products(s, queries, keys).into_iter().enumerate() {
                    s.store(sums, &mut scores[row * panel_count + panel]);
                }
            }
            if let Some(positions) = &positions {
                let scores = &mut scores[..TILE * panel_count];
                let at = array::from_fn(|at| (tile + at).min(count - 1));
                positions.add(s, (queries, at), block, tokens, position_scores, scores);
            }
            let mut totals = [0.0; TILE];
            for (scores, total) in scores.chunks_exact_mut(panel_count).zip(&mut totals) {
                *total = softmax(s, scores, tokens);
            }
            let weights = rows::<f32, TILE>(scores.as_flattened(), panel_count * LANES, 0);
            for (block, values) in
                value_panels.chunks_exact(tokens).take(head_size.div_ceil(LANES)).enumerate()
            {
                let sums = products(s, weights, values);
                let width = head_size.min((block + 1) * LANES) - block * LANES;
                for (row, (sum, total)) in sums.into_iter().zip(totals).enumerate().take(count - tile) {
                    let at = query(row) * self.heads as usize * head_size + head * head_size + block * LANES;
                    // SAFETY: as said above.
                    let output = unsafe { memory.write(self.output + at as u32 * 4, width) };
                    store_some(s, s.mul(sum, s.splat(1.0 / total)), output);
                }
            }
        }
    }
}

/// `e` to the power of each score less the largest one, and their sum. Scores after so many are no scores.
#[inline(always)]
fn softmax<S: Simd>(s: S, scores: &mut [[f32; LANES]], count: usize) -> f32 {
    for score in scores.as_flattened_mut().iter_mut().skip(count) {
        *score = f32::MIN;
    }
    let mut most = s.splat(f32::MIN);
    for scores in scores.iter() {
        most = s.max(most, s.load(scores));
    }
    let most = s.splat(s.largest(most));
    let mut total = s.splat(0.0);
    for scores in scores {
        let power = exp(s, s.sub(s.load(scores), most));
        total = s.add(total, power);
        s.store(power, scores);
    }
    s.sum(total)
}
