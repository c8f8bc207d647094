/* SPDX-License-Identifier: MIT */
/* What removing and renaming have in common. */
#pragma once

#include "fs/dcache.h"

/* May the caller remove d (positive) from the locked directory dir? 0, -EACCES, -EPERM, -EROFS,
 * -ENOTDIR, -EISDIR, -EBUSY (a mount point). */
int check_remove(struct inode *dir, struct dentry *d, bool want_dir) must_check;
