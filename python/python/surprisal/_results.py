"""What a model says of rows, and arrays of it."""

from dataclasses import dataclass, fields
from typing import NamedTuple, Optional

import numpy as np

from . import _surprisal

#: Raw units per nat.
NAT = 65536


@dataclass(frozen=True)
class Scores:
    """Everything a score says of the rows: arrays of the shape (rows,), see :meth:`Model.scores`.

    It is a table of Arrow as well, in which a row without a score is null. ``pyarrow.table(scores)``, ``polars.DataFrame(scores)``
    and everything else that reads ``__arrow_c_array__`` takes it; readers of ``__arrow_c_stream__`` alone need pyarrow.

    >>> import pyarrow
    >>> from surprisal import Model, datasets
    >>> rows = datasets.motor()
    >>> pyarrow.table(Model.fit(rows).scores(rows)).column_names
    ['raw', 'nats', 'anomaly', 'p_value', 'is_anomalous']
    """

    #: Surprisal in units of 1/65536 nat, uint32; 4294967295 where a row has no score.
    raw: np.ndarray
    #: Surprisal in nats, float64; NaN where a row has no score.
    nats: np.ndarray
    #: Anomaly score in nats, float64; NaN where a row has no score.
    anomaly: np.ndarray
    #: Share of normal rows with such an anomaly score or a larger one, float64; NaN where a row has no score.
    p_value: np.ndarray
    #: Whether the anomaly score exceeds the threshold, bool.
    is_anomalous: np.ndarray

    @classmethod
    def of_columns(cls, columns, rows):
        """Make scores of columns of bytes, with an entry per row of the data."""
        at = row_indices(columns[0])
        raw, anomaly, ppm = (np.frombuffer(column, np.uint32) for column in columns[1:4])
        return cls(
            raw=spread(raw, at, rows, 2**32 - 1),
            nats=spread(raw / NAT, at, rows, np.nan),
            anomaly=spread(anomaly / NAT, at, rows, np.nan),
            p_value=spread(ppm / 1e6, at, rows, np.nan),
            is_anomalous=spread(np.frombuffer(columns[4], np.uint8) != 0, at, rows, False),
        )

    def __arrow_c_array__(self, requested_schema=None):
        # The types stay as they are, as the interface allows.
        each = [(field.name, getattr(self, field.name)) for field in fields(self)]
        # Arrow has numbers in the byte order of this machine.
        native = [(name, values.astype(values.dtype.newbyteorder("="))) for name, values in each]
        columns = [(name, values.dtype.str[1:], values.tobytes()) for name, values in native]
        return _surprisal.arrow_array(columns, np.isnan(self.nats).tobytes())

    def __arrow_c_stream__(self, requested_schema=None):
        # For readers that take streams only.
        import pyarrow

        return pyarrow.table(pyarrow.record_batch(self)).__arrow_c_stream__(requested_schema)


class Blame(NamedTuple):
    """The column that is most likely at fault in a row, see :meth:`Model.blame`."""

    #: Name of the column.
    column: str
    #: Value that makes the row most normal, as text; empty for a time series, whose model sees changes.
    expected: str
    #: Name of the column that explains the row second best, or None.
    runner_up: Optional[str]


def row_indices(lines):
    """Return the indices of rows whose numbers, from 1, are in these bytes."""
    return np.frombuffer(lines, np.uint64).astype(np.int64) - 1


def spread(values, at, rows, fill):
    """Return an array with the values at these rows of the data and ``fill`` at the others."""
    if rows is None:
        return values
    spread = np.full((rows, *values.shape[1:]), fill, dtype=values.dtype)
    spread[at] = values
    return spread


def numbers(cells):
    """Return cells as an array of numbers if all are numbers or empty, otherwise as they are."""
    for number in (int, float):
        try:
            return np.array([number(cell) if cell or number is int else np.nan for cell in cells])
        except ValueError:
            pass
    return np.array([cell or None for cell in cells], dtype=object)
