/* Reads and scores `.srp` tables of format version 5. `surprisal.h` documents the functions, `docs/format.md` the format and
 * every formula below. */
#include "surprisal.h"

/* ---- Assumptions about the compiler ----------------------------------------------------------------------------- */

typedef char surprisal_needs_arithmetic_shifts[((-3) >> 1) == -2 ? 1 : -1];
typedef char surprisal_needs_wrapping_conversions[((int32_t)0xFFFFFFFEu) == -2 ? 1 : -1];

#if defined(__GNUC__)
#define NOT_INLINED __attribute__((noinline))
#define INLINED inline __attribute__((always_inline))
#else
#define NOT_INLINED
#define INLINED inline
#endif

/* ---- Constants -------------------------------------------------------------------------------------------------- */

/* The source of the column that holds the index of the nearest prototype. */
#define REGIME 4095u
/* Parents of outcome columns that are none. */
#define NO_PARENT 0xFFFFu
#define TREE 0xFFFEu
/* The coordinate of a missing reading, and steps that do not fit 32 bits. */
#define NO_COORDINATE ((int8_t)-128)
#define UNKNOWN INT32_MIN
/* The log-width of a column that is left out of the score. */
#define LEFT_OUT UINT32_MAX
/* The surprisal of a mass of one: ln 65536. */
#define RAREST 726817u
/* Kinds of columns in their first word. */
#define KIND_INTEGER 2u
#define KIND_REAL 3u
/* Sections of every table, of a model of bits and of a view. */
#define SHARED_SECTIONS 8u
#define VIEW_SECTIONS 12u
#define BIT_SECTIONS 20u
/* The scale that marks a channel of a time series as a state. */
#define STATE INT32_MIN
/* The last step of the link table. */
#define LAST_STEP 352
/* A probability of one. */
#define WHOLE 65536u

/* Indices of the eleven calibration numbers. */
enum { THRESHOLD = 0, CALIBRATION_ROWS = 2, CUSUM_CAP = 6, REFERENCE = 7, DECISION = 8, TEMPERATURE = 10 };

/* ---- Constant tables, by the formulas of the format; tests/c checks them by their checksums ----------------------- */

/* ln(1 + k/128) in units of 1/65536, rounded up except for the last. */
static const uint16_t LOGARITHMS[129] = {
    0, 511, 1017, 1519, 2017, 2512, 3003, 3490, 3974, 4454, 4930, 5404, 5873, 6340, 6803, 7263, 7720, 8173, 8623,
    9071, 9515, 9956, 10395, 10830, 11263, 11693, 12120, 12544, 12965, 13384, 13800, 14214, 14624, 15033, 15439,
    15842, 16243, 16641, 17037, 17431, 17822, 18211, 18598, 18982, 19364, 19744, 20122, 20497, 20871, 21242, 21611,
    21978, 22343, 22707, 23068, 23427, 23784, 24139, 24492, 24844, 25193, 25541, 25887, 26231, 26573, 26914, 27252,
    27589, 27924, 28258, 28590, 28920, 29248, 29575, 29900, 30224, 30546, 30867, 31186, 31503, 31819, 32133, 32446,
    32757, 33067, 33375, 33682, 33988, 34292, 34595, 34896, 35196, 35495, 35792, 36088, 36382, 36675, 36967, 37258,
    37547, 37835, 38122, 38408, 38692, 38975, 39257, 39538, 39817, 40096, 40373, 40649, 40923, 41197, 41469, 41741,
    42011, 42280, 42548, 42815, 43081, 43346, 43610, 43872, 44134, 44395, 44654, 44913, 45170, 45426,
};

/* Link table: the surprisal of the likelier value of a bit, by steps of 1/32 nat. */
static const uint16_t LIKELY_NATS[353] = {
    45426, 44410, 43409, 42426, 41459, 40506, 39570, 38649, 37744, 36856, 35982, 35126, 34283, 33457, 32645, 31850,
    31070, 30303, 29553, 28817, 28096, 27389, 26697, 26018, 25353, 24704, 24068, 23445, 22836, 22240, 21657, 21087,
    20529, 19986, 19454, 18934, 18426, 17929, 17445, 16971, 16511, 16059, 15620, 15191, 14773, 14364, 13967, 13578,
    13199, 12831, 12472, 12121, 11780, 11447, 11123, 10808, 10500, 10201, 9910, 9627, 9350, 9082, 8820, 8566, 8318,
    8078, 7843, 7616, 7394, 7178, 6969, 6765, 6567, 6374, 6187, 6006, 5829, 5657, 5490, 5328, 5170, 5017, 4868, 4723,
    4584, 4446, 4315, 4186, 4061, 3940, 3822, 3708, 3597, 3489, 3384, 3283, 3184, 3089, 2995, 2905, 2818, 2733, 2651,
    2571, 2493, 2418, 2344, 2274, 2205, 2139, 2073, 2011, 1950, 1891, 1833, 1778, 1723, 1671, 1621, 1572, 1524, 1478,
    1433, 1389, 1347, 1305, 1265, 1226, 1190, 1153, 1118, 1084, 1050, 1019, 987, 958, 929, 900, 873, 845, 820, 795,
    771, 747, 724, 702, 681, 659, 639, 620, 601, 583, 564, 547, 530, 514, 499, 483, 469, 454, 440, 426, 413, 401, 388,
    377, 365, 354, 343, 333, 322, 313, 303, 294, 285, 276, 268, 260, 251, 243, 236, 228, 221, 215, 208, 202, 195, 189,
    184, 178, 172, 167, 162, 157, 152, 148, 143, 139, 134, 130, 126, 122, 119, 115, 111, 108, 105, 101, 98, 95, 92,
    90, 87, 84, 82, 79, 77, 74, 72, 70, 68, 66, 64, 62, 60, 58, 56, 54, 53, 51, 50, 48, 47, 45, 44, 42, 41, 40, 39,
    37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 27, 26, 25, 24, 23, 23, 22, 21, 21, 20, 19, 19, 18, 18, 17, 17, 16,
    16, 15, 15, 14, 14, 13, 13, 13, 12, 12, 11, 11, 11, 10, 10, 10, 9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 7, 7, 6, 6, 6, 6, 6,
    6, 5, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

#ifndef SURPRISAL_NO_BITS
/* Link table: the mass of the less likely value. */
static const uint16_t RARE_MASS[353] = {
    32768, 32256, 31744, 31233, 30723, 30213, 29705, 29198, 28693, 28190, 27689, 27191, 26695, 26202, 25712, 25226,
    24743, 24263, 23788, 23316, 22849, 22386, 21928, 21474, 21025, 20582, 20143, 19710, 19282, 18859, 18442, 18031,
    17625, 17226, 16832, 16444, 16062, 15686, 15316, 14952, 14595, 14243, 13898, 13559, 13226, 12899, 12579, 12264,
    11955, 11653, 11357, 11066, 10782, 10503, 10230, 9964, 9702, 9447, 9197, 8953, 8714, 8481, 8252, 8030, 7812, 7600,
    7392, 7190, 6992, 6799, 6611, 6428, 6249, 6074, 5904, 5739, 5577, 5420, 5266, 5117, 4971, 4830, 4692, 4557, 4427,
    4299, 4176, 4055, 3938, 3824, 3713, 3605, 3500, 3398, 3298, 3202, 3108, 3017, 2928, 2842, 2758, 2677, 2598, 2521,
    2446, 2374, 2303, 2235, 2168, 2104, 2041, 1980, 1921, 1864, 1808, 1754, 1701, 1650, 1601, 1553, 1506, 1461, 1417,
    1374, 1333, 1292, 1253, 1215, 1179, 1143, 1109, 1075, 1042, 1011, 980, 951, 922, 894, 867, 840, 815, 790, 766,
    743, 720, 698, 677, 656, 636, 617, 598, 580, 562, 545, 528, 512, 497, 481, 467, 452, 439, 425, 412, 400, 387, 376,
    364, 353, 342, 332, 321, 312, 302, 293, 284, 275, 267, 259, 251, 243, 236, 228, 221, 215, 208, 202, 195, 189, 184,
    178, 172, 167, 162, 157, 152, 148, 143, 139, 134, 130, 126, 122, 119, 115, 111, 108, 105, 101, 98, 95, 92, 90, 87,
    84, 82, 79, 77, 74, 72, 70, 68, 66, 64, 62, 60, 58, 56, 54, 53, 51, 50, 48, 47, 45, 44, 42, 41, 40, 39, 37, 36,
    35, 34, 33, 32, 31, 30, 29, 28, 27, 27, 26, 25, 24, 23, 23, 22, 21, 21, 20, 19, 19, 18, 18, 17, 17, 16, 16, 15,
    15, 14, 14, 13, 13, 13, 12, 12, 11, 11, 11, 10, 10, 10, 9, 9, 9, 9, 8, 8, 8, 8, 7, 7, 7, 7, 6, 6, 6, 6, 6, 6, 5,
    5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
    2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};

/* Link table: the surprisal of the less likely value, minus that of the likelier one and 2048 per step. */
static const int16_t RARE_REST[353] = {
    0, 0, 2, 0, -2, 0, 0, 1, 1, 0, 1, -1, 0, 0, 1, -1, -2, 1, -2, 0, -1, -1, -2, 0, 2, -1, 0, -1, -1, 0, 1, 0, 2, -2,
    -2, -1, -1, 0, 1, 3, -1, 3, 1, 0, 0, 1, -3, 0, 3, 0, -3, 1, -2, 1, 3, -3, 3, 0, 1, -2, 0, -4, 4, -3, 1, -4, 2, -3,
    1, 3, 2, -3, -2, 5, 4, -5, 0, -4, 4, -1, 6, -3, -3, 8, -5, 8, -6, 2, -3, -4, -4, -3, -3, -5, 10, -1, 2, -3, 5, 1,
    6, -3, -6, -2, 7, -8, 8, -6, 10, -8, 2, 4, 0, -15, -6, -12, 6, 5, -17, -21, -7, -21, -20, -5, -25, 16, 17, 26,
    -15, 7, -27, -1, 29, -9, 16, -35, -24, -22, -33, 20, -23, -4, -6, -32, 4, 11, -14, 25, 27, -15, 6, -21, 16, -2,
    44, 29, -56, 57, -41, 65, -56, 34, 35, -64, 66, -81, 9, -17, 20, -73, 98, -77, 20, -36, -31, 41, -64, -111, -94,
    -11, -136, 84, 87, -152, -23, -147, 123, 129, -157, -26, 179, 70, 19, 30, 108, -188, 22, -163, 195, 137, 141, 211,
    -202, -5, 271, 21, -177, 324, 255, 248, 306, -300, -123, 131, -335, 62, -303, 256, 6, -194, -340, -430, -459,
    -424, -321, -146, 108, 445, -377, 98, -651, -22, -689, 115, -459, 544, 76, -353, -741, 663, 412, 211, 64, -27,
    -57, -23, 79, 253, 506, 843, -1205, -779, -256, 373, 1115, -933, -67, 935, -1113, 37, 1352, -696, 800, -1248, 451,
    -1597, 329, -1719, 464, -1584, 890, -1158, 1652, -396, -2444, 755, -1293, 2362, 314, -1734, 2465, 417, -1631,
    3227, 1179, -869, -2917, 2755, 707, -1341, -3389, 3315, 1267, -781, -2829, 5227, 3179, 1131, -917, -2965, -5013,
    4888, 2840, 792, -1256, -3304, -5352, 7225, 5177, 3129, 1081, -967, -3015, -5063, -7111, 9696, 7648, 5600, 3552,
    1504, -544, -2592, -4640, -6688, -8736, -10784, 13741, 11693, 9645, 7597, 5549, 3501, 1453, -595, -2643, -4691,
    -6739, -8787, -10835, -12883, -14931, -16979, 26400, 24352, 22304, 20256, 18208, 16160, 14112, 12064, 10016, 7968,
    5920,
};

/* ln(1 + j/32) in units of 1/65536. */
static const uint16_t LN[33] = {
    0, 2017, 3973, 5873, 7719, 9515, 11262, 12965, 14624, 16242, 17821, 19364, 20870, 22343, 23783, 25193, 26573,
    27924, 29248, 30546, 31818, 33067, 34292, 35494, 36675, 37835, 38975, 40095, 41196, 42280, 43345, 44394, 45426,
};

#endif

/* ---- Arithmetic ------------------------------------------------------------------------------------------------- */

/* The number of zero bits above the highest one bit, 32 for zero. */
static INLINED uint32_t leading_zeros(uint32_t value) {
#if defined(__GNUC__)
    return (value == 0u) ? 32u : (uint32_t)__builtin_clz(value);
#else
    uint32_t zeros = 32u;
    while (value != 0u) {
        value >>= 1;
        --zeros;
    }
    return zeros;
#endif
}

static uint32_t leading_zeros_64(uint64_t value) {
    const uint32_t high = (uint32_t)(value >> 32);
    return (high != 0u) ? leading_zeros(high) : (32u + leading_zeros((uint32_t)value));
}

static INLINED uint32_t add_saturating(uint32_t a, uint32_t b) {
    const uint32_t sum = a + b;
    return (sum < a) ? UINT32_MAX : sum;
}

static INLINED uint32_t subtract_saturating(uint32_t a, uint32_t b) {
    return (a > b) ? (a - b) : 0u;
}

static int32_t clamp_64(int64_t value) {
    return (value < (int64_t)INT32_MIN) ? INT32_MIN : ((value > (int64_t)INT32_MAX) ? INT32_MAX : (int32_t)value);
}

/* -ln(mass / 65536) of a mass in 1 to 65536. */
static INLINED uint32_t nats_of_mass(uint32_t mass) {
    const uint32_t halvings = leading_zeros(mass) - 15u;
    const uint32_t scaled = mass << (halvings & 31u);
    const uint32_t at = (scaled >> 9) & 127u;
    const uint32_t from = LOGARITHMS[at];
    const uint32_t to = LOGARITHMS[at + 1u];
    return (((halvings * 2907270u) + 31u) >> 6) - (from + (((to - from) * (scaled & 511u)) >> 9));
}

/* The surprisal of a one at a logit that is not negative, in units of 1/65536 nat. */
static uint32_t likely_nats(int32_t logit) {
    const int32_t step = ((logit >> 10) + 1) >> 1;
    return LIKELY_NATS[(step > LAST_STEP) ? LAST_STEP : step];
}

/* ---- Readings --------------------------------------------------------------------------------------------------- */

static INLINED bool is_missing(const surprisal_reading *reading) {
    bool missing;
    switch (reading->type) {
    case SURPRISAL_INTEGER:
        missing = false;
        break;
    case SURPRISAL_REAL:
        missing = (reading->value.real_bits << 1) > 0xFF000000u;
        break;
    default:
        missing = true;
        break;
    }
    return missing;
}

/* An integer that orders as the number with these bits does; the inverse of itself, except for minus zero. */
static INLINED int32_t order_of(uint32_t bits) {
    int32_t order;
    if (bits == 0x80000000u) {
        order = 0;
    } else {
        order = (int32_t)(((bits >> 31) != 0u) ? (bits ^ 0x7FFFFFFFu) : bits);
    }
    return order;
}

/* A reading that is not missing in steps of 2^scale / 256, rounded towards zero, saturating at 2^61 on both sides. */
static NOT_INLINED int64_t steps_of(const surprisal_reading *reading, int32_t scale) {
    uint32_t magnitude;
    bool negative;
    int32_t shift = 8 - scale;
    int64_t scaled;
    if (reading->type == (uint8_t)SURPRISAL_INTEGER) {
        negative = reading->value.integer < 0;
        magnitude = negative ? (0u - (uint32_t)reading->value.integer) : (uint32_t)reading->value.integer;
    } else {
        const uint32_t bits = reading->value.real_bits;
        const int32_t exponent = (int32_t)((bits >> 23) & 0xFFu);
        negative = (bits >> 31) != 0u;
        magnitude = (bits & 0x7FFFFFu) | ((exponent > 0) ? 0x800000u : 0u);
        shift += ((exponent > 0) ? exponent : 1) - 150;
    }
    if (magnitude == 0u) {
        scaled = 0;
    } else if (shift >= 0) {
        const bool fits = (uint32_t)shift <= (leading_zeros(magnitude) + 29u);
        scaled = fits ? (int64_t)((uint64_t)magnitude << (uint32_t)shift) : ((int64_t)1 << 61);
    } else {
        scaled = (shift >= -31) ? (int64_t)(magnitude >> (uint32_t)(-shift)) : 0;
    }
    return negative ? -scaled : scaled;
}

/* The same in few instructions, if the steps are known to fit 32 bits; otherwise returns false. */
static INLINED bool small_steps_of(const surprisal_reading *reading, int32_t scale, int32_t *steps) {
    const int32_t shift = 8 - scale;
    bool known = false;
    if (reading->type == (uint8_t)SURPRISAL_INTEGER) {
        const int32_t value = reading->value.integer;
        if (shift == 0) {
            *steps = value;
            known = true;
        } else if ((shift > 0) && (shift <= 30)) {
            *steps = (int32_t)((uint32_t)value << (uint32_t)shift);
            known = (*steps >> shift) == value;
        } else if ((shift < 0) && (shift >= -30)) {
            /* Adds 2^k - 1 to a negative number, so that the shift rounds towards zero. */
            *steps = (value + ((value >> 31) & (int32_t)((1u << (uint32_t)(-shift)) - 1u))) >> (-shift);
            known = true;
        } else {
            known = false;
        }
    } else if (reading->type == (uint8_t)SURPRISAL_REAL) {
        const uint32_t bits = reading->value.real_bits;
        const int32_t exponent = (int32_t)((bits >> 23) & 0xFFu);
        const uint32_t magnitude = (bits & 0x7FFFFFu) | ((exponent > 0) ? 0x800000u : 0u);
        const int32_t left = ((exponent > 0) ? exponent : 1) - 150 + shift;
        if ((exponent != 255) && (left >= -31) && (left <= 7)) {
            const uint32_t scaled = (left >= 0) ? (magnitude << (uint32_t)left) : (magnitude >> (uint32_t)(-left));
            *steps = ((bits >> 31) != 0u) ? -(int32_t)scaled : (int32_t)scaled;
            known = true;
        }
    } else {
        known = false;
    }
    return known;
}

/* The real number that is `steps` steps of 2^scale / 256, rounded towards zero. */
static surprisal_reading real_of_steps(int64_t steps, int32_t scale) {
    const uint64_t magnitude = (steps < 0) ? (0u - (uint64_t)steps) : (uint64_t)steps;
    const uint32_t zeros = leading_zeros_64(magnitude);
    const int32_t exponent = 127 + 63 - (int32_t)zeros - 8 + scale;
    surprisal_reading reading;
    uint32_t bits;
    if ((magnitude == 0u) || (exponent <= 0)) {
        bits = 0u;
    } else if (exponent <= 254) {
        bits = ((uint32_t)exponent << 23) | (uint32_t)(((magnitude << zeros) << 1) >> 41);
    } else {
        bits = 0x7F7FFFFFu;
    }
    reading.type = (uint8_t)SURPRISAL_REAL;
    reading.value.real_bits = bits | ((steps < 0) ? 0x80000000u : 0u);
    return reading;
}

/* The integer nearest to `steps` steps of 2^scale / 256, saturating; a half rounds upwards. */
static surprisal_reading integer_of_steps(int64_t steps, int32_t scale) {
    const int32_t shift = scale - 8;
    const int64_t limited = (int64_t)clamp_64(steps);
    int64_t value;
    if (shift >= 0) {
        value = limited * ((int64_t)1 << ((shift < 31) ? shift : 31));
    } else {
        const int32_t right = -shift - 1;
        value = ((steps >> ((right < 63) ? right : 63)) + 1) >> 1;
    }
    return surprisal_integer(clamp_64(value));
}

/* ---- Columns of an encoder -------------------------------------------------------------------------------------- */

/* One column: what its words say. */
typedef struct {
    const surprisal_int32 *values;
    const surprisal_uint16 *log_widths;
    uint16_t source;
    uint16_t count; /* values */
    uint16_t pivot;
    uint8_t kind; /* 0 or 1: flag, 2: integer, 3: real, 4: category */
    bool may_miss;
    int32_t tail_scale;
} column_t;

static INLINED bool is_number(const column_t *column) {
    return (column->kind | 1u) == KIND_REAL;
}

/* The number of words of a column with this first word. */
static INLINED uint32_t words_of(uint32_t word) {
    const uint32_t kind = (word >> 12) & 7u;
    return (kind < 2u) ? 1u : ((kind < 4u) ? 4u : 2u);
}

/* Reads the column whose parts begin at these places. */
static column_t read_column(const surprisal_uint16 *words, const surprisal_int32 *values, const surprisal_uint16 *log_widths) {
    const uint32_t word = words[0];
    const uint32_t kind = (word >> 12) & 7u;
    column_t column;
    column.values = values;
    column.log_widths = log_widths;
    column.source = (uint16_t)(word & 0xFFFu);
    column.kind = (uint8_t)((kind > 4u) ? 4u : kind);
    column.may_miss = (word >> 15) != 0u;
    column.count = (kind < 2u) ? (uint16_t)0u : words[1];
    column.pivot = 0u;
    column.tail_scale = 0;
    if (is_number(&column)) {
        column.pivot = (words[2] < column.count) ? words[2] : column.count;
        column.tail_scale = (int32_t)(int8_t)(uint8_t)(words[3] & 0xFFu);
    }
    return column;
}

static uint32_t outcomes_of(const column_t *column) {
    return ((column->kind < 2u) ? 2u : ((uint32_t)column->count + 1u)) + (column->may_miss ? 1u : 0u);
}

/* The number of edges below a key. */
static INLINED uint32_t edges_below(const surprisal_int32 *edges, uint32_t count, int32_t key) {
    uint32_t first = 0u;
    uint32_t left = count;
    while (left != 0u) {
        const uint32_t half = left >> 1;
        if (key > edges[first + half]) {
            first += half + 1u;
            left -= half + 1u;
        } else {
            left = half;
        }
    }
    return first;
}

/* The reading of an edge. */
static surprisal_reading edge_of(const column_t *column, int32_t key) {
    surprisal_reading reading = surprisal_integer(key);
    if (column->kind == KIND_REAL) {
        reading.type = (uint8_t)SURPRISAL_REAL;
        reading.value.real_bits = (uint32_t)order_of((uint32_t)key);
    }
    return reading;
}

/* 2 ln(1 + d/s) for the distance d of a reading from the range of two edges, with s = 2^scale. */
static uint32_t tail_beyond(const surprisal_reading *reading, const surprisal_reading *lowest,
                            const surprisal_reading *highest, int32_t scale) {
    const int64_t value = steps_of(reading, scale);
    const int64_t below = steps_of(lowest, scale) - value;
    const int64_t above = value - steps_of(highest, scale);
    const int64_t farther = (below > above) ? below : above;
    const uint64_t distance = (farther > 0) ? (uint64_t)farther : 0u;
    const uint64_t most = (uint64_t)1u << 61;
    const uint64_t x = ((distance < most) ? distance : most) + 256u;
    const uint32_t octave = 63u - leading_zeros_64(x);
    const uint64_t fraction = ((x << (63u - octave)) << 1) >> 48;
    return (uint32_t)(((((uint64_t)(octave - 8u) << 16) | fraction) * 90852u) >> 16);
}

/* The outcome and the log-width of a reading. */
typedef struct {
    uint32_t outcome;
    uint32_t log_width;
} outcome_t;

/* How a reading fits a column. */
typedef enum { FITS, LACKS, WRONG } fit_t;

/* Finds the outcome of a reading, the last one if it is missing, and its log-width. Returns LACKS for a reading that is missing
 * but may not be, and WRONG for one of the wrong type. */
static fit_t classify(const column_t *column, const surprisal_reading *reading, outcome_t *out) {
    out->outcome = outcomes_of(column) - 1u;
    out->log_width = 0u;
    if (is_missing(reading)) {
        return column->may_miss ? FITS : LACKS;
    }
    if ((reading->type == (uint8_t)SURPRISAL_REAL) != (column->kind == KIND_REAL)) {
        return WRONG;
    }
    if (is_number(column)) {
        const bool real = column->kind == KIND_REAL;
        const int32_t key = real ? order_of(reading->value.real_bits) : reading->value.integer;
        const uint32_t outcome = edges_below(column->values, column->count, key);
        out->outcome = outcome;
        out->log_width = (uint32_t)column->log_widths[outcome] << 5;
        if ((column->count > 0u) && ((outcome == 0u) || (outcome == column->count))) {
            const surprisal_reading lowest = edge_of(column, column->values[0]);
            const surprisal_reading highest = edge_of(column, column->values[column->count - 1u]);
            out->log_width += tail_beyond(reading, &lowest, &highest, column->tail_scale);
        }
    } else if (column->kind < 2u) {
        const int32_t key = reading->value.integer;
        out->outcome = (key != (int32_t)column->kind) ? 1u : 0u;
        if ((key != 0) && (key != 1)) {
            const surprisal_reading lowest = surprisal_integer(0);
            const surprisal_reading highest = surprisal_integer(1);
            out->log_width = tail_beyond(reading, &lowest, &highest, 0) + RAREST;
        }
    } else {
        uint32_t outcome = 0u;
        while ((outcome < column->count) && (column->values[outcome] != reading->value.integer)) {
            ++outcome;
        }
        out->outcome = outcome;
    }
    return FITS;
}

/* ---- Prototypes ------------------------------------------------------------------------------------------------- */

/* floor(value / 2^shift) for shifts of -30 to 30. */
static int64_t shifted(int64_t value, int32_t shift) {
    return (shift < 0) ? (value * ((int64_t)1 << (-shift))) : (value >> shift);
}

/* The coordinate of a reading whose steps do not fit 32 bits. */
static NOT_INLINED int8_t far_coordinate(const surprisal_int32 *column, const surprisal_reading *reading) {
    const int64_t most = (int64_t)1 << 38;
    int64_t steps;
    if (is_missing(reading)) {
        return NO_COORDINATE;
    }
    steps = steps_of(reading, column[1]) - (int64_t)column[2];
    steps = (steps < -most) ? -most : ((steps > most) ? most : steps);
    steps = shifted(steps, column[3]);
    return (int8_t)((steps < -127) ? -127 : ((steps > 127) ? 127 : steps));
}

/* Returns a - b and whether it fits. */
static INLINED bool subtract_fits(int32_t a, int32_t b, int32_t *difference) {
    *difference = (int32_t)((uint32_t)a - (uint32_t)b);
    return (((a ^ b) & (a ^ *difference)) >= 0);
}

/* Finds the nearest prototype, and writes the steps of each column from its origin to `steps`, or UNKNOWN. */
static uint32_t locate(const surprisal_view *view, const surprisal_reading *readings, int32_t *steps) {
    int8_t row[SURPRISAL_MAX_COLUMNS];
    const uint32_t width = view->width;
    const surprisal_int32 *column = view->prototypes;
    const int8_t *point = view->points;
    bool any_missing = false;
    uint32_t nearest = 0u;
    uint32_t best = UINT32_MAX;
    uint32_t at;
    for (at = 0u; at < width; ++at) {
        const surprisal_reading *reading = &readings[column[0]];
        int32_t own;
        if ((column[3] >= 0) && small_steps_of(reading, column[1], &own) && subtract_fits(own, column[2], &own)) {
            const int32_t coordinate = own >> column[3];
            row[at] = (int8_t)((coordinate < -127) ? -127 : ((coordinate > 127) ? 127 : coordinate));
            steps[at] = own;
        } else {
            row[at] = far_coordinate(column, reading);
            steps[at] = UNKNOWN;
            any_missing = any_missing || (row[at] == NO_COORDINATE);
        }
        column = &column[4];
    }
    for (at = 0u; at < view->points_count; ++at) {
        uint32_t distance = 0u;
        uint32_t i;
        for (i = 0u; i < width; ++i) {
            if ((!any_missing) || (row[i] != NO_COORDINATE)) {
                const int32_t apart = (int32_t)row[i] - (int32_t)point[i];
                distance += (uint32_t)(apart * apart);
            }
        }
        point = &point[width];
        if (distance < best) {
            best = distance;
            nearest = at;
        }
    }
    return nearest;
}

/* The value of a column of a prototype, in steps. */
static int64_t centre_of(const surprisal_view *view, uint32_t column, uint32_t nearest) {
    const surprisal_int32 *words = &view->prototypes[4u * column];
    return (int64_t)words[2] + shifted((int64_t)view->points[(nearest * view->width) + column], -words[3]);
}

/* The difference of a reading from a prototype, in steps; a missing reading stays missing. */
static NOT_INLINED surprisal_reading far_residual(const surprisal_view *view, uint32_t column, uint32_t nearest,
                                                  const surprisal_reading *reading) {
    if (is_missing(reading)) {
        return surprisal_missing();
    }
    return surprisal_integer(clamp_64(steps_of(reading, view->prototypes[(4u * column) + 1u]) -
                                      centre_of(view, column, nearest)));
}

/* The same, given the steps from the origin that `locate` wrote. */
static INLINED surprisal_reading residual_of(const surprisal_view *view, uint32_t column, uint32_t nearest,
                                             const surprisal_reading *reading, int32_t steps) {
    const int32_t shift = view->prototypes[(4u * column) + 3u];
    if ((steps != UNKNOWN) && (shift >= 0) && (shift <= 23)) {
        const int32_t point = (int32_t)view->points[(nearest * view->width) + column];
        int32_t residual;
        if (subtract_fits(steps, point * ((int32_t)1 << shift), &residual)) {
            return surprisal_integer(residual);
        }
    }
    return far_residual(view, column, nearest, reading);
}

/* ---- Outcome tables --------------------------------------------------------------------------------------------- */

/* The row of masses of a column: the sums of masses without the last one, or NULL for an observed column. */
static INLINED const surprisal_uint16 *conditional(const surprisal_view *view, const surprisal_uint16 *shape,
                                                   const surprisal_uint32 *start,
                                           const uint8_t *row) {
    uint32_t at;
    if (shape[1] == 0u) {
        return NULL;
    }
    if (shape[2] == TREE) {
        const surprisal_uint32 *split = &view->splits[start[3]];
        at = 0u;
        for (;;) {
            const uint32_t word = *split;
            ++split;
            if ((uint32_t)row[word & 0xFFFu] <= ((word >> 16) & 0xFFu)) {
                if ((word & 0x8000u) != 0u) {
                    break;
                }
            } else {
                const uint32_t left = word >> 24;
                split = &split[left];
                at += left + 1u;
                if ((word & 0x4000u) != 0u) {
                    break;
                }
            }
        }
    } else if (shape[2] == NO_PARENT) {
        at = 0u;
    } else {
        at = view->groups[start[3] + row[shape[2]]];
    }
    return &view->rows[start[4] + (((uint32_t)shape[0] - 1u) * at)];
}

/* The sums of the masses below an outcome, and up to and with it. */
static INLINED void bounds_of(const surprisal_uint16 *sums, uint32_t outcomes, uint32_t outcome, uint32_t *low,
                              uint32_t *high) {
    *low = (outcome == 0u) ? 0u : (uint32_t)sums[outcome - 1u];
    *high = ((outcome + 1u) < outcomes) ? (uint32_t)sums[outcome] : WHOLE;
}

static uint32_t mass_of(const surprisal_uint16 *sums, uint32_t outcomes, uint32_t outcome) {
    uint32_t low;
    uint32_t high;
    bounds_of(sums, outcomes, outcome, &low, &high);
    return high - low;
}

/* The outcomes of a row of masses by falling mass, and those of equal mass by their number. */
typedef struct {
    const surprisal_uint16 *sums;
    uint32_t outcomes;
    uint32_t mass;    /* of the last outcome, WHOLE + 1 before the first */
    uint32_t outcome; /* the last one */
} falling_t;

static falling_t falling_of(const surprisal_uint16 *sums, uint32_t outcomes) {
    falling_t falling;
    falling.sums = sums;
    falling.outcomes = outcomes;
    falling.mass = WHOLE + 1u;
    falling.outcome = 0u;
    return falling;
}

/* Moves to the next outcome. Returns false after the last one. */
static bool next_likeliest(falling_t *falling) {
    uint32_t most = 0u;
    uint32_t found = 0u;
    uint32_t below = 0u;
    uint32_t outcome;
    for (outcome = 0u; outcome < falling->outcomes; ++outcome) {
        const uint32_t sum = ((outcome + 1u) < falling->outcomes) ? (uint32_t)falling->sums[outcome] : WHOLE;
        const uint32_t mass = sum - below;
        below = sum;
        if ((mass > most) &&
            ((mass < falling->mass) || ((mass == falling->mass) && (outcome > falling->outcome)))) {
            most = mass;
            found = outcome;
        }
    }
    falling->mass = most;
    falling->outcome = found;
    return most > 0u;
}

/* ---- Scores of views -------------------------------------------------------------------------------------------- */

/* A soft maximum: the largest octave so far, and the sum of the powers in units of that octave. */
typedef struct {
    uint32_t octave;
    uint32_t power;
} soft_t;

static INLINED void soft_push(soft_t *soft, uint32_t number, uint32_t temperature) {
    const uint32_t share = number >> temperature;
    const uint32_t octave = share >> 16;
    const uint32_t power = (share & 0xFFFFu) | WHOLE;
    if (octave > soft->octave) {
        const uint32_t rise = octave - soft->octave;
        soft->power = (soft->power >> ((rise < 31u) ? rise : 31u)) + power;
        soft->octave = octave;
    } else {
        const uint32_t fall = soft->octave - octave;
        soft->power += power >> ((fall < 31u) ? fall : 31u);
    }
}

static uint32_t soft_finish(const soft_t *soft, uint32_t temperature) {
    uint64_t whole = 0u;
    if (soft->power != 0u) {
        const uint32_t above = 15u - leading_zeros(soft->power);
        whole = ((((uint64_t)soft->octave + above) << 16) | ((soft->power >> above) & 0xFFFFu)) << temperature;
    }
    return (whole > UINT32_MAX) ? UINT32_MAX : (uint32_t)whole;
}

/* The two-sided tail of an outcome, given its bounds. */
static INLINED uint32_t tail_of(uint32_t low, uint32_t high) {
    const uint32_t smaller = (high < (WHOLE - low)) ? high : (WHOLE - low);
    const uint32_t mass = (smaller < (WHOLE / 2u)) ? (2u * smaller) : WHOLE;
    const uint32_t halvings = leading_zeros(mass) - 15u;
    const uint32_t octaves = (halvings << 16) - ((mass << (halvings & 31u)) & 0xFFFFu);
    return ((octaves >> 6) * 45426u) >> 10;
}

/* A row in a view. */
typedef struct {
    uint32_t nats;
    uint32_t anomaly;
    uint32_t largest;
    uint32_t column; /* with the largest surprisal, or the column at fault */
    uint32_t missing;
    uint32_t shared; /* sum without the regime */
    uint32_t nearest;
} view_row_t;

/* Whether the reading of a column is missing although it never was in training. */
static bool lacks(const surprisal_view *view, uint32_t at, const surprisal_reading *readings) {
    const uint32_t word = view->words[view->starts[5u * at]];
    const uint32_t source = word & 0xFFFu;
    return (source != REGIME) && ((word >> 15) == 0u) && is_missing(&readings[source]);
}

/* Classifies a reading of any kind. A reading that is missing although it never was in training gets the likeliest outcome
 * given the columns before it, and LEFT_OUT. */
static NOT_INLINED bool classify_any(const surprisal_view *view, uint32_t at, const surprisal_reading *reading,
                                     const uint8_t *row, outcome_t *out) {
    const surprisal_uint32 *start = &view->starts[5u * at];
    const column_t column =
        read_column(&view->words[start[0]], &view->values[start[1]], &view->log_widths[start[2]]);
    const fit_t fit = classify(&column, reading, out);
    if (fit == LACKS) {
        const surprisal_uint16 *shape = &view->shapes[3u * at];
        const surprisal_uint16 *sums = conditional(view, shape, start, row);
        if (sums != NULL) {
            falling_t falling = falling_of(sums, shape[0]);
            (void)next_likeliest(&falling);
            out->outcome = falling.outcome;
        } else {
            out->outcome = is_number(&column) ? (outcomes_of(&column) / 2u) : 0u;
        }
        out->log_width = LEFT_OUT;
    }
    return fit != WRONG;
}

/* Whether the conditional of a column depends on an earlier column without a reading. */
static bool depends(const surprisal_view *view, uint32_t at, const surprisal_reading *readings) {
    const surprisal_uint16 *shape = &view->shapes[3u * at];
    const uint32_t first = view->starts[(5u * at) + 3u];
    uint32_t split;
    if (shape[2] != TREE) {
        return (shape[2] != NO_PARENT) && lacks(view, shape[2], readings);
    }
    for (split = 1u; split < (uint32_t)shape[1]; ++split) {
        if (lacks(view, view->splits[first + split - 1u] & 0xFFFu, readings)) {
            return true;
        }
    }
    return false;
}

/* Of the conditionals of a column for the outcomes that earlier columns without a reading may have had, the one that gives
 * the outcome the largest mass: `known`, and those in which each of these columns has its outcome 0, 1 and so on up to the
 * last one. */
static NOT_INLINED const surprisal_uint16 *likeliest_conditional(const surprisal_view *view, uint32_t at, const uint8_t *row,
                                                         const surprisal_uint16 *known, const surprisal_reading *readings) {
    uint8_t other[SURPRISAL_MAX_COLUMNS];
    const surprisal_uint16 *shape = &view->shapes[3u * at];
    const uint32_t outcome = row[at];
    const surprisal_uint16 *best = known;
    uint32_t most = 0u;
    uint32_t value;
    if (!depends(view, at, readings)) {
        return known;
    }
    for (value = 0u; value <= most; ++value) {
        const surprisal_uint16 *sums;
        uint32_t before;
        for (before = 0u; before < at; ++before) {
            other[before] = row[before];
            if (lacks(view, before, readings)) {
                const uint32_t last = (uint32_t)view->shapes[3u * before] - 1u;
                other[before] = (uint8_t)((value < last) ? value : last);
                most = (most < last) ? last : most;
            }
        }
        sums = conditional(view, shape, &view->starts[5u * at], other);
        if (mass_of(sums, shape[0], outcome) > mass_of(best, shape[0], outcome)) {
            best = sums;
        }
    }
    return best;
}

/* Scores a row in a view. Writes the outcomes to `row`, and, unless `each` is NULL, the surprisal of each column to
 * `each[source]`. `largest` and `column` of `out` continue those of earlier views. Returns false for a reading of the wrong
 * type. */
static NOT_INLINED bool score_view(const surprisal_view *view, const surprisal_reading *readings, uint32_t temperature,
                                   uint8_t *row, uint32_t *each, view_row_t *out) {
    int32_t steps[SURPRISAL_MAX_COLUMNS];
    const surprisal_uint32 *start = view->starts;
    const surprisal_uint16 *shape = view->shapes;
    const uint32_t nearest = (view->width > 0u) ? locate(view, readings, steps) : 0u;
    soft_t soft = {0u, 0u};
    uint32_t next = 0u;
    uint32_t at;
    out->nats = view->log_unit;
    out->missing = 0u;
    out->shared = 0u;
    out->nearest = nearest;
    for (at = 0u; at < view->columns; ++at) {
        const surprisal_uint16 *words = &view->words[start[0]];
        const uint32_t word = words[0];
        const uint32_t source = word & 0xFFFu;
        const uint32_t kind = (word >> 12) & 7u;
        surprisal_reading reading;
        outcome_t found;
        bool is_known = false;
        if (source == REGIME) {
            reading = surprisal_integer((int32_t)nearest);
        } else if ((next < view->width) && (view->prototypes[4u * next] == (int32_t)source)) {
            reading = residual_of(view, next, nearest, &readings[source], steps[next]);
            ++next;
        } else {
            reading = readings[source];
        }
        if ((kind == KIND_INTEGER) && (reading.type == (uint8_t)SURPRISAL_INTEGER)) {
            const uint32_t count = words[1];
            found.outcome = edges_below(&view->values[start[1]], count, reading.value.integer);
            is_known = (found.outcome != 0u) && (found.outcome < count);
            found.log_width = (uint32_t)view->log_widths[start[2] + found.outcome] << 5;
        }
        if ((!is_known) && (!classify_any(view, at, &reading, row, &found))) {
            out->column = source;
            return false;
        }
        row[at] = (uint8_t)found.outcome;
        if (found.log_width == LEFT_OUT) {
            ++out->missing;
        } else {
            const surprisal_uint16 *sums = conditional(view, shape, start, row);
            if (sums != NULL) {
                uint32_t low;
                uint32_t high;
                uint32_t own;
                uint32_t baseline;
                if (out->missing > 0u) {
                    sums = likeliest_conditional(view, at, row, sums, readings);
                }
                bounds_of(sums, shape[0], found.outcome, &low, &high);
                own = nats_of_mass(high - low) + found.log_width;
                out->nats = add_saturating(out->nats, own);
                baseline = (view->baselines != NULL) ? ((uint32_t)view->baselines[at] << 6) : 0u;
                soft_push(&soft, own + (view->level - baseline), temperature);
                if (((kind | 1u) == KIND_REAL) && (!is_missing(&reading))) {
                    soft_push(&soft, tail_of(low, high) + view->level, temperature);
                }
                if (source != REGIME) {
                    if ((own > out->largest) || ((own == out->largest) && (source < out->column))) {
                        out->largest = own;
                        out->column = source;
                    }
                    if (each != NULL) {
                        each[source] = own;
                        out->shared = add_saturating(out->shared, own);
                    }
                }
            }
        }
        start = &start[5];
        shape = &shape[3];
    }
    out->anomaly = soft_finish(&soft, temperature);
    return true;
}

/* -ln(e^-sum + e^-nats). */
static uint32_t mixture_of(uint32_t sum, uint32_t nats) {
    const uint32_t apart = (sum > nats) ? (sum - nats) : (nats - sum);
    const uint32_t least = (sum < nats) ? sum : nats;
    return subtract_saturating(least, likely_nats((int32_t)((apart > 0x7FFFFFFFu) ? 0x7FFFFFFFu : apart)));
}

/* Whether all readings of scored columns are missing although none was missing in training. */
static NOT_INLINED bool lacks_all(const surprisal_table *table, const surprisal_reading *readings) {
    bool all = true;
    uint32_t i;
    for (i = 0u; i < table->views; ++i) {
        const surprisal_view *view = &table->view[i];
        uint32_t at;
        for (at = 0u; at < view->columns; ++at) {
            const bool is_scored = view->shapes[(3u * at) + 1u] != 0u;
            const bool is_regime = (view->words[view->starts[5u * at]] & 0xFFFu) == REGIME;
            all = all && ((!is_scored) || is_regime || lacks(view, at, readings));
        }
    }
    return all;
}

/* The score of a row that cannot be scored. */
static void set_impossible(surprisal_score *out) {
    out->nats = SURPRISAL_IMPOSSIBLE;
    out->anomaly = SURPRISAL_IMPOSSIBLE;
    out->largest = SURPRISAL_IMPOSSIBLE;
    out->column = 0u;
}

static surprisal_status score_views(const surprisal_table *table, const surprisal_reading *readings,
                                    surprisal_score *out) {
    uint8_t row[SURPRISAL_MAX_COLUMNS];
    const uint32_t share = nats_of_mass(WHOLE / table->views);
    view_row_t of_view = {0u, 0u, 0u, 0u, 0u, 0u, 0u};
    uint32_t i;
    out->anomaly = 0u;
    out->missing = 0u;
    for (i = 0u; i < table->views; ++i) {
        uint32_t nats;
        if (!score_view(&table->view[i], readings, table->calibration[TEMPERATURE], row, NULL, &of_view)) {
            out->column = (uint16_t)of_view.column;
            return SURPRISAL_ERROR_TYPE;
        }
        out->anomaly = add_saturating(out->anomaly, of_view.anomaly);
        out->missing = (of_view.missing > out->missing) ? (uint16_t)of_view.missing : out->missing;
        nats = add_saturating(of_view.nats, share);
        out->nats = (i == 0u) ? nats : mixture_of(out->nats, nats);
    }
    out->largest = of_view.largest;
    out->column = (uint16_t)of_view.column;
    if ((out->missing > 0u) && lacks_all(table, readings)) {
        set_impossible(out);
    }
    return SURPRISAL_OK;
}

static surprisal_status explain_views(const surprisal_table *table, const surprisal_reading *readings,
                                      uint32_t *shares, uint32_t *nats) {
    uint8_t row[SURPRISAL_MAX_COLUMNS];
    const uint32_t share = nats_of_mass(WHOLE / table->views);
    view_row_t of_view = {0u, 0u, 0u, 0u, 0u, 0u, 0u};
    uint32_t best = SURPRISAL_IMPOSSIBLE;
    uint32_t densest = 0u;
    uint32_t total = 0u;
    uint32_t largest = 0u;
    uint32_t i;
    for (i = 0u; i < table->views; ++i) {
        uint32_t sum;
        if (!score_view(&table->view[i], readings, 0u, row, NULL, &of_view)) {
            return SURPRISAL_ERROR_TYPE;
        }
        if (of_view.nats < best) {
            best = of_view.nats;
            densest = i;
        }
        sum = add_saturating(of_view.nats, share);
        total = (i == 0u) ? sum : mixture_of(total, sum);
    }
    (void)score_view(&table->view[densest], readings, 0u, row, shares, &of_view);
    /* What the choice of a regime and the mixture of views add is part of the largest share, the last of equal ones. */
    for (i = 1u; i < table->readings; ++i) {
        largest = (shares[i] >= shares[largest]) ? i : largest;
    }
    shares[largest] = add_saturating(shares[largest], subtract_saturating(total, of_view.shared));
    *nats = total;
    return SURPRISAL_OK;
}

/* ---- Models of bits --------------------------------------------------------------------------------------------- */

#ifndef SURPRISAL_NO_BITS

/* The bits of a row and the state of the terms while it is scored. */
typedef struct {
    union {
        uint8_t bit[SURPRISAL_MAX_BITS];
        uint32_t words[4u * (((SURPRISAL_MAX_BITS) + 15u) / 16u)];
    } row;
    union {
        int16_t of_bit[SURPRISAL_MAX_BITS];
        uint32_t words[4u * (((SURPRISAL_MAX_BITS) + 7u) / 8u)];
    } sums; /* of weights */
    int32_t unit_values[SURPRISAL_MAX_UNITS];
    int16_t unit_sums[SURPRISAL_MAX_UNITS];
    uint16_t mantissas[SURPRISAL_MAX_COMPONENTS];
    uint16_t exponents[SURPRISAL_MAX_COMPONENTS];
    uint32_t evaluated; /* one more than the last bit whose logit was evaluated */
} state_t;

static int32_t step_of(int32_t logit) {
    const int32_t step = ((logit >> 10) + 1) >> 1;
    return (step > LAST_STEP) ? LAST_STEP : ((step < -LAST_STEP) ? -LAST_STEP : step);
}

/* The mass of a one, 1 to 65535. */
static uint32_t mass_of_one(int32_t logit) {
    const int32_t step = step_of(logit);
    return (step > 0) ? (WHOLE - RARE_MASS[step]) : (uint32_t)RARE_MASS[-step];
}

static uint32_t nats_of_bit(int32_t logit, bool bit) {
    const int32_t step = step_of(logit);
    const int32_t towards = bit ? step : -step;
    uint32_t nats;
    if (towards >= 0) {
        nats = LIKELY_NATS[towards];
    } else {
        nats = ((uint32_t)LIKELY_NATS[-towards] + ((uint32_t)(-towards) << 11)) + (uint32_t)(int32_t)RARE_REST[-towards];
    }
    return nats;
}

static INLINED int32_t add_logits(int32_t a, int32_t b) {
    const int32_t sum = (int32_t)((uint32_t)a + (uint32_t)b);
    const bool overflows = ((a ^ sum) & (b ^ sum)) < 0;
    return (!overflows) ? sum : ((a < 0) ? INT32_MIN : INT32_MAX);
}

static int32_t multiply_wrapping(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a * (uint32_t)b);
}

static int32_t linear_logit(const surprisal_bits *model, const state_t *state, uint32_t i) {
    const int32_t bias = (model->biases != NULL) ? ((int32_t)model->biases[i] * 64) : 0;
    const int32_t scale = (model->scales != NULL) ? (int32_t)model->scales[i] : 0;
    return add_logits(multiply_wrapping((int32_t)state->sums.of_bit[i], scale), bias);
}

static NOT_INLINED int32_t tree_logit(const surprisal_bits *model, const state_t *state, uint32_t i) {
    const surprisal_uint16 *const splits = model->splits;
    const uint8_t *const row = state->row.bit;
    const uint32_t feature_bits = model->feature_bits;
    uint32_t mask;
    uint32_t at;
    uint32_t left;
    uint32_t leaf;
    int32_t sum = 0;
    bool more = true;
    if (model->tree_starts == NULL) {
        return 0;
    }
    mask = (1u << feature_bits) - 1u;
    /* The tree is the `left` splits from `at` on. */
    at = model->tree_starts[i];
    left = (uint32_t)model->tree_starts[i + 1u] - at;
    leaf = at + i;
    if (left == 0u) {
        return multiply_wrapping((int32_t)model->leaves[leaf], (int32_t)model->leaf_scales[i]);
    }
    while (more) {
        uint32_t other_at = 0u;
        uint32_t other_left = 0u;
        uint32_t other_leaf = 0u;
        more = false;
        while (left != 0u) {
            const uint32_t word = splits[at];
            const uint32_t feature = word & mask;
            const uint32_t counted = word >> feature_bits;
            uint32_t low;
            ++at;
            --left;
            low = (counted < left) ? counted : left;
            if (feature < i) {
                if (row[feature] != 0u) {
                    leaf += counted + 1u;
                    at += low;
                    left -= low;
                } else {
                    left = low;
                }
            } else {
                other_at = at + low;
                other_left = left - low;
                other_leaf = leaf + counted + 1u;
                more = true;
                left = low;
            }
        }
        sum += (leaf < model->leaf_count) ? (int32_t)model->leaves[leaf] : 0;
        if (more) {
            at = other_at;
            left = other_left;
            leaf = other_leaf;
        }
    }
    return multiply_wrapping(sum, (int32_t)model->leaf_scales[i]);
}

/* Computes the value of every hidden unit from its sum. */
static void refresh_units(const surprisal_bits *model, state_t *state) {
    const uint32_t units = model->units;
    const uint32_t activation = model->activation;
    uint32_t u;
    if (activation == 1u) {
        for (u = 0u; u < units; ++u) {
            const int32_t logit = multiply_wrapping((int32_t)state->unit_sums[u], (int32_t)model->hidden_gains[u]);
            state->unit_values[u] = (int32_t)(mass_of_one(logit) >> 1);
        }
    } else {
        const int32_t least = (activation == 0u) ? 0 : INT16_MIN;
        for (u = 0u; u < units; ++u) {
            const int32_t sum = (int32_t)state->unit_sums[u];
            state->unit_values[u] = (sum > least) ? sum : least;
        }
    }
}

static NOT_INLINED int32_t hidden_logit(const surprisal_bits *model, const state_t *state, uint32_t i) {
    uint32_t sum = 0u;
    uint32_t u;
    uint32_t high;
    uint32_t low;
    const uint32_t units = model->units;
    const int32_t *values = state->unit_values;
    const int8_t *outputs;
    if (units == 0u) {
        return 0;
    }
    outputs = &model->hidden_outputs[i * units];
    /* Four at once, which halves the instructions of the loop. */
    for (u = 0u; (u + 4u) <= units; u += 4u) {
        sum += (uint32_t)((int32_t)outputs[u] * values[u]) + (uint32_t)((int32_t)outputs[u + 1u] * values[u + 1u]) +
               (uint32_t)((int32_t)outputs[u + 2u] * values[u + 2u]) + (uint32_t)((int32_t)outputs[u + 3u] * values[u + 3u]);
    }
    for (; u < units; ++u) {
        sum += (uint32_t)((int32_t)outputs[u] * values[u]);
    }
    /* (sum * scale) >> shift without a product of more than 32 bits. */
    high = (uint32_t)((int32_t)sum >> 16) * (uint32_t)model->hidden_scales[i];
    low = (sum & 0xFFFFu) * (uint32_t)model->hidden_scales[i];
    return (int32_t)((high << (16u - model->shift)) + (low >> model->shift));
}

/* The logit of a code: code * (64 + |code|) / 2048 nat. */
static int32_t logit_of_code(int32_t code) {
    return code * (64 + ((code < 0) ? -code : code)) * 32;
}

/* ln x minus a constant, for x > 0. */
static int32_t ln_of(uint64_t x) {
    const uint32_t zeros = leading_zeros_64(x);
    const uint32_t rest = (x == 0u) ? 0u : (uint32_t)(((x << zeros) << 1) >> 43);
    const uint32_t low = LN[rest >> 16];
    const uint32_t high = LN[(rest >> 16) + 1u];
    return (int32_t)(low + (((high - low) * (rest & 0xFFFFu)) >> 16)) - ((int32_t)zeros * 45426);
}

static void normalise(const surprisal_bits *model, state_t *state) {
    uint16_t least = UINT16_MAX;
    uint32_t k;
    for (k = 0u; k < model->components; ++k) {
        least = (state->exponents[k] < least) ? state->exponents[k] : least;
    }
    for (k = 0u; k < model->components; ++k) {
        state->exponents[k] = (uint16_t)(state->exponents[k] - least);
    }
}

/* The logit that the parent of a bit adds to those of the components. */
static int32_t parent_logit(const surprisal_bits *model, const state_t *state, uint32_t i) {
    const uint32_t gap = model->parents[2u * i];
    const bool parent = (gap != 0u) && (state->row.bit[i - gap] != 0u);
    return parent ? logit_of_code((int32_t)(int8_t)model->parents[(2u * i) + 1u]) : 0;
}

static NOT_INLINED int32_t mixture_logit(const surprisal_bits *model, state_t *state, uint32_t i) {
    uint64_t ones = 0u;
    uint64_t zeros = 0u;
    uint32_t k;
    int32_t effect;
    if (model->components == 0u) {
        return 0;
    }
    if ((state->evaluated != 0u) && ((state->evaluated - 1u) < i)) {
        const uint32_t before = state->evaluated - 1u;
        const bool bit = state->row.bit[before] != 0u;
        effect = parent_logit(model, state, before);
        for (k = 0u; k < model->components; ++k) {
            const int32_t logit = logit_of_code(model->logits[(before * model->components) + k]) + effect;
            const uint32_t one = mass_of_one(logit);
            const uint32_t product = (uint32_t)state->mantissas[k] * (bit ? one : (WHOLE - one));
            const uint32_t shift = leading_zeros(product);
            const uint32_t exponent = (uint32_t)state->exponents[k] + shift;
            state->mantissas[k] = (uint16_t)((product << (shift & 31u)) >> 16);
            state->exponents[k] = (uint16_t)((exponent > 65535u) ? 65535u : exponent);
        }
        normalise(model, state);
    }
    state->evaluated = i + 1u;
    effect = parent_logit(model, state, i);
    for (k = 0u; k < model->components; ++k) {
        const int32_t logit = logit_of_code(model->logits[(i * model->components) + k]) + effect;
        const uint32_t one = mass_of_one(logit);
        if (state->exponents[k] < 32u) {
            ones += ((uint32_t)state->mantissas[k] * one) >> state->exponents[k];
            zeros += ((uint32_t)state->mantissas[k] * (WHOLE - one)) >> state->exponents[k];
        }
    }
    return ln_of(ones) - ln_of(zeros);
}

static INLINED int32_t logit_of_bit(const surprisal_bits *model, state_t *state, uint32_t i) {
    int32_t logit = add_logits(linear_logit(model, state, i), tree_logit(model, state, i));
    if (((uint32_t)model->units + (uint32_t)model->components) != 0u) {
        logit = add_logits(logit, add_logits(hidden_logit(model, state, i), mixture_logit(model, state, i)));
    }
    return logit;
}

/* Moves by the gap of a sparse entry, and adds its weight there. */
static INLINED int16_t *add_entry(int16_t *before, int32_t entry) {
    int16_t *const sum = &before[(uint8_t)((uint32_t)entry & 255u)];
    *sum = (int16_t)(uint16_t)((uint32_t)(int32_t)*sum + (uint32_t)(entry >> 8));
    return sum;
}

/* Adds column i of the sparse weights to the sums of later bits. */
static NOT_INLINED void add_sparse(const surprisal_bits *model, int16_t *sums, uint32_t i) {
    /* Both bytes of an entry are read as one number; its weight is the upper byte. */
    const surprisal_int16 *entry = (const surprisal_int16 *)(const void *)model->weights;
    const surprisal_uint16 *const start = &model->starts[i];
    uint32_t left = (uint32_t)start[1] - (uint32_t)start[0];
    int16_t *sum = &sums[i];
    entry = &entry[start[0]];
    while (left >= 4u) {
        sum = add_entry(sum, entry[0]);
        sum = add_entry(sum, entry[1]);
        sum = add_entry(sum, entry[2]);
        sum = add_entry(sum, entry[3]);
        entry = &entry[4];
        left -= 4u;
    }
    while (left != 0u) {
        sum = add_entry(sum, *entry);
        entry = &entry[1];
        --left;
    }
}

/* Adds column i of the dense weights to the sums of later bits. */
static NOT_INLINED void add_dense(const surprisal_bits *model, int16_t *sums, uint32_t i) {
    const uint32_t n = model->bits;
    const int8_t *weight = (const int8_t *)&model->weights[(i * ((2u * n) - (i + 1u))) / 2u];
    uint32_t later;
    for (later = i + 1u; later < n; ++later) {
        sums[later] = (int16_t)(uint16_t)((uint32_t)(int32_t)sums[later] + (uint32_t)(int32_t)*weight);
        weight = &weight[1];
    }
}

/* Adds the input weights of bit i to the sums of the hidden units. */
static NOT_INLINED void add_hidden(const surprisal_bits *model, state_t *state, uint32_t i) {
    const uint32_t units = model->units;
    const int8_t *input = &model->hidden_inputs[i * units];
    uint32_t u;
    for (u = 0u; u < units; ++u) {
        state->unit_sums[u] =
            (int16_t)(uint16_t)((uint32_t)(int32_t)state->unit_sums[u] + (uint32_t)(int32_t)input[u]);
    }
    refresh_units(model, state);
}

/* Updates the terms after bit i, which is a one. */
static void observe_one(const surprisal_bits *model, state_t *state, uint32_t i) {
    if (model->starts != NULL) {
        add_sparse(model, state->sums.of_bit, i);
    } else if (model->weights != NULL) {
        add_dense(model, state->sums.of_bit, i);
    } else {
        /* There are no weights. */
    }
    if (model->units != 0u) {
        add_hidden(model, state, i);
    }
}

/* Clears `fours` times four words. The `memset` of small C libraries takes several instructions per byte. */
static void clear(uint32_t *words, uint32_t fours) {
    uint32_t *word = words;
    uint32_t left;
    for (left = fours; left != 0u; --left) {
        word[0] = 0u;
        word[1] = 0u;
        word[2] = 0u;
        word[3] = 0u;
        word = &word[4];
    }
}

static void start_bits(const surprisal_bits *model, state_t *state) {
    uint32_t i;
    clear(state->row.words, ((uint32_t)model->bits + 15u) / 16u);
    clear(state->sums.words, ((uint32_t)model->bits + 7u) / 8u);
    for (i = 0u; i < model->units; ++i) {
        state->unit_sums[i] = model->hidden_biases[i];
    }
    refresh_units(model, state);
    for (i = 0u; i < model->components; ++i) {
        const uint32_t zeros = leading_zeros(model->priors[i]) - 16u;
        state->mantissas[i] = (uint16_t)((uint32_t)model->priors[i] << zeros);
        state->exponents[i] = (uint16_t)zeros;
    }
    normalise(model, state);
    state->evaluated = 0u;
}

static bool is_observed(const surprisal_bits *model, uint32_t i) {
    return (model->constraints != NULL) && (model->constraints[i] == 0xFFFEu);
}

/* Whether the constraint on bit i, which is not "observed", says its value; if so, writes it. */
static bool is_implied(const surprisal_bits *model, const state_t *state, uint32_t i, bool *value) {
    uint32_t word;
    if (model->constraints == NULL) {
        return false;
    }
    word = model->constraints[i];
    *value = ((word >> 13) & 1u) != 0u;
    return (word < 0xFFFEu) && ((uint32_t)state->row.bit[word & 0xFFFu] == ((word >> 12) & 1u));
}

/* The surprisal of the bits from `first` to before `end`, given the bits before them. */
static NOT_INLINED uint32_t read_bits(const surprisal_bits *model, state_t *state, uint32_t first, uint32_t end) {
    uint32_t total = 0u;
    bool possible = true;
    uint32_t i = first;
    while (i < end) {
        const bool bit = state->row.bit[i] != 0u;
        bool value = false;
        if (!is_observed(model, i)) {
            if (is_implied(model, state, i, &value)) {
                possible = possible && (value == bit);
            } else {
                total += nats_of_bit(logit_of_bit(model, state, i), bit);
            }
        }
        if (bit) {
            observe_one(model, state, i);
        } else if (model->constraints != NULL) {
            /* The run of zeros that are implied by the zero before each. */
            while (((i + 1u) < end) && ((uint32_t)model->constraints[i + 1u] == i) && (state->row.bit[i + 1u] == 0u)) {
                ++i;
            }
        } else {
            /* The next bit follows. */
        }
        ++i;
    }
    return possible ? total : SURPRISAL_IMPOSSIBLE;
}

/* Gives each of these bits its likelier value. */
static void complete_bits(const surprisal_bits *model, state_t *state, uint32_t first, uint32_t end) {
    uint32_t i;
    for (i = first; i < end; ++i) {
        bool value = false;
        if (is_observed(model, i)) {
            value = state->row.bit[i] != 0u;
        } else if (!is_implied(model, state, i, &value)) {
            value = logit_of_bit(model, state, i) > 0;
        } else {
            /* The constraint says the value. */
        }
        state->row.bit[i] = value ? (uint8_t)1u : (uint8_t)0u;
        if (value) {
            observe_one(model, state, i);
        }
    }
}

static uint32_t bits_of(const column_t *column) {
    return ((column->kind < 2u) ? 1u : (uint32_t)column->count) + (column->may_miss ? 1u : 0u);
}

/* Sets the bits of a column, which are zeros, to an outcome. */
static void set_bits(const column_t *column, uint32_t outcome, uint8_t *bits) {
    const uint32_t missing = column->may_miss ? 1u : 0u;
    const uint32_t levels = bits_of(column) - missing;
    uint32_t first = missing;
    uint32_t count = 0u;
    uint32_t at;
    if ((missing != 0u) && (outcome == (outcomes_of(column) - 1u))) {
        first = 0u;
        count = 1u;
    } else if (outcome > column->pivot) {
        count = outcome - column->pivot;
    } else {
        first += levels - column->pivot;
        count = (uint32_t)column->pivot - outcome;
    }
    for (at = first; at < (first + count); ++at) {
        bits[at] = 1u;
    }
}

/* Moves to the next column of an encoder. Returns false after the last one. */
typedef struct {
    const surprisal_uint16 *words;
    const surprisal_uint16 *end;
    column_t column;
    uint32_t first; /* bit of the column */
} columns_t;

static columns_t columns_of(const surprisal_bits *model) {
    columns_t columns;
    columns.words = model->words;
    columns.end = &model->words[model->word_count];
    columns.column = read_column(model->words, model->values, model->log_widths);
    columns.first = 0u;
    return columns;
}

static bool next_column(columns_t *columns) {
    const uint32_t edges = is_number(&columns->column) ? ((uint32_t)columns->column.count + 1u) : 0u;
    columns->first += bits_of(&columns->column);
    columns->words = &columns->words[words_of(columns->words[0])];
    if (columns->words == columns->end) {
        return false;
    }
    columns->column = read_column(columns->words, &columns->column.values[columns->column.count],
                                  &columns->column.log_widths[edges]);
    return true;
}

/* ln(e^a + e^b) in units of 1/65536. */
static uint32_t log_add(uint32_t a, uint32_t b) {
    const uint32_t difference = (a > b) ? (a - b) : (b - a);
    const uint32_t apart = (difference < 0x7FFFF7FFu) ? difference : 0x7FFFF7FFu;
    const uint32_t at = ((apart >> 11) < (uint32_t)LAST_STEP) ? (apart >> 11) : (uint32_t)LAST_STEP;
    const uint32_t after = (at < (uint32_t)LAST_STEP) ? (at + 1u) : at;
    const uint32_t here = LIKELY_NATS[at];
    const uint32_t fall = (subtract_saturating(here, LIKELY_NATS[after]) * (apart & 2047u)) >> 11;
    return add_saturating((a > b) ? a : b, subtract_saturating(here, fall));
}

static surprisal_status score_bits(const surprisal_table *table, const surprisal_reading *readings, uint32_t *each,
                                   surprisal_score *out) {
    const surprisal_bits *model = &table->bits;
    const uint32_t temperature = table->calibration[TEMPERATURE];
    columns_t columns = columns_of(model);
    state_t state;
    bool any = false;
    uint32_t sum = 0u;
    start_bits(model, &state);
    out->nats = 0u;
    out->anomaly = 0u;
    out->largest = 0u;
    out->column = 0u;
    out->missing = 0u;
    do {
        const column_t *column = &columns.column;
        const uint32_t end = columns.first + bits_of(column);
        outcome_t found;
        const fit_t fit = classify(column, &readings[column->source], &found);
        if (fit == WRONG) {
            out->column = column->source;
            return SURPRISAL_ERROR_TYPE;
        }
        if (fit == LACKS) {
            complete_bits(model, &state, columns.first, end);
            ++out->missing;
        } else {
            uint32_t nats;
            set_bits(column, found.outcome, &state.row.bit[columns.first]);
            nats = add_saturating(read_bits(model, &state, columns.first, end), found.log_width);
            if (!is_observed(model, columns.first)) {
                const uint32_t baseline =
                    (column->source < table->baseline_count) ? ((uint32_t)table->baselines[column->source] << 6) : 0u;
                const uint32_t part =
                    add_saturating(nats, subtract_saturating(table->level, baseline)) >> temperature;
                sum = any ? log_add(sum, part) : part;
                out->nats = add_saturating(out->nats, nats);
                if ((!any) || (nats > out->largest) || ((nats == out->largest) && (column->source < out->column))) {
                    out->largest = nats;
                    out->column = column->source;
                }
                if (each != NULL) {
                    each[column->source] = add_saturating(each[column->source], nats);
                }
                any = true;
            }
        }
    } while (next_column(&columns));
    if (any) {
        const uint64_t anomaly = (uint64_t)sum << temperature;
        out->anomaly = (anomaly > UINT32_MAX) ? UINT32_MAX : (uint32_t)anomaly;
    } else if (out->missing > 0u) {
        set_impossible(out);
    } else {
        out->anomaly = out->nats;
    }
    return SURPRISAL_OK;
}

#endif

/* ---- Scores of both kinds of model ------------------------------------------------------------------------------ */

surprisal_status surprisal_score_row(const surprisal_table *table, const surprisal_reading *readings, size_t count,
                                     surprisal_score *out) {
    surprisal_status status;
    if (count != (size_t)table->readings) {
        return SURPRISAL_ERROR_COUNT;
    }
#ifndef SURPRISAL_NO_BITS
    if (table->views == 0u) {
        status = score_bits(table, readings, NULL, out);
    } else {
        status = score_views(table, readings, out);
    }
#else
    status = score_views(table, readings, out);
#endif
    return status;
}

surprisal_status surprisal_explain(const surprisal_table *table, const surprisal_reading *readings, size_t count,
                                   uint32_t *shares, uint32_t *nats) {
    surprisal_status status;
    uint32_t total = 0u;
    if (count != (size_t)table->readings) {
        return SURPRISAL_ERROR_COUNT;
    }
    (void)memset(shares, 0, count * sizeof shares[0]);
#ifndef SURPRISAL_NO_BITS
    if (table->views == 0u) {
        surprisal_score score;
        status = score_bits(table, readings, shares, &score);
        total = score.nats;
    } else {
        status = explain_views(table, readings, shares, &total);
    }
#else
    status = explain_views(table, readings, shares, &total);
#endif
    if (nats != NULL) {
        *nats = total;
    }
    return status;
}

surprisal_status surprisal_self_test(const surprisal_table *table) {
    surprisal_reading row[SURPRISAL_MAX_COLUMNS];
    const surprisal_uint32 *word = table->golden_readings;
    surprisal_status status = (table->golden_rows == 0u) ? SURPRISAL_ERROR_NO_GOLDEN_ROWS : SURPRISAL_OK;
    uint32_t at;
    for (at = 0u; (at < table->golden_rows) && (status == SURPRISAL_OK); ++at) {
        surprisal_score score;
        uint32_t i;
        for (i = 0u; i < table->readings; ++i) {
            if ((table->kinds[i] & 15u) == KIND_REAL) {
                row[i].type = (uint8_t)SURPRISAL_REAL;
                row[i].value.real_bits = *word;
            } else {
                row[i] = (*word == 0x80000000u) ? surprisal_missing() : surprisal_integer((int32_t)*word);
            }
            ++word;
        }
        if ((surprisal_score_row(table, row, table->readings, &score) != SURPRISAL_OK) ||
            (score.nats != table->golden_scores[2u * at]) || (score.anomaly != table->golden_scores[(2u * at) + 1u])) {
            status = SURPRISAL_ERROR_SELF_TEST;
        }
    }
    return status;
}

/* ---- Detector --------------------------------------------------------------------------------------------------- */

bool surprisal_is_anomalous(const surprisal_table *table, uint32_t anomaly) {
    return anomaly > table->calibration[THRESHOLD];
}

/* Level number `at` of the p-values, 0 to 53, in parts per million. */
static uint32_t level_of(uint32_t at) {
    uint32_t level;
    if (at < 31u) {
        level = (31u - at) * 31250u;
    } else if ((at & 1u) != 0u) {
        level = 46875u >> ((at - 29u) / 2u);
    } else {
        level = 31250u >> ((at - 30u) / 2u);
    }
    return level;
}

/* The rank of a level. */
static uint32_t rank_of(uint32_t level, uint32_t rows) {
    const uint64_t rank = ((uint64_t)level * ((uint64_t)rows + 1u)) / 1000000u;
    return (rank > UINT32_MAX) ? UINT32_MAX : (uint32_t)rank;
}

uint32_t surprisal_p_value_ppm(const surprisal_table *table, uint32_t anomaly) {
    const uint32_t rows = table->calibration[CALIBRATION_ROWS];
    uint32_t last = 1000000u;
    uint32_t from = 0u;
    uint32_t at;
    if (table->quantile_count >= 2u) {
        const uint32_t gap = table->quantiles[1] - table->quantiles[0];
        from = subtract_saturating(table->quantiles[0], add_saturating(gap, gap / 2u));
    }
    for (at = 0u; at < table->quantile_count; ++at) {
        const uint32_t quantile = table->quantiles[at];
        if (anomaly <= quantile) {
            const uint64_t fall = (uint64_t)(last - level_of(at)) * subtract_saturating(anomaly, from);
            return last - (uint32_t)(fall / ((uint64_t)subtract_saturating(quantile, from) + 1u));
        }
        last = level_of(at);
        from = add_saturating(quantile, 1u);
    }
    return (uint32_t)((((uint64_t)rank_of(last, rows) * 1000000u) + rows) / ((uint64_t)rows + 1u));
}

void surprisal_monitor_init(surprisal_monitor *monitor) {
    monitor->sum = 0u;
    monitor->recent = 0u;
    monitor->quiet = 0u;
    monitor->hold_off = 0u;
    monitor->votes = 1u;
    monitor->of = 1u;
}

surprisal_report surprisal_monitor_push(surprisal_monitor *monitor, const surprisal_table *table,
                                        const surprisal_score *score) {
    const surprisal_uint32 *numbers = table->calibration;
    const uint32_t capped = (score->nats < numbers[CUSUM_CAP]) ? score->nats : numbers[CUSUM_CAP];
    const uint32_t of = (monitor->of > 32u) ? 32u : ((monitor->of == 0u) ? 1u : (uint32_t)monitor->of);
    const uint32_t needed = (monitor->votes == 0u) ? 1u : (uint32_t)monitor->votes;
    surprisal_report report;
    uint32_t recent;
    uint32_t votes = 0u;
    report.p_ppm = surprisal_p_value_ppm(table, score->anomaly);
    report.is_anomalous = surprisal_is_anomalous(table, score->anomaly);
    monitor->sum = subtract_saturating(add_saturating(monitor->sum, capped), numbers[REFERENCE]);
    report.trend = monitor->sum > numbers[DECISION];
    if (report.trend) {
        monitor->sum = 0u;
    }
    monitor->recent = (monitor->recent << 1) | (report.is_anomalous ? 1u : 0u);
    for (recent = monitor->recent & (UINT32_MAX >> (32u - of)); recent != 0u; recent &= recent - 1u) {
        ++votes;
    }
    report.is_agreed = votes >= needed;
    report.alarm = (report.is_agreed || report.trend) && (monitor->quiet == 0u);
    if (report.alarm) {
        monitor->quiet = monitor->hold_off;
    } else if (monitor->quiet > 0u) {
        --monitor->quiet;
    } else {
        /* An alarm may be raised. */
    }
    return report;
}

/* ---- Blame ------------------------------------------------------------------------------------------------------ */

/* The middle of the cell between two edges, as a key. */
static int32_t middle_of(const column_t *column, int32_t low, int32_t high) {
    int32_t middle;
    if (column->kind != KIND_REAL) {
        middle = (int32_t)(((int64_t)low + (int64_t)high + 1) >> 1);
    } else {
        const int32_t infinity = 0x7F800000;
        const int32_t least = order_of(0xFF800000u);
        const int32_t lower = (low < least) ? least : ((low > infinity) ? infinity : low);
        const int32_t higher = (high < least) ? least : ((high > infinity) ? infinity : high);
        const surprisal_reading edges[2] = {edge_of(column, lower), edge_of(column, higher)};
        const int64_t sum = steps_of(&edges[0], column->tail_scale) + steps_of(&edges[1], column->tail_scale);
        const int32_t after = (low < INT32_MAX) ? (low + 1) : low;
        middle = order_of(real_of_steps(sum >> 1, column->tail_scale).value.real_bits);
        middle = (middle > after) ? middle : after;
        middle = (middle < high) ? middle : high;
    }
    return middle;
}

/* A reading that is typical of an outcome. Returns false if there is none. */
static bool typical_of(const column_t *column, uint32_t outcome, surprisal_reading *typical) {
    const uint32_t count = column->count;
    bool found = true;
    int32_t key = 0;
    if (column->kind < 2u) {
        found = outcome < 2u;
        key = ((outcome == 1u) != (column->kind == 1u)) ? 1 : 0;
    } else if (!is_number(column)) {
        found = outcome < count;
        key = found ? column->values[outcome] : 0;
    } else if ((outcome == 0u) || (outcome > count)) {
        found = outcome < count;
        key = found ? column->values[outcome] : 0;
    } else if (outcome == count) {
        key = column->values[outcome - 1u];
        key = (key < INT32_MAX) ? (key + 1) : key;
    } else {
        key = middle_of(column, column->values[outcome - 1u], column->values[outcome]);
    }
    if (found && (column->kind == KIND_REAL)) {
        const int32_t infinity = 0x7F800000;
        const int32_t least = order_of(0xFF800000u);
        key = (key < least) ? least : ((key > infinity) ? infinity : key);
    }
    *typical = edge_of(column, key);
    return found;
}

/* The best replacements of each column so far, and of the column that is tried. */
typedef struct {
    const surprisal_table *table;
    surprisal_reading *readings;
    surprisal_blamed *out;
    bool has_best;
    bool has_tried;
    uint32_t tried;
    surprisal_reading expected;
} search_t;

/* Puts a value in the place of a reading. Keeps the one with the smallest anomaly score. */
static void try_value(search_t *search, uint32_t source, const surprisal_reading *value) {
    const surprisal_reading own = search->readings[source];
    surprisal_score score;
    search->readings[source] = *value;
    if ((surprisal_score_row(search->table, search->readings, search->table->readings, &score) == SURPRISAL_OK) &&
        ((!search->has_tried) || (score.anomaly < search->tried))) {
        search->has_tried = true;
        search->tried = score.anomaly;
        search->expected = *value;
    }
    search->readings[source] = own;
}

/* Ends the trials of a column. */
static void end_column(search_t *search, uint32_t source) {
    surprisal_blamed *out = search->out;
    uint32_t loser = search->tried;
    uint32_t loser_column = source;
    bool has_loser = search->has_tried;
    if (search->has_tried && ((!search->has_best) || (search->tried < out->anomaly) ||
                              ((search->tried == out->anomaly) && (source < out->column)))) {
        loser = out->anomaly;
        loser_column = out->column;
        has_loser = search->has_best;
        out->anomaly = search->tried;
        out->column = (uint16_t)source;
        out->expected = search->expected;
        search->has_best = true;
    }
    if (has_loser && ((!out->has_runner_up) || (loser < out->runner_up_anomaly) ||
                      ((loser == out->runner_up_anomaly) && (loser_column < out->runner_up)))) {
        out->has_runner_up = true;
        out->runner_up_anomaly = loser;
        out->runner_up = (uint16_t)loser_column;
    }
    search->has_tried = false;
}

/* The position of a reading among the columns of the prototypes, or their number. */
static uint32_t prototype_column(const surprisal_view *view, uint32_t source) {
    uint32_t at = 0u;
    while ((at < view->width) && (view->prototypes[4u * at] != (int32_t)source)) {
        ++at;
    }
    return at;
}

/* The reading with this residual, in the type of the present reading. Returns false if that is missing. */
static bool restore(const surprisal_view *view, uint32_t column, uint32_t nearest, int32_t residual,
                    const surprisal_reading *present, surprisal_reading *restored) {
    const int32_t scale = view->prototypes[(4u * column) + 1u];
    const int64_t steps = (int64_t)residual + centre_of(view, column, nearest);
    bool known = true;
    switch (present->type) {
    case SURPRISAL_INTEGER:
        *restored = integer_of_steps(steps, scale);
        break;
    case SURPRISAL_REAL:
        *restored = real_of_steps(steps, scale);
        break;
    default:
        known = false;
        break;
    }
    return known;
}

/* Tries the values of a column of a view whose outcomes are the likeliest, at most `most`. */
static void try_likeliest(search_t *search, const surprisal_view *view, uint32_t at, const uint8_t *row,
                          uint32_t nearest, uint32_t most) {
    const surprisal_uint32 *start = &view->starts[5u * at];
    const surprisal_uint16 *shape = &view->shapes[3u * at];
    const column_t column =
        read_column(&view->words[start[0]], &view->values[start[1]], &view->log_widths[start[2]]);
    const uint32_t residual = prototype_column(view, column.source);
    const surprisal_uint16 *sums = conditional(view, shape, start, row);
    falling_t falling = falling_of(sums, shape[0]);
    uint32_t taken = 0u;
    while ((sums != NULL) && (taken < most) && next_likeliest(&falling)) {
        surprisal_reading value;
        bool known = typical_of(&column, falling.outcome, &value);
        if (known && (residual < view->width)) {
            const int32_t steps = value.value.integer;
            known = restore(view, residual, nearest, steps, &search->readings[column.source], &value);
        }
        if (known) {
            try_value(search, column.source, &value);
            ++taken;
        }
    }
}

/* Tries the values that are typical of a column in the second view, in the regime that is the nearest without it. */
static void try_residuals(search_t *search, const surprisal_view *view, uint32_t source) {
    const surprisal_reading own = search->readings[source];
    const uint32_t residual = prototype_column(view, source);
    int32_t steps[SURPRISAL_MAX_COLUMNS];
    uint8_t row[SURPRISAL_MAX_COLUMNS];
    view_row_t of_view = {0u, 0u, 0u, 0u, 0u, 0u, 0u};
    surprisal_reading on_prototype;
    uint32_t nearest;
    uint32_t at = 0u;
    bool encoded;
    if ((residual == view->width) || is_missing(&own)) {
        return;
    }
    search->readings[source] = surprisal_missing();
    nearest = locate(view, search->readings, steps);
    (void)restore(view, residual, nearest, 0, &own, &on_prototype);
    search->readings[source] = on_prototype;
    encoded = score_view(view, search->readings, 0u, row, NULL, &of_view);
    search->readings[source] = own;
    while ((at < view->columns) && ((view->words[view->starts[5u * at]] & 0xFFFu) != source)) {
        ++at;
    }
    if (encoded && (at < view->columns)) {
        try_likeliest(search, view, at, row, nearest, 8u);
    }
}

static void blame_views(search_t *search) {
    const surprisal_table *table = search->table;
    const surprisal_view *view = &table->view[0];
    uint8_t row[SURPRISAL_MAX_COLUMNS];
    view_row_t of_view = {0u, 0u, 0u, 0u, 0u, 0u, 0u};
    uint32_t at;
    (void)score_view(view, search->readings, 0u, row, NULL, &of_view);
    for (at = 0u; at < view->columns; ++at) {
        const uint32_t source = view->words[view->starts[5u * at]] & 0xFFFu;
        if ((source != REGIME) && (view->shapes[(3u * at) + 1u] != 0u)) {
            try_likeliest(search, view, at, row, of_view.nearest, 16u);
            if (table->views > 1u) {
                try_residuals(search, &table->view[1], source);
            }
            end_column(search, source);
        }
    }
}

#ifndef SURPRISAL_NO_BITS
/* The largest number of values that replace each reading in a model of bits, which does not say which are likely. */
#define BITS_VALUES 32u

static void blame_bits(search_t *search) {
    const surprisal_bits *model = &search->table->bits;
    columns_t columns = columns_of(model);
    do {
        const column_t *column = &columns.column;
        if (!is_observed(model, columns.first)) {
            uint32_t first = 0u;
            uint32_t count = (uint32_t)column->count + 1u;
            uint32_t taken;
            uint32_t at;
            if (column->kind < 2u) {
                count = 2u;
            } else if (!is_number(column)) {
                count = column->count;
                count = (count < BITS_VALUES) ? count : BITS_VALUES;
            } else if (column->count > 1u) {
                first = 1u;
                count = (uint32_t)column->count - 1u;
            } else {
                /* Both cells of a single edge. */
            }
            taken = (count < BITS_VALUES) ? count : BITS_VALUES;
            for (at = 0u; at < taken; ++at) {
                surprisal_reading value;
                if (typical_of(column, first + (((((2u * at) + 1u) * count) / 2u) / taken), &value)) {
                    try_value(search, column->source, &value);
                }
            }
            end_column(search, column->source);
        }
    } while (next_column(&columns));
}
#endif

surprisal_status surprisal_blame(const surprisal_table *table, surprisal_reading *readings, size_t count,
                                 surprisal_blamed *out) {
    search_t search;
    surprisal_score score;
    const surprisal_status status = surprisal_score_row(table, readings, count, &score);
    if (status == SURPRISAL_OK) {
        out->before = score.anomaly;
        out->anomaly = score.anomaly;
        out->runner_up_anomaly = 0u;
        out->expected = surprisal_missing();
        out->column = 0u;
        out->runner_up = 0u;
        out->has_runner_up = false;
        search.table = table;
        search.readings = readings;
        search.out = out;
        search.has_best = false;
        search.has_tried = false;
        search.tried = 0u;
        search.expected = surprisal_missing();
#ifndef SURPRISAL_NO_BITS
        if (table->views == 0u) {
            blame_bits(&search);
        } else {
            blame_views(&search);
        }
#else
        blame_views(&search);
#endif
    }
    return status;
}

bool surprisal_is_ambiguous(const surprisal_blamed *blamed) {
    const uint32_t most = subtract_saturating(blamed->before, blamed->anomaly);
    const uint32_t second = subtract_saturating(blamed->before, blamed->runner_up_anomaly);
    return (most == 0u) || (blamed->has_runner_up && (second >= (most - (most / 8u))));
}

/* ---- Time series ------------------------------------------------------------------------------------------------ */

surprisal_status surprisal_stream_init(surprisal_stream *stream, const surprisal_table *table, int32_t *ring,
                                       size_t capacity) {
    surprisal_status status = SURPRISAL_OK;
    if (table->window == 0u) {
        status = SURPRISAL_ERROR_NO_PREDICTOR;
    } else if ((capacity / table->window) < (size_t)table->channels) {
        status = SURPRISAL_ERROR_RING;
    } else {
        stream->ring = ring;
        stream->next = 0u;
        stream->filled = 0u;
    }
    return status;
}

/* Replaces the numbers of a row by their residuals. */
static void subtract_predictions(const surprisal_stream *stream, const surprisal_table *table, const int32_t *last,
                                 const int32_t *now, surprisal_reading *row) {
    int32_t means[SURPRISAL_MAX_COLUMNS];
    const uint32_t channels = table->channels;
    const surprisal_int16 *weight = table->predictor_weights;
    uint32_t c;
    for (c = 0u; c < channels; ++c) {
        int64_t sum = 0;
        uint32_t at;
        for (at = 0u; at < table->window; ++at) {
            sum += (int64_t)stream->ring[(at * channels) + c];
        }
        means[c] = (int32_t)(sum / (int64_t)table->window);
    }
    for (c = 0u; c < channels; ++c) {
        if (table->predictor[(2u * c) + 1u] != STATE) {
            int64_t sum = 0;
            uint32_t part;
            for (part = 0u; part < 3u; ++part) {
                const int32_t *values = (part == 0u) ? last : ((part == 1u) ? means : now);
                const uint32_t end = (part < 2u) ? channels : c;
                uint32_t at;
                for (at = 0u; at < end; ++at) {
                    if (table->predictor[(2u * at) + 1u] != STATE) {
                        sum += (int64_t)*weight * (int64_t)values[at];
                        ++weight;
                    }
                }
            }
            if (!is_missing(&row[c])) {
                row[c] = surprisal_integer(clamp_64((int64_t)now[c] - (sum >> 12)));
            }
        }
    }
}

surprisal_status surprisal_stream_push(surprisal_stream *stream, const surprisal_table *table, surprisal_reading *row,
                                       size_t count, bool *ready) {
    int32_t now[SURPRISAL_MAX_COLUMNS];
    int32_t last[SURPRISAL_MAX_COLUMNS];
    const uint32_t channels = table->channels;
    uint32_t before = channels;
    uint32_t c;
    if (table->window == 0u) {
        return SURPRISAL_ERROR_NO_PREDICTOR;
    }
    if (count != ((size_t)channels + table->states)) {
        return SURPRISAL_ERROR_COUNT;
    }
    for (c = 0u; c < channels; ++c) {
        const bool is_state = table->predictor[(2u * c) + 1u] == STATE;
        if (is_state && (row[c].type == (uint8_t)SURPRISAL_REAL) && (!is_missing(&row[c]))) {
            return SURPRISAL_ERROR_TYPE;
        }
    }
    (void)memset(last, 0, channels * sizeof last[0]);
    if (stream->filled > 0u) {
        const uint32_t newest = ((stream->next == 0u) ? (uint32_t)table->window : (uint32_t)stream->next) - 1u;
        (void)memcpy(last, &stream->ring[newest * channels], channels * sizeof last[0]);
    }
    for (c = 0u; c < channels; ++c) {
        const int32_t scale = table->predictor[(2u * c) + 1u];
        now[c] = last[c];
        if (is_missing(&row[c])) {
            row[c] = surprisal_missing();
        }
        if (scale == STATE) {
            row[before] = (last[c] == STATE) ? surprisal_missing() : surprisal_integer(last[c]);
            ++before;
            if (row[c].type == (uint8_t)SURPRISAL_INTEGER) {
                /* The smallest integer stands for a missing state. */
                now[c] = (row[c].value.integer > STATE) ? row[c].value.integer : (STATE + 1);
            } else {
                now[c] = STATE;
            }
        } else if (row[c].type != (uint8_t)SURPRISAL_MISSING) {
            const int64_t steps = steps_of(&row[c], (int32_t)(int8_t)((uint32_t)scale & 0xFFu)) -
                                  (int64_t)table->predictor[(2u * c) + 2u];
            now[c] = clamp_64(steps);
            now[c] = (now[c] == INT32_MIN) ? -INT32_MAX : now[c];
        } else {
            /* The last value stands for a missing number. */
        }
    }
    *ready = stream->filled == table->window;
    if (*ready) {
        subtract_predictions(stream, table, last, now, row);
    } else {
        ++stream->filled;
    }
    (void)memcpy(&stream->ring[(uint32_t)stream->next * channels], now, channels * sizeof now[0]);
    stream->next = (uint16_t)(((stream->next + 1u) < table->window) ? (stream->next + 1u) : 0u);
    return SURPRISAL_OK;
}

/* ---- Packets ---------------------------------------------------------------------------------------------------- */

/* CRC-16/IBM-3740, continued. */
static uint16_t checksum_16(uint16_t before, const uint8_t *bytes, size_t length) {
    uint16_t crc = before;
    size_t at;
    for (at = 0u; at < length; ++at) {
        uint32_t bit;
        crc ^= (uint16_t)((uint32_t)bytes[at] << 8);
        for (bit = 0u; bit < 8u; ++bit) {
            crc = (uint16_t)(((uint32_t)crc << 1) ^ (((crc & 0x8000u) != 0u) ? 0x1021u : 0u));
        }
    }
    return crc;
}

static uint16_t checksum_of_word(uint16_t before, uint32_t word) {
    const uint8_t bytes[4] = {(uint8_t)(word & 0xFFu), (uint8_t)((word >> 8) & 0xFFu), (uint8_t)((word >> 16) & 0xFFu),
                              (uint8_t)(word >> 24)};
    return checksum_16(before, bytes, 4u);
}

uint16_t surprisal_packet_tag(const surprisal_table *table, const uint8_t *decimals, size_t count) {
    uint16_t crc = checksum_of_word(0xFFFFu, table->fingerprint);
    uint32_t row;
    for (row = 0u; row < table->golden_rows; ++row) {
        crc = checksum_of_word(crc, table->golden_scores[2u * row]);
    }
    return checksum_16(crc, decimals, count);
}

static uint32_t big_endian(const uint8_t *bytes) {
    return ((uint32_t)bytes[0] << 8) | (uint32_t)bytes[1];
}

/* Takes the next byte of the payload into the number of the decoder; there are zeros behind its end. */
static void shift_byte(surprisal_packet *packet) {
    packet->place <<= 8;
    if (packet->left > 0u) {
        packet->place |= (uint32_t)*packet->next;
        ++packet->next;
        --packet->left;
    }
}

size_t surprisal_packet_open(surprisal_packet *packet, const uint8_t *bytes, size_t length, uint16_t tag) {
    const bool is_long = (length > 0u) && (bytes[0] >= 0x80u);
    const size_t header = is_long ? 4u : 2u;
    size_t end;
    uint32_t i;
    if (length < (header + 2u)) {
        return 0u;
    }
    packet->left = is_long ? (big_endian(bytes) & 0x7FFFu) : (uint32_t)bytes[0];
    packet->rows = (uint16_t)(is_long ? big_endian(&bytes[2]) : (uint32_t)bytes[1]);
    end = header + packet->left;
    /* Erased flash, bytes of 255, begins no packet. */
    if ((packet->rows == 0u) || (packet->left > 0x7FFEu) || (length < (end + 2u)) ||
        (((uint32_t)checksum_16(0xFFFFu, bytes, end) ^ big_endian(&bytes[end])) != tag)) {
        return 0u;
    }
    packet->next = &bytes[header];
    packet->range = UINT32_MAX;
    packet->place = 0u;
    packet->second = 0x8000u;
    for (i = 0u; i < 4u; ++i) {
        shift_byte(packet);
    }
    return end + 2u;
}

/* The part of an interval that belongs to a mass. */
static uint32_t part_of(uint32_t range, uint32_t mass) {
    return (uint32_t)(((uint64_t)range * mass) >> 16);
}

/* Continues with the part of the interval from `low` on that is `range` wide. */
static void narrow(surprisal_packet *packet, uint32_t low, uint32_t range) {
    packet->place -= low;
    packet->range = range;
    while (packet->range < 0x1000000u) {
        shift_byte(packet);
        packet->range <<= 8;
    }
}

static bool pull_flag(surprisal_packet *packet, uint32_t mass) {
    const uint32_t ones = part_of(packet->range, mass);
    const bool is_one = packet->place < ones;
    narrow(packet, is_one ? 0u : ones, is_one ? ones : (packet->range - ones));
    return is_one;
}

/* A number that is uniform in 0 .. count - 1, with count at most 65536. */
static uint32_t pull_uniform(surprisal_packet *packet, uint32_t count) {
    const uint32_t width = packet->range / count;
    uint32_t value = packet->place / width;
    value = (value < count) ? value : (count - 1u);
    narrow(packet, width * value, width);
    return value;
}

static uint64_t pull_number(surprisal_packet *packet, uint32_t bits) {
    uint64_t value = 0u;
    uint32_t left = bits;
    while (left > 0u) {
        const uint32_t few = (left < 16u) ? left : 16u;
        value = (value << few) | pull_uniform(packet, (uint32_t)1u << few);
        left -= few;
    }
    return value;
}

/* A number that is uniform in 0 .. last. */
static uint32_t pull_up_to(surprisal_packet *packet, uint32_t last) {
    const uint32_t low = ((last >> 16) != 0u) ? (16u - leading_zeros(last)) : 0u;
    uint32_t value = pull_uniform(packet, (last >> low) + 1u);
    if (low > 0u) {
        value = (value << low) | (uint32_t)pull_number(packet, low);
        value = (value < last) ? value : last;
    }
    return value;
}

static uint32_t pull_outcome(surprisal_packet *packet, const surprisal_uint16 *sums, uint32_t outcomes) {
    uint32_t first = 0u;
    uint32_t left = outcomes - 1u;
    uint32_t low;
    uint32_t high;
    while (left != 0u) {
        const uint32_t half = left >> 1;
        if (part_of(packet->range, sums[first + half]) <= packet->place) {
            first += half + 1u;
            left -= half + 1u;
        } else {
            left = half;
        }
    }
    bounds_of(sums, outcomes, first, &low, &high);
    low = part_of(packet->range, low);
    high = part_of(packet->range, high);
    narrow(packet, low, high - low);
    return first;
}

/* A reading, bit for bit. */
static surprisal_reading pull_raw(surprisal_packet *packet) {
    const uint32_t kind = pull_uniform(packet, 3u);
    surprisal_reading reading = surprisal_missing();
    if (kind < 2u) {
        const uint32_t bits = (uint32_t)pull_number(packet, 32u);
        reading = surprisal_integer((int32_t)bits);
        if (kind == 1u) {
            reading.type = (uint8_t)SURPRISAL_REAL;
            reading.value.real_bits = bits;
        }
    }
    return reading;
}

#define NO_DECIMALS 255u
#define MOST_DECIMALS 9u
#define FAR_NUMBER ((int64_t)1 << 32)

/* The whole numbers that stand for the readings of a column. */
typedef struct {
    bool is_real;
    bool is_residual;  /* from `base`, in steps of 2^scale / 256 */
    uint32_t decimals; /* of a real number, or NO_DECIMALS */
    int32_t scale;
    int64_t base;
} grid_t;

static uint32_t power_of_ten(uint32_t decimals) {
    uint32_t power = 1u;
    uint32_t i;
    for (i = 0u; i < decimals; ++i) {
        power *= 10u;
    }
    return power;
}

static int64_t limited(int64_t value) {
    return (value < -FAR_NUMBER) ? -FAR_NUMBER : ((value > FAR_NUMBER) ? FAR_NUMBER : value);
}

/* The floor of value * 2^exponent * 10^decimals, limited. */
static int64_t scaled(int64_t value, int32_t exponent, uint32_t decimals) {
    const int64_t power = (int64_t)power_of_ten(decimals);
    const int64_t most = INT64_MAX / power;
    const int64_t product = (value > most) ? INT64_MAX : ((value < -most) ? -INT64_MAX : (value * power));
    const uint64_t magnitude = (product < 0) ? (uint64_t)(-product) : (uint64_t)product;
    int64_t result;
    if (exponent <= 0) {
        result = product >> ((exponent < -63) ? 63 : -exponent);
    } else if ((magnitude == 0u) || (((uint32_t)exponent + 1u) < leading_zeros_64(magnitude))) {
        result = (magnitude == 0u) ? 0 : (product * ((int64_t)1 << exponent));
    } else {
        result = (product < 0) ? -FAR_NUMBER : FAR_NUMBER;
    }
    return limited(result);
}

/* The largest number whose reading is at or below an edge, or one less than the smallest number. */
static int64_t last_of(const grid_t *grid, int32_t edge) {
    int64_t last = edge;
    if (grid->is_residual) {
        const uint32_t decimals = grid->is_real ? grid->decimals : 0u;
        const int64_t steps = grid->base + (int64_t)edge;
        const int32_t exponent = grid->scale - 8;
        last = (steps < 0) ? scaled(steps, exponent, decimals) : (-scaled(-1 - steps, exponent, decimals) - 1);
    } else if (grid->is_real && (grid->decimals != NO_DECIMALS)) {
        const int32_t infinity = 0x7F800000;
        const int32_t least = order_of(0xFF800000u);
        const int32_t key = (edge < least) ? least : ((edge > infinity) ? infinity : edge);
        const uint32_t bits = (uint32_t)order_of((uint32_t)key);
        const uint32_t exponent = (bits >> 23) & 0xFFu;
        const int64_t doubled = 2 * (int64_t)((bits & 0x7FFFFFu) | ((exponent > 0u) ? 0x800000u : 0u));
        last = scaled(((bits >> 31) != 0u ? -doubled : doubled) + 1, (int32_t)((exponent > 0u) ? exponent : 1u) - 151,
                      grid->decimals);
    } else {
        /* Integers, and floats in their order, stand for themselves. */
    }
    /* One less than the smallest number, if none is at or below the edge. */
    if (last > (int64_t)INT32_MAX) {
        last = INT32_MAX;
    }
    return (last < ((int64_t)INT32_MIN - 1)) ? ((int64_t)INT32_MIN - 1) : last;
}

/* The bits of the real number nearest to steps / 10^decimals. */
static uint32_t real_of_decimal(int32_t steps, uint32_t decimals) {
    const uint64_t power = power_of_ten(decimals);
    const uint64_t magnitude = (steps < 0) ? (uint64_t)(-(int64_t)steps) : (uint64_t)steps;
    uint32_t bits = 0u;
    if (magnitude != 0u) {
        const uint32_t zeros = leading_zeros_64(magnitude);
        const uint64_t above = magnitude << zeros;
        const uint64_t quotient = above / power;
        const uint32_t shift = 40u - leading_zeros_64(quotient);
        const uint64_t kept = quotient >> shift;
        const uint64_t rest = quotient & (((uint64_t)1u << shift) - 1u);
        const uint64_t half = (uint64_t)1u << (shift - 1u);
        const bool is_inexact = (quotient * power) != above;
        const bool up = (rest > half) || ((rest == half) && (is_inexact || ((kept & 1u) != 0u)));
        bits = ((150u + shift) - zeros) << 23;
        bits += ((uint32_t)kept & 0x7FFFFFu) + (up ? 1u : 0u);
        bits |= (steps < 0) ? 0x80000000u : 0u;
    }
    return bits;
}

/* The reading for which a number stands. */
static surprisal_reading reading_of_number(const grid_t *grid, int64_t number) {
    const int32_t value = clamp_64(number);
    surprisal_reading reading = surprisal_integer(value);
    if (grid->is_real) {
        reading.type = (uint8_t)SURPRISAL_REAL;
        if (grid->decimals != NO_DECIMALS) {
            reading.value.real_bits = real_of_decimal(value, grid->decimals);
        } else {
            const int32_t infinity = 0x7F800000;
            const int32_t least = order_of(0xFF800000u);
            const int32_t key = (value < least) ? least : ((value > infinity) ? infinity : value);
            reading.value.real_bits = (uint32_t)order_of((uint32_t)key);
        }
    }
    return reading;
}

/* A distance beyond the outermost edges, or from zero in a column without edges. */
static int64_t pull_tail(surprisal_packet *packet, const grid_t *grid, int32_t tail_scale) {
    int32_t scale = tail_scale;
    uint32_t octave;
    if (grid->is_real && (grid->decimals == NO_DECIMALS)) {
        scale = 20;
    } else {
        scale += grid->is_residual ? (grid->scale - 8) : 0;
        scale += grid->is_real ? (int32_t)((grid->decimals * 213u) >> 6) : 0;
    }
    scale = (scale < 0) ? 0 : ((scale > 31) ? 31 : scale);
    octave = (uint32_t)scale;
    while ((octave < 34u) && pull_flag(packet, 0x8000u)) {
        ++octave;
    }
    {
        const uint64_t shifted_distance = ((uint64_t)1u << octave) | pull_number(packet, octave);
        return (int64_t)shifted_distance - ((int64_t)1 << scale);
    }
}

/* The place of a number within the cell of an outcome. */
static int64_t pull_place(surprisal_packet *packet, const grid_t *grid, const column_t *column, uint32_t outcome) {
    const uint32_t count = column->count;
    int64_t number;
    if (count == 0u) {
        const bool is_below = pull_flag(packet, 0x8000u);
        number = pull_tail(packet, grid, column->tail_scale);
        number = is_below ? (-1 - number) : number;
    } else if (outcome == 0u) {
        number = last_of(grid, column->values[0]) - pull_tail(packet, grid, column->tail_scale);
    } else if (outcome >= count) {
        number = last_of(grid, column->values[count - 1u]) + 1 + pull_tail(packet, grid, column->tail_scale);
    } else {
        const int64_t low = last_of(grid, column->values[outcome - 1u]);
        const int64_t high = last_of(grid, column->values[outcome]);
        const int64_t others = (high - low) - 1;
        uint32_t last = ((others > 0) && (others <= (int64_t)UINT32_MAX)) ? (uint32_t)others : 0u;
        number = high;
        if ((last > 0u) && (count <= 17u) && (column->log_widths[0] == 0u)) {
            if (!pull_flag(packet, 64u)) {
                return number;
            }
            --last;
        }
        number = low + 1 + (int64_t)pull_up_to(packet, last);
    }
    return number;
}

/* What the outcome of a column leaves open. */
static surprisal_reading pull_reading(surprisal_packet *packet, const grid_t *grid, const column_t *column,
                                      uint32_t outcome) {
    surprisal_reading reading = surprisal_missing();
    if (column->may_miss && (outcome == (outcomes_of(column) - 1u))) {
        /* No reading. */
    } else if (is_number(column)) {
        reading = reading_of_number(grid, pull_place(packet, grid, column, outcome));
    } else if (column->kind < 2u) {
        reading = surprisal_integer(((outcome == 1u) != (column->kind == 1u)) ? 1 : 0);
    } else if (outcome < column->count) {
        reading = surprisal_integer(column->values[outcome]);
    } else {
        reading = surprisal_integer((int32_t)(uint32_t)pull_number(packet, 32u));
    }
    return reading;
}

static uint32_t decimals_at(const uint8_t *decimals, size_t count, uint32_t source) {
    const uint32_t own = (source < count) ? (uint32_t)decimals[source] : NO_DECIMALS;
    return (own <= MOST_DECIMALS) ? own : NO_DECIMALS;
}

static column_t column_of(const surprisal_view *view, uint32_t at) {
    const surprisal_uint32 *start = &view->starts[5u * at];
    return read_column(&view->words[start[0]], &view->values[start[1]], &view->log_widths[start[2]]);
}

/* Whether a row is coded in one of two views. */
static bool has_second_view(const surprisal_table *table, const surprisal_view *plain, const uint8_t *decimals, size_t count) {
    bool has_two = table->views == 2u;
    uint32_t at;
    for (at = 0u; has_two && (at < plain->columns); ++at) {
        const column_t column = column_of(plain, at);
        has_two = (column.kind != KIND_REAL) || (decimals_at(decimals, count, column.source) != NO_DECIMALS);
    }
    return has_two;
}

static surprisal_status next_of_views(const surprisal_table *table, const uint8_t *decimals, size_t count,
                                      surprisal_packet *packet, surprisal_reading *readings) {
    uint8_t row[SURPRISAL_MAX_COLUMNS + 1u];
    const bool fits = !pull_flag(packet, 1u);
    uint32_t plain = 0u;
    uint32_t chosen;
    uint32_t nearest = 0u;
    uint32_t next = 0u;
    uint32_t at;
    const surprisal_view *view;
    while ((plain < table->views) && (table->view[plain].width > 0u)) {
        ++plain;
    }
    if (plain == table->views) {
        return SURPRISAL_ERROR_PACKETS;
    }
    chosen = plain;
    if (fits && has_second_view(table, &table->view[plain], decimals, count)) {
        const bool is_second = pull_flag(packet, packet->second);
        const int32_t limit = is_second ? 65000 : 535;
        packet->second = (uint16_t)((int32_t)packet->second + ((limit - (int32_t)packet->second) >> 4));
        chosen = is_second ? 1u : 0u;
    }
    view = &table->view[chosen];
    for (at = 0u; at < view->columns; ++at) {
        row[at] = 0u;
        if (view->shapes[(3u * at) + 1u] == 0u) {
            const column_t column = column_of(view, at);
            row[at] = (uint8_t)pull_up_to(packet, outcomes_of(&column) - 1u);
        }
    }
    for (at = 0u; at < view->columns; ++at) {
        const surprisal_uint16 *shape = &view->shapes[3u * at];
        const surprisal_uint16 *sums = conditional(view, shape, &view->starts[5u * at], row);
        if (sums != NULL) {
            row[at] = (uint8_t)pull_outcome(packet, sums, shape[0]);
        }
    }
    for (at = 0u; at < view->columns; ++at) {
        const column_t column = column_of(view, at);
        surprisal_reading regime;
        if ((column.source == REGIME) && typical_of(&column, row[at], &regime)) {
            nearest = (uint32_t)regime.value.integer & 0xFFu;
            /* A regime that no prototype has would be read past the prototypes. */
            nearest = (nearest < view->points_count) ? nearest : 0u;
            break;
        }
    }
    for (at = 0u; at < view->columns; ++at) {
        const column_t column = column_of(view, at);
        grid_t grid;
        if (column.source == REGIME) {
            continue;
        }
        grid.is_real = column.kind == KIND_REAL;
        grid.is_residual = (next < view->width) && (view->prototypes[4u * next] == (int32_t)column.source);
        grid.decimals = decimals_at(decimals, count, column.source);
        grid.scale = 0;
        grid.base = 0;
        if (grid.is_residual) {
            grid.is_real = (table->kinds != NULL) && ((table->kinds[column.source] & 15u) == KIND_REAL) &&
                           (grid.decimals != NO_DECIMALS);
            grid.scale = view->prototypes[(4u * next) + 1u];
            grid.base = centre_of(view, next, nearest);
            ++next;
        }
        readings[column.source] = pull_reading(packet, &grid, &column, row[at]);
    }
    view = &table->view[plain];
    for (at = 0u; (!fits) && (at < view->columns); ++at) {
        if (pull_flag(packet, 0x1000u)) {
            readings[column_of(view, at).source] = pull_raw(packet);
        }
    }
    return SURPRISAL_OK;
}

#ifndef SURPRISAL_NO_BITS

/* The outcome that the bits of a column stand for. */
static uint32_t outcome_of_bits(const column_t *column, const uint8_t *bits) {
    const uint32_t missing = column->may_miss ? 1u : 0u;
    const uint32_t levels = bits_of(column) - missing;
    uint32_t outcome = column->pivot;
    uint32_t at;
    if ((missing != 0u) && (bits[0] != 0u)) {
        return outcomes_of(column) - 1u;
    }
    for (at = 0u; at < levels; ++at) {
        if (bits[missing + at] != 0u) {
            outcome = (at < (levels - column->pivot)) ? (outcome + 1u) : (outcome - ((outcome > 0u) ? 1u : 0u));
        }
    }
    return outcome;
}

static void pull_row_of_bits(const surprisal_bits *model, surprisal_packet *packet, state_t *state) {
    uint32_t i = 0u;
    while (i < model->bits) {
        bool value = false;
        if (is_observed(model, i)) {
            value = state->row.bit[i] != 0u;
        } else if (!is_implied(model, state, i, &value)) {
            value = pull_flag(packet, mass_of_one(logit_of_bit(model, state, i)));
        } else {
            /* The constraint says the value. */
        }
        state->row.bit[i] = value ? (uint8_t)1u : (uint8_t)0u;
        if (value) {
            observe_one(model, state, i);
        } else {
            while ((model->constraints != NULL) && ((i + 1u) < model->bits) &&
                   ((uint32_t)model->constraints[i + 1u] == i) && (state->row.bit[i + 1u] == 0u)) {
                ++i;
            }
        }
        ++i;
    }
}

static void next_of_bits(const surprisal_table *table, const uint8_t *decimals, size_t count, surprisal_packet *packet,
                         surprisal_reading *readings) {
    const surprisal_bits *model = &table->bits;
    const bool fits = !pull_flag(packet, 1u);
    columns_t columns = columns_of(model);
    state_t state;
    start_bits(model, &state);
    do {
        if (is_observed(model, columns.first)) {
            const uint32_t outcome = pull_up_to(packet, outcomes_of(&columns.column) - 1u);
            set_bits(&columns.column, outcome, &state.row.bit[columns.first]);
        }
    } while (next_column(&columns));
    pull_row_of_bits(model, packet, &state);
    columns = columns_of(model);
    do {
        const column_t *column = &columns.column;
        grid_t grid;
        grid.is_real = column->kind == KIND_REAL;
        grid.is_residual = false;
        grid.decimals = decimals_at(decimals, count, column->source);
        grid.scale = 0;
        grid.base = 0;
        readings[column->source] =
            pull_reading(packet, &grid, column, outcome_of_bits(column, &state.row.bit[columns.first]));
    } while (next_column(&columns));
    columns = columns_of(model);
    do {
        if ((!fits) && pull_flag(packet, 0x1000u)) {
            readings[columns.column.source] = pull_raw(packet);
        }
    } while (next_column(&columns));
}

#endif

surprisal_status surprisal_packet_next(surprisal_packet *packet, const surprisal_table *table, const uint8_t *decimals,
                                       size_t decimal_count, surprisal_reading *readings, size_t count) {
    surprisal_status status = SURPRISAL_OK;
    size_t at;
    if (count != table->readings) {
        return SURPRISAL_ERROR_COUNT;
    }
    if ((table->channels != 0u) || (packet->rows == 0u)) {
        return SURPRISAL_ERROR_PACKETS;
    }
    for (at = 0u; at < count; ++at) {
        readings[at] = surprisal_missing();
    }
    --packet->rows;
    if (table->views > 0u) {
        status = next_of_views(table, decimals, decimal_count, packet, readings);
    } else {
#ifndef SURPRISAL_NO_BITS
        next_of_bits(table, decimals, decimal_count, packet, readings);
#endif
    }
    return status;
}

/* ---- Opening a table -------------------------------------------------------------------------------------------- */

/* The sections that have not been read yet. */
typedef struct {
    const uint8_t *bytes;
    const surprisal_uint32 *counts;
    size_t left; /* bytes */
    uint32_t count; /* elements of the last section that was read */
    bool truncated;
} sections_t;

/* Reads the next section of elements of `size` bytes. Returns NULL for an empty section. */
static const void *next_section(sections_t *sections, uint32_t size) {
    const void *section = NULL;
    const uint64_t length = (((uint64_t)*sections->counts * size) + 3u) & ~(uint64_t)3u;
    sections->count = *sections->counts;
    ++sections->counts;
    if (length > (uint64_t)sections->left) {
        sections->truncated = true;
        sections->count = 0u;
    } else if (length > 0u) {
        section = sections->bytes;
        sections->bytes = &sections->bytes[(size_t)length];
        sections->left -= (size_t)length;
    } else {
        /* An empty section takes no bytes. */
    }
    return section;
}

/* CRC-32/ISO-HDLC. */
static uint32_t checksum(const uint8_t *bytes, size_t length) {
    static const uint32_t NIBBLES[16] = {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
                                         0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
                                         0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};
    uint32_t crc = UINT32_MAX;
    size_t at;
    for (at = 0u; at < length; ++at) {
        crc ^= (uint32_t)bytes[at];
        crc = (crc >> 4) ^ NIBBLES[crc & 15u];
        crc = (crc >> 4) ^ NIBBLES[crc & 15u];
    }
    return crc ^ UINT32_MAX;
}

/* Whether the words of an encoder are whole columns of ascending edges, with as many values and log-widths as there are. */
static bool columns_fit(const surprisal_uint16 *words, uint32_t word_count, const surprisal_int32 *values, uint32_t value_count,
                        uint32_t log_width_count) {
    uint32_t word = 0u;
    uint32_t value = 0u;
    uint32_t log_width = 0u;
    while (word < word_count) {
        const uint32_t taken = words_of(words[word]);
        const uint32_t count = ((taken > 1u) && ((word_count - word) >= taken)) ? (uint32_t)words[word + 1u] : 0u;
        if ((taken > (word_count - word)) || (count > (value_count - value))) {
            return false;
        }
        if (taken == 4u) {
            uint32_t at;
            for (at = 1u; at < count; ++at) {
                if (values[value + at] <= values[value + at - 1u]) {
                    return false;
                }
            }
            if ((count + 1u) > (log_width_count - log_width)) {
                return false;
            }
            log_width += count + 1u;
        }
        word += taken;
        value += count;
    }
    return (value == value_count) && (log_width == log_width_count);
}

/* Notes that a column reads the reading at this position. */
static void note_source(surprisal_table *table, uint32_t source) {
    if ((source + 1u) > table->needed) {
        table->needed = source + 1u;
    }
}

/* Checks that splits are one tree that tests columns before `position`. */
static surprisal_status check_tree(const surprisal_uint32 *splits, uint32_t count, uint32_t position) {
    uint8_t pending[256]; /* sizes of right subtrees */
    uint32_t depth = 0u;
    uint32_t size = count;
    uint32_t at;
    if ((count == 0u) || (count > 255u)) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    for (at = 0u; at < count; ++at) {
        const uint32_t word = splits[at];
        const uint32_t left = word >> 24;
        uint32_t right;
        if (left >= size) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
        right = size - 1u - left;
        if (((left == 0u) != ((word & 0x8000u) != 0u)) || ((right == 0u) != ((word & 0x4000u) != 0u))) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
        if ((word & 0xFFFu) >= position) {
            return SURPRISAL_ERROR_ORDER;
        }
        if ((left > 0u) && (right > 0u)) {
            pending[depth] = (uint8_t)right;
            ++depth;
            size = left;
        } else if ((left > 0u) || (right > 0u)) {
            size = left + right;
        } else if (depth > 0u) {
            --depth;
            size = pending[depth];
        } else {
            size = 0u;
        }
    }
    return SURPRISAL_OK;
}

/* Checks the outcome columns of a view, and their starts. */
static surprisal_status check_outcomes(const surprisal_view *view, uint32_t group_count, uint32_t split_count,
                                       uint32_t row_count) {
    uint32_t word = 0u;
    uint32_t value = 0u;
    uint32_t log_width = 0u;
    uint32_t group = 0u;
    uint32_t split = 0u;
    uint32_t first = 0u;
    uint32_t at;
    for (at = 0u; at < view->columns; ++at) {
        const surprisal_uint16 *shape = &view->shapes[3u * at];
        const uint32_t outcomes = shape[0];
        const uint32_t rows = shape[1];
        const surprisal_uint32 *start = &view->starts[5u * at];
        const column_t column = read_column(&view->words[word], &view->values[value], &view->log_widths[log_width]);
        uint32_t i;
        uint32_t sums;
        if ((outcomes == 0u) || (outcomes > 256u) || (outcomes != outcomes_of(&column))) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
        if ((start[0] != word) || (start[1] != value) || (start[2] != log_width) ||
            (start[3] != ((shape[2] == TREE) ? split : group)) || (start[4] != first)) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
        if ((rows > 0u) && (shape[2] == TREE)) {
            surprisal_status status;
            if ((rows - 1u) > (split_count - split)) {
                return SURPRISAL_ERROR_INCONSISTENT;
            }
            status = check_tree(&view->splits[split], rows - 1u, at);
            if (status != SURPRISAL_OK) {
                return status;
            }
            split += rows - 1u;
        } else if ((rows > 0u) && (shape[2] != NO_PARENT)) {
            uint32_t of_parent;
            if (shape[2] >= at) {
                return SURPRISAL_ERROR_ORDER;
            }
            of_parent = view->shapes[3u * (uint32_t)shape[2]];
            if (of_parent > (group_count - group)) {
                return SURPRISAL_ERROR_INCONSISTENT;
            }
            for (i = 0u; i < of_parent; ++i) {
                if ((uint32_t)view->groups[group + i] >= rows) {
                    return SURPRISAL_ERROR_INCONSISTENT;
                }
            }
            group += of_parent;
        } else if (rows > 1u) {
            return SURPRISAL_ERROR_INCONSISTENT;
        } else {
            /* An observed column, or the only row of a column without a parent. */
        }
        sums = rows * (outcomes - 1u);
        if (sums > (row_count - first)) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
        for (i = 0u; i < sums; ++i) {
            const uint32_t before = ((i % (outcomes - 1u)) == 0u) ? 0u : (uint32_t)view->rows[first + i - 1u];
            if ((uint32_t)view->rows[first + i] <= before) {
                return SURPRISAL_ERROR_INCONSISTENT;
            }
        }
        first += sums;
        value += column.count;
        log_width += is_number(&column) ? ((uint32_t)column.count + 1u) : 0u;
        word += words_of(view->words[word]);
    }
    return ((group == group_count) && (split == split_count) && (first == row_count)) ? SURPRISAL_OK
                                                                                      : SURPRISAL_ERROR_INCONSISTENT;
}

/* Checks the prototypes of a view. Expects its columns to be checked. */
static bool prototypes_fit(const surprisal_view *view, uint32_t point_count) {
    uint32_t next = 0u;
    uint32_t at;
    if (view->width == 0u) {
        return point_count == 0u;
    }
    if ((point_count < view->width) || (point_count > (256u * (uint32_t)view->width)) ||
        ((point_count % view->width) != 0u)) {
        return false;
    }
    for (at = 0u; at < view->columns; ++at) {
        const uint32_t word = view->words[view->starts[5u * at]];
        if ((next < view->width) && (view->prototypes[4u * next] == (int32_t)(word & 0xFFFu))) {
            const surprisal_int32 *numbers = &view->prototypes[4u * next];
            if ((numbers[0] > 4094) || (((word >> 12) & 7u) != KIND_INTEGER) || (numbers[1] < -128) ||
                (numbers[1] > 127) || (numbers[3] < -6) || (numbers[3] > 30)) {
                return false;
            }
            ++next;
        }
    }
    return next == view->width;
}

/* The largest of some baselines, as a surprisal. */
static uint32_t largest_baseline(const surprisal_uint16 *baselines, uint32_t count) {
    uint32_t largest = 0u;
    uint32_t at;
    for (at = 0u; at < count; ++at) {
        largest = ((uint32_t)baselines[at] > largest) ? (uint32_t)baselines[at] : largest;
    }
    return largest << 6;
}

static surprisal_status open_view(surprisal_table *table, surprisal_view *view, sections_t *sections) {
    uint32_t words;
    uint32_t values;
    uint32_t log_widths;
    uint32_t widths;
    uint32_t points;
    uint32_t columns;
    uint32_t groups;
    uint32_t splits;
    uint32_t rows;
    uint32_t numbers_count;
    uint32_t baselines;
    uint32_t at;
    surprisal_status status;
    const surprisal_uint32 *numbers;
    view->words = (const surprisal_uint16 *)next_section(sections, 2u);
    words = sections->count;
    view->values = (const surprisal_int32 *)next_section(sections, 4u);
    values = sections->count;
    view->log_widths = (const surprisal_uint16 *)next_section(sections, 2u);
    log_widths = sections->count;
    view->prototypes = (const surprisal_int32 *)next_section(sections, 16u);
    widths = sections->count;
    view->points = (const int8_t *)next_section(sections, 1u);
    points = sections->count;
    view->shapes = (const surprisal_uint16 *)next_section(sections, 6u);
    columns = sections->count;
    view->groups = (const uint8_t *)next_section(sections, 1u);
    groups = sections->count;
    view->splits = (const surprisal_uint32 *)next_section(sections, 4u);
    splits = sections->count;
    view->rows = (const surprisal_uint16 *)next_section(sections, 2u);
    rows = sections->count;
    numbers = (const surprisal_uint32 *)next_section(sections, 4u);
    numbers_count = sections->count;
    view->baselines = (const surprisal_uint16 *)next_section(sections, 2u);
    baselines = sections->count;
    view->starts = (const surprisal_uint32 *)next_section(sections, 20u);
    if (sections->truncated) {
        return SURPRISAL_ERROR_TRUNCATED;
    }
    /* Empty sections have an address that nothing is read from. */
    view->values = (view->values == NULL) ? (const surprisal_int32 *)table->calibration : view->values;
    view->log_widths = (view->log_widths == NULL) ? (const surprisal_uint16 *)table->calibration : view->log_widths;
    view->rows = (view->rows == NULL) ? (const surprisal_uint16 *)table->calibration : view->rows;
    if ((numbers_count != 2u) || (columns > 4096u) || (sections->count != columns) ||
        ((baselines != 0u) && (baselines != columns)) ||
        (!columns_fit(view->words, words, view->values, values, log_widths))) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    if (columns > SURPRISAL_MAX_COLUMNS) {
        table->needed = columns;
        return SURPRISAL_ERROR_MAX_COLUMNS;
    }
    if (widths > columns) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    view->log_unit = numbers[0];
    view->reach = numbers[1];
    view->columns = (uint16_t)columns;
    view->width = (uint16_t)widths;
    view->points_count = (uint16_t)((widths > 0u) ? (points / widths) : 0u);
    view->level = largest_baseline(view->baselines, baselines);
    at = 0u;
    for (columns = 0u; at < words; ++columns) {
        const uint32_t source = (uint32_t)view->words[at] & 0xFFFu;
        /* The regime is no reading, and there is none without prototypes. */
        if (source != REGIME) {
            note_source(table, source);
        } else if (widths == 0u) {
            return SURPRISAL_ERROR_INCONSISTENT;
        } else {
            /* A column of regimes. */
        }
        at += words_of(view->words[at]);
    }
    if (columns != view->columns) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    status = check_outcomes(view, groups, splits, rows);
    if ((status == SURPRISAL_OK) && (!prototypes_fit(view, points))) {
        status = SURPRISAL_ERROR_INCONSISTENT;
    }
    return status;
}

#ifndef SURPRISAL_NO_BITS

/* Checks the linear term and its scales. */
static bool linear_fits(const surprisal_bits *model, uint32_t bits, uint32_t scales, uint32_t starts,
                        uint32_t weights, bool is_dense) {
    uint32_t column;
    uint32_t taken = 0u;
    const bool independent = is_dense && (weights == 0u);
    if ((scales != bits) && ((!independent) || (scales != 0u))) {
        return false;
    }
    if (is_dense) {
        return (starts == 0u) && ((weights == 0u) || (weights == ((bits * (bits - 1u)) / 2u)));
    }
    if ((starts != (bits + 1u)) || ((weights & 1u) != 0u) || ((weights / 2u) > 65535u)) {
        return false;
    }
    for (column = 0u; column < bits; ++column) {
        uint32_t row = column;
        if ((model->starts[column] != taken) || (model->starts[column + 1u] < taken) ||
            (model->starts[column + 1u] > (weights / 2u))) {
            return false;
        }
        while (taken < model->starts[column + 1u]) {
            row += model->weights[2u * taken];
            if ((row >= bits) || (row == column)) {
                return false;
            }
            ++taken;
        }
    }
    return (model->starts[bits] == taken) && (taken == (weights / 2u));
}

/* Checks the trees. */
static surprisal_status check_trees(const surprisal_bits *model, uint32_t bits, uint32_t starts, uint32_t splits) {
    uint32_t mask;
    uint32_t taken = 0u;
    uint32_t bit;
    if ((model->feature_bits == 0u) || (model->feature_bits > 15u) || (starts != (bits + 1u)) ||
        (model->leaf_count != (splits + bits))) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    mask = (1u << model->feature_bits) - 1u;
    for (bit = 0u; bit < bits; ++bit) {
        if ((model->tree_starts[bit] != taken) || (model->tree_starts[bit + 1u] < taken) ||
            (model->tree_starts[bit + 1u] > splits)) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
        while (taken < model->tree_starts[bit + 1u]) {
            if ((model->splits[taken] & mask) > bit) {
                return SURPRISAL_ERROR_ORDER;
            }
            ++taken;
        }
    }
    return ((model->tree_starts[bits] == taken) && (taken == splits)) ? SURPRISAL_OK : SURPRISAL_ERROR_INCONSISTENT;
}

/* Checks the constraints, and that the columns have as many bits as the model. */
static surprisal_status check_constraints(surprisal_table *table, uint32_t baselines) {
    const surprisal_bits *model = &table->bits;
    columns_t columns;
    uint32_t count = 0u;
    uint32_t bit;
    if (model->constraints != NULL) {
        for (bit = 0u; bit < model->bits; ++bit) {
            const uint32_t word = model->constraints[bit];
            if ((word < 0xFFFEu) && ((word & 0xFFFu) >= bit)) {
                return SURPRISAL_ERROR_ORDER;
            }
        }
    }
    if (model->word_count == 0u) {
        return SURPRISAL_ERROR_NO_COLUMNS;
    }
    columns = columns_of(model);
    do {
        const uint32_t end = columns.first + bits_of(&columns.column);
        if (end > model->bits) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
        for (bit = columns.first; bit < end; ++bit) {
            if (is_observed(model, bit) != is_observed(model, columns.first)) {
                return SURPRISAL_ERROR_INCONSISTENT;
            }
        }
        note_source(table, columns.column.source);
        ++count;
    } while (next_column(&columns));
    return ((columns.first == model->bits) && ((baselines == 0u) || (baselines == count))) ? SURPRISAL_OK
                                                                                            : SURPRISAL_ERROR_INCONSISTENT;
}

static surprisal_status open_bits(surprisal_table *table, sections_t *sections, uint32_t flags, uint32_t baselines) {
    surprisal_bits *model = &table->bits;
    const bool is_dense = ((flags >> 8) & 1u) != 0u;
    uint32_t counts[BIT_SECTIONS];
    uint32_t bits;
    uint32_t i;
    const void *parts[BIT_SECTIONS];
    static const uint8_t SIZES[BIT_SECTIONS] = {2, 4, 2, 2, 2, 2, 2, 1, 2, 2, 1, 2, 2, 2, 1, 1, 2, 2, 2, 1};
    surprisal_status status;
    for (i = 0u; i < BIT_SECTIONS; ++i) {
        parts[i] = next_section(sections, SIZES[i]);
        counts[i] = sections->count;
    }
    if (sections->truncated) {
        return SURPRISAL_ERROR_TRUNCATED;
    }
    /* Empty sections have an address that nothing is read from. */
    model->words = (const surprisal_uint16 *)((counts[0] > 0u) ? parts[0] : (const void *)table->calibration);
    model->values = (const surprisal_int32 *)((counts[1] > 0u) ? parts[1] : (const void *)table->calibration);
    model->log_widths = (const surprisal_uint16 *)((counts[2] > 0u) ? parts[2] : (const void *)table->calibration);
    model->constraints = (const surprisal_uint16 *)parts[3];
    model->biases = (const surprisal_int16 *)parts[4];
    model->scales = (const surprisal_uint16 *)parts[5];
    model->starts = (const surprisal_uint16 *)parts[6];
    model->weights = (const uint8_t *)((is_dense || (counts[7] > 0u)) ? parts[7] : (const void *)table->calibration);
    model->tree_starts = (const surprisal_uint16 *)parts[8];
    model->splits = (const surprisal_uint16 *)parts[9];
    model->leaves = (const int8_t *)parts[10];
    model->leaf_scales = (const surprisal_uint16 *)parts[11];
    model->hidden_biases = (const surprisal_int16 *)parts[12];
    model->hidden_gains = (const surprisal_uint16 *)parts[13];
    model->hidden_inputs = (const int8_t *)parts[14];
    model->hidden_outputs = (const int8_t *)parts[15];
    model->hidden_scales = (const surprisal_uint16 *)parts[16];
    model->priors = (const surprisal_uint16 *)parts[17];
    model->parents = (const uint8_t *)parts[18];
    model->logits = (const int8_t *)parts[19];
    model->feature_bits = (uint8_t)(((flags >> 16) < 255u) ? (flags >> 16) : 255u);
    model->activation = (uint8_t)((flags >> 9) & 3u);
    model->shift = (uint8_t)((flags >> 11) & 31u);
    model->leaf_count = counts[10];
    bits = (counts[4] > counts[18]) ? counts[4] : counts[18];
    if (bits > 4096u) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    table->needed = bits;
    if (bits > SURPRISAL_MAX_BITS) {
        return SURPRISAL_ERROR_MAX_BITS;
    }
    table->needed = counts[12];
    if (counts[12] > SURPRISAL_MAX_UNITS) {
        return SURPRISAL_ERROR_MAX_UNITS;
    }
    table->needed = counts[17];
    if (counts[17] > SURPRISAL_MAX_COMPONENTS) {
        return SURPRISAL_ERROR_MAX_COMPONENTS;
    }
    table->needed = 0u;
    model->bits = (uint16_t)bits;
    model->units = (uint16_t)counts[12];
    model->components = (uint16_t)counts[17];
    if (((counts[3] != 0u) && (counts[3] != bits)) || ((counts[4] != 0u) && (counts[4] != bits)) ||
        ((counts[11] != 0u) && (counts[11] != bits)) || ((counts[16] != 0u) && (counts[16] != bits)) ||
        ((counts[18] != 0u) && (counts[18] != bits)) || (counts[0] > 65535u) ||
        (!columns_fit(model->words, counts[0], model->values, counts[1], counts[2])) ||
        (!linear_fits(model, counts[4], counts[5], counts[6], counts[7], is_dense))) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    model->word_count = (uint16_t)counts[0];
    /* Without rows there are no sums. */
    model->starts = (counts[4] > 0u) ? model->starts : NULL;
    model->weights = (counts[4] > 0u) ? model->weights : NULL;
    if ((counts[8] != 0u) || (counts[9] != 0u) || (counts[10] != 0u) || (counts[11] != 0u)) {
        status = check_trees(model, counts[11], counts[8], counts[9]);
        if (status != SURPRISAL_OK) {
            return status;
        }
        model->tree_starts = (counts[11] == 0u) ? NULL : model->tree_starts;
    }
    if ((model->activation == 3u) || (model->shift > 16u) || ((counts[12] != 0u) && (counts[16] == 0u)) ||
        (counts[13] != ((model->activation == 1u) ? counts[12] : 0u)) || (counts[14] != (counts[12] * counts[16])) ||
        (counts[15] != counts[14]) || (counts[19] != (counts[17] * counts[18])) ||
        ((counts[19] == 0u) && ((counts[17] != 0u) || (counts[18] != 0u)))) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    for (i = 0u; i < counts[17]; ++i) {
        if (model->priors[i] == 0u) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
    }
    for (i = 0u; i < counts[18]; ++i) {
        if ((uint32_t)model->parents[2u * i] > i) {
            return SURPRISAL_ERROR_ORDER;
        }
    }
    return check_constraints(table, baselines);
}

#endif

/* Checks the predictor of a time series. */
static surprisal_status open_predictor(surprisal_table *table, uint32_t words, uint32_t weights) {
    const uint32_t channels = (words == 0u) ? 0u : ((words - 1u) / 2u);
    uint32_t numbers = 0u;
    uint32_t expected;
    uint32_t c;
    table->window = 0u;
    table->channels = 0u;
    table->states = 0u;
    if (words == 0u) {
        return (weights == 0u) ? SURPRISAL_OK : SURPRISAL_ERROR_INCONSISTENT;
    }
    if (((words & 1u) == 0u) || (table->predictor[0] < 1) || (table->predictor[0] > 4096) || (channels > 4096u)) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    if (channels > SURPRISAL_MAX_COLUMNS) {
        table->needed = channels;
        return SURPRISAL_ERROR_MAX_COLUMNS;
    }
    for (c = 0u; c < channels; ++c) {
        numbers += (table->predictor[(2u * c) + 1u] != STATE) ? 1u : 0u;
    }
    expected = (2u * numbers * numbers) + ((numbers > 0u) ? ((numbers * (numbers - 1u)) / 2u) : 0u);
    if (weights != expected) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    table->window = (uint16_t)table->predictor[0];
    table->channels = (uint16_t)channels;
    table->states = (uint16_t)(channels - numbers);
    return SURPRISAL_OK;
}

/* Reads the sections that both kinds of model have. Returns the number of readings, or 0 if it is not known. */
static surprisal_status open_shared(surprisal_table *table, sections_t *sections, uint32_t *readings) {
    uint32_t golden;
    uint32_t scores;
    uint32_t numbers;
    uint32_t quantiles;
    uint32_t words;
    uint32_t baselines;
    uint32_t levels = 0u;
    uint32_t i;
    table->kinds = (const uint8_t *)next_section(sections, 1u);
    *readings = sections->count;
    table->golden_readings = (const surprisal_uint32 *)next_section(sections, 4u);
    golden = sections->count;
    table->golden_scores = (const surprisal_uint32 *)next_section(sections, 4u);
    scores = sections->count;
    table->calibration = (const surprisal_uint32 *)next_section(sections, 4u);
    numbers = sections->count;
    table->quantiles = (const surprisal_uint32 *)next_section(sections, 4u);
    quantiles = sections->count;
    table->baselines = (const surprisal_uint16 *)next_section(sections, 2u);
    baselines = sections->count;
    table->predictor = (const surprisal_int32 *)next_section(sections, 4u);
    words = sections->count;
    table->predictor_weights = (const surprisal_int16 *)next_section(sections, 2u);
    if (sections->truncated) {
        return SURPRISAL_ERROR_TRUNCATED;
    }
    table->golden_rows = scores / 2u;
    if (((scores & 1u) != 0u) || ((golden != 0u) && (*readings == 0u)) ||
        ((uint64_t)golden != ((uint64_t)*readings * table->golden_rows)) || ((golden == 0u) && (scores != 0u)) ||
        (numbers != 11u) || (table->calibration[TEMPERATURE] > 8u) || (baselines > 4096u)) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    while ((levels < 54u) && (rank_of(level_of(levels), table->calibration[CALIBRATION_ROWS]) > 0u)) {
        ++levels;
    }
    if ((quantiles != 0u) && (quantiles != levels)) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    for (i = 1u; i < quantiles; ++i) {
        if (table->quantiles[i] < table->quantiles[i - 1u]) {
            return SURPRISAL_ERROR_INCONSISTENT;
        }
    }
    table->quantile_count = (uint16_t)quantiles;
    table->baseline_count = (uint16_t)baselines;
    table->level = largest_baseline(table->baselines, baselines);
    return open_predictor(table, words, sections->count);
}

surprisal_status surprisal_open(surprisal_table *table, const void *bytes, size_t length, uint32_t fingerprint) {
    const uint8_t *octets = (const uint8_t *)bytes;
    const surprisal_uint32 *head = (const surprisal_uint32 *)bytes;
    sections_t sections;
    surprisal_status status;
    uint32_t flags;
    uint32_t views;
    uint32_t readings;
    size_t counts;
    table->needed = 0u;
    table->views = 0u;
    table->golden_rows = 0u;
    if (((uintptr_t)bytes & 3u) != 0u) {
        return SURPRISAL_ERROR_MISALIGNED;
    }
    if (length < 24u) {
        return SURPRISAL_ERROR_TRUNCATED;
    }
    if (head[0] != 0x4C505253u) {
        return SURPRISAL_ERROR_NOT_A_TABLE;
    }
    if (head[1] != 5u) {
        return SURPRISAL_ERROR_UNSUPPORTED_VERSION;
    }
    if ((head[2] < 24u) || ((uint64_t)head[2] > (uint64_t)length)) {
        return SURPRISAL_ERROR_TRUNCATED;
    }
    if (checksum(&octets[16], (size_t)head[2] - 16u) != head[3]) {
        return SURPRISAL_ERROR_CORRUPT;
    }
    if ((fingerprint != SURPRISAL_ANY) && (head[4] != fingerprint)) {
        return SURPRISAL_ERROR_FINGERPRINT;
    }
    table->fingerprint = head[4];
    flags = head[5];
    views = flags & 0xFFu;
    if ((views > 4u) || ((views > 0u) && ((flags >> 8) != 0u))) {
        return SURPRISAL_ERROR_INCONSISTENT;
    }
    if (views > SURPRISAL_MAX_VIEWS) {
        table->needed = views;
        return SURPRISAL_ERROR_MAX_VIEWS;
    }
#ifdef SURPRISAL_NO_BITS
    if (views == 0u) {
        return SURPRISAL_ERROR_NO_BITS;
    }
#endif
    counts = (size_t)SHARED_SECTIONS + ((views > 0u) ? (VIEW_SECTIONS * views) : BIT_SECTIONS);
    sections.counts = &head[6];
    sections.left = (size_t)head[2] - 24u;
    sections.truncated = sections.left < (4u * counts);
    if (sections.truncated) {
        return SURPRISAL_ERROR_TRUNCATED;
    }
    sections.bytes = &octets[24u + (4u * counts)];
    sections.left -= 4u * counts;
    sections.count = 0u;
    status = open_shared(table, &sections, &readings);
    table->views = (uint8_t)views;
#ifndef SURPRISAL_NO_BITS
    if ((status == SURPRISAL_OK) && (views == 0u)) {
        status = open_bits(table, &sections, flags, table->baseline_count);
    }
#endif
    for (counts = 0u; (counts < views) && (status == SURPRISAL_OK); ++counts) {
        status = open_view(table, &table->view[counts], &sections);
    }
    if (status == SURPRISAL_OK) {
        /* The columns read `needed` readings. */
        if ((readings != 0u) && (readings < table->needed)) {
            status = SURPRISAL_ERROR_INCONSISTENT;
        } else {
            table->needed = (readings != 0u) ? readings : table->needed;
            table->readings = (uint16_t)table->needed;
            status = (table->needed > SURPRISAL_MAX_COLUMNS) ? SURPRISAL_ERROR_MAX_COLUMNS : SURPRISAL_OK;
        }
    }
    return status;
}

const char *surprisal_message(surprisal_status status) {
    const char *message;
    switch (status) {
    case SURPRISAL_OK:
        message = "no error";
        break;
    case SURPRISAL_ERROR_NOT_A_TABLE:
        message = "not a .srp table, or one in another byte order: pass the file that `surprisal fit` wrote";
        break;
    case SURPRISAL_ERROR_UNSUPPORTED_VERSION:
        message = "the table has another format version than 5, which this library reads: use the library version that "
                  "made the table, or fit and export it again";
        break;
    case SURPRISAL_ERROR_TRUNCATED:
        message = "the table is cut short: copy the whole file";
        break;
    case SURPRISAL_ERROR_CORRUPT:
        message = "the checksum of the table does not match: copy or flash it again";
        break;
    case SURPRISAL_ERROR_MISALIGNED:
        message = "the table must start at an address that is a multiple of four: declare it as an array of uint32_t, or "
                  "align it";
        break;
    case SURPRISAL_ERROR_FINGERPRINT:
        message = "the table is for other columns, categories or an other order than this firmware: export the firmware's "
                  "row types again from this table, or fit with --like the old model";
        break;
    case SURPRISAL_ERROR_MAX_COLUMNS:
        message = "the table has too many columns or readings: define SURPRISAL_MAX_COLUMNS as at least table->needed";
        break;
    case SURPRISAL_ERROR_MAX_VIEWS:
        message = "the table has too many views: define SURPRISAL_MAX_VIEWS as at least table->needed";
        break;
    case SURPRISAL_ERROR_MAX_BITS:
        message = "the table has too many bits: define SURPRISAL_MAX_BITS as at least table->needed";
        break;
    case SURPRISAL_ERROR_MAX_UNITS:
        message = "the table has too many hidden units: define SURPRISAL_MAX_UNITS as at least table->needed";
        break;
    case SURPRISAL_ERROR_MAX_COMPONENTS:
        message = "the table has too many mixture components: define SURPRISAL_MAX_COMPONENTS as at least table->needed";
        break;
    case SURPRISAL_ERROR_NO_BITS:
        message = "the table holds a model of bits: build without SURPRISAL_NO_BITS, or fit with --family tables";
        break;
    case SURPRISAL_ERROR_INCONSISTENT:
        message = "a section of the table does not fit the other sections: fit and export the table again";
        break;
    case SURPRISAL_ERROR_ORDER:
        message = "a column or bit of the table refers to one that does not come before it: fit and export the table again";
        break;
    case SURPRISAL_ERROR_NO_COLUMNS:
        message = "the table takes bits in place of readings: fit from a file of readings";
        break;
    case SURPRISAL_ERROR_COUNT:
        message = "the row has another number of readings than the table has columns: pass one reading per column, in "
                  "training order";
        break;
    case SURPRISAL_ERROR_TYPE:
        message = "a reading has the wrong type: pass integers for integer, flag and category columns, and real numbers for "
                  "real ones";
        break;
    case SURPRISAL_ERROR_SELF_TEST:
        message = "a golden row has another score than the stored one: the core, the compiler or the memory is damaged, "
                  "flash the firmware again and replace the board if that does not help";
        break;
    case SURPRISAL_ERROR_NO_GOLDEN_ROWS:
        message = "the table holds no golden rows to test with: fit it again";
        break;
    case SURPRISAL_ERROR_NO_PREDICTOR:
        message = "the table has no predictor: score its rows without a stream";
        break;
    case SURPRISAL_ERROR_RING:
        message = "the ring buffer is too small: make it table->channels * table->window numbers";
        break;
    case SURPRISAL_ERROR_PACKETS:
        message = "the packet has no further row, or the table is of a time series, whose packets the host reads: stop after "
                  "packet->rows rows, or use `surprisal decompress`";
        break;
    default:
        message = "no status of surprisal: pass what a function of surprisal.h returned";
        break;
    }
    return message;
}
