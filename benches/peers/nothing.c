/* Stands in for a model, to measure a program without one. */
#include <stdint.h>

#include "rows.h"

uint32_t score(const Cell *row)
{
    return row[0];
}
