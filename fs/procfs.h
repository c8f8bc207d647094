/* SPDX-License-Identifier: MIT */
/*
 * /proc from the inside: the tree is tables of struct proc_entry, and a file is one function that
 * prints its whole text. procfs.c turns the tables into inodes, procfs_pid.c and procfs_system.c
 * hold the functions.
 */
#pragma once

#include "fs/vfs.h"
#include "lib/types.h"

struct process;
struct thread;

/* A growing text. Once memory is short, `failed` stays set and nothing more is added. */
struct text {
    _Atomic uint32_t refs;
    char *buf;
    size_t len, cap;
    bool failed;
};

void text_printf(struct text *t, const char *fmt, ...) printf_like(2, 3);
void text_put(struct text *t, const void *data, size_t len);
void text_pad(struct text *t, size_t line_start, size_t width); /* spaces up to a column */
/* A vmprint emit function. */
void text_line(void *text, const char *line);

/* What an entry is about. Both referenced for the time of the call. */
struct proc_target {
    struct process *proc;  /* NULL: the system */
    struct thread *thread; /* NULL as well if the process is a zombie */
    int fd;                /* of fd/N */
};

enum proc_kind { PROC_PLAIN, PROC_ROOT, PROC_TASKS, PROC_FDS };

struct proc_entry {
    const char *name; /* NULL ends a table */
    uint32_t mode;    /* S_IFMT bits included */
    enum proc_kind kind;
    const struct proc_entry *children;
    /* A file's text, or a link's target. */
    int (*show)(struct text *t, const struct proc_target *to);
    /* input: NUL-terminated, without the last newline. */
    int (*write)(const struct proc_target *to, char *input);
    /* A magic link's end, referenced; err_ptr. */
    struct dentry *(*follow)(const struct proc_target *to);
};

extern const struct proc_entry proc_root_entries[]; /* procfs_system.c */
extern const struct proc_entry proc_pid_entries[];  /* procfs_pid.c: of a process */
extern const struct proc_entry proc_tid_entries[];  /* of a thread: without task/ */
extern const struct proc_entry proc_fd_entry;       /* fd/N */

struct proc_inode {
    struct inode inode;
    const struct proc_entry *entry;
    int pid, tid, fd;  /* 0, 0, -1 where it has none */
    uint64_t start_ns; /* the process's: tells it from a later one of the same number */
};

static inline struct proc_inode *proc_of(struct inode *ip)
{
    return container_of(ip, struct proc_inode, inode);
}

/* What the inode is about, as long as it exists. 0 or -ESRCH. */
int proc_target_get(const struct proc_inode *pi, struct proc_target *to) must_check;
void proc_target_put(struct proc_target *to);
extern const struct file_ops proc_text_fops; /* procfs_file.c */

struct files *proc_files_get(struct process *p);            /* files_put; NULL: gone */
struct thread *proc_thread_get(struct process *p, int tid); /* tid 0: its leader, or any */
int proc_next_tid(struct process *p, int after);            /* smallest tid above; -1 */

/* procfs_status.c */
const char *proc_thread_name(const struct proc_target *to);
int proc_show_stat(struct text *t, const struct proc_target *to);
int proc_show_statm(struct text *t, const struct proc_target *to);
int proc_show_status(struct text *t, const struct proc_target *to);
int proc_show_maps(struct text *t, const struct proc_target *to);
int proc_show_pagetable(struct text *t, const struct proc_target *to);
