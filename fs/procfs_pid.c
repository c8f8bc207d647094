/* SPDX-License-Identifier: MIT */
/*
 * /proc/<pid> and /proc/<pid>/task/<tid>: their tables, the files that are no statistics (those are
 * in procfs_status.c), and the magic links. Each function gets a referenced process; its thread is
 * NULL for zombies.
 */
#include "fs/procfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"

/* User memory from..end of another process, as far as it can be read. */
static int show_user_range(struct text *t, struct process *p, bool environment)
{
    struct addrspace *as = process_addrspace_get(p);
    char *piece = kmalloc(PAGE_SIZE, 0);
    uaddr_t at, end;

    if (as && piece) {
        at = environment ? as->env_start : as->arg_start;
        end = environment ? as->env_end : as->arg_end;
        while (at < end) {
            size_t n = addrspace_read(as, piece, at, MIN(end - at, PAGE_SIZE));

            if (!n)
                break;
            text_put(t, piece, n);
            at += n;
        }
    }
    kfree(piece);
    if (as)
        addrspace_put(as);
    return piece ? 0 : -ENOMEM;
}

static int show_cmdline(struct text *t, const struct proc_target *to)
{
    return show_user_range(t, to->proc, false);
}

static int show_environ(struct text *t, const struct proc_target *to)
{
    return show_user_range(t, to->proc, true);
}

/* ---- Names, limits, mounts -------------------------------------------------------------------------- */

static int show_comm(struct text *t, const struct proc_target *to)
{
    text_printf(t, "%s\n", proc_thread_name(to));
    return 0;
}

static int write_comm(const struct proc_target *to, char *input)
{
    if (!to->thread)
        return -ESRCH;
    if (to->proc != current_process())
        return -EINVAL;
    strlcpy(to->thread->name, input, sizeof(to->thread->name));
    return 0;
}

static void show_limit(struct text *t, const char *name, const struct rlimit *l, const char *unit)
{
    text_printf(t, "%-25s ", name);
    if (l->rlim_cur == RLIM_INFINITY)
        text_printf(t, "%-20s ", "unlimited");
    else
        text_printf(t, "%-20lu ", l->rlim_cur);
    if (l->rlim_max == RLIM_INFINITY)
        text_printf(t, "%-20s ", "unlimited");
    else
        text_printf(t, "%-20lu ", l->rlim_max);
    text_printf(t, "%-10s\n", unit);
}

static int show_limits(struct text *t, const struct proc_target *to)
{
    static const char *const names[RLIM_NLIMITS][2] = {
        [RLIMIT_CPU] = {"Max cpu time", "seconds"},
        [RLIMIT_FSIZE] = {"Max file size", "bytes"},
        [RLIMIT_DATA] = {"Max data size", "bytes"},
        [RLIMIT_STACK] = {"Max stack size", "bytes"},
        [RLIMIT_CORE] = {"Max core file size", "bytes"},
        [RLIMIT_RSS] = {"Max resident set", "bytes"},
        [RLIMIT_NPROC] = {"Max processes", "processes"},
        [RLIMIT_NOFILE] = {"Max open files", "files"},
        [RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
        [RLIMIT_AS] = {"Max address space", "bytes"},
        [RLIMIT_LOCKS] = {"Max file locks", "locks"},
        [RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
        [RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
        [RLIMIT_NICE] = {"Max nice priority", ""},
        [RLIMIT_RTPRIO] = {"Max realtime priority", ""},
        [RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
    };

    text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit l;

        spin_lock(&to->proc->lock);
        l = to->proc->limits[i];
        spin_unlock(&to->proc->lock);
        show_limit(t, names[i][0], &l, names[i][1]);
    }
    return 0;
}

static int show_mounts(struct text *t, const struct proc_target *to)
{
    size_t len = mounts_text(NULL, 0) + PAGE_SIZE;
    char *buf = kmalloc(len, 0);

    (void)to;
    if (!buf)
        return -ENOMEM;
    text_put(t, buf, MIN(mounts_text(buf, len), len - 1));
    kfree(buf);
    return 0;
}

/* Ends the word at its next space; what follows. */
static char *cut_word(char *s, const char **word)
{
    *word = s;
    for (; *s && *s != ' '; s++)
        ;
    if (*s)
        *s++ = '\0';
    return s;
}

/* From lines "source directory type options 0 0". */
static int show_mountinfo(struct text *t, const struct proc_target *to)
{
    struct text mounts = {0};
    int err = show_mounts(&mounts, to), id = 1;
    char *line, *next;

    text_put(&mounts, "", 1);
    for (line = mounts.buf; !err && !mounts.failed && *line; line = next, id++) {
        const char *source, *dir, *type, *options;
        char *newline = strchr(line, '\n');

        if (!newline)
            break;
        *newline = '\0';
        next = newline + 1;
        line = cut_word(line, &source);
        line = cut_word(line, &dir);
        line = cut_word(line, &type);
        cut_word(line, &options);
        text_printf(t, "%d %d 0:%d / %s %s - %s %s %s\n", id, id > 1, id, dir, options, type,
                    source, options);
    }
    err = err ? err : mounts.failed ? -ENOMEM : 0;
    kfree(mounts.buf);
    return err;
}

/* ---- Fault injection ---------------------------------------------------------------------------------- */

static int show_fail_nth(struct text *t, const struct proc_target *to)
{
    text_printf(t, "%u\n", to->thread ? to->thread->fail_nth : 0);
    return 0;
}

static int write_fail_nth(const struct proc_target *to, char *input)
{
    const char *end;
    uint64_t n = strtou64(input, &end);

    if (*end || end == input || n > UINT32_MAX)
        return -EINVAL;
    if (!to->thread)
        return -ESRCH;
    to->thread->fail_nth = n;
    return 0;
}

/* ---- Links ---------------------------------------------------------------------------------------------- */

static struct dentry *follow_exe(const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);
    struct dentry *d = as && as->exe ? dentry_ref(as->exe->dentry) : err_ptr(-ENOENT);

    if (as)
        addrspace_put(as);
    return d;
}

static struct dentry *follow_dir(const struct proc_target *to,
                                 struct dentry *(*get)(struct files *files))
{
    struct files *files = proc_files_get(to->proc);
    struct dentry *d = files ? get(files) : err_ptr(-ENOENT);

    if (files)
        files_put(files);
    return d;
}

static struct dentry *follow_cwd(const struct proc_target *to)
{
    return follow_dir(to, files_cwd);
}

static struct dentry *follow_root(const struct proc_target *to)
{
    return follow_dir(to, files_root);
}

static struct dentry *follow_fd(const struct proc_target *to)
{
    struct files *files = proc_files_get(to->proc);
    struct file *f = files ? files_file_at(files, to->fd) : NULL;
    struct dentry *d = f ? dentry_ref(f->dentry) : err_ptr(-ENOENT);

    if (f)
        file_put(f);
    if (files)
        files_put(files);
    return d;
}

static int show_path(struct text *t, struct dentry *d)
{
    char *buf, *path;
    int err = 0;

    if (is_err(d))
        return ptr_err(d);
    buf = kmalloc(PATH_MAX, 0);
    if (buf) {
        path = dentry_path(d, buf, PATH_MAX);
        if (is_err(path))
            err = ptr_err(path);
        else
            text_put(t, path, strlen(path));
    }
    kfree(buf);
    dentry_put(d);
    return buf ? err : -ENOMEM;
}

static int show_exe(struct text *t, const struct proc_target *to)
{
    return show_path(t, follow_exe(to));
}

static int show_cwd(struct text *t, const struct proc_target *to)
{
    return show_path(t, follow_cwd(to));
}

static int show_root(struct text *t, const struct proc_target *to)
{
    return show_path(t, follow_root(to));
}

static int show_fd(struct text *t, const struct proc_target *to)
{
    return show_path(t, follow_fd(to));
}

const struct proc_entry proc_fd_entry = {.name = "",
                                         .mode = S_IFLNK | 0700,
                                         .show = show_fd,
                                         .follow = follow_fd};

#define COMMON_ENTRIES                                                                    \
    {"fd", S_IFDIR | 0500, PROC_FDS, NULL, NULL, NULL, NULL},                             \
        {"stat", S_IFREG | 0444, PROC_PLAIN, NULL, proc_show_stat, NULL, NULL},           \
        {"statm", S_IFREG | 0444, PROC_PLAIN, NULL, proc_show_statm, NULL, NULL},         \
        {"status", S_IFREG | 0444, PROC_PLAIN, NULL, proc_show_status, NULL, NULL},       \
        {"comm", S_IFREG | 0644, PROC_PLAIN, NULL, show_comm, write_comm, NULL},          \
        {"cmdline", S_IFREG | 0444, PROC_PLAIN, NULL, show_cmdline, NULL, NULL},          \
        {"environ", S_IFREG | 0400, PROC_PLAIN, NULL, show_environ, NULL, NULL},          \
        {"exe", S_IFLNK | 0777, PROC_PLAIN, NULL, show_exe, NULL, follow_exe},            \
        {"cwd", S_IFLNK | 0777, PROC_PLAIN, NULL, show_cwd, NULL, follow_cwd},            \
        {"root", S_IFLNK | 0777, PROC_PLAIN, NULL, show_root, NULL, follow_root},         \
        {"maps", S_IFREG | 0444, PROC_PLAIN, NULL, proc_show_maps, NULL, NULL},           \
        {"pagetable", S_IFREG | 0444, PROC_PLAIN, NULL, proc_show_pagetable, NULL, NULL}, \
        {"limits", S_IFREG | 0444, PROC_PLAIN, NULL, show_limits, NULL, NULL},            \
        {"mounts", S_IFREG | 0444, PROC_PLAIN, NULL, show_mounts, NULL, NULL},            \
        {"mountinfo", S_IFREG | 0444, PROC_PLAIN, NULL, show_mountinfo, NULL, NULL},      \
    {                                                                                     \
        "fail-nth", S_IFREG | 0644, PROC_PLAIN, NULL, show_fail_nth, write_fail_nth, NULL \
    }

const struct proc_entry proc_tid_entries[] = {COMMON_ENTRIES, {0}};

const struct proc_entry proc_pid_entries[] = {
    {"task", S_IFDIR | 0555, PROC_TASKS, NULL, NULL, NULL, NULL},
    COMMON_ENTRIES,
    {0}};
