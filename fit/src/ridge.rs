//! Ridge regression: strengths are compared, and the best is learned from all examples.
//!
//! `‖y - X w - b‖² + α ‖w‖²` is least where `(Σ x xᵀ + α I) w = Σ x y`, with `x` and `y` less their means. The sums
//! over all examples but those of a fold are those over all less those of the fold, so examples are multiplied once.

use std::mem;
use std::sync::Arc;

use crate::factor::{Factor, Factorization};
use crate::features::Features;
use crate::fit::Validation;
use crate::folds::Fold;
use crate::gram::Triangle;
use crate::kernel::inner;
use crate::score::r_squared;

/// Of the largest sum of squares, a strength of so small a part is rounding, and the least that is used.
const ROUNDING: f64 = 1e-13;

/// What was learned from all examples.
pub(crate) struct Learned {
    pub(crate) weights: Vec<f64>,
    pub(crate) bias: f64,
    /// The mean score of each strength, where they were compared.
    pub(crate) validation: Vec<Validation>,
    pub(crate) strength: f64,
}

/// Ridge regression under way.
pub(crate) struct Search {
    features: Arc<Features>,
    values: Vec<f64>,
    /// Inner products of all examples, and of those that each fold holds back.
    gram: Triangle,
    held: Vec<Triangle>,
    /// From the strongest regularization to the weakest.
    strengths: Vec<f64>,
    folds: Vec<Fold>,
    /// For each strength the scores of the folds so far.
    scores: Vec<Vec<f64>>,
    /// How many are compared already, each strength of a fold before the next fold.
    compared: usize,
    normal: Normal,
    phase: Phase,
}

enum Phase {
    Factorizing(Factorization),
    Done(Vec<f64>, f64),
}

/// The normal equations of some examples, without the strength.
struct Normal {
    matrix: Triangle,
    right: Vec<f64>,
    mean: Vec<f64>,
    mean_value: f64,
}

impl Normal {
    fn new(features: &Features, values: &[f64], mut matrix: Triangle, examples: &[usize]) -> Self {
        let count = examples.len() as f64;
        let mean_value = examples.iter().map(|&example| values[example]).sum::<f64>() / count;
        let mut mean = vec![0.0; features.rank()];
        let mut right = vec![0.0; features.rank()];
        for &example in examples {
            let value = values[example] - mean_value;
            for ((mean, right), number) in mean.iter_mut().zip(&mut right).zip(features.row(example)) {
                *mean += number / count;
                *right += number * value;
            }
        }
        matrix.add_square(&mean, -count);
        Self { matrix, right, mean, mean_value }
    }

    fn with(&self, strength: f64) -> Factorization {
        let largest = self.matrix.diagonal().fold(0.0, f64::max);
        let mut matrix = self.matrix.clone();
        matrix.add_to_diagonal(strength.max(ROUNDING * largest));
        Factorization::new(matrix)
    }

    /// Weights and bias.
    fn solve(&self, factor: &Factor) -> (Vec<f64>, f64) {
        let mut weights = self.right.clone();
        let (panel, _) = weights.as_chunks_mut::<1>();
        factor.solve(panel);
        factor.solve_transposed(panel);
        let bias = self.mean_value - inner(&weights, &self.mean);
        (weights, bias)
    }
}

impl Search {
    /// `held` has the sums of inner products of the examples that each fold holds back; without folds there is one
    /// strength, and one sum.
    pub(crate) fn new(
        features: Arc<Features>,
        values: Vec<f64>,
        held: Vec<Triangle>,
        strengths: Vec<f64>,
        folds: Vec<Fold>,
    ) -> Self {
        let normal =
            Normal { matrix: Triangle::zero(0), right: Vec::new(), mean: Vec::new(), mean_value: 0.0 };
        let mut search = Self {
            gram: Triangle::sum(&held, features.rank()),
            features,
            values,
            held,
            scores: vec![Vec::new(); strengths.len()],
            strengths,
            folds,
            compared: 0,
            normal,
            phase: Phase::Done(Vec::new(), 0.0),
        };
        search.factorize();
        search
    }

    /// How many systems are solved.
    pub(crate) fn progress(&self) -> f64 {
        let share = match &self.phase {
            Phase::Factorizing(factorization) => factorization.share(),
            Phase::Done(..) => 1.0,
        };
        self.compared as f64 + share
    }

    /// About so many multiplications; whether all is done.
    pub(crate) fn step(&mut self, budget: usize) -> bool {
        match mem::replace(&mut self.phase, Phase::Done(Vec::new(), 0.0)) {
            Phase::Factorizing(mut factorization) => {
                if factorization.step(budget) {
                    self.solve(&factorization.finish());
                } else {
                    self.phase = Phase::Factorizing(factorization);
                }
            }
            done @ Phase::Done(..) => self.phase = done,
        }
        matches!(self.phase, Phase::Done(..))
    }

    /// Starts on the next strength of a fold, or on all examples.
    fn factorize(&mut self) {
        let (fold, strength) = (self.compared / self.strengths.len(), self.compared % self.strengths.len());
        if let Some(of_fold) = self.folds.get(fold) {
            if strength == 0 {
                let mut gram = self.gram.clone();
                gram.add(&self.held[fold], -1.0);
                self.normal = Normal::new(&self.features, &self.values, gram, &of_fold.learned);
            }
            self.phase = Phase::Factorizing(self.normal.with(self.strengths[strength]));
        } else {
            let all: Vec<_> = (0..self.features.count()).collect();
            self.normal = Normal::new(&self.features, &self.values, self.gram.clone(), &all);
            self.phase = Phase::Factorizing(self.normal.with(self.best()));
        }
    }

    fn solve(&mut self, factor: &Factor) {
        let (weights, bias) = self.normal.solve(factor);
        let (fold, strength) = (self.compared / self.strengths.len(), self.compared % self.strengths.len());
        let Some(of_fold) = self.folds.get(fold) else {
            self.phase = Phase::Done(weights, bias);
            return;
        };
        let predict = |&example: &usize| inner(&weights, self.features.row(example)) + bias;
        let predicted: Vec<_> = of_fold.held.iter().map(predict).collect();
        let values: Vec<_> = of_fold.held.iter().map(|&example| self.values[example]).collect();
        self.scores[strength].push(r_squared(&values, &predicted));
        self.compared += 1;
        self.factorize();
    }

    fn validation(&self) -> Vec<Validation> {
        let compared = self.strengths.iter().zip(&self.scores).filter(|(_, scores)| !scores.is_empty());
        compared.map(|(&strength, scores)| Validation::mean(strength, scores)).collect()
    }

    fn best(&self) -> f64 {
        Validation::best(&self.validation()).unwrap_or(self.strengths[0])
    }

    pub(crate) fn finish(self) -> Learned {
        let (validation, strength) = (self.validation(), self.best());
        let (weights, bias) = match self.phase {
            Phase::Done(weights, bias) => (weights, bias),
            Phase::Factorizing(_) => (vec![0.0; self.features.rank()], 0.0),
        };
        let (weights, bias) = self.features.undo(&weights, bias);
        Learned { weights, bias, validation, strength }
    }
}
