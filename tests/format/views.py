"""Outcome tables: views, prototypes and the mean of views."""

from math import floor, log

from arithmetic import IMPOSSIBLE, INTEGER, REGIME, check, clamp, clamp32, fixed, missing, saturate, surprisal_of
from encoder import Encoder, NOTHING_LEFT, Result, real_from

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
        check(self.prototypes or all(c.position != REGIME for c in columns), "a regime without prototypes")
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
        """The row of masses of a column, the kindest one if columns before it are lost."""
        table, own = self.outcomes[j], outcomes[j]
        lost = [t.outcomes - 1 if gone else None for t, gone in zip(self.outcomes[:j], lost)]
        values = range(1 + max((last for last in lost if last is not None), default=-1))
        others = [[o if last is None else min(value, last) for o, last in zip(outcomes, lost)] for value in values]
        return max([table.row(o) for o in [outcomes] + others], key=lambda sums: sums[own + 1] - sums[own])

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
