"""Rows for the tests, and the command `surprisal`, whose path is in the environment variable SURPRISAL."""

import os
import subprocess

import numpy as np
import pandas as pd
import pytest

import surprisal


@pytest.fixture(scope="session")
def command():
    """Return a function that runs the command and returns its standard output."""
    program = os.environ.get("SURPRISAL")
    if program is None:
        pytest.skip("set SURPRISAL to the path of the command")

    def run(*arguments):
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def mixed_rows(rows=1500, seed=1):
    """Return rows with a column of every type that data frames have, some of them missing."""
    random = np.random.default_rng(seed)
    load = random.normal(50, 5, rows)
    frame = pd.DataFrame(
        {
            "load": load,
            "small": random.normal(0, 1e-6, rows).astype("float32"),
            "large": random.normal(0, 1, rows) * 1e18,
            "count": random.poisson(load / 10),
            "step": random.integers(0, 5, rows).astype("uint8"),
            "nullable": pd.array(random.integers(0, 100, rows), dtype="Int64"),
            "pump": load > 50,
            "mode": pd.Categorical(random.choice(["idle", "run, fast", 'say "hot"'], rows)),
            "name": random.choice(["α", " padded ", "line\nbreak"], rows),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), unit="min"),
        }
    )
    frame.loc[random.random(rows) < 0.05, "load"] = np.nan
    frame.loc[random.random(rows) < 0.05, "nullable"] = pd.NA
    frame.loc[random.random(rows) < 0.05, "mode"] = None
    frame.loc[random.random(rows) < 0.05, "name"] = None
    return frame


@pytest.fixture(scope="session")
def mixed():
    return mixed_rows()


@pytest.fixture(scope="session")
def motor():
    return surprisal.datasets.motor()


@pytest.fixture(scope="session")
def model(motor):
    return surprisal.Model.fit(motor)
