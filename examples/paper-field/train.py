#!/usr/bin/env python3
"""Train the adapter of this folder: from the title of a paper to one of seven fields.

    pip install -r requirements.txt
    python train.py --data dev.txt [--model FOLDER] [--output FOLDER]

The base, all-MiniLM-L6-v2, stays as it is. A bottleneck adapter in each layer and a linear head over the vector of
[CLS] are trained with the `adapters` library and saved as it saves them.

The data is the development part of Paper Field: one JSON object a line, with `text` and `label`. A hash of each title
says whether it is trained on, validates or is held out, so the split depends on neither the order of the file nor a
random generator, and two copies of a title never end up on two sides. Settings were chosen with --validate. Without
it the script trains on all but the held-out titles, and measures on those.
"""

import argparse
import collections
import hashlib
import json
import logging
import math
import time
from pathlib import Path

import adapters
import numpy as np
import torch
import transformers
from adapters import AutoAdapterModel, SeqBnConfig
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from transformers import AutoModel, AutoTokenizer, get_linear_schedule_with_warmup

BASE = "sentence-transformers/all-MiniLM-L6-v2"
NAME = "paper_field"
STRENGTHS = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0]  # of the logistic regression that the adapter is compared with


# ---------------------------------------------------------------- data


def part_of(title):
    """Where a title belongs, by its SHA-256: 20 % held out, 10 % for validation, 70 % for training."""
    share = int.from_bytes(hashlib.sha256(title.encode()).digest()[:4], "big") / 2**32
    return "held-out" if share < 0.2 else "validation" if share < 0.3 else "training"


def read(path):
    """The parts as lists of titles and of labels."""
    parts = collections.defaultdict(lambda: ([], []))
    with open(path, encoding="utf-8") as lines:
        for paper in map(json.loads, lines):
            titles, labels = parts[part_of(paper["text"])]
            titles.append(paper["text"])
            labels.append(paper["label"])
    return parts


def joined(*parts):
    return [sum(lists, []) for lists in zip(*parts)]


def batches(items, size):
    return [items[i : i + size] for i in range(0, len(items), size)]


def shuffled_batches(titles, size):
    """Batches of indices in random order. Titles of like length stand together, so that little is padding."""
    found = []
    for few in batches(torch.randperm(len(titles)).tolist(), 20 * size):
        found += batches(sorted(few, key=lambda i: len(titles[i])), size)
    return [found[i] for i in torch.randperm(len(found))]


# ---------------------------------------------------------------- adapter and head


def build(args, labels):
    model = AutoAdapterModel.from_pretrained(args.model)
    model.config.name_or_path = BASE  # what adapter_config.json names; otherwise the folder it was loaded from
    model.add_adapter(NAME, config=SeqBnConfig(reduction_factor=args.reduction_factor))
    model.add_classification_head(NAME, num_labels=len(labels), layers=1, id2label=dict(enumerate(labels)))
    model.train_adapter(NAME)  # freezes the base
    return model


def train(model, tokenizer, titles, targets, args):
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=args.learning_rate, weight_decay=0.01)
    steps = args.epochs * math.ceil(len(titles) / args.batch_size)
    schedule = get_linear_schedule_with_warmup(optimizer, num_warmup_steps=steps // 10, num_training_steps=steps)
    for epoch in range(args.epochs):
        start, losses = time.monotonic(), []
        model.train()
        for batch in shuffled_batches(titles, args.batch_size):
            inputs = tokenizer([titles[i] for i in batch], truncation=True, max_length=512, padding=True, return_tensors="pt")
            loss = torch.nn.functional.cross_entropy(
                model(**inputs).logits, targets[batch], label_smoothing=args.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, {time.monotonic() - start:.0f} s", flush=True)


@torch.no_grad()
def logits_of(model, tokenizer, titles):
    model.eval()
    rows = []
    for batch in batches(titles, 64):
        rows.append(model(**tokenizer(batch, truncation=True, max_length=512, padding=True, return_tensors="pt")).logits)
    return torch.cat(rows).numpy()


# ---------------------------------------------------------------- the same base without an adapter


@torch.no_grad()
def embed(args, tokenizer, titles):
    """The vectors that sentence-transformers computes: the mean over the tokens, of length one."""
    model = AutoModel.from_pretrained(args.model).eval()
    rows = []
    for batch in batches(titles, 64):
        inputs = tokenizer(batch, truncation=True, max_length=512, padding=True, return_tensors="pt")
        mask = inputs["attention_mask"].unsqueeze(2)
        mean = (model(**inputs).last_hidden_state * mask).sum(1) / mask.sum(1)
        rows.append(torch.nn.functional.normalize(mean, dim=1))
    return torch.cat(rows).numpy()


def frozen_head(args, tokenizer, parts, measured):
    """What a logistic regression over vectors of the base says about the titles to be measured.

    Its C is the one that is best on the validation part; the regression is then fitted on that part as well, except
    where that part is what is measured.
    """
    vectors = {part: embed(args, tokenizer, titles) for part, (titles, _) in parts.items()}
    labels = {part: labels for part, (_, labels) in parts.items()}

    def fitted(strength, *names):
        head = LogisticRegression(C=strength, max_iter=2000)
        return head.fit(np.concatenate([vectors[name] for name in names]), sum((labels[name] for name in names), []))

    def score(strength):
        predicted = fitted(strength, "training").predict(vectors["validation"])
        return f1_score(labels["validation"], predicted, average="macro")

    best = max(STRENGTHS, key=score)
    names = ["training"] if measured == "validation" else ["training", "validation"]
    return best, fitted(best, *names).predict(vectors[measured])


# ---------------------------------------------------------------- report


def report(labels, truth, predictions):
    """A table in Markdown: a row for each measure, a column for each of two classifiers. Below it, how sure it is."""
    print(f"\n| F1 | {' | '.join(predictions)} |")
    print(f"|---|{'---|' * len(predictions)}")
    rows = {"**macro**": [f1_score(truth, p, average="macro") for p in predictions.values()]}
    each = [f1_score(truth, p, average=None, labels=labels) for p in predictions.values()]
    rows.update({label: [scores[i] for scores in each] for i, label in enumerate(labels)})
    rows["accuracy"] = [accuracy_score(truth, p) for p in predictions.values()]
    for name, scores in rows.items():
        print(f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} |")

    # How far chance goes: the same difference over titles that are drawn anew, with replacement.
    truth, first, second = (np.array(each) for each in (truth, *predictions.values()))
    differences = []
    for drawn in np.random.default_rng(0).integers(len(truth), size=(1000, len(truth))):
        a, b = (f1_score(truth[drawn], p[drawn], average="macro") for p in (first, second))
        differences.append(a - b)
    low, high = np.percentile(differences, [2.5, 97.5])
    difference = rows["**macro**"][0] - rows["**macro**"][1]
    print(f"\nmacro-F1: the first less the second is {difference:+.3f}; 95 % of bootstrap samples {low:+.3f} to {high:+.3f}")


def main():
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description="Train the adapter of this folder on titles of Paper Field.")
    parser.add_argument("--data", type=Path, required=True, help="the development part of Paper Field, JSON lines")
    parser.add_argument("--model", default=str(here / "../../models/all-MiniLM-L6-v2"), help="folder or hub id of the base")
    parser.add_argument("--output", type=Path, default=here / "adapter", help="where to save (default: adapter/)")
    parser.add_argument("--validate", action="store_true", help="measure on the validation part, and save nothing")
    parser.add_argument("--reduction-factor", type=int, default=8, help="the hidden size over the bottleneck's")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--label-smoothing", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0, help="of the weights at the start, the order and the dropout")
    parser.add_argument("--threads", type=int, default=1, help="more are faster, and round differently")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    transformers.logging.set_verbosity_error()
    logging.getLogger("adapters").setLevel(logging.ERROR)

    parts = read(args.data)
    print(", ".join(f"{len(titles)} titles {part}" for part, (titles, _) in sorted(parts.items())))
    labels = sorted(set(parts["training"][1]))
    tokenizer = AutoTokenizer.from_pretrained(args.model)

    measured = "validation" if args.validate else "held-out"
    taught = [parts["training"]] if args.validate else [parts["training"], parts["validation"]]
    titles, answers = joined(*taught)
    model = build(args, labels)
    train(model, tokenizer, titles, torch.tensor([labels.index(answer) for answer in answers]), args)

    titles, truth = parts[measured]
    probabilities = torch.from_numpy(logits_of(model, tokenizer, titles)).softmax(dim=1)
    predicted = [labels[i] for i in probabilities.argmax(dim=1)]
    strength, frozen = frozen_head(args, tokenizer, parts, measured)
    report(labels, truth, {"adapter and head": predicted, f"head alone, C = {strength:g}": frozen})
    sure = probabilities.amax(dim=1).numpy()
    right = np.array(predicted) == np.array(truth)
    print(f"adapter and head: best score {sure.mean():.3f} in the mean, right for {right.mean():.3f}")
    print(f"where it is above 0.7, {(sure > 0.7).mean():.3f} of the titles: right for {right[sure > 0.7].mean():.3f}")

    if args.validate:
        return
    model.save_adapter(str(args.output), NAME, with_head=True, use_safetensors=True)
    for file in args.output.iterdir():
        file.chmod(0o644)  # the library makes some readable by their owner alone
    parameters = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    size = sum(file.stat().st_size for file in args.output.iterdir())
    print(f"\n{parameters} parameters, {size} bytes in {args.output}; adapters {adapters.__version__}")


if __name__ == "__main__":
    main()
