/* SPDX-License-Identifier: MIT */
/*
 * File trees in memory, for tmpfs itself and for file systems made of fixed nodes (/dev): their
 * mount calls tmpfs_fill_super, then tmpfs_add for each node.
 */
#pragma once

#include "fs/vfs.h"

/* An empty tree with a root directory of the given mode; sets sb->root, ops and limits. */
int tmpfs_fill_super(struct superblock *sb, uint32_t root_mode);
/*
 * Adds a node to dir (as kernel: owner root, no permission checks). mode with S_IFMT; rdev for
 * devices, target for symbolic links (else NULL). The node, not referenced (the tree holds it), or
 * err_ptr(-EEXIST, -ENOMEM).
 */
struct inode *tmpfs_add(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev,
                        const char *target);
