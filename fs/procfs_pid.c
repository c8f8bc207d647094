/* SPDX-License-Identifier: MIT */
/*
 * /proc/<pid> and /proc/<pid>/task/<tid>. Formats as Linux has them (proc(5)), because ps, top and
 * the C library parse them. Each function gets a referenced process; its thread is NULL for zombies.
 *
 * Nothing is printed under a spinlock (texts grow, which may sleep): values are gathered first.
 * Printing under an address space's lock is fine, that is a mutex.
 */
#include <asm/mman.h>
#include <linux/capability.h>
#include <linux/major.h>

#include "fs/procfs.h"
#include "fs/tty.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/sched.h"

enum { TICK_NS = 10000000 }; /* USER_HZ is 100 */

/* ---- stat, statm, status --------------------------------------------------------------------- */

struct memory { /* bytes */
    uint64_t total, rss, data, stack, code, tables;
};

static void measure_area(struct memory *m, const struct vma *v)
{
    uint64_t len = v->end - v->start;

    m->total += len;
    if (v->flags & VMA_STACK)
        m->stack += len;
    else if (v->file && (v->prot & PROT_EXEC))
        m->code += len;
    else if ((v->prot & PROT_WRITE) && !(v->flags & VMA_SHARED))
        m->data += len;
}

static struct memory measure(struct process *p)
{
    struct addrspace *as = process_addrspace_get(p);
    struct memory m = {0};

    if (!as)
        return m;
    mutex_lock(&as->lock);
    for (unsigned i = 0; i < as->nvmas; i++)
        measure_area(&m, &as->vmas[i]);
    m.rss = as->rss * PAGE_SIZE;
    m.tables = as->pt.own_tables * PAGE_SIZE;
    mutex_unlock(&as->lock);
    addrspace_put(as);
    return m;
}

struct signals {
    uint64_t thread_pending, pending, blocked, ignored, caught;
};

static struct signals gather_signals(const struct proc_target *to)
{
    struct process *p = to->proc;
    struct signals s = {0};

    spin_lock(&p->lock);
    s.pending = p->pending.set;
    if (to->thread) {
        s.thread_pending = to->thread->pending.set;
        s.blocked = to->thread->sig_mask;
    }
    for (int sig = 1; sig <= SIG_COUNT; sig++) {
        uaddr_t handler = p->actions[sig - 1].handler;

        if (handler == (uaddr_t)SIG_IGN)
            s.ignored |= SIGBIT(sig);
        else if (handler != (uaddr_t)SIG_DFL)
            s.caught |= SIGBIT(sig);
    }
    spin_unlock(&p->lock);
    return s;
}

/* The last thread's, where all are gone. */
static const char *name_of(const struct proc_target *to)
{
    return to->thread ? to->thread->name : to->proc->name;
}

static int tid_of(const struct proc_target *to)
{
    return to->thread ? to->thread->tid : to->proc->pid;
}

/* Addresses inside of the process (its code, stack, arguments) are told by maps alone: 0 here. */
static void show_stat(struct text *t, const struct proc_target *to)
{
    struct process *p = to->proc;
    struct signals sig = gather_signals(to);
    struct memory m = measure(p);
    struct usage used = process_usage(p), children;
    int pgid, sid, exit_status;
    struct tty *tty; /* the console, or none */

    spin_lock(&proctree_lock);
    pgid = p->pgid;
    sid = p->sid;
    exit_status = p->exit_status;
    children = p->children_used;
    tty = p->ctty;
    spin_unlock(&proctree_lock);

    text_printf(t, "%d (%s) %c %d %d %d %u %d 0 %lu 0 %lu 0 ", tid_of(to), name_of(to),
                process_state_char(p), p->ppid, pgid, sid, tty ? make_dev(TTY_MAJOR, 64) : 0,
                tty ? READ_ONCE(tty->pgid) : -1, used.minflt, used.majflt);
    text_printf(t, "%lu %lu %lu %lu %d %d %u 0 %lu %lu %lu %lu 0 0 0 0 0 ", used.utime_ns / TICK_NS,
                used.stime_ns / TICK_NS, children.utime_ns / TICK_NS, children.stime_ns / TICK_NS,
                20 + p->nice, p->nice, p->nthreads, p->start_ns / TICK_NS, m.total,
                m.rss / PAGE_SIZE, p->limits[RLIMIT_RSS].rlim_cur);
    text_printf(t, "%lu %lu %lu %lu 0 0 0 %d %u 0 0 0 0 0 0 0 0 0 0 0 0 %d\n",
                sig.pending & 0x7fffffff, sig.blocked & 0x7fffffff, sig.ignored & 0x7fffffff,
                sig.caught & 0x7fffffff, p->exit_signal,
                to->thread && to->thread->hart ? to->thread->hart->index : 0, exit_status);
}

static void show_statm(struct text *t, const struct proc_target *to)
{
    struct memory m = measure(to->proc);

    text_printf(t, "%lu %lu 0 %lu 0 %lu 0\n", m.total / PAGE_SIZE, m.rss / PAGE_SIZE,
                m.code / PAGE_SIZE, (m.data + m.stack) / PAGE_SIZE);
}

static const char *state_word(struct process *p)
{
    switch (process_state_char(p)) {
    case 'R': return "R (running)";
    case 'S': return "S (sleeping)";
    case 'D': return "D (disk sleep)";
    case 'T': return "T (stopped)";
    default: return "Z (zombie)";
    }
}

static void status_ids(struct text *t, const struct proc_target *to)
{
    struct process *p = to->proc;

    text_printf(t,
                "Name:\t%s\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
                name_of(to), state_word(p), p->pid, tid_of(to), p->ppid);
    text_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", p->uid,
                p->euid, p->suid, p->fsuid, p->gid, p->egid, p->sgid, p->fsgid,
                READ_ONCE(p->files) ? 64 : 0);
    for (unsigned i = 0; i < MIN(p->ngroups, (uint32_t)ARRAY_SIZE(p->groups)); i++)
        text_printf(t, "%u ", p->groups[i]);
    text_put(t, "\n");
}

static void status_memory(struct text *t, struct process *p)
{
    struct memory m = measure(p);

    if (!m.tables)
        return;
    text_printf(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8u kB\nVmPin:\t%8u kB\n",
                m.total / 1024, m.total / 1024, 0, 0);
    text_printf(t, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nVmData:\t%8lu kB\nVmStk:\t%8lu kB\n",
                MAX(m.rss, p->dead.maxrss * PAGE_SIZE) / 1024, m.rss / 1024, m.data / 1024,
                m.stack / 1024);
    text_printf(t, "VmExe:\t%8lu kB\nVmLib:\t%8u kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8u kB\n",
                m.code / 1024, 0, m.tables / 1024, 0);
    text_printf(t, "PageTablesOwn:\t%lu\nPageTablesShared:\t%u\n", m.tables / PAGE_SIZE,
                pagetable_shared_count());
}

static void status_signals(struct text *t, const struct proc_target *to)
{
    struct process *p = to->proc;
    struct signals s = gather_signals(to);
    uint64_t all_caps = (1UL << (CAP_LAST_CAP + 1)) - 1, caps = p->euid ? 0 : all_caps;

    text_printf(
        t, "Threads:\t%u\nSigQ:\t0/%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
        p->nthreads, p->limits[RLIMIT_SIGPENDING].rlim_cur, s.thread_pending, s.pending, s.blocked);
    text_printf(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\nCapInh:\t%016lx\nCapPrm:\t%016lx\n",
                s.ignored, s.caught, 0UL, caps);
    text_printf(t, "CapEff:\t%016lx\nCapBnd:\t%016lx\n", caps, all_caps);
}

static void show_status(struct text *t, const struct proc_target *to)
{
    status_ids(t, to);
    status_memory(t, to->proc);
    status_signals(t, to);
    text_printf(
        t, "Cpus_allowed:\t%x\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
        (1U << hart_count) - 1, to->thread ? to->thread->used.nvcsw : 0,
        to->thread ? to->thread->used.nivcsw : 0);
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static const char *area_name(const struct addrspace *as, const struct vma *v)
{
    if (v->file)
        return "";
    if (v->flags & VMA_VDSO || v->start == as->vdso)
        return "[vdso]";
    if (v->flags & VMA_STACK)
        return "[stack]";
    return v->flags & VMA_HEAP ? "[heap]" : "";
}

static void show_area(struct text *t, const struct addrspace *as, const struct vma *v)
{
    unsigned major = 0, minor = 0;
    uint64_t ino = 0;
    size_t line = t->len;
    const char *name = area_name(as, v);

    if (v->file)
        file_map_identity(v->file, &major, &minor, &ino);
    text_printf(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu", v->start, v->end,
                v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
                v->prot & PROT_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p',
                v->file ? v->pgoff << PAGE_SHIFT : 0, major, minor, ino);
    if (v->file || *name)
        text_printf(t, "%*s%s", MAX(73 - (int)(t->len - line), 1), "", name);
    if (v->file)
        (void)text_path(t, v->file->dentry); /* no line of maps fails for its file's name */
    text_put(t, "\n");
}

static void show_maps(struct text *t, const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);

    if (!as)
        return;
    mutex_lock(&as->lock);
    for (unsigned i = 0; i < as->nvmas; i++)
        show_area(t, as, &as->vmas[i]);
    mutex_unlock(&as->lock);
    addrspace_put(as);
}

static void emit_line(void *text, const char *line)
{
    text_put(text, line);
}

static void show_pagetable(struct text *t, const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);

    if (!as)
        return;
    mutex_lock(&as->lock);
    vmprint(&as->pt, emit_line, t);
    mutex_unlock(&as->lock);
    addrspace_put(as);
}

/* User memory from at to end of another process, as far as it can be read. */
static void show_user_range(struct text *t, struct addrspace *as, uaddr_t at, uaddr_t end)
{
    while (at < end) {
        size_t n = MIN(end - at, PAGE_SIZE);
        char *room = text_room(t, n);

        n = room ? addrspace_read(as, room, at, n) : 0;
        if (!n)
            break;
        t->len += n;
        at += n;
    }
}

static void show_cmdline(struct text *t, const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);

    if (as)
        show_user_range(t, as, as->arg_start, as->arg_end);
    addrspace_put(as);
}

static void show_environ(struct text *t, const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);

    if (as)
        show_user_range(t, as, as->env_start, as->env_end);
    addrspace_put(as);
}

/* ---- Names, mounts --------------------------------------------------------------------------- */

static void show_comm(struct text *t, const struct proc_target *to)
{
    text_printf(t, "%s\n", name_of(to));
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

static void show_mounts(struct text *t, const struct proc_target *to)
{
    size_t len = mounts_text(NULL, 0) + PAGE_SIZE, n;
    char *room = text_room(t, len);

    (void)to;
    n = room ? mounts_text(room, len) : 0;
    if (!n)
        t->err = -ENOMEM; /* something is always mounted */
    t->len += MIN(n, len - 1);
}

/* What stands before the next delimiter, as a string; *at moves behind it. */
static const char *cut(char **at, char delimiter)
{
    char *s = *at, *end = strchr(s, delimiter);

    *at = end ? end + 1 : s + strlen(s);
    if (end)
        *end = '\0';
    return s;
}

/* From lines "source directory type options 0 0". */
static void show_mountinfo(struct text *t, const struct proc_target *to)
{
    struct text mounts = {0};
    char *at, *end;
    int id = 1;

    show_mounts(&mounts, to);
    end = text_room(&mounts, 1);
    if (end)
        *end = '\0';
    for (at = end ? mounts.buf : NULL; at && *at; id++) {
        const char *source = cut(&at, ' '), *dir = cut(&at, ' '), *type = cut(&at, ' ');
        const char *options = cut(&at, ' ');

        (void)cut(&at, '\n');
        text_printf(t, "%d %d 0:%d / %s %s - %s %s %s\n", id, id > 1, id, dir, options, type,
                    source, options);
    }
    if (!end)
        t->err = -ENOMEM;
    kfree(mounts.buf);
}

/* ---- Fault injection ------------------------------------------------------------------------- */

static void show_fail_nth(struct text *t, const struct proc_target *to)
{
    text_printf(t, "%u\n", to->thread ? to->thread->fail_nth : 0);
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

/* ---- Links ----------------------------------------------------------------------------------- */

static struct dentry *follow_exe(const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);
    struct dentry *d = as && as->exe ? dentry_ref(as->exe->dentry) : err_ptr(-ENOENT);

    addrspace_put(as);
    return d;
}

static struct dentry *follow_cwd(const struct proc_target *to)
{
    struct files *files = proc_files_get(to->proc);
    struct dentry *d = files ? files_cwd(files) : err_ptr(-ENOENT);

    files_put(files);
    return d;
}

static struct dentry *follow_root(const struct proc_target *to)
{
    struct files *files = proc_files_get(to->proc);
    struct dentry *d = files ? files_root(files) : err_ptr(-ENOENT);

    files_put(files);
    return d;
}

/* A thread has all but the first. */
const struct proc_entry proc_pid_entries[] = {
    {"task", S_IFDIR | 0555, .kind = PROC_TASKS},
    {"fd", S_IFDIR | 0500, .kind = PROC_FDS},
    {"stat", S_IFREG | 0444, .show = show_stat},
    {"statm", S_IFREG | 0444, .show = show_statm},
    {"status", S_IFREG | 0444, .show = show_status},
    {"comm", S_IFREG | 0644, .show = show_comm, .write = write_comm},
    {"cmdline", S_IFREG | 0444, .show = show_cmdline},
    {"environ", S_IFREG | 0400, .show = show_environ},
    {"exe", S_IFLNK | 0777, .follow = follow_exe},
    {"cwd", S_IFLNK | 0777, .follow = follow_cwd},
    {"root", S_IFLNK | 0777, .follow = follow_root},
    {"maps", S_IFREG | 0444, .show = show_maps},
    {"pagetable", S_IFREG | 0444, .show = show_pagetable},
    {"mounts", S_IFREG | 0444, .show = show_mounts},
    {"mountinfo", S_IFREG | 0444, .show = show_mountinfo},
    {"fail-nth", S_IFREG | 0644, .show = show_fail_nth, .write = write_fail_nth},
    {0},
};
