/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks: each the upper half of a slot in the shared half of every page table, so a stack
 * is visible everywhere the moment it exists, and running off its end hits unmapped memory.
 *
 * Freed stacks stay mapped and are handed out again, last in first out: no fence, no page-table
 * work on the fork path. Mapping a new one and, under memory pressure, unmapping one takes one fence
 * on all harts.
 *
 * Locks: kstack_lock (RANK_LEAF, irqsave) guards slots and cache; mapping happens outside it.
 */
#include "arch/arch.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/page.h"

#define CACHE_MAX 32

static struct spinlock kstack_lock = SPINLOCK_INIT(RANK_LEAF, "kstack");
static uint64_t slot_used[KSTACK_SLOTS / 64]; /* kstack_lock: mapped, in use or cached */
static uintptr_t cached[CACHE_MAX];           /* kstack_lock */
static unsigned ncached;
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

/* Unmaps the first n pages of a stack. The caller fences before the pages are put. */
static void unmap_pages(uintptr_t top, size_t n, struct page **pages)
{
    for (size_t i = 0; i < n; i++)
        pages[i] = pa_to_page(
            pagetable_unmap_kernel_page(&kernel_pagetable, top - KSTACK_SIZE + i * PAGE_SIZE));
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

static void fence_and_put(struct page **pages, size_t n)
{
    fence_all();
    for (size_t i = 0; i < n; i++)
        page_put(pages[i]);
}

static bool map_stack(uintptr_t top)
{
    struct page *pages[KSTACK_PAGES];

    for (size_t i = 0; i < KSTACK_PAGES; i++) {
        struct page *p = page_alloc(0);
        uintptr_t va = top - KSTACK_SIZE + i * PAGE_SIZE;

        if (p && !pagetable_map_kernel_page(&kernel_pagetable, va, page_to_pa(p), PTE_R | PTE_W))
            continue;
        if (p)
            page_put(p);
        unmap_pages(top, i, pages);
        fence_and_put(pages, i);
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
    if (!map_stack(top)) {
        slot_give((unsigned)slot);
        return 0;
    }
    atomic_fetch_add(&in_use, 1);
    return top;
}

static void release_stack(uintptr_t top)
{
    struct page *pages[KSTACK_PAGES];

    unmap_pages(top, KSTACK_PAGES, pages);
    fence_and_put(pages, KSTACK_PAGES);
    slot_give((unsigned)((top - KSTACK_BASE) / KSTACK_SLOT - 1));
}

void kstack_free(uintptr_t top)
{
    irqflags_t irq;

    atomic_fetch_sub(&in_use, 1);
    irq = spin_lock_irqsave(&kstack_lock);
    if (ncached < CACHE_MAX) {
        cached[ncached++] = top;
        top = 0;
    }
    spin_unlock_irqrestore(&kstack_lock, irq);
    if (top)
        release_stack(top);
}

size_t kstack_shrink(size_t want)
{
    size_t freed = 0;

    while (freed < want) {
        irqflags_t irq = spin_lock_irqsave(&kstack_lock);
        uintptr_t top = ncached ? cached[--ncached] : 0;

        spin_unlock_irqrestore(&kstack_lock, irq);
        if (!top)
            break;
        release_stack(top);
        freed += KSTACK_PAGES;
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
