/* SPDX-License-Identifier: MIT */
/*
 * The types every other file stands on. Three kinds of address never mix:
 *   paddr_t   a physical address
 *   uaddr_t   a user virtual address: an integer, so that it cannot be dereferenced by accident
 *   pointers  kernel virtual addresses (RAM is direct-mapped, so a RAM paddr_t has the same value)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/errno.h>

typedef uint64_t paddr_t;
typedef uint64_t uaddr_t;
typedef int64_t ssize_t;
typedef int64_t off_t; /* file offset in bytes */

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define PAGE_MASK (PAGE_SIZE - 1)

/* The end of user memory: the PLIC begins here, and kernel and user share one page table. */
#define USER_TOP 0x0c000000UL

#define ALIGN_UP(x, a) (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define must_check __attribute__((warn_unused_result))
#define noreturn_fn __attribute__((noreturn))
#define cold_fn __attribute__((cold, noinline)) /* keeps its registers out of a hot caller */
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define NSEC_PER_SEC 1000000000UL

/* Errors that never reach a program: the trap exit turns them into EINTR or a restarted call. */
#define ERESTARTSYS 512    /* restart if no handler runs, or one with SA_RESTART */
#define ERESTARTNOINTR 513 /* restart, after whatever handler */
#define ERESTARTNOHAND 514 /* restart only if no handler runs */

#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* An errno travels in a pointer's last page; valid pointers never lie there. */
static inline void *err_ptr(long err)
{
    return (void *)err;
}

static inline bool is_err(const void *p)
{
    return (uintptr_t)p >= (uintptr_t)-4095L;
}

static inline int ptr_err(const void *p)
{
    return (int)(intptr_t)p;
}
