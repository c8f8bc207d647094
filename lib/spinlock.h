/* SPDX-License-Identifier: MIT */
/*
 * Spinlocks with ranks. The kernel is not preemptive: a thread in the kernel gives up its hart only
 * by sleeping, so a lock that no interrupt handler takes needs no interrupt masking (spin_lock).
 * A lock that a handler takes is taken with spin_lock_irqsave everywhere. No sleeping while held.
 *
 * Rank rule (checked with DEBUG=1): a lock may be taken only when every spinlock this hart holds
 * has a lower rank. docs/locking.md lists what each lock guards.
 */
#pragma once

#include <stdatomic.h>

#include "arch/arch.h"
#include "lib/types.h"

enum lock_rank {
    RANK_NONE, /* unchecked: only for the log and panic paths */
    RANK_DCACHE,
    RANK_ICACHE,
    RANK_FILES,
    RANK_FILE,
    RANK_PROCTREE, /* list of processes, parent/child links, sessions */
    RANK_PROCESS,
    RANK_FUTEX,
    RANK_MAPPING, /* a page cache mapping's tree */
    RANK_LRU,
    RANK_PID,    /* process and thread numbers */
    RANK_DRIVER, /* from here on: taken by interrupt handlers, irqsave */
    RANK_WAITQ,
    RANK_RUNQ,
    RANK_TIMER,
    RANK_KSTACK,
    RANK_SLAB,
    RANK_PAGE, /* page allocator */
    RANK_LEAF, /* takes nothing else */
};

struct spinlock {
    _Atomic uint32_t locked;
    uint8_t rank;
#if DEBUG
    uint8_t holder; /* hart index + 1 */
    const char *name;
    uintptr_t site; /* where it was taken */
#endif
};

#if DEBUG
#define SPINLOCK_INIT(r, n)      \
    {                            \
        .rank = (r), .name = (n) \
    }
#else
#define SPINLOCK_INIT(r, n) \
    {                       \
        .rank = (r)         \
    }
#endif

/* The checking half, called with DEBUG=1 only. */
void spin_check_acquire(struct spinlock *l, uintptr_t site);
void spin_note_acquired(struct spinlock *l, uintptr_t site);
void spin_note_release(struct spinlock *l);
void spin_check_none_held(void);
bool spin_held(const struct spinlock *l); /* by this hart */

static inline void spin_assert_none_held(void) /* before sleeping */
{
    if (DEBUG)
        spin_check_none_held();
}

void spin_init(struct spinlock *l, enum lock_rank rank, const char *name);

static inline bool spin_trylock(struct spinlock *l)
{
    if (atomic_exchange_explicit(&l->locked, 1, memory_order_acquire))
        return false;
    if (DEBUG)
        spin_note_acquired(l, (uintptr_t)__builtin_return_address(0));
    return true;
}

static inline void spin_lock(struct spinlock *l)
{
    if (DEBUG)
        spin_check_acquire(l, (uintptr_t)__builtin_return_address(0));
    while (atomic_exchange_explicit(&l->locked, 1, memory_order_acquire))
        while (atomic_load_explicit(&l->locked, memory_order_relaxed))
            arch_cpu_relax();
    if (DEBUG)
        spin_note_acquired(l, (uintptr_t)__builtin_return_address(0));
}

static inline void spin_unlock(struct spinlock *l)
{
    if (DEBUG)
        spin_note_release(l);
    atomic_store_explicit(&l->locked, 0, memory_order_release);
}

static inline irqflags_t spin_lock_irqsave(struct spinlock *l)
{
    irqflags_t flags = arch_irq_save();

    spin_lock(l);
    return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, irqflags_t flags)
{
    spin_unlock(l);
    arch_irq_restore(flags);
}
