/* SPDX-License-Identifier: MIT */
/*
 * Signals as events: default actions, who may send what to whom, what handlers are told, masks and
 * pending ones. What they interrupt is in test_sigwait.c, what lies on the stack in
 * test_sigframe.c.
 */
#include "tests/test.h"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>

static volatile sig_atomic_t count;
static volatile siginfo_t last;

static void on_signal(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)uc;
    last = *si;
    count++;
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

    sa.sa_mask = one_signal(SIGHUP);
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
    sa.sa_mask = one_signal(SIGUSR2);
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
    block_signal(SIGUSR1);
    for (int i = 0; i < 5; i++)
        CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 0);
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1));
    unblock_signal(SIGUSR1);
    CHECK_EQ(count, 1); /* five of a kind are one */
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
}

TEST(signal_ignored_is_not_pending)
{
    sigset_t pending;

    block_signal(SIGUSR1);
    CHECK_OK(kill(getpid(), SIGUSR1));
    signal(SIGUSR1, SIG_IGN); /* forgets it */
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    unblock_signal(SIGUSR1);
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
    block_signal(sig);
    for (int i = 1; i <= 3; i++) {
        v.sival_int = i;
        CHECK_OK(sigqueue(getpid(), sig, v));
    }
    unblock_signal(sig);
    CHECK_EQ(count, 3);
    CHECK(order[0] == 1 && order[1] == 2 && order[2] == 3);
}

TEST(signal_timedwait)
{
    sigset_t s = one_signal(SIGUSR1);
    struct timespec now = {0, 0}, soon = {0, 1000000};
    siginfo_t si;

    block_signal(SIGUSR1);
    CHECK_ERRNO(sigtimedwait(&s, &si, &now), EAGAIN);
    CHECK_ERRNO(sigtimedwait(&s, &si, &soon), EAGAIN);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigtimedwait(&s, &si, &now), SIGUSR1);
    CHECK_EQ(si.si_signo, SIGUSR1);
    CHECK_EQ(si.si_pid, getpid());
    CHECK_ERRNO(sigtimedwait(&s, &si, &now), EAGAIN);
}
