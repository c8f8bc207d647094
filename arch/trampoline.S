/* SPDX-License-Identifier: MIT */
/*
 * The one trap entry and its way back. sscratch holds the current thread while user mode runs and 0
 * while the kernel runs, so a single csrrw classifies the trap and both cases share one save path.
 * There is no satp write here: kernel and user live in the same page table.
 *
 * struct trapframe: register xN at 8*N, sepc at 0, then sstatus, stval, scause, orig_a0.
 */
#include "arch/offsets.h"

    .text
    .globl trap_entry
    .balign 4
trap_entry:
    .cfi_startproc simple
    .cfi_signal_frame
    csrrw tp, sscratch, tp
    bnez tp, from_user

from_kernel:
    csrr tp, sscratch               /* our own tp again; sscratch gets its 0 back below */
    csrw sscratch, zero
    sd sp, T_SCRATCH(tp)
    /* Would the frame land in the guard pages? A kernel stack is the upper half of an aligned slot,
     * so one bit tells. Boot and spare stacks lie at positive addresses and are not tested. */
    addi sp, sp, -FRAME
    bgez sp, save
    srli sp, sp, KSTACK_VALID_BIT
    andi sp, sp, 1
    beqz sp, stack_overflow
    ld sp, T_SCRATCH(tp)
    addi sp, sp, -FRAME
    j save

from_user:
    sd sp, T_SCRATCH(tp)
    ld sp, T_KSTACK_TOP(tp)
    addi sp, sp, -FRAME

save:
    .cfi_def_cfa sp, FRAME
    sd ra, 8(sp)
    sd gp, 24(sp)
    sd t0, 40(sp)
    ld t0, T_SCRATCH(tp)
    sd t1, 48(sp)
    sd t2, 56(sp)
    sd s0, 64(sp)
    sd s1, 72(sp)
    sd a0, 80(sp)
    sd a1, 88(sp)
    sd a2, 96(sp)
    sd a3, 104(sp)
    sd a4, 112(sp)
    sd a5, 120(sp)
    sd a6, 128(sp)
    sd a7, 136(sp)
    sd s2, 144(sp)
    sd s3, 152(sp)
    sd s4, 160(sp)
    sd s5, 168(sp)
    sd s6, 176(sp)
    sd s7, 184(sp)
    sd s8, 192(sp)
    sd s9, 200(sp)
    sd s10, 208(sp)
    sd s11, 216(sp)
    sd t3, 224(sp)
    sd t4, 232(sp)
    sd t5, 240(sp)
    sd t6, 248(sp)
    sd t0, 16(sp)                   /* the interrupted sp */
    csrrw t1, sscratch, zero        /* user's tp, or 0: from now on "in the kernel" */
    csrr s1, sepc
    csrr s0, scause
    csrr t2, sstatus
    sd s1, 0(sp)
    sd t2, F_STATUS(sp)
    sd s0, F_CAUSE(sp)
    .cfi_offset ra, -FRAME + 8
    .cfi_offset sp, -FRAME + 16
    .cfi_offset s0, -FRAME + 64
    .cfi_return_column 0
    .cfi_offset 0, -FRAME
    andi t2, t2, 0x100              /* SPP: the previous mode was S */
    bnez t2, kernel_trap
    sd t1, 32(sp)                   /* user's tp */
    li t0, 8                        /* environment call from U-mode */
    bne s0, t0, user_trap

    /* System call: the hot path. */
    addi s1, s1, 4
    sd s1, 0(sp)
    sd a0, F_ORIG_A0(sp)
    csrsi sstatus, 2                /* interrupts on */
    mv a0, sp
    li s0, 0                        /* backtraces end here */
    call syscall_dispatch
    /* C keeps s2..s11, so they still are the program's; who puts others into the frame (exec,
     * sigreturn) leaves work behind, and that way all are loaded. */
    csrci sstatus, 2
    lhu t0, T_WORK(tp)              /* need_resched and sig_pending, side by side */
    bnez t0, do_work
    j restore_user

user_trap:
    csrr t0, stval
    sd t0, F_TVAL(sp)
    mv a0, sp
    li s0, 0
    call trap_from_user

    .globl return_to_user
return_to_user:
    csrci sstatus, 2
    lhu t0, T_WORK(tp)
    bnez t0, do_work
    ld s2, 144(sp)
    ld s3, 152(sp)
    ld s4, 160(sp)
    ld s5, 168(sp)
    ld s6, 176(sp)
    ld s7, 184(sp)
    ld s8, 192(sp)
    ld s9, 200(sp)
    ld s10, 208(sp)
    ld s11, 216(sp)
restore_user:
    ld t0, 0(sp)
    ld t1, F_STATUS(sp)
    csrw sepc, t0
    csrw sstatus, t1
    csrw sscratch, tp
    /* A reservation that the kernel or another thread left behind must not satisfy a user sc. */
    sc.d zero, zero, (sp)
    ld tp, 32(sp)
    j restore

do_work:
    csrsi sstatus, 2
    mv a0, sp
    call thread_do_work
    j return_to_user

kernel_trap:
    sd tp, 32(sp)
    csrr t0, stval
    sd t0, F_TVAL(sp)
    mv a0, sp
    mv s0, sp                       /* marks a trap frame for the backtrace: see arch/panic.c */
    addi s0, sp, FRAME
    call trap_from_kernel
    ld t0, 0(sp)
    ld t1, F_STATUS(sp)
    csrw sepc, t0
    csrw sstatus, t1
    sc.d zero, zero, (sp)

restore:                            /* all but s2..s11 */
    ld ra, 8(sp)
    ld gp, 24(sp)
    ld t0, 40(sp)
    ld t1, 48(sp)
    ld t2, 56(sp)
    ld s0, 64(sp)
    ld s1, 72(sp)
    ld a0, 80(sp)
    ld a1, 88(sp)
    ld a2, 96(sp)
    ld a3, 104(sp)
    ld a4, 112(sp)
    ld a5, 120(sp)
    ld a6, 128(sp)
    ld a7, 136(sp)
    ld t3, 224(sp)
    ld t4, 232(sp)
    ld t5, 240(sp)
    ld t6, 248(sp)
    ld sp, 16(sp)
    sret
    .cfi_endproc

    /*
     * The kernel stack is full. Continue on the hart's spare stack, with a frame of its own, and
     * never come back. sp at the fault lies in T_SCRATCH.
     */
stack_overflow:
    ld sp, T_HART(tp)
    ld sp, HART_SPARE_STACK(sp)
    addi sp, sp, -FRAME
    sd t0, 40(sp)
    csrr t0, sepc
    sd t0, 0(sp)
    ld t0, T_SCRATCH(tp)
    sd t0, 16(sp)
    sd ra, 8(sp)
    sd s0, 64(sp)
    sd a0, 80(sp)
    csrr t0, scause
    sd t0, F_CAUSE(sp)
    csrr t0, stval
    sd t0, F_TVAL(sp)
    csrr t0, sstatus
    sd t0, F_STATUS(sp)
    mv a0, sp
    call trap_stack_overflow
