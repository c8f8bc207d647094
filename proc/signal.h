/* SPDX-License-Identifier: MIT */
/*
 * Signals, with Linux's numbers and meaning. Masks are 64-bit, bit signo-1. Standard signals are
 * pending once; real-time ones (32..64) queue.
 *
 * proc/signal.c sends, proc/sigdeliver.c acts on them in the trap exit, proc/sigdefer.c carries them
 * out of interrupt handlers, proc/sigcalls.c is the system calls.
 */
#pragma once

#include <asm/siginfo.h>
#include <asm/signal.h>

#include "lib/list.h"
#include "lib/types.h"

#define SIG_COUNT 64
#define SIGBIT(sig) (1UL << ((sig)-1))
#define SIG_STOPS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define SIG_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define ACTION_DEFAULT 0UL /* SIG_DFL and SIG_IGN as what ksigaction.handler holds */
#define ACTION_IGNORE 1UL

struct process;
struct thread;
struct timer;
struct trapframe;

struct ksigaction { /* the kernel's struct sigaction: no restorer on RISC-V */
    uaddr_t handler;
    uint64_t flags;
    uint64_t mask;
};

struct ksiginfo { /* what a siginfo_t is made of */
    int signo, code, err;
    int pid;
    uint32_t uid;
    uint64_t value; /* sigqueue's value, SIGCHLD's status */
    uaddr_t addr;   /* faults */
};

struct sigqueue; /* a queued siginfo */

struct sigpending {
    uint64_t set;
    struct list queue; /* of struct sigqueue */
    unsigned nqueued;
};

enum sig_default { SIG_ACT_TERM, SIG_ACT_IGNORE, SIG_ACT_STOP, SIG_ACT_CONT };
extern const uint8_t sig_default[SIG_COUNT + 1]; /* enum sig_default by number */

/*
 * info NULL: from the kernel. Any thread context, no lock of rank >= RANK_PROCESS held. 0, or
 * -EAGAIN when a real-time signal with a value finds the queue full.
 */
int signal_send_process(struct process *p, int sig, const struct ksiginfo *info);
int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info);
/* To each process of the group (takes proctree_lock). */
void signal_send_group(int pgid, int sig, const struct ksiginfo *info);
/* From interrupt handlers (Ctrl-C): defers to thread context. */
void signal_send_group_irq(int pgid, int sig);
/* The function of a process's itimer_timer: itimers_run follows in thread context. */
void signal_defer_itimers(struct timer *t);
void signal_defer_init(void); /* starts the thread that does both */
/* A fault: cannot be blocked or ignored; forces the default action then. Current thread. */
void signal_force(int sig, int code, uaddr_t addr);
/* SIGCHLD, or p's own choice for its end, with a CLD_* code to p's parent, and its wait4 woken.
 * status: exit status or signal. proctree_lock held. */
void signal_notify_parent(struct process *p, int code, int status);

/* One that is pending and not blocked, or a stop or the end: a WAIT_INTERRUPTIBLE sleep ends. */
bool signal_deliverable(struct thread *t);
bool signal_fatal_pending(struct thread *t);
void signal_recalc(struct thread *t); /* sets t->sig_pending; p->lock held */
void signal_set_mask(uint64_t mask);  /* current thread */
/* sigsuspend, ppoll: another mask while the call waits. The old one comes back at once, or, when a
 * signal ended the wait, after its handler was started. */
void signal_swap_mask(uint64_t mask);
void signal_swap_back(bool interrupted);
void signal_exec_reset(struct process *p); /* handlers to default, ignored stay. Current process */
void signal_flush(struct sigpending *pending); /* p->lock held, or nobody else sees it */
/* Takes the next pending signal out of `from` that is in set. p->lock held. 0: none. */
int signal_dequeue(struct thread *t, uint64_t set, struct ksiginfo *info);
/* The action for sig is now to ignore it: forgets pending ones. p->lock held. */
void signal_discard(struct process *p, uint64_t set);
bool signal_is_ignored(struct process *p, int sig);
/* For tty job control: reads and writes of such a background process fail instead of stopping it. */
bool signal_blocked_or_ignored(struct thread *t, int sig);
void signal_init(void);

/* Makes t pass the trap exit, wherever it is now; fatal: out of killable sleeps, too. p->lock held. */
void signal_alert(struct thread *t, bool fatal);
/* Every thread of p must go: marks and wakes them. First caller wins. */
void signal_group_exit(struct process *p, int wait_status);
/* This thread alone must go (exec's other threads). p->lock held. */
void signal_kill_thread(struct thread *t);
/* Signals for the process that perhaps only `except` had been told of go to another. p->lock held. */
void signal_retarget(struct process *p, struct thread *except, uint64_t lost);

/* The alternate stack: 0, -EPERM while sp lies on the old one, -EINVAL, -ENOMEM (too small). */
bool signal_on_altstack(const struct thread *t, uaddr_t sp);
int signal_altstack_set(struct thread *t, uaddr_t sp, uaddr_t base, int flags, size_t size);

/* Where handlers return to: the trampoline in t's address space. */
uaddr_t signal_return_address(const struct thread *t);
/* siginfo_t as programs see it. */
void siginfo_export(siginfo_t *out, const struct ksiginfo *info);

/*
 * Sleeps with a relative time-out that restart after a stop must not begin anew: take the deadline
 * through signal_restart_deadline, and put it into restart_deadline_ns when the sleep ends in
 * -ERESTARTNOHAND.
 */
uint64_t signal_restart_deadline(uint64_t fresh_ns);
