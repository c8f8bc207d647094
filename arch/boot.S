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

    .bss
    .balign 16
boot_stack:
    .skip 16384
    .globl boot_stack_top
boot_stack_top:
