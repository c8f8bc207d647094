/* SPDX-License-Identifier: MIT */
/*
 * Signals and those who wait: interrupted and restarted calls, pipes without readers, children's
 * news, stop and continue, timers, and storms in which no wakeup may be lost.
 *
 * To interrupt a call that sleeps, a timer ticks until it has happened: no tick can come too early
 * to be seen, and nothing depends on how long anything takes.
 */
#include "tests/test.h"

#include <poll.h>
#include <sched.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t count;
static volatile siginfo_t last;
static int tick_pipe = -1;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)uc;
    last = *si;
    count++;
}

/* The third tick puts something into the pipe, so that a restarted read comes to an end. */
static void on_tick(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)si;
    (void)uc;
    if (++count == 3 && tick_pipe >= 0 && write(tick_pipe, "x", 1) != 1)
        _exit(1);
}

/* ---- Interrupted calls ---- */

TEST(signal_suspend)
{
    sigset_t none, now;

    sigemptyset(&none);
    set_handler(SIGALRM, on_signal, 0);
    block_signal(SIGALRM);
    tick_every(2000);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK(count >= 1);
    tick_every(0);
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGALRM));
    /* One that waits already: no sleep, no loss. */
    CHECK_OK(kill(getpid(), SIGALRM));
    count = 0;
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
}

TEST(signal_read_eintr)
{
    int fds[2];
    char c;

    CHECK_OK(pipe(fds));
    set_handler(SIGALRM, on_signal, 0);
    tick_every(2000);
    CHECK_ERRNO(read(fds[0], &c, 1), EINTR);
    tick_every(0);
    CHECK(count >= 1);
}

TEST(signal_read_restarts)
{
    int fds[2];
    char c;

    CHECK_OK(pipe(fds));
    tick_pipe = fds[1];
    set_handler(SIGALRM, on_tick, SA_RESTART);
    tick_every(2000);
    CHECK_EQ(read(fds[0], &c, 1), 1);
    tick_every(0);
    CHECK(count >= 3);
}

TEST(signal_write_returns_what_was_written)
{
    int fds[2];
    static char big[1 << 20];

    CHECK_OK(pipe(fds));
    set_handler(SIGALRM, on_signal, 0);
    tick_every(5000);
    ssize_t n = write(fds[1], big, sizeof(big));

    CHECK(n > 0 && n < (ssize_t)sizeof(big));
    CHECK_ERRNO(write(fds[1], big, sizeof(big)), EINTR);
    tick_every(0);
}

TEST(signal_wait_eintr_and_restart)
{
    pid_t pid;
    int fds[2];

    CHECK_OK(pipe(fds));
    pid = fork_child();
    if (pid == 0) {
        char c;

        close(fds[1]);
        _exit((int)read(fds[0], &c, 1));
    }
    set_handler(SIGALRM, on_signal, 0);
    tick_every(2000);
    CHECK_ERRNO(waitpid(pid, NULL, 0), EINTR);
    tick_every(0);
    tick_pipe = fds[1];
    count = 0;
    set_handler(SIGALRM, on_tick, SA_RESTART);
    tick_every(2000);
    CHECK_EQ(waitpid(pid, NULL, 0), pid); /* the third tick ends the child */
    tick_every(0);
    CHECK(count >= 3);
}

/* Sleeping is not started again, whatever SA_RESTART says, and tells what is left. */
TEST(signal_nanosleep_eintr)
{
    struct timespec req = {1000, 0}, rem = {0, 0};

    set_handler(SIGALRM, on_signal, SA_RESTART);
    tick_every(3000);
    CHECK_ERRNO(nanosleep(&req, &rem), EINTR);
    tick_every(0);
    CHECK(rem.tv_sec >= 900 && rem.tv_sec < 1000);
    tick_every(3000);
    rem.tv_sec = 0;
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &req, &rem), EINTR);
    CHECK(rem.tv_sec >= 900 && rem.tv_sec < 1000);
    CHECK_ERRNO(poll(NULL, 0, 1000000), EINTR);
    tick_every(0);
}

/* Without a handler nothing is interrupted: ignored signals and those ignored by default. */
TEST(signal_ignored_does_not_interrupt)
{
    int fds[2];
    char c;
    pid_t pid;

    CHECK_OK(pipe(fds));
    signal(SIGUSR1, SIG_IGN);
    pid = fork_child();
    if (pid == 0) {
        for (int i = 0; i < 50; i++) {
            kill(getppid(), SIGUSR1);
            kill(getppid(), SIGWINCH);
            sched_yield();
        }
        CHECK_EQ(write(fds[1], "x", 1), 1);
        _exit(0);
    }
    CHECK_EQ(read(fds[0], &c, 1), 1);
    CHECK_EXIT(pid, 0);
}

/* ---- Pipes without readers ---- */

TEST(signal_sigpipe)
{
    int fds[2];
    pid_t pid;

    CHECK_OK(pipe(fds));
    CHECK_OK(close(fds[0]));
    pid = fork_child();
    if (pid == 0) {
        (void)!write(fds[1], "x", 1);
        _exit(0);
    }
    CHECK_SIGNAL(pid, SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
}

/* ---- Children ---- */

TEST(signal_sigchld)
{
    sigset_t none;
    pid_t pid;

    sigemptyset(&none);
    block_signal(SIGCHLD);
    set_handler(SIGCHLD, on_signal, 0);
    pid = fork_child();
    if (pid == 0)
        _exit(9);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(last.si_pid, pid);
    CHECK_EQ(last.si_code, CLD_EXITED);
    CHECK_EQ(last.si_status, 9);
    CHECK_EXIT(pid, 9);
    pid = fork_child();
    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(0);
    }
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(last.si_code, CLD_KILLED);
    CHECK_EQ(last.si_status, SIGKILL);
    CHECK_SIGNAL(pid, SIGKILL);
}

static void no_zombies(void)
{
    for (int i = 0; i < 10; i++)
        if (fork_child() == 0)
            _exit(i);
    /* wait returns when all are gone, having seen none. */
    CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(signal_sigchld_ignored_reaps)
{
    struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};

    if (on_qemu_user())
        SKIP("the emulator does not pass this on to its host");
    signal(SIGCHLD, SIG_IGN);
    no_zombies();
    CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
    no_zombies();
}

TEST(signal_stop_and_continue)
{
    int status;
    pid_t pid = fork_child();

    if (pid == 0) {
        for (;;)
            pause();
    }
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kill(pid, i & 1 ? SIGSTOP : SIGTSTP));
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(WSTOPSIG(status), i & 1 ? SIGSTOP : SIGTSTP);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); /* told once */
        CHECK_OK(kill(pid, SIGCONT));
        CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
        CHECK(WIFCONTINUED(status));
        CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
    }
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_OK(kill(pid, SIGTERM)); /* waits until it goes on */
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_OK(kill(pid, SIGCONT));
    CHECK_SIGNAL(pid, SIGTERM);
}

TEST(signal_kill_while_stopped)
{
    int status;
    pid_t pid = fork_child();

    if (pid == 0) {
        for (volatile long i = 0;; i++)
            ;
    }
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_SIGNAL(pid, SIGKILL);
}

/* A stopped process does not run; a continued one goes on where it was. */
TEST(signal_stopped_does_not_run)
{
    volatile long *n = (volatile long *)map_shared(1), before;
    int status;
    pid_t pid = fork_child();

    if (pid == 0) {
        for (;;)
            (*n)++;
    }
    while (*n == 0)
        sched_yield();
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    before = *n;
    for (int i = 0; i < 200; i++)
        sched_yield();
    CHECK_EQ(*n, before);
    CHECK_OK(kill(pid, SIGCONT));
    while (*n == before)
        sched_yield();
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_SIGNAL(pid, SIGKILL);
}

TEST(signal_cont_with_handler)
{
    struct gate ready;
    int status;
    pid_t pid;

    gate_init(&ready);
    pid = fork_child();
    if (pid == 0) {
        set_handler(SIGCONT, on_signal, 0);
        gate_open(&ready);
        while (!count)
            sched_yield();
        _exit(0);
    }
    gate_wait(&ready);
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_OK(kill(pid, SIGCONT));
    CHECK_EXIT(pid, 0);
}

/* ---- Timers that signal ---- */

TEST(signal_interval_timer)
{
    struct itimerval it;
    uint64_t start = now_ns();

    set_handler(SIGALRM, on_signal, 0);
    tick_every(3000);
    CHECK_OK(getitimer(ITIMER_REAL, &it));
    CHECK_EQ(it.it_interval.tv_usec, 3000);
    CHECK(it.it_value.tv_sec == 0 && it.it_value.tv_usec <= 3000 + 10000);
    while (count < 10)
        pause();
    CHECK(now_ns() - start >= 9 * 3000000ULL);
    tick_every(0);
    CHECK_OK(getitimer(ITIMER_REAL, &it));
    CHECK_EQ(it.it_value.tv_usec, 0);
    CHECK_EQ(alarm(50), 0);
    CHECK_EQ(alarm(0), 50);
    struct itimerval bad = {{0, 0}, {0, 1000000}};

    CHECK_ERRNO(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
    CHECK_ERRNO(setitimer(99, &it, NULL), EINVAL);
}

/* ---- Many ---- */

/* None of the senders' last signals is lost, however they fall together. */
TEST(signal_storm)
{
    pid_t pid[3];
    struct gate ready;

    gate_init(&ready);
    pid[0] = fork_child();
    if (pid[0] == 0) {
        set_handler(SIGUSR1, on_signal, 0);
        set_handler(SIGUSR2, on_signal, 0);
        gate_open(&ready);
        for (;;) {
            char *p = map_pages(4);

            p[0] = p[2 * PAGE] = 1;
            munmap(p, 4 * PAGE);
        }
    }
    gate_wait(&ready);
    for (int k = 1; k < 3; k++) {
        pid[k] = fork_child();
        if (pid[k] == 0) {
            for (int i = 0; i < 2000; i++)
                CHECK_OK(kill(pid[0], k == 1 ? SIGUSR1 : SIGUSR2));
            _exit(0);
        }
    }
    CHECK_EXIT(pid[1], 0);
    CHECK_EXIT(pid[2], 0);
    CHECK_OK(kill(pid[0], SIGTERM));
    CHECK_SIGNAL(pid[0], SIGTERM);
}

/* Two processes in turn: each signal wakes exactly the other one. Lost wakeups hang here. */
static void ping_pong(pid_t other, int sig, int turns, bool first)
{
    sigset_t set = one_signal(sig);
    int got;

    for (int i = 0; i < turns; i++) {
        if (first)
            CHECK_OK(kill(other, sig));
        CHECK_OK(sigwait(&set, &got));
        if (!first)
            CHECK_OK(kill(other, sig));
    }
}

TEST(signal_ping_pong)
{
    pid_t parent = getpid(), pid;

    block_signal(SIGUSR1);
    pid = fork_child();
    if (pid == 0) {
        ping_pong(parent, SIGUSR1, 2000, false);
        _exit(0);
    }
    ping_pong(pid, SIGUSR1, 2000, true);
    CHECK_EXIT(pid, 0);
}
