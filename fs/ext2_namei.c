/* SPDX-License-Identifier: MIT */
/*
 * Operations on names: lookup, creation, links, removal, rename; symbolic links' text; and which
 * files the inode flags (immutable, append-only) protect.
 *
 * Each operation first does what can fail, in an order that leaves a consistent tree if it does,
 * and then what cannot: a removed or replaced entry lies in a buffer that is already at hand.
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

static bool may_not_delete(struct inode *dir, struct inode *ip)
{
    return is_protected(dir, EXT2_FL_IMMUTABLE | EXT2_FL_APPEND) ||
           is_protected(ip, EXT2_FL_IMMUTABLE | EXT2_FL_APPEND);
}

/* The entry must still lead to the inode that the caller found under this name. */
static int find_entry_of(struct inode *dir, const char *name, size_t len, struct inode *ip,
                         struct ext2_slot *slot)
{
    int err = ext2_dir_find(dir, name, len, slot);

    if (err)
        return err;
    if (slot->ino == ip->ino)
        return 0;
    buf_put(slot->buf);
    return -EIO;
}

static void drop_link(struct inode *ip)
{
    if (ip->nlink)
        ip->nlink--;
    inode_touch(ip, TOUCH_CTIME);
    if (!ip->nlink)
        ext2_add_orphan(ip);
}

static void drop_directory(struct inode *parent, struct inode *ip)
{
    ip->nlink = 0;
    inode_touch(ip, TOUCH_CTIME);
    ext2_add_orphan(ip);
    drop_link(parent); /* its ".." */
}

/* A directory has one parent. If a damaged tree had circles, locking parent before child could end
 * in a deadlock. "..", always the second entry, can be read without the child's lock: what its
 * holder stores are single fields. */
static int check_parent(struct inode *dir, struct inode *ip)
{
    struct ext2_slot dotdot;
    int err = ext2_dir_find(ip, "..", 2, &dotdot);

    if (err)
        return err == -ENOENT ? -EIO : err;
    buf_put(dotdot.buf);
    if (dotdot.ino == dir->ino)
        return 0;
    ext2_error(ext2_fs_of(dir), "directory %lu: its parent is %u, but %lu has it as well", ip->ino,
               dotdot.ino, dir->ino);
    return -EIO;
}

static int lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct ext2_slot slot;
    struct inode *ip;
    int err = ext2_dir_find(dir, name, len, &slot);

    if (err)
        return err;
    buf_put(slot.buf);
    if (slot.ino == dir->ino) {
        ext2_error(ext2_fs_of(dir), "directory %lu contains itself", dir->ino);
        return -EIO;
    }
    ip = inode_get(dir->sb, slot.ino);
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

/* Gives a new inode its name; takes over the reference, also on failure. */
static int add_new(struct inode *dir, const char *name, size_t len, struct inode *ip, int err,
                   struct inode **out)
{
    if (!err)
        err = ext2_dir_add(dir, name, len, ip);
    if (!err) {
        *out = ip;
        return 0;
    }
    ip->nlink = 0;
    inode_put(ip);
    return err;
}

static int mknod(struct inode *dir, const char *name, size_t len, uint32_t mode, uint32_t rdev,
                 struct inode **out)
{
    struct inode *ip;
    int err;

    if (is_protected(dir, EXT2_FL_IMMUTABLE))
        return -EPERM;
    err = ext2_new_inode(dir, mode, rdev, &ip);
    return err ? err : add_new(dir, name, len, ip, 0, out);
}

static int create(struct inode *dir, const char *name, size_t len, uint32_t mode,
                  struct inode **out)
{
    return mknod(dir, name, len, mode, 0, out);
}

static int mkdir(struct inode *dir, const char *name, size_t len, uint32_t mode, struct inode **out)
{
    struct inode *ip;
    int err;

    if (is_protected(dir, EXT2_FL_IMMUTABLE))
        return -EPERM;
    if (dir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    err = ext2_new_inode(dir, (mode & ~(uint32_t)S_IFMT) | S_IFDIR, 0, &ip);
    if (err)
        return err;
    ip->nlink = 2;
    err = add_new(dir, name, len, ip, ext2_dir_init(ip, dir), out);
    if (err)
        return err;
    dir->nlink++;
    inode_mark_dirty(dir);
    return 0;
}

static int write_target(struct inode *ip, const char *target, size_t len)
{
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

static int symlink(struct inode *dir, const char *name, size_t len, const char *target,
                   struct inode **out)
{
    size_t target_len = strlen(target);
    struct inode *ip;
    int err;

    if (is_protected(dir, EXT2_FL_IMMUTABLE))
        return -EPERM;
    if (!target_len)
        return -ENOENT;
    if (target_len >= MIN(ext2_fs_of(dir)->block_size, (unsigned)PATH_MAX))
        return -ENAMETOOLONG;
    err = ext2_new_inode(dir, S_IFLNK | 0777, 0, &ip);
    return err ? err : add_new(dir, name, len, ip, write_target(ip, target, target_len), out);
}

static int link(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    int err;

    if (is_protected(dir, EXT2_FL_IMMUTABLE) ||
        is_protected(ip, EXT2_FL_IMMUTABLE | EXT2_FL_APPEND))
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

/* ---- Removal ---------------------------------------------------------------------------------- */

static int unlink(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    struct ext2_slot slot;
    int err;

    if (may_not_delete(dir, ip))
        return -EPERM;
    err = find_entry_of(dir, name, len, ip, &slot);
    if (err)
        return err;
    ext2_dir_remove(dir, &slot);
    drop_link(ip);
    return 0;
}

static int rmdir(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    struct ext2_slot slot;
    int err;

    if (may_not_delete(dir, ip))
        return -EPERM;
    err = ext2_dir_is_empty(ip);
    if (!err)
        err = find_entry_of(dir, name, len, ip, &slot);
    if (err)
        return err;
    ext2_dir_remove(dir, &slot);
    drop_directory(dir, ip);
    return 0;
}

/* ---- Rename ----------------------------------------------------------------------------------- */

struct rename {
    struct inode *old_dir, *new_dir, *ip, *target;
    struct ext2_slot old, dotdot, victim;
    bool moves_dir; /* to another parent: ".." changes */
};

static int check_rename(const struct rename *r)
{
    if (may_not_delete(r->old_dir, r->ip) || is_protected(r->new_dir, EXT2_FL_IMMUTABLE))
        return -EPERM;
    if (r->target && may_not_delete(r->new_dir, r->target))
        return -EPERM;
    if (r->moves_dir && !r->target && r->new_dir->nlink >= EXT2_LINK_MAX)
        return -EMLINK;
    return r->target && S_ISDIR(r->target->mode) ? ext2_dir_is_empty(r->target) : 0;
}

static void put_slot(struct ext2_slot *slot)
{
    if (slot->buf)
        buf_put(slot->buf);
}

static int collect_slots(struct rename *r, const char *old_name, size_t old_len,
                         const char *new_name, size_t new_len)
{
    int err = find_entry_of(r->old_dir, old_name, old_len, r->ip, &r->old);

    if (err) {
        r->old.buf = NULL;
        return err;
    }
    if (r->moves_dir) {
        err = ext2_dir_find(r->ip, "..", 2, &r->dotdot);
        if (err) {
            r->dotdot.buf = NULL;
            return err == -ENOENT ? -EIO : err;
        }
    }
    if (r->target) {
        err = find_entry_of(r->new_dir, new_name, new_len, r->target, &r->victim);
        if (err)
            r->victim.buf = NULL;
        return err;
    }
    return ext2_dir_add(r->new_dir, new_name, new_len, r->ip);
}

/* Nothing can fail any more. */
static void commit_rename(struct rename *r)
{
    if (r->target) {
        ext2_dir_replace(r->new_dir, &r->victim, r->ip);
        if (S_ISDIR(r->target->mode))
            drop_directory(r->new_dir, r->target);
        else
            drop_link(r->target);
    }
    ext2_dir_remove(r->old_dir, &r->old);
    if (r->moves_dir) {
        ext2_dir_replace(r->ip, &r->dotdot, r->new_dir);
        drop_link(r->old_dir);
        r->new_dir->nlink++;
        inode_mark_dirty(r->new_dir);
    }
    inode_touch(r->ip, TOUCH_CTIME);
}

static int rename(struct inode *old_dir, const char *old_name, size_t old_len, struct inode *ip,
                  struct inode *new_dir, const char *new_name, size_t new_len, struct inode *target)
{
    struct rename r = {.old_dir = old_dir, .new_dir = new_dir, .ip = ip, .target = target};
    int err;

    if (ip == target)
        return 0;
    r.moves_dir = S_ISDIR(ip->mode) && old_dir != new_dir;
    err = check_rename(&r);
    if (!err)
        err = collect_slots(&r, old_name, old_len, new_name, new_len);
    if (!err) {
        commit_rename(&r);
        return 0;
    }
    put_slot(&r.old);
    put_slot(&r.dotdot);
    put_slot(&r.victim);
    return err;
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
    return regular_file_ops.open ? regular_file_ops.open(ip, f) : 0;
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
        ext2_free_from(ip, blocks);
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
    .unlink = unlink,
    .rmdir = rmdir,
    .rename = rename,
};
const struct inode_ops ext2_file_inode_ops = {
    .truncate = ext2_truncate,
    .before_write = before_write,
    .after_write = after_write,
};
const struct inode_ops ext2_symlink_ops = {.readlink = readlink};
const struct inode_ops ext2_special_ops = {0};
