#!/usr/bin/env python3
"""Fits a fleet on one and on two workers of a local cluster of Ray, and prints seconds and whether the bytes are those of one process.

    engines.py [MACHINES]   Needs the package `surprisal` and ray: `cargo xtask test engines` installs them in target/python/engines
"""

import sys
import tempfile
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
import ray
from sampled import rows

import surprisal.ray
from surprisal import fit_fleet

#: Rows of each machine.
ROWS = 5000


def main(machines):
    with tempfile.TemporaryDirectory() as folder:
        data, models = Path(folder) / "data", Path(folder) / "models"
        tables = []
        for at in range(machines):
            columns = rows(at, ROWS)
            machine = data / f"machine=pump{at:04}"
            machine.mkdir(parents=True)
            table = pyarrow.table({name: columns[name] for name in columns if name not in ("torque", "oil")})
            pyarrow.parquet.write_table(table, machine / "rows.parquet")
            tables.append(table.append_column("machine", pyarrow.array([f"pump{at:04}"] * ROWS)))
        fits = fit_fleet(pyarrow.concat_tables(tables), "machine", models, threads=1)
        expected = [(models / fit["file"]).read_bytes() for fit in fits]
        print(f"{'machines':>8} {'rows':>6} {'workers':>8} {'seconds':>8} {'s per machine':>14}  bytes of one process")
        for workers in (1, 2):
            ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, object_store_memory=2 * 10**8)
            # The first task of a worker loads the package.
            surprisal.ray.fit_fleet(pyarrow.concat_tables(tables[:2]).to_pandas(), "machine")
            start = time.monotonic()
            fitted = surprisal.ray.fit_fleet(data, "machine")
            seconds = time.monotonic() - start
            same = "same" if fitted["srp"].tolist() == expected else "other"
            print(f"{machines:>8} {ROWS:>6} {workers:>8} {seconds:>8.1f} {seconds / machines:>14.3f}  {same}", flush=True)
            ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) == 2 else 100)
