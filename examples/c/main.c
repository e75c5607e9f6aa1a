/* Scores a few rows of a machine, and says which reading of an anomalous row is at fault. */
#include "board.h"
#include "surprisal.h"
/* What `surprisal export MODEL -o views.h` writes: the table, its typed rows and its fingerprint. */
#include "views.h"

/* Rows of the space shuttle's radiators: normal, and normal with a wrong fifth reading. */
static const views_row ROWS[2] = {
    {.v1 = 43, .v2 = 1, .v3 = 77, .v4 = 0, .v5 = 42, .v6 = 0, .v7 = 34, .v8 = 35, .v9 = 2},
    {.v1 = 43, .v2 = 1, .v3 = 77, .v4 = 0, .v5 = -200, .v6 = 0, .v7 = 34, .v8 = 35, .v9 = 2},
};

static void print_blamed(const surprisal_table *table, surprisal_reading *readings) {
    surprisal_blamed blamed;
    if (surprisal_blame(table, readings, VIEWS_READINGS, &blamed) == SURPRISAL_OK) {
        print(", column ");
        print(views_columns[blamed.column]);
        print(" is to blame");
        if ((blamed.expected.type == (uint8_t)SURPRISAL_INTEGER) && (blamed.expected.value.integer >= 0)) {
            print(", expected ");
            print_number((uint32_t)blamed.expected.value.integer);
        }
    }
}

/* Scores a row, and prints what the monitor makes of it. */
static surprisal_status watch(const surprisal_table *table, surprisal_monitor *monitor, surprisal_reading *readings) {
    surprisal_score score;
    const surprisal_status status = surprisal_score_row(table, readings, VIEWS_READINGS, &score);
    if (status == SURPRISAL_OK) {
        const surprisal_report report = surprisal_monitor_push(monitor, table, &score);
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
            print_blamed(table, readings);
        }
        print("\n");
    }
    return status;
}

int run(void) {
    static surprisal_table table;
    surprisal_monitor monitor;
    surprisal_reading readings[VIEWS_READINGS];
    uint32_t at;
    /* Refuses a table that is damaged, or made for other columns than those of views.h. */
    surprisal_status status = surprisal_open(&table, views_table, sizeof views_table, VIEWS_FINGERPRINT);
    if (status == SURPRISAL_OK) {
        status = surprisal_self_test(&table);
    }
    surprisal_monitor_init(&monitor);
    for (at = 0u; (at < 2u) && (status == SURPRISAL_OK); ++at) {
        views_readings(&ROWS[at], readings);
        status = watch(&table, &monitor, readings);
    }
    if (status == SURPRISAL_OK) {
        /* A sensor that failed. */
        views_readings(&ROWS[0], readings);
        readings[8] = surprisal_missing();
        status = watch(&table, &monitor, readings);
    }
    if (status != SURPRISAL_OK) {
        print(surprisal_message(status));
        print("\n");
    }
    return (status == SURPRISAL_OK) ? 0 : 1;
}
