/* Prints instructions, bytes of stack and score of each row, measured as in tests/support/meter.rs. */
#include <stdint.h>

#include "rows.h"

uint32_t score(const Cell *row);

extern uint32_t top_of_stack[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

#define REGISTER(address) (*(volatile uint32_t *)(address))
/* The first timer of the board, which counts down in 32 bits. */
#define CONTROL REGISTER(0x40000000)
#define VALUE REGISTER(0x40000004)
#define RELOAD REGISTER(0x40000008)
#define FPU REGISTER(0xE000ED88)
/* The number of turns of the calibrating loop, of two instructions each. */
#define TURNS 1000000u
#define PAINT 0xCCCCCCCCu
#define WORDS 1536

static void host(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(uint32_t number, char end)
{
    char text[] = "00000000 ";
    for (int i = 7; i >= 0; i--, number >>= 4)
        text[i] = "0123456789abcdef"[number & 15];
    text[8] = end;
    host(4, text);
}

__attribute__((noinline)) static uint32_t turned(uint32_t turns)
{
    uint32_t start = VALUE;
    __asm volatile(".syntax unified\n1: subs %0, #1\n bne 1b" : "+l"(turns) : : "cc");
    return start - VALUE;
}

/* Fills the memory below the stack pointer with a pattern, and looks for the lowest word that has changed. */
__attribute__((noinline)) static uint32_t stack(uint32_t (*volatile work)(const Cell *), const Cell *row)
{
    uint32_t *top;
    __asm volatile("mov %0, sp" : "=r"(top));
    for (int i = 1; i <= WORDS; i++)
        *(volatile uint32_t *)(top - i) = PAINT;
    work(row);
    int used = WORDS;
    while (used > 0 && *(volatile uint32_t *)(top - used) == PAINT)
        used--;
    return 4 * used;
}

static void measure(void)
{
    RELOAD = VALUE = UINT32_MAX;
    CONTROL = 1;
    uint32_t empty = VALUE;
    empty -= VALUE;
    uint32_t first = turned(1), known = turned(TURNS + 1) - first;
    uint32_t (*volatile work)(const Cell *) = score;
    /* The first call may prepare what later ones use. */
    (void)work(rows[0]);
    for (int i = 0; i < ROWS; i++) {
        uint32_t start = VALUE;
        volatile uint32_t result = work(rows[i]);
        uint64_t ticks = start - VALUE - empty;
        print((ticks * 2 * TURNS + known / 2) / known, ' ');
        print(stack(work, rows[i]), ' ');
        print(result, '\n');
    }
}

void reset(void)
{
    for (uint32_t *from = data_load, *to = data_start; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;)
        *to++ = 0;
#ifdef __ARM_FP
    FPU |= 0xF << 20;
    __asm volatile("dsb\n isb");
#endif
    measure();
    host(0x18, (const void *)0x20026);
    for (;;)
        ;
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {top_of_stack, (const void *)reset};
