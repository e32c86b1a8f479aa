//! What examples have: labels and values are checked here and become numbers.

use crate::Error;
use crate::options::{ClassWeights, Kind};

/// How many examples may be learned from at once.
const MOST_EXAMPLES: usize = 100_000;

/// How many components a vector may have; their inner products with each other are kept.
const MOST_COMPONENTS: usize = 2048;

/// How many labels there may be.
const MOST_LABELS: usize = 1000;

/// How many numbers all vectors may have: a quarter of a gigabyte of f64.
const MOST_NUMBERS: usize = 1 << 25;

/// What is learned of each example, in the order of the vectors.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// One label each.
    Labels(Vec<String>),
    /// Any number of labels each, also none.
    LabelSets(Vec<Vec<String>>),
    /// One value each.
    Values(Vec<f64>),
}

impl Targets {
    fn len(&self) -> usize {
        match self {
            Self::Labels(labels) => labels.len(),
            Self::LabelSets(sets) => sets.len(),
            Self::Values(values) => values.len(),
        }
    }

    pub(crate) fn given(&self) -> &'static str {
        match self {
            Self::Labels(_) => "one label each",
            Self::LabelSets(_) => "sets of labels",
            Self::Values(_) => "values",
        }
    }
}

pub(crate) fn check_vectors(vectors: &[f32], width: usize, targets: &Targets) -> Result<(), Error> {
    let within = |what, count, limit| {
        if count > limit { Err(Error::TooMany { what, count, limit }) } else { Ok(()) }
    };
    let examples = targets.len();
    if vectors.is_empty() && examples == 0 {
        return Err(Error::NoExamples);
    }
    if width == 0 || !vectors.len().is_multiple_of(width) {
        return Err(Error::NotWholeVectors { numbers: vectors.len(), width });
    }
    if vectors.len() / width != examples {
        return Err(Error::LengthsDisagree { vectors: vectors.len() / width, targets: examples });
    }
    within("examples", examples, MOST_EXAMPLES)?;
    within("components of a vector", width, MOST_COMPONENTS)?;
    within("numbers in all vectors", vectors.len(), MOST_NUMBERS)?;
    match vectors.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(place) => {
            let (example, component) = (place / width, place % width);
            Err(Error::VectorNotFinite { example, component, value: vectors[place] })
        }
    }
}

pub(crate) fn check_values(values: &[f64]) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(example) => Err(Error::ValueNotFinite { example, value: values[example] }),
    }
}

/// The labels of examples as numbers, and the names that these stand for.
#[derive(Debug)]
pub(crate) struct Labels {
    /// In the order of their code points, which is scikit-learn's.
    pub(crate) names: Vec<String>,
    /// Whether each example has exactly one label.
    pub(crate) single: bool,
    /// Of each example, in order.
    sets: Vec<Vec<usize>>,
}

impl Labels {
    /// The labels of these targets; none where they are values.
    pub(crate) fn new(targets: &Targets) -> Result<Self, Error> {
        let given: Vec<&[String]> = match targets {
            Targets::Labels(labels) => labels.iter().map(std::slice::from_ref).collect(),
            Targets::LabelSets(sets) => sets.iter().map(Vec::as_slice).collect(),
            Targets::Values(_) => Vec::new(),
        };
        let mut names: Vec<String> = given.iter().copied().flatten().cloned().collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > MOST_LABELS {
            return Err(Error::TooMany { what: "labels", count: names.len(), limit: MOST_LABELS });
        }
        let number = |label: &String| names.binary_search(label).ok();
        let sets = given
            .iter()
            .map(|set| {
                let mut numbers: Vec<_> = set.iter().filter_map(number).collect();
                numbers.sort_unstable();
                numbers.dedup();
                numbers
            })
            .collect();
        Ok(Self { names, single: matches!(targets, Targets::Labels(_)), sets })
    }

    /// Refuses what cannot be told apart.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let count = self.sets.len();
        if self.names.is_empty() {
            return Err(Error::NoLabels { count });
        }
        let Some(everywhere) = self.sizes().iter().position(|&size| size == count) else { return Ok(()) };
        let label = self.names[everywhere].clone();
        Err(if self.single { Error::OneLabel { label, count } } else { Error::LabelEverywhere { label } })
    }

    /// The labels of an example, in order.
    pub(crate) fn of(&self, example: usize) -> &[usize] {
        &self.sets[example]
    }

    /// How many examples have each label.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.sizes_among(0..self.sets.len())
    }

    pub(crate) fn sizes_among(&self, examples: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut sizes = vec![0; self.names.len()];
        for example in examples {
            for &label in self.of(example) {
                sizes[label] += 1;
            }
        }
        sizes
    }

    /// The label of each example, where each has one.
    pub(crate) fn classes(&self) -> Vec<usize> {
        self.sets.iter().flatten().copied().collect()
    }
}

/// What the network's outputs are compared with.
///
/// A multinomial regression of two labels has one output, as scikit-learn's has: how much more the second is likely.
#[derive(Debug)]
pub(crate) struct Outputs {
    labels: Labels,
    weights: ClassWeights,
    /// Whether outputs compete (softmax) or stand alone (sigmoid).
    pub(crate) compete: bool,
    pub(crate) count: usize,
}

/// How much an example counts for an output: where it should be high, and where not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weight {
    pub(crate) of_positive: f64,
    pub(crate) of_negative: f64,
}

impl Outputs {
    pub(crate) fn new(kind: Kind, labels: Labels, weights: ClassWeights) -> Self {
        let compete = kind == Kind::Multinomial && labels.names.len() > 2;
        let count = if kind == Kind::Multinomial && !compete { 1 } else { labels.names.len() };
        Self { labels, weights, compete, count }
    }

    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    fn is_difference(&self) -> bool {
        self.count < self.labels.names.len()
    }

    /// The outputs that should be high for an example.
    pub(crate) fn high_for(&self, example: usize) -> &[usize] {
        let labels = self.labels.of(example);
        match (self.is_difference(), labels) {
            // The second label is the one output, the first is none.
            (true, [1]) => &[0],
            (true, _) => &[],
            (false, _) => labels,
        }
    }

    /// How much examples count for each output while these are learned from.
    ///
    /// An output that is high for all of them or for none cannot be learned, and they do not count for it.
    pub(crate) fn weights_among(&self, examples: &[usize]) -> Vec<Weight> {
        let sizes = self.labels.sizes_among(examples.iter().copied());
        let balanced = |classes: usize, size: usize| examples.len() as f64 / (classes * size.max(1)) as f64;
        let by_label = |label: usize| match &self.weights {
            ClassWeights::ByLabel(weights) => weights.get(&self.labels.names[label]).copied().unwrap_or(1.0),
            _ => 1.0,
        };
        let is_balanced = self.weights == ClassWeights::Balanced;
        let weight = |output: usize| {
            if self.compete {
                let weight =
                    if is_balanced { balanced(sizes.len(), sizes[output]) } else { by_label(output) };
                return Weight { of_positive: weight, of_negative: weight };
            }
            let label = if self.is_difference() { 1 } else { output };
            let others = examples.len() - sizes[label];
            if sizes[label] == 0 || others == 0 {
                return Weight { of_positive: 0.0, of_negative: 0.0 };
            }
            if is_balanced {
                return Weight { of_positive: balanced(2, sizes[label]), of_negative: balanced(2, others) };
            }
            let of_negative = if self.is_difference() { by_label(0) } else { 1.0 };
            Weight { of_positive: by_label(label), of_negative }
        };
        (0..self.count).map(weight).collect()
    }

    /// For each output, what to predict without looking: what all of these examples have, where they agree.
    pub(crate) fn constant_among(&self, examples: &[usize]) -> Vec<Option<bool>> {
        let sizes = self.labels.sizes_among(examples.iter().copied());
        let agreed = |output: usize| match (self.compete || self.is_difference(), sizes[output]) {
            (true, _) => None,
            (false, 0) => Some(false),
            (false, size) if size == examples.len() => Some(true),
            (false, _) => None,
        };
        (0..self.count).map(agreed).collect()
    }

    /// The labels that an example is predicted to have.
    pub(crate) fn predict(&self, outputs: &[f64], constant: &[Option<bool>]) -> Vec<usize> {
        if self.is_difference() {
            return vec![usize::from(outputs[0] > 0.0)];
        }
        if self.labels.single {
            // The first of the largest.
            let largest = (0..outputs.len())
                .reduce(|best, next| if outputs[next] > outputs[best] { next } else { best });
            return largest.into_iter().collect();
        }
        (0..outputs.len()).filter(|&output| constant[output].unwrap_or(outputs[output] > 0.0)).collect()
    }

    /// One row for each label from one for each output.
    pub(crate) fn rows_of_labels(&self, outputs: Vec<(Vec<f64>, f64)>) -> Vec<(Vec<f64>, f64)> {
        if !self.is_difference() {
            return outputs;
        }
        // Half of the difference each, so that the softmax of both is the sigmoid of the difference.
        let scaled = |factor: f64| {
            outputs.iter().map(move |(weights, bias)| {
                (weights.iter().map(|weight| weight * factor).collect(), bias * factor)
            })
        };
        scaled(-0.5).chain(scaled(0.5)).collect()
    }
}
