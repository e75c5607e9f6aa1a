"""Checks the settings of a fit, and brings them into the form that the compiled part expects."""

import math
import os
import re

from ._surprisal import SurprisalError

#: Whole numbers: setting to its least and its largest value.
_RANGES = {
    "average_run_length": (2, 1_000_000_000),
    "cells": (2, 256),
    "components": (1, 64),
    "max_rows": (0, 2**48),
    "ops": (1, 2**48),
    "prototypes": (2, 255),
    "seed": (0, 2**64 - 1),
    "units": (1, 256),
    "views": (1, 2),
    "window": (1, 4096),
}
_UNITS = {"": 1, "b": 1, "k": 1024, "kb": 1024, "kib": 1024, "m": 1024**2, "mb": 1024**2, "mib": 1024**2}


def checked(options):
    """Return the settings as a dict that the compiled part reads."""
    options = dict(options)
    for name in ("ignore", "given", "time", "keep", "missing"):
        options[name] = _names(options[name])
    for name, (least, most) in _RANGES.items():
        if options[name] is not None:
            options[name] = _whole(name, options[name], least, most)
    for name in ("flash", "ram"):
        options[name] = _size(name, options[name])
    for name in ("gamma", "strength"):
        value = options[name]
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise SurprisalError(f"{name}: expected a number that is zero or more, for example 2.5, found {value}")
    if options["contamination"] == "auto":
        options["contamination"] = -1.0
    elif options["contamination"] is not None and not 0 <= options["contamination"] < 0.5:
        raise SurprisalError('contamination: expected "auto" or a share from 0 to below 0.5, for example 0.02')
    if options["session"] is not None and options["window"] is None:
        raise SurprisalError("session: only rows of a time series have sessions; set window as well")
    label, normal = options["label"], options.pop("normal")
    options["label"] = None if label is None else (str(label), str(normal))
    if options["machine"] is not None:
        column, machine = options["machine"]
        options["machine"] = (str(column), str(machine))
    for name in ("schema", "valid", "calibrate", "test"):
        options[name] = None if options[name] is None else os.fspath(options[name])
    return options


def _names(value):
    return [value] if isinstance(value, str) else [str(name) for name in value]


def _whole(name, value, least, most):
    if isinstance(value, bool) or int(value) != value or not least <= value <= most:
        raise SurprisalError(f"{name}: expected a whole number from {least} to {most}, found {value}")
    return int(value)


def _size(name, value):
    if value is None:
        return None
    found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", str(value).lower())
    if not found or found[2] not in _UNITS:
        raise SurprisalError(f'{name}: expected a size in bytes such as 16384, or "16KiB", found {value!r}')
    return int(float(found[1]) * _UNITS[found[2]])
