/* The virtual APIC's MSRs, those of a crash and of reenlightenment, and reset. */

#include "probe.h"
#include "nested.h"

#define MSR_RESET 0x40000003
#define MSR_EOI 0x40000070
#define MSR_ICR 0x40000071
#define MSR_TPR 0x40000072
#define MSR_CRASH_P0 0x40000100
#define MSR_CRASH_P4 0x40000104
#define MSR_CRASH_CONTROL 0x40000105
#define MSR_REENLIGHTENMENT_CONTROL 0x40000106
#define MSR_TSC_EMULATION_CONTROL 0x40000107
#define HAS_APIC_ACCESS (1u << 4) /* 0x40000003.EAX */
#define HAS_RESET (1u << 7)
#define HAS_REENLIGHTENMENT (1u << 13)
#define HAS_CRASH (1u << 10)      /* 0x40000003.EDX */
#define CRASH_VALUE(msr) (0xC0DE0000ULL + (msr))
#define CRASH_NOTIFY (1ULL << 63)
#define MAY_CRASH 1              /* in the parameter: whoever started the guest looks for it */
#define PAGE_2M_RW 0x83
#define TO_SELF 0x44000           /* ICR: fixed, assert, to self */
#define PRIORITY 0x10             /* lower than all vectors that are used */

static u64 cr8(void)
{
    u64 value;

    __asm__ volatile("movq %%cr8, %0" : "=r"(value));
    return value;
}

/*
 * Printed: the processor's own task priority after the MSR was written, whether an interrupt to itself arrived, and
 * whether it was still in service before and after the end of interrupt.
 */
static void check_apic(void)
{
    int ok = write_and_tell(MSR_TPR, PRIORITY);
    u64 priority = cr8();

    write_and_tell(MSR_TPR, 0);
    ok = ok && msr_write(MSR_ICR, TO_SELF | VECTOR_APIC);
    int came = ok && wait_for(&here()->arrived[VECTOR_APIC], 1);
    int before = in_service(VECTOR_APIC);

    ok = ok && msr_write(MSR_EOI, 0);
    int after = in_service(VECTOR_APIC);

    if (after)
        end_of_interrupt();
    say("apic");
    number_or_fault(ok, priority);
    number(came);
    number(before);
    number(after);
    end_line();
    write_and_tell(MSR_VP_ASSIST_PAGE, (u64)assist_page | 1);
    msr_write(MSR_VP_ASSIST_PAGE, 0);
}

/* Nothing is reported to the host: that takes a write of the control MSR, see below. */
static void check_crash(void)
{
    for (u32 msr = MSR_CRASH_P0; msr <= MSR_CRASH_P4; msr++) {
        write_and_tell(msr, CRASH_VALUE(msr));
        msr_write(msr, 0);
    }
}

void check_small(void)
{
    u32 features = advertised(0x40000003, EAX);

    if (features & HAS_APIC_ACCESS)
        check_apic();
    if (advertised(0x40000003, EDX) & HAS_CRASH)
        check_crash();
    if (features & HAS_REENLIGHTENMENT) {
        /* A vector without the bit that turns notifications on. */
        write_and_tell(MSR_REENLIGHTENMENT_CONTROL, VECTOR_CALL);
        msr_write(MSR_REENLIGHTENMENT_CONTROL, 0);
        write_and_tell(MSR_TSC_EMULATION_CONTROL, 0);
    }
}

/* After the report, and where that is asked for: what it does to the guest is the hypervisor's choice. */
void try_crash(void)
{
    if (!(advertised(0x40000003, EDX) & HAS_CRASH))
        return;
    /* The firmware's own end, where its parameter is. */
    high_directory[511] = (ROM & ~0x1FFFFFULL) | PAGE_2M_RW;
    if (!(*(volatile u32 *)PARAMETER & MAY_CRASH))
        return;
    for (u32 msr = MSR_CRASH_P0; msr <= MSR_CRASH_P4; msr++)
        msr_write(msr, CRASH_VALUE(msr));
    msr_write(MSR_CRASH_CONTROL, CRASH_NOTIFY);
}

/* After the report: with -no-reboot QEMU then ends with status 0. */
void try_reset(void)
{
    if (advertised(0x40000003, EAX) & HAS_RESET)
        msr_write(MSR_RESET, 1);
}
