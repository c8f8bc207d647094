/* SPDX-License-Identifier: MIT */
/*
 * Files of /proc: a file's whole text is made by its entry's function at the first read and at each
 * read from position 0, without locks, and copied to the user afterwards. A reader in the middle
 * keeps the text it began with, so that lines do not shift under it.
 */
#include "fs/procfs.h"

#include <stdarg.h>

#include "arch/arch.h"
#include "lib/printf.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

enum { MAX_INPUT = 4096 };

struct proc_file {        /* file->private_data */
    struct spinlock lock; /* guards text, the pointer */
    struct text *text;
};

/* ---- Text ---------------------------------------------------------------------------------------- */

static bool text_room(struct text *t, size_t more)
{
    size_t cap = t->cap ? t->cap : PAGE_SIZE;
    char *bigger;

    if (t->len + more <= t->cap)
        return true;
    while (cap < t->len + more)
        cap *= 2;
    bigger = t->failed ? NULL : kmalloc(cap, 0);
    if (!bigger) {
        t->failed = true;
        return false;
    }
    memcpy(bigger, t->buf, t->len);
    kfree(t->buf);
    t->buf = bigger;
    t->cap = cap;
    return true;
}

void text_put(struct text *t, const void *data, size_t len)
{
    if (!text_room(t, len))
        return;
    memcpy(t->buf + t->len, data, len);
    t->len += len;
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (!text_room(t, 128))
        return;
    va_start(ap, fmt);
    n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
    va_end(ap);
    if ((size_t)n >= t->cap - t->len) {
        if (!text_room(t, n + 1))
            return;
        va_start(ap, fmt);
        vsnprintf(t->buf + t->len, n + 1, fmt, ap);
        va_end(ap);
    }
    t->len += n;
}

void text_pad(struct text *t, size_t line_start, size_t width)
{
    do
        text_put(t, " ", 1);
    while (!t->failed && t->len < line_start + width);
}

void text_line(void *text, const char *line)
{
    text_put(text, line, strlen(line));
}

static void text_unref(struct text *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    kfree(t->buf);
    kfree(t);
}

/* ---- Files ----------------------------------------------------------------------------------------- */

static struct text *render(struct inode *ip)
{
    struct text *t = kzalloc(sizeof(*t));
    struct proc_target to;
    int err;

    if (!t)
        return err_ptr(-ENOMEM);
    t->refs = 1;
    err = proc_target_get(proc_of(ip), &to);
    if (!err) {
        err = proc_of(ip)->entry->show(t, &to);
        proc_target_put(&to);
    }
    if (!err && t->failed)
        err = -ENOMEM;
    if (!err)
        return t;
    text_unref(t);
    return err_ptr(err);
}

/* The text to read from, referenced: fresh at position 0. */
static struct text *text_for(struct file *f, off_t pos)
{
    struct proc_file *pf = f->private_data;
    struct text *t, *old;

    spin_lock(&pf->lock);
    t = pos ? pf->text : NULL;
    if (t)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    spin_unlock(&pf->lock);
    if (t)
        return t;
    t = render(f->inode);
    if (is_err(t))
        return t;
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    spin_lock(&pf->lock);
    old = pf->text;
    pf->text = t;
    spin_unlock(&pf->lock);
    text_unref(old);
    return t;
}

static size_t text_left(const struct text *t, off_t pos, size_t len)
{
    return (size_t)pos >= t->len ? 0 : MIN(len, t->len - pos);
}

static ssize_t proc_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    struct text *t;
    ssize_t n;

    if (!proc_of(f->inode)->entry->show)
        return -EINVAL;
    t = text_for(f, *pos);
    if (is_err(t))
        return ptr_err(t);
    n = text_left(t, *pos, len);
    if (n && copy_to_user(ubuf, t->buf + *pos, n))
        n = -EFAULT;
    else
        *pos += n;
    text_unref(t);
    return n;
}

static int write_input(struct inode *ip, char *input)
{
    struct proc_target to;
    int err = proc_target_get(proc_of(ip), &to);

    if (err)
        return err;
    err = proc_of(ip)->entry->write(&to, input);
    proc_target_put(&to);
    return err;
}

static ssize_t proc_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    char *input;
    int err;

    if (!proc_of(f->inode)->entry->write || len >= MAX_INPUT)
        return -EINVAL;
    input = kmalloc(len + 1, 0);
    if (!input)
        return -ENOMEM;
    err = copy_from_user(input, ubuf, len);
    if (!err) {
        input[len] = '\0';
        if (len && input[len - 1] == '\n')
            input[len - 1] = '\0';
        err = write_input(f->inode, input);
    }
    kfree(input);
    if (err)
        return err;
    *pos += len;
    return len;
}

static int proc_open(struct inode *ip, struct file *f)
{
    struct proc_file *pf = kzalloc(sizeof(*pf));

    (void)ip;
    if (!pf)
        return -ENOMEM;
    spin_init(&pf->lock, RANK_FILE, "proc_file");
    f->private_data = pf;
    return 0;
}

static void proc_release(struct file *f)
{
    struct proc_file *pf = f->private_data;

    text_unref(pf->text);
    kfree(pf);
}

const struct file_ops proc_text_fops = {.open = proc_open,
                                        .release = proc_release,
                                        .read = proc_read,
                                        .write = proc_write};
