/* SPDX-License-Identifier: MIT */
/*
 * Files in memory: a private mapping shows the page cache, ends with zeros, faults beyond the end,
 * and keeps its own changes to itself.
 */
#include "tests/test.h"

#include <sys/stat.h>

static char *map_file(int fd, size_t len, int prot, int flags, off_t off)
{
    char *p = mmap(NULL, len, prot, flags, fd, off);

    if (p == MAP_FAILED)
        FAIL("mmap of a file: %s", strerror(errno));
    return p;
}

static int make_file(size_t len, unsigned seed)
{
    int fd = open_new("file");
    static char buf[PAGE];
    static char all[64 * PAGE];

    fill(all, len, seed);
    for (size_t at = 0; at < len; at += sizeof(buf))
        CHECK(write(fd, all + at, len - at < PAGE ? len - at : PAGE) > 0);
    return fd;
}

TEST(mmfile_shows_the_file)
{
    int fd = make_file(10 * PAGE + 100, 1);
    char *p = map_file(fd, 10 * PAGE + 100, PROT_READ, MAP_PRIVATE, 0);
    char *q = map_file(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 3 * PAGE);

    CHECK(filled(p, 10 * PAGE + 100, 1));
    CHECK(memcmp(q, p + 3 * PAGE, 2 * PAGE) == 0);
    CHECK_OK(close(fd)); /* the mapping holds the file */
    CHECK_OK(unlink("file"));
    CHECK_OK(munmap(q, 2 * PAGE));
    CHECK(filled(p, 10 * PAGE + 100, 1));
    CHECK_EQ(try_store(p), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_ACCERR);
}

TEST(mmfile_zero_tail)
{
    int fd = make_file(PAGE + 100, 1);
    char *p = map_file(fd, 2 * PAGE, PROT_READ, MAP_PRIVATE, 0);

    for (size_t i = PAGE + 100; i < 2 * PAGE; i++)
        CHECK_EQ(p[i], 0);
}

TEST(mmfile_sigbus_beyond_end)
{
    int fd = make_file(PAGE + 100, 1), fds[2];
    char *p = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

    CHECK_EQ(try_load(p + PAGE), 0);
    CHECK_EQ(try_load(p + 2 * PAGE), SIGBUS);
    CHECK_EQ(last_fault.code, BUS_ADRERR);
    CHECK_EQ(last_fault.addr, (uintptr_t)p + 2 * PAGE);
    CHECK_EQ(try_store(p + 3 * PAGE + 5), SIGBUS);
    /* Through a system call it is EFAULT. */
    CHECK_OK(pipe(fds));
    CHECK_ERRNO(write(fds[1], p + 2 * PAGE, 10), EFAULT);
    CHECK_ERRNO(pread(fd, p + 2 * PAGE, 10, 0), EFAULT);
    /* When the file grows, the same address shows it. */
    CHECK_EQ(pwrite(fd, "grown", 5, 2 * PAGE), 5);
    CHECK_EQ(try_load(p + 2 * PAGE), 0);
    CHECK(memcmp(p + 2 * PAGE, "grown", 5) == 0);
}

TEST(mmfile_private_writes_stay_private)
{
    int fd = make_file(4 * PAGE, 1);
    char *p = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0), buf[100];

    memset(p + PAGE, 'x', 100);
    CHECK_EQ(pread(fd, buf, 100, PAGE), 100);
    CHECK_EQ(buf[0], (char)(1 + PAGE * 7 + (PAGE >> 8)));
    char *q = map_file(fd, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0);

    CHECK(filled(q, 4 * PAGE, 1));
    CHECK_EQ(p[PAGE], 'x');
    CHECK_OK(fsync(fd));
    CHECK_OK(munmap(p, 4 * PAGE));
    CHECK(filled(q, 4 * PAGE, 1));
}

/* The cache is the file: an untouched private page shows what write() puts there. */
TEST(mmfile_sees_writes)
{
    int fd = make_file(2 * PAGE, 1);
    char *p = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

    CHECK_EQ(p[0], (char)1); /* mapped in before the write */
    CHECK_EQ(pwrite(fd, "hello", 5, 0), 5);
    CHECK(memcmp(p, "hello", 5) == 0);
    p[PAGE] = 'z'; /* a page of our own from now on */
    CHECK_EQ(pwrite(fd, "hello", 5, PAGE), 5);
    CHECK_EQ(p[PAGE], 'z');
}

TEST(mmfile_private_and_fork)
{
    int fd = make_file(4 * PAGE, 1);
    char *p = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    pid_t pid;

    p[0] = 'a';
    pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(p[0], 'a');
        p[0] = 'b';
        p[PAGE] = 'c';
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_EQ(p[0], 'a');
    CHECK_EQ(p[PAGE], (char)(1 + PAGE * 7 + (PAGE >> 8)));
}

TEST(mmfile_truncated_under_the_mapping)
{
    int fd = make_file(4 * PAGE, 1);
    char *p = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

    CHECK_EQ(try_load(p + 3 * PAGE), 0);
    CHECK_OK(ftruncate(fd, PAGE + 10));
    CHECK_EQ(try_load(p + 3 * PAGE), SIGBUS);
    CHECK_EQ(try_load(p + PAGE), 0);
    CHECK_EQ(p[PAGE + 9], (char)(1 + (PAGE + 9) * 7 + ((PAGE + 9) >> 8)));
    CHECK_EQ(p[PAGE + 10], 0);
    CHECK_OK(ftruncate(fd, 4 * PAGE));
    CHECK_EQ(try_load(p + 3 * PAGE), 0);
    CHECK_EQ(p[3 * PAGE], 0);
}

/* Written into itself: source and destination of one call are the same page of the cache. */
TEST(mmfile_write_from_own_mapping)
{
    int fd = make_file(4 * PAGE, 1);
    char *p = map_file(fd, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0), buf[200];

    CHECK_EQ(pwrite(fd, p + 2 * PAGE, PAGE, 0), PAGE);
    CHECK(memcmp(p, p + 2 * PAGE, PAGE) == 0);
    CHECK_EQ(pwrite(fd, p + PAGE + 100, 200, PAGE + 50), 200);
    CHECK_EQ(pread(fd, buf, 200, PAGE + 50), 200);
    /* A page never mapped before the call is faulted in while the call holds it. */
    CHECK_OK(munmap(p, 4 * PAGE));
    p = map_file(fd, 4 * PAGE, PROT_READ, MAP_PRIVATE, 0);
    CHECK_EQ(pwrite(fd, p + 3 * PAGE, PAGE, 3 * PAGE), PAGE);
    CHECK_EQ(p[3 * PAGE], (char)(1 + 3 * PAGE * 7 + (3 * PAGE >> 8)));
}

/* Reading a file into a private mapping of the same page: copy-on-write inside a copy. */
TEST(mmfile_read_into_own_mapping)
{
    int fd = make_file(2 * PAGE, 1);
    char *p = map_file(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);

    CHECK_EQ(pread(fd, p, PAGE, PAGE), PAGE);
    CHECK_EQ(p[0], (char)(1 + PAGE * 7 + (PAGE >> 8)));
    CHECK_EQ(pread(fd, p + PAGE, PAGE, 0), PAGE);
    CHECK(filled(p + PAGE, PAGE, 1));
}

TEST(mmfile_partial_unmap_and_protect)
{
    int fd = make_file(8 * PAGE, 1);
    char *p = map_file(fd, 8 * PAGE, PROT_READ, MAP_PRIVATE, 0);

    CHECK_OK(munmap(p + 2 * PAGE, 2 * PAGE));
    CHECK_OK(mprotect(p + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE));
    CHECK(filled(p, 2 * PAGE, 1));
    CHECK_EQ(try_load(p + 2 * PAGE), SIGSEGV);
    CHECK_EQ(p[4 * PAGE],
             (char)(1 + 4 * PAGE * 7 + (4 * PAGE >> 8))); /* the offset is still right */
    p[5 * PAGE] = 'w';
    CHECK_EQ(p[6 * PAGE], (char)(1 + 6 * PAGE * 7 + (6 * PAGE >> 8)));
    CHECK_EQ(try_store(p + 6 * PAGE), SIGSEGV);
}

/* An odd request: a mapping longer than its file, of a file with holes. */
TEST(mmfile_holes)
{
    int fd = open_new("sparse");
    char *p;

    CHECK_EQ(pwrite(fd, "end", 3, 20 * PAGE), 3);
    p = map_file(fd, 21 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
    for (size_t i = 0; i < 20; i++)
        CHECK_EQ(p[i * PAGE], 0);
    CHECK(memcmp(p + 20 * PAGE, "end", 3) == 0);
    p[5 * PAGE] = 1;
    char c;

    CHECK_EQ(pread(fd, &c, 1, 5 * PAGE), 1);
    CHECK_EQ(c, 0);
}
