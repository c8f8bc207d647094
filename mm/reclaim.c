/* SPDX-License-Identifier: MIT */
/*
 * Taking clean page cache pages back when memory is short: one list of all that can be read again,
 * oldest last, and a second chance for those used since they were last looked at.
 *
 * A page may go when nobody but its tree references it. New references are taken under
 * mapping->lock only, so holding that makes the count final. The list's lock comes after it in the
 * order, hence the trylock here; and while a page is on the list its mapping cannot go away, since
 * the last step of leaving is to leave the list.
 *
 * Nothing is written here: whoever needs memory may hold any lock. Dirty pages are the flusher's;
 * it is woken, and its progress is waited for, for a while.
 */
#include "arch/arch.h"
#include "lib/stats.h"
#include "mm/pagecache_internal.h"

#define SCAN_BATCH 64 /* pages looked at per hold of the lock */
#define PATIENCE_NS (50 * 1000 * 1000UL)

static struct list lru = LIST_INIT(lru); /* cache_lock */

void lru_add(struct page *p)
{
    list_add(&lru, &p->link);
}

void cache_detach(struct mapping *m, struct page *p)
{
    cache_clean_locked(p);
    list_del(&p->link);
    radix_delete(&m->tree, p->index);
    m->npages--;
    cached_pages--;
    p->mapping = NULL;
    page_clear(p, PG_CACHED | PG_ACTIVE);
}

/* cache_lock held, page on the list. True: it is out of tree and list, its reference is ours. */
static bool try_take(struct page *p)
{
    struct mapping *m = p->mapping;
    bool ok;

    if (page_refs(p) != 1 || page_test(p, PG_LOCKED | PG_WRITEBACK) || !spin_trylock(&m->lock))
        return false;
    ok = page_refs(p) == 1 && !page_test(p, PG_LOCKED | PG_WRITEBACK);
    if (ok)
        cache_detach(m, p);
    spin_unlock(&m->lock);
    return ok;
}

/* Looks at up to SCAN_BATCH pages from the old end; moves the free ones to `freed`. */
static size_t scan_batch(size_t want, bool second_chance, struct list *freed)
{
    size_t n = 0;

    spin_lock(&cache_lock);
    for (unsigned i = 0; i < SCAN_BATCH && n < want && !list_empty(&lru); i++) {
        struct page *p = list_last(&lru, struct page, link);

        if (!(page_clear(p, PG_ACTIVE) && second_chance) && try_take(p)) {
            list_add(freed, &p->link);
            n++;
            continue;
        }
        list_del(&p->link);
        list_add(&lru, &p->link);
    }
    spin_unlock(&cache_lock);
    return n;
}

static size_t scan(size_t want, bool second_chance)
{
    struct list freed = LIST_INIT(freed);
    size_t n = 0, rounds = 2 * pagecache_page_count() / SCAN_BATCH + 2;

    while (rounds-- && n < want)
        n += scan_batch(want - n, second_chance, &freed);
    while (!list_empty(&freed)) {
        struct page *p = list_first(&freed, struct page, link);

        list_del(&p->link);
        page_put(p);
    }
    stat_add(pages_reclaimed, n);
    return n;
}

size_t cache_shrink(size_t want)
{
    size_t n = scan(want, true), before = dirty_pages + writeback_pages;

    if (n || !before)
        return n;
    pagecache_wake_flusher();
    wait_event_deadline(&writeback_progress, dirty_pages + writeback_pages < before,
                        WAIT_UNINTERRUPTIBLE, arch_time_ns() + PATIENCE_NS);
    return scan(want, true);
}

size_t pagecache_drop_clean(void)
{
    return scan(SIZE_MAX, false);
}
