/* SPDX-License-Identifier: MIT */
/*
 * The page allocator: buddy lists over all RAM banks, and on each hart a small stock of single
 * pages in front of them.
 *
 * Invariants: [1] a free page has refs == 0; [2] a block in a buddy list has PG_BUDDY on its first
 * page only, is aligned to its size, and its buddy is not free at the same order; [3] pages in a
 * hart's stock are neither PG_BUDDY nor referenced.
 *
 * Locks: buddy_lock (RANK_PAGE, irqsave) guards the lists and counts. A hart's stock is touched by
 * that hart only, with interrupts masked. Deliberately missing: NUMA, highmem, migration.
 */
#include "mm/page.h"

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define MAX_BANKS 8
#define STOCK_MAX 32
#define STOCK_BATCH 16
#define RESERVE_PAGES 24 /* kept for those who cannot wait or who free memory by allocating */
#define MAX_SHRINKERS 8
#define RECLAIM_ROUNDS 4

struct stock {
    struct list pages;
    _Atomic unsigned count;
} __attribute__((aligned(64)));

struct ram_bank ram_banks[MAX_BANKS];
static unsigned nbanks;
static struct spinlock buddy_lock = SPINLOCK_INIT(RANK_PAGE, "buddy");
static struct list free_lists[MAX_ORDER + 1];
static _Atomic size_t buddy_free;
static size_t total_pages;
static struct stock stocks[MAX_HARTS];
static shrinker_fn shrinkers[MAX_SHRINKERS];
static unsigned nshrinkers;

struct page *pa_to_page_slow(paddr_t pa)
{
    for (unsigned i = 0; i < nbanks; i++) {
        size_t n = (pa - ram_banks[i].base) >> PAGE_SHIFT;

        if (likely(pa >= ram_banks[i].base && n < ram_banks[i].npages))
            return &ram_banks[i].map[n];
    }
    return NULL;
}

static struct ram_bank *bank_of(const struct page *p)
{
    for (unsigned i = 0; i < nbanks; i++)
        if (p >= ram_banks[i].map && p < ram_banks[i].map + ram_banks[i].npages)
            return &ram_banks[i];
    panic("%p is no struct page", (const void *)p);
}

paddr_t page_to_pa_slow(const struct page *p)
{
    const struct ram_bank *b = bank_of(p);

    return b->base + ((paddr_t)(p - b->map) << PAGE_SHIFT);
}

/* ---- Buddy lists (buddy_lock held) ---- */

static void list_insert(struct page *p, unsigned order)
{
    p->order = order;
    atomic_store_explicit(&p->flags, PG_BUDDY, memory_order_relaxed);
    list_add(&free_lists[order], &p->link);
}

static void list_remove(struct page *p)
{
    list_del(&p->link);
    atomic_store_explicit(&p->flags, 0, memory_order_relaxed);
}

/* Blocks are aligned by physical address, so that a 2^n block can be a megapage. */
static struct page *buddy_of(struct ram_bank *b, struct page *p, unsigned order)
{
    uint64_t pfn = (b->base >> PAGE_SHIFT) + (uint64_t)(p - b->map);
    uint64_t other = pfn ^ 1UL << order;
    uint64_t first = b->base >> PAGE_SHIFT;

    if (other < first || other + (1UL << order) > first + b->npages)
        return NULL;
    return &b->map[other - first];
}

static void buddy_insert(struct page *p, unsigned order)
{
    struct ram_bank *b = bank_of(p);

    buddy_free += 1UL << order;
    while (order < MAX_ORDER) {
        struct page *buddy = buddy_of(b, p, order);

        if (!buddy || !page_test(buddy, PG_BUDDY) || buddy->order != order)
            break;
        list_remove(buddy);
        p = MIN(p, buddy);
        order++;
    }
    list_insert(p, order);
}

static struct page *buddy_take(unsigned order)
{
    unsigned o = order;
    struct page *p;

    while (o <= MAX_ORDER && list_empty(&free_lists[o]))
        o++;
    if (o > MAX_ORDER)
        return NULL;
    p = list_first(&free_lists[o], struct page, link);
    list_remove(p);
    while (o > order) {
        o--;
        list_insert(p + (1UL << o), o);
    }
    buddy_free -= 1UL << order;
    return p;
}

/* ---- A hart's stock (interrupts masked) ---- */

static void stock_fill(struct stock *s, unsigned flags)
{
    size_t keep = flags & (ALLOC_ATOMIC | ALLOC_NOFS) ? 0 : RESERVE_PAGES;

    spin_lock(&buddy_lock);
    for (unsigned i = 0; i < STOCK_BATCH && buddy_free > keep; i++) {
        struct page *p = buddy_take(0);

        if (!p)
            break;
        list_add_tail(&s->pages, &p->link);
        s->count++;
    }
    spin_unlock(&buddy_lock);
}

static void stock_drain(struct stock *s, unsigned keep)
{
    spin_lock(&buddy_lock);
    while (s->count > keep) {
        struct page *p = list_last(&s->pages, struct page, link);

        list_del(&p->link);
        s->count--;
        buddy_insert(p, 0);
    }
    spin_unlock(&buddy_lock);
}

static struct page *stock_take(unsigned flags)
{
    irqflags_t irq = arch_irq_save();
    struct stock *s = &stocks[arch_this_hart()->index];
    struct page *p = NULL;

    if (!s->count)
        stock_fill(s, flags);
    if (s->count) {
        p = list_first(&s->pages, struct page, link);
        list_del(&p->link);
        s->count--;
    }
    arch_irq_restore(irq);
    return p;
}

/* ---- Debug: fresh and freed memory is filled ---- */

static void poison(struct page *p, size_t npages, int byte)
{
    if (DEBUG)
        memset(page_va(p), byte, npages * PAGE_SIZE);
}

static void check_free(const struct page *p)
{
    if (DEBUG && (p->refs || page_test(p, PG_RESERVED | PG_BUDDY | PG_SLAB | PG_CACHED)))
        panic("freeing page 0x%lx: refs %u, flags 0x%x", page_to_pa(p), p->refs, p->flags);
}

/* ---- Public ---- */

void page_add_bank(paddr_t base, size_t len, struct page *map)
{
    size_t n = len >> PAGE_SHIFT;

    if (!nbanks) {
        for (unsigned i = 0; i <= MAX_ORDER; i++)
            list_init(&free_lists[i]);
        for (unsigned i = 0; i < MAX_HARTS; i++)
            list_init(&stocks[i].pages);
    }
    if (nbanks == MAX_BANKS) {
        pr_warn("memory at 0x%lx is left out: at most %d banks\n", base, MAX_BANKS);
        return;
    }
    memset(map, 0, n * sizeof(*map));
    for (size_t i = 0; i < n; i++) {
        map[i].refs = 1;
        map[i].flags = PG_RESERVED;
        list_init(&map[i].link);
    }
    ram_banks[nbanks++] = (struct ram_bank){base, n, map};
}

void page_free_range(paddr_t from, paddr_t to)
{
    irqflags_t irq = spin_lock_irqsave(&buddy_lock);

    for (; from < to; from += PAGE_SIZE) {
        struct page *p = pa_to_page(from);

        if (!p)
            continue;
        p->refs = 0;
        p->flags = 0;
        total_pages++;
        buddy_insert(p, 0);
    }
    spin_unlock_irqrestore(&buddy_lock, irq);
}

static struct page *take(unsigned order, unsigned flags)
{
    struct page *p = NULL;
    irqflags_t irq;

    if (!order)
        return stock_take(flags);
    irq = spin_lock_irqsave(&buddy_lock);
    if (buddy_free >= RESERVE_PAGES + (1UL << order))
        p = buddy_take(order);
    spin_unlock_irqrestore(&buddy_lock, irq);
    return p;
}

struct page *page_alloc_order(unsigned order, unsigned flags)
{
    struct page *p;

    if (order > MAX_ORDER || alloc_should_fail())
        return NULL;
    p = take(order, flags);
    for (int i = 0; !p && i < RECLAIM_ROUNDS && !(flags & ALLOC_ATOMIC); i++) {
        size_t freed = page_reclaim((2UL << order) + STOCK_BATCH);
        irqflags_t irq = arch_irq_save();

        if (order)
            stock_drain(&stocks[arch_this_hart()->index], 0);
        arch_irq_restore(irq);
        p = take(order, flags);
        if (!freed)
            break;
    }
    if (!p)
        return NULL;
    for (size_t i = 0; i < 1UL << order; i++)
        atomic_store_explicit(&p[i].refs, 1, memory_order_relaxed);
    if (flags & ALLOC_ZERO)
        for (size_t i = 0; i < 1UL << order; i++)
            memset(page_va(p + i), 0, PAGE_SIZE);
    else
        poison(p, 1UL << order, 0xcc);
    return p;
}

struct page *page_alloc(unsigned flags)
{
    return page_alloc_order(0, flags);
}

void page_release(struct page *p)
{
    irqflags_t irq;
    struct stock *s;

    check_free(p);
    poison(p, 1, 0xdd);
    atomic_store_explicit(&p->flags, 0, memory_order_relaxed);
    p->private_data = NULL;
    irq = arch_irq_save();
    s = &stocks[arch_this_hart()->index];
    list_add(&s->pages, &p->link);
    if (++s->count > STOCK_MAX)
        stock_drain(s, STOCK_MAX - STOCK_BATCH);
    arch_irq_restore(irq);
}

void page_free_order(struct page *p, unsigned order)
{
    irqflags_t irq;

    if (!order) {
        page_put(p);
        return;
    }
    for (size_t i = 0; i < 1UL << order; i++) {
        p[i].refs = 0;
        p[i].flags = 0;
    }
    poison(p, 1UL << order, 0xdd);
    irq = spin_lock_irqsave(&buddy_lock);
    buddy_insert(p, order);
    spin_unlock_irqrestore(&buddy_lock, irq);
}

size_t page_total_count(void)
{
    return total_pages;
}

size_t page_free_count(void)
{
    size_t n = buddy_free;

    for (unsigned i = 0; i < MAX_HARTS; i++)
        n += stocks[i].count;
    return n;
}

void page_register_shrinker(shrinker_fn fn)
{
    if (nshrinkers == MAX_SHRINKERS)
        panic("too many shrinkers");
    shrinkers[nshrinkers++] = fn;
}

size_t page_reclaim(size_t want)
{
    size_t freed = 0;

    for (unsigned i = 0; i < nshrinkers && freed < want; i++)
        freed += shrinkers[i](want - freed);
    return freed;
}
