//! The two loops in which all of the time is spent: inner products of rows with weights, and sums of rows.
//!
//! Weights lie in panels of `P` outputs: all outputs' weights of the first component, then those of the second. A
//! tile of `R` rows and a panel has 8 sums, which fit into registers beside what they are made of, with vector
//! instructions and without.

/// Rows that are computed together.
pub(crate) const BLOCK: usize = 8;

/// Some rows of as many components each; where there are fewer, the rest are zero.
pub(crate) type Block<'a> = [&'a [f64]; BLOCK];

/// Inner products of rows with the outputs of a panel.
#[inline]
pub(crate) fn multiply<const R: usize, const P: usize>(
    rows: [&[f64]; R],
    panel: &[[f64; P]],
) -> [[f64; P]; R] {
    // The compiler then knows that no index is beyond.
    let rows = rows.map(|row| &row[..panel.len()]);
    let mut sums = [[0.0; P]; R];
    for (component, weights) in panel.iter().enumerate() {
        for (row, sums) in rows.iter().zip(&mut sums) {
            let input = row[component];
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += input * weight;
            }
        }
    }
    sums
}

/// Adds rows to the outputs of a panel, each times a factor for each output.
#[inline]
pub(crate) fn accumulate<const R: usize, const P: usize>(
    rows: [&[f64]; R],
    factors: &[[f64; P]; R],
    panel: &mut [[f64; P]],
) {
    let rows = rows.map(|row| &row[..panel.len()]);
    for (component, sums) in panel.iter_mut().enumerate() {
        for (row, factors) in rows.iter().zip(factors) {
            let input = row[component];
            for (sum, factor) in sums.iter_mut().zip(factors) {
                *sum += input * factor;
            }
        }
    }
}

/// The inner product of two rows, where there is only one.
pub(crate) fn inner(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The first output of each panel and how many it has: 4 each, then what is left as 2 and 1.
pub(crate) fn panels(outputs: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let width = match outputs - first {
            0 => return None,
            1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        first += width;
        Some((first - width, width))
    })
}

/// Where the weights of an output lie in panels of `rank` components: the first, and how far it is to the next.
pub(crate) fn place_of_output(output: usize, outputs: usize, rank: usize) -> (usize, usize) {
    panels(outputs)
        .find(|&(first, width)| output < first + width)
        .map_or((0, 1), |(first, width)| (first * rank + output - first, width))
}

/// Calls a function that is generic over a tile's rows and outputs with those of this width of panel.
macro_rules! tile {
    ($width:expr, $function:ident ( $($argument:expr),* $(,)? )) => {
        match $width {
            4 => $function::<2, 4>($($argument),*),
            2 => $function::<4, 2>($($argument),*),
            _ => $function::<8, 1>($($argument),*),
        }
    };
}

/// `rows · weightsᵀ` into `products` (rows, outputs); `weights` are panels of `rank` components.
pub(crate) fn multiply_block(
    rows: &Block<'_>,
    weights: &[f64],
    rank: usize,
    outputs: usize,
    products: &mut [f64],
) {
    for (first, width) in panels(outputs) {
        let panel = &weights[first * rank..(first + width) * rank];
        tile!(width, multiply_panel(rows, panel, first, outputs, products));
    }
}

fn multiply_panel<const R: usize, const P: usize>(
    rows: &Block<'_>,
    panel: &[f64],
    first: usize,
    outputs: usize,
    products: &mut [f64],
) {
    let (panel, _) = panel.as_chunks::<P>();
    let (tiles, _) = rows.as_chunks::<R>();
    for (tile, products) in tiles.iter().zip(products.chunks_exact_mut(R * outputs)) {
        for (sums, products) in multiply(*tile, panel).iter().zip(products.chunks_exact_mut(outputs)) {
            products[first..first + P].copy_from_slice(sums);
        }
    }
}

/// Adds `factorsᵀ · rows` to `sums`, which are panels of `rank` components; `factors` are (rows, outputs).
pub(crate) fn accumulate_block(
    rows: &Block<'_>,
    factors: &[f64],
    rank: usize,
    outputs: usize,
    sums: &mut [f64],
) {
    for (first, width) in panels(outputs) {
        let panel = &mut sums[first * rank..(first + width) * rank];
        tile!(width, accumulate_panel(rows, factors, first, outputs, panel));
    }
}

fn accumulate_panel<const R: usize, const P: usize>(
    rows: &Block<'_>,
    factors: &[f64],
    first: usize,
    outputs: usize,
    panel: &mut [f64],
) {
    let (panel, _) = panel.as_chunks_mut::<P>();
    let (tiles, _) = rows.as_chunks::<R>();
    for (tile, factors) in tiles.iter().zip(factors.chunks_exact(R * outputs)) {
        let mut of_panel = [[0.0; P]; R];
        for (of_panel, factors) in of_panel.iter_mut().zip(factors.chunks_exact(outputs)) {
            of_panel.copy_from_slice(&factors[first..first + P]);
        }
        accumulate(*tile, &of_panel, panel);
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "numbers are whole")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that are whole, so that sums are exact in any order.
    fn whole(count: usize) -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((-9_i32..10).prop_map(f64::from), count)
    }

    fn problem() -> impl Strategy<Value = (usize, usize, Vec<f64>, Vec<f64>, Vec<f64>)> {
        (0_usize..7, 1_usize..12).prop_flat_map(|(rank, outputs)| {
            (Just(rank), Just(outputs), whole(BLOCK * rank), whole(outputs * rank), whole(BLOCK * outputs))
        })
    }

    proptest! {
        #[test]
        fn a_block_times_panels_is_every_row_times_every_output((rank, outputs, rows, weights, _) in problem()) {
            let block: Block<'_> = std::array::from_fn(|row| &rows[row * rank..][..rank]);
            let mut products = vec![f64::NAN; BLOCK * outputs];
            multiply_block(&block, &weights, rank, outputs, &mut products);
            for (index, product) in products.into_iter().enumerate() {
                let (first, distance) = place_of_output(index % outputs, outputs, rank);
                let row = block[index / outputs];
                let expected: f64 = (0..rank).map(|place| row[place] * weights[first + place * distance]).sum();
                prop_assert_eq!(product, expected);
            }
        }

        #[test]
        fn a_block_is_added_to_panels_times_its_factors((rank, outputs, rows, start, factors) in problem()) {
            let block: Block<'_> = std::array::from_fn(|row| &rows[row * rank..][..rank]);
            let mut sums = start.clone();
            accumulate_block(&block, &factors, rank, outputs, &mut sums);
            for output in 0..outputs {
                let (first, distance) = place_of_output(output, outputs, rank);
                for place in (first..).step_by(distance).take(rank) {
                    let component = (place - first) / distance;
                    let added: f64 = (0..BLOCK).map(|row| block[row][component] * factors[row * outputs + output]).sum();
                    prop_assert_eq!(sums[place], start[place] + added);
                }
            }
        }
    }
}
