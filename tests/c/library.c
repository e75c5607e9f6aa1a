/* The library, with a view of its constant tables. */
#include "../../trainer/c/surprisal.c"

uint32_t link_checksums_differ(void);

/* Returns how many constant tables differ from the checksums in docs/format.md. */
uint32_t link_checksums_differ(void) {
    uint32_t differ = (checksum((const uint8_t *)LIKELY_NATS, sizeof LIKELY_NATS) != 0x481E99BDu) ? 1u : 0u;
#ifndef SURPRISAL_NO_BITS
    uint32_t rare[LAST_STEP + 1];
    int32_t k;
    for (k = 0; k <= LAST_STEP; ++k) {
        rare[k] = (uint32_t)((int32_t)LIKELY_NATS[k] + (2048 * k) + (int32_t)RARE_REST[k]);
    }
    differ += (checksum((const uint8_t *)RARE_MASS, sizeof RARE_MASS) != 0xB39D2C2Eu) ? 1u : 0u;
    differ += (checksum((const uint8_t *)rare, sizeof rare) != 0xB0D408CFu) ? 1u : 0u;
#endif
    return differ;
}
