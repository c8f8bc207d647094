/* SPDX-License-Identifier: MIT */
/* Numbers that assembly and C share. C asserts each one next to the struct it describes. */
#pragma once

/* struct trapframe: register xN lies at 8*N. */
#define FRAME 288
#define F_STATUS 256
#define F_TVAL 264
#define F_CAUSE 272
#define F_ORIG_A0 280

/* struct thread */
#define T_KSTACK_TOP 0
#define T_SCRATCH 8
#define T_HART 16
#define T_WORK 24 /* need_resched, sig_pending: one byte each */
#define T_CONTEXT 32

/* struct hart */
#define HART_SPARE_STACK 0

/* A kernel stack is the upper half of an aligned slot of 2^(this + 1) bytes. */
#define KSTACK_VALID_BIT 14

#define SSTATUS_SUM 0x40000
