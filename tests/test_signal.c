/* SPDX-License-Identifier: MIT */
/*
 * Signals as events: sending, default actions, masks, pending ones, interrupted and restarted
 * calls, children's news, stop and continue. What lies on the stack is in test_sigframe.c.
 *
 * To interrupt a call that sleeps, a timer ticks until it has happened: no tick can come too early
 * to be seen, and nothing depends on how long anything takes.
 */
#include "tests/test.h"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
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

static void tick(long usec)
{
    struct itimerval it = {{0, usec}, {0, usec}};

    CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
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

static sigset_t set_of(int sig)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, sig);
    return s;
}

static void block(int sig)
{
    sigset_t s = set_of(sig);

    CHECK_OK(sigprocmask(SIG_BLOCK, &s, NULL));
}

static void unblock(int sig)
{
    sigset_t s = set_of(sig);

    CHECK_OK(sigprocmask(SIG_UNBLOCK, &s, NULL));
}

/* ---- Default actions ---- */

TEST(signal_default_terminates)
{
    static const int sigs[] = {SIGHUP,  SIGINT,    SIGQUIT, SIGILL,  SIGTRAP,   SIGABRT, SIGBUS,
                               SIGFPE,  SIGKILL,   SIGUSR1, SIGSEGV, SIGUSR2,   SIGPIPE, SIGALRM,
                               SIGTERM, SIGXCPU,   SIGXFSZ, SIGIO,   SIGVTALRM, SIGPROF, SIGSYS,
                               SIGPWR,  SIGSTKFLT, 34,      50,      64};
    struct rlimit no_core = {0, 0};

    CHECK_OK(setrlimit(RLIMIT_CORE, &no_core));
    for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
        if (on_qemu_user() && (sigs[i] > 32 || sigs[i] == SIGTRAP || sigs[i] == SIGABRT))
            continue; /* the emulator uses some itself */
        pid_t pid = fork_child();

        if (pid == 0) {
            syscall(SYS_kill, getpid(), sigs[i]);
            _exit(0);
        }
        CHECK_SIGNAL(pid, sigs[i]);
    }
}

TEST(signal_default_ignores)
{
    static const int sigs[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};

    for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
        CHECK_OK(kill(getpid(), sigs[i]));
}

/* A spinning process is on its hart all the time: the news must get there. */
TEST(signal_kills_a_spinner)
{
    struct gate g;

    gate_init(&g);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            gate_open(&g);
            for (volatile long k = 0;; k++)
                ;
        }
        gate_wait(&g);
        CHECK_OK(kill(pid, i & 1 ? SIGKILL : SIGTERM));
        CHECK_SIGNAL(pid, i & 1 ? SIGKILL : SIGTERM);
    }
}

/* Whatever it sleeps in, a process that is killed dies at once. */
static void sleep_in(int how)
{
    struct timespec ts = {1000, 0};
    sigset_t none;
    static int word;
    int fds[2];
    char c;

    sigemptyset(&none);
    if (pipe(fds) < 0)
        _exit(1);
    switch (how) {
    case 0: (void)!read(fds[0], &c, 1); break;
    case 1: nanosleep(&ts, NULL); break;
    case 2: sigsuspend(&none); break;
    case 3: poll(NULL, 0, -1); break;
    case 4: syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); break;
    case 5:
        for (;;)
            if (write(fds[1], &word, sizeof(word)) < 0)
                break;
        break;
    case 6:
        if (fork() == 0)
            pause();
        wait(NULL);
        break;
    default: pause(); break;
    }
    _exit(2);
}

TEST(signal_kills_a_sleeper)
{
    for (int how = 0; how < 8; how++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            setpgid(0, 0);
            sleep_in(how);
        }
        /* At whatever point of its way to sleep it is. */
        for (int i = 0; i < how * 3; i++)
            sched_yield();
        CHECK_OK(kill(pid, SIGKILL));
        CHECK_SIGNAL(pid, SIGKILL);
        kill(-pid, SIGKILL);
    }
}

/* ---- Who may be sent what ---- */

TEST(signal_kill_arguments)
{
    pid_t pid = fork_child();

    if (pid == 0)
        _exit(0);
    CHECK_OK(kill(getpid(), 0));
    CHECK_OK(kill(pid, 0)); /* running or zombie */
    CHECK_ERRNO(kill(getpid(), 65), EINVAL);
    CHECK_ERRNO(kill(getpid(), -1), EINVAL);
    CHECK_EXIT(pid, 0);
    CHECK_ERRNO(kill(pid, 0), ESRCH);
    CHECK_ERRNO(kill(pid, SIGKILL), ESRCH);
    CHECK_ERRNO(kill(0x3fffffff, 0), ESRCH);
    CHECK_ERRNO(kill(-0x3fffffff, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_tgkill, 0x3fffffff, getpid(), 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tkill, -1, 0), EINVAL);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0), 0);
    CHECK_EQ(syscall(SYS_tkill, syscall(SYS_gettid), 0), 0);
}

TEST(signal_kill_group)
{
    struct gate ready;
    pid_t leader, pid[4];

    gate_init(&ready);
    leader = fork_child();
    if (leader == 0) {
        setpgid(0, 0);
        for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
            pid[i] = fork_child();
            if (pid[i] == 0) {
                gate_open(&ready);
                pause();
                _exit(0);
            }
        }
        signal(SIGTERM, SIG_IGN);
        gate_open(&ready);
        for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
            CHECK_SIGNAL(pid[i], SIGTERM);
        _exit(0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(pid) + 1; i++)
        gate_wait(&ready);
    CHECK_OK(kill(-leader, 0));
    CHECK_OK(kill(-leader, SIGTERM));
    CHECK_EXIT(leader, 0);
    CHECK_ERRNO(kill(-leader, 0), ESRCH);
}

TEST(signal_kill_other_user)
{
    pid_t pid;

    if (geteuid() != 0)
        SKIP("needs root");
    pid = fork_child();
    if (pid == 0) {
        CHECK_OK(setuid(1000));
        CHECK_ERRNO(kill(getppid(), 0), EPERM);
        CHECK_ERRNO(kill(getppid(), SIGTERM), EPERM);
        CHECK_ERRNO(kill(1, SIGTERM), EPERM);
        CHECK_OK(kill(getpid(), 0));
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

/* ---- Handlers and what they are told ---- */

TEST(signal_info_of_kill)
{
    pid_t pid;

    set_handler(SIGUSR1, on_signal, 0);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 1);
    CHECK_EQ(last.si_signo, SIGUSR1);
    CHECK_EQ(last.si_code, SI_USER);
    CHECK_EQ(last.si_errno, 0);
    CHECK_EQ(last.si_pid, getpid());
    CHECK_EQ(last.si_uid, getuid());
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(last.si_code, SI_TKILL);
    pid = fork_child();
    if (pid == 0) {
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(count, 3);
    CHECK_EQ(last.si_pid, pid);
}

TEST(signal_action_refused)
{
    struct sigaction sa = {.sa_handler = SIG_IGN};

    CHECK_ERRNO(sigaction(SIGKILL, &sa, NULL), EINVAL);
    CHECK_ERRNO(sigaction(SIGSTOP, &sa, NULL), EINVAL);
    CHECK_OK(sigaction(SIGKILL, NULL, &sa));
    CHECK(sa.sa_handler == SIG_DFL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8L), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8L), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, -1, NULL, NULL, 8L), EINVAL);
    CHECK_EQ(syscall(SYS_rt_sigaction, 64, NULL, NULL, 8L), 0);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4L), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 99, &sa, NULL, 8L), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 16L), EINVAL);
}

TEST(signal_action_is_remembered)
{
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART}, old;

    sa.sa_mask = set_of(SIGHUP);
    CHECK_OK(sigaction(SIGUSR1, &sa, &old));
    CHECK(old.sa_handler == SIG_DFL);
    CHECK_OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_sigaction == on_signal);
    CHECK_EQ(old.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER), SA_SIGINFO | SA_RESTART);
    CHECK(sigismember(&old.sa_mask, SIGHUP) && !sigismember(&old.sa_mask, SIGUSR1));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 1);
    signal(SIGUSR1, SIG_IGN);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 1);
}

static sigset_t mask_inside;

static void note_mask(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)si;
    (void)uc;
    sigprocmask(SIG_BLOCK, NULL, &mask_inside);
    count++;
}

TEST(signal_mask_in_handler)
{
    struct sigaction sa = {.sa_sigaction = note_mask, .sa_flags = SA_SIGINFO};
    sigset_t after;

    if (on_qemu_user())
        SKIP("the emulator shows a handler the mask of the code it interrupts");
    sa.sa_mask = set_of(SIGUSR2);
    sigaddset(&sa.sa_mask, SIGKILL); /* silently not */
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    CHECK_OK(raise(SIGUSR1));
    CHECK(sigismember(&mask_inside, SIGUSR1) && sigismember(&mask_inside, SIGUSR2));
    CHECK(!sigismember(&mask_inside, SIGKILL) && !sigismember(&mask_inside, SIGHUP));
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &after));
    CHECK(!sigismember(&after, SIGUSR1) && !sigismember(&after, SIGUSR2));
    sa.sa_flags |= SA_NODEFER;
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    CHECK_OK(raise(SIGUSR1));
    CHECK(!sigismember(&mask_inside, SIGUSR1) && sigismember(&mask_inside, SIGUSR2));
}

TEST(signal_reset_after_first)
{
    struct sigaction sa;

    set_handler(SIGUSR1, on_signal, (int)SA_RESETHAND);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(count, 1);
    CHECK_OK(sigaction(SIGUSR1, NULL, &sa));
    CHECK(sa.sa_handler == SIG_DFL);
}

/* ---- Blocked and pending ---- */

TEST(signal_blocked_is_pending)
{
    sigset_t pending;

    set_handler(SIGUSR1, on_signal, 0);
    block(SIGUSR1);
    for (int i = 0; i < 5; i++)
        CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 0);
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1));
    unblock(SIGUSR1);
    CHECK_EQ(count, 1); /* five of a kind are one */
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
}

TEST(signal_ignored_is_not_pending)
{
    sigset_t pending;

    block(SIGUSR1);
    CHECK_OK(kill(getpid(), SIGUSR1));
    signal(SIGUSR1, SIG_IGN); /* forgets it */
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    unblock(SIGUSR1);
}

TEST(signal_kill_and_stop_cannot_be_blocked)
{
    sigset_t all, now;
    pid_t pid;

    sigfillset(&all);
    CHECK_OK(sigprocmask(SIG_SETMASK, &all, NULL));
    CHECK_OK(sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK(!sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP));
    CHECK(sigismember(&now, SIGTERM));
    pid = fork_child();
    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(0);
    }
    CHECK_SIGNAL(pid, SIGKILL);
}

static int order[8];

static void note_order(int sig, siginfo_t *si, void *uc)
{
    (void)uc;
    order[count++ & 7] = sig >= SIGRTMIN ? si->si_value.sival_int : sig;
}

/* Set free together, the lower number goes first. */
TEST(signal_order)
{
    struct sigaction sa = {.sa_sigaction = note_order, .sa_flags = SA_SIGINFO};
    sigset_t all, old;

    sigfillset(&all);
    sa.sa_mask = all;
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    CHECK_OK(sigaction(SIGUSR2, &sa, NULL));
    CHECK_OK(sigaction(SIGHUP, &sa, NULL));
    CHECK_OK(sigprocmask(SIG_SETMASK, &all, &old));
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGUSR1);
    CHECK_OK(sigprocmask(SIG_SETMASK, &old, NULL));
    CHECK_EQ(count, 3);
    if (!on_qemu_user()) /* delivers in the host's order */
        CHECK(order[0] == SIGHUP && order[1] == SIGUSR1 && order[2] == SIGUSR2);
}

/* The real-time ones queue, with their values, in order. */
TEST(signal_realtime_queues)
{
    int sig = SIGRTMIN + 1;
    union sigval v;

    set_handler(sig, note_order, 0);
    block(sig);
    for (int i = 1; i <= 3; i++) {
        v.sival_int = i;
        CHECK_OK(sigqueue(getpid(), sig, v));
    }
    unblock(sig);
    CHECK_EQ(count, 3);
    CHECK(order[0] == 1 && order[1] == 2 && order[2] == 3);
}

TEST(signal_timedwait)
{
    sigset_t s = set_of(SIGUSR1);
    struct timespec now = {0, 0}, soon = {0, 1000000};
    siginfo_t si;

    block(SIGUSR1);
    CHECK_ERRNO(sigtimedwait(&s, &si, &now), EAGAIN);
    CHECK_ERRNO(sigtimedwait(&s, &si, &soon), EAGAIN);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigtimedwait(&s, &si, &now), SIGUSR1);
    CHECK_EQ(si.si_signo, SIGUSR1);
    CHECK_EQ(si.si_pid, getpid());
    CHECK_ERRNO(sigtimedwait(&s, &si, &now), EAGAIN);
}

TEST(signal_suspend)
{
    sigset_t none, now;

    sigemptyset(&none);
    set_handler(SIGALRM, on_signal, 0);
    block(SIGALRM);
    tick(2000);
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK(count >= 1);
    tick(0);
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGALRM));
    /* One that waits already: no sleep, no loss. */
    CHECK_OK(kill(getpid(), SIGALRM));
    count = 0;
    CHECK_ERRNO(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
}

/* ---- Interrupted calls ---- */

TEST(signal_read_eintr)
{
    int fds[2];
    char c;

    CHECK_OK(pipe(fds));
    set_handler(SIGALRM, on_signal, 0);
    tick(2000);
    CHECK_ERRNO(read(fds[0], &c, 1), EINTR);
    tick(0);
    CHECK(count >= 1);
}

TEST(signal_read_restarts)
{
    int fds[2];
    char c;

    CHECK_OK(pipe(fds));
    tick_pipe = fds[1];
    set_handler(SIGALRM, on_tick, SA_RESTART);
    tick(2000);
    CHECK_EQ(read(fds[0], &c, 1), 1);
    tick(0);
    CHECK(count >= 3);
}

TEST(signal_write_returns_what_was_written)
{
    int fds[2];
    static char big[1 << 20];

    CHECK_OK(pipe(fds));
    set_handler(SIGALRM, on_signal, 0);
    tick(5000);
    ssize_t n = write(fds[1], big, sizeof(big));

    CHECK(n > 0 && n < (ssize_t)sizeof(big));
    CHECK_ERRNO(write(fds[1], big, sizeof(big)), EINTR);
    tick(0);
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
    tick(2000);
    CHECK_ERRNO(waitpid(pid, NULL, 0), EINTR);
    tick(0);
    tick_pipe = fds[1];
    count = 0;
    set_handler(SIGALRM, on_tick, SA_RESTART);
    tick(2000);
    CHECK_EQ(waitpid(pid, NULL, 0), pid); /* the third tick ends the child */
    tick(0);
    CHECK(count >= 3);
}

/* Sleeping is not started again, whatever SA_RESTART says, and tells what is left. */
TEST(signal_nanosleep_eintr)
{
    struct timespec req = {1000, 0}, rem = {0, 0};

    set_handler(SIGALRM, on_signal, SA_RESTART);
    tick(3000);
    CHECK_ERRNO(nanosleep(&req, &rem), EINTR);
    tick(0);
    CHECK(rem.tv_sec >= 900 && rem.tv_sec < 1000);
    tick(3000);
    rem.tv_sec = 0;
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &req, &rem), EINTR);
    CHECK(rem.tv_sec >= 900 && rem.tv_sec < 1000);
    CHECK_ERRNO(poll(NULL, 0, 1000000), EINTR);
    tick(0);
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
    block(SIGCHLD);
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
    tick(3000);
    CHECK_OK(getitimer(ITIMER_REAL, &it));
    CHECK_EQ(it.it_interval.tv_usec, 3000);
    CHECK(it.it_value.tv_sec == 0 && it.it_value.tv_usec <= 3000 + 10000);
    while (count < 10)
        pause();
    CHECK(now_ns() - start >= 9 * 3000000ULL);
    tick(0);
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
    sigset_t set = set_of(sig);
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

    block(SIGUSR1);
    pid = fork_child();
    if (pid == 0) {
        ping_pong(parent, SIGUSR1, 2000, false);
        _exit(0);
    }
    ping_pong(pid, SIGUSR1, 2000, true);
    CHECK_EXIT(pid, 0);
}
