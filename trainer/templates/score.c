/* Scores rows of the model `@NAME@`: checks the table, tests the core, then prints a line per row. */
#include <stdbool.h>
#include <stdio.h>

#include "@NAME@.h"

/* Writes the readings of a row, and returns false after the last one. These rows come from the model; on your machine,
 * fill a @NAME@_row from the sensors. */
static bool read_row(unsigned at, surprisal_reading *readings) {
@ROWS@
}

static void print_row(const surprisal_table *table, surprisal_reading *readings, const surprisal_score *score) {
    const bool is_anomalous = surprisal_is_anomalous(table, score->anomaly);
    const unsigned long nats = (unsigned long)((((uint64_t)score->nats * 1000u) + 32768u) >> 16); /* in thousandths */
    surprisal_blamed blamed;
    printf("%s: %lu.%03lu nats, p-value %lu ppm", is_anomalous ? "anomalous" : "normal", nats / 1000u, nats % 1000u,
           (unsigned long)surprisal_p_value_ppm(table, score->anomaly));
    if (is_anomalous && (surprisal_blame(table, readings, @UPPER@_READINGS, &blamed) == SURPRISAL_OK)) {
        printf("; column %s is to blame", @NAME@_columns[blamed.column]);
    }
    printf("\n");
}

static surprisal_status score_rows(void) {
    static surprisal_table table;
    surprisal_reading readings[@UPPER@_READINGS];
    surprisal_status status = surprisal_open(&table, @NAME@_table, sizeof @NAME@_table, @UPPER@_FINGERPRINT);
    unsigned at;
#ifdef @UPPER@_WINDOW
    static int32_t ring[@UPPER@_CHANNELS * @UPPER@_WINDOW];
    surprisal_stream stream;
    if (status == SURPRISAL_OK) {
        status = surprisal_stream_init(&stream, &table, ring, @UPPER@_CHANNELS * @UPPER@_WINDOW);
    }
#endif
    if (status == SURPRISAL_OK) {
        status = surprisal_self_test(&table);
    }
    if (status == SURPRISAL_OK) {
        printf("self-test passed\n");
    }
    for (at = 0u; (status == SURPRISAL_OK) && read_row(at, readings); ++at) {
        surprisal_score score;
        bool ready = true;
#ifdef @UPPER@_WINDOW
        status = surprisal_stream_push(&stream, &table, readings, @UPPER@_READINGS, &ready);
#endif
        if ((status == SURPRISAL_OK) && ready) {
            status = surprisal_score_row(&table, readings, @UPPER@_READINGS, &score);
            if (status == SURPRISAL_OK) {
                print_row(&table, readings, &score);
            }
        }
    }
    return status;
}

@MAIN@ {
    const surprisal_status status = score_rows();
    if (status != SURPRISAL_OK) {
        printf("%s\n", surprisal_message(status));
    }
@RETURN@}
