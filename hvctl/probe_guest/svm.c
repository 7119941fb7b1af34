/* The guest as a hypervisor of its own, on AMD's SVM. */

#include "probe.h"
#include "nested.h"

#define MSR_EFER 0xC0000080
#define MSR_VM_HSAVE_PA 0xC0010117
#define EFER_SVME (1ULL << 12)
#define HAS_SVM (1u << 2) /* 0x80000001.ECX */

/* AMD64 Architecture Programmer's Manual, volume 2, appendix B: what is used of the VMCB, by offsets in bytes. */
enum { INTERCEPTS = 0x0C, INTERCEPTS_2 = 0x10, MSRPM = 0x48, ASID = 0x58, TLB_CONTROL = 0x5C, INTERRUPT_CONTROL = 0x60,
    EXIT_CODE = 0x70, EVENT = 0xA8, CLEAN_BITS = 0xC0, ENLIGHTENMENTS = 0x3E0, VM_ID = 0x3E8, PARTITION_ASSIST = 0x3F0,
    ES = 0x400, CS = 0x410, SS = 0x420, DS = 0x430, GDTR = 0x460, IDTR = 0x480, EFER = 0x4D0,
    CR4 = 0x548, CR3 = 0x550, CR0 = 0x558, DR7 = 0x560, DR6 = 0x568, RFLAGS = 0x570, RIP = 0x578, RSP = 0x5D8,
    RAX = 0x5F8 };
#define INTERCEPT_INTERRUPT 1u
#define INTERCEPT_HLT (1u << 24)
#define INTERCEPT_MSR (1u << 28)
#define INTERCEPT_SHUTDOWN (1u << 31)
#define INTERCEPT_VMRUN 1u /* has to be */
#define INTERCEPT_VMMCALL 2u
#define HOST_MASKS_INTERRUPTS (1u << 24) /* V_INTR_MASKING */
#define FLUSH_ALL 1
#define VALID (1u << 31) /* of what is injected */
#define CODE_ATTRIBUTES 0xA9B
#define DATA_ATTRIBUTES 0xC93

static u8 vmcb[PAGE] __attribute__((aligned(PAGE)));
static u8 bitmap[2 * PAGE] __attribute__((aligned(PAGE))); /* two bits for each MSR, to read and to write it */
static u8 host_state[PAGE] __attribute__((aligned(PAGE)));
static u64 first_efer;

static void set32(u32 offset, u32 value) { *(u32 *)(vmcb + offset) = value; }
static void set64(u32 offset, u64 value) { *(u64 *)(vmcb + offset) = value; }

static void set_segment(u32 offset, u32 selector, u32 attributes)
{
    set32(offset, selector | attributes << 16);
    set32(offset + 4, ~0U);
}

/* A table may be shorter than its limit. */
static void set_table(u32 offset, u64 base)
{
    set32(offset + 4, 0xFFFF);
    set64(offset + 8, base);
}

#define COPY_CONTROL(name, offset) \
    do { \
        u64 value; \
        __asm__ volatile("movq %%" name ", %0" : "=r"(value)); \
        set64(offset, value); \
    } while (0)

static void set_up(u64 efer)
{
    struct { u16 limit; u64 base; } __attribute__((packed)) gdt;

    __asm__ volatile("sgdt %0" : "=m"(gdt));
    set_table(GDTR, gdt.base);
    set_table(IDTR, (u64)nested_gates);
    set64(RSP, (u64)nested_stack_end);
    set32(INTERCEPTS, INTERCEPT_HLT | INTERCEPT_MSR | INTERCEPT_SHUTDOWN);
    set32(INTERCEPTS_2, INTERCEPT_VMRUN | INTERCEPT_VMMCALL);
    set64(MSRPM, (u64)bitmap);
    set32(ASID, 1);
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

static int start(void)
{
    u32 registers[4];

    cpuid(0x80000001, registers);
    if (!(registers[ECX] & HAS_SVM) || !msr_read(MSR_EFER, &first_efer) || !msr_write(MSR_EFER, first_efer | EFER_SVME)
        || !msr_write(MSR_VM_HSAVE_PA, (u64)host_state))
        return 0;
    set_up(first_efer | EFER_SVME);
    return 1;
}

static void stop(void)
{
    msr_write(MSR_EFER, first_efer);
}

static void enlighten(u32 enlightenments)
{
    set32(ENLIGHTENMENTS, enlightenments);
    set64(VM_ID, 1);
    set64(PARTITION_ASSIST, (u64)partition_page);
}

/* The second part of the bitmap is for MSRs from 0xC0000000 on. */
static void intercept(void)
{
    bitmap[PAGE / 2 + NESTED_MSR % 0x2000 / 4] |= 1 << NESTED_MSR % 4 * 2;
}

static void let_interrupts_exit(void)
{
    set32(INTERCEPTS, *(u32 *)(vmcb + INTERCEPTS) | INTERCEPT_INTERRUPT);
    set32(INTERRUPT_CONTROL, HOST_MASKS_INTERRUPTS);
    set64(RFLAGS, 2 | INTERRUPTS_ON);
}

static void inject(u32 vector) { set64(EVENT, VALID | vector); }
static void flush(void) { set32(TLB_CONTROL, FLUSH_ALL); }

static u64 run(const u8 *guest, int again, u32 clean)
{
    (void)again;
    if (guest)
        set64(RIP, (u64)guest);
    set64(RAX, nested_rax);
    set32(CLEAN_BITS, clean);
    __asm__ volatile("clgi; vmrun; stgi" ::"a"(vmcb) : "rbx", "rcx", "rdx", "cc", "memory");
    nested_rax = *(u64 *)(vmcb + RAX);
    set32(TLB_CONTROL, 0);
    return *(u64 *)(vmcb + EXIT_CODE);
}

/* What a hypervisor looks at to handle an exit by an instruction, beside the exit code. */
static u64 inspect(void)
{
    u64 sum = 0;

    for (u32 offset = EXIT_CODE; offset < EXIT_CODE + 0x20; offset += 8)
        sum += *(u64 *)(vmcb + offset);
    return sum + *(u64 *)(vmcb + RIP) + *(u64 *)(vmcb + RFLAGS);
}

const struct hypervisor svm = {start, stop, run, inspect, enlighten, intercept, let_interrupts_exit, inject, flush,
    svm_reads, svm_flushes, svm_flushed, SVM_CLEAN_BITMAP};
