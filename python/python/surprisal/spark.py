"""One model per machine of a fleet, fitted by Spark.

``frame.groupBy("machine").applyInPandas(surprisal.spark.fit_machine("machine"), surprisal.spark.SCHEMA)`` gives a row per
machine, and so does ``applyInArrow``. The module needs no Spark itself.
"""

from ._fleet import SCHEMA, fit_machine

__all__ = ["SCHEMA", "fit_machine"]
