/* SPDX-License-Identifier: MIT */
/*
 * File contents between the page cache and the disk: where a page's blocks are, and that they are
 * somewhere before the page is written.
 */
#include "fs/ext2.h"
#include "lib/string.h"

struct cursor { /* a request being made, and the piece of the block tree looked up last */
    struct page_io io;
    struct inode *ip;
    uint64_t logical;
    uint32_t physical;
    unsigned n;
};

/* Where a block is, from the piece at hand if it is in there; `ahead` blocks may be asked for. */
static int locate(struct cursor *c, uint64_t logical, unsigned ahead, uint32_t *physical)
{
    struct mutex *lock = &ext2_inode_of(c->ip)->map_lock;
    int err = 0;

    if (logical < c->logical || logical >= c->logical + c->n) {
        c->logical = logical;
        mutex_lock(lock); /* a truncation may be freeing the blocks above a hole in the last page */
        err = ext2_map(c->ip, logical, ahead, &c->physical, &c->n);
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

static int add_block(struct page_io *io, struct page *p, unsigned off, unsigned ahead)
{
    struct cursor *c = container_of(io, struct cursor, io);
    struct ext2_fs *fs = ext2_fs_of(c->ip);
    uint64_t pos = p->index << PAGE_SHIFT | off;
    uint8_t *addr = (uint8_t *)page_va(p) + off;
    uint32_t physical = 0;
    bool inside = pos < inode_size(c->ip);
    int err = inside ? locate(c, pos >> fs->block_bits, ahead >> fs->block_bits, &physical) : 0;

    if (err)
        return err;
    if (physical)
        page_io_add(io, p, off, fs->block_size,
                    ((uint64_t)physical << fs->block_bits) / SECTOR_SIZE);
    else if (io->op == BIO_READ)
        memset(addr, 0, fs->block_size);
    else if (inside && !is_zero(addr, fs->block_size))
        return -EIO; /* data without a block: prepare_write was not asked */
    return 0;
}

static void transfer(struct mapping *m, struct page **pages, unsigned n)
{
    struct inode *ip = container_of(m, struct inode, mapping);
    struct cursor c = {.io = {.bd = ip->sb->bdev}, .ip = ip};

    page_io_run(&c.io, pages, n, ext2_fs_of(ip)->block_size, add_block);
}

static int prepare_write(struct mapping *m, struct page *p, unsigned from, unsigned to)
{
    struct inode *ip = container_of(m, struct inode, mapping);
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    uint64_t start = p->index << PAGE_SHIFT, size = inode_size(ip);
    uint64_t first = (start + from) >> fs->block_bits, end, b;
    unsigned fresh_blocks = 0; /* a bit each, from first on */
    int err = 0;

    if (ip->sb->read_only)
        return -EROFS;
    /* A write grows the file and holds its lock; a page fault does neither. */
    if (start + to > size && !mutex_held(&ip->lock))
        to = size > start ? (unsigned)(size - start) : 0;
    if (to <= from)
        return 0;
    end = ext2_size_blocks(fs, start + to);
    for (b = first; b < end && !err; b++) {
        uint32_t physical;
        bool fresh = false;

        err = ext2_map_alloc(ip, b, &physical, &fresh);
        if (fresh && !err)
            fresh_blocks |= 1U << (b - first);
    }
    while (err && b-- > first)
        if (fresh_blocks >> (b - first) & 1 && ext2_free_range(ip, b, b + 1))
            ext2_error(fs, "inode %lu: block %lu cannot be taken back", ip->ino, b);
    if (!err && end > ext2_size_blocks(fs, size))
        ei->alloc_end = MAX(ei->alloc_end, (uint32_t)end);
    return err;
}

const struct mapping_ops ext2_mapping_ops = {
    .read_pages = transfer,
    .write_pages = transfer,
    .prepare_write = prepare_write,
};
