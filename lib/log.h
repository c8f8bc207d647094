/* SPDX-License-Identifier: MIT */
/*
 * The kernel log: a ring of the newest messages (for dmesg and panics) and the console behind it.
 * Callable from every context, interrupt handlers and panics included; never sleeps.
 */
#pragma once

#include "lib/types.h"

enum log_level { LOG_ERR = 3, LOG_WARN = 4, LOG_INFO = 6 };

/* Messages of this level or more urgent go to the console too; "quiet" lowers it to LOG_ERR. */
extern enum log_level log_console_level;

/* Where console bytes go. Set by arch (SBI) first, by the UART driver later. Polled, any context. */
extern void (*log_console_write)(const char *s, size_t len);

void klog(enum log_level level, const char *fmt, ...) printf_like(2, 3);

#define pr_err(...) klog(LOG_ERR, __VA_ARGS__)
#define pr_warn(...) klog(LOG_WARN, __VA_ARGS__)
#define pr_info(...) klog(LOG_INFO, __VA_ARGS__)

/* The ring, for syslog(2) and panics. Offsets count all bytes ever logged. */
uint64_t log_start(void); /* offset of the oldest byte still kept */
uint64_t log_end(void);
/* Copies up to len bytes from *off on (moved up to log_start() first) and advances *off. */
size_t log_read(uint64_t *off, char *buf, size_t len);

/* Prints where, why, registers, backtraces of all harts, held locks; powers off with failure. */
noreturn_fn void panic(const char *fmt, ...) printf_like(1, 2);

#if DEBUG
#define assert(c) ((c) ? (void)0 : panic("assertion failed: %s (%s:%d)", #c, __FILE__, __LINE__))
#else
#define assert(c) ((void)sizeof((c) ? 1 : 0))
#endif

/* For what must hold in every build and costs nothing to check. */
#define BUG_ON(c) ((c) ? panic("bug: %s (%s:%d)", #c, __FILE__, __LINE__) : (void)0)
