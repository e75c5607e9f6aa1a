"""Rows to try the package with."""

import numpy as np


def motor(rows=1000, seed=0):
    """Return rows of a motor on normal days, as a dict of columns.

    The columns are ``load`` in percent, ``current`` in ampere, which follows the load, and ``fan``, which is ``"on"`` at
    high load.

    >>> motor(rows=2)["fan"].tolist()
    ['on', 'off']
    """
    random = np.random.default_rng(seed)
    load = random.normal(50, 5, rows).round(1)
    current = (load / 10 + random.normal(0, 0.1, rows)).round(2)
    return {"load": load, "current": current, "fan": np.where(load > 50, "on", "off")}
