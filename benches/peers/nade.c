/*
 * A neural autoregressive distribution estimator as one writes it in C for a microcontroller: i16 weights, two products per
 * instruction where the core supports that, surprisals from a table, hidden units refreshed by ones only. Its scores must
 * equal those of the Rust implementation, bit for bit.
 */
#include <stdint.h>
#ifdef __ARM_FEATURE_SIMD32
#include <arm_acle.h>
#endif

#include MODEL
#include "rows.h"

typedef union {
    int16_t each[UNITS];
    int32_t pairs[UNITS / 2];
} Layer;

static int32_t dot(const int16_t *weights, const Layer *units)
{
    int32_t sum = 0;
#ifdef __ARM_FEATURE_SIMD32
    const int32_t *pairs = (const int32_t *)weights;
    for (int u = 0; u < UNITS / 2; u++)
        sum = __smlad(pairs[u], units->pairs[u], sum);
#else
    for (int u = 0; u < UNITS; u++)
        sum += weights[u] * units->each[u];
#endif
    return sum;
}

static void refresh(Layer *units, const int16_t *sums)
{
    for (int u = 0; u < UNITS; u++)
        units->each[u] = sums[u] > 0 ? sums[u] : 0;
}

/* Returns (sum * scale) >> SHIFT, without products of more than 32 bits on cores where they are slow. */
static int32_t scaled(int32_t sum, uint16_t scale)
{
#ifdef __ARM_FEATURE_SIMD32
    return (int64_t)sum * scale >> SHIFT;
#else
    return ((sum >> 16) * scale * (1 << (16 - SHIFT))) + (int32_t)((sum & 0xFFFFu) * scale >> SHIFT);
#endif
}

uint32_t score(const Cell *row)
{
    int16_t sums[UNITS];
    Layer units;
    uint32_t nats = 0;
    for (int u = 0; u < UNITS; u++)
        sums[u] = STARTS[u];
    refresh(&units, sums);
    for (int i = 0; i < BITS; i++) {
        int32_t step = (((BIASES[i] * 64 + scaled(dot(OUTPUTS[i], &units), SCALES[i])) >> 10) + 1) >> 1;
        if (!row[i])
            step = -step;
        step = step > LAST ? LAST : step < -LAST ? -LAST : step;
        nats += NATS[LAST + step];
        if (row[i]) {
            for (int u = 0; u < UNITS; u++)
                sums[u] += INPUTS[i][u];
            refresh(&units, sums);
        }
    }
    return nats;
}
