//! The walk from examples to a head, in steps.

use std::mem;
use std::sync::Arc;

use crate::Error;
use crate::examples::{Labels, Targets, check_values, check_vectors};
use crate::features::{Features, Reduction};
use crate::folds::{Fold, consecutive, divide, stratified};
use crate::gram::Gathering;
#[cfg(doc)]
use crate::options::Kind;
use crate::options::Options;
use crate::outputs::Outputs;
use crate::{logistic, ridge};

/// About how many multiplications a step of preparation may take: some milliseconds without vector instructions.
const BUDGET: usize = 8_000_000;

/// A linear head that is being learned.
///
/// What is learned, for scores `z = W x + b`:
///
/// | kind | least | penalty |
/// |---|---|---|
/// | [`Kind::Multinomial`] | `C · Σ w · -ln softmax(z)[label]` | `½ ‖W‖²` |
/// | [`Kind::OneVsRest`] | for each label `C · Σ w · ln(1 + exp(∓z))` | `½ ‖W‖²` |
/// | [`Kind::Ridge`] | `Σ (y - z)²` | `alpha · ‖W‖²` |
///
/// Biases are not penalized; `w` are the [`ClassWeights`](crate::ClassWeights), `C` and `alpha` the strength. A
/// multinomial regression of two labels is, as in scikit-learn, one of a single row, `ln(1 + exp(∓z))`; [`Fitted`]
/// has two rows made of it.
///
/// # Which strength
///
/// With several strengths, each is tried on folds: all examples but those of a fold are learned from, and those of
/// the fold are predicted. The strength with the best mean score over folds is learned from all examples; of equally
/// good ones the strongest regularization. With one strength nothing is compared.
///
/// - Where examples have one label each, folds have about as many examples of each label (`StratifiedKFold`),
///   otherwise they are runs of neighbours (`KFold`); so sets of labels and values should come in no particular
///   order. Nothing is shuffled.
/// - The score is macro-F1, or R² for values. Macro-F1 is over the labels that occur in a fold or are predicted
///   there; for sets of labels over all labels, those that neither occur nor are predicted counting 0.
/// - Where a label has fewer examples than there are folds, there are as many folds as it has examples; with sets of
///   labels there are at most as many folds as examples, and with values at most half as many, because R² needs two
///   of them.
/// - Where a label has a single example (or there are fewer than four values), nothing can be compared, and the
///   middle one of the strengths is taken. [`Fitted::validation`] is then empty.
/// - With sets of labels, a label that all or none of a fold's learned examples have is predicted for all or none of
///   the others.
pub struct Fit {
    phase: Phase,
    labels: Vec<String>,
    total: f64,
}

/// How far a [`Fit`] is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// How much is done, in runs of the solver: whole ones, and of the present one the part that its iterations so far
    /// have made. It never shrinks.
    pub done: f64,
    /// How many runs there are: one for each strength and fold, one for all examples, and one that stands for the
    /// preparation before.
    pub total: f64,
}

/// What came out of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// There is more to do.
    Working(Progress),
    /// All is done; further steps say so again.
    Finished(Fitted),
}

/// A linear head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitted {
    /// The name of each row, in the order of their code points; none for [`Kind::Ridge`].
    pub labels: Vec<String>,
    /// `(labels, components)` in row-major order; one row for [`Kind::Ridge`].
    ///
    /// Of [`Kind::Multinomial`], probabilities are the softmax of all rows' scores. For two labels the rows are half of
    /// scikit-learn's row each, the first negated, which makes the softmax of both the sigmoid of that one.
    /// Of [`Kind::OneVsRest`], probabilities are the sigmoid of each row's score.
    pub weight: Vec<f32>,
    /// One number for each row.
    pub bias: Vec<f32>,
    /// The strength it was learned with.
    pub strength: f64,
    /// What was found for each strength, from the strongest regularization to the weakest; empty where nothing was
    /// compared.
    pub validation: Vec<Validation>,
    /// Whether the solver came to its end. It gives up after 2000 iterations, which regularization so weak that nothing
    /// holds the weights can cause.
    pub converged: bool,
}

/// How well a strength did in cross-validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Validation {
    /// The strength.
    pub strength: f64,
    /// The mean over folds of macro-F1, or of R² for [`Kind::Ridge`].
    pub score: f64,
}

impl Validation {
    pub(crate) fn mean(strength: f64, scores: &[f64]) -> Self {
        Self { strength, score: scores.iter().sum::<f64>() / scores.len() as f64 }
    }

    /// The first of the best.
    pub(crate) fn best(compared: &[Self]) -> Option<f64> {
        let better = |best: Self, next: Self| if next.score > best.score { next } else { best };
        compared.iter().copied().reduce(better).map(|best| best.strength)
    }
}

enum Phase {
    Reducing(Reduction, Task),
    Gathering(Arc<Features>, Gathering, Task),
    Logistic(logistic::Search),
    Ridge(ridge::Search),
    Done(Fitted),
}

/// What is learned, until it is begun with.
struct Task {
    target: Target,
    strengths: Vec<f64>,
    folds: Vec<Fold>,
}

enum Target {
    Outputs(Arc<Outputs>),
    Values(Vec<f64>),
}

impl Fit {
    /// Checks all that is given, and begins.
    ///
    /// `vectors` are `(examples, width)` in row-major order. They are copied, as f64.
    pub fn new(vectors: &[f32], width: usize, targets: &Targets, options: &Options) -> Result<Self, Error> {
        check_vectors(vectors, width, targets)?;
        let labels = Labels::new(targets)?;
        match targets {
            Targets::Values(values) => check_values(values)?,
            Targets::Labels(_) | Targets::LabelSets(_) => labels.check()?,
        }
        options.check(targets, &labels.names)?;
        let count = vectors.len() / width;
        let reduction = Reduction::new(vectors, width);
        let mut strengths = options.strengths_for(reduction.spread());

        let folds =
            if strengths.len() == 1 { Vec::new() } else { folds(targets, &labels, options.folds, count) };
        if folds.is_empty() {
            // The middle one, or of two the stronger regularization.
            strengths = vec![strengths[(strengths.len() - 1) / 2]];
        }
        let names = labels.names.clone();
        let target = match targets {
            Targets::Values(values) => Target::Values(values.clone()),
            Targets::Labels(_) | Targets::LabelSets(_) => {
                Target::Outputs(Arc::new(Outputs::new(options.kind, labels, options.class_weights.clone())))
            }
        };
        let total = (strengths.len() * folds.len() + 2) as f64;
        let phase = Phase::Reducing(reduction, Task { target, strengths, folds });
        Ok(Self { phase, labels: names, total })
    }

    /// A bounded piece of the work: an iteration of the solver, or about as much. In V8 this takes 3 ms on average for 2000
    /// examples of 384 components and 7 labels.
    pub fn step(&mut self) -> Step {
        self.phase = match mem::replace(&mut self.phase, Phase::Done(Fitted::default())) {
            Phase::Reducing(mut reduction, task) => {
                if reduction.step(BUDGET) {
                    gather(reduction.finish(), task)
                } else {
                    Phase::Reducing(reduction, task)
                }
            }
            Phase::Gathering(features, mut gathering, task) => {
                if gathering.step(BUDGET) {
                    search(features, gathering, task)
                } else {
                    Phase::Gathering(features, gathering, task)
                }
            }
            Phase::Logistic(mut search) => {
                if search.step(BUDGET) {
                    Phase::Done(fitted_by_logistic(search, mem::take(&mut self.labels)))
                } else {
                    Phase::Logistic(search)
                }
            }
            Phase::Ridge(mut search) => {
                if search.step(BUDGET) {
                    Phase::Done(fitted_by_ridge(search))
                } else {
                    Phase::Ridge(search)
                }
            }
            done @ Phase::Done(_) => done,
        };
        match &self.phase {
            Phase::Done(fitted) => Step::Finished(fitted.clone()),
            _ => Step::Working(self.progress()),
        }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let done = match &self.phase {
            Phase::Reducing(reduction, _) => 0.5 * reduction.share(),
            Phase::Gathering(_, gathering, _) => 0.5 + 0.5 * gathering.share(),
            Phase::Logistic(search) => 1.0 + search.progress(),
            Phase::Ridge(search) => 1.0 + search.progress(),
            Phase::Done(_) => self.total,
        };
        Progress { done, total: self.total }
    }

    /// All that is left, at once.
    #[must_use]
    pub fn finish(mut self) -> Fitted {
        loop {
            if let Step::Finished(fitted) = self.step() {
                return fitted;
            }
        }
    }
}

/// Which examples are held back together; none where nothing can be compared.
fn folds(targets: &Targets, labels: &Labels, folds: usize, count: usize) -> Vec<Fold> {
    let most = match targets {
        Targets::Labels(_) => labels.sizes().into_iter().min().unwrap_or(0),
        Targets::LabelSets(_) => count,
        Targets::Values(_) => count / 2,
    };
    let folds = folds.min(most);
    if folds < 2 {
        return Vec::new();
    }
    let of_examples = match targets {
        Targets::Labels(_) => stratified(&labels.classes(), folds),
        Targets::LabelSets(_) | Targets::Values(_) => consecutive(count, folds),
    };
    divide(&of_examples, folds)
}

fn gather(features: Features, task: Task) -> Phase {
    let parts = match &task.target {
        Target::Values(_) if !task.folds.is_empty() => {
            task.folds.iter().map(|fold| fold.held.clone()).collect()
        }
        _ => vec![(0..features.count()).collect()],
    };
    let features = Arc::new(features);
    Phase::Gathering(Arc::clone(&features), Gathering::new(features, parts), task)
}

fn search(features: Arc<Features>, gathering: Gathering, task: Task) -> Phase {
    let Task { target, strengths, folds } = task;
    let parts = gathering.finish();
    match target {
        Target::Outputs(outputs) => {
            Phase::Logistic(logistic::Search::new(features, outputs, &parts, strengths, folds))
        }
        Target::Values(values) => Phase::Ridge(ridge::Search::new(features, values, parts, strengths, folds)),
    }
}

fn fitted_by_logistic(search: logistic::Search, labels: Vec<String>) -> Fitted {
    let logistic::Learned { rows, validation, strength, converged } = search.finish();
    let weight = rows.iter().flat_map(|(weights, _)| weights).map(|&weight| weight as f32).collect();
    let bias = rows.iter().map(|&(_, bias)| bias as f32).collect();
    Fitted { labels, weight, bias, strength, validation, converged }
}

fn fitted_by_ridge(search: ridge::Search) -> Fitted {
    let ridge::Learned { weights, bias, validation, strength } = search.finish();
    let weight = weights.iter().map(|&weight| weight as f32).collect();
    Fitted { labels: Vec::new(), weight, bias: vec![bias as f32], strength, validation, converged: true }
}
