//! What examples have: labels and values are checked here and become numbers.

use crate::Error;

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
