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

/* The way to a block: path[i] is the slot's number in the i-th array of slots. walk() goes down as
 * far as there are indirect blocks; `slots` is then the array at `level`, and path[level] the last
 * slot (the block's own, if that is the whole way) or an empty one. */
struct place {
    unsigned path[MAX_DEPTH], depth, level;
    uint32_t *slots; /* in the inode, or else a referenced block */
};

/* The length of the path; 0 if the block is out of reach. */
static unsigned find_path(const struct ext2_fs *fs, uint64_t logical, unsigned path[MAX_DEPTH])
{
    uint64_t span = fs->pointers;

    if (logical < EXT2_NDIRECT) {
        path[0] = (unsigned)logical;
        return 1;
    }
    logical -= EXT2_NDIRECT;
    for (unsigned depth = 2; depth <= MAX_DEPTH; depth++, span *= fs->pointers) {
        if (logical < span) {
            path[0] = EXT2_NDIRECT + depth - 2;
            for (unsigned i = depth - 1; i; i--, logical /= fs->pointers)
                path[i] = (unsigned)(logical % fs->pointers);
            return depth;
        }
        logical -= span;
    }
    return 0;
}

static int bad_pointer(struct inode *ip, uint32_t block)
{
    ext2_error(ext2_fs_of(ip), "inode %lu: block number %u is out of range", ip->ino, block);
    return -EIO;
}

static void leave(struct place *at)
{
    if (at->level)
        block_put(at->slots);
}

static int walk(struct inode *ip, uint64_t logical, struct place *at)
{
    struct ext2_fs *fs = ext2_fs_of(ip);

    at->depth = find_path(fs, logical, at->path);
    if (!at->depth)
        return -EFBIG;
    at->slots = ext2_inode_of(ip)->block;
    for (at->level = 0; at->level + 1 < at->depth; at->level++) {
        uint32_t below = READ_ONCE(at->slots[at->path[at->level]]);

        if (!below)
            break;
        leave(at);
        if (!ext2_block_valid(fs, below))
            return bad_pointer(ip, below);
        at->slots = ext2_block(fs, below);
        if (is_err(at->slots))
            return ptr_err(at->slots);
    }
    return 0;
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
    struct place at;
    int err = walk(ip, logical, &at);
    unsigned i = err ? 0 : at.path[at.level];

    if (err)
        return err;
    *physical = 0;
    *n = 1; /* a hole may be larger, but the rest of it is as quick to find */
    if (at.level + 1 == at.depth) {
        *physical = READ_ONCE(at.slots[i]);
        *n = run_length(at.slots + i, MIN(max, (at.level ? fs->pointers : EXT2_NDIRECT) - i));
        if (*physical &&
            (!ext2_block_valid(fs, *physical) || !ext2_block_valid(fs, *physical + *n - 1)))
            err = bad_pointer(ip, *physical);
    }
    leave(&at);
    return err;
}

/* ---- Allocation ------------------------------------------------------------------------------- */

/* Where to look for a block: behind the file's last one before it, or else the indirect block. */
static uint32_t find_goal(struct inode *ip, const struct place *at)
{
    struct ext2_fs *fs = ext2_fs_of(ip);

    for (unsigned i = at->path[at->level]; i--;)
        if (at->slots[i])
            return at->slots[i] + 1;
    if (at->level)
        return (uint32_t)block_number(at->slots, fs->block_bits) + 1;
    return ext2_group_first(&fs->space[EXT2_BLOCKS],
                            ext2_group_of(&fs->space[EXT2_INODES], (uint32_t)ip->ino));
}

/* Gets n blocks: n - 1 indirect ones, each pointing to the next at path[i], and the data block. */
static int make_branch(struct ext2_fs *fs, uint32_t goal, const unsigned *path, unsigned n,
                       uint32_t *blocks)
{
    unsigned got = 0;
    int err = 0;

    for (; got < n && !err; got += !err)
        err = ext2_alloc_block(fs, got ? blocks[got - 1] + 1 : goal, &blocks[got]);
    for (unsigned i = 0; i + 1 < n && !err; i++) {
        uint32_t *slots = block_get_zeroed(fs->bd, blocks[i], fs->block_bits);

        if (is_err(slots)) {
            err = ptr_err(slots);
            break;
        }
        slots[path[i]] = blocks[i + 1];
        ext2_block_dirty(fs, slots);
        block_put(slots);
    }
    for (unsigned i = 0; err && i < got; i++) {
        block_forget(fs->bd, blocks[i], fs->block_bits);
        ext2_free_blocks(fs, blocks[i], 1);
    }
    return err;
}

/* map_lock held. Fills the empty slot that `at` stands at, and the way from there down. */
static int fill_hole(struct inode *ip, const struct place *at, uint32_t *physical)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    uint32_t branch[MAX_DEPTH];
    unsigned missing = at->depth - at->level;
    int err = make_branch(fs, find_goal(ip, at), at->path + at->level + 1, missing, branch);

    if (err)
        return err;
    atomic_thread_fence(memory_order_release); /* [1] */
    WRITE_ONCE(at->slots[at->path[at->level]], branch[0]);
    if (at->level)
        ext2_block_dirty(fs, at->slots);
    *physical = branch[missing - 1];
    ip->blocks += (uint64_t)missing * (fs->block_size / 512);
    inode_mark_dirty(ip);
    return 0;
}

int ext2_map_alloc(struct inode *ip, uint64_t logical, uint32_t *physical, bool *fresh)
{
    struct ext2_inode *ei = ext2_inode_of(ip);
    struct place at;
    int err;

    mutex_lock(&ei->map_lock);
    err = walk(ip, logical, &at);
    if (!err) {
        *physical = at.slots[at.path[at.level]];
        *fresh = !*physical;
        if (*fresh)
            err = fill_hole(ip, &at, physical);
        else if (!ext2_block_valid(ext2_fs_of(ip), *physical))
            err = bad_pointer(ip, *physical);
        leave(&at);
    }
    mutex_unlock(&ei->map_lock);
    return err;
}

/* ---- Freeing ---------------------------------------------------------------------------------- */

struct freeing {
    struct inode *ip;
    uint64_t from, to;
    uint32_t start, count; /* blocks to be freed gather into runs: one visit to the bitmap each */
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
    if (!f->count || block != f->start + f->count) {
        flush_run(f);
        f->start = block;
    }
    f->count++;
}

static bool free_tree(struct freeing *f, uint32_t block, uint64_t base, uint64_t span);

/* Frees what n slots hold of the range; the first one's blocks start at `base`, each has `span`. */
static bool free_slots(struct freeing *f, uint32_t *slots, unsigned n, uint64_t base, uint64_t span)
{
    bool changed = false;

    for (unsigned i = 0; i < n; i++, base += span) {
        if (slots[i] && base < f->to && base + span > f->from &&
            free_tree(f, slots[i], base, span)) {
            WRITE_ONCE(slots[i], 0);
            changed = true;
        }
    }
    return changed;
}

/* Frees a subtree's part of the range. True: nothing is left in it, its pointer goes. */
static bool free_tree(struct freeing *f, uint32_t block, uint64_t base, uint64_t span)
{
    struct ext2_fs *fs = ext2_fs_of(f->ip);
    bool empty = true;

    if (!ext2_block_valid(fs, block)) {
        bad_pointer(f->ip, block);
        return true;
    }
    if (span > 1) {
        uint32_t *slots;

        flush_run(f);
        if (!ext2_block_in_use(fs, block)) { /* [3] */
            ext2_error(fs, "inode %lu: indirect block %u is marked free", f->ip->ino, block);
            return true;
        }
        slots = ext2_block(fs, block);
        if (is_err(slots)) {
            f->err = ptr_err(slots);
            return false;
        }
        if (free_slots(f, slots, fs->pointers, base, span / fs->pointers))
            ext2_block_dirty(fs, slots);
        for (unsigned i = 0; i < fs->pointers && empty; i++)
            empty = !slots[i];
        block_put(slots);
    }
    if (empty) {
        if (span > 1 || S_ISDIR(f->ip->mode))
            block_forget(fs->bd, block, fs->block_bits);
        free_block(f, block);
    }
    return empty;
}

int ext2_free_range(struct inode *ip, uint64_t from, uint64_t to)
{
    struct ext2_inode *ei = ext2_inode_of(ip);
    struct freeing f = {.ip = ip, .from = from, .to = to};
    uint64_t base = EXT2_NDIRECT, span = ext2_fs_of(ip)->pointers;

    mutex_lock(&ei->map_lock);
    free_slots(&f, ei->block, EXT2_NDIRECT, 0, 1);
    for (unsigned i = EXT2_NDIRECT; i < EXT2_NBLOCKS; i++) {
        free_slots(&f, &ei->block[i], 1, base, span);
        base += span;
        span *= ext2_fs_of(ip)->pointers;
    }
    flush_run(&f);
    mutex_unlock(&ei->map_lock);
    inode_mark_dirty(ip);
    return f.err;
}
