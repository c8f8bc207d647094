/* SPDX-License-Identifier: MIT */
/* The initial RAM disk: a cpio archive ("newc") in memory, unpacked into a tmpfs. */
#pragma once

/* Unpacks what the device tree announces into the root file system, a tmpfs. 0, -ENOENT (no initrd), -EINVAL (no or a
 * damaged archive), -ENOMEM. Boot only; the archive's memory is left alone. */
int initrd_unpack(void);
