/* SPDX-License-Identifier: MIT */
/*
 * The ioctls of terminals: attributes, window size, queues, flow. User memory is read or written
 * before or after tty->lock is held, never under it.
 */
#include "arch/arch.h"
#include "drivers/block.h"
#include "fs/tty_internal.h"
#include "lib/string.h"
#include "proc/process.h"
#include "proc/signal.h"

static int drain(struct tty *t)
{
    return wait_event_interruptible(&t->write_wait, uart_output_pending() == 0);
}

static int get_termios(struct tty *t, uint64_t arg, bool extended)
{
    struct termios2 copy = {.c_ispeed = 38400, .c_ospeed = 38400};
    irqflags_t flags = spin_lock_irqsave(&t->lock);

    memcpy(&copy, &t->termios, sizeof(t->termios));
    spin_unlock_irqrestore(&t->lock, flags);
    return copy_to_user(arg, &copy, extended ? sizeof(copy) : sizeof(t->termios));
}

static int set_termios(struct tty *t, uint64_t arg, bool wait, bool flush)
{
    struct termios new;
    irqflags_t flags;
    int err = tty_check_background(t, SIGTTOU);

    if (!err)
        err = copy_from_user(&new, arg, sizeof(new));
    if (!err && wait)
        err = drain(t);
    if (err)
        return err;
    flags = spin_lock_irqsave(&t->lock);
    if (flush)
        tty_flush_input(t);
    tty_set_termios(t, &new);
    tty_update_throttle(t);
    spin_unlock_irqrestore(&t->lock, flags);
    waitq_wake_all(&t->read_wait); /* the rules they wait by have changed */
    waitq_wake_all(&t->write_wait);
    return 0;
}

static int get_winsize(struct tty *t, uint64_t arg)
{
    irqflags_t flags = spin_lock_irqsave(&t->lock);
    struct winsize copy = t->winsize;

    spin_unlock_irqrestore(&t->lock, flags);
    return copy_to_user(arg, &copy, sizeof(copy));
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

static void set_stopped(struct tty *t, bool stopped)
{
    irqflags_t flags = spin_lock_irqsave(&t->lock);

    t->stopped = stopped;
    spin_unlock_irqrestore(&t->lock, flags);
    waitq_wake_all(&t->write_wait);
}

static int flow(struct tty *t, uint64_t arg)
{
    switch (arg) {
    case TCOOFF: set_stopped(t, true); return 0;
    case TCOON: set_stopped(t, false); return 0;
    case TCIOFF:
    case TCION: return 0;
    default: return -EINVAL;
    }
}

static int flush(struct tty *t, uint64_t arg)
{
    irqflags_t flags;
    int err = tty_check_background(t, SIGTTOU);

    if (err)
        return err;
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

static int put_int(uint64_t arg, int err, uint32_t val)
{
    return err ? err : put_user_u32(arg, val);
}

static int input_count(struct tty *t, uint64_t arg)
{
    return put_user_u32(arg, tty_readable(t));
}

static int set_foreground(struct tty *t, uint64_t arg)
{
    uint32_t pgid;
    int err = get_user_u32(&pgid, arg);

    return err ? err : tty_set_foreground(t, pgid);
}

static int send_break(struct tty *t)
{
    int err = tty_check_background(t, SIGTTOU);

    return err ? err : drain(t); /* a break itself means nothing to a console */
}

int tty_do_ioctl(struct tty *t, unsigned cmd, uint64_t arg)
{
    int val = 0, err;

    switch (cmd) {
    case TCGETS: return get_termios(t, arg, false);
    case TCGETS2: return get_termios(t, arg, true);
    case TCSETS:
    case TCSETS2: return set_termios(t, arg, false, false);
    case TCSETSW:
    case TCSETSW2: return set_termios(t, arg, true, false);
    case TCSETSF:
    case TCSETSF2: return set_termios(t, arg, true, true);
    case TCSBRK:
    case TCSBRKP: return send_break(t);
    case TCXONC: return flow(t, arg);
    case TCFLSH: return flush(t, arg);
    case TIOCGWINSZ: return get_winsize(t, arg);
    case TIOCSWINSZ: return set_winsize(t, arg);
    case TIOCINQ: return input_count(t, arg);
    case TIOCOUTQ: return put_user_u32(arg, uart_output_pending());
    case TIOCSCTTY: return tty_acquire(t, arg == 1);
    case TIOCNOTTY: return tty_give_up(t);
    case TIOCGPGRP: err = tty_get_foreground(t, &val); return put_int(arg, err, val);
    case TIOCSPGRP: return set_foreground(t, arg);
    case TIOCGSID: err = tty_get_session(t, &val); return put_int(arg, err, val);
    default: return -ENOTTY;
    }
}
