/* SPDX-License-Identifier: MIT */
/*
 * What a guest test may use: cases, checks, children, faults on purpose, counters, failing allocations.
 *
 * All of tests/test_*.c and harness.c make one static program, `unit`, that speaks to the kernel by
 * system calls alone and passes on Linux as well: Linux says what is right. A case runs in a child
 * of its own, in an empty directory of its own, and passes if it returns. What differs on purpose
 * asks on_unimap(); what an emulator gets wrong asks on_qemu_user() and says why.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096UL
#define NORETURN __attribute__((noreturn))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NOINLINE __attribute__((noinline))

/* The end of user memory on Unimap: the interrupt controller's address. */
#define USER_TOP 0x0c000000UL

/* ---- Cases ---- */

struct test_case {
    const char *name;
    const char *file;
    int timeout_s; /* a last resort against hangs, not a measure of speed */
    bool slow;     /* only with -S, or when asked for by its whole name */
    void (*run)(void);
};

#define TEST_CASE(id, seconds, is_slow)                                                            \
    static void test_##id(void);                                                                   \
    static const struct test_case case_##id = {#id, __FILE__, seconds, is_slow, test_##id};        \
    static const struct test_case *const entry_##id __attribute__((used, section("unit_cases"))) = \
        &case_##id;                                                                                \
    static void test_##id(void)

#define TEST(id) TEST_CASE(id, 120, false)
#define TEST_LONG(id) TEST_CASE(id, 600, false)
#define TEST_SLOW(id) TEST_CASE(id, 7200, true)

/* What the program does when it is executed as `unit --mode=NAME …`: the far side of exec tests. */
struct test_mode {
    const char *name;
    int (*run)(int argc, char **argv);
};

#define MODE(id)                                                        \
    static int mode_##id(int argc, char **argv);                        \
    static const struct test_mode mode_case_##id = {#id, mode_##id};    \
    static const struct test_mode *const mode_entry_##id                \
        __attribute__((used, section("unit_modes"))) = &mode_case_##id; \
    static int mode_##id(int argc __attribute__((unused)), char **argv __attribute__((unused)))

/* ---- Checks: each ends the process with status 1, and the case, saying where and what ---- */

extern pid_t case_pid; /* the case's own process */

NORETURN void fail_at(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);
NORETURN void skip_case(const char *reason);
void note(const char *fmt, ...) PRINTF(1, 2);
void check_eq(long long a, long long b, const char *sa, const char *sb, const char *file, int line);
void check_errno(long ret, int want, const char *what, const char *file, int line);
long check_ok(long ret, const char *what, const char *file, int line);
void check_exit(pid_t pid, int code, const char *file, int line);
void check_signal(pid_t pid, int sig, const char *file, int line);

#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(reason) skip_case(reason)
#define CHECK(cond)                   \
    do {                              \
        if (!(cond))                  \
            FAIL("CHECK(%s)", #cond); \
    } while (0)
#define CHECK_EQ(a, b) check_eq((long long)(a), (long long)(b), #a, #b, __FILE__, __LINE__)
/* The call must return -1 with this errno … */
#define CHECK_ERRNO(call, err) \
    check_errno((errno = 0, (long)(call)), err, #call, __FILE__, __LINE__)
/* … or anything but -1, which is handed on. */
#define CHECK_OK(call) check_ok((errno = 0, (long)(call)), #call, __FILE__, __LINE__)
/* Waits for the child, which must have ended like this. */
#define CHECK_EXIT(pid, code) check_exit(pid, code, __FILE__, __LINE__)
#define CHECK_SIGNAL(pid, sig) check_signal(pid, sig, __FILE__, __LINE__)

/* ---- Where we are ---- */

bool on_unimap(void);
bool on_qemu_user(void);
bool on_riscv(void);
/* Deterministic for a seed (-s): the same sequence in every run of a case. */
uint64_t rnd(void);
/* This program's own file, to be executed again. */
const char *self_exe(void);
void need_self_exec(void); /* skips the case where an emulator cannot execute it */

/* ---- Processes and events ---- */

pid_t fork_child(void); /* fork that must succeed */
int reap(pid_t pid);    /* wait4, through interruptions: the status */
pid_t vm_child(int (*fn)(void *), void *arg, void *stack, size_t len); /* CLONE_VM|SIGCHLD */
uint64_t now_ns(void);                                                 /* CLOCK_MONOTONIC */
/* A gate lets a fixed number of waiters through: a pipe, so waiting needs no clock. */
struct gate {
    int fd[2];
};
void gate_init(struct gate *g);
void gate_open(struct gate *g);
void gate_wait(struct gate *g);
void gate_close(struct gate *g);
void set_handler(int sig, void (*fn)(int, siginfo_t *, void *), int flags);
sigset_t one_signal(int sig);
void block_signal(int sig);
void unblock_signal(int sig);
void tick_every(long usec); /* SIGALRM, again and again; 0: no more */

/*
 * Gives every register a value of its own, makes the call (nr -1: spins a0 times, calling nothing)
 * and compares. 0, or the register that changed: 1..31 x, 32..63 f, 64 fcsr. Elsewhere than on
 * RISC-V it only makes the call.
 */
int regs_probe(long nr, long a0, long a1, long a2);

/* ---- Memory ---- */

char *map_pages(size_t n);    /* private, anonymous, readable, writable */
char *map_shared(size_t n);   /* the same, shared with children */
char *page_before_hole(void); /* one page; the one after it is not mapped */
void fill(void *p, size_t len, unsigned seed);
bool filled(const void *p, size_t len, unsigned seed);
void prefault(void *p, size_t len); /* so that a later touch allocates nothing */

/* A load, store or jump that may fault: 0, or the signal, with more in last_fault. */
struct fault {
    int sig;
    int code;
    uintptr_t addr;
};
extern struct fault last_fault;
int try_load(const volatile void *p);
int try_store(volatile void *p);
int try_call(const volatile void *p);
/* Machine code that returns, position-independent: what try_call may be pointed at. */
extern const unsigned char code_ret[];
extern const size_t code_ret_len;

/* ---- Files ---- */

int open_new(const char *path); /* O_RDWR|O_CREAT|O_TRUNC that must succeed */
void write_file(const char *path, const void *data, size_t len, mode_t mode);
ssize_t read_file(const char *path, char *buf, size_t len); /* all of it, NUL-terminated, or -1 */

/* ---- The kernel's counters: -1 where there is none of that name ---- */

long proc_field(const char *path, const char *name); /* the number after NAME in "NAME[:] number" */
long vmstat(const char *name);
long meminfo(const char *name);
long status_field(pid_t pid, const char *name);

/* ---- Allocations that fail ---- */

/*
 * Runs fn(arg) in children, with the 1st, 2nd, … allocation failing, until one was not hit. fn
 * returns -1 with errno, or undoes what it did and returns something else. ENOMEM is the only
 * error taken, and `also` (0: none) for calls that document another. Nothing of a failed call may
 * stay: fn checks what it can see, the harness what it cannot.
 */
void fail_nth_loop(long (*fn)(void *), void *arg, int also, const char *what);
#define FAIL_NTH_LOOP(fn, arg, also) fail_nth_loop(fn, arg, also, #fn)
/* In fn: counting starts where this is called (once), and ends with fn's return or fail_nth_stop. */
void fail_nth_start(void);
void fail_nth_stop(void);

#endif
