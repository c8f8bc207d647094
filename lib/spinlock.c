/* SPDX-License-Identifier: MIT */
/*
 * The checking half of the spinlocks, compiled in with DEBUG=1: each hart keeps a bit mask of the
 * ranks it holds. Invariants: a rank is taken only above all ranks held; a handler takes only locks
 * that everyone takes with interrupts masked.
 */
#include "lib/spinlock.h"

#include "lib/log.h"

void spin_init(struct spinlock *l, enum lock_rank rank, const char *name)
{
    *l = (struct spinlock)SPINLOCK_INIT((uint8_t)rank, name);
    (void)name;
}

#if DEBUG
void spin_check_acquire(struct spinlock *l, uintptr_t site)
{
    struct hart *h = arch_this_hart();

    if (!h || l->rank == RANK_NONE)
        return;
    if (l->holder == h->index + 1)
        panic("spinlock %s is taken twice: at 0x%lx, held since 0x%lx", l->name, site, l->site);
    if (h->lock_mask >> l->rank)
        panic("spinlock %s (rank %u) is taken at 0x%lx while ranks 0x%lx are held", l->name,
              l->rank, site, h->lock_mask);
    if (l->rank >= RANK_DRIVER && arch_irqs_enabled())
        panic("spinlock %s (rank %u) is taken with interrupts on", l->name, l->rank);
    if (h->irq_depth && l->rank < RANK_DRIVER)
        panic("spinlock %s (rank %u) is taken in an interrupt handler", l->name, l->rank);
}

void spin_note_acquired(struct spinlock *l, uintptr_t site)
{
    struct hart *h = arch_this_hart();

    if (!h || l->rank == RANK_NONE)
        return;
    l->holder = (uint8_t)(h->index + 1);
    l->site = site;
    h->lock_mask |= 1UL << l->rank;
}

void spin_note_release(struct spinlock *l)
{
    struct hart *h = arch_this_hart();

    if (!h || l->rank == RANK_NONE)
        return;
    if (l->holder != h->index + 1)
        panic("spinlock %s is released by hart %u, which does not hold it", l->name, h->index);
    l->holder = 0;
    h->lock_mask &= ~(1UL << l->rank);
}

bool spin_held(const struct spinlock *l)
{
    return l->holder == arch_this_hart()->index + 1;
}

void spin_check_none_held(void)
{
    struct hart *h = arch_this_hart();

    if (h->lock_mask)
        panic("about to sleep with spinlocks of ranks 0x%lx held", h->lock_mask);
}
#endif
