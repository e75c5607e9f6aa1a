"""Models of more rows than memory holds, from Parquet files that are streamed."""

from __future__ import annotations

import math
import os
from typing import Any, NamedTuple

import numpy as np

from ._model import Model
from ._surprisal import SurprisalError

#: Number of rows that are in memory at a time while files are read.
_BATCH = 1 << 16
#: Half the width of the range of the gain, in standard errors.
_ERRORS = 2.0


class Sampled(NamedTuple):
    """A model of a sample of rows, and what the sample costs, in nats per row on rows that no fit has seen."""

    #: The :class:`surprisal.Model`.
    model: Model
    #: Number of rows of the sample, and of all rows.
    rows: int
    of: int
    #: Number of rows that were held out, and their mean surprisal.
    held_out: int
    nats: float
    #: By how much less the model surprises the held-out rows than a model of half of the sample, and the standard error.
    over_half: float
    error: float
    #: Least and largest gain of a model of all rows that agree with that.
    gain: tuple[float, float]


def fit(data: Any, *, rows: int = 1_000_000, held_out: int = 100_000, seed: int = 0, columns=None, **options: Any) -> Sampled:
    """Fit a model to a random sample of the rows of Parquet files, and measure what the sample costs.

    The files are read once, batch by batch, so that memory holds the sample only: about 1.5 KiB per row of ten columns of numbers
    during the fit. The sample is uniform, and depends on the number of rows and ``seed`` only. Its rows keep their order, but are not
    neighbours, so that there is no time series of them.

    Args:
        data: Path or address of a file or a folder of Parquet files, or a ``pyarrow.dataset.Dataset``.
        rows: Number of rows of the sample, of which :meth:`Model.fit` keeps shares to choose settings, to calibrate and to hold out.
            At most 2^26 cells can be fitted.
        held_out: Number of further rows, which compare the model with one of half of the sample.
        columns: Names of the columns that are read; all by default.
        options: As for :meth:`Model.fit`. ``max_rows`` is 0 by default, so that all rows of the sample are used.

    The range of :attr:`Sampled.gain` is for losses that fall as a power of the number of rows between 0 and 1, and two standard errors.

    Raises what :meth:`Model.fit` raises, SurprisalError if there are too few rows, and ImportError without pyarrow.

    >>> import pathlib, tempfile
    >>> import pyarrow, pyarrow.parquet
    >>> from surprisal import datasets, parquet
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "motor.parquet"
    >>> pyarrow.parquet.write_table(pyarrow.table(datasets.motor(rows=20_000)), path)
    >>> found = parquet.fit(path, rows=4000, held_out=2000)
    >>> found.rows, found.of, found.gain[0] < found.gain[1]
    (4000, 20000, True)
    """
    import pyarrow

    options = {"max_rows": 0, "seed": seed, **options}
    if options.get("window") is not None:
        raise SurprisalError("window: a sample of rows has no neighbours; fit a file whose rows are all there")
    files = dataset(data)
    total = files.count_rows()
    if not 100 <= rows or not 2 <= held_out or rows + held_out > total:
        raise SurprisalError(
            f"rows, held_out: expected at least 100 and 2, and at most {total} together, the rows of the files, found {rows} and {held_out}"
        )
    random = np.random.default_rng(seed)
    chosen = _distinct(random, total, rows + held_out)
    table = _rows(files, chosen, columns)
    is_held_out = np.zeros(len(chosen), bool)
    is_held_out[_distinct(random, len(chosen), held_out)] = True
    test = table.filter(pyarrow.array(is_held_out))
    table = table.filter(pyarrow.array(~is_held_out))
    half = Model.fit(table.take(_distinct(random, rows, rows // 2)), **options).score(test)
    model = Model.fit(table, **options)
    whole = model.score(test)
    gained = half - whole
    over_half, error = float(gained.mean()), float(gained.std(ddof=1) / math.sqrt(held_out))
    factor = total / rows
    ends = [weight * found for weight in (1 - 1 / factor, math.log2(factor)) for found in _around(over_half, error)]
    return Sampled(model, rows, total, held_out, float(whole.mean()), over_half, error, (min(ends), max(ends)))


def dataset(data):
    """Return the dataset of a path, an address or a ``pyarrow.dataset.Dataset``."""
    import pyarrow.dataset

    if isinstance(data, pyarrow.dataset.Dataset):
        return data
    return pyarrow.dataset.dataset(os.fspath(data), format="parquet", partitioning="hive")


def _around(number, error):
    return number - _ERRORS * error, number + _ERRORS * error


def _distinct(random, total, count):
    """Return a uniform sample of ``count`` of the numbers below ``total``, ascending, in memory in proportion to the sample."""
    if count > total // 4:
        return np.sort(random.permutation(total)[:count])
    found = np.unique(random.integers(total, size=count))
    while len(found) < count:
        # Until there are enough: which of them come first does not depend on the numbers.
        found = np.unique(np.concatenate([found, random.integers(total, size=count)]))
    return np.sort(random.permutation(found)[:count])


def _rows(files, chosen, columns):
    """Return the rows with these ascending indices, of which a part is in memory at a time."""
    import pyarrow

    parts, first = [], 0
    # Little is read ahead, so that memory is bounded.
    for batch in files.to_batches(columns=columns, batch_size=_BATCH, batch_readahead=1, fragment_readahead=1):
        begin, end = np.searchsorted(chosen, [first, first + len(batch)])
        if begin < end:
            parts.append(batch.take(pyarrow.array(chosen[begin:end] - first)))
        first += len(batch)
    return pyarrow.Table.from_batches(parts)
