/* SPDX-License-Identifier: MIT */
/*
 * The table of mounts, /proc/mounts, for mount, umount and df.
 */
#ifndef USER_MOUNTS_H
#define USER_MOUNTS_H

#include <stdio.h>

struct mount_entry {
    char *device, *directory, *type, *options;
};

/* NULL-safe iteration: opens the table (dies if there is none), next entry or NULL, close. */
FILE *mounts_open(void);
/* Valid until the next call. */
const struct mount_entry *mounts_next(FILE *table);

#endif
