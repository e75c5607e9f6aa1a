#!/usr/bin/env python3
"""Trains the hidden layer of `nade.rs` with PyTorch on as many threads, and prints how many times slower that is.

    python3 -m venv torch-venv && torch-venv/bin/pip install torch numpy    # some 5 GB with its CUDA wheels
    torch-venv/bin/python trainer/benches/nade.py [threads]

Each variant below is written as PyTorch wants it: the sums of all bits at once, by a cumulative sum or by a product with a
triangle of ones, and both compiled if a C++ compiler is there. The fastest of each shape counts.
"""

import json
import os
import subprocess
import sys
import time

import torch

BATCH, ROWS, EPOCHS = 128, 1024, 10


class Nade(torch.nn.Module):
    def __init__(self, bits: int, units: int):
        super().__init__()
        self.w = torch.nn.Parameter(0.1 * torch.randn(bits, units))
        self.v = torch.nn.Parameter(0.1 * torch.randn(bits, units))
        self.c = torch.nn.Parameter(torch.zeros(units))
        self.b = torch.nn.Parameter(torch.zeros(bits))
        self.register_buffer("before", torch.ones(bits, bits).tril(-1))

    def sums(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The mean negative log-likelihood of a batch."""
        units = torch.relu(self.c + self.sums(x))
        logits = torch.einsum("rih,ih->ri", units, self.v) + self.b
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return loss / x.shape[0]


class Cumulative(Nade):
    def sums(self, x):
        fed = x.unsqueeze(-1) * self.w
        return fed.cumsum(1) - fed


class Triangle(Nade):
    def sums(self, x):
        return torch.matmul(self.before, x.unsqueeze(-1) * self.w)


class Masked(Nade):
    def sums(self, x):
        return torch.matmul(x.unsqueeze(1) * self.before, self.w)


class Logits(Masked):
    """The product with v elementwise: what a compiler can fuse."""

    def forward(self, x):
        units = torch.relu(self.c + self.sums(x))
        logits = (units * self.v).sum(-1) + self.b
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        return loss / x.shape[0]


def rows_per_second(model: Nade, compiled: bool, data: torch.Tensor) -> float:
    """Of the fastest epoch, forward, backward and update."""
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=True)
    torch.compiler.reset()
    loss_of = torch.compile(model, dynamic=False) if compiled else model

    def epoch():
        for batch in data[torch.randperm(len(data))].split(BATCH):
            adam.zero_grad(set_to_none=True)
            loss_of(batch).backward()
            adam.step()

    epoch()
    fastest = float("inf")
    for _ in range(EPOCHS):
        begun = time.perf_counter()
        epoch()
        fastest = min(fastest, time.perf_counter() - begun)
    return len(data) / fastest


def ours(threads: int) -> list[dict]:
    command = ["cargo", "bench", "--quiet", "-p", "surprisal-trainer", "--bench", "nade", "--", "--json"]
    environment = os.environ | {"RAYON_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main():
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    print(f"{threads} threads, PyTorch {torch.__version__}; rows a second")
    print(f"{'bits':>5} {'ones':>6} {'units':>6} {'surprisal':>11} {'PyTorch':>11} {'ratio':>7}  the fastest of PyTorch")
    for shape in ours(threads):
        bits, ones, units = shape["bits"], shape["ones"], shape["units"]
        data = (torch.rand(ROWS, bits) < ones).float()
        rates = {}
        for kind in (Cumulative, Triangle, Masked, Logits):
            for compiled in (False, True):
                name = kind.__name__.lower() + (", compiled" if compiled else "")
                try:
                    rates[name] = rows_per_second(kind(bits, units), compiled, data)
                except Exception as error:
                    print(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
        best = max(rates, key=rates.get)
        mine = shape["rows_per_second"]
        print(f"{bits:>5} {ones:>6} {units:>6} {mine:>11.0f} {rates[best]:>11.0f} {mine / rates[best]:>7.1f}  {best}")


if __name__ == "__main__":
    main()
