/* SPDX-License-Identifier: MIT */
/*
 * File system types, mounting and unmounting. A file system is mounted in one place, so a dentry is
 * also a path. Mounting hangs a superblock's root over a directory (dentry->mounted); path lookup
 * crosses both ways under dcache_lock, so a superblock whose root has no other user than its mount
 * can be taken away under that lock and nobody can get in any more.
 *
 * Locks: mount_lock (mutex) for all of mounting, unmounting and syncing; dcache_lock for the
 * crossing. The list of mounts changes under both, so either is enough to walk it.
 */
#include "fs/dcache.h"
#include "fs/devices.h"
#include "drivers/block.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/boot.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/mount.h>

#define KEPT_FLAGS                                                                                 \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS | MS_NOSYMFOLLOW | MS_NOATIME | \
     MS_NODIRATIME | MS_STRICTATIME)
#define UMOUNT_FLAGS (1 | 2 | 4 | 8) /* FORCE, DETACH, EXPIRE, NOFOLLOW */
#define UMOUNT_NOFOLLOW 8

struct mutex mount_lock;
struct list mounts = LIST_INIT(mounts);
struct dentry *vfs_root;
static struct list types = LIST_INIT(types);
static unsigned last_anon_dev;

/* ---- Types and superblocks -------------------------------------------------------------------- */

void fs_register(struct fs_type *t)
{
    list_add_tail(&types, &t->link);
}

static struct fs_type *find_type(const char *name)
{
    struct fs_type *t;

    list_for_each (t, &types, link)
        if (!strcmp(t->name, name))
            return t;
    return NULL;
}

void superblock_init(struct superblock *sb, const struct fs_type *type)
{
    sb->type = type;
    sb->flags = MS_NOATIME;
    sb->block_size = PAGE_SIZE;
    sb->max_size = INT64_MAX;
    mutex_init(&sb->rename_lock, MUTEX_RENAME);
    list_init(&sb->inodes);
    list_init(&sb->link);
    sb->dev = make_dev(0, ++last_anon_dev);
}

/* mount_lock held. */
static struct superblock *mounted_from(const struct block_device *bd)
{
    struct superblock *sb;

    list_for_each (sb, &mounts, link)
        if (sb->bdev == bd)
            return sb;
    return NULL;
}

int mount_add_writer(struct block_device *bd)
{
    struct superblock *sb;
    bool busy;

    mutex_lock(&mount_lock);
    sb = mounted_from(bd);
    busy = sb && !sb->read_only;
    if (!busy)
        bd->writers++;
    mutex_unlock(&mount_lock);
    return busy ? -EBUSY : 0;
}

/* Nobody is in it: undoes type->mount, and what was done since. */
static void destroy_superblock(struct superblock *sb)
{
    dentry_put(sb->root);
    if (!inode_cache_drop_sb(sb)) {
        pr_err("%s on %s: inodes still in use after unmounting\n", sb->type->name, sb->source);
        return; /* leaked, so that whoever uses them finds them */
    }
    if (sb->ops->unmount)
        sb->ops->unmount(sb);
    if (sb->bdev)
        block_flush(sb->bdev);
    kfree(sb);
}

/* Fresh, filled by the file system, not yet anywhere. */
static struct superblock *make_superblock(const struct fs_type *type, struct block_device *bd,
                                          const char *source, uint64_t flags, const char *options)
{
    struct superblock *sb = kzalloc(sizeof(*sb));
    int err;

    if (!sb)
        return err_ptr(-ENOMEM);
    superblock_init(sb, type);
    snprintf(sb->source, sizeof(sb->source), "%s", source);
    sb->flags = flags & KEPT_FLAGS;
    sb->read_only = (flags & MS_RDONLY) || (bd && bd->read_only);
    sb->bdev = bd;
    if (bd)
        sb->dev = make_dev(BLOCK_MAJOR, bd->minor);
    err = type->mount(sb, options);
    if (!err)
        return sb;
    if (sb->root)
        destroy_superblock(sb);
    else
        kfree(sb);
    return err_ptr(err);
}

/* ---- Mounting --------------------------------------------------------------------------------- */

/* The device that source names: a node, or at boot, before there are any, "/dev/NAME". */
static struct block_device *find_device(const char *source)
{
    struct block_device *bd;
    struct dentry *d;

    if (!vfs_root) {
        bd = block_find(strncmp(source, "/dev/", 5) ? source : source + 5);
        return bd ? bd : err_ptr(-ENXIO);
    }
    d = path_lookup(source);
    if (is_err(d))
        return (struct block_device *)d;
    bd = err_ptr(-ENOTBLK);
    for (unsigned i = 0; S_ISBLK(d->inode->mode); i++) {
        bd = block_at(i);
        if (!bd)
            bd = err_ptr(-ENXIO);
        if (is_err(bd) || d->inode->rdev == make_dev(BLOCK_MAJOR, bd->minor))
            break;
    }
    dentry_put(d);
    return bd;
}

/* Hangs sb over `at` (NULL: it becomes the root). Consumes nothing. */
static int attach(struct superblock *sb, struct dentry *at)
{
    int err = 0;

    spin_lock(&dcache_lock);
    if (!at)
        vfs_root = dentry_ref(sb->root);
    else if (at->mounted)
        err = -EBUSY;
    else if (dentry_removed(at))
        err = -ENOENT;
    else
        at->mounted = sb;
    if (!err && at)
        sb->mountpoint = dentry_ref(at);
    if (!err)
        list_add_tail(&mounts, &sb->link);
    spin_unlock(&dcache_lock);
    return err;
}

int vfs_mount(const char *source, struct dentry *at, const char *type, uint64_t flags,
              const char *options)
{
    const struct fs_type *t = find_type(type);
    struct block_device *bd = NULL;
    struct superblock *sb;
    int err = -EBUSY;

    if (!t)
        return -ENODEV;
    if (at && !S_ISDIR(at->inode->mode))
        return -ENOTDIR;
    if (t->needs_device)
        bd = find_device(source);
    if (is_err(bd))
        return ptr_err(bd);
    mutex_lock(&mount_lock);
    if (!bd || (!mounted_from(bd) && !bd->writers)) {
        sb = make_superblock(t, bd, source, flags, options);
        err = is_err(sb) ? ptr_err(sb) : attach(sb, at);
        if (err && !is_err(sb))
            destroy_superblock(sb);
    }
    mutex_unlock(&mount_lock);
    return err;
}

static int remount(struct superblock *sb, uint64_t flags)
{
    bool read_only = flags & MS_RDONLY;
    int err = 0;

    /* Without a name, but open: it could not be freed any more when it is closed. */
    if (read_only && !sb->read_only && (sb->writers || inode_unlinked_in_use(sb)))
        return -EBUSY;
    if (!read_only && sb->bdev && sb->bdev->read_only)
        return -EACCES;
    if (!read_only && sb->bdev && sb->bdev->writers)
        return -EBUSY;
    if (read_only != sb->read_only) {
        if (read_only)
            err = vfs_sync_sb(sb);
        if (!err && sb->ops->remount)
            err = sb->ops->remount(sb, read_only);
    }
    if (err)
        return err;
    sb->read_only = read_only;
    sb->flags = flags & KEPT_FLAGS;
    return 0;
}

/* ---- Unmounting ------------------------------------------------------------------------------- */

/* mount_lock held. MNT_DETACH does not unmount what is in use either. */
static int unmount(struct superblock *sb)
{
    struct dentry *at = sb->mountpoint;
    bool busy;

    if (!at)
        return -EBUSY;
    dentry_prune(sb->root);
    spin_lock(&dcache_lock);
    busy = (atomic_load(&sb->root->refs) & ~DENTRY_DEAD) != 1 || sb->root->mounted;
    if (!busy) {
        at->mounted = NULL;
        list_del(&sb->link);
    }
    spin_unlock(&dcache_lock);
    if (busy)
        return -EBUSY;
    if (!sb->read_only)
        vfs_sync_sb(sb);
    dentry_put(at);
    destroy_superblock(sb);
    return 0;
}

/* ---- System calls ----------------------------------------------------------------------------- */

static long do_mount(const char *source, struct dentry *at, const char *type, uint64_t flags,
                     const char *options)
{
    long err;

    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~(uint64_t)MS_MGC_MSK;
    if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
        return 0; /* there is one view of the tree: nothing to propagate */
    if (flags & (MS_BIND | MS_MOVE))
        return -EINVAL;
    if (!(flags & MS_REMOUNT))
        return vfs_mount(source, at, type, flags, options);
    if (at != at->sb->root)
        return -EINVAL;
    mutex_lock(&mount_lock);
    err = remount(at->sb, flags);
    mutex_unlock(&mount_lock);
    return err;
}

long sys_mount(uaddr_t source, uaddr_t target, uaddr_t type, uint64_t flags, uaddr_t data)
{
    const uaddr_t from[] = {source, type, data}; /* each may be NULL */
    char *arg = kmalloc(3 * PATH_MAX, ALLOC_ZERO);
    struct dentry *at = lookup_at(AT_FDCWD, target, 0);
    long err = is_err(at) ? ptr_err(at) : arg ? 0 : -ENOMEM;

    for (unsigned i = 0; !err && i < 3; i++)
        if (from[i])
            err = MIN(strncpy_from_user(arg + i * PATH_MAX, from[i], PATH_MAX), 0);
    if (!err)
        err = caller_is_root() ? do_mount(arg, at, arg + PATH_MAX, flags, arg + 2 * PATH_MAX)
                               : -EPERM;
    dentry_put(at);
    kfree(arg);
    return err;
}

long sys_umount2(uaddr_t target, int flags)
{
    struct superblock *sb;
    struct dentry *d;
    bool is_root;
    int err;

    if (flags & ~UMOUNT_FLAGS)
        return -EINVAL;
    if (!caller_is_root())
        return -EPERM;
    d = lookup_at(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);
    if (is_err(d))
        return ptr_err(d);
    sb = d->sb;
    is_root = d == sb->root;
    mutex_lock(&mount_lock); /* from here on sb stays, without our reference too */
    dentry_put(d);
    err = is_root ? unmount(sb) : -EINVAL;
    mutex_unlock(&mount_lock);
    return err;
}

/* ---- /proc/mounts ----------------------------------------------------------------------------- */

/* Lines that are gathered without allocating: the lock is a spinlock. */
struct lines {
    char *buf;
    size_t size, len; /* len: what it would be with room enough */
};

static void printf_like(2, 3) add(struct lines *l, const char *fmt, ...)
{
    size_t at = MIN(l->len, l->size);
    va_list ap;

    va_start(ap, fmt);
    l->len += (size_t)vsnprintf(l->buf + at, l->size - at, fmt, ap);
    va_end(ap);
}

/* A name with the separators written in octal, as in fstab. */
static void add_name(struct lines *l, const char *s)
{
    for (; *s; s++)
        add(l, strchr(" \t\n\\", *s) ? "\\%03o" : "%c", (unsigned char)*s);
}

static void add_mount(struct lines *l, const struct superblock *sb, const char *path)
{
    static const struct {
        uint64_t flag;
        const char *name;
    } options[] = {
        {MS_NOSUID, ",nosuid"},   {MS_NODEV, ",nodev"},           {MS_NOEXEC, ",noexec"},
        {MS_NOATIME, ",noatime"}, {MS_NODIRATIME, ",nodiratime"}, {MS_SYNCHRONOUS, ",sync"},
    };

    add_name(l, *sb->source ? sb->source : "none");
    add(l, " ");
    add_name(l, path ? path : "?");
    add(l, " %s %s", sb->type->name, sb->read_only ? "ro" : "rw");
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
        if (sb->flags & options[i].flag)
            add(l, "%s", options[i].name);
    add(l, sb->flags & (MS_NOATIME | MS_STRICTATIME) ? " 0 0\n" : ",relatime 0 0\n");
}

size_t mounts_text(char *buf, size_t size)
{
    struct lines l = {.buf = buf, .size = size};
    char *path = kmalloc(PATH_MAX, 0);
    struct dentry *root;
    struct superblock *sb;

    if (!path)
        return 0;
    root = current_root();
    spin_lock(&dcache_lock);
    list_for_each (sb, &mounts, link)
        add_mount(&l, sb, dentry_path_locked(sb->root, root, path, PATH_MAX));
    spin_unlock(&dcache_lock);
    dentry_put(root);
    kfree(path);
    return l.len;
}
