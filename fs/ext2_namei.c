/* SPDX-License-Identifier: MIT */
/*
 * Operations on names: lookup, creation, links, removal, rename; symbolic links' text; and which
 * files the inode flags (immutable, append-only) protect.
 *
 * Each operation first does what can fail, in an order that leaves a consistent tree if it does,
 * and then what cannot: a removed or replaced entry lies in a block that is already at hand.
 */
#include "fs/dcache.h"
#include "fs/ext2.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#include <linux/fcntl.h>

static bool is_protected(struct inode *ip, uint32_t flags)
{
    return ext2_inode_of(ip)->flags & flags;
}

/* The entry to be removed or replaced. It must still lead to the inode that the caller found under
 * this name. */
static int find_entry_of(struct inode *dir, const char *name, size_t len, struct inode *ip,
                         struct ext2_slot *slot)
{
    int err;

    if (is_protected(dir, EXT2_FL_IMMUTABLE | EXT2_FL_APPEND) ||
        is_protected(ip, EXT2_FL_IMMUTABLE | EXT2_FL_APPEND))
        return -EPERM;
    err = ext2_dir_find(dir, name, len, slot);
    if (err)
        return err;
    if (slot->entry->inode == ip->ino)
        return 0;
    block_put(slot->block);
    slot->block = NULL;
    return -EIO;
}

static void drop_links(struct inode *ip, uint32_t n)
{
    ip->nlink -= MIN(n, ip->nlink);
    inode_touch(ip, TOUCH_CTIME);
    if (!ip->nlink)
        ext2_add_orphan(ip);
}

/* A name of ip in parent is gone: an empty directory's only one. */
static void drop_name(struct inode *parent, struct inode *ip)
{
    drop_links(ip, S_ISDIR(ip->mode) ? ip->nlink : 1);
    if (S_ISDIR(ip->mode))
        drop_links(parent, 1); /* its ".." */
}

static int find_dotdot(struct inode *dir, struct ext2_slot *slot)
{
    int err = ext2_dir_find(dir, "..", 2, slot);

    return err == -ENOENT ? -EIO : err;
}

/* A directory has one parent. If a damaged tree had circles, locking parent before child could end
 * in a deadlock. "..", always the second entry, can be read without the child's lock: what its
 * holder stores are single fields. */
static int check_parent(struct inode *dir, struct inode *ip)
{
    struct ext2_slot dotdot;
    int err = find_dotdot(ip, &dotdot);
    uint32_t parent;

    if (err)
        return err;
    parent = dotdot.entry->inode;
    block_put(dotdot.block);
    if (parent == dir->ino)
        return 0;
    ext2_error(ext2_fs_of(dir), "directory %lu: its parent is %u, but %lu has it as well", ip->ino,
               parent, dir->ino);
    return -EIO;
}

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct ext2_slot slot;
    struct inode *ip;
    int err = ext2_dir_find(dir, name, len, &slot);
    uint32_t ino;

    if (err)
        return err;
    ino = slot.entry->inode;
    block_put(slot.block);
    if (ino == dir->ino) {
        ext2_error(ext2_fs_of(dir), "directory %lu contains itself", dir->ino);
        return -EIO;
    }
    ip = inode_get(dir->sb, ino);
    if (is_err(ip))
        return ptr_err(ip);
    err = S_ISDIR(ip->mode) ? check_parent(dir, ip) : 0;
    if (err) {
        inode_put(ip);
        return err;
    }
    *out = ip;
    return 0;
}

/* ---- Creation --------------------------------------------------------------------------------- */

static int write_target(struct inode *ip, const char *target)
{
    size_t len = strlen(target);
    struct uio u = uio_kernel(target, len);
    int err;

    if (len < EXT2_FAST_SYMLINK) {
        memcpy(ext2_inode_of(ip)->block, target, len);
        atomic_store(&ip->mapping.size, len);
        inode_mark_dirty(ip);
        return 0;
    }
    inode_lock_nested(ip);
    err = mapping_write(&ip->mapping, &u, 0);
    inode_unlock(ip);
    return err;
}

/* A new inode with its name; target: a symbolic link's. */
static int make(struct inode *dir, const char *name, size_t len, uint32_t mode, uint32_t rdev,
                const char *target, struct inode **out)
{
    struct inode *ip;
    int err = ext2_new_inode(dir, mode, rdev, &ip);

    if (err)
        return err;
    if (target)
        err = write_target(ip, target);
    if (S_ISDIR(mode)) {
        ip->nlink = 2;
        err = ext2_dir_add(ip, ".", 1, ip);
        if (!err)
            err = ext2_dir_add(ip, "..", 2, dir);
    }
    if (!err)
        err = ext2_dir_add(dir, name, len, ip);
    if (err) {
        ip->nlink = 0;
        inode_put(ip);
        return err;
    }
    if (S_ISDIR(mode)) {
        dir->nlink++;
        inode_mark_dirty(dir);
    }
    *out = ip;
    return 0;
}

static int mknod(struct inode *dir, const char *name, size_t len, uint32_t mode, uint32_t rdev,
                 struct inode **out)
{
    return make(dir, name, len, mode, rdev, NULL, out);
}

static int create(struct inode *dir, const char *name, size_t len, uint32_t mode,
                  struct inode **out)
{
    return make(dir, name, len, mode, 0, NULL, out);
}

static int mkdir(struct inode *dir, const char *name, size_t len, uint32_t mode, struct inode **out)
{
    if (dir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    return make(dir, name, len, (mode & ~(uint32_t)S_IFMT) | S_IFDIR, 0, NULL, out);
}

static int symlink(struct inode *dir, const char *name, size_t len, const char *target,
                   struct inode **out)
{
    if (!*target)
        return -ENOENT;
    if (strlen(target) >= MIN(ext2_fs_of(dir)->block_size, (unsigned)PATH_MAX))
        return -ENAMETOOLONG;
    return make(dir, name, len, S_IFLNK | 0777, 0, target, out);
}

static int link(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    int err;

    if (is_protected(ip, EXT2_FL_IMMUTABLE | EXT2_FL_APPEND))
        return -EPERM;
    if (ip->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    err = ext2_dir_add(dir, name, len, ip);
    if (err)
        return err;
    ip->nlink++;
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

/* ---- Removal and renaming --------------------------------------------------------------------- */

/* unlink and rmdir. */
static int remove(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    struct ext2_slot slot;
    int err = S_ISDIR(ip->mode) ? ext2_dir_is_empty(ip) : 0;

    if (!err)
        err = find_entry_of(dir, name, len, ip, &slot);
    if (err)
        return err;
    ext2_dir_remove(dir, &slot);
    drop_name(dir, ip);
    return 0;
}

static void put_slot(struct ext2_slot *slot)
{
    if (slot->block)
        block_put(slot->block);
}

static int rename(struct inode *old_dir, const char *old_name, size_t old_len, struct inode *ip,
                  struct inode *new_dir, const char *new_name, size_t new_len, struct inode *target)
{
    struct ext2_slot old = {0}, dotdot = {0}, victim = {0};
    bool new_parent = S_ISDIR(ip->mode) && old_dir != new_dir;
    int err = 0;

    if (ip == target)
        return 0;
    if (new_parent && !target && new_dir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    if (target && S_ISDIR(target->mode))
        err = ext2_dir_is_empty(target);
    if (!err)
        err = find_entry_of(old_dir, old_name, old_len, ip, &old);
    if (!err && new_parent)
        err = find_dotdot(ip, &dotdot);
    if (!err)
        err = target ? find_entry_of(new_dir, new_name, new_len, target, &victim)
                     : ext2_dir_add(new_dir, new_name, new_len, ip);
    if (err) {
        put_slot(&old);
        put_slot(&dotdot);
        put_slot(&victim);
        return err;
    }
    /* Nothing can fail any more. */
    if (target) {
        ext2_dir_replace(new_dir, &victim, ip);
        drop_name(new_dir, target);
    }
    ext2_dir_remove(old_dir, &old);
    if (new_parent) {
        ext2_dir_replace(ip, &dotdot, new_dir);
        drop_links(old_dir, 1);
        new_dir->nlink++;
        inode_mark_dirty(new_dir);
    }
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

/* ---- Files and links -------------------------------------------------------------------------- */

static char *readlink(struct inode *ip)
{
    size_t len = (size_t)inode_size(ip);
    char *text = kmalloc(len + 1, 0);
    struct uio u = uio_kernel(text, len);
    int err = 0;

    if (!text)
        return err_ptr(-ENOMEM);
    if (ext2_has_tree(ip))
        err = mapping_read(&ip->mapping, &u, 0);
    else
        memcpy(text, ext2_inode_of(ip)->block, len);
    if (!err) {
        text[len] = '\0';
        return text;
    }
    kfree(text);
    return err_ptr(err);
}

static int file_open(struct inode *ip, struct file *f)
{
    uint32_t flags = f->flags;

    if (!(f->mode & FMODE_WRITE) && !(flags & O_TRUNC))
        return 0;
    if (is_protected(ip, EXT2_FL_IMMUTABLE) ||
        (is_protected(ip, EXT2_FL_APPEND) && (!(flags & O_APPEND) || (flags & O_TRUNC))))
        return -EPERM;
    return 0;
}

static int before_write(struct inode *ip, off_t pos, size_t *len)
{
    (void)pos, (void)len;
    return is_protected(ip, EXT2_FL_IMMUTABLE) ? -EPERM : 0;
}

/* Blocks that a write got beyond the size it reached in the end (no space, no source page). */
static void after_write(struct inode *ip)
{
    struct ext2_inode *ei = ext2_inode_of(ip);
    uint32_t blocks = ext2_size_blocks(ext2_fs_of(ip), inode_size(ip));

    if (ei->alloc_end > blocks && !mapping_truncate(&ip->mapping, inode_size(ip)))
        ext2_free_range(ip, blocks, UINT64_MAX);
    ei->alloc_end = 0;
}

struct file_ops ext2_file_ops; /* filled by ext2_init */

void ext2_init_file_ops(void)
{
    ext2_file_ops = regular_file_ops;
    ext2_file_ops.open = file_open;
}

const struct inode_ops ext2_dir_ops = {
    .lookup = lookup,
    .create = create,
    .mkdir = mkdir,
    .mknod = mknod,
    .symlink = symlink,
    .link = link,
    .unlink = remove,
    .rmdir = remove,
    .rename = rename,
};
const struct inode_ops ext2_file_inode_ops = {
    .truncate = ext2_truncate,
    .before_write = before_write,
    .after_write = after_write,
};
const struct inode_ops ext2_symlink_ops = {.readlink = readlink};
const struct inode_ops ext2_special_ops = {0};
