"""The class ``Model``."""

from __future__ import annotations

import inspect
import json
import os
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import _surprisal
from ._data import source
from ._options import checked
from ._results import NAT, Blame, Scores, numbers, row_indices, spread
from ._stored import StoredModel
from ._surprisal import SurprisalError


class SurprisalWarning(UserWarning):
    """Data that can be used, but may spoil a fit or a score. The message says what to do."""


class Model(StoredModel):
    """A fitted model: the table of a board, and the names of its columns.

    Make one with :meth:`fit`, :meth:`load` or :meth:`from_bytes`. A model never changes, can be pickled, and can be used from
    several threads at a time.

    Every method that takes ``data`` takes a pandas DataFrame, a NumPy array with two axes (columns ``x0``, ``x1``, …) or with
    named fields, a pyarrow Table or anything else with ``__arrow_c_stream__``, a dict of columns, or the path of a file.
    ``None``, ``NaN``, ``NA`` and ``NaT`` are missing readings.
    """

    __slots__ = ()

    @classmethod
    def fit(
        cls,
        data: Any,
        *,
        label: str | None = None,
        normal: object = "0",
        ignore: str | Iterable[str] = (),
        given: str | Iterable[str] = (),
        time: str | Iterable[str] = (),
        missing: str | Iterable[str] = (),
        machine: tuple[str, object] | None = None,
        window: int | None = None,
        session: str | None = None,
        schema: str | os.PathLike[str] | None = None,
        like: Model | str | os.PathLike[str] | None = None,
        family: str | None = None,
        flash: int | str | None = None,
        ram: int | str | None = None,
        ops: int | None = None,
        seed: int = 0,
        false_alarm: float = 0.01,
        average_run_length: int = 10_000,
        max_rows: int | None = None,
        contamination: float | str | None = None,
        may_fail: float | None = None,
        keep: str | Iterable[str] = (),
        keep_constant: bool = False,
        cells: int | None = None,
        order: str | None = None,
        strength: float | None = None,
        gamma: float | None = None,
        components: int | None = None,
        units: int | None = None,
        views: int | None = None,
        prototypes: int | None = None,
        valid: str | os.PathLike[str] | None = None,
        calibrate: str | os.PathLike[str] | None = None,
        test: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        progress: Callable[[str, int, int], object] | None = None,
    ) -> Model:
        """Fit a model of normal rows.

        The settings are those of the command ``surprisal fit``, whose ``--help`` explains each; a fit of a data frame gives
        the same table as the command gives for the file that ``to_csv(index=False)`` writes. The result depends on the data,
        the settings and ``seed`` only, and not on ``threads``.

        Args:
            data: Normal rows, at least 30 of them: see :class:`Model`.
            label: Column that marks anomalies; only rows whose label is ``normal`` are fitted.
            ignore, given, time: Columns that are left out, that are context only, that hold the time stamp.
            missing: Codes of missing readings such as ``"-999"``, or ``"column=code"``.
            machine: (column, name): fit only the rows of this machine.
            window: Number of earlier rows on which a row depends, 1 to 4096, for a time series; ``session`` is a column that
                changes where another series begins.
            schema: Path of a schema file. like: Earlier model, or its path, whose columns and codes are kept.
            family: Name of the family of models, for example ``"tables"``.
            flash, ram: Largest sizes in bytes, or as text such as ``"16KiB"``. ops: largest number of operations per row.
            false_alarm: Share of normal rows that may be called anomalous, from 1e-6 to below 1.
            average_run_length: Mean number of normal rows between alarms of the cumulative sum, at least 2.
            valid, calibrate, test: Paths of files with further rows.
            threads: Number of threads; one per core by default.
            progress: Function that is called with (stage, steps done, steps in all), at most 20 times per second. An
                exception that it raises ends the fit.

        Raises:
            SurprisalError: The data or a setting cannot be used; settings have the names of the command line.
            OSError: A file cannot be read.
            TypeError: The data is of a type that cannot be read.
            KeyboardInterrupt: Ctrl-C.

        >>> from surprisal import Model, datasets
        >>> model = Model.fit(datasets.motor(), flash="16KiB")
        >>> model.columns
        ['load', 'current', 'fan']
        >>> model.fit_report["train_rows"]
        700
        """
        options = {name: value for name, value in locals().items() if name in _OPTIONS}
        columns, _ = source(data)
        core = _surprisal.fit(columns, for_core(options), threads, progress)
        model = cls(core)
        for found in json.loads(core.report or "{}").get("warnings", []):
            column = f" column `{found['column']}`:" if found["column"] else ""
            warnings.warn(f"{found['file']}:{column} {found['message']}", SurprisalWarning, stacklevel=2)
        return model

    def scores(self, data: Any) -> Scores:
        """Score rows, and return everything a score says as :class:`Scores`, whose arrays have the shape (rows,).

        A row of a time series without enough earlier rows, and a row of another machine, has no score. For the path of a file,
        the arrays have an entry for each row that has a score.

        Raises SurprisalError if a column is absent or a cell cannot be read. Warns with SurprisalWarning of texts that no
        training row has, and of readings that no training row misses; both are scored as on the board.

        >>> from surprisal import Model, datasets
        >>> model = Model.fit(datasets.motor())
        >>> scores = model.scores({"load": [50, 60], "current": [5.0, 1.0], "fan": ["off", "on"]})
        >>> scores.is_anomalous
        array([False,  True])
        """
        columns, rows = source(data)
        scored, found = self._core.score(columns)
        for message in found:
            warnings.warn(message, SurprisalWarning, stacklevel=3)
        return Scores.of_columns(scored, rows)

    def score(self, data: Any) -> np.ndarray:
        """Return the surprisal of each row, -ln p(row), in nats: float64 of the shape (rows,). See :meth:`scores`.

        >>> from surprisal import Model, datasets
        >>> rows = datasets.motor()
        >>> nats = Model.fit(rows).score(rows)
        >>> nats.shape, bool((nats > 0).all())
        ((1000,), True)
        """
        return self.scores(data).nats

    def score_raw(self, data: Any) -> np.ndarray:
        """Return the surprisal of each row in units of 1/65536 nat, as the board has it: uint32 of the shape (rows,).

        >>> from surprisal import Model, datasets
        >>> rows = datasets.motor()
        >>> model = Model.fit(rows)
        >>> bool((model.score_raw(rows) / 65536 == model.score(rows)).all())
        True
        """
        return self.scores(data).raw

    def anomaly(self, data: Any) -> np.ndarray:
        """Return the anomaly score of each row in nats, which the threshold is for: float64 of the shape (rows,).

        >>> from surprisal import Model, datasets
        >>> rows = datasets.motor()
        >>> model = Model.fit(rows)
        >>> bool(((model.anomaly(rows) > model.threshold) == model.is_anomalous(rows)).all())
        True
        """
        return self.scores(data).anomaly

    def p_value(self, data: Any) -> np.ndarray:
        """Return the share of normal rows that are as anomalous as each row or more, 0 to 1: float64 of the shape (rows,).

        >>> from surprisal import Model, datasets
        >>> model = Model.fit(datasets.motor())
        >>> bool(model.p_value({"load": [60], "current": [1.0], "fan": ["on"]})[0] < 0.01)
        True
        """
        return self.scores(data).p_value

    def is_anomalous(self, data: Any) -> np.ndarray:
        """Return whether each row is anomalous: bool of the shape (rows,). Without a threshold, no row is.

        >>> from surprisal import Model, datasets
        >>> model = Model.fit(datasets.motor())
        >>> model.is_anomalous({"load": [50, 60], "current": [5.0, 1.0], "fan": ["off", "on"]})
        array([False,  True])
        """
        return self.scores(data).is_anomalous

    def explain(self, data: Any) -> np.ndarray:
        """Return the nats of each column of each row: float64 of the shape (rows, len(columns)).

        The nats of a row add up to its score exactly.

        >>> from surprisal import Model, datasets
        >>> rows = datasets.motor()
        >>> model = Model.fit(rows)
        >>> bool((model.explain(rows).sum(axis=1) == model.score(rows)).all())
        True
        """
        columns, rows = source(data)
        names, (lines, raw) = self._core.explain(columns)
        nats = np.frombuffer(raw, np.uint32).reshape(-1, len(names)) / NAT
        # The last states of a time series come last; they are context and cost nothing.
        nats = nats[:, : len(self.columns)]
        return spread(nats, row_indices(lines), rows, np.nan)

    def blame(self, data: Any) -> list[Blame | None]:
        """Return the column that is most likely at fault in each row as a list of :class:`Blame`; None without a score.

        The work per row is many times that of a score, so pass anomalous rows only.

        >>> from surprisal import Model, datasets
        >>> model = Model.fit(datasets.motor())
        >>> model.blame({"load": [60], "current": [1.0], "fan": ["on"]})[0].column
        'current'
        """
        columns, rows = source(data)
        lines, faults = self._core.blame(columns)
        found = [Blame(*fault) for fault in faults]
        if rows is None:
            return list(found)
        faults_of_rows: list[Blame | None] = [None] * rows
        for at, fault in zip(row_indices(lines).tolist(), found):
            faults_of_rows[at] = fault
        return faults_of_rows

    def report(
        self,
        data: Any,
        path: str | os.PathLike[str],
        *,
        label: str | None = None,
        normal: object = "0",
        rate: float | None = None,
    ) -> dict[str, Any]:
        """Write a page of HTML that shows whether the model is good enough for these rows, and return its numbers.

        The page and the numbers are those of the command ``surprisal report``. ``label`` and ``normal`` are as for :meth:`fit`,
        by default those of the fit; ``rate`` is the number of rows per second, to show alarms per day. Pass rows that the fit has
        not seen.

        Raises SurprisalError if the rows cannot be scored, OSError if the file cannot be written.

        >>> import pathlib, tempfile
        >>> from surprisal import Model, datasets
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "motor.html"
        >>> Model.fit(datasets.motor()).report(datasets.motor(seed=1), path)["detection"]["rows"]
        1000
        """
        if rate is not None and not 0 < rate < float("inf"):
            raise SurprisalError(f"rate: expected a number of rows per second above zero, found {rate}")
        columns, _ = source(data)
        labels = None if label is None else (str(label), str(normal))
        return json.loads(self._core.write_report(columns, os.fspath(path), "model", labels, rate))

    def sample(self, n: int, seed: int = 0) -> Any:
        """Draw ``n`` rows: a DataFrame if pandas is installed, otherwise a dict of arrays. The same seed draws the same rows.

        A column whose cells are numbers is an array of numbers, in which NaN is a missing reading.
        Raises SurprisalError if the model takes a column as given.

        >>> from surprisal import Model, datasets
        >>> len(Model.fit(datasets.motor()).sample(5)["load"])
        5
        """
        names, rows = self._core.sample(n, seed)
        columns = {name: numbers([row[at] for row in rows]) for at, name in enumerate(names)}
        try:
            import pandas
        except ImportError:
            return columns
        return pandas.DataFrame(columns)


def for_core(options, brief=False):
    """Return the settings of a fit as the compiled part expects them. Raises SurprisalError for one that cannot be used.

    A brief report leaves out the comparison with another family, which takes longer than the fit of a small file.
    """
    unknown = sorted(set(options) - set(_OPTIONS))
    if unknown:
        raise TypeError(f"unexpected settings: {', '.join(unknown)}")
    options = checked({**_OPTIONS, **options})
    like = options["like"]
    if like is not None:
        model, name = (like, "the earlier model") if isinstance(like, Model) else (Model.load(like), os.fspath(like))
        options["like"] = (model._core, name)
    return {**options, "brief": brief}


#: Defaults of the settings of a fit.
_OPTIONS = {
    name: parameter.default
    for name, parameter in inspect.signature(Model.fit).parameters.items()
    if name not in ("data", "threads", "progress")
}
