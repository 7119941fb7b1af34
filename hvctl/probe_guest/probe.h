/* What the parts of the probe guest share. The lines that it prints are described in PROTOCOL.md. */

#include "layout.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define PAGE 4096
#define FAULTED (~0ULL) /* what hypercall() returns where the instruction raises #UD or #GP */

/* Interrupt vectors: 0 to 31 are the processor's, the entries after them (trap.S) are the probe's. */
enum { FIRST_VECTOR = 32, VECTOR_CALL = 32, VECTOR_LOOK, VECTOR_MESSAGE, VECTOR_TIMER, VECTOR_APIC, VECTORS = 40 };

/* CPUID: 0x40000000 to 0x4000000A, 0x40000080 to 82, 0x40000100 and 101. */
enum { LEAVES = 16 };
enum { EAX, EBX, ECX, EDX };

/* A synthetic timer that was armed: by a message, or by an interrupt of its own. */
struct fired {
    u32 tried, armed, came;
    u32 type, timer; /* of the message */
    u64 late, off;   /* in 100 ns: after its time, and from that to the one that the message says */
};

struct cpu {
    u32 number;
    u32 apic_id;
    u32 ready;
    u32 has_index;
    u64 index;
    u32 leaves[LEAVES][4];
    u32 arrived[VECTORS];
    u64 looked[2]; /* what it has read through the two pages of the window */
    u32 task;      /* what it is to try; 0 again when it has */
    struct fired message, direct;
};

_Static_assert(sizeof(struct cpu) <= CPU_SIZE / 2, "no room for the stack");

struct frame {
    u64 r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    u64 vector, error, rip, cs, flags, rsp, ss;
};

/* trap.S */
int msr_read(u32 msr, u64 *value);
int msr_write(u32 msr, u64 value);
u64 hypercall(u64 control, u64 input, u64 output, const u64 xmm0[2]);
extern u8 entries[], msr_read_at[], msr_write_at[], msr_fault[];
extern u8 hypercall_page[PAGE];

/* boot.S */
extern u8 cpus[MOST_CPUS][CPU_SIZE];
extern u64 window[512], high_directory[512];
extern volatile u32 taken;

/* say.c */
void say(const char *name);
void number(u64 value);
void number_or_fault(int ok, u64 value);
void end_line(void);
void end_report(void);

/* machine.c. The hook runs on the processor that is interrupted, before the interrupt counts as arrived. */
extern void (*on_interrupt)(struct cpu *cpu, u32 vector);
extern u64 patience;
#define MORE_PATIENCE (1ULL << 34) /* with vCPUs that are far more than CPUs, one may have to wait long for its turn */
u32 cpu_count(void);
u64 tsc(void);
void cpuid(u32 leaf, u32 registers[4]);
void start_interrupts(void);
void start_others(void);
void send_vector(u32 vector, int to_self);
void end_of_interrupt(void);
int in_service(u32 vector);
int wait_for(const volatile u32 *counter, u32 value);
struct cpu *here(void);
struct cpu *cpu_at(u32 number);
void leave(void) __attribute__((noreturn));

/* leaves.c */
u32 advertised(u32 leaf, int reg);
u64 processor_set(u32 count);
void look_around(struct cpu *cpu);
void report_cpus(void);

/* msrs.c */
void report_msrs(void);
int write_and_tell(u32 msr, u64 value);

/* clock.c, timers.c, calls.c, flush.c, small.c, nested.c: each prints what it finds of what is advertised */
u64 reference_time(void);
void check_clocks(void);
void try_timers(void);
void check_timers(u32 count);
void check_calls(void);
void check_interrupts(u32 count);
void look(struct cpu *cpu, u32 vector);
void check_flushes(u32 count);
void check_small(void);
void check_nested(void);
void try_crash(void);
void try_reset(void);

static inline void out8(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline void out16(u16 port, u16 value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
static inline u8 in8(u16 port)
{
    u8 value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
