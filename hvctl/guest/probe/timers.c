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

/* TLFS, "SynIC Message Page": 16 of these, one for each source */
struct message {
    volatile u32 type;
    volatile u8 size, flags, reserved[2];
    volatile u64 sender;
    volatile u64 payload[30];
};

static struct message messages[16] __attribute__((aligned(PAGE)));
static u8 events[PAGE] __attribute__((aligned(PAGE)));

static int set_up_controller(void)
{
    int ok = write_and_tell(MSR_SIMP, (u64)messages | ENABLE);

    ok &= write_and_tell(MSR_SIEFP, (u64)events | ENABLE);
    ok &= write_and_tell(MSR_SCONTROL, ENABLE);
    return ok & write_and_tell(MSR_SINT0 + SOURCE, VECTOR_MESSAGE);
}

/* What is printed: whether it came, how late by the reference counter, and of a message its type, due time and timer. */
static void check_message(void)
{
    const volatile struct message *message = &messages[SOURCE];
    u64 due = reference_time() + SOON;
    int armed = msr_write(MSR_STIMER0_CONFIG, SOURCE << 16 | AUTO_ENABLE) && msr_write(MSR_STIMER0_COUNT, due);
    int came = armed && wait_for(&here()->arrived[VECTOR_MESSAGE], 1);
    u64 now = reference_time();

    say("message");
    number_or_fault(armed, came);
    number(came ? now - due : 0);
    number(message->type);
    number((u32)message->payload[0]);
    number(message->payload[1] - due);
    end_line();
    messages[SOURCE].type = 0;
    msr_write(MSR_EOM, 0);
    msr_write(MSR_STIMER0_CONFIG, 0);
}

static void check_direct(void)
{
    u64 due = reference_time() + SOON;
    int armed = msr_write(MSR_STIMER1_CONFIG, DIRECT | VECTOR_TIMER << 4 | AUTO_ENABLE)
        && msr_write(MSR_STIMER1_COUNT, due);
    int came = armed && wait_for(&here()->arrived[VECTOR_TIMER], 1);
    u64 now = reference_time();

    say("direct");
    number_or_fault(armed, came);
    number(came ? now - due : 0);
    end_line();
    msr_write(MSR_STIMER1_CONFIG, 0);
}

void check_timers(void)
{
    u32 features = advertised(0x40000003, EAX);
    int ready = features & HAS_SYNIC && set_up_controller();

    if (ready && features & HAS_STIMERS)
        check_message();
    if (ready && features & HAS_STIMERS && advertised(0x40000003, EDX) & HAS_DIRECT_MODE)
        check_direct();
}
