/* SPDX-License-Identifier: MIT */
/*
 * Physical pages: a struct page each, buddy free lists, per-hart caches of single pages, and
 * reference counts. All RAM is direct-mapped, so page_va() is arithmetic.
 */
#pragma once

#include <stdatomic.h>

#include "lib/list.h"
#include "lib/types.h"

#define MAX_ORDER 10 /* 4 MiB */

struct mapping;
struct kcache;

enum page_flag {                        /* bits of page->flags, changed atomically */
                 PG_BUDDY = 1u << 0,    /* free, head of a block in a buddy list */
                 PG_SLAB = 1u << 1,     /* object allocator; the union's slab part holds */
                 PG_LOCKED = 1u << 2,   /* page cache: I/O or truncation in progress, page_lock() */
                 PG_UPTODATE = 1u << 3, /* page cache: contents valid */
                 PG_DIRTY = 1u << 4,    /* page cache: newer than the disk */
                 PG_WRITEBACK = 1u << 5, /* page cache: being written */
                 PG_ACTIVE = 1u << 8,    /* touched since the reclaimer last looked */
                 PG_TABLE = 1u << 9,     /* a page table */
                 PG_CACHED = 1u << 10,   /* belongs to a mapping */
                 PG_RESERVED = 1u << 12, /* kernel image, firmware, memory map: never freed */
                 PG_KMALLOC = 1u << 13,  /* a kmalloc larger than the object caches */
};

struct page {
    _Atomic uint32_t refs;  /* 0 = free. A mapping holds one, each PTE and each user one more */
    _Atomic uint32_t flags; /* PG_* */
    struct list link;       /* buddy list, hart cache, slab list, or reclaim list */
    union {
        struct { /* page cache */
            struct mapping *mapping;
            uint64_t index;   /* page number in the file */
            uint64_t dirtied; /* when it became dirty: see mm/writeback.c */
        };
        struct { /* PG_SLAB */
            struct kcache *cache;
            void *free;
            uint32_t inuse;
        };
        uint32_t order; /* PG_BUDDY, PG_KMALLOC */
    };
    void *private_data;         /* owner's: file-system blocks of a page cache page, ... */
} __attribute__((aligned(64))); /* a power of two: page numbers are shifts, not divisions */

enum alloc_flag {
    ALLOC_ZERO = 1,   /* cleared */
    ALLOC_ATOMIC = 2, /* no reclaim, no sleep: interrupt handlers, spinlocks held */
    ALLOC_NOFS = 4,   /* reclaim must not write files back (called from writeback itself) */
};

/* Boot: a bank with its memory map (one struct page per page, in reserved memory); all its pages
 * are reserved until page_free_range hands them to the allocator. */
void page_add_bank(paddr_t base, size_t len, struct page *map);
void page_free_range(paddr_t from, paddr_t to);

/* NULL when memory is short even after reclaim. May sleep unless ALLOC_ATOMIC. refs == 1. */
struct page *page_alloc(unsigned flags);
struct page *page_alloc_order(unsigned order, unsigned flags); /* 2^order contiguous pages */
void page_free_order(struct page *p, unsigned order);

void page_release(struct page *p); /* refs reached 0: internal to page_put */

static inline void page_get(struct page *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
}

/* Gives a reference back; the last one frees the (single) page. Any context. */
static inline void page_put(struct page *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        page_release(p);
}

static inline uint32_t page_refs(const struct page *p)
{
    return atomic_load_explicit(&p->refs, memory_order_acquire);
}

struct ram_bank {
    paddr_t base;
    size_t npages;
    struct page *map;
};
extern struct ram_bank ram_banks[]; /* immutable after boot; the first holds nearly every page */
struct page *pa_to_page_slow(paddr_t pa);
paddr_t page_to_pa_slow(const struct page *p);

static inline struct page *pa_to_page(paddr_t pa) /* NULL where there is no RAM */
{
    size_t n = (pa - ram_banks[0].base) >> PAGE_SHIFT;

    return likely(n < ram_banks[0].npages) ? &ram_banks[0].map[n] : pa_to_page_slow(pa);
}

static inline paddr_t page_to_pa(const struct page *p)
{
    size_t n = (size_t)(p - ram_banks[0].map);

    return likely(n < ram_banks[0].npages) ? ram_banks[0].base + ((paddr_t)n << PAGE_SHIFT)
                                           : page_to_pa_slow(p);
}

static inline void *pa_to_va(paddr_t pa)
{
    return (void *)pa;
}

static inline paddr_t va_to_pa(const void *va) /* direct-mapped memory only: not stacks */
{
    return (paddr_t)va;
}

static inline void *page_va(const struct page *p)
{
    return pa_to_va(page_to_pa(p));
}

static inline struct page *va_to_page(const void *va)
{
    return pa_to_page(va_to_pa(va));
}

static inline bool page_test(const struct page *p, uint32_t flag)
{
    return atomic_load_explicit(&p->flags, memory_order_acquire) & flag;
}

/* Each returns whether the flag was set before. */
static inline bool page_set(struct page *p, uint32_t flag)
{
    return atomic_fetch_or_explicit(&p->flags, flag, memory_order_acq_rel) & flag;
}

static inline bool page_clear(struct page *p, uint32_t flag)
{
    return atomic_fetch_and_explicit(&p->flags, ~flag, memory_order_acq_rel) & flag;
}

size_t page_total_count(void); /* pages the allocator was ever given */
size_t page_free_count(void);  /* free now, hart caches included */

/* Gives cached memory back: called when an allocation fails. Returns pages freed. May sleep. */
typedef size_t (*shrinker_fn)(size_t want);
void page_register_shrinker(shrinker_fn fn);
size_t page_reclaim(size_t want);

/*
 * Fault injection (as Linux's /proc/self/fail-nth): true when this allocation must fail. Counts
 * only what a thread allocates on its own behalf, never in interrupt handlers. In proc/process.c.
 */
bool alloc_should_fail(void);
