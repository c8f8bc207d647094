/* SPDX-License-Identifier: MIT */
/*
 * Lengths, strings and vectors given to system calls: absurd lengths, length 0, strings that end
 * with their page or do not end at all, vectors that are partly good, copies that stop half way.
 */
#include "tests/test.h"

#include <limits.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>

static void need_kernel(void)
{
    if (on_qemu_user())
        SKIP("the emulator looks at pointers before the kernel does");
}

static const uintptr_t bad_at[] = {
    0,         1,       PAGE - 1, USER_TOP - 1, USER_TOP,        0x10000000, 0x80200000, 1UL << 38,
    1UL << 63, -4096UL, -1UL,     1UL << 47,    (1UL << 39) - 1, 1UL << 32,  1UL << 31};
static const size_t bad_len[] = {1,         4095,      4096,     8192, 1UL << 31, 1UL << 32,
                                 1UL << 62, 1UL << 63, LONG_MAX, -2UL, -1UL,      -4096UL};

/* ---- Every bad address with every length (pitfall 16) ---- */

/* Not a byte may move, so the only answers are these two. */
static void check_refused(const char *what, long ret, uintptr_t at, size_t len)
{
    if (ret != -1 || (errno != EFAULT && errno != EINVAL))
        FAIL("%s(%#lx, %#lx): returned %ld, %s", what, (unsigned long)at, (unsigned long)len, ret,
             strerrorname_np(errno) ?: "no error");
}

TEST(usercopy_addresses_and_lengths)
{
    int zero = (int)CHECK_OK(open("/dev/zero", O_RDWR)), fds[2], file = open_new("file");
    char drain[64];

    need_kernel();
    CHECK_OK(pipe2(fds, O_NONBLOCK));
    CHECK_EQ(write(file, "0123456789", 10), 10);
    for (size_t i = 0; i < ARRAY_SIZE(bad_at); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(bad_len); k++) {
            uintptr_t at = bad_at[i];
            size_t len = bad_len[k];

            if (at == USER_TOP - 1 && on_unimap() && try_load((void *)at) == 0)
                continue; /* the stack's first byte: a good one */
            if (!on_unimap() && at >= USER_TOP - 1 && at < 1UL << 47 && try_load((void *)at) == 0)
                continue; /* Linux has put something there */
            errno = 0;
            check_refused("read", syscall(SYS_read, zero, at, len), at, len);
            check_refused("pread64", syscall(SYS_pread64, file, at, len, 0), at, len);
            check_refused("write", syscall(SYS_write, fds[1], at, len), at, len);
            check_refused("pwrite64", syscall(SYS_pwrite64, file, at, len, 0), at, len);
            if (at) /* getcwd takes NULL for too small a buffer on some systems */
                CHECK(syscall(SYS_getcwd, at, len) == -1);
            if (len < 1UL << 31)
                check_refused("getrandom", syscall(SYS_getrandom, at, len, 0), at, len);
            (void)!read(fds[0], drain, sizeof(drain)); /* Linux 6.12 keeps empty pieces */
            struct iovec iov = {(void *)at, len};

            check_refused("readv", syscall(SYS_readv, zero, &iov, 1), at, len);
            check_refused("writev", syscall(SYS_writev, fds[1], &iov, 1), at, len);
        }
    }
    struct stat st;

    CHECK_OK(fstat(file, &st));
    CHECK_EQ(st.st_size, 10);
}

/* A good address does not make an absurd length good: the copy stops where memory ends. */
TEST(usercopy_good_address_absurd_length)
{
    char *p = page_before_hole();
    int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));

    need_kernel();
    for (size_t k = 3; k < ARRAY_SIZE(bad_len); k++) {
        memset(p, 1, PAGE);
        errno = 0;
        long n = syscall(SYS_read, zero, p, bad_len[k]);

        CHECK(n == (long)PAGE || (n == -1 && (errno == EFAULT || errno == EINVAL)));
        if (n == (long)PAGE)
            CHECK_EQ(p[PAGE - 1], 0);
    }
}

/* pitfall 17: nothing to copy, so the address is nobody's business. */
TEST(usercopy_length_zero)
{
    int zero = (int)CHECK_OK(open("/dev/zero", O_RDWR)), file = open_new("file"), fds[2];
    static const uintptr_t at[] = {0, 1, PAGE - 1, 0x1000};

    need_kernel();
    CHECK_OK(pipe(fds));
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        CHECK_EQ(syscall(SYS_read, zero, at[i], 0), 0);
        CHECK_EQ(syscall(SYS_read, fds[0], at[i], 0), 0); /* does not wait either */
        CHECK_EQ(syscall(SYS_read, file, at[i], 0), 0);
        CHECK_EQ(syscall(SYS_write, fds[1], at[i], 0), 0);
        CHECK_EQ(syscall(SYS_write, file, at[i], 0), 0);
        CHECK_EQ(syscall(SYS_pread64, file, at[i], 0, 100), 0);
        CHECK_EQ(syscall(SYS_pwrite64, file, at[i], 0, 100), 0);
        CHECK_EQ(syscall(SYS_getrandom, at[i], 0, 0), 0);
        struct iovec iov[2] = {{(void *)at[i], 0}, {(void *)at[i], 0}};

        CHECK_EQ(readv(zero, iov, 2), 0);
        CHECK_EQ(writev(file, iov, 2), 0);
        CHECK_EQ(syscall(SYS_readv, zero, at[i], 0), 0);
    }
    CHECK_ERRNO(syscall(SYS_read, 99, 0, 0), EBADF);
    CHECK_EQ(lseek(file, 0, SEEK_END), 0);
    /* Kernel addresses may be refused even so, but no harm may come of them. */
    for (size_t i = 0; i < ARRAY_SIZE(bad_at); i++) {
        long n = syscall(SYS_read, zero, bad_at[i], 0);

        CHECK(n == 0 || (n == -1 && errno == EFAULT));
    }
}

/* ---- Strings (pitfall 19) ---- */

/* A path in memory of our choosing, given to one call after the other. */
static void check_path(const char *path, int err)
{
    struct stat st;
    char buf[16];

    CHECK_ERRNO(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY), err);
    CHECK_ERRNO(syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0), err);
    CHECK_ERRNO(syscall(SYS_chdir, path), err);
    CHECK_ERRNO(syscall(SYS_unlinkat, AT_FDCWD, path, 0), err);
    CHECK_ERRNO(syscall(SYS_faccessat, AT_FDCWD, path, 0), err);
    CHECK_ERRNO(syscall(SYS_readlinkat, AT_FDCWD, path, buf, sizeof(buf)), err);
    CHECK_ERRNO(syscall(SYS_truncate, path, 0), err);
    CHECK_ERRNO(syscall(SYS_execve, path, NULL, NULL), err);
}

TEST(usercopy_string_at_end_of_page)
{
    char *p = page_before_hole();

    need_kernel();
    for (size_t len = 1; len < 40; len++) {
        char *s = p + PAGE - len - 1;

        memset(s, 'q', len);
        s[len] = 0; /* the last byte of the page: good */
        check_path(s, ENOENT);
        s[len] = 'q'; /* no end: the next byte is asked for */
        check_path(s, EFAULT);
    }
    /* And with a name that exists. */
    CHECK_OK(close(open_new("hello")));
    memcpy(p + PAGE - 6, "hello", 6);
    CHECK_OK(close((int)CHECK_OK(open(p + PAGE - 6, O_RDONLY))));
}

TEST(usercopy_string_into_lazy_page)
{
    need_kernel();
    for (size_t len = 1; len < 20; len++) {
        char *p = map_pages(2);

        memset(p + PAGE - len, 'q', len); /* its end lies on a page that is not there yet */
        check_path(p + PAGE - len, ENOENT);
        CHECK_OK(munmap(p, 2 * PAGE));
    }
    /* The same where the lazy page is a file's. */
    char text[PAGE];

    memset(text, 'q', sizeof(text));
    write_file("file", text, PAGE, 0644);
    int fd = (int)CHECK_OK(open("file", O_RDWR));

    CHECK_EQ(pwrite(fd, "qq", 3, PAGE), 3);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

    CHECK(p != MAP_FAILED);
    check_path(p + PAGE - 3, ENOENT);
    CHECK_OK(munmap(p + PAGE, PAGE));
    check_path(p + PAGE - 3, EFAULT);
}

TEST(usercopy_string_too_long)
{
    char *p = map_pages(3);

    need_kernel();
    memset(p, 'q', 3 * PAGE);
    check_path(p, ENAMETOOLONG);
    p[PATH_MAX] = 0;
    check_path(p, ENAMETOOLONG);
    p[PATH_MAX - 1] = 0; /* fits, but its one component does not */
    check_path(p, ENAMETOOLONG);
    for (size_t i = 1; i < PATH_MAX - 1; i += 2)
        p[i] = '/';
    check_path(p, ENOENT);
    /* Exactly as much as may be looked at lies before the hole: it is not touched. */
    char *q = page_before_hole();

    memset(q, 'q', PAGE);
    check_path(q, ENAMETOOLONG);
    check_path("", ENOENT);
}

/* ---- Vectors ---- */

TEST(usercopy_iovec_refused)
{
    int zero = (int)CHECK_OK(open("/dev/zero", O_RDWR)), file = open_new("file");
    static struct iovec many[1025];
    char c[4];
    struct iovec one = {c, 4}, negative = {c, -1UL};

    need_kernel();
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = (struct iovec){c, 1};
    CHECK_EQ(readv(zero, many, 1024), 1024);
    CHECK_ERRNO(readv(zero, many, 1025), EINVAL);
    CHECK_ERRNO(syscall(SYS_readv, zero, many, -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_writev, file, many, 1UL << 31), EINVAL);
    CHECK_ERRNO(readv(zero, &negative, 1), EINVAL);
    CHECK_ERRNO(writev(file, &negative, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_preadv, file, &one, 1, -1L, 0L), EINVAL);
    CHECK_ERRNO(syscall(SYS_readv, 99, &one, 1), EBADF);
    CHECK_EQ(lseek(file, 0, SEEK_END), 0);
}

TEST(usercopy_iovec_at_end_of_page)
{
    char *p = page_before_hole(), buf[64];
    int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
    struct iovec *iov = (struct iovec *)(p + PAGE - 2 * sizeof(*iov));

    need_kernel();
    iov[0] = iov[1] = (struct iovec){buf, 10};
    CHECK_EQ(syscall(SYS_readv, zero, iov, 2), 20);
    CHECK_ERRNO(syscall(SYS_readv, zero, iov, 3), EFAULT);
    CHECK_ERRNO(syscall(SYS_readv, zero, iov + 2, 1), EFAULT);
}

/* A good piece before a bad one: all of the good one, or nothing. */
TEST(usercopy_iovec_partly_bad)
{
    int file = open_new("file"), fds[2];
    char good[100], back[200];

    need_kernel();
    memset(good, 'g', sizeof(good));
    CHECK_OK(pipe(fds));
    for (size_t i = 0; i < ARRAY_SIZE(bad_at); i++) {
        struct iovec iov[3] = {{good, 50}, {(void *)bad_at[i], 50}, {good, 50}};

        if (!on_unimap() && bad_at[i] < 1UL << 47 && try_load((void *)bad_at[i]) == 0)
            continue;
        CHECK_OK(ftruncate(file, 0));
        ssize_t n = pwritev(file, iov, 3, 0);

        CHECK(n == 50 || (n == -1 && errno == EFAULT));
        CHECK_EQ(pread(file, back, sizeof(back), 0), n == 50 ? 50 : 0);
        n = writev(fds[1], iov, 3);
        CHECK(n == 50 || (n == -1 && errno == EFAULT));
        if (n == 50) {
            CHECK_EQ(read(fds[0], back, sizeof(back)), 50);
            CHECK(memcmp(back, good, 50) == 0);
        }
    }
}

/* ---- Copies that stop half way ---- */

/* What is said to have moved has moved, and the file's position agrees. */
TEST(usercopy_read_stops_at_hole)
{
    char *p = page_before_hole(), data[300];
    int file = open_new("file");

    need_kernel();
    fill(data, sizeof(data), 3);
    CHECK_EQ(write(file, data, sizeof(data)), 300);
    for (size_t room = 1; room < 200; room += 13) {
        memset(p, 0, PAGE);
        CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
        ssize_t n = read(file, p + PAGE - room, 300);

        CHECK((n > 0 && n <= (ssize_t)room) || (n == -1 && errno == EFAULT));
        CHECK_EQ(lseek(file, 0, SEEK_CUR), n == -1 ? 0 : n);
        if (n > 0)
            CHECK(memcmp(p + PAGE - room, data, (size_t)n) == 0);
    }
}

TEST(usercopy_pipe_read_stops_at_hole)
{
    char *p = page_before_hole(), c[200];
    int fds[2];

    need_kernel();
    CHECK_OK(pipe(fds));
    for (size_t room = 1; room < 90; room += 11) {
        CHECK_EQ(write(fds[1], "0123456789012345678901234567890123456789", 40), 40);
        ssize_t n = read(fds[0], p + PAGE - room, 100), rest;

        CHECK(n == (ssize_t)(room < 40 ? room : 40) || (n == -1 && errno == EFAULT));
        if (n == 40)
            continue;
        CHECK_EQ(write(fds[1], "!", 1), 1); /* what was not given is still there */
        rest = read(fds[0], c, sizeof(c));
        CHECK_EQ(rest, 41 - (n > 0 ? n : 0));
    }
}

/* A write that faults leaves a file that is as long as what was written (7c7ed20 of xv6). */
TEST(usercopy_write_stops_at_hole)
{
    char *p = page_before_hole();
    struct stat st;

    need_kernel();
    if (!on_unimap() && on_riscv())
        SKIP("Linux 6.12 on RISC-V tries for ever to write from the last bytes before a hole");
    for (size_t room = 1; room < 300; room += 37) {
        int file = open_new("file");
        ssize_t n = write(file, p + PAGE - room, 1000);

        CHECK(n == (ssize_t)room || (n == -1 && errno == EFAULT));
        CHECK_OK(fstat(file, &st));
        CHECK_EQ(st.st_size, n > 0 ? n : 0);
        CHECK_OK(close(file));
    }
}

/* Results that end exactly where memory ends are good. */
TEST(usercopy_results_at_end_of_page)
{
    char *p = page_before_hole();
    int zero = (int)CHECK_OK(open("/dev/zero", O_RDONLY));
    struct stat *st = (struct stat *)(p + PAGE - sizeof(*st));
    int *fds = (int *)(p + PAGE - 8);

    need_kernel();
    CHECK_OK(stat(".", st));
    CHECK(S_ISDIR(st->st_mode));
    CHECK_ERRNO(stat(".", (struct stat *)((char *)st + 1)), EFAULT);
    CHECK_OK(pipe(fds));
    CHECK_OK(fcntl(fds[1], F_GETFD));
    CHECK_ERRNO(pipe((int *)((char *)fds + 1)), EFAULT);
    CHECK_ERRNO(pipe(fds + 1), EFAULT);
    CHECK_EQ(fcntl(fds[1] + 1, F_GETFD), -1); /* and no descriptor of it stayed */
    memset(p, 1, PAGE);
    CHECK_EQ(read(zero, p + PAGE - 100, 100), 100);
    CHECK_EQ(p[PAGE - 1], 0);
    CHECK_EQ(p[PAGE - 101], 1);
}

/* A wait that cannot tell its status has nevertheless waited. */
TEST(usercopy_wait_status)
{
    pid_t pid = fork_child();

    need_kernel();
    if (pid == 0)
        _exit(1);
    CHECK_ERRNO(syscall(SYS_wait4, pid, 0x80200000L, 0, NULL), EFAULT);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
    pid = fork_child();
    if (pid == 0)
        _exit(1);
    CHECK_ERRNO(syscall(SYS_wait4, pid, NULL, 0, -8L), EFAULT);
}

/* execve's vectors: the array, and what it points to. */
TEST(usercopy_exec_vectors)
{
    char *good[] = {"unit", "--mode=true", NULL};
    char **edge = (char **)(page_before_hole() + PAGE - 16);

    need_kernel();
    for (size_t i = 0; i < ARRAY_SIZE(bad_at); i++) {
        char *inside[] = {"unit", (char *)bad_at[i], NULL};

        if (bad_at[i] == 0 || (bad_at[i] >= USER_TOP - 1 && bad_at[i] < 1UL << 47 &&
                               try_load((void *)bad_at[i]) == 0))
            continue;
        CHECK_ERRNO(syscall(SYS_execve, self_exe(), bad_at[i], NULL), EFAULT);
        CHECK_ERRNO(syscall(SYS_execve, self_exe(), good, bad_at[i]), EFAULT);
        CHECK_ERRNO(syscall(SYS_execve, self_exe(), inside, NULL), EFAULT);
        CHECK_ERRNO(syscall(SYS_execve, self_exe(), good, inside), EFAULT);
    }
    edge[0] = edge[1] = "x"; /* no NULL before the hole */
    CHECK_ERRNO(execve(self_exe(), edge, good), EFAULT);
    CHECK_ERRNO(execve(self_exe(), good, edge), EFAULT);
    CHECK_ERRNO(execve(self_exe(), (char **)((char *)edge + 1), good), EFAULT);
}

/* ---- Counted ---- */

TEST(usercopy_is_counted)
{
    long in, out, str;
    char c = 0;
    int zero;

    if (!on_unimap())
        SKIP("these counters are Unimap's own");
    in = vmstat("copyin_calls");
    out = vmstat("copyout_calls");
    str = vmstat("copyinstr_calls");
    CHECK(in >= 0 && out >= 0 && str >= 0);
    zero = (int)CHECK_OK(open("/dev/zero", O_RDWR));
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(getrandom(&c, 1, 0), 1);
        CHECK_EQ(syscall(SYS_nanosleep, (long[]){0, 0}, NULL), 0);
        CHECK_ERRNO(chdir("no such place"), ENOENT);
    }
    CHECK_OK(close(zero));
    CHECK(vmstat("copyin_calls") >= in + 100);
    CHECK(vmstat("copyout_calls") >= out + 100);
    CHECK(vmstat("copyinstr_calls") >= str + 100);
}
