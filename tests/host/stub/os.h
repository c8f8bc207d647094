/* SPDX-License-Identifier: MIT */
/* What host tests need of the host's system, apart from the kernel's headers (they would clash). */
#pragma once

#include <stddef.h>
#include <stdint.h>

void *os_map_file(const char *path, size_t size); /* shared, created if need be; exits on failure */
void os_unmap(void *p, size_t size);
void *os_pages(size_t size); /* page-aligned, zeroed */
char *os_temp_dir(void);     /* removed at exit */
/* Runs a shell command, output to `log`; its exit status. */
int os_run(const char *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
double os_seconds(void);

/* Threads of which one runs at a time: it says which is next. The first is number 0. */
int os_spawn(void (*fn)(void *), void *arg); /* starts when switched to */
void os_switch(int to);                      /* returns when switched back */
void os_exit_to(int to);                     /* the running thread ends */
int os_self(void);
void os_join_all(void); /* after all but thread 0 ended: their numbers may be used again */
