"""Parquet files that are streamed: the sample is uniform and repeatable, and its cost is measured."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from surprisal import Model, SurprisalError, datasets, parquet


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder of three files with 30,000 rows in all, which tell their number."""
    folder = tmp_path_factory.mktemp("rows")
    table = pa.table({**datasets.motor(rows=30_000), "row": np.arange(30_000)})
    for part in range(3):
        rows = table[10_000 * part : 10_000 * (part + 1)]
        pyarrow.parquet.write_table(rows, folder / f"{part}.parquet", row_group_size=3000)
    return folder


def test_distinct_numbers_are_a_uniform_sample():
    for total, count in [(10, 10), (10, 3), (1000, 20), (50, 12), (1, 1), (10**12, 5)]:
        found = parquet._distinct(np.random.default_rng(0), total, count)
        assert len(set(found.tolist())) == count and (np.diff(found) > 0).all() and 0 <= found[0] <= found[-1] < total
    random = np.random.default_rng(1)
    for total, count in [(40, 8), (40, 20)]:
        counts = np.bincount(np.concatenate([parquet._distinct(random, total, count) for _ in range(4000)]), minlength=total)
        expected = 4000 * count / total
        # The sum of squares of 40 counts whose sum is fixed, each of the variance of a draw.
        chi2 = ((counts - expected) ** 2 / (expected * (1 - count / total))).sum()
        assert 15 < chi2 < 80, chi2


def test_rows_are_those_of_the_files(files, monkeypatch):
    monkeypatch.setattr(parquet, "_BATCH", 700)
    chosen = parquet._distinct(np.random.default_rng(0), 30_000, 5000)
    table = parquet._rows(parquet.dataset(files), chosen, ["row", "fan"])
    assert table.column_names == ["row", "fan"]
    assert (table["row"].to_numpy() == chosen).all()


def test_a_sample_is_fitted_and_its_cost_measured(files):
    columns = ["load", "current", "fan"]
    found = parquet.fit(files, rows=3000, held_out=5000, columns=columns, seed=3)
    assert (found.rows, found.of) == (3000, 30_000)
    again = parquet.fit(files, rows=3000, held_out=5000, columns=columns, seed=3)
    assert again.model.to_bytes() == found.model.to_bytes() and again[1:] == found[1:]
    assert parquet.fit(files, rows=3000, held_out=5000, columns=columns, seed=4).model.to_bytes() != found.model.to_bytes()
    # A model of all rows surprises other rows of the motor by as much less as the range says, but for their own chance.
    fresh = datasets.motor(rows=20_000, seed=9)
    gained = (found.model.score(fresh) - Model.fit(datasets.motor(rows=30_000), max_rows=0).score(fresh)).mean()
    assert found.gain.least - 0.02 < gained < found.gain.most + 0.02, (found.gain, gained)


def test_samples_that_cannot_be_drawn_are_refused(files):
    for options, message in [
        ({"rows": 30_000}, "at most 30000"),
        ({"rows": 50}, "at least 160"),
        ({"rows": 1000, "held_out": 1}, "expected"),
        ({"rows": 1000, "window": 3}, "no neighbours"),
        ({"rows": 1000, "flash": 10}, "--flash"),
    ]:
        with pytest.raises(SurprisalError, match=message):
            parquet.fit(files, **{"held_out": 100, "columns": ["load", "current"], **options})
