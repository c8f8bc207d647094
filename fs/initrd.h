/* SPDX-License-Identifier: MIT */
/* The initial RAM disk: a cpio archive ("newc") in memory, unpacked into a tmpfs. */
#pragma once

#include "lib/types.h"

struct inode;

/* Unpacks what the device tree announces below root. 0, -ENOENT (no initrd), -EINVAL (no or a
 * damaged archive), -ENOMEM. Boot only; the archive's memory is left alone. */
int initrd_unpack(struct inode *root);
