/* SPDX-License-Identifier: MIT */
/*
 * The numbers of a process: /proc/<pid>/stat, statm, status, maps, pagetable. Formats as Linux has
 * them (proc(5)), because ps, top and the C library parse them.
 *
 * Nothing is printed under a spinlock (texts grow, which may sleep): values are gathered first.
 * Printing under an address space's lock is fine, that is a mutex.
 */
#include <asm/mman.h>
#include <linux/capability.h>

#include "fs/procfs.h"
#include "fs/tty.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/files.h"
#include "proc/sched.h"

enum { TICK_NS = 10000000 }; /* USER_HZ is 100 */

struct memory {
    uint64_t total, rss, data, stack, code; /* bytes, rss in pages */
    uaddr_t code_start, code_end, stack_top, brk_start, arg_start, arg_end, env_start, env_end;
    unsigned tables;
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
    if (v->file && (v->prot & PROT_EXEC) && !m->code_end) {
        m->code_start = v->start;
        m->code_end = v->end;
    }
}

static void measure(struct process *p, struct memory *m)
{
    struct addrspace *as = process_addrspace_get(p);

    memset(m, 0, sizeof(*m));
    if (!as)
        return;
    mutex_lock(&as->lock);
    for (unsigned i = 0; i < as->nvmas; i++)
        measure_area(m, &as->vmas[i]);
    m->rss = as->rss;
    m->tables = as->pt.own_tables;
    mutex_unlock(&as->lock);
    m->stack_top = as->stack_top;
    m->brk_start = as->brk_start;
    m->arg_start = as->arg_start;
    m->arg_end = as->arg_end;
    m->env_start = as->env_start;
    m->env_end = as->env_end;
    addrspace_put(as);
}

struct signals {
    uint64_t thread_pending, pending, blocked, ignored, caught;
};

static void gather_signals(const struct proc_target *to, struct signals *s)
{
    struct process *p = to->proc;

    memset(s, 0, sizeof(*s));
    spin_lock(&p->lock);
    s->pending = p->pending.set;
    if (to->thread) {
        s->thread_pending = to->thread->pending.set;
        s->blocked = to->thread->sig_mask;
    }
    for (int sig = 1; sig <= SIG_COUNT; sig++) {
        uaddr_t handler = p->actions[sig - 1].handler;

        if (handler == (uaddr_t)SIG_IGN)
            s->ignored |= SIGBIT(sig);
        else if (handler != (uaddr_t)SIG_DFL)
            s->caught |= SIGBIT(sig);
    }
    spin_unlock(&p->lock);
}

struct family { /* what proctree_lock guards */
    int ppid, pgid, sid, exit_status, foreground;
    uint32_t tty;
    uint64_t child_utime_ns, child_stime_ns;
};

static void gather_family(struct process *p, struct family *fam)
{
    struct tty *t;

    spin_lock(&proctree_lock);
    *fam = (struct family){.ppid = p->parent ? p->parent->pid : 0,
                           .pgid = p->pgid,
                           .sid = p->sid,
                           .exit_status = p->exit_status,
                           .child_utime_ns = p->children_used.utime_ns,
                           .child_stime_ns = p->children_used.stime_ns};
    t = p->ctty;
    spin_unlock(&proctree_lock);
    tty_describe(t, &fam->tty, &fam->foreground);
}

const char *proc_thread_name(const struct proc_target *to)
{
    return to->thread ? to->thread->name : "?";
}

static char state_of(const struct proc_target *to)
{
    return process_state_char(to->proc);
}

/* ---- stat, statm, status ------------------------------------------------------------------------- */

int proc_show_stat(struct text *t, const struct proc_target *to)
{
    struct process *p = to->proc;
    struct family fam;
    struct signals sig;
    struct memory m;
    struct usage used = process_usage(p);

    gather_family(p, &fam);
    gather_signals(to, &sig);
    measure(p, &m);
    text_printf(t, "%d (%s) %c %d %d %d %u %d 0 %lu 0 %lu 0 ",
                to->thread ? to->thread->tid : p->pid, proc_thread_name(to), state_of(to), fam.ppid,
                fam.pgid, fam.sid, fam.tty, fam.tty ? fam.foreground : -1, used.minflt,
                used.majflt);
    text_printf(t, "%lu %lu %lu %lu %d %d %u 0 %lu %lu %lu %lu ", used.utime_ns / TICK_NS,
                used.stime_ns / TICK_NS, fam.child_utime_ns / TICK_NS, fam.child_stime_ns / TICK_NS,
                20 + p->nice, p->nice, p->nthreads, p->start_ns / TICK_NS, m.total, m.rss,
                p->limits[RLIMIT_RSS].rlim_cur);
    text_printf(t, "%lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 %d %u 0 0 0 0 0 ", m.code_start,
                m.code_end, m.stack_top, sig.pending & 0x7fffffff, sig.blocked & 0x7fffffff,
                sig.ignored & 0x7fffffff, sig.caught & 0x7fffffff, p->exit_signal,
                to->thread && to->thread->hart ? to->thread->hart->index : 0);
    text_printf(t, "%lu %lu %lu %lu %lu %lu %lu %d\n", m.code_end, m.brk_start, m.brk_start,
                m.arg_start, m.arg_end, m.env_start, m.env_end, fam.exit_status);
    return 0;
}

int proc_show_statm(struct text *t, const struct proc_target *to)
{
    struct memory m;

    measure(to->proc, &m);
    text_printf(t, "%lu %lu 0 %lu 0 %lu 0\n", m.total / PAGE_SIZE, m.rss, m.code / PAGE_SIZE,
                (m.data + m.stack) / PAGE_SIZE);
    return 0;
}

static const char *state_word(char c)
{
    switch (c) {
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
    struct family fam;
    struct files *files = proc_files_get(p);

    gather_family(p, &fam);
    text_printf(t,
                "Name:\t%s\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
                proc_thread_name(to), state_word(state_of(to)), p->pid,
                to->thread ? to->thread->tid : p->pid, fam.ppid);
    text_printf(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t%u\nGroups:\t", p->uid,
                p->euid, p->suid, p->fsuid, p->gid, p->egid, p->sgid, p->fsgid, files ? 64 : 0);
    for (unsigned i = 0; i < MIN(p->ngroups, (uint32_t)ARRAY_SIZE(p->groups)); i++)
        text_printf(t, "%u ", p->groups[i]);
    text_printf(t, "\n");
    if (files)
        files_put(files);
}

static void status_memory(struct text *t, struct process *p)
{
    struct memory m;
    uint64_t rss;

    measure(p, &m);
    if (!m.tables)
        return;
    rss = m.rss * PAGE_SIZE / 1024;
    text_printf(t, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8u kB\nVmPin:\t%8u kB\n",
                m.total / 1024, m.total / 1024, 0, 0);
    text_printf(t, "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\nVmData:\t%8lu kB\nVmStk:\t%8lu kB\n",
                MAX(rss, p->dead.maxrss * PAGE_SIZE / 1024), rss, m.data / 1024, m.stack / 1024);
    text_printf(t, "VmExe:\t%8lu kB\nVmLib:\t%8u kB\nVmPTE:\t%8lu kB\nVmSwap:\t%8u kB\n",
                m.code / 1024, 0, m.tables * PAGE_SIZE / 1024, 0);
    text_printf(t, "PageTablesOwn:\t%u\nPageTablesShared:\t%u\n", m.tables,
                pagetable_shared_count());
}

static void status_signals(struct text *t, const struct proc_target *to)
{
    struct process *p = to->proc;
    struct signals s;
    uint64_t caps = p->euid ? 0 : (1UL << (CAP_LAST_CAP + 1)) - 1;

    gather_signals(to, &s);
    text_printf(
        t, "Threads:\t%u\nSigQ:\t0/%lu\nSigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\n",
        p->nthreads, p->limits[RLIMIT_SIGPENDING].rlim_cur, s.thread_pending, s.pending, s.blocked);
    text_printf(t, "SigIgn:\t%016lx\nSigCgt:\t%016lx\nCapInh:\t%016lx\nCapPrm:\t%016lx\n",
                s.ignored, s.caught, 0UL, caps);
    text_printf(t, "CapEff:\t%016lx\nCapBnd:\t%016lx\n", caps, (1UL << (CAP_LAST_CAP + 1)) - 1);
}

int proc_show_status(struct text *t, const struct proc_target *to)
{
    struct process *p = to->proc;
    uint64_t voluntary = to->thread ? to->thread->used.nvcsw : 0;
    uint64_t involuntary = to->thread ? to->thread->used.nivcsw : 0;

    status_ids(t, to);
    status_memory(t, p);
    status_signals(t, to);
    text_printf(
        t, "Cpus_allowed:\t%x\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n",
        (1U << hart_count) - 1, voluntary, involuntary);
    return 0;
}

/* ---- Memory ---------------------------------------------------------------------------------------- */

static const char *area_name(const struct addrspace *as, const struct vma *v, char *path)
{
    char *p;

    if (v->file) {
        p = file_path(v->file, path, PATH_MAX);
        return is_err(p) ? "" : p;
    }
    if (v->flags & VMA_VDSO || v->start == as->vdso)
        return "[vdso]";
    if (v->flags & VMA_STACK)
        return "[stack]";
    return v->flags & VMA_HEAP ? "[heap]" : "";
}

static void show_area(struct text *t, const struct addrspace *as, const struct vma *v, char *path)
{
    unsigned major = 0, minor = 0;
    uint64_t ino = 0;
    size_t line = t->len;
    const char *name = area_name(as, v, path);

    if (v->file)
        file_map_identity(v->file, &major, &minor, &ino);
    text_printf(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu", v->start, v->end,
                v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
                v->prot & PROT_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p',
                v->file ? v->pgoff << PAGE_SHIFT : 0, major, minor, ino);
    if (*name) {
        text_pad(t, line, 73);
        text_put(t, name, strlen(name));
    }
    text_put(t, "\n", 1);
}

int proc_show_maps(struct text *t, const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);
    char *path;

    if (!as)
        return 0;
    path = kmalloc(PATH_MAX, 0);
    mutex_lock(&as->lock);
    for (unsigned i = 0; path && i < as->nvmas; i++)
        show_area(t, as, &as->vmas[i], path);
    mutex_unlock(&as->lock);
    addrspace_put(as);
    kfree(path);
    return path ? 0 : -ENOMEM;
}

int proc_show_pagetable(struct text *t, const struct proc_target *to)
{
    struct addrspace *as = process_addrspace_get(to->proc);

    if (!as)
        return 0;
    mutex_lock(&as->lock);
    vmprint(&as->pt, text_line, t);
    mutex_unlock(&as->lock);
    addrspace_put(as);
    return 0;
}
