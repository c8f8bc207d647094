/* SPDX-License-Identifier: MIT */
/*
 * The character devices without hardware: null, zero, full, random, urandom, kmsg. Long transfers
 * go in pieces, with a chance for others and for a fatal signal in between.
 */
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/major.h>

#include "arch/arch.h"
#include "drivers/random.h"
#include "fs/devices.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/sched.h"
#include "proc/signal.h"

enum { PIECE = 65536, RANDOM_PIECE = 256, RECORD = 1024 };

/* Fills user memory by pieces; what was filled before an error counts. */
static ssize_t fill_user(uaddr_t ubuf, size_t len, size_t piece, int (*fill)(uaddr_t to, size_t n))
{
    size_t done = 0;

    while (done < len) {
        size_t n = MIN(len - done, piece);
        int err = fill(ubuf + done, n);

        if (err)
            return done ? (ssize_t)done : err;
        done += n;
        if (done < len && signal_fatal_pending(current))
            break;
        sched_point();
    }
    return done;
}

static ssize_t null_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    (void)f, (void)ubuf, (void)len, (void)pos;
    return 0;
}

static ssize_t null_writev(struct file *f, struct uio *u, off_t *pos)
{
    size_t n = u->left;

    (void)f, (void)pos;
    u->left = 0;
    return (ssize_t)n;
}

static off_t stay_at_zero(struct file *f, off_t off, int whence)
{
    (void)off, (void)whence;
    return f->pos = 0;
}

static ssize_t zero_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    (void)f, (void)pos;
    return fill_user(ubuf, len, PIECE, clear_user);
}

static ssize_t full_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    (void)f, (void)ubuf, (void)len, (void)pos;
    return -ENOSPC;
}

static int fill_random(uaddr_t to, size_t n)
{
    uint8_t piece[RANDOM_PIECE];

    random_bytes(piece, n);
    return copy_to_user(to, piece, n);
}

static ssize_t random_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    (void)f, (void)pos;
    return fill_user(ubuf, len, RANDOM_PIECE, fill_random);
}

static int absorb(uaddr_t from, size_t n)
{
    uint8_t piece[RANDOM_PIECE];
    int err = copy_from_user(piece, from, n);

    if (!err)
        random_add_entropy(piece, n);
    return err;
}

static ssize_t random_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    (void)f, (void)pos;
    return fill_user(ubuf, len, RANDOM_PIECE, absorb);
}

/* ---- /dev/kmsg: one line of the log per read ---------------------------------------------------- */

/* The next line from *off on, without its newline, in buf; false at the end of the log. */
static bool next_line(uint64_t *off, char *buf, size_t size)
{
    size_t got = log_read(off, buf, size - 1), len;
    char *newline = memchr(buf, '\n', got);

    if (!got)
        return false;
    len = newline ? (size_t)(newline - buf) : got;
    buf[len] = '\0';
    *off -= got - len - (newline ? 1 : 0);
    return true;
}

static const char *decimal(const char *s, uint64_t *val)
{
    for (*val = 0; *s == ' '; s++)
        ;
    for (; *s >= '0' && *s <= '9'; s++)
        *val = *val * 10 + (uint64_t)(*s - '0');
    return s;
}

/* "<level>[seconds.microseconds] text", as klog writes it, to "level,sequence,microseconds,-;text". */
static int format_record(char *record, uint64_t sequence, const char *line)
{
    uint64_t level = LOG_INFO, sec = 0, usec = 0;
    const char *p = line;

    if (*p == '<') {
        p = decimal(p + 1, &level);
        p = decimal(p + (*p == '>') + (p[1] == '['), &sec);
        p = decimal(p + (*p == '.'), &usec);
        while (*p == ']' || *p == ' ')
            p++;
    }
    return snprintf(record, RECORD, "%lu,%lu,%lu,-;%s\n", level, sequence, sec * 1000000 + usec, p);
}

static ssize_t kmsg_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    uint64_t off = (uint64_t)*pos;
    char *line = kmalloc(2 * RECORD, 0), *record = line + RECORD;
    ssize_t n;

    if (!line)
        return -ENOMEM;
    if (!next_line(&off, line, RECORD - 64)) {
        kfree(line);
        return f->flags & O_NONBLOCK ? -EAGAIN : 0;
    }
    n = format_record(record, off, line);
    if ((size_t)n > len)
        n = -EINVAL;
    else if (copy_to_user(ubuf, record, (size_t)n))
        n = -EFAULT;
    else
        *pos = (off_t)off;
    kfree(line);
    return n;
}

static ssize_t kmsg_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    size_t n = MIN(len, (size_t)RECORD - 1);
    char *line = kmalloc(RECORD, 0);
    int err;

    (void)f, (void)pos;
    if (!line)
        return -ENOMEM;
    err = copy_from_user(line, ubuf, n);
    if (!err) {
        while (n && line[n - 1] == '\n')
            n--;
        line[n] = '\0';
        pr_info("%s\n", line);
    }
    kfree(line);
    return err ? err : (ssize_t)len;
}

/* SEEK_SET 0: the oldest line; SEEK_END 0: what comes from now on. */
static off_t kmsg_lseek(struct file *f, off_t off, int whence)
{
    if (off)
        return -ESPIPE;
    if (whence != 0 && whence != 2)
        return -EINVAL;
    f->pos = whence ? (off_t)log_end() : 0;
    return 0;
}

static const struct file_ops null_ops = {.read = null_read,
                                         .writev = null_writev,
                                         .lseek = stay_at_zero};
static const struct file_ops zero_ops = {.read = zero_read,
                                         .writev = null_writev,
                                         .lseek = stay_at_zero};
static const struct file_ops full_ops = {.read = zero_read,
                                         .write = full_write,
                                         .lseek = stay_at_zero};
static const struct file_ops random_ops = {.read = random_read,
                                           .write = random_write,
                                           .lseek = stay_at_zero};
static const struct file_ops kmsg_ops = {.read = kmsg_read,
                                         .write = kmsg_write,
                                         .lseek = kmsg_lseek};

void mem_devices_init(void)
{
    static const struct {
        unsigned minor;
        const char *name;
        uint32_t mode;
        const struct file_ops *ops;
    } devices[] = {
        {3, "null", 0666, &null_ops},      {5, "zero", 0666, &zero_ops},
        {7, "full", 0666, &full_ops},      {8, "random", 0666, &random_ops},
        {9, "urandom", 0666, &random_ops}, {11, "kmsg", 0644, &kmsg_ops},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
        BUG_ON(chrdev_register(MEM_MAJOR, devices[i].minor, devices[i].name, devices[i].mode,
                               devices[i].ops));
}
