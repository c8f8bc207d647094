/* SPDX-License-Identifier: MIT */
/*
 * Path lookup. A struct walk holds where we are and what is left of the path. As far as the dentry
 * cache knows the way, walk_cached goes under one hold of dcache_lock and takes no references on
 * the way; where the file system must be asked or a symbolic link followed, walk_step does one
 * component and the cached walk goes on from there.
 *
 * Rules, as on Linux: each directory on the way needs search permission; a symbolic link in the
 * middle, or before a trailing slash, is always followed; 40 links at most; "..", at the caller's
 * root stays there, and at the root of a mounted file system goes on from where it is mounted.
 */
#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/process.h"

#include <linux/fcntl.h>
#include <linux/mount.h>

#define MAX_LINKS 40
#define SHORT_PATH 128 /* nearly all are shorter; longer ones are copied a second time */

enum { WALK_DONE, WALK_SLOW }; /* of walk_cached */

struct component {
    const char *name, *rest; /* rest: behind the slashes that follow */
    size_t len;
    uint32_t hash;
    bool last, slash;
};

/* ---- Start and end ---------------------------------------------------------------------------- */

static int start_dir(struct walk *w, int dirfd, const char *path, unsigned flags)
{
    struct fdref r;
    int err = 0;

    if (*path == '/') {
        w->dir = dentry_ref(w->root);
        return 0;
    }
    if (dirfd == AT_FDCWD) {
        w->dir = current_cwd();
        return 0;
    }
    r = fd_borrow_path(dirfd);
    if (!r.file)
        return -EBADF;
    if (*path == '\0' && (flags & LOOKUP_EMPTY))
        w->dir = dentry_ref(r.file->dentry);
    else if (!S_ISDIR(r.file->inode->mode))
        err = -ENOTDIR;
    else
        w->dir = dentry_ref(r.file->dentry);
    fd_return(r);
    return err;
}

int walk_start(struct walk *w, int dirfd, const char *path, unsigned flags)
{
    struct process *p = current->proc;
    int err;

    *w = (struct walk){.p = path};
    if (p) {
        w->uid = flags & LOOKUP_REAL_IDS ? p->uid : p->fsuid;
        w->gid = flags & LOOKUP_REAL_IDS ? p->gid : p->fsgid;
    }
    if (*path == '\0' && !(flags & LOOKUP_EMPTY))
        return -ENOENT;
    w->root = current_root();
    err = start_dir(w, dirfd, path, flags);
    if (err) {
        dentry_put(w->root);
        w->root = NULL;
    }
    return err;
}

void walk_end(struct walk *w)
{
    dentry_put(w->dir);
    dentry_put(w->root);
    kfree(w->owned);
    w->dir = w->root = NULL;
    w->owned = NULL;
}

/* Replaces the current place; consumes the new reference. */
static void move_to(struct walk *w, struct dentry *d)
{
    struct dentry *old = w->dir;

    w->dir = d;
    dentry_put(old);
}

/* ---- One component ---------------------------------------------------------------------------- */

/* False if only slashes are left. */
static bool next_component(const char *p, const struct dentry *dir, struct component *c)
{
    uint32_t h = (uint32_t)((uintptr_t)dir >> 4); /* as dentry_hash */

    while (*p == '/')
        p++;
    if (*p == '\0')
        return false;
    c->name = p;
    for (; *p && *p != '/'; p++)
        h = (h ^ (uint8_t)*p) * 0x01000193u;
    c->len = (size_t)(p - c->name);
    c->hash = h ^ h >> 15;
    c->slash = *p == '/';
    while (*p == '/')
        p++;
    c->rest = p;
    c->last = *p == '\0';
    return true;
}

static enum last_type name_type(const struct component *c)
{
    if (c->name[0] != '.' || c->len > 2)
        return LAST_NAME;
    if (c->len == 1)
        return LAST_DOT;
    return c->name[1] == '.' ? LAST_DOTDOT : LAST_NAME;
}

static int may_search(const struct walk *w, struct inode *ip)
{
    if (!S_ISDIR(ip->mode))
        return -ENOTDIR;
    return inode_permission_as(ip, MAY_EXEC, w->uid, w->gid);
}

/* dcache_lock held. */
static struct dentry *parent_of(const struct walk *w, struct dentry *d)
{
    while (d != w->root && d->parent == d && d->sb->mountpoint)
        d = d->sb->mountpoint;
    return d == w->root ? d : d->parent;
}

static struct dentry *cross_mounts(struct dentry *d)
{
    while (d->mounted)
        d = d->mounted->root;
    return d;
}

/*
 * Goes as far as the cache knows: to the end (whole), or to the directory of the last name, which
 * it then describes. WALK_SLOW: the component at w->p needs walk_step.
 */
static int walk_cached(struct walk *w, bool whole, bool follow)
{
    struct dentry *d = w->dir, *old = w->dir, *child;
    const char *p = w->p;
    struct component c;
    int result = WALK_DONE;

    w->last = LAST_ROOT;
    spin_lock(&dcache_lock);
    while (next_component(p, d, &c)) {
        result = may_search(w, d->inode);
        if (result)
            break;
        w->last = name_type(&c);
        if (c.last) {
            w->name = c.name;
            w->len = c.len;
            w->slash = c.slash;
            if (!whole)
                break;
        }
        if (w->last != LAST_NAME) {
            if (w->last == LAST_DOTDOT)
                d = cross_mounts(parent_of(w, d));
            p = c.rest;
            continue;
        }
        result = c.len > NAME_MAX ? -ENAMETOOLONG : WALK_SLOW;
        child = c.len > NAME_MAX ? NULL : dcache_find(d, c.name, c.len, c.hash);
        if (!child)
            break;
        result = -ENOENT;
        if (!child->inode)
            break;
        child = cross_mounts(child);
        result = WALK_SLOW;
        if (child->inode->ops->still_valid)
            break;
        if (S_ISLNK(child->inode->mode) && (!c.last || c.slash || follow))
            break;
        result = WALK_DONE;
        d = child;
        p = c.rest;
    }
    if (d != old)
        dentry_ref_locked(d);
    spin_unlock(&dcache_lock);
    w->p = p;
    w->dir = d;
    if (d != old)
        dentry_put(old);
    return result;
}

/* Absence is remembered only where names come and go through us. */
static bool caches_absence(const struct inode *dir)
{
    return dir->sb->bdev || dir->ops->create;
}

/* Asks the file system. The directory is locked; a new, hashed dentry, or err_ptr. */
static struct dentry *lookup_uncached(struct dentry *dir, const char *name, size_t len)
{
    struct dentry *d;
    struct inode *ip = NULL;
    int err;

    if (!dir->inode->nlink)
        return err_ptr(-ENOENT); /* removed: nothing can be in it */
    d = dentry_alloc(dir, name, len);
    if (!d)
        return err_ptr(-ENOMEM);
    err = dir->inode->ops->lookup(dir->inode, name, len, &ip);
    if (err == -ENOENT)
        err = 0;
    if (!err && !ip && !caches_absence(dir->inode))
        err = -ENOENT;
    if (err) {
        dentry_put(d);
        return err_ptr(err);
    }
    dentry_add(d, ip);
    return d;
}

static struct dentry *lookup_locked(struct dentry *dir, const char *name, size_t len)
{
    struct dentry *d;

    if (len > NAME_MAX)
        return err_ptr(-ENAMETOOLONG);
    spin_lock(&dcache_lock);
    d = dcache_find(dir, name, len, dentry_hash(dir, name, len));
    if (d)
        dentry_ref_locked(d);
    spin_unlock(&dcache_lock);
    if (d && d->inode && d->inode->ops->still_valid && !d->inode->ops->still_valid(d->inode)) {
        dentry_unhash(d);
        dentry_put(d);
        d = NULL;
    }
    return d ? d : lookup_uncached(dir, name, len);
}

struct dentry *walk_last_locked(struct walk *w)
{
    return lookup_locked(w->dir, w->name, w->len);
}

/* The path becomes the link's target and what follows it; absolute targets start at the root. */
static int follow_text(struct walk *w, struct dentry *link, const char *rest, bool slash)
{
    char *target = link->inode->ops->readlink(link->inode), *buf;
    size_t len, rest_len = strlen(rest);

    if (is_err(target))
        return ptr_err(target);
    len = strlen(target);
    if (!len) {
        kfree(target);
        return -ENOENT;
    }
    if (*target == '/')
        move_to(w, dentry_ref(w->root));
    buf = target;
    if (rest_len || slash) {
        buf = kmalloc(len + 1 + rest_len + 1, 0);
        if (buf) {
            memcpy(buf, target, len);
            buf[len] = '/';
            memcpy(buf + len + 1, rest, rest_len + 1);
        }
        kfree(target);
    }
    if (!buf)
        return -ENOMEM;
    kfree(w->owned); /* held `rest` until here */
    w->owned = buf;
    w->p = buf;
    return 0;
}

static int follow_link(struct walk *w, struct dentry *link, const char *rest, bool slash)
{
    struct dentry *to;

    if (w->links++ >= MAX_LINKS || (link->sb->flags & MS_NOSYMFOLLOW))
        return -ELOOP;
    inode_accessed(link->inode);
    if (!link->inode->ops->follow)
        return follow_text(w, link, rest, slash);
    to = link->inode->ops->follow(link->inode);
    if (is_err(to))
        return ptr_err(to);
    move_to(w, to);
    w->p = rest;
    return 0;
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
    return follow_link(w, d, "", w->slash);
}

/* The component at w->p, through the file system. */
static int walk_step(struct walk *w, bool follow)
{
    struct component c;
    struct dentry *d;
    int err = 0;

    next_component(w->p, w->dir, &c);
    inode_lock(w->dir->inode);
    d = lookup_locked(w->dir, c.name, c.len);
    inode_unlock(w->dir->inode);
    if (is_err(d))
        return ptr_err(d);
    if (!d->inode) {
        dentry_put(d);
        return -ENOENT;
    }
    d = dentry_top(d);
    if (S_ISLNK(d->inode->mode) && (!c.last || c.slash || follow)) {
        err = follow_link(w, d, c.rest, c.slash);
        dentry_put(d);
        return err;
    }
    w->p = c.rest;
    move_to(w, d);
    return 0;
}

static int walk_on(struct walk *w, bool whole, bool follow)
{
    int r;

    while ((r = walk_cached(w, whole, follow)) == WALK_SLOW) {
        r = walk_step(w, follow);
        if (r)
            return r;
    }
    return r;
}

int walk_to_parent(struct walk *w)
{
    return walk_on(w, false, false);
}

int walk_whole(struct walk *w, unsigned flags)
{
    int err;

    w->slash = false;
    err = walk_on(w, true, flags & LOOKUP_FOLLOW);
    if (!err && (w->slash || (flags & LOOKUP_DIRECTORY)) && !S_ISDIR(w->dir->inode->mode))
        err = -ENOTDIR;
    return err;
}

/* ---- For everybody ---------------------------------------------------------------------------- */

struct dentry *path_lookup(int dirfd, const char *path, unsigned flags)
{
    struct walk w;
    struct dentry *d = NULL;
    int err = walk_start(&w, dirfd, path, flags);

    if (err)
        return err_ptr(err);
    err = walk_whole(&w, flags);
    if (!err)
        d = dentry_ref(w.dir);
    walk_end(&w);
    return err ? err_ptr(err) : d;
}

struct dentry *path_lookup_user(int dirfd, uaddr_t upath, unsigned flags)
{
    char *path = path_from_user(upath, flags & LOOKUP_EMPTY);
    struct dentry *d;

    if (is_err(path))
        return (struct dentry *)path;
    d = path_lookup(dirfd, path, flags);
    path_free(path);
    return d;
}

static char *string_from_user(uaddr_t ustr, size_t size, ssize_t *len)
{
    char *s = kmalloc(size, 0);

    *len = s ? strncpy_from_user(s, ustr, size) : -ENOMEM;
    if (*len >= 0)
        return s;
    kfree(s);
    return NULL;
}

char *path_from_user(uaddr_t upath, bool allow_empty)
{
    ssize_t len;
    char *path = string_from_user(upath, SHORT_PATH, &len);

    if (len == -ENAMETOOLONG)
        path = string_from_user(upath, PATH_MAX, &len);
    if (len == 0 && !allow_empty) {
        kfree(path);
        len = -ENOENT;
    }
    return len < 0 ? err_ptr(len) : path;
}

void path_free(char *path)
{
    if (path && !is_err(path))
        kfree(path);
}

/* ---- Creating the last name ------------------------------------------------------------------- */

static struct dentry *check_free_name(struct walk *w, bool is_dir)
{
    struct dentry *d = walk_last_locked(w);
    int err = 0;

    if (is_err(d))
        return d;
    if (d->inode)
        err = -EEXIST;
    else if ((w->slash && !is_dir) || !w->dir->inode->nlink)
        err = -ENOENT;
    else
        err = inode_permission(w->dir->inode, MAY_WRITE | MAY_EXEC);
    if (!err)
        return d;
    dentry_put(d);
    return err_ptr(err);
}

struct dentry *walk_create_begin(struct walk *w, int dirfd, const char *path, bool is_dir)
{
    struct dentry *d;
    int err = walk_start(w, dirfd, path, 0);

    if (err)
        return err_ptr(err);
    err = walk_to_parent(w);
    if (!err && w->last != LAST_NAME)
        err = -EEXIST;
    if (!err) {
        inode_lock(w->dir->inode);
        d = check_free_name(w, is_dir);
        if (!is_err(d))
            return d;
        inode_unlock(w->dir->inode);
        err = ptr_err(d);
    }
    walk_end(w);
    return err_ptr(err);
}

int walk_create_end(struct walk *w, struct dentry *d, int err, struct inode *ip)
{
    if (!err)
        dentry_instantiate(d, ip);
    inode_unlock(w->dir->inode);
    dentry_put(d);
    walk_end(w);
    return err;
}
