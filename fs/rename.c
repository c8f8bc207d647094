/* SPDX-License-Identifier: MIT */
/*
 * rename. Moves between directories are serialised per file system (superblock's rename_lock), so
 * that the tree above two directories holds still while their order is decided: the ancestor is
 * locked first, unrelated ones by address. Then the two children, files by address.
 */
#include "fs/namespace.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

struct rename {
    struct walk from, to;
    struct dentry *old, *new; /* new may be negative */
    unsigned flags;
};

/* ---- Locks ------------------------------------------------------------------------------------ */

static void lock_two(struct inode *first, struct inode *second)
{
    inode_lock(first);
    inode_lock_nested(second);
}

static void lock_parents(struct dentry *a, struct dentry *b)
{
    if (a->inode == b->inode) {
        inode_lock(a->inode);
        return;
    }
    mutex_lock(&a->sb->rename_lock);
    if (dentry_is_ancestor(a, b))
        lock_two(a->inode, b->inode);
    else if (dentry_is_ancestor(b, a))
        lock_two(b->inode, a->inode);
    else
        lock_two(MIN(a->inode, b->inode), MAX(a->inode, b->inode));
}

static void unlock_parents(struct dentry *a, struct dentry *b)
{
    inode_unlock(a->inode);
    if (a->inode == b->inode)
        return;
    inode_unlock(b->inode);
    mutex_unlock(&a->sb->rename_lock);
}

static void lock_children(struct inode *a, struct inode *b)
{
    if (b && b < a) {
        inode_lock_nested(b);
        b = NULL;
    } else {
        inode_lock_nested(a);
        a = NULL;
    }
    if (a)
        inode_lock_nested(a);
    if (b)
        inode_lock_nested(b);
}

/* ---- Checks, parents locked ------------------------------------------------------------------- */

static int check_names(const struct rename *r)
{
    if (!r->old->inode)
        return -ENOENT;
    if (r->new->inode && (r->flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (!dentry_is_dir(r->old) && (r->from.slash || (r->to.slash && !r->new->inode)))
        return -ENOTDIR;
    if (!dentry_is_dir(r->old) && r->to.slash)
        return -ENOTDIR;
    if (dentry_is_ancestor(r->old, r->to.dir))
        return -EINVAL; /* into itself */
    return dentry_is_ancestor(r->new, r->from.dir) ? -ENOTEMPTY : 0;
}

static int check_target(const struct rename *r)
{
    struct inode *dir = r->to.dir->inode;

    if (r->new->inode)
        return check_remove(dir, r->new, dentry_is_dir(r->old));
    return dir->nlink ? inode_permission(dir, MAY_WRITE | MAY_EXEC) : -ENOENT;
}

static int check_rename(const struct rename *r)
{
    struct inode *dir = r->from.dir->inode;
    int err = check_remove(dir, r->old, dentry_is_dir(r->old));

    if (!err)
        err = check_target(r);
    /* Its ".." changes: that is a write to the directory itself. */
    if (!err && dentry_is_dir(r->old) && r->from.dir->inode != r->to.dir->inode)
        err = inode_permission(r->old->inode, MAY_WRITE);
    if (!err && !dir->ops->rename)
        err = -EPERM;
    return err;
}

/* ---- The move --------------------------------------------------------------------------------- */

static int move(struct rename *r)
{
    struct inode *ip = r->old->inode, *target = r->new->inode;
    int err;

    lock_children(ip, target);
    err = r->from.dir->inode->ops->rename(r->from.dir->inode, r->old->name, r->old->len, ip,
                                          r->to.dir->inode, r->new->name, r->new->len, target);
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
    if (is_err(r->new)) {
        dentry_put(r->old);
        return ptr_err(r->new);
    }
    err = check_names(r);
    if (!err && r->old->inode != r->new->inode) { /* two names of one file: nothing to do */
        err = check_rename(r);
        if (!err)
            err = move(r);
    }
    dentry_put(r->old);
    return err;
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
    r->new = NULL;
    lock_parents(r->from.dir, r->to.dir);
    err = rename_locked(r);
    unlock_parents(r->from.dir, r->to.dir);
    if (!r->new || is_err(r->new))
        return err;
    if (!err)
        dentry_prune(r->new); /* a replaced directory's absent names */
    dentry_put(r->new);       /* evicts what was replaced: after the locks */
    return err;
}

static int do_rename(int olddir, const char *old, int newdir, const char *new, unsigned flags)
{
    struct rename r = {.flags = flags};
    int err = walk_start(&r.from, olddir, old, 0);

    if (err)
        return err;
    err = walk_to_parent(&r.from);
    if (!err)
        err = walk_start(&r.to, newdir, new, 0);
    if (!err) {
        err = walk_to_parent(&r.to);
        if (!err)
            err = rename_last(&r);
        walk_end(&r.to);
    }
    walk_end(&r.from);
    return err;
}

long sys_renameat2(int olddir, uaddr_t uold, int newdir, uaddr_t unew, uint32_t flags)
{
    char *old, *new;
    long err;

    if (flags & ~(uint32_t)RENAME_NOREPLACE)
        return -EINVAL;
    old = path_from_user(uold, false);
    if (is_err(old))
        return ptr_err(old);
    new = path_from_user(unew, false);
    err = is_err(new) ? ptr_err(new) : do_rename(olddir, old, newdir, new, flags);
    path_free(new);
    path_free(old);
    return err;
}
