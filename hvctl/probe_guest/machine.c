/* The processors of the machine: their APICs, their interrupts, and how the others are started. */

#include "probe.h"

#define APIC 0xFEE00000ULL
#define APIC_ID 0x20
#define APIC_EOI 0xB0
#define APIC_SPURIOUS 0xF0
#define APIC_IN_SERVICE 0x100
#define APIC_ICR 0x300
#define APIC_ENABLE 0x1FF
#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define ICR_FIXED 0x4000
#define TO_SELF 0x40000
#define TO_OTHERS 0xC0000
#define PIC_MASK 0x21
#define PIC2_MASK 0xA1
#define FW_CFG_SELECT 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_NB_CPUS 5
#define EXIT_PORT 0xF4
#define EXIT_VALUE 0x10
#define GATE 0x8E00

/* In TSC cycles: how long one thing is waited for, a second at 2 GHz; and so many times that for all that never come. */
u64 patience = 1ULL << 31;
#define VAIN_WAITS 4
/* And at least this often it is looked for: on a busy host the time may pass without this processor running at all. */
#define LOOKS 10000

void (*on_interrupt)(struct cpu *cpu, u32 vector);

static struct { u16 low, selector, type, middle; u32 high, zero; } gates[VECTORS];

u64 tsc(void)
{
    u32 low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (u64)high << 32 | low;
}

void cpuid(u32 leaf, u32 registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[EAX]), "=b"(registers[EBX]), "=c"(registers[ECX]), "=d"(registers[EDX])
                     : "a"(leaf), "c"(0));
}

static volatile u32 *apic(u32 offset)
{
    return (volatile u32 *)(APIC + offset);
}

struct cpu *cpu_at(u32 number)
{
    return (struct cpu *)cpus[number];
}

/* The struct is at the beginning of the page that the stack ends in. */
struct cpu *here(void)
{
    u64 stack;

    __asm__("movq %%rsp, %0" : "=r"(stack));
    return (struct cpu *)(stack & ~(CPU_SIZE - 1ULL));
}

u32 cpu_count(void)
{
    out16(FW_CFG_SELECT, FW_CFG_NB_CPUS);
    u32 low = in8(FW_CFG_DATA);
    return low | in8(FW_CFG_DATA) << 8;
}

void end_of_interrupt(void)
{
    *apic(APIC_EOI) = 0;
}

int in_service(u32 vector)
{
    return *apic(APIC_IN_SERVICE + vector / 32 * 16) >> vector % 32 & 1;
}

void send_vector(u32 vector, int to_self)
{
    *apic(APIC_ICR) = ICR_FIXED | (to_self ? TO_SELF : TO_OTHERS) | vector;
}

/* Every processor calls it once. */
void start_interrupts(void)
{
    struct { u16 limit; u64 base; } __attribute__((packed)) table = {sizeof gates - 1, (u64)gates};

    for (u32 vector = 0; vector < VECTORS && !gates[VECTORS - 1].type; vector++) {
        u64 entry = (u64)entries + 16 * vector;

        gates[vector].low = entry;
        gates[vector].selector = CODE64;
        gates[vector].middle = entry >> 16;
        gates[vector].type = GATE;
    }
    __asm__ volatile("lidt %0" ::"m"(table));
    out8(PIC_MASK, 0xFF);
    out8(PIC2_MASK, 0xFF);
    *apic(APIC_SPURIOUS) = APIC_ENABLE;
    here()->apic_id = *apic(APIC_ID) >> 24;
    __asm__ volatile("sti");
}

/* INIT needs no pause before the start-up IPI: KVM and TCG keep both, and deliver them in this order. */
void start_others(void)
{
    *apic(APIC_ICR) = ICR_INIT | TO_OTHERS;
    *apic(APIC_ICR) = ICR_STARTUP | TO_OTHERS | RAM >> 12;
}

int wait_for(const volatile u32 *counter, u32 value)
{
    static u64 wasted;
    u64 begin = tsc();

    for (u32 looks = 0; *counter < value; looks++) {
        u64 waited = tsc() - begin;

        if (looks > LOOKS && (waited > patience || waited + wasted > VAIN_WAITS * patience)) {
            wasted += waited;
            return 0;
        }
        __asm__ volatile("pause");
    }
    return 1;
}

void leave(void)
{
    out8(EXIT_PORT, EXIT_VALUE);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void die(const struct frame *frame)
{
    static volatile u32 dead;

    /* The first processor prints, and may be in the middle of a line: another one's end is seen as its silence. */
    if (here()->number == 0 && !dead++) {
        say("died");
        number(frame->vector);
        number(frame->error);
        number(frame->rip);
        end_line();
        end_report();
        leave();
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}

/* From trap.S. */
void trap(struct frame *frame)
{
    struct cpu *cpu = here();
    u64 page = (u64)hypercall_page;

    if (frame->vector >= FIRST_VECTOR) {
        if (on_interrupt)
            on_interrupt(cpu, frame->vector);
        __atomic_fetch_add(&cpu->arrived[frame->vector], 1, __ATOMIC_SEQ_CST);
        if (frame->vector != VECTOR_APIC)
            end_of_interrupt();
    } else if (frame->rip == (u64)msr_read_at || frame->rip == (u64)msr_write_at) {
        frame->rip = (u64)msr_fault;
    } else if (frame->rip >= page && frame->rip < page + PAGE) {
        frame->rip = *(u64 *)frame->rsp;
        frame->rsp += 8;
        frame->rax = FAULTED;
    } else {
        die(frame);
    }
}
