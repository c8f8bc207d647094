/* SPDX-License-Identifier: MIT */
/*
 * The proc file system: inodes, directories and files made from the tables of struct proc_entry. An
 * inode knows its entry and, below /proc/<pid>, the process by number and start time; it holds no
 * reference, so that being looked at keeps nobody alive. still_valid asks whether the process is
 * still the same.
 *
 * A file's whole text is made by its entry's function at the first read and at each read from
 * position 0, and copied to the user from there. A reader in the middle keeps the text it began
 * with, so that lines do not shift under it.
 *
 * [1] Inode numbers are never used twice; an inode serves one dentry.
 * [2] Names of processes come and go without end, so every PRUNE_EVERY new inodes all that are
 *     unused are thrown away, instead of waiting for memory to become short.
 */
#include "fs/procfs.h"

#include <linux/magic.h>

#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"

enum { PRUNE_EVERY = 64, FIRST_DYNAMIC = 0x1000, MAX_INPUT = 4096 };

struct proc_key { /* inode->fs_private: what it is about, by numbers */
    const struct proc_entry *entry;
    int pid, tid, fd;  /* 0, 0, -1 where it has none */
    uint64_t start_ns; /* the process's: tells it from a later one of the same number */
};

struct proc_file {     /* file->private_data */
    struct mutex lock; /* MUTEX_TEXT: guards text; held over what makes the text and copies it */
    struct text text;
};

static _Atomic uint64_t next_ino = 1;
static _Atomic unsigned born; /* inodes since the last pruning */

static struct dentry *follow_fd(const struct proc_target *to)
{
    return dentry_ref(to->file->dentry);
}

static const struct proc_entry root_entry = {.mode = S_IFDIR | 0555,
                                             .kind = PROC_ROOT,
                                             .children = proc_root_entries};
static const struct proc_entry pid_entry = {.mode = S_IFDIR | 0555, .children = proc_pid_entries};
static const struct proc_entry tid_entry = {.mode = S_IFDIR | 0555,
                                            .children = proc_pid_entries + 1};
static const struct proc_entry fd_entry = {.mode = S_IFLNK, .follow = follow_fd};

static const struct proc_key *key_of(const struct inode *ip)
{
    return ip->fs_private;
}

/* ---- Processes ------------------------------------------------------------------------------- */

struct files *proc_files_get(struct process *p)
{
    struct files *files;

    spin_lock(&p->lock);
    files = p->files ? files_share(p->files) : NULL;
    spin_unlock(&p->lock);
    return files;
}

static struct file *file_at(struct process *p, int fd)
{
    struct files *files = proc_files_get(p);
    struct file *f = files ? files_file_at(files, fd) : NULL;

    files_put(files);
    return f;
}

/* tid 0: the leader, or any. */
static struct thread *thread_of(struct process *p, int tid)
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

static void target_put(struct proc_target *to)
{
    if (to->file)
        file_put(to->file);
    if (to->thread)
        thread_put(to->thread);
    if (to->proc)
        process_put(to->proc);
}

/* What the key is about, as long as it exists. */
static int target_get(const struct proc_key *key, struct proc_target *to)
{
    *to = (struct proc_target){0};
    if (!key->pid)
        return 0;
    to->proc = process_find_get(key->pid);
    if (to->proc) {
        to->thread = thread_of(to->proc, key->tid);
        to->file = key->fd < 0 ? NULL : file_at(to->proc, key->fd);
        if (to->proc->start_ns == key->start_ns && (to->thread || !key->tid) &&
            (to->file || key->fd < 0))
            return 0;
    }
    target_put(to);
    return S_ISLNK(key->entry->mode) ? -ENOENT : -ESRCH;
}

/* ---- Texts ----------------------------------------------------------------------------------- */

/* Where magic links lead is for root and the process's own user. */
static struct dentry *proc_follow(struct inode *ip)
{
    const struct proc_key *key = key_of(ip);
    struct proc_target to;
    struct dentry *d;
    int err = target_get(key, &to);
    bool allowed;

    if (err)
        return err_ptr(err);
    allowed = caller_is_root() || current_process()->fsuid == to.proc->euid;
    d = allowed ? key->entry->follow(&to) : err_ptr(-EACCES);
    target_put(&to);
    return d;
}

static int render_link(struct text *t, struct dentry *d)
{
    int err;

    if (is_err(d))
        return ptr_err(d);
    err = text_path(t, d);
    dentry_put(d);
    return err;
}

static int render(struct text *t, struct inode *ip)
{
    const struct proc_entry *e = key_of(ip)->entry;
    struct proc_target to;

    t->len = 0;
    if (e->follow)
        return t->err = render_link(t, proc_follow(ip));
    t->err = target_get(key_of(ip), &to);
    if (t->err)
        return t->err;
    if (e->text)
        text_printf(t, "%s%s", e->text, S_ISREG(e->mode) ? "\n" : "");
    else if (e->print)
        e->print(t);
    else if (e->show)
        e->show(t, &to);
    else
        t->err = -EINVAL;
    target_put(&to);
    return t->err;
}

/* ---- Files ----------------------------------------------------------------------------------- */

static int proc_open(struct inode *ip, struct file *f)
{
    struct proc_file *pf = kzalloc(sizeof(*pf));

    (void)ip;
    if (!pf)
        return -ENOMEM;
    mutex_init(&pf->lock, MUTEX_TEXT);
    f->private_data = pf;
    return 0;
}

static void proc_release(struct file *f)
{
    struct proc_file *pf = f->private_data;

    kfree(pf->text.buf);
    kfree(pf);
}

static ssize_t proc_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    struct proc_file *pf = f->private_data;
    struct text *t = &pf->text;
    ssize_t n = 0;

    mutex_lock(&pf->lock);
    if (!*pos || !t->buf || t->err)
        n = render(t, f->inode);
    if (!n && (size_t)*pos < t->len) {
        n = (ssize_t)MIN(len, t->len - (size_t)*pos);
        if (copy_to_user(ubuf, t->buf + *pos, (size_t)n))
            n = -EFAULT;
        else
            *pos += n;
    }
    mutex_unlock(&pf->lock);
    return n;
}

static ssize_t proc_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    const struct proc_key *key = key_of(f->inode);
    struct proc_target to;
    char *input;
    int err;

    if (!key->entry->write || len >= MAX_INPUT)
        return -EINVAL;
    input = kmalloc(len + 1, 0);
    if (!input)
        return -ENOMEM;
    err = copy_from_user(input, ubuf, len);
    if (!err)
        err = target_get(key, &to);
    if (!err) {
        input[len - (len && input[len - 1] == '\n')] = '\0';
        err = key->entry->write(&to, input);
        target_put(&to);
    }
    kfree(input);
    if (err)
        return err;
    *pos += len;
    return len;
}

static const struct file_ops text_fops = {.open = proc_open,
                                          .release = proc_release,
                                          .read = proc_read,
                                          .write = proc_write};

/* ---- Inodes ---------------------------------------------------------------------------------- */

static char *proc_readlink(struct inode *ip)
{
    struct text t = {0};
    char *end;

    if (!render(&t, ip) && (end = text_room(&t, 1)))
        *end = '\0';
    if (!t.err)
        return t.buf;
    kfree(t.buf);
    return err_ptr(t.err);
}

/* A process's files belong to whom it runs as; that may change. */
static void proc_getattr(struct inode *ip)
{
    struct process *p = process_find_get(key_of(ip)->pid);

    if (!p)
        return;
    ip->uid = p->euid;
    ip->gid = p->egid;
    process_put(p);
}

static bool proc_still_valid(struct inode *ip)
{
    struct proc_target to;

    if (!target_get(key_of(ip), &to)) {
        target_put(&to);
        proc_getattr(ip); /* permission is asked next */
        return true;
    }
    ip->nlink = 0; /* its last user then frees it */
    return false;
}

static int proc_truncate(struct inode *ip, uint64_t size) /* `echo 1 > file` asks for it */
{
    (void)ip, (void)size;
    return 0;
}

static int proc_lookup(struct inode *dir, const char *name, size_t len, struct inode **out);

/* For all of them: an inode is asked only what its type can answer. */
static const struct inode_ops plain_ops = {.lookup = proc_lookup,
                                           .readlink = proc_readlink,
                                           .truncate = proc_truncate,
                                           .getattr = proc_getattr,
                                           .still_valid = proc_still_valid};
static const struct inode_ops magic_ops = {.readlink = proc_readlink,
                                           .follow = proc_follow,
                                           .getattr = proc_getattr,
                                           .still_valid = proc_still_valid};
static const struct file_ops dir_fops;

static struct inode *make_inode(struct superblock *sb, const struct proc_key *key, uint32_t mode)
{
    struct proc_key *copy = kmalloc(sizeof(*copy), 0);
    struct inode *ip = copy ? inode_new(sb, atomic_fetch_add(&next_ino, 1)) : NULL;

    if (!ip) {
        kfree(copy);
        return NULL;
    }
    *copy = *key;
    ip->fs_private = copy;
    ip->mode = mode;
    ip->ops = key->entry->follow ? &magic_ops : &plain_ops;
    ip->fops = S_ISDIR(mode) ? &dir_fops : S_ISREG(mode) ? &text_fops : NULL;
    ip->nlink = S_ISDIR(mode) ? 2 : 1;
    ip->atime = ip->mtime = ip->ctime = current_time();
    proc_getattr(ip);
    return ip;
}

/* ---- Directories ----------------------------------------------------------------------------- */

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

/* Turns a directory's key into that of its entry n, where its entries are numbers. */
static bool enter_number(struct proc_key *key, int n)
{
    struct process *p;

    switch (n < 0 ? PROC_PLAIN : key->entry->kind) {
    case PROC_ROOT:
        p = process_find_get(n);
        if (!p)
            return false;
        *key = (struct proc_key){&pid_entry, n, 0, -1, p->start_ns};
        process_put(p);
        return true;
    case PROC_TASKS:
        key->entry = &tid_entry;
        key->tid = n;
        return n > 0;
    case PROC_FDS:
        key->entry = &fd_entry;
        key->fd = n;
        return true;
    default: return false;
    }
}

static bool enter(struct proc_key *key, const char *name, size_t len)
{
    for (const struct proc_entry *e = key->entry->children; e && e->name; e++) {
        if (strlen(e->name) == len && !memcmp(e->name, name, len)) {
            key->entry = e;
            return true;
        }
    }
    return enter_number(key, parse_number(name, len));
}

static int proc_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct proc_key key = *key_of(dir);
    struct proc_target to;
    uint32_t mode;

    if (!enter(&key, name, len) || target_get(&key, &to))
        return -ENOENT;
    mode = key.entry->mode;
    if (to.file) /* a descriptor's rights are its file's */
        mode |= (to.file->mode & FMODE_READ ? 0500 : 0) | (to.file->mode & FMODE_WRITE ? 0300 : 0);
    target_put(&to);
    prune_sometimes(dir->sb);
    *out = make_inode(dir->sb, &key, mode);
    return *out ? 0 : -ENOMEM;
}

static int next_tid(struct process *p, int after)
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

static int next_fd(struct process *p, int after)
{
    struct files *files = proc_files_get(p);
    int fd = files ? files_next_fd(files, after + 1) : -1;

    files_put(files);
    return fd;
}

/* The number after `after` in a directory of numbers; -1 at the end. */
static int next_number(const struct proc_key *dir, int after)
{
    enum proc_kind kind = dir->entry->kind;
    struct process *p =
        kind == PROC_ROOT ? process_next_get(MAX(after, 0)) : process_find_get(dir->pid);
    int n;

    if (!p)
        return -1;
    n = kind == PROC_ROOT ? p->pid : kind == PROC_TASKS ? next_tid(p, after) : next_fd(p, after);
    process_put(p);
    return n;
}

/* Positions: 0 and 1 "." and "..", then the table's entries; that of number n is FIRST_DYNAMIC + n,
 * and we go on with numbers not below it. */
static int proc_iterate(struct file *f, off_t *pos,
                        bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
                                     unsigned type, off_t next),
                        void *arg)
{
    const struct proc_key *key = key_of(f->inode);
    const struct proc_entry *e = key->entry->children;
    unsigned type = (key->entry->kind == PROC_FDS ? S_IFLNK : S_IFDIR) >> 12; /* DT_* */
    char number[16];
    off_t at = 2;
    int n;

    for (; *pos < 2; ++*pos)
        if (!emit(arg, "..", *pos + 1, f->inode->ino, S_IFDIR >> 12, *pos + 1))
            return 0;
    for (; e && e->name; e++, at++) {
        if (at < *pos)
            continue;
        if (!emit(arg, e->name, strlen(e->name), FIRST_DYNAMIC + at, e->mode >> 12, at + 1))
            return 0;
        *pos = at + 1;
    }
    if (key->entry->kind == PROC_PLAIN)
        return 0;
    *pos = MAX(*pos, (off_t)FIRST_DYNAMIC);
    while ((n = next_number(key, (int)(*pos - FIRST_DYNAMIC) - 1)) >= 0) {
        int len = snprintf(number, sizeof(number), "%d", n);

        if (!emit(arg, number, len, FIRST_DYNAMIC * 2UL + n, type, FIRST_DYNAMIC + n + 1))
            return 0;
        *pos = FIRST_DYNAMIC + n + 1;
    }
    return 0;
}

static const struct file_ops dir_fops = {.iterate = proc_iterate};

/* ---- Mounting -------------------------------------------------------------------------------- */

static void proc_evict_inode(struct inode *ip)
{
    kfree(ip->fs_private);
}

static void proc_statfs(struct superblock *sb, struct fs_stat *st)
{
    (void)sb;
    st->magic = PROC_SUPER_MAGIC;
}

static const struct super_ops proc_super_ops = {.statfs = proc_statfs,
                                                .evict_inode = proc_evict_inode};

static int proc_mount(struct superblock *sb, const char *options)
{
    static const struct proc_key root = {.entry = &root_entry, .fd = -1};
    struct inode *ip;

    (void)options;
    sb->ops = &proc_super_ops;
    sb->block_size = PAGE_SIZE;
    ip = make_inode(sb, &root, root_entry.mode);
    sb->root = ip ? dentry_make_anon("/", ip) : NULL;
    if (sb->root)
        return 0;
    inode_cache_drop_sb(sb); /* it has a link: it would stay, and sb does not */
    return -ENOMEM;
}

static struct fs_type procfs = {.name = "proc", .mount = proc_mount};

void procfs_init(void)
{
    fs_register(&procfs);
}
