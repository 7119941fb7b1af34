/* What nested.c runs as guests of its own, and how vmx.c enters them. */

#include "layout.h"

#define PAGE 4096
#define ICR_TO_SELF 0x44000
#define VECTOR 32 /* VECTOR_CALL of probe.h: the first after the processor's own */

    .text
    .code64

/* Guests: one exits, one halts, one halts and goes on when it is woken, one interrupts its hypervisor and waits until
 * it is interrupted itself, one reads an MSR and calls back, one has the TLB flushed by hypercalls and halts. None keeps
 * anything in a register from an exit to the next entry. */
    .globl nested_exits, nested_halt, nested_sleeps, nested_woken, nested_calls
    .globl vmx_reads, vmx_flushes, vmx_flushed, svm_reads, svm_flushes, svm_flushed
nested_exits:
    cpuid
nested_halt:
    hlt
nested_sleeps:
    hlt
nested_woken:
    jmp nested_sleeps
nested_calls:
    movl $1, nested_waits(%rip)
    movl $0xFEE00300, %edx /* the APIC's ICR */
    movl $ICR_TO_SELF + VECTOR, (%rdx)
1:  cmpl $0, nested_waits(%rip)
    jne 1b
    jmp nested_calls
nested_handler:
    incl nested_handled(%rip)
    movl $0, nested_waits(%rip)
    iretq
    .macro guests reads, flushes, flushed, instruction
\reads:
    movl $0xC0000100, %ecx /* NESTED_MSR */
    rdmsr
    \instruction
\flushes:
    movl $2, %ecx /* HvCallFlushVirtualAddressSpace */
    movl $nested_input, %edx
    \instruction
\flushed:
    decl nested_left(%rip)
    jg \flushes
    hlt
    .endm
    guests vmx_reads, vmx_flushes, vmx_flushed, vmcall
    guests svm_reads, svm_flushes, svm_flushed, vmmcall

/* Their interrupt table, of one gate. An image is too small for an address of more than 16 bits. */
    .globl nested_gates
    .balign 16
nested_gates:
    .skip 16 * VECTOR
    .word nested_handler, CODE64, 0x8E00, 0
    .quad 0

/* int vmx_on(const u64 *region) and the like: whether the instruction has failed */
    .macro vmx name, instruction
    .globl \name
\name:
    \instruction (%rdi)
    setna %al
    movzbl %al, %eax
    ret
    .endm
    vmx vmx_on, vmxon
    vmx vmx_clear, vmclear
    vmx vmx_load, vmptrld

/* int vmx_enter(int again, u64 *stack): see vmx.c */
    .globl vmx_enter, vmx_exit, nested_rax
vmx_enter:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    testq %rsi, %rsi
    jz 1f
    movq %rsp, (%rsi)
    jmp 2f
1:  movl $0x6C14, %eax
    vmwrite %rsp, %rax
2:  movq nested_rax(%rip), %rax
    testl %edi, %edi
    jnz 3f
    vmlaunch
    jmp 4f
3:  vmresume
4:  movl $1, %eax
    jmp 5f
vmx_exit:
    movq %rax, nested_rax(%rip)
    xorl %eax, %eax
5:  popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

/* Pages that the hypervisor below knows; the input of the hypercall above. */
    .bss
    .globl assist_page, partition_page, nested_input, nested_stack_end, nested_left, nested_handled
    .balign PAGE
assist_page: .skip PAGE
partition_page: .skip PAGE
nested_input: .skip 64
nested_rax: .skip 8
    .skip 256
nested_stack_end:
nested_left: .skip 4
nested_handled: .skip 4
nested_waits: .skip 4
