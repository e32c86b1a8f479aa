//! What attention sees of how far tokens are apart: `(Q Pkᵀ + K Pqᵀ) · scale` (He et al. 2021, arXiv 2006.03654), each pair
//! of tokens with the rows of `P` that belong to their distance.
//!
//! Neighbouring distances have the same row, or the next ones. So the rows that a few queries and a few keys meet lie in
//! a few panels of 8, and products with whole panels waste little.

use core::array;

use bytemuck::{Pod, Zeroable};

use crate::linear::products;
use crate::memory::{Address, Memory};
use crate::simd::{LANES, Simd};

/// What relative positions project to in one layer.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Positions {
    /// `(2 · longest - 1,)` u32: the row of each distance, query less key, from `1 - longest` on. It never falls, and rises by
    /// [`STEP`] at most.
    pub rows: Address,
    /// The longest document.
    pub longest: u32,
    /// How many panels of 8 rows there are.
    pub panels: u32,
    /// `Pk · scale`: for each panel, for each column, the values of 8 rows.
    pub keys: Address,
    /// `Pq · scale`, likewise.
    pub queries: Address,
    /// What scores are multiplied with.
    pub scale: f32,
}

/// How far the rows of neighbouring distances lie apart at most.
pub const STEP: usize = 2;

/// Queries whose products of positions and keys are kept at a time.
pub(crate) const BLOCK: usize = 32;

/// Tokens that are multiplied with a panel at once.
const TILE: usize = 4;

/// Panels that a tile of keys meets in a block of queries, or a tile of queries in a block of keys: one more than the
/// distances fill, because they begin anywhere.
const PANELS: usize = (STEP * (BLOCK + TILE - 1)).div_ceil(LANES) + 1;

/// The positions of one head.
pub(crate) struct HeadPositions<'a> {
    rows: &'a [u32],
    longest: usize,
    keys: &'a [[f32; LANES]],
    queries: &'a [[f32; LANES]],
    /// Columns of all heads, the first of this head, and how many it has.
    columns: [usize; 3],
    pub(crate) scale: f32,
}

impl<'a> HeadPositions<'a> {
    /// Scratch that each thread needs, in eights of f32, for keys and for a tile of queries.
    #[inline(always)]
    pub(crate) fn scratch(longest: usize) -> usize {
        (longest.next_multiple_of(TILE) + TILE) * PANELS
    }

    /// # Safety
    ///
    /// Nobody writes what is read here.
    #[inline(always)]
    #[expect(unsafe_code, reason = "nobody writes positions while they are read")]
    pub(crate) unsafe fn new(at: Address, columns: [usize; 3], memory: &'a Memory) -> Self {
        // SAFETY: as said above.
        unsafe {
            let table = memory.read::<Positions>(at, 1)[0];
            let longest = table.longest as usize;
            let count = table.panels as usize * columns[0];
            Self {
                rows: memory.read(table.rows, 2 * longest - 1),
                longest,
                keys: memory.read(table.keys, count),
                queries: memory.read(table.queries, count),
                columns,
                scale: table.scale,
            }
        }
    }

    /// The row of a pair of tokens of a document.
    #[inline(always)]
    fn row(&self, query: usize, key: usize) -> usize {
        self.rows[query + self.longest - 1 - key] as usize
    }

    /// The products of a tile of rows with the panels that hold some rows of positions; those of row `i` begin with
    /// `products[i * PANELS]`.
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        s: S,
        tile: [&[f32]; TILE],
        panels: &[[f32; LANES]],
        [first, last]: [usize; 2],
        out: &mut [[f32; LANES]],
    ) {
        let [width, column, count] = self.columns;
        for panel in first / LANES..=last / LANES {
            let panel_of_head = &panels[panel * width + column..][..count];
            for (row, sums) in products(s, tile, panel_of_head).into_iter().enumerate() {
                s.store(sums, &mut out[row * PANELS + panel - first / LANES]);
            }
        }
    }

    /// The products of all keys of a document with the positions that a block of queries meets them at.
    #[inline(always)]
    pub(crate) fn of_keys<S: Simd>(
        &self,
        s: S,
        key: impl Fn(usize) -> &'a [f32],
        tokens: usize,
        [first, last]: [usize; 2],
        scratch: &mut [[f32; LANES]],
    ) {
        for tile in (0..tokens).step_by(TILE) {
            let end = (tile + TILE - 1).min(tokens - 1);
            let rows = array::from_fn(|at| key((tile + at).min(end)));
            let reach = [self.row(first, end), self.row(last, tile)];
            self.multiply(s, rows, self.queries, reach, &mut scratch[tile * PANELS..]);
        }
    }

    /// Adds what positions make of the scores of a tile of queries, which are given with the tokens that they are of. `scores` has `width` eights for each of them; behind what
    /// [`Self::of_keys`] filled, `scratch` has room for the tile's own products.
    #[inline(always)]
    pub(crate) fn add<S: Simd>(
        &self,
        s: S,
        (tile, at): ([&[f32]; TILE], [usize; TILE]),
        first_of_block: usize,
        tokens: usize,
        scratch: &mut [[f32; LANES]],
        scores: &mut [[f32; LANES]],
    ) {
        let (of_keys, own) = scratch.split_at_mut(tokens.next_multiple_of(TILE) * PANELS);
        let (of_keys, own) = (&*of_keys, &mut own[..TILE * PANELS]);
        let width = scores.len() / TILE;
        for first_key in (0..tokens).step_by(BLOCK) {
            let end = (first_key + BLOCK).min(tokens);
            let reach = [self.row(at[0], end - 1), self.row(at[TILE - 1], first_key)];
            self.multiply(s, tile, self.keys, reach, own);
            for (row, &query) in at.iter().enumerate() {
                let own = &own.as_flattened()[row * PANELS * LANES..];
                let scores = &mut scores[row * width..][..width].as_flattened_mut()[first_key..end];
                for (score, key) in scores.iter_mut().zip(first_key..end) {
                    let position = self.row(query, key);
                    let last_of_tile = (key / TILE * TILE + TILE - 1).min(tokens - 1);
                    let key_base = self.row(first_of_block, last_of_tile) / LANES * LANES;
                    *score += own[position - reach[0] / LANES * LANES]
                        + of_keys.as_flattened()[key * PANELS * LANES + position - key_base];
                }
            }
        }
    }
}
