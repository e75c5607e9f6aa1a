"""Columns of readings to bits or outcomes."""

from arithmetic import (
    BadRow,
    CATEGORY,
    FLAG,
    IMPOSSIBLE,
    INTEGER,
    RARE_ZERO,
    REAL,
    Refused,
    bits_of,
    check,
    clamp,
    fixed,
    fixed_bits,
    missing,
    order,
    real_of,
)

# Encoder


def tail_cost(distance):
    """2 ln(1 + distance), the distance in units of 1/256, with straight lines between powers of two."""
    x = min(distance, 2**61) + 256
    k = x.bit_length() - 1
    fraction = (x << 16 >> k) & 0xFFFF
    return ((k - 8 << 16) + fraction) * 90852 >> 16


class Column:
    """A column of the encoder: a reading to its outcome and bits."""

    def __init__(self, words, values, log_widths):
        """Takes the numbers of one column from three iterators."""
        first = next(words)
        self.position, self.kind, self.may_miss = first & 0xFFF, first >> 12 & 7, bool(first >> 15)
        self.kind = min(self.kind, CATEGORY)
        self.numeric = self.kind in (INTEGER, REAL)
        self.flag = self.kind in (FLAG, RARE_ZERO)
        count = 0 if self.flag else next(words)
        self.pivot = next(words) if self.numeric else 0
        self.tail_scale = (next(words) & 255 ^ 128) - 128 if self.numeric else 0
        self.values = [next(values) for _ in range(count)]
        self.log_widths = [next(log_widths) for _ in range(count + 1)] if self.numeric else []
        self.levels = 1 if self.flag else count
        self.outcomes = self.levels + 1 + self.may_miss

    def bits_count(self):
        return self.levels + self.may_miss

    def key(self, reading):
        if isinstance(reading, float) != (self.kind == REAL):
            raise BadRow(f"reading {self.position} has the wrong type")
        return order(bits_of(reading)) if self.kind == REAL else reading

    def outcome(self, reading):
        """The outcome of a reading; that of a missing one follows all others."""
        if missing(reading):
            return self.levels + 1
        key = self.key(reading)
        if self.flag:
            return int(key != self.kind)
        if self.numeric:
            return sum(edge < key for edge in self.values)
        return self.values.index(key) if key in self.values else self.levels

    def lost(self, reading):
        return missing(reading) and not self.may_miss

    def bits(self, outcome):
        """The bits of an outcome."""
        if outcome > self.levels:
            return [1] + [0] * self.levels
        prefix = [0] if self.may_miss else []
        if self.flag:
            return prefix + [outcome]
        p = self.pivot
        upwards = [int(outcome > level) for level in range(p, self.levels)]
        return prefix + upwards + [int(outcome <= level) for level in reversed(range(p))]

    def outcome_of(self, bits):
        """The outcome that bits stand for: the inverse of `bits`."""
        if self.may_miss:
            missed, *bits = bits
            if missed:
                return self.levels + 1
        if self.flag:
            return bits[0]
        upwards = self.levels - self.pivot
        return self.pivot + sum(bits[:upwards]) - sum(bits[upwards:])

    def edge(self, index):
        """An edge in the units of the tail."""
        value = self.values[index]
        if self.kind == REAL:
            return fixed_bits(order(value), self.tail_scale)
        return fixed(value, self.tail_scale)

    def density(self, reading):
        """What a reading costs beside its outcome: log-width and tail."""
        if missing(reading) or self.kind == CATEGORY:
            return 0
        if self.flag:
            outside = max(-reading, reading - 1)
            return 726817 + tail_cost(outside * 256) if outside > 0 else 0
        outcome = self.outcome(reading)
        cost = self.log_widths[outcome] << 5
        if self.values and outcome in (0, self.levels):
            at = fixed(reading, self.tail_scale)
            below, above = self.edge(0) - at, at - self.edge(-1)
            cost += tail_cost(max(0, below if outcome == 0 else above))
        return cost

    def typical(self, outcome):
        """The typical value of an outcome, or None."""
        values = self.values
        if outcome > self.levels:
            return None
        if self.flag:
            return outcome ^ self.kind
        if self.kind == CATEGORY:
            return values[outcome] if outcome < self.levels else None
        if not values:
            return None
        real = self.kind == REAL
        limit = bits_of(float("inf"))
        low, high = (order(bits_of(float("-inf"))), limit) if real else (-(2**31), 2**31 - 1)
        keys = [clamp(v, low, high) for v in values] if real else values
        if outcome == 0:
            key = keys[0]
        elif outcome == self.levels:
            key = clamp(keys[-1] + 1, low, high)
        else:
            a, b = keys[outcome - 1], keys[outcome]
            if real:
                t = self.tail_scale
                sum_of_both = fixed_bits(order(a), t) + fixed_bits(order(b), t)
                key = order(bits_of(real_from(sum_of_both >> 1, t)))
                key = min(max(key, a + 1), b)
            else:
                key = a + b + 1 >> 1
        return real_of(order(key)) if real else key


def real_from(units, t):
    """units * 2^t / 256 as a binary32 rounded towards zero; 0 below the smallest normal number, with its sign."""
    magnitude = abs(units)
    exponent = magnitude.bit_length() - 1 + t - 8 + 127
    bits = (magnitude << 24 >> magnitude.bit_length()) & 0x7FFFFF | exponent << 23
    if magnitude == 0 or exponent < 1:
        bits = 0
    elif exponent > 254:
        bits = 0x7F7FFFFF
    return real_of(bits - 2**31 if units < 0 else bits)


class Encoder:
    def __init__(self, words, values, log_widths):
        parts = [iter(words), iter(values), iter(log_widths)]
        left = len(words)
        self.columns = []
        try:
            while left:
                column = Column(*parts)
                left -= 1 if column.flag else 4 if column.numeric else 2
                self.columns.append(column)
        except (StopIteration, RuntimeError):
            raise Refused("encoder words, values or log-widths end early") from None
        check(not any(list(part) for part in parts), "more encoder values or log-widths than the columns have")
        for column in self.columns:
            ascending = all(a < b for a, b in zip(column.values, column.values[1:]))
            check(ascending or not column.numeric, "edges do not ascend")
            check(column.pivot <= column.levels, "pivot beyond the edges")


class Result:
    """What a table says of a row."""

    def __init__(self, score, anomaly_score, missing_readings, columns):
        self.score, self.anomaly_score, self.missing_readings = score, anomaly_score, missing_readings
        ranked = [(-surprisal, position) for position, surprisal in columns]
        largest = min(ranked, default=(0, 0))
        self.largest_surprisal, self.largest_column = -largest[0], largest[1]


NOTHING_LEFT = (IMPOSSIBLE, IMPOSSIBLE)
