/* SPDX-License-Identifier: MIT */
/*
 * The page cache's writing half: write(2), truncation, and the end of a mapping.
 *
 * A page is changed under its page lock. User memory is copied with faults disabled (a fault could
 * need this very page, and the caller holds the inode); where that falls short, so does the write,
 * and the caller faults the memory in and goes on. What is not up to date is never seen by readers,
 * so a page that is written whole needs no reading first, but must not get blocks before all of its
 * bytes are there.
 */
#include "mm/pagecache_internal.h"

#include "arch/arch.h"
#include "lib/string.h"

static void unlock_put(struct page *p)
{
    page_unlock(p);
    page_put(p);
}

/* ---- write(2) --------------------------------------------------------------------------------- */

static void extend_size(struct mapping *m, uint64_t end)
{
    if (end > mapping_size(m))
        atomic_store_explicit(&m->size, end, memory_order_release);
}

/*
 * Writes to one page. A whole page that is not up to date gets its bytes before its blocks and is
 * not read: nobody sees it yet, unless not all of the bytes are there.
 */
static int write_page(struct mapping *m, uint64_t at, struct uio *u)
{
    unsigned off = at & PAGE_MASK;
    size_t n = MIN(u->left, PAGE_SIZE - off), copied = 0;
    struct page *p = cache_get_locked(m, at >> PAGE_SHIFT);
    const struct uio before = *u;
    int err;

    if (is_err(p))
        return ptr_err(p);
    if (!page_test(p, PG_UPTODATE) && n == PAGE_SIZE)
        copied = uio_get_nofault(u, page_va(p), n);
    if (!page_test(p, PG_UPTODATE) && copied < PAGE_SIZE) {
        *u = before;
        copied = 0;
        err = cache_fill_locked(m, p);
        if (err) {
            page_put(p);
            return err;
        }
    }
    err = m->ops ? m->ops->prepare_write(m, p, off, off + (unsigned)n) : 0;
    if (err) {
        *u = before;
    } else {
        if (!copied)
            copied = uio_get_nofault(u, (uint8_t *)page_va(p) + off, n);
        page_set(p, PG_UPTODATE);
        page_touch(p);
        page_mark_dirty(p);
        if (copied)
            extend_size(m, at + copied);
        err = copied < n ? -EFAULT : 0;
    }
    unlock_put(p);
    return err;
}

/*
 * Clears what lies behind the end of the file in its last page, before the file grows past it or is
 * cut there: a shared mapping may have written there, and so may another system on the disk. The
 * page comes back locked, so that nothing behind the end is written again before the caller has set
 * the new size (it may be about to free the blocks). NULL: there is no such page.
 */
static struct page *clear_tail(struct mapping *m, uint64_t size)
{
    unsigned off = size & PAGE_MASK;
    struct page *p;

    if (!off)
        return NULL;
    if (m->ops) {
        p = cache_get_filled(m, size >> PAGE_SHIFT);
        if (is_err(p))
            return p;
    } else {
        p = cache_find(m, size >> PAGE_SHIFT);
        if (!p)
            return NULL;
        page_lock(p);
    }
    page_wait_writeback(p);
    memset((uint8_t *)page_va(p) + off, 0, PAGE_SIZE - off);
    page_mark_dirty(p);
    return p;
}

int mapping_write(struct mapping *m, struct uio *u, off_t pos)
{
    uint64_t at = (uint64_t)pos, size = mapping_size(m);
    struct page *tail = u->left && at > size ? clear_tail(m, size) : NULL;
    int err = 0;

    if (is_err(tail))
        return ptr_err(tail);
    if (tail)
        unlock_put(tail);
    while (u->left && !err) {
        size_t before = u->left;

        err = write_page(m, at, u);
        if (err == -EAGAIN) /* the page left the mapping while it was read */
            err = 0;
        at += before - u->left;
        writeback_throttle(m);
        sched_point();
    }
    return err;
}

/* ---- Truncation ------------------------------------------------------------------------------- */

/* The first page at *index or after it, locked and referenced, with its I/O done. */
static struct page *next_locked(struct mapping *m, uint64_t *index)
{
    struct page *p;

    while ((p = cache_next(m, index))) {
        if (cache_lock_page(m, p)) {
            page_wait_writeback(p);
            return p;
        }
        page_put(p);
    }
    return NULL;
}

static void drop_pages(struct mapping *m, uint64_t from)
{
    struct page *p;

    while ((p = next_locked(m, &from))) {
        spin_lock(&m->lock);
        spin_lock(&cache_lock);
        cache_detach(m, p);
        spin_unlock(&cache_lock);
        spin_unlock(&m->lock);
        page_put(p); /* the tree's */
        unlock_put(p);
    }
}

int mapping_truncate(struct mapping *m, uint64_t size)
{
    uint64_t old = mapping_size(m);
    struct page *tail = size == old ? NULL : clear_tail(m, MIN(size, old));

    if (is_err(tail))
        return ptr_err(tail);
    atomic_store_explicit(&m->size, size, memory_order_release);
    if (tail)
        unlock_put(tail);
    if (size < old) {
        addrspace_unmap_file(m, size_to_pages(size));
        drop_pages(m, size_to_pages(size));
    }
    return 0;
}

void mapping_destroy(struct mapping *m)
{
    drop_pages(m, 0);
}
