/* SPDX-License-Identifier: MIT */
/*
 * The machine's side of a thread: its first context, its trap frame, its FP registers. The user
 * trap frame lies at the top of the kernel stack, always at the same place.
 *
 * FP registers are loaded when a user thread is switched to, unless this hart still holds them, and
 * saved when it is switched away from, only if it made them dirty (sstatus.FS of its trap frame;
 * Privileged Architecture 1.12, section 3.1.6.6).
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "lib/string.h"
#include "proc/process.h"

struct thread *switch_context(struct thread *prev, struct thread *next);
void kernel_thread_first(void);
void user_thread_first(void);
void fp_save(struct fpstate *fp);
void fp_load(const struct fpstate *fp);

_Static_assert(offsetof(struct hart, spare_stack_top) == HART_SPARE_STACK, "trampoline.S");
_Static_assert(offsetof(struct trapframe, status) == F_STATUS, "trampoline.S");
_Static_assert(offsetof(struct trapframe, tval) == F_TVAL, "trampoline.S");
_Static_assert(offsetof(struct trapframe, cause) == F_CAUSE, "trampoline.S");
_Static_assert(offsetof(struct trapframe, orig_a0) == F_ORIG_A0, "trampoline.S");
_Static_assert(sizeof(struct trapframe) == FRAME, "trampoline.S");

/* I, M, A, F, D, C: the bits of AT_HWCAP are the letters' places in the alphabet. */
const unsigned long arch_hwcap = 1 << 8 | 1 << 12 | 1 << 0 | 1 << 5 | 1 << 3 | 1 << 2;

struct trapframe *arch_user_frame(struct thread *t)
{
    return (struct trapframe *)(t->kstack_top - sizeof(struct trapframe));
}

uaddr_t arch_user_sp(struct thread *t)
{
    return arch_user_frame(t)->sp;
}

void arch_fp_save(struct thread *t)
{
    struct trapframe *tf = arch_user_frame(t);

    if ((tf->status & SSTATUS_FS) != SSTATUS_FS_DIRTY)
        return;
    fp_save(&t->fp);
    tf->status = (tf->status & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
}

void arch_fp_discard(struct thread *t)
{
    struct trapframe *tf = arch_user_frame(t);

    tf->status = (tf->status & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
    if (t == current)
        fp_load(&t->fp);
    else
        t->fp_hart = NULL;
}

static void fp_switch_in(struct thread *t, struct hart *h)
{
    if (h->fp_owner == t && t->fp_hart == h)
        return;
    fp_load(&t->fp);
    h->fp_owner = t;
    t->fp_hart = h;
}

struct thread *arch_switch(struct thread *prev, struct thread *next)
{
    if (prev->user)
        arch_fp_save(prev);
    if (next->user)
        fp_switch_in(next, prev->hart);
    next->hart = prev->hart;
    return switch_context(prev, next);
}

void arch_thread_init_kernel(struct thread *t, void (*entry)(void *), void *arg)
{
    memset(&t->context, 0, sizeof(t->context));
    t->context.ra = (uintptr_t)kernel_thread_first;
    /* The place of a user trap frame stays free: the thread may become a process (exec). */
    t->context.sp = t->kstack_top - sizeof(struct trapframe);
    t->context.s[1] = (uintptr_t)entry;
    t->context.s[2] = (uintptr_t)arg;
}

static void init_user_context(struct thread *t)
{
    memset(&t->context, 0, sizeof(t->context));
    t->context.ra = (uintptr_t)user_thread_first;
    t->context.sp = t->kstack_top - sizeof(struct trapframe);
    t->user = true;
}

void arch_thread_init_user(struct thread *child, const struct trapframe *tf, uaddr_t sp,
                           bool set_sp, uaddr_t tls, bool set_tls)
{
    struct trapframe *ctf = arch_user_frame(child);

    arch_fp_save(current);
    child->fp = current->fp;
    *ctf = *tf;
    ctf->status = arch_user_frame(current)->status;
    ctf->a[0] = 0;
    if (set_sp)
        ctf->sp = sp;
    if (set_tls)
        ctf->tp = tls;
    init_user_context(child);
}

void arch_thread_exec(struct thread *t, uaddr_t pc, uaddr_t sp)
{
    struct trapframe *tf = arch_user_frame(t);

    memset(tf, 0, sizeof(*tf));
    tf->epc = pc;
    tf->sp = sp;
    /* U-mode, interrupts on after sret, FP usable with all registers zero. */
    tf->status = SSTATUS_SPIE | SSTATUS_FS_CLEAN | (UACCESS_GUARD ? 0 : SSTATUS_SUM);
    memset(&t->fp, 0, sizeof(t->fp));
    t->user = true;
    if (t != current) {
        init_user_context(t);
        return;
    }
    atomic_store(&t->sig_pending, true); /* all registers are to be loaded: see return_to_user */
    fp_load(&t->fp);
    arch_this_hart()->fp_owner = t;
    t->fp_hart = arch_this_hart();
}
