"""Prints the digests of tests/c/expected.txt, which main.c there defines."""

from arithmetic import BadRow, bits_of, real_of, wrap32
from check import SHUTTLE_TABLES, Lcg, golden, rows_of
from reader import Table, is_ambiguous


def word_of(reading):
    """The 32 bits of a reading in C, 0 for a missing one."""
    if reading is None:
        return 0
    return (bits_of(reading) if isinstance(reading, float) else reading) % 2**32


def operations(name, table):
    """The line of a table in expected.txt."""
    blame, missed, shared, rows = 0, 0, 0, rows_of(name)
    for row in rows[::16]:
        before, blamed = table.score(row).anomaly_score, table.blame(row)
        blame += sum(anomaly_score + position for anomaly_score, position, _ in blamed)
        blame += word_of(blamed[0][2]) + is_ambiguous(before, blamed)
        for i in range(len(row)):
            without = [*row[:i], None, *row[i + 1:]]
            missed += table.score(without).anomaly_score
            for k, share in enumerate(table.model.shares(without)):
                shared = (shared * 31 + (share ^ k)) % 2**64
    return f"blame {blame}, missing {missed}, shares {shared}, extremes {extremes(table, rows)}"


def extremes(table, rows):
    """A digest of 20,000 rows in which about half of the readings are replaced."""
    digest, lcg = 0x811C9DC5, Lcg(7)
    for at in range(20000):
        row = [extreme(reading, lcg) for reading in rows[at % len(rows)]]
        words = [0] * 8
        try:
            r = table.score(row)
            words[:5] = r.score, r.anomaly_score, r.largest_surprisal, r.largest_column, r.missing_readings
            if at % 64 == 0:
                anomaly_score, position, expected = (table.blame(row) or [(r.anomaly_score, 0, None)])[0]
                words[5:] = anomaly_score, position, word_of(expected)
        except BadRow:
            pass
        for word in words:
            digest = (digest ^ word) * 0x01000193 % 2**32
    return digest


def extreme(reading, lcg):
    """The reading, or one that its bits and random ones make."""
    choice = lcg.next() >> 12
    value = lcg.next() >> 8
    value ^= (lcg.next() >> 8 << 12) % 2**32
    real, word = isinstance(reading, float), word_of(reading)
    case = choice % 32
    if case == 0:
        return None
    if case == 1:
        word = value
    elif case == 2:
        real |= (choice >> 5) % 64 == 0
        word = value >> (choice >> 11 & 31)
    elif case in (3, 4, 5):
        word += value & 15
    elif case == 6:
        word ^= 0x80000000
    elif case == 7:
        word ^= value & 0x3F8000
    word = wrap32(word)
    return real_of(word) if real else word


if __name__ == "__main__":
    for name in ("views", *SHUTTLE_TABLES, "motor"):
        print(operations(name, Table(golden(f"{name}.srp"))), flush=True)
