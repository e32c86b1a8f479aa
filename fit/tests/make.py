#!/usr/bin/env python3
"""Write goldens.json with scikit-learn.

    pip install -r requirements.txt
    python make.py [--output FILE]

`vectors`  three sets of seeded vectors: `tall` has more examples than components, `wide` has fewer, and among them
           examples with the same vector and a component that is the same everywhere, `far` has a mean far from zero.
`targets`  labels, sets of labels and values for each.
`cases`    one way of learning each: options, then for each of some strengths the weights, biases and scores of the
           examples (probabilities, for values the predictions), and what GridSearchCV finds over more strengths.
`folds`    labels and the fold that StratifiedKFold puts each in, and numbers of examples likewise for KFold.

Solvers run until nothing changes, so that the numbers are those of the objective and not of the solver.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer

FITTED = [0.01, 1.0, 100.0]
COMPARED = [0.01, 0.1, 1.0, 10.0, 100.0]

NAMES = ["oceans", "cells", "graphs", "Ästhetik", "law"]


def digits(numbers, count):
    """Nested lists of numbers with so many significant digits."""
    text = json.dumps(np.asarray(numbers, dtype=float).tolist())
    return json.loads(text, parse_float=lambda number: float(f"{float(number):.{count}g}"))


def examples(seed, sizes, width, spread, offset=0.0):
    """Vectors around a centre for each label, in an order of their own, and what is learned from them."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    centres = random.normal(size=(len(sizes), width))
    vectors = centres[labels] + spread * random.normal(size=(len(labels), width)) + offset * random.normal(size=width)
    vectors = np.round(vectors, 3).astype(np.float32)
    values = vectors.astype(float) @ random.normal(size=width) + 2.0 * random.normal(size=len(labels)) + 5.0
    # A label of one's own, often another one beside it, sometimes none.
    sets = [{NAMES[label]} for label in labels]
    for labelled, other, draw in zip(sets, random.integers(len(sizes), size=len(labels)), random.random(len(labels))):
        if draw < 0.3:
            labelled.add(NAMES[other])
        elif draw > 0.93:
            labelled.clear()
    return vectors, [NAMES[label] for label in labels], [sorted(labelled) for labelled in sets], np.round(values, 3)


def make_examples():
    tall = examples(1, [27, 17, 10, 6], 12, 2.2)
    # A label that only two neighbours have: with folds in a row, one fold has all of it.
    for place in (3, 4):
        tall[2][place] = sorted({*tall[2][place], "law"})
    wide = examples(2, [9, 8, 7], 40, 2.5)
    wide[0][:, 5] = 0.75
    wide[0][6] = wide[0][2]
    wide[0][17] = wide[0][3]
    far = examples(3, [21, 14], 6, 1.8, offset=4.0)
    return {"tall": tall, "wide": wide, "far": far}


def logistic(strength, weights):
    return LogisticRegression(C=strength, class_weight=weights, solver="newton-cholesky", tol=1e-12, max_iter=1000)


def fit_logistic(kind, vectors, targets, weights, strength):
    """Weights, biases and probabilities, a row for each label."""
    if kind == "multinomial":
        model = logistic(strength, weights).fit(vectors, targets)
        return model.coef_, model.intercept_, model.predict_proba(vectors)
    models = []
    for label in sorted({label for labelled in targets for label in labelled}):
        has = [int(label in labelled) for labelled in targets]
        own = {0: 1.0, 1: weights.get(label, 1.0)} if isinstance(weights, dict) else weights
        models.append(logistic(strength, own).fit(vectors, has))
    probabilities = np.stack([model.predict_proba(vectors)[:, 1] for model in models], axis=1)
    weight = np.vstack([model.coef_ for model in models])
    bias = np.concatenate([model.intercept_ for model in models])
    return weight, bias, probabilities


def search(kind, vectors, targets, weights, strengths, folds):
    """The mean score of each strength and the best strength, from the strongest regularization to the weakest."""
    single = kind != "ridge" and isinstance(targets[0], str)
    split = StratifiedKFold(folds) if single else KFold(folds)
    scoring = "r2" if kind == "ridge" else "f1_macro"
    if kind == "ridge":
        model, grid = Ridge(), {"alpha": sorted(strengths, reverse=True)}
    elif kind == "multinomial":
        model, grid = logistic(1.0, weights), {"C": sorted(strengths)}
    else:
        model, grid = OneVsRestClassifier(logistic(1.0, weights)), {"estimator__C": sorted(strengths)}
        targets = targets if single else MultiLabelBinarizer().fit_transform(targets)
    with warnings.catch_warnings():
        # A label that no learned example of a fold has.
        warnings.simplefilter("ignore")
        found = GridSearchCV(model, grid, scoring=scoring, cv=split, refit=False).fit(vectors, targets)
    best = found.best_params_
    return digits(found.cv_results_["mean_test_score"], 10), next(iter(best.values()))


def make_case(all_examples, name, kind, of, target, weights=None, folds=5):
    vectors, labels, sets, values = all_examples[of]
    vectors = vectors.astype(float)
    targets = {"labels": labels, "sets": sets, "values": values}[target]
    fitted = []
    for strength in FITTED:
        if kind == "ridge":
            model = Ridge(alpha=strength, solver="svd").fit(vectors, targets)
            weight, bias, scores = model.coef_[None], np.array([model.intercept_]), model.predict(vectors)[:, None]
        else:
            # One label each is a set of one to a regression of each label.
            given = [[label] for label in labels] if (kind, target) == ("one-vs-rest", "labels") else targets
            weight, bias, scores = fit_logistic(kind, vectors, given, weights, strength)
        fitted.append(dict(strength=strength, weight=digits(weight, 7), bias=digits(bias, 7), scores=digits(scores, 6)))
    case = dict(name=name, kind=kind, vectors=of, targets=target, class_weights=weights, folds=folds, fitted=fitted)
    case["compared"] = COMPARED
    # GridSearchCV has no weight for a label of one-vs-rest.
    if not (kind == "one-vs-rest" and isinstance(weights, dict)):
        case["validation"], case["best"] = search(kind, vectors, targets, weights, COMPARED, folds)
    return case


def make_cases(all_examples):
    by_label = {"cells": 3.0, "oceans": 0.5}
    rows = [
        ("multinomial", "multinomial", "tall", "labels"),
        ("multinomial_balanced", "multinomial", "tall", "labels", "balanced"),
        ("multinomial_by_label", "multinomial", "tall", "labels", by_label),
        ("multinomial_wide", "multinomial", "wide", "labels"),
        ("binary", "multinomial", "far", "labels"),
        ("binary_balanced", "multinomial", "far", "labels", "balanced"),
        ("binary_by_label", "multinomial", "far", "labels", by_label),
        ("one_vs_rest", "one-vs-rest", "tall", "labels"),
        ("one_vs_rest_binary", "one-vs-rest", "far", "labels"),
        ("sets", "one-vs-rest", "tall", "sets"),
        ("sets_balanced", "one-vs-rest", "tall", "sets", "balanced"),
        ("sets_by_label", "one-vs-rest", "tall", "sets", by_label),
        ("sets_wide", "one-vs-rest", "wide", "sets"),
        ("ridge", "ridge", "tall", "values"),
        ("ridge_wide", "ridge", "wide", "values"),
        ("ridge_far", "ridge", "far", "values"),
    ]
    return [make_case(all_examples, *row) for row in rows]


def make_folds():
    random = np.random.default_rng(4)
    stratified = [dict(classes=[2, 2, 0, 1, 0, 0, 2, 1, 1, 0, 2], folds=2)]
    for kinds, count, folds in [(2, 23, 5), (3, 40, 3), (5, 97, 10), (7, 64, 4)]:
        # Every class as often as there are folds, then at random; some classes more often.
        classes = np.concatenate([np.repeat(np.arange(kinds), folds), random.integers(kinds, size=count) ** 2 % kinds])
        stratified.append(dict(classes=random.permutation(classes).tolist(), folds=folds))
    for case in stratified:
        case["of"] = fold_of(StratifiedKFold(case["folds"]), case["classes"])
    consecutive = [dict(count=count, folds=folds) for count, folds in [(10, 5), (11, 5), (14, 5), (7, 7), (9, 2)]]
    for case in consecutive:
        case["of"] = fold_of(KFold(case["folds"]), [0] * case["count"])
    return dict(stratified=stratified, consecutive=consecutive)


def fold_of(split, classes):
    of = np.empty(len(classes), dtype=int)
    for fold, (_, held) in enumerate(split.split(np.zeros((len(classes), 1)), classes)):
        of[held] = fold
    return of.tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "goldens.json")
    output = parser.parse_args().output
    all_examples = make_examples()
    goldens = dict(
        vectors={name: digits(vectors, 6) for name, (vectors, *_) in all_examples.items()},
        targets={
            name: dict(labels=labels, sets=sets, values=values.tolist())
            for name, (_, labels, sets, values) in all_examples.items()
        },
        cases=make_cases(all_examples),
        folds=make_folds(),
    )
    output.write_text(json.dumps(goldens, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
