/* SPDX-License-Identifier: MIT */
/* Conversions between the kernel's nanoseconds and the structs of the system calls. */
#pragma once

#include <linux/time.h>
#include <linux/time_types.h>

#include "arch/arch.h"
#include "lib/types.h"

#define CLOCK_MAX_NS (1UL << 62) /* 146 years: later is "never" */

/* What a struct timespec says; saturates. 0 or -EINVAL. */
static inline int time_to_ns(int64_t sec, int64_t nsec, uint64_t *ns)
{
    if (sec < 0 || nsec < 0 || (uint64_t)nsec >= NSEC_PER_SEC)
        return -EINVAL;
    *ns = (uint64_t)sec >= CLOCK_MAX_NS / NSEC_PER_SEC
              ? CLOCK_MAX_NS
              : (uint64_t)sec * NSEC_PER_SEC + (uint64_t)nsec;
    return 0;
}

static inline struct timeval timeval_from_ns(uint64_t ns)
{
    return (struct timeval){.tv_sec = (int64_t)(ns / NSEC_PER_SEC),
                            .tv_usec = (int64_t)(ns % NSEC_PER_SEC / 1000)};
}

/* A valid struct timespec, as ns: 0, -EFAULT, -EINVAL. */
int timespec_from_user(uaddr_t uts, uint64_t *ns);
/* A moment of the wall clock or the monotonic clock as a deadline of the latter. */
uint64_t clock_deadline(bool realtime, uint64_t ns);
/* Sleeps until a signal is deliverable, -ERESTARTSYS, or -ETIMEDOUT. */
int sleep_interruptible(uint64_t deadline_ns);

/* A time from now on as a deadline of the monotonic clock. */
static inline uint64_t deadline_after(uint64_t ns)
{
    return ns >= CLOCK_MAX_NS ? UINT64_MAX : arch_time_ns() + ns;
}
