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
    atomic_store(&fs->damaged, true);
    if (fs->super && !fs->sb->read_only && fs->super->s_errors > EXT2_ERRORS_CONTINUE &&
        fs->super->s_errors <= EXT2_ERRORS_PANIC) {
        pr_err("ext2: %s: read-only from now on\n", fs->sb->source);
        fs->sb->read_only = true;
    }
}

/* ---- Checking the superblock ------------------------------------------------------------------ */

static int printf_like(2, 3) refuse(struct ext2_fs *fs, const char *fmt, ...)
{
    char text[120];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    pr_err("ext2: %s: not mounted: %s\n", fs->sb->source, text);
    return -EINVAL;
}

static int check_features(struct ext2_fs *fs, const struct ext2_super *s)
{
    bool revised = s->s_rev_level >= 1;
    uint32_t incompat = revised ? s->s_feature_incompat : 0;
    uint32_t ro = revised ? s->s_feature_ro_compat : 0;

    if (s->s_rev_level > 1)
        return refuse(fs, "revision %u is unknown", s->s_rev_level);
    if (incompat & ~INCOMPAT_KNOWN)
        return refuse(fs, "unsupported features 0x%x", incompat & ~INCOMPAT_KNOWN);
    fs->filetype = incompat & EXT2_INCOMPAT_FILETYPE;
    fs->may_write = true;
    if (ro & ~RO_KNOWN) {
        fs->may_write = false;
        if (!fs->sb->read_only)
            return refuse(fs, "features 0x%x allow reading only: mount it read-only",
                          ro & ~RO_KNOWN);
    }
    if (incompat & EXT2_INCOMPAT_RECOVER) {
        fs->may_write = false;
        if (!fs->sb->read_only)
            return refuse(fs, "the journal needs recovery: run e2fsck, or mount it read-only");
        pr_warn("ext2: %s: the journal is not replayed: files may be out of date\n",
                fs->sb->source);
    }
    return 0;
}

static bool is_power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

/* Sizes that stand alone. */
static int check_sizes(struct ext2_fs *fs, const struct ext2_super *s)
{
    fs->block_bits = MIN_BLOCK_BITS + s->s_log_block_size;
    fs->block_size = 1u << fs->block_bits;
    fs->inode_size = s->s_rev_level ? s->s_inode_size : EXT2_OLD_INODE_SIZE;
    fs->first_ino = s->s_rev_level ? s->s_first_ino : EXT2_FIRST_INO;
    if (fs->inode_size < EXT2_OLD_INODE_SIZE || fs->inode_size > fs->block_size ||
        !is_power_of_two(fs->inode_size))
        return refuse(fs, "inode size %u", fs->inode_size);
    if (s->s_first_data_block != (fs->block_size == 1024))
        return refuse(fs, "first data block %u with blocks of %u bytes", s->s_first_data_block,
                      fs->block_size);
    if (!s->s_blocks_per_group || s->s_blocks_per_group > 8 * fs->block_size ||
        s->s_blocks_per_group % 8)
        return refuse(fs, "%u blocks in a group", s->s_blocks_per_group);
    if (!s->s_inodes_per_group || s->s_inodes_per_group > 8 * fs->block_size ||
        s->s_inodes_per_group % 8)
        return refuse(fs, "%u inodes in a group", s->s_inodes_per_group);
    return 0;
}

/* Sizes against each other and the device. */
static int check_geometry(struct ext2_fs *fs, const struct ext2_super *s)
{
    uint64_t device_blocks = fs->sb->bdev->sectors / (fs->block_size / SECTOR_SIZE);

    if (s->s_blocks_count <= s->s_first_data_block + 1)
        return refuse(fs, "%u blocks in all", s->s_blocks_count);
    if (s->s_blocks_count > device_blocks)
        return refuse(fs, "%u blocks, but the device has %lu", s->s_blocks_count, device_blocks);
    if (s->s_r_blocks_count > s->s_blocks_count)
        return refuse(fs, "%u of %u blocks reserved", s->s_r_blocks_count, s->s_blocks_count);
    fs->blocks_count = s->s_blocks_count;
    fs->first_data_block = s->s_first_data_block;
    fs->blocks_per_group = s->s_blocks_per_group;
    fs->inodes_per_group = s->s_inodes_per_group;
    fs->inodes_count = s->s_inodes_count;
    fs->pointers = fs->block_size / sizeof(uint32_t);
    fs->groups = (fs->blocks_count - fs->first_data_block - 1) / fs->blocks_per_group + 1;
    fs->table_blocks =
        (uint32_t)(((uint64_t)fs->inodes_per_group * fs->inode_size + fs->block_size - 1) >>
                   fs->block_bits);
    if ((uint64_t)fs->groups * fs->inodes_per_group != fs->inodes_count)
        return refuse(fs, "%u inodes, but %u groups of %u", fs->inodes_count, fs->groups,
                      fs->inodes_per_group);
    if (fs->first_ino < EXT2_FIRST_INO || fs->first_ino > fs->inodes_count)
        return refuse(fs, "first inode %u of %u", fs->first_ino, fs->inodes_count);
    return 0;
}

static uint16_t extra_size_of_new_inodes(const struct ext2_fs *fs, const struct ext2_super *s)
{
    unsigned room = fs->inode_size - EXT2_OLD_INODE_SIZE;
    unsigned full = sizeof(struct ext2_dinode) - EXT2_OLD_INODE_SIZE;
    unsigned want = MAX(s->s_want_extra_isize, s->s_min_extra_isize);

    if (want < full || want % 4)
        want = ALIGN_UP(full, 4u) + 4; /* as ext4 has it: with the version's high half */
    return (uint16_t)MIN(want, room);
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

/* The device is first read in blocks of 1 KiB, to learn the real size. */
static int read_super(struct ext2_fs *fs)
{
    struct buffer_cache *probe = buffer_cache_create(fs->sb->bdev, 1024);
    struct ext2_super *s;
    struct buf *b;
    int err;

    if (!probe)
        return -ENOMEM;
    b = buf_read(probe, EXT2_SUPER_OFFSET / 1024);
    if (is_err(b)) {
        buffer_cache_destroy(probe);
        return ptr_err(b);
    }
    s = (struct ext2_super *)b->data;
    if (s->s_magic != EXT2_MAGIC)
        err = refuse(fs, "no ext2 file system (magic 0x%04x)", s->s_magic);
    else if (s->s_log_block_size > MAX_BLOCK_BITS - MIN_BLOCK_BITS)
        err = refuse(fs, "block size 1024 << %u is not supported", s->s_log_block_size);
    else
        err = check_features(fs, s);
    if (!err)
        err = check_sizes(fs, s);
    if (!err)
        err = check_geometry(fs, s);
    buf_put(b);
    buffer_cache_destroy(probe);
    return err;
}

static int check_group(struct ext2_fs *fs, uint32_t g)
{
    const struct ext2_group_desc *gd = ext2_group(fs, g);

    if (!ext2_block_valid(fs, gd->bg_block_bitmap) || !ext2_block_valid(fs, gd->bg_inode_bitmap) ||
        !ext2_block_valid(fs, gd->bg_inode_table) ||
        fs->table_blocks > fs->blocks_count - gd->bg_inode_table)
        return refuse(fs, "group %u: bitmaps at %u and %u, inodes at %u, of %u blocks", g,
                      gd->bg_block_bitmap, gd->bg_inode_bitmap, gd->bg_inode_table,
                      fs->blocks_count);
    if (gd->bg_free_blocks_count > ext2_group_blocks(fs, g) ||
        gd->bg_free_inodes_count > fs->inodes_per_group)
        return refuse(fs, "group %u: %u blocks and %u inodes free, of %u and %u", g,
                      gd->bg_free_blocks_count, gd->bg_free_inodes_count, ext2_group_blocks(fs, g),
                      fs->inodes_per_group);
    return 0;
}

static int read_groups(struct ext2_fs *fs)
{
    unsigned per_block = fs->block_size / sizeof(struct ext2_group_desc);
    unsigned n = (fs->groups + per_block - 1) / per_block;
    int err;

    fs->group_bufs = kmalloc(n * sizeof(*fs->group_bufs), 0);
    if (!fs->group_bufs)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++) {
        struct buf *b = buf_read(fs->cache, fs->first_data_block + 1 + i);

        if (is_err(b))
            return ptr_err(b);
        fs->group_bufs[fs->ngroup_bufs++] = b;
    }
    for (uint32_t g = 0; g < fs->groups; g++) {
        const struct ext2_group_desc *gd = ext2_group(fs, g);

        err = check_group(fs, g);
        if (err)
            return err;
        fs->free_blocks += gd->bg_free_blocks_count;
        fs->free_inodes += gd->bg_free_inodes_count;
        fs->overhead +=
            2 + fs->table_blocks +
            (ext2_group_has_super(fs, g) ? 1 + n + fs->super->s_reserved_gdt_blocks : 0);
    }
    fs->overhead = MIN(fs->overhead, fs->blocks_count);
    return 0;
}

static int read_all(struct ext2_fs *fs)
{
    struct superblock *sb = fs->sb;
    int err = read_super(fs);

    if (err)
        return err;
    fs->cache = buffer_cache_create(sb->bdev, fs->block_size);
    if (!fs->cache)
        return -ENOMEM;
    fs->super_buf = buf_read(fs->cache, EXT2_SUPER_OFFSET >> fs->block_bits);
    if (is_err(fs->super_buf)) {
        err = ptr_err(fs->super_buf);
        fs->super_buf = NULL;
        return err;
    }
    fs->super =
        (struct ext2_super *)(fs->super_buf->data + (EXT2_SUPER_OFFSET & (fs->block_size - 1)));
    fs->extra_isize = extra_size_of_new_inodes(fs, fs->super);
    fs->clean_state = fs->super->s_state;
    sb->block_size = fs->block_size;
    sb->max_size = largest_file(fs);
    return read_groups(fs);
}

static void release(struct ext2_fs *fs)
{
    for (unsigned i = 0; i < fs->ngroup_bufs; i++)
        buf_put(fs->group_bufs[i]);
    kfree(fs->group_bufs);
    if (fs->super_buf)
        buf_put(fs->super_buf);
    if (fs->cache)
        buffer_cache_destroy(fs->cache);
    fs->sb->bdev->fs_private = NULL;
    fs->sb->fs_private = NULL;
    kfree(fs);
}

/* ---- State and synchronisation ---------------------------------------------------------------- */

static void update_super(struct ext2_fs *fs)
{
    struct ext2_super *s = fs->super;

    mutex_lock(&fs->alloc_lock);
    if (s->s_free_blocks_count != fs->free_blocks || s->s_free_inodes_count != fs->free_inodes) {
        s->s_free_blocks_count = fs->free_blocks;
        s->s_free_inodes_count = fs->free_inodes;
        s->s_wtime = (uint32_t)current_time().sec;
        buf_mark_dirty(fs->super_buf);
    }
    mutex_unlock(&fs->alloc_lock);
}

static int ext2_sync(struct superblock *sb, bool wait)
{
    struct ext2_fs *fs = sb->fs_private;
    int err, err2;

    if (!sb->read_only)
        update_super(fs);
    err = buffer_cache_sync(fs->cache, wait);
    err2 = wait ? block_flush(sb->bdev) : 0;
    return err ? err : err2;
}

static int write_state(struct ext2_fs *fs, uint16_t state)
{
    mutex_lock(&fs->alloc_lock);
    fs->super->s_state = state;
    fs->super->s_wtime = (uint32_t)current_time().sec;
    buf_mark_dirty(fs->super_buf);
    mutex_unlock(&fs->alloc_lock);
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
    return write_state(fs, s->s_state & (uint16_t)~EXT2_STATE_VALID);
}

/* Everything else first: the state vouches for it. */
static int end_writing(struct ext2_fs *fs)
{
    int err, err2;

    ext2_free_orphans(fs); /* who still has them open has no more use for them */
    err = ext2_sync(fs->sb, true);
    if (atomic_load(&fs->damaged))
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
    if (read_only) {
        err = end_writing(fs);
        if (!err)
            sb->read_only = true;
        return err;
    }
    if (!fs->may_write || sb->bdev->read_only)
        return -EROFS;
    sb->read_only = false;
    err = begin_writing(fs);
    if (err)
        sb->read_only = true;
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
    uint32_t reserved = fs->super->s_r_blocks_count;

    mutex_lock(&fs->alloc_lock);
    *st = (struct fs_stat){
        .magic = EXT2_MAGIC,
        .block_size = fs->block_size,
        .name_max = NAME_MAX,
        .blocks = fs->blocks_count - fs->overhead,
        .free_blocks = fs->free_blocks,
        .avail_blocks = fs->free_blocks > reserved ? fs->free_blocks - reserved : 0,
        .files = fs->inodes_count,
        .free_files = fs->free_inodes,
    };
    mutex_unlock(&fs->alloc_lock);
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

static int make_root(struct superblock *sb)
{
    struct inode *root = inode_get(sb, EXT2_ROOT_INO);

    if (is_err(root))
        return ptr_err(root);
    if (!S_ISDIR(root->mode)) {
        pr_err("ext2: %s: the root is no directory (mode 0%o)\n", sb->source, root->mode);
        inode_put(root);
        return -EINVAL;
    }
    sb->root = dentry_make_anon("/", root);
    return sb->root ? 0 : -ENOMEM;
}

static int ext2_mount(struct superblock *sb, const char *options)
{
    struct ext2_fs *fs;
    int err;

    (void)options;
    if (sb->bdev->fs_private)
        return -EBUSY;
    if (sb->bdev->read_only && !sb->read_only)
        return -EROFS;
    fs = kmalloc(sizeof(*fs), ALLOC_ZERO);
    if (!fs)
        return -ENOMEM;
    fs->sb = sb;
    mutex_init(&fs->alloc_lock, MUTEX_FSALLOC);
    list_init(&fs->orphans);
    fs->generation = (uint32_t)current_time().nsec;
    sb->bdev->fs_private = fs;
    sb->fs_private = fs;
    sb->ops = &ext2_super_ops;

    err = read_all(fs);
    if (!err && !sb->read_only)
        err = begin_writing(fs);
    if (!err) {
        err = make_root(sb);
        if (!err)
            return 0;
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
