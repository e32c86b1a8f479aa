//! What a logistic regression computes: which outputs should be high for an example, how much it counts for each, and
//! which labels they predict.

use crate::examples::Labels;
use crate::options::{ClassWeights, Kind};

/// The outputs of a regression of these labels.
///
/// There is one for each label, but a multinomial regression of two labels has a single one, as scikit-learn's has: how
/// much more likely the second is.
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
        let alone = !self.compete && !self.is_difference();
        let agreed = |output: usize| match sizes[output] {
            0 if alone => Some(false),
            size if alone && size == examples.len() => Some(true),
            _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::Targets;

    fn outputs(kind: Kind, sets: &[&[&str]]) -> Outputs {
        let set = |set: &&[&str]| set.iter().copied().map(str::to_owned).collect::<Vec<_>>();
        let targets = match kind {
            Kind::Multinomial => Targets::Labels(sets.iter().flat_map(set).collect()),
            _ => Targets::LabelSets(sets.iter().map(set).collect()),
        };
        Outputs::new(kind, Labels::new(&targets).unwrap(), ClassWeights::None)
    }

    #[test]
    fn what_all_or_no_learned_examples_have_is_not_learned_but_predicted() {
        let outputs = outputs(Kind::OneVsRest, &[&["all", "some"], &["all"], &["all"], &["none"]]);
        let learned = [0, 1, 2];
        let weights = outputs.weights_among(&learned).into_iter();
        let weights: Vec<_> = weights.map(|weight| [weight.of_positive, weight.of_negative]).collect();
        assert_eq!(weights, [[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]);
        let constant = outputs.constant_among(&learned);
        assert_eq!(constant, [Some(true), Some(false), None]);
        assert_eq!(outputs.predict(&[-1.0, 1.0, 1.0], &constant), [0, 2]);
        assert_eq!(outputs.predict(&[1.0, -1.0, 0.0], &constant), [0]);
    }

    #[test]
    fn of_equally_high_outputs_the_first_is_predicted() {
        let three = outputs(Kind::Multinomial, &[&["a"], &["b"], &["c"]]);
        assert_eq!(three.predict(&[-1.0, 2.0, 2.0], &[None; 3]), [1]);
        let two = outputs(Kind::Multinomial, &[&["a"], &["b"]]);
        assert_eq!((two.predict(&[0.0], &[None]), two.predict(&[0.1], &[None])), (vec![0], vec![1]));
    }
}
