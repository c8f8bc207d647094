/* SPDX-License-Identifier: MIT */
/*
 * Directory blocks: chains of variable-length entries, each block full to its end. A removed entry
 * is swallowed by the one before it, or stays as an unused one (inode 0) at a block's start.
 *
 * Every entry is checked before it is used. Hashed directories (ext3) are read as plain ones, which
 * they are made to look like; the first change drops the index by clearing its flag.
 *
 * Lock: the directory's inode->lock for everything here.
 */
#include "fs/ext2.h"
#include "lib/string.h"
#include "proc/sched.h"

static struct ext2_dirent *entry_at(struct buf *b, unsigned off)
{
    return (struct ext2_dirent *)(b->data + off);
}

/* Without INCOMPAT_FILETYPE the length has 16 bits, of which only names up to 255 make sense. */
static bool is_bad_length(const struct ext2_fs *fs, const struct ext2_dirent *de)
{
    return !fs->filetype && de->file_type;
}

static const char *check_entry(const struct ext2_fs *fs, const struct ext2_dirent *de, unsigned off)
{
    unsigned left = fs->block_size - off;

    if (left < 12 || de->rec_len < EXT2_DIRENT_LEN(1))
        return "entry too short";
    if (de->rec_len % 4)
        return "entry length is not a multiple of 4";
    if (de->rec_len > left)
        return "entry crosses its block's end";
    if (!de->inode)
        return NULL;
    if (!de->name_len || is_bad_length(fs, de) || EXT2_DIRENT_LEN(de->name_len) > de->rec_len)
        return "bad name length";
    if (de->inode > fs->inodes_count)
        return "inode number out of range";
    return NULL;
}

/* The entry at off, or NULL if it is damaged. */
static struct ext2_dirent *checked_entry(struct inode *dir, struct buf *b, unsigned off)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct ext2_dirent *de = entry_at(b, off);
    const char *wrong = check_entry(fs, de, off);

    if (!wrong)
        return de;
    ext2_error(fs, "directory %lu: %s: block %lu, offset %u, length %u, inode %u", dir->ino, wrong,
               b->block, off, de->rec_len, de->inode);
    return NULL;
}

static uint32_t block_count(const struct inode *dir)
{
    return (uint32_t)(inode_size(dir) >> ext2_fs_of(dir)->block_bits);
}

/* One block of the directory; a hole is damage. err_ptr. */
static struct buf *read_dir_block(struct inode *dir, uint32_t logical)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    uint32_t physical;
    unsigned n;
    int err = ext2_map(dir, logical, 1, &physical, &n);

    sched_point();
    if (err)
        return err_ptr(err);
    if (!physical) {
        ext2_error(fs, "directory %lu: block %u is a hole", dir->ino, logical);
        return err_ptr(-EIO);
    }
    return buf_read(fs->cache, physical);
}

static uint8_t file_type_of(const struct ext2_fs *fs, const struct inode *ip)
{
    static const uint8_t types[16] = {
        [S_IFREG >> 12] = 1, [S_IFDIR >> 12] = 2,  [S_IFCHR >> 12] = 3, [S_IFBLK >> 12] = 4,
        [S_IFIFO >> 12] = 5, [S_IFSOCK >> 12] = 6, [S_IFLNK >> 12] = 7};

    return fs->filetype ? types[ip->mode >> 12 & 15] : 0;
}

/* What iterate tells: DT_* are the S_IF* values without the permission bits. */
static unsigned dirent_type(const struct ext2_fs *fs, const struct ext2_dirent *de)
{
    static const uint8_t types[8] = {0,
                                     S_IFREG >> 12,
                                     S_IFDIR >> 12,
                                     S_IFCHR >> 12,
                                     S_IFBLK >> 12,
                                     S_IFIFO >> 12,
                                     S_IFSOCK >> 12,
                                     S_IFLNK >> 12};

    return fs->filetype && de->file_type < ARRAY_SIZE(types) ? types[de->file_type] : 0;
}

static void dir_changed(struct inode *dir, struct buf *b)
{
    buf_mark_dirty(b);
    ext2_inode_of(dir)->flags &= ~(uint32_t)EXT2_FL_INDEX;
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
}

/* ---- Finding ---------------------------------------------------------------------------------- */

/* In one block: 0 and *off, -ENOENT, -EIO. */
static int find_in_block(struct inode *dir, struct buf *b, const char *name, size_t len,
                         unsigned *off)
{
    unsigned size = ext2_fs_of(dir)->block_size;

    for (unsigned at = 0; at < size;) {
        const struct ext2_dirent *de = checked_entry(dir, b, at);

        if (!de)
            return -EIO;
        if (de->inode && de->name_len == len && !memcmp(de->name, name, len)) {
            *off = at;
            return 0;
        }
        at += de->rec_len;
    }
    return -ENOENT;
}

int ext2_dir_find(struct inode *dir, const char *name, size_t len, struct ext2_slot *slot)
{
    for (uint32_t i = 0; i < block_count(dir); i++) {
        struct buf *b = read_dir_block(dir, i);
        int err;

        if (is_err(b))
            return ptr_err(b);
        err = find_in_block(dir, b, name, len, &slot->off);
        if (!err) {
            slot->buf = b;
            slot->ino = entry_at(b, slot->off)->inode;
            return 0;
        }
        buf_put(b);
        if (err != -ENOENT)
            return err;
    }
    return -ENOENT;
}

int ext2_dir_is_empty(struct inode *dir)
{
    unsigned size = ext2_fs_of(dir)->block_size;
    int err = 0;

    for (uint32_t i = 0; i < block_count(dir) && !err; i++) {
        struct buf *b = read_dir_block(dir, i);

        if (is_err(b))
            return ptr_err(b);
        for (unsigned at = 0; at < size && !err;) {
            const struct ext2_dirent *de = checked_entry(dir, b, at);

            if (!de)
                err = -EIO;
            else if (de->inode &&
                     !(de->name[0] == '.' &&
                       (de->name_len == 1 || (de->name_len == 2 && de->name[1] == '.'))))
                err = -ENOTEMPTY;
            else
                at += de->rec_len;
        }
        buf_put(b);
    }
    return err;
}

/* ---- Changing --------------------------------------------------------------------------------- */

static void fill_entry(struct inode *dir, struct ext2_dirent *de, const char *name, size_t len,
                       const struct inode *ip)
{
    de->name_len = (uint8_t)len;
    de->file_type = file_type_of(ext2_fs_of(dir), ip);
    memcpy(de->name, name, len);
    de->inode = (uint32_t)ip->ino;
}

/* Puts the entry where there is room in the block: 0, -ENOSPC, -EIO. */
static int add_in_block(struct inode *dir, struct buf *b, const char *name, size_t len,
                        const struct inode *ip)
{
    unsigned size = ext2_fs_of(dir)->block_size, need = EXT2_DIRENT_LEN(len);

    for (unsigned at = 0; at < size;) {
        struct ext2_dirent *de = checked_entry(dir, b, at), *rest;
        unsigned used;

        if (!de)
            return -EIO;
        used = de->inode ? EXT2_DIRENT_LEN(de->name_len) : 0;
        if (de->rec_len < used + need) {
            at += de->rec_len;
            continue;
        }
        rest = de;
        if (used) {
            rest = entry_at(b, at + used);
            rest->rec_len = (uint16_t)(de->rec_len - used);
            de->rec_len = (uint16_t)used;
        }
        fill_entry(dir, rest, name, len, ip);
        return 0;
    }
    return -ENOSPC;
}

/* A new last block, with one unused entry. err_ptr. */
static struct buf *append_block(struct inode *dir)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    uint32_t logical = block_count(dir), physical;
    struct buf *b;
    bool fresh;
    int err;

    if (inode_size(dir) + fs->block_size > INT32_MAX)
        return err_ptr(-ENOSPC);
    err = ext2_map_alloc(dir, logical, &physical, &fresh);
    if (err)
        return err_ptr(err);
    b = buf_get_zeroed(fs->cache, physical);
    if (is_err(b)) {
        ext2_unmap_block(dir, logical);
        return b;
    }
    entry_at(b, 0)->rec_len = (uint16_t)fs->block_size;
    atomic_store(&dir->mapping.size, inode_size(dir) + fs->block_size);
    return b;
}

int ext2_dir_add(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    struct ext2_inode *ei = ext2_inode_of(dir);
    uint32_t n = block_count(dir);
    struct buf *b;
    int err;

    for (uint32_t i = MIN(ei->dir_hint, n); i <= n; i++) {
        b = i < n ? read_dir_block(dir, i) : append_block(dir);
        if (is_err(b))
            return ptr_err(b);
        err = add_in_block(dir, b, name, len, ip);
        if (!err) {
            ei->dir_hint = i;
            dir_changed(dir, b);
        }
        buf_put(b);
        if (err != -ENOSPC)
            return err;
    }
    return -EIO; /* an empty block without room */
}

/* The entry whose record ends at off, within the block; NULL if off is the first. */
static struct ext2_dirent *entry_before(struct buf *b, unsigned off)
{
    struct ext2_dirent *de = NULL;

    for (unsigned at = 0; at < off; at += de->rec_len)
        de = entry_at(b, at); /* checked when the entry was looked for */
    return de;
}

void ext2_dir_remove(struct inode *dir, struct ext2_slot *slot)
{
    struct ext2_dirent *de = entry_at(slot->buf, slot->off);
    struct ext2_dirent *before = entry_before(slot->buf, slot->off);

    if (before)
        before->rec_len = (uint16_t)(before->rec_len + de->rec_len);
    de->inode = 0;
    ext2_inode_of(dir)->dir_hint = 0;
    dir_changed(dir, slot->buf);
    buf_put(slot->buf);
}

void ext2_dir_replace(struct inode *dir, struct ext2_slot *slot, struct inode *ip)
{
    struct ext2_dirent *de = entry_at(slot->buf, slot->off);

    de->inode = (uint32_t)ip->ino;
    de->file_type = file_type_of(ext2_fs_of(dir), ip);
    dir_changed(dir, slot->buf);
    buf_put(slot->buf);
}

int ext2_dir_init(struct inode *dir, struct inode *parent)
{
    struct buf *b = append_block(dir);
    struct ext2_dirent *de;

    if (is_err(b))
        return ptr_err(b);
    de = entry_at(b, 0);
    de->rec_len = EXT2_DIRENT_LEN(1);
    fill_entry(dir, de, ".", 1, dir);
    de = entry_at(b, EXT2_DIRENT_LEN(1));
    de->rec_len = (uint16_t)(ext2_fs_of(dir)->block_size - EXT2_DIRENT_LEN(1));
    fill_entry(dir, de, "..", 2, parent);
    dir_changed(dir, b);
    buf_put(b);
    return 0;
}

/* ---- Reading by programs ---------------------------------------------------------------------- */

static int dir_iterate(struct file *f, off_t *pos,
                       bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
                                    unsigned type, off_t next),
                       void *arg)
{
    struct inode *dir = f->inode;
    struct ext2_fs *fs = ext2_fs_of(dir);
    uint64_t start = (uint64_t)*pos;
    bool more = true;

    for (uint64_t i = start >> fs->block_bits; more && i < block_count(dir); i++) {
        struct buf *b = read_dir_block(dir, (uint32_t)i);
        off_t base = (off_t)(i << fs->block_bits);

        if (is_err(b))
            return ptr_err(b);
        for (unsigned at = 0; more && at < fs->block_size;) {
            const struct ext2_dirent *de = checked_entry(dir, b, at);

            if (!de) {
                buf_put(b);
                return -EIO;
            }
            /* The position may lie within what has become one entry since: the next one counts. */
            if (de->inode && base + at >= (off_t)start)
                more = emit(arg, de->name, de->name_len, de->inode, dirent_type(fs, de),
                            base + at + de->rec_len);
            at += de->rec_len;
            if (more)
                *pos = base + at;
        }
        buf_put(b);
    }
    return 0;
}

static int dir_fsync(struct file *f, bool data_only)
{
    return inode_sync(f->inode, data_only);
}

const struct file_ops ext2_dir_file_ops = {
    .iterate = dir_iterate,
    .fsync = dir_fsync,
};
