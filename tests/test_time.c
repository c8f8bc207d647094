/* SPDX-License-Identifier: MIT */
/*
 * Clocks, sleeps and interval timers. Nothing here asks how late something is, only that it is
 * never early and that it comes at all.
 */
#include "tests/test.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#define MS 1000000L

static volatile sig_atomic_t count;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)si;
    (void)uc;
    count++;
}

static uint64_t ns_of(clockid_t clock)
{
    struct timespec ts;

    CHECK_OK(clock_gettime(clock, &ts));
    CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

TEST(time_clocks_go_forward)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,
                                       CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
                                       CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
                                       CLOCK_MONOTONIC_COARSE,   CLOCK_BOOTTIME};

    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
        uint64_t before = ns_of(clocks[i]);
        struct timespec res;

        for (int k = 0; k < 1000; k++) {
            uint64_t now = ns_of(clocks[i]);

            CHECK(now >= before);
            before = now;
        }
        CHECK_OK(clock_getres(clocks[i], &res));
        CHECK(res.tv_sec == 0 && res.tv_nsec > 0);
    }
}

TEST(time_of_day_is_plausible)
{
    struct timeval tv;
    uint64_t a = ns_of(CLOCK_REALTIME), b;

    CHECK_OK(gettimeofday(&tv, NULL));
    b = (uint64_t)tv.tv_sec * 1000000000 + (uint64_t)tv.tv_usec * 1000;
    CHECK(b + 1000 >= a);
    CHECK(tv.tv_sec > 1600000000); /* 2020: there is a clock in the machine */
    CHECK(time(NULL) >= tv.tv_sec);
}

TEST(time_bad_clocks)
{
    struct timespec ts;

    CHECK_ERRNO(syscall(SYS_clock_gettime, 99, &ts), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_gettime, 0, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &ts), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_nanosleep, 99, 0, &ts, NULL), EINVAL);
}

TEST(time_cpu_clock_of_another)
{
    struct gate g;
    clockid_t clock;
    pid_t pid;

    if (on_qemu_user())
        SKIP("the emulator does not translate process numbers in clocks");
    gate_init(&g);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&g);
        _exit(0);
    }
    CHECK_EQ(clock_getcpuclockid(pid, &clock), 0);
    (void)ns_of(clock);
    gate_open(&g);
    CHECK_EXIT(pid, 0);
    CHECK_EQ(clock_getcpuclockid(pid, &clock), ESRCH);
}

/* ---- Sleeping ---- */

TEST(time_nanosleep_is_not_early)
{
    static const long lengths[] = {0, 1, 1000, MS, 20 * MS};

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct timespec ts = {0, lengths[i]};
        uint64_t from = now_ns();

        CHECK_OK(nanosleep(&ts, NULL));
        CHECK(now_ns() - from >= (uint64_t)lengths[i]);
    }
}

TEST(time_nanosleep_refuses)
{
    struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_ERRNO(nanosleep(&bad[i], NULL), EINVAL);
    if (!on_qemu_user()) /* which does not look at what it could not read */
        CHECK_ERRNO(syscall(SYS_nanosleep, 8, NULL), EFAULT);
}

TEST(time_sleep_until)
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};

    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
        uint64_t until = ns_of(clocks[i]) + 10 * MS;
        struct timespec ts = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
        struct timespec past = {1, 0};

        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &ts, NULL), 0);
        CHECK(ns_of(clocks[i]) >= until);
        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &past, NULL), 0);
    }
}

/* A handler ends the sleep, and what is left is told. */
TEST(time_sleep_interrupted)
{
    struct timespec ts = {1000, 0}, left = {0, 0};
    struct itimerval it = {{0, 5000}, {0, 5000}};

    set_handler(SIGALRM, on_signal, SA_RESTART); /* sleeps do not restart all the same */
    CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
    CHECK_ERRNO(nanosleep(&ts, &left), EINTR);
    CHECK(left.tv_sec == 999);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &left), EINTR);
    CHECK(left.tv_sec == 999);
}

/* Stopped and continued, a sleep goes on and ends when it would have ended. */
TEST(time_sleep_survives_a_stop)
{
    struct gate g;
    int status;
    pid_t pid;

    gate_init(&g);
    pid = fork_child();
    if (pid == 0) {
        struct timespec ts = {0, 300 * MS};
        uint64_t from = now_ns();
        int err;

        gate_open(&g);
        err = nanosleep(&ts, NULL);
        _exit(err ? 1 : now_ns() - from < (uint64_t)ts.tv_nsec ? 2 : 3);
    }
    gate_wait(&g);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(kill(pid, SIGSTOP));
        CHECK_OK(waitpid(pid, &status, WUNTRACED));
        if (WIFEXITED(status))
            break;
        CHECK_OK(kill(pid, SIGCONT));
    }
    if (WIFSTOPPED(status))
        CHECK_EXIT(pid, 3);
    else
        CHECK_EQ(status, 3 << 8);
}

/* Many sleepers with deadlines in every order. */
TEST(time_many_sleepers)
{
    pid_t pid[40];

    for (int i = 0; i < 40; i++) {
        pid[i] = fork_child();
        if (pid[i] == 0) {
            for (int k = 0; k < 10; k++) {
                struct timespec ts = {0, (long)(rnd() % 97 + (uint64_t)i * 7 % 13) * 100000};
                uint64_t from = now_ns();

                if (nanosleep(&ts, NULL) || now_ns() - from < (uint64_t)ts.tv_nsec)
                    _exit(1);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < 40; i++)
        CHECK_EXIT(pid[i], 0);
}

/* ---- Interval timers ---- */

TEST(time_itimer_get_and_set)
{
    static const int which[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    struct itimerval it, old;

    for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
        it = (struct itimerval){{7, 5}, {1000, 0}};
        CHECK_OK(setitimer(which[i], &it, NULL));
        CHECK_OK(getitimer(which[i], &old));
        CHECK(old.it_value.tv_sec == 999 || old.it_value.tv_sec == 1000);
        CHECK_EQ(old.it_interval.tv_sec, 7);
        it = (struct itimerval){{0, 0}, {0, 0}};
        CHECK_OK(setitimer(which[i], &it, &old));
        CHECK(old.it_value.tv_sec >= 999);
        CHECK_OK(getitimer(which[i], &old));
        CHECK_EQ(old.it_value.tv_sec + old.it_value.tv_usec, 0);
        it.it_value.tv_usec = 1000000;
        CHECK_ERRNO(setitimer(which[i], &it, NULL), EINVAL);
        it.it_value.tv_usec = -1;
        CHECK_ERRNO(setitimer(which[i], &it, NULL), EINVAL);
    }
    CHECK_ERRNO(getitimer(3, &old), EINVAL);
    CHECK_ERRNO(setitimer(-1, &it, NULL), EINVAL);
}

static void burn_until(int n)
{
    while (count < n)
        for (volatile int i = 0; i < 1000; i++)
            ;
}

TEST(time_itimer_virtual_and_prof)
{
    static const int which[][2] = {{ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}};

    for (size_t i = 0; i < ARRAY_SIZE(which); i++) {
        struct itimerval it = {{0, 10000}, {0, 10000}}, off = {{0, 0}, {0, 0}};
        uint64_t from = ns_of(CLOCK_PROCESS_CPUTIME_ID);

        count = 0;
        set_handler(which[i][1], on_signal, SA_RESTART);
        CHECK_OK(setitimer(which[i][0], &it, NULL));
        burn_until(5);
        CHECK_OK(setitimer(which[i][0], &off, NULL));
        if (!on_qemu_user()) /* its own threads burn time, too */
            CHECK(ns_of(CLOCK_PROCESS_CPUTIME_ID) - from >= 30 * MS);
    }
}

TEST(time_itimer_prof_kills)
{
    pid_t pid = fork_child();

    if (pid == 0) {
        struct itimerval it = {{0, 0}, {0, 20000}};

        CHECK_OK(setitimer(ITIMER_PROF, &it, NULL));
        for (;;)
            (void)getppid();
    }
    CHECK_SIGNAL(pid, SIGPROF);
}

/* Not inherited by children, kept by exec. */
TEST(time_itimer_and_fork)
{
    struct itimerval it = {{0, 0}, {1000, 0}};
    pid_t pid;

    CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
    pid = fork_child();
    if (pid == 0) {
        struct itimerval now;

        if (getitimer(ITIMER_REAL, &now))
            _exit(1);
        _exit(now.it_value.tv_sec == 0 ? 0 : 2);
    }
    CHECK_EXIT(pid, 0);
}

MODE(time_alarm_left)
{
    return alarm(0) > 900 ? 5 : 6;
}

TEST(time_alarm_survives_exec)
{
    pid_t pid;

    need_self_exec();
    pid = fork_child();
    if (pid == 0) {
        alarm(1000);
        execl(self_exe(), "unit", "--mode=time_alarm_left", (char *)NULL);
        _exit(1);
    }
    CHECK_EXIT(pid, 5);
}

TEST(time_exit_with_timers_armed)
{
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            struct itimerval it = {{0, 100}, {0, 100}};

            set_handler(SIGALRM, on_signal, SA_RESTART);
            signal(SIGPROF, SIG_IGN);
            setitimer(ITIMER_REAL, &it, NULL);
            setitimer(ITIMER_PROF, &it, NULL);
            for (volatile int k = 0; k < i * 100; k++)
                ;
            _exit(4);
        }
        CHECK_EXIT(pid, 4);
    }
}

/* ---- Times used ---- */

TEST(time_used_by_children)
{
    struct rusage before, after, one;
    struct tms t;
    pid_t pid;
    int status;

    CHECK_OK(getrusage(RUSAGE_CHILDREN, &before));
    pid = fork_child();
    if (pid == 0) {
        uint64_t from = ns_of(CLOCK_PROCESS_CPUTIME_ID);

        while (ns_of(CLOCK_PROCESS_CPUTIME_ID) - from < 60 * MS)
            ;
        _exit(0);
    }
    CHECK_EQ(wait4(pid, &status, 0, &one), pid);
    CHECK_EQ(status, 0);
    CHECK_OK(getrusage(RUSAGE_CHILDREN, &after));
    CHECK(one.ru_utime.tv_sec * 1000000 + one.ru_utime.tv_usec + one.ru_stime.tv_sec * 1000000 +
              one.ru_stime.tv_usec >=
          50000);
    CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec +
              after.ru_stime.tv_sec * 1000000 + after.ru_stime.tv_usec >=
          before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec +
              before.ru_stime.tv_sec * 1000000 + before.ru_stime.tv_usec + 50000);
    CHECK(times(&t) != (clock_t)-1);
    CHECK(t.tms_cutime + t.tms_cstime >= 5);
    CHECK_ERRNO(getrusage(99, &one), EINVAL);
    CHECK_OK(getrusage(RUSAGE_SELF, &one));
    CHECK(one.ru_maxrss > 0);
    CHECK_OK(getrusage(RUSAGE_THREAD, &one));
}
