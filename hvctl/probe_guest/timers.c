/* The synthetic interrupt controller, and its timers: one by a message, one that raises an interrupt itself. */

#include "probe.h"

#define MSR_SCONTROL 0x40000080
#define MSR_SIEFP 0x40000082
#define MSR_SIMP 0x40000083
#define MSR_EOM 0x40000084
#define MSR_SINT0 0x40000090
#define MSR_STIMER0_CONFIG 0x400000B0
#define MSR_STIMER0_COUNT 0x400000B1
#define MSR_STIMER1_CONFIG 0x400000B2
#define MSR_STIMER1_COUNT 0x400000B3
#define HAS_SYNIC (1u << 2) /* 0x40000003.EAX */
#define HAS_STIMERS (1u << 3)
#define HAS_DIRECT_MODE (1u << 19) /* 0x40000003.EDX */

#define ENABLE 1
#define SOURCE 2         /* the interrupt source whose messages are the timer's */
#define AUTO_ENABLE 8    /* by a write of the count */
#define DIRECT 0x1000
#define SOON 10000       /* in 100 ns: 1 ms */
#define TURNS 3          /* as often as it waits itself, a processor is waited for, and once more */

/* TLFS, "SynIC Message Page": 16 of these, one for each source */
struct message {
    volatile u32 type;
    volatile u8 size, flags, reserved[2];
    volatile u64 sender;
    volatile u64 payload[30];
};

static struct message messages[16] __attribute__((aligned(PAGE)));
static u8 events[PAGE] __attribute__((aligned(PAGE)));

/* Every processor has its own, one after the other in the same pages. The first one tells what it writes. */
static int set_up_controller(void)
{
    int (*put)(u32, u64) = here()->number ? msr_write : write_and_tell;
    int ok = put(MSR_SIMP, (u64)messages | ENABLE);

    ok &= put(MSR_SIEFP, (u64)events | ENABLE);
    ok &= put(MSR_SCONTROL, ENABLE);
    return ok & put(MSR_SINT0 + SOURCE, VECTOR_MESSAGE);
}

static void take_down_controller(void)
{
    msr_write(MSR_SCONTROL, 0);
    msr_write(MSR_SIEFP, 0);
    msr_write(MSR_SIMP, 0);
}

/* Whether it came, how late by the reference counter, and of a message its type, due time and timer. */
static void try_message(struct fired *fired)
{
    const volatile struct message *message = &messages[SOURCE];
    u64 due = reference_time() + SOON;

    fired->tried = 1;
    fired->armed = msr_write(MSR_STIMER0_CONFIG, SOURCE << 16 | AUTO_ENABLE) && msr_write(MSR_STIMER0_COUNT, due);
    fired->came = fired->armed && wait_for(&here()->arrived[VECTOR_MESSAGE], 1);
    fired->late = fired->came ? reference_time() - due : 0;
    fired->type = message->type;
    fired->timer = (u32)message->payload[0];
    fired->off = message->payload[1] - due;
    messages[SOURCE].type = 0;
    msr_write(MSR_EOM, 0);
    msr_write(MSR_STIMER0_CONFIG, 0);
}

static void try_direct(struct fired *fired)
{
    u64 due = reference_time() + SOON;

    fired->tried = 1;
    fired->armed = msr_write(MSR_STIMER1_CONFIG, DIRECT | VECTOR_TIMER << 4 | AUTO_ENABLE)
        && msr_write(MSR_STIMER1_COUNT, due);
    fired->came = fired->armed && wait_for(&here()->arrived[VECTOR_TIMER], 1);
    fired->late = fired->came ? reference_time() - due : 0;
    msr_write(MSR_STIMER1_CONFIG, 0);
}

/* What the first processor's CPUID announces, on the processor that this runs on. */
void try_timers(void)
{
    u32 features = advertised(0x40000003, EAX);

    if (!(features & HAS_SYNIC))
        return;
    if (set_up_controller() && features & HAS_STIMERS) {
        try_message(&here()->message);
        if (advertised(0x40000003, EDX) & HAS_DIRECT_MODE)
            try_direct(&here()->direct);
    }
    take_down_controller();
}

static void report_fired(const char *name, const struct cpu *cpu, const struct fired *fired, int is_message)
{
    if (!fired->tried)
        return;
    say(name);
    number(cpu->number);
    number_or_fault(fired->armed, fired->came);
    number(fired->late);
    if (is_message) {
        number(fired->type);
        number(fired->timer);
        number(fired->off);
    }
    end_line();
}

/* The others wait for an interrupt, of which all but one make nothing. */
static void let_try(struct cpu *cpu)
{
    __atomic_store_n(&cpu->task, 1, __ATOMIC_SEQ_CST);
    send_vector(VECTOR_CALL, 0);
    for (u64 begin = tsc(); __atomic_load_n(&cpu->task, __ATOMIC_SEQ_CST) && tsc() - begin < TURNS * patience;)
        __asm__ volatile("pause");
}

void check_timers(u32 count)
{
    if (!(advertised(0x40000003, EAX) & HAS_SYNIC))
        return;
    try_timers();
    for (u32 each = 1; each < count; each++)
        let_try(cpu_at(each));
    for (u32 each = 0; each < count; each++) {
        report_fired("message", cpu_at(each), &cpu_at(each)->message, 1);
        report_fired("direct", cpu_at(each), &cpu_at(each)->direct, 0);
    }
}
