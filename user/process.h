/* SPDX-License-Identifier: MIT */
/*
 * Processes as /proc shows them, for ps and top.
 */
#ifndef USER_PROCESS_H
#define USER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid, ppid, pgid, sid, foreground;
    uint32_t uid;
    char state;
    int nice;
    unsigned threads;
    uint64_t ticks;    /* user + system time, in 1/sysconf(_SC_CLK_TCK) s */
    uint64_t start;    /* ticks after boot */
    uint64_t vsize;    /* bytes */
    uint64_t rss;      /* KiB */
    char name[64];     /* from stat */
    char command[256]; /* arguments, or [name] for a kernel thread */
};

/* All processes by ascending pid; NULL with errno set if /proc cannot be read. Caller frees. */
struct process *process_list(size_t *count);
/* False when it is gone. */
bool process_read(pid_t pid, struct process *out);
/* Control characters replaced, ready to print. "mm:ss" or "h:mm:ss"; out holds 16 bytes. */
void process_format_time(uint64_t ticks, char *out, size_t size);
/* Seconds since boot, 0 if unknown. */
double process_uptime(void);

#endif
