"""One model per machine of a fleet, fitted by Ray."""

from .spark import fit_machine


def fit_fleet(data, by, **options):
    """Fit a model for each machine that the column ``by`` of a DataFrame names, one machine per task of Ray.

    ``options`` are those of :meth:`surprisal.Model.fit`. Returns a DataFrame with a row per machine and the columns
    ``machine``, ``rows``, ``srp`` (the bytes of ``Model.fit(rows, machine=(by, name), **options)``, or None) and ``error`` (why
    the fit failed, or None). Rows that name no machine belong to no model.

    ``surprisal.ray.fit_fleet(frame, by="machine")`` starts Ray unless it runs already. Raises ImportError without Ray.
    """
    import pandas
    import ray

    fit = ray.remote(fit_machine(by, **options))
    tasks = [fit.remote(rows) for _, rows in data.groupby(by, sort=True)]
    return pandas.concat(ray.get(tasks), ignore_index=True)
