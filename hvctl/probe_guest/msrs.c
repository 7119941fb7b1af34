/* Hyper-V's MSRs: which of them answer, and which can be written; and those that say what VMX has. */

#include "probe.h"
#include "nested.h"

/* Ranges, all of which is harmless to read. TLFS, "Virtual Processor Register Names and MSRs". */
static const u32 ranges[][2] = {
    {0x480, 0x493}, /* VMX's capabilities, if there is VMX: SDM 3D, appendix A */
    {0x40000000, 0x40000003}, /* guest id, hypercall page, VP index, reset */
    {0x40000010, 0x40000010}, /* VP run time */
    {0x40000020, 0x40000023}, /* reference counter, reference TSC page, frequencies */
    {0x40000070, 0x40000073}, /* EOI, ICR, TPR, VP assist page */
    {0x40000080, 0x40000084}, /* SynIC: control, version, event and message page, end of message */
    {0x40000090, 0x4000009F}, /* its interrupt sources */
    {0x400000B0, 0x400000B7}, /* synthetic timers: configuration and count of four */
    {0x400000F1, 0x400000F5}, /* synthetic debugger: control, status, buffers */
    {0x400000FF, 0x400000FF}, /* its options */
    {0x40000100, 0x40000105}, /* crash parameters and control */
    {0x40000106, 0x40000108}, /* reenlightenment */
    {0x40000118, 0x40000118}, /* invariant TSC */
};

static void report_run(u32 first, u32 last, int ok, u64 value)
{
    say("msr");
    number(first);
    number(last);
    number_or_fault(ok, value);
    end_line();
}

/* As they are at the start, equal neighbours in one line: each byte that is printed costs an exit. */
void report_msrs(void)
{
    u32 registers[4];

    cpuid(1, registers);
    for (u32 range = registers[ECX] & HAS_VMX ? 0 : 1; range < sizeof ranges / sizeof *ranges; range++) {
        u32 first = ranges[range][0];
        u64 value = 0;
        int ok = msr_read(first, &value);

        for (u32 msr = first + 1; msr <= ranges[range][1]; msr++) {
            u64 next = 0;
            int next_ok = msr_read(msr, &next);

            if (next_ok == ok && next == value)
                continue;
            report_run(first, msr - 1, ok, value);
            first = msr;
            value = next;
            ok = next_ok;
        }
        report_run(first, ranges[range][1], ok, value);
    }
}

/* Whether it could be written; says what was written and what is read then. */
int write_and_tell(u32 msr, u64 value)
{
    u64 after = 0;
    int written = msr_write(msr, value);
    int read = written && msr_read(msr, &after);

    say("wrote");
    number(msr);
    number(value);
    number_or_fault(read, after);
    end_line();
    return read;
}
