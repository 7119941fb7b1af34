/* What one processor does alone: reading clocks, using its APIC, exits, arming timers. */

#include "bench.h"

#define MSR_APIC_BASE 0x1B
#define MSR_TSC_DEADLINE 0x6E0
#define MSR_TIME_REF_COUNT 0x40000020
#define MSR_REFERENCE_TSC 0x40000021
#define MSR_EOI 0x40000070
#define MSR_ICR 0x40000071
#define MSR_TPR 0x40000072
#define MSR_VP_ASSIST_PAGE 0x40000073
#define MSR_SCONTROL 0x40000080
#define MSR_SINT0 0x40000090
#define MSR_STIMER0_CONFIG 0x400000B0
#define MSR_STIMER0_COUNT 0x400000B1
#define HAS_TIME_REF_COUNT (1u << 1) /* 0x40000003.EAX */
#define HAS_SYNIC (1u << 2)
#define HAS_STIMERS (1u << 3)
#define HAS_APIC_ACCESS (1u << 4)
#define HAS_REFERENCE_TSC (1u << 9)

#define APIC_TPR ((volatile u32 *)0xFEE00080)
#define APIC_LVT_TIMER ((volatile u32 *)0xFEE00320)
#define APIC_INITIAL_COUNT ((volatile u32 *)0xFEE00380)
#define LVT_MASKED 0x10000
#define LVT_DEADLINE 0x40000
#define ICR_TO_SELF 0x44000
#define STIMER_AUTO_ENABLE 8
#define STIMER_SOURCE (2 << 16)

#define PCI_ADDRESS 0xCF8
#define PCI_DATA 0xCFC
#define HPET_COUNTER ((volatile u32 *)(HPET_BASE + 0xF0))
#define HPET_CONFIG ((volatile u32 *)(HPET_BASE + 0x10))
#define PM_BASE 0x600

static struct { volatile u32 sequence, reserved; volatile u64 scale, offset; } page __attribute__((aligned(PAGE)));
static volatile u32 assist[PAGE / 4] __attribute__((aligned(PAGE)));
static volatile u64 sink;
static u16 pm_timer;

static inline u32 in32(u16 port)
{
    u32 value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void out32(u16 port, u32 value) { __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }

static u32 pci(u32 device, u32 function, u32 reg)
{
    out32(PCI_ADDRESS, 0x80000000 | device << 11 | function << 8 | reg);
    return in32(PCI_DATA);
}

/* Where the ACPI PM timer is: of the PIIX4 (machine pc) or the ICH9 (q35), which the firmware has to switch on. */
static u16 find_pm_timer(void)
{
    if (pci(1, 3, 0) == 0x71138086) {
        pci(1, 3, 0x40);
        out32(PCI_DATA, PM_BASE | 1);
        pci(1, 3, 0x80);
        out32(PCI_DATA, 1);
        return PM_BASE + 8;
    }
    if (pci(31, 0, 0) == 0x29188086) {
        pci(31, 0, 0x40);
        out32(PCI_DATA, PM_BASE | 1);
        pci(31, 0, 0x44);
        out32(PCI_DATA, 0x80);
        return PM_BASE + 8;
    }
    return 0;
}

static void read_tsc(void) { sink = tsc(); }
static void read_msr(void) { u64 value = 0; msr_read(MSR_TIME_REF_COUNT, &value); sink = value; }
static void read_pm_timer(void) { sink = in32(pm_timer); }
static void read_hpet(void) { sink = *HPET_COUNTER; }

static void read_page(void)
{
    u32 sequence;

    do {
        sequence = page.sequence;
        __asm__ volatile("" ::: "memory");
        sink = (u64)((unsigned __int128)tsc() * page.scale >> 64) + page.offset;
        __asm__ volatile("" ::: "memory");
    } while (sequence != page.sequence);
}

static int has_hpet(void)
{
    /* The upper half of its first register is its maker's PCI vendor id. Nothing there reads as 0 or as ones. */
    if (*(volatile u32 *)HPET_BASE >> 16 != 0x8086)
        return 0;
    *HPET_CONFIG |= 1;
    return 1;
}

void measure_clocks(void)
{
    u32 features = advertised(0x40000003, EAX);

    measure(RDTSC, read_tsc);
    if (features & HAS_REFERENCE_TSC && msr_write(MSR_REFERENCE_TSC, (u64)&page | 1) && page.sequence)
        measure(TSC_PAGE, read_page);
    else
        missing(TSC_PAGE);
    if (features & HAS_TIME_REF_COUNT)
        measure(REFERENCE_COUNTER, read_msr);
    pm_timer = find_pm_timer();
    if (pm_timer)
        measure(PM_TIMER, read_pm_timer);
    else
        missing(PM_TIMER);
    if (has_hpet())
        measure(HPET, read_hpet);
    else
        missing(HPET);
}

/* Interrupts to itself, from the sending to the end of interrupt. */
static void wait_for_own(void)
{
    volatile u32 *arrived = &here()->arrived[VECTOR_APIC];

    while (!*arrived)
        ;
    *arrived = 0;
}

static void interrupt_by_memory(void)
{
    send_vector(VECTOR_APIC, 1);
    wait_for_own();
    end_of_interrupt();
}

static void interrupt_by_msr(void)
{
    msr_write(MSR_ICR, ICR_TO_SELF | VECTOR_APIC);
    wait_for_own();
    msr_write(MSR_EOI, 0);
}

/* Bit 0 of the page says that no end of interrupt is needed. TLFS, "Virtual EOI". */
static void interrupt_by_page(void)
{
    u8 unneeded;

    msr_write(MSR_ICR, ICR_TO_SELF | VECTOR_APIC);
    wait_for_own();
    __asm__ volatile("btrl $0, %0; setc %1" : "+m"(assist[0]), "=r"(unneeded));
    if (!unneeded)
        msr_write(MSR_EOI, 0);
}

static void priority_by_memory(void) { *APIC_TPR = 0; }
static void priority_by_msr(void) { msr_write(MSR_TPR, 0); }
static void priority_by_cr8(void) { __asm__ volatile("movq %0, %%cr8" ::"r"(0ULL)); }

void measure_apic(void)
{
    measure(EOI_MEMORY, interrupt_by_memory);
    measure(TPR_MEMORY, priority_by_memory);
    measure(TPR_CR8, priority_by_cr8);
    if (!(advertised(0x40000003, EAX) & HAS_APIC_ACCESS))
        return;
    measure(EOI_MSR, interrupt_by_msr);
    measure(TPR_MSR, priority_by_msr);
    if (msr_write(MSR_VP_ASSIST_PAGE, (u64)assist | 1))
        measure(EOI_PAGE, interrupt_by_page);
    msr_write(MSR_VP_ASSIST_PAGE, 0);
}

static void exit_by_cpuid(void) { u32 registers[4]; cpuid(0, registers); sink = registers[0]; }
static void exit_by_msr(void) { u64 value = 0; msr_read(MSR_APIC_BASE, &value); sink = value; }

void measure_exits(void)
{
    measure(EXIT_CPUID, exit_by_cpuid);
    measure(EXIT_MSR, exit_by_msr);
}

static u64 far;

static void arm_apic(void) { *APIC_INITIAL_COUNT = ~0U; }
static void arm_deadline(void) { msr_write(MSR_TSC_DEADLINE, far); }
static void arm_synthetic(void) { msr_write(MSR_STIMER0_COUNT, far); }

/* Each is armed again and again for a time that never comes. */
void measure_timers(void)
{
    u32 registers[4], features = advertised(0x40000003, EAX);

    *APIC_LVT_TIMER = LVT_MASKED | VECTOR_TIMER;
    measure(ARM_APIC, arm_apic);
    *APIC_INITIAL_COUNT = 0;
    cpuid(1, registers);
    if (registers[ECX] >> 24 & 1) {
        far = tsc() + (1ULL << 40);
        *APIC_LVT_TIMER = LVT_DEADLINE | LVT_MASKED | VECTOR_TIMER;
        measure(ARM_DEADLINE, arm_deadline);
        msr_write(MSR_TSC_DEADLINE, 0);
    } else {
        missing(ARM_DEADLINE);
    }
    *APIC_LVT_TIMER = LVT_MASKED;
    if (!(features & HAS_SYNIC && features & HAS_STIMERS))
        return;
    far = 1ULL << 40; /* in 100 ns: a day and more */
    if (msr_write(MSR_SCONTROL, 1) && msr_write(MSR_SINT0 + 2, VECTOR_MESSAGE)
        && msr_write(MSR_STIMER0_CONFIG, STIMER_SOURCE | STIMER_AUTO_ENABLE))
        measure(ARM_SYNTHETIC, arm_synthetic);
    msr_write(MSR_STIMER0_CONFIG, 0);
}
