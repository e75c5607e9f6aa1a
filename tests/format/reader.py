"""A reader and scorer of `.srp` files, written from docs/format.md. `check.py` compares it with the golden tables.

A reading is an `int`, a `float` (a binary32) or None (missing). Names and order of the parts are those of the page.
It refuses everything that the page lets a strict reader refuse.
"""

import json
import struct
import zlib
from math import exp, floor, isqrt, log

VERSION = 5
IMPOSSIBLE = 2**32 - 1
FREE, OBSERVED = 0xFFFF, 0xFFFE
REGIME = 4095
FLAG, RARE_ZERO, INTEGER, REAL, CATEGORY = range(5)


class Refused(Exception):
    """The file is damaged, or not one that this reader reads."""


class BadRow(Exception):
    """The row does not fit the table."""


def check(condition, message):
    if not condition:
        raise Refused(message)


# Conventions


def clamp(x, low, high):
    return max(low, min(x, high))


def clamp32(x):
    return clamp(x, -(2**31), 2**31 - 1)


def wrap16(x):
    return (x + 2**15) % 2**16 - 2**15


def wrap32(x):
    return (x + 2**31) % 2**32 - 2**31


def saturate(x):
    """A surprisal: `u32`."""
    return min(x, IMPOSSIBLE)


def bits_of(real):
    return struct.unpack("<i", struct.pack("<f", real))[0]


def real_of(bits):
    return struct.unpack("<f", struct.pack("<i", bits))[0]


def order(bits):
    if bits >= 0:
        return bits
    return 0 if bits == -(2**31) else wrap32(bits ^ 0x7FFFFFFF)


def fixed_bits(bits, t):
    """The real number with these bits in units of 2^t / 256, rounded towards zero."""
    exponent, mantissa = bits >> 23 & 255, bits & 0x7FFFFF
    magnitude = mantissa | 0x800000 if exponent else mantissa
    return fixed_parts(bits < 0, magnitude, max(exponent, 1) - 150, t)


def fixed_parts(negative, magnitude, exponent, t):
    shift = exponent + 8 - t
    magnitude = magnitude << shift if shift >= 0 else magnitude >> -shift
    magnitude = min(magnitude, 2**61)
    return -magnitude if negative else magnitude


def fixed(reading, t):
    """A reading in units of 2^t / 256, rounded towards zero, with at most 2^61 units."""
    if isinstance(reading, float):
        return fixed_bits(bits_of(reading), t)
    return fixed_parts(reading < 0, abs(reading), 0, t)


def missing(reading):
    return reading is None or reading != reading


# Masses and surprisals


def half_up(x):
    return floor(x + 0.5)


MASS = [max(1, half_up(65536 / (1 + exp(k / 32)))) for k in range(353)]
LIKELY = [half_up(-log((65536 - m) / 65536) * 65536) for m in MASS]
RARE = [half_up(-log(m / 65536) * 65536) for m in MASS]


def step_of(logit):
    return clamp((logit >> 10) + 1 >> 1, -352, 352)


def mass_of_one(logit):
    step = step_of(logit)
    return 65536 - MASS[step] if step > 0 else MASS[-step]


def surprisal_of(bit, logit):
    step = step_of(logit) if bit else -step_of(logit)
    return LIKELY[step] if step >= 0 else RARE[-step]


def log_add(a, b):
    q, r = divmod(min(abs(a - b), 2**31 - 1 - 2048), 2048)
    here, following = LIKELY[min(q, 352)], LIKELY[min(q + 1, 352)]
    return saturate(max(a, b) + here - max(0, here - following) * r // 2048)


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


# Model of bits


class ModelOfBits:
    SECTIONS = "H i H H h H H B H H b H h H b b H H BB b"

    def __init__(self, flags, sections, baselines, temperature):
        (words, values, log_widths, self.constraints, self.biases, self.scales, self.weight_starts, weights,
         self.tree_starts, self.splits, self.leaves, self.leaf_scales, self.hidden_biases, self.hidden_gains,
         self.hidden_inputs, self.hidden_outputs, self.hidden_scales, self.priors, parents,
         self.mixture_logits) = sections
        self.baselines, self.temperature = baselines, temperature
        self.activation, self.shift, self.feature_bits = flags >> 9 & 3, flags >> 11 & 31, flags >> 16
        self.dense = bool(flags >> 8 & 1)
        self.encoder = Encoder(words, values, log_widths)
        self.parents = parents[0::2]
        self.parent_codes = [wrap8(code) for code in parents[1::2]]
        check(len(parents) % 2 == 0, "mixture parents are pairs")
        self.n = n = max(len(self.biases), len(self.parents))
        self.H, self.K = len(self.hidden_biases), len(self.priors)
        self.check_sizes(weights)
        self.weights = self.read_dense(weights) if self.dense else self.read_sparse(weights)
        self.check_content()
        self.inputs = [self.hidden_inputs[j * self.H:][:self.H] for j in range(n)]
        self.outputs = [self.hidden_outputs[j * self.H:][:self.H] for j in range(n)]
        self.codes = [self.mixture_logits[i * self.K:][:self.K] for i in range(n)]
        self.columns, start = [], 0
        for column in self.encoder.columns:
            bits = range(start, start + column.bits_count())
            start = bits.stop
            observed = {self.constraint(i) == OBSERVED for i in bits}
            check(len(observed) <= 1, "a column with some bits observed and some not")
            self.columns.append((column, bits, True not in observed))
        check(start == n or not words, "the bits of the columns do not add up")
        self.readings = max((column.position + 1 for column in self.encoder.columns), default=0)

    def check_sizes(self, weights):
        n, H, K = self.n, self.H, self.K
        check(n <= 4096, "more than 4096 bits")
        check(H <= 256 and K <= 64, "too many hidden units or components")
        check(len(self.constraints) in (0, n), "number of constraints")
        check(len(self.biases) == n or not self.biases and self.parents, "number of biases")
        rows = len(self.biases)
        independent = self.dense and not weights
        check(len(self.scales) == rows or not self.scales and independent, "number of scales")
        if self.dense:
            check(not self.weight_starts and len(weights) in (0, rows * (rows - 1) // 2), "dense weights")
        else:
            check(len(self.weight_starts) == rows + 1, "weight starts")
            check(len(weights) % 2 == 0, "odd number of sparse weight bytes")
        trees = bool(self.tree_starts)
        check(len(self.tree_starts) == (n + 1 if trees else 0), "tree starts")
        check(len(self.leaves) == (len(self.splits) + n if trees else 0), "leaves")
        check(len(self.leaf_scales) == (n if trees else 0), "leaf scales")
        check(trees or not self.splits, "splits without trees")
        check(len(self.hidden_gains) == (H if self.activation == 1 else 0), "hidden gains")
        check(len(self.hidden_inputs) == len(self.hidden_outputs) == H * n, "hidden weights")
        check(len(self.hidden_scales) == (n if H else 0), "hidden scales")
        check(len(self.parents) == (n if K else 0), "mixture parents")
        check(len(self.mixture_logits) == K * n, "mixture logits")
        check(len(self.baselines) in (0, len(self.encoder.columns)), "baselines")

    def check_content(self):
        n = self.n
        if self.tree_starts:
            check_starts(self.tree_starts, len(self.splits))
            check(1 <= self.feature_bits <= 15, "feature bits")
            for i, (start, stop) in enumerate(zip(self.tree_starts, self.tree_starts[1:])):
                features = [split & (1 << self.feature_bits) - 1 for split in self.splits[start:stop]]
                check(max(features, default=0) <= i, "a split on a later bit")
        check(self.activation != 3 and self.shift <= 16, "activation or shift of the hidden layer")
        check(0 not in self.priors, "a prior of 0")
        check(all(parent <= i for i, parent in enumerate(self.parents)), "a mixture parent before bit 0")
        for i in range(n):
            word = self.constraint(i)
            if word < OBSERVED:
                check(word >> 14 == 0 and word & 0xFFF < i, "an implied bit whose parent is not earlier")

    def read_dense(self, weights):
        """Per column the pairs of row and weight."""
        signed = iter([wrap8(weight) for weight in weights])
        return [[(i, next(signed)) for i in range(j + 1, self.n)] if weights else [] for j in range(self.n)]

    def read_sparse(self, weights):
        check_starts(self.weight_starts, len(weights) // 2)
        columns = []
        for j, (start, stop) in enumerate(zip(self.weight_starts, self.weight_starts[1:])):
            row, entries = j, []
            for gap, weight in zip(weights[2 * start:2 * stop:2], weights[2 * start + 1:2 * stop:2]):
                row += gap
                check(j < row < self.n, "a sparse weight outside the triangle")
                entries.append((row, wrap8(weight)))
            columns.append(entries)
        return columns or [[] for _ in range(self.n)]

    def constraint(self, i):
        return self.constraints[i] if self.constraints else FREE

    def evaluate(self, row):
        """Per column its surprisal, None for observed and lost ones, and the set of lost columns."""
        state, surprisals, lost = State(self), [], []
        for column, bits, scored in self.columns:
            reading = row[column.position]
            cost = 0
            if column.lost(reading):
                lost.append(column.position)
                for i in bits:
                    state.push(None)
                surprisals.append(None)
                continue
            for bit in column.bits(column.outcome(reading)):
                cost += state.push(bit)
            cost = saturate(cost + column.density(reading))
            surprisals.append(cost if scored else None)
        return surprisals, lost

    def score(self, row):
        surprisals, lost = self.evaluate(row)
        scored = [(c.position, s) for (c, _, _), s in zip(self.columns, surprisals) if s is not None]
        score = saturate(sum(s for _, s in scored))
        if scored:
            return Result(score, self.anomaly_score(scored), len(lost), scored)
        return Result(*(NOTHING_LEFT if lost else (score, score)), len(lost), [(0, IMPOSSIBLE if lost else 0)])

    def anomaly_score(self, scored):
        largest = max(self.baselines, default=0) << 6
        total = None
        for position, surprisal in scored:
            baseline = self.baselines[position] << 6 if position < len(self.baselines) else 0
            share = saturate(surprisal + max(0, largest - baseline)) >> self.temperature
            total = share if total is None else log_add(total, share)
        return saturate(total << self.temperature)

    def shares(self, row):
        """Per reading its share of the score."""
        shares, (surprisals, _) = [0] * len(row), self.evaluate(row)
        for (column, _, _), surprisal in zip(self.columns, surprisals):
            shares[column.position] += surprisal or 0
        return shares

    def candidates(self, row):
        """Per scored column the readings that blame tries."""
        for column, _, scored in self.columns:
            if not scored:
                continue
            first, number = 0, column.levels + 1
            if column.kind == CATEGORY:
                number = min(column.levels, 16)
            elif column.numeric and column.levels >= 2:
                first, number = 1, column.levels - 1
            tried = min(number, 16)
            outcomes = [first + (2 * i + 1) * number // 2 // tried for i in range(tried)]
            yield column.position, [column.typical(outcome) for outcome in outcomes]

    def code(self, choose):
        """Walks through a row: `choose(i, mass of a one)` gives each free bit. Returns all bits; observed ones are 0."""
        state = State(self)
        for i in range(self.n):
            known = state.known()
            state.push(choose(i, mass_of_one(state.logit())) if known is None else None)
        return state.x

    def surprisal_of_bits(self, bits):
        """The score of a table without columns, which is fed bits."""
        state = State(self)
        return saturate(sum([state.push(bit) for bit in bits]))


def wrap8(x):
    return (x & 255 ^ 128) - 128


def check_starts(starts, end):
    check(starts[0] == 0 and starts[-1] == end, "starts that do not span the section")
    check(all(a <= b for a, b in zip(starts, starts[1:])), "starts that descend")


class State:
    """The bits of a row up to some bit, and the sums that they make."""

    def __init__(self, model):
        self.model, self.x = model, []
        self.linear = [0] * model.n
        self.hidden = list(model.hidden_biases)
        self.mixture = Mixture(model) if model.priors else None

    def known(self):
        """The implied value of the next bit, OBSERVED, or None if it is free."""
        word = self.model.constraint(len(self.x))
        if word == FREE:
            return None
        if word == OBSERVED:
            return OBSERVED
        return word >> 13 & 1 if self.x[word & 0xFFF] == word >> 12 & 1 else None

    def push(self, bit):
        """Appends a bit, or the likely one for None; returns its surprisal."""
        known, cost = self.known(), 0
        if known is None:
            logit = self.logit()
            bit = int(logit > 0) if bit is None else bit
            cost = surprisal_of(bit, logit)
            if self.mixture:
                self.mixture.observe(bit)
        elif known == OBSERVED:
            bit = bit or 0
        else:
            bit = known if bit is None else bit
            cost = 0 if bit == known else IMPOSSIBLE
        if bit:
            j = len(self.x)
            for i, weight in self.model.weights[j]:
                self.linear[i] += weight
            for u, weight in enumerate(self.model.inputs[j]):
                self.hidden[u] += weight
        self.x.append(bit)
        return cost

    def logit(self):
        i = len(self.x)
        linear = clamp32(self.linear_term(i) + self.trees_term(i))
        return clamp32(linear + clamp32(self.hidden_term(i) + self.mixture_term(i)))

    def linear_term(self, i):
        model = self.model
        weighted = wrap32(model.scales[i] * wrap16(self.linear[i])) if model.scales else 0
        return clamp32(weighted + (model.biases[i] * 64 if model.biases else 0))

    def trees_term(self, i):
        model = self.model
        if not model.tree_starts:
            return 0
        start, stop = model.tree_starts[i:i + 2]
        f = model.feature_bits
        total, tree, leaf = 0, (start, stop), start + i
        while True:
            pending = None
            while tree[0] < tree[1]:
                at, end = tree
                split = model.splits[at]
                feature, left = split & (1 << f) - 1, split >> f
                middle = min(at + 1 + left, end)
                low, high = (at + 1, middle), (middle, end)
                if feature == i:
                    pending, tree = (high, leaf + left + 1), low
                elif self.x[feature]:
                    tree, leaf = high, leaf + left + 1
                else:
                    tree = low
            total += model.leaves[leaf] if leaf < len(model.leaves) else 0
            if pending is None:
                return wrap32(model.leaf_scales[i] * total)
            tree, leaf = pending

    def hidden_term(self, i):
        model = self.model
        if not model.H:
            return 0
        total = 0
        for u, weight in enumerate(model.outputs[i]):
            value = wrap16(self.hidden[u])
            if model.activation == 0:
                value = max(0, value)
            elif model.activation == 1:
                value = mass_of_one(model.hidden_gains[u] * value) // 2
            total += weight * value
        return wrap32(model.hidden_scales[i] * wrap32(total) >> model.shift)

    def mixture_term(self, i):
        return self.mixture.term(i, self.x) if self.mixture else 0


def code_logit(code):
    return code * (64 + abs(code)) * 32


LN = [half_up(65536 * log(1 + j / 32)) for j in range(33)]


def fixed_ln(x):
    k = x.bit_length() - 1
    r = (x << 21 >> k) & 0x1FFFFF
    t, u = LN[r >> 16], LN[(r >> 16) + 1]
    return t + ((u - t) * (r & 0xFFFF) >> 16) - 45426 * (63 - k)


class Mixture:
    """The weights of the components, given the free bits so far."""

    def __init__(self, model):
        self.model, self.masses = model, None
        shifts = [16 - prior.bit_length() for prior in model.priors]
        self.weights = [(prior << z, z - min(shifts)) for prior, z in zip(model.priors, shifts)]

    def observe(self, bit):
        """Multiplies the weights by the masses that the last term gave this bit."""
        weights = []
        for (mantissa, exponent), one in zip(self.weights, self.masses):
            product = mantissa * (one if bit else 65536 - one)
            z = 32 - product.bit_length()
            weights.append(((product << z) >> 16, min(exponent + z, 0xFFFF)))
        smallest = min(exponent for _, exponent in weights)
        self.weights = [(mantissa, exponent - smallest) for mantissa, exponent in weights]

    def term(self, i, x):
        model = self.model
        parent = model.parents[i]
        shift = code_logit(model.parent_codes[i]) if parent and x[i - parent] else 0
        self.masses = [mass_of_one(code_logit(code) + shift) for code in model.codes[i]]
        ones = sum(m * p >> e for (m, e), p in zip(self.weights, self.masses))
        zeros = sum(m * (65536 - p) >> e for (m, e), p in zip(self.weights, self.masses))
        return fixed_ln(ones) - fixed_ln(zeros)


# Views


P = [-floor(-log(1 + k / 128) * 65536) for k in range(128)] + [45426]


def halvings(mass):
    return 17 - mass.bit_length()


def surprisal_of_mass(mass):
    h = halvings(mass)
    scaled = mass << h
    at, part = scaled >> 9 & 127, scaled & 511
    return (2907270 * h + 31 >> 6) - (P[at] + ((P[at + 1] - P[at]) * part >> 9))


def tail_of_distribution(mass):
    h = halvings(mass)
    return (h * 65536 - ((mass << h) - 65536) >> 6) * 45426 >> 10


class SoftMaximum:
    def __init__(self, temperature):
        self.temperature, self.octave, self.power = temperature, 0, 0

    def add(self, number):
        share = number >> self.temperature
        octave, p = share >> 16, (share & 65535) + 65536
        if octave > self.octave:
            self.power = (self.power >> min(octave - self.octave, 31)) + p
            self.octave = octave
        else:
            self.power += p >> min(self.octave - octave, 31)

    def value(self):
        if not self.power:
            return 0
        t = self.power.bit_length() - 1
        fraction = (self.power << 16 >> t) & 0xFFFF
        return saturate((self.octave + t - 16 << 16) + fraction << self.temperature)


class PrototypeColumn:
    def __init__(self, position, scale, origin, shift):
        self.position, self.scale, self.origin, self.shift = position, scale, origin, shift
        check(0 <= position < REGIME, "position of a prototype column")
        check(-128 <= scale <= 127 and -6 <= shift <= 30, "scale or shift of a prototype column")

    def steps(self, reading):
        return fixed(reading, self.scale) - self.origin

    def coordinate(self, reading):
        steps = self.steps(reading)
        return clamp(steps >> self.shift if self.shift >= 0 else steps << -self.shift, -127, 127)

    def offset(self, point):
        return point << self.shift if self.shift >= 0 else point >> -self.shift

    def restore(self, residual, point, like):
        """The reading with this residual, of the type of another reading."""
        steps = residual + self.origin + self.offset(point)
        if isinstance(like, float):
            return real_from(steps, self.scale)
        shift = self.scale - 8
        if shift >= 0:
            return clamp32(clamp32(steps) << shift)
        return clamp32(steps + (1 << -shift - 1) >> -shift)


class OutcomeColumn:
    """The rows of masses of a column."""

    def __init__(self, j, column, words, earlier, groups, splits, numbers):
        self.outcomes, self.rows, self.parent = words
        check(self.outcomes == column.outcomes, "outcomes differ from those of the encoder")
        check(1 <= self.outcomes <= 256, "0 or more than 256 outcomes")
        self.observed = self.rows == 0
        self.tree = self.parent == 0xFFFE and not self.observed
        self.groups, self.splits = [], []
        if self.tree:
            self.splits = take(splits, self.rows - 1)
            check(1 <= len(self.splits) <= 255, "a tree of 0 or more than 255 splits")
            check_tree(self.splits, j)
        elif self.parent != 0xFFFF and not self.observed:
            check(self.parent < j, "a parent that is not earlier")
            self.groups = take(groups, earlier[self.parent].outcomes)
            check(max(self.groups) < self.rows, "a group beyond the rows")
        else:
            check(self.rows <= 1, "more than one row without a parent")
        self.masses = []
        for _ in range(self.rows):
            sums = [0, *take(numbers, self.outcomes - 1), 65536]
            check(all(a < b for a, b in zip(sums, sums[1:])), "sums that do not ascend")
            self.masses.append(sums)

    def row(self, outcomes):
        """The sums of masses, given the outcomes of the columns before, from 0 to 65536."""
        if self.groups:
            return self.masses[self.groups[outcomes[self.parent]]]
        at, end, leaf = 0, len(self.splits), 0
        while at < end:
            split = self.splits[at]
            left = split >> 24
            if outcomes[split & 0xFFF] <= split >> 16 & 255:
                at, end = at + 1, at + 1 + left
            else:
                at, leaf = at + 1 + left, leaf + left + 1
        return self.masses[leaf]


def take(items, count):
    check(len(items) >= count, "groups, splits or rows end early")
    taken = items[:count]
    del items[:count]
    return taken


def check_tree(splits, j):
    trees = [(0, len(splits))]
    while trees:
        at, end = trees.pop()
        split = splits[at]
        middle = at + 1 + (split >> 24)
        check(split & 0xFFF < j, "a tested column that is not earlier")
        check(middle <= end, "splits that are not one tree")
        for bit, start, stop in (15, at + 1, middle), (14, middle, end):
            check((split >> bit & 1) == (start == stop), "the bits of the leaves")
            if start < stop:
                trees.append((start, stop))


class View:
    SECTIONS = "H i H iiii b HHH B I H I H IIIII"

    def __init__(self, sections):
        words, values, log_widths, prototypes, points, outcomes, groups, splits, numbers, view, baselines, starts = sections
        self.encoder, self.baselines = Encoder(words, values, log_widths), baselines
        check(len(view) == 2, "view numbers that are not two")
        self.log_unit, self.reach = view
        self.prototypes = [PrototypeColumn(*prototypes[i:i + 4]) for i in range(0, len(prototypes), 4)]
        width = len(self.prototypes)
        check(len(points) % width == 0 and 1 <= len(points) // width <= 256 if width else not points, "points")
        self.points = [points[i:i + width] for i in range(0, len(points), width or 1)]
        columns = self.encoder.columns
        check(len(outcomes) == 3 * len(columns) <= 3 * 4096, "number of outcome columns")
        check(len(baselines) in (0, len(columns)), "view baselines")
        check(len(starts) == 5 * len(columns), "number of starts")
        sources = iter([(c.position, c.kind) for c in columns])
        check(all((p.position, INTEGER) in sources for p in self.prototypes), "prototypes that are not columns")
        groups, splits, numbers = list(groups), list(splits), list(numbers)
        sizes = [len(groups), len(splits), len(numbers)]
        self.outcomes, at = [], [0, 0, 0]
        for j, column in enumerate(columns):
            before = [size - len(part) for size, part in zip(sizes, (groups, splits, numbers))]
            words_of = outcomes[3 * j:3 * j + 3]
            third = before[1] if words_of[2] == 0xFFFE else before[0]
            check(starts[5 * j:5 * j + 5] == [*at, third, before[2]], "starts that are not those of the columns")
            self.outcomes.append(OutcomeColumn(j, column, words_of, self.outcomes, groups, splits, numbers))
            at[0] += 1 if column.flag else 4 if column.numeric else 2
            at[1] += len(column.values)
            at[2] += len(column.log_widths)
        check(not groups and not splits and not numbers, "groups, splits or rows beyond those of the columns")
        self.prototype_of = {p.position: k for k, p in enumerate(self.prototypes)}

    def nearest(self, row):
        """The regime of a row and its distance."""
        coordinates = [None if missing(row[p.position]) else p.coordinate(row[p.position]) for p in self.prototypes]
        distances = [sum((c - q) ** 2 for c, q in zip(coordinates, point) if c is not None) for point in self.points]
        distance = min(distances)
        return distances.index(distance), distance

    def encode(self, row):
        """Per column its reading, and the regime of the row."""
        regime = self.nearest(row)[0] if self.prototypes else None
        readings = []
        for column in self.encoder.columns:
            if column.position == REGIME:
                readings.append(regime)
                continue
            reading, k = row[column.position], self.prototype_of.get(column.position)
            if k is not None and not missing(reading):
                prototype = self.prototypes[k]
                reading = clamp32(prototype.steps(reading) - prototype.offset(self.points[regime][k]))
            readings.append(reading)
        return readings, regime

    def outcomes_of(self, readings):
        """The outcomes of a row, and which columns are lost."""
        outcomes, lost = [], []
        for column, table, reading in zip(self.encoder.columns, self.outcomes, readings):
            lost.append(column.lost(reading))
            if not lost[-1]:
                outcome = column.outcome(reading)
            elif table.observed:
                outcome = table.outcomes // 2 if column.numeric else 0
            else:
                outcome = by_mass(table.row(outcomes))[0]
            outcomes.append(outcome)
        return outcomes, lost

    def row_of_masses(self, j, outcomes, lost):
        """The row of masses of a column, of up to three if columns before it are lost."""
        table = self.outcomes[j]
        if not any(lost[:j]):
            return table.row(outcomes)
        first = [0 if gone else o for o, gone in zip(outcomes, lost)]
        last = [t.outcomes - 1 if gone else o for o, gone, t in zip(outcomes, lost, self.outcomes)]
        own = outcomes[j]
        return max([table.row(o) for o in (outcomes, first, last)], key=lambda sums: sums[own + 1] - sums[own])

    def evaluate(self, row):
        """Per scored column that is not lost (column, index, surprisal, tail or None), and the number of lost ones."""
        readings, _ = self.encode(row)
        outcomes, lost = self.outcomes_of(readings)
        parts = []
        for j, (column, table, reading) in enumerate(zip(self.encoder.columns, self.outcomes, readings)):
            if lost[j] or table.observed:
                continue
            sums = self.row_of_masses(j, outcomes, lost)
            below, upto = sums[outcomes[j]:outcomes[j] + 2]
            tail = None
            if column.numeric and not missing(reading):
                tail = tail_of_distribution(min(65536, 2 * min(upto, 65536 - below)))
            parts.append((column, j, surprisal_of_mass(upto - below) + column.density(reading), tail))
        return parts, sum(lost)

    def anomaly_score(self, parts, temperature):
        largest = max(self.baselines, default=0) << 6
        soft = SoftMaximum(temperature)
        for _, j, surprisal, tail in parts:
            soft.add(surprisal + largest - (self.baselines[j] << 6 if self.baselines else 0))
            if tail is not None:
                soft.add(largest + tail)
        return soft.value()


def by_mass(sums):
    """Outcomes by falling mass, those of equal mass by their number."""
    return sorted(range(len(sums) - 1), key=lambda o: sums[o] - sums[o + 1])


def without_regime(parts):
    return [(column.position, surprisal) for column, _, surprisal, _ in parts if column.position != REGIME]


class Views:
    def __init__(self, views, temperature):
        self.views, self.temperature = views, temperature
        positions = [column.position for view in views for column in view.encoder.columns]
        self.readings = max((position + 1 for position in positions if position != REGIME), default=0)

    def evaluate(self, row):
        evaluated = [view.evaluate(row) for view in self.views]
        surprisals = [saturate(v.log_unit + sum(part[2] for part in parts)) for v, (parts, _) in zip(self.views, evaluated)]
        return evaluated, surprisals

    def score(self, row):
        evaluated, surprisals = self.evaluate(row)
        lost = max(number for _, number in evaluated)
        columns = [part for parts, _ in evaluated for part in without_regime(parts)]
        if lost and not columns:
            return Result(*NOTHING_LEFT, lost, [(0, IMPOSSIBLE)])
        anomaly_score = sum(v.anomaly_score(parts, self.temperature) for v, (parts, _) in zip(self.views, evaluated))
        return Result(self.mean_density(surprisals), saturate(anomaly_score), lost, columns)

    def mean_density(self, surprisals):
        if len(surprisals) == 1:
            return surprisals[0]
        total, *others = [saturate(s + surprisal_of_mass(65536 // len(surprisals))) for s in surprisals]
        for s in others:
            total = min(total, s) - surprisal_of(1, clamp32(abs(total - s)))
        return max(0, total)

    def shares(self, row):
        """Per reading its share of the score."""
        shares, (evaluated, surprisals) = [0] * len(row), self.evaluate(row)
        parts, _ = evaluated[surprisals.index(min(surprisals))]
        for position, surprisal in without_regime(parts):
            shares[position] = surprisal
        largest = max(range(len(row)), key=lambda position: (shares[position], position))
        shares[largest] += max(0, self.mean_density(surprisals) - sum(shares))
        return shares

    def regime(self, row):
        """The regime in the first view that has prototypes, and whether the row is far from it; None without."""
        for view in self.views:
            if view.prototypes:
                index, distance = view.nearest(row)
                return index, distance > view.reach
        return None

    def candidates(self, row):
        first, second = self.views[0], self.views[1] if len(self.views) > 1 else None
        readings, regime = first.encode(row)
        outcomes, _ = first.outcomes_of(readings)
        for j, column in enumerate(first.encoder.columns):
            if first.outcomes[j].observed or column.position == REGIME:
                continue
            present, likeliest = row[column.position], by_mass(first.outcomes[j].row(outcomes))
            typical = [value for value in map(column.typical, likeliest) if value is not None][:16]
            if column.position in first.prototype_of:
                typical = [] if missing(present) else self.restored(first, column.position, regime, typical, present)
            if second and column.position in second.prototype_of and not missing(present):
                typical += self.from_second(second, row, column.position)
            yield column.position, typical

    def restored(self, view, position, regime, residuals, like):
        k = view.prototype_of[position]
        return [view.prototypes[k].restore(r, view.points[regime][k], like) for r in residuals]

    def from_second(self, view, row, position):
        present = row[position]
        without = list(row)
        without[position] = None
        regime, _ = view.nearest(without)
        [centre] = self.restored(view, position, regime, [0], present)
        without[position] = centre
        outcomes, _ = view.outcomes_of(view.encode(without)[0])
        for j, column in enumerate(view.encoder.columns):
            if column.position == position and not view.outcomes[j].observed:
                values = map(column.typical, by_mass(view.outcomes[j].row(outcomes)))
                residuals = [value for value in values if value is not None][:8]
                return self.restored(view, position, regime, residuals, present)
        return []


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
