/* SPDX-License-Identifier: MIT */
/*
 * What the trap entry saves on the kernel stack. Register xN lies at 8*N, so the assembly needs no
 * table of offsets; x0's place holds sepc.
 */
#pragma once

#include "lib/types.h"

struct trapframe {
    uint64_t epc; /* at x0's place */
    uint64_t ra, sp, gp, tp, t0, t1, t2, s0, s1;
    uint64_t a[8];
    uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6;
    uint64_t status;
    uint64_t tval;
    uint64_t cause;
    uint64_t orig_a0; /* the first argument, for restarted system calls */
};

_Static_assert(offsetof(struct trapframe, a) == 80, "a0 is x10");
_Static_assert(offsetof(struct trapframe, t6) == 248, "t6 is x31");
_Static_assert(sizeof(struct trapframe) == 288, "16-byte aligned, known to trampoline.S");
