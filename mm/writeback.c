/* SPDX-License-Identifier: MIT */
/*
 * Dirty pages and their way to the disk.
 *
 *  [1] A page with PG_DIRTY is on its mapping's dirty list, in the order of page->dirtied, and that
 *      mapping on dirty_mappings; all change under cache_lock.
 *  [2] PG_DIRTY is cleared before the page is handed to write_pages: what is stored later marks it
 *      again.
 *  [3] PG_WRITEBACK is set under the page lock and pins page and mapping until page_end_write.
 *
 * Neighbours in the file are written together. Only the first of them is waited for, and it stays
 * locked until all are handed over: that keeps the mapping from going away meanwhile.
 */
#include "mm/pagecache_internal.h"

#include "arch/arch.h"
#include "lib/log.h"

#define CLUSTER 32
#define THROTTLE_NS (100 * 1000 * 1000UL)

_Atomic size_t dirty_pages, writeback_pages;
struct waitq writeback_progress = WAITQ_INIT(writeback_progress);
static struct waitq flusher_wait = WAITQ_INIT(flusher_wait);
static _Atomic bool flush_wanted;
static _Atomic uint64_t dirty_clock; /* goes on with each page that becomes dirty */
static struct list dirty_mappings = LIST_INIT(dirty_mappings); /* cache_lock */

size_t pagecache_dirty_count(void)
{
    return atomic_load_explicit(&dirty_pages, memory_order_relaxed);
}

void page_mark_dirty(struct page *p)
{
    struct mapping *m = READ_ONCE(p->mapping);

    if (!m || !m->ops)
        return;
    /* What was stored is seen by whoever clears the flag after we looked at it. */
    atomic_thread_fence(memory_order_seq_cst);
    if (page_test(p, PG_DIRTY))
        return;
    spin_lock(&cache_lock);
    if (p->mapping == m && !page_set(p, PG_DIRTY)) { /* truncated: nobody wants it written */
        if (list_empty(&m->dirty))
            list_add_tail(&dirty_mappings, &m->dirty_link);
        list_del(&p->link);
        list_add_tail(&m->dirty, &p->link);
        p->dirtied = ++dirty_clock;
        dirty_pages++;
    }
    spin_unlock(&cache_lock);
}

bool cache_clean_locked(struct page *p)
{
    if (!page_clear(p, PG_DIRTY))
        return false;
    list_del(&p->link);
    lru_add(p);
    if (list_empty(&p->mapping->dirty))
        list_del(&p->mapping->dirty_link);
    dirty_pages--;
    return true;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

/* The page lock is held: makes the page one to be written, unless it is clean, written, or gone. */
static bool claim(struct page *p)
{
    bool mine;

    spin_lock(&cache_lock);
    mine = p->mapping && !page_test(p, PG_WRITEBACK) && cache_clean_locked(p);
    if (mine) {
        page_set(p, PG_WRITEBACK);
        p->mapping->nwriteback++;
        writeback_pages++;
    }
    spin_unlock(&cache_lock);
    return mine;
}

/* The page behind p in its file, claimed too. */
static struct page *claim_next(const struct page *p)
{
    struct page *next = cache_find(p->mapping, p->index + 1);
    bool claimed = false;

    if (!next)
        return NULL;
    if (page_test(next, PG_DIRTY) && page_trylock(next)) {
        claimed = claim(next);
        page_unlock(next);
    }
    page_put(next);
    return claimed ? next : NULL;
}

/* Starts writing the page and the dirty ones behind it in the file; wait: also where it is busy. */
static void write_cluster(struct page *first, bool wait)
{
    struct page *pages[CLUSTER], *p = first;
    unsigned n = 0;

    if (wait) {
        page_lock(first);
        page_wait_writeback(first);
    } else if (!page_trylock(first)) {
        return;
    }
    if (claim(first)) {
        do
            pages[n++] = p;
        while (n < CLUSTER && (p = claim_next(p)));
        first->mapping->ops->write_pages(first->mapping, pages, n);
    }
    page_unlock(first);
}

/* The mapping's page that has been dirty longest, since `until` at the latest; wait: also if it is
 * busy. cache_lock held. */
static struct page *first_dirty(struct mapping *m, uint64_t until, bool wait)
{
    for (struct list *l = m->dirty.next; l != &m->dirty; l = l->next) {
        struct page *p = list_entry(l, struct page, link);

        if (p->dirtied > until)
            break;
        if (wait || !page_test(p, PG_LOCKED | PG_WRITEBACK))
            return p;
    }
    return NULL;
}

/* The same for all mappings if m is NULL, each in its turn; referenced. */
static struct page *oldest_dirty(struct mapping *m, uint64_t until, bool wait)
{
    struct page *p = NULL;
    struct mapping *each;

    spin_lock(&cache_lock);
    if (m) {
        p = first_dirty(m, until, wait);
    } else {
        list_for_each (each, &dirty_mappings, dirty_link) {
            p = first_dirty(each, until, wait);
            if (!p)
                continue;
            list_del(&each->dirty_link);
            list_add_tail(&dirty_mappings, &each->dirty_link);
            break;
        }
    }
    if (p)
        page_get(p);
    spin_unlock(&cache_lock);
    return p;
}

/* What is dirty now, and nothing that becomes so later: writers must not keep us here for ever.
 * wait: all of it. */
static void write_dirty(struct mapping *m, bool wait)
{
    uint64_t until = atomic_load(&dirty_clock);
    size_t left = wait ? SIZE_MAX : dirty_pages;
    struct page *p;

    for (; left && (p = oldest_dirty(m, until, wait)); left--) {
        write_cluster(p, wait);
        page_put(p);
    }
}

/* Pages that somebody has mapped may have changed without a word: they are written as well. */
static void mark_mapped_pages(struct mapping *m)
{
    struct page *p;

    for (uint64_t i = 0; (p = cache_next(m, &i)); i++) {
        if (page_refs(p) > 2 && page_test(p, PG_UPTODATE))
            page_mark_dirty(p);
        page_put(p);
    }
}

void mapping_writeback(struct mapping *m, bool wait)
{
    if (!m->ops)
        return;
    if (atomic_load_explicit(&m->writable_maps, memory_order_relaxed))
        mark_mapped_pages(m);
    write_dirty(m, wait);
    if (wait)
        wait_event(page_waitq(m), !atomic_load_explicit(&m->nwriteback, memory_order_acquire));
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
    /* [3]: from here on neither page nor mapping may be touched. */
    page_clear(p, PG_WRITEBACK);
    waitq_wake_all(page_wq);
    waitq_wake_all(mapping_wq);
    waitq_wake_all(&writeback_progress);
}

/* ---- All mappings ----------------------------------------------------------------------------- */

void pagecache_sync_all(bool wait)
{
    write_dirty(NULL, wait);
    if (wait)
        wait_event(&writeback_progress, !writeback_pages);
}

void pagecache_wake_flusher(void)
{
    atomic_store(&flush_wanted, true);
    waitq_wake_all(&flusher_wait);
}

void pagecache_wait_wanted(uint64_t deadline)
{
    wait_event_deadline(&flusher_wait, atomic_load(&flush_wanted), WAIT_UNINTERRUPTIBLE, deadline);
    atomic_store(&flush_wanted, false);
}

/* Writers may dirty a quarter of the memory; then they write, and wait for the disk a little. The
 * flusher is woken at half of that. */
void writeback_throttle(struct mapping *m)
{
    size_t limit = page_total_count() / 4, dirty = pagecache_dirty_count();

    if (likely(dirty + writeback_pages < limit / 2))
        return;
    pagecache_wake_flusher();
    if (dirty < limit)
        return;
    write_dirty(m, false);
    wait_event_deadline(&writeback_progress, writeback_pages < limit / 2, WAIT_UNINTERRUPTIBLE,
                        arch_time_ns() + THROTTLE_NS);
}
