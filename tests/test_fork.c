/* SPDX-License-Identifier: MIT */
/*
 * fork: what the child gets, what stays shared, copy-on-write in both directions, and that nothing
 * of thousands of children remains.
 */
#include "tests/test.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { MB = 1 << 20 };

TEST(fork_returns_twice)
{
    pid_t parent = getpid(), pid = fork_child();

    if (pid == 0) {
        CHECK(getpid() != parent);
        CHECK_EQ(getppid(), parent);
        _exit(42);
    }
    CHECK(pid > 0 && pid != parent);
    CHECK_EXIT(pid, 42);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

TEST(fork_children_of_children)
{
    int depth = 0;

    for (; depth < 20; depth++) {
        pid_t pid = fork_child();

        if (pid == 0)
            continue;
        CHECK_EXIT(pid, depth + 1);
        if (depth == 0)
            return;
        _exit(depth);
    }
    _exit(depth);
}

TEST(fork_many_at_once)
{
    enum { N = 100 };
    static pid_t pid[N];
    struct gate go;

    gate_init(&go);
    for (int i = 0; i < N; i++) {
        pid[i] = fork_child();
        if (pid[i] == 0) {
            gate_wait(&go);
            _exit(i);
        }
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < i; k++)
            CHECK(pid[i] != pid[k]);
    for (int i = 0; i < N; i++)
        gate_open(&go);
    for (int i = N - 1; i >= 0; i--)
        CHECK_EXIT(pid[i], i);
}

/* ---- What the child inherits ---- */

TEST(fork_shares_file_offsets)
{
    int fd = open_new("file");
    pid_t pid;

    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
    pid = fork_child();
    if (pid == 0) {
        char c[4];

        CHECK_EQ(read(fd, c, 4), 4);
        CHECK(memcmp(c, "2345", 4) == 0);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
}

TEST(fork_copies_descriptor_table)
{
    int fd = open_new("file");
    pid_t pid = fork_child();

    if (pid == 0) {
        CHECK_OK(close(fd));
        CHECK_EQ(open_new("other"), fd);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_ERRNO(fcntl(fd + 1, F_GETFD), EBADF);
}

TEST(fork_inherits_attributes)
{
    char cwd[200], now[200];
    pid_t pid;

    CHECK_OK(mkdir("sub", 0755));
    CHECK_OK(chdir("sub"));
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    umask(027);
    pid = fork_child();
    if (pid == 0) {
        CHECK(getcwd(now, sizeof(now)) != NULL);
        CHECK(strcmp(cwd, now) == 0);
        CHECK_EQ(umask(0), 027);
        CHECK_OK(chdir("/"));
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(umask(022), 027);
    CHECK(getcwd(now, sizeof(now)) != NULL);
    CHECK(strcmp(cwd, now) == 0);
}

static void ignore_it(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)si;
    (void)uc;
}

TEST(fork_inherits_signal_state_but_not_pending)
{
    sigset_t set, pending;
    struct sigaction sa;
    pid_t pid;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    set_handler(SIGUSR2, ignore_it, 0);
    signal(SIGHUP, SIG_IGN);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK_OK(raise(SIGUSR1));
    pid = fork_child();
    if (pid == 0) {
        CHECK_OK(sigpending(&pending));
        CHECK(!sigismember(&pending, SIGUSR1));
        CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &set));
        CHECK(sigismember(&set, SIGUSR1));
        CHECK_OK(sigaction(SIGUSR2, NULL, &sa));
        CHECK(sa.sa_sigaction == ignore_it);
        CHECK_OK(sigaction(SIGHUP, NULL, &sa));
        CHECK(sa.sa_handler == SIG_IGN);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1));
}

TEST(fork_clears_alarm)
{
    pid_t pid;

    alarm(100);
    pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(alarm(0), 0);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK(alarm(0) > 0);
}

/* A pipe ends when the last copy of its writing end is gone, however many forks made copies. */
TEST(fork_pipe_end_reaches_reader)
{
    int fd[2];
    char c;

    for (int round = 0; round < 20; round++) {
        pid_t pid[5];

        CHECK_OK(pipe(fd));
        for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
            pid[i] = fork_child();
            if (pid[i] == 0) {
                CHECK_EQ(write(fd[1], "x", 1), 1);
                _exit(0);
            }
        }
        CHECK_OK(close(fd[1]));
        for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
            CHECK_EQ(read(fd[0], &c, 1), 1);
        CHECK_EQ(read(fd[0], &c, 1), 0);
        CHECK_OK(close(fd[0]));
        for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
            CHECK_EXIT(pid[i], 0);
    }
}

/* ---- Copy-on-write ---- */

TEST(fork_cow_both_directions)
{
    char *p = map_pages(64);
    struct gate parent_wrote, child_wrote;
    pid_t pid;

    fill(p, 64 * PAGE, 1);
    gate_init(&parent_wrote);
    gate_init(&child_wrote);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&parent_wrote);
        CHECK(filled(p, 64 * PAGE, 1));
        fill(p, 64 * PAGE, 3);
        gate_open(&child_wrote);
        gate_wait(&parent_wrote);
        CHECK(filled(p, 64 * PAGE, 3));
        _exit(0);
    }
    fill(p, 64 * PAGE, 2);
    gate_open(&parent_wrote);
    gate_wait(&child_wrote);
    CHECK(filled(p, 64 * PAGE, 2));
    fill(p, 64 * PAGE, 4);
    gate_open(&parent_wrote);
    CHECK_EXIT(pid, 0);
    CHECK(filled(p, 64 * PAGE, 4));
}

/* pitfall 11: the parent writes at once; a stale writable entry would let the child see it. */
TEST(fork_cow_parent_writes_at_once)
{
    volatile long *p = (volatile long *)map_pages(4);

    for (long i = 1; i <= 1000; i++) {
        pid_t pid;

        for (int k = 0; k < 4; k++)
            p[k * 512] = i;
        pid = fork();
        for (int k = 0; k < 4 && pid > 0; k++)
            p[k * 512] = -i;
        if (pid == 0) {
            for (int k = 0; k < 4; k++)
                CHECK_EQ(p[k * 512], i);
            _exit(0);
        }
        CHECK(pid > 0);
        CHECK_EXIT(pid, 0);
        for (int k = 0; k < 4; k++)
            CHECK_EQ(p[k * 512], -i);
    }
}

TEST(fork_cow_three_generations)
{
    char *p = map_pages(8);
    pid_t pid;

    fill(p, 8 * PAGE, 1);
    pid = fork_child();
    if (pid == 0) {
        fill(p, 4 * PAGE, 2);
        pid = fork_child();
        if (pid == 0) {
            CHECK(filled(p, 4 * PAGE, 2));
            fill(p + 2 * PAGE, 4 * PAGE, 3);
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
        CHECK(filled(p, 4 * PAGE, 2));
        CHECK_EQ(p[4 * PAGE + 9], (char)(1 + (4 * PAGE + 9) * 7 + ((4 * PAGE + 9) >> 8)));
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK(filled(p, 8 * PAGE, 1));
}

/* The kernel's own writes (read, wait4, …) break the sharing like any other. */
TEST(fork_cow_written_by_the_kernel)
{
    char *p = map_pages(4);
    int fd[2];
    pid_t pid;

    CHECK_OK(pipe(fd));
    fill(p, 4 * PAGE, 1);
    pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(read(fd[0], p + PAGE - 5, 10), 10);
        CHECK(memcmp(p + PAGE - 5, "abcdefghij", 10) == 0);
        _exit(0);
    }
    CHECK_EQ(write(fd[1], "abcdefghij", 10), 10);
    CHECK_EXIT(pid, 0);
    CHECK(filled(p, 4 * PAGE, 1));
}

/* Breaking the sharing must not give a right that was not there. */
TEST(fork_cow_keeps_protection)
{
    char *p = map_pages(2);
    int fd = open_new("file");
    pid_t pid;

    fill(p, 2 * PAGE, 1);
    CHECK_EQ(write(fd, "text", 4), 4);
    CHECK_OK(mprotect(p, PAGE, PROT_READ));
    pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(try_store(p), SIGSEGV);
        CHECK_EQ(last_fault.code, SEGV_ACCERR);
        CHECK_ERRNO(pread(fd, p, 4, 0), EFAULT);
        CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
        CHECK_EQ(try_store(p), 0);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK(filled(p, 2 * PAGE, 1));
    CHECK_EQ(try_store(p), SIGSEGV);
}

TEST(fork_shared_memory_stays_shared)
{
    volatile int *p = (volatile int *)map_shared(2);
    struct gate g;
    pid_t pid;

    gate_init(&g);
    p[0] = 1;
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&g);
        CHECK_EQ(p[0], 2);
        p[1024] = 3; /* a page that nobody had touched before the fork */
        _exit(0);
    }
    p[0] = 2;
    gate_open(&g);
    CHECK_EXIT(pid, 0);
    CHECK_EQ(p[1024], 3);
}

TEST(fork_many_areas)
{
    enum { N = 300 };
    char *p = map_pages(2 * N);
    pid_t pid;

    for (int i = 0; i < N; i++) {
        p[2 * i * PAGE] = (char)i;
        CHECK_OK(mprotect(p + (2 * i + 1) * PAGE, PAGE, i & 1 ? PROT_READ : PROT_NONE));
    }
    pid = fork_child();
    if (pid == 0) {
        for (int i = 0; i < N; i++) {
            CHECK_EQ(p[2 * i * PAGE], (char)i);
            CHECK_EQ(try_store(p + (2 * i + 1) * PAGE), SIGSEGV);
            CHECK_EQ(try_load(p + (2 * i + 1) * PAGE), i & 1 ? 0 : SIGSEGV);
        }
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

TEST(fork_large_memory)
{
    size_t n = 16 * MB / PAGE;
    char *p = map_pages(n);
    pid_t pid;

    for (size_t i = 0; i < n; i++)
        *(size_t *)(p + i * PAGE) = i;
    for (int round = 0; round < 4; round++) {
        pid = fork_child();
        if (pid == 0) {
            for (size_t i = (size_t)round; i < n; i += 4)
                CHECK_EQ(*(size_t *)(p + i * PAGE), i);
            for (size_t i = 0; i < n; i += 16)
                *(size_t *)(p + i * PAGE) = ~i;
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
    }
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(*(size_t *)(p + i * PAGE), i);
}

/* ---- clone's flags that concern processes ---- */

/* The order of clone's last two arguments differs by machine. */
static long raw_clone(unsigned long flags, int *ptid, int *ctid)
{
#if defined(__x86_64__)
    return syscall(SYS_clone, flags, 0L, ptid, ctid, 0L);
#else
    return syscall(SYS_clone, flags, 0L, ptid, 0L, ctid);
#endif
}

TEST(fork_clone_tid_pointers)
{
    static int ptid, ctid;

    if (on_qemu_user())
        SKIP("the emulator stores the parent's copy in the child alone");
    long pid = raw_clone(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &ptid, &ctid);

    if (pid == 0) {
        CHECK_EQ(ctid, syscall(SYS_gettid));
        CHECK_EQ(ctid, getpid());
        _exit(0);
    }
    CHECK_OK(pid);
    CHECK_EQ(ptid, pid);
    CHECK_EQ(ctid, 0);
    CHECK_EXIT((pid_t)pid, 0);
}

TEST(fork_clone_bad_flags)
{
    CHECK_ERRNO(raw_clone(CLONE_THREAD | SIGCHLD, NULL, NULL), EINVAL);
    CHECK_ERRNO(raw_clone(CLONE_SIGHAND | SIGCHLD, NULL, NULL), EINVAL);
    CHECK_ERRNO(raw_clone(CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, NULL), EINVAL);
}

/* vfork: the parent stands still until the child is done with its memory. */
TEST(fork_vfork_waits)
{
    volatile int *seen = (volatile int *)map_shared(1);

    if (on_qemu_user())
        SKIP("the emulator makes vfork a fork");
    pid_t pid = vfork();

    if (pid == 0) {
        for (int i = 0; i < 100; i++)
            sched_yield();
        *seen = 1;
        _exit(5);
    }
    CHECK(pid > 0);
    CHECK_EQ(*seen, 1);
    CHECK_EXIT(pid, 5);
}

/* ---- Nothing remains: the harness compares counters after these ---- */

static void fork_exit(int times)
{
    for (int i = 0; i < times; i++) {
        pid_t pid = fork_child();

        if (pid == 0)
            _exit(i & 0x7f);
        CHECK_EXIT(pid, i & 0x7f);
    }
}

TEST(fork_exit_2000)
{
    fork_exit(2000);
}

/* pitfall 5: many stacks freed at once, by processes that die while others are born. */
static void exit_storm(int rounds)
{
    enum { N = 32 };
    static pid_t pid[N];

    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < N; i++) {
            pid[i] = fork_child();
            if (pid[i] == 0) {
                char deep[2048];

                memset(deep, i, sizeof(deep));
                __asm__ volatile("" : : "r"(deep) : "memory");
                _exit(i);
            }
        }
        for (int i = 0; i < N; i++)
            CHECK_EXIT(pid[i], i);
    }
}

TEST(fork_exit_storm)
{
    exit_storm(20);
}

/* Killed in the middle of faults and calls, on whatever hart: still nothing remains. */
TEST(fork_kill_storm)
{
    enum { N = 16 };
    pid_t pid[N];

    for (int r = 0; r < 20; r++) {
        for (int i = 0; i < N; i++) {
            pid[i] = fork_child();
            if (pid[i] == 0) {
                for (;;) {
                    char *p = map_pages(16);

                    fill(p, 16 * PAGE, (unsigned)i);
                    munmap(p, 16 * PAGE);
                    getppid();
                }
            }
        }
        for (int i = 0; i < N; i++)
            CHECK_OK(kill(pid[i], SIGKILL));
        for (int i = 0; i < N; i++)
            CHECK_SIGNAL(pid[i], SIGKILL);
    }
}

/* Each generation makes the next one and goes: only a signal that misses none ends them all. */
static void generations(int out)
{
    setpgid(0, 0);
    for (;;) {
        char c = 0;

        if (write(out, &c, 1) != 1)
            _exit(1);
        if (fork() > 0)
            _exit(0);
    }
}

TEST(fork_group_kill_misses_none)
{
    for (int r = 0; r < 50; r++) {
        struct pollfd fd = {.events = POLLIN};
        char born[256];
        int p[2];
        pid_t pid;

        CHECK_OK(pipe(p));
        pid = fork_child();
        if (pid == 0) {
            close(p[0]);
            generations(p[1]);
        }
        close(p[1]);
        for (int i = 0; i <= r % 8; i++)
            CHECK_EQ(read(p[0], born, 1), 1);
        CHECK_OK(kill(-pid, SIGKILL));
        /* The pipe ends when the last one of them is dead. */
        fd.fd = p[0];
        do
            CHECK_EQ(poll(&fd, 1, 20000), 1);
        while (read(p[0], born, sizeof(born)) > 0);
        close(p[0]);
        CHECK_EQ(waitpid(pid, NULL, 0), pid);
    }
}

/* The child of CLONE_PARENT is the caller's sister. */
TEST(fork_clone_parent)
{
    int p[2], status;
    pid_t middle, child;

    if (on_qemu_user())
        SKIP("the emulator knows only plain forks");
    CHECK_OK(pipe(p));
    middle = fork_child();
    if (middle == 0) {
        pid_t parent = getppid();
        long pid = raw_clone(CLONE_PARENT | SIGCHLD, NULL, NULL);

        if (pid == 0)
            _exit(getppid() == parent ? 7 : 1);
        child = (pid_t)pid;
        CHECK_EQ(write(p[1], &child, sizeof(child)), (long)sizeof(child));
        CHECK_ERRNO(waitpid(child, &status, 0), ECHILD);
        _exit(0);
    }
    CHECK_EQ(read(p[0], &child, sizeof(child)), (long)sizeof(child));
    CHECK_EXIT(middle, 0);
    CHECK_EXIT(child, 7);
    close(p[0]);
    close(p[1]);
}

/* pitfall 4: the memory of the dead is used again at once, by whoever is on the other hart. */
TEST(fork_memory_is_clean)
{
    for (int r = 0; r < 50; r++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            char *p = map_pages(64);

            for (size_t i = 0; i < 64 * PAGE; i += 8)
                CHECK_EQ(*(long *)(p + i), 0);
            memset(p, 0xee, 64 * PAGE);
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
    }
}

/* ---- Slow ---- */

/* pitfall 6: a kernel stack or a table page lost per process would show by now. */
TEST_SLOW(fork_exit_100k)
{
    fork_exit(100000);
}

/* A group's number is nobody's while the group has a member, its leader long gone. */
TEST_SLOW(fork_numbers_of_groups)
{
    pid_t leader = fork_child(), member;
    int p[2];

    if (leader == 0) {
        setpgid(0, 0);
        _exit(0);
    }
    CHECK_OK(pipe(p));
    CHECK_EQ(setpgid(leader, leader) && errno != EACCES && errno != ESRCH, 0);
    member = fork_child();
    if (member == 0) {
        char c;

        close(p[1]);
        _exit(read(p[0], &c, 1) != 0);
    }
    CHECK_OK(setpgid(member, leader));
    CHECK_EXIT(leader, 0);
    for (int i = 0; i < 40000; i++) {
        pid_t pid = fork_child();

        if (pid == 0)
            _exit(0);
        CHECK(pid != leader);
        CHECK_EXIT(pid, 0);
    }
    close(p[1]);
    close(p[0]);
    CHECK_EXIT(member, 0);
}

TEST_SLOW(fork_exit_storm_long)
{
    exit_storm(2000);
}

TEST_SLOW(forkexec100k)
{
    need_self_exec();
    for (int i = 0; i < 100000; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            execl(self_exe(), "unit", "--mode=true", (char *)NULL);
            _exit(126);
        }
        CHECK_EXIT(pid, 0);
    }
}
