/* SPDX-License-Identifier: MIT */
/* A process's descriptors and directories, for the files of fs/ that change them. */
#pragma once

#include "fs/vfs.h"

#define FIRST_FDS 32u

struct fd { /* used without a file: reserved by an open under way */
    struct file *file;
    bool used, cloexec;
};

struct files {
    _Atomic uint32_t refs; /* (a) processes that share it, and short visits from /proc */
    struct spinlock lock;  /* RANK_FILES: guards all below */
    struct fd *fds;
    unsigned cap, top;         /* room in fds; all from top on are free */
    unsigned first_free;       /* none below it is free */
    struct dentry *cwd, *root; /* referenced */
    uint32_t umask;
    struct fd first_fds[FIRST_FDS];
};

struct files *current_files(void);
int fd_dup(struct file *f, unsigned lowest, int flags);
bool fd_cloexec(int fd);
void fd_set_cloexec(int fd, bool on);
/* A low descriptor of a table nobody runs with yet; takes the reference. */
int fs_install_at(struct files *fs, unsigned fd, struct file *f);
