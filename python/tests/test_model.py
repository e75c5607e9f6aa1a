"""What a model says, how it is stored, and how a fit is watched and stopped."""

import concurrent.futures
import json
import multiprocessing
import pickle
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

import surprisal
from surprisal import Blame, Model, Scores, SurprisalError, SurprisalWarning, _surprisal, datasets, fit_fleet

ODD = {"load": [50.0, 60.0], "current": [5.0, 1.0], "fan": ["off", "on"]}


def test_scores_agree_with_each_other(model, motor):
    scores = model.scores(motor)
    assert scores.raw.dtype == np.uint32 and scores.nats.dtype == np.float64
    assert (scores.raw / 65536 == scores.nats).all()
    assert (model.score_raw(motor) == scores.raw).all()
    assert (model.explain(motor).sum(axis=1) == scores.nats).all()
    assert ((scores.anomaly > model.threshold) == scores.is_anomalous).all()
    assert (model.p_value(motor) == scores.p_value).all()
    assert 0 < scores.is_anomalous.mean() < 0.05
    assert model.blame(ODD)[1] == Blame("current", model.blame(ODD)[1].expected, model.blame(ODD)[1].runner_up)
    assert 5 < float(model.blame(ODD)[1].expected) < 7


def test_rows_of_a_series_without_earlier_rows_have_no_score():
    rows = {"x": np.sin(np.arange(600) / 5).round(2), "run": np.arange(600) // 200}
    model = Model.fit(rows, window=4, session="run")
    scores = model.scores(rows)
    without = np.arange(600) % 200 < 4
    assert (np.isnan(scores.nats) == without).all()
    assert (np.isnan(scores.p_value) == without).all()
    assert ((scores.raw == 2**32 - 1) == without).all()
    assert not scores.is_anomalous[without].any()
    assert (np.isnan(model.explain(rows)).all(axis=1) == without).all()
    assert model.explain(rows).shape == (600, len(model.columns))
    assert np.nansum(model.explain(rows)) == pytest.approx(np.nansum(scores.nats))
    assert [fault is None for fault in model.blame(rows)] == without.tolist()


def test_scores_are_a_table_of_arrow(tmp_path):
    rows = {"x": np.sin(np.arange(600) / 5).round(2)}
    scores = Model.fit(rows, window=4).scores(rows)
    table = pa.table(scores)
    assert [str(field.type) for field in table.schema] == ["uint32", "double", "double", "double", "bool"]
    assert all(column.null_count == 4 for column in table.columns)
    assert (table["nats"].to_numpy()[4:] == scores.nats[4:]).all()
    pyarrow.parquet.write_table(table, tmp_path / "scores.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "scores.parquet").equals(table)


def test_scores_are_a_table_of_arrow_without_pyarrow():
    program = """
import gc, sys
sys.modules["pyarrow"] = sys.modules["pandas"] = None
import numpy as np
from surprisal import Model
rows = {"x": np.sin(np.arange(600) / 5).round(2)}
scores = Model.fit(rows, window=4).scores(rows)
# An array that nobody reads is released with its capsules.
capsules = [scores.__arrow_c_array__() for _ in range(100)]
assert [name in repr(capsule) for name, capsule in zip(['"arrow_schema"', '"arrow_array"'], capsules[0])] == [True, True]
del capsules
gc.collect()
try:
    import polars
except ImportError:
    sys.exit()
frame = polars.DataFrame(scores)
assert frame.columns == ["raw", "nats", "anomaly", "p_value", "is_anomalous"], frame
assert [str(kind) for kind in frame.dtypes] == ["UInt32", "Float64", "Float64", "Float64", "Boolean"], frame
assert frame.null_count().row(0) == (4,) * 5
assert frame["nats"].to_list()[4:] == scores.nats[4:].tolist()
assert frame["is_anomalous"].to_list()[4:] == scores.is_anomalous[4:].tolist()
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_array_of_arrow_is_that_of_arrays_of_any_kind_or_an_error():
    rows = datasets.motor()
    scores = Model.fit(rows).scores(rows)
    swapped = {name: values.astype(values.dtype.newbyteorder("S")) for name, values in vars(scores).items()}
    assert pa.table(Scores(**swapped)).equals(pa.table(scores))
    parts = {name: np.repeat(values, 2)[::2] for name, values in vars(scores).items()}
    assert pa.table(Scores(**parts)).equals(pa.table(scores))
    # Columns of another length, longer or shorter, and parts of numbers.
    for name, width in [("raw", 4), ("anomaly", 8), ("is_anomalous", 1)]:
        values = getattr(scores, name)
        for other in [values[:-1], np.append(values, values[:1])]:
            message = f"{name}: expected {width * len(values)} bytes for {len(values)} rows, found {width * len(other)}"
            with pytest.raises(ValueError, match=message):
                replace(scores, **{name: other}).__arrow_c_array__()
    with pytest.raises(ValueError, match="x: expected 8 bytes for 2 rows, found 9"):
        _surprisal.arrow_array([("x", "u4", bytes(9))], bytes(2))


def test_an_array_of_arrow_outlives_its_scores():
    rows = datasets.motor()
    scores = Model.fit(rows).scores(rows)
    nats, table = scores.nats.tolist(), pa.table(scores)
    del scores
    assert table["nats"].to_pylist() == nats and table["raw"].null_count == 0
    none = Scores(*(np.array([], kind) for kind in ("u4", "f8", "f8", "f8", "?")))
    assert pa.table(none).num_rows == 0
    reader = pa.RecordBatchReader.from_stream(Scores(*(np.array([1], kind) for kind in ("u4", "f8", "f8", "f8", "?"))))
    assert reader.read_all().to_pylist() == [{"raw": 1, "nats": 1.0, "anomaly": 1.0, "p_value": 1.0, "is_anomalous": True}]
    with pytest.raises(ValueError, match="nats: expected an array of the type u4, f8 or b1, found f4"):
        Scores(none.raw, *(np.array([], "f4"),) * 4).__arrow_c_array__()


def test_a_report_is_that_of_the_command(command, tmp_path):
    rows = pd.DataFrame(datasets.motor()).assign(fault=[0] * 990 + [1] * 10)
    rows.loc[990:, "current"] += 2
    rows.to_csv(tmp_path / "rows.csv", index=False)
    model = Model.fit(rows, label="fault")
    model.save(tmp_path / "motor.srp")
    numbers = model.report(rows, tmp_path / "page.html", rate=2.0)
    text = command("report", tmp_path / "motor.srp", tmp_path / "rows.csv", "--rate", "2", "-o", tmp_path / "own.html", "--json")
    expected = json.loads(text)
    assert numbers["detection"] == expected["detection"] and numbers["detection"]["recall"]["share"] == 1.0
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(SurprisalError, match="no column `absent`"):
        model.report(rows, tmp_path / "page.html", label="absent")
    with pytest.raises(SurprisalError, match="rate"):
        model.report(rows, tmp_path / "page.html", rate=0)
    with pytest.raises((OSError, SurprisalError), match="rows.csv"):
        model.report(tmp_path / "rows.csv", tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text().startswith("load")


def test_machines_share_a_table(tmp_path):
    rows = pd.DataFrame(datasets.motor(rows=4000)).assign(machine=["A", "B", "C", "D"] * 1000)
    fits = fit_fleet(rows, "machine", tmp_path, shared=True)
    assert {fit["file"].split(".")[1] for fit in fits} <= {"cal", "srp"} and "cal" in fits[0]["file"]
    model = Model.load(tmp_path / "A.cal")
    assert model.threshold == fits[0]["threshold"]
    assert model.is_anomalous(rows).mean() < 0.05


def test_models_are_stored_and_pickled(model, motor, tmp_path):
    for copy in (Model.from_bytes(model.to_bytes()), pickle.loads(pickle.dumps(model))):
        assert copy.to_bytes() == model.to_bytes()
        assert (copy.score_raw(motor) == model.score_raw(motor)).all()
        assert copy.fit_report is None and model.fit_report["train_rows"] == 700
    with pytest.raises(FileNotFoundError) as caught:
        Model.load(tmp_path / "absent.srp")
    assert caught.value.filename == str(tmp_path / "absent.srp")
    with pytest.raises(OSError):
        model.save(tmp_path / "absent" / "model.srp")
    with pytest.raises(OSError):
        Model.fit(tmp_path / "absent.csv")
    for damaged in (b"", b"SRPL", model.table_bytes(), model.to_bytes()[:-1], model.to_bytes()[:-9] + b"000000000"):
        with pytest.raises(SurprisalError):
            Model.from_bytes(damaged)
    with pytest.raises(SurprisalError, match="ends in .rs"):
        model.export(tmp_path / "model.txt")
    with pytest.raises(TypeError):
        Model(None)


def test_threads_do_not_change_the_result(motor):
    expected = Model.fit(motor).to_bytes()
    for threads in (1, 2, 5):
        assert Model.fit(motor, threads=threads).to_bytes() == expected
    for threads in (0, 5000):
        with pytest.raises(ValueError, match="threads"):
            Model.fit(motor, threads=threads)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: Model.fit(motor), range(8)))
        scores = list(pool.map(lambda model: model.score_raw(motor).tobytes(), models))
    assert {model.to_bytes() for model in models} == {expected}
    assert len(set(scores)) == 1


def _score_in_child(model, rows, queue):
    queue.put(model.score_raw(rows).tobytes())


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(model, motor):
    expected = model.score_raw(motor).tobytes()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_score_in_child, args=(model, motor, queue))
    child.start()
    assert queue.get(timeout=60) == expected
    child.join()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"family": "none"}, "--family"),
        ({"flash": 10}, "--flash"),
        ({"flash": "16 apples"}, "flash: expected a size"),
        ({"false_alarm": 0.0}, "--false-alarm"),
        ({"false_alarm": 2.0}, "--false-alarm"),
        ({"false_alarm": float("nan")}, "--false-alarm"),
        ({"cells": 1}, "cells: expected a whole number from 2 to 256"),
        ({"window": 0}, "window"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"gamma": -1.0}, "gamma"),
        ({"contamination": 0.7}, "contamination"),
        ({"label": "absent"}, "no column `absent`"),
        ({"label": "fan", "normal": "never"}, "one of `o"),
        ({"given": ["absent"]}, "absent"),
        ({"session": "fan"}, "session"),
        ({"machine": ("fan", "absent")}, "no row of the machine"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(motor, options, message):
    with pytest.raises(SurprisalError, match=message):
        Model.fit(motor, **options)


def test_unknown_settings_are_refused(motor, tmp_path):
    with pytest.raises(TypeError):
        Model.fit(motor, colour="red")
    with pytest.raises(TypeError, match="colour"):
        fit_fleet(motor, "fan", tmp_path, colour="red")


def test_like_keeps_the_columns_of_an_earlier_model(model, motor, tmp_path):
    shuffled = {name: motor[name] for name in ("fan", "current", "load")}
    model.save(tmp_path / "model.srp")
    for like in (model, tmp_path / "model.srp"):
        assert Model.fit(shuffled, like=like, seed=1).fingerprint == model.fingerprint


def test_unknown_texts_and_missing_readings_warn(model):
    with pytest.warns(SurprisalWarning, match="melted"):
        model.score({"load": [50.0], "current": [5.0], "fan": ["melted"]})
    with pytest.warns(SurprisalWarning, match="no reading in 1 of 1 row"):
        model.score({"load": [np.nan], "current": [5.0], "fan": ["on"]})


def test_a_fleet_tells_machines_that_fail(tmp_path):
    rows = pd.DataFrame(datasets.motor()).assign(machine=["A"] * 990 + ["B"] * 10)
    fits = fit_fleet(rows, "machine", tmp_path)
    assert [fit["file"] for fit in fits] == ["A.srp", None]
    assert "needed" in fits[1]["error"]
    assert fits[0]["threshold"] == Model.load(tmp_path / "A.srp").threshold
    with pytest.raises(SurprisalError, match="no column `absent`"):
        fit_fleet(rows, "absent", tmp_path)


def test_an_engine_fits_the_bytes_of_one_machine():
    from surprisal.spark import SCHEMA, fit_machine

    rows = pd.DataFrame(datasets.motor()).assign(machine="A")
    fitted = fit_machine("machine", seed=2)(rows)
    assert list(fitted) == [column.split()[0] for column in SCHEMA.split(", ")]
    assert fitted.loc[0, "srp"] == Model.fit(rows, machine=("machine", "A"), seed=2).to_bytes()
    failed = fit_machine("machine")(rows[:5])
    assert failed.loc[0, "srp"] is None and "needed" in failed.loc[0, "error"]


def test_progress_is_reported(motor):
    calls = []
    Model.fit(motor, progress=lambda *call: calls.append(call))
    assert calls
    for stage, done, steps in calls:
        assert isinstance(stage, str) and 0 <= done and 0 <= steps


def test_an_exception_of_progress_ends_the_fit():
    class Enough(Exception):
        pass

    def stop(*_):
        raise Enough

    with pytest.raises(Enough):
        Model.fit(datasets.motor(rows=20_000), progress=stop)


def test_ctrl_c_ends_a_fit(tmp_path):
    code = """
import numpy as np, signal, surprisal, sys
# A shell that starts the tests in the background makes their children ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
rows = np.random.default_rng(0).normal(size=(20_000, 20)).cumsum(axis=1)
def began(*_):
    print("began", flush=True)
try:
    surprisal.Model.fit(rows, family="auto", progress=began)
except KeyboardInterrupt:
    sys.exit(7)
"""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=tmp_path)
    assert child.stdout.readline() == b"began\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=60) == 7


def test_the_package_is_typed_and_complete():
    import pathlib

    folder = pathlib.Path(surprisal.__file__).parent
    assert (folder / "py.typed").exists()
    stubs = (folder / "_surprisal.pyi").read_text()
    for name in dir(surprisal._surprisal.Model) + dir(surprisal._surprisal):
        assert name.startswith("__") or f" {name}" in stubs, name
    assert all(getattr(surprisal, name).__doc__ for name in surprisal.__all__ if name != "__version__")
