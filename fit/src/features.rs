//! What is learned from: vectors, centred, in no more numbers than they need.
//!
//! A bias without a penalty takes up whatever is subtracted from all vectors, so their mean is: the bias then has
//! nothing to do with the weights, and descends on its own.
//!
//! `n` examples span at most `n` dimensions, and the best weights lie in what they span, because what is outside costs
//! and changes nothing. Where there are no more examples than components, vectors are therefore written in a basis of
//! their span. Their inner products are the same, and so are the lengths of weights, hence the solution; it only takes
//! less time. The basis is that of a Gram–Schmidt process that takes the longest remainder next (a pivoted Cholesky
//! factorization of the inner products: Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 10.3).

use std::array;

use crate::kernel::{BLOCK, Block, inner, multiply};

/// A remainder of so small a part of the longest vector's squared length is rounding: about the square of f32's.
const ROUNDING: f64 = 1e-14;

/// Vectors while they are rewritten.
pub(crate) struct Reduction {
    /// `(count, width)`.
    centred: Vec<f64>,
    mean: Vec<f64>,
    count: usize,
    width: usize,
    spread: f64,
    /// `(count, count)`: coordinates in the basis, in so many columns as `pivots` has.
    coordinates: Vec<f64>,
    /// The examples whose remainders are the basis.
    pivots: Vec<usize>,
    /// The squared length of what is not in the basis yet.
    left: Vec<f64>,
    least: f64,
}

impl Reduction {
    pub(crate) fn new(vectors: &[f32], width: usize) -> Self {
        let count = vectors.len() / width;
        let mut mean = vec![0.0; width];
        for vector in vectors.chunks_exact(width) {
            for (sum, &number) in mean.iter_mut().zip(vector) {
                *sum += f64::from(number);
            }
        }
        for sum in &mut mean {
            *sum /= count as f64;
        }
        let mut centred = Vec::with_capacity(vectors.len());
        let mut left = Vec::with_capacity(count);
        for vector in vectors.chunks_exact(width) {
            let start = centred.len();
            centred.extend(vector.iter().zip(&mean).map(|(&number, mean)| f64::from(number) - mean));
            left.push(centred[start..].iter().map(|number| number * number).sum());
        }
        let spread = left.iter().sum::<f64>() / count as f64;
        let least = ROUNDING * left.iter().fold(0.0, |longest: f64, &length| longest.max(length));
        let coordinates = if count > width { Vec::new() } else { vec![0.0; count * count] };
        Self { centred, mean, count, width, spread, coordinates, pivots: Vec::new(), left, least }
    }

    /// The vectors' mean squared distance from their mean.
    pub(crate) fn spread(&self) -> f64 {
        self.spread
    }

    /// How much is done, of 1.
    pub(crate) fn share(&self) -> f64 {
        if self.coordinates.is_empty() { 1.0 } else { self.pivots.len() as f64 / self.count as f64 }
    }

    /// Extends the basis for about so many multiplications; whether that was all.
    pub(crate) fn step(&mut self, budget: usize) -> bool {
        if self.coordinates.is_empty() {
            return true;
        }
        let mut spent = 0;
        while spent < budget {
            let longest = (0..self.count).max_by(|&one, &other| self.left[one].total_cmp(&self.left[other]));
            match longest {
                Some(pivot) if self.left[pivot] > self.least => {
                    spent += self.count * (self.width + self.pivots.len());
                    self.extend(pivot);
                }
                _ => return true,
            }
        }
        false
    }

    /// Takes what is left of an example into the basis.
    fn extend(&mut self, pivot: usize) {
        let rank = self.pivots.len();
        let length = self.left[pivot].sqrt();
        let (vector, _) = self.centred[pivot * self.width..][..self.width].as_chunks::<1>();
        let (known, _) = self.coordinates[pivot * self.count..][..rank].as_chunks::<1>();
        let mut column = Vec::with_capacity(self.count + BLOCK);
        for first in (0..self.count).step_by(BLOCK) {
            // Beyond the last row is the last row again; its products are not used.
            let row = |index: usize| (first + index).min(self.count - 1);
            let vectors: Block<'_> = array::from_fn(|index| &self.centred[row(index) * self.width..]);
            let coordinates: Block<'_> = array::from_fn(|index| &self.coordinates[row(index) * self.count..]);
            let products = multiply(vectors, vector);
            let in_basis = multiply(coordinates, known);
            column
                .extend(products.iter().zip(in_basis).map(|([product], [known])| (product - known) / length));
        }
        for (example, number) in column.into_iter().take(self.count).enumerate() {
            // A remainder that is in the basis has no more to give.
            let coordinate = if example == pivot {
                length
            } else if self.left[example] > 0.0 {
                number
            } else {
                0.0
            };
            self.coordinates[example * self.count + rank] = coordinate;
            self.left[example] = (self.left[example] - coordinate * coordinate).max(0.0);
        }
        self.left[pivot] = 0.0;
        self.pivots.push(pivot);
    }

    pub(crate) fn finish(self) -> Features {
        let Self { centred, mean, count, width, coordinates, pivots, .. } = self;
        let (rows, rank, basis) = if coordinates.is_empty() {
            (centred, width, Basis::Components)
        } else {
            let rank = pivots.len();
            let rows = coordinates.chunks_exact(count).flat_map(|row| &row[..rank]).copied().collect();
            let spanning =
                pivots.iter().flat_map(|&pivot| &centred[pivot * width..][..width]).copied().collect();
            (rows, rank, Basis::Examples { pivots, vectors: spanning })
        };
        Features { rows, zero: vec![0.0; rank], count, rank, mean, basis }
    }
}

/// Centred vectors.
pub(crate) struct Features {
    /// `(count, rank)`.
    rows: Vec<f64>,
    zero: Vec<f64>,
    count: usize,
    rank: usize,
    mean: Vec<f64>,
    basis: Basis,
}

/// What a coordinate is of.
enum Basis {
    Components,
    /// What Gram and Schmidt make of the centred vectors `(rank, width)` of these examples.
    Examples {
        pivots: Vec<usize>,
        vectors: Vec<f64>,
    },
}

impl Features {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// How many numbers an example has.
    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn row(&self, example: usize) -> &[f64] {
        &self.rows[example * self.rank..][..self.rank]
    }

    /// Some examples; zeros where there are fewer than a block has.
    pub(crate) fn block(&self, examples: &[usize]) -> Block<'_> {
        array::from_fn(|index| examples.get(index).map_or(self.zero.as_slice(), |&example| self.row(example)))
    }

    /// Weights and bias for these numbers as weights and bias for the vectors that were given.
    pub(crate) fn undo(&self, weights: &[f64], bias: f64) -> (Vec<f64>, f64) {
        let weights = match &self.basis {
            Basis::Components => weights.to_vec(),
            Basis::Examples { pivots, vectors } => {
                // Weights are a sum of the spanning vectors. Coordinates of the n-th of these end after n, so that
                // its share is known when those of all later ones are.
                let mut left = weights.to_vec();
                let mut sum = vec![0.0; self.mean.len()];
                for (last, &pivot) in pivots.iter().enumerate().rev() {
                    let coordinates = self.row(pivot);
                    let share = left[last] / coordinates[last];
                    for (number, coordinate) in left.iter_mut().zip(&coordinates[..last]) {
                        *number -= share * coordinate;
                    }
                    for (number, component) in sum.iter_mut().zip(&vectors[last * self.mean.len()..]) {
                        *number += share * component;
                    }
                }
                sum
            }
        };
        let moved = inner(&weights, &self.mean);
        (weights, bias - moved)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Vectors, some of which are there twice.
    fn vectors() -> impl Strategy<Value = (Vec<Vec<f32>>, usize)> {
        (1_usize..12, 1_usize..12).prop_flat_map(|(width, count)| {
            let vector = prop::collection::vec(-2.0_f32..2.0, width);
            (prop::collection::vec(vector, count), 0..count, 0..count).prop_map(
                move |(mut vectors, one, other)| {
                    vectors[one] = vectors[other].clone();
                    (vectors, width)
                },
            )
        })
    }

    fn features(vectors: &[Vec<f32>], width: usize, budget: usize) -> Features {
        let mut reduction = Reduction::new(&vectors.concat(), width);
        while !reduction.step(budget) {}
        reduction.finish()
    }

    proptest! {
        #[test]
        fn inner_products_are_those_of_the_centred_vectors((vectors, width) in vectors(), budget in 1_usize..500) {
            let features = features(&vectors, width, budget);
            let count = vectors.len();
            prop_assert!(features.rank() <= width.min(count.max(width + 1) - 1));
            prop_assert!(count > width || features.rank() < count);
            let mean = |component: usize| vectors.iter().map(|vector| f64::from(vector[component])).sum::<f64>() / count as f64;
            let centred: Vec<Vec<f64>> = vectors
                .iter()
                .map(|vector| (0..width).map(|component| f64::from(vector[component]) - mean(component)).collect())
                .collect();
            for one in 0..count {
                for other in 0..count {
                    let found = inner(features.row(one), features.row(other));
                    prop_assert!((found - inner(&centred[one], &centred[other])).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn weights_say_the_same_of_the_vectors_that_were_given((vectors, width) in vectors(), bias in -1.0_f64..1.0) {
            let features = features(&vectors, width, usize::MAX);
            let weights: Vec<_> = (0..features.rank()).map(|place| (place as f64 + bias).sin()).collect();
            let (undone, undone_bias) = features.undo(&weights, bias);
            for (example, vector) in vectors.iter().enumerate() {
                let vector: Vec<_> = vector.iter().copied().map(f64::from).collect();
                let expected = inner(features.row(example), &weights) + bias;
                prop_assert!((inner(&vector, &undone) + undone_bias - expected).abs() < 1e-5);
            }
        }

        #[test]
        fn weights_keep_their_length((vectors, width) in vectors()) {
            let features = features(&vectors, width, usize::MAX);
            // In the span of the examples, such as the examples themselves.
            for example in 0..vectors.len() {
                let weights = features.row(example).to_vec();
                let (undone, _) = features.undo(&weights, 0.0);
                prop_assert!((inner(&undone, &undone) - inner(&weights, &weights)).abs() < 1e-5);
            }
        }
    }
}
