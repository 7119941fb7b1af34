/*
 * The guest as a hypervisor of its own, on AMD's SVM: whether the enlightened MSR bitmap spares the hypervisor its work.
 *
 * A guest of three instructions reads an MSR and calls back. Run again with an MSR bitmap in which that read is
 * intercepted now, but which is said to be unchanged, it must not be intercepted yet; once the change is told, it must.
 */

#include "probe.h"

#define MSR_EFER 0xC0000080
#define MSR_VM_HSAVE_PA 0xC0010117
#define EFER_SVME (1ULL << 12)
#define MSR_SYSENTER_CS 0x174
#define HAS_MSR_BITMAP (1u << 19) /* 0x4000000A.EAX */
#define HAS_SVM (1u << 2)         /* 0x80000001.ECX */
#define CLEAN (1u << 31)          /* TLFS, "Enlightened MSR Bitmap": the clean bit that a hypervisor may use */
#define MSR_BITMAP 2              /* of the enlightenments that the VMCB asks for */

/* AMD64 Architecture Programmer's Manual, volume 2, appendix B: what is used of the VMCB, by offsets in bytes. */
enum { INTERCEPTS = 0x0C, INTERCEPTS_2 = 0x10, MSRPM = 0x48, ASID = 0x58, EXIT_CODE = 0x70, CLEAN_BITS = 0xC0,
    ENLIGHTENMENTS = 0x3E0, ES = 0x400, CS = 0x410, SS = 0x420, DS = 0x430, GDTR = 0x460, IDTR = 0x480, EFER = 0x4D0,
    CR4 = 0x548, CR3 = 0x550, CR0 = 0x558, DR7 = 0x560, DR6 = 0x568, RFLAGS = 0x570, RIP = 0x578 };
#define INTERCEPT_MSR (1u << 28)
#define INTERCEPT_SHUTDOWN (1u << 31)
#define INTERCEPT_VMRUN 1u /* has to be */
#define INTERCEPT_VMMCALL 2u
#define CODE_ATTRIBUTES 0xA9B
#define DATA_ATTRIBUTES 0xC93

static u8 vmcb[PAGE] __attribute__((aligned(PAGE)));
static u8 bitmap[2 * PAGE] __attribute__((aligned(PAGE))); /* two bits for each MSR, to read and to write it */
static u8 host_state[PAGE] __attribute__((aligned(PAGE)));

extern u8 nested_guest[];

static void set32(u32 offset, u32 value) { *(u32 *)(vmcb + offset) = value; }
static void set64(u32 offset, u64 value) { *(u64 *)(vmcb + offset) = value; }

static void set_segment(u32 offset, u32 selector, u32 attributes)
{
    set32(offset, selector | attributes << 16);
    set32(offset + 4, ~0U);
}

#define COPY_CONTROL(name, offset) \
    do { \
        u64 value; \
        __asm__ volatile("movq %%" name ", %0" : "=r"(value)); \
        set64(offset, value); \
    } while (0)

static void set_up(u64 efer)
{
    set32(INTERCEPTS, INTERCEPT_MSR | INTERCEPT_SHUTDOWN);
    set32(INTERCEPTS_2, INTERCEPT_VMRUN | INTERCEPT_VMMCALL);
    set64(MSRPM, (u64)bitmap);
    set32(ASID, 1);
    set32(ENLIGHTENMENTS, MSR_BITMAP);
    set_segment(CS, CODE64, CODE_ATTRIBUTES);
    set_segment(SS, DATA, DATA_ATTRIBUTES);
    set_segment(DS, DATA, DATA_ATTRIBUTES);
    set_segment(ES, DATA, DATA_ATTRIBUTES);
    set64(EFER, efer);
    COPY_CONTROL("cr0", CR0);
    COPY_CONTROL("cr3", CR3);
    COPY_CONTROL("cr4", CR4);
    set64(DR6, 0xFFFF0FF0);
    set64(DR7, 0x400);
    set64(RFLAGS, 2);
}

/* Why it has ended. */
static u64 run(u32 clean)
{
    set64(RIP, (u64)nested_guest);
    set32(CLEAN_BITS, clean);
    __asm__ volatile("clgi; vmrun; stgi" ::"a"(vmcb) : "rcx", "rdx", "cc", "memory");
    return *(u64 *)(vmcb + EXIT_CODE);
}

void check_nested(void)
{
    u32 registers[4];
    u64 efer, first, unchanged, changed;

    cpuid(0x80000001, registers);
    if (!(advertised(0x4000000A, EAX) & HAS_MSR_BITMAP) || !(registers[ECX] & HAS_SVM))
        return;
    if (!msr_read(MSR_EFER, &efer) || !msr_write(MSR_EFER, efer | EFER_SVME)
        || !msr_write(MSR_VM_HSAVE_PA, (u64)host_state))
        return;
    set_up(efer | EFER_SVME);
    first = run(0);
    bitmap[MSR_SYSENTER_CS / 4] |= 1 << MSR_SYSENTER_CS % 4 * 2;
    unchanged = run(CLEAN);
    changed = run(0);
    msr_write(MSR_EFER, efer);
    say("nested");
    number(first);
    number(unchanged);
    number(changed);
    end_line();
}
