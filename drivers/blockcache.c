/* SPDX-License-Identifier: MIT */
/*
 * Pages and block devices: requests made of page cache pages, for any file system; and each
 * device's own page cache, where file systems keep their metadata and programs find /dev/vda.
 *
 *  [1] While a page's I/O is in flight, the low bits of page->private_data count its pieces not yet
 *      done, plus one while requests are still being made; FAILED remembers an error. Whoever takes
 *      the count to zero ends the page's read or write. No memory is needed for that.
 *  [2] In a device's page, a bit per sector says what was changed here since it was read: only that
 *      is ever written. Its neighbours may be blocks of files, which live in other pages; so a
 *      block that is given away is forgotten first.
 *
 * Locks: none of its own. A device's page may be locked while a file's page is, never the reverse.
 */
#include "drivers/block.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#define COUNT_MASK 0xffffUL
#define FAILED (1UL << 16)
#define SECTORS_SHIFT 24 /* the bits of [2] */
#define MAX_TRIES 8

/* ---- Requests --------------------------------------------------------------------------------- */

static struct bio reserve; /* for when there is no memory */
static _Atomic uint32_t reserve_taken;
static struct waitq reserve_wait = WAITQ_INIT(reserve_wait);

/* Never NULL: being out of memory must not stop what would free some. The reserve comes back when
 * its I/O is done, whatever the state of memory. */
static struct bio *bio_get(enum bio_op op, uint64_t sector)
{
    struct bio *bio = kmalloc(sizeof(*bio), ALLOC_NOFS);

    if (!bio) {
        wait_event(&reserve_wait, !atomic_exchange(&reserve_taken, 1));
        bio = &reserve;
    }
    bio->op = op;
    bio->sector = sector;
    bio->nsegs = 0;
    list_init(&bio->link);
    return bio;
}

static void bio_free(struct bio *bio)
{
    if (bio != &reserve) {
        kfree(bio);
        return;
    }
    atomic_store(&reserve_taken, 0);
    waitq_wake_all(&reserve_wait);
}

static _Atomic(uintptr_t) *state_of(struct page *p)
{
    return (_Atomic(uintptr_t) *)(void *)&p->private_data;
}

static void piece_done(struct page *p, int err, enum bio_op op)
{
    uintptr_t left;

    if (err)
        atomic_fetch_or(state_of(p), FAILED);
    left = atomic_fetch_sub(state_of(p), 1) - 1;
    if (left & COUNT_MASK)
        return;
    atomic_fetch_and(state_of(p), ~FAILED);
    err = left & FAILED ? -EIO : 0;
    if (op == BIO_READ)
        page_end_read(p, err);
    else
        page_end_write(p, err);
}

static void io_done(struct bio *bio, int err)
{
    for (unsigned i = 0; i < bio->nsegs; i++)
        piece_done(va_to_page(bio->segs[i].addr), err, bio->op);
    bio_free(bio);
}

static void submit(struct page_io *io)
{
    struct bio *bio = io->bio;

    if (!bio)
        return;
    io->bio = NULL;
    bio->done = io_done;
    bio_submit(io->bd, bio);
}

/* The piece goes on where the last segment ends, on the disk and in the same page. */
static bool extend_last(struct page_io *io, struct page *p, uint8_t *addr, unsigned len,
                        uint64_t sector)
{
    struct bio_segment *last;

    if (!io->bio || io->next_sector != sector)
        return false;
    last = &io->bio->segs[io->bio->nsegs - 1];
    if ((uint8_t *)last->addr + last->len != addr || va_to_page(last->addr) != p)
        return false;
    last->len += len;
    return true;
}

void page_io_add(struct page_io *io, struct page *p, unsigned off, unsigned len, uint64_t sector)
{
    uint8_t *addr = (uint8_t *)page_va(p) + off;

    if (!extend_last(io, p, addr, len, sector)) {
        atomic_fetch_add(state_of(p), 1);
        if (io->bio && (io->next_sector != sector || io->bio->nsegs == BIO_MAX_SEGMENTS))
            submit(io);
        if (!io->bio)
            io->bio = bio_get(io->op, sector);
        io->bio->segs[io->bio->nsegs++] = (struct bio_segment){addr, len};
    }
    io->next_sector = sector + len / SECTOR_SIZE;
    if (io->bio == &reserve) /* metadata may have to be read before the next piece: it needs one */
        submit(io);
}

void page_io_run(struct page_io *io, struct page **pages, unsigned n, unsigned step,
                 int (*add)(struct page_io *io, struct page *p, unsigned off, unsigned ahead))
{
    io->op = page_test(pages[0], PG_WRITEBACK) ? BIO_WRITE : BIO_READ;
    for (unsigned i = 0; i < n; i++) {
        int err = 0, e;

        atomic_fetch_add(state_of(pages[i]), 1);
        for (unsigned off = 0; off < PAGE_SIZE; off += step) {
            e = add(io, pages[i], off, (n - i) * PAGE_SIZE - off);
            if (e)
                err = e;
        }
        piece_done(pages[i], err, io->op);
    }
    submit(io);
}

/* ---- A device's own pages --------------------------------------------------------------------- */

static uintptr_t sector_bits(unsigned from, unsigned to)
{
    uintptr_t below_to = (1UL << (to + SECTOR_SIZE - 1) / SECTOR_SIZE) - 1;

    return (below_to & ~((1UL << from / SECTOR_SIZE) - 1)) << SECTORS_SHIFT;
}

static int add_sector(struct page_io *io, struct page *p, unsigned off, unsigned ahead)
{
    uint64_t sector = (p->index << PAGE_SHIFT | off) / SECTOR_SIZE;

    (void)ahead;
    if (sector < io->bd->sectors &&
        (io->op == BIO_READ || (*state_of(p) & sector_bits(off, off + 1))))
        page_io_add(io, p, off, SECTOR_SIZE, sector);
    return 0;
}

static void transfer(struct mapping *m, struct page **pages, unsigned n)
{
    struct page_io io = {.bd = container_of(m, struct block_device, mapping)};

    page_io_run(&io, pages, n, SECTOR_SIZE, add_sector);
}

static int prepare_write(struct mapping *m, struct page *p, unsigned from, unsigned to)
{
    if (container_of(m, struct block_device, mapping)->read_only)
        return -EROFS;
    atomic_fetch_or(state_of(p), sector_bits(from, to));
    return 0;
}

void block_cache_init(struct block_device *bd)
{
    static const struct mapping_ops ops = {
        .read_pages = transfer,
        .write_pages = transfer,
        .prepare_write = prepare_write,
    };

    mapping_init(&bd->mapping, &ops);
    atomic_store(&bd->mapping.size, bd->sectors * SECTOR_SIZE);
}

int block_cache_sync(struct block_device *bd, bool wait)
{
    mapping_writeback(&bd->mapping, wait);
    return wait ? mapping_take_error(&bd->mapping) : 0;
}

int block_cache_drop(struct block_device *bd)
{
    int err = block_cache_sync(bd, true);

    mapping_destroy(&bd->mapping);
    return err;
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

/* Where memory is short, other blocks are given up: what frees disk space must not fail for that. */
static bool try_again(struct block_device *bd, int err, int *tries)
{
    if (likely(err != -ENOMEM) || (*tries)++ == MAX_TRIES)
        return false;
    mapping_writeback(&bd->mapping, true);
    page_reclaim(1);
    return true;
}

void *block_get(struct block_device *bd, uint64_t block, unsigned bits)
{
    uint64_t pos = block << bits;
    struct page *p;
    int tries = 0;

    do
        p = mapping_read_page(&bd->mapping, pos >> PAGE_SHIFT);
    while (is_err(p) && try_again(bd, ptr_err(p), &tries));
    return is_err(p) ? (void *)p : (uint8_t *)page_va(p) + (pos & PAGE_MASK);
}

void *block_get_zeroed(struct block_device *bd, uint64_t block, unsigned bits)
{
    static const uint8_t zeroes[PAGE_SIZE];
    int err, tries = 0;

    do {
        struct uio u = uio_kernel(zeroes, 1UL << bits);

        err = mapping_write(&bd->mapping, &u, (off_t)(block << bits));
    } while (try_again(bd, err, &tries));
    return err ? err_ptr(err) : block_get(bd, block, bits);
}

void block_put(const void *data)
{
    page_put(va_to_page(data));
}

void block_mark_dirty(const void *data, unsigned size)
{
    struct page *p = va_to_page(data);
    unsigned off = (uintptr_t)data & PAGE_MASK;

    atomic_fetch_or(state_of(p), sector_bits(off, off + size));
    page_mark_dirty(p);
}

void block_forget(struct block_device *bd, uint64_t block, unsigned bits)
{
    uint64_t pos = block << bits;
    struct page *p = mapping_find_page(&bd->mapping, pos >> PAGE_SHIFT);
    unsigned off = pos & PAGE_MASK;

    if (!p)
        return;
    atomic_fetch_and(state_of(p), ~sector_bits(off, off + (1U << bits)));
    page_wait_writeback(p);
    page_put(p);
}

uint64_t block_number(const void *data, unsigned bits)
{
    return (va_to_page(data)->index << PAGE_SHIFT | ((uintptr_t)data & PAGE_MASK)) >> bits;
}
