/* SPDX-License-Identifier: MIT */
/*
 * File contents between the page cache and the disk: blocks that follow each other on the disk
 * become segments of one request, several requests are in flight at a time.
 *
 * While a page's I/O is in flight, page->private_data counts its segments not yet done, plus one
 * while requests are still being made; PIECE_FAILED remembers an error. Whoever takes the count to
 * zero ends the page's read or write. No memory is needed for that, and nothing here can fail but
 * the disk and the block tree.
 */
#include "fs/ext2.h"
#include "lib/string.h"

#define PIECE_FAILED (1UL << 16)
#define BLOCKS_PER_PAGE_MAX 4

struct cursor { /* a request being made, and the piece of the block tree looked up last */
    struct inode *ip;
    struct ext2_fs *fs;
    enum bio_op op;
    struct bio *bio;
    uint64_t next_sector;
    uint64_t logical;
    uint32_t physical;
    unsigned n;
};

static _Atomic(uintptr_t) *pieces_of(struct page *p)
{
    return (_Atomic(uintptr_t) *)(void *)&p->private_data;
}

static void piece_done(struct page *p, int err, enum bio_op op)
{
    uintptr_t left;

    if (err)
        atomic_fetch_or(pieces_of(p), PIECE_FAILED);
    left = atomic_fetch_sub(pieces_of(p), 1) - 1;
    if (left & ~PIECE_FAILED)
        return;
    err = left ? -EIO : 0;
    atomic_store(pieces_of(p), 0);
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

static void submit(struct cursor *c)
{
    struct bio *bio = c->bio;

    if (!bio)
        return;
    c->bio = NULL;
    bio->done = io_done;
    bio_submit(c->fs->sb->bdev, bio);
}

/* The block goes on where the last segment ends, on the disk and in the same page. */
static bool extend_last(struct cursor *c, uint64_t sector, struct page *p, uint8_t *addr)
{
    struct bio_segment *last;

    if (!c->bio || c->next_sector != sector)
        return false;
    last = &c->bio->segs[c->bio->nsegs - 1];
    if ((uint8_t *)last->addr + last->len != addr || va_to_page(last->addr) != p)
        return false;
    last->len += c->fs->block_size;
    return true;
}

static void add_block(struct cursor *c, struct page *p, unsigned off, uint32_t physical)
{
    unsigned size = c->fs->block_size;
    uint64_t sector = (uint64_t)physical * (size / SECTOR_SIZE);
    uint8_t *addr = (uint8_t *)page_va(p) + off;

    if (!extend_last(c, sector, p, addr)) {
        atomic_fetch_add(pieces_of(p), 1);
        if (c->bio && (c->next_sector != sector || c->bio->nsegs == BIO_MAX_SEGMENTS))
            submit(c);
        if (!c->bio)
            c->bio = bio_get(c->op, sector);
        c->bio->segs[c->bio->nsegs++] = (struct bio_segment){addr, size};
    }
    c->next_sector = sector + size / SECTOR_SIZE;
}

/* Where a block is, from the piece at hand if it is in there; about `more` blocks will follow. */
static int locate(struct cursor *c, uint64_t logical, unsigned more, uint32_t *physical)
{
    struct mutex *lock = &ext2_inode_of(c->ip)->map_lock;
    int err = 0;

    if (logical < c->logical || logical >= c->logical + c->n) {
        c->logical = logical;
        mutex_lock(lock); /* a truncation may be freeing the blocks above a hole in the last page */
        err = ext2_map(c->ip, logical, more, &c->physical, &c->n);
        mutex_unlock(lock);
        if (err)
            c->n = 0;
    }
    *physical = c->physical ? c->physical + (uint32_t)(logical - c->logical) : 0;
    return err;
}

static bool is_zero(const uint8_t *p, unsigned n)
{
    return !p[0] && !memcmp(p, p + 1, n - 1);
}

static int do_block(struct cursor *c, struct page *p, unsigned off, uint64_t logical, unsigned more)
{
    uint8_t *addr = (uint8_t *)page_va(p) + off;
    uint32_t physical = 0;
    bool inside = logical << c->fs->block_bits < inode_size(c->ip);
    int err = inside ? locate(c, logical, more, &physical) : 0;

    if (err)
        return err;
    if (physical)
        add_block(c, p, off, physical);
    else if (c->op == BIO_READ)
        memset(addr, 0, c->fs->block_size);
    else if (inside && !is_zero(addr, c->fs->block_size))
        return -EIO; /* data without a block: prepare_write was not asked */
    return 0;
}

static void do_pages(struct mapping *m, struct page **pages, unsigned n, enum bio_op op)
{
    struct inode *ip = container_of(m, struct inode, mapping);
    struct cursor c = {.ip = ip, .fs = ext2_fs_of(ip), .op = op};
    unsigned size = c.fs->block_size, per_page = PAGE_SIZE / size;

    for (unsigned i = 0; i < n; i++) {
        uint64_t logical = pages[i]->index * per_page;
        int err = 0, e;

        atomic_store(pieces_of(pages[i]), 1);
        for (unsigned b = 0; b < per_page; b++) {
            e = do_block(&c, pages[i], b * size, logical + b, (n - i) * per_page - b);
            if (e)
                err = e;
        }
        piece_done(pages[i], err, op);
    }
    submit(&c);
}

static void read_pages(struct mapping *m, struct page **pages, unsigned n)
{
    do_pages(m, pages, n, BIO_READ);
}

static void write_pages(struct mapping *m, struct page **pages, unsigned n)
{
    do_pages(m, pages, n, BIO_WRITE);
}

static int prepare_write(struct mapping *m, struct page *p, unsigned from, unsigned to)
{
    struct inode *ip = container_of(m, struct inode, mapping);
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    uint64_t start = p->index << PAGE_SHIFT, size = inode_size(ip);
    uint64_t first = (start + from) >> fs->block_bits, end, fresh_blocks[BLOCKS_PER_PAGE_MAX];
    unsigned nfresh = 0;
    int err = 0;

    if (ip->sb->read_only)
        return -EROFS;
    /* A write grows the file and holds its lock; a page fault does neither. */
    if (start + to > size && !mutex_held(&ip->lock))
        to = size > start ? (unsigned)(size - start) : 0;
    if (to <= from)
        return 0;
    end = (start + to + fs->block_size - 1) >> fs->block_bits;
    for (uint64_t b = first; b < end && !err; b++) {
        uint32_t physical;
        bool fresh = false;

        err = ext2_map_alloc(ip, b, &physical, &fresh);
        if (fresh && !err)
            fresh_blocks[nfresh++] = b;
    }
    while (err && nfresh)
        ext2_unmap_block(ip, fresh_blocks[--nfresh]);
    if (!err && end > ext2_size_blocks(fs, size))
        ei->alloc_end = MAX(ei->alloc_end, (uint32_t)end);
    return err;
}

const struct mapping_ops ext2_mapping_ops = {
    .read_pages = read_pages,
    .write_pages = write_pages,
    .prepare_write = prepare_write,
};
