/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out, processes and memory: every allocation of a call fails once, in turn
 * (pitfalls 8, 26, 27), and at the end everything there is gets used up. The call fails with ENOMEM
 * or works; nothing stays behind, which the runner's counters tell; the system goes on. Files are
 * in test_oomfile.c.
 */
#include "tests/test.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* ---- Processes ---- */

/* With an argument by vfork. */
static long do_fork(void *arg)
{
    pid_t pid;

    fail_nth_start();
    pid = arg ? vfork() : fork();
    if (pid == 0)
        _exit(0);
    fail_nth_stop();
    if (pid > 0)
        CHECK_EXIT(pid, 0);
    return pid;
}

TEST(oom_fork)
{
    char *p = map_pages(64);

    for (size_t i = 0; i < 64; i += 8) {
        p[i * PAGE] = 1;
        CHECK_OK(mprotect(p + (i + 1) * PAGE, PAGE, PROT_READ));
    }
    CHECK_OK(close(open_new("file")));
    FAIL_NTH_LOOP(do_fork, NULL, EAGAIN);
    for (size_t i = 0; i < 64; i += 8)
        CHECK_EQ(p[i * PAGE], 1);
}

TEST(oom_vfork)
{
    FAIL_NTH_LOOP(do_fork, "vfork", EAGAIN);
}

/*
 * exec in a child: what it could not do it must have undone, so that the child still is what it
 * was and can tell. Beyond the point of no return the child may be killed, never half started.
 */
static long exec_with(char **argv)
{
    char *p = map_pages(4);

    fill(p, 4 * PAGE, 7);
    fail_nth_start();
    execve(argv[0], argv, NULL);
    fail_nth_stop();
    CHECK(filled(p, 4 * PAGE, 7));
    return -1;
}

static long do_exec(void *arg)
{
    return exec_with(arg);
}

/* Started with an allocation counter that has not run out: says so by its status. */
MODE(after_exec)
{
    char text[16] = "";
    long left = read_file("/proc/self/fail-nth", text, sizeof(text)) > 0 ? atol(text) : 0;

    return left ? 0 : 10;
}

static void exec_loop(char **argv)
{
    struct stat st;

    if (stat("/proc/self/fail-nth", &st) < 0)
        SKIP("no /proc/self/fail-nth");
    /* Success does not return: the status is the new program's. */
    FAIL_NTH_LOOP(do_exec, argv, 0);
}

TEST(oom_exec)
{
    char *argv[] = {(char *)self_exe(), "--mode=after_exec", NULL};

    exec_loop(argv);
}

TEST(oom_exec_large_arguments)
{
    static char text[100000];
    char *argv[] = {(char *)self_exe(), "--mode=after_exec", text, NULL};

    memset(text, 'x', sizeof(text) - 1);
    exec_loop(argv);
}

TEST(oom_exec_script)
{
    char text[600];
    char *argv[] = {"./script", NULL};
    int n = snprintf(text, sizeof(text), "#!%s --mode=after_exec\n", self_exe());

    write_file("script", text, (size_t)n, 0755);
    exec_loop(argv);
}

/* ---- Memory ---- */

static long do_mmap(void *arg)
{
    char *p;

    (void)arg;
    fail_nth_start();
    p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fail_nth_stop();
    if (p == MAP_FAILED)
        return -1;
    CHECK_OK(munmap(p, 16 * PAGE));
    return 0;
}

/* Touching may end the process, nothing else: there is no call that could fail. */
static long do_touch(void *arg)
{
    char *p = map_pages(16);

    (void)arg;
    fail_nth_start();
    for (size_t i = 0; i < 16; i += 5)
        p[i * PAGE] = 1;
    fail_nth_stop();
    CHECK_OK(munmap(p, 16 * PAGE));
    return 0;
}

static long do_file_map(void *arg)
{
    char *p;
    long sum = 0;

    fail_nth_start();
    p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, *(int *)arg, 0);
    if (p != MAP_FAILED)
        sum = p[0] + p[PAGE] + (p[2 * PAGE] = 5);
    fail_nth_stop();
    if (p == MAP_FAILED)
        return -1;
    CHECK(sum >= 0);
    CHECK_OK(munmap(p, 4 * PAGE));
    return 0;
}

TEST(oom_mmap)
{
    int fd = open_new("file");

    CHECK_OK(ftruncate(fd, 4 * PAGE));
    FAIL_NTH_LOOP(do_mmap, NULL, 0);
    FAIL_NTH_LOOP(do_touch, NULL, 0);
    FAIL_NTH_LOOP(do_file_map, &fd, 0);
}

/* A hole in the middle, and a protection for one page: both need another area. */
static long do_split(void *arg)
{
    char *p = map_pages(8);
    int a, b, err;

    (void)arg;
    p[0] = p[7 * PAGE] = 3;
    fail_nth_start();
    a = munmap(p + 3 * PAGE, PAGE);
    b = mprotect(p + 5 * PAGE, PAGE, PROT_READ);
    err = errno;
    fail_nth_stop();
    CHECK(p[0] == 3 && p[7 * PAGE] == 3);
    CHECK_OK(munmap(p, 8 * PAGE));
    errno = err;
    return a < 0 || b < 0 ? -1 : 0;
}

static long do_brk(void *arg)
{
    char *start = sbrk(0), *p;

    (void)arg;
    fail_nth_start();
    p = sbrk(8 * PAGE);
    fail_nth_stop();
    if (p == (void *)-1) {
        CHECK(sbrk(0) == start);
        errno = ENOMEM;
        return -1;
    }
    CHECK(sbrk(-(long)(8 * PAGE)) != (void *)-1);
    return 0;
}

TEST(oom_split_and_brk)
{
    FAIL_NTH_LOOP(do_split, NULL, 0);
    FAIL_NTH_LOOP(do_brk, NULL, 0);
}

static int churn(void *arg)
{
    (void)arg;
    syscall(SYS_exit, 0);
    return 0;
}

static long do_clone(void *arg)
{
    pid_t pid;

    fail_nth_start();
    pid = clone(churn, (char *)arg + 4 * PAGE, CLONE_VM | SIGCHLD, NULL);
    fail_nth_stop();
    if (pid > 0)
        CHECK_EXIT(pid, 0);
    return pid;
}

TEST(oom_clone)
{
    char *stack = map_pages(4);

    memset(stack, 0, 4 * PAGE);
    FAIL_NTH_LOOP(do_clone, stack, EAGAIN);
}

static void need_unimap(void)
{
    if (!on_unimap())
        SKIP("not to be done to the machine of whoever runs this");
}

/* What a mount that failed left behind would be met in the caches. */
static long do_mount(void *type)
{
    int fd = CHECK_OK(open("/proc/sys/vm/drop_caches", O_WRONLY)), ret, err;

    fail_nth_start();
    ret = mount("none", "m", type, 0, "");
    fail_nth_stop();
    err = errno;
    if (!ret)
        CHECK_OK(umount("m"));
    CHECK_EQ(write(fd, "2", 1), 1);
    close(fd);
    errno = err;
    return ret;
}

TEST(oom_mount)
{
    need_unimap();
    CHECK_OK(mkdir("m", 0755));
    FAIL_NTH_LOOP(do_mount, "proc", 0);
    FAIL_NTH_LOOP(do_mount, "tmpfs", 0);
    FAIL_NTH_LOOP(do_mount, "devtmpfs", ENOSPC);
}

/* ---- Until nothing is left ---- */

/* Takes what it gets and touches it, page by page, until refused or killed. */
NORETURN static void hog(void)
{
    for (;;) {
        char *p =
            mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            break;
        for (size_t i = 0; i < 256; i++)
            p[i * PAGE] = 1;
    }
    pause(); /* keeps what it has: the next one takes the rest */
    _exit(0);
}

/* As many as it takes; the first that dies of it says that there is no more. */
static void hogs(void)
{
    pid_t pid[32];
    struct gate g;
    size_t n = 0;

    gate_init(&g);
    do {
        CHECK(n < ARRAY_SIZE(pid));
        pid[n] = fork();
        if (pid[n] == 0)
            hog();
        if (pid[n] < 0) { /* not even that: also an answer */
            CHECK(errno == ENOMEM || errno == EAGAIN);
            break;
        }
        n++;
        /* Either this one sleeps on what it has, or somebody died. */
        char path[64], text[256], *p;
        int status;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid[n - 1]);
        for (;;) {
            pid_t dead = waitpid(-1, &status, WNOHANG);

            if (dead > 0) {
                CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
                for (size_t i = 0; i < n; i++)
                    if (pid[i] == dead)
                        pid[i] = pid[--n];
                goto out;
            }
            if (read_file(path, text, sizeof(text)) > 0 && (p = strrchr(text, ')')) && p[2] == 'S')
                break;
            sched_yield();
        }
    } while (true);
out:
    for (size_t i = 0; i < n; i++) {
        CHECK_OK(kill(pid[i], SIGKILL));
        CHECK_SIGNAL(pid[i], SIGKILL);
    }
}

TEST(oom_hogs)
{
    int fds[2];
    char c;

    need_unimap();
    for (int round = 0; round < 2; round++) {
        hogs();
        /* And life goes on. */
        CHECK_OK(pipe(fds));
        pid_t pid = fork_child();

        if (pid == 0) {
            fill(map_pages(256), 256 * PAGE, 1);
            CHECK_EQ(write(fds[1], "x", 1), 1);
            _exit(0);
        }
        CHECK_EQ(read(fds[0], &c, 1), 1);
        CHECK_EXIT(pid, 0);
        CHECK_OK(close(fds[0]));
        CHECK_OK(close(fds[1]));
    }
}

/* Sleeps until the last writing end of the pipe is gone. */
NORETURN static void wait_for_end(int fds[2])
{
    char c;

    close(fds[1]);
    (void)!read(fds[0], &c, 1);
    _exit(0);
}

/* Leaves a few MiB: then it takes a hundred processes to use up the rest, not thousands. */
static int take_most_memory(int fds[2])
{
    enum { LEAVE_KB = 8192, CHUNK_KB = 65536 };
    struct gate full;
    int n = 0;
    long kb;

    gate_init(&full);
    while ((kb = meminfo("MemFree") - LEAVE_KB) > 1024) {
        if (fork_child() == 0) {
            size_t len = (size_t)(kb < CHUNK_KB ? kb : CHUNK_KB) * 1024;
            char *p = map_pages(len / PAGE);

            for (size_t i = 0; i < len; i += PAGE)
                p[i] = 1;
            gate_open(&full);
            wait_for_end(fds);
        }
        gate_wait(&full);
        n++;
    }
    gate_close(&full);
    return n;
}

/* Killed because a page could not be had, or could not be read because that takes pages too. */
static bool out_of_memory(int status)
{
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS);
}

/*
 * Processes instead of pages: fork fails some time, or somebody is killed, the bomber perhaps; the
 * children end with the pipe, and all is as it was.
 */
NORETURN static void bomb(int fds[2])
{
    int n = take_most_memory(fds), status;
    pid_t pid;

    while (n < 2000 && (pid = fork()) >= 0) {
        if (pid == 0)
            wait_for_end(fds);
        n++;
    }
    CHECK(errno == EAGAIN || errno == ENOMEM);
    note("%d processes", n);
    close(fds[1]);
    while (n-- > 0) {
        CHECK(wait(&status) > 0);
        CHECK(status == 0 || out_of_memory(status));
    }
    _exit(0);
}

static void touch_stack(void)
{
    volatile char deep[4 * PAGE];

    for (size_t i = 0; i < sizeof(deep); i += PAGE)
        deep[i] = 1;
}

NORETURN static void watch_bomb(void)
{
    int fds[2], status;
    struct gate ready;
    pid_t pid;

    CHECK_OK(pipe(fds));
    gate_init(&ready);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&ready);
        bomb(fds);
    }
    /* Who faults when nothing is left is killed: what we shall write to must be ours before. */
    touch_stack();
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_OK(close(fds[1]));
    gate_open(&ready);
    status = reap(pid);
    CHECK(status == 0 || out_of_memory(status));
    _exit(0);
}

/* Who wakes up while the bomber's children still end may need a page of the program that was given
 * up meanwhile, and be killed for it: the watcher as well as the bomber. */
TEST(oom_fork_bomb)
{
    pid_t pid;
    int status;

    need_unimap();
    pid = fork_child();
    if (pid == 0)
        watch_bomb();
    status = reap(pid);
    CHECK(status == 0 || out_of_memory(status));
}
