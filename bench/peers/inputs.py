#!/usr/bin/env python3
"""Write what every engine is given, and the vectors that PyTorch makes of it in float32.

    python inputs.py MODEL OUTPUT --pooling mean|cls [--normalize] [--papers FILE]

MODEL is a folder with config.json, model.safetensors and a tokenizer. OUTPUT becomes a folder of

    inputs.json       by set, a list of documents: { text, ids }, in the set of papers also { title, abstract }
    SET.f32           the vector of each document of a set, little-endian, one after the other

The sets `32`, `128` and `512` hold documents of exactly so many tokens, [CLS] and [SEP] among them: words that are
a token each, so that every engine's own tokenizer makes the same of them. The set `papers` holds the first 64 of
FILE that have a title and an abstract.
"""

import argparse
import json
import logging
import random
from pathlib import Path

import torch
from transformers import AutoTokenizer, BertModel

# How many documents there are of each exact length.
EXACT = {32: 1, 128: 16, 512: 1}
PAPERS = 64
LONGEST = 512


def words_of_one_token(tokenizer):
    """Common English words, which stand near the front of the vocabulary."""
    vocabulary = sorted(tokenizer.vocab, key=tokenizer.vocab.get)[2000:8000]
    words = [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2]
    return [word for word in words if tokenizer.tokenize(word) == [word]]


def document(tokenizer, text, **parts):
    return parts | {"text": text, "ids": tokenizer(text, truncation=True, max_length=LONGEST)["input_ids"]}


def exact_documents(tokenizer, length, count):
    words, chance = words_of_one_token(tokenizer), random.Random(length)
    found = [document(tokenizer, " ".join(chance.choices(words, k=length - 2))) for _ in range(count)]
    lengths = {len(one["ids"]) for one in found}
    if lengths != {length}:
        raise SystemExit(f"documents of {length} tokens were wanted, but the tokenizer makes {lengths} of them")
    return found


def papers(tokenizer, path):
    text = path.read_text()
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    whole = [(row["title"], row["abstract"]) for row in rows if row.get("title") and row.get("abstract")]
    if len(whole) < PAPERS:
        raise SystemExit(f"{path} has {len(whole)} papers with a title and an abstract, not {PAPERS}")
    separator = tokenizer.sep_token
    return [
        document(tokenizer, f"{title}{separator}{abstract}", title=title, abstract=abstract)
        for title, abstract in whole[:PAPERS]
    ]


@torch.inference_mode()
def vectors(model, documents, pooling, normalize):
    rows = []
    for one in documents:
        states = model(input_ids=torch.tensor([one["ids"]])).last_hidden_state[0]
        row = states[0] if pooling == "cls" else states.mean(dim=0)
        rows.append(torch.nn.functional.normalize(row, dim=0) if normalize else row)
    return torch.stack(rows).numpy().astype("<f4")


def main():
    parser = argparse.ArgumentParser(description="Write documents of exact lengths, papers, and their vectors.")
    parser.add_argument("model", type=Path, help="its folder")
    parser.add_argument("output", type=Path, help="where to write")
    parser.add_argument("--pooling", choices=("mean", "cls"), required=True)
    parser.add_argument("--normalize", action="store_true")
    parser.add_argument("--papers", type=Path, help="a JSON array, or one object a line")
    options = parser.parse_args()
    # Of weights that the file has and the network has not: the pooler's.
    logging.disable(logging.WARNING)

    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = BertModel.from_pretrained(options.model, add_pooling_layer=False).eval()
    sets = {str(length): exact_documents(tokenizer, length, count) for length, count in EXACT.items()}
    if options.papers:
        sets["papers"] = papers(tokenizer, options.papers)

    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "papers.f32").unlink(missing_ok=True)
    for name, documents in sets.items():
        rows = vectors(model, documents, options.pooling, options.normalize)
        (options.output / f"{name}.f32").write_bytes(rows.tobytes())
    (options.output / "inputs.json").write_text(json.dumps(sets) + "\n")


if __name__ == "__main__":
    main()
