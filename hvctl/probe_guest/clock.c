/* Clocks: the reference counter, the reference TSC page, the time that a processor has run. */

#include "probe.h"

#define MSR_VP_RUNTIME 0x40000010
#define MSR_TIME_REF_COUNT 0x40000020
#define MSR_REFERENCE_TSC 0x40000021
#define HAS_VP_RUNTIME (1u << 0) /* 0x40000003.EAX */
#define HAS_TIME_REF_COUNT (1u << 1)
#define HAS_REFERENCE_TSC (1u << 9)

#define INTERVAL 20000 /* in 100 ns: 2 ms */
#define TRIES 4
#define PAIRS 16
#define READS 1000

/* TLFS, "Reference Time Stamp Counter (TSC) Page" */
static struct {
    volatile u32 sequence, reserved;
    volatile u64 scale, offset;
} page __attribute__((aligned(PAGE)));

/* In 100 ns; 0 where the MSR faults. */
u64 reference_time(void)
{
    u64 value = 0;

    msr_read(MSR_TIME_REF_COUNT, &value);
    return value;
}

struct moment { u64 time, before, after; };

/* The counter, and the TSC before and after; of several reads the one that took the least time. */
static struct moment now(void)
{
    struct moment best = {0, 0, ~0ULL}, next;

    for (int read = 0; read < TRIES; read++) {
        next.before = tsc();
        next.time = reference_time();
        next.after = tsc();
        if (next.after - next.before < best.after - best.before)
            best = next;
    }
    return best;
}

static void tell(struct moment moment)
{
    number(moment.time);
    number(moment.before);
    number(moment.after);
}

static void check_counter(void)
{
    struct moment first = now(), last;
    u64 limit = first.after + (1ULL << 31);

    do
        last = now();
    while (last.time < first.time + INTERVAL && last.after < limit);
    say("counter");
    tell(first);
    tell(last);
    end_line();
}

/* The page's formula; the sequence is looked at again, since the hypervisor may change the page meanwhile. */
static u64 page_time(void)
{
    u32 sequence;
    u64 time;

    do {
        sequence = page.sequence;
        __asm__ volatile("" ::: "memory");
        time = (u64)((unsigned __int128)tsc() * page.scale >> 64) + page.offset;
        __asm__ volatile("" ::: "memory");
    } while (sequence != page.sequence);
    return time;
}

/* How often the page's time went back, and by how much it was before or after the counter's, in 100 ns. */
static void check_page(void)
{
    u64 last = 0, early = 0, late = 0;
    u32 back = 0;

    if (!write_and_tell(MSR_REFERENCE_TSC, (u64)&page | 1))
        return;
    for (int pair = 0; pair < PAIRS && page.sequence; pair++) {
        u64 before = reference_time(), time = page_time(), after = reference_time();

        if (time < before && before - time > early)
            early = before - time;
        if (time > after && time - after > late)
            late = time - after;
    }
    for (int read = 0; read < READS && page.sequence; read++) {
        u64 time = page_time();

        back += time < last;
        last = time;
    }
    say("tscpage");
    number(page.sequence);
    number(page.scale);
    number(page.offset);
    number(back);
    number(early);
    number(late);
    end_line();
}

static void check_runtime(void)
{
    u64 first = 0, last = 0;
    int ok = msr_read(MSR_VP_RUNTIME, &first) && msr_read(MSR_VP_RUNTIME, &last);

    say("runtime");
    number_or_fault(ok, first);
    number_or_fault(ok, last);
    end_line();
}

void check_clocks(void)
{
    u32 features = advertised(0x40000003, EAX);

    if (features & HAS_TIME_REF_COUNT)
        check_counter();
    if (features & HAS_REFERENCE_TSC)
        check_page();
    if (features & HAS_VP_RUNTIME)
        check_runtime();
}
