/* SPDX-License-Identifier: MIT */
/*
 * Names: mknod, mkdir, symlink, link, unlink, rmdir. Each looks the last name up in its locked
 * directory, checks everything, and only then asks the file system. An inode whose last name went
 * is evicted after the directory's lock is dropped. (rename has a file of its own.)
 */
#include "fs/dcache.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>

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

int check_remove(struct inode *dir, struct dentry *d, bool want_dir)
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
