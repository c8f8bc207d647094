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
 * memory, and no second one is waited for while one is held.
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

struct spinlock cache_lock = SPINLOCK_INIT(RANK_LRU, "page lru");
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

/* PG_WAITERS is set before the flag is looked at, in the same word: whoever clears it later sees
 * that somebody waits. */
static bool lock_or_announce(struct page *p)
{
    page_set(p, PG_WAITERS);
    return page_trylock(p);
}

void page_lock(struct page *p)
{
    if (!page_trylock(p))
        wait_event(page_waitq(p), lock_or_announce(p));
}

/* The page may be gone as soon as the flag is cleared: only its address is used afterwards. */
static void clear_and_wake(struct page *p, uint32_t flag, uint32_t set)
{
    struct waitq *wq = page_waitq(p);
    uint32_t old = atomic_load_explicit(&p->flags, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&p->flags, &old,
                                                  (old | set) & ~(flag | PG_WAITERS),
                                                  memory_order_acq_rel, memory_order_relaxed))
        ;
    if (unlikely(old & PG_WAITERS))
        waitq_wake_all(wq);
}

void page_unlock(struct page *p)
{
    clear_and_wake(p, PG_LOCKED, 0);
}

static bool is_written_or_announce(struct page *p)
{
    return !(atomic_fetch_or_explicit(&p->flags, PG_WAITERS, memory_order_acq_rel) & PG_WRITEBACK);
}

void page_wait_writeback(struct page *p)
{
    if (page_test(p, PG_WRITEBACK))
        wait_event(page_waitq(p), is_written_or_announce(p));
}

void page_end_read(struct page *p, int err)
{
    uint64_t size = mapping_size(p->mapping);

    if (err) {
        clear_and_wake(p, PG_LOCKED, PG_ERROR);
        return;
    }
    if (p->index == size >> PAGE_SHIFT) /* [3] */
        memset((uint8_t *)page_va(p) + (size & PAGE_MASK), 0, PAGE_SIZE - (size & PAGE_MASK));
    clear_and_wake(p, PG_LOCKED | PG_ERROR, PG_UPTODATE);
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
    struct radix_spares spares = {0};
    int err;

    for (;;) {
        spin_lock(&m->lock);
        err = radix_insert(&m->tree, index, p, &spares);
        if (!err) {
            m->npages++;
            cached_pages++;
            if (has_backing(m))
                lru_add(p);
        }
        spin_unlock(&m->lock);
        if (err != -EAGAIN)
            break;
        err = radix_reserve(&spares);
        if (err)
            break;
    }
    radix_unreserve(&spares);
    return err;
}

struct page *cache_add(struct mapping *m, uint64_t index)
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

void cache_remove_locked(struct mapping *m, struct page *p)
{
    cache_clear_dirty_locked(m, p);
    radix_delete(&m->tree, p->index);
    m->npages--;
    cached_pages--;
    if (page_test(p, PG_LRU))
        lru_remove(p);
    p->mapping = NULL;
    page_clear(p, PG_CACHED | PG_ACTIVE);
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
    uint64_t end = has_backing(m) ? size_to_pages(mapping_size(m)) : 0;
    unsigned inside = 0;

    while (inside < n && pages[inside]->index < end)
        inside++;
    for (unsigned i = inside; i < n; i++) {
        page_clear_words(page_va(pages[i]));
        clear_and_wake(pages[i], PG_LOCKED, PG_UPTODATE);
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

/* Which pages to read when index is missing: *start <= index, returns how many. */
static unsigned read_window(struct mapping *m, uint64_t index, uint64_t *start)
{
    uint64_t end = size_to_pages(mapping_size(m));
    unsigned n;

    *start = index;
    m->ra_mark = UINT64_MAX;
    if (!has_backing(m) || index >= end)
        return 1;
    if (end <= SMALL_FILE_PAGES) {
        *start = 0;
        return (unsigned)end;
    }
    if (index == m->next_read) {
        n = MIN(MAX(2 * m->ra_pages, (unsigned)RA_FIRST), (unsigned)BATCH);
        m->ra_pages = n;
        m->ra_mark = index + n / 2;
    } else {
        *start = ALIGN_DOWN(index, (uint64_t)RA_AROUND);
        n = RA_AROUND;
        m->ra_pages = 0;
    }
    n = (unsigned)MIN((uint64_t)n, end - *start);
    m->next_read = *start + n;
    return n;
}

/*
 * Adds and starts reading what is missing of [start, start + n). The page at `wanted` comes back
 * referenced, if it was added here; NULL if it was there; err_ptr(-ENOMEM). For the others, lack of
 * memory only ends the read-ahead.
 */
static struct page *populate(struct mapping *m, uint64_t start, unsigned n, uint64_t wanted)
{
    struct page *batch[BATCH], *result = NULL;
    unsigned count = 0;

    for (uint64_t i = start; i < start + n; i++) {
        struct page *p = cache_add(m, i);

        if (is_err(p)) {
            if (count)
                start_read(m, batch, count);
            count = 0;
            if (ptr_err(p) == -EEXIST)
                continue;
            if (i > wanted || result)
                break;
            if (i == wanted)
                return p;
            i = wanted - 1; /* forget what comes before, but the wanted page must be tried */
            continue;
        }
        batch[count++] = p;
        if (i == wanted)
            result = p;
        else
            page_put(p); /* locked, so it stays */
    }
    if (count)
        start_read(m, batch, count);
    return result;
}

static void read_ahead_more(struct mapping *m)
{
    uint64_t start = m->next_read, end = size_to_pages(mapping_size(m));
    unsigned n = MIN(2 * m->ra_pages, (unsigned)BATCH);

    m->ra_mark = UINT64_MAX;
    if (start >= end || !n)
        return;
    n = (unsigned)MIN((uint64_t)n, end - start);
    m->ra_pages = n;
    m->ra_mark = start + n / 2;
    m->next_read = start + n;
    populate(m, start, n, UINT64_MAX);
}

/* A referenced page that was not up to date when it was found, or just added: waits for its read.
 * A page whose read failed is tried once more, alone. -EAGAIN: it left the mapping. */
static int wait_read(struct mapping *m, struct page *p)
{
    int err;

    if (!cache_lock_page(m, p))
        return -EAGAIN;
    if (!page_test(p, PG_UPTODATE)) {
        err = cache_fill_locked(m, p);
        if (err)
            return err;
    }
    page_unlock(p);
    return 0;
}

struct page *mapping_read_page(struct mapping *m, uint64_t index)
{
    struct page *p = cache_find(m, index);
    uint64_t start;
    unsigned n;
    int err;

    if (likely(p && page_test(p, PG_UPTODATE))) {
        page_touch(p);
        if (unlikely(index == m->ra_mark))
            read_ahead_more(m);
        return p;
    }
    for (;;) {
        if (!p) {
            n = read_window(m, index, &start);
            p = populate(m, start, n, index);
            if (is_err(p))
                return p;
        }
        if (p) {
            err = page_test(p, PG_UPTODATE) ? 0 : wait_read(m, p);
            if (!err)
                return p;
            page_put(p);
            if (err != -EAGAIN)
                return err_ptr(err);
        }
        p = cache_find(m, index);
    }
}

/* ---- read(2) ---------------------------------------------------------------------------------- */

/* Bytes copied, fewer than n only where user memory ends. */
static size_t copy_out(struct page *p, unsigned off, uaddr_t ubuf, void *kbuf, size_t n)
{
    const uint8_t *src = (const uint8_t *)page_va(p) + off;

    if (kbuf) {
        memcpy(kbuf, src, n);
        return n;
    }
    if (likely(!copy_to_user(ubuf, src, n)))
        return n;
    return n - copy_to_user_nofault(ubuf, src, n);
}

ssize_t mapping_read(struct mapping *m, uaddr_t ubuf, void *kbuf, size_t len, off_t pos)
{
    size_t done = 0;

    while (done < len) {
        uint64_t at = (uint64_t)pos + done, size = mapping_size(m);
        unsigned off = at & PAGE_MASK;
        size_t n = MIN(len - done, PAGE_SIZE - off), copied;
        struct page *p;

        if (at >= size)
            break;
        n = MIN(n, size - at);
        p = mapping_read_page(m, at >> PAGE_SHIFT);
        if (is_err(p))
            return done ? (ssize_t)done : ptr_err(p);
        copied = copy_out(p, off, ubuf + done, kbuf ? (uint8_t *)kbuf + done : NULL, n);
        page_put(p);
        done += copied;
        if (copied < n)
            return done ? (ssize_t)done : -EFAULT;
    }
    return (ssize_t)done;
}
