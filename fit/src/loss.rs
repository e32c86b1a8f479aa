//! The objective of logistic regression and its gradient.
//!
//! scikit-learn's: `C · Σ w · loss + ½ ‖W‖²` over examples and outputs, without the biases in the penalty. Here it is
//! divided by `C` and by the mean over outputs of the sum of weights, so that strengths and numbers of examples leave
//! its scale alone.
//!
//! It is seen through the factor of a matrix that bounds its curvature, `¼ Σ x xᵀ + λ I = L Lᵀ` (for softmax:
//! Böhning, Multinomial logistic regression algorithm, 1992): as a function of `W L` it curves about alike in all
//! directions, and L-BFGS needs a third of the iterations. Likewise a bias is seen halved, because the loss curves by
//! at most ¼.

use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;

use basin::{CostFunction, Gradient};

use crate::factor::Factor;
use crate::features::Features;
use crate::kernel::{BLOCK, accumulate_block, multiply_block, panels};
use crate::outputs::{Outputs, Weight};

/// How much larger a bias is than what the solver sees.
const BIAS: f64 = 2.0;

/// Weights in panels of `rank` components, then a bias for each output.
pub(crate) type Solution = Vec<f64>;

/// How the solver sees solutions.
#[derive(Clone)]
pub(crate) struct View {
    features: Arc<Features>,
    factor: Arc<Factor>,
    outputs: usize,
}

impl View {
    pub(crate) fn new(features: Arc<Features>, factor: Arc<Factor>, outputs: usize) -> Self {
        Self { features, factor, outputs }
    }

    /// How many of the numbers are weights.
    fn weights(&self) -> usize {
        self.outputs * self.features.rank()
    }

    /// What the solver sees of a solution.
    pub(crate) fn of(&self, mut solution: Solution) -> Vec<f64> {
        let (weights, biases) = solution.split_at_mut(self.weights());
        self.transform(weights, Transform::MultiplyTransposed);
        for bias in biases {
            *bias /= BIAS;
        }
        solution
    }

    /// The solution that the solver sees as this.
    pub(crate) fn undo(&self, mut seen: Vec<f64>) -> Solution {
        let (weights, biases) = seen.split_at_mut(self.weights());
        self.transform(weights, Transform::SolveTransposed);
        for bias in biases {
            *bias *= BIAS;
        }
        seen
    }

    /// What the solver sees of a gradient.
    fn of_gradient(&self, gradient: &mut [f64]) {
        let (weights, biases) = gradient.split_at_mut(self.weights());
        self.transform(weights, Transform::Solve);
        for slope in biases {
            *slope *= BIAS;
        }
    }

    fn transform(&self, weights: &mut [f64], transform: Transform) {
        let rank = self.features.rank();
        for (first, width) in panels(self.outputs) {
            let panel = &mut weights[first * rank..(first + width) * rank];
            match width {
                4 => transform.apply(&self.factor, panel.as_chunks_mut::<4>().0),
                2 => transform.apply(&self.factor, panel.as_chunks_mut::<2>().0),
                _ => transform.apply(&self.factor, panel.as_chunks_mut::<1>().0),
            }
        }
    }
}

/// What is done to the panels of weights.
#[derive(Clone, Copy)]
enum Transform {
    MultiplyTransposed,
    Solve,
    SolveTransposed,
}

impl Transform {
    fn apply<const P: usize>(self, factor: &Factor, panel: &mut [[f64; P]]) {
        match self {
            Self::MultiplyTransposed => factor.multiply_transposed(panel),
            Self::Solve => factor.solve(panel),
            Self::SolveTransposed => factor.solve_transposed(panel),
        }
    }
}

/// The objective for some of the examples.
pub(crate) struct Objective {
    view: View,
    outputs: Arc<Outputs>,
    examples: Vec<usize>,
    weights: Vec<Weight>,
    /// What a unit of loss adds to the mean.
    share: f64,
    /// `λ`: what weights cost.
    decay: f64,
    /// What was allocated for the last solution.
    scratch: RefCell<Vec<f64>>,
}

impl Objective {
    /// `strength` is scikit-learn's `C`.
    pub(crate) fn new(view: View, outputs: Arc<Outputs>, examples: Vec<usize>, strength: f64) -> Self {
        let weights = outputs.weights_among(&examples);
        let total = total_weight(&outputs, &weights, &examples);
        let (share, decay) = (1.0 / total, decay(strength, total));
        Self { view, outputs, examples, weights, share, decay, scratch: RefCell::default() }
    }

    /// The sum of weighted losses. `gradient` has zeros, and then the sums of what outputs are too high, times the
    /// inputs; `solution` and `gradient` have weights and biases.
    fn sum_losses(&self, solution: &[f64], gradient: &mut [f64]) -> f64 {
        let (outputs, rank) = (self.outputs.count, self.view.features.rank());
        let (weights, biases) = solution.split_at(outputs * rank);
        let (of_weights, of_biases) = gradient.split_at_mut(outputs * rank);
        let mut loss = 0.0;
        let mut block = vec![0.0; BLOCK * outputs];
        for examples in self.examples.chunks(BLOCK) {
            let rows = self.view.features.block(examples);
            multiply_block(&rows, weights, rank, outputs, &mut block);
            for (&example, of_example) in examples.iter().zip(block.chunks_exact_mut(outputs)) {
                for (output, bias) in of_example.iter_mut().zip(biases) {
                    *output += bias;
                }
                let high = self.outputs.high_for(example);
                loss += if self.outputs.compete {
                    softmax_loss(of_example, high, &self.weights)
                } else {
                    sigmoid_losses(of_example, high, &self.weights)
                };
                for (sum, excess) in of_biases.iter_mut().zip(of_example.iter()) {
                    *sum += excess;
                }
            }
            // Rows beyond the last example are zero, so what is in the block for them adds nothing.
            accumulate_block(&rows, &block, rank, outputs, of_weights);
        }
        loss
    }
}

/// `λ` for scikit-learn's `C` and a sum of weights.
pub(crate) fn decay(strength: f64, total_weight: f64) -> f64 {
    1.0 / (strength * total_weight)
}

/// The sum of the weights of examples: for outputs that stand alone, its mean over those that can be learned.
fn total_weight(outputs: &Outputs, weights: &[Weight], examples: &[usize]) -> f64 {
    let mut sum = 0.0;
    for &example in examples {
        let high = outputs.high_for(example);
        for (output, weight) in weights.iter().enumerate() {
            match (high.contains(&output), outputs.compete) {
                (true, _) => sum += weight.of_positive,
                (false, false) => sum += weight.of_negative,
                (false, true) => {}
            }
        }
    }
    let learned = weights.iter().filter(|weight| weight.of_positive > 0.0).count();
    match (outputs.compete, learned) {
        (true, _) => sum,
        (false, 0) => examples.len() as f64,
        (false, learned) => sum / learned as f64,
    }
}

/// Replaces outputs by the weighted excess of probability: `w · (softmax(z) - y)`; the loss is `-w · ln softmax(z)`.
fn softmax_loss(outputs: &mut [f64], high: &[usize], weights: &[Weight]) -> f64 {
    let &[label] = high else { return 0.0 };
    let weight = weights[label].of_positive;
    let best =
        (0..outputs.len()).fold(0, |best, next| if outputs[next] > outputs[best] { next } else { best });
    let largest = outputs[best];
    let below = largest - outputs[label];
    // The sum over all is 1 for the largest and this, of which the logarithm is exact where it is small.
    let mut others = 0.0;
    for (index, output) in outputs.iter_mut().enumerate() {
        *output = (*output - largest).exp();
        others += if index == best { 0.0 } else { *output };
    }
    for output in outputs.iter_mut() {
        *output *= weight / (1.0 + others);
    }
    outputs[label] -= weight;
    weight * (below + others.ln_1p())
}

/// Replaces outputs by the weighted excess of probability: `w · (sigmoid(z) - y)`; the loss is the sum over outputs of
/// `w · ln(1 + exp(-z))` where an output should be high, and of `w · ln(1 + exp(z))` where not.
fn sigmoid_losses(outputs: &mut [f64], high: &[usize], weights: &[Weight]) -> f64 {
    let mut loss = 0.0;
    for (index, (output, weight)) in outputs.iter_mut().zip(weights).enumerate() {
        // How far the output is on the wrong side.
        let (wrong, sign, weight) = if high.contains(&index) {
            (-*output, -1.0, weight.of_positive)
        } else {
            (*output, 1.0, weight.of_negative)
        };
        // Of both powers the one that cannot overflow.
        let power = (-wrong.abs()).exp();
        let excess = if wrong >= 0.0 { 1.0 } else { power } / (1.0 + power);
        loss += weight * (wrong.max(0.0) + power.ln_1p());
        *output = sign * weight * excess;
    }
    loss
}

impl CostFunction for Objective {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Infallible;

    fn cost(&self, seen: &Vec<f64>) -> Result<f64, Infallible> {
        self.cost_and_gradient(seen).map(|(cost, _)| cost)
    }
}

impl Gradient for Objective {
    type Gradient = Vec<f64>;

    fn gradient(&self, seen: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
        self.cost_and_gradient(seen).map(|(_, gradient)| gradient)
    }

    fn cost_and_gradient(&self, seen: &Vec<f64>) -> Result<(f64, Vec<f64>), Infallible> {
        let mut gradient = Vec::new();
        self.cost_and_gradient_into(seen, &mut gradient).map(|cost| (cost, gradient))
    }

    fn cost_and_gradient_into(&self, seen: &Vec<f64>, gradient: &mut Vec<f64>) -> Result<f64, Infallible> {
        let mut scratch = self.scratch.take();
        scratch.clone_from(seen);
        let solution = self.view.undo(scratch);
        gradient.clear();
        gradient.resize(seen.len(), 0.0);

        let loss = self.sum_losses(&solution, gradient);
        let weights = &solution[..self.view.weights()];
        let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
        for slope in gradient.iter_mut() {
            *slope *= self.share;
        }
        for (slope, weight) in gradient.iter_mut().zip(weights) {
            *slope += self.decay * weight;
        }
        self.view.of_gradient(gradient);
        self.scratch.replace(solution);
        Ok(self.share * loss + 0.5 * self.decay * squares)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::examples::{Labels, Targets};
    use crate::factor::Factorization;
    use crate::features::Reduction;
    use crate::gram::Triangle;
    use crate::options::{ClassWeights, Kind};

    const WIDTH: usize = 3;

    fn features(vectors: &[f32]) -> Arc<Features> {
        Arc::new(Reduction::new(vectors, WIDTH).finish())
    }

    /// A view that is not straight.
    fn view(features: &Arc<Features>, outputs: usize) -> View {
        let mut matrix = Triangle::zero(WIDTH);
        matrix.add_to_diagonal(0.5);
        (0..features.count()).for_each(|example| matrix.add_square(features.row(example), 0.1));
        let mut factorization = Factorization::new(matrix);
        assert!(factorization.step(usize::MAX));
        View::new(Arc::clone(features), Arc::new(factorization.finish()), outputs)
    }

    /// Labels of 10 to 30 examples, each of which occurs; vectors; and a point.
    fn problem() -> impl Strategy<Value = (Vec<usize>, Vec<f32>, Vec<f64>)> {
        (2_usize..8, 10_usize..30).prop_flat_map(|(kinds, count)| {
            let labels = prop::collection::vec(0..kinds, count).prop_map(move |mut labels| {
                labels.iter_mut().zip(0..kinds).for_each(|(label, kind)| *label = kind);
                labels
            });
            (
                labels,
                prop::collection::vec(-2.0_f32..2.0, count * WIDTH),
                prop::collection::vec(-1.0_f64..1.0, kinds * (WIDTH + 1)),
            )
        })
    }

    fn weights() -> impl Strategy<Value = ClassWeights> {
        prop_oneof![
            Just(ClassWeights::None),
            Just(ClassWeights::Balanced),
            (0.1_f64..5.0, 0.1_f64..5.0).prop_map(|(first, second)| {
                ClassWeights::ByLabel(BTreeMap::from([("0".to_owned(), first), ("1".to_owned(), second)]))
            }),
        ]
    }

    fn outputs(labels: &[usize], kind: Kind, weights: ClassWeights) -> Arc<Outputs> {
        let targets = match kind {
            Kind::Multinomial => Targets::Labels(labels.iter().map(ToString::to_string).collect()),
            // The next label as well, and now and then none.
            _ => Targets::LabelSets(
                labels
                    .iter()
                    .enumerate()
                    .map(|(example, label)| match example % 5 {
                        4 => vec![],
                        3 => vec![label.to_string(), (label + 1).to_string()],
                        _ => vec![label.to_string()],
                    })
                    .collect(),
            ),
        };
        Arc::new(Outputs::new(kind, Labels::new(&targets).unwrap(), weights))
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_slope_of_the_objective(
            (labels, vectors, point) in problem(),
            weights in weights(),
            kind in prop_oneof![Just(Kind::Multinomial), Just(Kind::OneVsRest)],
            strength in 0.01_f64..100.0,
        ) {
            let features = features(&vectors);
            let outputs = outputs(&labels, kind, weights);
            let view = view(&features, outputs.count);
            // Not all examples, nor in order.
            let examples: Vec<_> = (0..labels.len()).rev().step_by(2).collect();
            let size = outputs.count * (WIDTH + 1);
            let point: Vec<_> = point.iter().copied().cycle().take(size).collect();
            let objective = Objective::new(view, outputs, examples, strength);
            let Ok(gradient) = objective.gradient(&point);

            let step = 1e-5;
            for place in 0..size {
                let at = |distance: f64| {
                    let mut moved = point.clone();
                    moved[place] += distance;
                    let Ok(cost) = objective.cost(&moved);
                    cost
                };
                let slope = (at(step) - at(-step)) / (2.0 * step);
                let off = (gradient[place] - slope).abs();
                prop_assert!(off < 1e-7 * (1.0 + slope.abs()), "{place}: {} is not {slope}", gradient[place]);
            }
        }

        #[test]
        fn a_solution_is_what_its_view_is_of((labels, vectors, point) in problem()) {
            let features = features(&vectors);
            let view = view(&features, point.len() / (WIDTH + 1));
            let back = view.undo(view.of(point.clone()));
            prop_assert!(back.iter().zip(&point).all(|(one, other)| (one - other).abs() < 1e-12), "{labels:?}");
        }
    }

    #[test]
    fn the_loss_of_softmax_is_minus_the_logarithm_of_the_probability() {
        let weights =
            [Weight { of_positive: 1.0, of_negative: 1.0 }, Weight { of_positive: 2.0, of_negative: 2.0 }];
        let mut outputs = [1.0, 3.0];
        let loss = softmax_loss(&mut outputs, &[1], &weights);
        let other = 1.0 / (1.0 + 2.0_f64.exp());
        assert!((loss + 2.0 * (1.0 - other).ln()).abs() < 1e-15);
        assert!((outputs[0] - 2.0 * other).abs() < 1e-15 && (outputs[1] + 2.0 * other).abs() < 1e-15);
    }

    #[test]
    fn losses_are_finite_and_exact_far_from_zero() {
        let weights = [Weight { of_positive: 1.0, of_negative: 1.0 }; 2];
        let mut outputs = [-800.0, 800.0];
        assert_eq!(softmax_loss(&mut outputs, &[0], &weights), 1600.0);
        assert_eq!(outputs, [-1.0, 1.0]);

        let mut outputs = [-800.0, 800.0];
        assert_eq!(sigmoid_losses(&mut outputs, &[0], &weights), 1600.0);
        assert_eq!(outputs, [-1.0, 1.0]);

        // What is nearly certain still has a loss.
        let mut outputs = [0.0, 50.0];
        assert_eq!(softmax_loss(&mut outputs, &[1], &weights), (-50.0_f64).exp());
    }
}
