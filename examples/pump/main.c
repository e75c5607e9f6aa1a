/* Lights an LED while a pump is unwell. `pump.h` is the model, as `surprisal export` writes it, with the reader beside it. */
#include "board.h"
#include "pump.h"
#include "surprisal.h"

/* The LEDs of Arm's MPS2 boards: bit 0 is USERLED0. On your board, set a pin. */
#define LEDS (*(volatile uint32_t *)0x40028000u)
#define ROWS 6u

/* What the sensors read, row after row. On your board, read the sensors. */
static const pump_row rows[ROWS] = {
    {.temperature = 880, .current = 38, .running = false},
    {.temperature = 865, .current = 1905, .running = true},
    {.temperature = 865, .current = 1210, .running = true}, /* no water: the motor turns too easily */
    {.temperature = 865, .current = 1190, .running = true},
    {.temperature = 865, .current = 1910, .running = true},
    {.temperature = 864, .current = 1900, .running = false}, /* the relay is stuck */
};

int run(void) {
    static surprisal_table table;
    surprisal_monitor monitor;
    surprisal_reading readings[PUMP_READINGS];
    surprisal_score score;
    uint32_t at;
    /* Refuses a table that is damaged, or made for other columns than those of pump.h. */
    surprisal_status status = surprisal_open(&table, pump_table, sizeof pump_table, PUMP_FINGERPRINT);
    if (status == SURPRISAL_OK) {
        /* Do core, compiler and flash compute what the desktop did? */
        status = surprisal_self_test(&table);
    }
    surprisal_monitor_init(&monitor);
    LEDS = 0u;
    for (at = 0u; (at < ROWS) && (status == SURPRISAL_OK); ++at) {
        pump_readings(&rows[at], readings);
        status = surprisal_score_row(&table, readings, PUMP_READINGS, &score);
        if (status == SURPRISAL_OK) {
            const surprisal_report report = surprisal_monitor_push(&monitor, &table, &score);
            LEDS = report.is_anomalous ? 1u : 0u;
            print(report.is_anomalous ? "anomalous: " : "normal: ");
            print_nats(score.nats);
            print(" nats\n");
        }
    }
    if (status != SURPRISAL_OK) {
        print(surprisal_message(status));
        print("\n");
    }
    return (status == SURPRISAL_OK) ? 0 : 1;
}
