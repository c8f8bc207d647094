/* SPDX-License-Identifier: MIT */
/*
 * A kernel's surroundings for file-system code on the host: memory with a limit and injected
 * failures, a disk whose requests end whenever somebody sleeps, in random order, and threads that
 * take turns at every point where the kernel would sleep. A sleep that nothing can end is a
 * deadlock and fails the test.
 */
#pragma once

#include "drivers/block.h"
#include "fs/vfs.h"
#include "mm/page.h"

#define CHECK(c)                               \
    do {                                       \
        if (!(c))                              \
            host_fail(__FILE__, __LINE__, #c); \
    } while (0)

void host_fail(const char *file, int line, const char *what) __attribute__((noreturn));
void host_init(size_t pages);
void host_seed(uint32_t seed);
uint32_t host_random(uint32_t below);

extern bool host_quiet;           /* kernel messages are not printed */
extern unsigned host_errors;      /* pr_err messages so far */
extern unsigned host_alloc_fails; /* one allocation in so many fails; 0: none */
extern unsigned host_fail_nth;    /* so does this one, counting down; 0: none */
extern unsigned host_user_faults; /* one user copy in so many falls short; 0: none */
extern unsigned host_io_errors;   /* one request in so many fails; 0: none */
extern bool host_check_overlap;   /* two requests for one block at a time fail the test */
extern uint64_t host_bios, host_flushes;
extern size_t host_objects; /* kmalloc'ed and not freed */

/* A disk over memory of the caller. */
void host_disk_init(struct block_device *bd, void *data, size_t size);
/* Runs fn(i) in n threads of equal rights, to their ends. */
void host_run_threads(unsigned n, void (*fn)(unsigned i));
void host_set_uid(uint32_t uid); /* of the running thread */

extern struct fs_type *host_fs_types[4];
int host_mount(struct superblock *sb, struct block_device *bd, bool read_only);
int host_sync(struct superblock *sb);
void host_unmount(struct superblock *sb);
