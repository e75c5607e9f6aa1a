/* The golden rows and their scores. */
#include "golden.h"

/* The simulated tank of tests/support/tank.rs, in integers. */
#define TANK_CHANNELS 8u
#define TANK_WINDOW 10u
#define TANK_FITTED 4000u
#define TANK_HEARD 180u
#define TANK_GAP 148u

typedef struct {
    uint32_t seed;
    uint32_t time;
    int32_t mode;
    int32_t speed;
    int32_t flow;
    int32_t level;
    int32_t valve;
    int32_t heat;
} tank_t;

static int32_t noise(tank_t *tank, int32_t wide) {
    tank->seed = (tank->seed * 1664525u) + 1013904223u;
    return ((int32_t)(tank->seed >> 16) % ((2 * wide) + 1)) - wide;
}

static void tank_row(tank_t *tank, surprisal_reading *row) {
    static const int32_t SPEEDS[3] = {0, 1200, 600};
    const uint32_t heard = tank->time - TANK_FITTED;
    const bool leaks = (tank->time >= TANK_FITTED) && (heard >= 100u) && (heard < 120u);
    int32_t pressure;
    int32_t temperature;
    int32_t current;
    if (noise(tank, 40) == 0) {
        tank->mode = (tank->mode + 1) % 3;
    }
    tank->valve = (tank->level > 6000) ? 1 : ((tank->level > 3000) ? tank->valve : 0);
    tank->speed += (SPEEDS[tank->mode] - tank->speed) / 8;
    tank->speed += noise(tank, 12);
    tank->flow += ((tank->speed / 4) - tank->flow) / 2;
    tank->flow += noise(tank, 5);
    tank->level += (tank->flow / 4) - (60 * tank->valve) - (leaks ? 150 : 0);
    tank->level += noise(tank, 4);
    tank->heat += (tank->speed / 4) - (tank->heat / 64);
    pressure = (tank->level / 8) + (tank->flow / 2);
    pressure += noise(tank, 6);
    temperature = tank->heat / 64;
    temperature += noise(tank, 3);
    current = (tank->speed / 3) + (pressure / 4);
    current += noise(tank, 8);
    row[0] = surprisal_integer(tank->speed);
    row[1] = surprisal_integer(tank->flow);
    row[2] = surprisal_integer(tank->level);
    row[3] = surprisal_integer(pressure);
    row[4] = ((tank->time % 61u) != 0u) ? surprisal_integer(temperature) : surprisal_missing();
    row[5] = surprisal_integer(current);
    row[6] = surprisal_integer(tank->valve);
    row[7] = surprisal_integer(tank->mode);
    ++tank->time;
}

static uint32_t word_at(const uint8_t *bytes) {
    return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8) | ((uint32_t)bytes[2] << 16) | ((uint32_t)bytes[3] << 24);
}

bool golden_row(const surprisal_table *table, golden_kind kind, const uint8_t *readings, size_t length, size_t at,
                surprisal_reading *row) {
    const size_t size = (kind == GOLDEN_REALS) ? 4u : 2u;
    const size_t bytes = size * (size_t)table->readings;
    size_t i;
    if ((at + 1u) * bytes > length) {
        return false;
    }
    for (i = 0u; i < table->readings; ++i) {
        const uint8_t *from = &readings[(at * bytes) + (size * i)];
        if (kind == GOLDEN_REALS) {
            row[i].type = (uint8_t)SURPRISAL_REAL;
            row[i].value.real_bits = word_at(from);
        } else {
            row[i] = surprisal_integer((int32_t)(int16_t)(uint16_t)((uint32_t)from[0] | ((uint32_t)from[1] << 8)));
        }
    }
    return true;
}

static golden_count compare_stream(const surprisal_table *table, const uint8_t *nats, size_t nats_length) {
    static int32_t ring[TANK_CHANNELS * TANK_WINDOW];
    golden_count count = {0u, 0u, 0u};
    tank_t tank = {1u, 0u, 0, 0, 0, 4000, 0, 0};
    surprisal_stream stream;
    surprisal_reading row[2u * TANK_CHANNELS];
    uint32_t at;
    while (tank.time < TANK_FITTED) {
        tank_row(&tank, row);
    }
    if (surprisal_stream_init(&stream, table, ring, TANK_CHANNELS * TANK_WINDOW) != SURPRISAL_OK) {
        return count;
    }
    for (at = 0u; at < TANK_HEARD; ++at) {
        bool ready = false;
        surprisal_score score;
        tank_row(&tank, row);
        if (at == TANK_GAP) {
            (void)surprisal_stream_init(&stream, table, ring, TANK_CHANNELS * TANK_WINDOW);
        }
        if (surprisal_stream_push(&stream, table, row, table->readings, &ready) != SURPRISAL_OK) {
            return count;
        }
        if (ready && (surprisal_score_row(table, row, table->readings, &score) == SURPRISAL_OK)) {
            if ((((size_t)count.rows + 1u) * 4u <= nats_length) && (word_at(&nats[4u * count.rows]) == score.nats)) {
                ++count.equal;
            }
            count.anomalous += surprisal_is_anomalous(table, score.anomaly) ? 1u : 0u;
            ++count.rows;
        }
    }
    return count;
}

golden_count golden_compare(const surprisal_table *table, golden_kind kind, const uint8_t *readings, size_t length,
                            const uint8_t *nats, size_t nats_length) {
    golden_count count = {0u, 0u, 0u};
    surprisal_reading row[SURPRISAL_MAX_COLUMNS];
    const size_t wide = (kind == GOLDEN_VIEWS) ? 8u : 4u;
    if (kind == GOLDEN_STREAM) {
        return compare_stream(table, nats, nats_length);
    }
    while (golden_row(table, kind, readings, length, count.rows, row)) {
        const size_t at = wide * count.rows;
        surprisal_score score;
        if (((at + wide) <= nats_length) &&
            (surprisal_score_row(table, row, table->readings, &score) == SURPRISAL_OK)) {
            const bool equal = word_at(&nats[at]) == score.nats;
            if (equal && ((kind != GOLDEN_VIEWS) || (word_at(&nats[at + 4u]) == score.anomaly))) {
                ++count.equal;
            }
            count.anomalous += surprisal_is_anomalous(table, score.anomaly) ? 1u : 0u;
        }
        ++count.rows;
    }
    return count;
}
