/* SPDX-License-Identifier: MIT */
/*
 * Entry from OpenSBI in S-mode, translation off. The boot hart comes with a0 = hartid and a1 = the
 * device tree; every other hart is started through SBI HSM with a0 = hartid and a1 = its idle
 * thread (SBI 1.0, section 9.1). RAM is direct-mapped, so switching translation on moves nothing.
 */
#include "arch/offsets.h"

    .section .text.boot, "ax"
    .globl _start
_start:
    csrw sie, zero
    csrw sscratch, zero
    /* Only the first hart boots. OpenSBI before 1.3 may send a secondary here instead of to its
     * start address, if it wakes in the wrong moment: it must not clear the bss again. It stops
     * itself, and whoever started it sees that and tries again (arch/hart.c). */
    la t0, boot_claimed
    li t1, 1
    amoswap.w t1, t1, (t0)
    bnez t1, stop_hart
    /* The image is loaded without its bss. */
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  la sp, boot_stack_top
    la tp, boot_thread
    li s0, 0
    la t0, trap_entry
    csrw stvec, t0
    call kmain
3:  wfi
    j 3b

stop_hart:
    li a7, 0x48534d        /* HSM, hart_stop (SBI 1.0, section 9.2) */
    li a6, 1
    ecall
    j 3b

    .globl secondary_start
secondary_start:
    csrw sie, zero
    csrw sscratch, zero
    mv tp, a1
    ld sp, T_KSTACK_TOP(tp) /* used only once translation is on */
    la t0, kernel_satp
    ld t0, 0(t0)
    sfence.vma
    csrw satp, t0
    sfence.vma
    la t0, trap_entry
    csrw stvec, t0
    li s0, 0
    ld a0, T_HART(tp)
    call secondary_main
4:  wfi
    j 4b

    .data
    .balign 4
boot_claimed:
    .word 0

    .bss
    .balign 16
boot_stack:
    .skip 16384
    .globl boot_stack_top
boot_stack_top:
