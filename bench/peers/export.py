#!/usr/bin/env python3
"""Write the files that the other engines read: a BERT as ONNX, as good as onnxruntime's own tools make it.

    python export.py MODEL OUTPUT

MODEL is a folder with config.json, model.safetensors and a tokenizer. OUTPUT becomes a folder as on a model hub:

    config.json, tokenizer.json, tokenizer_config.json
    onnx/model.onnx            float32, fused by onnxruntime's optimizer for transformers
    onnx/model_q4.onnx         the same with matrices in blocks of 32 numbers of 4 bits and a scale (MatMulNBits).
                               Those of queries, keys and values stay float32 inside the fused attention: taking
                               them apart for the quantizer costs more on a GPU than their 4 bits gain
    onnx/model_quantized.onnx  the same with matrices in int8, and activations quantized as they come
                               (quantize_dynamic)

Batch and sequence length are free in all of them. Nothing is written of what was not fused: it would make the other
engines look slower than they are.
"""

import argparse
import collections
import json
import logging
import shutil
import tempfile
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.optimizer import optimize_model
from transformers import BertModel

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"

# 4-bit blocks, as the 4-bit models on the hub have them.
Q4_BLOCK = 32


def export(source, path):
    """The network as PyTorch traces it, without its pooler."""
    # The optimizer knows the operations of plain attention, and not those of PyTorch's own fused one.
    model = BertModel.from_pretrained(source, add_pooling_layer=False, attn_implementation="eager").eval()
    model.config.return_dict = False
    example = tuple(torch.ones(2, 8, dtype=torch.int64) for _ in INPUTS)
    axes = {name: {0: "batch", 1: "sequence"} for name in (*INPUTS, OUTPUT)}
    with torch.no_grad():
        torch.onnx.export(
            Positional(model),
            example,
            str(path),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )


class Positional(torch.nn.Module):
    """The network with its inputs in the order of INPUTS, and the hidden states as its one output."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)[0]


def fuse(path, config):
    model = optimize_model(
        str(path), model_type="bert", num_heads=config["num_attention_heads"], hidden_size=config["hidden_size"]
    ).model
    layers = config["num_hidden_layers"]
    # The norm of the embeddings is fused into them; those of a layer follow attention and feed-forward network.
    per_layer = {"Attention": layers, "SkipLayerNormalization": 2 * layers, "BiasGelu": layers}
    demand(model, {"EmbedLayerNormalization": 1} | per_layer)
    return model


def demand(model, expected):
    """Ends the program where the tools have not made of a graph what they should."""
    found = collections.Counter(node.op_type for node in model.graph.node)
    missing = {kind: f"{found[kind]} of {count}" for kind, count in expected.items() if found[kind] != count}
    if missing:
        raise SystemExit(f"onnxruntime's tools have not made these operations: {missing}; there are {dict(found)}")


def quantize_to_4_bits(model, layers):
    quantizer = MatMulNBitsQuantizer(model, block_size=Q4_BLOCK, is_symmetric=True)
    quantizer.process()
    quantized = quantizer.model.model
    demand(quantized, {"MatMulNBits": 3 * layers, "Attention": layers})
    return quantized


def main():
    parser = argparse.ArgumentParser(description="Write a BERT as the ONNX files that other engines run.")
    parser.add_argument("model", type=Path, help="its folder")
    parser.add_argument("output", type=Path, help="where to write; what is there is replaced")
    options = parser.parse_args()
    # The tools tell of every matrix.
    logging.disable(logging.WARNING)
    config = json.loads((options.model / "config.json").read_text())
    layers = config["num_hidden_layers"]

    onnx_folder = options.output / "onnx"
    onnx_folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(options.model / name, options.output / name)

    with tempfile.TemporaryDirectory() as scratch:
        traced = Path(scratch) / "traced.onnx"
        export(options.model, traced)
        onnx.save(fuse(traced, config), onnx_folder / "model.onnx")
    onnx.save(quantize_to_4_bits(onnx.load(onnx_folder / "model.onnx"), layers), onnx_folder / "model_q4.onnx")
    # The type that follows the fused operations, which shape inference does not know.
    floats = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    int8 = onnx_folder / "model_quantized.onnx"
    quantize_dynamic(onnx_folder / "model.onnx", int8, weight_type=QuantType.QInt8, extra_options=floats)
    demand(onnx.load(int8), {"QAttention": layers, "MatMulInteger": 3 * layers})


if __name__ == "__main__":
    main()
