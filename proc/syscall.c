/* SPDX-License-Identifier: MIT */
/*
 * The system-call table, made from syscalls.def: for each call a row with its name, its arity, and
 * a stub that narrows the arguments to their types (registers hold 64 bits whatever the program
 * meant, and the compiler trusts a 32-bit argument to be sign-extended).
 *
 * Convention (Linux riscv64): number in a7, arguments in a0..a5, result or -errno in a0.
 */
#include <asm/unistd.h>

#include "arch/arch.h"
#include "arch/trapframe.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "proc/boot.h"
#include "proc/process.h"
#include "proc/syscalls.h"

struct syscall {
    long (*run)(const uint64_t *a);
    const char *name;
    unsigned nargs;
};

#define SYSCALL0(name)                        \
    static long run_##name(const uint64_t *a) \
    {                                         \
        (void)a;                              \
        return sys_##name();                  \
    }
#define SYSCALL1(name, t1, a1)                \
    static long run_##name(const uint64_t *a) \
    {                                         \
        return sys_##name((t1)a[0]);          \
    }
#define SYSCALL2(name, t1, a1, t2, a2)         \
    static long run_##name(const uint64_t *a)  \
    {                                          \
        return sys_##name((t1)a[0], (t2)a[1]); \
    }
#define SYSCALL3(name, t1, a1, t2, a2, t3, a3)           \
    static long run_##name(const uint64_t *a)            \
    {                                                    \
        return sys_##name((t1)a[0], (t2)a[1], (t3)a[2]); \
    }
#define SYSCALL4(name, t1, a1, t2, a2, t3, a3, t4, a4)             \
    static long run_##name(const uint64_t *a)                      \
    {                                                              \
        return sys_##name((t1)a[0], (t2)a[1], (t3)a[2], (t4)a[3]); \
    }
#define SYSCALL5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5)               \
    static long run_##name(const uint64_t *a)                                \
    {                                                                        \
        return sys_##name((t1)a[0], (t2)a[1], (t3)a[2], (t4)a[3], (t5)a[4]); \
    }
#define SYSCALL6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6)                 \
    static long run_##name(const uint64_t *a)                                          \
    {                                                                                  \
        return sys_##name((t1)a[0], (t2)a[1], (t3)a[2], (t4)a[3], (t5)a[4], (t6)a[5]); \
    }
#include "proc/syscalls.def"
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6

/* The generic table's numbers under the names of the calls they make on a 64-bit machine. */
#define __NR_fadvise64 __NR3264_fadvise64
/* Younger than some toolchains' headers. */
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

#define ROW(name, n) [__NR_##name] = {run_##name, #name, n},
#define SYSCALL0(name) ROW(name, 0)
#define SYSCALL1(name, ...) ROW(name, 1)
#define SYSCALL2(name, ...) ROW(name, 2)
#define SYSCALL3(name, ...) ROW(name, 3)
#define SYSCALL4(name, ...) ROW(name, 4)
#define SYSCALL5(name, ...) ROW(name, 5)
#define SYSCALL6(name, ...) ROW(name, 6)
static const struct syscall syscalls[] = {
#include "proc/syscalls.def"
};

static bool tracing;
static _Atomic uint64_t unknown_logged[8]; /* one bit per number: told once */

void syscall_init(void)
{
    tracing = boot_flag("trace");
}

cold_fn static long unknown_syscall(uint64_t nr)
{
    uint64_t bit = 1UL << nr % 64;

    if (nr >= 64 * ARRAY_SIZE(unknown_logged))
        return -ENOSYS;
    if (!(atomic_fetch_or(&unknown_logged[nr / 64], bit) & bit))
        pr_info("%s[%d]: system call %lu does not exist here\n", current->name, current->tid, nr);
    return -ENOSYS;
}

cold_fn static long run_traced(const struct syscall *call, const uint64_t *a)
{
    uint64_t args[4] = {a[0], a[1], a[2], a[3]}; /* exec and sigreturn change them */
    long ret = call->run(a);

    pr_info("%s[%d] %s(%lx, %lx, %lx, %lx)/%u = %ld\n", current->name, current->tid, call->name,
            args[0], args[1], args[2], args[3], call->nargs, ret);
    return ret;
}

void syscall_dispatch(struct trapframe *tf)
{
    uint64_t nr = tf->a[7];
    const struct syscall *call = &syscalls[nr];

    stat_inc(syscalls);
    current->restart_ok = true;
    if (unlikely(nr >= ARRAY_SIZE(syscalls) || !call->run)) {
        tf->a[0] = (uint64_t)unknown_syscall(nr);
        return;
    }
    tf->a[0] = (uint64_t)(unlikely(tracing) ? run_traced(call, tf->a) : call->run(tf->a));
}
