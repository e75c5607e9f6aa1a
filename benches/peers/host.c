/* Scores rows of standard input on the host, and prints the bits of one score per line. */
#include <inttypes.h>
#include <stdio.h>

#include "rows.h"

uint32_t score(const Cell *row);

int main(void)
{
    Cell row[COLUMNS];
    while (fread(row, sizeof row, 1, stdin) == 1)
        printf("%08" PRIx32 "\n", score(row));
}
