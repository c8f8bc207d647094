/* SPDX-License-Identifier: MIT */
/* A process's descriptors and directories, for the files of fs/ that change them. */
#pragma once

#include "fs/vfs.h"

#define FIRST_FDS 64u

struct fdtable {
    unsigned cap; /* a multiple of 64 */
    struct file **files;
    uint64_t *used, *cloexec, *full; /* bitmaps; full: words of used */
};

struct files {
    _Atomic uint32_t refs; /* (a) processes that share it, and short visits from /proc */
    struct spinlock lock;  /* RANK_FILES: guards all below */
    struct fdtable t;
    struct dentry *cwd, *root; /* referenced */
    uint32_t umask;
    uint64_t first_table[FIRST_FDS + 3];
};

struct files *current_files(void);
int fd_dup(struct file *f, unsigned lowest, int flags);
bool fd_cloexec(int fd);
void fd_set_cloexec(int fd, bool on);
/* A low descriptor of a table nobody runs with yet; takes the reference. */
int fs_install_at(struct files *fs, unsigned fd, struct file *f);
