/* The few things that the example asks of a machine. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* The example itself. Returns 0 if all is well. */
int run(void);

/* Prints a text, or a number in decimal. */
void print(const char *text);
void print_number(uint32_t number);

/* Prints a surprisal in nats with three decimals. */
void print_nats(uint32_t nats);

/* Ticks of a clock that counts instructions under `-icount`, and starts the clock. On the host all ticks are zero. */
void clock_start(void);
uint32_t clock_now(void);

#endif
