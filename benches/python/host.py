#!/usr/bin/env python3
"""Scores rows with a table in NumPy, in integers, all rows at once. `cargo benches host` runs this script.

    host.py FOLDER   reads FOLDER/table.json and FOLDER/rows.u8, writes FOLDER/numpy.u32, and prints the seconds of scoring
"""

import json
import os
import sys
import time
from pathlib import Path

# One thread, like the other implementations.
for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = "1"

import numpy as np  # noqa: E402


class Model:
    def __init__(self, numbers):
        n = len(numbers["biases"])
        weights = np.zeros((n, n), np.float32)  # products of small integers: exact
        if numbers["dense"]:
            at = 0
            for j in range(n):
                weights[j + 1 :, j] = numbers["dense"][at : at + n - j - 1]
                at += n - j - 1
        else:
            starts, entries = numbers["entries"]
            for j in range(n):
                row = j
                for gap, weight in entries[starts[j] : starts[j + 1]]:
                    row += gap
                    weights[row, j] += weight - 256 * (weight > 127)
        self.weights = weights.T.copy()
        self.biases = np.array(numbers["biases"], np.int64) << 6
        self.scales = np.array(numbers["scales"] or [0] * n, np.int64)
        self.leaf_scales = numbers["leaf_scales"] or [0] * n
        self.sources = np.array([source for source, _ in numbers["flags"]])
        self.flips = np.array([flip for _, flip in numbers["flags"]])
        self.likely, self.rare = np.array(numbers["likely"]), np.array(numbers["rare"])
        self.trees = [self.tree(numbers, i) for i in range(n)] if numbers["starts"] else []

    @staticmethod
    def tree(numbers, i):
        """Returns the nodes as arrays (bit, children at zero and one, leaf), and the depth."""
        mask = (1 << numbers["feature_bits"]) - 1
        nodes = []

        def add(splits, leaves):
            at = len(nodes)
            if not splits:
                nodes.append([0, at, at, leaves[0]])
                return at, 0
            bit, left = splits[0] & mask, splits[0] >> numbers["feature_bits"]
            assert bit < i, "one tree per bit"
            nodes.append([bit, 0, 0, 0])
            zero, deep = add(splits[1 : 1 + left], leaves[: left + 1])
            one, deeper = add(splits[1 + left :], leaves[left + 1 :])
            nodes[at][1:3] = zero, one
            return at, 1 + max(deep, deeper)

        start, end = numbers["starts"][i], numbers["starts"][i + 1]
        _, depth = add(numbers["splits"][start:end], numbers["leaves"][start + i : end + i + 1])
        bits, zeros, ones, leaves = np.array(nodes).T
        return bits, np.stack([zeros, ones], 1).ravel(), leaves, depth

    def score(self, rows):
        bits = rows[:, self.sources] ^ self.flips
        logits = (bits.astype(np.float32) @ self.weights).astype(np.int64) * self.scales + self.biases
        every = np.arange(len(rows))
        for i, (features, children, leaves, depth) in enumerate(self.trees):
            node = np.zeros(len(rows), np.int64)
            for _ in range(depth):
                node = children[2 * node + bits[every, features[node]]]
            logits[:, i] += leaves[node] * self.leaf_scales[i]
        steps = (logits + 1024) >> 11
        speaking = np.where(bits == 1, steps, -steps)
        size = np.minimum(np.abs(steps), len(self.likely) - 1)
        return np.where(speaking >= 0, self.likely[size], self.rare[size]).sum(1)


folder = Path(sys.argv[1])
model = Model(json.loads((folder / "table.json").read_text()))
rows = np.fromfile(folder / "rows.u8", np.uint8).reshape(-1, len(model.sources))
best = np.inf
for _ in range(3):
    start = time.perf_counter()
    nats = model.score(rows)
    best = min(best, time.perf_counter() - start)
nats.astype("<u4").tofile(folder / "numpy.u32")
print(best)
