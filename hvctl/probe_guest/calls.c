/* The hypercall page, calls that change nothing, and interrupts among processors by hypercall. */

#include "probe.h"

#define MSR_GUEST_OS_ID 0x40000000
#define MSR_HYPERCALL 0x40000001
#define HAS_HYPERCALL (1u << 5)     /* 0x40000003.EAX */
#define HAS_POST_MESSAGES (1u << 4) /* 0x40000003.EBX */
#define HAS_SIGNAL_EVENTS (1u << 5)
#define HAS_XMM_INPUT (1u << 4)     /* 0x40000003.EDX */
#define HAS_IPI (1u << 10)          /* 0x40000004.EAX */
#define HAS_SETS (1u << 11)
#define CALL_NOTIFY_LONG_SPIN_WAIT 0x08
#define CALL_SEND_IPI 0x0B
#define CALL_SEND_IPI_EX 0x15
#define CALL_POST_MESSAGE 0x5C
#define CALL_SIGNAL_EVENT 0x5D
#define CALL_NONE 0x3FFF
#define FAST (1ULL << 16)
#define VARIABLE_HEADER (1ULL << 17) /* its size, in 8 bytes */
#define NO_CONNECTION 0xFFFFFF
/* Bit 63: an open-source system; its type and version are of no importance here. TLFS, "Guest OS Identity". */
#define GUEST_OS_ID 0x8000000000000001

u8 hypercall_page[PAGE] __attribute__((aligned(PAGE)));

static const u64 nothing[2];

/* The input of calls; the larger ones do not fit into registers. TLFS, "Hypercall Inputs": aligned, in one page. */
static u64 input[32] __attribute__((aligned(PAGE)));

static void call(u32 code, u64 control, u64 first, u64 second)
{
    u64 result = hypercall(control | code, first, second, nothing);

    say("call");
    number(code);
    number_or_fault(result != FAULTED, result);
    end_line();
}

static void check_messages(u32 features)
{
    input[0] = NO_CONNECTION;
    input[1] = 1 | 8ULL << 32; /* message type, size */
    if (features & HAS_POST_MESSAGES)
        call(CALL_POST_MESSAGE, 0, (u64)input, 0);
    if (features & HAS_SIGNAL_EVENTS)
        call(CALL_SIGNAL_EVENT, FAST, NO_CONNECTION, 0);
}

void check_calls(void)
{
    u32 retries = advertised(0x40000004, EBX);

    if (!(advertised(0x40000003, EAX) & HAS_HYPERCALL))
        return;
    if (!write_and_tell(MSR_GUEST_OS_ID, GUEST_OS_ID) || !write_and_tell(MSR_HYPERCALL, (u64)hypercall_page | 1))
        return;
    say("page");
    number(*(u64 *)hypercall_page);
    end_line();
    call(CALL_NONE, 0, 0, 0);
    if (retries && retries != ~0U)
        call(CALL_NOTIFY_LONG_SPIN_WAIT, FAST, retries, 0);
    check_messages(advertised(0x40000003, EBX));
}

static u32 arrived(u32 count)
{
    u32 total = 0;

    for (u32 number = 0; number < count; number++)
        total += cpu_at(number)->arrived[VECTOR_CALL] != 0;
    return total;
}

/* One call to all processors, this one too; the number of those that got it in time is printed. */
static void send(u32 code, u64 control, u64 first, u64 second, const u64 xmm0[2], u32 count)
{
    for (u32 number = 0; number < count; number++)
        cpu_at(number)->arrived[VECTOR_CALL] = 0;

    u64 result = hypercall(control | code, first, second, xmm0);

    for (u32 number = 0; number < count && !(result & 0xFFFF); number++)
        if (!wait_for(&cpu_at(number)->arrived[VECTOR_CALL], 1))
            break;
    say("sent");
    number(code);
    number(control & FAST ? 1 : 0);
    number_or_fault(result != FAULTED, result);
    number(count);
    number(arrived(count));
    end_line();
}

/* The processors by their indices, which the set below holds up to 63. */
void check_interrupts(u32 count)
{
    u32 hints = advertised(0x40000004, EAX);
    u64 set = processor_set(count);

    if (!(hints & HAS_IPI) || !set)
        return;
    send(CALL_SEND_IPI, FAST, VECTOR_CALL, set, nothing, count);
    if (!(hints & HAS_SETS))
        return;
    input[0] = VECTOR_CALL;
    input[1] = 0; /* a sparse set: the banks of 64 that it has, then each of them */
    input[2] = 1;
    input[3] = set;
    send(CALL_SEND_IPI_EX, VARIABLE_HEADER, (u64)input, 0, nothing, count);
    if (advertised(0x40000003, EDX) & HAS_XMM_INPUT)
        send(CALL_SEND_IPI_EX, FAST | VARIABLE_HEADER, VECTOR_CALL, 0, input + 2, count);
}
