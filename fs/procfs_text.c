/* SPDX-License-Identifier: MIT */
/* Growing texts, which the files of /proc are printed into. No locks: a text has one user. */
#include "fs/procfs.h"

#include <stdarg.h>

#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

char *text_room(struct text *t, size_t n)
{
    size_t cap = t->cap ? t->cap : PAGE_SIZE;
    char *bigger;

    if (t->err == -ENOMEM)
        return NULL;
    if (t->len + n <= t->cap)
        return t->buf + t->len;
    while (cap < t->len + n)
        cap *= 2;
    bigger = kmalloc(cap, 0);
    if (!bigger) {
        t->err = -ENOMEM;
        return NULL;
    }
    memcpy(bigger, t->buf, t->len);
    kfree(t->buf);
    t->buf = bigger;
    t->cap = cap;
    return t->buf + t->len;
}

void text_put(struct text *t, const char *s)
{
    size_t len = strlen(s);
    char *room = text_room(t, len);

    if (!room)
        return;
    memcpy(room, s, len);
    t->len += len;
}

void text_printf(struct text *t, const char *fmt, ...)
{
    size_t room = 128, len = 0;
    va_list ap;
    char *at;

    do {
        room = MAX(room, len + 1);
        at = text_room(t, room);
        if (!at)
            return;
        va_start(ap, fmt);
        len = (size_t)vsnprintf(at, room, fmt, ap);
        va_end(ap);
    } while (len >= room);
    t->len += len;
}

int text_path(struct text *t, struct dentry *d)
{
    char *room = text_room(t, PATH_MAX), *path;
    size_t len;

    if (!room)
        return -ENOMEM;
    path = dentry_path(d, room, PATH_MAX);
    if (is_err(path))
        return ptr_err(path);
    len = strlen(path);
    memmove(room, path, len);
    t->len += len;
    return 0;
}
