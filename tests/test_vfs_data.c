/* SPDX-License-Identifier: MIT */
/* Descriptors and data: open flags, positions, vectors, appending, limits, copying, locks. */
#include "tests/test.h"

#include <dirent.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define BAD ((void *)0x1000L) /* never mapped, and below what any kernel allows */

/* What the compiler must not know about, lest it refuses to make the mistake. */
static void *volatile null_pointer;
static volatile int minus_one = -1;

/* Above whatever the runner has open. */
static int dup_above(int fd)
{
    return fcntl(fd, F_DUPFD, 300);
}

TEST(vfs_fd_lowest)
{
    int fds[300], fd = open_new("f");

    for (int i = 0; i < 300; i++)
        CHECK_EQ(fds[i] = dup_above(fd), 300 + i);
    CHECK_OK(close(fds[7]));
    CHECK_OK(close(fds[70]));
    CHECK_OK(close(fds[200]));
    CHECK_EQ(dup_above(fd), fds[7]);
    CHECK_EQ(fcntl(fd, F_DUPFD, fds[71]), fds[200]);
    CHECK_EQ(dup_above(fd), fds[70]);
    CHECK_EQ(dup_above(fd), fds[299] + 1);
    CHECK_OK(close_range((unsigned)fds[10], (unsigned)fds[290], 0));
    CHECK_ERRNO(fcntl(fds[100], F_GETFD), EBADF);
    CHECK_EQ(dup_above(fd), fds[10]);
    CHECK_OK(fcntl(fds[291], F_GETFD));
}

TEST(vfs_fd_limit)
{
    struct rlimit lim = {20, 20};
    int fd = open_new("f"), last = -1, n;

    CHECK_OK(setrlimit(RLIMIT_NOFILE, &lim));
    while ((n = dup(fd)) >= 0)
        last = n;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 19);
    CHECK_ERRNO(open("new", O_CREAT | O_RDWR, 0600), EMFILE);
    CHECK_ERRNO(access("new", F_OK), ENOENT);
    CHECK_ERRNO(pipe((int[2]){0}), EMFILE);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, 20), EINVAL);
    CHECK_ERRNO(dup2(fd, 20), EBADF);
    CHECK_OK(close(19));
    CHECK_ERRNO(pipe((int[2]){0}), EMFILE);
    CHECK_EQ(dup(fd), 19);
}

TEST(vfs_dup3)
{
    int fd = open_new("f"), other = open_new("g");

    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_ERRNO(dup2(99, 99), EBADF);
    CHECK_ERRNO(dup2(99, other), EBADF);
    CHECK_ERRNO(dup3(fd, other, 1), EINVAL);
    CHECK_ERRNO(dup3(fd, -1, 0), EBADF);
    CHECK_EQ(dup3(fd, other, O_CLOEXEC), other);
    CHECK_EQ(fcntl(other, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_EQ(dup2(fd, 500), 500);
    CHECK_EQ(write(500, "abc", 3), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3); /* the position is shared */
    CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
    CHECK_EQ(fcntl(500, F_GETFL) & O_APPEND, O_APPEND);
}

TEST(vfs_bad_fds)
{
    char c;
    int fd, ro, wo;

    for (int i = 0; i < 3; i++) {
        fd = (int[]){-1, 1000, 0x7fffffff}[i];
        CHECK_ERRNO(read(fd, &c, 1), EBADF);
        CHECK_ERRNO(write(fd, &c, 1), EBADF);
        CHECK_ERRNO(close(fd), EBADF);
        CHECK_ERRNO(dup(fd), EBADF);
        CHECK_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
        CHECK_ERRNO(fsync(fd), EBADF);
        CHECK_ERRNO(ftruncate(fd, 0), EBADF);
        CHECK_ERRNO(flock(fd, LOCK_SH), EBADF);
        CHECK_ERRNO(fcntl(fd, F_GETFL), EBADF);
    }
    write_file("f", "x", 1, 0644);
    ro = CHECK_OK(open("f", O_RDONLY));
    wo = CHECK_OK(open("f", O_WRONLY));
    CHECK_ERRNO(write(ro, "y", 1), EBADF);
    CHECK_ERRNO(read(wo, &c, 1), EBADF);
    CHECK_ERRNO(ftruncate(ro, 0), EINVAL);
    CHECK_ERRNO(read(CHECK_OK(open(".", O_RDONLY)), &c, 1), EISDIR);
    CHECK_ERRNO(fcntl(ro, 4711), EINVAL);
    CHECK_ERRNO(ioctl(ro, TCGETS, &c), ENOTTY);
}

TEST(vfs_positions)
{
    char buf[16] = {0};
    int fd = open_new("f"), dir;

    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
    CHECK_EQ(read(fd, buf, 3), 3);
    CHECK(!memcmp(buf, "234", 3));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
    CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERRNO(lseek(fd, -20, SEEK_CUR), EINVAL);
    CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 9);
    CHECK_EQ(pread(fd, buf, 4, 1), 4);
    CHECK(!memcmp(buf, "1234", 4));
    CHECK_EQ(pread(fd, buf, 4, 10), 0);
    CHECK_EQ(pread(fd, buf, 4, 1 << 20), 0);
    CHECK_ERRNO(pread(fd, buf, 4, -1), EINVAL);
    CHECK_EQ(pwrite(fd, "xy", 2, 12), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 9);
    CHECK_EQ(pread(fd, buf, 16, 0), 14);
    CHECK(!memcmp(buf, "0123456789\0\0xy", 14));
    CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
    CHECK_EQ(read(fd, buf, 1), 0);
    CHECK_EQ(write(fd, "z", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 101);
    CHECK_EQ(lseek(fd, 3, SEEK_DATA), 3);
    CHECK_ERRNO(lseek(fd, 101, SEEK_DATA), ENXIO);
    CHECK_ERRNO(lseek(fd, 101, SEEK_HOLE), ENXIO);
    dir = CHECK_OK(open(".", O_RDONLY));
    CHECK_EQ(lseek(dir, 0, SEEK_SET), 0);
}

TEST(vfs_lengths_and_pointers)
{
    char *edge = page_before_hole(), buf[8];
    int fd = open_new("f");
    struct stat st;

    CHECK_EQ(write(fd, "12345678", 8), 8);
    CHECK_EQ(write(fd, edge, 0), 0);
    CHECK_ERRNO(pread(fd, null_pointer, 4, 0), EFAULT);
    CHECK_ERRNO(pread(fd, (void *)-1L, 4, 0), EFAULT);
    CHECK_ERRNO(write(fd, null_pointer, 4), EFAULT);
    CHECK_ERRNO(write(fd, (void *)0x80200000L, 4), EFAULT);
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 8);
    CHECK(read(fd, buf, (size_t)(long)minus_one) == -1 && (errno == EINVAL || errno == EFAULT));
    memset(edge, 'e', PAGE);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 8);
    /* What lies before the hole is written, or nothing is. */
    ssize_t n = write(fd, edge + PAGE - 10, 20);
    CHECK(n == 10 || (n == -1 && errno == EFAULT));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, n == 10 ? 18 : 8);
    n = pread(fd, edge + PAGE - 4, 8, 0);
    CHECK(n == 4 || (n == -1 && errno == EFAULT));
    if (!on_qemu_user()) { /* a page that must be fetched first counts as well */
        CHECK_OK(madvise(edge, PAGE, MADV_DONTNEED));
        CHECK_EQ(pwrite(fd, edge + PAGE - 10, 20, 0), 10);
    }
    CHECK_ERRNO(fstat(fd, (void *)BAD), EFAULT);
    CHECK_ERRNO(stat((char *)BAD, &st), EFAULT);
    CHECK_ERRNO(open((char *)-1L, O_RDONLY), EFAULT);
    memset(edge, 'n', PAGE);
    CHECK_ERRNO(open(edge + PAGE - 5, O_RDONLY), EFAULT); /* no NUL before the hole */
    edge[PAGE - 1] = 0;
    CHECK_ERRNO(open(edge + PAGE - 5, O_RDONLY), ENOENT);
}

TEST(vfs_vectors)
{
    char a[4], b[8], c[100];
    struct iovec v[3] = {{"abc", 3}, {NULL, 0}, {"defgh", 5}}, r[3] = {{a, 4}, {b, 3}, {c, 100}};
    struct iovec bad[2] = {{"abc", 3}, {(void *)BAD, 5}};
    static struct iovec many[1025];
    int fd = open_new("f");

    CHECK_EQ(writev(fd, v, 3), 8);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(readv(fd, r, 3), 8);
    CHECK(!memcmp(a, "abcd", 4) && !memcmp(b, "efg", 3) && c[0] == 'h');
    CHECK_EQ(readv(fd, r, 3), 0);
    CHECK_EQ(preadv(fd, r, 2, 2), 6);
    CHECK(!memcmp(a, "cdef", 4));
    CHECK_EQ(pwritev(fd, v, 1, 100), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 103);
    CHECK_EQ(writev(fd, v, 0), 0);
    CHECK_ERRNO(writev(fd, v, minus_one), EINVAL);
    CHECK_ERRNO(writev(fd, many, 1025), EINVAL);
    for (int i = 0; i < 1024; i++)
        many[i] = (struct iovec){"x", 1};
    CHECK_EQ(writev(fd, many, 1024), 1024);
    many[5].iov_len = (size_t)-1;
    CHECK_ERRNO(writev(fd, many, 1024), EINVAL);
    CHECK_ERRNO(writev(fd, (void *)BAD, 2), EFAULT);
    CHECK_EQ(writev(fd, bad, 2), 3);
}

static void *appender(void *arg)
{
    char line[32];
    int fd = CHECK_OK(open("log", O_WRONLY | O_APPEND));

    for (int i = 0; i < 200; i++) {
        struct iovec v[2] = {{line, 0}, {"\n", 1}};

        memset(line, 'a' + (int)(intptr_t)arg, sizeof(line));
        v[0].iov_len = 20;
        CHECK_EQ(writev(fd, v, 2), 21);
    }
    close(fd);
    return NULL;
}

TEST(vfs_append_is_atomic)
{
    pid_t pid[4];
    static char buf[4 * 200 * 21 + 1];

    close(open_new("log"));
    for (int i = 0; i < 4; i++) {
        pid[i] = fork_child();
        if (!pid[i]) {
            appender((void *)(intptr_t)i);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++)
        CHECK_EXIT(pid[i], 0);
    CHECK_EQ(read_file("log", buf, sizeof(buf)), 4 * 200 * 21);
    for (int i = 0; i < 800; i++)
        for (int j = 0; j < 21; j++)
            CHECK_EQ(buf[i * 21 + j], j == 20 ? '\n' : buf[i * 21]);
}

TEST(vfs_append_pwrite)
{
    int fd = CHECK_OK(open("f", O_CREAT | O_RDWR | O_APPEND, 0600));
    char buf[8];

    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "d", 1), 1);
    CHECK_EQ(pwrite(fd, "e", 1, 0), 1); /* Linux appends here too */
    CHECK_EQ(pread(fd, buf, 8, 0), 5);
    CHECK(!memcmp(buf, "abcde", 5));
}

static volatile sig_atomic_t got_xfsz;

static void on_xfsz(int sig, siginfo_t *info, void *ctx)
{
    (void)sig, (void)info, (void)ctx;
    got_xfsz++;
}

TEST(vfs_file_size_limit)
{
    struct rlimit lim = {10, 10};
    int fd = open_new("f");

    set_handler(SIGXFSZ, on_xfsz, 0);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &lim));
    CHECK_EQ(write(fd, "0123456789ABC", 13), 10);
    CHECK_EQ(got_xfsz, 0);
    CHECK_ERRNO(write(fd, "x", 1), EFBIG);
    CHECK_EQ(got_xfsz, 1);
    CHECK_ERRNO(ftruncate(fd, 11), EFBIG);
    CHECK_EQ(got_xfsz, 2);
    CHECK_OK(ftruncate(fd, 3));
}

TEST(vfs_truncate)
{
    char buf[32];
    int fd = open_new("f");
    struct stat st;

    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_OK(ftruncate(fd, 4));
    CHECK_OK(ftruncate(fd, 8));
    CHECK_EQ(pread(fd, buf, 32, 0), 8);
    CHECK(!memcmp(buf, "0123\0\0\0\0", 8));
    CHECK_OK(truncate("f", 100000));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 100000);
    CHECK_ERRNO(truncate("f", -1), EINVAL);
    CHECK_ERRNO(truncate(".", 0), EISDIR);
    CHECK_ERRNO(truncate("no", 0), ENOENT);
    close(CHECK_OK(open("f", O_WRONLY | O_TRUNC)));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 0);
}

TEST(vfs_sendfile_and_copy)
{
    static char data[100000], back[100001];
    off_t off = 1000;
    int a = open_new("a"), b = open_new("b"), p[2];

    fill(data, sizeof(data), 1);
    CHECK_EQ(write(a, data, sizeof(data)), sizeof(data));
    CHECK_EQ(sendfile(b, a, &off, 50000), 50000);
    CHECK_EQ(off, 51000);
    CHECK_EQ(lseek(a, 0, SEEK_CUR), sizeof(data));
    CHECK_EQ(read_file("b", back, sizeof(back)), 50000);
    CHECK(!memcmp(back, data + 1000, 50000));
    CHECK_EQ(sendfile(b, a, NULL, 10), 0);
    CHECK_EQ(lseek(a, 0, SEEK_SET), 0);
    CHECK_OK(pipe(p));
    CHECK_EQ(sendfile(p[1], a, NULL, 5000), 5000);
    CHECK_EQ(lseek(a, 0, SEEK_CUR), 5000);
    CHECK_EQ(read(p[0], back, sizeof(back)), 5000);
    CHECK(!memcmp(back, data, 5000));
    off = 0;
    CHECK_EQ(sendfile(open("/dev/null", O_WRONLY), a, &off, 5000), 5000);
    CHECK_ERRNO(sendfile(b, p[0], NULL, 10), EINVAL);
    CHECK_ERRNO(sendfile(a, 99, NULL, 10), EBADF);
    CHECK_OK(ftruncate(b, 0));
    CHECK_OK(lseek(b, 0, SEEK_SET));
    CHECK_OK(lseek(a, 0, SEEK_SET));
    long n = syscall(SYS_copy_file_range, a, NULL, b, NULL, (size_t)70000, 0);
    CHECK_EQ(n, 70000);
    CHECK_EQ(read_file("b", back, sizeof(back)), 70000);
    CHECK(!memcmp(back, data, 70000));
    CHECK_ERRNO(syscall(SYS_copy_file_range, a, NULL, b, NULL, (size_t)1, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_copy_file_range, p[0], NULL, b, NULL, (size_t)1, 0), EINVAL);
}

TEST(vfs_getdents)
{
    char name[300], seen[200] = {0}, tiny[8];
    struct dirent *e;
    long pos = -1;
    int n = 0;
    DIR *d;

    CHECK_OK(mkdir("d", 0755));
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "d/file%d", i);
        close(open_new(name));
    }
    d = opendir("d");
    CHECK(d);
    while ((e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        CHECK_EQ(e->d_type, DT_REG);
        seen[atoi(e->d_name + 4)]++;
        if (++n == 100)
            pos = telldir(d);
    }
    CHECK_EQ(n, 200);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(seen[i], 1);
    seekdir(d, pos);
    for (n = 0; readdir(d); n++)
        ;
    CHECK(n >= 100 && n <= 102); /* "." and ".." may come late */
    rewinddir(d);
    n = 0;
    while ((e = readdir(d)))
        if (e->d_name[0] != '.') {
            snprintf(name, sizeof(name), "d/%s", e->d_name);
            CHECK_OK(unlink(name)); /* removing while reading loses none */
            n++;
        }
    CHECK_EQ(n, 200);
    CHECK_EQ(lseek(dirfd(d), 0, SEEK_SET), 0);
    CHECK_ERRNO(syscall(SYS_getdents64, dirfd(d), tiny, sizeof(tiny)), EINVAL);
    CHECK_ERRNO(syscall(SYS_getdents64, dirfd(d), BAD, 1000), EFAULT);
    CHECK_ERRNO(syscall(SYS_getdents64, open_new("f"), tiny, sizeof(tiny)), ENOTDIR);
    closedir(d);
    CHECK_OK(rmdir("d"));
}

TEST(vfs_unlinked_stays)
{
    char buf[8];
    int fd = open_new("f");

    CHECK_EQ(write(fd, "data", 4), 4);
    CHECK_OK(unlink("f"));
    CHECK_EQ(pread(fd, buf, 8, 0), 4);
    CHECK_EQ(write(fd, "more", 4), 4);
    CHECK_EQ(pread(fd, buf, 8, 0), 8);
    close(open_new("f"));
    CHECK_EQ(pread(fd, buf, 8, 0), 8);
    CHECK_OK(fsync(fd));
    CHECK_OK(fdatasync(fd));
    CHECK_ERRNO(fsync(CHECK_OK(open("/dev/null", O_RDWR))), EINVAL);
}

static int try_flock(const char *path, int op)
{
    pid_t pid = fork_child();
    int status;

    if (!pid) {
        int fd = CHECK_OK(open(path, O_RDWR));

        _exit(flock(fd, op | LOCK_NB) ? errno : 0);
    }
    status = reap(pid);
    return WEXITSTATUS(status);
}

TEST(vfs_flock)
{
    int fd = open_new("f"), dup_fd = dup(fd), wait_fd;
    pid_t pid;

    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_EQ(try_flock("f", LOCK_SH), EAGAIN);
    CHECK_OK(flock(dup_fd, LOCK_SH)); /* the same open file: converts */
    CHECK_EQ(try_flock("f", LOCK_SH), 0);
    CHECK_EQ(try_flock("f", LOCK_EX), EAGAIN);
    CHECK_OK(close(fd));
    CHECK_EQ(try_flock("f", LOCK_EX), EAGAIN);
    pid = fork_child();
    if (!pid) {
        wait_fd = CHECK_OK(open("f", O_RDWR));
        close(dup_fd);
        CHECK_OK(flock(wait_fd, LOCK_EX));
        _exit(0);
    }
    CHECK_OK(flock(dup_fd, LOCK_UN));
    CHECK_EXIT(pid, 0);
    CHECK_EQ(try_flock("f", LOCK_EX), 0);
    CHECK_ERRNO(flock(dup_fd, 77), EINVAL);
}

static struct flock range(short type, off_t start, off_t len)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
}

static int try_range(short type, off_t start, off_t len)
{
    pid_t pid = fork_child();

    if (!pid) {
        struct flock l = range(type, start, len);
        int fd = CHECK_OK(open("f", O_RDWR));

        _exit(fcntl(fd, F_SETLK, &l) ? errno : 0);
    }
    return WEXITSTATUS(reap(pid));
}

TEST(vfs_record_locks)
{
    int fd = open_new("f"), other;
    struct flock l = range(F_WRLCK, 0, 100);
    struct gate looked;
    pid_t pid;

    CHECK_OK(fcntl(fd, F_SETLK, &l));
    CHECK_EQ(try_range(F_RDLCK, 50, 1), EAGAIN);
    CHECK_EQ(try_range(F_RDLCK, 100, 1), 0);
    l = range(F_UNLCK, 40, 20);
    CHECK_OK(fcntl(fd, F_SETLK, &l)); /* splits */
    CHECK_EQ(try_range(F_WRLCK, 40, 20), 0);
    CHECK_EQ(try_range(F_WRLCK, 39, 1), EAGAIN);
    CHECK_EQ(try_range(F_WRLCK, 60, 1), EAGAIN);
    l = range(F_RDLCK, 0, 10);
    CHECK_OK(fcntl(fd, F_SETLK, &l));
    CHECK_EQ(try_range(F_RDLCK, 0, 10), 0);
    CHECK_EQ(try_range(F_RDLCK, 0, 11), EAGAIN);
    l = range(F_WRLCK, 0, 0);
    CHECK_OK(fcntl(fd, F_GETLK, &l)); /* one's own locks are no obstacle */
    CHECK_EQ(l.l_type, F_UNLCK);
    gate_init(&looked);
    pid = fork_child();
    if (!pid) {
        l = range(F_WRLCK, 70, 1);
        CHECK_OK(fcntl(fd, F_GETLK, &l));
        CHECK_EQ(l.l_type, F_WRLCK);
        CHECK_EQ(l.l_start, 60);
        CHECK_EQ(l.l_len, 40);
        CHECK_EQ(l.l_pid, getppid());
        gate_open(&looked);
        l = range(F_WRLCK, 0, 0);
        CHECK_OK(fcntl(fd, F_SETLKW, &l)); /* until the parent closes */
        _exit(0);
    }
    gate_wait(&looked);
    other = CHECK_OK(open("f", O_RDONLY));
    CHECK_OK(close(other)); /* any close of the file gives all up */
    CHECK_EXIT(pid, 0);
    CHECK_EQ(try_range(F_WRLCK, 0, 0), 0);
    l = range(F_WRLCK, 0, 1);
    other = CHECK_OK(open("f", O_RDONLY));
    CHECK_ERRNO(fcntl(other, F_SETLK, &l), EBADF);
    l = range(77, 0, 1);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EINVAL);
    l = range(F_RDLCK, -5, 1);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EINVAL);
    l = range(F_RDLCK, INT64_MIN, -1);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EINVAL);
    CHECK_ERRNO(fcntl(fd, F_SETLK, BAD), EFAULT);
}

static struct gate waits_for_lock;
static int lock_errno;

static void *wait_for_lock(void *fd)
{
    struct flock l = range(F_WRLCK, 0, 0);

    gate_open(&waits_for_lock);
    lock_errno = fcntl(*(int *)fd, F_SETLKW, &l) ? errno : 0;
    return NULL;
}

TEST(vfs_record_lock_close)
{
    int fd = open_new("f"), other = CHECK_OK(open("f", O_RDWR));
    struct flock l = range(F_WRLCK, 0, 0);
    struct gate held, leave;
    pthread_t t;
    pid_t pid;

    gate_init(&held);
    gate_init(&leave);
    gate_init(&waits_for_lock);
    pid = fork_child();
    if (!pid) {
        CHECK_OK(fcntl(other, F_SETLK, &l));
        gate_open(&held);
        gate_wait(&leave);
        _exit(0);
    }
    gate_wait(&held);
    CHECK_EQ(pthread_create(&t, NULL, wait_for_lock, &fd), 0);
    gate_wait(&waits_for_lock);
    for (int i = 0; i < 100; i++)
        sched_yield(); /* most likely it waits by now; the result is the same */
    CHECK_OK(close(fd));
    gate_open(&leave);
    CHECK_EXIT(pid, 0);
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(lock_errno, EBADF);
    CHECK_EQ(try_range(F_WRLCK, 0, 0), 0);
}

TEST(vfs_cloexec)
{
    int fd = CHECK_OK(open("f", O_CREAT | O_RDWR | O_CLOEXEC, 0600));

    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_OK(fcntl(fd, F_SETFD, 0));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_OK(ioctl(fd, FIOCLEX));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fcntl(fd, F_DUPFD_CLOEXEC, 10), F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(dup(fd), F_GETFD), 0);
}

static void *opener(void *arg)
{
    for (int i = 0; i < 300; i++) {
        int fd = CHECK_OK(open("f", O_RDONLY));

        CHECK_EQ(fcntl(fd, F_GETFD), 0);
        CHECK_OK(close(fd));
    }
    return arg;
}

/* The root's disk under its own name: sizes, positions, and pieces that end within a sector. It is
 * written to only while the root is not. */
TEST(vfs_block_device)
{
    uint8_t whole[2048], piece[100];
    uint64_t size;
    int fd;

    if (!on_unimap())
        SKIP("needs a disk of its own");
    fd = open("/dev/vda", O_RDONLY);
    if (fd < 0)
        SKIP("the root is not on a disk");
    CHECK_OK(ioctl(fd, BLKGETSIZE64, &size));
    CHECK_EQ(lseek(fd, 0, SEEK_END), (off_t)size);
    CHECK_EQ(read(fd, piece, 1), 0);
    CHECK_EQ(pread(fd, whole, sizeof(whole), (off_t)size - 1), 1);
    CHECK_EQ(pread(fd, whole, sizeof(whole), 0), (ssize_t)sizeof(whole));
    CHECK(whole[1024 + 56] == 0x53 && whole[1024 + 57] == 0xef); /* ext2's magic number */
    CHECK_EQ(pread(fd, piece, sizeof(piece), 1000), (ssize_t)sizeof(piece));
    CHECK(!memcmp(piece, whole + 1000, sizeof(piece)));
    CHECK_ERRNO(pread(fd, BAD, 100, 0), EFAULT);
    CHECK_ERRNO(lseek(fd, 1, SEEK_END), EINVAL);
    CHECK_ERRNO(write(fd, whole, 1), EBADF);
    close(fd);
    CHECK_ERRNO(open("/dev/vda", O_WRONLY), EBUSY);
    if (mount("", "/", "", MS_REMOUNT | MS_RDONLY, "") < 0)
        SKIP("something writes to the root");
    fd = CHECK_OK(open("/dev/vda", O_WRONLY));
    CHECK_ERRNO(mount("", "/", "", MS_REMOUNT, ""), EBUSY);
    CHECK_ERRNO(pwrite(fd, whole, 1, (off_t)size), ENOSPC);
    CHECK_ERRNO(pwrite(fd, BAD, 100, 0), EFAULT);
    CHECK_EQ(pwrite(fd, whole, 1, 0), 1); /* the boot block's: nobody's */
    CHECK_OK(fsync(fd));
    close(fd);
    CHECK_OK(mount("", "/", "", MS_REMOUNT, ""));
}

TEST(vfs_threads_share_fds)
{
    pthread_t t[3];

    close(open_new("f"));
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&t[i], NULL, opener, NULL), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(t[i], NULL), 0);
}

TEST(vfs_names_storm)
{
    pid_t pid[4];
    char a[32], b[32];

    CHECK_OK(mkdir("x", 0755));
    CHECK_OK(mkdir("y", 0755));
    for (int p = 0; p < 4; p++) {
        pid[p] = fork_child();
        if (pid[p])
            continue;
        for (int i = 0; i < 400; i++) {
            snprintf(a, sizeof(a), "%s/n%d", rnd() & 1 ? "x" : "y", (int)(rnd() % 4));
            snprintf(b, sizeof(b), "%s/n%d", rnd() & 1 ? "x" : "y",
                     (int)((rnd() + (unsigned)p) % 4));
            switch (rnd() % 6) {
            case 0: close(open(a, O_CREAT | O_RDWR, 0600)); break;
            case 1: unlink(a); break;
            case 2: rename(a, b); break;
            case 3: link(a, b); break;
            case 4: mkdir(a, 0700); break;
            default: rmdir(a); break;
            }
        }
        _exit(0);
    }
    for (int p = 0; p < 4; p++)
        CHECK_EXIT(pid[p], 0);
    CHECK_EQ(system("rm -rf x y"), 0);
}
