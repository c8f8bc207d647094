/* SPDX-License-Identifier: MIT */
/*
 * /proc/meminfo, for free and top.
 */
#ifndef USER_MEMORY_H
#define USER_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* All in KiB; what the kernel does not tell is 0. */
struct memory {
    uint64_t total, free, available, buffers, cached, shared, swap_total, swap_free;
};

bool memory_read(struct memory *out);

#endif
