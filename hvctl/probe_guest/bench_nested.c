/* What exits of a guest's guest cost its hypervisor: by a plain VMCS or VMCB, and with what is enlightened. */

#include "bench.h"
#include "nested.h"

#define FLUSHES 16 /* in a row, so that the exit after them is a small part of it */

static const struct hypervisor *own;
static u32 clean;

static volatile u64 seen;

/* An exit, and what a hypervisor does about one: it learns the cause, and sets where the guest goes on. */
static void exit_of(const u8 *guest)
{
    own->run(guest, 1, clean);
    seen = own->inspect();
}

static void exit_by_cpuid_inside(void) { exit_of(nested_exits); }
static void exit_by_msr_inside(void) { exit_of(own->reads); }
static void exit_by_halt_inside(void) { exit_of(nested_halt); }

/* The guest goes on with an interrupt that its hypervisor has for it, and handles that first. */
static void exit_of_interrupted(const u8 *guest)
{
    own->inject(VECTOR_CALL);
    own->run(guest, 1, clean & ~VMX_CLEAN_EVENT);
    seen = own->inspect();
}

/* It is woken, and halts again. */
static void wake_inside(void) { exit_of_interrupted(nested_woken); }

/* An interrupt for its hypervisor comes while it runs, which is then passed on to it. */
static void interrupt_inside(void) { exit_of_interrupted(0); }

/* Many flushes, then a halt. Those that exit are answered. */
static void flush_inside(void)
{
    nested_left = FLUSHES;
    exit_of(own->flushes);
    for (u32 flush = 0; nested_left && flush < FLUSHES; flush++) {
        nested_rax = 0;
        own->flush();
        exit_of(own->flushed);
    }
}

/* Only where an interrupt reaches the guest's handler. */
static void measure_handled(u32 id, const u8 *guest, void (*once)(void))
{
    nested_handled = 0;
    own->run(guest, 1, 0);
    once();
    if (nested_handled)
        measure(id, once);
    else
        missing(id);
}

static void missing_inside(u32 first)
{
    static const u8 ways[] = {BY_CPUID, BY_MSR, BY_HALT, WOKEN, INTERRUPTED, FLUSHED};

    for (u32 way = 0; way < sizeof ways; way++)
        missing(first + ways[way]);
}

/* Measures all of them, if the guest's guest runs at all. */
static void measure_inside(u32 first)
{
    if (own->run(nested_halt, 0, 0) == FAULTED) {
        missing_inside(first);
        return;
    }
    measure(first + BY_CPUID, exit_by_cpuid_inside);
    measure(first + BY_MSR, exit_by_msr_inside);
    measure(first + BY_HALT, exit_by_halt_inside);
    measure_handled(first + WOKEN, nested_sleeps, wake_inside);
    measure_handled(first + INTERRUPTED, nested_calls, interrupt_inside);
    measure_many(first + FLUSHED, flush_inside, FLUSHES);
}

/* Only where the flush succeeds without an answer of the guest's hypervisor. */
static void measure_direct_flush(void)
{
    own->enlighten(DIRECT_FLUSH);
    assist_page[NESTED_FEATURES] = 1;
    nested_rax = FAULTED;
    own->run(own->flushes, 1, 0);
    if (nested_rax)
        missing(FLUSH_DIRECT);
    else
        measure_many(FLUSH_DIRECT, flush_inside, FLUSHES);
    assist_page[NESTED_FEATURES] = 0;
}

static void measure_bitmap(u32 all_clean)
{
    own->enlighten(MSR_BITMAP_OF_ITS_OWN);
    clean = all_clean;
    measure_inside(INSIDE_BITMAP);
}

void measure_nested(void)
{
    u32 nested = advertised(0x4000000A, EAX);

    /* KVM listens to no hypercalls of a guest that has not said what it is. */
    set_up_calls();
    nested_input[1] = ALL_PROCESSORS_AND_SPACES;
    /* Every read of the MSR is an exit: not to depend on what KVM lets through. */
    if (vmx.start()) {
        own = &vmx;
        own->intercept();
        own->let_interrupts_exit();
        if (use_plain())
            measure_inside(INSIDE_PLAIN);
        if (advertised(0x40000004, EAX) & HAS_EVMCS && use_evmcs()) {
            clean = ALL_CLEAN & ~VMX_CLEAN_BITMAP;
            measure_inside(INSIDE_EVMCS);
            if (nested & HAS_DIRECT_FLUSH)
                measure_direct_flush();
            if (nested & HAS_MSR_BITMAP)
                measure_bitmap(ALL_CLEAN);
            leave_evmcs();
        }
        own->stop();
    } else if (svm.start()) {
        own = &svm;
        own->intercept();
        own->let_interrupts_exit();
        measure_inside(INSIDE_PLAIN);
        if (nested & HAS_DIRECT_FLUSH && msr_write(MSR_VP_ASSIST_PAGE, (u64)assist_page | 1)) {
            measure_direct_flush();
            msr_write(MSR_VP_ASSIST_PAGE, 0);
        }
        if (nested & HAS_MSR_BITMAP)
            measure_bitmap(SVM_CLEAN_BITMAP);
        own->stop();
    } else {
        missing_inside(INSIDE_PLAIN);
    }
}
