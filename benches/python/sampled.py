#!/usr/bin/env python3
"""Fits models of samples of 50 million rows from Parquet files, and prints memory, seconds and nats.

    sampled.py [FILES]   makes FILES (50) files of a million rows in a temporary folder, which takes 0.6 GB. Needs the package
                         `surprisal` and pyarrow: `cargo xtask test engines` installs them in target/python/engines

Each sample is fitted in a process of its own, whose peak of memory counts.
"""

import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from surprisal import parquet

#: Rows of the samples, and rows of which the models are compared.
SAMPLES = [500_000, 1_000_000, 2_000_000]
HELD_OUT = 200_000


def rows(seed, count=1_000_000):
    """Return rows of a pump like those of `cargo benches fleet`, with two columns more."""
    random = np.random.default_rng(seed)

    def noise():
        return random.random((4, count)).sum(axis=0) - 2

    load = 0.5 + 0.2 * noise()
    mode = (load > 0.35).astype(int) + (load > 0.6)
    speed = np.array([600.0, 1400.0, 2200.0])[mode] + 300 * load + 8 * noise()
    flow = 0.04 * speed * load + noise()
    pressure = 120 + 2.2 * flow + 3 * noise()
    current = 0.6 + flow * pressure / 9000 + 0.06 * noise()
    temperature = 25 + 6 * current + 0.5 * noise()
    numbers = {
        "speed": speed.round(0),
        "flow": flow.round(1),
        "pressure": pressure.round(0),
        "current": current.round(2),
        "temperature": temperature.round(1),
        "vibration": (0.2 + speed / 4000 + 0.05 * noise()).round(3),
        "torque": (20 * current / (speed / 1000) + noise()).round(1),
        "oil": (30 + 0.5 * temperature + noise()).round(1),
    }
    return {**numbers, "mode": np.array(["idle", "half", "full"])[mode], "valve": (noise() > 1.2).astype(int)}


def main(files):
    with tempfile.TemporaryDirectory() as folder:
        for part in range(files):
            pyarrow.parquet.write_table(pyarrow.table(rows(part)), Path(folder) / f"{part:03}.parquet", compression="zstd")
        print(f"{'rows':>9} {'of':>9} {'seconds':>8} {'MiB':>6} {'nats':>9} {'over 1/4':>9} {'chance':>8}  gain of all rows")
        for sample in SAMPLES:
            subprocess.run([sys.executable, __file__, folder, str(sample)], check=True)


def one(folder, sample):
    warnings.simplefilter("ignore")
    start = time.monotonic()
    found = parquet.fit(folder, rows=sample, held_out=HELD_OUT)
    seconds, peak = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    gain = found.gain
    print(
        f"{found.rows:>9} {found.of:>9} {seconds:>8.0f} {peak:>6} {found.nats:>9.4f} {gain.over_quarter:>9.4f} {gain.chance:>8.4f}  "
        f"{gain.least:.3f} to {gain.most:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        one(sys.argv[1], int(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 50)
