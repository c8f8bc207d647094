/* SPDX-License-Identifier: MIT */
/*
 * The only instructions of the kernel that touch user memory. Each may fault; the exception table
 * gives the place to continue at. With UACCESS=guard, sstatus.SUM is set only in here.
 */
#include "arch/offsets.h"

    .macro uaccess_begin tmp
#if UACCESS_GUARD
    li \tmp, SSTATUS_SUM
    csrs sstatus, \tmp
#endif
    .endm
    .macro uaccess_end tmp
#if UACCESS_GUARD
    li \tmp, SSTATUS_SUM
    csrc sstatus, \tmp
#endif
    .endm
    /* One instruction that may fault, and where to go on then. */
    .macro try insn:vararg
9:  \insn
    .pushsection __ex_table, "a"
    .balign 8
    .dword 9b, 8f
    .popsection
    .endm

    .text
/*
 * size_t user_copy(void *dst, const void *src, size_t len): bytes NOT copied. Either side may be
 * user memory. Blocks of 64 bytes while both are aligned alike, else bytes; a fault in a block
 * falls back to bytes, so that the count is exact.
 */
    .globl user_copy
user_copy:
    uaccess_begin t0
    add a3, a0, a2                  /* end of dst */
    xor t0, a0, a1
    andi t0, t0, 7
    bnez t0, 6f                     /* never aligned alike: bytes */
1:  andi t0, a0, 7                  /* bytes up to the first aligned word */
    beqz t0, 2f
    bgeu a0, a3, 7f
    try lb t1, 0(a1)
    try sb t1, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    j 1b
2:  addi a4, a3, -64
3:  bgtu a0, a4, 5f
31: ld t0, 0(a1)
32: ld t1, 8(a1)
33: ld t2, 16(a1)
34: ld t3, 24(a1)
35: ld t4, 32(a1)
36: ld t5, 40(a1)
37: ld t6, 48(a1)
38: ld a5, 56(a1)
41: sd t0, 0(a0)
42: sd t1, 8(a0)
43: sd t2, 16(a0)
44: sd t3, 24(a0)
45: sd t4, 32(a0)
46: sd t5, 40(a0)
47: sd t6, 48(a0)
48: sd a5, 56(a0)
    .pushsection __ex_table, "a"
    .balign 8
    .irp n, 31,32,33,34,35,36,37,38,41,42,43,44,45,46,47,48
    .dword \n\()b, 6f
    .endr
    .popsection
    addi a0, a0, 64
    addi a1, a1, 64
    j 3b
5:  addi a4, a3, -8                 /* words */
51: bgtu a0, a4, 6f
52: ld t0, 0(a1)
53: sd t0, 0(a0)
    .pushsection __ex_table, "a"
    .balign 8
    .dword 52b, 6f
    .dword 53b, 6f
    .popsection
    addi a0, a0, 8
    addi a1, a1, 8
    j 51b
6:  bgeu a0, a3, 7f                 /* bytes */
    try lb t1, 0(a1)
    try sb t1, 0(a0)
    addi a0, a0, 1
    addi a1, a1, 1
    j 6b
7:
8:  sub a0, a3, a0
    uaccess_end t0
    ret

/* size_t user_clear(void *dst, size_t len): bytes not cleared. */
    .globl user_clear
user_clear:
    uaccess_begin t0
    add a3, a0, a1
1:  bgeu a0, a3, 8f
    andi t0, a0, 7
    addi t1, a0, 8
    bnez t0, 2f
    bgtu t1, a3, 2f
3:  sd zero, 0(a0)
    .pushsection __ex_table, "a"
    .balign 8
    .dword 3b, 2f
    .popsection
    mv a0, t1
    j 1b
2:  try sb zero, 0(a0)
    addi a0, a0, 1
    j 1b
8:  sub a0, a3, a0
    uaccess_end t0
    ret

/*
 * ssize_t user_strncpy(char *dst, const char *src, size_t size): length without the NUL; size if
 * there was none; -1 on a fault.
 */
    .globl user_strncpy
user_strncpy:
    uaccess_begin t0
    mv a3, a0
    add a4, a0, a2
1:  bgeu a0, a4, 2f
    try lbu t0, 0(a1)
    sb t0, 0(a0)
    beqz t0, 2f
    addi a0, a0, 1
    addi a1, a1, 1
    j 1b
2:  sub a0, a0, a3
    uaccess_end t0
    ret
8:  li a0, -1
    uaccess_end t0
    ret

/* int user_load32(uint32_t *val, addr) / user_load64 / user_store32(addr, val) / user_store64:
 * 0, or -1 on a fault. */
    .macro accessor name, insn1, insn2
    .globl \name
\name:
    uaccess_begin t1
    try \insn1
    \insn2
    uaccess_end t1
    li a0, 0
    ret
8:  uaccess_end t1
    li a0, -1
    ret
    .endm

    accessor user_load32, "lw t0, 0(a1)", "sw t0, 0(a0)"
    accessor user_load64, "ld t0, 0(a1)", "sd t0, 0(a0)"
    accessor user_store32, "sw a1, 0(a0)", ""
    accessor user_store64, "sd a1, 0(a0)", ""

/* int user_cmpxchg32(addr, expect, val, uint32_t *old) */
    .globl user_cmpxchg32
user_cmpxchg32:
    uaccess_begin t1
    sext.w a1, a1
1:  try lr.w.aq t0, 0(a0)
    bne t0, a1, 2f
    try sc.w.rl t2, a2, 0(a0)
    bnez t2, 1b
2:  sw t0, 0(a3)
    uaccess_end t1
    li a0, 0
    ret
8:  uaccess_end t1
    li a0, -1
    ret
