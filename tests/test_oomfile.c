/* SPDX-License-Identifier: MIT */
/*
 * Memory that runs out, files: every allocation of open, pipe, mkdir, rename, read, write … fails
 * once, in turn. Beyond what test_oom.c asks, names and contents must be what the answer says: a
 * file that could not be created is not there, and what was not written is not read.
 */
#include "tests/test.h"

#include <poll.h>
#include <sys/stat.h>

/* ---- Files and pipes ---- */

static long do_open(void *arg)
{
    int fd;

    fail_nth_start();
    fd = open(arg, O_RDONLY);
    fail_nth_stop();
    if (fd >= 0)
        CHECK_OK(close(fd));
    return fd;
}

/* tmpfs says ENOSPC where it cannot have another file, as Linux's does. */
static long do_create(void *arg)
{
    int fd;

    fail_nth_start();
    fd = open(arg, O_RDWR | O_CREAT | O_EXCL, 0644);
    fail_nth_stop();
    if (fd >= 0)
        CHECK_OK(close(fd));
    int saved = errno;

    /* A failed creation leaves no name, a good one does. */
    CHECK_EQ(unlink(arg), fd < 0 ? -1 : 0);
    errno = saved;
    return fd;
}

TEST(oom_open)
{
    CHECK_OK(close(open_new("file")));
    FAIL_NTH_LOOP(do_open, "file", 0);
    FAIL_NTH_LOOP(do_open, ".", 0);
    FAIL_NTH_LOOP(do_open, "/proc/self/stat", 0);
    FAIL_NTH_LOOP(do_open, "/dev/null", 0);
    FAIL_NTH_LOOP(do_create, "new", ENOSPC);
}

static long do_pipe(void *arg)
{
    int fds[2], ret;

    (void)arg;
    fail_nth_start();
    ret = pipe(fds);
    fail_nth_stop();
    if (ret < 0)
        return -1;
    CHECK_OK(close(fds[0]));
    CHECK_OK(close(fds[1]));
    return 0;
}

/* What was written before memory ran out may be told; what is told must come out. */
static long do_pipe_write(void *arg)
{
    static char data[20000], back[20000];
    int fds[2];
    ssize_t n;

    (void)arg;
    fill(data, sizeof(data), 1);
    prefault(back, sizeof(back));
    CHECK_OK(pipe(fds));
    fail_nth_start();
    n = write(fds[1], data, sizeof(data));
    fail_nth_stop();
    int saved = errno;

    for (ssize_t got = 0; got < n;)
        got += CHECK_OK(read(fds[0], back + got, sizeof(back)));
    if (n > 0)
        CHECK(filled(back, (size_t)n, 1));
    CHECK_OK(close(fds[0]));
    CHECK_OK(close(fds[1]));
    errno = saved;
    return n;
}

TEST(oom_pipe)
{
    FAIL_NTH_LOOP(do_pipe, NULL, ENFILE);
    FAIL_NTH_LOOP(do_pipe_write, NULL, 0);
}

static long do_dup(void *arg)
{
    int fd;

    fail_nth_start();
    fd = fcntl(*(int *)arg, F_DUPFD, 200); /* the table must grow */
    fail_nth_stop();
    if (fd >= 0)
        CHECK_OK(close(fd));
    return fd;
}

static long do_poll(void *arg)
{
    struct pollfd p[40];
    int n;

    for (size_t i = 0; i < ARRAY_SIZE(p); i++)
        p[i] = (struct pollfd){*(int *)arg, POLLIN, 0};
    fail_nth_start();
    n = poll(p, ARRAY_SIZE(p), 0);
    fail_nth_stop();
    return n;
}

TEST(oom_descriptors)
{
    int fd = open_new("file");

    FAIL_NTH_LOOP(do_dup, &fd, EMFILE);
    FAIL_NTH_LOOP(do_poll, &fd, 0);
}

static long do_mkdir(void *arg)
{
    int ret;

    fail_nth_start();
    ret = mkdir(arg, 0755);
    fail_nth_stop();
    int saved = errno;

    CHECK_EQ(rmdir(arg), ret);
    errno = saved;
    return ret;
}

static long do_rename(void *arg)
{
    struct stat st;
    int ret;

    (void)arg;
    fail_nth_start();
    ret = rename("a", "dir/b");
    fail_nth_stop();
    int saved = errno;

    /* One of the two names, not both, not none. */
    CHECK_EQ(stat("a", &st), ret < 0 ? 0 : -1);
    CHECK_EQ(stat("dir/b", &st), ret < 0 ? -1 : 0);
    if (ret == 0)
        CHECK_OK(rename("dir/b", "a"));
    errno = saved;
    return ret;
}

static long do_link(void *arg)
{
    int ret;

    (void)arg;
    fail_nth_start();
    ret = link("a", "l");
    fail_nth_stop();
    int saved = errno;

    CHECK_EQ(unlink("l"), ret);
    errno = saved;
    return ret;
}

static long do_symlink(void *arg)
{
    int ret;

    fail_nth_start();
    ret = symlink(arg, "s");
    fail_nth_stop();
    int saved = errno;

    CHECK_EQ(unlink("s"), ret);
    errno = saved;
    return ret;
}

static long do_unlink(void *arg)
{
    int ret;

    (void)arg;
    CHECK_OK(close(open_new("gone")));
    fail_nth_start();
    ret = unlink("gone");
    fail_nth_stop();
    if (ret < 0) {
        int saved = errno;

        CHECK_OK(unlink("gone"));
        errno = saved;
    }
    return ret;
}

static long do_readdir(void *arg)
{
    char buf[2048];
    int fd = (int)CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
    long n;

    (void)arg;
    prefault(buf, sizeof(buf));
    fail_nth_start();
    n = syscall(SYS_getdents64, fd, buf, sizeof(buf));
    fail_nth_stop();
    CHECK_OK(close(fd));
    return n;
}

TEST(oom_names)
{
    static char long_target[1000];

    memset(long_target, 't', sizeof(long_target) - 1);
    CHECK_OK(close(open_new("a")));
    CHECK_OK(mkdir("dir", 0755));
    FAIL_NTH_LOOP(do_mkdir, "new", ENOSPC);
    FAIL_NTH_LOOP(do_rename, NULL, ENOSPC);
    FAIL_NTH_LOOP(do_link, NULL, ENOSPC);
    FAIL_NTH_LOOP(do_symlink, "target", ENOSPC);
    FAIL_NTH_LOOP(do_symlink, long_target, ENOSPC);
    FAIL_NTH_LOOP(do_unlink, NULL, ENOSPC);
    FAIL_NTH_LOOP(do_readdir, NULL, 0);
}

/* A new file: its pages, its blocks, its map. What was written is there, the rest is not. */
static long do_write(void *arg)
{
    static char data[5 * 4096], back[5 * 4096];
    int fd = open_new("w");
    ssize_t n;
    struct stat st;

    (void)arg;
    fill(data, sizeof(data), 9);
    prefault(back, sizeof(back));
    fail_nth_start();
    n = write(fd, data, sizeof(data));
    fail_nth_stop();
    int saved = errno;

    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, n > 0 ? n : 0);
    if (n > 0) {
        CHECK_EQ(pread(fd, back, sizeof(back), 0), n);
        CHECK(filled(back, (size_t)n, 9));
    }
    CHECK_OK(close(fd));
    errno = saved;
    return n;
}

static long do_sparse_write(void *arg)
{
    int fd = open_new("s");
    ssize_t n;

    (void)arg;
    fail_nth_start();
    n = pwrite(fd, "far", 3, 20L << 20);
    fail_nth_stop();
    CHECK_OK(close(fd));
    return n;
}

static long do_read(void *arg)
{
    static char back[5 * 4096];
    int fd = (int)CHECK_OK(open("r", O_RDONLY));
    ssize_t n;

    (void)arg;
    prefault(back, sizeof(back));
    fail_nth_start();
    n = read(fd, back, sizeof(back));
    fail_nth_stop();
    if (n > 0)
        CHECK(filled(back, (size_t)n, 4));
    CHECK_OK(close(fd));
    return n;
}

static long do_truncate(void *arg)
{
    int ret;

    (void)arg;
    fail_nth_start();
    ret = truncate("r", 5 * 4096 - 100);
    if (ret == 0)
        ret = truncate("r", 5 * 4096);
    fail_nth_stop();
    return ret;
}

TEST(oom_file_data)
{
    static char data[5 * 4096];

    fill(data, sizeof(data), 4);
    write_file("r", data, sizeof(data), 0644);
    FAIL_NTH_LOOP(do_write, NULL, 0);
    FAIL_NTH_LOOP(do_sparse_write, NULL, 0);
    FAIL_NTH_LOOP(do_read, NULL, 0);
    FAIL_NTH_LOOP(do_truncate, NULL, 0);
}

static long do_proc_file(void *arg)
{
    static char text[8192];
    int fd = open(arg, O_RDONLY);
    ssize_t n;

    CHECK(fd >= 0);
    prefault(text, sizeof(text));
    fail_nth_start();
    n = read(fd, text, sizeof(text));
    fail_nth_stop();
    CHECK_OK(close(fd));
    return n;
}

TEST(oom_proc_files)
{
    FAIL_NTH_LOOP(do_proc_file, "/proc/self/maps", 0);
    FAIL_NTH_LOOP(do_proc_file, "/proc/self/status", 0);
    FAIL_NTH_LOOP(do_proc_file, "/proc/meminfo", 0);
}

static long do_signal(void *arg)
{
    union sigval v = {.sival_int = 1};
    int ret;

    (void)arg;
    fail_nth_start();
    ret = sigqueue(getpid(), SIGRTMIN + 2, v);
    fail_nth_stop();
    return ret;
}

TEST(oom_signals)
{
    signal(SIGRTMIN + 2, SIG_IGN);
    FAIL_NTH_LOOP(do_signal, NULL, EAGAIN);
    sigset_t s;

    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN + 2);
    signal(SIGRTMIN + 2, SIG_DFL);
    CHECK_OK(sigprocmask(SIG_BLOCK, &s, NULL));
    FAIL_NTH_LOOP(do_signal, NULL, EAGAIN);
}
