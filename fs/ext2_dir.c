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

static const char *check_entry(const struct ext2_fs *fs, const struct ext2_dirent *de,
                               unsigned left)
{
    if (left < EXT2_DIRENT_LEN(1) || de->rec_len < EXT2_DIRENT_LEN(1) || de->rec_len % 4 ||
        de->rec_len > left)
        return "bad entry length";
    if (!de->inode)
        return NULL;
    /* Without INCOMPAT_FILETYPE the name's length has 16 bits, of which 8 make sense. */
    if (!de->name_len || EXT2_DIRENT_LEN(de->name_len) > de->rec_len ||
        (!fs->filetype && de->file_type))
        return "bad name length";
    if (de->inode > fs->space[EXT2_INODES].count)
        return "inode number out of range";
    return NULL;
}

/* One block of the directory; a hole is damage. err_ptr. */
static void *read_dir_block(struct inode *dir, uint64_t logical)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    uint32_t physical;
    unsigned n;
    int err = ext2_map(dir, logical, 1, &physical, &n);

    sched_point();
    if (err)
        return err_ptr(err);
    if (!physical) {
        ext2_error(fs, "directory %lu: block %lu is a hole", dir->ino, logical);
        return err_ptr(-EIO);
    }
    return ext2_block(fs, physical);
}

static void put_slot(struct ext2_slot *s)
{
    block_put(s->block);
    s->block = NULL;
}

/* Goes on to the next entry, from a slot without a block to the entry at s->pos, a block's start.
 * 1; 0: that was the last one; or an error. Only with 1 is there a block to be put. */
static int next_entry(struct inode *dir, struct ext2_slot *s)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    unsigned off;
    const char *wrong;

    if (s->block)
        s->pos += s->entry->rec_len;
    off = s->pos & (fs->block_size - 1);
    if (s->block && !off)
        put_slot(s);
    if (!s->block) {
        uint8_t *block =
            s->pos < inode_size(dir) ? read_dir_block(dir, s->pos >> fs->block_bits) : NULL;

        if (is_err(block) || !block)
            return ptr_err(block);
        s->block = block;
    }
    s->entry = (struct ext2_dirent *)(void *)(s->block + off);
    wrong = check_entry(fs, s->entry, fs->block_size - off);
    if (!wrong)
        return 1;
    ext2_error(fs, "directory %lu: %s: position %lu, length %u, inode %u", dir->ino, wrong, s->pos,
               s->entry->rec_len, s->entry->inode);
    put_slot(s);
    return -EIO;
}

/* By the number in an entry. DT_* are the S_IF* values without the permission bits. */
static const uint8_t dirent_types[] = {0,
                                       S_IFREG >> 12,
                                       S_IFDIR >> 12,
                                       S_IFCHR >> 12,
                                       S_IFBLK >> 12,
                                       S_IFIFO >> 12,
                                       S_IFSOCK >> 12,
                                       S_IFLNK >> 12};

static void set_target(struct inode *dir, struct ext2_dirent *de, const struct inode *ip)
{
    uint8_t type = ARRAY_SIZE(dirent_types);

    while (--type && dirent_types[type] != ip->mode >> 12)
        ;
    de->inode = (uint32_t)ip->ino;
    de->file_type = ext2_fs_of(dir)->filetype ? type : 0;
}

/* After a change; done with the slot. */
static void dir_changed(struct inode *dir, struct ext2_slot *s)
{
    ext2_block_dirty(ext2_fs_of(dir), s->block);
    ext2_inode_of(dir)->flags &= ~(uint32_t)EXT2_FL_INDEX;
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
    put_slot(s);
}

/* ---- Finding ---------------------------------------------------------------------------------- */

int ext2_dir_find(struct inode *dir, const char *name, size_t len, struct ext2_slot *slot)
{
    int more;

    *slot = (struct ext2_slot){0};
    while ((more = next_entry(dir, slot)) > 0) {
        const struct ext2_dirent *de = slot->entry;

        if (de->inode && de->name_len == len && !memcmp(de->name, name, len))
            return 0;
    }
    return more ? more : -ENOENT;
}

static bool is_dots(const struct ext2_dirent *de)
{
    return de->name[0] == '.' && (de->name_len == 1 || (de->name_len == 2 && de->name[1] == '.'));
}

int ext2_dir_is_empty(struct inode *dir)
{
    struct ext2_slot s = {0};
    int more;

    while ((more = next_entry(dir, &s)) > 0) {
        if (s.entry->inode && !is_dots(s.entry)) {
            put_slot(&s);
            return -ENOTEMPTY;
        }
    }
    return more;
}

/* ---- Changing --------------------------------------------------------------------------------- */

/* A new last block, with one unused entry. */
static int append_block(struct inode *dir)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    uint64_t logical = inode_size(dir) >> fs->block_bits;
    struct ext2_dirent *de;
    uint32_t physical;
    bool fresh;
    int err;

    if (inode_size(dir) + fs->block_size > INT32_MAX)
        return -ENOSPC;
    err = ext2_map_alloc(dir, logical, &physical, &fresh);
    if (err)
        return err;
    de = block_get_zeroed(fs->bd, physical, fs->block_bits);
    if (is_err(de)) {
        ext2_free_range(dir, logical, logical + 1);
        return ptr_err(de);
    }
    de->rec_len = (uint16_t)fs->block_size;
    ext2_block_dirty(fs, de);
    block_put(de);
    atomic_store(&dir->mapping.size, inode_size(dir) + fs->block_size);
    return 0;
}

static unsigned used_len(const struct ext2_dirent *de)
{
    return de->inode ? EXT2_DIRENT_LEN(de->name_len) : 0;
}

int ext2_dir_add(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct ext2_inode *ei = ext2_inode_of(dir);
    struct ext2_slot s = {.pos = MIN((uint64_t)ei->dir_hint << fs->block_bits, inode_size(dir))};
    struct ext2_dirent *de;
    unsigned used;
    int more;

    if (ei->flags & EXT2_FL_IMMUTABLE)
        return -EPERM;
    do {
        more = next_entry(dir, &s);
        if (!more)
            more = append_block(dir);
        if (more < 0)
            return more;
    } while (!s.block || s.entry->rec_len < used_len(s.entry) + EXT2_DIRENT_LEN(len));

    de = s.entry;
    used = used_len(de);
    if (used) {
        struct ext2_dirent *rest = (struct ext2_dirent *)(void *)((uint8_t *)de + used);

        rest->rec_len = (uint16_t)(de->rec_len - used);
        de->rec_len = (uint16_t)used;
        de = rest;
    }
    de->name_len = (uint8_t)len;
    memcpy(de->name, name, len);
    set_target(dir, de, ip);
    ei->dir_hint = (uint32_t)(s.pos >> fs->block_bits);
    dir_changed(dir, &s);
    return 0;
}

/* Its room goes to the entry before it in the block, if there is one. The chain of entries was
 * checked when the slot was found, but may have got new links since. */
void ext2_dir_remove(struct inode *dir, struct ext2_slot *slot)
{
    uint8_t *at = slot->block;

    slot->entry->inode = 0;
    while (at < (uint8_t *)slot->entry) {
        struct ext2_dirent *de = (struct ext2_dirent *)(void *)at;

        at += de->rec_len;
        if (at == (uint8_t *)slot->entry) {
            de->rec_len = (uint16_t)(de->rec_len + slot->entry->rec_len);
            break;
        }
    }
    ext2_inode_of(dir)->dir_hint = 0;
    dir_changed(dir, slot);
}

void ext2_dir_replace(struct inode *dir, struct ext2_slot *slot, struct inode *ip)
{
    set_target(dir, slot->entry, ip);
    dir_changed(dir, slot);
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
    struct ext2_slot s = {.pos = ALIGN_DOWN(start, (uint64_t)fs->block_size)};
    int more;

    while ((more = next_entry(dir, &s)) > 0) {
        const struct ext2_dirent *de = s.entry;
        unsigned type = de->file_type < ARRAY_SIZE(dirent_types) ? dirent_types[de->file_type] : 0;
        off_t next = (off_t)(s.pos + de->rec_len);

        /* The position may lie within what has become one entry since: the next one counts. */
        if (de->inode && s.pos >= start &&
            !emit(arg, de->name, de->name_len, de->inode, fs->filetype ? type : 0, next)) {
            put_slot(&s);
            break;
        }
        *pos = next;
    }
    return MIN(more, 0);
}

const struct file_ops ext2_dir_file_ops = {.iterate = dir_iterate};
