//! `A = L Lᵀ`: the triangular factor of a positive definite matrix (Cholesky), and what is solved with it.
//!
//! It is a loop of inner products like all else here, and written in these few lines it can be left off at any row, so
//! that a browser's thread stays responsive; a library's factorization cannot.

use std::array;

use crate::gram::Triangle;
use crate::kernel::{BLOCK, accumulate, inner, multiply};

/// A pivot of so small a part of the largest number on the diagonal is rounding.
const ROUNDING: f64 = 1e-14;

/// A matrix, of which the first rows are those of its factor.
pub(crate) struct Factorization {
    matrix: Triangle,
    least: f64,
    row: usize,
}

impl Factorization {
    pub(crate) fn new(matrix: Triangle) -> Self {
        let largest = matrix.diagonal().fold(f64::MIN_POSITIVE, f64::max);
        Self { matrix, least: ROUNDING * largest, row: 0 }
    }

    /// How much is done, of 1. Later rows take longer.
    pub(crate) fn share(&self) -> f64 {
        (self.row as f64 / self.matrix.rank().max(1) as f64).powi(3)
    }

    /// Factorizes rows for about so many multiplications; whether those were all.
    pub(crate) fn step(&mut self, budget: usize) -> bool {
        let rank = self.matrix.rank();
        let mut spent = 0;
        while spent < budget {
            if self.row == rank {
                return true;
            }
            let last = rank.min(self.row + BLOCK);
            self.factorize(last);
            spent += BLOCK * last * last / 2;
            self.row = last;
        }
        false
    }

    /// Rows up to `last`, where those before `self.row` are done.
    fn factorize(&mut self, last: usize) {
        let first = self.row;
        // Each number needs all before it in its row, so rows are what there can be several of.
        for column in 0..first {
            let known = self.matrix.row(column);
            let (before, _) = known[..column].as_chunks::<1>();
            let pivot = known[column];
            let rows = array::from_fn(|index| &self.matrix.row((first + index).min(last - 1))[..column]);
            let sums: [_; BLOCK] = multiply(rows, before);
            for (row, [sum]) in (first..last).zip(sums) {
                let number = &mut self.matrix.row_mut(row)[column];
                *number = (*number - sum) / pivot;
            }
        }
        for row in first..last {
            for column in first..=row {
                let sum = inner(&self.matrix.row(row)[..column], &self.matrix.row(column)[..column]);
                let number = self.matrix.row(row)[column] - sum;
                self.matrix.row_mut(row)[column] = if column == row {
                    number.max(self.least).sqrt()
                } else {
                    number / self.matrix.row(column)[column]
                };
            }
        }
    }

    pub(crate) fn finish(self) -> Factor {
        Factor { rows: self.matrix }
    }
}

/// `L`.
pub(crate) struct Factor {
    rows: Triangle,
}

impl Factor {
    /// `L x = b` for each output of a panel, in place.
    pub(crate) fn solve<const P: usize>(&self, panel: &mut [[f64; P]]) {
        for row in 0..self.rows.rank() {
            let numbers = self.rows.row(row);
            let [sums] = multiply([numbers], &panel[..row]);
            for (number, sum) in panel[row].iter_mut().zip(sums) {
                *number = (*number - sum) / numbers[row];
            }
        }
    }

    /// `Lᵀ x = b` for each output of a panel, in place.
    pub(crate) fn solve_transposed<const P: usize>(&self, panel: &mut [[f64; P]]) {
        for row in (0..self.rows.rank()).rev() {
            let numbers = self.rows.row(row);
            let solved = panel[row].map(|number| number / numbers[row]);
            panel[row] = solved;
            accumulate([numbers], &[solved.map(|number| -number)], &mut panel[..row]);
        }
    }

    /// `Lᵀ b` for each output of a panel, in place: what `solve_transposed` undoes.
    pub(crate) fn multiply_transposed<const P: usize>(&self, panel: &mut [[f64; P]]) {
        for row in 0..self.rows.rank() {
            let numbers = self.rows.row(row);
            let number = panel[row];
            accumulate([numbers], &[number], &mut panel[..row]);
            panel[row] = number.map(|number| number * numbers[row]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `Σ v vᵀ + I`, so many numbers each.
    fn matrix() -> impl Strategy<Value = Triangle> {
        (0_usize..30).prop_flat_map(|rank| {
            let vectors = prop::collection::vec(prop::collection::vec(-1.0_f64..1.0, rank), 0..5);
            vectors.prop_map(move |vectors| {
                let mut matrix = Triangle::zero(rank);
                matrix.add_to_diagonal(1.0);
                for vector in &vectors {
                    matrix.add_square(vector, 1.0);
                }
                matrix
            })
        })
    }

    fn factor(matrix: &Triangle, budget: usize) -> Factor {
        let mut factorization = Factorization::new(matrix.clone());
        while !factorization.step(budget) {}
        factorization.finish()
    }

    #[test]
    fn the_factor_of_a_singular_matrix_is_finite() {
        let mut matrix = Triangle::zero(3);
        matrix.add_square(&[1.0, 1.0, 2.0], 1.0);
        let factor = factor(&matrix, usize::MAX);
        let mut panel = [[1.0], [1.0], [2.0]];
        factor.solve(&mut panel);
        factor.solve_transposed(&mut panel);
        assert!(panel.iter().all(|[number]| number.is_finite()));
        // What is in its span is solved all the same.
        let [[first], [second], [third]] = panel;
        assert!((first + second + 2.0 * third - 1.0).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn a_factor_times_its_transpose_is_the_matrix(matrix in matrix(), budget in 1_usize..10_000) {
            let factor = factor(&matrix, budget);
            for row in 0..matrix.rank() {
                for column in 0..=row {
                    let product = inner(factor.rows.row(row), factor.rows.row(column));
                    prop_assert!((product - matrix.row(row)[column]).abs() < 1e-12);
                }
            }
        }

        #[test]
        fn solving_undoes_multiplying(matrix in matrix(), seed in -1.0_f64..1.0) {
            let factor = factor(&matrix, usize::MAX);
            let rank = matrix.rank();
            let panel: Vec<_> = (0..rank).map(|row| [seed + row as f64, 1.0 - seed * row as f64]).collect();
            let close = |found: &[[f64; 2]], expected: &[[f64; 2]]| {
                found.iter().flatten().zip(expected.iter().flatten()).all(|(one, other)| (one - other).abs() < 1e-9)
            };

            let mut transposed = panel.clone();
            factor.multiply_transposed(&mut transposed);
            for (column, found) in transposed.iter().enumerate() {
                let expected: f64 = (column..rank).map(|row| factor.rows.row(row)[column] * panel[row][1]).sum();
                prop_assert!((found[1] - expected).abs() < 1e-9);
            }
            factor.solve_transposed(&mut transposed);
            prop_assert!(close(&transposed, &panel));

            let mut solved = panel.clone();
            factor.solve(&mut solved);
            let product: Vec<_> = (0..rank)
                .map(|row| [0, 1].map(|output| (0..=row).map(|at| factor.rows.row(row)[at] * solved[at][output]).sum()))
                .collect();
            prop_assert!(close(&product, &panel));
        }
    }
}
