/* What nested.c runs as guests of its own, and how vmx.c enters them. */

#define PAGE 4096

    .text
    .code64

/* Guests: one exits, one halts, one reads an MSR and calls back, one has the TLB flushed by a hypercall and halts. */
    .globl nested_exits, nested_halt, vmx_reads, vmx_flushes, svm_reads, svm_flushes
nested_exits:
    cpuid
nested_halt:
    hlt
    .macro guests reads, flushes, instruction
\reads:
    movl $0xC0000100, %ecx /* NESTED_MSR */
    rdmsr
    \instruction
\flushes:
    movl $2, %ecx /* HvCallFlushVirtualAddressSpace */
    movl $nested_input, %edx
    \instruction
    hlt
    .endm
    guests vmx_reads, vmx_flushes, vmcall
    guests svm_reads, svm_flushes, vmmcall

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
2:  testl %edi, %edi
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
    .globl assist_page, partition_page, nested_input
    .balign PAGE
assist_page: .skip PAGE
partition_page: .skip PAGE
nested_input: .skip 64
nested_rax: .skip 8
