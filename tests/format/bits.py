"""The model of bits: linear terms, trees, a hidden layer and a mixture."""

from math import log

from arithmetic import (
    CATEGORY,
    FREE,
    IMPOSSIBLE,
    OBSERVED,
    check,
    clamp32,
    half_up,
    log_add,
    mass_of_one,
    saturate,
    surprisal_of,
    wrap16,
    wrap32,
)
from encoder import Encoder, NOTHING_LEFT, Result

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
                number = min(column.levels, 32)
            elif column.numeric and column.levels >= 2:
                first, number = 1, column.levels - 1
            tried = min(number, 32)
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
