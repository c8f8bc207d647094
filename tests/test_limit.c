/* SPDX-License-Identifier: MIT */
/*
 * Where memory ends: USER_TOP for every way to get some (pitfall 14), page 0, the addresses of the
 * kernel and of devices as user code sees them, and the stack's own limit.
 */
#include "tests/test.h"

#include <alloca.h>
#include <sys/resource.h>

static void need_unimap(void)
{
    if (!on_unimap())
        SKIP("Linux's user memory ends elsewhere");
}

static void *map_at(uintptr_t at, size_t len, int flags)
{
    return mmap((void *)at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1,
                0);
}

/* ---- The last page ---- */

/*
 * The stack's first page may be the last of user memory. Only a frame far below it may take that
 * page away, and it must not return.
 */
NORETURN NOINLINE static void use_last_page(void)
{
    char *p = map_at(USER_TOP - PAGE, PAGE, MAP_FIXED);

    if (p != (char *)USER_TOP - PAGE)
        _exit(1);
    for (size_t i = 0; i < PAGE; i++)
        if (p[i] != 0)
            _exit(2);
    p[0] = p[PAGE - 1] = 7;
    if (mprotect(p, PAGE, PROT_READ) < 0 || p[PAGE - 1] != 7)
        _exit(3);
    if (munmap(p, PAGE) < 0)
        _exit(4);
    _exit(0);
}

TEST(limit_last_page_works)
{
    pid_t pid;

    need_unimap();
    pid = fork_child();
    if (pid == 0) {
        volatile char *room = alloca(16 * PAGE);

        room[0] = 1;
        use_last_page();
    }
    CHECK_EXIT(pid, 0);
}

TEST(limit_mmap_fixed)
{
    static const struct {
        uintptr_t at;
        size_t len;
    } bad[] = {
        {USER_TOP, PAGE},
        {USER_TOP - PAGE, 2 * PAGE},
        {USER_TOP - PAGE, PAGE + 1},
        {USER_TOP - PAGE, -PAGE},
        {USER_TOP, USER_TOP},
        {PAGE, USER_TOP},
        {0x0d000000, PAGE},
        {0x10000000, PAGE},
        {0x10001000, PAGE},
        {0x7ffff000, PAGE},
        {0x80000000, PAGE},
        {0x80200000, PAGE},
        {1UL << 32, PAGE},
        {1UL << 38, PAGE},
        {(1UL << 39) - PAGE, PAGE},
        {1UL << 63, PAGE},
        {-PAGE, PAGE},
        {-(1UL << 38), PAGE},
    };

    need_unimap();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        for (int noreplace = 0; noreplace < 2; noreplace++) {
            void *p = map_at(bad[i].at, bad[i].len, noreplace ? MAP_FIXED_NOREPLACE : MAP_FIXED);

            if (p != MAP_FAILED || (errno != ENOMEM && errno != EINVAL))
                FAIL("mmap at %#lx + %#lx: %p, errno %d", (unsigned long)bad[i].at,
                     (unsigned long)bad[i].len, p, errno);
        }
        /* As a hint it is no mistake, but the answer lies below. */
        uintptr_t q = (uintptr_t)map_at(bad[i].at, PAGE, 0);

        CHECK(q != (uintptr_t)MAP_FAILED && q < USER_TOP);
        CHECK_OK(munmap((void *)q, PAGE));
    }
}

TEST(limit_munmap_and_mprotect)
{
    need_unimap();
    CHECK_ERRNO(munmap((void *)USER_TOP, PAGE), EINVAL);
    CHECK_ERRNO(munmap((void *)(USER_TOP - PAGE), 2 * PAGE), EINVAL);
    CHECK_ERRNO(munmap((void *)0x10000000, PAGE), EINVAL);
    CHECK_ERRNO(munmap((void *)0x80200000, PAGE), EINVAL);
    CHECK_ERRNO(mprotect((void *)USER_TOP, PAGE, PROT_READ), ENOMEM);
    CHECK_ERRNO(mprotect((void *)0x10000000, PAGE, PROT_READ | PROT_WRITE), ENOMEM);
    CHECK_ERRNO(mprotect((void *)0x80200000, PAGE, PROT_READ | PROT_WRITE), ENOMEM);
    CHECK_ERRNO(madvise((void *)USER_TOP, PAGE, MADV_DONTNEED), ENOMEM);
}

TEST(limit_brk)
{
    long start = syscall(SYS_brk, 0);

    need_unimap();
    CHECK_EQ(syscall(SYS_brk, USER_TOP), start);
    CHECK_EQ(syscall(SYS_brk, USER_TOP + 1), start);
    CHECK_EQ(syscall(SYS_brk, USER_TOP - 1), start); /* the stack is there */
    CHECK_EQ(syscall(SYS_brk, 0x10000000), start);
    CHECK_EQ(syscall(SYS_brk, 0x80200000), start);
    /* A good part of what lies between can be had. */
    CHECK_EQ(syscall(SYS_brk, start + (32L << 20)), start + (32L << 20));
    CHECK_EQ(try_store((char *)start + (32L << 20) - 1), 0);
    CHECK_EQ(syscall(SYS_brk, start), start);
}

/* All of it together: more than 128 MiB can be had, no more than there is, and it costs nothing. */
TEST(limit_all_of_it)
{
    size_t chunk = 1UL << 20, total = 0;
    static char *p[256];
    int n = 0;
    long before = meminfo("MemFree");

    need_unimap();
    for (; n < 256; n++, total += chunk) {
        p[n] = map_at(0, chunk, 0);
        if (p[n] == MAP_FAILED)
            break;
        CHECK((uintptr_t)p[n] + chunk <= USER_TOP);
    }
    CHECK_EQ(errno, ENOMEM);
    CHECK(total > 128 * chunk && total < USER_TOP);
    CHECK(before - meminfo("MemFree") < 1024);
    CHECK_ERRNO(map_at(0, 128UL << 20, 0), ENOMEM);
    CHECK_EQ(try_store(p[0]), 0);
    CHECK_EQ(try_store(p[n - 1] + chunk - 1), 0);
    while (n > 0)
        CHECK_OK(munmap(p[--n], chunk));
    char *q = map_at(0, 128UL << 20, 0); /* nothing was lost to crumbs */

    CHECK(q != MAP_FAILED);
    CHECK_OK(munmap(q, 128UL << 20));
}

/* A signal stack where no memory can be: refused, or the signal ends the process. */
static void on_signal(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)si;
    (void)uc;
    _exit(99);
}

TEST(limit_signal_stack)
{
    static const uintptr_t at[] = {USER_TOP,   USER_TOP - PAGE / 2, 0x10000000,
                                   0x80200000, 1UL << 63,           -8192UL};

    need_unimap();
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
            stack_t ss = {.ss_sp = (void *)at[i], .ss_size = 8192};

            if (sigaltstack(&ss, NULL) < 0)
                _exit(errno == ENOMEM || errno == EINVAL || errno == EFAULT ? 0 : 1);
            set_handler(SIGUSR1, on_signal, SA_ONSTACK);
            raise(SIGUSR1);
            _exit(2);
        }
        status = reap(pid);
        if (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV))
            FAIL("signal stack at %#lx: status %#x", (unsigned long)at[i], status);
    }
}

/* ---- Low addresses ---- */

/* pitfall 22: nothing is at 0, whoever asks. */
TEST(limit_page_zero)
{
    CHECK_EQ(try_load((void *)8), SIGSEGV);
    CHECK_EQ(last_fault.addr, 8);
    CHECK_EQ(last_fault.code, SEGV_MAPERR);
    CHECK_EQ(try_store((void *)16), SIGSEGV);
    CHECK_EQ(try_call((void *)0), SIGSEGV);
    CHECK_EQ(try_load((void *)(PAGE - 1)), SIGSEGV);
    CHECK_EQ(syscall(SYS_write, 1, NULL, 0), 0);
    if (!on_unimap()) /* Linux gives it to root */
        return;
    void *p = map_at(0, PAGE, MAP_FIXED);

    CHECK(p == MAP_FAILED && (errno == EPERM || errno == EINVAL || errno == ENOMEM));
    p = map_at(0, 2 * PAGE, MAP_FIXED_NOREPLACE);
    CHECK(p == MAP_FAILED && (errno == EPERM || errno == EINVAL || errno == ENOMEM));
    CHECK_EQ(try_load((void *)8), SIGSEGV);
}

/* pitfall 13: the timer's registers lie here in physical memory; in ours it is a place like any. */
TEST(limit_clint_address_is_ordinary)
{
    uintptr_t from = 0x01fff000, len = 0x12000;
    char *p = map_at(from, len, MAP_FIXED_NOREPLACE);
    pid_t pid;

    if (p == MAP_FAILED && !on_unimap())
        return; /* something else is there already */
    CHECK(p == (char *)from);
    for (size_t i = 0; i < len; i += 64)
        CHECK_EQ(p[i], 0);
    fill(p, len, 1);
    pid = fork_child();
    if (pid == 0) {
        CHECK(filled(p, len, 1));
        fill(p, len, 2);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK(filled(p, len, 1));
    CHECK_OK(munmap(p, len));
    CHECK_EQ(try_load((void *)0x02000000), SIGSEGV);
}

/* pitfalls 18, 25: mapped for the kernel, firmware or nobody: for the user there is nothing. */
TEST(limit_kernel_addresses_fault)
{
    static const uintptr_t at[] = {
        0x0c000000,   0x0c200004,      0x0fffffff, 0x10000000, 0x10000005, 0x10001000,
        0x10008ff0,   0x80000000,      0x80200000, 0x80400000, 0x8fffffff, 0x100000000,
        1UL << 38,    (1UL << 39) - 1, 1UL << 39,  1UL << 47,  1UL << 62,  1UL << 63,
        -(1UL << 38), -(1UL << 32),    -4096UL,    -8UL,       -1UL};

    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        if (!on_unimap() && at[i] < 1UL << 47 && try_load((void *)at[i]) == 0)
            continue; /* Linux put something there */
        int a = try_load((void *)at[i]), b = try_store((void *)at[i]), c = try_call((void *)at[i]);

        if (a != SIGSEGV || b != SIGSEGV || c != SIGSEGV)
            FAIL("%#lx: signals %d %d %d", (unsigned long)at[i], a, b, c);
    }
}

/* ---- The stack ---- */

NOINLINE static size_t dig(size_t depth)
{
    volatile char frame[1024];

    for (size_t i = 0; i < sizeof(frame); i += 128)
        frame[i] = (char)depth;
    if (depth == 0)
        return 0;
    size_t below = dig(depth - 1);

    return below + 1 + (size_t)(frame[128] != (char)depth);
}

TEST(limit_stack_grows)
{
    CHECK_EQ(dig(400), 400);
    /* The kernel may be the first to go far down. */
    char *deep = alloca(200000);
    int fd = open_new("file");

    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(pread(fd, deep, 10, 0), 10);
    CHECK(memcmp(deep, "0123456789", 10) == 0);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Winfinite-recursion"
NOINLINE static size_t dig_forever(size_t depth)
{
    volatile char frame[1024];

    frame[0] = (char)depth;
    return dig_forever(depth + 1) + (size_t)frame[0];
}
#pragma GCC diagnostic pop

TEST(limit_stack_overflow_is_sigsegv)
{
    pid_t pid = fork_child();

    if (pid == 0)
        _exit((int)dig_forever(0));
    CHECK_SIGNAL(pid, SIGSEGV);
}

static void overflow_handler(int sig, siginfo_t *si, void *uc)
{
    char here;

    (void)uc;
    /* On its own stack, told where the other one ended. */
    if (sig != SIGSEGV || llabs((char *)si->si_addr - &here) < (long)PAGE)
        _exit(1);
    _exit(33);
}

TEST(limit_stack_overflow_handled_elsewhere)
{
    pid_t pid = fork_child();

    if (pid == 0) {
        stack_t ss = {.ss_sp = map_pages(8), .ss_size = 8 * PAGE};

        CHECK_OK(sigaltstack(&ss, NULL));
        set_handler(SIGSEGV, overflow_handler, SA_ONSTACK);
        _exit((int)dig_forever(0));
    }
    CHECK_EXIT(pid, 33);
}

/* A smaller limit, set while running, ends growth earlier. */
TEST(limit_stack_rlimit)
{
    struct rlimit rl;
    pid_t pid;

    if (on_qemu_user())
        SKIP("the emulator takes the limit at start only");
    CHECK_OK(getrlimit(RLIMIT_STACK, &rl));
    CHECK(rl.rlim_cur >= 1 << 20);
    pid = fork_child();
    if (pid == 0) {
        rl.rlim_cur = 512 * 1024;
        CHECK_OK(setrlimit(RLIMIT_STACK, &rl));
        CHECK_EQ(dig(250), 250);
        dig(900);
        _exit(0);
    }
    CHECK_SIGNAL(pid, SIGSEGV);
}

/* Growth stops at a neighbour instead of running into it. */
TEST(limit_stack_and_neighbour)
{
    struct rlimit rl;
    char here, *wall;

    CHECK_OK(getrlimit(RLIMIT_STACK, &rl));
    if (on_qemu_user() || rl.rlim_cur > 64UL << 20)
        SKIP("the stack is mapped in full, or without limit");
    wall = map_at(((uintptr_t)&here & ~(PAGE - 1)) - (512 << 10), PAGE, MAP_FIXED_NOREPLACE);
    if (wall == MAP_FAILED)
        return; /* there is a neighbour already */
    *wall = 3;
    pid_t pid = fork_child();

    if (pid == 0)
        _exit((int)dig_forever(0));
    CHECK_SIGNAL(pid, SIGSEGV);
    CHECK_EQ(*wall, 3);
}
