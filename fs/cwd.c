/* SPDX-License-Identifier: MIT */
/* A process's place in the file tree: current and root directory, umask. Lock: files->lock. */
#include "fs/dcache.h"
#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>

static struct dentry *place(struct files *fs, struct dentry **which)
{
    struct dentry *d;

    spin_lock(&fs->lock);
    d = *which ? dentry_ref(*which) : NULL;
    spin_unlock(&fs->lock);
    return d;
}

struct dentry *files_cwd(struct files *fs)
{
    return fs ? place(fs, &fs->cwd) : dentry_ref(vfs_root); /* NULL: a kernel thread's */
}

struct dentry *files_root(struct files *fs)
{
    return fs ? place(fs, &fs->root) : dentry_ref(vfs_root);
}

struct dentry *current_cwd(void)
{
    return files_cwd(current_files());
}

struct dentry *current_root(void)
{
    return files_root(current_files());
}

uint32_t current_umask(void)
{
    struct files *fs = current_files();

    return fs ? READ_ONCE(fs->umask) : 0;
}

long sys_umask(uint32_t mask)
{
    struct files *fs = current_files();
    uint32_t old;

    spin_lock(&fs->lock);
    old = fs->umask;
    fs->umask = mask & 0777;
    spin_unlock(&fs->lock);
    return old;
}

/* The directory d (or an error) becomes `which` of the caller; consumes the reference. */
static long change_dir(struct dentry **which, struct dentry *d)
{
    struct dentry *old;
    int err;

    if (is_err(d))
        return ptr_err(d);
    err = S_ISDIR(d->inode->mode) ? inode_permission(d->inode, MAY_EXEC) : -ENOTDIR;
    if (!err) {
        spin_lock(&current_files()->lock);
        old = *which;
        *which = d;
        spin_unlock(&current_files()->lock);
        d = old;
    }
    dentry_put(d);
    return err;
}

long sys_chdir(uaddr_t path)
{
    return change_dir(&current_files()->cwd, lookup_at(AT_FDCWD, path, 0));
}

long sys_fchdir(int fd)
{
    return change_dir(&current_files()->cwd, fd_dentry(fd_borrow_path(fd)));
}

long sys_chroot(uaddr_t path)
{
    if (!caller_is_root())
        return -EPERM;
    return change_dir(&current_files()->root, lookup_at(AT_FDCWD, path, 0));
}

static long copy_cwd(struct dentry *cwd, char *text, uaddr_t buf, size_t size)
{
    char *path;
    size_t len;

    if (dentry_removed(cwd))
        return -ENOENT; /* removed while we are in it */
    path = dentry_path(cwd, text, PATH_MAX);
    if (is_err(path))
        return ptr_err(path);
    len = strlen(path) + 1;
    if (len > size)
        return -ERANGE;
    return copy_to_user(buf, path, len) ? -EFAULT : (long)len;
}

long sys_getcwd(uaddr_t buf, size_t size)
{
    char *text = kmalloc(PATH_MAX, 0);
    struct dentry *cwd;
    long ret;

    if (!text)
        return -ENOMEM;
    cwd = current_cwd();
    ret = copy_cwd(cwd, text, buf, size);
    dentry_put(cwd);
    kfree(text);
    return ret;
}
