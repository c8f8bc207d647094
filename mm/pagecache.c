/* SPDX-License-Identifier: MIT */
/*
 * The page cache's reading half: finding pages, page locks, reading with read-ahead, read(2).
 *
 *  [1] A page in a tree has PG_CACHED, mapping and index set; they are cleared under mapping->lock
 *      when it leaves, so whoever holds the page lock and sees page->mapping == m owns its place.
 *  [2] Only locked pages without PG_WRITEBACK leave the tree (reclaim, which takes no page lock,
 *      takes only unlocked pages that nobody but the tree references).
 *  [3] Bytes of a page beyond the file's size are zero when the page becomes up to date.
 *
 * Locks: page lock, mapping->lock, cache_lock. A page lock is never held over a touch of user
 * memory, and while one is held, only one of a device's own pages (metadata) is waited for.
 */
#include "mm/pagecache_internal.h"

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/string.h"

#define BATCH 32            /* pages per request, and the largest read-ahead window */
#define RA_FIRST 8          /* the window of a sequential reader at its start */
#define RA_AROUND 8         /* pages read around a random access */
#define SMALL_FILE_PAGES 16 /* read whole at the first touch */
#define WAIT_QUEUES 64

struct spinlock cache_lock = SPINLOCK_INIT(RANK_LRU, "page lists");
_Atomic size_t cached_pages;
static struct waitq wait_queues[WAIT_QUEUES];

void pagecache_init(void)
{
    for (unsigned i = 0; i < WAIT_QUEUES; i++)
        waitq_init(&wait_queues[i]);
    radix_init();
    page_register_shrinker(cache_shrink);
}

size_t pagecache_page_count(void)
{
    return atomic_load_explicit(&cached_pages, memory_order_relaxed);
}

void mapping_init(struct mapping *m, const struct mapping_ops *ops)
{
    memset(m, 0, sizeof(*m));
    spin_init(&m->lock, RANK_MAPPING, "mapping");
    m->ops = ops;
    m->ra_mark = UINT64_MAX;
    list_init(&m->dirty);
    list_init(&m->dirty_link);
}

/* ---- Page locks ------------------------------------------------------------------------------- */

struct waitq *page_waitq(const void *p)
{
    return &wait_queues[(uintptr_t)p / 64 % WAIT_QUEUES];
}

bool page_trylock(struct page *p)
{
    return !page_set(p, PG_LOCKED);
}

void page_lock(struct page *p)
{
    wait_event(page_waitq(p), page_trylock(p));
}

/* The page may be gone as soon as the flag is cleared: only its address is used afterwards. */
void page_unlock(struct page *p)
{
    struct waitq *wq = page_waitq(p);

    page_clear(p, PG_LOCKED);
    waitq_wake_all(wq);
}

void page_wait_writeback(struct page *p)
{
    wait_event(page_waitq(p), !page_test(p, PG_WRITEBACK));
}

void page_end_read(struct page *p, int err)
{
    uint64_t size = mapping_size(p->mapping);

    if (!err && p->index == size >> PAGE_SHIFT) /* [3] */
        memset((uint8_t *)page_va(p) + (size & PAGE_MASK), 0, PAGE_SIZE - (size & PAGE_MASK));
    if (!err)
        page_set(p, PG_UPTODATE);
    page_unlock(p);
}

/* ---- The tree --------------------------------------------------------------------------------- */

struct page *cache_find(struct mapping *m, uint64_t index)
{
    struct page *p;

    spin_lock(&m->lock);
    p = radix_lookup(&m->tree, index);
    if (p)
        page_get(p);
    spin_unlock(&m->lock);
    return p;
}

static int insert(struct mapping *m, struct page *p, uint64_t index)
{
    int err;

    do {
        spin_lock(&m->lock);
        err = radix_insert(&m->tree, index, p);
        if (!err) {
            m->npages++;
            cached_pages++;
            if (m->ops) {
                spin_lock(&cache_lock);
                lru_add(p);
                spin_unlock(&cache_lock);
            }
        }
        spin_unlock(&m->lock);
    } while (err == -ENOMEM && page_reclaim(1));
    return err;
}

/* A new page at index: locked, not up to date, referenced. err_ptr(-ENOMEM, -EEXIST). */
static struct page *add_page(struct mapping *m, uint64_t index)
{
    struct page *p = page_alloc(0);
    int err;

    if (!p)
        return err_ptr(-ENOMEM);
    atomic_store_explicit(&p->flags, PG_CACHED | PG_LOCKED, memory_order_relaxed);
    p->mapping = m;
    p->index = index;
    p->private_data = NULL;
    page_get(p); /* the caller's, beside the tree's */
    err = insert(m, p, index);
    if (!err)
        return p;
    atomic_store_explicit(&p->flags, 0, memory_order_relaxed);
    page_put(p);
    page_put(p);
    return err_ptr(err);
}

struct page *cache_next(struct mapping *m, uint64_t *index)
{
    struct page *p;

    spin_lock(&m->lock);
    p = radix_next(&m->tree, index);
    if (p)
        page_get(p);
    spin_unlock(&m->lock);
    return p;
}

bool cache_lock_page(struct mapping *m, struct page *p)
{
    page_lock(p);
    if (likely(p->mapping == m))
        return true;
    page_unlock(p);
    return false;
}

unsigned pagecache_lookup_range(struct mapping *m, uint64_t first, unsigned n, struct page **out)
{
    unsigned found = 0, run;

    spin_lock(&m->lock);
    for (unsigned i = 0; i < n; i += run) {
        void *const *slots = radix_slots(&m->tree, first + i, &run);

        run = MIN(run, n - i);
        for (unsigned k = i; k < i + run; k++) {
            out[k] = slots ? slots[k - i] : NULL;
            if (!out[k] || !page_test(out[k], PG_UPTODATE)) {
                out[k] = NULL;
                continue;
            }
            page_get(out[k]);
            page_touch(out[k]);
            found++;
        }
    }
    spin_unlock(&m->lock);
    return found;
}

struct page *mapping_find_page(struct mapping *m, uint64_t index)
{
    struct page *p;

    return pagecache_lookup_range(m, index, 1, &p) ? p : NULL;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

/* Starts to fill n locked pages with consecutive indices; each is unlocked in the end. Size is
 * looked at only now that the pages are in the tree: truncation sets size, then drops pages, so
 * no page is read from blocks that are being freed. */
static void start_read(struct mapping *m, struct page **pages, unsigned n)
{
    uint64_t end = m->ops ? size_to_pages(mapping_size(m)) : 0;
    unsigned inside = 0;

    while (inside < n && pages[inside]->index < end)
        inside++;
    for (unsigned i = inside; i < n; i++) {
        memset(page_va(pages[i]), 0, PAGE_SIZE);
        page_set(pages[i], PG_UPTODATE);
        page_unlock(pages[i]);
    }
    if (inside)
        m->ops->read_pages(m, pages, inside);
}

int cache_fill_locked(struct mapping *m, struct page *p)
{
    start_read(m, &p, 1);
    if (!cache_lock_page(m, p))
        return -EAGAIN;
    if (page_test(p, PG_UPTODATE))
        return 0;
    page_unlock(p);
    return -EIO;
}

struct page *cache_get_locked(struct mapping *m, uint64_t index)
{
    for (;;) {
        struct page *p = cache_find(m, index);

        if (!p) {
            p = add_page(m, index);
            if (is_err(p) && ptr_err(p) == -EEXIST)
                continue;
            return p;
        }
        if (cache_lock_page(m, p))
            return p;
        page_put(p);
    }
}

struct page *cache_get_filled(struct mapping *m, uint64_t index)
{
    for (;;) {
        struct page *p = cache_get_locked(m, index);
        int err;

        if (is_err(p) || page_test(p, PG_UPTODATE))
            return p;
        err = cache_fill_locked(m, p);
        if (!err)
            return p;
        page_put(p);
        if (err != -EAGAIN)
            return err_ptr(err);
    }
}

/* Adds and starts reading what is missing of [start, start + n), n <= BATCH, as far as memory goes. */
static void populate(struct mapping *m, uint64_t start, unsigned n)
{
    struct page *batch[BATCH];
    unsigned count = 0;
    int err = 0;

    for (uint64_t i = start; i < start + n && err != -ENOMEM; i++) {
        struct page *p = add_page(m, i);

        err = is_err(p) ? ptr_err(p) : 0;
        if (!err) {
            batch[count++] = p;
            page_put(p); /* locked, so it stays */
        } else if (count) {
            start_read(m, batch, count);
            count = 0;
        }
    }
    if (count)
        start_read(m, batch, count);
}

/* index is missing, or (at the mark) a sequential reader comes near what was read ahead for it. */
static void read_ahead(struct mapping *m, uint64_t index)
{
    uint64_t end = m->ops ? size_to_pages(mapping_size(m)) : 0, start;
    bool sequential = index == m->next_read || index == m->ra_mark;
    unsigned n = 0;

    m->ra_mark = UINT64_MAX;
    if (index >= end)
        return;
    if (end <= SMALL_FILE_PAGES) {
        populate(m, 0, (unsigned)end);
        return;
    }
    start = sequential ? m->next_read : ALIGN_DOWN(index, (uint64_t)RA_AROUND);
    if (start >= end)
        return;
    if (sequential) {
        n = MIN(MAX(2 * m->ra_pages, (unsigned)RA_FIRST), (unsigned)BATCH);
        m->ra_mark = start + n / 2;
    }
    m->ra_pages = n;
    n = (unsigned)MIN((uint64_t)(sequential ? n : RA_AROUND), end - start);
    m->next_read = start + n;
    populate(m, start, n);
}

struct page *mapping_read_page(struct mapping *m, uint64_t index)
{
    struct page *p = cache_find(m, index);

    if (likely(p && page_test(p, PG_UPTODATE))) {
        page_touch(p);
        if (unlikely(index == m->ra_mark))
            read_ahead(m, index);
        return p;
    }
    if (p)
        page_put(p);
    else
        read_ahead(m, index);
    p = cache_get_filled(m, index); /* once more, alone, if that read failed */
    if (!is_err(p))
        page_unlock(p);
    return p;
}

/* ---- read(2) ---------------------------------------------------------------------------------- */

int mapping_read(struct mapping *m, struct uio *u, off_t pos)
{
    uint64_t at = (uint64_t)pos, size;

    while (u->left && at < (size = mapping_size(m))) {
        unsigned off = at & PAGE_MASK;
        size_t n = MIN(MIN(u->left, PAGE_SIZE - off), size - at), copied;
        struct page *p = mapping_read_page(m, at >> PAGE_SHIFT);

        if (is_err(p))
            return ptr_err(p);
        copied = uio_put(u, (uint8_t *)page_va(p) + off, n);
        page_put(p);
        if (copied < n)
            return -EFAULT;
        at += n;
        sched_point();
    }
    return 0;
}
