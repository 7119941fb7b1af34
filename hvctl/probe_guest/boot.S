/*
 * From the reset vector, and from the start-up IPI, to 64-bit C.
 *
 * Nothing here writes to ROM: KVM maps it read-only, and the processor's own write of a descriptor's accessed bit into
 * it would be repeated for ever. So these bits are set in the table from the start (0x9b and 0x93, not 0x9a and 0x92).
 */

#include "layout.h"

#define CR0_PE 0x1
#define CR0_PG 0x80000000
#define CR0_CLEAR 0xE000000C  /* no cache disabling (29, 30), no FPU traps (2, 3); paging comes later (31) */
#define CR4_PAE_OSFXSR 0x620  /* PAE, OSFXSR, OSXMMEXCPT */
#define MSR_EFER 0xC0000080
#define EFER_LME 0x100
#define PAGE_RW 0x3
#define PAGE_2M_RW 0x83
#define DEBUG_PORT 0x402
#define EXIT_PORT 0xF4

    .section .rom, "ax"
    .code16
rom:
    cli
    /* CS has the base 0xFFFF0000 here. */
    lgdtl %cs:(ROM & 0xFFFF) + rom_gdtr - rom
    movl %cr0, %eax
    andl $~CR0_CLEAR, %eax
    orb $CR0_PE, %al
    movl %eax, %cr0
    ljmpl $CODE32, $rom32

    .code32
rom32:
    movl $DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $rom_copy, %esi
    movl $RAM, %edi
    movl $ram_words, %ecx
    rep movsl
    /* Not by a relative jump, which would be out of the linker's reach. */
    movl $first32, %eax
    jmp *%eax

    .balign 8
rom_gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF  /* CODE32 */
    .quad 0x00CF93000000FFFF  /* DATA */
rom_gdtr:
    .word . - rom_gdt - 1
    .long rom_gdt

    .org ROM_SIZE - 0x10
    .code16
    .globl reset
reset:
    jmp rom
    .org ROM_SIZE

/* At RAM: where a start-up IPI with vector RAM >> 12 begins. */
    .section .start, "ax"
    .code16
start:
    cli
    lgdtl %cs:gdtr - start
    movl %cr0, %eax
    andl $~CR0_CLEAR, %eax
    orb $CR0_PE, %al
    movl %eax, %cr0
    ljmpl $CODE32, $other32

    .code32
other32:
    movl $DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    jmp enable_long_mode

first32:
    lgdtl gdtr
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc no_long_mode
    /* Identity: the first 2 MiB, and the 2 MiB of the APIC. At 1 GiB a window of 4 KiB pages for the flushes. */
    movl $low_directory + PAGE_RW, pointers
    movl $window_directory + PAGE_RW, pointers + 8
    movl $high_directory + PAGE_RW, pointers + 24
    movl $pointers + PAGE_RW, tables
    movl $PAGE_2M_RW, low_directory
    movl $0xFEE00000 + PAGE_2M_RW, high_directory + 503 * 8
    movl $window + PAGE_RW, window_directory
    xorl %ebx, %ebx

enable_long_mode:
    movl %cr4, %eax
    orl $CR4_PAE_OSFXSR, %eax
    movl %eax, %cr4
    movl $tables, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_PG, %eax
    movl %eax, %cr0
    ljmp $CODE64, $start64

no_long_mode:
    movl $no_long_mode_text, %esi
    movl $no_long_mode_end - no_long_mode_text, %ecx
    movl $DEBUG_PORT, %edx
    rep outsb
    movb $0x10, %al
    outb %al, $EXIT_PORT
    hlt

    .code64
start64:
    /* The first processor is number 0, the others take a number each. The stack is the rest of the struct's page. */
    movl $1, %edi
    lock xaddl %edi, taken(%rip)
    cmpl $MOST_CPUS, %edi
    jae too_many
    movl %edi, %eax
    incl %eax
    shll $12, %eax
    leal cpus(%rax), %esp
    xorl %ebp, %ebp
    testl %edi, %edi
    jnz 1f
    call first_main
1:  call other_main
too_many:
    cli
    hlt
    jmp too_many

    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF  /* CODE32 */
    .quad 0x00CF93000000FFFF  /* DATA */
    .quad 0x00AF9B000000FFFF  /* CODE64 */
gdtr:
    .word . - gdt - 1
    .long gdt

/* A whole report, with the checksum that say.c would compute. */
no_long_mode_text:
    .ascii "hvctl-probe 3\n"
    .ascii "nolongmode\n"
    .ascii "end 2 5e380548\n"
no_long_mode_end:

    .bss
    .balign 4096
    .globl window, high_directory, cpus, taken
tables: .skip 4096
pointers: .skip 4096
low_directory: .skip 4096
high_directory: .skip 4096
window_directory: .skip 4096
window: .skip 4096
cpus: .skip MOST_CPUS * CPU_SIZE
taken: .skip 4
