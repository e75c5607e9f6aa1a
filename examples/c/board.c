/* The machine: an emulated board that prints over semihosting, or the host. */
#include "board.h"

#include <stddef.h>

void print_number(uint32_t number) {
    char digits[11];
    size_t at = sizeof digits - 1u;
    uint32_t left = number;
    digits[at] = '\0';
    do {
        --at;
        digits[at] = (char)('0' + (char)(left % 10u));
        left /= 10u;
    } while (left != 0u);
    print(&digits[at]);
}

void print_nats(uint32_t nats) {
    const uint32_t milli = (((nats & 0xFFFFu) * 125u) + 4096u) >> 13;
    const uint32_t thousandths = ((nats >> 16) * 1000u) + milli;
    print_number(thousandths / 1000u);
    print((thousandths % 1000u) < 10u ? ".00" : ((thousandths % 1000u) < 100u ? ".0" : "."));
    print_number(thousandths % 1000u);
}

#ifdef __arm__

/* From the linker script. */
extern uint32_t top_of_stack[], data_load[], data_start[], data_end[], bss_start[], bss_end[];
void reset(void);

#define REGISTER(address) (*(volatile uint32_t *)(address))
/* The first timer of Arm's MPS2 boards, which counts down in 32 bits. The micro:bit has none. */
#define CONTROL REGISTER(0x40000000u)
#define VALUE REGISTER(0x40000004u)
#define RELOAD REGISTER(0x40000008u)
#define COPROCESSORS REGISTER(0xE000ED88u)

static void host(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void print(const char *text) {
    host(4u, text);
}

void clock_start(void) {
    RELOAD = UINT32_MAX;
    VALUE = UINT32_MAX;
    CONTROL = 1u;
}

uint32_t clock_now(void) {
    return ~VALUE;
}

void reset(void) {
    const uint32_t *from = data_load;
    uint32_t *to;
    int status;
    for (to = data_start; to < data_end; ++to) {
        *to = *from;
        ++from;
    }
    for (to = bss_start; to < bss_end; ++to) {
        *to = 0u;
    }
#ifdef __ARM_FP
    COPROCESSORS |= 0xFu << 20;
    __asm volatile("dsb\n isb");
#endif
    status = run();
    /* SYS_EXIT: "application exit", or a run-time error. */
    host(0x18u, (const void *)((status == 0) ? 0x20026u : 0x20023u));
    for (;;) {
    }
}

/* The two words that the core reads first. */
typedef struct {
    const uint32_t *stack;
    void (*entry)(void);
} vectors_t;
__attribute__((section(".vectors"), used)) static const vectors_t vectors = {top_of_stack, reset};

#else

#include <stdio.h>

void print(const char *text) {
    (void)fputs(text, stdout);
}

void clock_start(void) {
}

uint32_t clock_now(void) {
    return 0u;
}

int main(void) {
    return run();
}

#endif
