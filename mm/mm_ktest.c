/* SPDX-License-Identifier: MIT */
/*
 * Kernel-ring tests of memory management: what a user program cannot see from outside. Each leaves
 * the counts as it found them.
 */
#include <linux/mman.h>

#include "arch/arch.h"
#include "lib/ktest.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "mm/kmap.h"
#include "mm/page.h"
#include "mm/pagecache.h"
#include "mm/vma.h"

#define ANON_MAX (PROT_READ | PROT_WRITE | PROT_EXEC)

KTEST(page_orders_give_back_what_they_took)
{
    size_t before = page_free_count();

    for (unsigned order = 0; order <= 6; order++) {
        struct page *p = page_alloc_order(order, ALLOC_ZERO);

        KCHECK(p);
        KCHECK(page_to_pa(p) % (PAGE_SIZE << order) == 0);
        KCHECK(page_free_count() == before - (1UL << order));
        page_free_order(p, order);
        KCHECK(page_free_count() == before);
    }
}

KTEST(page_references_count)
{
    size_t before = page_free_count();
    struct page *p = page_alloc(0);

    KCHECK(p && page_refs(p) == 1);
    page_get(p);
    page_put(p);
    KCHECK(page_free_count() == before - 1);
    page_put(p);
    KCHECK(page_free_count() == before);
}

KTEST(kmalloc_sizes_and_alignment)
{
    static const size_t sizes[] = {1, 15, 16, 17, 100, 192, 193, 2048, 2049, 4096, 5000, 100000};

    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        uint8_t *p = kmalloc(sizes[i], ALLOC_ZERO);

        KCHECK(p && ((uintptr_t)p & 15) == 0);
        KCHECK(p[0] == 0 && p[sizes[i] - 1] == 0);
        memset(p, 0xa5, sizes[i]);
        kfree(p);
    }
    KCHECK(!kmalloc(64UL << 20, 0));
}

KTEST(a_new_space_costs_two_table_pages)
{
    struct pagetable pt;

    KCHECK(!pagetable_create(&pt));
    KCHECK(pt.own_tables == 2);
    KCHECK(pagetable_check(&pt));
    /* The kernel half is the same physical tables (pitfalls 7, 30). */
    for (unsigned i = 1; i < PTES_PER_TABLE; i++)
        KCHECK(pt.root[i].bits == kernel_pagetable.root[i].bits);
    pagetable_destroy(&pt);
}

KTEST(kernel_half_is_never_writable_and_executable)
{
    KCHECK(kmap_check_wx());
}

/* Every way of unmapping returns pages and empty level-0 tables. */
KTEST(unmap_returns_pages_and_tables)
{
    struct addrspace *as = addrspace_create();
    static const char byte = 1;
    long at;

    KCHECK(as);
    at = addrspace_mmap(as, 0x01fff000, 0x12000, PROT_READ | PROT_WRITE, MAP_FIXED, NULL, 0,
                        ANON_MAX, 0);
    KCHECK(at == 0x01fff000);
    for (uaddr_t va = 0x01fff000; va < 0x02011000; va += PAGE_SIZE)
        KCHECK(!addrspace_write(as, va, &byte, 1)); /* pitfall 13: the CLINT's address is memory */
    KCHECK(as->rss == 0x12 && as->pt.own_tables == 4);
    KCHECK(!addrspace_mprotect(as, 0x02000000, 0x1000, PROT_NONE));
    KCHECK(as->nvmas == 3);
    KCHECK(!addrspace_mprotect(as, 0x02000000, 0x1000, PROT_READ | PROT_WRITE));
    KCHECK(as->nvmas == 1);
    KCHECK(!addrspace_munmap(as, 0x02005000, 0x1000));
    KCHECK(as->nvmas == 2 && as->rss == 0x11);
    KCHECK(!addrspace_munmap(as, 0, USER_TOP));
    KCHECK(as->nvmas == 0 && as->rss == 0 && as->pt.own_tables == 2);
    addrspace_check(as);
    addrspace_put(as);
}

/* pitfall 14: up to the last page works, the next one does not. */
KTEST(user_memory_ends_at_the_plic)
{
    struct addrspace *as = addrspace_create();
    const int rw = PROT_READ | PROT_WRITE;

    KCHECK(as);
    as->mmap_top = USER_TOP;
    KCHECK(addrspace_mmap(as, USER_TOP - PAGE_SIZE, PAGE_SIZE, rw, MAP_FIXED, NULL, 0, ANON_MAX,
                          0) == (long)(USER_TOP - PAGE_SIZE));
    KCHECK(addrspace_mmap(as, USER_TOP, PAGE_SIZE, rw, MAP_FIXED, NULL, 0, ANON_MAX, 0) == -ENOMEM);
    KCHECK(addrspace_mmap(as, USER_TOP - PAGE_SIZE, 2 * PAGE_SIZE, rw, MAP_FIXED, NULL, 0, ANON_MAX,
                          0) == -ENOMEM);
    KCHECK(addrspace_mmap(as, 0, USER_TOP, rw, 0, NULL, 0, ANON_MAX, 0) == -ENOMEM);
    KCHECK(addrspace_mmap(as, 0, SIZE_MAX & ~PAGE_MASK, rw, 0, NULL, 0, ANON_MAX, 0) == -ENOMEM);
    addrspace_put(as);
}

/* pitfalls 16, 18: the range check is what keeps mapped kernel memory and registers out. */
KTEST(user_ranges_do_not_wrap)
{
    KCHECK(user_range_ok(0, USER_TOP) && user_range_ok(USER_TOP, 0));
    KCHECK(!user_range_ok(0, USER_TOP + 1) && !user_range_ok(USER_TOP, 1));
    KCHECK(!user_range_ok(UINT64_MAX, 1) && !user_range_ok(1, UINT64_MAX));
    KCHECK(!user_range_ok(UINT64_MAX - 4095, 4096) && !user_range_ok(0x80200000, 1));
    KCHECK(!user_range_ok(1UL << 63, 1UL << 63));
}

KTEST(kernel_stacks_have_guards)
{
    uintptr_t top = kstack_alloc();
    unsigned level, slot;
    pte_t e;

    KCHECK(top);
    for (uintptr_t va = top - KSTACK_SIZE; va < top; va += PAGE_SIZE)
        KCHECK(pagetable_lookup(&kernel_pagetable, va, &e, &level) && e.bits & PTE_W);
    for (uintptr_t va = top - KSTACK_SLOT; va < top - KSTACK_SIZE; va += PAGE_SIZE)
        KCHECK(!pagetable_lookup(&kernel_pagetable, va, &e, &level) && kstack_is_guard(va, &slot));
    KCHECK((top - 1) >> KSTACK_VALID_BIT & 1);
    kstack_free(top);
}

static bool write_page_at(struct mapping *m, uint64_t index)
{
    struct uio u = uio_kernel("x", 1);

    return !mapping_write(m, &u, (off_t)(index << PAGE_SHIFT)) && !u.left;
}

/* Holes, the end of a tree node, and what lies beyond the tree. */
KTEST(cached_pages_by_range)
{
    struct mapping *m = kzalloc(sizeof(*m));
    struct page *pages[16];
    size_t before = pagecache_page_count();

    KCHECK(m);
    mapping_init(m, NULL);
    KCHECK(pagecache_lookup_range(m, 60, 16, pages) == 0 && !pages[0] && !pages[15]);
    KCHECK(write_page_at(m, 61) && write_page_at(m, 63) && write_page_at(m, 64));
    KCHECK(pagecache_lookup_range(m, 60, 16, pages) == 3);
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        KCHECK(!pages[i] == (i != 1 && i != 3 && i != 4));
        KCHECK(!pages[i] || (pages[i]->index == 60 + i && page_refs(pages[i]) == 2));
    }
    page_put(pages[1]);
    page_put(pages[3]);
    page_put(pages[4]);
    KCHECK(pagecache_lookup_range(m, UINT64_MAX - 3, 4, pages) == 0 && !pages[3]);
    mapping_destroy(m);
    kfree(m);
    KCHECK(pagecache_page_count() == before);
}

static unsigned printed_lines;
static bool print_ok;

static void check_line(void *arg, const char *line)
{
    (void)arg;
    if (!printed_lines++)
        print_ok = !strncmp(line, "page table 0x", 13);
    else
        print_ok &= !strncmp(line, "..", 2) && strstr(line, ": pte 0x") && strstr(line, " pa 0x");
}

KTEST(vmprint_has_the_exercises_format)
{
    printed_lines = 0;
    vmprint(&kernel_pagetable, check_line, NULL);
    KCHECK(print_ok && printed_lines > 10);
}
