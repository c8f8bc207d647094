/* SPDX-License-Identifier: MIT */
/*
 * The signal system calls. Who may signal whom is Linux's rule: root, or a real or effective user ID
 * equal to the target's real or saved one; SIGCONT also within a session.
 */
#include <linux/signal.h>

#include "lib/string.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define SIGSET_SIZE sizeof(uint64_t)

static struct ksiginfo info_from_caller(int sig, int code)
{
    struct process *p = current->proc;

    return (struct ksiginfo){.signo = sig, .code = code, .pid = p->pid, .uid = p->uid};
}

/* ---- kill and its family --------------------------------------------------------------------- */

static int may_signal(const struct process *target, int sig)
{
    const struct process *p = current->proc;

    if (sig < 0 || sig > SIG_COUNT)
        return -EINVAL;
    if (p == target || p->euid == 0 || p->euid == target->suid || p->euid == target->uid ||
        p->uid == target->suid || p->uid == target->uid)
        return 0;
    return sig == SIGCONT && p->sid == target->sid ? 0 : -EPERM;
}

static int kill_process(struct process *p, int sig, const struct ksiginfo *info)
{
    int err = may_signal(p, sig);

    if (err || sig == 0)
        return err;
    return signal_send_process(p, sig, info);
}

static long kill_pid(int pid, int sig, const struct ksiginfo *info)
{
    struct process *p = process_find_get(pid);
    long err;

    if (!p)
        return -ESRCH;
    err = kill_process(p, sig, info);
    process_put(p);
    return err;
}

/* Every process but init and the caller, as pgid 0, or the members of a group. One reached is
 * success, else the last one's error counts; kill(-1) does not mind those that may not be. */
static long kill_many(int pgid, int sig, const struct ksiginfo *info)
{
    long err = -ESRCH, last;
    struct process *p;
    bool reached = false;

    spin_lock(&proctree_lock);
    list_for_each (p, &all_processes, all_link) {
        if (pgid ? p->pgid != pgid : p == init_process || p == current->proc)
            continue;
        last = kill_process(p, sig, info);
        err = last == -EPERM && !pgid ? 0 : last;
        reached |= !err;
    }
    spin_unlock(&proctree_lock);
    return reached ? 0 : err;
}

long sys_kill(int pid, int sig)
{
    struct ksiginfo info = info_from_caller(sig, SI_USER);

    if (pid > 0)
        return kill_pid(pid, sig, &info);
    if (pid == INT32_MIN)
        return -ESRCH;
    return kill_many(pid == 0 ? current->proc->pgid : pid == -1 ? 0 : -pid, sig, &info);
}

/* pid 0: whatever process the thread belongs to. */
static long send_to_thread(int pid, int tid, int sig)
{
    struct ksiginfo info = info_from_caller(sig, SI_TKILL);
    struct thread *t;
    long err;

    if (tid <= 0 || pid < 0)
        return -EINVAL;
    t = user_thread_get(tid);
    if (!t)
        return -ESRCH;
    err = pid && t->proc->pid != pid ? -ESRCH : may_signal(t->proc, sig);
    if (!err && sig)
        err = signal_send_thread(t, sig, &info);
    thread_put(t);
    return err;
}

long sys_tkill(int tid, int sig)
{
    return send_to_thread(0, tid, sig);
}

long sys_tgkill(int pid, int tid, int sig)
{
    return pid <= 0 ? -EINVAL : send_to_thread(pid, tid, sig);
}

long sys_rt_sigqueueinfo(int pid, int sig, uaddr_t uinfo)
{
    struct ksiginfo info;
    siginfo_t user;

    if (copy_from_user(&user, uinfo, sizeof(user)))
        return -EFAULT;
    /* Only the kernel speaks as the kernel, and only kill() as kill(). */
    if ((user.si_code >= 0 || user.si_code == SI_TKILL) && current->proc->pid != pid)
        return -EPERM;
    info = (struct ksiginfo){.signo = sig,
                             .code = user.si_code,
                             .err = user.si_errno,
                             .pid = user.si_pid,
                             .uid = user.si_uid,
                             .value = (uint64_t)user.si_value.sival_ptr};
    return pid <= 0 ? -ESRCH : kill_pid(pid, sig, &info);
}

/* ---- Actions and masks ----------------------------------------------------------------------- */

long sys_rt_sigaction(int sig, uaddr_t uact, uaddr_t uold, size_t setsize)
{
    struct process *p = current->proc;
    struct ksigaction act = {0}, old;

    _Static_assert(sizeof(struct ksigaction) == sizeof(struct sigaction), "copied as it is");
    if (setsize != SIGSET_SIZE)
        return -EINVAL;
    if (uact && copy_from_user(&act, uact, sizeof(act)))
        return -EFAULT;
    if (sig < 1 || sig > SIG_COUNT || (uact && (SIGBIT(sig) & SIG_UNBLOCKABLE)))
        return -EINVAL;
    act.mask &= ~SIG_UNBLOCKABLE;
    spin_lock(&p->lock);
    old = p->actions[sig - 1];
    if (uact) {
        p->actions[sig - 1] = act;
        if (signal_is_ignored(p, sig))
            signal_discard(p, SIGBIT(sig));
    }
    spin_unlock(&p->lock);
    return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}

long sys_rt_sigprocmask(int how, uaddr_t uset, uaddr_t uold, size_t setsize)
{
    uint64_t old = current->sig_mask, set;

    if (setsize != SIGSET_SIZE)
        return -EINVAL;
    if (uset) {
        if (get_user_u64(&set, uset))
            return -EFAULT;
        switch (how) {
        case SIG_BLOCK: set |= old; break;
        case SIG_UNBLOCK: set = old & ~set; break;
        case SIG_SETMASK: break;
        default: return -EINVAL;
        }
        signal_set_mask(set);
    }
    return uold ? put_user_u64(uold, old) : 0;
}

long sys_rt_sigpending(uaddr_t uset, size_t setsize)
{
    struct process *p = current->proc;
    uint64_t set;

    if (setsize > SIGSET_SIZE)
        return -EINVAL;
    spin_lock(&p->lock);
    set = (current->pending.set | p->pending.set) & current->sig_mask;
    spin_unlock(&p->lock);
    return copy_to_user(uset, &set, setsize);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

long sys_rt_sigsuspend(uaddr_t uset, size_t setsize)
{
    uint64_t set;

    if (setsize != SIGSET_SIZE)
        return -EINVAL;
    if (get_user_u64(&set, uset))
        return -EFAULT;
    signal_swap_mask(set);
    (void)sleep_interruptible(NO_DEADLINE);
    signal_swap_back(true);
    return -ERESTARTNOHAND;
}

static int dequeue_from(struct thread *t, uint64_t set, uint64_t wait_set, struct ksiginfo *info)
{
    uint64_t lost = t->wait_set & ~wait_set & t->sig_mask;
    int sig;

    spin_lock(&t->proc->lock);
    t->wait_set = wait_set;
    sig = signal_dequeue(t, set, info); /* recalculates what is deliverable, too */
    signal_retarget(t->proc, t, lost);
    spin_unlock(&t->proc->lock);
    return sig;
}

/* The signal, -EAGAIN at the deadline, or -EINTR. */
static int wait_for_set(uint64_t set, uint64_t deadline_ns, struct ksiginfo *info)
{
    struct thread *t = current;
    int sig = dequeue_from(t, set, 0, info), err;

    if (sig || !deadline_ns)
        return sig ? sig : -EAGAIN;
    dequeue_from(t, 0, set, info);
    err = sleep_interruptible(deadline_ns);
    sig = dequeue_from(t, set, 0, info);
    return sig ? sig : err == -ETIMEDOUT ? -EAGAIN : -EINTR;
}

long sys_rt_sigtimedwait(uaddr_t uset, uaddr_t uinfo, uaddr_t utimeout, size_t setsize)
{
    uint64_t set, ns, deadline = NO_DEADLINE;
    struct ksiginfo info;
    siginfo_t exported;
    int sig, err;

    if (setsize != SIGSET_SIZE)
        return -EINVAL;
    if (get_user_u64(&set, uset))
        return -EFAULT;
    if (utimeout) {
        err = timespec_from_user(utimeout, &ns);
        if (err)
            return err;
        deadline = ns ? deadline_after(ns) : 0;
    }
    sig = wait_for_set(set & ~SIG_UNBLOCKABLE, deadline, &info);
    if (sig < 0 || !uinfo)
        return sig;
    siginfo_export(&exported, &info);
    return copy_to_user(uinfo, &exported, sizeof(exported)) ? -EFAULT : sig;
}

/* ---- Frames ---------------------------------------------------------------------------------- */

long sys_rt_sigreturn(void)
{
    struct thread *t = current;
    uint64_t mask;

    /* What a0 holds from now on is the interrupted code's, no result to restart a call for. */
    t->restart_ok = false;
    if (arch_signal_return(t, &mask))
        signal_force(SIGSEGV, SI_KERNEL, 0);
    else
        signal_set_mask(mask);
    /* All registers are to be loaded (see arch/trampoline.S), whatever the new mask lets through. */
    atomic_store(&t->sig_pending, true);
    return (long)arch_user_frame(t)->a[0];
}

bool signal_on_altstack(const struct thread *t, uaddr_t sp)
{
    if ((unsigned)t->altstack_flags & SS_AUTODISARM)
        return false;
    return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

int signal_altstack_set(struct thread *t, uaddr_t sp, uaddr_t base, int flags, size_t size)
{
    int mode = flags & ~(int)SS_AUTODISARM;

    if (signal_on_altstack(t, sp))
        return -EPERM;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        base = 0;
        size = 0;
    } else if (size < MINSIGSTKSZ) {
        return -ENOMEM;
    }
    t->altstack_sp = base;
    t->altstack_size = size;
    t->altstack_flags = flags;
    return 0;
}

static stack_t altstack_now(const struct thread *t, uaddr_t sp)
{
    stack_t s;

    memset(&s, 0, sizeof(s));
    s.ss_sp = (void *)t->altstack_sp;
    s.ss_size = t->altstack_size;
    s.ss_flags = t->altstack_flags & (int)SS_AUTODISARM;
    if (!t->altstack_size)
        s.ss_flags |= SS_DISABLE;
    else if (signal_on_altstack(t, sp))
        s.ss_flags |= SS_ONSTACK;
    return s;
}

long sys_sigaltstack(uaddr_t uss, uaddr_t uold)
{
    struct thread *t = current;
    uaddr_t sp = arch_user_sp(t);
    stack_t old = altstack_now(t, sp), ss;
    int err;

    if (uss) {
        if (copy_from_user(&ss, uss, sizeof(ss)))
            return -EFAULT;
        err = signal_altstack_set(t, sp, (uaddr_t)ss.ss_sp, ss.ss_flags, ss.ss_size);
        if (err)
            return err;
    }
    return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}
