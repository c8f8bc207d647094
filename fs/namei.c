/* SPDX-License-Identifier: MIT */
/*
 * Path lookup. A struct walk holds where we are and what is left of the path; each component is
 * asked of the dentry cache, and of the file system, the directory locked, where that does not know.
 *
 * Rules, as on Linux: each directory on the way needs search permission; a symbolic link in the
 * middle, or before a trailing slash, is always followed; 40 links at most; "..", at the caller's
 * root stays there, and at the root of a mounted file system goes on from where it is mounted.
 */
#include "fs/dcache.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/process.h"

#include <linux/fcntl.h>
#include <linux/mount.h>

#define MAX_LINKS 40

/* ---- One component ---------------------------------------------------------------------------- */

static void move_to(struct walk *w, struct dentry *d)
{
    dentry_put(w->dir);
    w->dir = d;
}

/* False if only slashes are left. */
static bool next_component(struct walk *w)
{
    const char *p = w->rest;

    while (*p == '/')
        p++;
    if (*p == '\0')
        return false;
    w->name = p;
    while (*p && *p != '/')
        p++;
    w->len = (size_t)(p - w->name);
    w->slash = *p == '/';
    while (*p == '/')
        p++;
    w->rest = p;
    w->last = LAST_NAME;
    if (w->name[0] == '.' && w->len == 1)
        w->last = LAST_DOT;
    if (w->name[0] == '.' && w->len == 2 && w->name[1] == '.')
        w->last = LAST_DOTDOT;
    return true;
}

/* Through what is mounted, from its root to the directory it is mounted on. */
static struct dentry *parent_of(const struct walk *w)
{
    struct dentry *d = w->dir;

    spin_lock(&dcache_lock);
    while (d != w->root && d->parent == d && d->sb->mountpoint)
        d = d->sb->mountpoint;
    d = dentry_ref(d == w->root ? d : d->parent);
    spin_unlock(&dcache_lock);
    return dentry_top(d);
}

/* Asks the file system. The directory is locked; a new, hashed dentry, or err_ptr. */
static struct dentry *lookup_uncached(struct dentry *dir, const char *name, size_t len)
{
    struct dentry *d;
    struct inode *ip = NULL;
    int err;

    if (!dir->inode->nlink)
        return err_ptr(-ENOENT); /* removed: nothing can be in it */
    d = dentry_alloc(dir->sb, dir, name, len);
    if (!d)
        return err_ptr(-ENOMEM);
    err = dir->inode->ops->lookup(dir->inode, name, len, &ip);
    /* Absence is remembered only where names come and go through us. */
    if (err == -ENOENT || (!err && !ip))
        err = dir->sb->bdev || dir->inode->ops->create ? 0 : -ENOENT;
    if (!err) {
        dentry_set(d, ip);
        return d;
    }
    dentry_put(d);
    return err_ptr(err);
}

static bool may_be_stale(const struct dentry *d)
{
    return d->inode && d->inode->ops->still_valid;
}

struct dentry *walk_last_locked(struct walk *w)
{
    struct dentry *d;

    if (w->len > NAME_MAX)
        return err_ptr(-ENAMETOOLONG);
    d = dcache_get(w->dir, w->name, w->len);
    if (d && may_be_stale(d) && !d->inode->ops->still_valid(d->inode)) {
        dentry_unhash(d);
        dentry_put(d);
        d = NULL;
    }
    return d ? d : lookup_uncached(w->dir, w->name, w->len);
}

static struct dentry *lookup_name(struct walk *w)
{
    struct dentry *d = dcache_get(w->dir, w->name, w->len);

    if (d && !may_be_stale(d))
        return d;
    dentry_put(d);
    inode_lock(w->dir->inode);
    d = walk_last_locked(w);
    inode_unlock(w->dir->inode);
    return d;
}

/* The path becomes the link's target and what follows it; absolute targets start at the root. */
static int go_to_text(struct walk *w, const char *target)
{
    size_t size = strlen(target) + 1 + strlen(w->rest) + 1;
    char *path;

    if (!*target)
        return -ENOENT;
    path = kmalloc(size, 0);
    if (!path)
        return -ENOMEM;
    snprintf(path, size, "%s%s%s", target, w->slash ? "/" : "", w->rest);
    kfree(w->owned); /* held the rest until here */
    w->rest = w->owned = path;
    if (*path == '/')
        move_to(w, dentry_ref(w->root));
    return 0;
}

/* The current name turned out to be the symbolic link d. */
static int follow_link(struct walk *w, struct dentry *d)
{
    struct inode *ip = d->inode;
    struct dentry *to;
    char *target;
    int err;

    if (w->links++ >= MAX_LINKS || (d->sb->flags & MS_NOSYMFOLLOW))
        return -ELOOP;
    inode_accessed(ip);
    w->last = LAST_ROOT; /* of a magic link, or a target of slashes only */
    if (ip->ops->follow) {
        to = ip->ops->follow(ip);
        if (is_err(to))
            return ptr_err(to);
        move_to(w, to);
        return 0;
    }
    target = ip->ops->readlink(ip);
    if (is_err(target))
        return ptr_err(target);
    err = go_to_text(w, target);
    kfree(target);
    return err;
}

static int go_to_name(struct walk *w)
{
    struct dentry *d = lookup_name(w);
    int err = 0;

    if (is_err(d))
        return ptr_err(d);
    if (!d->inode) {
        dentry_put(d);
        return -ENOENT;
    }
    d = dentry_top(d);
    if (!S_ISLNK(d->inode->mode) || (!w->slash && (w->flags & AT_SYMLINK_NOFOLLOW))) {
        move_to(w, d);
        return 0;
    }
    err = follow_link(w, d);
    dentry_put(d);
    return err;
}

/* ---- Whole paths ------------------------------------------------------------------------------ */

static int walk_on(struct walk *w)
{
    struct inode *dir;
    int err;

    while (next_component(w)) {
        dir = w->dir->inode;
        if (!S_ISDIR(dir->mode))
            return -ENOTDIR;
        err = inode_permission_as(dir, MAY_EXEC, w->uid, w->gid);
        if (!err && (w->flags & WALK_PARENT) && !*w->rest)
            return 0;
        if (!err && w->last == LAST_NAME)
            err = go_to_name(w);
        else if (!err && w->last == LAST_DOTDOT)
            move_to(w, parent_of(w));
        if (err)
            return err;
    }
    return w->slash && !S_ISDIR(w->dir->inode->mode) ? -ENOTDIR : 0;
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
    int err = follow_link(w, d);

    return err ? err : walk_on(w);
}

static struct dentry *start_dir(const struct walk *w, int dirfd)
{
    struct dentry *d;

    if (*w->rest == '/')
        return dentry_ref(w->root);
    if (dirfd == AT_FDCWD)
        return current_cwd();
    d = fd_dentry(fd_borrow_path(dirfd));
    if (is_err(d) || *w->rest == '\0' || S_ISDIR(d->inode->mode))
        return d;
    dentry_put(d);
    return err_ptr(-ENOTDIR);
}

int walk_path(struct walk *w, int dirfd, const char *path, char *owned, unsigned flags)
{
    struct process *p = current->proc;

    *w = (struct walk){.rest = path, .owned = owned, .flags = flags, .last = LAST_ROOT};
    if (p) {
        w->uid = flags & WALK_REAL_IDS ? p->uid : p->fsuid;
        w->gid = flags & WALK_REAL_IDS ? p->gid : p->fsgid;
    }
    if (*path == '\0' && !(flags & AT_EMPTY_PATH))
        return -ENOENT;
    w->root = current_root();
    w->dir = start_dir(w, dirfd);
    return is_err(w->dir) ? ptr_err(w->dir) : walk_on(w);
}

int walk_user_path(struct walk *w, int dirfd, uaddr_t upath, unsigned flags)
{
    char *path = path_from_user(upath);

    *w = (struct walk){0};
    return is_err(path) ? ptr_err(path) : walk_path(w, dirfd, path, path, flags);
}

void walk_end(struct walk *w)
{
    dentry_put(w->dir);
    dentry_put(w->root);
    kfree(w->owned);
}

/* The walk's end as its result. */
static struct dentry *walk_result(struct walk *w, int err)
{
    struct dentry *d = err ? err_ptr(err) : dentry_ref(w->dir);

    walk_end(w);
    return d;
}

struct dentry *path_lookup(const char *path)
{
    struct walk w;
    int err = walk_path(&w, AT_FDCWD, path, NULL, 0);

    return walk_result(&w, err);
}

struct dentry *lookup_at(int dirfd, uaddr_t upath, int flags)
{
    struct walk w;
    int err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return err_ptr(-EINVAL);
    err = walk_user_path(&w, dirfd, upath, (unsigned)flags);
    return walk_result(&w, err);
}

struct dentry *fd_dentry(struct fdref r)
{
    struct dentry *d = r.file ? dentry_ref(r.file->dentry) : err_ptr(-EBADF);

    fd_return(r);
    return d;
}

char *path_from_user(uaddr_t upath)
{
    char *path = kmalloc(PATH_MAX, 0);
    ssize_t len = path ? strncpy_from_user(path, upath, PATH_MAX) : -ENOMEM;

    if (len >= 0)
        return path;
    kfree(path);
    return err_ptr(len);
}
