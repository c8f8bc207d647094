/* SPDX-License-Identifier: MIT */
/* The switch from one thread to the next: callee-saved registers, stack and tp; nothing else. */
#include "arch/offsets.h"

    .text
/* struct thread *switch_context(struct thread *prev, struct thread *next): returns prev, in next. */
    .globl switch_context
switch_context:
    sd ra, T_CONTEXT+0(a0)
    sd sp, T_CONTEXT+8(a0)
    sd s0, T_CONTEXT+16(a0)
    sd s1, T_CONTEXT+24(a0)
    sd s2, T_CONTEXT+32(a0)
    sd s3, T_CONTEXT+40(a0)
    sd s4, T_CONTEXT+48(a0)
    sd s5, T_CONTEXT+56(a0)
    sd s6, T_CONTEXT+64(a0)
    sd s7, T_CONTEXT+72(a0)
    sd s8, T_CONTEXT+80(a0)
    sd s9, T_CONTEXT+88(a0)
    sd s10, T_CONTEXT+96(a0)
    sd s11, T_CONTEXT+104(a0)
    mv tp, a1
    ld ra, T_CONTEXT+0(a1)
    ld sp, T_CONTEXT+8(a1)
    ld s0, T_CONTEXT+16(a1)
    ld s1, T_CONTEXT+24(a1)
    ld s2, T_CONTEXT+32(a1)
    ld s3, T_CONTEXT+40(a1)
    ld s4, T_CONTEXT+48(a1)
    ld s5, T_CONTEXT+56(a1)
    ld s6, T_CONTEXT+64(a1)
    ld s7, T_CONTEXT+72(a1)
    ld s8, T_CONTEXT+80(a1)
    ld s9, T_CONTEXT+88(a1)
    ld s10, T_CONTEXT+96(a1)
    ld s11, T_CONTEXT+104(a1)
    ret

/* First code of a kernel thread: a0 = the thread left behind, s1 = entry, s2 = its argument. */
    .globl kernel_thread_first
kernel_thread_first:
    call thread_start
    csrsi sstatus, 2
    mv a0, s2
    li s0, 0
    jalr s1
    ebreak

/* First code of a user thread: its trap frame lies at the stack's top. */
    .globl user_thread_first
user_thread_first:
    call thread_start
    li s0, 0
    j return_to_user

/* void fp_save(struct fpstate *): a0. void fp_load(const struct fpstate *): a0. */
    .option push
    .option arch, +d
    .globl fp_save
fp_save:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd f\n, 8*\n(a0)
    .endr
    frcsr t0
    sw t0, 256(a0)
    ret

    .globl fp_load
fp_load:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld f\n, 8*\n(a0)
    .endr
    lw t0, 256(a0)
    fscsr t0
    ret
    .option pop

/* noreturn void arch_enter_user(void): the current thread goes to user mode, as its trap frame
 * says; what was on its kernel stack is forgotten. */
    .globl arch_enter_user
arch_enter_user:
    ld sp, T_KSTACK_TOP(tp)
    addi sp, sp, -FRAME
    li s0, 0
    j return_to_user
