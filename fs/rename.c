/* SPDX-License-Identifier: MIT */
/*
 * rename. Moves between directories are serialised per file system (superblock's rename_lock), so
 * that the tree above two directories holds still while their order is decided: the ancestor is
 * locked first, unrelated ones by address. Then the two children, files by address.
 */
#include "fs/dcache.h"
#include "proc/syscalls.h"

#include <linux/fs.h>

struct rename {
    struct walk from, to;
    struct dentry *old, *new; /* new may be negative */
    unsigned flags;
};

/* ---- Locks ------------------------------------------------------------------------------------ */

static void lock_parents(struct dentry *a, struct dentry *b)
{
    struct inode *first = a->inode, *second = b->inode;

    if (first == second) {
        inode_lock(first);
        return;
    }
    mutex_lock(&a->sb->rename_lock);
    if (dentry_is_ancestor(b, a) || (!dentry_is_ancestor(a, b) && second < first)) {
        first = b->inode;
        second = a->inode;
    }
    inode_lock(first);
    inode_lock_nested(second);
}

static void unlock_parents(struct dentry *a, struct dentry *b)
{
    inode_unlock(a->inode);
    if (a->inode == b->inode)
        return;
    inode_unlock(b->inode);
    mutex_unlock(&a->sb->rename_lock);
}

static void lock_children(struct inode *ip, struct inode *target)
{
    inode_lock_nested(target && target < ip ? target : ip);
    if (target)
        inode_lock_nested(target < ip ? ip : target);
}

/* ---- Checks, parents locked ------------------------------------------------------------------- */

static int check_names(const struct rename *r)
{
    if (!r->old->inode)
        return -ENOENT;
    if (r->new->inode && (r->flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (!S_ISDIR(r->old->inode->mode) && (r->from.slash || r->to.slash))
        return -ENOTDIR;
    if (dentry_is_ancestor(r->old, r->to.dir))
        return -EINVAL; /* into itself */
    return dentry_is_ancestor(r->new, r->from.dir) ? -ENOTEMPTY : 0;
}

static int check_rename(const struct rename *r)
{
    struct inode *from = r->from.dir->inode, *to = r->to.dir->inode;
    bool is_dir = S_ISDIR(r->old->inode->mode);
    int err = check_remove(from, r->old, is_dir);

    if (!err && r->new->inode)
        err = check_remove(to, r->new, is_dir);
    else if (!err)
        err = to->nlink ? inode_permission(to, MAY_WRITE | MAY_EXEC) : -ENOENT;
    /* Its ".." changes: that is a write to the directory itself. */
    if (!err && is_dir && from != to)
        err = inode_permission(r->old->inode, MAY_WRITE);
    return !err && !from->ops->rename ? -EPERM : err;
}

/* ---- The move --------------------------------------------------------------------------------- */

static int move(struct rename *r)
{
    struct inode *from = r->from.dir->inode, *to = r->to.dir->inode;
    struct inode *ip = r->old->inode, *target = r->new->inode;
    int err;

    lock_children(ip, target);
    err = from->ops->rename(from, r->old->name, r->old->len, ip, to, r->new->name, r->new->len,
                            target);
    if (target)
        inode_unlock(target);
    inode_unlock(ip);
    if (!err)
        dentry_move(r->old, r->new);
    return err;
}

static int rename_locked(struct rename *r)
{
    int err;

    r->old = walk_last_locked(&r->from);
    if (is_err(r->old))
        return ptr_err(r->old);
    r->new = walk_last_locked(&r->to);
    if (is_err(r->new))
        return ptr_err(r->new);
    err = check_names(r);
    if (err || r->old->inode == r->new->inode) /* two names of one file: nothing to do */
        return err;
    err = check_rename(r);
    return err ? err : move(r);
}

static int rename_last(struct rename *r)
{
    int err;

    if (r->from.dir->sb != r->to.dir->sb)
        return -EXDEV;
    if (r->from.last != LAST_NAME)
        return -EBUSY;
    if (r->to.last != LAST_NAME)
        return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
    lock_parents(r->from.dir, r->to.dir);
    err = rename_locked(r);
    unlock_parents(r->from.dir, r->to.dir);
    if (!err)
        dentry_prune(r->new); /* a replaced directory's absent names */
    dentry_put(r->old);
    dentry_put(r->new); /* evicts what was replaced: after the locks */
    return err;
}

long sys_renameat2(int olddir, uaddr_t old, int newdir, uaddr_t new, uint32_t flags)
{
    struct rename r = {.flags = flags};
    int err;

    if (flags & ~(uint32_t)RENAME_NOREPLACE)
        return -EINVAL;
    err = walk_user_path(&r.from, olddir, old, WALK_PARENT);
    if (!err)
        err = walk_user_path(&r.to, newdir, new, WALK_PARENT);
    if (!err)
        err = rename_last(&r);
    walk_end(&r.to);
    walk_end(&r.from);
    return err;
}
