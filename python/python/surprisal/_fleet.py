"""One model per machine of a fleet: in this process, and as the task of an engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from . import _surprisal
from ._data import source
from ._model import for_core
from ._surprisal import SurprisalError

#: Columns of the rows that the function of :func:`fit_machine` returns, as Spark names them.
SCHEMA = "machine string, rows long, srp binary, error string"


def fit_fleet(
    data: Any,
    by: str,
    folder: str | os.PathLike[str],
    *,
    shared: bool = False,
    threads: int | None = None,
    progress: Callable[[str, int, int], object] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Fit a model for each machine that the column ``by`` names, and write each to ``folder`` as ``MACHINE.srp``.

    The data is read once and the machines are fitted in parallel. ``options`` are those of :meth:`Model.fit`. A model that was
    fitted from the same rows with the same settings is kept, so that a fit that was interrupted goes on where it ended.

    With ``shared``, one table is fitted for all machines as well, and ``MACHINE.cal`` holds a small calibration of it for each machine
    whose own table does not predict its validation rows better. :meth:`Model.load` reads it.

    Returns a list with a dict per machine, in alphabetical order: ``machine``, ``file``, ``rows``, ``error`` (None, or why there
    is no model), ``threshold`` and ``nats`` (mean surprisal per row) of the fit, and ``unlike``: by how many nats the rows
    surprise the model of the typical machine more than their own, for machines that are unlike the others, or None.

    Raises what :meth:`Model.fit` raises, except for faults of one machine, which are in its ``error``.

    >>> import tempfile
    >>> from surprisal import datasets, fit_fleet
    >>> rows = datasets.motor()
    >>> rows["machine"] = ["A", "B"] * 500
    >>> [fit["machine"] for fit in fit_fleet(rows, "machine", tempfile.mkdtemp())]
    ['A', 'B']
    """
    options = for_core(options)
    columns, _ = source(data)
    fleet = (str(by), os.fspath(folder), bool(shared))
    report = json.loads(_surprisal.fit_fleet(columns, fleet, options, threads, progress))
    unlike = dict(report["unlike"])
    rows = []
    for fit in report["machines"]:
        fitted = fit.get("fitted") or {}
        rows.append(
            {
                "machine": fit["machine"],
                "file": fit["file"],
                "rows": fit["rows"],
                "error": fit.get("error"),
                "threshold": fitted.get("threshold"),
                "nats": fitted.get("nats"),
                "unlike": unlike.get(fit["machine"]),
            }
        )
    return rows


def fleet_report(
    data: Any,
    folder: str | os.PathLike[str],
    pages: str | os.PathLike[str],
    *,
    label: str | None = None,
    normal: object = None,
    rate: float | None = None,
    threads: int | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> list[dict[str, Any]]:
    """Write the page of :meth:`Model.report` for each machine with a model in ``folder`` and rows in ``data``, and ``index.html``.

    ``index.html`` in the folder ``pages`` lists all machines; those that need attention come first. ``label`` and ``normal`` are by
    default those of the fits; ``rate`` is the number of rows per second, to show alarms per day.

    Returns a list with a dict per machine in the order of the list, with the fields of ``machines`` that ``surprisal fleet report
    --json`` prints: ``machine``, ``state``, ``rows``, ``page`` (None without one), ``verdict`` and others. A machine that has no page
    because of a fault has the reason in ``error``, and does not stop the others.

    Raises SurprisalError if no model can be read or the rows name no machine, OSError if ``index.html`` cannot be written.

    >>> import tempfile
    >>> from surprisal import datasets, fit_fleet, fleet_report
    >>> rows = datasets.motor()
    >>> rows["machine"] = ["A", "B"] * 500
    >>> folder = tempfile.mkdtemp()
    >>> fits = fit_fleet(rows, "machine", folder)
    >>> sorted(one["page"] for one in fleet_report(rows, folder, folder + "/pages"))
    ['A.html', 'B.html']
    """
    if rate is not None and not 0 < rate < float("inf"):
        raise SurprisalError(f"rate: expected a number of rows per second above zero, found {rate}")
    columns, _ = source(data)
    folders = os.fspath(folder), os.fspath(pages)
    return json.loads(_surprisal.fleet_report(columns, folders, _label(label, normal), rate, threads, progress))


def fleet_compare(
    old: str | os.PathLike[str],
    new: str | os.PathLike[str],
    data: Any = None,
    *,
    label: str | None = None,
    normal: object = None,
    rows: int = 10_000,
    seed: int = 0,
    threads: int | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> list[dict[str, Any]]:
    """Compare the models of each machine in two folders, such as before and after a refit, also on ``data`` if there is any.

    ``rows`` is the number of rows to draw from each model where there are too many possible rows to enumerate. ``label`` and
    ``normal`` are by default those of the fits.

    Returns a list with a dict per machine, those that differ most first, with the fields of ``machines`` that ``surprisal fleet
    compare --json`` prints: ``machine``, ``state`` and, where there is one, ``kl_a_b``, ``kl_b_a``, ``on_normal_data``,
    ``on_anomalous_data`` and ``error``. Models that cannot be compared do not stop the others.

    Raises SurprisalError if no model of a folder can be read, if the rows name no machine, or if the fits of both folders have other
    columns of machines, or of labels without ``label``.

    >>> import tempfile
    >>> from surprisal import datasets, fit_fleet, fleet_compare
    >>> rows = datasets.motor()
    >>> rows["machine"] = ["A", "B"] * 500
    >>> folder = tempfile.mkdtemp()
    >>> fits = fit_fleet(rows, "machine", folder)
    >>> [one["kl_a_b"]["value"] for one in fleet_compare(folder, folder)]
    [0.0, 0.0]
    """
    if not 2 <= rows < 2**32 or not 0 <= seed < 2**64:
        raise SurprisalError(f"rows, seed: expected at least 2 rows and a seed from 0, found {rows} and {seed}")
    columns = None if data is None else source(data)[0]
    folders = os.fspath(old), os.fspath(new)
    return json.loads(_surprisal.fleet_compare(folders, columns, _label(label, normal), (rows, seed), threads, progress))


def _label(label, normal):
    return None if label is None else str(label), None if normal is None else str(normal)


def fit_machine(by: str, *, sort: str | None = None, **options: Any) -> Callable[[Any], Any]:
    """Return a function from the rows of one machine to one row about its model, with the columns of :data:`SCHEMA`.

    ``by`` is the column that names the machine, ``options`` are those of :meth:`Model.fit`. ``srp`` holds the bytes of
    ``Model.fit(rows, machine=(by, name), **options)``; it is None if the fit failed, and ``error`` says why. A task has one
    core, so ``threads`` is 1 by default.

    A model depends on the order of its rows, and an engine that shuffles rows does not keep it. ``sort`` is a column, such as a
    time stamp, by which the rows are sorted first; rows with the same value stay as they come.

    The function takes a DataFrame of pandas and returns one, or takes a Table of Arrow and returns one. Whole numbers with missing
    values are whole numbers in Arrow, and become floats in pandas.

    Raises SurprisalError for a setting that cannot be used.

    >>> import pandas
    >>> from surprisal import datasets
    >>> from surprisal.spark import fit_machine
    >>> rows = pandas.DataFrame({"machine": "A", **datasets.motor()})
    >>> fit_machine("machine")(rows).loc[0, ["machine", "rows", "error"]].tolist()
    ['A', 1000, None]
    """
    row_of = row_of_machine(by, sort, options)

    def fit(rows):
        if hasattr(rows, "iloc"):
            import pandas

            return pandas.DataFrame([row_of(rows)], dtype=object)
        import pyarrow

        types = {"machine": pyarrow.string(), "rows": pyarrow.int64(), "srp": pyarrow.binary(), "error": pyarrow.string()}
        return pyarrow.Table.from_pylist([row_of(rows)], schema=pyarrow.schema(types))

    return fit


def row_of_machine(by, sort, options):
    """Return the function from the rows of one machine to a dict that :func:`fit_machine` makes a table of."""
    options = dict(options)
    threads, progress = options.pop("threads", 1), options.pop("progress", None)
    # What cannot be used is refused before a task begins.
    for_core(options)

    def fit(rows):
        is_frame = hasattr(rows, "iloc")
        if sort is not None:
            rows = rows.sort_values(sort, kind="stable") if is_frame else rows.sort_by(sort)
        name = str(rows[by].iloc[0] if is_frame else rows[by][0]).strip()
        row = {"machine": name, "rows": len(rows), "srp": None, "error": None}
        try:
            columns, _ = source(rows)
            settings = for_core({**options, "machine": (by, name)}, brief=True)
            model = _surprisal.fit(columns, settings, threads, progress)
            return {**row, "srp": model.to_bytes()}
        except SurprisalError as fault:
            return {**row, "error": str(fault)}
        except Exception as fault:  # such as a file that cannot be read: the other machines go on
            return {**row, "error": f"{type(fault).__name__}: {fault}"}

    return fit
