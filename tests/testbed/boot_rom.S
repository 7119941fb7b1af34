# An option ROM that enters a Linux kernel as Xen's boot protocol for PVH wants it: 32-bit protected mode, flat segments,
# EBX the address of hvm_start_info (linux:arch/x86/platform/pvh/head.S). The BIOS calls its byte 3 in real mode.
# It is linked at 0. The assembler is given ROM, where it is loaded, INFO and ENTRY; whoever uses it adds the last byte,
# which makes the sum of all zero.
        .code16
        .globl  _start
_start: .byte   0x55, 0xaa, 1           # an option ROM of 512 bytes
        cli
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   register
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $(ROM + flat)

        .code32
flat:   movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $INFO, %ebx
        movl    $ENTRY, %eax
        jmp     *%eax

        .balign 8
table:  .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff       # nothing, code and data: 4 GiB from 0 on
register:
        .word   register - table - 1
        .long   ROM + table
        .org    511
