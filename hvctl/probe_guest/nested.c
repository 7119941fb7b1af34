/*
 * The guest as a hypervisor of its own: whether what makes that cheaper works.
 *
 * With an enlightened VMCS (Intel's VMX only) a guest of a few instructions exits by CPUID and by HLT, and is resumed with
 * nonsense in a field that is said to be clean, which must not be looked at.
 *
 * Another guest reads an MSR and calls back. Run again with an MSR bitmap in which that read is intercepted now, but
 * which is said to be unchanged, it must not be intercepted yet; once the change is told, it must.
 *
 * A third one has the TLB flushed by a hypercall. Its hypervisor has asked that this is done without it, and then, by the
 * partition's lock count, to hear of it afterwards.
 */

#include "probe.h"
#include "nested.h"

static void answer(u64 reason)
{
    number_or_fault(reason != FAULTED, reason);
}

static void try_plain(void)
{
    u64 exits = FAULTED, halts = FAULTED;

    if (use_plain()) {
        exits = vmx.run(nested_exits, 0, 0);
        halts = vmx.run(nested_halt, 1, 0);
    }
    say("plain");
    answer(exits);
    answer(halts);
    end_line();
}

static void try_evmcs(void)
{
    u64 exits = vmx.run(nested_exits, 0, 0), halts = vmx.run(nested_halt, 1, 0), clean;

    spoil_clean_field(1);
    clean = vmx.run(nested_exits, 1, ALL_CLEAN);
    spoil_clean_field(0);
    say("enlightened");
    answer(exits);
    answer(halts);
    answer(clean);
    end_line();
}

static void try_bitmap(const struct hypervisor *own)
{
    u64 first, unchanged, changed;

    own->enlighten(MSR_BITMAP_OF_ITS_OWN);
    first = own->run(own->reads, 0, 0);
    own->intercept();
    unchanged = own->run(own->reads, 1, own->unchanged);
    changed = own->run(own->reads, 1, 0);
    say("nested");
    answer(first);
    answer(unchanged);
    answer(changed);
    end_line();
}

static void try_flush(const struct hypervisor *own)
{
    u64 alone, result, told;

    own->enlighten(DIRECT_FLUSH);
    assist_page[NESTED_FEATURES] = 1;
    nested_input[1] = ALL_PROCESSORS_AND_SPACES;
    alone = own->run(own->flushes, 0, 0);
    result = nested_rax;
    *(u32 *)partition_page = 1;
    told = own->run(own->flushes, 1, 0);
    assist_page[NESTED_FEATURES] = 0;
    say("inner");
    answer(alone);
    number(result);
    answer(told);
    end_line();
}

static void try_both(const struct hypervisor *own, u32 nested)
{
    if (nested & HAS_MSR_BITMAP)
        try_bitmap(own);
    if (nested & HAS_DIRECT_FLUSH)
        try_flush(own);
}

void check_nested(void)
{
    u32 nested = advertised(0x4000000A, EAX);

    if (vmx.start()) {
        try_plain();
        if (advertised(0x40000004, EAX) & HAS_EVMCS && use_evmcs()) {
            try_evmcs();
            try_both(&vmx, nested);
            leave_evmcs();
        }
        vmx.stop();
    } else if (nested & (HAS_MSR_BITMAP | HAS_DIRECT_FLUSH) && svm.start()) {
        msr_write(MSR_VP_ASSIST_PAGE, (u64)assist_page | 1);
        try_both(&svm, nested);
        msr_write(MSR_VP_ASSIST_PAGE, 0);
        svm.stop();
    }
}
