"""Models of more rows than memory holds, from Parquet files that are streamed."""

from __future__ import annotations

import functools
import os
from typing import Any, NamedTuple

import numpy as np

from . import _surprisal
from ._model import Model
from ._surprisal import SurprisalError

#: Number of rows that are in memory at a time while files are read.
_BATCH = 1 << 16
#: Number of parts of the sample that are fitted to see what more rows gain.
_PARTS = 4


class Gain(NamedTuple):
    """What more rows gain, in nats per row on rows that no fit has seen."""

    #: Gain of the model over models of a quarter of the sample each: the mean of four.
    over_quarter: float
    #: Standard deviation by chance of the models of the quarters.
    chance: float
    #: Least and largest gain of a model of all rows that agree with the quarters.
    least: float
    most: float


class Sampled(NamedTuple):
    """A model of a sample of rows, and what a model of all rows would gain."""

    #: The :class:`surprisal.Model`.
    model: Model
    #: Number of rows of the sample, and of all rows.
    rows: int
    of: int
    #: Mean surprisal of the rows that were held out, in nats.
    nats: float
    #: What a model of all rows would gain.
    gain: Gain


def fit(data: Any, *, rows: int = 1_000_000, held_out: int = 100_000, seed: int = 0, columns=None, **options: Any) -> Sampled:
    """Fit a model to a random sample of the rows of Parquet files, and measure what the sample costs.

    The files are read once, batch by batch, so that memory holds the sample only: about half a KiB per row of ten columns during the
    fit. The sample is uniform, and depends on the number of rows and ``seed`` only. Its rows keep their order, but are not
    neighbours, so that there is no time series of them.

    Args:
        data: Path or address of a file or a folder of Parquet files, or a ``pyarrow.dataset.Dataset``.
        rows: Number of rows of the sample, of which :meth:`Model.fit` keeps shares to choose settings, to calibrate and to hold out.
            At most 2^26 cells can be fitted.
        held_out: Number of further rows, which compare the model with models of a quarter of the sample each.
        columns: Names of the columns that are read; all by default.
        options: As for :meth:`Model.fit`. ``max_rows`` is 0 by default, so that all rows of the sample are used.

    The range of the gain is that of the report of a fit (docs/fitting.md of the repository): it holds for losses that fall as a power of
    the number of rows from 0 to 1, in 95 of 100 cases.

    Raises what :meth:`Model.fit` raises, SurprisalError if there are too few rows, and ImportError without pyarrow.

    >>> import pathlib, tempfile
    >>> import pyarrow, pyarrow.parquet
    >>> from surprisal import datasets, parquet
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "motor.parquet"
    >>> pyarrow.parquet.write_table(pyarrow.table(datasets.motor(rows=20_000)), path)
    >>> found = parquet.fit(path, rows=4000, held_out=2000)
    >>> found.rows, found.of, found.gain.least < found.gain.most
    (4000, 20000, True)
    """
    import pyarrow

    options = {"max_rows": 0, "seed": seed, **options}
    if options.get("window") is not None:
        raise SurprisalError("window: a sample of rows has no neighbours; fit a file whose rows are all there")
    files = dataset(data)
    total = files.count_rows()
    if not 160 <= rows or not 2 <= held_out or rows + held_out > total:
        raise SurprisalError(
            f"rows, held_out: expected at least 160 and 2, and at most {total} together, the rows of the files, found {rows} and {held_out}"
        )
    random = np.random.default_rng(seed)
    chosen = _distinct(random, total, rows + held_out)
    table = _rows(files, chosen, columns)
    is_held_out = np.zeros(len(chosen), bool)
    is_held_out[_distinct(random, len(chosen), held_out)] = True
    test = table.filter(pyarrow.array(is_held_out))
    table = table.filter(pyarrow.array(~is_held_out))
    # By turns of a random order, because neighbours in a file may be alike.
    order = random.permutation(rows)
    quarters = [(-Model.fit(table.take(np.sort(order[part::_PARTS])), **options).score(test)).tolist() for part in range(_PARTS)]
    model = Model.fit(table, **options)
    nats = model.score(test)
    gain = Gain(*_surprisal.gain((-nats).tolist(), quarters, total / rows))
    return Sampled(model, rows, total, float(nats.mean()), gain)


def dataset(data, by=None):
    """Return the dataset of a path, an address or a ``pyarrow.dataset.Dataset``.

    If the column ``by`` is a part of the paths of the files, its values are texts: pyarrow would read 007 and 7 as one number.
    """
    import pyarrow
    import pyarrow.dataset

    if isinstance(data, pyarrow.dataset.Dataset):
        return data
    read = functools.partial(pyarrow.dataset.dataset, os.fspath(data), format="parquet")
    found = read(partitioning="hive")
    of_paths = found.partitioning.schema
    at = of_paths.get_field_index(by) if by is not None else -1
    fragment = next(found.get_fragments(), None)
    if at < 0 or fragment is None or by in fragment.physical_schema.names:
        return found
    texts = of_paths.set(at, pyarrow.field(by, pyarrow.string()))
    return read(partitioning=pyarrow.dataset.partitioning(texts, flavor="hive"))


def _distinct(random, total, count):
    """Return a uniform sample of ``count`` of the numbers below ``total``, ascending, in memory in proportion to the sample."""
    if count > total // 4:
        return np.sort(random.permutation(total)[:count])
    found = np.unique(random.integers(total, size=count))
    while len(found) < count:
        # Draw again until there are enough. What is taken of them is uniform, because no number is preferred.
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
