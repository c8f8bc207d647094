/* SPDX-License-Identifier: MIT */
/*
 * regs_probe (see test.h): a system call, or a long spin, with a known value in every register.
 */
#include "tests/test.h"

#if defined(__riscv)
/*
 * Frame: 0 nr, 8 a1, 16 a2, 24 gp, 32 tp, 40 ra, 48.. s0-s11, 144.. fs0-fs11, 240 fcsr, 248 a0 kept.
 * f registers get 0x5f00000000000000 + number + a2, so that two processes differ.
 */
__asm__(
    ".pushsection .text\n"
    ".globl regs_probe\n"
    ".type regs_probe, @function\n"
    "regs_probe:\n"
    "    addi sp, sp, -256\n"
    "    sd a0, 0(sp)\n    sd a2, 8(sp)\n    sd a3, 16(sp)\n    sd gp, 24(sp)\n"
    "    sd tp, 32(sp)\n    sd ra, 40(sp)\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11\n"
    "    sd s\\n, 48+8*\\n(sp)\n    fsd fs\\n, 144+8*\\n(sp)\n"
    "    .endr\n"
    "    frcsr t0\n    sd t0, 240(sp)\n"
    "    mv a7, a0\n    mv a0, a1\n    mv a1, a2\n    mv a2, a3\n"
    "    li t0, 0x5f00000000000000\n    add t0, t0, a2\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,"
    "16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    addi t1, t0, \\n\n    fmv.d.x f\\n, t1\n"
    "    .endr\n"
    "    li t0, 0x65\n    fscsr t0\n" /* rounding up, two flags raised */
    "    .irp n, 1,5,6,7,8,9,13,14,15,16,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    li x\\n, 0x51000000+\\n\n"
    "    .endr\n"
    "    bltz a7, 1f\n"
    "    ecall\n"
    "    j 2f\n"
    "1:  addi a0, a0, -1\n"
    "    bnez a0, 1b\n"
    "2:\n"
    "    .irp n, 1,5,6,7,8,9,13,14,15,16,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    li a0, 0x51000000+\\n\n    beq a0, x\\n, 3f\n    li a0, \\n\n    j 9f\n"
    "3:\n"
    "    .endr\n"
    "    ld a0, 0(sp)\n    beq a0, a7, 3f\n    li a0, 17\n    j 9f\n"
    "3:  ld a0, 8(sp)\n    beq a0, a1, 3f\n    li a0, 11\n    j 9f\n"
    "3:  ld a0, 16(sp)\n    beq a0, a2, 3f\n    li a0, 12\n    j 9f\n"
    "3:  ld a0, 24(sp)\n    beq a0, gp, 3f\n    li a0, 3\n    j 9f\n"
    "3:  ld a0, 32(sp)\n    beq a0, tp, 3f\n    li a0, 4\n    j 9f\n"
    "3:  li t0, 0x5f00000000000000\n    add t0, t0, a2\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,"
    "16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "    addi t1, t0, \\n\n    fmv.x.d t2, f\\n\n    beq t1, t2, 3f\n    li a0, 32+\\n\n    j 9f\n"
    "3:\n"
    "    .endr\n"
    "    frcsr t0\n    li t1, 0x65\n    beq t0, t1, 3f\n    li a0, 64\n    j 9f\n"
    "3:  li a0, 0\n"
    "9:  ld t0, 240(sp)\n    fscsr t0\n"
    "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11\n"
    "    ld s\\n, 48+8*\\n(sp)\n    fld fs\\n, 144+8*\\n(sp)\n"
    "    .endr\n"
    "    ld gp, 24(sp)\n    ld tp, 32(sp)\n    ld ra, 40(sp)\n"
    "    addi sp, sp, 256\n"
    "    ret\n"
    ".size regs_probe, .-regs_probe\n"
    ".popsection\n");
#else
int regs_probe(long nr, long a0, long a1, long a2)
{
    if (nr >= 0) {
        syscall(nr, a0, a1, a2);
        return 0;
    }
    for (volatile long i = a0; i > 0; i--)
        ;
    return 0;
}
#endif
