/* Scores a few rows of a machine, and says which reading of an anomalous row is at fault. */
#include "board.h"
#include "surprisal.h"

/* The table in flash. In your firmware it comes from `surprisal export`, with the fingerprint of your columns. */
extern const uint8_t views_table[], views_table_end[];

#define COLUMNS 9u

/* Rows of the space shuttle's radiators: normal, normal with a wrong fifth reading, and normal with a missing one. */
static const int32_t ROWS[3][COLUMNS] = {{43, 1, 77, 0, 42, 0, 34, 35, 2},
                                         {43, 1, 77, 0, -200, 0, 34, 35, 2},
                                         {43, 1, 77, 0, 42, 0, 34, 35, INT32_MIN}};

static void explain(const surprisal_table *table, surprisal_reading *readings) {
    surprisal_blamed blamed;
    if (surprisal_blame(table, readings, COLUMNS, &blamed) == SURPRISAL_OK) {
        print(", reading ");
        print_number((uint32_t)blamed.column + 1u);
        print(" is to blame");
        if ((blamed.expected.type == (uint8_t)SURPRISAL_INTEGER) && (blamed.expected.value.integer >= 0)) {
            print(", expected ");
            print_number((uint32_t)blamed.expected.value.integer);
        }
    }
}

int run(void) {
    static surprisal_table table;
    surprisal_monitor monitor;
    surprisal_status status;
    uint32_t at;
    const size_t length = (size_t)((uintptr_t)views_table_end - (uintptr_t)views_table);
    status = surprisal_open(&table, views_table, length, SURPRISAL_ANY);
    if (status == SURPRISAL_OK) {
        status = surprisal_self_test(&table);
        status = (status == SURPRISAL_ERROR_NO_GOLDEN_ROWS) ? SURPRISAL_OK : status;
    }
    surprisal_monitor_init(&monitor);
    for (at = 0u; (at < 3u) && (status == SURPRISAL_OK); ++at) {
        surprisal_reading readings[COLUMNS];
        surprisal_score score;
        uint32_t i;
        for (i = 0u; i < COLUMNS; ++i) {
            const int32_t value = ROWS[at][i];
            readings[i] = (value == INT32_MIN) ? surprisal_missing() : surprisal_integer(value);
        }
        status = surprisal_score_row(&table, readings, COLUMNS, &score);
        if (status == SURPRISAL_OK) {
            const surprisal_report report = surprisal_monitor_push(&monitor, &table, &score);
            print(report.is_anomalous ? "anomalous: " : "normal: ");
            print_nats(score.nats);
            print(" nats, p-value ");
            print_number(report.p_ppm);
            print(" ppm");
            if (score.missing > 0u) {
                print(", readings missing: ");
                print_number(score.missing);
            }
            if (report.alarm) {
                explain(&table, readings);
            }
            print("\n");
        }
    }
    if (status != SURPRISAL_OK) {
        print(surprisal_message(status));
        print("\n");
    }
    return (status == SURPRISAL_OK) ? 0 : 1;
}
