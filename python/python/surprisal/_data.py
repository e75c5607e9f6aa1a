"""Turns data of many kinds into columns for the compiled part: numbers as bytes, everything else as texts.

The cells are those of the CSV file that ``DataFrame.to_csv(index=False)`` writes, so that a fit of a data frame and a fit of
its file give the same table.
"""

import csv
import io
import os
import sys
from collections.abc import Iterable, Mapping

import numpy as np

from ._surprisal import SurprisalError

#: NumPy types whose numbers the compiled part writes as texts: (kind, size in bytes) to the type that carries them.
_CARRIED = {("f", 8): "f8"} | {("i", size): "i8" for size in (1, 2, 4, 8)}
_CARRIED |= {("u", size): "u8" for size in (1, 2, 4, 8)}


def source(data):
    """Return (source for the compiled part, number of rows or None for a file)."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data), None
    columns = list(_columns(data))
    sizes = {len(values) if isinstance(values, list) else len(values[1]) // int(values[0][1]) for _, values in columns}
    if len(sizes) > 1:
        raise SurprisalError(f"the columns have different numbers of rows: {', '.join(map(str, sorted(sizes)))}")
    return columns, sizes.pop() if sizes else 0


def _columns(data):
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        # By position, because several columns may have one name.
        for at, name in enumerate(data.columns):
            yield str(name), _of_pandas(str(name), data.iloc[:, at])
    elif isinstance(data, np.ndarray) and data.dtype.names:
        for name in data.dtype.names:
            yield name, _of_numpy(name, data[name])
    elif isinstance(data, np.ndarray):
        if data.ndim != 2:
            raise SurprisalError(f"expected an array of rows x columns, found {data.ndim} axes; use data.reshape(-1, 1)")
        for at in range(data.shape[1]):
            yield f"x{at}", _of_numpy(f"x{at}", data[:, at])
    elif isinstance(data, Mapping):
        for name, values in data.items():
            yield str(name), _of_any(str(name), values)
    elif hasattr(data, "__arrow_c_stream__"):
        yield from _of_stream(data)
    else:
        raise TypeError(
            "expected a DataFrame, an array, a table with __arrow_c_stream__, a dict of columns or the path of a file, "
            f"found {type(data).__name__}"
        )


def _of_any(name, values):
    """Return a column of a dict."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(values, pandas.Series):
        return _of_pandas(name, values)
    if isinstance(values, np.ndarray):
        return _of_numpy(name, values)
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(values, (arrow.Array, arrow.ChunkedArray)):
        return _of_arrow(values)
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise TypeError(f"column `{name}`: expected one value per row, found {type(values).__name__}")
    return [_text(value) for value in values]


def _of_pandas(name, series):
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        return _of_numpy(name, series.to_numpy())
    # pandas itself writes the cells, because the rules for dates, categories and objects are its own.
    text = series.to_frame().to_csv(index=False, header=False, lineterminator="\n")
    try:
        return [row[0] if row else "" for row in csv.reader(io.StringIO(text, newline=""))]
    except csv.Error as error:
        raise SurprisalError(f"column `{name}`: {error}; leave the column out") from error


def _of_numpy(name, values):
    mask = None
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        values = values.data
    if values.ndim != 1:
        raise SurprisalError(f"column `{name}`: expected one value per row, found an array of {values.ndim} axes")
    carried = _CARRIED.get((values.dtype.kind, values.dtype.itemsize))
    if carried is not None:
        missing = None if mask is None else mask.astype("u1").tobytes()
        return carried, values.astype(f"={carried}").tobytes(), missing
    kind = values.dtype.kind
    if kind == "M":
        texts = ["" if text == "NaT" else text.replace("T", " ") for text in np.datetime_as_string(values).tolist()]
    elif kind == "S":
        texts = [value.decode("utf-8", "replace") for value in values.tolist()]
    elif kind == "f":
        # NumPy writes short floats, as for pandas: when it takes an exponent depends on its version.
        texts = ["" if text == "nan" else text for text in values.astype(str).tolist()]
    elif kind in "bmOU":
        # Not `tolist` of spans of time, which has no unit.
        texts = [_text(value) for value in (values if kind == "m" else values.tolist())]
    else:
        raise SurprisalError(f"column `{name}`: expected numbers, texts or dates, found values of the type {values.dtype}")
    return texts if mask is None else ["" if lost else text for text, lost in zip(texts, mask.tolist())]


def _of_stream(data):
    try:
        import pyarrow
    except ImportError:
        # polars and others have such columns without pyarrow.
        try:
            for name in data.columns:
                yield str(name), [_text(value) for value in data[name].to_list()]
        except (AttributeError, TypeError):
            raise TypeError(f"install pyarrow to read data of the type {type(data).__name__}") from None
        return
    table = data if isinstance(data, pyarrow.Table) else pyarrow.table(data)
    for name, column in zip(table.column_names, table.columns):
        yield name, _of_arrow(column)


def _of_arrow(column):
    import pyarrow
    import pyarrow.compute as compute

    if isinstance(column, pyarrow.Array):
        column = pyarrow.chunked_array([column])
    kind = pyarrow.types
    if kind.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind.is_integer(column.type) or kind.is_float32(column.type) or kind.is_float64(column.type):
        numbers = compute.fill_null(column, 0).to_numpy()
        return _of_numpy("", np.ma.MaskedArray(numbers, column.is_null().to_numpy()))
    if kind.is_temporal(column.type) and not kind.is_duration(column.type):
        column = column.cast(pyarrow.string())
    return [_text(value) for value in column.to_pylist()]


def _text(value):
    """Return the text of a value, which is empty for a missing reading."""
    if isinstance(value, str):
        return value
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(value, (float, np.floating, np.datetime64, np.timedelta64)) and value != value:
        return ""
    return str(value)
