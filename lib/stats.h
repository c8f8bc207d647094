/* SPDX-License-Identifier: MIT */
/*
 * Event counters for /proc/vmstat: one set per hart, each written by its own hart only with plain
 * stores, so that they cost three instructions and may stay on.
 */
#pragma once

#include "arch/arch.h"

#define STATS(X)          \
    X(satp_writes)        \
    X(local_fences)       \
    X(remote_fences)      \
    X(context_switches)   \
    X(syscalls)           \
    X(interrupts)         \
    X(timer_interrupts)   \
    X(ipis)               \
    X(faults)             \
    X(faults_zero)        \
    X(faults_file)        \
    X(faults_cow)         \
    X(faults_stack)       \
    X(faults_spurious)    \
    X(faults_kernel)      \
    X(faults_bad)         \
    X(copyin_calls)       \
    X(copyin_bytes)       \
    X(copyout_calls)      \
    X(copyout_bytes)      \
    X(copyinstr_calls)    \
    X(copyinstr_bytes)    \
    X(forks)              \
    X(execs)              \
    X(steals)             \
    X(disk_reads)         \
    X(disk_writes)        \
    X(disk_flushes)       \
    X(disk_read_sectors)  \
    X(disk_write_sectors) \
    X(pages_reclaimed)    \
    X(oom_kills)

enum stat_id {
#define STAT_ID(name) STAT_##name,
    STATS(STAT_ID)
#undef STAT_ID
        STAT_COUNT
};

extern uint64_t hart_stats[MAX_HARTS][STAT_COUNT];
extern const char *const stat_names[STAT_COUNT];

#define stat_add(id, n) (arch_this_hart()->stats[STAT_##id] += (n))
#define stat_inc(id) stat_add(id, 1)

uint64_t stat_total(enum stat_id id);
