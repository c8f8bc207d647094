/* SPDX-License-Identifier: MIT */
/* Pipes and FIFOs, and waiting for several files at once. */
#include "tests/test.h"

#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>

#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#endif

static void *volatile null_pointer; /* or the compiler refuses to make the mistake */
static volatile sig_atomic_t signals;

static void count_signal(int sig, siginfo_t *info, void *ctx)
{
    (void)sig, (void)info, (void)ctx;
    signals++;
}

TEST(vfs_pipe_basics)
{
    char buf[16];
    int p[2], n;

    CHECK_OK(pipe(p));
    CHECK_EQ(fcntl(p[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_EQ(fcntl(p[1], F_GETFL) & O_ACCMODE, O_WRONLY);
    CHECK_ERRNO(read(p[1], buf, 1), EBADF);
    CHECK_ERRNO(write(p[0], buf, 1), EBADF);
    CHECK_ERRNO(lseek(p[0], 0, SEEK_CUR), ESPIPE);
    CHECK_ERRNO(pread(p[0], buf, 1, 0), ESPIPE);
    CHECK_EQ(write(p[1], "hello", 5), 5);
    CHECK_OK(ioctl(p[0], FIONREAD, &n));
    CHECK_EQ(n, 5);
    CHECK_EQ(read(p[0], buf, 2), 2);
    CHECK_EQ(read(p[0], buf, 16), 3);
    CHECK(!memcmp(buf, "llo", 3));
    CHECK_EQ(write(p[1], buf, 0), 0);
    CHECK_ERRNO(write(p[1], null_pointer, 1), EFAULT);
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_ERRNO(read(p[0], null_pointer, 1), EFAULT);
    CHECK_EQ(read(p[0], buf, 16), 1);
    CHECK_OK(close(p[1]));
    CHECK_EQ(read(p[0], buf, 16), 0);
    if (!on_qemu_user()) /* lets unknown flags pass */
        CHECK_ERRNO(pipe2(p, 0x40000000), EINVAL);
    CHECK_ERRNO(syscall(SYS_pipe2, 8L, 0), EFAULT);
}

TEST(vfs_pipe_broken)
{
    int p[2];
    pid_t pid;

    CHECK_OK(pipe(p));
    CHECK_OK(close(p[0]));
    set_handler(SIGPIPE, count_signal, 0);
    CHECK_ERRNO(write(p[1], "x", 1), EPIPE);
    CHECK_EQ(signals, 1);
    pid = fork_child();
    if (!pid) {
        signal(SIGPIPE, SIG_DFL);
        write(p[1], "x", 1) == 0 ? _exit(1) : _exit(2);
    }
    CHECK_SIGNAL(pid, SIGPIPE);
}

TEST(vfs_pipe_full)
{
    static char buf[200000];
    int p[2], n;

    CHECK_OK(pipe2(p, O_NONBLOCK));
    CHECK_ERRNO(read(p[0], buf, 1), EAGAIN);
    CHECK_EQ(write(p[1], buf, sizeof(buf)), 65536);
    CHECK_ERRNO(write(p[1], buf, 1), EAGAIN);
    CHECK_EQ(read(p[0], buf, PIPE_BUF), PIPE_BUF);
    CHECK_EQ(write(p[1], buf, PIPE_BUF), PIPE_BUF);
    CHECK_EQ(read(p[0], buf, PIPE_BUF), PIPE_BUF);
    CHECK_OK(ioctl(p[0], FIONREAD, &n));
    CHECK_EQ(n, 65536 - PIPE_BUF);
    CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
    CHECK_ERRNO(fcntl(p[0], F_SETPIPE_SZ, 4096), EBUSY);
    CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 100000), 131072);
    CHECK_OK(ioctl(p[0], FIONREAD, &n));
    CHECK_EQ(n, 65536 - PIPE_BUF);
    CHECK_EQ(read(p[0], buf, sizeof(buf)), 65536 - PIPE_BUF);
    CHECK_EQ(fcntl(p[0], F_SETPIPE_SZ, 1), 4096);
    CHECK_EQ(write(p[1], buf, sizeof(buf)), 4096);
    CHECK_ERRNO(fcntl(0, F_GETPIPE_SZ), EBADF);
}

TEST(vfs_pipe_stream)
{
    static unsigned char buf[70001];
    uint64_t sent = 0, got = 0;
    int p[2];
    pid_t pid;
    ssize_t n;

    CHECK_OK(pipe(p));
    pid = fork_child();
    if (!pid) {
        close(p[0]);
        while (sent < 3000000) {
            size_t len = rnd() % sizeof(buf);

            for (size_t i = 0; i < len; i++)
                buf[i] = (unsigned char)((sent + i) * 31 >> 3);
            CHECK_EQ(write(p[1], buf, len), len);
            sent += len;
        }
        _exit(0);
    }
    close(p[1]);
    while ((n = read(p[0], buf, 1 + rnd() % (sizeof(buf) - 1))) > 0)
        for (ssize_t i = 0; i < n; i++, got++)
            CHECK_EQ(buf[i], (unsigned char)(got * 31 >> 3));
    CHECK_EQ(n, 0);
    CHECK(got >= 3000000);
    CHECK_EXIT(pid, 0);
}

TEST(vfs_pipe_atomic_writes)
{
    static char rec[3000], buf[3000];
    struct iovec v[2] = {{rec, 1000}, {rec + 1000, 2000}};
    int p[2];
    pid_t pid[3];

    CHECK_OK(pipe(p));
    for (int i = 0; i < 3; i++) {
        pid[i] = fork_child();
        if (!pid[i]) {
            memset(rec, 'a' + i, sizeof(rec));
            for (int k = 0; k < 100; k++)
                CHECK_EQ(writev(p[1], v, 2), 3000);
            _exit(0);
        }
    }
    for (int k = 0; k < 300; k++) {
        size_t have = 0;

        while (have < sizeof(buf))
            have += (size_t)CHECK_OK(read(p[0], buf + have, sizeof(buf) - have));
        for (size_t i = 1; i < sizeof(buf); i++)
            CHECK_EQ(buf[i], buf[0]);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EXIT(pid[i], 0);
}

TEST(vfs_pipe_interrupted)
{
    char c;
    int p[2], ready[2];
    pid_t pid;

    CHECK_OK(pipe(p));
    CHECK_OK(pipe(ready));
    pid = fork_child();
    if (!pid) {
        set_handler(SIGUSR1, count_signal, 0);
        CHECK_EQ(write(ready[1], "r", 1), 1);
        while (!signals)
            if (read(p[0], &c, 1) < 0)
                CHECK_EQ(errno, EINTR);
        set_handler(SIGUSR1, count_signal, SA_RESTART);
        CHECK_EQ(write(ready[1], "r", 1), 1);
        CHECK_EQ(read(p[0], &c, 1), 1);
        CHECK(signals >= 2);
        _exit(0);
    }
    CHECK_EQ(read(ready[0], &c, 1), 1);
    /* Again and again: one that comes just before the read does not interrupt it. */
    do
        kill(pid, SIGUSR1);
    while (poll(&(struct pollfd){ready[0], POLLIN, 0}, 1, 10) == 0);
    CHECK_EQ(read(ready[0], &c, 1), 1);
    kill(pid, SIGUSR1);
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EXIT(pid, 0);
}

TEST(vfs_fifo)
{
    char buf[8];
    int rd, wr;
    struct pollfd pfd = {.events = POLLIN};
    pid_t pid;

    CHECK_OK(mkfifo("f", 0600));
    CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), ENXIO);
    rd = CHECK_OK(open("f", O_RDONLY | O_NONBLOCK));
    CHECK_EQ(read(rd, buf, 8), 0);
    pfd.fd = rd;
    CHECK_EQ(poll(&pfd, 1, 0), 0); /* no writer yet: no hang-up */
    wr = CHECK_OK(open("f", O_WRONLY | O_NONBLOCK));
    CHECK_ERRNO(read(rd, buf, 8), EAGAIN);
    CHECK_EQ(write(wr, "abc", 3), 3);
    CHECK_EQ(poll(&pfd, 1, 0), 1);
    CHECK_EQ(pfd.revents, POLLIN);
    CHECK_OK(close(wr));
    CHECK_EQ(poll(&pfd, 1, 0), 1);
    CHECK_EQ(pfd.revents, POLLIN | POLLHUP);
    CHECK_EQ(read(rd, buf, 8), 3);
    CHECK_EQ(read(rd, buf, 8), 0);
    CHECK_OK(close(rd));
    pid = fork_child();
    if (!pid) {
        wr = CHECK_OK(open("f", O_WRONLY)); /* waits for the reader */
        CHECK_EQ(write(wr, "x", 1), 1);
        _exit(0);
    }
    rd = CHECK_OK(open("f", O_RDONLY));
    CHECK_EQ(read(rd, buf, 8), 1);
    CHECK_EQ(read(rd, buf, 8), 0);
    CHECK_EXIT(pid, 0);
    CHECK_OK(close(rd));
    rd = CHECK_OK(open("f", O_RDWR));
    CHECK_EQ(write(rd, "y", 1), 1);
    CHECK_EQ(read(rd, buf, 8), 1);
}

TEST(vfs_dev_fd)
{
    char path[64], c;
    int p[2], again;

    CHECK_OK(pipe(p));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", p[1]);
    again = CHECK_OK(open(path, O_WRONLY));
    CHECK_OK(close(p[1]));
    CHECK_EQ(write(again, "z", 1), 1);
    CHECK_EQ(read(p[0], &c, 1), 1);
    CHECK_OK(close(again));
    CHECK_EQ(read(p[0], &c, 1), 0);
}

/* The ring's newest bytes may lie before its oldest ones, in the same page: growing parts them. */
TEST(vfs_pipe_grows_when_wrapped)
{
    static char data[65536 + 100], back[65536];
    int p[2];

    fill(data, sizeof(data), 3);
    CHECK_OK(pipe(p));
    CHECK_EQ(fcntl(p[1], F_GETPIPE_SZ), 65536);
    CHECK_EQ(write(p[1], data, 65536), 65536);
    CHECK_EQ(read(p[0], back, 100), 100);
    CHECK_EQ(fcntl(p[1], F_SETFL, O_NONBLOCK), 0);
    /* Linux does not use a page's free beginning again: there this waits for a whole free page. */
    if (write(p[1], data + 65536, 100) < 0)
        SKIP("no room in the first page");
    CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 65536), 65536);
    CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 131072), 131072);
    CHECK_EQ(write(p[1], data, 1000), 1000);
    CHECK_EQ(read(p[0], back, 65536), 65536);
    CHECK(memcmp(back, data + 100, 65536) == 0);
    CHECK_EQ(read(p[0], back, 65536), 1000);
    CHECK(memcmp(back, data, 1000) == 0);
    CHECK_OK(close(p[0]));
    CHECK_OK(close(p[1]));
}

/* Unlike a FIFO's, an end of a pipe is opened again without a wait for the other end. */
TEST(vfs_dev_fd_without_partner)
{
    char path[64], c;
    int p[2], again;

    CHECK_OK(pipe(p));
    CHECK_EQ(write(p[1], "z", 1), 1);
    CHECK_OK(close(p[1]));
    snprintf(path, sizeof(path), "/dev/fd/%d", p[0]);
    again = CHECK_OK(open(path, O_RDONLY));
    CHECK_EQ(read(again, &c, 1), 1);
    CHECK_EQ(read(again, &c, 1), 0);
    CHECK_OK(close(again));
    CHECK_OK(close(p[0]));
    CHECK_OK(pipe(p));
    CHECK_OK(close(p[0]));
    snprintf(path, sizeof(path), "/dev/fd/%d", p[1]);
    again = CHECK_OK(open(path, O_WRONLY | O_NONBLOCK));
    CHECK_OK(close(again));
    again = CHECK_OK(open(path, O_WRONLY));
    CHECK_OK(close(again));
    CHECK_OK(close(p[1]));
}

TEST(vfs_poll)
{
    int p[2], file = open_new("f");
    struct pollfd f[4];
    uint64_t start;
    pid_t pid;

    CHECK_OK(pipe(p));
    f[0] = (struct pollfd){p[0], POLLIN, 0};
    f[1] = (struct pollfd){p[1], POLLOUT, 0};
    f[2] = (struct pollfd){-1, POLLIN, 7};
    f[3] = (struct pollfd){999, POLLIN, 0};
    CHECK_EQ(poll(f, 4, -1), 2);
    CHECK_EQ(f[0].revents, 0);
    CHECK_EQ(f[1].revents, POLLOUT);
    CHECK_EQ(f[2].revents, 0);
    CHECK_EQ(f[3].revents, POLLNVAL);
    CHECK_EQ(poll(f, 1, 0), 0);
    start = now_ns();
    CHECK_EQ(poll(f, 1, 30), 0);
    CHECK(now_ns() - start >= 30000000);
    CHECK_EQ(poll(NULL, 0, 1), 0);
    f[1] = (struct pollfd){file, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(f, 2, -1), 1);
    CHECK_EQ(f[1].revents, POLLIN | POLLOUT);
    pid = fork_child();
    if (!pid) {
        CHECK_EQ(write(p[1], "x", 1), 1);
        _exit(0);
    }
    CHECK_EQ(poll(f, 1, -1), 1);
    CHECK_EQ(f[0].revents, POLLIN);
    CHECK_EXIT(pid, 0);
    CHECK_OK(close(p[1]));
    CHECK_EQ(poll(f, 1, -1), 1);
    CHECK_EQ(f[0].revents, POLLIN | POLLHUP);
    CHECK_ERRNO(syscall(SYS_ppoll, 8L, 1, NULL, NULL, 8L), EFAULT);
    CHECK_ERRNO(ppoll(f, 1, &(struct timespec){0, 1000000000}, NULL), EINVAL);
}

TEST(vfs_poll_many)
{
    enum { N = 100 };
    struct pollfd f[N];
    int p[N][2];
    pid_t pid;

    for (int i = 0; i < N; i++) {
        CHECK_OK(pipe(p[i]));
        f[i] = (struct pollfd){p[i][0], POLLIN, 0};
    }
    pid = fork_child();
    if (!pid) {
        CHECK_EQ(write(p[77][1], "x", 1), 1);
        _exit(0);
    }
    CHECK_EQ(poll(f, N, -1), 1);
    CHECK_EQ(f[77].revents, POLLIN);
    CHECK_EXIT(pid, 0);
}

TEST(vfs_select)
{
    struct timeval tv = {0, 20000};
    fd_set in, out;
    int p[2];

    CHECK_OK(pipe(p));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    CHECK_EQ(select(p[1] + 1, &in, &out, NULL, NULL), 1);
    CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
    FD_SET(p[0], &in);
    CHECK_EQ(select(p[0] + 1, &in, NULL, NULL, &tv), 0);
    CHECK(!FD_ISSET(p[0], &in));
    CHECK_EQ(write(p[1], "x", 1), 1);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    CHECK_EQ(select(p[1] + 1, &in, &out, NULL, NULL), 2);
    close(p[1]);
    FD_ZERO(&in);
    FD_SET(p[1], &in);
    CHECK_ERRNO(select(p[1] + 1, &in, NULL, NULL, &tv), EBADF);
    CHECK_ERRNO(select(-1, &in, NULL, NULL, &tv), EINVAL);
    CHECK_EQ(select(0, NULL, NULL, NULL, &(struct timeval){0, 1}), 0);
}

TEST(vfs_ppoll_mask)
{
    struct pollfd f = {.fd = -1};
    sigset_t block, none, now;
    pid_t pid;

    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    set_handler(SIGUSR1, count_signal, 0);
    CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
    pid = getpid();
    if (!fork_child()) {
        kill(pid, SIGUSR1);
        _exit(0);
    }
    CHECK_ERRNO(ppoll(&f, 1, NULL, &none), EINTR);
    CHECK_EQ(signals, 1);
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
    CHECK_EQ(ppoll(&f, 1, &(struct timespec){0, 1}, &none), 0);
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
    wait(NULL);
}
