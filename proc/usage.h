/* SPDX-License-Identifier: MIT */
/* CPU time of single threads; process_cpu_times (proc/process.h) sums it. */
#pragma once

#include "lib/types.h"

struct thread;

/* Exact run time, divided as the ticks that hit user and kernel mode suggest. */
void thread_cpu_times(struct thread *t, uint64_t *utime_ns, uint64_t *stime_ns);
