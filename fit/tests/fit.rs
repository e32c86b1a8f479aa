//! What a caller may rely on, and what is refused.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::float_cmp, reason = "what is compared without a tolerance is exact")]

use std::collections::BTreeMap;

use specter_web_fit::{ClassWeights, Error, Fit, Fitted, Kind, Options, Progress, Step, Targets};

/// Vectors of three components around a centre for each label, an example of each label in turn.
fn examples(labels: &[&str], count: usize) -> (Vec<f32>, Vec<String>) {
    let mut vectors = Vec::new();
    let mut given = Vec::new();
    for (example, place) in (0..count).map(|example| (example, example % labels.len())) {
        let far = |seed: f32| (example as f32 * seed).sin() * 0.8;
        let angle = place as f32 * 2.0;
        vectors.extend([angle.cos() + far(1.7), angle.sin() + far(2.9), far(4.3)]);
        given.push(labels[place].to_owned());
    }
    (vectors, given)
}

fn fit(vectors: &[f32], targets: &Targets, options: &Options) -> Result<Fitted, Error> {
    Fit::new(vectors, 3, targets, options).map(Fit::finish)
}

fn strengths(kind: Kind, strengths: &[f64]) -> Options {
    Options { strengths: strengths.to_vec(), ..Options::new(kind) }
}

fn close(one: &[f32], other: &[f32]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-4)
}

#[test]
fn progress_never_shrinks_and_ends_at_its_total() {
    let (vectors, labels) = examples(&["a", "b", "c"], 40);
    let values: Vec<f64> = vectors.chunks(3).map(|vector| f64::from(vector[0])).collect();
    for (targets, kind) in
        [(Targets::Labels(labels), Kind::Multinomial), (Targets::Values(values), Kind::Ridge)]
    {
        let mut fit = Fit::new(&vectors, 3, &targets, &strengths(kind, &[0.1, 1.0, 10.0])).unwrap();
        let mut before = fit.progress();
        // Three strengths, five folds, all examples at the end, and the preparation.
        assert_eq!(before, Progress { done: 0.5, total: 17.0 });
        let fitted = loop {
            match fit.step() {
                Step::Working(now) => {
                    assert!(now.done >= before.done && now.done <= now.total, "{before:?}, then {now:?}");
                    assert_eq!(now, fit.progress());
                    before = now;
                }
                Step::Finished(fitted) => break fitted,
            }
        };
        assert!(before.done >= 16.0);
        assert_eq!(fit.progress(), Progress { done: 17.0, total: 17.0 });
        assert_eq!(fit.step(), Step::Finished(fitted));
    }
}

#[test]
fn labels_are_in_the_order_of_their_code_points() {
    let (vectors, labels) = examples(&["b", "Ä", "a", "B"], 24);
    let fitted = fit(&vectors, &Targets::Labels(labels), &Options::new(Kind::Multinomial)).unwrap();
    assert_eq!(fitted.labels, ["B", "a", "b", "Ä"]);
    assert_eq!((fitted.weight.len(), fitted.bias.len()), (12, 4));
}

#[test]
fn of_equally_good_strengths_the_strongest_regularization_is_chosen() {
    // So far apart that any strength predicts all that is held back.
    let vectors: Vec<f32> =
        (0..20).flat_map(|example| [if example % 2 == 0 { -9.0 } else { 9.0 }, 0.0, 1.0]).collect();
    let labels = (0..20).map(|example| if example % 2 == 0 { "even" } else { "odd" }.to_owned()).collect();
    let options = strengths(Kind::Multinomial, &[10.0, 1.0, 0.1, 1.0]);
    let fitted = fit(&vectors, &Targets::Labels(labels), &options).unwrap();
    let compared: Vec<_> = fitted.validation.iter().map(|found| (found.strength, found.score)).collect();
    assert_eq!(compared, [(0.1, 1.0), (1.0, 1.0), (10.0, 1.0)]);
    assert_eq!(fitted.strength, 0.1);

    // No strength predicts what has nothing to do with the vectors.
    let values = (0..20).map(|_| 4.0).collect();
    let fitted = fit(&vectors, &Targets::Values(values), &strengths(Kind::Ridge, &[1.0, 100.0])).unwrap();
    assert_eq!(fitted.strength, 100.0);
    assert!(close(&fitted.weight, &[0.0; 3]) && close(&fitted.bias, &[4.0]));
}

#[test]
fn two_labels_have_opposite_rows() {
    let (vectors, labels) = examples(&["no", "yes"], 30);
    let fitted = fit(&vectors, &Targets::Labels(labels), &strengths(Kind::Multinomial, &[1.0])).unwrap();
    let (no, yes) = fitted.weight.split_at(3);
    assert!(no.iter().zip(yes).all(|(no, yes)| *no == -yes && *yes != 0.0));
    assert_eq!(fitted.bias[0], -fitted.bias[1]);
}

#[test]
fn an_example_twice_counts_as_much_as_one_of_twice_the_weight() {
    let (vectors, labels) = examples(&["a", "b", "c"], 30);
    let one = strengths(Kind::Multinomial, &[1.0]);
    let doubled: Vec<f32> = [&vectors[..], &vectors].concat();
    let fitted = fit(&doubled, &Targets::Labels([&labels[..], &labels].concat()), &one).unwrap();
    let weights = ["a", "b", "c"].map(|label| (label.to_owned(), 2.0));
    let weighted = Options { class_weights: ClassWeights::ByLabel(BTreeMap::from(weights)), ..one };
    let expected = fit(&vectors, &Targets::Labels(labels), &weighted).unwrap();
    assert!(close(&fitted.weight, &expected.weight) && close(&fitted.bias, &expected.bias));
}

#[test]
fn vectors_that_are_all_the_same_teach_how_frequent_labels_are() {
    let vectors = [0.3, -0.2, 0.9].repeat(4);
    let labels = ["a", "b", "b", "b"].map(str::to_owned).to_vec();
    let fitted = fit(&vectors, &Targets::Labels(labels), &strengths(Kind::Multinomial, &[1.0])).unwrap();
    assert!(fitted.converged && close(&fitted.weight, &[0.0; 6]));
    assert!((fitted.bias[1] - fitted.bias[0] - 3.0_f32.ln()).abs() < 1e-5);

    let values = vec![1.0, 2.0, 3.0, 6.0];
    let fitted = fit(&vectors, &Targets::Values(values), &strengths(Kind::Ridge, &[1.0])).unwrap();
    assert!(close(&fitted.weight, &[0.0; 3]) && close(&fitted.bias, &[3.0]));
}

#[test]
fn a_component_that_is_always_the_same_has_no_weight() {
    let (mut vectors, labels) = examples(&["a", "b", "c"], 30);
    vectors.iter_mut().skip(1).step_by(3).for_each(|number| *number = 7.25);
    for kind in [Kind::Multinomial, Kind::OneVsRest] {
        let fitted = fit(&vectors, &Targets::Labels(labels.clone()), &Options::new(kind)).unwrap();
        assert!(fitted.converged);
        assert!(fitted.weight.chunks(3).all(|row| row[0].abs() > 1e-3 && row[1].abs() < 1e-6));
    }
}

#[test]
fn a_label_with_few_examples_makes_folds_fewer() {
    let (vectors, mut labels) = examples(&["a", "b"], 30);
    labels[..2].fill("rare".to_owned());
    let options = strengths(Kind::Multinomial, &[0.1, 1.0]);
    let total = |labels: &[String]| {
        Fit::new(&vectors, 3, &Targets::Labels(labels.to_vec()), &options).unwrap().progress().total
    };
    // Two strengths on two folds.
    assert_eq!(total(&labels), 6.0);
    labels[5] = "rare".to_owned();
    assert_eq!(total(&labels), 8.0);
}

#[test]
fn a_label_with_a_single_example_takes_the_middle_strength() {
    let (vectors, mut labels) = examples(&["a", "b"], 12);
    labels[7] = "once".to_owned();
    let targets = Targets::Labels(labels);
    let fitted = fit(&vectors, &targets, &strengths(Kind::Multinomial, &[10.0, 0.1, 3.0])).unwrap();
    assert_eq!((fitted.strength, fitted.validation.len()), (3.0, 0));
    // Of two the stronger regularization.
    let fitted = fit(&vectors, &targets, &strengths(Kind::OneVsRest, &[10.0, 0.1])).unwrap();
    assert_eq!((fitted.strength, fitted.validation.len()), (0.1, 0));

    let three = Targets::Values(vec![1.0, 2.0, 4.0]);
    let fitted = fit(&vectors[..9], &three, &strengths(Kind::Ridge, &[10.0, 0.1])).unwrap();
    assert_eq!((fitted.strength, fitted.validation.len()), (10.0, 0));
}

#[test]
fn default_strengths_follow_the_scale_of_vectors() {
    let (vectors, labels) = examples(&["a", "b", "c"], 60);
    let found = |scale: f32, targets: &Targets, kind| {
        let scaled: Vec<f32> = vectors.iter().map(|number| number * scale).collect();
        let fitted = fit(&scaled, targets, &Options::new(kind)).unwrap();
        fitted.validation.iter().map(|found| (found.strength, found.score)).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let labels = Targets::Labels(labels);
    let (strengths, scores) = found(1.0, &labels, Kind::Multinomial);
    assert_eq!(strengths, [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0]);
    let (strengths, of_larger) = found(10.0, &labels, Kind::Multinomial);
    assert_eq!(strengths, [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]);
    assert_eq!(of_larger, scores);

    let values = Targets::Values(vectors.chunks(3).map(|vector| f64::from(vector[1]).powi(3)).collect());
    let (strengths, scores) = found(1.0, &values, Kind::Ridge);
    assert_eq!(strengths, [30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03]);
    let (strengths, of_larger) = found(10.0, &values, Kind::Ridge);
    assert_eq!(strengths, [3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0]);
    assert!(of_larger.iter().zip(scores).all(|(one, other)| (one - other).abs() < 1e-5));
}

#[test]
fn sets_of_labels_may_be_empty_and_name_a_label_twice() {
    let (vectors, labels) = examples(&["a", "b", "c"], 30);
    let sets = |twice: bool| {
        let set = |label: &String| match label.as_str() {
            "c" => Vec::new(),
            _ if twice => vec![label.clone(); 2],
            _ => vec![label.clone()],
        };
        Targets::LabelSets(labels.iter().map(set).collect())
    };
    let options = Options { class_weights: ClassWeights::Balanced, ..strengths(Kind::OneVsRest, &[1.0]) };
    let fitted = fit(&vectors, &sets(true), &options).unwrap();
    assert_eq!(fitted.labels, ["a", "b"]);
    assert_eq!(fit(&vectors, &sets(false), &options).unwrap(), fitted);
}

#[test]
fn regularization_too_weak_to_matter_is_still_finite() {
    let (vectors, labels) = examples(&["a", "b", "c"], 9);
    let labels = Targets::Labels(labels);
    let fitted = fit(&vectors, &labels, &strengths(Kind::Multinomial, &[1e12])).unwrap();
    assert!(fitted.weight.iter().chain(&fitted.bias).all(|number| number.is_finite()));
    let values = Targets::Values((0..9).map(f64::from).collect());
    // The third component is the first again, so that nothing but the strength tells them apart.
    let twice: Vec<f32> = vectors.chunks(3).flat_map(|vector| [vector[0], vector[1], vector[0]]).collect();
    let fitted = fit(&twice, &values, &strengths(Kind::Ridge, &[1e-300])).unwrap();
    assert!(fitted.weight.iter().chain(&fitted.bias).all(|number| number.is_finite()));
    assert!((fitted.weight[0] - fitted.weight[2]).abs() < 1e-2 * fitted.weight[0].abs());
}

/// What is said about these examples with these options.
fn refused(vectors: &[f32], targets: &Targets, options: &Options) -> (String, bool) {
    let error = Fit::new(vectors, 3, targets, options).err().unwrap();
    (error.to_string(), error.is_of_an_option())
}

#[test]
fn examples_that_cannot_be_learned_from_are_refused() {
    let (vectors, labels) = examples(&["a", "b"], 4);
    let of = |labels: &[&str]| Targets::Labels(labels.iter().copied().map(str::to_owned).collect());
    let sets = |sets: &[&[&str]]| {
        Targets::LabelSets(sets.iter().map(|set| set.iter().copied().map(str::to_owned).collect()).collect())
    };
    let given = Targets::Labels(labels);
    let multinomial = Options::new(Kind::Multinomial);
    let one_vs_rest = Options::new(Kind::OneVsRest);
    let mut unknown = vectors.clone();
    unknown[7] = f32::NAN;
    let mut endless = vectors.clone();
    endless[0] = f32::NEG_INFINITY;
    let cases = [
        (&vectors[..0], of(&[]), &multinomial, "There are no examples to learn from."),
        (&vectors[..11], given.clone(), &multinomial, "11 numbers are not whole vectors of 3 components."),
        (
            &vectors[..9],
            given.clone(),
            &multinomial,
            "There are 3 vectors, but 4 examples have labels or values.",
        ),
        (&unknown, given.clone(), &multinomial, "Component 1 of the vector of example 2 is NaN."),
        (&endless, given, &multinomial, "Component 0 of the vector of example 0 is -inf."),
        (&vectors, of(&["a"; 4]), &multinomial, "All 4 examples have the label \"a\","),
        (&vectors, of(&["a"; 4]), &one_vs_rest, "All 4 examples have the label \"a\","),
        (&vectors, sets(&[&[], &[], &[], &[]]), &one_vs_rest, "None of the 4 examples has a label."),
        (
            &vectors,
            sets(&[&["x", "y"], &["y"], &["y"], &["y"]]),
            &one_vs_rest,
            "Every example has the label \"y\",",
        ),
        (
            &vectors,
            Targets::Values(vec![0.0, 1.0, f64::INFINITY, 2.0]),
            &Options::new(Kind::Ridge),
            "The value of example 2 is inf.",
        ),
    ];
    for (vectors, targets, options, expected) in cases {
        let (message, of_an_option) = refused(vectors, &targets, options);
        assert!(message.starts_with(expected), "{message}");
        assert!(!of_an_option, "{message}");
    }
    let error = Fit::new(&vectors, 0, &sets(&[&["a"], &[], &[], &[]]), &one_vs_rest).err();
    assert_eq!(error, Some(Error::NotWholeVectors { numbers: 12, width: 0 }));
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let (vectors, labels) = examples(&["a", "b"], 6);
    let labels = Targets::Labels(labels);
    let values = Targets::Values(vec![0.5; 6]);
    let sets = Targets::LabelSets(vec![vec!["a".to_owned()], vec![], vec![], vec![], vec![], vec![]]);
    let weights = |label: &str, weight: f64| Options {
        class_weights: ClassWeights::ByLabel(BTreeMap::from([(label.to_owned(), weight)])),
        ..Options::new(Kind::Multinomial)
    };
    let folds = |folds| Options { folds, ..Options::new(Kind::Multinomial) };
    let cases = [
        (&labels, strengths(Kind::Multinomial, &[1.0, 0.0]), "A strength of 0 means nothing."),
        (&labels, strengths(Kind::Multinomial, &[-1.0]), "A strength of -1 means nothing."),
        (&labels, strengths(Kind::Multinomial, &[f64::NAN]), "A strength of NaN means nothing."),
        (&labels, strengths(Kind::Multinomial, &[f64::INFINITY]), "A strength of inf means nothing."),
        (&labels, folds(1), "Cross-validation with 1 folds holds nothing back."),
        (&labels, folds(21), "21 folds are too many. Give at most 20."),
        (&labels, strengths(Kind::Multinomial, &[1.0; 101]), "101 strengths are too many. Give at most 100."),
        (
            &labels,
            weights("c", 2.0),
            "There is a weight for the label \"c\", which no example has. The labels are a, b.",
        ),
        (&labels, weights("a", 0.0), "The weight of the label \"a\" is 0."),
        (&labels, weights("b", f64::NAN), "The weight of the label \"b\" is NaN."),
        (
            &labels,
            Options::new(Kind::Ridge),
            "The kind ridge learns from a value of each example, and these examples have one label each.",
        ),
        (
            &sets,
            Options::new(Kind::Multinomial),
            "The kind multinomial learns from one label of each example, and these examples have sets of labels.",
        ),
        (
            &values,
            Options::new(Kind::OneVsRest),
            "The kind one-vs-rest learns from a label or a set of labels of each example, and these examples have values.",
        ),
        (
            &values,
            Options { class_weights: ClassWeights::Balanced, ..Options::new(Kind::Ridge) },
            "Class weights need labels,",
        ),
    ];
    for (targets, options, expected) in cases {
        let (message, of_an_option) = refused(&vectors, targets, &options);
        assert!(message.starts_with(expected), "{message}");
        assert!(of_an_option, "{message}");
    }
}

#[test]
fn a_kind_is_found_by_what_examples_have() {
    assert_eq!(Kind::of(&Targets::Labels(Vec::new())), Kind::Multinomial);
    assert_eq!(Kind::of(&Targets::LabelSets(Vec::new())), Kind::OneVsRest);
    assert_eq!(Kind::of(&Targets::Values(Vec::new())), Kind::Ridge);
}
