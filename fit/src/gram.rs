//! Inner products of components with each other: `Σ x xᵀ` over examples.

use std::sync::Arc;

use crate::features::Features;
use crate::kernel::{BLOCK, accumulate};

/// A symmetric or lower triangular matrix: row `i` has `i + 1` numbers.
#[derive(Clone, Debug)]
pub(crate) struct Triangle {
    numbers: Vec<f64>,
    rank: usize,
}

impl Triangle {
    pub(crate) fn zero(rank: usize) -> Self {
        Self { numbers: vec![0.0; start(rank)], rank }
    }

    pub(crate) fn sum(parts: &[Self], rank: usize) -> Self {
        let mut sum = Self::zero(rank);
        for part in parts {
            sum.add(part, 1.0);
        }
        sum
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.numbers[start(row)..start(row + 1)]
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.numbers[start(row)..start(row + 1)]
    }

    pub(crate) fn diagonal(&self) -> impl Iterator<Item = f64> {
        (0..self.rank).map(|row| self.numbers[start(row) + row])
    }

    pub(crate) fn add(&mut self, other: &Self, factor: f64) {
        for (number, other) in self.numbers.iter_mut().zip(&other.numbers) {
            *number += factor * other;
        }
    }

    /// Adds `factor · v vᵀ`.
    pub(crate) fn add_square(&mut self, vector: &[f64], factor: f64) {
        for (row, &first) in vector.iter().enumerate() {
            for (number, second) in self.row_mut(row).iter_mut().zip(vector) {
                *number += factor * first * second;
            }
        }
    }

    pub(crate) fn add_to_diagonal(&mut self, number: f64) {
        for row in 0..self.rank {
            self.numbers[start(row) + row] += number;
        }
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        for number in &mut self.numbers {
            *number *= factor;
        }
    }
}

/// Where a row begins.
fn start(row: usize) -> usize {
    row * (row + 1) / 2
}

/// Inner products of several parts of the examples, while they are summed.
pub(crate) struct Gathering {
    features: Arc<Features>,
    parts: Vec<Vec<usize>>,
    sums: Vec<Triangle>,
    /// The part, and how many of its examples are in its sum.
    part: usize,
    done: usize,
}

impl Gathering {
    pub(crate) fn new(features: Arc<Features>, parts: Vec<Vec<usize>>) -> Self {
        let sums = vec![Triangle::zero(features.rank()); parts.len()];
        Self { features, parts, sums, part: 0, done: 0 }
    }

    /// How much is done, of 1.
    pub(crate) fn share(&self) -> f64 {
        let before: usize = self.parts.iter().take(self.part).map(Vec::len).sum();
        (before + self.done) as f64 / self.features.count() as f64
    }

    /// Adds examples for about so many multiplications; whether those were all.
    pub(crate) fn step(&mut self, budget: usize) -> bool {
        let rank = self.features.rank();
        let mut spent = 0;
        while spent < budget {
            let Some(examples) = self.parts.get(self.part) else { return true };
            let next = &examples[self.done..examples.len().min(self.done + BLOCK)];
            let rows = self.features.block(next);
            let sum = &mut self.sums[self.part];
            for component in 0..rank {
                let factors = rows.map(|row| [row[component]]);
                let (sums, _) = sum.row_mut(component).as_chunks_mut::<1>();
                accumulate(rows, &factors, sums);
            }
            self.done += next.len();
            if self.done == examples.len() {
                self.part += 1;
                self.done = 0;
            }
            spent += BLOCK * rank * rank / 2 + 1;
        }
        false
    }

    /// The sum of each part.
    pub(crate) fn finish(self) -> Vec<Triangle> {
        self.sums
    }
}
