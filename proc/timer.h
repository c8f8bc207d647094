/* SPDX-License-Identifier: MIT */
/*
 * Timers: a function called from the timer interrupt of the hart that set it, at or after a
 * deadline of the monotonic clock (ns). And the wall clock on top of that clock.
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"

struct timer {
    struct list link; /* on a hart's list while armed */
    uint64_t deadline_ns;
    void (*fn)(struct timer *t); /* interrupts masked; may re-arm */
    void *arg;
};

static inline bool timer_armed(const struct timer *t)
{
    return READ_ONCE(t->link.next) != &t->link;
}

void timer_init(struct timer *t, void (*fn)(struct timer *), void *arg);
void timer_arm(struct timer *t, uint64_t deadline_ns); /* re-arms if armed. Any context */
/* False if it was not armed. On return fn is not running, unless called from fn itself. */
bool timer_cancel(struct timer *t);
void timer_run_expired(void); /* this hart, from the timer interrupt */

uint64_t clock_realtime_ns(void); /* since 1970 */
void clock_set_realtime_ns(uint64_t ns);
void clock_init(void); /* from the RTC, if there is one */
