//! What is learned, and how strongly it is held back.

use std::collections::BTreeMap;
use std::fmt;

use crate::Error;
use crate::examples::Targets;

/// How many strengths may be compared at once.
const MOST_STRENGTHS: usize = 100;

/// How many folds there may be; ridge regression keeps inner products of each.
pub(crate) const MOST_FOLDS: usize = 20;

/// A digit and a power of ten.
type Rounded = (f64, i32);

/// The default strengths of the logistic kinds, for vectors whose mean squared distance from their mean is near 1,
/// such as those of length 1.
///
/// On titles of seven fields that MiniLM embedded, macro-F1 was best at 0.3 to 3 from 200 titles to 5000, at 10 for 100
/// and at 100 or more for 50, and with balanced weights at 0.3 to 1; on sentences, of which some kinds are rare, at 100.
/// It fell off on both sides. Near the best, half a power of ten changes it by 0.01 or less. A descent at 1000 takes
/// twice as long as at 100, and never gained 0.005.
const LOGISTIC: [Rounded; 7] = [(1.0, -1), (3.0, -1), (1.0, 0), (3.0, 0), (1.0, 1), (3.0, 1), (1.0, 2)];

/// The default strengths of ridge regression, for such vectors. R² was best at 0.1 for 50 of those titles and at 3
/// for 2000; what is mostly noise needs 10.
const RIDGE: [Rounded; 7] = [(3.0, -2), (1.0, -1), (3.0, -1), (1.0, 0), (3.0, 0), (1.0, 1), (3.0, 1)];

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Multinomial logistic regression: each example has one label, and probabilities of labels sum to 1 (softmax).
    /// With two labels this is logistic regression of the second against the first.
    Multinomial,
    /// For each label a logistic regression of the examples that have it against those that do not (sigmoid).
    OneVsRest,
    /// Ridge regression: least squares of one value, with a penalty on the weights.
    Ridge,
}

impl Kind {
    /// The kind that fits what examples have: one label, a set of labels, or a value.
    #[must_use]
    pub fn of(targets: &Targets) -> Self {
        match targets {
            Targets::Labels(_) => Self::Multinomial,
            Targets::LabelSets(_) => Self::OneVsRest,
            Targets::Values(_) => Self::Ridge,
        }
    }

    pub(crate) fn needs(self) -> &'static str {
        match self {
            Self::Multinomial => "one label of each example",
            Self::OneVsRest => "a label or a set of labels of each example",
            Self::Ridge => "a value of each example",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Multinomial => "multinomial",
            Self::OneVsRest => "one-vs-rest",
            Self::Ridge => "ridge",
        })
    }
}

/// How much an example counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    /// All alike.
    #[default]
    None,
    /// As scikit-learn's `class_weight="balanced"`: `n / (k · count)` for `n` examples and `count` of this one's
    /// class. `k` is the number of labels; one-vs-rest balances each label on its own, so that `k` is 2 and the
    /// classes are the examples that have the label and those that do not.
    Balanced,
    /// By label; labels that are not named count 1. One-vs-rest gives the weight to the examples that have the label.
    ByLabel(BTreeMap<String, f64>),
}

/// How a head is learned.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// What is learned.
    pub kind: Kind,
    /// scikit-learn's `C` for the logistic kinds (larger: weaker regularization), `alpha` for ridge regression
    /// (larger: stronger). Where there are several, cross-validation chooses. Empty: seven, half a power of ten
    /// apart, that suit the vectors: from 0.1 to 100 for the logistic kinds and from 0.03 to 30 for ridge regression
    /// where the vectors' mean squared distance from their mean is near 1, and in proportion otherwise.
    pub strengths: Vec<f64>,
    /// How many parts the examples are divided into for cross-validation. A label with fewer examples than folds makes
    /// them fewer; see [`Fit`](crate::Fit).
    pub folds: usize,
    /// How much an example counts.
    pub class_weights: ClassWeights,
}

impl Options {
    /// Default strengths, 5 folds, and no weights.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, strengths: Vec::new(), folds: 5, class_weights: ClassWeights::None }
    }

    pub(crate) fn check(&self, targets: &Targets, labels: &[String]) -> Result<(), Error> {
        match (self.kind, targets) {
            (Kind::Multinomial | Kind::OneVsRest, Targets::Labels(_))
            | (Kind::OneVsRest, Targets::LabelSets(_))
            | (Kind::Ridge, Targets::Values(_)) => {}
            _ => return Err(Error::KindDoesNotFit { kind: self.kind, given: targets.given() }),
        }
        if let Some(&strength) = self.strengths.iter().find(|strength| !positive(**strength)) {
            return Err(Error::StrengthNotPositive { strength });
        }
        if self.strengths.len() > MOST_STRENGTHS {
            let count = self.strengths.len();
            return Err(Error::OptionTooLarge { what: "strengths", count, limit: MOST_STRENGTHS });
        }
        if self.folds < 2 {
            return Err(Error::TooFewFolds { folds: self.folds });
        }
        if self.folds > MOST_FOLDS {
            return Err(Error::OptionTooLarge { what: "folds", count: self.folds, limit: MOST_FOLDS });
        }
        match &self.class_weights {
            ClassWeights::None => Ok(()),
            _ if self.kind == Kind::Ridge => Err(Error::WeightsWithoutLabels),
            ClassWeights::Balanced => Ok(()),
            ClassWeights::ByLabel(weights) => weights.iter().try_for_each(|(label, &weight)| {
                if !labels.contains(label) {
                    Err(Error::WeightOfUnknownLabel { label: label.clone(), known: labels.to_vec() })
                } else if !positive(weight) {
                    Err(Error::WeightNotPositive { label: label.clone(), weight })
                } else {
                    Ok(())
                }
            }),
        }
    }

    /// The strengths to compare, each once, from the strongest regularization to the weakest. `spread` is the vectors'
    /// mean squared distance from their mean.
    pub(crate) fn strengths_for(&self, spread: f64) -> Vec<f64> {
        let mut strengths = self.strengths.clone();
        if strengths.is_empty() {
            // The best strength is in proportion to the squares of vectors, for the logistic kinds inversely.
            let power = if spread > 0.0 { spread.log10().round() as i32 } else { 0 };
            strengths = match self.kind {
                Kind::Ridge => RIDGE.map(|(digit, tens)| rounded(digit, tens + power)).to_vec(),
                Kind::Multinomial | Kind::OneVsRest => {
                    LOGISTIC.map(|(digit, tens)| rounded(digit, tens - power)).to_vec()
                }
            };
        }
        strengths.sort_by(f64::total_cmp);
        strengths.dedup();
        if self.kind == Kind::Ridge {
            strengths.reverse();
        }
        strengths
    }
}

/// The number nearest to this one, because powers of ten are whole numbers where they are divided by, too.
fn rounded(digit: f64, tens: i32) -> f64 {
    if tens < 0 { digit / 10_f64.powi(-tens) } else { digit * 10_f64.powi(tens) }
}

fn positive(number: f64) -> bool {
    number.is_finite() && number > 0.0
}
