/* SPDX-License-Identifier: MIT */
/*
 * Taking user mappings away: unmap, protect, and the one fence each needs.
 *
 * A page may be reused only after every hart has forgotten its mapping. So the PTEs are first made
 * invalid (the page number stays), then the harts that have the space are fenced, and only then the
 * pages go back: a hart that switches to the space in between meets invalid PTEs only.
 *
 * Locks: the callers hold as->lock.
 */
#include <linux/mman.h>

#include "arch/arch.h"
#include "lib/log.h"
#include "mm/page.h"
#include "mm/pagecache.h"
#include "mm/vma.h"

/*
 * Access rights by PROT_* bits (read 1, write 2, execute 4). W without R is reserved in a PTE
 * (Privileged Architecture 1.12, table 4.5), so writable implies readable, as on Linux.
 */
static const uint16_t prot_flags[8] = {
    [PROT_NONE] = 0,
    [PROT_READ] = PTE_R,
    [PROT_WRITE] = PTE_R | PTE_W,
    [PROT_READ | PROT_WRITE] = PTE_R | PTE_W,
    [PROT_EXEC] = PTE_X,
    [PROT_READ | PROT_EXEC] = PTE_R | PTE_X,
    [PROT_WRITE | PROT_EXEC] = PTE_R | PTE_W | PTE_X,
    [PROT_READ | PROT_WRITE | PROT_EXEC] = PTE_R | PTE_W | PTE_X,
};

uint64_t vma_pte_flags(const struct vma *v, bool writable_now)
{
    uint64_t rights = prot_flags[v->prot & 7];

    if (!rights)
        return PTE_U | PTE_A; /* not valid: the page is kept out of reach */
    if (!writable_now)
        rights &= ~PTE_W;
    return rights | PTE_V | PTE_U | PTE_A | (rights & PTE_W ? PTE_D : 0);
}

static void fence(struct addrspace *as)
{
    uint32_t mask = atomic_load_explicit(&as->harts, memory_order_seq_cst);

    if (mask)
        tlb_flush_harts(mask);
}

/* Calls fn for each used PTE of the range; skips what has no table. Returns how many there were. */
static size_t for_each_pte(struct addrspace *as, uaddr_t start, uaddr_t end,
                           void (*fn)(struct addrspace *as, pte_t *e, const void *arg),
                           const void *arg)
{
    size_t n = 0;

    while (start < end) {
        uaddr_t stop = MIN(end, ALIGN_DOWN(start, MEGAPAGE_SIZE) + MEGAPAGE_SIZE);
        pte_t *e = pte_find(&as->pt, start);

        for (uaddr_t va = start; e && va < stop; va += PAGE_SIZE, e++) {
            if (!e->bits)
                continue;
            fn(as, e, arg);
            n++;
        }
        start = stop;
    }
    return n;
}

static void invalidate(struct addrspace *as, pte_t *e, const void *arg)
{
    (void)as, (void)arg;
    pte_set(e, (pte_t){e->bits & ~PTE_V});
}

static void release(struct addrspace *as, pte_t *e, const void *arg)
{
    struct page *p = pa_to_page(pte_pa(*e));

    (void)arg;
    /* A shared file's page may have been written through this mapping. */
    if (e->bits & PTE_W && page_test(p, PG_CACHED) && p->mapping && p->mapping->ops)
        page_mark_dirty(p);
    pte_set(e, (pte_t){0});
    as->rss--;
    page_put(p);
}

void fence_and_free_tables(struct addrspace *as, uaddr_t start, uaddr_t end)
{
    pagetable_detach_tables(&as->pt, start, end);
    fence(as);
    pagetable_free_detached(&as->pt, start, end);
}

/* For a space that nobody will run again: no fence, and its tables go as a whole afterwards. */
void unmap_pages_dead(struct addrspace *as, uaddr_t start, uaddr_t end)
{
    for_each_pte(as, start, end, release, NULL);
}

void unmap_pages(struct addrspace *as, uaddr_t start, uaddr_t end)
{
    if (!for_each_pte(as, start, end, invalidate, NULL))
        return;
    pagetable_detach_tables(&as->pt, start, end);
    fence(as);
    for_each_pte(as, start, end, release, NULL);
    pagetable_free_detached(&as->pt, start, end);
}

void unmap_range(struct addrspace *as, uaddr_t start, uaddr_t end)
{
    unsigned first, last;

    if (vma_range_free(as, start, end))
        return;
    unmap_pages(as, start, end);
    vma_split(as, start);
    vma_split(as, end);
    first = vma_index(as, start);
    for (last = first; last < as->nvmas && as->vmas[last].end <= end; last++)
        ;
    vma_remove(as, first, last);
}

/* Rights of a page after mprotect: writable at once only if nobody else has it. */
static void protect_one(struct addrspace *as, pte_t *e, const void *arg)
{
    const struct vma *v = arg;
    struct page *p = pa_to_page(pte_pa(*e));
    bool was_writable = e->bits & PTE_W, shared = v->flags & VMA_SHARED;
    bool own = !page_test(p, PG_CACHED) && page_refs(p) == 1;

    (void)as;
    if (was_writable && page_test(p, PG_CACHED) && p->mapping && p->mapping->ops)
        page_mark_dirty(p);
    pte_set(e, pte_make(pte_pa(*e), vma_pte_flags(v, shared ? was_writable : own)));
}

void protect_pages(struct addrspace *as, const struct vma *v, uaddr_t start, uaddr_t end)
{
    if (for_each_pte(as, start, end, protect_one, v))
        fence(as);
}
