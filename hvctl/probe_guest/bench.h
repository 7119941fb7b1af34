/* What the parts of the measuring guest share. The lines that it prints are described in PROTOCOL.md. */

#include "probe.h"

/* What is measured, as the report numbers it. */
enum {
    TIME = 1, /* missing where the TSC counts instructions */
    RDTSC = 0x10, TSC_PAGE, REFERENCE_COUNTER, PM_TIMER, HPET,
    EOI_MEMORY = 0x20, EOI_MSR, EOI_PAGE, TPR_MEMORY, TPR_MSR, TPR_CR8,
    EXIT_CPUID = 0x30, EXIT_MSR,
    ARM_APIC = 0x40, ARM_DEADLINE, ARM_SYNTHETIC,
    SEND_APIC = 0x50, SEND_CALL,
    FLUSH_APIC = 0x60, FLUSH_CALL,
    /* A nested guest's exits, each way of a hypervisor and what is added to it; and what is done without an exit. */
    INSIDE_PLAIN = 0x70, INSIDE_EVMCS = 0x74, INSIDE_BITMAP = 0x78,
    BY_CPUID = 0, BY_MSR, BY_HALT, WOKEN, INTERRUPTED = 0x10, FLUSHED,
    FLUSH_DIRECT = 0x8C,
};

/* Groups, as bits of the parameter that is in the firmware (layout.h): see GROUPS in hvctl/bench/compare.py. */
enum { CLOCK = 1, APIC_ACCESS = 2, EXIT = 4, TIMER = 8, SEND = 16, FLUSH = 32, NESTED = 64 };

/* bench.c */
void measure(u32 id, void (*once)(void));
void measure_many(u32 id, void (*once)(void), u32 many); /* `once` does it so many times */
void missing(u32 id);
int set_up_calls(void);

/* bench_one.c, bench_many.c, bench_nested.c */
void measure_clocks(void);
void measure_apic(void);
void measure_exits(void);
void measure_timers(void);
extern u32 lost; /* answers that did not come in time: then a measurement is none */
void other_work(void);
void answer(struct cpu *cpu, u32 vector);
void measure_sending(u32 count);
void measure_flushing(u32 count);
void measure_nested(void);
