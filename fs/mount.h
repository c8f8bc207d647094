/* SPDX-License-Identifier: MIT */
/* The mounted file systems, for what goes over all of them. */
#pragma once

#include "fs/dcache.h"

extern struct mutex mount_lock; /* MUTEX_MOUNT */
extern struct list mounts;      /* of superblocks, in order of mounting; mount_lock or
                                * dcache_lock to look, both to change */
