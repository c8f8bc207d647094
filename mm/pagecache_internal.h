/* SPDX-License-Identifier: MIT */
/* What the page cache's own files share: pagecache.c, pagewrite.c, writeback.c, reclaim.c. */
#pragma once

#include "mm/pagecache.h"

extern struct spinlock cache_lock; /* RANK_LRU: the LRU list, the list of dirty mappings */
extern _Atomic size_t cached_pages, dirty_pages, writeback_pages;
extern struct waitq writeback_progress; /* woken whenever a page's write ends */

static inline bool has_backing(const struct mapping *m)
{
    return m->ops && m->ops->read_pages;
}

static inline bool is_writable(const struct mapping *m)
{
    return m->ops && m->ops->write_pages;
}

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
/* A new page at index: locked, not up to date, referenced. err_ptr(-ENOMEM, -EEXIST). */
struct page *cache_add(struct mapping *m, uint64_t index);
/* Locks a referenced page; false: it is not m's any more, and not locked. */
bool cache_lock_page(struct mapping *m, struct page *p) must_check;
/* Reads or clears a locked page that is not up to date. On failure it is unlocked: -EIO, or -EAGAIN
 * when it left the mapping meanwhile. */
int cache_fill_locked(struct mapping *m, struct page *p) must_check;
/* m->lock held: out of the tree and the lists; the tree's reference is the caller's then. */
void cache_remove_locked(struct mapping *m, struct page *p);

void lru_add(struct page *p);     /* m->lock held */
void lru_remove(struct page *p);  /* m->lock held */
size_t cache_shrink(size_t want); /* the shrinker */

/* m->lock held: whether the page was counted as dirty. */
bool cache_clear_dirty_locked(struct mapping *m, struct page *p);
void cache_forget_dirty(struct mapping *m); /* off the dirty list, flushers gone */
void writeback_throttle(struct mapping *m); /* after a write: too much is dirty? */
