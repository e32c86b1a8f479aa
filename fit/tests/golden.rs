//! What scikit-learn computes: `make.py` wrote `goldens.json`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::float_cmp, reason = "a strength is one of those that were given")]

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use specter_web_fit::{ClassWeights, Fit, Fitted, Kind, Options, Targets, folds};

#[derive(Deserialize)]
struct Goldens {
    vectors: BTreeMap<String, Vec<Vec<f32>>>,
    targets: BTreeMap<String, GoldenTargets>,
    cases: Vec<Case>,
    folds: GoldenFolds,
}

#[derive(Deserialize)]
struct GoldenTargets {
    labels: Vec<String>,
    sets: Vec<Vec<String>>,
    values: Vec<f64>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    kind: String,
    vectors: String,
    targets: String,
    class_weights: Value,
    folds: usize,
    fitted: Vec<GoldenFitted>,
    compared: Vec<f64>,
    validation: Option<Vec<f64>>,
    best: Option<f64>,
}

#[derive(Deserialize)]
struct GoldenFitted {
    strength: f64,
    weight: Vec<Vec<f64>>,
    bias: Vec<f64>,
    scores: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct GoldenFolds {
    stratified: Vec<Stratified>,
    consecutive: Vec<Consecutive>,
}

#[derive(Deserialize)]
struct Stratified {
    classes: Vec<usize>,
    folds: usize,
    of: Vec<usize>,
}

#[derive(Deserialize)]
struct Consecutive {
    count: usize,
    folds: usize,
    of: Vec<usize>,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("goldens.json")).unwrap()
}

impl Goldens {
    fn vectors(&self, case: &Case) -> (Vec<f32>, usize) {
        let vectors = &self.vectors[&case.vectors];
        (vectors.concat(), vectors[0].len())
    }

    fn fit(&self, case: &Case, strengths: &[f64]) -> Fitted {
        let (vectors, width) = self.vectors(case);
        let targets = &self.targets[&case.vectors];
        let targets = match case.targets.as_str() {
            "labels" => Targets::Labels(targets.labels.clone()),
            "sets" => Targets::LabelSets(targets.sets.clone()),
            _ => Targets::Values(targets.values.clone()),
        };
        let options = Options {
            strengths: strengths.to_vec(),
            folds: case.folds,
            class_weights: match &case.class_weights {
                Value::Null => ClassWeights::None,
                Value::String(_) => ClassWeights::Balanced,
                weights => ClassWeights::ByLabel(serde_json::from_value(weights.clone()).unwrap()),
            },
            ..Options::new(case.kind())
        };
        Fit::new(&vectors, width, &targets, &options).unwrap().finish()
    }
}

impl Case {
    fn kind(&self) -> Kind {
        match self.kind.as_str() {
            "multinomial" => Kind::Multinomial,
            "one-vs-rest" => Kind::OneVsRest,
            _ => Kind::Ridge,
        }
    }
}

/// Rows of weights with their bias.
fn rows(fitted: &Fitted) -> Vec<(Vec<f64>, f64)> {
    let width = fitted.weight.len() / fitted.bias.len();
    let weights = fitted.weight.chunks(width).map(|row| row.iter().copied().map(f64::from).collect());
    weights.zip(fitted.bias.iter().copied().map(f64::from)).collect()
}

/// What the head says of a vector: probabilities, or a value.
fn scores(kind: Kind, rows: &[(Vec<f64>, f64)], vector: &[f32]) -> Vec<f64> {
    let score = |(weights, bias): &(Vec<f64>, f64)| {
        weights.iter().zip(vector).map(|(weight, &number)| weight * f64::from(number)).sum::<f64>() + bias
    };
    let scores: Vec<f64> = rows.iter().map(score).collect();
    match kind {
        Kind::Ridge => scores,
        Kind::OneVsRest => scores.iter().map(|score| 1.0 / (1.0 + (-score).exp())).collect(),
        Kind::Multinomial => {
            let sum: f64 = scores.iter().map(|score| score.exp()).sum();
            scores.iter().map(|score| score.exp() / sum).collect()
        }
    }
}

/// The largest difference, as a part of the largest expected number.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    found.iter().zip(expected).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max) / largest
}

#[test]
fn weights_and_scores_are_those_of_scikit_learn() {
    let goldens = goldens();
    for case in &goldens.cases {
        for expected in &case.fitted {
            let fitted = goldens.fit(case, &[expected.strength]);
            let of = format!("{} at {}", case.name, expected.strength);
            assert!(fitted.converged, "{of}: the solver gave up");
            assert_eq!(fitted.strength, expected.strength);
            assert_eq!(fitted.validation, []);

            let rows = rows(&fitted);
            let mut compared = rows.clone();
            if rows.len() == 2 && expected.weight.len() == 1 {
                // scikit-learn has the difference.
                let (first, second) = (&rows[0], &rows[1]);
                let weights = second.0.iter().zip(&first.0).map(|(second, first)| second - first).collect();
                compared = vec![(weights, second.1 - first.1)];
            }
            // Ridge regression is solved at once, so that only f32 is between.
            let within = if case.kind() == Kind::Ridge { 1e-6 } else { 1e-4 };
            let weights: Vec<_> = compared.iter().flat_map(|(weights, _)| weights).copied().collect();
            let off = difference(&weights, &expected.weight.concat());
            assert!(off < within, "{of}: weights are off by {off:.1e}");
            let biases: Vec<_> = compared.iter().map(|(_, bias)| *bias).collect();
            let off = difference(&biases, &expected.bias);
            assert!(off < 10.0 * within, "{of}: biases are off by {off:.1e}");

            for (vector, expected) in goldens.vectors[&case.vectors].iter().zip(&expected.scores) {
                let scores = scores(case.kind(), &rows, vector);
                let off = |(one, other): (&f64, &f64)| (one - other).abs() / other.abs().max(1.0);
                let off = scores.iter().zip(expected).map(off).fold(0.0, f64::max);
                assert!(off < 1e-5, "{of}: {scores:?} is not {expected:?}");
            }
        }
    }
}

#[test]
fn the_strength_is_the_one_that_grid_search_finds() {
    let goldens = goldens();
    for case in &goldens.cases {
        let (Some(scores), Some(best)) = (&case.validation, case.best) else { continue };
        let fitted = goldens.fit(case, &case.compared);
        let found: Vec<_> = fitted.validation.iter().map(|validation| validation.score).collect();
        let off = found.iter().zip(scores).map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
        assert!(found.len() == scores.len() && off < 1e-8, "{}: {found:?} is not {scores:?}", case.name);
        assert_eq!(fitted.strength, best, "{}", case.name);
    }
}

#[test]
fn a_head_does_not_depend_on_how_its_strength_was_found() {
    let goldens = goldens();
    for case in &goldens.cases {
        let chosen = goldens.fit(case, &case.compared);
        let alone = goldens.fit(case, &[chosen.strength]);
        let numbers = |fitted: &Fitted| fitted.weight.iter().copied().map(f64::from).collect::<Vec<_>>();
        let off = difference(&numbers(&chosen), &numbers(&alone));
        assert!(off < 1e-4, "{}: weights differ by {off:.1e}", case.name);
    }
}

#[test]
fn folds_are_those_of_scikit_learn() {
    let folds = goldens().folds;
    for case in folds.stratified {
        assert_eq!(folds::stratified(&case.classes, case.folds), case.of);
    }
    for case in folds.consecutive {
        assert_eq!(folds::consecutive(case.count, case.folds), case.of);
    }
}
