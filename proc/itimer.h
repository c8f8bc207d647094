/* SPDX-License-Identifier: MIT */
/* Interval timers of a process: ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. A zeroed process has none. */
#pragma once

struct process;

void itimers_run(struct process *p);    /* thread context: sends what is due, arms anew */
void itimers_cancel(struct process *p); /* the last thread leaves: no timer fires afterwards */
