/* What each processor sees by CPUID, and its index as Hyper-V counts. */

#include "probe.h"

#define MSR_VP_INDEX 0x40000002

static const u32 known[LEAVES] = {
    0x40000000, 0x40000001, 0x40000002, 0x40000003, 0x40000004, 0x40000005, 0x40000006, 0x40000007,
    0x40000008, 0x40000009, 0x4000000A, 0x40000080, 0x40000081, 0x40000082, 0x40000100, 0x40000101,
};

/* A register of the first processor's; 0 where there is no Hyper-V interface at all ("Hv#1"). */
u32 advertised(u32 leaf, int reg)
{
    const struct cpu *first = cpu_at(0);

    return first->leaves[1][EAX] == 0x31237648 ? first->leaves[leaf - known[0]][reg] : 0;
}

void look_around(struct cpu *cpu)
{
    for (int place = 0; place < LEAVES; place++)
        cpuid(known[place], cpu->leaves[place]);
    cpu->has_index = msr_read(MSR_VP_INDEX, &cpu->index);
    __atomic_store_n(&cpu->ready, 1, __ATOMIC_SEQ_CST);
}

/* The bits of the indices of the first `count` processors; 0 where one of them is unknown or above 63. */
u64 processor_set(u32 count)
{
    u64 set = 0;

    for (u32 number = 0; number < count; number++) {
        const struct cpu *cpu = cpu_at(number);

        if (!cpu->has_index || cpu->index > 63)
            return 0;
        set |= 1ULL << cpu->index;
    }
    return set;
}

static int same(const struct cpu *cpu, int place)
{
    const struct cpu *first = cpu_at(0);

    for (int reg = EAX; reg <= EDX; reg++)
        if (cpu->leaves[place][reg] != first->leaves[place][reg])
            return 0;
    return 1;
}

static void report_leaf(const struct cpu *cpu, int place)
{
    say("leaf");
    number(cpu->number);
    number(known[place]);
    for (int reg = EAX; reg <= EDX; reg++)
        number(cpu->leaves[place][reg]);
    end_line();
}

/* All leaves of the first; of each other one those that differ, and how many do not. */
static void report_cpu(const struct cpu *cpu)
{
    u32 equal = 0;

    say("cpu");
    number(cpu->number);
    number(cpu->apic_id);
    number_or_fault(cpu->has_index, cpu->index);
    end_line();
    for (int place = 0; place < LEAVES; place++) {
        if (cpu->number && same(cpu, place))
            equal++;
        else
            report_leaf(cpu, place);
    }
    if (equal) {
        say("same");
        number(cpu->number);
        number(equal);
        end_line();
    }
}

void report_cpus(void)
{
    for (u32 number = 0; number < MOST_CPUS; number++)
        if (cpu_at(number)->ready)
            report_cpu(cpu_at(number));
}
