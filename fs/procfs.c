/* SPDX-License-Identifier: MIT */
/*
 * The proc file system: inodes and directories made from the tables of struct proc_entry. An inode
 * knows its entry and, below /proc/<pid>, the process by number and start time; it holds no
 * reference, so that being looked at keeps nobody alive. still_valid asks whether the process is
 * still the same.
 *
 * [1] Inode numbers are never used twice; an inode serves one dentry.
 * [2] Names of processes come and go without end, so every PRUNE_EVERY new inodes all that are
 *     unused are thrown away, instead of waiting for memory to become short.
 */
#include "fs/procfs.h"

#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"

enum { PRUNE_EVERY = 64, FIRST_DYNAMIC = 0x1000 };
enum { DT_DIR_ = 4, DT_REG_ = 8, DT_LNK_ = 10 };
#define PROC_MAGIC 0x9fa0

static struct kcache *inode_objects;
static _Atomic uint64_t next_ino = 1;
static _Atomic unsigned born; /* inodes since the last pruning */

static const struct proc_entry root_entry = {.name = "",
                                             .mode = S_IFDIR | 0555,
                                             .kind = PROC_ROOT,
                                             .children = proc_root_entries};
static const struct proc_entry pid_entry = {.name = "",
                                            .mode = S_IFDIR | 0555,
                                            .children = proc_pid_entries};
static const struct proc_entry tid_entry = {.name = "",
                                            .mode = S_IFDIR | 0555,
                                            .children = proc_tid_entries};

/* ---- Processes ------------------------------------------------------------------------------------ */

struct files *proc_files_get(struct process *p)
{
    struct files *files;

    spin_lock(&p->lock);
    files = p->files ? files_share(p->files) : NULL;
    spin_unlock(&p->lock);
    return files;
}

struct thread *proc_thread_get(struct process *p, int tid)
{
    struct thread *t, *found = NULL;

    spin_lock(&p->lock);
    list_for_each (t, &p->threads, proc_link) {
        if (tid ? t->tid == tid : !found || t->tid == p->pid)
            found = t;
    }
    if (found)
        thread_get(found);
    spin_unlock(&p->lock);
    return found;
}

int proc_next_tid(struct process *p, int after)
{
    struct thread *t;
    int next = -1;

    spin_lock(&p->lock);
    list_for_each (t, &p->threads, proc_link)
        if (t->tid > after && (next < 0 || t->tid < next))
            next = t->tid;
    spin_unlock(&p->lock);
    return next;
}

void proc_target_put(struct proc_target *to)
{
    if (to->thread)
        thread_put(to->thread);
    if (to->proc)
        process_put(to->proc);
}

int proc_target_get(const struct proc_inode *pi, struct proc_target *to)
{
    *to = (struct proc_target){.fd = pi->fd};
    if (!pi->pid)
        return 0;
    to->proc = process_find_get(pi->pid);
    if (!to->proc)
        return -ESRCH;
    to->thread = proc_thread_get(to->proc, pi->tid);
    if (to->proc->start_ns == pi->start_ns && (to->thread || !pi->tid))
        return 0;
    proc_target_put(to);
    return -ESRCH;
}

static bool may_inspect(const struct process *p)
{
    return caller_is_root() || current_process()->fsuid == p->euid;
}

static bool fd_is_open(struct process *p, int fd, uint32_t *mode)
{
    struct files *files = proc_files_get(p);
    struct file *f = files ? files_file_at(files, fd) : NULL;

    if (f && mode)
        *mode = S_IFLNK | (f->mode & FMODE_READ ? 0500 : 0) | (f->mode & FMODE_WRITE ? 0300 : 0);
    if (f)
        file_put(f);
    if (files)
        files_put(files);
    return f;
}

/* ---- Links ----------------------------------------------------------------------------------------- */

static char *proc_readlink(struct inode *ip)
{
    struct proc_inode *pi = proc_of(ip);
    struct proc_target to;
    struct text t = {0};
    int err = proc_target_get(pi, &to);

    if (err)
        return err_ptr(err == -ESRCH ? -ENOENT : err);
    err = pi->entry->follow && !may_inspect(to.proc) ? -EACCES : pi->entry->show(&t, &to);
    proc_target_put(&to);
    text_put(&t, "", 1);
    if (!err && t.failed)
        err = -ENOMEM;
    if (!err)
        return t.buf;
    kfree(t.buf);
    return err_ptr(err);
}

static struct dentry *proc_follow(struct inode *ip)
{
    struct proc_inode *pi = proc_of(ip);
    struct proc_target to;
    struct dentry *d;
    int err = proc_target_get(pi, &to);

    if (err)
        return err_ptr(err == -ESRCH ? -ENOENT : err);
    d = may_inspect(to.proc) ? pi->entry->follow(&to) : err_ptr(-EACCES);
    proc_target_put(&to);
    return d;
}

/* ---- Inodes ----------------------------------------------------------------------------------------- */

static bool proc_still_valid(struct inode *ip)
{
    struct proc_inode *pi = proc_of(ip);
    struct proc_target to;
    bool valid = proc_target_get(pi, &to) == 0;

    if (valid) {
        valid = pi->fd < 0 || fd_is_open(to.proc, pi->fd, NULL);
        proc_target_put(&to);
    }
    if (!valid)
        ip->nlink = 0; /* its last user then frees it */
    return valid;
}

/* A process's files belong to whom it runs as; that may change. */
static void proc_getattr(struct inode *ip)
{
    struct process *p = process_find_get(proc_of(ip)->pid);

    if (!p)
        return;
    ip->uid = p->euid;
    ip->gid = p->egid;
    process_put(p);
}

static int proc_truncate(struct inode *ip, uint64_t size) /* `echo 1 > file` asks for it */
{
    (void)ip, (void)size;
    return 0;
}

static int proc_lookup(struct inode *dir, const char *name, size_t len, struct inode **out);
static int proc_iterate(struct file *f, off_t *pos,
                        bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
                                     unsigned type, off_t next),
                        void *arg);

static const struct file_ops dir_fops = {.iterate = proc_iterate};

static const struct inode_ops static_dir_ops = {.lookup = proc_lookup};
static const struct inode_ops static_file_ops = {.truncate = proc_truncate};
static const struct inode_ops static_link_ops = {.readlink = proc_readlink};
static const struct inode_ops dir_ops = {.lookup = proc_lookup,
                                         .getattr = proc_getattr,
                                         .still_valid = proc_still_valid};
static const struct inode_ops file_ops = {.truncate = proc_truncate,
                                          .getattr = proc_getattr,
                                          .still_valid = proc_still_valid};
static const struct inode_ops link_ops = {.readlink = proc_readlink,
                                          .getattr = proc_getattr,
                                          .still_valid = proc_still_valid};
static const struct inode_ops magic_link_ops = {.readlink = proc_readlink,
                                                .follow = proc_follow,
                                                .getattr = proc_getattr,
                                                .still_valid = proc_still_valid};

static const struct inode_ops *ops_for(const struct proc_entry *e, bool of_process)
{
    switch (e->mode & S_IFMT) {
    case S_IFDIR: return of_process ? &dir_ops : &static_dir_ops;
    case S_IFLNK: return e->follow ? &magic_link_ops : of_process ? &link_ops : &static_link_ops;
    default: return of_process ? &file_ops : &static_file_ops;
    }
}

static struct inode *make_inode(struct superblock *sb, const struct proc_entry *e,
                                const struct proc_inode *like)
{
    struct inode *ip = inode_new(sb, atomic_fetch_add(&next_ino, 1));
    struct proc_inode *pi;

    if (!ip)
        return NULL;
    pi = proc_of(ip);
    pi->entry = e;
    pi->pid = like->pid;
    pi->tid = like->tid;
    pi->fd = like->fd;
    pi->start_ns = like->start_ns;
    ip->mode = e->mode;
    ip->ops = ops_for(e, like->pid);
    ip->fops = S_ISDIR(e->mode) ? &dir_fops : S_ISREG(e->mode) ? &proc_text_fops : NULL;
    ip->nlink = S_ISDIR(e->mode) ? 2 : 1;
    ip->atime = ip->mtime = ip->ctime = current_time();
    if (like->pid)
        proc_getattr(ip);
    return ip;
}

/* ---- Directories ------------------------------------------------------------------------------------- */

static void prune_sometimes(struct superblock *sb)
{
    if (atomic_fetch_add(&born, 1) % PRUNE_EVERY != PRUNE_EVERY - 1)
        return;
    dentry_prune(sb->root);
    inode_cache_drop_sb(sb);
}

static int parse_number(const char *name, size_t len)
{
    int n = 0;

    if (!len || len > 9 || (name[0] == '0' && len > 1))
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -1;
        n = n * 10 + (name[i] - '0');
    }
    return n;
}

static const struct proc_entry *find_child(const struct proc_entry *dir, const char *name,
                                           size_t len)
{
    for (const struct proc_entry *e = dir->children; e && e->name; e++)
        if (strlen(e->name) == len && !memcmp(e->name, name, len))
            return e;
    return NULL;
}

/* Fills in the numbers for the entry called n in a directory of numbers; NULL if there is none. */
static const struct proc_entry *find_number(const struct proc_inode *dir, int n,
                                            struct proc_inode *like, uint32_t *mode)
{
    struct proc_target to = {0};
    const struct proc_entry *e = NULL;

    like->pid = dir->entry->kind == PROC_ROOT ? n : dir->pid;
    to.proc = process_find_get(like->pid);
    if (!to.proc)
        return NULL;
    like->start_ns = to.proc->start_ns;
    if (dir->entry->kind == PROC_ROOT) {
        e = &pid_entry;
    } else if (to.proc->start_ns == dir->start_ns && dir->entry->kind == PROC_FDS) {
        like->fd = n;
        e = fd_is_open(to.proc, n, mode) ? &proc_fd_entry : NULL;
    } else if (to.proc->start_ns == dir->start_ns) {
        like->tid = n;
        to.thread = n ? proc_thread_get(to.proc, n) : NULL;
        e = to.thread ? &tid_entry : NULL;
    }
    proc_target_put(&to);
    return e;
}

static int proc_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct proc_inode *pd = proc_of(dir), like = {.fd = -1};
    const struct proc_entry *e = find_child(pd->entry, name, len);
    uint32_t mode = 0;

    if (e) {
        like.pid = pd->pid;
        like.tid = pd->tid;
        like.start_ns = pd->start_ns;
    } else if (pd->entry->kind != PROC_PLAIN && parse_number(name, len) >= 0) {
        e = find_number(pd, parse_number(name, len), &like, &mode);
    }
    if (!e)
        return -ENOENT;
    prune_sometimes(dir->sb);
    *out = make_inode(dir->sb, e, &like);
    if (!*out)
        return -ENOMEM;
    if (mode)
        (*out)->mode = mode;
    return 0;
}

/* The number after `after` in a directory of numbers; -1 at the end. */
static int next_number(const struct proc_inode *dir, int after)
{
    struct process *p;
    int n = -1;

    if (dir->entry->kind == PROC_ROOT) {
        p = process_next_get(MAX(after, 0));
        n = p ? p->pid : -1;
    } else {
        p = process_find_get(dir->pid);
        if (p && dir->entry->kind == PROC_TASKS) {
            n = proc_next_tid(p, after);
        } else if (p) {
            struct files *files = proc_files_get(p);

            n = files ? files_next_fd(files, after + 1) : -1;
            if (files)
                files_put(files);
        }
    }
    if (p)
        process_put(p);
    return n;
}

static unsigned dirent_type(uint32_t mode)
{
    return S_ISDIR(mode) ? DT_DIR_ : S_ISLNK(mode) ? DT_LNK_ : DT_REG_;
}

static int proc_iterate(struct file *f, off_t *pos,
                        bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
                                     unsigned type, off_t next),
                        void *arg)
{
    struct proc_inode *pd = proc_of(f->inode);
    const struct proc_entry *e = pd->entry->children;
    unsigned type = pd->entry->kind == PROC_FDS ? DT_LNK_ : DT_DIR_;
    char number[16];
    off_t at = 2;
    int n;

    for (; *pos < 2; ++*pos)
        if (!emit(arg, "..", *pos + 1, f->inode->ino, DT_DIR_, *pos + 1))
            return 0;
    for (; e && e->name; e++, at++) {
        if (at < *pos)
            continue;
        if (!emit(arg, e->name, strlen(e->name), FIRST_DYNAMIC + at, dirent_type(e->mode), at + 1))
            return 0;
        *pos = at + 1;
    }
    if (pd->entry->kind == PROC_PLAIN)
        return 0;
    /* The position of number n is FIRST_DYNAMIC + n; we go on with numbers not below it. */
    while ((n = next_number(pd, (int)(MAX(*pos, (off_t)FIRST_DYNAMIC) - FIRST_DYNAMIC) - 1)) >= 0) {
        int len = snprintf(number, sizeof(number), "%d", n);

        if (!emit(arg, number, len, FIRST_DYNAMIC * 2UL + n, type, FIRST_DYNAMIC + n + 1))
            return 0;
        *pos = FIRST_DYNAMIC + n + 1;
    }
    return 0;
}

/* ---- Mounting --------------------------------------------------------------------------------------- */

static struct inode *proc_alloc_inode(struct superblock *sb)
{
    struct proc_inode *pi = kcache_alloc(inode_objects, ALLOC_ZERO);

    (void)sb;
    return pi ? &pi->inode : NULL;
}

static void proc_free_inode(struct inode *ip)
{
    kcache_free(inode_objects, proc_of(ip));
}

static int proc_read_inode(struct inode *ip) /* numbers are not found again, see [1] */
{
    (void)ip;
    return -ESTALE;
}

static void proc_statfs(struct superblock *sb, struct fs_stat *st)
{
    (void)sb;
    *st = (struct fs_stat){.magic = PROC_MAGIC, .block_size = PAGE_SIZE, .name_max = NAME_MAX};
}

static const struct super_ops proc_super_ops = {.alloc_inode = proc_alloc_inode,
                                                .free_inode = proc_free_inode,
                                                .read_inode = proc_read_inode,
                                                .statfs = proc_statfs};

static int proc_mount(struct superblock *sb, const char *options)
{
    static const struct proc_inode like = {.fd = -1};
    struct inode *root;

    (void)options;
    sb->ops = &proc_super_ops;
    sb->block_size = PAGE_SIZE;
    sb->max_size = INT64_MAX;
    root = make_inode(sb, &root_entry, &like);
    if (!root)
        return -ENOMEM;
    sb->root = dentry_make_root(sb, root);
    return sb->root ? 0 : -ENOMEM;
}

static struct fs_type procfs = {.name = "proc", .mount = proc_mount};

void procfs_init(void)
{
    inode_objects = kcache_create("proc_inode", sizeof(struct proc_inode));
    fs_register(&procfs);
}
