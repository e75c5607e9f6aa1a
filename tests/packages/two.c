/* A firmware with two models: both tables open, and the reader is linked once. */
#include <stdio.h>

#include "pump.h"
#include "valve.h"

int main(void) {
    static surprisal_table pump;
    static surprisal_table valve;
    if ((surprisal_open(&pump, pump_table, sizeof pump_table, PUMP_FINGERPRINT) != SURPRISAL_OK) ||
        (surprisal_open(&valve, valve_table, sizeof valve_table, VALVE_FINGERPRINT) != SURPRISAL_OK) ||
        (surprisal_self_test(&pump) != SURPRISAL_OK) || (surprisal_self_test(&valve) != SURPRISAL_OK)) {
        return 1;
    }
    printf("two models: self-tests passed\n");
    return 0;
}
