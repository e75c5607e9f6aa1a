"""Compares the reader of docs/format.md with the golden tables, and damages them.

    python3 tests/format/check.py      exits with a non-zero status unless all agree; takes half a minute
    python3 tests/format/expected.py   prints tests/c/expected.txt, in some minutes
"""

import json
import struct
import sys
import zlib
from pathlib import Path

import arithmetic
import reader
from arithmetic import BadRow, Refused, bits_of, real_of, wrap32
from bits import ModelOfBits
from reader import Table
from series import Detector, Monitor, RangeDecoder, RangeEncoder, towards_zero
from views import View

GOLDEN = Path(__file__).parent.parent / "golden"
SHUTTLE_TABLES = ("shuttle", "flagship", "mixture")
TABLES = (*SHUTTLE_TABLES, "views", "motor", "stream")
# FNV-1a of the packets of every eighth row, and their bytes, as in tests/support/cases.rs.
PACKETS = {"shuttle": (1286, 1050738225), "flagship": (2302, 2340620292), "mixture": (1058, 3502496581)}
failures = []


def same(name, found, wanted):
    if found != wanted:
        failures.append(name)
        print(f"{name}: found {found}, expected {wanted}")


def golden(name):
    return (GOLDEN / name).read_bytes()


def numbers(format, data):
    return [row if len(row) > 1 else row[0] for row in struct.iter_unpack("<" + format, data)]


def rows_of(name):
    """The rows that tests/golden/README.md describes, as lists of readings."""
    format, file = ("14f", "motor.rows") if name == "motor" else ("9h", "shuttle.readings")
    return [list(row) for row in struct.iter_unpack("<" + format, golden(file))]


class Lcg:
    """The generator of tests/support, whose upper half is a coin."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return self.state

    def coin(self):
        return self.next() >> 16


def tank():
    """The rows of the simulated tank in tests/support/tank.rs, from the first that the fit did not see."""
    lcg, divide = Lcg(1), towards_zero
    mode, speed, flow, level, valve, heat = 0, 0, 0, 4000, 0, 0

    def noise(wide):
        return lcg.coin() % (2 * wide + 1) - wide

    for t in range(4180):
        mode = (mode + 1) % 3 if noise(40) == 0 else mode
        valve = 1 if level > 6000 else valve * (level > 3000)
        speed += divide([0, 1200, 600][mode] - speed, 8) + noise(12)
        flow += divide(divide(speed, 4) - flow, 2) + noise(5)
        level += divide(flow, 4) - 60 * valve - 150 * (4100 <= t < 4120) + noise(4)
        heat += divide(speed, 4) - divide(heat, 64)
        pressure = divide(level, 8) + divide(flow, 2) + noise(6)
        temperature = divide(heat, 64) + noise(3)
        current = divide(speed, 3) + divide(pressure, 4) + noise(8)
        if t >= 4000:
            yield [speed, flow, level, pressure, temperature if t % 61 else None, current, valve, mode]


def check_link():
    """The check values of the link table."""
    for name, format, numbers, wanted in (
        ("masses", "H", arithmetic.MASS, 0xB39D2C2E),
        ("likely", "H", arithmetic.LIKELY, 0x481E99BD),
        ("rare", "I", arithmetic.RARE, 0xB0D408CF),
    ):
        same(f"link table, {name}", zlib.crc32(struct.pack(f"<353{format}", *numbers)), wanted)


def check_scores(name, table):
    """All rows of a golden table."""
    table.self_test()
    wanted = numbers("2I" if name == "views" else "I", golden(f"{name}.nats"))
    results = []
    if name == "stream":
        for at, row in enumerate(tank()):
            if at == 148:
                table.predictor.reset()
            encoded = table.predictor.push(row)
            results += [table.score(encoded)] if encoded else []
    else:
        results = [table.score(row) for row in rows_of(name)]
    found = [(r.score, r.anomaly_score) if name == "views" else r.score for r in results]
    equal = sum(a == b for a, b in zip(found, wanted))
    anomalous = sum(table.detector.anomalous(r.anomaly_score) for r in results)
    print(f"{name}: {equal} of {len(wanted)} rows equal, {anomalous} anomalous, {len(table.golden_rows)} golden rows")
    same(f"{name}: number of rows", len(found), len(wanted))
    same(f"{name}: rows equal", equal, len(wanted))


def check_shares(name, table):
    """Shares add up to the score, and a missing reading has none."""
    for row in rows_of(name)[::64]:
        same(f"{name}: sum of shares", sum(table.model.shares(row)), table.score(row).score)
        row[2] = None
        same(f"{name}: share of a missing reading", table.model.shares(row)[2], 0)
        same(f"{name}: missing readings", table.score(row).missing_readings, 1)
    alone = table.score([None] * len(table.kinds))
    if name != "motor":
        same(f"{name}: score of nothing", (alone.score, alone.anomaly_score), (2**32 - 1, 2**32 - 1))


def check_samples(name, table):
    lcg, model = Lcg(0), table.model
    for at, sample in enumerate(numbers("26s", golden(f"{name}.samples"))):
        bits = model.code(lambda _, mass: int(lcg.coin() < mass))
        packed = sum(bit << i for i, bit in enumerate(bits)).to_bytes(26, "little")
        same(f"{name}: sample {at}", packed, sample)


def check_packets(name, table):
    model, length, digest = table.model, 0, 0x811C9DC5
    for row in rows_of(name)[::8]:
        bits = [bit for column, _, _ in model.columns for bit in column.bits(column.outcome(row[column.position]))]
        encoder = RangeEncoder()

        def encode(i, mass):
            encoder.code(*((0, mass) if bits[i] else (mass, 65536)))
            return bits[i]

        model.code(encode)
        packet = encoder.finish()
        decoder = RangeDecoder(packet)
        same(f"{name}: decoded packet", model.code(lambda _, mass: 1 - decoder.choose([0, mass, 65536])), bits)
        length += len(packet)
        for byte in packet:
            digest = (digest ^ byte) * 0x01000193 % 2**32
    same(f"{name}: packets", (length, digest), PACKETS[name])


def check_monitor():
    """Votes, hold-off, trend and drift on the sequences of the page."""
    detector = Detector([9, 0, 1000, 8, 2, 2**32 - 1, 2**32 - 1, 4, 2**32 - 1, 0, 0], [])
    monitor = Monitor(detector, votes=2, of=3, hold_off=2)
    alarms = [monitor.push(0, score)[2] for score in (10, 5, 5, 10, 10, 10, 10, 10)]
    same("alarms of 2 of 3 votes with a hold-off of 2", [at for at, alarm in enumerate(alarms) if alarm], [4, 7])
    monitor.resume()
    same("after a gap", [monitor.push(0, 10)[2] for _ in range(4)], [False, False, True, False])
    detector.decision_interval = 5
    monitor = Monitor(detector)
    same("trend", [monitor.push(score, 0)[1] for score in (3, 6, 7, 5, 3)], [False, False, False, True, False])
    detector = Detector([2**32 - 1, 0, 1000, 8 << 16, 2 << 16, 2**32 - 1, 0, 0, 2**32 - 1, 0, 0], [])
    monitor = Monitor(detector)
    for row in range(100):
        monitor.push(9 + 2 * (row % 2) << 16, 0)
    same("drift", monitor.drift(), (2 << 16, 7782))
    detector = Detector([30, 0, 31, *[0] * 8], [])
    detector.quantiles = [32 - detector.rank(level) for level in detector.levels]
    same("p-values", [detector.p_value(score) for score in (16, 32)], [531250, 31250])
    severities = [detector.severity(score) for score in (30, 31, 44, 45)]
    same("severities", severities, ["normal", "anomalous", "anomalous", "critical"])


def check_fingerprints(tables):
    """The fingerprints of the columns of the shuttle, of the motor and of the stream."""
    same("fingerprint", reader.fingerprint([(f"V{k}", 2, {}) for k in range(1, 10)]), tables["shuttle"].fingerprint)
    names = ["mean", "rms", "peak_to_peak", "crest", "kurtosis", "crossings"]
    names += [f"band_{hertz}" for hertz in range(250, 4000, 500)]
    same("fingerprint of reals", reader.fingerprint([(name, 3, {}) for name in names]), tables["motor"].fingerprint)
    numbers = [(name, 2, {}) for name in ("speed", "flow", "level", "pressure", "temperature", "current")]
    categories = [("valve", 0, {}), ("mode", 4, {0: "drain", 1: "fill", 2: "hold"})]
    same("fingerprint of a category", reader.fingerprint(numbers + categories), tables["stream"].fingerprint)


def refused(data, fingerprint=None):
    return fails(lambda: Table(data, fingerprint))


def notes_refused(data):
    return fails(lambda: reader.read_notes(data, Table(data)))


def fails(work):
    try:
        work()
    except Refused:
        return True
    return False


def seal(data):
    """The table with the right checksum."""
    return data[:12] + struct.pack("<I", zlib.crc32(data[16:])) + data[16:]


def replaced(data, at, format, *numbers):
    packed = struct.pack("<" + format, *numbers)
    return data[:at] + packed + data[at + len(packed):]


def damages(data):
    """Names and bytes of tables that a reader must refuse."""
    for length in sorted({*range(0, 320), *range(0, len(data), 211), *range(len(data) - 8, len(data))}):
        yield f"cut at {length}", data[:length]
    # The checksum shows each of these; the fields before it are checked by themselves.
    for at in sorted({*range(0, 320), *range(320, len(data), 29)}):
        yield f"bit {at % 8} of byte {at}", replaced(data, at, "B", data[at] ^ 1 << at % 8)
    # Behind a right checksum.
    sections = struct.unpack_from("<I", data, 20)[0] & 255
    sections = 8 + 12 * sections if sections else 28
    counts = struct.unpack_from(f"<{sections}I", data, 24)
    for section, count in enumerate(counts):
        for other in count + 4096, 2**32 - 1, 2**30 + count, 2**31:
            yield f"section {section + 1} of {other} elements", seal(replaced(data, 24 + 4 * section, "I", other))
        # More or fewer elements of four bytes change the length as well.
        if count:
            yield f"section {section + 1} without elements", seal(replaced(data, 24 + 4 * section, "I", 0))
    yield "another number of views", seal(replaced(data, 20, "B", 5))
    yield "four more bytes", seal(replaced(data + bytes(4), 8, "I", len(data) + 4))
    for name, section, format, index, number in faults(data[20], counts):
        yield name, seal(replaced(data, offset(data, section) + index, format, number))


FORMATS = {False: Table.COMMON + " " + ModelOfBits.SECTIONS, True: Table.COMMON + 4 * (" " + View.SECTIONS)}


def offset(data, section):
    """Where a section begins, counted from 1 as on the page."""
    codes = FORMATS[data[20] > 0].split()
    counts = struct.unpack_from(f"<{8 + 12 * data[20] if data[20] else 28}I", data, 24)
    at = 24 + 4 * len(counts)
    for code, count in zip(codes[:section - 1], counts):
        size = struct.calcsize("<" + code) * count
        at += size + -size % 4
    return at


def faults(views, counts):
    """Faults of the content behind a right checksum: (name, section, format, byte in the section, number)."""
    yield "temperature", 4, "I", 40, 9
    yield "calibration rows", 4, "I", 8, 3
    yield "descending quantiles", 5, "I", 0, 2**32 - 1
    if counts[6]:
        yield "window of 0", 7, "i", 0, 0
        yield "window of 4097", 7, "i", 0, 4097
        yield "a state in place of a number", 7, "i", 4, -(2**31)
    if views:
        first = 9
        yield "scored column of 0 outcomes", first + 5, "H", 0, 0
        yield "two rows without a parent", first + 5, "H", 2, 2
        yield "a later parent", first + 5, "H", 4, 1
        yield "a sum of 0", first + 8, "H", 0, 0
        yield "sums that descend", first + 8, "H", 0, 65535
        yield "another start", first + 11, "I", 0, 1
        yield "edges that do not ascend", first + 1, "i", 0, 2**31 - 1
        yield "a scale of 128", first + 12 + 3, "i", 4, 128
        yield "a shift of 31", first + 12 + 3, "i", 12, 31
        yield "a position of 4095", first + 12 + 3, "i", 0, 4095
        if counts[first + 6 - 1]:
            yield "a group beyond the rows", first + 6, "B", 0, 255
        return
    yield "a constraint on itself", 12, "H", 0, 0
    yield "a constraint with bit 14", 12, "H", 2, 1 << 14
    yield "observed in part", 12, "H", 4, 0xFFFF if counts[6] else 0xFFFE
    if counts[14]:
        yield "weight starts from 1", 15, "H", 0, 1
        yield "descending weight starts", 15, "H", 2, 65535
        yield "a weight on the diagonal", 16, "B", 0, 0
    if counts[16]:
        yield "tree starts from 1", 17, "H", 0, 1
        yield "a split on a later bit", 18, "H", 0, 0xFFFF
    if counts[25]:
        yield "a prior of 0", 26, "H", 0, 0
        yield "a parent before bit 0", 27, "B", 0, 1


def check_damages(name):
    data, count = golden(f"{name}.srp"), 0
    for damage, bytes_of in damages(data):
        same(f"{name} is refused: {damage}", refused(bytes_of), True)
        count += 1
    same(f"{name} is refused: another fingerprint", refused(data, 1), True)
    same(f"{name} is read: its own fingerprint", refused(data, struct.unpack_from("<I", data, 16)[0]), False)
    other = Table(seal(replaced(data, offset(data, 3), "B", data[offset(data, 3)] ^ 1)))
    same(f"{name} fails its self-test: another golden score", fails(other.self_test), True)
    for flags in [bits << 8 for bits in (6, 17 << 3)] if not data[20] else []:
        own = struct.unpack_from("<I", data, 20)[0]
        same(f"{name} is refused: flags {flags:#x}", refused(seal(replaced(data, 20, "I", own | flags))), True)
    print(f"{name}: {count} damaged tables refused")


def check_notes():
    """Notes behind a table, and damaged ones."""
    data = golden("shuttle.srp")
    fit = {"version": "1", "family": "auto", "order": "learned", "seed": 0, "digest": 1, "train_rows": 2}
    notes = {"columns": 10, "left_out": [9], "fit": {**fit, "split": [0.7, 0.1, 0.1, 0.1]}}

    def file(notes):
        text = json.dumps(notes).encode()
        return data + struct.pack("<II", len(text), zlib.crc32(text)) + text

    whole = file(notes)
    same("notes are read", reader.read_notes(whole, Table(whole)), notes)
    wrong = {"columns": 9}, {"left_out": [10]}, {"names": ["a"]}, {"labels": [[3]]}, {"fit": {}}
    wrong += {"fit": {**fit, "split": [1, 1, 0, 0]}}, {"fit": {**fit, "history": {"window": 10}}}
    wrong += ({"fit": {**fit, "signal": {"window": 16, "hop": 17, "bands": 4}}},)
    for change in wrong:
        same(f"notes are refused: {change}", notes_refused(file({**notes, **change})), True)
    for at in range(len(data), len(whole), 7):
        same(f"notes are refused: cut at {at}", notes_refused(whole[:at]), at > len(data))
        same(f"notes are refused: bit of byte {at}", notes_refused(replaced(whole, at, "B", whole[at] ^ 1)), True)


def check_all():
    check_link()
    check_monitor()
    tables = {name: Table(golden(f"{name}.srp")) for name in TABLES}
    check_fingerprints(tables)
    for name, table in tables.items():
        check_scores(name, table)
        if name != "stream":
            check_shares(name, table)
        if name in SHUTTLE_TABLES:
            check_samples(name, table)
            check_packets(name, table)
        check_damages(name)
    check_notes()
    print(f"{len(failures)} failures" if failures else "all agree")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(check_all())
