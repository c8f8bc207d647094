/* SPDX-License-Identifier: MIT */
/*
 * Terminals as files: read, write and poll, and the two hooks that the UART's interrupt
 * handler calls. There is one, the console, with three names: /dev/console and /dev/ttyS0, and
 * /dev/tty for whoever has it as controlling terminal.
 *
 * [1] tty->lock is never held while user memory is touched or a thread sleeps.
 * [2] Who sleeps is woken by an event: a byte typed (read_wait), room in the output ring, its last
 *     byte gone, output resumed (write_wait).
 * [3] A hangup kills files opened before it, except /dev/console: that one is init's own way out.
 */
#include "fs/tty.h"

#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/major.h>

#include "arch/arch.h"
#include "drivers/block.h"
#include "fs/vfs.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/signal.h"

enum { CHUNK = 256, INPUT_MARGIN = 128 };

struct tty_file { /* file->private_data */
    struct tty *tty;
    unsigned hangups; /* tty->hangups when opened */
    bool immortal;    /* see [3] */
};

static struct tty console;

static struct tty *tty_of(struct file *f)
{
    return ((struct tty_file *)f->private_data)->tty;
}

static bool hung_up(struct file *f)
{
    struct tty_file *tf = f->private_data;

    return !tf->immortal && tf->hangups != READ_ONCE(tf->tty->hangups);
}

static bool nonblocking(struct file *f)
{
    return atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NONBLOCK;
}

/* ---- The UART's side ------------------------------------------------------------------------- */

/* A line that nobody can read yet must go on growing, or it would never end. */
void tty_update_throttle(struct tty *t)
{
    unsigned limit = t->throttled ? TTY_INPUT / 2 : TTY_INPUT - INPUT_MARGIN;
    bool throttle = t->head - t->tail > limit && tty_readable(t);

    if (throttle != t->throttled)
        uart_throttle(throttle);
    t->throttled = throttle;
}

static void console_receive(const char *s, size_t len)
{
    struct tty *t = &console;
    irqflags_t flags = spin_lock_irqsave(&t->lock);
    uint64_t signals = 0;
    int pgid = t->pgid;

    for (size_t i = 0; i < len; i++) {
        int sig = tty_input(t, s[i]);

        if (sig)
            signals |= SIGBIT(sig);
    }
    tty_update_throttle(t);
    spin_unlock_irqrestore(&t->lock, flags);
    for (int sig = SIGINT; pgid && sig <= SIGTSTP; sig++)
        if (signals & SIGBIT(sig))
            signal_send_group_irq(pgid, sig);
    waitq_wake_all(&t->read_wait);
    if (!t->stopped)
        waitq_wake_all(&t->write_wait); /* perhaps resumed */
}

static void console_drained(void)
{
    waitq_wake_all(&console.write_wait);
}

/* ---- Open and close -------------------------------------------------------------------------- */

static int tty_open(struct inode *ip, struct file *f)
{
    bool aux = dev_major(ip->rdev) == TTYAUX_MAJOR, own = aux && dev_minor(ip->rdev) == 0;
    struct tty *t = own ? tty_current() : &console;
    struct tty_file *tf;

    if (!t)
        return -ENXIO;
    tf = kmalloc(sizeof(*tf), 0);
    if (!tf)
        return -ENOMEM;
    *tf = (struct tty_file){t, READ_ONCE(t->hangups), .immortal = aux && !own};
    f->private_data = tf;
    if (!aux && !(f->flags & O_NOCTTY))
        (void)tty_acquire(t, false); /* where it can be had */
    return 0;
}

static void tty_release(struct file *f)
{
    kfree(f->private_data);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static size_t take(struct tty *t, char *buf, size_t len, bool *line_done)
{
    irqflags_t flags = spin_lock_irqsave(&t->lock);
    size_t n = tty_take(t, buf, len, line_done);

    tty_update_throttle(t);
    spin_unlock_irqrestore(&t->lock, flags);
    return n;
}

static uint64_t raw_deadline(const struct tty *t, size_t have)
{
    uint64_t tenths = READ_ONCE(t->termios.c_cc[VTIME]);

    /* With VMIN > 0 the clock starts with the first byte. */
    if (!tenths || (READ_ONCE(t->termios.c_cc[VMIN]) && !have))
        return NO_DEADLINE;
    return arch_time_ns() + tenths * (NSEC_PER_SEC / 10);
}

/* Waits for more input. 0: look again; 1: enough as it is; or an errno. */
static int wait_for_input(struct file *f, struct tty *t, size_t have, size_t len)
{
    bool canonical = tty_canonical(t);
    uint64_t deadline = NO_DEADLINE;
    int err;

    if (!canonical) {
        /* VMIN, or one byte when only a time-out counts. */
        size_t min = MIN((size_t)READ_ONCE(t->termios.c_cc[VMIN]), len);

        deadline = raw_deadline(t, have);
        if (min ? have >= min : have || deadline == NO_DEADLINE)
            return 1;
    }
    if (nonblocking(f))
        return -EAGAIN;
    err = wait_event_deadline(&t->read_wait,
                              tty_readable(t) || hung_up(f) || tty_canonical(t) != canonical,
                              WAIT_INTERRUPTIBLE, deadline);
    return err == -ETIMEDOUT ? 1 : err;
}

static ssize_t tty_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    struct tty *t = tty_of(f);
    char chunk[CHUNK];
    size_t total = 0;
    int err = 0;

    (void)pos;
    while (total < len && !hung_up(f)) {
        bool line_done;
        size_t n;

        err = tty_check_background(t, SIGTTIN);
        if (err)
            break;
        n = take(t, chunk, MIN(len - total, sizeof(chunk)), &line_done);
        if (n && copy_to_user(ubuf + total, chunk, n)) {
            err = -EFAULT;
            break;
        }
        total += n;
        /* A line's end; or the rest of the line was thrown away meanwhile. */
        if (line_done || (!n && total && tty_canonical(t)))
            break;
        if (!n)
            err = wait_for_input(f, t, total, len);
        if (err)
            break;
    }
    return total || err > 0 ? (ssize_t)total : err;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static size_t output(struct tty *t, const char *s, size_t len)
{
    irqflags_t flags = spin_lock_irqsave(&t->lock);
    size_t n = tty_output(t, s, len);

    spin_unlock_irqrestore(&t->lock, flags);
    return n;
}

/* Bytes of s that went out; fewer than len only for a reason, given in *err. */
static size_t write_chunk(struct file *f, struct tty *t, const char *s, size_t len, int *err)
{
    size_t done = 0, n;

    while (done < len && !*err) {
        n = output(t, s + done, len - done);
        if (!n && nonblocking(f))
            *err = -EAGAIN;
        else if (!n)
            *err = wait_event_interruptible(&t->write_wait,
                                            hung_up(f) || (n = output(t, s + done, len - done)));
        done += n;
        if (hung_up(f))
            *err = -EIO;
    }
    return done;
}

static ssize_t tty_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    struct tty *t = tty_of(f);
    char chunk[CHUNK];
    size_t total = 0;
    int err = hung_up(f) ? -EIO : 0;

    (void)pos;
    if (!err && READ_ONCE(t->termios.c_lflag) & TOSTOP)
        err = tty_check_background(t, SIGTTOU);
    while (total < len && !err) {
        size_t n = MIN(len - total, sizeof(chunk));

        err = copy_from_user(chunk, ubuf + total, n);
        if (!err)
            total += write_chunk(f, t, chunk, n, &err);
    }
    return total ? (ssize_t)total : err;
}

static unsigned tty_poll(struct file *f, struct poll_table *pt)
{
    struct tty *t = tty_of(f);
    unsigned events = 0;
    size_t min = 1;

    poll_add(pt, &t->read_wait);
    poll_add(pt, &t->write_wait);
    if (hung_up(f))
        return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
    if (!tty_canonical(t) && !READ_ONCE(t->termios.c_cc[VTIME]))
        min = MAX((size_t)READ_ONCE(t->termios.c_cc[VMIN]), min);
    if (tty_readable(t) >= min)
        events |= EPOLLIN | EPOLLRDNORM;
    if (!READ_ONCE(t->stopped) && uart_reserve(1))
        events |= EPOLLOUT | EPOLLWRNORM;
    return events;
}

static int tty_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    return hung_up(f) ? -EIO : tty_do_ioctl(tty_of(f), cmd, arg);
}

const struct file_ops tty_file_ops = {
    .open = tty_open,
    .release = tty_release,
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
};

void tty_init(void)
{
    spin_init(&console.lock, RANK_DRIVER, "tty");
    waitq_init(&console.read_wait);
    waitq_init(&console.write_wait);
    tty_line_init(&console);
    uart_drained = console_drained;
    uart_receive = console_receive;
}
