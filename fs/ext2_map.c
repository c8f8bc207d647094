/* SPDX-License-Identifier: MIT */
/*
 * A file's block tree: 12 direct pointers, then one tree each of one, two and three levels of
 * indirect blocks. A pointer of 0 is a hole, at every level.
 *
 *  [1] A new branch is complete (indirect blocks zeroed, pointers inside) before one store links
 *      it, so that a reader without the lock sees a hole or the whole branch.
 *  [2] vfs.blocks counts all blocks of the tree and the attribute block, in units of 512 bytes.
 *  [3] Freeing visits an indirect block only while the bitmap says it is in use, and frees it then:
 *      however a damaged tree points at itself, each block is descended into once.
 *
 * Lock: map_lock for changes, taken here; for lookups the caller's (see fs/ext2.h).
 */
#include "fs/ext2.h"
#include "lib/log.h"
#include "proc/sched.h"

#define MAX_DEPTH 4

/* The slots on the way to a block, the first in the inode; their number, 0 if out of reach. */
static unsigned find_path(const struct ext2_fs *fs, uint64_t logical, unsigned path[MAX_DEPTH])
{
    uint64_t p = fs->pointers;

    if (logical < EXT2_NDIRECT) {
        path[0] = (unsigned)logical;
        return 1;
    }
    logical -= EXT2_NDIRECT;
    if (logical < p) {
        path[0] = EXT2_NDIRECT;
        path[1] = (unsigned)logical;
        return 2;
    }
    logical -= p;
    if (logical < p * p) {
        path[0] = EXT2_NDIRECT + 1;
        path[1] = (unsigned)(logical / p);
        path[2] = (unsigned)(logical % p);
        return 3;
    }
    logical -= p * p;
    if (logical >= p * p * p)
        return 0;
    path[0] = EXT2_NDIRECT + 2;
    path[1] = (unsigned)(logical / (p * p));
    path[2] = (unsigned)(logical / p % p);
    path[3] = (unsigned)(logical % p);
    return 4;
}

static int bad_pointer(struct inode *ip, uint32_t block)
{
    ext2_error(ext2_fs_of(ip), "inode %lu: block number %u is out of range", ip->ino, block);
    return -EIO;
}

static uint32_t *slots_of(struct buf *b)
{
    return (uint32_t *)b->data;
}

static unsigned run_length(const uint32_t *slot, unsigned max)
{
    uint32_t first = READ_ONCE(slot[0]);
    unsigned n = 1;

    while (n < max && READ_ONCE(slot[n]) == (first ? first + n : 0))
        n++;
    return n;
}

int ext2_map(struct inode *ip, uint64_t logical, unsigned max, uint32_t *physical, unsigned *n)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    unsigned path[MAX_DEPTH], depth = find_path(fs, logical, path), level = 0;
    uint32_t *slot = &ext2_inode_of(ip)->block[path[0]];
    struct buf *b = NULL;
    int err = 0;

    if (!depth)
        return -EFBIG;
    while (level + 1 < depth) {
        uint32_t at = READ_ONCE(*slot);

        if (!at)
            break;
        if (b)
            buf_put(b);
        if (!ext2_block_valid(fs, at))
            return bad_pointer(ip, at);
        b = buf_read(fs->cache, at);
        if (is_err(b))
            return ptr_err(b);
        slot = slots_of(b) + path[++level];
    }
    *physical = READ_ONCE(*slot);
    if (level + 1 < depth) {
        *physical = 0;
        *n = 1; /* the hole is larger, but the rest of it is as quick to find */
    } else {
        *n = run_length(slot, MIN(max, (level ? fs->pointers : EXT2_NDIRECT) - path[level]));
        if (*physical &&
            (!ext2_block_valid(fs, *physical) || !ext2_block_valid(fs, *physical + *n - 1)))
            err = bad_pointer(ip, *physical);
    }
    if (b)
        buf_put(b);
    return err;
}

/* ---- Allocation ------------------------------------------------------------------------------- */

/* Where to look for a block for this slot: behind the file's last one, or the last before it. */
static uint32_t find_goal(struct inode *ip, uint64_t logical, const uint32_t *slots, unsigned i,
                          const struct buf *b)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);

    if (ei->last_physical && logical == (uint64_t)ei->last_logical + 1)
        return ei->last_physical + 1;
    while (i--)
        if (slots[i])
            return slots[i] + 1;
    if (b)
        return (uint32_t)b->block + 1;
    return fs->first_data_block +
           (uint32_t)((ip->ino - 1) / fs->inodes_per_group) * fs->blocks_per_group;
}

static void free_each(struct ext2_fs *fs, const uint32_t *blocks, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ext2_free_blocks(fs, blocks[i], 1);
}

/* Gets n blocks: n - 1 indirect ones, each pointing to the next, and the data block. */
static int make_branch(struct ext2_fs *fs, uint32_t goal, const unsigned *path, unsigned n,
                       uint32_t *blocks)
{
    int err;

    for (unsigned i = 0; i < n; i++) {
        err = ext2_alloc_block(fs, i ? blocks[i - 1] + 1 : goal, &blocks[i]);
        if (err) {
            free_each(fs, blocks, i);
            return err;
        }
    }
    for (unsigned i = 0; i + 1 < n; i++) {
        struct buf *b = buf_get_zeroed(fs->cache, blocks[i]);

        if (is_err(b)) {
            while (i--)
                buf_forget(fs->cache, blocks[i]);
            free_each(fs, blocks, n);
            return ptr_err(b);
        }
        slots_of(b)[path[i]] = blocks[i + 1];
        buf_mark_dirty(b);
        buf_put(b);
    }
    return 0;
}

/* map_lock held. */
static int map_alloc(struct inode *ip, uint64_t logical, uint32_t *physical, bool *fresh)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    unsigned path[MAX_DEPTH], depth = find_path(fs, logical, path), level = 0, missing;
    uint32_t *slots = ei->block, branch[MAX_DEPTH];
    struct buf *b = NULL;
    int err;

    if (!depth)
        return -EFBIG;
    while (level + 1 < depth && slots[path[level]]) {
        uint32_t at = slots[path[level]];

        if (b)
            buf_put(b);
        if (!ext2_block_valid(fs, at))
            return bad_pointer(ip, at);
        b = buf_read(fs->cache, at);
        if (is_err(b))
            return ptr_err(b);
        slots = slots_of(b);
        level++;
    }
    *fresh = !slots[path[level]];
    *physical = slots[path[level]];
    err = 0;
    if (!*fresh) {
        if (!ext2_block_valid(fs, *physical))
            err = bad_pointer(ip, *physical);
        goto out;
    }
    missing = depth - level;
    err = make_branch(fs, find_goal(ip, logical, slots, path[level], b), path + level + 1, missing,
                      branch);
    if (err)
        goto out;
    atomic_thread_fence(memory_order_release); /* [1] */
    WRITE_ONCE(slots[path[level]], branch[0]);
    if (b)
        buf_mark_dirty(b);
    *physical = branch[missing - 1];
    ei->last_logical = (uint32_t)logical;
    ei->last_physical = *physical;
    ip->blocks += (uint64_t)missing * (fs->block_size / 512);
    inode_mark_dirty(ip);
out:
    if (b)
        buf_put(b);
    return err;
}

int ext2_map_alloc(struct inode *ip, uint64_t logical, uint32_t *physical, bool *fresh)
{
    struct ext2_inode *ei = ext2_inode_of(ip);
    int err;

    mutex_lock(&ei->map_lock);
    err = map_alloc(ip, logical, physical, fresh);
    mutex_unlock(&ei->map_lock);
    return err;
}

/* ---- Freeing ---------------------------------------------------------------------------------- */

struct freeing { /* blocks to be freed gather into runs: one visit to the bitmap each */
    struct inode *ip;
    uint32_t start, count;
    int err;
};

static void flush_run(struct freeing *f)
{
    struct ext2_fs *fs = ext2_fs_of(f->ip);
    uint64_t sectors = (uint64_t)f->count * (fs->block_size / 512);

    if (!f->count)
        return;
    ext2_free_blocks(fs, f->start, f->count);
    f->ip->blocks -= MIN(f->ip->blocks, sectors);
    f->count = 0;
    sched_point();
}

static void free_block(struct freeing *f, uint32_t block)
{
    if (f->count && block == f->start + f->count) {
        f->count++;
        return;
    }
    flush_run(f);
    f->start = block;
    f->count = 1;
}

static bool free_tree(struct freeing *f, uint32_t block, unsigned level, uint64_t skip);

/* Frees what the indirect block b points to, from the skip-th data block on; true: nothing is left
 * in it. */
static bool free_children(struct freeing *f, struct buf *b, unsigned level, uint64_t skip)
{
    struct ext2_fs *fs = ext2_fs_of(f->ip);
    uint32_t *slots = slots_of(b);
    uint64_t span = 1;
    bool changed = false, empty = true;

    for (unsigned l = 1; l < level; l++)
        span *= fs->pointers;
    for (uint32_t i = (uint32_t)(skip / span); i < fs->pointers; i++, skip = 0) {
        if (slots[i] && free_tree(f, slots[i], level - 1, skip % span)) {
            WRITE_ONCE(slots[i], 0);
            changed = true;
        }
    }
    for (uint32_t i = 0; i < fs->pointers && empty; i++)
        empty = !slots[i];
    if (changed)
        buf_mark_dirty(b);
    return empty;
}

/* Frees a subtree of the given height from its skip-th data block on. True: its pointer goes. */
static bool free_tree(struct freeing *f, uint32_t block, unsigned level, uint64_t skip)
{
    struct ext2_fs *fs = ext2_fs_of(f->ip);
    struct buf *b;
    bool empty;

    if (!ext2_block_valid(fs, block)) {
        bad_pointer(f->ip, block);
        return true;
    }
    if (!level) {
        if (S_ISDIR(f->ip->mode))
            buf_forget(fs->cache, block);
        free_block(f, block);
        return true;
    }
    flush_run(f);
    if (!ext2_block_in_use(fs, block)) { /* [3] */
        ext2_error(fs, "inode %lu: indirect block %u is marked free", f->ip->ino, block);
        return true;
    }
    b = buf_read(fs->cache, block);
    if (is_err(b)) {
        f->err = ptr_err(b);
        return false;
    }
    empty = free_children(f, b, level, skip);
    buf_put(b);
    if (empty) {
        buf_forget(fs->cache, block);
        free_block(f, block);
    }
    return empty;
}

int ext2_free_from(struct inode *ip, uint64_t logical)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    struct freeing f = {.ip = ip};
    uint64_t base = EXT2_NDIRECT, span = fs->pointers;

    mutex_lock(&ei->map_lock);
    for (unsigned i = (unsigned)MIN(logical, (uint64_t)EXT2_NDIRECT); i < EXT2_NDIRECT; i++)
        if (ei->block[i] && free_tree(&f, ei->block[i], 0, 0))
            WRITE_ONCE(ei->block[i], 0);
    for (unsigned level = 1; level <= 3; level++, base += span, span *= fs->pointers) {
        uint32_t *slot = &ei->block[EXT2_NDIRECT + level - 1];

        if (*slot && logical < base + span &&
            free_tree(&f, *slot, level, logical > base ? logical - base : 0))
            WRITE_ONCE(*slot, 0);
    }
    flush_run(&f);
    ei->last_physical = 0;
    mutex_unlock(&ei->map_lock);
    inode_mark_dirty(ip);
    return f.err;
}

void ext2_unmap_block(struct inode *ip, uint64_t logical)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    unsigned path[MAX_DEPTH], depth = find_path(fs, logical, path);
    uint32_t *slot = &ei->block[path[0]];
    struct freeing f = {.ip = ip};
    struct buf *b = NULL;

    mutex_lock(&ei->map_lock);
    for (unsigned level = 1; level < depth; level++) {
        uint32_t at = *slot;

        if (b)
            buf_put(b);
        b = buf_read(fs->cache, at);
        if (is_err(b)) {
            ext2_error(fs, "inode %lu: block %lu cannot be taken back", ip->ino, logical);
            goto out;
        }
        slot = slots_of(b) + path[level];
    }
    if (free_tree(&f, *slot, 0, 0))
        WRITE_ONCE(*slot, 0);
    if (b) {
        buf_mark_dirty(b);
        buf_put(b);
    }
    flush_run(&f);
    ei->last_physical = 0;
    inode_mark_dirty(ip);
out:
    mutex_unlock(&ei->map_lock);
}
