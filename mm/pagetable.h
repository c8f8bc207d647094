/* SPDX-License-Identifier: MIT */
/*
 * Sv39 page tables (Privileged Architecture 1.12, section 4.4): one per process, holding the kernel
 * and the process together. Every PTE is written by pte_set.
 *
 *  root slot 0     the process's own level-1 table: entries 0..95 user memory (192 MiB),
 *                  96..511 copied from the kernel's at birth (PLIC, UART, virtio)
 *  root slots 1..  pointers to the kernel's tables, the same in every process
 */
#pragma once

#include "lib/types.h"

struct page;

typedef struct {
    uint64_t bits;
} pte_t;

#define PTE_V (1UL << 0)
#define PTE_R (1UL << 1)
#define PTE_W (1UL << 2)
#define PTE_X (1UL << 3)
#define PTE_U (1UL << 4)
#define PTE_G (1UL << 5)
#define PTE_A (1UL << 6) /* always preset: hardware need not update A and D */
#define PTE_D (1UL << 7)

#define PTES_PER_TABLE 512UL
#define MEGAPAGE_SIZE (PAGE_SIZE * PTES_PER_TABLE)
#define GIGAPAGE_SIZE (MEGAPAGE_SIZE * PTES_PER_TABLE)
#define USER_L1_ENTRIES (USER_TOP / MEGAPAGE_SIZE) /* 96 */

struct pagetable {
    pte_t *root;
    pte_t *user_l1;      /* the own level-1 table under root slot 0 */
    unsigned own_tables; /* pages: root, level 1, level 0s */
};

static inline bool pte_valid(pte_t e)
{
    return e.bits & PTE_V;
}
static inline bool pte_is_leaf(pte_t e)
{
    return e.bits & (PTE_R | PTE_W | PTE_X);
}
static inline paddr_t pte_pa(pte_t e)
{
    return (e.bits >> 10 & ((1UL << 44) - 1)) << PAGE_SHIFT;
}
static inline pte_t pte_make(paddr_t pa, uint64_t flags)
{
    return (pte_t){pa >> PAGE_SHIFT << 10 | flags};
}

static inline void pte_set(pte_t *slot, pte_t val) /* one store: hardware and other harts look */
{
    *(volatile uint64_t *)&slot->bits = val.bits;
}

int pagetable_create(struct pagetable *pt) must_check; /* two pages, or -ENOMEM */
/* The user half must be empty of leaves; nobody's satp has it. */
void pagetable_destroy(struct pagetable *pt);
paddr_t pagetable_root_pa(const struct pagetable *pt);

/* The level-0 PTE of a user address. find: NULL if there is no table. make: NULL if no memory. */
pte_t *pte_find(const struct pagetable *pt, uaddr_t va);
pte_t *pte_make_path(struct pagetable *pt, uaddr_t va);

/* Boot: maps kernel ranges with the largest leaves that fit. Panics on overlap or lack of memory. */
void pagetable_map_kernel(struct pagetable *pt, uintptr_t va, paddr_t pa, size_t len,
                          uint64_t flags);
/* One 4 KiB kernel mapping in the shared half (stacks): 0 or -ENOMEM. To end it: hide it, fence all
 * harts, unmap it, which returns pa. */
int pagetable_map_kernel_page(struct pagetable *pt, uintptr_t va, paddr_t pa, uint64_t flags);
void pagetable_hide_kernel_page(struct pagetable *pt, uintptr_t va);
paddr_t pagetable_unmap_kernel_page(struct pagetable *pt, uintptr_t va);
/* What any address maps to; false if nothing. level: 0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB. */
bool pagetable_lookup(const struct pagetable *pt, uintptr_t va, pte_t *entry, unsigned *level);

/*
 * Before the fence of an unmap: takes the level-0 tables that hold nothing outside [from, to) out of
 * hardware's sight, which may cache pointers to tables too; pte_find still finds them. After it and
 * once their PTEs are cleared: frees them. The address space stays locked in between.
 */
void pagetable_detach_tables(struct pagetable *pt, uaddr_t from, uaddr_t to);
void pagetable_free_detached(struct pagetable *pt, uaddr_t from, uaddr_t to);
unsigned pagetable_shared_count(void); /* table pages of the kernel half */

/*
 * Prints the table in the exercise's format, one line per call of emit. The user half must not
 * change meanwhile (the caller holds the address space's lock).
 */
void vmprint(const struct pagetable *pt, void (*emit)(void *arg, const char *line), void *arg);
bool pagetable_check(const struct pagetable *pt); /* the invariants; tests and DEBUG call it */
