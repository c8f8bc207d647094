/* SPDX-License-Identifier: MIT */
/* The devices that are made of nothing but kernel code, and the files of block devices. */
#pragma once

#define BLOCK_MAJOR 254 /* what Linux usually hands to virtio disks */

extern const struct file_ops mem_file_ops; /* null, zero, full, random, urandom */

enum { MEM_NULL = 3, MEM_ZERO = 5, MEM_FULL = 7, MEM_RANDOM = 8, MEM_URANDOM = 9 }; /* minors */
