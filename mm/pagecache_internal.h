/* SPDX-License-Identifier: MIT */
/* What the page cache's own files share: pagecache.c, pagewrite.c, writeback.c, reclaim.c. */
#pragma once

#include "mm/pagecache.h"

extern struct spinlock cache_lock; /* RANK_LRU: all lists of pages, and leaving them */
extern _Atomic size_t cached_pages, dirty_pages, writeback_pages;
extern struct waitq writeback_progress; /* woken whenever a page's write ends */

static inline uint64_t mapping_size(const struct mapping *m)
{
    return atomic_load_explicit(&m->size, memory_order_acquire);
}

/* Pages that hold at least one byte. */
static inline uint64_t size_to_pages(uint64_t size)
{
    return (size >> PAGE_SHIFT) + !!(size & PAGE_MASK);
}

static inline void page_touch(struct page *p)
{
    if (!(atomic_load_explicit(&p->flags, memory_order_relaxed) & PG_ACTIVE))
        page_set(p, PG_ACTIVE);
}

struct waitq *page_waitq(const void *p); /* of a page or a mapping: shared, so re-check */

/* The page at index in whatever state, referenced, or NULL. */
struct page *cache_find(struct mapping *m, uint64_t index);
/* The first page at *index or after it, in whatever state, referenced; *index is its own. */
struct page *cache_next(struct mapping *m, uint64_t *index);
/* The page at index, locked and referenced, perhaps new and not up to date. err_ptr(-ENOMEM). */
struct page *cache_get_locked(struct mapping *m, uint64_t index);
/* As cache_get_locked, and up to date. err_ptr(-ENOMEM, -EIO). */
struct page *cache_get_filled(struct mapping *m, uint64_t index);
/* Locks a referenced page; false: it is not m's any more, and not locked. */
bool cache_lock_page(struct mapping *m, struct page *p) must_check;
/* Reads or clears a locked page that is not up to date. On failure it is unlocked: -EIO, or -EAGAIN
 * when it left the mapping meanwhile. */
int cache_fill_locked(struct mapping *m, struct page *p) must_check;

void lru_add(struct page *p);     /* cache_lock held; the page is on no list */
size_t cache_shrink(size_t want); /* the shrinker */
/* m->lock and cache_lock held: out of the tree and the lists; the tree's reference is the caller's. */
void cache_detach(struct mapping *m, struct page *p);

/* cache_lock held: whether it was dirty; on the reclaim list then. */
bool cache_clean_locked(struct page *p);
void writeback_throttle(struct mapping *m); /* after a write: too much is dirty? */
