/* SPDX-License-Identifier: MIT */
/*
 * Names: mknod, mkdir, symlink, link, unlink, rmdir, rename. Each looks the last name up in its
 * locked directory, checks everything, and only then asks the file system. An inode whose last name
 * went is evicted after the directory's lock is dropped.
 */
#include "fs/dcache.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

/* ---- Creating --------------------------------------------------------------------------------- */

static int link_inode(struct inode *dir, struct dentry *d, struct inode *ip)
{
    int err;

    if (ip->sb != dir->sb)
        return -EXDEV;
    if (S_ISDIR(ip->mode) || !dir->ops->link)
        return -EPERM;
    inode_lock_nested(ip);
    err = ip->nlink ? dir->ops->link(dir, d->name, d->len, ip) : -ENOENT;
    inode_unlock(ip);
    if (!err)
        inode_ref(ip); /* the new dentry's */
    return err;
}

static int make_inode(struct inode *dir, struct dentry *d, const struct new_name *n,
                      struct inode **ip)
{
    const struct inode_ops *ops = dir->ops;
    uint32_t mode = (n->mode & S_IFMT) | (n->mode & 07777 & ~current_umask());

    switch (n->mode & S_IFMT) {
    case S_IFREG: return ops->create ? ops->create(dir, d->name, d->len, mode, ip) : -EACCES;
    case S_IFDIR: return ops->mkdir ? ops->mkdir(dir, d->name, d->len, mode, ip) : -EPERM;
    case S_IFLNK: return ops->symlink ? ops->symlink(dir, d->name, d->len, n->target, ip) : -EPERM;
    default: return ops->mknod ? ops->mknod(dir, d->name, d->len, mode, n->rdev, ip) : -EPERM;
    }
}

int create_locked(struct walk *w, struct dentry *d, const struct new_name *n)
{
    struct inode *dir = w->dir->inode, *ip = n->link;
    int err;

    if (d->inode)
        return -EEXIST;
    if ((w->slash && !S_ISDIR(n->mode)) || !dir->nlink)
        return -ENOENT;
    err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
    if (!err)
        err = n->link ? link_inode(dir, d, n->link) : make_inode(dir, d, n, &ip);
    if (!err)
        dentry_set(d, ip);
    return err;
}

static int create_at(int dirfd, uaddr_t path, const struct new_name *n)
{
    struct walk w;
    struct dentry *d;
    int err = walk_user_path(&w, dirfd, path, WALK_PARENT);

    if (!err && w.last != LAST_NAME)
        err = -EEXIST;
    if (!err) {
        inode_lock(w.dir->inode);
        d = walk_last_locked(&w);
        err = is_err(d) ? ptr_err(d) : create_locked(&w, d, n);
        inode_unlock(w.dir->inode);
        dentry_put(d);
    }
    walk_end(&w);
    return err;
}

long sys_mknodat(int dirfd, uaddr_t path, uint32_t mode, uint32_t dev)
{
    switch (mode & S_IFMT) {
    case 0: mode |= S_IFREG; break;
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK: break;
    case S_IFCHR:
    case S_IFBLK:
        if (caller_is_root())
            break;
        return -EPERM;
    case S_IFDIR: return -EPERM;
    default: return -EINVAL;
    }
    return create_at(dirfd, path, &(struct new_name){.mode = mode, .rdev = dev});
}

long sys_mkdirat(int dirfd, uaddr_t path, uint32_t mode)
{
    return create_at(dirfd, path, &(struct new_name){.mode = (mode & 01777) | S_IFDIR});
}

long sys_symlinkat(uaddr_t utarget, int dirfd, uaddr_t path)
{
    char *target = path_from_user(utarget);
    struct new_name n = {.mode = S_IFLNK, .target = target};
    long err;

    if (is_err(target))
        return ptr_err(target);
    err = *target ? create_at(dirfd, path, &n) : -ENOENT;
    kfree(target);
    return err;
}

long sys_linkat(int olddir, uaddr_t uold, int newdir, uaddr_t unew, int flags)
{
    int follow = flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW;
    struct dentry *old;
    long err;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !caller_is_root())
        return -ENOENT;
    old = lookup_at(olddir, uold, (flags & AT_EMPTY_PATH) | follow);
    if (is_err(old))
        return ptr_err(old);
    err = create_at(newdir, unew, &(struct new_name){.link = old->inode});
    dentry_put(old);
    return err;
}

/* ---- Removing --------------------------------------------------------------------------------- */

/* May the caller remove d (positive) from the locked directory dir? 0, -EACCES, -EPERM, -EROFS,
 * -ENOTDIR, -EISDIR, -EBUSY (a mount point). */
static int check_remove(struct inode *dir, struct dentry *d, bool want_dir)
{
    struct inode *ip = d->inode;
    int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

    if (err)
        return err;
    if ((dir->mode & S_ISVTX) && !inode_owner_or_root(ip) && !inode_owner_or_root(dir))
        return -EPERM; /* sticky: one's own files, or in one's own directory */
    if (want_dir != S_ISDIR(ip->mode))
        return want_dir ? -ENOTDIR : -EISDIR;
    return READ_ONCE(d->mounted) ? -EBUSY : 0;
}

static int remove_locked(struct walk *w, struct dentry *d, bool is_dir)
{
    struct inode *dir = w->dir->inode, *ip = d->inode;
    int (*remove)(struct inode *, const char *, size_t, struct inode *) =
        is_dir ? dir->ops->rmdir : dir->ops->unlink;
    int err;

    if (!ip)
        return -ENOENT;
    if (!is_dir && w->slash)
        return S_ISDIR(ip->mode) ? -EISDIR : -ENOTDIR;
    err = check_remove(dir, d, is_dir);
    if (err)
        return err;
    if (!remove)
        return -EPERM;
    inode_lock_nested(ip);
    err = remove(dir, d->name, d->len, ip);
    inode_unlock(ip);
    if (!err)
        dentry_unhash(d);
    return err;
}

static int remove_last(struct walk *w, bool is_dir)
{
    static const int rmdir_error[] = {
        [LAST_DOT] = -EINVAL,
        [LAST_DOTDOT] = -ENOTEMPTY,
        [LAST_ROOT] = -EBUSY,
    };
    struct dentry *d;
    int err;

    if (w->last != LAST_NAME)
        return is_dir ? rmdir_error[w->last] : -EISDIR;
    inode_lock(w->dir->inode);
    d = walk_last_locked(w);
    err = is_err(d) ? ptr_err(d) : remove_locked(w, d, is_dir);
    inode_unlock(w->dir->inode);
    if (!err && is_dir)
        dentry_prune(d); /* names known to be absent pin the directory */
    dentry_put(d);       /* evicts the inode if this was its last name */
    return err;
}

long sys_unlinkat(int dirfd, uaddr_t path, int flags)
{
    struct walk w;
    int err;

    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    err = walk_user_path(&w, dirfd, path, WALK_PARENT);
    if (!err)
        err = remove_last(&w, flags & AT_REMOVEDIR);
    walk_end(&w);
    return err;
}

/* ---- Renaming --------------------------------------------------------------------------------- */

/*
 * Moves between directories are serialised per file system (superblock's rename_lock), so that the
 * tree above two directories holds still while their order is decided: the ancestor is locked
 * first, unrelated ones by address. Then the two children, files by address.
 */
struct rename {
    struct walk from, to;
    struct dentry *old, *new; /* new may be negative */
    unsigned flags;
};

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
