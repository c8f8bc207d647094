/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail on purpose (see test.h), by /proc/self/fail-nth, which works as Linux's:
 * writing N lets the N-th allocation of this thread fail once, reading tells what is left.
 *
 * Each N has a child of its own. A child may be killed for want of memory in a page fault, outside
 * of any call: that, too, was the N-th allocation.
 */
#include "tests/test.h"

enum { NTH_MISSED = 0, NTH_HIT = 10, NTH_MAX = 20000 };
static struct {
    int fd;
    int n;
    long left;
} nth = {-1, 0, -1};

void fail_nth_start(void)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "%d", nth.n);

    nth.left = nth.n;
    if (pwrite(nth.fd, text, (size_t)len, 0) != len)
        FAIL("fail-nth: %s", strerror(errno));
}

/* Zero: it was hit. Reading may be what is hit: then the call itself was not. */
void fail_nth_stop(void)
{
    int saved = errno;
    char text[16] = "";

    if (nth.left == nth.n) {
        ssize_t n = pread(nth.fd, text, sizeof(text) - 1, 0);

        nth.left = n > 0 ? strtol(text, NULL, 0) : 1;
        (void)!pwrite(nth.fd, "0", 1, 0);
        nth.left = nth.left ? -1 : 0;
    }
    errno = saved;
}

NORETURN static void nth_child(long (*fn)(void *), void *arg, int n, int also, const char *what)
{
    char deep[16384];
    long ret;
    int err;

    memset(deep, 1, sizeof(deep)); /* the stack that fn needs is there, and not shared */
    __asm__ volatile("" : : "r"(deep) : "memory");
    nth.fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
    if (nth.fd < 0)
        SKIP("no /proc/self/fail-nth");
    nth.n = n;
    errno = 0;
    ret = fn(arg);
    err = errno;
    fail_nth_stop();
    if (ret == -1 && err != ENOMEM && err != also)
        FAIL("%s, allocation %d failing: %s", what, n, strerrorname_np(err) ?: "unknown error");
    if (ret == -1 && nth.left != 0)
        FAIL("%s: %s although no allocation failed", what, strerrorname_np(err) ?: "?");
    _exit(nth.left == 0 ? NTH_HIT : NTH_MISSED);
}

void fail_nth_loop(long (*fn)(void *), void *arg, int also, const char *what)
{
    for (int n = 1; n < NTH_MAX; n++) {
        pid_t pid = fork_child();

        if (pid == 0)
            nth_child(fn, arg, n, also, what);
        int status = reap(pid);

        if (WIFEXITED(status) && WEXITSTATUS(status) == NTH_MISSED) {
            note("%s: %d allocations", what, n - 1);
            return;
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) != NTH_HIT)
            _exit(WEXITSTATUS(status));
        /* Out of memory while the process touches its own: it may be ended, but not by surprise. */
        if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGBUS)
            FAIL("%s, allocation %d failing: killed by SIG%s", what, n,
                 sigabbrev_np(WTERMSIG(status)));
    }
    FAIL("%s: still hitting allocation %d", what, NTH_MAX);
}
