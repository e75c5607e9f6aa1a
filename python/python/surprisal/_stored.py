"""How models are stored: what they hold, and their files."""

from __future__ import annotations

import json
import os
from typing import Any, TypeVar

from . import _surprisal

Self = TypeVar("Self", bound="StoredModel")


class StoredModel:
    """The part of :class:`surprisal.Model` that needs no rows."""

    __slots__ = ("_core",)

    def __init__(self, core):
        if not isinstance(core, _surprisal.Model):
            raise TypeError("make a model with Model.fit, Model.load or Model.from_bytes")
        self._core = core

    @classmethod
    def load(cls: type[Self], path: str | os.PathLike[str]) -> Self:
        """Read a ``.srp`` file that :meth:`save` or the command ``surprisal fit`` wrote, or the ``.cal`` file of a machine.

        Raises OSError if the file cannot be read, SurprisalError if it is damaged or no such file.

        >>> from surprisal import Model
        >>> Model.load("absent.srp")
        Traceback (most recent call last):
        FileNotFoundError: [Errno 2] cannot be read; pass the file that `surprisal fit` wrote: No such file or directory (os error 2): 'absent.srp'
        """
        return cls(_surprisal.Model.load(path))

    @classmethod
    def from_bytes(cls: type[Self], data: bytes) -> Self:
        """Read the bytes that :meth:`to_bytes` returned. Raises SurprisalError if they are damaged.

        >>> from surprisal import Model
        >>> Model.from_bytes(b"SRP")
        Traceback (most recent call last):
        surprisal.SurprisalError: bytes: not a table: the first four bytes are not SRPL
        """
        return cls(_surprisal.Model.from_bytes(bytes(data)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a ``.srp`` file, whole or not at all. Raises OSError if it cannot be written.

        >>> import pathlib, tempfile
        >>> from surprisal import Model, datasets
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "motor.srp"
        >>> Model.fit(datasets.motor()).save(path)
        >>> Model.load(path).columns
        ['load', 'current', 'fan']
        """
        self._core.save(path)

    def to_bytes(self) -> bytes:
        """Return the bytes of the ``.srp`` file.

        >>> from surprisal import Model, datasets
        >>> Model.fit(datasets.motor()).to_bytes()[:4]
        b'SRPL'
        """
        return self._core.to_bytes()

    def table_bytes(self) -> bytes:
        """Return the bytes of the table that a board reads: the ``.srp`` file without names and notes.

        >>> from surprisal import Model, datasets
        >>> model = Model.fit(datasets.motor())
        >>> model.to_bytes().startswith(model.table_bytes())
        True
        """
        return self._core.table_bytes()

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the table for firmware: a name ending in ``.rs`` makes Rust source, ``.h`` a C header, ``.srp`` bytes.

        The C reader, ``surprisal.h`` and ``surprisal.c``, is written beside a header unless files of these names are there.
        Raises SurprisalError for another ending, OSError if a file cannot be written.

        >>> import pathlib, tempfile
        >>> from surprisal import Model, datasets
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> Model.fit(datasets.motor()).export(folder / "motor.h")
        >>> sorted(file.name for file in folder.iterdir())
        ['motor.h', 'surprisal.c', 'surprisal.h']
        """
        self._core.export(path)

    @property
    def threshold(self) -> float | None:
        """Anomaly score in nats above which a row is anomalous; None if there were too few calibration rows for the rate.

        >>> from surprisal import Model, datasets
        >>> Model.fit(datasets.motor()).threshold > 0
        True
        """
        return self._core.threshold

    @property
    def columns(self) -> list[str]:
        """Names of the columns that a row must have, in the order of the data.

        >>> from surprisal import Model, datasets
        >>> Model.fit(datasets.motor(), ignore="fan").columns
        ['load', 'current']
        """
        return self._core.columns

    @property
    def fingerprint(self) -> str:
        """Fingerprint of columns and codes, which firmware compares: eight hexadecimal digits.

        >>> from surprisal import Model, datasets
        >>> len(Model.fit(datasets.motor()).fingerprint)
        8
        """
        return self._core.fingerprint

    @property
    def fit_report(self) -> dict[str, Any] | None:
        """What the fit reported, as the command prints it with ``--json``; None for a model that was loaded.

        Likelihoods are means in nats per row, sizes are in bytes.

        >>> from surprisal import Model, datasets
        >>> Model.fit(datasets.motor()).fit_report["calibration_rows"]
        100
        """
        return None if self._core.report is None else json.loads(self._core.report)

    def __reduce__(self):
        return type(self).from_bytes, (self.to_bytes(),)

    def __repr__(self):
        return f"<surprisal.Model of {', '.join(self.columns)}; fingerprint {self.fingerprint}>"
