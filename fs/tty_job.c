/* SPDX-License-Identifier: MIT */
/*
 * Job control: which session a terminal controls, which of its groups is in the foreground, and
 * what happens to the others when they touch it (POSIX, General Terminal Interface 11.1).
 *
 * Locks: proctree_lock, then tty->lock. process->ctty, pgid and sid are guarded by the former;
 * tty->sid and pgid are written under both, so that the interrupt handler may read them under the
 * latter alone. Signals are sent after both were dropped.
 */
#include "fs/tty_internal.h"
#include "lib/log.h"
#include "proc/files.h"
#include "proc/process.h"

static void set_owner(struct tty *t, int sid, int pgid)
{
    irqflags_t flags = spin_lock_irqsave(&t->lock);

    t->sid = sid;
    t->pgid = pgid;
    spin_unlock_irqrestore(&t->lock, flags);
}

/* proctree_lock held. */
static void detach_session(struct tty *t, int sid)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link)
        if (p->sid == sid && p->ctty == t)
            p->ctty = NULL;
}

/* ---- The caller and its terminal ----------------------------------------------------------------- */

struct tty *tty_current(void)
{
    struct tty *t;

    if (!current_process())
        return NULL;
    spin_lock(&proctree_lock);
    t = current_process()->ctty;
    spin_unlock(&proctree_lock);
    return t;
}

int tty_check_background(struct tty *t, int sig)
{
    struct process *p = current_process();
    bool background, orphaned = false;
    int pgid;

    if (!p)
        return 0;
    spin_lock(&proctree_lock);
    pgid = p->pgid;
    background = p->ctty == t && t->pgid && t->pgid != pgid;
    if (background) /* stopped, it could never be continued */
        orphaned = pgroup_is_orphaned(pgid, NULL);
    spin_unlock(&proctree_lock);
    if (!background)
        return 0;
    if (signal_blocked_or_ignored(current, sig))
        return sig == SIGTTIN ? -EIO : 0; /* output then goes through */
    if (orphaned)
        return -EIO;
    signal_send_group(pgid, sig, NULL);
    return -ERESTARTSYS;
}

static int acquire_locked(struct tty *t, bool steal)
{
    struct process *p = current_process();

    if (p->sid != p->pid || (p->ctty && p->ctty != t))
        return -EPERM;
    if (t->sid && t->sid != p->sid) {
        if (!steal)
            return -EPERM;
        detach_session(t, t->sid);
    }
    if (p->ctty != t)
        set_owner(t, p->sid, p->pgid);
    p->ctty = t;
    return 0;
}

int tty_acquire(struct tty *t, bool steal)
{
    int err;

    spin_lock(&proctree_lock);
    err = acquire_locked(t, steal && current_process()->euid == 0);
    spin_unlock(&proctree_lock);
    return err;
}

void tty_acquire_on_open(struct tty *t)
{
    struct process *p = current_process();

    if (!p)
        return;
    spin_lock(&proctree_lock);
    if (!p->ctty && !t->sid)
        acquire_locked(t, false);
    spin_unlock(&proctree_lock);
}

/* The session loses its terminal; its foreground group is told. */
static void disconnect(struct tty *t, int sid)
{
    int foreground;

    spin_lock(&proctree_lock);
    if (t->sid != sid) {
        spin_unlock(&proctree_lock);
        return;
    }
    foreground = t->pgid;
    detach_session(t, sid);
    set_owner(t, 0, 0);
    spin_unlock(&proctree_lock);
    if (foreground) {
        signal_send_group(foreground, SIGHUP, NULL);
        signal_send_group(foreground, SIGCONT, NULL);
    }
}

void tty_session_exit(struct tty *t, int sid)
{
    irqflags_t flags = spin_lock_irqsave(&t->lock);
    bool ours = t->sid == sid;

    if (ours)
        t->hangups++;
    spin_unlock_irqrestore(&t->lock, flags);
    if (!ours)
        return;
    disconnect(t, sid);
    waitq_wake_all(&t->read_wait);
    waitq_wake_all(&t->write_wait);
}

int tty_give_up(struct tty *t)
{
    struct process *p = current_process();
    bool mine, leader;

    spin_lock(&proctree_lock);
    mine = p->ctty == t;
    leader = p->sid == p->pid;
    if (mine && !leader)
        p->ctty = NULL;
    spin_unlock(&proctree_lock);
    if (!mine)
        return -ENOTTY;
    if (leader)
        disconnect(t, p->pid);
    return 0;
}

int tty_get_foreground(struct tty *t, int *pgid)
{
    if (tty_current() != t)
        return -ENOTTY;
    *pgid = READ_ONCE(t->pgid);
    return 0;
}

int tty_set_foreground(struct tty *t, int pgid)
{
    struct process *p = current_process();
    int err = tty_check_background(t, SIGTTOU);

    if (err)
        return err;
    if (pgid <= 0)
        return -EINVAL;
    spin_lock(&proctree_lock);
    if (p->ctty != t || p->sid != t->sid)
        err = -ENOTTY;
    else if (!pgroup_exists(pgid, p->sid))
        err = -EPERM;
    else
        set_owner(t, t->sid, pgid);
    spin_unlock(&proctree_lock);
    return err;
}

int tty_get_session(struct tty *t, int *sid)
{
    if (tty_current() != t)
        return -ENOTTY;
    *sid = READ_ONCE(t->sid);
    return 0;
}
