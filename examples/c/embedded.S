/* Files that are compiled in, at addresses that are multiples of four: EMBED(name, path) makes name and name_end. */
    .section .rodata
#define EMBED(name, path) \
    .balign 4; .global name; name: .incbin path; .global name##_end; name##_end: .balign 4

EMBED(views_table, "views.srp")
EMBED(views_nats, "views.nats")
EMBED(shuttle_readings, "shuttle.readings")
#ifdef WITH_BITS
EMBED(shuttle_table, "shuttle.srp")
EMBED(shuttle_nats, "shuttle.nats")
#endif
#ifdef __linux__
    .section .note.GNU-stack, "", %progbits
#endif
