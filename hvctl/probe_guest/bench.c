/* The measuring guest: how many TSC cycles things take that an enlightenment makes cheaper. */

#include "bench.h"

#define VERSION "hvctl-bench 1"
#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL 0x40000001
#define HAS_HYPERCALL (1u << 5)
#define PAGE_2M_RW 0x83
#define BATCHES 5
#define MOST_OPERATIONS 8192
#define LONG_ENOUGH (1ULL << 20) /* of a batch, in cycles: 0.3 to 0.5 ms */

u8 hypercall_page[PAGE] __attribute__((aligned(PAGE)));

static u64 batch(u32 operations, void (*once)(void))
{
    u64 begin = tsc();

    for (u32 operation = 0; operation < operations; operation++)
        once();
    return tsc() - begin;
}

/* The number of operations that takes long enough is found first, which warms the caches up too. */
void measure_many(u32 id, void (*once)(void), u32 many)
{
    u32 operations = 1;

    while (batch(operations, once) < LONG_ENOUGH && operations < MOST_OPERATIONS)
        operations *= 2;
    say("took");
    number(id);
    number(operations * many);
    for (u32 turn = 0; turn < BATCHES; turn++)
        number(batch(operations, once));
    end_line();
}

void measure(u32 id, void (*once)(void)) { measure_many(id, once, 1); }

void missing(u32 id)
{
    say("missing");
    number(id);
    end_line();
}

int set_up_calls(void)
{
    return advertised(0x40000003, EAX) & HAS_HYPERCALL && msr_write(MSR_GUEST_OS_ID, 1ULL << 63 | 1)
        && msr_write(MSR_HYPERCALL, (u64)hypercall_page | 1);
}

/* Instructions in a row, so that the count is known; and the TSC's ticks meanwhile, if they are as many. */
#define LOOP(times, instruction) \
    __asm__ volatile("movl $64, %%ecx; 1: .rept " #times "; " instruction "; .endr; decl %%ecx; jnz 1b" \
                     ::: "rax", "rcx", "cc")
#define IN_A_LOOP(times) (1 + 64 * ((times) + 2))
#define AROUND 16 /* more than reading the TSC takes */

/* An emulator's TSC can count instructions: then multiplications that wait for each other take no longer than others. */
static int counts_instructions(void)
{
    for (u32 turn = 0; turn < 3; turn++) {
        u64 begin = tsc(), middle, end;

        LOOP(16, "nop");
        middle = tsc();
        LOOP(8, "imull %%eax, %%eax");
        end = tsc();
        if (middle - begin - IN_A_LOOP(16) > AROUND || end - middle - IN_A_LOOP(8) > AROUND)
            return 0;
    }
    return 1;
}

void other_main(u32 number)
{
    here()->number = number;
    start_interrupts();
    look_around(here());
    for (;;)
        other_work();
}

static u32 start_all(void)
{
    u32 wanted = cpu_count(), count = 1;

    on_interrupt = answer;
    patience = MORE_PATIENCE;
    start_interrupts();
    if (wanted > 1)
        start_others();
    look_around(here());
    while (count < wanted && count < MOST_CPUS && wait_for(&cpu_at(count)->ready, 1))
        count++;
    say("cpus");
    number(wanted);
    number(count);
    end_line();
    return count;
}

void first_main(void)
{
    u32 groups, count;

    /* The HPET's registers, and the firmware's own end, where its parameter is. */
    high_directory[HPET_BASE >> 21 & 511] = (HPET_BASE & ~0x1FFFFFULL) | PAGE_2M_RW;
    high_directory[511] = (ROM & ~0x1FFFFFULL) | PAGE_2M_RW;
    groups = *(volatile u32 *)PARAMETER;
    say(VERSION);
    end_line();
    count = start_all();
    if (counts_instructions())
        missing(TIME);
    if (groups & CLOCK)
        measure_clocks();
    if (groups & APIC_ACCESS)
        measure_apic();
    if (groups & EXIT)
        measure_exits();
    if (groups & TIMER)
        measure_timers();
    if (groups & SEND && count > 1)
        measure_sending(count);
    if (groups & FLUSH && count > 1)
        measure_flushing(count);
    if (groups & NESTED)
        measure_nested();
    if (lost) {
        say("lost");
        number(lost);
        end_line();
    }
    end_report();
    leave();
}
