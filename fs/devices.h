/* SPDX-License-Identifier: MIT */
/* The devices that are made of nothing but kernel code, and the files of block devices. */
#pragma once

#define BLOCK_MAJOR 254 /* what Linux usually hands to virtio disks */

void mem_devices_init(void); /* null, zero, full, random, urandom, kmsg */
