"""A fit of a data frame and a fit of its file by the command give the same tables, and the same scores."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from conftest import mixed_rows

from surprisal import Model, SurprisalError, SurprisalWarning, datasets, fit_fleet, fleet_compare, fleet_report

CASES = {
    "plain": ({"time": "when"}, ["--time", "when"]),
    "ignored": ({"ignore": ["when", "name"], "seed": 3}, ["--ignore", "when", "--ignore", "name", "--seed", "3"]),
    "label": (
        {"label": "pump", "normal": "True", "time": ["when"]},
        ["--label", "pump", "--normal", "True", "--time", "when"],
    ),
    "given": ({"given": "mode", "time": "when", "cells": 8}, ["--given", "mode", "--time", "when", "--cells", "8"]),
    "flash": (
        {"flash": "6KiB", "family": "tables", "time": "when", "false_alarm": 0.02, "average_run_length": 500},
        "--flash 6KiB --family tables --time when --false-alarm 0.02 --average-run-length 500".split(),
    ),
    "bits": (
        {"family": "mixture", "components": 2, "ignore": ["when", "name", "large"]},
        "--family mixture --components 2 --ignore when --ignore name --ignore large".split(),
    ),
    "window": (
        {"window": 3, "session": "step", "ignore": ["name", "mode"], "time": "when"},
        "--window 3 --session step --ignore name --ignore mode --time when".split(),
    ),
    "missing": ({"missing": ["step=4"], "ignore": "when"}, ["--missing", "step=4", "--ignore", "when"]),
    "contamination": ({"contamination": 0.02, "ignore": "when"}, ["--contamination", "0.02", "--ignore", "when"]),
}


@pytest.fixture(params=CASES, scope="module")
def both(request, command, tmp_path_factory):
    """Return (frame, its file, model of the frame, file of the command's model) of a case."""
    options, arguments = CASES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    frame = mixed_rows()
    if request.param == "window":
        frame["step"] = np.arange(len(frame)) // 300
        frame[["load", "nullable"]] = frame[["load", "nullable"]].ffill().bfill()
    frame.to_csv(folder / "rows.csv", index=False)
    command("fit", folder / "rows.csv", *arguments, "-o", folder / "command.srp")
    return frame, folder / "rows.csv", Model.fit(frame, **options), folder / "command.srp"


def test_tables_are_the_same_bytes(both):
    _, file, model, of_command = both
    assert model.table_bytes() == Model.load(of_command).table_bytes()
    assert model.fingerprint == Model.load(of_command).fingerprint


def test_scores_are_those_of_the_command(both, command):
    frame, file, model, of_command = both
    rows = pd.read_csv(io.StringIO(command("score", of_command, file)))
    scores = model.scores(frame)
    scored = ~np.isnan(scores.nats)
    assert scored.sum() == len(rows) > 1000
    assert (scores.nats[scored] == rows["nats"]).all()
    assert (scores.anomaly[scored] == rows["anomaly"]).all()
    assert (scores.p_value[scored] == rows["p"]).all()
    assert (scores.is_anomalous[scored] == (rows["anomalous"] == 1)).all()
    assert scored.all() == ("window" not in file.parent.name)


def test_a_path_is_read_as_the_command_reads_it(both):
    frame, file, model, of_command = both
    loaded = Model.load(of_command)
    scores = model.scores(frame).raw
    assert (loaded.score_raw(file) == scores[scores < 2**32 - 1]).all()
    assert loaded.explain(str(file)).shape == (len(loaded.score(file)), len(model.columns))


def test_a_fit_of_the_path_is_that_of_the_command(command, tmp_path, mixed):
    file = tmp_path / "rows.csv"
    mixed.to_csv(file, index=False)
    command("fit", file, "--ignore", "when", "-o", tmp_path / "command.srp")
    model = Model.fit(file, ignore="when")
    assert model.to_bytes() == (tmp_path / "command.srp").read_bytes()
    model.save(tmp_path / "python.srp")
    assert (tmp_path / "python.srp").read_bytes() == model.to_bytes()


def test_a_machine_is_the_same_file_from_any_source(command, tmp_path, mixed):
    frame = mixed.drop(columns=["when", "name"]).assign(machine=np.array(["A", "B", "C"])[np.arange(len(mixed)) % 3])
    file = tmp_path / "rows.csv"
    frame.to_csv(file, index=False)
    fits = fit_fleet(frame, "machine", tmp_path / "frame")
    fit_fleet(file, by="machine", folder=tmp_path / "file")
    assert [(fit["machine"], fit["rows"], fit["error"]) for fit in fits] == [(name, 500, None) for name in "ABC"]
    for fit in fits:
        expected = (tmp_path / "frame" / fit["file"]).read_bytes()
        assert (tmp_path / "file" / fit["file"]).read_bytes() == expected
        assert Model.fit(frame, machine=("machine", fit["machine"])).to_bytes() == expected
        alone = frame[frame["machine"] == fit["machine"]]
        assert Model.fit(alone, machine=("machine", fit["machine"])).to_bytes() == expected


def test_pages_and_comparisons_of_a_fleet_are_those_of_the_command(command, tmp_path, motor):
    rows = pd.DataFrame(motor).assign(machine=["A", "pump 7"] * 500)
    # The second machine is louder from now on, and a third one is new.
    fresh = pd.DataFrame(datasets.motor(seed=1)).assign(machine=["A", "pump 7"] * 500)
    fresh.loc[fresh["machine"] == "pump 7", "current"] += 2
    fresh.loc[:99, "machine"] = "new"
    file = tmp_path / "fresh.csv"
    fresh.to_csv(file, index=False)
    for folder, of in [("old", rows), ("new", fresh)]:
        fit_fleet(of, "machine", tmp_path / folder, false_alarm=0.05)
    printed = json.loads(command("fleet", "report", tmp_path / "old", file, "-o", tmp_path / "command", "--rate", 2, "--json"))
    for name, data in [("file", file), ("frame", fresh)]:
        pages = fleet_report(data, tmp_path / "old", tmp_path / name, rate=2)
        assert [one["state"] for one in pages] == ["alarms", "no-model", "ok"]
        assert pages == printed["machines"]
        assert sorted(page.name for page in (tmp_path / name).iterdir()) == ["A.html", "index.html", "pump%207.html"]
        # The pages name the file.
        assert name == "frame" or (tmp_path / "file" / "A.html").read_bytes() == (tmp_path / "command" / "A.html").read_bytes()
    printed = json.loads(command("fleet", "compare", tmp_path / "old", tmp_path / "new", file, "-n", 500, "--seed", 3, "--json"))
    for data in [file, fresh]:
        assert fleet_compare(tmp_path / "old", tmp_path / "new", data, rows=500, seed=3) == printed["machines"]
    assert [one["machine"] for one in printed["machines"]] == ["pump 7", "A", "new"]
    with pytest.raises(SurprisalError, match="no column `machine`"):
        fleet_report(motor, tmp_path / "old", tmp_path / "frame")
    with pytest.raises(SurprisalError, match="holds no model of a machine"):
        fleet_compare(tmp_path / "old", tmp_path / "frame")
    with pytest.raises(SurprisalError, match="rate"):
        fleet_report(fresh, tmp_path / "old", tmp_path / "frame", rate=0)
    with pytest.raises(SurprisalError, match="rows, seed"):
        fleet_compare(tmp_path / "old", tmp_path / "new", rows=1)


def test_samples_and_exports_are_those_of_the_command(command, tmp_path, model):
    model.save(tmp_path / "motor.srp")
    drawn = pd.read_csv(io.StringIO(command("sample", tmp_path / "motor.srp", "-n", "50", "--seed", "7")))
    pd.testing.assert_frame_equal(model.sample(50, seed=7), drawn, check_dtype=False)
    for ending in ("rs", "h", "srp"):
        (tmp_path / "command").mkdir(exist_ok=True)
        (tmp_path / "python").mkdir(exist_ok=True)
        command("export", tmp_path / "motor.srp", "-o", tmp_path / "command" / f"motor.{ending}")
        model.export(tmp_path / "python" / f"motor.{ending}")
    written = {path.name: path.read_bytes() for path in (tmp_path / "python").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "command").iterdir()}
    assert set(written) == {"motor.rs", "motor.h", "motor.srp", "surprisal.h", "surprisal.c"}


def test_unknown_and_missing_readings_are_scored_as_the_command_does(command, tmp_path, model):
    rows = pd.DataFrame(
        {"load": [50.0, np.nan, 1e30, -1e30], "current": [5, 5, 5, 5], "fan": ["off", "on", "melted", None]}
    )
    rows.to_csv(tmp_path / "rows.csv", index=False)
    model.save(tmp_path / "motor.srp")
    expected = pd.read_csv(io.StringIO(command("score", tmp_path / "motor.srp", tmp_path / "rows.csv")))
    with pytest.warns(SurprisalWarning) as warned:
        assert (model.score(rows) == expected["nats"]).all()
    assert len(warned) == 3 and "melted" in str(warned[0].message)
