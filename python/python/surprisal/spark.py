"""One model per machine of a fleet, fitted by Spark.

``frame.groupBy("machine").applyInPandas(surprisal.spark.fit_machine("machine"), surprisal.spark.SCHEMA)`` gives a row per
machine. The module needs no Spark itself: the function that it makes takes and returns DataFrames of pandas.
"""

from ._model import Model
from ._surprisal import SurprisalError

#: Columns of the rows that the function of :func:`fit_machine` returns.
SCHEMA = "machine string, rows long, srp binary, error string"


def fit_machine(by, **options):
    """Return a function from the rows of one machine, a DataFrame, to a DataFrame with one row, as in :data:`SCHEMA`.

    ``by`` is the column that names the machine, ``options`` are those of :meth:`surprisal.Model.fit`. ``srp`` holds the bytes
    of ``Model.fit(rows, machine=(by, name), **options)``; it is None if the fit failed, and ``error`` says why. A task has one
    core, so ``threads`` is 1 by default.

    >>> import pandas
    >>> from surprisal import datasets
    >>> from surprisal.spark import fit_machine
    >>> rows = pandas.DataFrame({"machine": "A", **datasets.motor()})
    >>> fit_machine("machine")(rows).loc[0, ["machine", "rows", "error"]].tolist()
    ['A', 1000, None]
    """
    options = {"threads": 1, **options}

    def fit(rows):
        import pandas

        name = str(rows[by].iloc[0]).strip()
        srp, error = None, None
        try:
            srp = Model.fit(rows, machine=(by, name), **options).to_bytes()
        except SurprisalError as fault:
            error = str(fault)
        row = {"machine": [name], "rows": [len(rows)], "srp": [srp], "error": [error]}
        return pandas.DataFrame(row, dtype=object)

    return fit
