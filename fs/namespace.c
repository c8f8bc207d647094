/* SPDX-License-Identifier: MIT */
/*
 * Names: mknod, mkdir, symlink, link, unlink, rmdir. Each looks the last name up in its locked
 * directory, checks everything, and only then asks the file system. An inode whose last name went
 * is evicted after the directory's lock is dropped. (rename has a file of its own.)
 */
#include "fs/namespace.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>

/* ---- Checks shared with rename ---------------------------------------------------------------- */

int check_remove(struct inode *dir, struct dentry *d, bool want_dir)
{
    struct inode *ip = d->inode;
    int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

    if (err)
        return err;
    if ((dir->mode & S_ISVTX) && !inode_owner_or_root(ip) && !inode_owner_or_root(dir))
        return -EPERM; /* sticky: one's own files, or in one's own directory */
    if (want_dir && !S_ISDIR(ip->mode))
        return -ENOTDIR;
    if (!want_dir && S_ISDIR(ip->mode))
        return -EISDIR;
    return dentry_covered(d) || d == d->sb->root ? -EBUSY : 0;
}

/* ---- Creating --------------------------------------------------------------------------------- */

static int check_mknod(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case 0:
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK: return 0;
    case S_IFCHR:
    case S_IFBLK: return caller_is_root() ? 0 : -EPERM;
    case S_IFDIR: return -EPERM;
    default: return -EINVAL;
    }
}

static int make_node(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t rdev,
                     struct inode **ip)
{
    mode &= S_IFMT | (07777 & ~current_umask());
    if (!(mode & S_IFMT))
        mode |= S_IFREG;
    if (S_ISREG(mode))
        return dir->ops->create ? dir->ops->create(dir, d->name, d->len, mode, ip) : -EACCES;
    if (!dir->ops->mknod)
        return -EPERM;
    return dir->ops->mknod(dir, d->name, d->len, mode, rdev, ip);
}

static int do_mknod(int dirfd, const char *path, uint32_t mode, uint32_t rdev)
{
    struct inode *ip = NULL;
    struct walk w;
    struct dentry *d;
    int err = check_mknod(mode);

    if (err)
        return err;
    d = walk_create_begin(&w, dirfd, path, false);
    if (is_err(d))
        return ptr_err(d);
    err = make_node(w.dir->inode, d, mode, rdev, &ip);
    return walk_create_end(&w, d, err, ip);
}

long sys_mknodat(int dirfd, uaddr_t upath, uint32_t mode, uint32_t dev)
{
    char *path = path_from_user(upath, false);
    long err = is_err(path) ? ptr_err(path) : do_mknod(dirfd, path, mode, dev);

    path_free(path);
    return err;
}

static int do_mkdir(int dirfd, const char *path, uint32_t mode)
{
    struct inode *ip = NULL, *dir;
    struct walk w;
    struct dentry *d = walk_create_begin(&w, dirfd, path, true);
    int err = -EPERM;

    if (is_err(d))
        return ptr_err(d);
    dir = w.dir->inode;
    mode = (mode & 01777 & ~current_umask()) | S_IFDIR;
    if (dir->ops->mkdir)
        err = dir->ops->mkdir(dir, d->name, d->len, mode, &ip);
    return walk_create_end(&w, d, err, ip);
}

long sys_mkdirat(int dirfd, uaddr_t upath, uint32_t mode)
{
    char *path = path_from_user(upath, false);
    long err = is_err(path) ? ptr_err(path) : do_mkdir(dirfd, path, mode);

    path_free(path);
    return err;
}

static int do_symlink(const char *target, int dirfd, const char *path)
{
    struct inode *ip = NULL, *dir;
    struct walk w;
    struct dentry *d = walk_create_begin(&w, dirfd, path, false);
    int err = -EPERM;

    if (is_err(d))
        return ptr_err(d);
    dir = w.dir->inode;
    if (dir->ops->symlink)
        err = dir->ops->symlink(dir, d->name, d->len, target, &ip);
    return walk_create_end(&w, d, err, ip);
}

long sys_symlinkat(uaddr_t utarget, int dirfd, uaddr_t upath)
{
    char *target = path_from_user(utarget, false), *path;
    long err;

    if (is_err(target))
        return ptr_err(target);
    path = path_from_user(upath, false);
    err = is_err(path) ? ptr_err(path) : do_symlink(target, dirfd, path);
    path_free(path);
    path_free(target);
    return err;
}

/* ---- link ------------------------------------------------------------------------------------- */

/* ip gets the name d in the locked directory dir. */
static int link_locked(struct inode *dir, struct dentry *d, struct inode *ip)
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

static int do_link(struct dentry *old, int dirfd, const char *path)
{
    struct walk w;
    struct dentry *d = walk_create_begin(&w, dirfd, path, false);
    int err;

    if (is_err(d))
        return ptr_err(d);
    err = link_locked(w.dir->inode, d, old->inode);
    return walk_create_end(&w, d, err, old->inode);
}

long sys_linkat(int olddir, uaddr_t uold, int newdir, uaddr_t unew, int flags)
{
    unsigned lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    struct dentry *old;
    char *path;
    long err;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !caller_is_root())
        return -ENOENT;
    old = path_lookup_user(olddir, uold, lookup);
    if (is_err(old))
        return ptr_err(old);
    path = path_from_user(unew, false);
    err = is_err(path) ? ptr_err(path) : do_link(old, newdir, path);
    path_free(path);
    dentry_put(old);
    return err;
}

/* ---- unlink and rmdir ------------------------------------------------------------------------- */

static int check_slash(const struct walk *w, const struct dentry *d)
{
    if (!w->slash)
        return 0;
    return dentry_is_dir(d) ? -EISDIR : -ENOTDIR;
}

static int unlink_locked(struct walk *w, struct dentry *d)
{
    struct inode *dir = w->dir->inode, *ip = d->inode;
    int err = check_slash(w, d);

    if (!err)
        err = check_remove(dir, d, false);
    if (!err && !dir->ops->unlink)
        err = -EPERM;
    if (err)
        return err;
    inode_lock_nested(ip);
    err = dir->ops->unlink(dir, d->name, d->len, ip);
    inode_unlock(ip);
    return err;
}

static int rmdir_locked(struct walk *w, struct dentry *d)
{
    struct inode *dir = w->dir->inode, *ip = d->inode;
    int err = check_remove(dir, d, true);

    if (!err && !dir->ops->rmdir)
        err = -EPERM;
    if (err)
        return err;
    inode_lock_nested(ip);
    err = dir->ops->rmdir(dir, d->name, d->len, ip);
    inode_unlock(ip);
    return err;
}

static int remove_last(struct walk *w, bool is_dir)
{
    struct inode *dir = w->dir->inode, *ip = NULL;
    struct dentry *d;
    int err;

    inode_lock(dir);
    d = walk_last_locked(w);
    if (is_err(d)) {
        inode_unlock(dir);
        return ptr_err(d);
    }
    err = !d->inode ? -ENOENT : is_dir ? rmdir_locked(w, d) : unlink_locked(w, d);
    if (!err) {
        ip = inode_ref(d->inode); /* its eviction, if this was the last name, comes below */
        dentry_delete(d);
    }
    inode_unlock(dir);
    if (!err && is_dir)
        dentry_prune(d); /* names known to be absent pin the directory */
    dentry_put(d);
    inode_put(ip);
    return err;
}

static int do_remove(int dirfd, const char *path, bool is_dir)
{
    static const int rmdir_error[] = {
        [LAST_DOT] = -EINVAL,
        [LAST_DOTDOT] = -ENOTEMPTY,
        [LAST_ROOT] = -EBUSY,
    };
    struct walk w;
    int err = walk_start(&w, dirfd, path, 0);

    if (err)
        return err;
    err = walk_to_parent(&w);
    if (!err && w.last != LAST_NAME)
        err = is_dir ? rmdir_error[w.last] : -EISDIR;
    if (!err)
        err = remove_last(&w, is_dir);
    walk_end(&w);
    return err;
}

long sys_unlinkat(int dirfd, uaddr_t upath, int flags)
{
    char *path;
    long err;

    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    path = path_from_user(upath, false);
    err = is_err(path) ? ptr_err(path) : do_remove(dirfd, path, flags & AT_REMOVEDIR);
    path_free(path);
    return err;
}
