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
    /// The slope is the length of the gradient as a part of the objective's square root. As the objective curves by about 1
    /// at most, half of the tolerance's square is the part of it that is left to gain, and where the tolerance is near 1e-8,
    /// that is rounding.
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
