"""A reader and scorer of `.srp` files, written from docs/format.md. `check.py` compares it with the golden tables.

A reading is an `int`, a `float` (a binary32) or None (missing). Names and order of the parts are those of the page.
It refuses everything that the page lets a strict reader refuse.
"""

import json
import struct
import zlib

from arithmetic import BadRow, CATEGORY, REAL, Refused, VERSION, check, missing, real_of, wrap32
from bits import ModelOfBits
from views import View, Views
from series import Detector, Predictor

# Table


class Table:
    COMMON = "B I I I I H i h"

    def __init__(self, data, fingerprint=None):
        check(len(data) >= 24, "fewer than 24 bytes")
        magic, version, length, crc, self.fingerprint, flags = struct.unpack_from("<4s5I", data)
        check(magic == b"SRPL", "the magic is not SRPL")
        check(version == VERSION, f"format version {version} is not {VERSION}")
        check(24 <= length <= len(data), "length")
        check(zlib.crc32(data[16:length]) == crc, "the CRC-32 does not match")
        check(fingerprint in (None, self.fingerprint), "another fingerprint")
        self.length, count = length, flags & 255
        check(count <= 4, "number of views")
        codes = [*self.COMMON.split(), *(View.SECTIONS.split() * count or ModelOfBits.SECTIONS.split())]
        sections = self.sections(data[:length], codes)
        self.kinds, golden_readings, golden_scores, calibration, quantiles, baselines, words, weights = sections[:8]
        self.detector = Detector(calibration, quantiles)
        self.predictor = Predictor(words, weights) if words else None
        check(words or not weights, "predictor weights without a predictor")
        if count:
            views = [View(sections[k:k + 12]) for k in range(8, len(sections), 12)]
            self.model = Views(views, self.detector.temperature)
        else:
            self.model = ModelOfBits(flags, sections[8:], baselines, self.detector.temperature)
        check(not self.kinds or self.model.readings <= len(self.kinds), "a column whose reading is not in the row")
        self.golden_rows = self.golden(golden_readings, golden_scores)

    def sections(self, table, codes):
        at = 24 + 4 * len(codes)
        check(at <= len(table), "fewer bytes than the header has")
        counts = struct.unpack_from(f"<{len(codes)}I", table, 24)
        sections = []
        for code, count in zip(codes, counts):
            size = struct.calcsize("<" + code) * count
            check(at + size <= len(table), "a section that ends beyond the table")
            sections.append(list(struct.unpack_from(f"<{len(code) * count}{code[0]}", table, at)))
            check(not any(table[at + size:at + size + -size % 4]), "padding other than zeros")
            at += size + -size % 4
        check(at == len(table), "the sections do not fill the table")
        return sections

    def golden(self, words, scores):
        """Pairs of a row and its two scores."""
        width = len(self.kinds)
        check(width or not words, "golden readings without reading kinds")
        rows = len(words) // width if width else 0
        check(rows * width == len(words) and 2 * rows == len(scores), "golden readings or scores")
        return [([reading_of(kind, word) for kind, word in zip(self.kinds, words[r * width:])],
                 tuple(scores[2 * r:2 * r + 2])) for r in range(rows)]

    def score(self, row):
        if len(row) != (len(self.kinds) or len(row)) or len(row) < self.model.readings:
            raise BadRow(f"a row of {len(row)} readings")
        return self.model.score(row)

    def self_test(self):
        for row, expected in self.golden_rows:
            result = self.score(row)
            check((result.score, result.anomaly_score) == expected, "a golden row has another score")

    def blame(self, row):
        """The blamed column and the second best, as (anomaly score, position, expected reading), the best first."""
        tried = []
        for position, typical in self.model.candidates(row):
            scores = []
            for value in typical:
                try:
                    scores.append((self.score([*row[:position], value, *row[position + 1:]]).anomaly_score, value))
                except BadRow:
                    continue
            if scores:
                score, expected = min(scores, key=lambda scored: scored[0])
                tried.append((score, position, expected))
        return sorted(tried, key=lambda column: column[:2])[:2]


def is_ambiguous(before, blamed):
    """Whether a blame does not tell the blamed column from the second best."""
    removed = [max(0, before - anomaly_score) for anomaly_score, _, _ in blamed] or [0]
    return removed[0] == 0 or len(removed) > 1 and removed[1] >= removed[0] - removed[0] // 8


def reading_of(kind, word):
    if kind & 15 == REAL:
        reading = real_of(wrap32(word))
        return None if missing(reading) else reading
    return None if word == 2**31 else wrap32(word)


def fingerprint(columns):
    """The fingerprint of the columns that firmware passes in, each (name, kind, {code: text})."""
    data = b""
    for name, kind, codes in columns:
        data += text(name) + bytes([kind])
        if kind == CATEGORY:
            data += struct.pack("<I", len(codes))
            data += b"".join(struct.pack("<i", code) + text(label) for code, label in sorted(codes.items()))
    return zlib.crc32(data) or 1


def text(string):
    encoded = string.encode()
    return struct.pack("<I", len(encoded)) + encoded


# Notes


def read_notes(data, table):
    """The notes behind a table, as a dict, or None if the file holds the table alone."""
    data = data[table.length:]
    if not data:
        return None
    check(len(data) >= 8, "the head of the notes is cut")
    length, crc = struct.unpack_from("<II", data)
    check(len(data) == 8 + length and zlib.crc32(data[8:]) == crc, "length or CRC-32 of the notes")
    try:
        notes = json.loads(data[8:].decode())
    except ValueError:
        raise Refused("the notes are not JSON in UTF-8") from None
    check(isinstance(notes, dict) and isinstance(notes.get("fit"), dict), "the notes are not an object with a fit")
    fit, columns = notes["fit"], notes.get("columns")
    check(isinstance(columns, int) and 0 <= columns <= 65536, "columns")
    left_out, labels, names = (notes.get(field, []) for field in ("left_out", "labels", "names"))
    check(distinct_positions(left_out, columns), "left_out")
    check(len(table.kinds) in (0, columns - len(left_out)), "columns of the table and of the notes")
    check(columns - len(left_out) >= table.model.readings, "fewer columns than the table reads")
    check(texts(names) and len(set(names)) == len(names) and len(names) in (0, columns), "names")
    check(isinstance(labels, list) and all(isinstance(l, list) and len(l) == 2 and texts(l[1]) for l in labels), "labels")
    check(distinct_positions([position for position, _ in labels], columns), "positions of labels")
    check(all(isinstance(fit.get(field), str) for field in ("version", "family", "order")), "texts of the fit")
    check(all(isinstance(fit.get(field), int) for field in ("seed", "digest", "train_rows")), "numbers of the fit")
    split = fit.get("split")
    if split is not None:
        check(isinstance(split, list) and len(split) == 4 and all(0 <= share <= 1 for share in split), "fit.split")
        check(sum(split) < 1 + 1e-9, "the sum of fit.split")
    if "history" in fit:
        check(table.predictor and fit["history"].get("window") == table.predictor.window, "the window of the history")
    if "signal" in fit:
        window, hop, bands = (fit["signal"].get(field) for field in ("window", "hop", "bands"))
        check(all(isinstance(number, int) for number in (window, hop, bands)), "numbers of the signal")
        check(2 <= window <= 65536 and 1 <= hop <= window and bands <= 64 and window >= 2 * bands, "the signal")
    return notes


def texts(value):
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def distinct_positions(value, columns):
    numbers = isinstance(value, list) and all(isinstance(position, int) for position in value)
    return numbers and len(set(value)) == len(value) and all(0 <= position < columns for position in value)
