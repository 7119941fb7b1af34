/* Interrupts and exceptions, and the instructions that may raise one on purpose. */

#include "layout.h"

    .text
    .code64

/* int msr_read(u32 msr, u64 *value): 0 where the processor raises #GP */
    .globl msr_read, msr_read_at, msr_write, msr_write_at, msr_fault
msr_read:
    movl %edi, %ecx
msr_read_at:
    rdmsr
    shlq $32, %rdx
    orq %rdx, %rax
    movq %rax, (%rsi)
    movl $1, %eax
    ret

/* int msr_write(u32 msr, u64 value) */
msr_write:
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
msr_write_at:
    wrmsr
    movl $1, %eax
    ret

msr_fault:
    xorl %eax, %eax
    ret

/* u64 hypercall(u64 control, u64 input, u64 output, const u64 xmm0[2]): TLFS, "Hypercall Inputs" (x64) */
    .globl hypercall
hypercall:
    movups (%rcx), %xmm0
    movq %rdx, %r8
    movq %rsi, %rdx
    movq %rdi, %rcx
    movl $hypercall_page, %eax
    call *%rax
    ret

/* Entry points, 16 bytes each, for the vectors 0 to 31 and those of the probe (FIRST_VECTOR in probe.h). */
    .altmacro
    .macro entry number, has_error
    .balign 16
    .if \has_error == 0
    pushq $0
    .endif
    pushq $\number
    jmp common
    .endm

    .globl entries
    .balign 16
entries:
    .set number, 0
    .rept 40
    .if number == 8 || number == 10 || number == 11 || number == 12 || number == 13 || number == 14 || number == 17
    entry %number, 1
    .elseif number == 21 || number == 29 || number == 30
    entry %number, 1
    .else
    entry %number, 0
    .endif
    .set number, number + 1
    .endr

common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    movq %rsp, %rdi
    cld
    call trap
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq
