/*
 * A guest that is a hypervisor, and whose own guest runs nearly all the time: what the tests move from one QEMU to
 * another. It uses an enlightened VMCS where it is offered one, and goes on with what it has begun wherever it is moved.
 *
 * Its notes are in its memory, as migration_guest.py says, which also writes the leaves to look at into the firmware.
 */

#include "probe.h"
#include "nested.h"

#define NOTES 0x10000
#define FIRMWARE 0xF0000 /* where its last 64 KiB are, besides the end of 4 GiB */
#define FEW 1000000      /* turns of an empty loop, some 10 ms */

struct notes {
    u32 ticks, unused[2], exits;
    u64 counter, reason;
    u32 more[8], leaves[][4];
};

u8 hypercall_page[PAGE] __attribute__((aligned(PAGE)));

/* Its guest: a loop, and an exit by CPUID or, on SVM, by HLT. Interrupts are on: with them off Bochs lets none of the host's
 * in, and the guest would be stopped after its exit only. */
extern const u8 spins[];
__asm__(".text; spins: sti; movl $1000000, %ecx; 1: decl %ecx; jnz 1b; cpuid; hlt");

static const struct hypervisor *enter_first(volatile struct notes *notes)
{
    const struct hypervisor *own = 0;

    if (vmx.start() && (advertised(0x40000004, EAX) & HAS_EVMCS ? use_evmcs() : use_plain()))
        own = &vmx;
    else if (svm.start())
        own = &svm;
    if (own)
        notes->reason = own->run(spins, 0, 0);
    return own;
}

void other_main(u32 number)
{
    (void)number;
    leave();
}

void first_main(void)
{
    volatile struct notes *notes = (struct notes *)NOTES;
    const u32 *leaves = (const u32 *)FIRMWARE, count = *leaves++;
    const struct hypervisor *own;
    u32 registers[4];

    start_interrupts();
    look_around(here());
    own = enter_first(notes);
    for (;;) {
        for (u32 place = 0; place < count; place++) {
            cpuid(leaves[place], registers);
            for (int reg = EAX; reg <= EDX; reg++)
                notes->leaves[place][reg] = registers[reg];
        }
        if (own)
            notes->reason = own->run(spins, 1, 0);
        if (own && notes->reason != FAULTED)
            notes->exits++;
        else
            for (u32 turn = 0; turn < FEW; turn++)
                __asm__ volatile("");
        notes->ticks++;
    }
}
