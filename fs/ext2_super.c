/* SPDX-License-Identifier: MIT */
/*
 * Mounting ext2 (and ext3 with an empty journal, which is the same thing on disk): the superblock
 * and the group descriptors are checked here, once, so that the rest may rely on the geometry.
 *
 * While mounted for writing the superblock says "not clean"; unmounting, or going back to read-only,
 * puts the old state back after everything else is on the disk. Fields not known here are kept.
 */
#include "fs/ext2.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#include <stdarg.h>

#define MAX_ERRORS_TOLD 20
#define MIN_BLOCK_BITS 10
#define MAX_BLOCK_BITS 12
#define INCOMPAT_KNOWN (EXT2_INCOMPAT_FILETYPE | EXT2_INCOMPAT_RECOVER)
#define RO_KNOWN (EXT2_RO_SPARSE_SUPER | EXT2_RO_LARGE_FILE)

void ext2_error(struct ext2_fs *fs, const char *fmt, ...)
{
    unsigned told = atomic_fetch_add(&fs->errors_told, 1);
    char text[160];
    va_list ap;

    if (told < MAX_ERRORS_TOLD) {
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        pr_err("ext2: %s: damaged: %s\n", fs->sb->source, text);
    } else if (told == MAX_ERRORS_TOLD) {
        pr_err("ext2: %s: more damage is not reported\n", fs->sb->source);
    }
    if (fs->super && !fs->sb->read_only && fs->super->s_errors > EXT2_ERRORS_CONTINUE &&
        fs->super->s_errors <= EXT2_ERRORS_PANIC) {
        pr_err("ext2: %s: read-only from now on\n", fs->sb->source);
        fs->sb->read_only = true;
    }
}

/* ---- Checking the superblock: NULL, or what is wrong --------------------------------------------- */

static const char *check_features(struct ext2_fs *fs, const struct ext2_super *s)
{
    uint32_t incompat = s->s_rev_level ? s->s_feature_incompat : 0;
    uint32_t ro = s->s_rev_level ? s->s_feature_ro_compat : 0;
    bool unclean_journal = incompat & EXT2_INCOMPAT_RECOVER;

    if (s->s_magic != EXT2_MAGIC)
        return "no ext2 file system";
    if (s->s_rev_level > 1)
        return "its revision is unknown";
    if (incompat & ~INCOMPAT_KNOWN)
        return "it has features that are not supported";
    fs->filetype = incompat & EXT2_INCOMPAT_FILETYPE;
    fs->may_write = !(ro & ~RO_KNOWN) && !unclean_journal;
    if (!fs->sb->read_only && unclean_journal)
        return "the journal needs recovery: run e2fsck, or mount it read-only";
    if (!fs->sb->read_only && !fs->may_write)
        return "its features allow reading only: mount it read-only";
    if (unclean_journal)
        pr_warn("ext2: %s: the journal is not replayed: files may be out of date\n",
                fs->sb->source);
    return NULL;
}

static bool bad_group_size(const struct ext2_fs *fs, uint32_t n)
{
    return !n || n > 8 * fs->block_size || n % 8;
}

/* The geometry, checked and copied: the block itself can be written to under the device's name. */
static const char *read_geometry(struct ext2_fs *fs, const struct ext2_super *s)
{
    struct ext2_space *blocks = &fs->space[EXT2_BLOCKS], *inodes = &fs->space[EXT2_INODES];

    if (s->s_log_block_size > MAX_BLOCK_BITS - MIN_BLOCK_BITS)
        return "blocks larger than a page";
    fs->block_bits = MIN_BLOCK_BITS + s->s_log_block_size;
    fs->block_size = 1u << fs->block_bits;
    fs->pointers = fs->block_size / sizeof(uint32_t);
    fs->inode_size = s->s_rev_level ? s->s_inode_size : EXT2_OLD_INODE_SIZE;
    fs->first_ino = s->s_rev_level ? s->s_first_ino : EXT2_FIRST_INO;
    if (fs->inode_size < EXT2_OLD_INODE_SIZE || fs->block_size % fs->inode_size)
        return "bad inode size";
    if (s->s_first_data_block != (fs->block_size == 1024))
        return "bad first data block";
    if (bad_group_size(fs, s->s_blocks_per_group) || bad_group_size(fs, s->s_inodes_per_group))
        return "bad group size";
    if (s->s_blocks_count <= s->s_first_data_block + 1)
        return "hardly any blocks";
    if (s->s_blocks_count > fs->bd->sectors / (fs->block_size / SECTOR_SIZE))
        return "more blocks than the device has";
    if (s->s_r_blocks_count > s->s_blocks_count)
        return "more reserved blocks than there are";
    *blocks = (struct ext2_space){.first = s->s_first_data_block,
                                  .count = s->s_blocks_count - s->s_first_data_block,
                                  .per_group = s->s_blocks_per_group};
    *inodes = (struct ext2_space){
        .first = 1, .count = s->s_inodes_count, .per_group = s->s_inodes_per_group};
    fs->groups = (blocks->count - 1) / blocks->per_group + 1;
    fs->table_blocks =
        (uint32_t)(((uint64_t)inodes->per_group * fs->inode_size + fs->block_size - 1) >>
                   fs->block_bits);
    if ((uint64_t)fs->groups * inodes->per_group != inodes->count)
        return "the number of inodes does not fit the number of groups";
    if (fs->first_ino < EXT2_FIRST_INO || fs->first_ino > inodes->count)
        return "bad first inode";
    return NULL;
}

static const char *check_group(struct ext2_fs *fs, uint32_t g)
{
    const struct ext2_group_desc *gd = ext2_group(fs, g);

    for (enum ext2_kind kind = EXT2_BLOCKS; kind <= EXT2_INODES; kind++) {
        if (!ext2_block_valid(fs, gd->bg_bitmap[kind]))
            return "a bitmap out of range";
        if (gd->bg_free_count[kind] > ext2_group_size(&fs->space[kind], g))
            return "more free in a group than there is";
    }
    if (!ext2_block_valid(fs, gd->bg_inode_table) ||
        fs->table_blocks > fs->super->s_blocks_count - gd->bg_inode_table)
        return "an inode table out of range";
    return NULL;
}

static uint64_t largest_file(const struct ext2_fs *fs)
{
    uint64_t p = fs->pointers, tree = EXT2_NDIRECT + p + p * p + p * p * p;
    /* i_blocks counts sectors, those of the indirect blocks too, in 32 bits. */
    uint64_t limit = (1UL << 41) - (1UL << 32);

    if (!fs->super->s_rev_level)
        limit = INT32_MAX; /* no feature bits to announce larger ones */
    return MIN(tree << fs->block_bits, limit);
}

/* ---- Reading it ------------------------------------------------------------------------------- */

static int refuse(const struct ext2_fs *fs, const char *why)
{
    pr_err("ext2: %s: not mounted: %s\n", fs->sb->source, why);
    return -EINVAL;
}

static int read_groups(struct ext2_fs *fs)
{
    unsigned per_block = fs->block_size / sizeof(struct ext2_group_desc);
    unsigned n = (fs->groups + per_block - 1) / per_block;
    struct ext2_super *s = fs->super;
    const char *wrong;

    fs->gd_blocks = kmalloc(n * sizeof(*fs->gd_blocks), 0);
    if (!fs->gd_blocks)
        return -ENOMEM;
    for (; fs->ngd_blocks < n; fs->ngd_blocks++) {
        void *block = ext2_block(fs, fs->space[EXT2_BLOCKS].first + 1 + fs->ngd_blocks);

        if (is_err(block))
            return ptr_err(block);
        fs->gd_blocks[fs->ngd_blocks] = block;
    }
    s->s_free_count[EXT2_BLOCKS] = s->s_free_count[EXT2_INODES] = 0;
    for (uint32_t g = 0; g < fs->groups; g++) {
        wrong = check_group(fs, g);
        if (wrong)
            return refuse(fs, wrong);
        for (enum ext2_kind kind = EXT2_BLOCKS; kind <= EXT2_INODES; kind++)
            s->s_free_count[kind] += ext2_group(fs, g)->bg_free_count[kind];
        fs->overhead += 2 + fs->table_blocks;
        if (ext2_group_has_super(fs, g))
            fs->overhead += 1 + n + s->s_reserved_gdt_blocks;
    }
    fs->overhead = MIN(fs->overhead, fs->space[EXT2_BLOCKS].count);
    return 0;
}

static int read_all(struct ext2_fs *fs)
{
    struct ext2_super *s = block_get(fs->bd, EXT2_SUPER_OFFSET >> MIN_BLOCK_BITS, MIN_BLOCK_BITS);
    const char *wrong;

    if (is_err(s))
        return ptr_err(s);
    fs->super = s;
    wrong = check_features(fs, s);
    if (!wrong)
        wrong = read_geometry(fs, s);
    if (wrong)
        return refuse(fs, wrong);
    fs->clean_state = s->s_state;
    fs->sb->block_size = fs->block_size;
    fs->sb->max_size = largest_file(fs);
    return read_groups(fs);
}

static void release(struct ext2_fs *fs)
{
    for (unsigned i = 0; i < fs->ngd_blocks; i++)
        block_put(fs->gd_blocks[i]);
    kfree(fs->gd_blocks);
    if (fs->super)
        block_put(fs->super);
    block_cache_drop(fs->bd);
    fs->sb->fs_private = NULL;
    kfree(fs);
}

/* ---- State and synchronisation ---------------------------------------------------------------- */

static int ext2_sync(struct superblock *sb, bool wait)
{
    struct ext2_fs *fs = sb->fs_private;
    int err = block_cache_sync(fs->bd, wait), err2 = wait ? block_flush(fs->bd) : 0;

    if (err) /* told once, perhaps to who does not care: it must not be called clean later */
        ext2_error(fs, "metadata could not be written");
    return err ? err : err2;
}

static int write_state(struct ext2_fs *fs, uint16_t state)
{
    fs->super->s_state = state;
    fs->super->s_wtime = (uint32_t)current_time().sec;
    block_mark_dirty(fs->super, sizeof(*fs->super));
    return ext2_sync(fs->sb, true);
}

static int begin_writing(struct ext2_fs *fs)
{
    struct ext2_super *s = fs->super;

    if (!(s->s_state & EXT2_STATE_VALID) || (s->s_state & EXT2_STATE_ERROR))
        pr_warn("ext2: %s: not cleanly unmounted, or damaged: e2fsck is recommended\n",
                fs->sb->source);
    fs->clean_state = s->s_state;
    s->s_mtime = (uint32_t)current_time().sec;
    s->s_mnt_count++;
    if (s->s_rev_level) /* must be said before there are files beyond 2 GiB */
        s->s_feature_ro_compat |= EXT2_RO_LARGE_FILE;
    return write_state(fs, s->s_state & (uint16_t)~EXT2_STATE_VALID);
}

/* Everything else first: the state vouches for it. */
static int end_writing(struct ext2_fs *fs)
{
    int err, err2;

    ext2_free_orphans(fs); /* who still has them open has no more use for them */
    err = ext2_sync(fs->sb, true);
    if (fs->errors_told)
        fs->clean_state |= EXT2_STATE_ERROR;
    err2 = write_state(fs, fs->clean_state);
    return err ? err : err2;
}

static int ext2_remount(struct superblock *sb, bool read_only)
{
    struct ext2_fs *fs = sb->fs_private;
    int err;

    if (read_only == sb->read_only)
        return 0;
    if (!read_only && (!fs->may_write || sb->bdev->read_only))
        return -EROFS;
    sb->read_only = false;
    err = read_only ? end_writing(fs) : begin_writing(fs);
    sb->read_only = read_only == !err;
    return err;
}

static void ext2_unmount(struct superblock *sb)
{
    struct ext2_fs *fs = sb->fs_private;

    if (!sb->read_only && end_writing(fs))
        pr_err("ext2: %s: not everything could be written\n", sb->source);
    release(fs);
}

static void ext2_statfs(struct superblock *sb, struct fs_stat *st)
{
    struct ext2_fs *fs = sb->fs_private;
    uint32_t free = fs->super->s_free_count[EXT2_BLOCKS], kept = fs->super->s_r_blocks_count;

    *st = (struct fs_stat){
        .magic = EXT2_MAGIC,
        .block_size = fs->block_size,
        .name_max = NAME_MAX,
        .blocks = fs->super->s_blocks_count - fs->overhead,
        .free_blocks = free,
        .avail_blocks = free > kept ? free - kept : 0,
        .files = fs->space[EXT2_INODES].count,
        .free_files = fs->super->s_free_count[EXT2_INODES],
    };
}

static const struct super_ops ext2_super_ops = {
    .unmount = ext2_unmount,
    .sync = ext2_sync,
    .statfs = ext2_statfs,
    .remount = ext2_remount,
    .alloc_inode = ext2_alloc_vfs_inode,
    .read_inode = ext2_read_inode,
    .write_inode = ext2_write_inode,
    .evict_inode = ext2_evict_inode,
    .free_inode = ext2_free_vfs_inode,
};

/* ---- Mounting --------------------------------------------------------------------------------- */

static int ext2_mount(struct superblock *sb, const char *options)
{
    struct inode *root;
    struct ext2_fs *fs;
    int err;

    (void)options;
    if (sb->bdev->read_only && !sb->read_only)
        return -EROFS;
    fs = kmalloc(sizeof(*fs), ALLOC_ZERO);
    if (!fs)
        return -ENOMEM;
    fs->sb = sb;
    fs->bd = sb->bdev;
    mutex_init(&fs->alloc_lock, MUTEX_FSALLOC);
    list_init(&fs->orphans);
    sb->fs_private = fs;
    sb->ops = &ext2_super_ops;

    /* What was written under the device's own name, and may be file data from now on. */
    err = block_cache_drop(fs->bd);
    if (!err)
        err = read_all(fs);
    if (!err && !sb->read_only)
        err = begin_writing(fs);
    if (!err) {
        root = inode_get(sb, EXT2_ROOT_INO);
        if (!is_err(root))
            sb->root = dentry_make_anon("/", root);
        if (sb->root)
            return 0;
        err = is_err(root) ? ptr_err(root) : -ENOMEM;
        inode_cache_drop_sb(sb);
        if (!sb->read_only)
            end_writing(fs);
    }
    sb->ops = NULL;
    release(fs);
    return err;
}

static struct fs_type ext2_type = {.name = "ext2", .needs_device = true, .mount = ext2_mount};
static struct fs_type ext3_type = {.name = "ext3", .needs_device = true, .mount = ext2_mount};

void ext2_init(void)
{
    ext2_init_file_ops();
    fs_register(&ext2_type);
    fs_register(&ext3_type);
}
