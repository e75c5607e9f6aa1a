/* The golden rows on a board: all scores must equal those of the host. Prints the mean number of instructions of a score,
 * where the clock counts them. */
#include "../../tests/c/golden.h"
#include "board.h"

extern const uint8_t views_table[], views_table_end[], views_nats[], views_nats_end[];
extern const uint8_t shuttle_readings[], shuttle_readings_end[];
#ifndef SURPRISAL_NO_BITS
extern const uint8_t shuttle_table[], shuttle_table_end[], shuttle_nats[], shuttle_nats_end[];
#endif

/* The turns of a loop of two instructions, by which the clock is calibrated. */
#define TURNS 1000000u

static size_t between(const uint8_t *from, const uint8_t *to) {
    return (size_t)((uintptr_t)to - (uintptr_t)from);
}

static uint32_t turned(void) {
    uint32_t ticks = 0u;
#ifdef __arm__
    uint32_t turns = TURNS;
    const uint32_t start = clock_now();
    __asm volatile(".syntax unified\n1: subs %0, #1\n bne 1b" : "+l"(turns) : : "cc");
    ticks = clock_now() - start;
#endif
    return ticks;
}

/* Prints the mean and the largest number of instructions over the normal rows, of 256 in all. */
static void print_cost(const surprisal_table *table, golden_kind kind) {
    surprisal_status (*volatile work)(const surprisal_table *, const surprisal_reading *, size_t, surprisal_score *) =
        surprisal_score_row;
    surprisal_reading row[16];
    uint64_t sum = 0u;
    uint32_t most = 0u;
    uint32_t rows = 0u;
    uint32_t known;
    uint32_t empty;
    size_t at;
    clock_start();
    empty = clock_now();
    empty = clock_now() - empty;
    known = turned();
    if (known < TURNS) {
        return;
    }
    for (at = 0u; at < 1024u; at += 4u) {
        surprisal_score score;
        uint32_t ticks;
        (void)golden_row(table, kind, shuttle_readings, between(shuttle_readings, shuttle_readings_end), at, row);
        ticks = clock_now();
        (void)work(table, row, table->readings, &score);
        ticks = clock_now() - ticks - empty;
        if (!surprisal_is_anomalous(table, score.anomaly)) {
            sum += ticks;
            most = (ticks > most) ? ticks : most;
            ++rows;
        }
    }
    print(", instructions: mean ");
    print_number((uint32_t)(((sum * 2u * TURNS) / known) / rows));
    print(", max ");
    print_number((uint32_t)(((uint64_t)most * 2u * TURNS) / known));
}

static int compare(const char *name, golden_kind kind, const uint8_t *bytes, size_t length, const uint8_t *nats,
                   size_t nats_length) {
    static surprisal_table table;
    const surprisal_status status = surprisal_open(&table, bytes, length, SURPRISAL_ANY);
    golden_count count = {0u, 0u, 0u};
    print(name);
    if (status != SURPRISAL_OK) {
        print(surprisal_message(status));
    } else {
        count = golden_compare(&table, kind, shuttle_readings, between(shuttle_readings, shuttle_readings_end), nats,
                               nats_length);
        print("rows equal: ");
        print_number(count.equal);
        print(" of ");
        print_number(count.rows);
        if (table.golden_rows > 0u) {
            print((surprisal_self_test(&table) == SURPRISAL_OK) ? ", self-test passed" : ", self-test FAILED");
        }
#ifdef WITH_CLOCK
        print_cost(&table, kind);
#else
        (void)print_cost;
#endif
    }
    print("\n");
    return ((count.rows > 0u) && (count.equal == count.rows)) ? 0 : 1;
}

int run(void) {
    int failed = compare("views: ", GOLDEN_VIEWS, views_table, between(views_table, views_table_end), views_nats,
                         between(views_nats, views_nats_end));
#ifndef SURPRISAL_NO_BITS
    failed += compare("bits: ", GOLDEN_SHUTTLE, shuttle_table, between(shuttle_table, shuttle_table_end), shuttle_nats,
                      between(shuttle_nats, shuttle_nats_end));
#endif
    return failed;
}
