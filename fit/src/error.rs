//! What cannot be learned from, each in a sentence that says what to do.

use crate::options::Kind;

/// The one error type of this crate. All of it is found by [`Fit::new`](crate::Fit::new).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// Nothing was given.
    #[error("There are no examples to learn from. Give at least two, with different labels or values.")]
    NoExamples,
    /// All examples have the same label.
    #[error(
        "All {count} examples have the label {label:?}, and there is nothing to tell it from. Add examples of another label."
    )]
    OneLabel {
        /// The label.
        label: String,
        /// How many examples there are.
        count: usize,
    },
    /// Sets of labels that are all empty.
    #[error("None of the {count} examples has a label. Give at least one example a label.")]
    NoLabels {
        /// How many examples there are.
        count: usize,
    },
    /// A label that every set has.
    #[error(
        "Every example has the label {label:?}, so nothing shows what it is not. Add examples without it, or leave it out."
    )]
    LabelEverywhere {
        /// The label.
        label: String,
    },
    /// A vector with a component that is not a number or is infinite.
    #[error(
        "Component {component} of the vector of example {example} is {value}. Check what computed the vector; only finite numbers can be learned from."
    )]
    VectorNotFinite {
        /// Which example, from 0.
        example: usize,
        /// Which component, from 0.
        component: usize,
        /// What it is.
        value: f32,
    },
    /// A value that is not a number or is infinite.
    #[error(
        "The value of example {example} is {value}. Leave the example out; only finite numbers can be learned from."
    )]
    ValueNotFinite {
        /// Which example, from 0.
        example: usize,
        /// What it is.
        value: f64,
    },
    /// As many vectors as labels or values are expected.
    #[error(
        "There are {vectors} vectors, but {targets} examples have labels or values. Give one vector for each."
    )]
    LengthsDisagree {
        /// How many vectors there are.
        vectors: usize,
        /// How many labels, sets of labels or values there are.
        targets: usize,
    },
    /// The vectors' numbers do not divide into vectors.
    #[error(
        "{numbers} numbers are not whole vectors of {width} components. Check how many components a vector has."
    )]
    NotWholeVectors {
        /// How many numbers there are.
        numbers: usize,
        /// How many components a vector was said to have.
        width: usize,
    },
    /// More examples, components or labels than this crate is made for.
    #[error(
        "{count} {what} are too many to learn from at once. Leave some out, so that there are at most {limit}."
    )]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A kind that cannot use what the examples have.
    #[error("The kind {kind} learns from {}, and these examples have {given}. Choose another kind, or give each example what this one needs.", .kind.needs())]
    KindDoesNotFit {
        /// The kind.
        kind: Kind,
        /// What examples have.
        given: &'static str,
    },
    /// A strength of regularization that means nothing.
    #[error("A strength of {strength} means nothing. Give a finite number above 0, or several.")]
    StrengthNotPositive {
        /// The strength.
        strength: f64,
    },
    /// More folds or strengths than this crate is made for.
    #[error("{count} {what} are too many. Give at most {limit}.")]
    OptionTooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Fewer folds than two.
    #[error(
        "Cross-validation with {folds} folds holds nothing back. Give 2 folds or more, or a single strength, which needs none."
    )]
    TooFewFolds {
        /// The folds.
        folds: usize,
    },
    /// A weight for a label that no example has.
    #[error("There is a weight for the label {label:?}, which no example has. The labels are {}.", .known.join(", "))]
    WeightOfUnknownLabel {
        /// The label.
        label: String,
        /// The labels that examples have.
        known: Vec<String>,
    },
    /// A weight that is not above zero.
    #[error("The weight of the label {label:?} is {weight}. Give a finite number above 0.")]
    WeightNotPositive {
        /// The label.
        label: String,
        /// Its weight.
        weight: f64,
    },
    /// Weights of labels, where examples have values.
    #[error("Class weights need labels, and these examples have values. Leave the weights out.")]
    WeightsWithoutLabels,
}

impl Error {
    /// Whether an option is at fault, and not the examples.
    #[must_use]
    pub fn is_of_an_option(&self) -> bool {
        matches!(
            self,
            Self::KindDoesNotFit { .. }
                | Self::StrengthNotPositive { .. }
                | Self::OptionTooLarge { .. }
                | Self::TooFewFolds { .. }
                | Self::WeightOfUnknownLabel { .. }
                | Self::WeightNotPositive { .. }
                | Self::WeightsWithoutLabels
        )
    }
}
