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

struct source {
    uaddr_t ubuf;
    const uint8_t *kbuf; /* NULL: user memory */
};

/* The page at index, locked and referenced, perhaps not up to date. */
static struct page *get_locked(struct mapping *m, uint64_t index)
{
    for (;;) {
        struct page *p = cache_find(m, index);

        if (!p) {
            p = cache_add(m, index);
            if (is_err(p) && ptr_err(p) == -EEXIST)
                continue;
            return p;
        }
        if (cache_lock_page(m, p))
            return p;
        page_put(p);
    }
}

static void unlock_put(struct page *p)
{
    page_unlock(p);
    page_put(p);
}

/* As get_locked, and up to date. */
static struct page *get_filled(struct mapping *m, uint64_t index)
{
    for (;;) {
        struct page *p = get_locked(m, index);
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

static int prepare(struct mapping *m, struct page *p, unsigned from, unsigned to)
{
    return m->ops && m->ops->prepare_write ? m->ops->prepare_write(m, p, from, to) : 0;
}

struct page *mapping_write_begin(struct mapping *m, uint64_t index, unsigned from, unsigned to)
{
    bool whole = from == 0 && to == PAGE_SIZE;
    struct page *p = whole ? get_locked(m, index) : get_filled(m, index);
    int err;

    if (is_err(p))
        return p;
    err = prepare(m, p, from, to);
    if (!err)
        return p;
    unlock_put(p);
    return err_ptr(err);
}

void mapping_write_end(struct mapping *m, struct page *p)
{
    (void)m;
    page_set(p, PG_UPTODATE);
    page_touch(p);
    page_mark_dirty(p);
    unlock_put(p);
}

/* ---- write(2) --------------------------------------------------------------------------------- */

static size_t copy_in(struct page *p, unsigned off, const struct source *src, size_t done, size_t n)
{
    uint8_t *dst = (uint8_t *)page_va(p) + off;

    if (src->kbuf) {
        memcpy(dst, src->kbuf + done, n);
        return n;
    }
    return n - copy_from_user_nofault(dst, src->ubuf + done, n);
}

static void extend_size(struct mapping *m, uint64_t end)
{
    if (end > mapping_size(m))
        atomic_store_explicit(&m->size, end, memory_order_release);
}

/* A locked page that is up to date. */
static ssize_t write_filled(struct mapping *m, struct page *p, unsigned off,
                            const struct source *src, size_t done, size_t n)
{
    int err = prepare(m, p, off, off + (unsigned)n);
    size_t copied;

    if (err)
        return err;
    copied = copy_in(p, off, src, done, n);
    page_touch(p);
    page_mark_dirty(p);
    if (copied)
        extend_size(m, (p->index << PAGE_SHIFT) + off + copied);
    return (ssize_t)copied;
}

/* A locked page that is not up to date and will be overwritten whole. -EAGAIN: not all of it. */
static ssize_t write_whole(struct mapping *m, struct page *p, const struct source *src, size_t done)
{
    size_t copied = copy_in(p, 0, src, done, PAGE_SIZE);
    int err;

    if (copied < PAGE_SIZE)
        return copied ? -EAGAIN : 0;
    err = prepare(m, p, 0, PAGE_SIZE);
    if (err)
        return err;
    page_set(p, PG_UPTODATE);
    page_mark_dirty(p);
    extend_size(m, (p->index + 1) << PAGE_SHIFT);
    return PAGE_SIZE;
}

/* Bytes written to one page: 0 if the next byte of user memory is not there. */
static ssize_t write_page(struct mapping *m, uint64_t at, const struct source *src, size_t done,
                          size_t n)
{
    unsigned off = at & PAGE_MASK;
    struct page *p = get_locked(m, at >> PAGE_SHIFT);
    ssize_t ret = -EAGAIN;

    if (is_err(p))
        return ptr_err(p);
    if (page_test(p, PG_UPTODATE)) {
        ret = write_filled(m, p, off, src, done, n);
        unlock_put(p);
        return ret;
    }
    if (n == PAGE_SIZE)
        ret = write_whole(m, p, src, done);
    unlock_put(p);
    if (ret != -EAGAIN)
        return ret;
    p = get_filled(m, at >> PAGE_SHIFT);
    if (is_err(p))
        return ptr_err(p);
    ret = write_filled(m, p, off, src, done, n);
    unlock_put(p);
    return ret;
}

/* Clears what lies behind the end of the file in its last page, before the file grows past it:
 * a shared mapping may have written there, and so may another system on the disk. */
static int zero_tail(struct mapping *m, uint64_t size)
{
    unsigned off = size & PAGE_MASK;
    struct page *p;

    if (!off)
        return 0;
    if (!has_backing(m)) {
        p = cache_find(m, size >> PAGE_SHIFT);
        if (!p)
            return 0;
        page_lock(p);
    } else {
        p = get_filled(m, size >> PAGE_SHIFT);
        if (is_err(p))
            return ptr_err(p);
    }
    page_wait_writeback(p); /* of blocks that the caller may be about to free */
    memset((uint8_t *)page_va(p) + off, 0, PAGE_SIZE - off);
    page_mark_dirty(p);
    unlock_put(p);
    return 0;
}

ssize_t mapping_write(struct mapping *m, uaddr_t ubuf, const void *kbuf, size_t len, off_t pos)
{
    struct source src = {ubuf, kbuf};
    size_t done = 0;
    ssize_t ret = 0;

    if (len && (uint64_t)pos > mapping_size(m))
        ret = zero_tail(m, mapping_size(m));
    while (done < len && ret >= 0) {
        uint64_t at = (uint64_t)pos + done;

        ret = write_page(m, at, &src, done, MIN(len - done, PAGE_SIZE - (at & PAGE_MASK)));
        if (!ret)
            ret = -EFAULT;
        if (ret > 0) {
            done += (size_t)ret;
            writeback_throttle(m);
        }
    }
    return done ? (ssize_t)done : ret;
}

/* ---- Truncation ------------------------------------------------------------------------------- */

/* The first page at *index or after it, locked and referenced, with its I/O done. */
static struct page *next_locked(struct mapping *m, uint64_t *index)
{
    for (;;) {
        struct page *p;

        spin_lock(&m->lock);
        p = radix_next(&m->tree, index, false);
        if (p)
            page_get(p);
        spin_unlock(&m->lock);
        if (!p)
            return NULL;
        if (cache_lock_page(m, p)) {
            page_wait_writeback(p);
            return p;
        }
        page_put(p);
    }
}

static void drop_pages(struct mapping *m, uint64_t from)
{
    struct page *p;

    while ((p = next_locked(m, &from))) {
        spin_lock(&m->lock);
        cache_remove_locked(m, p);
        spin_unlock(&m->lock);
        page_put(p); /* the tree's */
        unlock_put(p);
    }
}

int mapping_truncate(struct mapping *m, uint64_t size)
{
    uint64_t old = mapping_size(m);
    int err = size > old ? zero_tail(m, old) : 0;

    if (size < old && has_backing(m) && (size & PAGE_MASK)) {
        /* Read before anything changes: it can fail. It stays, for it is referenced. */
        struct page *p = get_filled(m, size >> PAGE_SHIFT);

        if (is_err(p))
            return ptr_err(p);
        page_unlock(p);
        atomic_store_explicit(&m->size, size, memory_order_release);
        err = zero_tail(m, size);
        page_put(p);
    } else if (!err) {
        atomic_store_explicit(&m->size, size, memory_order_release);
        if (size < old)
            err = zero_tail(m, size);
    }
    if (!err && size < old) {
        addrspace_unmap_file(m, size_to_pages(size));
        drop_pages(m, size_to_pages(size));
    }
    return err;
}

void mapping_destroy(struct mapping *m)
{
    cache_forget_dirty(m);
    drop_pages(m, 0);
}
