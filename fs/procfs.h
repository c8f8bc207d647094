/* SPDX-License-Identifier: MIT */
/*
 * /proc from the inside: the tree is tables of struct proc_entry, and a file is one function that
 * prints its whole text. procfs.c turns the tables into inodes and files, procfs_pid.c and
 * procfs_system.c hold the tables.
 */
#pragma once

#include "fs/vfs.h"
#include "lib/types.h"

struct process;
struct thread;

/* A growing text. Once memory was short nothing more is added; err tells. */
struct text {
    char *buf;
    size_t len, cap;
    int err; /* 0, or why there is no text: -ENOMEM, or what its function says */
};

/* Room for n more bytes, to be filled and then added to len; NULL: no memory. */
char *text_room(struct text *t, size_t n);
void text_printf(struct text *t, const char *fmt, ...) printf_like(2, 3);
void text_put(struct text *t, const char *s); /* of any length */
int text_path(struct text *t, struct dentry *d);

/* What an entry is about. All referenced for the time of the call. */
struct proc_target {
    struct process *proc;  /* NULL: the system */
    struct thread *thread; /* NULL as well if the process is a zombie */
    struct file *file;     /* of fd/N */
};

enum proc_kind { PROC_PLAIN, PROC_ROOT, PROC_TASKS, PROC_FDS };

struct proc_entry {
    const char *name; /* NULL ends a table */
    uint32_t mode;    /* S_IFMT bits included */
    enum proc_kind kind;
    const struct proc_entry *children;
    /* A file's text or a link's target, in one of these ways: */
    const char *text; /* always the same; a file's newline is added */
    void (*print)(struct text *t);
    void (*show)(struct text *t, const struct proc_target *to);
    struct dentry *(*follow)(const struct proc_target *to); /* a magic link's end, referenced */
    /* input: NUL-terminated, without the last newline. */
    int (*write)(const struct proc_target *to, char *input);
};

extern const struct proc_entry proc_root_entries[]; /* procfs_system.c */
extern const struct proc_entry proc_pid_entries[];  /* procfs_pid.c; the first is task/ */

struct files *proc_files_get(struct process *p); /* files_put; NULL: gone */
