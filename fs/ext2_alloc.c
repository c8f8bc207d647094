/* SPDX-License-Identifier: MIT */
/*
 * Free blocks and inodes: the bitmaps, and the counts in group descriptors and superblock. Both
 * kinds are spaces of numbers in groups, and differ in little more than their names.
 *
 * Policy: a file's blocks follow each other; files lie in their directory's group; directories of
 * the root are spread over the groups. The bitmap decides what is free; a group's count only says
 * where looking is worth while. Counts never go below zero or above the group's size, whatever the
 * image claims.
 *
 * Lock: alloc_lock, taken here; bitmaps and descriptors are changed under it only.
 */
#include "fs/ext2.h"
#include "lib/log.h"
#include "lib/string.h"
#include "proc/process.h"

static const char *const kind_names[] = {"block", "inode"};

struct ext2_group_desc *ext2_group(struct ext2_fs *fs, uint32_t group)
{
    unsigned per_block = fs->block_size / sizeof(struct ext2_group_desc);

    return &fs->gd_blocks[group / per_block][group % per_block];
}

/* The counts of a group, and those of them all. */
static void counts_dirty(struct ext2_fs *fs, uint32_t group)
{
    block_mark_dirty(ext2_group(fs, group), sizeof(struct ext2_group_desc));
    block_mark_dirty(fs->super, sizeof(*fs->super));
}

uint32_t ext2_group_of(const struct ext2_space *s, uint32_t n)
{
    return (n - s->first) / s->per_group;
}

uint32_t ext2_group_first(const struct ext2_space *s, uint32_t group)
{
    return s->first + group * s->per_group;
}

uint32_t ext2_group_size(const struct ext2_space *s, uint32_t group)
{
    return MIN(s->per_group, s->count - group * s->per_group);
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

/* What no file may have, even if a damaged bitmap offers it. */
static bool is_system(struct ext2_fs *fs, enum ext2_kind kind, uint32_t n)
{
    const struct ext2_space *s = &fs->space[kind];
    uint32_t group = ext2_group_of(s, n);
    const struct ext2_group_desc *gd = ext2_group(fs, group);

    if (kind == EXT2_INODES)
        return n < fs->first_ino;
    return n == gd->bg_bitmap[EXT2_BLOCKS] || n == gd->bg_bitmap[EXT2_INODES] ||
           (n >= gd->bg_inode_table && n - gd->bg_inode_table < fs->table_blocks) ||
           (ext2_group_has_super(fs, group) && n - ext2_group_first(s, group) <= fs->ngd_blocks);
}

/* ---- Bits ------------------------------------------------------------------------------------- */

static bool bit_test(const uint8_t *map, uint32_t bit)
{
    return map[bit / 8] >> bit % 8 & 1;
}

static void bit_flip(uint8_t *map, uint32_t bit)
{
    map[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* The first clear bit in [from, to), or to. */
static uint32_t find_clear(const uint8_t *map, uint32_t from, uint32_t to)
{
    const uint64_t *words = (const uint64_t *)(const void *)map;

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

    if (bit < end)
        return bit;
    bit = find_clear(map, 0, near);
    return bit < near ? bit : end;
}

/* ---- Both kinds ------------------------------------------------------------------------------- */

/* 0, -ENOSPC if the group is full, or what reading its bitmap gave. */
static int alloc_in_group(struct ext2_fs *fs, enum ext2_kind kind, uint32_t group, uint32_t near,
                          uint32_t *n)
{
    struct ext2_group_desc *gd = ext2_group(fs, group);
    const struct ext2_space *s = &fs->space[kind];
    uint32_t first = ext2_group_first(s, group), end = ext2_group_size(s, group), bit;
    uint8_t *map;

    if (!gd->bg_free_count[kind])
        return -ENOSPC;
    map = ext2_block(fs, gd->bg_bitmap[kind]);
    if (is_err(map))
        return ptr_err(map);
    while ((bit = find_near(map, near, end)) < end && is_system(fs, kind, first + bit)) {
        ext2_error(fs, "%s %u of the file system is marked free", kind_names[kind], first + bit);
        bit_flip(map, bit);
    }
    if (bit < end) {
        bit_flip(map, bit);
        ext2_block_dirty(fs, map);
        gd->bg_free_count[kind]--;
        if (fs->super->s_free_count[kind])
            fs->super->s_free_count[kind]--;
        counts_dirty(fs, group);
        *n = first + bit;
    }
    block_put(map);
    return bit < end ? 0 : -ENOSPC;
}

/* From goal on, then in the groups behind it, and around. */
static int alloc(struct ext2_fs *fs, enum ext2_kind kind, uint32_t goal, uint32_t *n)
{
    uint32_t first = ext2_group_of(&fs->space[kind], goal);
    uint32_t near = goal - ext2_group_first(&fs->space[kind], first);
    int err = -ENOSPC, e;

    for (uint32_t i = 0; i < fs->groups; i++) {
        e = alloc_in_group(fs, kind, (first + i) % fs->groups, i ? 0 : near, n);
        if (!e)
            return 0;
        if (err == -ENOSPC)
            err = e;
    }
    return err;
}

/* All in one group. Returns how many were really in use. */
static uint32_t free_in_group(struct ext2_fs *fs, enum ext2_kind kind, uint32_t start,
                              uint32_t count)
{
    const struct ext2_space *s = &fs->space[kind];
    uint32_t group = ext2_group_of(s, start), freed = 0;
    struct ext2_group_desc *gd = ext2_group(fs, group);
    uint8_t *map = ext2_block(fs, gd->bg_bitmap[kind]);

    if (is_err(map)) {
        ext2_error(fs, "group %u: bitmap is unreadable, %s %u and %u more are lost", group,
                   kind_names[kind], start, count - 1);
        return 0;
    }
    for (uint32_t n = start; n < start + count; n++) {
        uint32_t bit = n - ext2_group_first(s, group);

        if (is_system(fs, kind, n)) {
            ext2_error(fs, "%s %u belongs to the file system", kind_names[kind], n);
        } else if (!bit_test(map, bit)) {
            ext2_error(fs, "%s %u is freed twice", kind_names[kind], n);
        } else {
            bit_flip(map, bit);
            freed++;
        }
    }
    if (freed) {
        ext2_block_dirty(fs, map);
        gd->bg_free_count[kind] =
            (uint16_t)MIN(gd->bg_free_count[kind] + freed, ext2_group_size(s, group));
        fs->super->s_free_count[kind] = MIN(fs->super->s_free_count[kind] + freed, s->count);
        counts_dirty(fs, group);
    }
    block_put(map);
    return freed;
}

/* ---- Blocks ----------------------------------------------------------------------------------- */

static bool may_use_reserve(struct ext2_fs *fs)
{
    const struct process *p = current->proc;

    return caller_is_root() || p->fsuid == fs->super->s_def_resuid ||
           (fs->super->s_def_resgid && caller_in_group(fs->super->s_def_resgid));
}

int ext2_alloc_block(struct ext2_fs *fs, uint32_t goal, uint32_t *block)
{
    int err = -ENOSPC;

    if (!ext2_block_valid(fs, goal))
        goal = fs->space[EXT2_BLOCKS].first;
    mutex_lock(&fs->alloc_lock);
    if (fs->super->s_free_count[EXT2_BLOCKS] > fs->super->s_r_blocks_count || may_use_reserve(fs))
        err = alloc(fs, EXT2_BLOCKS, goal, block);
    mutex_unlock(&fs->alloc_lock);
    return err;
}

void ext2_free_blocks(struct ext2_fs *fs, uint32_t start, uint32_t count)
{
    const struct ext2_space *s = &fs->space[EXT2_BLOCKS];

    mutex_lock(&fs->alloc_lock);
    while (count) {
        uint32_t group = ext2_group_of(s, start);
        uint32_t n = MIN(count, ext2_group_first(s, group) + ext2_group_size(s, group) - start);

        free_in_group(fs, EXT2_BLOCKS, start, n);
        start += n;
        count -= n;
    }
    mutex_unlock(&fs->alloc_lock);
}

bool ext2_block_in_use(struct ext2_fs *fs, uint32_t block)
{
    const struct ext2_space *s = &fs->space[EXT2_BLOCKS];
    uint32_t group = ext2_group_of(s, block);
    const uint8_t *map = ext2_block(fs, ext2_group(fs, group)->bg_bitmap[EXT2_BLOCKS]);
    bool used;

    if (is_err(map))
        return true;
    used = bit_test(map, block - ext2_group_first(s, group));
    block_put(map);
    return used;
}

/* ---- Inodes ----------------------------------------------------------------------------------- */

/* The group with most free blocks among those with a free inode. */
static uint32_t emptiest_group(struct ext2_fs *fs)
{
    uint32_t best = 0;
    int most = -1;

    for (uint32_t g = 0; g < fs->groups; g++) {
        const uint16_t *free = ext2_group(fs, g)->bg_free_count;

        if (free[EXT2_INODES] && free[EXT2_BLOCKS] > most) {
            best = g;
            most = free[EXT2_BLOCKS];
        }
    }
    return best;
}

int ext2_alloc_inode(struct inode *dir, bool is_dir, uint32_t *ino)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    const struct ext2_space *s = &fs->space[EXT2_INODES];
    uint32_t group = ext2_group_of(s, (uint32_t)dir->ino);
    int err;

    mutex_lock(&fs->alloc_lock);
    if (is_dir && dir->ino == EXT2_ROOT_INO)
        group = emptiest_group(fs);
    err = alloc(fs, EXT2_INODES, ext2_group_first(s, group), ino);
    if (!err && is_dir) {
        group = ext2_group_of(s, *ino);
        ext2_group(fs, group)->bg_used_dirs_count++;
        counts_dirty(fs, group);
    }
    mutex_unlock(&fs->alloc_lock);
    return err;
}

void ext2_free_inode(struct ext2_fs *fs, uint32_t ino, bool was_dir)
{
    uint32_t group = ext2_group_of(&fs->space[EXT2_INODES], ino);
    struct ext2_group_desc *gd = ext2_group(fs, group);

    mutex_lock(&fs->alloc_lock);
    if (free_in_group(fs, EXT2_INODES, ino, 1) && was_dir && gd->bg_used_dirs_count) {
        gd->bg_used_dirs_count--;
        counts_dirty(fs, group);
    }
    mutex_unlock(&fs->alloc_lock);
}
