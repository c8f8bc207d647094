/* SPDX-License-Identifier: MIT */
/*
 * What programs ask of a terminal: attributes, window size, queues, flow; and job control: which
 * session it controls, which of its groups is in the foreground, and what happens to the others when
 * they touch it (POSIX, General Terminal Interface 11.1).
 *
 * Locks: proctree_lock, then tty->lock. process->ctty, pgid and sid are guarded by the former;
 * tty->sid and pgid are written under both, so that the interrupt handler may read them under the
 * latter alone. Signals are sent, and user memory is read or written, with neither held.
 */
#include "arch/arch.h"
#include "drivers/block.h"
#include "fs/tty.h"
#include "lib/string.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/signal.h"

/* ---- Job control ----------------------------------------------------------------------------- */

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

/* proctree_lock held. */
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

/* proctree_lock held. */
static int acquire_locked(struct tty *t, struct process *p, bool steal)
{
    if (p->sid != p->pid || (p->ctty && p->ctty != t))
        return -EPERM;
    if (p->ctty == t)
        return 0;
    if (t->sid && !steal)
        return -EPERM;
    if (t->sid)
        detach_session(t, t->sid);
    set_owner(t, p->sid, p->pgid);
    p->ctty = t;
    return 0;
}

int tty_acquire(struct tty *t, bool steal)
{
    struct process *p = current_process();
    int err;

    spin_lock(&proctree_lock);
    err = acquire_locked(t, p, steal && p->euid == 0);
    spin_unlock(&proctree_lock);
    return err;
}

/* The session loses its terminal; its foreground group is told. */
static void disconnect(struct tty *t, int sid)
{
    int foreground = 0;

    spin_lock(&proctree_lock);
    if (t->sid == sid) {
        foreground = t->pgid;
        detach_session(t, sid);
        set_owner(t, 0, 0);
    }
    spin_unlock(&proctree_lock);
    if (foreground) {
        signal_send_group(foreground, SIGHUP, NULL);
        signal_send_group(foreground, SIGCONT, NULL);
    }
}

void tty_session_exit(struct tty *t, int sid)
{
    irqflags_t flags = spin_lock_irqsave(&t->lock);

    if (t->sid == sid)
        t->hangups++;
    spin_unlock_irqrestore(&t->lock, flags);
    disconnect(t, sid);
    waitq_wake_all(&t->read_wait);
    waitq_wake_all(&t->write_wait);
}

static int give_up(struct tty *t)
{
    struct process *p = current_process();
    bool mine, leader;

    spin_lock(&proctree_lock);
    mine = p->ctty == t;
    leader = p->sid == p->pid;
    if (mine && !leader)
        p->ctty = NULL;
    spin_unlock(&proctree_lock);
    if (mine && leader)
        disconnect(t, p->pid);
    return mine ? 0 : -ENOTTY;
}

static int set_foreground(struct tty *t, uint64_t arg)
{
    struct process *p = current_process();
    uint32_t pgid;
    int err = get_user_u32(&pgid, arg);

    if (err)
        return err;
    if ((int)pgid <= 0)
        return -EINVAL;
    spin_lock(&proctree_lock);
    if (p->ctty != t || p->sid != t->sid)
        err = -ENOTTY;
    else if (!pgroup_exists((int)pgid, p->sid))
        err = -EPERM;
    else
        set_owner(t, t->sid, (int)pgid);
    spin_unlock(&proctree_lock);
    return err;
}

/* t's session or group, for those whose terminal it is. */
static int get_id(struct tty *t, const int *id, uint64_t arg)
{
    return tty_current() == t ? put_user_u32(arg, (uint32_t)READ_ONCE(*id)) : -ENOTTY;
}

/* ---- Attributes and queues ------------------------------------------------------------------- */

static int drain(struct tty *t)
{
    return wait_event_interruptible(&t->write_wait, uart_output_pending() == 0);
}

static int get_field(struct tty *t, const void *field, size_t size, uint64_t arg)
{
    char copy[sizeof(struct termios2)];
    irqflags_t flags = spin_lock_irqsave(&t->lock);

    memcpy(copy, field, size);
    spin_unlock_irqrestore(&t->lock, flags);
    return copy_to_user(arg, copy, size);
}

/* how: TCSANOW, TCSADRAIN, TCSAFLUSH. */
static int set_termios(struct tty *t, uint64_t arg, size_t size, unsigned how)
{
    struct termios2 new = {.c_ispeed = 38400, .c_ospeed = 38400};
    irqflags_t flags;
    int err = copy_from_user(&new, arg, size);

    if (!err && how != TCSANOW)
        err = drain(t);
    if (err)
        return err;
    flags = spin_lock_irqsave(&t->lock);
    if (how == TCSAFLUSH)
        tty_flush_input(t);
    tty_set_termios(t, &new);
    tty_update_throttle(t);
    spin_unlock_irqrestore(&t->lock, flags);
    waitq_wake_all(&t->read_wait); /* the rules they wait by have changed */
    waitq_wake_all(&t->write_wait);
    return 0;
}

static int set_winsize(struct tty *t, uint64_t arg)
{
    struct winsize new;
    irqflags_t flags;
    bool changed;
    int pgid;

    if (copy_from_user(&new, arg, sizeof(new)))
        return -EFAULT;
    flags = spin_lock_irqsave(&t->lock);
    changed = memcmp(&new, &t->winsize, sizeof(new));
    t->winsize = new;
    pgid = t->pgid;
    spin_unlock_irqrestore(&t->lock, flags);
    if (changed && pgid)
        signal_send_group(pgid, SIGWINCH, NULL);
    return 0;
}

static int flow(struct tty *t, uint64_t arg)
{
    irqflags_t flags;

    if (arg > TCION)
        return -EINVAL;
    if (arg == TCIOFF || arg == TCION)
        return 0;
    flags = spin_lock_irqsave(&t->lock);
    t->stopped = arg == TCOOFF;
    spin_unlock_irqrestore(&t->lock, flags);
    waitq_wake_all(&t->write_wait);
    return 0;
}

static int flush(struct tty *t, uint64_t arg)
{
    irqflags_t flags;

    if (arg > TCIOFLUSH)
        return -EINVAL;
    if (arg == TCOFLUSH) /* what is in the ring is as good as sent */
        return 0;
    flags = spin_lock_irqsave(&t->lock);
    tty_flush_input(t);
    tty_update_throttle(t);
    spin_unlock_irqrestore(&t->lock, flags);
    return 0;
}

/* What background groups may not do without being stopped. */
static bool is_change(unsigned cmd)
{
    switch (cmd) {
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
    case TCSBRK:
    case TCSBRKP:
    case TCXONC:
    case TCFLSH:
    case TIOCSPGRP: return true;
    default: return false;
    }
}

int tty_do_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
    int err = is_change(cmd) ? tty_check_background(t, SIGTTOU) : 0;

    if (err)
        return err;
    switch (cmd) {
    case TCGETS: return get_field(t, &t->termios, sizeof(struct termios), arg);
    case TCGETS2: return get_field(t, &t->termios, sizeof(struct termios2), arg);
    case TCSETS:
    case TCSETSW:
    case TCSETSF: return set_termios(t, arg, sizeof(struct termios), cmd - TCSETS);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2: return set_termios(t, arg, sizeof(struct termios2), cmd - TCSETS2);
    case TCSBRK:
    case TCSBRKP: return drain(t); /* a break itself means nothing to a console */
    case TCXONC: return flow(t, arg);
    case TCFLSH: return flush(t, arg);
    case TIOCGWINSZ: return get_field(t, &t->winsize, sizeof(t->winsize), arg);
    case TIOCSWINSZ: return set_winsize(t, arg);
    case TIOCINQ: return put_user_u32(arg, tty_readable(t));
    case TIOCOUTQ: return put_user_u32(arg, uart_output_pending());
    case TIOCSCTTY: return tty_acquire(t, arg == 1);
    case TIOCNOTTY: return give_up(t);
    case TIOCGPGRP: return get_id(t, &t->pgid, arg);
    case TIOCSPGRP: return set_foreground(t, arg);
    case TIOCGSID: return get_id(t, &t->sid, arg);
    default: return -ENOTTY;
    }
}
