/* Addresses that the assembler, the compiler and the linker script share. All RAM is below 640 KiB. */

#define RAM 0x8000       /* the image runs here; page-aligned and below 1 MiB, for the start-up IPI's vector */
#define BSS 0x20000      /* what is zero at the start, as QEMU's RAM is */
#define ROM 0xFFFFFF00   /* the last 256 bytes below 4 GiB: where the processor starts, and what copies the rest */
#define ROM_SIZE 0x100

#define MOST_CPUS 64
#define CPU_SIZE 0x1000  /* a struct cpu, and above it that processor's stack */

#define CODE32 0x08
#define DATA 0x10
#define CODE64 0x18

#define PARAMETER 0xFFFFFFEC /* 4 bytes before the reset vector: what a measuring guest is to measure */
#define HPET_BASE 0xFED00000
#define WINDOW 0x40000000 /* two pages of 4 KiB, whose mapping the flushes are tried on */
