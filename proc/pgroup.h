/* SPDX-License-Identifier: MIT */
/* The tree of processes seen as groups and sessions: walking, signalling, orphaned groups. */
#pragma once

#include "lib/types.h"

struct process;
struct thread;

/* Every process, zombies included: init first, parents before children. proctree_lock held. */
struct process *process_first(void);
struct process *process_following(struct process *p);

/* A thread of some process, 0 = the caller; referenced. NULL: none, or the kernel's own. */
struct thread *user_thread_get(int tid);

/* No member but `leaving` has a parent outside the group in its session. proctree_lock held. */
bool pgroup_is_orphaned(int pgid, const struct process *leaving);
/*
 * p ends (its children not yet handed to init): groups that it keeps from being orphans, its own and
 * its children's, get SIGHUP and SIGCONT if a member is stopped. proctree_lock held.
 */
void pgroup_process_exits(struct process *p);
bool pgroup_exists(int pgid, int sid); /* proctree_lock held */
