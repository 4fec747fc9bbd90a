"""onnxruntime beside `benches/local.rs`: lines a second of a BERT sentence transformer on one thread, fp32 and int8.

    pip install onnxruntime onnx tokenizers safetensors numpy && python3 benches/local_peer.py FOLDER LINES.txt

FOLDER holds config.json, tokenizer.json and model.safetensors, from which the graph is written: mean pooling, length one.
The first 256 lines of LINES.txt are embedded, or without it those of `data/library` that the Rust bench takes. A round goes
from text to vectors, the fastest of five counts. A third argument names a JSON list of {"text", "ids", "vector"} that checks
the fp32 vectors. With `pip install sympy` too, onnxruntime's transformer optimizer fuses the fp32 graph beforehand.
"""
import json
import os
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LINES, BATCH, ROUNDS = 256, 32, 5


class Graph:
    """Nodes and constants of a graph that grows by one operation at a time."""
    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.constants = {}

    def constant(self, name, array):
        self.constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def scalar(self, value):
        return self.constant(f"scalar_{value}", np.array(value, np.float32))

    def integers(self, *values):
        return self.constant("integers_" + "_".join(map(str, values)), np.array(values, np.int64))

    def op(self, kind, *inputs, **attributes):
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def linear(self, x, name):
        product = self.op("MatMul", x, self.constant(f"{name}.weight", self.weights[f"{name}.weight"].T))
        return self.op("Add", product, self.constant(f"{name}.bias", self.weights[f"{name}.bias"]))

    def norm(self, x, name, epsilon):
        scale, bias = (self.constant(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=epsilon)

    def gelu(self, x):
        erf = self.op("Erf", self.op("Div", x, self.scalar(float(np.sqrt(2)))))
        return self.op("Mul", self.op("Mul", x, self.op("Add", erf, self.scalar(1.0))), self.scalar(0.5))


def build(weights, config):
    """The whole model, in the shapes that the optimizer's fusions look for."""
    g = Graph(weights)
    hidden, heads, epsilon = config["hidden_size"], config["num_attention_heads"], config["layer_norm_eps"]
    width = hidden // heads
    # Zero for tokens, a large negative number for padding: [b, 1, 1, s].
    mask = g.op("Unsqueeze", g.op("Unsqueeze", "attention_mask", g.integers(1)), g.integers(2))
    mask = g.op("Mul", g.op("Sub", g.scalar(1.0), g.op("Cast", mask, to=TensorProto.FLOAT)), g.scalar(-10000.0))

    # Every token is of type 0, so its row is added to the positions beforehand.
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    length = g.op("Slice", g.op("Shape", "input_ids"), g.integers(1), g.integers(2))
    positions = g.op("Slice", g.constant("positions", positions), g.integers(0), length, g.integers(0))
    words = g.constant("words", weights["embeddings.word_embeddings.weight"])
    x = g.norm(g.op("Add", g.op("Gather", words, "input_ids"), positions), "embeddings.LayerNorm", epsilon)

    for layer in range(config["num_hidden_layers"]):
        at = f"encoder.layer.{layer}"

        def split(name, order):
            rows = g.op("Reshape", g.linear(x, f"{at}.attention.self.{name}"), g.integers(0, 0, heads, width))
            return g.op("Transpose", rows, perm=order)

        query, key, value = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
        scores = g.op("Div", g.op("MatMul", query, key), g.scalar(float(np.sqrt(width))))
        shares = g.op("Softmax", g.op("Add", scores, mask), axis=-1)
        mixed = g.op("Transpose", g.op("MatMul", shares, value), perm=[0, 2, 1, 3])
        mixed = g.linear(g.op("Reshape", mixed, g.integers(0, 0, hidden)), f"{at}.attention.output.dense")
        x = g.norm(g.op("Add", mixed, x), f"{at}.attention.output.LayerNorm", epsilon)
        inner = g.gelu(g.linear(x, f"{at}.intermediate.dense"))
        x = g.norm(g.op("Add", g.linear(inner, f"{at}.output.dense"), x), f"{at}.output.LayerNorm", epsilon)

    # Mean of the tokens that are no padding, at length one.
    kept = g.op("Cast", g.op("Unsqueeze", "attention_mask", g.integers(2)), to=TensorProto.FLOAT)
    total = g.op("ReduceSum", g.op("Mul", x, kept), g.integers(1), keepdims=0)
    mean = g.op("Div", total, g.op("ReduceSum", kept, g.integers(1), keepdims=0))
    g.nodes.append(helper.make_node("Div", [mean, g.op("ReduceL2", mean, axes=[-1], keepdims=1)], ["vectors"]))

    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "s"]) for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["b", hidden])]
    graph = helper.make_graph(g.nodes, "sentence", inputs, outputs, list(g.constants.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def fuse(path, config, out):
    """Fuses attention, norms and gelu where the optimizer can be imported. Answers the path of what to run."""
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    try:  # Without sympy it can be imported, and only the call fails.
        from onnxruntime.transformers.optimizer import optimize_model
        fused = optimize_model(path, model_type="bert", num_heads=heads, hidden_size=hidden, opt_level=0)
    except ImportError as error:
        print(f"no transformer optimizer, only the session's own fusions: {error}")
        return path
    print("fused:", {kind: count for kind, count in fused.get_fused_operator_statistics().items() if count})
    fused.save_model_to_file(out)
    return out


class Peer:
    """A tokenizer and a session of one thread."""

    def __init__(self, path, tokenizer, pad):
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.tokenizer, self.pad = tokenizer, pad

    def embed(self, lines):
        """Vectors in the order of the lines, and how many tokens they have without padding."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(lines)]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        vectors = np.zeros((len(ids), self.session.get_outputs()[0].shape[1]), np.float32)
        for start in range(0, len(ids), BATCH):
            batch = order[start : start + BATCH]
            mask = np.zeros((len(batch), len(ids[batch[-1]])), np.int64)
            tokens = np.full_like(mask, self.pad)
            for row, i in enumerate(batch):
                tokens[row, : len(ids[i])], mask[row, : len(ids[i])] = ids[i], 1
            vectors[batch] = self.session.run(["vectors"], {"input_ids": tokens, "attention_mask": mask})[0]
        return vectors, sum(map(len, ids))


def library():
    """Lines of the articles, evenly over all of them."""
    root = Path(__file__).resolve().parent.parent / "data" / "library"
    texts = [path.read_text(encoding="utf8") for path in sorted(root.rglob("*")) if path.is_file()]
    lines = [line.strip() for text in texts for line in text.split("\n") if len(line.strip().encode()) > 20]
    return lines[:: max(len(lines) // LINES, 1)][:LINES]


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def main(folder, lines_path=None, reference_path=None):
    given = Path(lines_path).read_text(encoding="utf8").removesuffix("\n").split("\n") if lines_path else library()
    lines = given[:LINES]
    config = json.loads(Path(folder, "config.json").read_text(encoding="utf8"))
    weights = {name: array.astype(np.float32) for name, array in load_file(f"{folder}/model.safetensors").items()}
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(build(weights, config), f"{scratch}/plain.onnx")
        fp32, int8 = fuse(f"{scratch}/plain.onnx", config, f"{scratch}/fused.onnx"), f"{scratch}/int8.onnx"
        # From the graph before fusing: here it was no slower (62 lines/s) than from the fused one with its Attention (60).
        quantize_dynamic(f"{scratch}/plain.onnx", int8, ["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
        peers = {name: Peer(path, tokenizer, config["pad_token_id"]) for name, path in (("fp32", fp32), ("int8", int8))}

    vectors = {}
    for name, peer in peers.items():
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            vectors[name], tokens = peer.embed(lines)
            times.append(time.perf_counter() - start)
        print(f"onnxruntime {name}: {len(lines) / min(times):.1f} lines/s, {tokens / min(times):.0f} tokens/s", flush=True)
    print(f"{len(lines)} lines, {tokens} tokens, onnxruntime {ort.__version__}")
    near = cosines(vectors["int8"], vectors["fp32"])
    print(f"cosine of int8 with fp32: mean {near.mean():.5f}, minimum {near.min():.5f}")
    if reference_path:
        reference = json.loads(Path(reference_path).read_text(encoding="utf8"))
        for entry in reference:
            assert tokenizer.encode(entry["text"]).ids == entry["ids"], f"other tokens: {entry['text']}"
        ours = peers["fp32"].embed([entry["text"] for entry in reference])[0]
        near = cosines(ours, np.array([entry["vector"] for entry in reference], np.float32)).min()
        print(f"cosine of fp32 with the reference: minimum {near:.6f} of {len(reference)}")
        assert near >= 0.999, "the graph is not the model"


if __name__ == "__main__":
    main(*sys.argv[1:])
