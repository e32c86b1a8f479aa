//! L-BFGS on an objective, an iteration at a time.

use basin::solver::lbfgs::Unbounded;
use basin::{Executor, FirstOrderState, GradientState, Lbfgs, State, StepOutcome, Stepper};

use crate::loss::{Objective, Solution, View};

/// How many pairs of steps and changes of the gradient are kept.
const MEMORY: usize = 20;

/// After so many iterations a descent is given up; it takes tens.
const MOST_ITERATIONS: u64 = 2000;

/// So many iterations in a row that lower the objective by no more than its rounding are the end.
const MOST_STALLED: usize = 3;

type Solver = Lbfgs<Vec<f64>, f64, Unbounded>;

/// A search for the least of an objective.
pub(crate) struct Descent {
    stepper: Stepper<Objective, FirstOrderState<Vec<f64>>, Solver>,
    view: View,
    tolerance: f64,
    /// The slope at the start, and the least so far.
    first: f64,
    least: f64,
    stalled: usize,
    end: Option<End>,
}

/// Why a descent is over.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Nothing, or nothing that f64 can tell, is to be gained.
    Lowest,
    GivenUp,
}

impl Descent {
    /// A descent from `start` to where the slope is within the tolerance.
    ///
    /// The slope is the length of the gradient as a part of the objective's square root. As the objective curves by
    /// about 1 at most, half of the tolerance's square is the part of it that is left to gain, and where the
    /// tolerance is near 1e-8, that is rounding.
    pub(crate) fn new(objective: Objective, view: View, start: Solution, tolerance: f64) -> Self {
        let solver = Lbfgs::default().with_m_capacity(MEMORY).unbounded();
        let state = FirstOrderState::new(view.of(start));
        let Ok(stepper) = Executor::new(objective, solver, state).max_iter(MOST_ITERATIONS).into_stepper();
        let first = slope(stepper.state());
        let end = (first <= tolerance).then_some(End::Lowest);
        Self { stepper, view, tolerance, first, least: first, stalled: 0, end }
    }

    /// Whether it reached its end, once it is over.
    pub(crate) fn has_converged(&self) -> bool {
        self.end == Some(End::Lowest)
    }

    /// How much is done, of 1. The slope shrinks by about the same factor in each iteration.
    pub(crate) fn share(&self) -> f64 {
        match self.end {
            Some(_) => 1.0,
            None => ((self.first / self.least).ln() / (self.first / self.tolerance).ln()).clamp(0.0, 1.0),
        }
    }

    /// One iteration, unless it is over; whether it is.
    pub(crate) fn step(&mut self) -> bool {
        if self.end.is_some() {
            return true;
        }
        let before = self.stepper.state().cost();
        let Ok(outcome) = self.stepper.step();
        let state = self.stepper.state();
        self.least = self.least.min(slope(state));
        let gain = before - state.cost();
        self.stalled = if gain > f64::EPSILON * before { 0 } else { self.stalled + 1 };
        self.end = if slope(state) <= self.tolerance || self.stalled == MOST_STALLED {
            Some(End::Lowest)
        } else {
            matches!(outcome, StepOutcome::Stopped(_)).then_some(End::GivenUp)
        };
        self.end.is_some()
    }

    pub(crate) fn finish(self) -> Solution {
        self.view.undo(self.stepper.state().param().clone())
    }
}

fn slope(state: &FirstOrderState<Vec<f64>>) -> f64 {
    let gradient = state.gradient().map_or(&[][..], Vec::as_slice);
    let squares: f64 = gradient.iter().map(|slope| slope * slope).sum();
    if squares == 0.0 { 0.0 } else { (squares / state.cost()).sqrt() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::examples::{Labels, Targets};
    use crate::factor::Factorization;
    use crate::features::Reduction;
    use crate::gram::Triangle;
    use crate::options::{ClassWeights, Kind};
    use crate::outputs::Outputs;

    /// A descent for ten examples of two components, which no line divides, and how many iterations it takes.
    fn descend(tolerance: f64) -> (Descent, usize) {
        let vectors: Vec<f32> = (0..20_u8).map(|place| (f32::from(place) * 1.3).sin()).collect();
        let labels = (0..10).map(|example| ["a", "b", "c"][example % 3].to_owned()).collect();
        let labels = Labels::new(&Targets::Labels(labels)).unwrap();
        let outputs = Arc::new(Outputs::new(Kind::Multinomial, labels, ClassWeights::None));
        let features = Arc::new(Reduction::new(&vectors, 2).finish());
        let mut identity = Triangle::zero(2);
        identity.add_to_diagonal(1.0);
        let mut factorization = Factorization::new(identity);
        assert!(factorization.step(usize::MAX));
        let view = View::new(features, Arc::new(factorization.finish()), 3);
        let objective = Objective::new(view.clone(), outputs, (0..10).collect(), 10.0);
        let mut descent = Descent::new(objective, view, vec![0.0; 9], tolerance);
        let (mut iterations, mut share) = (0, 0.0);
        while !descent.step() {
            assert!(!descent.has_converged());
            iterations += 1;
            assert!(descent.share() >= share && descent.share() <= 1.0);
            share = descent.share();
        }
        assert!(tolerance == 0.0 || share > 0.5, "only {share} done before the end");
        (descent, iterations)
    }

    #[test]
    fn a_descent_ends_where_the_slope_is_within_the_tolerance() {
        let (rough, few) = descend(1e-2);
        let (exact, more) = descend(1e-6);
        assert!(few < more, "{few} and {more} iterations");
        assert!(rough.has_converged() && rough.least <= 1e-2);
        assert!(exact.has_converged() && exact.least <= 1e-6);
    }

    #[test]
    fn a_descent_ends_where_nothing_is_to_be_gained() {
        let (descent, iterations) = descend(0.0);
        assert!(descent.has_converged(), "given up at a slope of {}", descent.least);
        assert!(iterations < 100 && descent.least < 1e-6);
    }
}
