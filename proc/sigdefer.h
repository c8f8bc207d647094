/* SPDX-License-Identifier: MIT */
/* What interrupt handlers leave to a kernel thread, because sending takes locks they may not. */
#pragma once

struct process;

void signal_defer_init(void); /* starts the thread */
/* A timer of the process is due: proc/itimer.c's itimers_run(p) follows. Any context. */
void signal_defer_itimers(struct process *p);
