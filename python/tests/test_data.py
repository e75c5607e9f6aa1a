"""Data of every kind gives the same model; data that cannot be used gives an error that says why."""

import datetime
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from surprisal import Model, SurprisalError, SurprisalWarning
from surprisal._data import source


def cells(data):
    """Return the columns of data as lists of texts, as the compiled part sees them."""
    columns, _ = source(data)
    texts = {}
    for name, values in columns:
        if isinstance(values, tuple):
            kind, numbers, missing = values
            numbers = np.frombuffer(numbers, kind)
            missing = np.zeros(len(numbers), bool) if missing is None else np.frombuffer(missing, "u1") != 0
            values = ["" if lost or number != number else str(number) for number, lost in zip(numbers, missing)]
        texts[name] = values
    return texts


def test_kinds_of_data_agree(motor):
    expected = Model.fit(motor).to_bytes()
    frame = pd.DataFrame(motor)
    table = pa.table(motor)
    others = {
        "frame": frame,
        "arrow strings": frame.convert_dtypes(dtype_backend="pyarrow"),
        "category": frame.astype({"fan": "category"}),
        "object": frame.astype(object),
        "table": table,
        "batches": pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=99)),
        "dictionary": table.set_column(2, "fan", table["fan"].dictionary_encode()),
        "records": frame.to_records(index=False).astype([("load", "f8"), ("current", "f8"), ("fan", "U3")]),
        "lists": {name: column.tolist() for name, column in motor.items()},
        "series": {name: frame[name] for name in frame},
        "big endian": {**motor, "load": motor["load"].astype(">f8")},
        "strided": {**motor, "load": np.repeat(motor["load"], 2)[::2]},
        "duplicated index": frame.set_axis(np.zeros(len(frame), int)),
    }
    for name, data in others.items():
        assert Model.fit(data).to_bytes() == expected, name


def test_streams_are_read_without_pyarrow(motor, monkeypatch):
    class Column(list):
        to_list = list.copy

    class Stream:
        columns = list(motor)
        __arrow_c_stream__ = None

        def __getitem__(self, name):
            return Column(motor[name].tolist())

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert Model.fit(Stream()).to_bytes() == Model.fit(motor).to_bytes()


def test_arrays_have_columns_by_position():
    array = np.random.default_rng(0).normal(size=(500, 3)).round(2)
    model = Model.fit(array)
    assert model.columns == ["x0", "x1", "x2"]
    assert (model.score(array) == model.score(np.asfortranarray(array))).all()
    assert (Model.fit(array.astype("f4")).score_raw(array) == Model.fit(array).score_raw(array)).all()


def test_missing_values_are_empty_cells():
    masked = np.ma.MaskedArray([1, 2, 3], [False, True, False])
    found = cells(
        {
            "none": [1, None, 3],
            "nan": np.array([1.0, np.nan, 3.0]),
            "na": pd.array([1, pd.NA, 3], dtype="Int64"),
            "nat": pd.Series(pd.to_datetime(["2024-01-01 00:00", None, "2024-01-02 03:04"])),
            "numpy nat": np.array(["2024-01-01", "NaT", "2024-01-02"], "datetime64[s]"),
            "masked": masked,
            "arrow": pa.array([1, None, 3]),
            "text": pa.array(["a", None, "b"]),
        }
    )
    assert {name: texts[1] for name, texts in found.items()} == dict.fromkeys(found, "")
    assert found["na"] == ["1", "", "3"]
    assert found["nat"][2] == "2024-01-02 03:04:00"
    assert found["numpy nat"][0] == "2024-01-01 00:00:00"


def test_texts_of_values():
    found = cells(
        {
            "flag": np.array([True, False]),
            "flags": pa.array([True, None]),
            "huge": [10**30, -1],
            "half": np.array([0.1, 2], "f2"),
            "date": [datetime.date(2024, 1, 2), datetime.datetime(2024, 1, 2, 3)],
            "bytes": np.array([b"a", b"\xff"]),
        }
    )
    assert found["flag"] == ["True", "False"]
    assert found["flags"] == ["True", ""]
    assert found["huge"] == [str(10**30), "-1"]
    assert found["half"] == ["0.1", "2.0"]
    assert found["date"] == ["2024-01-02", "2024-01-02 03:00:00"]
    assert found["bytes"] == ["a", "\ufffd"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_have_the_texts_of_pandas(dtype, tmp_path):
    """The file of one machine holds a digest of the texts of all cells, also of columns that are left out."""
    numbers = [0.0, -0.0, 1e-4, 9.999e-5, 1e15, 1e16, 123456.7, 1e22, 1e-7, -1.5e-10, 3.4e38, 1 / 3, np.inf, -np.inf, np.nan]
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**32, 400, dtype="u4") if dtype == "float32" else random.integers(0, 2**64, 400, dtype="u8")
    drawn = bits.view(dtype)
    x = np.concatenate([np.array(numbers, dtype), np.where(np.isfinite(drawn), drawn, 0)])
    pd.DataFrame({"x": x, "end": "."}).to_csv(tmp_path / "x.csv", index=False)
    texts = [line.split(",")[0] for line in (tmp_path / "x.csv").read_text().splitlines()[1:]]

    def fitted(x):
        rows = {"x": x, "y": np.arange(len(x)) // 3 % 5, "machine": ["A"] * len(x)}
        return Model.fit(rows, ignore="x", machine=("machine", "A")).to_bytes()

    assert fitted(x) == fitted(texts)
    assert fitted(x) != fitted([*texts[:-1], texts[-1] + "0"])


def test_data_of_other_types_is_refused():
    for data in (None, 5, [1, 2], object()):
        with pytest.raises(TypeError, match="expected a DataFrame"):
            Model.fit(data)
    for data in ({"x": 5}, {"x": "text"}, {"x": {"a": 1}}):
        with pytest.raises(TypeError, match="column `x`: expected one value per row"):
            Model.fit(data)


@pytest.mark.parametrize(
    "data, message",
    [
        (pd.DataFrame(), "no rows"),
        ({}, "no rows"),
        (np.zeros((0, 3)), "no rows"),
        (np.zeros((50, 0)), "no rows"),
        (np.zeros(50), "found 1 axes"),
        (np.zeros((5, 5, 5)), "found 3 axes"),
        ({"x": np.zeros((50, 2))}, "array of 2 axes"),
        ({"x": [1, 2], "y": [1]}, "different numbers of rows: 1, 2"),
        ({"x": np.zeros(50, complex)}, "of the type complex128"),
        ({"x": np.arange(8.0)}, "rows"),
        ({"x": [None] * 100}, "0 normal training rows"),
        ({"x": np.random.default_rng(0).random(100), "y": [["a"], {}] * 50, "z": np.arange(100)}, "z"),
        ({"x": [f"serial {at}" for at in range(500)]}, "x"),
    ],
)
def test_data_that_cannot_be_fitted_is_refused(data, message):
    with pytest.raises(SurprisalError, match=message):
        Model.fit(data)


def test_hostile_frames_fit():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 3)).round(1), columns=["x", "x", "x_2"])
    with pytest.warns(SurprisalWarning, match="one name"):
        model = Model.fit(frame)
    assert len(set(model.columns)) == 3
    rows = {
        "huge": random.choice([2**63, 0, 5], 300).astype("u8"),
        "object": ["a", None, (1, 2)] * 100,
        "": random.normal(size=300).round(1),
        'quote " comma , \n line': random.normal(size=300).round(1),
        "nul": random.choice(["a\0b", "c"], 300),
    }
    model = Model.fit(rows)
    assert np.isfinite(model.score(rows)).all()
    assert (
        Model.from_bytes(model.to_bytes()).columns
        == model.columns
        == ["huge", "object", "x2", 'quote " comma , \n line', "nul"]
    )


def test_advice_for_infinite_numbers_works():
    random = np.random.default_rng(0)
    rows = {"x": random.choice([np.inf, 1.0, 2.0], 300), "y": random.normal(size=300).round(1)}
    with pytest.raises(SurprisalError, match="column `x`: expected a number.*--missing inf"):
        Model.fit(rows)
    model = Model.fit(rows, missing="inf")
    assert np.isfinite(model.score(rows)).all()


def test_scores_need_the_columns_of_the_fit(model):
    with pytest.raises(SurprisalError, match="no column `fan`"):
        model.score({"load": [1.0], "current": [1.0]})
    with pytest.raises(SurprisalError, match="row 2, column `load`: expected a number, as in other rows, found `high`"):
        model.score({"load": [1.0, "high"], "current": [1.0, 2.0], "fan": ["on", "on"]})
    for value in [np.inf, -np.inf, 1e39]:
        with pytest.raises(SurprisalError, match="row 1, column `load`: expected a number"):
            model.score({"load": [value], "current": [1.0], "fan": ["on"]})
    rows = {"fan": ["on"], "other": ["unread"], "current": [5.0], "load": [50.0]}
    assert model.score(rows).shape == (1,)


def test_pandas_and_pyarrow_are_not_needed(tmp_path):
    code = """
import sys
sys.modules["pandas"] = sys.modules["pyarrow"] = sys.modules["sklearn"] = None
import surprisal
rows = surprisal.datasets.motor()
model = surprisal.Model.fit(rows)
assert model.score(rows).shape == (1000,)
assert isinstance(model.sample(3), dict)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
