/* The probe guest: what it looks at, in this order, and then its end. */

#include "probe.h"

#define VERSION "hvctl-probe 3"

static u32 wait_for_others(u32 wanted)
{
    u32 count = 1;
    u64 usual = patience;

    patience = MORE_PATIENCE;
    while (count < wanted && wait_for(&cpu_at(count)->ready, 1))
        count++;
    patience = usual;
    return count;
}

void other_main(u32 number)
{
    here()->number = number;
    start_interrupts();
    look_around(here());
    for (;;) {
        /* An interrupt that comes between the look and the halt ends the halt. */
        __asm__ volatile("cli" ::: "memory");
        if (__atomic_load_n(&here()->task, __ATOMIC_SEQ_CST)) {
            __asm__ volatile("sti" ::: "memory");
            try_timers();
            __atomic_store_n(&here()->task, 0, __ATOMIC_SEQ_CST);
            continue;
        }
        __asm__ volatile("sti; hlt" ::: "memory");
    }
}

void first_main(void)
{
    u32 wanted = cpu_count(), count;

    on_interrupt = look;
    start_interrupts();
    if (wanted > 1)
        start_others();
    look_around(here());
    count = wait_for_others(wanted < MOST_CPUS ? wanted : MOST_CPUS);
    say(VERSION);
    end_line();
    say("cpus");
    number(wanted);
    number(count);
    end_line();
    report_cpus();
    report_msrs();
    check_calls();
    check_clocks();
    check_small();
    check_timers(count);
    check_interrupts(count);
    check_flushes(count);
    check_nested();
    end_report();
    try_crash();
    try_reset();
    leave();
}
