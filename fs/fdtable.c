/* SPDX-License-Identifier: MIT */
/*
 * What a process knows of files: its descriptors, current and root directory, umask.
 *
 * The table is an array of files beside three bitmaps: descriptors in use, those closed by exec, and
 * words of the first one that are full, so that the lowest free descriptor is found in a few steps
 * however many are open. A descriptor in use without a file is reserved by an open under way.
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

static size_t table_bytes(unsigned cap)
{
    return cap * sizeof(struct file *) + 2 * (cap / 64) * 8 + ALIGN_UP(cap / 64, 64u) / 64 * 8;
}

/* Lays a table out in zeroed memory of table_bytes(cap). */
static struct fdtable table_layout(void *mem, unsigned cap)
{
    struct fdtable t = {.cap = cap, .files = mem};

    t.used = (uint64_t *)(t.files + cap);
    t.cloexec = t.used + cap / 64;
    t.full = t.cloexec + cap / 64;
    return t;
}

static void table_copy(struct fdtable *to, const struct fdtable *from, unsigned n)
{
    memcpy(to->files, from->files, n * sizeof(struct file *));
    memcpy(to->used, from->used, n / 8);
    memcpy(to->cloexec, from->cloexec, n / 8);
    memcpy(to->full, from->full, ALIGN_UP(n / 64, 64u) / 8);
}

static bool bit_test(const uint64_t *map, unsigned i)
{
    return map[i / 64] >> i % 64 & 1;
}

static void bit_put(uint64_t *map, unsigned i, bool on)
{
    if (on)
        map[i / 64] |= 1UL << i % 64;
    else
        map[i / 64] &= ~(1UL << i % 64);
}

static void use_fd(struct fdtable *t, unsigned fd, bool cloexec)
{
    bit_put(t->used, fd, true);
    bit_put(t->cloexec, fd, cloexec);
    if (t->used[fd / 64] == UINT64_MAX)
        bit_put(t->full, fd / 64, true);
}

static void free_fd(struct fdtable *t, unsigned fd)
{
    t->files[fd] = NULL;
    bit_put(t->used, fd, false);
    bit_put(t->cloexec, fd, false);
    bit_put(t->full, fd / 64, false);
}

/* The lowest free descriptor >= from; t->cap or more if there is none. */
static unsigned lowest_free(const struct fdtable *t, unsigned from)
{
    unsigned word = from / 64, words = t->cap / 64, i;
    uint64_t open;

    if (from >= t->cap)
        return from;
    open = ~t->used[word] & UINT64_MAX << from % 64;
    if (open)
        return word * 64 + (unsigned)__builtin_ctzl(open);
    for (i = ++word / 64; i * 64 < words; i++) {
        open = ~t->full[i];
        if (i == word / 64)
            open &= UINT64_MAX << word % 64;
        if (!open)
            continue;
        word = i * 64 + (unsigned)__builtin_ctzl(open);
        if (word >= words)
            break;
        return word * 64 + (unsigned)__builtin_ctzl(~t->used[word]);
    }
    return t->cap;
}

/* ---- Tables of processes ---------------------------------------------------------------------- */

static struct files *files_alloc(void)
{
    struct files *fs = kzalloc(sizeof(*fs));

    if (!fs)
        return NULL;
    atomic_init(&fs->refs, 1);
    spin_init(&fs->lock, RANK_FILES, "files");
    fs->t = table_layout(fs->first_table, FIRST_FDS);
    fs->umask = 022;
    return fs;
}

struct files *files_create(void)
{
    struct files *fs = files_alloc();

    _Static_assert(sizeof(fs->first_table) >= FIRST_FDS * 8 + 3 * 8, "first table");
    if (!fs)
        return NULL;
    if (vfs_root) {
        fs->cwd = dentry_ref(vfs_root);
        fs->root = dentry_ref(vfs_root);
    }
    return fs;
}

/* The table's size cut to what is used: fork need not copy a large, mostly empty one. */
static unsigned cap_needed(const struct fdtable *t)
{
    unsigned words = t->cap / 64, need = FIRST_FDS;

    while (words > 1 && !t->used[words - 1])
        words--;
    while (need < words * 64)
        need *= 2;
    return need;
}

static void clone_locked(struct files *fs, struct files *from, unsigned cap)
{
    struct file *f;

    table_copy(&fs->t, &from->t, MIN(cap, from->t.cap));
    for (unsigned fd = 0; fd < cap; fd++) {
        if (!fs->t.used[fd / 64]) {
            fd |= 63;
            continue;
        }
        f = fs->t.files[fd];
        if (f)
            file_get(f);
        else if (bit_test(fs->t.used, fd))
            free_fd(&fs->t, fd); /* reserved: another thread's open */
    }
    fs->cwd = dentry_ref(from->cwd);
    fs->root = dentry_ref(from->root);
    fs->umask = from->umask;
}

struct files *files_clone(struct files *from)
{
    struct files *fs = files_alloc();
    void *mem = NULL;
    unsigned cap;

    if (!fs)
        return err_ptr(-ENOMEM);
    spin_lock(&from->lock);
    while ((cap = cap_needed(&from->t)) > fs->t.cap) {
        spin_unlock(&from->lock);
        kfree(mem);
        mem = kzalloc(table_bytes(cap));
        if (!mem) {
            kfree(fs);
            return err_ptr(-ENOMEM);
        }
        fs->t = table_layout(mem, cap);
        spin_lock(&from->lock);
    }
    clone_locked(fs, from, MIN(cap, fs->t.cap));
    spin_unlock(&from->lock);
    return fs;
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
    for (unsigned fd = 0; fd < fs->t.cap; fd++) {
        if (!fs->t.used[fd / 64])
            fd |= 63;
        else if (fs->t.files[fd])
            release_fd(fs, fs->t.files[fd]);
    }
    dentry_put(fs->cwd);
    dentry_put(fs->root);
    if ((void *)fs->t.files != fs->first_table)
        kfree(fs->t.files);
    kfree(fs);
}

/* Takes fd out of the table: its file, whose reference passes to the caller, or NULL. */
static struct file *take_fd(struct files *fs, unsigned fd)
{
    struct file *f = NULL;

    spin_lock(&fs->lock);
    if (fd < fs->t.cap)
        f = fs->t.files[fd];
    if (f)
        free_fd(&fs->t, fd);
    spin_unlock(&fs->lock);
    return f;
}

void files_exec(struct files *fs)
{
    struct file *f;

    for (unsigned word = 0; word < fs->t.cap / 64; word++)
        while (fs->t.cloexec[word]) {
            f = take_fd(fs, word * 64 + (unsigned)__builtin_ctzl(fs->t.cloexec[word]));
            if (!f)
                break;
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
    struct file *f = NULL;

    spin_lock(&fs->lock);
    if (fd >= 0 && (unsigned)fd < fs->t.cap && fs->t.files[fd])
        f = file_get(fs->t.files[fd]);
    spin_unlock(&fs->lock);
    return f;
}

int files_next_fd(struct files *fs, int from)
{
    int found = -1;

    spin_lock(&fs->lock);
    for (unsigned fd = (unsigned)MAX(from, 0); fd < fs->t.cap && found < 0; fd++) {
        if (!fs->t.used[fd / 64])
            fd |= 63;
        else if (fs->t.files[fd])
            found = (int)fd;
    }
    spin_unlock(&fs->lock);
    return found;
}

struct fdref fd_borrow_path(int fd)
{
    struct process *p = current->proc;
    struct files *fs = p->files;
    struct fdref r = {NULL, false};

    if (likely(atomic_load_explicit(&fs->refs, memory_order_relaxed) == 1 &&
               READ_ONCE(p->nthreads) == 1)) {
        if (likely((unsigned)fd < fs->t.cap))
            r.file = fs->t.files[fd];
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

struct file *fd_lookup(int fd)
{
    return files_file_at(current_files(), fd);
}

struct file *fd_get(int fd)
{
    struct file *f = fd_lookup(fd);

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

/* The table gets room for fd. files->lock is held, and dropped and taken again meanwhile. */
static int grow(struct files *fs, unsigned fd)
{
    unsigned cap = fs->t.cap;
    struct fdtable t;
    void *mem, *old;

    while (cap <= fd)
        cap *= 2;
    spin_unlock(&fs->lock);
    mem = kzalloc(table_bytes(cap));
    spin_lock(&fs->lock);
    if (!mem)
        return -ENOMEM;
    old = mem;
    if (cap > fs->t.cap) {
        t = table_layout(mem, cap);
        table_copy(&t, &fs->t, fs->t.cap);
        old = fs->t.files;
        fs->t = t;
    }
    if (old != fs->first_table)
        kfree(old);
    return 0;
}

int fd_reserve(int flags, unsigned lowest)
{
    struct files *fs = current_files();
    unsigned limit = fd_limit(), fd;
    int err = 0;

    spin_lock(&fs->lock);
    do {
        fd = lowest_free(&fs->t, lowest);
        if (fd >= limit)
            err = -EMFILE;
        else if (fd >= fs->t.cap)
            err = grow(fs, fd);
        else
            break;
    } while (!err);
    if (!err)
        use_fd(&fs->t, fd, flags & O_CLOEXEC);
    spin_unlock(&fs->lock);
    return err ? err : (int)fd;
}

void fd_publish(int fd, struct file *f)
{
    struct files *fs = current_files();

    spin_lock(&fs->lock);
    fs->t.files[fd] = f;
    spin_unlock(&fs->lock);
}

void fd_unreserve(int fd)
{
    struct files *fs = current_files();

    spin_lock(&fs->lock);
    free_fd(&fs->t, (unsigned)fd);
    spin_unlock(&fs->lock);
}

int fd_install_new(struct file *f, int flags, int lowest)
{
    int fd = fd_reserve(flags, (unsigned)lowest);

    if (fd < 0)
        file_put(f);
    else
        fd_publish(fd, f);
    return fd;
}

int fs_install_at(struct files *fs, unsigned fd, struct file *f)
{
    if (fd >= FIRST_FDS || fs->t.files[fd])
        return -EBADF;
    use_fd(&fs->t, fd, false);
    fs->t.files[fd] = f;
    return 0;
}

bool fd_cloexec(int fd)
{
    struct files *fs = current_files();

    return (unsigned)fd < fs->t.cap && bit_test(fs->t.cloexec, (unsigned)fd);
}

void fd_set_cloexec(int fd, bool on)
{
    struct files *fs = current_files();

    spin_lock(&fs->lock);
    if ((unsigned)fd < fs->t.cap && fs->t.files[fd])
        bit_put(fs->t.cloexec, (unsigned)fd, on);
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
    long fd = -EBADF;

    if (r.file)
        fd = fd_dup(r.file, 0, 0);
    fd_return(r);
    return fd;
}

static int replace_fd(struct files *fs, unsigned oldfd, unsigned newfd, int flags)
{
    struct file *f, *was;
    int err = 0;

    spin_lock(&fs->lock);
    while (newfd >= fs->t.cap && !err)
        err = grow(fs, newfd);
    f = !err && oldfd < fs->t.cap ? fs->t.files[oldfd] : NULL;
    if (!f || (!fs->t.files[newfd] && bit_test(fs->t.used, newfd))) {
        spin_unlock(&fs->lock);
        return err ? err : f ? -EBUSY : -EBADF;
    }
    was = fs->t.files[newfd];
    fs->t.files[newfd] = file_get(f);
    use_fd(&fs->t, newfd, flags & O_CLOEXEC);
    spin_unlock(&fs->lock);
    if (was)
        release_fd(fs, was);
    return (int)newfd;
}

long sys_dup3(int oldfd, int newfd, int flags)
{
    struct fdref r;

    if ((flags & ~O_CLOEXEC) || oldfd == newfd)
        return -EINVAL;
    if (newfd < 0 || (unsigned)newfd >= fd_limit())
        return -EBADF;
    r = fd_borrow_path(oldfd); /* a bad one must not make the table grow */
    fd_return(r);
    return r.file ? replace_fd(current_files(), (unsigned)oldfd, (unsigned)newfd, flags) : -EBADF;
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

static int unshare_files(void)
{
    struct files *fs = current_files(), *own;

    if (atomic_load(&fs->refs) == 1)
        return 0;
    own = files_clone(fs);
    if (is_err(own))
        return ptr_err(own);
    spin_lock(&current->proc->lock);
    current->proc->files = own;
    spin_unlock(&current->proc->lock);
    files_put(fs);
    return 0;
}

long sys_close_range(uint32_t first, uint32_t last, uint32_t flags)
{
    struct files *fs;
    int err;

    if ((flags & ~(uint32_t)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
        return -EINVAL;
    err = flags & CLOSE_RANGE_UNSHARE ? unshare_files() : 0;
    if (err)
        return err;
    fs = current_files();
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
