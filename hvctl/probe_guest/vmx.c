/*
 * The guest as a hypervisor of its own, on Intel's VMX: by a plain VMCS, and by an enlightened one. What is the same for
 * both stands in the enlightened one's page, from which the fields of the plain one are written.
 */

#include "probe.h"
#include "nested.h"

#define MSR_FEATURE_CONTROL 0x3A
#define FEATURE_CONTROL_VMX 5 /* locked, VMX outside of SMX */
#define MSR_VMX_BASIC 0x480
#define TRUE_CONTROLS (1ULL << 55)
#define MSR_VMX_CONTROLS 0x481      /* of pins, processor, exit, entry */
#define MSR_VMX_TRUE_CONTROLS 0x48D
#define CR0_NE (1ULL << 5)
#define CR4_VMXE (1ULL << 13)
#ifndef EVMCS_VERSION
#define EVMCS_VERSION 1             /* another one has to be refused */
#endif

/* SDM 3C, 26.6 to 26.8 */
#define USE_MSR_BITMAPS (1u << 28)
#define EXIT_ON_HLT (1u << 7)
#define EXIT_ON_INTERRUPT 1u /* of the pins' */
#define VALID (1u << 31)     /* of what is injected */
#define SECONDARY (1u << 31)
#define LONG_MODE (1u << 9) /* of the host at exits, of the guest at entries */
#define UNUSABLE 0x10000
#define CODE_RIGHTS 0xA09B
#define DATA_RIGHTS 0xC093
#define TASK_RIGHTS 0x8B
#define TASK_LIMIT 0x67
#define TABLE_LIMIT 0xFFFF

/* TLFS, "Enlightened VMCS" and "VP Assist Page": what is used of them, by offsets in bytes. */
enum { HOST_ES = 8, HOST_CS = 10, HOST_SS = 12, HOST_DS = 14, HOST_TR = 20, HOST_CR0 = 40, HOST_CR3 = 48, HOST_CR4 = 56,
    HOST_RIP = 80, PIN_CONTROLS = 92, EXIT_CONTROLS = 96, SECONDARY_CONTROLS = 100, MSR_BITMAP = 120, GUEST_ES = 128,
    GUEST_CS = 130, GUEST_SS = 132, GUEST_DS = 134, GUEST_TR = 142, ES_LIMIT = 144, CS_LIMIT = 148, SS_LIMIT = 152,
    DS_LIMIT = 156, TR_LIMIT = 172, GDTR_LIMIT = 176, IDTR_LIMIT = 180, ES_RIGHTS = 184, CS_RIGHTS = 188,
    SS_RIGHTS = 192, DS_RIGHTS = 196, FS_RIGHTS = 200, GS_RIGHTS = 204, LDTR_RIGHTS = 208, TR_RIGHTS = 212,
    GDTR = 280, IDTR = 288, LINK_POINTER = 416, GUEST_CR0 = 544, GUEST_CR3 = 552,
    GUEST_CR4 = 560, GUEST_DR7 = 568, HOST_GDTR = 600, HOST_IDTR = 608, HOST_RSP = 616, EXIT_REASON = 692, EXIT_INTERRUPTION = 696, VECTORING = 704, INSTRUCTION_LENGTH = 712,
    EXIT_QUALIFICATION = 720,
    GUEST_RSP = 768, GUEST_RFLAGS = 776, CPU_CONTROLS = 788, ENTRY_CONTROLS = 796, ENTRY_INTERRUPTION = 800,
    GUEST_RIP = 816, CLEAN_FIELDS = 824, ENLIGHTENMENTS = 836, VP_ID = 840, VM_ID = 848, PARTITION_ASSIST = 856 };
enum { USE_EVMCS = 40, CURRENT_EVMCS = 48 }; /* of the VP assist page */

/* Fields of a plain VMCS by their encodings (SDM 3D, appendix B), and where the enlightened one has them. */
static const struct { u16 encoding, offset, size; } fields[] = {
    {0x0C00, HOST_ES, 2}, {0x0C02, HOST_CS, 2}, {0x0C04, HOST_SS, 2}, {0x0C06, HOST_DS, 2}, {0x0C0C, HOST_TR, 2},
    {0x6C00, HOST_CR0, 8}, {0x6C02, HOST_CR3, 8}, {0x6C04, HOST_CR4, 8}, {0x6C0C, HOST_GDTR, 8}, {0x6C0E, HOST_IDTR, 8},
    {0x6C16, HOST_RIP, 8}, {0x4000, PIN_CONTROLS, 4}, {0x4002, CPU_CONTROLS, 4}, {0x400C, EXIT_CONTROLS, 4},
    {0x4012, ENTRY_CONTROLS, 4}, {0x401E, SECONDARY_CONTROLS, 4}, {0x2004, MSR_BITMAP, 8}, {0x2800, LINK_POINTER, 8},
    {0x0800, GUEST_ES, 2}, {0x0802, GUEST_CS, 2}, {0x0804, GUEST_SS, 2}, {0x0806, GUEST_DS, 2}, {0x080E, GUEST_TR, 2},
    {0x4800, ES_LIMIT, 4}, {0x4802, CS_LIMIT, 4}, {0x4804, SS_LIMIT, 4}, {0x4806, DS_LIMIT, 4}, {0x480E, TR_LIMIT, 4},
    {0x4814, ES_RIGHTS, 4}, {0x4816, CS_RIGHTS, 4}, {0x4818, SS_RIGHTS, 4}, {0x481A, DS_RIGHTS, 4},
    {0x481C, FS_RIGHTS, 4}, {0x481E, GS_RIGHTS, 4}, {0x4820, LDTR_RIGHTS, 4}, {0x4822, TR_RIGHTS, 4},
    {0x6800, GUEST_CR0, 8}, {0x6802, GUEST_CR3, 8}, {0x6804, GUEST_CR4, 8}, {0x681A, GUEST_DR7, 8},
    {0x4810, GDTR_LIMIT, 4}, {0x4812, IDTR_LIMIT, 4}, {0x6816, GDTR, 8}, {0x6818, IDTR, 8}, {0x681C, GUEST_RSP, 8},
    {0x6820, GUEST_RFLAGS, 8}, {0x681E, GUEST_RIP, 8},
};
#define ENCODING_RIP 0x681E
#define ENCODING_REASON 0x4402
#define ENCODING_ENTRY_INTERRUPTION 0x4016

static u8 region[PAGE] __attribute__((aligned(PAGE)));
static u8 plain[PAGE] __attribute__((aligned(PAGE)));
static u8 evmcs[PAGE] __attribute__((aligned(PAGE)));
static u8 bitmap[PAGE] __attribute__((aligned(PAGE))); /* one bit for each MSR, to read it; then to write it */
static u64 basic, first_cr4;
static int enlightened;

/* enter.S. Each gives whether the instruction has failed; enter() takes where to keep the stack pointer, by a field of
 * the plain VMCS if that is 0. */
extern int vmx_on(const u64 *region), vmx_clear(const u64 *vmcs), vmx_load(const u64 *vmcs);
extern int vmx_enter(int again, u64 *stack);
extern u8 vmx_exit[];

static void write_field(u64 encoding, u64 value)
{
    __asm__ volatile("vmwrite %1, %0" ::"r"(encoding), "rm"(value) : "cc");
}

static void set16(u32 offset, u32 value) { *(u16 *)(evmcs + offset) = value; }
static void set32(u32 offset, u32 value) { *(u32 *)(evmcs + offset) = value; }
static void set64(u32 offset, u64 value) { *(u64 *)(evmcs + offset) = value; }

static u64 field(u32 offset, u32 size)
{
    u64 value = *(u64 *)(evmcs + offset);

    return size == 8 ? value : value & ((1ULL << 8 * size) - 1);
}

/* What is wanted, as far as it can be set, and what has to be set. */
static u32 controls(u32 msr, u32 wanted)
{
    u64 allowed = 0;

    msr_read(msr, &allowed);
    return (wanted | (u32)allowed) & allowed >> 32;
}

static void set_up(u64 cr0, u64 cr4)
{
    u32 first = basic & TRUE_CONTROLS ? MSR_VMX_TRUE_CONTROLS : MSR_VMX_CONTROLS;
    struct { u16 limit; u64 base; } __attribute__((packed)) gdt, idt;
    u64 cr3;

    __asm__ volatile("sgdt %0; sidt %1; movq %%cr3, %2" : "=m"(gdt), "=m"(idt), "=r"(cr3));
    for (u32 offset = HOST_ES; offset <= HOST_DS; offset += 2)
        set16(offset, offset == HOST_CS ? CODE64 : DATA);
    for (u32 offset = GUEST_ES; offset <= GUEST_DS; offset += 2)
        set16(offset, offset == GUEST_CS ? CODE64 : DATA);
    for (u32 offset = ES_LIMIT; offset <= DS_LIMIT; offset += 4)
        set32(offset, ~0U);
    for (u32 offset = ES_RIGHTS; offset <= LDTR_RIGHTS; offset += 4)
        set32(offset, offset == CS_RIGHTS ? CODE_RIGHTS : offset <= DS_RIGHTS ? DATA_RIGHTS : UNUSABLE);
    /* Both need a task register, which nothing here uses. */
    set16(HOST_TR, CODE64);
    set16(GUEST_TR, CODE64);
    set32(TR_LIMIT, TASK_LIMIT);
    set32(TR_RIGHTS, TASK_RIGHTS);
    set64(HOST_CR0, cr0);
    set64(HOST_CR3, cr3);
    set64(HOST_CR4, cr4);
    set64(GUEST_CR0, cr0);
    set64(GUEST_CR3, cr3);
    set64(GUEST_CR4, cr4);
    set64(GUEST_DR7, 0x400);
    set32(GDTR_LIMIT, TABLE_LIMIT);
    set32(IDTR_LIMIT, TABLE_LIMIT);
    set64(GDTR, gdt.base);
    set64(IDTR, (u64)nested_gates);
    set64(GUEST_RSP, (u64)nested_stack_end);
    set64(GUEST_RFLAGS, 2);
    set64(HOST_GDTR, gdt.base);
    set64(HOST_IDTR, idt.base);
    set64(HOST_RIP, (u64)vmx_exit);
    set64(LINK_POINTER, ~0ULL);
    set64(MSR_BITMAP, (u64)bitmap);
    set32(PIN_CONTROLS, controls(first, 0));
    set32(CPU_CONTROLS, controls(first + 1, USE_MSR_BITMAPS | EXIT_ON_HLT) & ~SECONDARY);
    set32(EXIT_CONTROLS, controls(first + 2, LONG_MODE));
    set32(ENTRY_CONTROLS, controls(first + 3, LONG_MODE));
}

/* Enters VMX operation, and writes both VMCSs' fields; whether it could. */
static int start(void)
{
    u32 registers[4];
    u64 allowed, cr0, address = (u64)region;

    cpuid(1, registers);
    if (!(registers[ECX] & HAS_VMX) || !msr_read(MSR_VMX_BASIC, &basic))
        return 0;
    /* Firmware may have locked it already. */
    msr_write(MSR_FEATURE_CONTROL, FEATURE_CONTROL_VMX);
    if (!msr_read(MSR_FEATURE_CONTROL, &allowed) || ~allowed & FEATURE_CONTROL_VMX)
        return 0;
    __asm__ volatile("movq %%cr0, %0; movq %%cr4, %1" : "=r"(cr0), "=r"(first_cr4));
    __asm__ volatile("movq %0, %%cr0; movq %1, %%cr4" ::"r"(cr0 | CR0_NE), "r"(first_cr4 | CR4_VMXE));
    *(u32 *)region = *(u32 *)plain = basic & 0x7FFFFFFF;
    if (vmx_on(&address)) {
        __asm__ volatile("movq %0, %%cr4" ::"r"(first_cr4));
        return 0;
    }
    set_up(cr0 | CR0_NE, first_cr4 | CR4_VMXE);
    return 1;
}

static void stop(void)
{
    __asm__ volatile("vmxoff" ::: "cc", "memory");
    __asm__ volatile("movq %0, %%cr4" ::"r"(first_cr4));
}

int use_plain(void)
{
    u64 address = (u64)plain;

    enlightened = 0;
    if (vmx_clear(&address) || vmx_load(&address))
        return 0;
    for (u32 number = 0; number < sizeof fields / sizeof fields[0]; number++)
        write_field(fields[number].encoding, field(fields[number].offset, fields[number].size));
    return 1;
}

/* Without a plain VMCS, which would be the one that counts. */
int use_evmcs(void)
{
    u64 address = (u64)plain;

    vmx_clear(&address);
    if (!msr_write(MSR_VP_ASSIST_PAGE, (u64)assist_page | 1))
        return 0;
    enlightened = 1;
    *(u32 *)evmcs = EVMCS_VERSION;
    assist_page[USE_EVMCS] = 1;
    *(u64 *)(assist_page + CURRENT_EVMCS) = (u64)evmcs;
    return 1;
}

void leave_evmcs(void)
{
    assist_page[USE_EVMCS] = 0;
    msr_write(MSR_VP_ASSIST_PAGE, 0);
    enlightened = 0;
}

/* CR3 is in a group of fields that can be said to be clean; this is no address. */
void spoil_clean_field(int spoilt)
{
    set64(GUEST_CR3, spoilt ? ~0ULL : field(HOST_CR3, 8));
}

static void enlighten(u32 enlightenments)
{
    set32(ENLIGHTENMENTS, enlightenments);
    set32(VP_ID, 0);
    set64(VM_ID, 1);
    set64(PARTITION_ASSIST, (u64)partition_page);
}

static void intercept(void)
{
    bitmap[PAGE / 4 + NESTED_MSR % 0x2000 / 8] |= 1 << NESTED_MSR % 8;
}

static void let_interrupts_exit(void)
{
    set32(PIN_CONTROLS, field(PIN_CONTROLS, 4) | EXIT_ON_INTERRUPT);
    set64(GUEST_RFLAGS, 2 | INTERRUPTS_ON);
}

static void inject(u32 vector)
{
    if (enlightened)
        set32(ENTRY_INTERRUPTION, VALID | vector);
    else
        write_field(ENCODING_ENTRY_INTERRUPTION, VALID | vector);
}

/* Without a VPID every entry flushes it (SDM 3C, 29.3.3.1). */
static void flush(void) { }

static u64 run(const u8 *guest, int again, u32 clean)
{
    u64 reason = 0;
    int failed;

    if (enlightened) {
        if (guest)
            set64(GUEST_RIP, (u64)guest);
        set32(CLEAN_FIELDS, clean);
    } else if (guest) {
        write_field(ENCODING_RIP, (u64)guest);
    }
    __asm__ volatile("cli" ::: "memory");
    failed = vmx_enter(again, enlightened ? (u64 *)(evmcs + HOST_RSP) : 0);
    __asm__ volatile("sti" ::: "memory");
    if (failed)
        return FAULTED;
    if (enlightened) {
        set32(ENTRY_INTERRUPTION, 0); /* which has been injected */
        return field(EXIT_REASON, 4);
    }
    __asm__ volatile("vmread %1, %0" : "=rm"(reason) : "r"((u64)ENCODING_REASON) : "cc");
    return reason;
}

/* What a hypervisor looks at to handle an exit by an instruction, beside the reason. */
static u64 inspect(void)
{
    static const struct { u16 encoding, offset, size; } looked_at[] = {
        {0x6400, EXIT_QUALIFICATION, 8}, {0x4404, EXIT_INTERRUPTION, 4}, {0x4408, VECTORING, 4},
        {0x440C, INSTRUCTION_LENGTH, 4}, {0x681E, GUEST_RIP, 8}, {0x6820, GUEST_RFLAGS, 8},
    };
    u64 sum = 0, value;

    for (u32 number = 0; number < sizeof looked_at / sizeof looked_at[0]; number++) {
        if (enlightened)
            value = field(looked_at[number].offset, looked_at[number].size);
        else
            __asm__ volatile("vmread %1, %0" : "=rm"(value) : "r"((u64)looked_at[number].encoding) : "cc");
        sum += value;
    }
    return sum;
}

/* KVM since 6.12.y looks at the MSR bitmap also where other groups of controls have changed (linux:arch/x86/kvm/vmx/
 * nested.c, copy_enlightened_to_vmcs12(), runtime_controls). */
const struct hypervisor vmx = {start, stop, run, inspect, enlighten, intercept, let_interrupts_exit, inject, flush,
    vmx_reads, vmx_flushes, vmx_flushed, ALL_CLEAN};
