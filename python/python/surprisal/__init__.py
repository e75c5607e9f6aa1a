"""Probability models of sensor rows that a microcontroller scores bit for bit as this package does.

From a data frame to a C header:

>>> import pathlib, tempfile
>>> import numpy as np, pandas as pd
>>> from surprisal import Model
>>> random = np.random.default_rng(0)
>>> load = random.normal(50, 5, 2000).round(1)
>>> normal = pd.DataFrame({"load": load, "current": (load / 10 + random.normal(0, 0.1, 2000)).round(2)})
>>> model = Model.fit(normal, flash="16KiB", false_alarm=0.01)
>>> today = pd.DataFrame({"load": [52.0, 60.0], "current": [5.2, 1.0]})
>>> model.is_anomalous(today)
array([False,  True])
>>> model.export(pathlib.Path(tempfile.mkdtemp()) / "motor.h")
"""

from . import datasets
from ._fleet import fit_fleet, fleet_compare, fleet_report
from ._model import Model, SurprisalWarning
from ._results import Blame, Scores
from ._surprisal import SurprisalError, __version__

__all__ = [
    "Blame",
    "Model",
    "Scores",
    "SurprisalError",
    "SurprisalWarning",
    "__version__",
    "datasets",
    "fit_fleet",
    "fleet_compare",
    "fleet_report",
]
