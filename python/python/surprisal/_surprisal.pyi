"""The compiled part of the package. Use the classes and functions of ``surprisal``."""

import os
from collections.abc import Callable
from typing import Any, Optional, Union

__version__: str

_Values = Union[tuple[str, bytes, Optional[bytes]], list[str]]
_Source = Union[list[tuple[str, _Values]], str]
_Progress = Optional[Callable[[str, int, int], object]]
_Path = Union[str, os.PathLike[str]]

class SurprisalError(ValueError): ...

class Model:
    report: Optional[str]
    columns: list[str]
    fingerprint: str
    threshold: Optional[float]
    @staticmethod
    def load(path: _Path) -> Model: ...
    @staticmethod
    def from_bytes(bytes: bytes) -> Model: ...
    def to_bytes(self) -> bytes: ...
    def table_bytes(self) -> bytes: ...
    def save(self, path: _Path) -> None: ...
    def export(self, path: _Path) -> None: ...
    def score(self, source: _Source) -> tuple[list[bytes], list[str]]: ...
    def explain(self, source: _Source) -> tuple[list[str], list[bytes]]: ...
    def blame(self, source: _Source) -> tuple[bytes, list[tuple[str, str, Optional[str]]]]: ...
    def write_report(
        self, source: _Source, path: _Path, name: str, label: Optional[tuple[str, str]], rate: Optional[float]
    ) -> str: ...
    def sample(self, rows: int, seed: int) -> tuple[list[str], list[list[str]]]: ...

def fit(source: _Source, options: dict[str, Any], threads: Optional[int], progress: _Progress) -> Model: ...
def gain(whole: list[float], quarters: list[list[float]], factor: float) -> tuple[float, float, float, float]: ...
def fit_fleet(
    source: _Source, fleet: tuple[str, _Path, bool], options: dict[str, Any], threads: Optional[int], progress: _Progress
) -> str: ...
def fleet_report(
    source: _Source,
    folders: tuple[_Path, _Path],
    label: tuple[Optional[str], Optional[str]],
    rate: Optional[float],
    threads: Optional[int],
    progress: _Progress,
) -> str: ...
def fleet_compare(
    folders: tuple[_Path, _Path],
    source: Optional[_Source],
    label: tuple[Optional[str], Optional[str]],
    sampling: tuple[int, int],
    threads: Optional[int],
    progress: _Progress,
) -> str: ...
