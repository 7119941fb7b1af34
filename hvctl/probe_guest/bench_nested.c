/* What exits of a guest's guest cost its hypervisor: by a plain VMCS or VMCB, and with what is enlightened. */

#include "bench.h"
#include "nested.h"

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

static void missing_inside(u32 first)
{
    for (u32 way = 0; way < 3; way++)
        missing(first + way);
}

/* Measures the three, if the guest's guest runs at all. */
static void measure_inside(u32 first)
{
    if (own->run(nested_halt, 0, 0) == FAULTED) {
        missing_inside(first);
        return;
    }
    measure(first, exit_by_cpuid_inside);
    measure(first + 1, exit_by_msr_inside);
    measure(first + 2, exit_by_halt_inside);
}

void measure_nested(void)
{
    u32 nested = advertised(0x4000000A, EAX);

    /* Every read of the MSR is an exit: not to depend on what KVM lets through. */
    if (vmx.start()) {
        own = &vmx;
        own->intercept();
        if (use_plain())
            measure_inside(INSIDE_PLAIN);
        if (advertised(0x40000004, EAX) & HAS_EVMCS && use_evmcs()) {
            clean = ALL_CLEAN & ~VMX_CLEAN_BITMAP;
            measure_inside(INSIDE_EVMCS);
            if (nested & HAS_MSR_BITMAP) {
                own->enlighten(MSR_BITMAP_OF_ITS_OWN);
                own->run(nested_halt, 0, 0);
                clean = ALL_CLEAN;
                measure_inside(INSIDE_BITMAP);
            }
            leave_evmcs();
        }
        own->stop();
    } else if (svm.start()) {
        own = &svm;
        own->intercept();
        measure_inside(INSIDE_PLAIN);
        if (nested & HAS_MSR_BITMAP) {
            own->enlighten(MSR_BITMAP_OF_ITS_OWN);
            clean = SVM_CLEAN_BITMAP;
            measure_inside(INSIDE_BITMAP);
        }
        own->stop();
    } else {
        missing_inside(INSIDE_PLAIN);
    }
}
