/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks: each the upper half of a slot in the shared half of every page table, so a stack
 * is visible everywhere the moment it exists, and running off its end hits unmapped memory.
 *
 * Freed stacks stay mapped and are handed out again, last in first out: no fence, no page-table
 * work on the fork path. Mapping a new one takes a fence on all harts; unmapping takes one for a
 * whole batch, when too many are kept or memory is short.
 *
 * Locks: kstack_lock (RANK_LEAF, irqsave) guards slots and cache; mapping happens outside it.
 */
#include "arch/arch.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/page.h"

#define CACHE_MAX 64
#define RELEASE_BATCH 32U

static struct spinlock kstack_lock = SPINLOCK_INIT(RANK_LEAF, "kstack");
static uint64_t slot_used[KSTACK_SLOTS / 64]; /* kstack_lock: mapped, in use or cached */
static uintptr_t cached[CACHE_MAX];           /* kstack_lock */
static unsigned ncached;                      /* kstack_lock */
static _Atomic size_t in_use;

static uintptr_t slot_top(unsigned slot)
{
    return KSTACK_BASE + (slot + 1) * KSTACK_SLOT;
}

static int slot_take(void)
{
    for (unsigned w = 0; w < ARRAY_SIZE(slot_used); w++) {
        if (slot_used[w] == ~0UL)
            continue;
        for (unsigned b = 0; b < 64; b++) {
            if (!(slot_used[w] & 1UL << b)) {
                slot_used[w] |= 1UL << b;
                return (int)(w * 64 + b);
            }
        }
    }
    return -1;
}

static void slot_give(unsigned slot)
{
    irqflags_t irq = spin_lock_irqsave(&kstack_lock);

    slot_used[slot / 64] &= ~(1UL << slot % 64);
    spin_unlock_irqrestore(&kstack_lock, irq);
}

static uintptr_t page_of_stack(uintptr_t top, size_t i)
{
    return top - KSTACK_SIZE + i * PAGE_SIZE;
}

/* The kernel half is everyone's: any hart may have cached what was mapped here before, or that
 * nothing was (a fault on a stack could not be served). */
static void fence_all(void)
{
    unsigned all = 0;

    for (unsigned i = 0; i < hart_count; i++)
        if (harts[i].online)
            all |= 1u << i;
    tlb_flush_harts(all);
}

/* Takes the lowest `pages` pages of n stacks away: out of sight, one fence, back to the allocator. */
static void unmap_stacks(const uintptr_t *tops, unsigned n, size_t pages)
{
    for (unsigned s = 0; s < n; s++)
        for (size_t i = 0; i < pages; i++)
            pagetable_hide_kernel_page(&kernel_pagetable, page_of_stack(tops[s], i));
    fence_all();
    for (unsigned s = 0; s < n; s++) {
        for (size_t i = 0; i < pages; i++)
            page_put(pa_to_page(
                pagetable_unmap_kernel_page(&kernel_pagetable, page_of_stack(tops[s], i))));
        slot_give((unsigned)((tops[s] - KSTACK_BASE) / KSTACK_SLOT - 1));
    }
}

static bool map_stack(uintptr_t top)
{
    for (size_t i = 0; i < KSTACK_PAGES; i++) {
        struct page *p = page_alloc(0);

        if (p && !pagetable_map_kernel_page(&kernel_pagetable, page_of_stack(top, i), page_to_pa(p),
                                            PTE_R | PTE_W))
            continue;
        if (p)
            page_put(p);
        unmap_stacks(&top, 1, i);
        return false;
    }
    fence_all();
    return true;
}

uintptr_t kstack_alloc(void)
{
    irqflags_t irq = spin_lock_irqsave(&kstack_lock);
    uintptr_t top = 0;
    int slot;

    if (ncached) {
        top = cached[--ncached];
        spin_unlock_irqrestore(&kstack_lock, irq);
        atomic_fetch_add(&in_use, 1);
        return top;
    }
    slot = slot_take();
    spin_unlock_irqrestore(&kstack_lock, irq);
    if (slot < 0)
        return 0;
    top = slot_top((unsigned)slot);
    if (!map_stack(top))
        return 0;
    atomic_fetch_add(&in_use, 1);
    return top;
}

/* kstack_lock held. */
static unsigned take_cached(uintptr_t *tops, unsigned most)
{
    unsigned n = 0;

    while (n < most && ncached)
        tops[n++] = cached[--ncached];
    return n;
}

void kstack_free(uintptr_t top)
{
    uintptr_t excess[RELEASE_BATCH];
    unsigned n = 0;
    irqflags_t irq;

    atomic_fetch_sub(&in_use, 1);
    irq = spin_lock_irqsave(&kstack_lock);
    if (ncached == CACHE_MAX)
        n = take_cached(excess, RELEASE_BATCH);
    cached[ncached++] = top;
    spin_unlock_irqrestore(&kstack_lock, irq);
    if (n)
        unmap_stacks(excess, n, KSTACK_PAGES);
}

size_t kstack_shrink(size_t want)
{
    uintptr_t tops[RELEASE_BATCH];
    size_t freed = 0;

    while (freed < want) {
        size_t stacks = (want - freed + KSTACK_PAGES - 1) / KSTACK_PAGES;
        irqflags_t irq = spin_lock_irqsave(&kstack_lock);
        unsigned n = take_cached(tops, (unsigned)MIN(stacks, RELEASE_BATCH));

        spin_unlock_irqrestore(&kstack_lock, irq);
        if (!n)
            break;
        unmap_stacks(tops, n, KSTACK_PAGES);
        freed += n * KSTACK_PAGES;
    }
    return freed;
}

bool kstack_is_guard(uintptr_t va, unsigned *slot)
{
    uintptr_t off = va - KSTACK_BASE;

    if (va < KSTACK_BASE || off >= KSTACK_SLOTS * KSTACK_SLOT)
        return false;
    *slot = (unsigned)(off / KSTACK_SLOT);
    if (!(slot_used[*slot / 64] & 1UL << *slot % 64))
        return true;
    return off % KSTACK_SLOT < KSTACK_SLOT - KSTACK_SIZE;
}

size_t kstack_count(void)
{
    return in_use;
}

size_t kstack_cached_pages(void)
{
    return ncached * KSTACK_PAGES;
}
