/* SPDX-License-Identifier: MIT */
/*
 * What cases share (see test.h): checks, children, gates, faults on purpose, counters, fail-nth.
 *
 * Nothing here uses stdio buffers or the heap: it runs in children between fork and exit, in
 * processes that share memory with another, and while allocations fail on purpose.
 */
#include "tests/test.h"

#include <sched.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>

/* ---- Saying what happened ---- */

pid_t case_pid;

static void say(const char *mark, const char *file, int line, const char *fmt, va_list ap)
{
    char text[512];
    int n = file ? snprintf(text, sizeof(text), "%s%s:%d: ", mark, file, line)
                 : snprintf(text, sizeof(text), "%s", mark);

    n += vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    if (n > (int)sizeof(text) - 2)
        n = sizeof(text) - 2;
    text[n++] = '\n';
    if (write(STDERR_FILENO, text, (size_t)n) < 0)
        return;
}

void fail_at(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say("!! ", file, line, fmt, ap);
    va_end(ap);
    /* Whoever waits for this process would wait in vain: a failure anywhere ends the case. */
    if (case_pid && getpid() != case_pid)
        kill(case_pid, SIGKILL);
    _exit(1);
}

static void skip_say(const char *fmt, ...) PRINTF(1, 2);
static void skip_say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say("?? ", NULL, 0, fmt, ap);
    va_end(ap);
}

void skip_case(const char *reason)
{
    skip_say("%s", reason);
    _exit(77);
}

void note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say("   ", NULL, 0, fmt, ap);
    va_end(ap);
}

void check_eq(long long a, long long b, const char *sa, const char *sb, const char *file, int line)
{
    if (a != b)
        fail_at(file, line, "%s == %s: %lld (%#llx), %lld (%#llx)", sa, sb, a,
                (unsigned long long)a, b, (unsigned long long)b);
}

void check_errno(long ret, int want, const char *what, const char *file, int line)
{
    int got = errno;

    if (ret != -1)
        fail_at(file, line, "%s: returned %#lx, wanted %s", what, (unsigned long)ret,
                strerrorname_np(want));
    if (got != want)
        fail_at(file, line, "%s: %s, wanted %s", what, strerrorname_np(got) ?: "no error",
                strerrorname_np(want));
}

long check_ok(long ret, const char *what, const char *file, int line)
{
    if (ret == -1)
        fail_at(file, line, "%s: %s", what, strerrorname_np(errno) ?: "unknown error");
    return ret;
}

static void status_text(int status, char *buf, size_t len)
{
    if (WIFEXITED(status))
        snprintf(buf, len, "exit status %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        snprintf(buf, len, "killed by SIG%s", sigabbrev_np(WTERMSIG(status)) ?: "?");
    else
        snprintf(buf, len, "wait status %#x", status);
}

void check_exit(pid_t pid, int code, const char *file, int line)
{
    int status = reap(pid);
    char text[64];

    if (WIFEXITED(status) && WEXITSTATUS(status) == code)
        return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) /* the child skipped for all of us */
        _exit(77);
    status_text(status, text, sizeof(text));
    fail_at(file, line, "child: %s, wanted exit status %d", text, code);
}

void check_signal(pid_t pid, int sig, const char *file, int line)
{
    int status = reap(pid);
    char text[64];

    if (WIFSIGNALED(status) && WTERMSIG(status) == sig)
        return;
    status_text(status, text, sizeof(text));
    fail_at(file, line, "child: %s, wanted SIG%s", text, sigabbrev_np(sig) ?: "?");
}

/* ---- Where we are ---- */

static bool starts_with(const char *path, const char *prefix)
{
    char text[64];

    return read_file(path, text, sizeof(text)) > 0 && strncmp(text, prefix, strlen(prefix)) == 0;
}

bool on_unimap(void)
{
    static int answer = -1;

    if (answer < 0)
        answer = starts_with("/proc/version", "Unimap");
    return answer;
}

/* The emulator passes the host's /proc through: it is seen there under its own name. */
bool on_qemu_user(void)
{
    static int answer = -1;

    if (answer < 0)
        answer = starts_with("/proc/self/comm", "qemu-");
    return answer;
}

bool on_riscv(void)
{
    struct utsname u;

    return uname(&u) == 0 && strncmp(u.machine, "riscv", 5) == 0;
}

const char *self_exe(void)
{
    static char path[512];

    if (!path[0] && readlink("/proc/self/exe", path, sizeof(path) - 1) <= 0)
        fail_at(__FILE__, __LINE__, "/proc/self/exe: %s", strerror(errno));
    return path;
}

void need_self_exec(void)
{
    pid_t pid = fork_child();

    if (pid == 0) {
        execl(self_exe(), "unit", "--mode=true", (char *)NULL);
        _exit(errno == ENOEXEC && on_qemu_user() ? 77 : 126);
    }
    int status = reap(pid);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("the emulator is not registered with its host for executing this program");
    CHECK_EQ(status, 0);
}

MODE(true)
{
    return 0;
}

/* ---- Processes and events ---- */

pid_t fork_child(void)
{
    pid_t pid = fork();

    if (pid < 0)
        FAIL("fork: %s", strerror(errno));
    return pid;
}

int reap(pid_t pid)
{
    int status;
    pid_t got;

    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got != pid)
        FAIL("waitpid(%d): %s", (int)pid, got < 0 ? strerror(errno) : "another child");
    return status;
}

pid_t vm_child(int (*fn)(void *), void *arg, void *stack, size_t len)
{
    pid_t pid = clone(fn, (char *)stack + len, CLONE_VM | SIGCHLD, arg);

    if (pid < 0 && on_qemu_user())
        SKIP("the emulator knows CLONE_VM only as part of a thread");
    if (pid < 0)
        FAIL("clone(CLONE_VM): %s", strerror(errno));
    return pid;
}

uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

void gate_init(struct gate *g)
{
    CHECK_OK(pipe(g->fd));
}

void gate_open(struct gate *g)
{
    if (write(g->fd[1], "", 1) != 1)
        FAIL("gate: %s", strerror(errno));
}

void gate_wait(struct gate *g)
{
    char c;
    ssize_t n;

    do {
        n = read(g->fd[0], &c, 1);
    } while (n < 0 && errno == EINTR);
    if (n != 1)
        FAIL("gate: %s", n ? strerror(errno) : "closed");
}

void gate_close(struct gate *g)
{
    close(g->fd[0]);
    close(g->fd[1]);
}

void set_handler(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
    struct sigaction sa = {.sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags};

    CHECK_OK(sigaction(sig, &sa, NULL));
}

sigset_t one_signal(int sig)
{
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, sig);
    return s;
}

void block_signal(int sig)
{
    sigset_t s = one_signal(sig);

    CHECK_OK(sigprocmask(SIG_BLOCK, &s, NULL));
}

void unblock_signal(int sig)
{
    sigset_t s = one_signal(sig);

    CHECK_OK(sigprocmask(SIG_UNBLOCK, &s, NULL));
}

void tick_every(long usec)
{
    struct itimerval it = {{0, usec}, {0, usec}};

    CHECK_OK(setitimer(ITIMER_REAL, &it, NULL));
}

/* ---- Memory ---- */

static char *map_anonymous(size_t n, int flags)
{
    void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        FAIL("mmap of %zu pages: %s", n, strerror(errno));
    return p;
}

char *map_pages(size_t n)
{
    return map_anonymous(n, MAP_PRIVATE);
}

char *map_shared(size_t n)
{
    return map_anonymous(n, MAP_SHARED);
}

char *page_before_hole(void)
{
    char *p = map_pages(2);

    CHECK_OK(munmap(p + PAGE, PAGE));
    return p;
}

void fill(void *p, size_t len, unsigned seed)
{
    unsigned char *c = p;

    for (size_t i = 0; i < len; i++)
        c[i] = (unsigned char)(seed + i * 7 + (i >> 8));
}

bool filled(const void *p, size_t len, unsigned seed)
{
    const unsigned char *c = p;

    for (size_t i = 0; i < len; i++)
        if (c[i] != (unsigned char)(seed + i * 7 + (i >> 8)))
            return false;
    return true;
}

void prefault(void *p, size_t len)
{
    volatile char *c = p;

    for (size_t i = 0; i < len; i += PAGE)
        c[i] = c[i];
    if (len)
        c[len - 1] = c[len - 1];
}

/* ---- Faults on purpose: the handler jumps back, unmasked, so no call is needed to go on ---- */

struct fault last_fault;
static sigjmp_buf fault_jump;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
    (void)uc;
    last_fault = (struct fault){sig, si->si_code, (uintptr_t)si->si_addr};
    siglongjmp(fault_jump, 1);
}

static void fault_handlers(void)
{
    static bool installed;

    if (installed)
        return;
    installed = true;
    set_handler(SIGSEGV, on_fault, SA_NODEFER);
    set_handler(SIGBUS, on_fault, SA_NODEFER);
    set_handler(SIGILL, on_fault, SA_NODEFER);
}

int try_load(const volatile void *p)
{
    fault_handlers();
    last_fault.sig = 0;
    if (sigsetjmp(fault_jump, 0) == 0)
        (void)*(const volatile char *)p;
    return last_fault.sig;
}

int try_store(volatile void *p)
{
    fault_handlers();
    last_fault.sig = 0;
    if (sigsetjmp(fault_jump, 0) == 0)
        *(volatile char *)p = 1;
    return last_fault.sig;
}

int try_call(const volatile void *p)
{
    void (*fn)(void);

    fault_handlers();
    last_fault.sig = 0;
    memcpy(&fn, &p, sizeof(fn));
    if (sigsetjmp(fault_jump, 0) == 0)
        fn();
    return last_fault.sig;
}

#if defined(__riscv)
const unsigned char code_ret[] = {0x82, 0x80}; /* c.jr ra */
#else
const unsigned char code_ret[] = {0xc3};
#endif
const size_t code_ret_len = sizeof(code_ret);

/* ---- Files ---- */

int open_new(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

    if (fd < 0)
        FAIL("%s: %s", path, strerror(errno));
    return fd;
}

void write_file(const char *path, const void *data, size_t len, mode_t mode)
{
    int fd = open_new(path);

    for (size_t done = 0; done < len;)
        done += (size_t)CHECK_OK(write(fd, (const char *)data + done, len - done));
    CHECK_OK(fchmod(fd, mode));
    CHECK_OK(close(fd));
}

ssize_t read_file(const char *path, char *buf, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t got = 0;
    ssize_t n = 0;

    if (fd < 0)
        return -1;
    while (got < len - 1 && (n = read(fd, buf + got, len - 1 - got)) > 0)
        got += (size_t)n;
    close(fd);
    buf[got] = 0;
    return n < 0 ? -1 : (ssize_t)got;
}

/* ---- Counters ---- */

long proc_field(const char *path, const char *name)
{
    static char text[32768];
    size_t len = strlen(name);

    if (read_file(path, text, sizeof(text)) < 0)
        return -1;
    for (const char *line = text; line && *line;) {
        if (strncmp(line, name, len) == 0 && strchr(": \t", line[len]))
            return strtol(line + len + strspn(line + len, ": \t"), NULL, 0);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return -1;
}

long vmstat(const char *name)
{
    return proc_field("/proc/vmstat", name);
}

long meminfo(const char *name)
{
    return proc_field("/proc/meminfo", name);
}

long status_field(pid_t pid, const char *name)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    return proc_field(path, name);
}
