/* SPDX-License-Identifier: MIT */
/*
 * Processes (thread groups) and threads. A thread is what the scheduler runs; a process is what
 * owns memory, files, signals' actions and children. Field marks, here and in all of the kernel:
 *   (I) immutable once published   (a) atomic            (o) only the thread itself
 *   (t) proctree_lock              (p) process->lock                              (r) run queue's
 */
#pragma once

#include <stdatomic.h>

#include <linux/resource.h>
#include <linux/types.h>

#include "arch/arch.h"
#include "arch/trapframe.h"
#include "lib/wait.h"
#include "proc/signal.h"
#include "proc/timer.h"

struct addrspace;
struct files;
struct tty;

enum thread_state {
    THREAD_RUNNABLE, /* running, or on a run queue */
    THREAD_SLEEPING, /* on wait queues; wait_mode says what may end it */
    THREAD_DEAD,
};

struct usage {                   /* see proc/usage.c */
    uint64_t runtime_ns;         /* exact */
    uint64_t utime_ns, stime_ns; /* as sampled by the tick: how runtime_ns divides */
    uint64_t nvcsw, nivcsw, minflt, majflt;
    uint64_t maxrss; /* pages; of a process only */
};

struct thread {
    /* Offsets known to the assembly and to arch.h. */
    uintptr_t kstack_top;      /* (I) */
    uintptr_t scratch;         /* (o) the trap entry's spare word */
    struct hart *hart;         /* running on, or last ran on */
    _Atomic bool need_resched; /* (a) these two are one load in the trap exit */
    _Atomic bool sig_pending;  /* (a) a deliverable signal may be there: look */
    bool nofault;              /* (o) user-copy routines do not serve page faults */
    struct context context;    /* while not running */

    struct process *proc;  /* (I) NULL: kernel thread */
    struct addrspace *as;  /* (o) = proc->as; NULL: the kernel's own table */
    int tid;               /* (t) changes when exec's thread becomes the leader */
    char name[16];         /* (o) as prctl(PR_SET_NAME); readers may see a torn name */
    _Atomic uint32_t refs; /* (a) */

    _Atomic uint8_t state;     /* (r) enum thread_state */
    _Atomic uint8_t wait_mode; /* (r) enum wait_mode */
    bool on_cpu;               /* (r) */
    bool user;                 /* (I) runs in user mode: has an FP state */
    struct runq *_Atomic rq;   /* (r) whose queue or lock rules it */
    struct list rq_link;       /* (r) */
    uint32_t affinity;         /* (r) harts allowed, by index */
    uint64_t run_start_ns;     /* (r) */
    struct usage used;         /* (o), runtime_ns (r); read by all */

    struct fpstate fp;    /* (o) valid when not loaded */
    struct hart *fp_hart; /* (o) whose registers hold it, with hart->fp_owner == this */

    struct list proc_link;     /* (p) in process->threads */
    struct sigpending pending; /* (p) directed at this thread */
    uint64_t sig_mask;         /* (o) written under (p) */
    uint64_t saved_mask;       /* (o) of sigsuspend, ppoll: restored after the handler */
    bool restore_mask;         /* (o) */
    uaddr_t altstack_sp;       /* (o) */
    size_t altstack_size;
    int altstack_flags;
    bool restart_ok;              /* (o) the frame is a system call's that may restart */
    uint64_t wait_set;            /* (o) written under (p): what sigtimedwait waits for */
    uint64_t restart_deadline_ns; /* (o) of the sleep that restarts, 0 = none */

    uaddr_t clear_tid;        /* (o) CLONE_CHILD_CLEARTID */
    uaddr_t robust_list;      /* (o) */
    struct timer sleep_timer; /* of waiter_sleep */
    struct vfork_wait *vfork; /* (t) the parent sleeps until we exec or exit */
    bool exiting;             /* (o) */
    int exit_status;          /* (o) */
    uint32_t fail_nth;        /* (o) fault injection: 0 = off */
    uint64_t mutex_mask;      /* (o) DEBUG: ranks of held mutexes */
    void *kthread_arg;
    void (*kthread_fn)(void *);
    struct list all_link; /* (t) every thread, for debuggers and panics */
};

_Static_assert(offsetof(struct thread, kstack_top) == T_KSTACK_TOP, "known to trampoline.S");
_Static_assert(offsetof(struct thread, scratch) == T_SCRATCH, "known to trampoline.S");
_Static_assert(offsetof(struct thread, hart) == T_HART, "known to arch.h");
_Static_assert(offsetof(struct thread, need_resched) == T_WORK, "known to trampoline.S");
_Static_assert(offsetof(struct thread, sig_pending) == T_WORK + 1, "known to trampoline.S");
_Static_assert(offsetof(struct thread, context) == T_CONTEXT, "known to switch.S");

struct ids { /* users' and groups' follow the same rules */
    uint32_t real, effective, saved, fs;
};

struct itimer {
    uint64_t due_ns, interval_ns; /* on its own clock, see proc/itimer.c; due 0: not set */
};

struct process {
    int pid;               /* (I) */
    _Atomic uint32_t refs; /* (a) */
    struct spinlock lock;  /* RANK_PROCESS: guards (p) */
    struct addrspace *as;  /* (p) changed only by exec and exit of the process itself */
    struct files *files;   /* (p) changed only by the process itself; NULL once it exits */

    struct process *parent;  /* (t) */
    int ppid;                /* (t) its number, read without the lock; init's is 0 */
    struct list children;    /* (t) */
    struct list sibling;     /* (t) */
    struct list all_link;    /* (t) in all_processes, until reaped */
    int pgid, sid;           /* (t) */
    struct tty *ctty;        /* (t) */
    bool zombie;             /* (t) all threads gone, status to be reaped */
    bool execed;             /* (t) */
    int job_event;           /* (p) CLD_STOPPED or CLD_CONTINUED while wait4 has not told it */
    int exit_status;         /* (t) wait4's encoding */
    int stop_signal;         /* (t) */
    int exit_signal;         /* (t) what the parent gets; SIGCHLD once that is init */
    struct waitq child_wait; /* wait4 sleeps here */

    struct list threads;   /* (p) */
    unsigned nthreads;     /* (p) */
    bool group_exit;       /* (p) every thread must go */
    int group_exit_status; /* (p) */
    char name[16];         /* (p) the last thread's, once all are gone */
    bool stopped;          /* (p) job control: threads wait in the trap exit */
    bool stop_dequeued;    /* (p) a stop signal was taken; SIGCONT calls it off */
    bool cont_notify;      /* (p) the parent is to hear that it goes on */
    struct waitq stop_wait;

    struct ksigaction actions[SIG_COUNT]; /* (p) index signo - 1 */
    struct sigpending pending;            /* (p) directed at the process */

    union { /* (o) changed by its own calls */
        struct {
            uint32_t uid, euid, suid, fsuid;
        };
        struct ids user_ids;
    };
    union {
        struct {
            uint32_t gid, egid, sgid, fsgid;
        };
        struct ids group_ids;
    };
    uint32_t ngroups;
    uint32_t groups[32];
    struct rlimit limits[RLIM_NLIMITS]; /* (p) */
    int nice;

    uint64_t start_ns;           /* (I) */
    struct usage dead;           /* (p) of exited threads; maxrss of earlier address spaces */
    struct usage children_used;  /* (t) of reaped children, their times divided */
    struct itimer itimers[3];    /* (p) by ITIMER_* */
    struct timer itimer_timer;   /* looks at them when one can be due at the earliest */
    struct process *itimer_next; /* list of processes with due timers, see proc/sigdefer.c */
    _Atomic uint32_t itimer_due; /* (a) on that list */
};

static inline struct process *current_process(void)
{
    return current->proc;
}

extern struct spinlock proctree_lock; /* RANK_PROCTREE */
extern struct process *init_process;
extern struct list all_threads;   /* (t) */
extern struct list all_processes; /* (t) init first; zombies, too, until they are reaped */

static inline bool is_privileged(void)
{
    return current->proc->euid == 0;
}

struct process *process_get(struct process *p);
void process_put(struct process *p);
struct process *process_find(int pid);     /* proctree_lock held; no reference taken */
struct process *process_find_get(int pid); /* takes the lock and a reference; NULL */
/* The live process with the smallest pid above `after`, referenced; NULL at the end (/proc). */
struct process *process_next_get(int after);
struct thread *thread_get(struct thread *t);
void thread_put(struct thread *t);
size_t process_count(void);
size_t thread_count(void);
struct addrspace *process_addrspace_get(struct process *p); /* referenced, NULL if gone */

/* A live thread of some process, 0 = the caller; referenced. NULL: none, or the kernel's own. */
struct thread *user_thread_get(int tid);
/* Not linked, not started. err_ptr(-ENOMEM), or -EAGAIN when numbers or stacks are used up. */
struct thread *thread_create(const char *name);
struct process *process_create(void); /* no threads yet, not linked; NULL: no memory */
/* Makes p visible. proctree_lock held. */
void process_link(struct process *p, struct thread *leader, struct process *parent);
void thread_use_addrspace(struct addrspace *as); /* current thread; NULL: the kernel's table */
void vfork_release(struct thread *t);
void thread_become_leader(struct thread *t); /* the last thread of its group takes its number */

/* Kernel threads: run fn(arg), which must not return. NULL: no memory. */
struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg);

void process_init(void); /* boot */
void syscall_init(void); /* boot */
/* futex.c, at thread exit: releases robust mutexes (exec does, too); wakes those who wait for the
 * thread's end. */
void futex_exit_robust(struct thread *t);
void futex_wake_addr(uaddr_t addr);

/* The page table of pid 1 is printed once, when its first exec is done (proc/main.c). */
void vmprint_first_exec(struct process *p);

/* fork.c, exec.c, exit.c */
int process_exec(const char *path); /* init's: a kernel string, an environment of its own */
noreturn_fn void thread_exit(void);
noreturn_fn void process_exit_group(int wait_status); /* current process */
/* 'R', 'S', 'D', 'T', 'Z' as in /proc/<pid>/stat. */
char process_state_char(struct process *p);

/* pgroup.c; proctree_lock held */
/* No member but `leaving` has a parent outside the group in its session. */
bool pgroup_is_orphaned(int pgid, const struct process *leaving);
/*
 * p ends (its children not yet handed to init): groups that it keeps from being orphans, its own and
 * its children's, get SIGHUP and SIGCONT if a member is stopped.
 */
void pgroup_process_exits(struct process *p);
bool pgroup_exists(int pgid, int sid); /* sid 0: in whatever session */

/* usage.c */
/* The tick hit t, which ran for ns; from the timer interrupt. */
void thread_tick(struct thread *t, uint64_t ns);
void usage_add(struct usage *to, const struct usage *from);
/* Up to now, with the times divided exactly; the last as the tick sampled them. */
struct usage thread_usage(const struct thread *t);
struct usage process_usage(struct process *p);
struct usage process_sampled_usage(struct process *p);
struct rusage usage_export(const struct usage *u);

/* itimer.c */
void itimers_run(struct process *p);    /* thread context: sends what is due, arms anew */
void itimers_cancel(struct process *p); /* the last thread leaves: no timer fires afterwards */

/* misccalls.c */
extern const char kernel_release[];
void machine_hostname(char *buf, size_t size);
