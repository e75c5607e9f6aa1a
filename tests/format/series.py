"""Scores to verdicts, earlier rows to predictions, and bits to packets."""

from math import isqrt

from arithmetic import IMPOSSIBLE, check, clamp, clamp32, fixed, missing, saturate
from bits import wrap8

# Detector


LEVELS = [1000000 - 31250 * k for k in range(1, 32)] + [
    23437, 15625, 11718, 7812, 5859, 3906, 2929, 1953, 1464, 976, 732, 488, 366, 244, 183, 122, 91, 61, 45, 30, 22, 15, 11]


class Detector:
    def __init__(self, numbers, quantiles):
        check(len(numbers) == 11, "other than eleven calibration numbers")
        (self.threshold, self.false_alarm_rate, self.rows, self.mean, self.deviation, self.score_cap, self.cusum_cap,
         self.reference, self.decision_interval, self.arl0, self.temperature) = numbers
        check(self.temperature <= 8, "a log2 of the temperature above 8")
        self.levels = [level for level in LEVELS if self.rank(level)]
        self.quantiles = quantiles
        check(len(quantiles) in (0, len(self.levels)), "number of quantiles")
        check(all(a <= b for a, b in zip(quantiles, quantiles[1:])), "quantiles that descend")

    def rank(self, level):
        return level * (self.rows + 1) // 10**6

    def anomalous(self, anomaly_score):
        return anomaly_score > self.threshold

    def p_value(self, s):
        """In parts per million."""
        q = self.quantiles
        if not q:
            return 10**6
        if s > q[-1]:
            return -(-(10**6) * self.rank(self.levels[-1]) // (self.rows + 1))
        i = next(i for i, quantile in enumerate(q) if s <= quantile)
        if i:
            last, start = self.levels[i - 1], q[i - 1] + 1
        else:
            last, width = 10**6, q[1] - q[0] if len(q) > 1 else 0
            start = max(0, q[0] - width - width // 2) if len(q) > 1 else 0
        return last - (last - self.levels[i]) * max(0, s - start) // (max(0, q[i] - start) + 1)

    def severity(self, anomaly_score):
        median = self.quantiles[15] if len(self.quantiles) > 15 else 0
        excess = anomaly_score - self.threshold
        if excess <= 0:
            return "normal"
        return "critical" if excess > max(0, self.threshold - median) else "anomalous"


class Monitor:
    """What is known of a stream of rows: alarms, trends and drift."""

    def __init__(self, detector, votes=1, of=1, hold_off=0):
        self.detector, self.votes, self.of, self.hold_off = detector, votes, of, hold_off
        self.sum, self.recent, self.quiet = 0, [], 0
        self.rows, self.differences, self.squares = 0, 0, 0

    def push(self, score, anomaly_score):
        """Whether the row is anomalous, whether scores are too large for long, and whether to raise an alarm."""
        detector = self.detector
        difference = min(score, detector.score_cap) - detector.mean
        self.rows, self.differences = self.rows + 1, self.differences + difference
        self.squares += (difference + 8 >> 4) ** 2
        anomalous = detector.anomalous(anomaly_score)
        self.sum = max(0, saturate(self.sum + min(score, detector.cusum_cap)) - detector.reference)
        trend = self.sum > detector.decision_interval
        self.sum = 0 if trend else self.sum
        self.recent = [*self.recent, anomalous][-clamp(self.of, 1, 32):]
        agreed = sum(self.recent) >= max(1, self.votes)
        alarm = (agreed or trend) and self.quiet == 0
        self.quiet = self.hold_off if alarm else max(0, self.quiet - 1)
        return anomalous, trend, alarm

    def resume(self):
        """Goes on after a gap in the stream."""
        self.sum, self.recent = 0, []

    def drift(self):
        """The drift and its standard error, in units of 1/65536 nat."""
        mean, detector = towards_zero(self.differences, self.rows or 1), self.detector
        variance = min(max(0, self.squares // (self.rows or 1) - (mean * mean >> 8)), 2**56 - 1) << 8
        if self.rows < 2 or detector.rows < 2:
            return clamp32(mean), IMPOSSIBLE
        error = isqrt(min(2**64 - 1, variance // (self.rows - 1) + detector.deviation**2 // detector.rows))
        return clamp32(mean), error


# Predictor


class Predictor:
    """A time series: from the readings of the channels to those of the encoder."""

    def __init__(self, words, weights):
        self.window = words[0]
        check(1 <= self.window <= 4096, "a window outside 1 to 4096")
        check(len(words) % 2 == 1, "an odd number of words behind the window")
        self.channels = [(scale, centre) for scale, centre in zip(words[1::2], words[2::2])]
        self.states = [c for c, (scale, _) in enumerate(self.channels) if scale == -(2**31)]
        self.numbers = [c for c in range(len(self.channels)) if c not in self.states]
        m = len(self.numbers)
        check(len(weights) == 2 * m * m + m * (m - 1) // 2, "a wrong number of predictor weights")
        self.weights = [weights[2 * m * p + p * (p - 1) // 2:][:2 * m + p] for p in range(m)]
        self.reset()

    def reset(self):
        self.rows, self.before = [], None

    def push(self, row):
        """The row of the encoder, or None while fewer than W rows came before."""
        last = self.rows[-1] if self.rows else [0] * len(self.numbers)
        steps = []
        for c, value in zip(self.numbers, last):
            scale, centre = wrap8(self.channels[c][0]), self.channels[c][1]
            if not missing(row[c]):
                value = clamp(fixed(row[c], scale) - centre, -(2**31 - 1), 2**31 - 1)
            steps.append(value)
        encoded = None
        if len(self.rows) == self.window:
            means = [towards_zero(sum(values), self.window) for values in zip(*self.rows)]
            encoded = [None if missing(reading) else reading for reading in row]
            for p, c in enumerate(self.numbers):
                if encoded[c] is not None:
                    inputs = last + means + steps[:p]
                    predicted = sum(w * v for w, v in zip(self.weights[p], inputs)) >> 12
                    encoded[c] = clamp32(steps[p] - predicted)
            encoded += self.before
        self.rows = (self.rows + [steps])[-self.window:]
        self.before = [None if missing(row[c]) else max(row[c], -(2**31) + 1) for c in self.states]
        return encoded


def towards_zero(total, count):
    return total // count if total >= 0 else -(-total // count)


# Packets


class RangeEncoder:
    def __init__(self):
        self.low, self.range, self.written = 0, 2**32 - 1, 0

    def code(self, start, stop):
        """Narrows the range to a part of 65536 parts."""
        low = self.range * start >> 16
        self.low += low
        self.range = (self.range * stop >> 16 if stop < 65536 else self.range) - low
        while self.range < 2**24:
            self.low, self.range, self.written = self.low << 8, self.range << 8, self.written + 1

    def finish(self):
        more = -self.low % 2**32
        if more < self.range:
            return ((self.low + more) >> 32).to_bytes(self.written, "big")
        self.low += -self.low % 2**24
        return (self.low >> 24).to_bytes(self.written + 1, "big")


class RangeDecoder:
    def __init__(self, packet):
        self.bytes = iter(packet)
        self.range, self.code = 2**32 - 1, 0
        for _ in range(4):
            self.shift()

    def shift(self):
        self.code = self.code << 8 | next(self.bytes, 0)

    def choose(self, sums):
        """The part, of those that these ascending sums bound, which holds the code."""
        bounds = [self.range * s >> 16 if s < 65536 else self.range for s in sums]
        part = max(k for k, bound in enumerate(bounds[:-1]) if bound <= self.code)
        self.code -= bounds[part]
        self.range = bounds[part + 1] - bounds[part]
        while self.range < 2**24:
            self.range <<= 8
            self.shift()
        return part
