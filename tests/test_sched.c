/* SPDX-License-Identifier: MIT */
/*
 * Time and who gets it: clocks, sleeping, limits, and that everyone who wants to run gets to, on
 * however many harts.
 */
#include "tests/test.h"

#include <sched.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <time.h>

/* ---- Time ---- */

TEST(proc_clocks)
{
    static const clockid_t ids[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,
                                    CLOCK_MONOTONIC_RAW,      CLOCK_BOOTTIME,
                                    CLOCK_REALTIME_COARSE,    CLOCK_MONOTONIC_COARSE,
                                    CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    struct timespec a, b;

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        CHECK_OK(clock_gettime(ids[i], &a));
        for (int k = 0; k < 2000; k++) {
            CHECK_EQ(syscall(SYS_clock_gettime, ids[i], &b), 0);
            CHECK(b.tv_nsec >= 0 && b.tv_nsec < 1000000000);
            CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
            a = b;
        }
        CHECK_OK(clock_getres(ids[i], &a));
        CHECK(a.tv_sec == 0 && a.tv_nsec > 0);
    }
    CHECK_ERRNO(syscall(SYS_clock_gettime, 77, &a), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_gettime, -1, &a), EINVAL);
    CHECK_OK(clock_gettime(CLOCK_REALTIME, &a));
    CHECK(a.tv_sec > 1600000000); /* the clock chip was asked */
}

/* The clock is one, on whatever hart it is read. */
TEST(proc_clock_is_the_same_everywhere)
{
    volatile uint64_t *latest = (volatile uint64_t *)map_shared(1);
    int to[2], fro[2];
    char c = 0;
    pid_t pid;

    CHECK_OK(pipe(to));
    CHECK_OK(pipe(fro));
    pid = fork_child();
    if (pid == 0) {
        for (int i = 0; i < 500; i++) {
            CHECK_EQ(read(to[0], &c, 1), 1);
            CHECK(now_ns() >= *latest);
            *latest = now_ns();
            CHECK_EQ(write(fro[1], &c, 1), 1);
        }
        _exit(0);
    }
    for (int i = 0; i < 500; i++) {
        CHECK(now_ns() >= *latest);
        *latest = now_ns();
        CHECK_EQ(write(to[1], &c, 1), 1);
        CHECK_EQ(read(fro[0], &c, 1), 1);
    }
    CHECK_EXIT(pid, 0);
}

TEST(proc_nanosleep)
{
    static const long ns[] = {0, 1, 1000, 1000000, 20000000};
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}, past = {1, 0};

    for (size_t i = 0; i < ARRAY_SIZE(ns); i++) {
        struct timespec ts = {0, ns[i]};
        uint64_t start = now_ns();

        CHECK_OK(nanosleep(&ts, NULL));
        CHECK(now_ns() - start >= (uint64_t)ns[i]);
    }
    CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
    CHECK_ERRNO(nanosleep(&negative, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL), 0);
    CHECK_EQ(clock_nanosleep(77, 0, &past, NULL), EINVAL);
    uint64_t until = now_ns() + 5000000;
    struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};

    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
    CHECK(now_ns() >= until);
}

/* Many sleepers: each wakes, none early. */
TEST(proc_many_sleepers)
{
    pid_t pid[20];

    for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
        pid[i] = fork_child();
        if (pid[i] == 0) {
            struct timespec ts = {0, (long)(i * 7 % 20) * 1000000};
            uint64_t start = now_ns();

            for (int k = 0; k < 5; k++)
                CHECK_OK(nanosleep(&ts, NULL));
            CHECK(now_ns() - start >= 5 * (uint64_t)ts.tv_nsec);
            _exit(0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
        CHECK_EXIT(pid[i], 0);
}

TEST(proc_times)
{
    struct tms t0, t1;
    clock_t c0 = times(&t0), c1;
    volatile double x = 1;

    do {
        for (int i = 0; i < 10000; i++)
            x = x * 1.000001;
        c1 = times(&t1);
    } while (t1.tms_utime + t1.tms_stime < t0.tms_utime + t0.tms_stime + 3);
    CHECK(c1 - c0 >= 2);
    CHECK_EQ(t1.tms_cutime, t0.tms_cutime);
    struct timespec cpu;

    CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu));
    CHECK(cpu.tv_sec * 100 + cpu.tv_nsec / 10000000 + 3 >= t1.tms_utime + t1.tms_stime);
}

TEST(proc_sysinfo)
{
    struct sysinfo si;
    struct timespec up;

    CHECK_OK(sysinfo(&si));
    CHECK_OK(clock_gettime(CLOCK_BOOTTIME, &up));
    CHECK(si.mem_unit >= 1);
    CHECK(si.totalram * si.mem_unit >= 8 << 20);
    CHECK(si.freeram <= si.totalram && si.freeram > 0);
    CHECK(labs(si.uptime - up.tv_sec) <= 5 || on_qemu_user());
    CHECK(si.procs >= 1);
}

TEST(proc_getrandom)
{
    unsigned char a[64] = {0}, b[64] = {0};

    CHECK_EQ(getrandom(a, sizeof(a), 0), (long)sizeof(a));
    CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), (long)sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK_EQ(getrandom(a, 0, 0), 0);
    CHECK_ERRNO(getrandom(a, 1, 0x80), EINVAL);
}

/* ---- Limits ---- */

TEST(proc_prlimit)
{
    struct rlimit rl, old;

    for (int r = 0; r < 16; r++)
        CHECK_OK(syscall(SYS_prlimit64, 0, r, NULL, &rl));
    CHECK_ERRNO(syscall(SYS_prlimit64, 0, 16, NULL, &rl), EINVAL);
    CHECK_ERRNO(syscall(SYS_prlimit64, 0, -1, NULL, &rl), EINVAL);
    CHECK_ERRNO(syscall(SYS_prlimit64, 0x3fffffff, 0, NULL, &rl), ESRCH);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
    CHECK(old.rlim_cur >= 64 && old.rlim_cur <= old.rlim_max);
    rl = (struct rlimit){50, 40};
    CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &rl), EINVAL);
    rl = (struct rlimit){10, old.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &rl));
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &rl));
    CHECK_EQ(rl.rlim_cur, 10);
}

TEST(proc_rlimit_nofile)
{
    struct rlimit rl = {10, 10};
    int fd;

    CHECK_OK(setrlimit(RLIMIT_NOFILE, &rl));
    while ((fd = dup(0)) >= 0)
        CHECK(fd < 10);
    CHECK_EQ(errno, EMFILE);
    CHECK_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
    int fds[2];

    CHECK_ERRNO(pipe(fds), EMFILE);
    CHECK_ERRNO(dup2(0, 10), EBADF);
    CHECK_ERRNO(fcntl(0, F_DUPFD, 10), EINVAL);
    CHECK_OK(close(9));
    CHECK_ERRNO(pipe(fds), EMFILE); /* one is not enough, and is not lost */
    CHECK_EQ(open("/dev/null", O_RDONLY), 9);
}

/* ---- Who runs ---- */

/* The timer takes the hart away from those who never give it up. */
TEST(proc_spinners_share)
{
    volatile long *n = (volatile long *)map_shared(1);
    pid_t pid[4];

    for (int i = 0; i < 4; i++) {
        pid[i] = fork_child();
        if (pid[i] == 0) {
            for (;;)
                n[i * 64]++;
        }
    }
    for (int i = 0; i < 4; i++)
        for (int round = 0; round < 3; round++) {
            long before = n[i * 64];

            while (n[i * 64] == before)
                sched_yield();
        }
    for (int i = 0; i < 4; i++) {
        CHECK_OK(kill(pid[i], SIGKILL));
        CHECK_SIGNAL(pid[i], SIGKILL);
    }
}

/* A waiter on a spinning system is not forgotten. */
TEST(proc_sleeper_among_spinners)
{
    pid_t pid[3];
    struct timespec ts = {0, 1000000};

    for (int i = 0; i < 3; i++) {
        pid[i] = fork_child();
        if (pid[i] == 0) {
            for (volatile long k = 0;; k++)
                ;
        }
    }
    for (int i = 0; i < 20; i++)
        CHECK_OK(nanosleep(&ts, NULL));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kill(pid[i], SIGKILL));
        CHECK_SIGNAL(pid[i], SIGKILL);
    }
}

TEST(proc_affinity)
{
    cpu_set_t set, one;
    int n, first = -1;

    CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
    n = CPU_COUNT(&set);
    CHECK(n >= 1);
    for (int i = 0; i < CPU_SETSIZE && first < 0; i++)
        if (CPU_ISSET(i, &set))
            first = i;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
    CHECK_OK(sched_getaffinity(0, sizeof(set), &set));
    CHECK_EQ(CPU_COUNT(&set), 1);
    for (int i = 0; i < 50; i++) {
        sched_yield();
        if (!on_qemu_user())
            CHECK_EQ(sched_getcpu(), first);
    }
    CPU_ZERO(&one);
    CHECK_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
    CHECK_ERRNO(sched_getaffinity(0x3fffffff, sizeof(set), &set), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1L, &set), EINVAL);
}

TEST(proc_priority)
{
    int lower = getpriority(PRIO_PROCESS, 0) + 5;

    CHECK_OK(setpriority(PRIO_PROCESS, 0, lower));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), lower);
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 100)); /* cut to what there is */
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    CHECK_ERRNO(getpriority(77, 0), EINVAL);
    CHECK_ERRNO(getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
}

/* Moves each of n processes to a hart drawn by lot. */
static void shuffle(const pid_t *pid, int n, const cpu_set_t *all)
{
    for (int i = 0; i < n; i++) {
        int cpu = (int)(rnd() % (uint64_t)CPU_COUNT(all));
        cpu_set_t one;

        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (CPU_ISSET(cpu, all) && sched_setaffinity(pid[i], sizeof(one), &one))
            CHECK_EQ(errno, ESRCH); /* it has ended */
    }
}

/* A byte goes round as often as it is passed on; moves: while harts are taken from its bearers. */
static void token_ring(int turns, int moves)
{
    enum { N = 6 };
    int fds[N][2];
    pid_t pid[N];
    cpu_set_t all;
    char c = 0;

    CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
    for (int i = 0; i < N; i++)
        CHECK_OK(pipe(fds[i]));
    for (int i = 0; i < N; i++) {
        pid[i] = fork_child();
        if (pid[i] == 0) {
            for (int k = 0; k < turns; k++) {
                CHECK_EQ(read(fds[i][0], &c, 1), 1);
                c++;
                CHECK_EQ(write(fds[(i + 1) % N][1], &c, 1), 1);
            }
            _exit(0);
        }
    }
    CHECK_EQ(write(fds[0][1], &c, 1), 1);
    while (moves--)
        shuffle(pid, N, &all);
    for (int i = 0; i < N; i++)
        CHECK_EXIT(pid[i], 0);
    CHECK_EQ(read(fds[0][0], &c, 1), 1);
    CHECK_EQ(c, (char)(N * turns));
}

/* Every pair of harts, and the same one. */
TEST(proc_token_ring)
{
    token_ring(300, 0);
}

TEST(proc_token_ring_on_the_move)
{
    token_ring(300, 100);
}

/*
 * pitfall 3: a disk interrupt arrives while any process's table is in use. Many processes write and
 * read back at once, with nothing kept in memory in between.
 */
NORETURN static void disk_user(int n)
{
    enum { LEN = 16 * 4096 };
    static char data[LEN], back[LEN];
    char name[32];
    int fd;

    snprintf(name, sizeof(name), "many-%d", n);
    fd = open_new(name);
    fill(data, LEN, (unsigned)n);
    for (int round = 0; round < 3; round++) {
        CHECK_EQ(pwrite(fd, data, LEN, 0), LEN);
        CHECK_OK(fsync(fd));
        int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);

        if (drop >= 0 && on_unimap())
            CHECK_EQ(write(drop, "1", 1), 1);
        close(drop);
        CHECK_EQ(pread(fd, back, LEN, 0), LEN);
        CHECK(memcmp(data, back, LEN) == 0);
    }
    CHECK_OK(close(fd));
    CHECK_OK(unlink(name));
    _exit(0);
}

TEST(proc_disk_io_by_many)
{
    enum { MANY = 50 };
    pid_t pid[MANY];

    if (on_unimap()) {
        CHECK_OK(mkdir("/root/many", 0755)); /* on the disk, not in memory */
        CHECK_OK(chdir("/root/many"));
    }
    for (int i = 0; i < MANY; i++) {
        pid[i] = fork_child();
        if (pid[i] == 0)
            disk_user(i);
    }
    for (int i = 0; i < MANY; i++)
        CHECK_EXIT(pid[i], 0);
    if (on_unimap())
        CHECK_OK(rmdir("/root/many"));
}
