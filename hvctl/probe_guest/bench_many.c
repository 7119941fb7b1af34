/*
 * What processors do to each other while all of them are at work: interrupts, and flushes of their TLBs. One operation
 * ends when every other processor has answered. Where there are more processors than the host has CPUs, most of them
 * are not running when they are asked.
 */

#include "bench.h"

#define HAS_FLUSH (1u << 2) /* 0x40000004.EAX */
#define HAS_IPI (1u << 10)
#define CALL_FLUSH_SPACE 0x02
#define CALL_SEND_IPI 0x0B
#define FAST (1ULL << 16)
#define ALL_SPACES 2

static volatile u32 at_work;
static volatile u32 answers;
static u32 others;
u32 lost;
static u64 set;
static u64 input[4] __attribute__((aligned(64)));
static const u64 nothing[2];

/* Works without end once it is told to; sleeps before. */
void other_work(void)
{
    while (at_work)
        ;
    __asm__ volatile("hlt");
}

static void flush_own(void)
{
    u64 table;

    __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(table)::"memory");
}

void answer(struct cpu *cpu, u32 vector)
{
    if (cpu->number == 0)
        return;
    if (vector == VECTOR_LOOK)
        flush_own();
    __atomic_fetch_add(&answers, 1, __ATOMIC_SEQ_CST);
}


static void wait_for_answers(void)
{
    lost += !wait_for(&answers, others);
}

static void send_by_apic(void)
{
    answers = 0;
    send_vector(VECTOR_CALL, 0);
    wait_for_answers();
}

static void send_by_call(void)
{
    answers = 0;
    hypercall(CALL_SEND_IPI | FAST, VECTOR_CALL, set, nothing);
    wait_for_answers();
}

/* The classic way: every processor is interrupted, flushes its own TLB, and answers. */
static void flush_by_apic(void)
{
    answers = 0;
    send_vector(VECTOR_LOOK, 0);
    flush_own();
    wait_for_answers();
}

static void flush_by_call(void)
{
    hypercall(CALL_FLUSH_SPACE, (u64)input, 0, nothing);
    flush_own();
}

static int prepare(u32 count)
{
    others = count - 1;
    set = processor_set(count) & ~(1ULL << (cpu_at(0)->index & 63));
    input[1] = ALL_SPACES;
    input[2] = set;
    at_work = 1;
    send_by_apic();
    return set && set_up_calls();
}

void measure_sending(u32 count)
{
    int calls = prepare(count);

    measure(SEND_APIC, send_by_apic);
    if (calls && advertised(0x40000004, EAX) & HAS_IPI)
        measure(SEND_CALL, send_by_call);
}

void measure_flushing(u32 count)
{
    int calls = prepare(count);

    measure(FLUSH_APIC, flush_by_apic);
    if (calls && advertised(0x40000004, EAX) & HAS_FLUSH)
        measure(FLUSH_CALL, flush_by_call);
}
