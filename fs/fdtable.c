/* SPDX-License-Identifier: MIT */
/*
 * What a process knows of files: its descriptors, current and root directory, umask.
 *
 * Two marks keep the table cheap however large it is: nothing is used from `top` on, and nothing is
 * free below `first_free`.
 *
 * Locks: files->lock (spinlock) for every change. The only thread of the only process that uses a
 * table looks descriptors up without it, and needs no reference: nobody else can close them.
 */
#include "fs/fdtable.h"
#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/close_range.h>
#include <linux/fcntl.h>

#define MAX_FDS 65536u

static void use_fd(struct files *fs, unsigned fd, bool cloexec)
{
    fs->fds[fd].used = true;
    fs->fds[fd].cloexec = cloexec;
    fs->top = MAX(fs->top, fd + 1);
}

static void free_fd(struct files *fs, unsigned fd)
{
    fs->fds[fd] = (struct fd){0};
    fs->first_free = MIN(fs->first_free, fd);
    while (fs->top && !fs->fds[fs->top - 1].used)
        fs->top--;
}

/* The lowest free descriptor >= from; there need not be room for it. */
static unsigned lowest_free(struct files *fs, unsigned from)
{
    unsigned fd = MAX(from, fs->first_free);

    while (fd < fs->top && fs->fds[fd].used)
        fd++;
    if (from <= fs->first_free)
        fs->first_free = fd;
    return fd;
}

/* Where fd's file is, or NULL; lock held, or nobody else uses the table. */
static struct file *file_at(const struct files *fs, unsigned fd)
{
    return fd < fs->cap ? fs->fds[fd].file : NULL;
}

/* Room for fd. files->lock is held, and dropped and taken again meanwhile. */
static int grow(struct files *fs, unsigned fd)
{
    unsigned cap = fs->cap;
    struct fd *fds, *old;

    while (cap <= fd)
        cap *= 2;
    spin_unlock(&fs->lock);
    fds = kzalloc(cap * sizeof(*fds));
    spin_lock(&fs->lock);
    if (!fds)
        return -ENOMEM;
    old = fds;
    if (cap > fs->cap) {
        old = fs->fds;
        memcpy(fds, old, fs->top * sizeof(*fds));
        fs->fds = fds;
        fs->cap = cap;
    }
    if (old != fs->first_fds)
        kfree(old);
    return 0;
}

/* ---- Tables of processes ---------------------------------------------------------------------- */

static struct files *files_alloc(void)
{
    struct files *fs = kzalloc(sizeof(*fs));

    if (!fs)
        return NULL;
    atomic_init(&fs->refs, 1);
    spin_init(&fs->lock, RANK_FILES, "files");
    fs->fds = fs->first_fds;
    fs->cap = FIRST_FDS;
    fs->umask = 022;
    return fs;
}

struct files *files_create(void)
{
    struct files *fs = files_alloc();

    if (fs && vfs_root) {
        fs->cwd = dentry_ref(vfs_root);
        fs->root = dentry_ref(vfs_root);
    }
    return fs;
}

static void clone_locked(struct files *fs, struct files *from)
{
    fs->top = from->top;
    fs->first_free = from->first_free;
    memcpy(fs->fds, from->fds, fs->top * sizeof(struct fd));
    for (unsigned fd = 0; fd < fs->top; fd++)
        if (fs->fds[fd].file)
            file_get(fs->fds[fd].file);
        else
            free_fd(fs, fd); /* perhaps reserved: another thread's open */
    fs->cwd = dentry_ref(from->cwd);
    fs->root = dentry_ref(from->root);
    fs->umask = from->umask;
}

struct files *files_clone(struct files *from)
{
    struct files *fs = files_alloc();
    unsigned top = READ_ONCE(from->top);
    int err = fs ? 0 : -ENOMEM;

    while (!err) {
        if (top > fs->cap) {
            spin_lock(&fs->lock);
            err = grow(fs, top - 1);
            spin_unlock(&fs->lock);
        }
        spin_lock(&from->lock);
        top = from->top;
        if (!err && top <= fs->cap) {
            clone_locked(fs, from);
            spin_unlock(&from->lock);
            return fs;
        }
        spin_unlock(&from->lock);
    }
    if (fs && fs->fds != fs->first_fds)
        kfree(fs->fds);
    kfree(fs);
    return err_ptr(err);
}

struct files *files_share(struct files *fs)
{
    atomic_fetch_add_explicit(&fs->refs, 1, memory_order_relaxed);
    return fs;
}

static void release_fd(struct files *fs, struct file *f)
{
    flock_release(f->inode, fs); /* any descriptor's close ends the process's record locks */
    file_put(f);
}

void files_put(struct files *fs)
{
    if (!fs || atomic_fetch_sub_explicit(&fs->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned fd = 0; fd < fs->top; fd++)
        if (fs->fds[fd].file)
            release_fd(fs, fs->fds[fd].file);
    dentry_put(fs->cwd);
    dentry_put(fs->root);
    if (fs->fds != fs->first_fds)
        kfree(fs->fds);
    kfree(fs);
}

/* Takes fd out of the table: its file, whose reference passes to the caller, or NULL. */
static struct file *take_fd(struct files *fs, unsigned fd)
{
    struct file *f;

    spin_lock(&fs->lock);
    f = file_at(fs, fd);
    if (f)
        free_fd(fs, fd);
    spin_unlock(&fs->lock);
    return f;
}

void files_exec(struct files *fs)
{
    struct file *f;

    for (unsigned fd = 0; fd < fs->top; fd++) {
        f = fs->fds[fd].cloexec ? take_fd(fs, fd) : NULL;
        if (f)
            release_fd(fs, f);
    }
}

/* ---- Looking descriptors up ------------------------------------------------------------------- */

struct files *current_files(void)
{
    return current->proc ? current->proc->files : NULL;
}

struct file *files_file_at(struct files *fs, int fd)
{
    struct file *f;

    spin_lock(&fs->lock);
    f = file_at(fs, (unsigned)fd);
    if (f)
        file_get(f);
    spin_unlock(&fs->lock);
    return f;
}

int files_next_fd(struct files *fs, int from)
{
    unsigned fd = (unsigned)MAX(from, 0);

    spin_lock(&fs->lock);
    while (fd < fs->top && !fs->fds[fd].file)
        fd++;
    from = fd < fs->top ? (int)fd : -1;
    spin_unlock(&fs->lock);
    return from;
}

struct fdref fd_borrow_path(int fd)
{
    struct process *p = current->proc;
    struct files *fs = p->files;
    struct fdref r = {NULL, false};

    if (likely(atomic_load_explicit(&fs->refs, memory_order_relaxed) == 1 &&
               READ_ONCE(p->nthreads) == 1)) {
        r.file = file_at(fs, (unsigned)fd);
        return r;
    }
    r.file = files_file_at(fs, fd);
    r.counted = r.file != NULL;
    return r;
}

struct fdref fd_borrow(int fd)
{
    struct fdref r = fd_borrow_path(fd);

    if (likely(r.file) && unlikely(r.file->mode & FMODE_PATH)) {
        fd_return(r);
        return (struct fdref){NULL, false};
    }
    return r;
}

struct file *fd_get(int fd)
{
    struct file *f = files_file_at(current_files(), fd);

    if (!f || !(f->mode & FMODE_PATH))
        return f;
    file_put(f);
    return NULL;
}

/* ---- Handing descriptors out ------------------------------------------------------------------ */

static unsigned fd_limit(void)
{
    return (unsigned)MIN(current->proc->limits[RLIMIT_NOFILE].rlim_cur, (uint64_t)MAX_FDS);
}

int fd_reserve(int flags, unsigned lowest)
{
    struct files *fs = current_files();
    unsigned limit = fd_limit(), fd;
    int err = 0;

    spin_lock(&fs->lock);
    do {
        fd = lowest_free(fs, lowest);
        if (fd >= limit)
            err = -EMFILE;
        else if (fd >= fs->cap)
            err = grow(fs, fd);
        else
            break;
    } while (!err);
    if (!err)
        use_fd(fs, fd, flags & O_CLOEXEC);
    spin_unlock(&fs->lock);
    return err ? err : (int)fd;
}

void fd_publish(int fd, struct file *f)
{
    struct files *fs = current_files();

    spin_lock(&fs->lock);
    fs->fds[fd].file = f;
    spin_unlock(&fs->lock);
}

void fd_unreserve(int fd)
{
    struct files *fs = current_files();

    spin_lock(&fs->lock);
    free_fd(fs, (unsigned)fd);
    spin_unlock(&fs->lock);
}

int fs_install_at(struct files *fs, unsigned fd, struct file *f)
{
    if (fd >= FIRST_FDS || fs->fds[fd].file)
        return -EBADF;
    use_fd(fs, fd, false);
    fs->fds[fd].file = f;
    return 0;
}

bool fd_cloexec(int fd)
{
    struct files *fs = current_files();
    bool on;

    spin_lock(&fs->lock);
    on = (unsigned)fd < fs->cap && fs->fds[fd].cloexec;
    spin_unlock(&fs->lock);
    return on;
}

void fd_set_cloexec(int fd, bool on)
{
    struct files *fs = current_files();

    spin_lock(&fs->lock);
    if (file_at(fs, (unsigned)fd))
        fs->fds[fd].cloexec = on;
    spin_unlock(&fs->lock);
}

/* ---- System calls ----------------------------------------------------------------------------- */

int fd_dup(struct file *f, unsigned lowest, int flags)
{
    int fd = fd_reserve(flags, lowest);

    if (fd >= 0)
        fd_publish(fd, file_get(f));
    return fd;
}

long sys_dup(int oldfd)
{
    struct fdref r = fd_borrow_path(oldfd);
    long fd = r.file ? fd_dup(r.file, 0, 0) : -EBADF;

    fd_return(r);
    return fd;
}

static int replace_fd(struct files *fs, unsigned fd, struct file *f, int flags)
{
    struct file *was = NULL;
    int err = 0;

    spin_lock(&fs->lock);
    while (fd >= fs->cap && !err)
        err = grow(fs, fd);
    if (!err && fs->fds[fd].used && !fs->fds[fd].file)
        err = -EBUSY;
    if (!err) {
        was = fs->fds[fd].file;
        fs->fds[fd].file = file_get(f);
        use_fd(fs, fd, flags & O_CLOEXEC);
    }
    spin_unlock(&fs->lock);
    if (was)
        release_fd(fs, was);
    return err ? err : (int)fd;
}

long sys_dup3(int oldfd, int newfd, int flags)
{
    struct fdref r;
    long ret = -EBADF;

    if ((flags & ~O_CLOEXEC) || oldfd == newfd)
        return -EINVAL;
    if (newfd < 0 || (unsigned)newfd >= fd_limit())
        return -EBADF;
    r = fd_borrow_path(oldfd);
    if (r.file)
        ret = replace_fd(current_files(), (unsigned)newfd, r.file, flags);
    fd_return(r);
    return ret;
}

long sys_close(int fd)
{
    struct files *fs = current_files();
    struct file *f = take_fd(fs, (unsigned)fd);

    if (!f)
        return -EBADF;
    release_fd(fs, f);
    return 0;
}

long sys_close_range(uint32_t first, uint32_t last, uint32_t flags)
{
    struct files *fs = current_files();

    if ((flags & ~(uint32_t)CLOSE_RANGE_CLOEXEC) || first > last)
        return -EINVAL;
    for (int fd = (int)MIN(first, MAX_FDS); (fd = files_next_fd(fs, fd)) >= 0; fd++) {
        if ((uint32_t)fd > last)
            break;
        if (flags & CLOSE_RANGE_CLOEXEC)
            fd_set_cloexec(fd, true);
        else
            sys_close(fd);
    }
    return 0;
}
