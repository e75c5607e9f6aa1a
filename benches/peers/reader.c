/* The C reader with a table: from readings to the anomaly score. */
#include "capacities.h"
#include "surprisal.c"

#include MODEL
#include "rows.h"

uint32_t score(const Cell *row)
{
    static surprisal_table table;
    surprisal_reading readings[COLUMNS];
    surprisal_score result = {0};
    /* The first call, which is not measured, opens the table. */
    if (table.readings == 0)
        (void)surprisal_open(&table, model_table, sizeof model_table, SURPRISAL_ANY);
    for (int i = 0; i < COLUMNS; i++)
        readings[i] = surprisal_integer(row[i]);
    (void)surprisal_score_row(&table, readings, COLUMNS, &result);
    return result.anomaly;
}
