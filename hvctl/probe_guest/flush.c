/*
 * TLB flushes by hypercall. Every processor reads two pages through a window, the window is mapped to two other pages,
 * and without an INVLPG anywhere the call alone must make every processor see the new ones.
 */

#include "probe.h"

#define HAS_XMM_INPUT (1u << 4)   /* 0x40000003.EDX */
#define HAS_RANGES (1u << 14)
#define HAS_FLUSH (1u << 2)       /* 0x40000004.EAX */
#define HAS_SETS (1u << 11)
#define CALL_FLUSH_SPACE 0x02
#define CALL_FLUSH_LIST 0x03
#define CALL_FLUSH_SPACE_EX 0x13
#define CALL_FLUSH_LIST_EX 0x14
#define ALL_PROCESSORS 1          /* flags of the input */
#define ALL_SPACES 2
#define FAST (1ULL << 16)
#define VARIABLE_HEADER (1ULL << 17)
#define REPEATS(count) ((u64)(count) << 32)
#define PAGE_RW 3

static u64 pages[4][PAGE / 8] __attribute__((aligned(PAGE)));
static u64 input[32] __attribute__((aligned(PAGE)));
static u64 generation;

/* What every processor does when it is told to. */
void look(struct cpu *cpu, u32 vector)
{
    if (vector != VECTOR_LOOK)
        return;
    cpu->looked[0] = *(volatile u64 *)WINDOW;
    cpu->looked[1] = *(volatile u64 *)(WINDOW + PAGE);
}

static void map(int pair)
{
    for (int page = 0; page < 2; page++)
        ((volatile u64 *)window)[page] = (u64)pages[2 * pair + page] | PAGE_RW;
}

static void all_look(u32 count)
{
    u32 before[MOST_CPUS];

    for (u32 number = 0; number < count; number++)
        before[number] = cpu_at(number)->arrived[VECTOR_LOOK];
    send_vector(VECTOR_LOOK, 1);
    if (count > 1)
        send_vector(VECTOR_LOOK, 0);
    for (u32 number = 0; number < count; number++)
        if (!wait_for(&cpu_at(number)->arrived[VECTOR_LOOK], before[number] + 1))
            return;
}

static u32 saw(u32 count, int which, u64 value)
{
    u32 total = 0;

    for (u32 number = 0; number < count; number++)
        total += cpu_at(number)->looked[which] == value;
    return total;
}

/*
 * Printed: the call, whether by registers, the result, how many processors there are, how many saw the old pages before,
 * how many see the new first and the new second page after.
 */
static void flush(u32 code, u64 control, u64 first, u64 second, const u64 xmm0[2], u32 count)
{
    u64 old = ++generation, new = ++generation;

    pages[0][0] = pages[1][0] = old;
    pages[2][0] = pages[3][0] = new;
    map(0);
    /* What an earlier round has left in the TLB must not pass for this one's. */
    hypercall(CALL_FLUSH_SPACE, (u64)input, 0, xmm0);
    all_look(count);
    u32 seen_old = saw(count, 0, old);

    map(1);
    u64 result = hypercall(control | code, first, second, xmm0);

    all_look(count);
    say("flushed");
    number(code);
    number(control & FAST ? 1 : 0);
    number_or_fault(result != FAULTED, result);
    number(count);
    number(seen_old);
    number(saw(count, 0, new));
    number(saw(count, 1, new));
    end_line();
}

/* The input of the calls without, and 12 words later of those with, sets of processors. */
static void prepare(u64 set)
{
    input[0] = input[12] = 0; /* the address space */
    input[1] = input[13] = ALL_SPACES;
    input[2] = set;
    input[3] = WINDOW | 1; /* with one page more */
    input[14] = 0;         /* a sparse set: the banks of 64 that it has, then each of them */
    input[15] = 1;
    input[16] = set;
    input[17] = WINDOW | 1;
}

void check_flushes(u32 count)
{
    u32 hints = advertised(0x40000004, EAX), xmm = advertised(0x40000003, EDX) & HAS_XMM_INPUT;
    u64 set = processor_set(count);

    prepare(set);
    /* To all processors, so that it can be tried without an index; the first of the two words is the set. */
    if (xmm)
        flush(CALL_FLUSH_SPACE, FAST, 0, ALL_SPACES | ALL_PROCESSORS, input + 2, count);
    if (!(hints & HAS_FLUSH) || !set)
        return;
    flush(CALL_FLUSH_SPACE, 0, (u64)input, 0, input + 2, count);
    flush(CALL_FLUSH_LIST, REPEATS(1), (u64)input, 0, input + 2, count);
    if (!(hints & HAS_SETS))
        return;
    flush(CALL_FLUSH_SPACE_EX, VARIABLE_HEADER, (u64)(input + 12), 0, input + 2, count);
    flush(CALL_FLUSH_LIST_EX, VARIABLE_HEADER | REPEATS(1), (u64)(input + 12), 0, input + 2, count);
}
