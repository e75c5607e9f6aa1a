"""One model per machine of a fleet, fitted by Ray."""

from ._fleet import row_of_machine
from .parquet import dataset


def fit_fleet(data, by, *, sort=None, **options):
    """Fit a model for each machine that the column ``by`` names, one machine per task of Ray.

    ``data`` is a DataFrame, or a folder of Parquet files whose columns have the same names: a path that all nodes see, the address
    of an object store such as ``"s3://bucket/fleet"``, or a ``pyarrow.dataset.Dataset``. Each task reads the rows of its own
    machine. Parts of a path such as ``machine=A`` are columns, and tell which files to read: ``machine=pump%207`` holds the rows of
    ``pump 7``, and ``machine=007`` those of ``007``. In other folders a task skips the row groups whose statistics exclude its
    machine, and reads all others.

    ``sort`` and ``options`` are those of :func:`surprisal.spark.fit_machine`. Returns a DataFrame with a row per machine and the
    columns ``machine``, ``rows``, ``srp`` (the bytes of ``Model.fit(rows, machine=(by, name), **options)``, or None) and ``error``
    (why the fit failed, or None). Rows that name no machine belong to no model.

    A task whose worker dies runs again, up to three times; after that it is a row with an ``error``.

    ``surprisal.ray.fit_fleet("fleet", by="machine")`` starts Ray unless it runs already. Raises ImportError without Ray, and
    SurprisalError for a setting that cannot be used.
    """
    import pandas
    import ray
    from ray.exceptions import RayError, RayTaskError

    fit = row_of_machine(by, sort, options)
    if isinstance(data, pandas.DataFrame):
        parts = [(str(name), rows) for name, rows in data.groupby(by, sort=True)]
        task = ray.remote(fit)
    else:
        files = dataset(data, by)
        parts = [(str(name), name) for name in _names(files, by)]
        task = ray.remote(lambda name: fit(files.to_table(filter=_is(by, name))))
    tasks = [(machine, task.remote(part)) for machine, part in parts]
    rows = []
    for machine, running in tasks:
        try:
            rows.append(ray.get(running))
        except RayTaskError:
            # An exception of the fit, not a fault of the cluster.
            raise
        except RayError as fault:
            rows.append({"machine": machine, "rows": None, "srp": None, "error": f"its worker died: {fault}"})
    return pandas.DataFrame(rows, columns=["machine", "rows", "srp", "error"], dtype=object)


def _is(by, name):
    import pyarrow.dataset as datasets

    return datasets.field(by) == name


def _names(files, by):
    """Return the values of a column in ascending order, without those that are missing."""
    names = set()
    for batch in files.to_batches(columns=[by]):
        names.update(batch.column(0).unique().drop_null().to_pylist())
    return sorted(names)
