/* SPDX-License-Identifier: MIT */
/*
 * Stale translations: after munmap, mprotect, brk, fork and copy-on-write nobody may still reach
 * the old page, neither this hart nor another one that runs a process with the same memory. Also
 * what two such processes do to each other while the kernel reads their memory (double fetches).
 */
#include "tests/test.h"

#include <sched.h>
#include <sys/uio.h>

#define STACK (16 * PAGE)

/* ---- On this hart ---- */

/* pitfall 9 */
TEST(tlb_write_munmap_write)
{
    for (int i = 0; i < 10000; i++) {
        char *p = map_pages(1);

        *p = 1;
        CHECK_OK(munmap(p, PAGE));
        CHECK_EQ(try_store(p), SIGSEGV);
    }
}

TEST(tlb_write_protect_write)
{
    char *p = map_pages(4);

    for (int i = 0; i < 3000; i++) {
        char *q = p + (i & 3) * PAGE;

        CHECK_EQ(try_store(q), 0);
        CHECK_OK(mprotect(q, PAGE, PROT_READ));
        CHECK_EQ(try_store(q), SIGSEGV);
        CHECK_EQ(try_load(q), 0);
        CHECK_OK(mprotect(q, PAGE, PROT_NONE));
        CHECK_EQ(try_load(q), SIGSEGV);
        CHECK_OK(mprotect(q, PAGE, PROT_READ | PROT_WRITE));
    }
}

TEST(tlb_sbrk_shrink)
{
    char *start = sbrk(0), *p = (char *)(((uintptr_t)start + PAGE - 1) & ~(PAGE - 1));

    if (on_qemu_user())
        SKIP("the emulator keeps what brk gives back");
    CHECK_OK(brk(p));
    for (int i = 0; i < 3000; i++) {
        CHECK_OK(brk(p + 2 * PAGE));
        CHECK_EQ(p[PAGE], 0);
        p[PAGE] = 1;
        CHECK_OK(brk(p + PAGE));
        CHECK_EQ(try_store(p + PAGE), SIGSEGV);
    }
}

TEST(tlb_map_fixed_over)
{
    char *p = map_pages(1);

    for (int i = 0; i < 3000; i++) {
        *p = 1;
        CHECK(mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0) == p);
        CHECK_EQ(*p, 0);
    }
}

/* pitfall 12: what was invalid a moment ago and is valid now must be usable at once. */
TEST(tlb_invalid_to_valid)
{
    char *p = map_pages(1);

    for (int i = 0; i < 3000; i++) {
        CHECK_OK(munmap(p, PAGE));
        CHECK_EQ(try_load(p), SIGSEGV);
        CHECK(mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0) == p);
        CHECK_EQ(try_store(p), 0);
    }
}

/* ---- Code: what was written is what is executed ---- */

typedef int (*int_fn)(void);

/* "return n", for n below 2048. */
static void write_return(char *p, int n)
{
#if defined(__riscv)
    uint32_t code[2] = {(uint32_t)n << 20 | 0x513, 0x8067}; /* li a0, n; ret */
#else
    unsigned char code[6] = {0xb8, (unsigned char)n, (unsigned char)(n >> 8), 0, 0, 0xc3};
#endif

    memcpy(p, code, sizeof(code));
    __builtin___clear_cache(p, p + sizeof(code));
}

static int call_return(char *p)
{
    int_fn fn;

    memcpy(&fn, &p, sizeof(fn));
    return fn();
}

TEST(tlb_code_written_is_executed)
{
    char *p = map_pages(1);

    for (int i = 0; i < 500; i++) {
        CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
        write_return(p, i);
        CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
        CHECK_EQ(call_return(p), i);
    }
}

/* pitfall 34: written by one process, executed by another one, possibly on another hart. */
TEST(tlb_code_written_for_another)
{
    char *p = map_shared(1);
    struct gate go, done;
    pid_t pid;

    if (on_qemu_user())
        SKIP("the emulator notices changed code only in the process that changes it");
    CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
    gate_init(&go);
    gate_init(&done);
    pid = fork_child();
    if (pid == 0) {
        for (int i = 0; i < 200; i++) {
            gate_wait(&go);
            __builtin___clear_cache(p, p + 16);
            CHECK_EQ(call_return(p), i);
            gate_open(&done);
        }
        _exit(0);
    }
    for (int i = 0; i < 200; i++) {
        write_return(p, i);
        gate_open(&go);
        gate_wait(&done);
    }
    CHECK_EXIT(pid, 0);
}

/* ---- On another hart: two processes, one memory ---- */

static struct {
    volatile char *volatile target;
    volatile int poked;
} shared;

/* Pokes until a fault ends it. Only system calls that need no library state. */
static int poke_forever(void *arg)
{
    (void)arg;
    for (;;) {
        *shared.target = (char)0xdd;
        shared.poked = 1;
    }
    return 0;
}

static pid_t start_poker(char *stack)
{
    pid_t pid;

    shared.poked = 0;
    pid = vm_child(poke_forever, NULL, stack, STACK);
    while (!shared.poked)
        sched_yield();
    return pid;
}

/* New pages, not where p was: the poker must not find them by its address. */
static char *map_elsewhere(const char *p, size_t n)
{
    char *q = map_pages(2 * n);

    if (q < p + n * PAGE && p < q + n * PAGE) {
        CHECK_OK(munmap(q, n * PAGE));
        return q + n * PAGE;
    }
    CHECK_OK(munmap(q + n * PAGE, n * PAGE));
    return q;
}

/* pitfall 10: once munmap has returned, the page may be somebody else's. */
TEST(tlb_munmap_while_another_pokes)
{
    char *stack = map_pages(STACK / PAGE);

    for (int i = 0; i < 100; i++) {
        char *p = map_pages(4), *q;
        pid_t pid;

        shared.target = p + PAGE;
        pid = start_poker(stack);
        CHECK_OK(munmap(p, 4 * PAGE));
        q = map_elsewhere(p, 4);
        fill(q, 4 * PAGE, (unsigned)i);
        CHECK_SIGNAL(pid, SIGSEGV);
        CHECK(filled(q, 4 * PAGE, (unsigned)i));
        CHECK_OK(munmap(q, 4 * PAGE));
        CHECK_OK(munmap(p, 4 * PAGE));
    }
}

TEST(tlb_mprotect_while_another_pokes)
{
    char *stack = map_pages(STACK / PAGE), *p = map_pages(4);

    for (int i = 0; i < 100; i++) {
        pid_t pid;

        shared.target = p + 2 * PAGE;
        pid = start_poker(stack);
        CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ));
        char seen = p[2 * PAGE];

        CHECK_EQ(seen, (char)0xdd);
        CHECK_SIGNAL(pid, SIGSEGV);
        CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE));
        p[2 * PAGE] = 0;
    }
}

/* A fork must write-protect the page for the poker's hart too, or the child's copy changes. */
TEST(tlb_fork_while_another_pokes)
{
    char *stack = map_pages(STACK / PAGE);
    volatile long *counter = (volatile long *)map_pages(1);
    pid_t poker;

    shared.target = (volatile char *)counter;
    poker = start_poker(stack);
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            *(volatile char *)counter = 1;
            for (int k = 0; k < 2000; k++)
                CHECK_EQ(*(volatile char *)counter, 1);
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
    }
    CHECK_OK(kill(poker, SIGKILL));
    CHECK_SIGNAL(poker, SIGKILL);
}

/* Two processes fault in and take away the same pages: no page may be lost or given twice. */
static int churn(void *arg)
{
    char *p = arg;

    for (int i = 0; i < 400; i++) {
        for (size_t k = 0; k < 16; k++)
            p[k * PAGE] = (char)i;
        syscall(SYS_madvise, p, 16 * PAGE, MADV_DONTNEED);
    }
    syscall(SYS_exit, 0);
    return 0;
}

TEST(tlb_same_pages_from_two_sides)
{
    char *stack = map_pages(STACK / PAGE), *p = map_pages(16);
    pid_t pid = vm_child(churn, p, stack, STACK);

    for (int i = 0; i < 400; i++) {
        for (size_t k = 16; k > 0; k--)
            p[(k - 1) * PAGE + 8] = (char)i;
        CHECK_OK(madvise(p, 16 * PAGE, MADV_DONTNEED));
    }
    CHECK_EXIT(pid, 0);
}

/* ---- The kernel reads what another one changes (pitfall 24) ---- */

static struct {
    struct iovec iov[2];
    char path[64];
    volatile int stop;
} fetched;

static int flip(void *arg)
{
    char *good = arg;

    while (!fetched.stop) {
        fetched.iov[0].iov_len = -1UL;
        fetched.iov[1].iov_base = (void *)0x80200000UL;
        fetched.path[3] = 0;
        fetched.iov[0].iov_len = 10;
        fetched.iov[1].iov_base = good;
        fetched.path[3] = 'x';
    }
    syscall(SYS_exit, 0);
    return 0;
}

TEST(tlb_double_fetch)
{
    char *stack = map_pages(STACK / PAGE), *good = map_pages(1);
    int fd = open_new("file");
    pid_t pid;

    memset(fetched.path, 'x', sizeof(fetched.path) - 1);
    fetched.iov[0] = fetched.iov[1] = (struct iovec){good, 10};
    pid = vm_child(flip, good, stack, STACK);
    for (int i = 0; i < 5000; i++) {
        ssize_t n = pwritev(fd, fetched.iov, 2, 0);

        CHECK(n == 20 || n == 10 || (n < 0 && (errno == EINVAL || errno == EFAULT)));
        CHECK_ERRNO(chdir(fetched.path), ENOENT);
    }
    fetched.stop = 1;
    CHECK_EXIT(pid, 0);
}
