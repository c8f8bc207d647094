/* SPDX-License-Identifier: MIT */
/*
 * Dirty pages and their way to the disk.
 *
 *  [1] A page is counted (ndirty, dirty_pages) exactly while it is marked in its mapping's tree;
 *      PG_DIRTY is set a moment before, so that marking again costs one atomic instruction.
 *  [2] PG_DIRTY is cleared before the page is handed to write_pages: what is stored later marks it
 *      again.
 *  [3] PG_WRITEBACK is set under the page lock and pins page and mapping until page_end_write.
 *  [4] A mapping with marked pages is on dirty_mappings.
 *
 * Several pages are gathered before the first is submitted, so only the first is waited for: who
 * holds another page's lock may itself be waiting for one that is already gathered.
 */
#include "mm/pagecache_internal.h"

#include "arch/arch.h"
#include "lib/log.h"

#define CLUSTER 32
#define THROTTLE_NS (100 * 1000 * 1000UL)

_Atomic size_t dirty_pages, writeback_pages;
struct waitq writeback_progress = WAITQ_INIT(writeback_progress);
void (*pagecache_wake_flusher)(void);
static struct list dirty_mappings = LIST_INIT(dirty_mappings);
static size_t ndirty_mappings; /* cache_lock */

size_t pagecache_dirty_count(void)
{
    return atomic_load_explicit(&dirty_pages, memory_order_relaxed);
}

/* ---- Marking ---------------------------------------------------------------------------------- */

static void list_dirty_mapping(struct mapping *m)
{
    spin_lock(&cache_lock);
    if (list_empty(&m->dirty_link)) {
        list_add_tail(&dirty_mappings, &m->dirty_link);
        ndirty_mappings++;
    }
    spin_unlock(&cache_lock);
}

static void unlist_dirty_mapping(struct mapping *m)
{
    spin_lock(&cache_lock);
    if (!list_empty(&m->dirty_link)) {
        list_del(&m->dirty_link);
        ndirty_mappings--;
    }
    spin_unlock(&cache_lock);
}

void page_mark_dirty(struct page *p)
{
    struct mapping *m = READ_ONCE(p->mapping);

    if (!m || !is_writable(m) || page_set(p, PG_DIRTY))
        return;
    spin_lock(&m->lock);
    if (p->mapping != m) {
        page_clear(p, PG_DIRTY); /* truncated: nobody wants it written */
    } else if (radix_mark(&m->tree, p->index)) {
        dirty_pages++;
        if (!m->ndirty++)
            list_dirty_mapping(m);
    }
    spin_unlock(&m->lock);
}

bool cache_clear_dirty_locked(struct mapping *m, struct page *p)
{
    if (!radix_unmark(&m->tree, p->index))
        return false; /* whoever set PG_DIRTY a moment ago is about to mark it */
    page_clear(p, PG_DIRTY);
    dirty_pages--;
    if (!--m->ndirty)
        unlist_dirty_mapping(m);
    return true;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

/* The page lock is held: makes the page one to be written, unless it is clean or gone. */
static bool claim(struct mapping *m, struct page *p)
{
    bool mine;

    spin_lock(&m->lock);
    mine = p->mapping == m && cache_clear_dirty_locked(m, p);
    if (mine) {
        page_set(p, PG_WRITEBACK);
        m->nwriteback++;
        writeback_pages++;
    }
    spin_unlock(&m->lock);
    return mine;
}

/* The marked page at *index, or with exact == false the next one up to `to`, referenced. */
static struct page *find_dirty(struct mapping *m, uint64_t *index, uint64_t to, bool exact)
{
    uint64_t at = *index;
    struct page *p;

    spin_lock(&m->lock);
    p = radix_next(&m->tree, &at, true);
    if (p && (at > to || (exact && at != *index)))
        p = NULL;
    if (p)
        page_get(p);
    spin_unlock(&m->lock);
    *index = at;
    return p;
}

/* Claims the next run of dirty pages from *index on; *index moves behind it. Returns its length,
 * 0 with *more = true if the page there was busy (and skipped, for wait == false) or cleaned. */
static unsigned gather(struct mapping *m, uint64_t *index, uint64_t to, bool wait,
                       struct page **pages, bool *more)
{
    struct page *p = find_dirty(m, index, to, false);
    unsigned n = 0;

    *more = p;
    while (p) {
        bool claimed = false, locked = true;

        if (wait && !n)
            page_lock(p);
        else
            locked = page_trylock(p);
        if (locked) {
            if (wait && !n)
                page_wait_writeback(p);
            claimed = !page_test(p, PG_WRITEBACK) && claim(m, p);
            page_unlock(p);
        }
        page_put(p);
        if (claimed)
            pages[n++] = p;
        if (claimed || !n)
            (*index)++;
        if (!claimed || n == CLUSTER || *index > to || !*index)
            break;
        p = find_dirty(m, index, to, true);
    }
    if (*index > to || !*index)
        *more = false;
    return n;
}

/* Starts writing what is dirty in the range; wait: also what others hold locked just now. */
static void write_range(struct mapping *m, uint64_t from, uint64_t to, bool wait)
{
    struct page *pages[CLUSTER];
    bool more = true;

    while (more && m->ndirty) {
        unsigned n = gather(m, &from, to, wait, pages, &more);

        if (n)
            m->ops->write_pages(m, pages, n);
    }
}

/* Pages that somebody has mapped may have changed without a word: they are written as well. */
static void mark_mapped_pages(struct mapping *m, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        struct page *p;

        spin_lock(&m->lock);
        p = radix_next(&m->tree, &i, false);
        if (p)
            page_get(p);
        spin_unlock(&m->lock);
        if (!p)
            return;
        if (i <= to && page_refs(p) > 2 && page_test(p, PG_UPTODATE))
            page_mark_dirty(p);
        page_put(p);
        if (i == UINT64_MAX)
            return;
    }
}

static bool all_written(struct mapping *m)
{
    return !atomic_load_explicit(&m->nwriteback, memory_order_acquire);
}

int mapping_writeback(struct mapping *m, uint64_t from, uint64_t to, bool wait)
{
    if (!is_writable(m))
        return 0;
    if (wait && atomic_load_explicit(&m->writable_maps, memory_order_relaxed))
        mark_mapped_pages(m, from, to);
    write_range(m, from, to, wait);
    if (wait)
        wait_event(page_waitq(m), all_written(m));
    return 0;
}

int mapping_take_error(struct mapping *m)
{
    return atomic_exchange_explicit(&m->error, 0, memory_order_relaxed);
}

void page_end_write(struct page *p, int err)
{
    struct mapping *m = p->mapping;
    struct waitq *page_wq = page_waitq(p), *mapping_wq = page_waitq(m);
    int none = 0;

    if (err)
        atomic_compare_exchange_strong(&m->error, &none, err);
    writeback_pages--;
    m->nwriteback--;
    page_clear(p, PG_WRITEBACK |
                      PG_WAITERS); /* [3]: from here on neither page nor mapping may be touched */
    if (!waitq_idle(page_wq))
        waitq_wake_all(page_wq);
    if (!waitq_idle(mapping_wq))
        waitq_wake_all(mapping_wq);
    if (!waitq_idle(&writeback_progress))
        waitq_wake_all(&writeback_progress);
}

/* ---- All mappings ----------------------------------------------------------------------------- */

/* The mapping that waited longest, kept from going away until release_mapping. */
static struct mapping *next_dirty_mapping(void)
{
    struct mapping *m = NULL;

    spin_lock(&cache_lock);
    if (!list_empty(&dirty_mappings)) {
        m = list_first(&dirty_mappings, struct mapping, dirty_link);
        list_del(&m->dirty_link);
        list_add_tail(&dirty_mappings, &m->dirty_link);
        m->flushers++;
    }
    spin_unlock(&cache_lock);
    return m;
}

static void release_mapping(struct mapping *m)
{
    struct waitq *wq = page_waitq(m);

    spin_lock(&cache_lock);
    m->flushers--;
    spin_unlock(&cache_lock);
    waitq_wake_all(wq);
}

static bool no_flushers(struct mapping *m)
{
    bool none;

    spin_lock(&cache_lock);
    none = !m->flushers;
    spin_unlock(&cache_lock);
    return none;
}

void cache_forget_dirty(struct mapping *m)
{
    unlist_dirty_mapping(m);
    wait_event(page_waitq(m), no_flushers(m));
}

int pagecache_sync_all(bool wait)
{
    struct mapping *m;

    /* As many as there are now: writers must not keep us here for ever. */
    for (size_t left = READ_ONCE(ndirty_mappings); left && (m = next_dirty_mapping()); left--) {
        write_range(m, 0, UINT64_MAX, wait);
        release_mapping(m);
    }
    if (wait)
        wait_event(&writeback_progress, !writeback_pages);
    return 0;
}

void pagecache_background(void)
{
    pagecache_sync_all(false);
}

/* Writers may dirty a quarter of the memory; then they write, and wait for the disk a little. The
 * flusher is woken at half of that. */
void writeback_throttle(struct mapping *m)
{
    size_t limit = page_total_count() / 4, dirty = pagecache_dirty_count();

    if (likely(dirty + writeback_pages < limit / 2))
        return;
    if (pagecache_wake_flusher)
        pagecache_wake_flusher();
    if (dirty < limit)
        return;
    write_range(m, 0, UINT64_MAX, false);
    wait_event_deadline(&writeback_progress, writeback_pages < limit / 2, WAIT_UNINTERRUPTIBLE,
                        arch_time_ns() + THROTTLE_NS);
}
