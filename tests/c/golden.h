/* The golden rows and their scores, for the host and for boards. tests/golden/README.md says what the files hold. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "surprisal.h"

/* Kinds of files of readings. */
typedef enum {
    GOLDEN_SHUTTLE, /* nine i16 per row, a surprisal per row */
    GOLDEN_VIEWS,   /* nine i16 per row, a surprisal and an anomaly score per row */
    GOLDEN_REALS,   /* as many binary32 per row as the table has readings, a surprisal per row */
    GOLDEN_STREAM   /* rows of the simulated tank, a surprisal per row that has a past */
} golden_kind;

/* What was counted. */
typedef struct {
    uint32_t rows;      /* in the file */
    uint32_t equal;     /* with the scores of the file */
    uint32_t anomalous; /* by the threshold of the table */
} golden_count;

/* Scores all rows of a kind, and compares with `nats`, whose length is in bytes. */
golden_count golden_compare(const surprisal_table *table, golden_kind kind, const uint8_t *readings, size_t length,
                            const uint8_t *nats, size_t nats_length);

/* Reads row `at` of a file of readings. Returns false behind its end. */
bool golden_row(const surprisal_table *table, golden_kind kind, const uint8_t *readings, size_t length, size_t at,
                surprisal_reading *row);

#endif
