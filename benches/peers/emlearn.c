/* Calls the code that emlearn generated: from readings to a score, which is larger for more anomalous rows. */
#include <string.h>

#include MODEL
#include "rows.h"

uint32_t score(const Cell *row)
{
    float result = 0;
#ifdef FOREST
    float shares[2];
    model_predict_proba(row, COLUMNS, shares, 2);
    result = shares[1];
#else
    float values[COLUMNS];
    for (int i = 0; i < COLUMNS; i++)
        values[i] = (row[i] - MEAN[i]) * SCALE[i];
#if defined MIXTURE
    float each[MIXTURE];
    model_score(values, COLUMNS, each, &result);
    result = -result;
#elif defined ENVELOPE
    result = model_predict(values, COLUMNS);
#elif defined AUTOENCODER
    float output[COLUMNS];
    model_regress(values, COLUMNS, output, COLUMNS);
    for (int i = 0; i < COLUMNS; i++)
        result += (values[i] - output[i]) * (values[i] - output[i]);
#endif
#endif
    uint32_t bits;
    memcpy(&bits, &result, sizeof bits);
    return bits;
}
