//! How good predictions are.

/// The mean of labels' F1, each `2tp / (2tp + fp + fn)`: scikit-learn's `f1_score(average="macro")`.
///
/// `truth` and `predicted` hold the labels of each example. Where each has one label (`single`), the mean is over
/// labels that an example has or is predicted to have, so nothing is divided by zero. Where examples have sets of
/// labels, it is over all labels, and a label that no example has or is predicted to have counts 0
/// (`zero_division=0`).
pub(crate) fn macro_f1<'a>(
    pairs: impl Iterator<Item = (&'a [usize], &'a [usize])>,
    labels: usize,
    single: bool,
) -> f64 {
    // How often a label is predicted and right, predicted, and right.
    let mut counts = vec![(0_usize, 0_usize, 0_usize); labels];
    for (truth, predicted) in pairs {
        for &label in truth {
            counts[label].2 += 1;
        }
        for &label in predicted {
            counts[label].1 += 1;
            counts[label].0 += usize::from(truth.contains(&label));
        }
    }
    let mut sum = 0.0;
    let mut averaged = 0_usize;
    for (both, predicted, right) in counts {
        if predicted + right > 0 {
            sum += 2.0 * both as f64 / (predicted + right) as f64;
        } else if single {
            continue;
        }
        averaged += 1;
    }
    if averaged == 0 { 0.0 } else { sum / averaged as f64 }
}

/// `1 - Σ (y - p)² / Σ (y - mean)²`: scikit-learn's `r2_score`. Where all values are equal, 1 if every prediction is
/// right, and otherwise 0.
pub(crate) fn r_squared(values: &[f64], predicted: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let total: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let left: f64 = values.iter().zip(predicted).map(|(value, guess)| (value - guess).powi(2)).sum();
    match (left == 0.0, total == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - left / total,
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    fn f1(pairs: &[(&[usize], &[usize])], labels: usize, single: bool) -> f64 {
        macro_f1(pairs.iter().copied(), labels, single)
    }

    #[test]
    fn macro_f1_is_the_mean_over_labels() {
        // Of label 0: two right, one missed, none wrong. Of label 1: one right, none missed, one wrong.
        let pairs: [(&[usize], &[usize]); 4] = [(&[0], &[0]), (&[0], &[0]), (&[0], &[1]), (&[1], &[1])];
        let expected = f64::midpoint(4.0 / 5.0, 2.0 / 3.0);
        assert_eq!(f1(&pairs, 2, true), expected);
        // A third label that does not occur counts only where labels are sets.
        assert_eq!(f1(&pairs, 3, true), expected);
        assert_eq!(f1(&pairs, 3, false), expected * 2.0 / 3.0);
    }

    #[test]
    fn a_label_that_is_only_predicted_counts_nothing_right() {
        assert_eq!(f1(&[(&[0], &[1])], 3, true), 0.0);
        assert_eq!(f1(&[(&[0], &[0]), (&[0], &[0, 1])], 2, false), 0.5);
        assert_eq!(f1(&[(&[], &[])], 2, false), 0.0);
    }

    #[test]
    fn r_squared_is_one_for_what_is_right_and_zero_for_the_mean() {
        assert_eq!(r_squared(&[1.0, 3.0], &[1.0, 3.0]), 1.0);
        assert_eq!(r_squared(&[1.0, 3.0], &[2.0, 2.0]), 0.0);
        assert_eq!(r_squared(&[1.0, 3.0], &[3.0, 1.0]), -3.0);
        assert_eq!(r_squared(&[2.0, 2.0], &[2.0, 2.0]), 1.0);
        assert_eq!(r_squared(&[2.0, 2.0], &[2.0, 3.0]), 0.0);
    }
}
