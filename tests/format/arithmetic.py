"""Numbers of docs/format.md: conventions, masses and surprisals."""

import struct
from math import exp, floor, log

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
