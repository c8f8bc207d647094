/* SPDX-License-Identifier: MIT */
/*
 * The kernel log. Invariant: bytes [log_start, log_end) of the endless stream of messages are in
 * the ring, at offset modulo its size.
 *
 * Lock: log_lock (unranked, irqsave) guards ring and offsets; a hart that panics while holding it
 * goes on without. The console is written outside the lock, so lines of two harts may interleave
 * but none waits for a slow console with interrupts masked longer than its own line takes.
 */
#include "lib/log.h"

#include <stdarg.h>

#include "arch/arch.h"
#include "lib/printf.h"
#include "lib/spinlock.h"

#define RING_SIZE 32768UL

enum log_level log_console_level = LOG_INFO;
void (*log_console_write)(const char *s, size_t len);

static char ring[RING_SIZE];
static uint64_t ring_end;
static struct spinlock log_lock = SPINLOCK_INIT(RANK_NONE, "log");

uint64_t log_end(void)
{
    return ring_end;
}

uint64_t log_start(void)
{
    return ring_end > RING_SIZE ? ring_end - RING_SIZE : 0;
}

size_t log_read(uint64_t *off, char *buf, size_t len)
{
    irqflags_t irq = spin_lock_irqsave(&log_lock);
    size_t n = 0;

    if (*off < log_start())
        *off = log_start();
    while (n < len && *off < ring_end)
        buf[n++] = ring[(*off)++ % RING_SIZE];
    spin_unlock_irqrestore(&log_lock, irq);
    return n;
}

static void append(const char *s, size_t len)
{
    while (len--)
        ring[ring_end++ % RING_SIZE] = *s++;
}

void klog(enum log_level level, const char *fmt, ...)
{
    char line[200];
    uint64_t now = arch_time_ns();
    irqflags_t irq;
    bool locked;
    va_list ap;
    int prefix, n;

    prefix = snprintf(line, sizeof(line), "<%d>[%5lu.%06lu] ", level, now / NSEC_PER_SEC,
                      now % NSEC_PER_SEC / 1000);
    va_start(ap, fmt);
    n = vsnprintf(line + prefix, sizeof(line) - (size_t)prefix, fmt, ap);
    va_end(ap);
    n = MIN(prefix + n, (int)sizeof(line) - 1);
    irq = arch_irq_save();
    locked = spin_trylock(&log_lock);
    for (int tries = 0; !locked && tries < 1000000; tries++)
        locked = spin_trylock(&log_lock);
    append(line, (size_t)n);
    if (locked)
        spin_unlock(&log_lock);
    arch_irq_restore(irq);
    if (level <= log_console_level && log_console_write)
        log_console_write(line + prefix, (size_t)(n - prefix));
}
