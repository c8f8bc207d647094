/* SPDX-License-Identifier: MIT */
/*
 * The page of code that each process gets mapped R-X: where signal handlers return to. It is a page
 * of the kernel's read-only data, so processes share it and nobody can write it.
 *
 * Unwinders recognise a signal frame by exactly these two instructions (li a7, 139; ecall, neither
 * compressed), and step back from pc - 1 as if from a call: hence the nop before them.
 */
#include <asm/unistd.h>

    .section .rodata.vdso, "a"
    .option norvc
    .balign 4096
    .globl vdso_start
vdso_start:
    nop
    .globl vdso_sigreturn
vdso_sigreturn:
    li a7, __NR_rt_sigreturn
    ecall
    unimp
    .balign 4096
