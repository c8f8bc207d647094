/* SPDX-License-Identifier: MIT */
/*
 * The Sv39 page table (Privileged Architecture 1.12, section 4.4): its tables and how PTEs are found.
 *
 * Invariants: [1] entries 0..95 of the level-1 table under root slot 0 are the process's own, all
 * other entries above level 0 are the kernel's and the same in every process; [2] a leaf below
 * USER_TOP has U, a leaf above never; [3] W implies R; [4] above USER_TOP nothing is both writable
 * and executable; [5] a user PTE that is not valid but not zero either keeps its page while the
 * program may not touch it (PROT_NONE); [6] nor does a level-1 entry that is not valid but not zero
 * lead anywhere: its table waits for the fence that lets it be freed.
 *
 * Locks: the user half belongs to the address space's lock. The kernel half is built by the boot
 * hart; single pages (stacks) are then changed under kernel_table_lock. What is not here: fences
 * (arch/tlb.c; the callers batch them), reference counts of pages (mm/fault.c, mm/unmap.c).
 */
#include "mm/pagetable.h"

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/page.h"

static struct spinlock kernel_table_lock = SPINLOCK_INIT(RANK_KSTACK, "kernel_table");
static _Atomic unsigned shared_tables;

static unsigned pte_index(uintptr_t va, unsigned level)
{
    return (unsigned)(va >> (PAGE_SHIFT + 9 * level) & (PTES_PER_TABLE - 1));
}

static size_t level_size(unsigned level)
{
    return PAGE_SIZE << 9 * level;
}

static pte_t *pte_table(pte_t e)
{
    return pa_to_va(pte_pa(e));
}

static pte_t *table_alloc(unsigned flags)
{
    struct page *p = page_alloc(flags);

    if (!p)
        return NULL;
    page_set(p, PG_TABLE);
    return page_va(p);
}

static void table_free(pte_t *t)
{
    page_put(va_to_page(t));
}

/* ---- User half ---- */

int pagetable_create(struct pagetable *pt)
{
    const pte_t *kernel_l1 = kernel_pagetable.user_l1;

    pt->root = table_alloc(0);
    if (!pt->root)
        return -ENOMEM;
    pt->user_l1 = table_alloc(0);
    if (!pt->user_l1) {
        table_free(pt->root);
        return -ENOMEM;
    }
    memcpy(pt->root, kernel_pagetable.root, PAGE_SIZE);
    pte_set(&pt->root[0], pte_make(va_to_pa(pt->user_l1), PTE_V));
    memset(pt->user_l1, 0, USER_L1_ENTRIES * sizeof(pte_t));
    memcpy(pt->user_l1 + USER_L1_ENTRIES, kernel_l1 + USER_L1_ENTRIES,
           (PTES_PER_TABLE - USER_L1_ENTRIES) * sizeof(pte_t));
    pt->own_tables = 2;
    return 0;
}

void pagetable_destroy(struct pagetable *pt)
{
    for (unsigned i = 0; i < USER_L1_ENTRIES; i++)
        if (pte_valid(pt->user_l1[i]))
            table_free(pte_table(pt->user_l1[i]));
    table_free(pt->user_l1);
    table_free(pt->root);
    pt->root = pt->user_l1 = NULL;
    pt->own_tables = 0;
}

paddr_t pagetable_root_pa(const struct pagetable *pt)
{
    return va_to_pa(pt->root);
}

pte_t *pte_find(const struct pagetable *pt, uaddr_t va)
{
    pte_t e;

    assert(va < USER_TOP);
    e = pt->user_l1[pte_index(va, 1)];
    return e.bits ? &pte_table(e)[pte_index(va, 0)] : NULL;
}

pte_t *pte_make_path(struct pagetable *pt, uaddr_t va)
{
    pte_t *l1, *table;

    assert(va < USER_TOP);
    l1 = &pt->user_l1[pte_index(va, 1)];
    if (likely(pte_valid(*l1)))
        return &pte_table(*l1)[pte_index(va, 0)];
    table = table_alloc(ALLOC_ZERO);
    if (!table)
        return NULL;
    pt->own_tables++;
    /* The zeroes must be visible before the pointer to them: another hart may walk. */
    atomic_thread_fence(memory_order_release);
    pte_set(l1, pte_make(va_to_pa(table), PTE_V));
    return &table[pte_index(va, 0)];
}

static bool ptes_unused(const pte_t *from, const pte_t *to)
{
    while (from < to && !from->bits)
        from++;
    return from >= to;
}

void pagetable_detach_tables(struct pagetable *pt, uaddr_t from, uaddr_t to)
{
    for (uaddr_t at = from, next; at < to; at = next) {
        pte_t *l1 = &pt->user_l1[pte_index(at, 1)], *table = pte_table(*l1);

        next = ALIGN_DOWN(at, MEGAPAGE_SIZE) + MEGAPAGE_SIZE;
        if (l1->bits && ptes_unused(table, table + pte_index(at, 0)) &&
            (next <= to || ptes_unused(table + pte_index(to, 0), table + PTES_PER_TABLE)))
            pte_set(l1, (pte_t){l1->bits & ~PTE_V});
    }
}

void pagetable_free_detached(struct pagetable *pt, uaddr_t from, uaddr_t to)
{
    for (unsigned i = pte_index(from, 1); i <= pte_index(to - 1, 1); i++) {
        pte_t e = pt->user_l1[i];

        if (!e.bits || pte_valid(e))
            continue;
        pte_set(&pt->user_l1[i], (pte_t){0});
        table_free(pte_table(e));
        pt->own_tables--;
    }
}

/* ---- Kernel half ---- */

static pte_t *kernel_table_alloc(void)
{
    pte_t *t = table_alloc(ALLOC_ZERO | ALLOC_ATOMIC);

    if (t)
        shared_tables++;
    return t;
}

/* Descends to the PTE of va at the wanted level, making tables. NULL: no memory, or a leaf above. */
static pte_t *kernel_walk(struct pagetable *pt, uintptr_t va, unsigned want)
{
    pte_t *table = pt->root;

    for (unsigned level = 2; level > want; level--) {
        pte_t *e = &table[pte_index(va, level)];

        if (pte_valid(*e) && pte_is_leaf(*e))
            return NULL;
        if (!pte_valid(*e)) {
            pte_t *t = kernel_table_alloc();

            if (!t)
                return NULL;
            pte_set(e, pte_make(va_to_pa(t), PTE_V));
        }
        table = pte_table(*e);
    }
    return &table[pte_index(va, want)];
}

void pagetable_map_kernel(struct pagetable *pt, uintptr_t va, paddr_t pa, size_t len,
                          uint64_t flags)
{
    assert(!((va | pa | len) & PAGE_MASK));
    while (len) {
        unsigned level = 2;
        pte_t *e;

        while (level && (((va | pa) & (level_size(level) - 1)) || len < level_size(level)))
            level--;
        /* The first GiB is shared with user memory: a table there, never one large leaf. */
        if (level == 2 && va < GIGAPAGE_SIZE)
            level = 1;
        e = kernel_walk(pt, va, level);
        if (!e || pte_valid(*e))
            panic("kernel map: 0x%lx is mapped already, or out of memory", va);
        pte_set(e, pte_make(pa, flags | PTE_V | PTE_G | PTE_A | (flags & PTE_W ? PTE_D : 0)));
        va += level_size(level);
        pa += level_size(level);
        len -= level_size(level);
    }
}

int pagetable_map_kernel_page(struct pagetable *pt, uintptr_t va, paddr_t pa, uint64_t flags)
{
    irqflags_t irq = spin_lock_irqsave(&kernel_table_lock);
    pte_t *e = kernel_walk(pt, va, 0);
    int err = e ? 0 : -ENOMEM;

    if (e) {
        assert(!pte_valid(*e));
        pte_set(e, pte_make(pa, flags | PTE_V | PTE_G | PTE_A | (flags & PTE_W ? PTE_D : 0)));
    }
    spin_unlock_irqrestore(&kernel_table_lock, irq);
    return err;
}

/* Clears bits of the PTE that pagetable_map_kernel_page made. Returns what it was. */
static pte_t clear_kernel_pte(struct pagetable *pt, uintptr_t va, uint64_t bits)
{
    irqflags_t irq = spin_lock_irqsave(&kernel_table_lock);
    pte_t *e = kernel_walk(pt, va, 0), old;

    BUG_ON(!e || !e->bits);
    old = *e;
    pte_set(e, (pte_t){old.bits & ~bits});
    spin_unlock_irqrestore(&kernel_table_lock, irq);
    return old;
}

void pagetable_hide_kernel_page(struct pagetable *pt, uintptr_t va)
{
    clear_kernel_pte(pt, va, PTE_V);
}

paddr_t pagetable_unmap_kernel_page(struct pagetable *pt, uintptr_t va)
{
    return pte_pa(clear_kernel_pte(pt, va, ~0UL));
}

bool pagetable_lookup(const struct pagetable *pt, uintptr_t va, pte_t *entry, unsigned *level)
{
    const pte_t *table = pt->root;

    for (unsigned l = 2;; l--) {
        pte_t e = table[pte_index(va, l)];

        if (!pte_valid(e))
            return false;
        if (pte_is_leaf(e)) {
            *entry = e;
            *level = l;
            return true;
        }
        if (!l)
            return false;
        table = pte_table(e);
    }
}

unsigned pagetable_shared_count(void)
{
    return shared_tables;
}

/* ---- Debug ---- */

struct printer {
    void (*emit)(void *arg, const char *line);
    void *arg;
};

static void print_level(const struct printer *pr, const pte_t *table, unsigned level)
{
    static const char *const indent[] = {".. .. ..", ".. ..", ".."};
    char line[80];

    for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
        pte_t e = table[i];

        if (!pte_valid(e))
            continue;
        snprintf(line, sizeof(line), "%s%u: pte 0x%016lx pa 0x%016lx\n", indent[level], i, e.bits,
                 pte_pa(e));
        pr->emit(pr->arg, line);
        if (!pte_is_leaf(e) && level)
            print_level(pr, pte_table(e), level - 1);
    }
}

void vmprint(const struct pagetable *pt, void (*emit)(void *arg, const char *line), void *arg)
{
    struct printer pr = {emit, arg};
    char line[48];

    snprintf(line, sizeof(line), "page table 0x%016lx\n", pagetable_root_pa(pt));
    emit(arg, line);
    print_level(&pr, pt->root, 2);
}

static bool check_level(const pte_t *table, unsigned level, uintptr_t base)
{
    for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
        uintptr_t va = base + i * level_size(level);
        pte_t e = table[i];

        if (!pte_valid(e))
            continue;
        if (!pte_is_leaf(e)) {
            if (!level || !check_level(pte_table(e), level - 1, va))
                return false;
            continue;
        }
        if (!(e.bits & PTE_U) != (va >= USER_TOP)) /* [2] */
            return false;
        if ((e.bits & (PTE_R | PTE_W)) == PTE_W) /* [3] */
            return false;
        if (va >= USER_TOP && (e.bits & PTE_W) && (e.bits & PTE_X)) /* [4] */
            return false;
    }
    return true;
}

bool pagetable_check(const struct pagetable *pt)
{
    for (unsigned i = 1; i < PTES_PER_TABLE; i++)
        if (pt->root[i].bits != kernel_pagetable.root[i].bits) /* [1] */
            return false;
    for (unsigned i = USER_L1_ENTRIES; i < PTES_PER_TABLE; i++)
        if (pt->user_l1[i].bits != kernel_pagetable.user_l1[i].bits)
            return false;
    return check_level(pt->root, 2, 0);
}
