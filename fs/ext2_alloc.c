/* SPDX-License-Identifier: MIT */
/*
 * Free blocks and inodes: the bitmaps, and the counts in group descriptors and superblock.
 *
 * Policy: a file's blocks follow each other; files lie in their directory's group; directories of
 * the root are spread over the groups. The bitmap decides what is free; a group's count only says
 * where looking is worth while. Counts never go below zero or above the group's size, whatever the
 * image claims.
 *
 * Lock: alloc_lock, taken here; bitmap and descriptor buffers are changed under it only.
 */
#include "fs/ext2.h"
#include "lib/log.h"
#include "lib/string.h"
#include "proc/process.h"

struct ext2_group_desc *ext2_group(struct ext2_fs *fs, uint32_t group)
{
    unsigned per_block = fs->block_size / sizeof(struct ext2_group_desc);

    return (struct ext2_group_desc *)fs->group_bufs[group / per_block]->data + group % per_block;
}

static void group_dirty(struct ext2_fs *fs, uint32_t group)
{
    buf_mark_dirty(fs->group_bufs[group * sizeof(struct ext2_group_desc) / fs->block_size]);
}

static uint32_t group_first(const struct ext2_fs *fs, uint32_t group)
{
    return fs->first_data_block + group * fs->blocks_per_group;
}

static uint32_t group_of(const struct ext2_fs *fs, uint32_t block)
{
    return (block - fs->first_data_block) / fs->blocks_per_group;
}

uint32_t ext2_group_blocks(const struct ext2_fs *fs, uint32_t group)
{
    return MIN(fs->blocks_per_group, fs->blocks_count - group_first(fs, group));
}

static bool is_power_of(uint32_t n, uint32_t base)
{
    while (n % base == 0)
        n /= base;
    return n == 1;
}

bool ext2_group_has_super(const struct ext2_fs *fs, uint32_t group)
{
    if (group <= 1 || fs->super->s_rev_level == 0 ||
        !(fs->super->s_feature_ro_compat & EXT2_RO_SPARSE_SUPER))
        return true;
    return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

/* Blocks that no file may have, even if a damaged bitmap offers them. */
static bool is_system_block(struct ext2_fs *fs, uint32_t block)
{
    uint32_t group = group_of(fs, block);
    const struct ext2_group_desc *gd = ext2_group(fs, group);

    if (block == gd->bg_block_bitmap || block == gd->bg_inode_bitmap)
        return true;
    if (block >= gd->bg_inode_table && block - gd->bg_inode_table < fs->table_blocks)
        return true;
    return ext2_group_has_super(fs, group) && block - group_first(fs, group) <= fs->ngroup_bufs;
}

/* ---- Bits ------------------------------------------------------------------------------------- */

static bool bit_test(const uint8_t *map, uint32_t bit)
{
    return map[bit / 8] >> bit % 8 & 1;
}

static void bit_set(uint8_t *map, uint32_t bit)
{
    map[bit / 8] |= (uint8_t)(1 << bit % 8);
}

static void bit_clear(uint8_t *map, uint32_t bit)
{
    map[bit / 8] &= (uint8_t) ~(1 << bit % 8);
}

/* The first clear bit in [from, to), or to. */
static uint32_t find_clear(const uint8_t *map, uint32_t from, uint32_t to)
{
    const uint64_t *words = (const uint64_t *)map;

    while (from < to) {
        uint64_t clear = ~words[from / 64] >> from % 64;

        if (clear)
            return MIN(from + (uint32_t)__builtin_ctzll(clear), to);
        from = (from / 64 + 1) * 64;
    }
    return to;
}

/* A clear bit at or after `near`, else before it; end if there is none. */
static uint32_t find_near(const uint8_t *map, uint32_t near, uint32_t end)
{
    uint32_t bit = find_clear(map, near, end);

    if (bit < end || !near)
        return bit;
    bit = find_clear(map, 0, near);
    return bit < near ? bit : end;
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

static bool may_use_reserve(struct ext2_fs *fs)
{
    const struct process *p = current->proc;

    return caller_is_root() || p->fsuid == fs->super->s_def_resuid ||
           (fs->super->s_def_resgid && caller_in_group(fs->super->s_def_resgid));
}

/* 0, -ENOSPC if the group is full, or what reading its bitmap gave. */
static int alloc_in_group(struct ext2_fs *fs, uint32_t group, uint32_t near, uint32_t *block)
{
    struct ext2_group_desc *gd = ext2_group(fs, group);
    uint32_t end = ext2_group_blocks(fs, group), bit;
    struct buf *map;

    if (!gd->bg_free_blocks_count)
        return -ENOSPC;
    map = buf_read(fs->cache, gd->bg_block_bitmap);
    if (is_err(map))
        return ptr_err(map);
    bit = find_near(map->data, near, end);
    while (bit < end && is_system_block(fs, group_first(fs, group) + bit)) {
        ext2_error(fs, "group %u: block %u of the file system is marked free", group,
                   group_first(fs, group) + bit);
        bit_set(map->data, bit);
        bit = find_near(map->data, near, end);
    }
    if (bit < end) {
        bit_set(map->data, bit);
        buf_mark_dirty(map);
        gd->bg_free_blocks_count--;
        group_dirty(fs, group);
        if (fs->free_blocks)
            fs->free_blocks--;
        *block = group_first(fs, group) + bit;
    }
    buf_put(map);
    return bit < end ? 0 : -ENOSPC;
}

int ext2_alloc_block(struct ext2_fs *fs, uint32_t goal, uint32_t *block)
{
    uint32_t first, near;
    int err = -ENOSPC, e;

    if (goal < fs->first_data_block || goal >= fs->blocks_count)
        goal = fs->first_data_block;
    first = group_of(fs, goal);
    near = goal - group_first(fs, first);
    mutex_lock(&fs->alloc_lock);
    if (fs->free_blocks > fs->super->s_r_blocks_count || may_use_reserve(fs)) {
        for (uint32_t i = 0; i < fs->groups; i++) {
            e = alloc_in_group(fs, (first + i) % fs->groups, i ? 0 : near, block);
            if (!e || err == -ENOSPC)
                err = e;
            if (!e)
                break;
        }
    }
    mutex_unlock(&fs->alloc_lock);
    return err;
}

static void free_in_group(struct ext2_fs *fs, uint32_t group, uint32_t start, uint32_t count)
{
    struct ext2_group_desc *gd = ext2_group(fs, group);
    struct buf *map = buf_read(fs->cache, gd->bg_block_bitmap);
    uint32_t freed = 0, room = ext2_group_blocks(fs, group);

    if (is_err(map)) {
        ext2_error(fs, "group %u: block bitmap is unreadable, %u blocks are lost", group, count);
        return;
    }
    for (uint32_t b = start; b < start + count; b++) {
        uint32_t bit = b - group_first(fs, group);

        if (is_system_block(fs, b)) {
            ext2_error(fs, "block %u belongs to the file system, not to a file", b);
        } else if (!bit_test(map->data, bit)) {
            ext2_error(fs, "block %u is freed twice", b);
        } else {
            bit_clear(map->data, bit);
            freed++;
        }
    }
    if (freed) {
        buf_mark_dirty(map);
        gd->bg_free_blocks_count = (uint16_t)MIN(gd->bg_free_blocks_count + freed, room);
        group_dirty(fs, group);
        fs->free_blocks = MIN(fs->free_blocks + freed, fs->blocks_count);
    }
    buf_put(map);
}

void ext2_free_blocks(struct ext2_fs *fs, uint32_t start, uint32_t count)
{
    mutex_lock(&fs->alloc_lock);
    while (count) {
        uint32_t group = group_of(fs, start);
        uint32_t n = MIN(count, group_first(fs, group) + ext2_group_blocks(fs, group) - start);

        free_in_group(fs, group, start, n);
        start += n;
        count -= n;
    }
    mutex_unlock(&fs->alloc_lock);
}

bool ext2_block_in_use(struct ext2_fs *fs, uint32_t block)
{
    uint32_t group = group_of(fs, block);
    struct buf *map;
    bool used;

    map = buf_read(fs->cache, ext2_group(fs, group)->bg_block_bitmap);
    if (is_err(map))
        return true;
    used = bit_test(map->data, block - group_first(fs, group));
    buf_put(map);
    return used;
}

/* ---- Inodes ----------------------------------------------------------------------------------- */

static uint32_t inode_group(const struct ext2_fs *fs, uint64_t ino)
{
    return (uint32_t)((ino - 1) / fs->inodes_per_group);
}

/* Among the groups with at least the average of free inodes, the one with most free blocks. */
static uint32_t emptiest_group(struct ext2_fs *fs)
{
    uint32_t average = fs->free_inodes / fs->groups, best = 0;
    int best_blocks = -1;

    for (uint32_t g = 0; g < fs->groups; g++) {
        const struct ext2_group_desc *gd = ext2_group(fs, g);

        if (gd->bg_free_inodes_count && gd->bg_free_inodes_count >= average &&
            gd->bg_free_blocks_count > best_blocks) {
            best = g;
            best_blocks = gd->bg_free_blocks_count;
        }
    }
    return best;
}

static uint32_t choose_group(struct ext2_fs *fs, const struct inode *dir, bool is_dir)
{
    uint32_t parent = inode_group(fs, dir->ino);
    const struct ext2_group_desc *gd = ext2_group(fs, parent);

    if (!is_dir)
        return parent;
    if (dir->ino != EXT2_ROOT_INO && gd->bg_free_inodes_count >= fs->free_inodes / fs->groups / 2 &&
        gd->bg_free_blocks_count >= fs->free_blocks / fs->groups / 2)
        return parent;
    return emptiest_group(fs);
}

static int alloc_inode_in_group(struct ext2_fs *fs, uint32_t group, bool is_dir, uint32_t *ino)
{
    struct ext2_group_desc *gd = ext2_group(fs, group);
    uint32_t reserved = group ? 0 : fs->first_ino - 1, bit;
    struct buf *map;

    if (!gd->bg_free_inodes_count)
        return -ENOSPC;
    map = buf_read(fs->cache, gd->bg_inode_bitmap);
    if (is_err(map))
        return ptr_err(map);
    bit = find_clear(map->data, MIN(reserved, fs->inodes_per_group), fs->inodes_per_group);
    if (bit < fs->inodes_per_group) {
        bit_set(map->data, bit);
        buf_mark_dirty(map);
        gd->bg_free_inodes_count--;
        if (is_dir)
            gd->bg_used_dirs_count++;
        group_dirty(fs, group);
        if (fs->free_inodes)
            fs->free_inodes--;
        *ino = group * fs->inodes_per_group + bit + 1;
    }
    buf_put(map);
    return bit < fs->inodes_per_group ? 0 : -ENOSPC;
}

int ext2_alloc_inode(struct inode *dir, bool is_dir, uint32_t *ino)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    int err = -ENOSPC, e;
    uint32_t first;

    mutex_lock(&fs->alloc_lock);
    first = choose_group(fs, dir, is_dir);
    for (uint32_t i = 0; i < fs->groups; i++) {
        e = alloc_inode_in_group(fs, (first + i) % fs->groups, is_dir, ino);
        if (!e || err == -ENOSPC)
            err = e;
        if (!e)
            break;
    }
    mutex_unlock(&fs->alloc_lock);
    return err;
}

void ext2_free_inode(struct ext2_fs *fs, uint32_t ino, bool was_dir)
{
    uint32_t group = inode_group(fs, ino), bit = (ino - 1) % fs->inodes_per_group;
    struct ext2_group_desc *gd = ext2_group(fs, group);
    struct buf *map;

    mutex_lock(&fs->alloc_lock);
    map = buf_read(fs->cache, gd->bg_inode_bitmap);
    if (is_err(map)) {
        ext2_error(fs, "group %u: inode bitmap is unreadable, inode %u is lost", group, ino);
        goto out;
    }
    if (!bit_test(map->data, bit)) {
        ext2_error(fs, "inode %u is freed twice", ino);
    } else {
        bit_clear(map->data, bit);
        buf_mark_dirty(map);
        if (gd->bg_free_inodes_count < fs->inodes_per_group)
            gd->bg_free_inodes_count++;
        if (was_dir && gd->bg_used_dirs_count)
            gd->bg_used_dirs_count--;
        group_dirty(fs, group);
        fs->free_inodes = MIN(fs->free_inodes + 1, fs->inodes_count);
    }
    buf_put(map);
out:
    mutex_unlock(&fs->alloc_lock);
}
