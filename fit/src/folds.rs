//! Which examples are held back together when strengths are compared: scikit-learn's folds, without shuffling.

/// The fold of each of `count` examples: runs of neighbours, the first ones longer by one where `count` does not divide
/// evenly. scikit-learn's `KFold`. There is at least one fold.
#[must_use]
pub fn consecutive(count: usize, folds: usize) -> Vec<usize> {
    let (size, longer) = (count / folds, count % folds);
    (0..folds).flat_map(|fold| std::iter::repeat_n(fold, size + usize::from(fold < longer))).collect()
}

/// The fold of each example, so that each fold has about as many of each class. scikit-learn's `StratifiedKFold`.
///
/// Classes are numbered from 0 in `classes`, one for each example, and there is at least one fold. Were the examples
/// sorted by class, classes in order of their first appearance, each fold would take every `folds`-th of them; so
/// many of each class it takes, in the order in which they are.
#[must_use]
pub fn stratified(classes: &[usize], folds: usize) -> Vec<usize> {
    let kinds = classes.iter().max().map_or(0, |&last| last + 1);
    let mut sizes = vec![0_usize; kinds];
    let mut appearance = Vec::with_capacity(kinds);
    for &class in classes {
        if sizes[class] == 0 {
            appearance.push(class);
        }
        sizes[class] += 1;
    }

    // For each class the folds of its examples.
    let mut of_class = vec![Vec::new(); kinds];
    let mut start = 0;
    for class in appearance {
        let mut dealt: Vec<_> = (start..start + sizes[class]).map(|place| place % folds).collect();
        dealt.sort_unstable();
        start += sizes[class];
        of_class[class] = dealt;
    }
    let mut of_class: Vec<_> = of_class.into_iter().map(Vec::into_iter).collect();
    classes.iter().filter_map(|&class| of_class[class].next()).collect()
}

/// One way of dividing examples.
pub(crate) struct Fold {
    pub(crate) learned: Vec<usize>,
    /// What is predicted from those.
    pub(crate) held: Vec<usize>,
}

/// The folds, given that of each example.
pub(crate) fn divide(of_examples: &[usize], folds: usize) -> Vec<Fold> {
    let divide = |fold| {
        let (held, learned) = (0..of_examples.len()).partition(|&example| of_examples[example] == fold);
        Fold { learned, held }
    };
    (0..folds).map(divide).collect()
}
