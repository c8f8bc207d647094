/* SPDX-License-Identifier: MIT */
/*
 * Threads of the C library, and the futexes below them: joining, contention, hand-over, time-outs,
 * words shared between processes, locks of the dead, signals and ends of groups with many threads.
 */
#include "tests/test.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/time.h>
#include <time.h>

#define THREADS 8

static long futex(volatile uint32_t *word, int op, uint32_t val, const void *timeout,
                  volatile uint32_t *word2, uint32_t val3)
{
    return syscall(SYS_futex, word, op, val, timeout, word2, val3);
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
    pthread_t t;
    int err = pthread_create(&t, NULL, fn, arg);

    CHECK_EQ(err, 0);
    return t;
}

static void *join(pthread_t t)
{
    void *ret;

    CHECK_EQ(pthread_join(t, &ret), 0);
    return ret;
}

/* ---- Life ---- */

static void *give_back(void *arg)
{
    return arg;
}

TEST(thread_create_and_join)
{
    for (intptr_t i = 0; i < 500; i++)
        CHECK(join(start(give_back, (void *)i)) == (void *)i);
}

TEST(thread_many_at_once)
{
    pthread_attr_t attr;
    pthread_t t[50];

    CHECK_EQ(pthread_attr_init(&attr), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attr, 65536), 0);
    for (intptr_t i = 0; i < 50; i++)
        CHECK_EQ(pthread_create(&t[i], &attr, give_back, (void *)i), 0);
    for (intptr_t i = 0; i < 50; i++)
        CHECK(join(t[i]) == (void *)i);
}

static void *leave_quietly(void *arg)
{
    sem_post(arg);
    return NULL;
}

TEST(thread_detached)
{
    pthread_attr_t attr;
    sem_t gone;

    sem_init(&gone, 0, 0);
    CHECK_EQ(pthread_attr_init(&attr), 0);
    CHECK_EQ(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    for (int i = 0; i < 200; i++) {
        pthread_t t;

        CHECK_EQ(pthread_create(&t, &attr, leave_quietly, &gone), 0);
        while (sem_wait(&gone))
            ;
    }
}

static void *tid_of_self(void *arg)
{
    (void)arg;
    CHECK(syscall(SYS_gettid) != getpid());
    return (void *)(intptr_t)getpid();
}

TEST(thread_ids)
{
    CHECK_EQ(syscall(SYS_gettid), getpid());
    CHECK_EQ((intptr_t)join(start(tid_of_self, NULL)), getpid());
}

static __thread int local = 7;

static void *change_local(void *arg)
{
    (void)arg;
    CHECK_EQ(local, 7);
    local = 8;
    return NULL;
}

TEST(thread_local_storage)
{
    local = 9;
    join(start(change_local, NULL));
    CHECK_EQ(local, 9);
}

/* ---- Contention ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static long shared;
static int turn;

static void *add_under_lock(void *arg)
{
    (void)arg;
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&lock);
        shared++;
        if (i % 64 == 0)
            sched_yield();
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

TEST(thread_mutex_contention)
{
    pthread_t t[THREADS];

    for (int i = 0; i < THREADS; i++)
        t[i] = start(add_under_lock, NULL);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
    CHECK_EQ(shared, THREADS * 5000);
}

/* Each waits for its turn and wakes all others: broadcasts, and waits that end for somebody else. */
static void *take_turns(void *arg)
{
    int me = (int)(intptr_t)arg;

    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        while (turn != me)
            pthread_cond_wait(&cond, &lock);
        turn = (turn + 1) % THREADS;
        shared++;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

TEST(thread_cond_broadcast)
{
    pthread_t t[THREADS];

    for (intptr_t i = 0; i < THREADS; i++)
        t[i] = start(take_turns, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
    CHECK_EQ(shared, THREADS * 200);
}

static sem_t ping, pong;

static void *answer(void *arg)
{
    for (int i = 0; i < (int)(intptr_t)arg; i++) {
        sem_wait(&ping);
        sem_post(&pong);
    }
    return NULL;
}

TEST(thread_semaphore_ping_pong)
{
    pthread_t t;

    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    t = start(answer, (void *)5000);
    for (int i = 0; i < 5000; i++) {
        sem_post(&ping);
        sem_wait(&pong);
    }
    join(t);
}

/* ---- Futex calls ---- */

static volatile uint32_t word, word2;
static volatile int ready;

TEST(futex_errors)
{
    struct timespec soon = {0, 1000000}, bad = {0, 1000000000}, negative = {-1, 0};
    volatile uint32_t *odd = (volatile uint32_t *)((uintptr_t)&word + 1);

    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &soon, NULL, 0), ETIMEDOUT);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, &negative, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, (void *)1, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(odd, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(NULL, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(&word, 77, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERRNO(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &word2, 5), EAGAIN);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
}

TEST(futex_absolute_deadlines)
{
    struct timespec now, at;

    CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &at));
    at.tv_sec += at.tv_nsec >= 980000000;
    at.tv_nsec = (at.tv_nsec + 20000000) % 1000000000;
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 0, &at, NULL, ~0U), ETIMEDOUT);
    CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &now));
    CHECK(now.tv_sec > at.tv_sec || (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec));
    CHECK_OK(clock_gettime(CLOCK_REALTIME, &at));
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &at, NULL, ~0U),
                ETIMEDOUT);
}

static void *wait_on_word(void *arg)
{
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    while (futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, (uint32_t)(uintptr_t)arg) &&
           errno == EINTR)
        ;
    __atomic_fetch_sub(&ready, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Wakes until n threads were woken: they may not all have got to sleep yet. */
static void wake_exactly(volatile uint32_t *w, int op, long n, uint32_t bits)
{
    while (n > 0) {
        long woken = futex(w, op, (uint32_t)n, NULL, NULL, bits);

        CHECK(woken >= 0);
        n -= woken;
        sched_yield();
    }
    CHECK_EQ(n, 0);
}

TEST(futex_wakes_as_many_as_asked)
{
    pthread_t t[THREADS];

    for (int i = 0; i < THREADS; i++)
        t[i] = start(wait_on_word, (void *)~0UL);
    for (int i = 0; i < THREADS; i++)
        wake_exactly(&word, FUTEX_WAKE_PRIVATE, 1, 0);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
}

TEST(futex_bitset_selects)
{
    pthread_t a = start(wait_on_word, (void *)1), b = start(wait_on_word, (void *)2);

    wake_exactly(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, 2);
    join(b);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 4), 0);
    wake_exactly(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, 1);
    join(a);
}

TEST(futex_requeue_moves)
{
    pthread_t t[THREADS];
    long moved = 0;

    for (int i = 0; i < THREADS; i++)
        t[i] = start(wait_on_word, (void *)~0UL);
    while (moved < THREADS) {
        long n = futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)(long)INT_MAX, &word2, 0);

        CHECK(n >= 0);
        moved += n;
        sched_yield();
    }
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
    CHECK_EQ(ready, THREADS);
    CHECK_EQ(futex(&word2, FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0), 3);
    CHECK_EQ(futex(&word2, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), THREADS - 3);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
}

TEST(futex_wake_op_changes_the_word)
{
    static const struct {
        uint32_t op, arg, before, after;
    } ops[] = {{FUTEX_OP_SET, 5, 3, 5},    {FUTEX_OP_ADD, 5, 3, 8},
               {FUTEX_OP_OR, 5, 3, 7},     {FUTEX_OP_ANDN, 5, 7, 2},
               {FUTEX_OP_XOR, 5, 3, 6},    {FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 5, 1, 33},
               {FUTEX_OP_ADD, 0xfff, 3, 2}};
    pthread_t t;

    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        word2 = ops[i].before;
        CHECK_EQ(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2,
                       FUTEX_OP(ops[i].op, ops[i].arg, FUTEX_OP_CMP_EQ, 0)),
                 0);
        CHECK_EQ(word2, ops[i].after);
    }
    CHECK_ERRNO(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, (uint32_t *)16,
                      FUTEX_OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 0)),
                EFAULT);
    /* The second word's sleeper is woken because the comparison holds; nobody sleeps on the first. */
    t = start(wait_on_word, (void *)~0UL);
    for (word2 = 0;;) {
        long n = futex(&word2, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word,
                       FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_GE, 0));

        CHECK(n == 0 || n == 1);
        if (n)
            break;
        sched_yield();
    }
    join(t);
}

/* One word under two addresses and in two processes. */
TEST(futex_shared_between_processes)
{
    volatile uint32_t *p = (volatile uint32_t *)map_shared(1);
    pid_t pid = fork_child();

    if (pid == 0) {
        while (*p == 0)
            futex(p, FUTEX_WAIT, 0, NULL, NULL, 0);
        _exit((int)*p);
    }
    *p = 5;
    futex(p, FUTEX_WAKE, 1, NULL, NULL, 0);
    CHECK_EQ(reap(pid), 5 << 8);
}

TEST(thread_mutex_shared_between_processes)
{
    struct both {
        pthread_mutex_t m;
        volatile long n;
    } *b = (struct both *)map_shared(1);
    pthread_mutexattr_t attr;
    pid_t pid[4];

    pthread_mutexattr_init(&attr);
    CHECK_EQ(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_mutex_init(&b->m, &attr), 0);
    for (int i = 0; i < 4; i++) {
        pid[i] = fork_child();
        if (pid[i])
            continue;
        for (int k = 0; k < 2000; k++) {
            pthread_mutex_lock(&b->m);
            b->n++;
            if (k % 32 == 0)
                sched_yield();
            pthread_mutex_unlock(&b->m);
        }
        _exit(0);
    }
    for (int i = 0; i < 4; i++)
        CHECK_EXIT(pid[i], 0);
    CHECK_EQ(b->n, 8000);
}

static pthread_mutex_t robust;

static void *die_with_lock(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&robust);
    return NULL;
}

TEST(thread_robust_mutex)
{
    pthread_mutexattr_t attr;

    if (on_qemu_user())
        SKIP("the emulator does not walk the list");
    pthread_mutexattr_init(&attr);
    CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    for (int i = 0; i < 20; i++) {
        pthread_t t;

        CHECK_EQ(pthread_mutex_init(&robust, &attr), 0);
        t = start(die_with_lock, NULL);
        if (i & 1)
            join(t);
        else
            while (!robust.__data.__owner)
                sched_yield();
        CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
        CHECK_EQ(pthread_mutex_consistent(&robust), 0);
        CHECK_EQ(pthread_mutex_unlock(&robust), 0);
        if (!(i & 1))
            join(t);
    }
}

TEST(thread_robust_mutex_and_exec)
{
    pthread_mutex_t *m = (pthread_mutex_t *)map_shared(1);
    pthread_mutexattr_t attr;
    pid_t pid;

    need_self_exec();
    if (on_qemu_user())
        SKIP("the emulator does not walk the list");
    pthread_mutexattr_init(&attr);
    CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_EQ(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_mutex_init(m, &attr), 0);
    pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(pthread_mutex_lock(m), 0);
        execl(self_exe(), "unit", "--mode=true", (char *)NULL);
        _exit(9);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(pthread_mutex_trylock(m), EOWNERDEAD);
}

/* The list is the program's: nonsense in it must not hold up its end. */
TEST(futex_robust_list_is_not_trusted)
{
    static struct {
        void *next;
        long offset;
        void *pending;
    } heads[4];

    heads[0] = (typeof(heads[0])){(void *)0x80200000, 0, NULL};
    heads[1] = (typeof(heads[0])){(void *)8, 0, (void *)0x10000000};
    heads[2] = (typeof(heads[0])){&heads[2].next, -64, (void *)3};
    heads[3] = (typeof(heads[0])){&heads[0], LONG_MAX, &heads[1]};
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            /* A ring that does not lead back to its head. */
            if (i == 3)
                heads[0].next = &heads[0];
            syscall(SYS_set_robust_list, &heads[i], sizeof(heads[i]));
            syscall(SYS_exit, 0);
        }
        CHECK_EXIT(pid, 0);
    }
    if (!on_qemu_user())
        CHECK_ERRNO(syscall(SYS_set_robust_list, &heads[0], 8), EINVAL);
}

/* ---- Signals ---- */

static volatile sig_atomic_t handled;
static pthread_t handled_by;

static void note_thread(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)si;
    (void)uc;
    handled_by = pthread_self();
    handled++;
}

static void *sleep_until_told(void *arg)
{
    sem_post(&ping);
    while (sem_wait(arg) && errno == EINTR)
        ;
    return NULL;
}

TEST(thread_kill_reaches_that_thread)
{
    pthread_t t;

    set_handler(SIGUSR1, note_thread, 0);
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    t = start(sleep_until_told, &pong);
    sem_wait(&ping);
    CHECK_EQ(pthread_kill(t, SIGUSR1), 0);
    while (!handled)
        sched_yield();
    CHECK(pthread_equal(handled_by, t));
    sem_post(&pong);
    join(t);
}

/* What the process gets goes to a thread that does not block it. */
TEST(thread_process_signal_finds_the_willing)
{
    sigset_t set;
    pthread_t t;

    set_handler(SIGUSR1, note_thread, 0);
    sem_init(&ping, 0, 0);
    sem_init(&pong, 0, 0);
    t = start(sleep_until_told, &pong);
    sem_wait(&ping);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    for (int i = 1; i <= 50; i++) {
        CHECK_OK(kill(getpid(), SIGUSR1));
        while (handled < i)
            sched_yield();
        CHECK(pthread_equal(handled_by, t));
    }
    sem_post(&pong);
    join(t);
}

static void *wait_for_set(void *arg)
{
    int sig;

    CHECK_EQ(sigwait(arg, &sig), 0);
    return (void *)(intptr_t)sig;
}

TEST(thread_sigwait)
{
    sigset_t set;
    pthread_t t;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR2);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    for (int i = 0; i < 50; i++) {
        t = start(wait_for_set, &set);
        CHECK_OK(kill(getpid(), i & 1 ? SIGTERM : SIGUSR2));
        CHECK_EQ((intptr_t)join(t), i & 1 ? SIGTERM : SIGUSR2);
    }
}

/* Two signals at once for two that wait for either: nobody is left asleep. */
TEST(thread_sigwait_by_two)
{
    cpu_set_t one;
    sigset_t both = one_signal(SIGUSR1);

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
    sigaddset(&both, SIGUSR2);
    CHECK_OK(sigprocmask(SIG_BLOCK, &both, NULL));
    for (int i = 0; i < 50; i++) {
        pthread_t a = start(wait_for_set, &both), b = start(wait_for_set, &both);
        intptr_t got;

        for (int k = 0; k < 10; k++)
            sched_yield(); /* both sleep by then, most likely */
        CHECK_OK(kill(getpid(), SIGUSR1));
        CHECK_OK(kill(getpid(), SIGUSR2));
        got = (intptr_t)join(a);
        CHECK_EQ(got + (intptr_t)join(b), SIGUSR1 + SIGUSR2);
    }
}

/* ---- Ends ---- */

static void *spin(void *arg)
{
    (void)arg;
    for (volatile long i = 0;; i++)
        ;
    return NULL;
}

static void *sleep_for_ever(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static void *end_all(void *arg)
{
    (void)arg;
    _exit(7);
}

static void *fault(void *arg)
{
    *(volatile char *)arg = 1;
    return NULL;
}

static const char *exec_self;

static void *exec_other(void *arg)
{
    (void)arg;
    execl(exec_self, "unit", "--mode=thread_execed", (char *)NULL);
    _exit(9);
}

MODE(thread_execed)
{
    return syscall(SYS_gettid) == getpid() ? 7 : 8;
}

/* Spinning and sleeping threads, and one that ends or replaces them all. */
static pid_t group_with(void *(*last)(void *))
{
    pid_t pid = fork_child();

    if (pid)
        return pid;
    for (int i = 0; i < 4; i++)
        start(i & 1 ? spin : sleep_for_ever, NULL);
    if (last)
        start(last, NULL);
    sleep_for_ever(NULL);
    _exit(1);
}

TEST(thread_exit_group_ends_all)
{
    for (int i = 0; i < 20; i++)
        CHECK_EXIT(group_with(end_all), 7);
}

TEST(thread_fault_ends_all)
{
    for (int i = 0; i < 10; i++)
        CHECK_SIGNAL(group_with(fault), SIGSEGV);
}

TEST(thread_kill_ends_all)
{
    for (int i = 0; i < 20; i++) {
        pid_t pid = group_with(NULL);

        CHECK_OK(kill(pid, i & 1 ? SIGKILL : SIGTERM));
        CHECK_SIGNAL(pid, i & 1 ? SIGKILL : SIGTERM);
    }
}

TEST(thread_exec_replaces_all)
{
    need_self_exec();
    exec_self = self_exe();
    for (int i = 0; i < 20; i++)
        CHECK_EXIT(group_with(exec_other), 7);
}

/* The main thread may go first: the process lives on, and so does its number. */
static void *outlive_main(void *arg)
{
    CHECK_EQ(pthread_join(*(pthread_t *)arg, NULL), 0);
    CHECK_EQ(kill(getpid(), 0), 0);
    CHECK_OK(raise(SIGCONT));
    _exit(6);
}

TEST(thread_main_leaves_first)
{
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            static pthread_t self;

            self = pthread_self();
            start(outlive_main, &self);
            pthread_exit(NULL);
        }
        CHECK_EXIT(pid, 6);
    }
}

TEST(thread_stop_stops_all)
{
    pid_t pid = group_with(NULL);
    int status;

    for (int i = 0; i < 10; i++) {
        CHECK_OK(kill(pid, SIGSTOP));
        CHECK_OK(waitpid(pid, &status, WUNTRACED));
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
        CHECK_OK(kill(pid, SIGCONT));
        CHECK_OK(waitpid(pid, &status, WCONTINUED));
        CHECK(WIFCONTINUED(status));
    }
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_OK(waitpid(pid, &status, WUNTRACED));
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_SIGNAL(pid, SIGKILL);
}

static void *fork_and_reap(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(3);
        CHECK(pid > 0);
        CHECK_EQ(reap(pid), 3 << 8);
    }
    return NULL;
}

TEST(thread_fork_from_several)
{
    pthread_t t[4];

    for (int i = 0; i < 4; i++)
        t[i] = start(fork_and_reap, NULL);
    for (int i = 0; i < 4; i++)
        join(t[i]);
}
