//! Logistic regression: strengths are compared, and the best is learned from all examples.
//!
//! Strengths are walked through from the strongest regularization to the weakest, and for each all folds, so that a
//! descent starts near its end: where its own fold ended at the strength before, moved by as much as other folds have
//! moved since. That saves a quarter of the iterations beside the former alone.

use std::mem;
use std::sync::Arc;

use crate::descent::Descent;
use crate::factor::{Factor, Factorization};
use crate::features::Features;
use crate::fit::Validation;
use crate::folds::Fold;
use crate::gram::Triangle;
use crate::kernel::{BLOCK, multiply_block, place_of_output};
use crate::loss::{Objective, Solution, View, decay};
use crate::outputs::Outputs;
use crate::score::macro_f1;

/// The slope at which a descent ends where only predictions are compared.
const ROUGH: f64 = 1e-4;

/// The slope at which it ends where weights are wanted, to the fourth digit and more.
const EXACT: f64 = 1e-7;

/// The bound of the curvature of a logistic loss.
const CURVATURE: f64 = 0.25;

/// What was learned from all examples.
pub(crate) struct Learned {
    /// Weights and bias of each label.
    pub(crate) rows: Vec<(Vec<f64>, f64)>,
    /// The mean score of each strength, where they were compared.
    pub(crate) validation: Vec<Validation>,
    pub(crate) strength: f64,
    /// Whether the last descent reached its end.
    pub(crate) converged: bool,
}

/// Logistic regression under way.
pub(crate) struct Search {
    features: Arc<Features>,
    outputs: Arc<Outputs>,
    gram: Triangle,
    /// From the strongest regularization to the weakest.
    strengths: Vec<f64>,
    folds: Vec<Fold>,
    /// The index of the strength that is being compared; `None`: all examples are being learned from.
    compared: Option<usize>,
    /// For each fold, where it ended at the strength before; and at this one, for those that have.
    before: Vec<Solution>,
    now: Vec<Solution>,
    scores: Vec<f64>,
    validation: Vec<Validation>,
    /// The best strength so far, and the mean of where all folds ended at it.
    best: (f64, Solution),
    phase: Phase,
}

enum Phase {
    Factorizing(Factorization),
    Descending(Box<Descent>, Arc<Factor>),
    Done(Solution, bool),
}

impl Search {
    /// `parts` are inner products whose sum is that of all examples. Without folds there is one strength.
    pub(crate) fn new(
        features: Arc<Features>,
        outputs: Arc<Outputs>,
        parts: &[Triangle],
        strengths: Vec<f64>,
        folds: Vec<Fold>,
    ) -> Self {
        let zero = vec![0.0; outputs.count * (features.rank() + 1)];
        let mut search = Self {
            gram: Triangle::sum(parts, features.rank()),
            features,
            outputs,
            compared: (!folds.is_empty()).then_some(0),
            before: vec![zero.clone(); folds.len()],
            now: Vec::new(),
            scores: Vec::new(),
            validation: Vec::new(),
            best: (strengths[0], zero.clone()),
            strengths,
            folds,
            phase: Phase::Done(zero, false),
        };
        search.factorize();
        search
    }

    /// How many descents are done.
    pub(crate) fn progress(&self) -> f64 {
        let strengths = self.compared.unwrap_or(self.strengths.len());
        let before = strengths * self.folds.len() + self.now.len();
        let share = match &self.phase {
            Phase::Factorizing(_) => 0.0,
            Phase::Descending(descent, _) => descent.share(),
            Phase::Done(..) => 1.0,
        };
        before as f64 + share
    }

    /// One iteration of a descent, or about so many multiplications; whether all is done.
    pub(crate) fn step(&mut self, budget: usize) -> bool {
        match mem::replace(&mut self.phase, Phase::Done(Vec::new(), false)) {
            Phase::Factorizing(mut factorization) => {
                if factorization.step(budget) {
                    self.descend(Arc::new(factorization.finish()));
                } else {
                    self.phase = Phase::Factorizing(factorization);
                }
            }
            Phase::Descending(mut descent, factor) => {
                if descent.step() {
                    self.land(*descent, factor);
                } else {
                    self.phase = Phase::Descending(descent, factor);
                }
            }
            done @ Phase::Done(..) => self.phase = done,
        }
        matches!(self.phase, Phase::Done(..))
    }

    fn strength(&self) -> f64 {
        self.compared.map_or(self.best.0, |index| self.strengths[index])
    }

    /// Starts with what all descents at a strength are seen through.
    fn factorize(&mut self) {
        let examples = match self.compared {
            Some(_) => self.folds[0].learned.len(),
            None => self.features.count(),
        } as f64;
        let mut bound = self.gram.clone();
        bound.scale(CURVATURE / self.features.count() as f64);
        bound.add_to_diagonal(decay(self.strength(), examples));
        self.phase = Phase::Factorizing(Factorization::new(bound));
    }

    /// Starts on the next fold of a strength, or on all examples.
    fn descend(&mut self, factor: Arc<Factor>) {
        let (examples, start, tolerance) = if self.compared.is_some() {
            let fold = self.now.len();
            let mut start = self.before[fold].clone();
            for (now, before) in self.now.iter().zip(&self.before) {
                for ((number, now), before) in start.iter_mut().zip(now).zip(before) {
                    *number += (now - before) / fold as f64;
                }
            }
            (self.folds[fold].learned.clone(), start, ROUGH)
        } else {
            ((0..self.features.count()).collect(), self.best.1.clone(), EXACT)
        };
        let view = View::new(Arc::clone(&self.features), Arc::clone(&factor), self.outputs.count);
        let objective = Objective::new(view.clone(), Arc::clone(&self.outputs), examples, self.strength());
        self.phase = Phase::Descending(Box::new(Descent::new(objective, view, start, tolerance)), factor);
    }

    /// Goes on from the end of a descent.
    fn land(&mut self, descent: Descent, factor: Arc<Factor>) {
        let converged = descent.has_converged();
        let solution = descent.finish();
        let Some(index) = self.compared else {
            self.phase = Phase::Done(solution, converged);
            return;
        };
        self.scores.push(self.score(&self.folds[self.now.len()], &solution));
        self.now.push(solution);
        if self.now.len() < self.folds.len() {
            self.descend(factor);
            return;
        }

        let validation = Validation::mean(self.strengths[index], &self.scores);
        self.scores.clear();
        if self.validation.iter().all(|earlier| validation.score > earlier.score) {
            self.best = (validation.strength, mean(&self.now));
        }
        self.validation.push(validation);
        self.before = mem::take(&mut self.now);
        self.compared = (index + 1 < self.strengths.len()).then_some(index + 1);
        self.factorize();
    }

    /// The macro-F1 of what is predicted for the examples that were held back.
    fn score(&self, fold: &Fold, solution: &[f64]) -> f64 {
        let (count, rank) = (self.outputs.count, self.features.rank());
        let (weights, biases) = solution.split_at(count * rank);
        let constant = self.outputs.constant_among(&fold.learned);
        let labels = self.outputs.labels();
        let mut predicted = Vec::with_capacity(fold.held.len());
        let mut block = vec![0.0; BLOCK * count];
        for examples in fold.held.chunks(BLOCK) {
            multiply_block(&self.features.block(examples), weights, rank, count, &mut block);
            for of_example in block.chunks_exact_mut(count).take(examples.len()) {
                for (output, bias) in of_example.iter_mut().zip(biases) {
                    *output += bias;
                }
                predicted.push(self.outputs.predict(of_example, &constant));
            }
        }
        let pairs =
            fold.held.iter().zip(&predicted).map(|(&example, guess)| (labels.of(example), guess.as_slice()));
        macro_f1(pairs, labels.names.len(), labels.single)
    }

    pub(crate) fn finish(self) -> Learned {
        let (solution, converged) = match self.phase {
            Phase::Done(solution, converged) => (solution, converged),
            _ => (self.best.1, false),
        };
        let (count, rank) = (self.outputs.count, self.features.rank());
        let outputs = (0..count)
            .map(|output| {
                let (first, distance) = place_of_output(output, count, rank);
                let weights: Vec<_> = (0..rank).map(|place| solution[first + place * distance]).collect();
                self.features.undo(&weights, solution[count * rank + output])
            })
            .collect();
        let rows = self.outputs.rows_of_labels(outputs);
        Learned { rows, validation: self.validation, strength: self.best.0, converged }
    }
}

fn mean(solutions: &[Solution]) -> Solution {
    let mut sum = vec![0.0; solutions.first().map_or(0, Vec::len)];
    for solution in solutions {
        for (sum, number) in sum.iter_mut().zip(solution) {
            *sum += number / solutions.len() as f64;
        }
    }
    sum
}
