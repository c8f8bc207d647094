/* SPDX-License-Identifier: MIT */
/*
 * The binary interface: which calls exist, how large what they write is, what a call leaves alone.
 * Numbers and structures come from the toolchain's headers; the kernel must agree with them.
 */
#include "tests/test.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>

/* ---- Which calls exist ---- */

#define CALL(name)        \
    {                     \
        SYS_##name, #name \
    }

static const struct {
    long nr;
    const char *name;
} wanted_calls[] = {
    CALL(getcwd),
    CALL(dup),
    CALL(dup3),
    CALL(fcntl),
    CALL(ioctl),
    CALL(mknodat),
    CALL(mkdirat),
    CALL(unlinkat),
    CALL(symlinkat),
    CALL(linkat),
    CALL(renameat2),
    CALL(statfs),
    CALL(fstatfs),
    CALL(truncate),
    CALL(ftruncate),
    CALL(faccessat),
    CALL(chdir),
    CALL(fchdir),
    CALL(chroot),
    CALL(fchmod),
    CALL(fchmodat),
    CALL(fchownat),
    CALL(fchown),
    CALL(openat),
    CALL(close),
    CALL(pipe2),
    CALL(getdents64),
    CALL(lseek),
    CALL(read),
    CALL(write),
    CALL(readv),
    CALL(writev),
    CALL(pread64),
    CALL(pwrite64),
    CALL(ppoll),
    CALL(readlinkat),
    CALL(newfstatat),
    CALL(fstat),
    CALL(fsync),
    CALL(fdatasync),
    CALL(utimensat),
    CALL(set_tid_address),
    CALL(nanosleep),
    CALL(setitimer),
    CALL(getitimer),
    CALL(syslog),
    CALL(sched_setaffinity),
    CALL(sched_getaffinity),
    CALL(sched_yield),
    CALL(kill),
    CALL(tkill),
    CALL(tgkill),
    CALL(sigaltstack),
    CALL(rt_sigsuspend),
    CALL(rt_sigaction),
    CALL(rt_sigprocmask),
    CALL(rt_sigpending),
    CALL(setpriority),
    CALL(getpriority),
    CALL(times),
    CALL(setpgid),
    CALL(getpgid),
    CALL(getsid),
    CALL(setsid),
    CALL(getgroups),
    CALL(setgroups),
    CALL(uname),
    CALL(getrusage),
    CALL(umask),
    CALL(prctl),
    CALL(gettimeofday),
    CALL(getpid),
    CALL(getppid),
    CALL(getuid),
    CALL(geteuid),
    CALL(getgid),
    CALL(getegid),
    CALL(gettid),
    CALL(sysinfo),
    CALL(setuid),
    CALL(setgid),
    CALL(setreuid),
    CALL(setregid),
    CALL(setresuid),
    CALL(getresuid),
    CALL(setresgid),
    CALL(getresgid),
    CALL(brk),
    CALL(munmap),
    CALL(clone),
    CALL(execve),
    CALL(mmap),
    CALL(mprotect),
    CALL(wait4),
    CALL(prlimit64),
    CALL(getrandom),
    CALL(statx),
    CALL(clock_gettime),
    CALL(clock_getres),
    CALL(clock_nanosleep),
    CALL(mount),
    CALL(umount2),
    CALL(madvise),
    CALL(reboot),
};

/* Arguments that no call can take for a request: what matters is only that it is not ENOSYS. */
TEST(abi_calls_exist)
{
    for (size_t i = 0; i < ARRAY_SIZE(wanted_calls); i++) {
        if (wanted_calls[i].nr == SYS_ioctl && on_qemu_user())
            continue; /* its own table of requests answers ENOSYS for the others */
        pid_t pid = fork_child();

        if (pid == 0) {
            errno = 0;
            if (syscall(wanted_calls[i].nr, -1L, -1L, -1L, -1L, -1L, -1L) == -1 && errno == ENOSYS)
                FAIL("%s (%ld): ENOSYS", wanted_calls[i].name, wanted_calls[i].nr);
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
    }
}

TEST(abi_unknown_call_is_enosys)
{
    static const long numbers[] = {600, 1023, 1024, 4096, 65535, 0x7fffffff, -1, -4096};

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        CHECK_ERRNO(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
    if (!on_riscv() || on_qemu_user()) /* elsewhere a call number is 32 bits wide */
        return;
    CHECK_ERRNO(syscall(0x100000000L | SYS_getpid), ENOSYS);
    CHECK_ERRNO(syscall((long)(0x8000000000000000UL | SYS_getpid)), ENOSYS);
}

/* The upper half of a register that carries an int is noise. */
TEST(abi_int_arguments_are_narrowed)
{
    int fd = (int)CHECK_OK(dup(0));

    CHECK_OK(syscall(SYS_close, fd | 0x5a5a5a5a00000000L));
    CHECK_ERRNO(close(fd), EBADF);
    CHECK_EQ(syscall(SYS_kill, getpid() | 0x100000000L, 0L), 0);
}

TEST(abi_uname)
{
    struct utsname u;
    int major, minor;

    CHECK_OK(uname(&u));
    CHECK(u.sysname[0] && u.nodename[0] && u.version[0]);
    CHECK_EQ(sscanf(u.release, "%d.%d", &major, &minor), 2);
    CHECK(major >= 4); /* glibc ends itself on what it takes for an old Linux */
#if defined(__riscv)
    CHECK(strcmp(u.machine, "riscv64") == 0);
#endif
}

/* ---- How much a call writes: two runs over different fillings agree on what was left alone ---- */

enum { GUARD = 512 };

static unsigned char area[2][2048 + GUARD];

static void check_written(const char *what, size_t size)
{
    for (size_t i = size; i < size + GUARD; i++)
        if (area[0][i] != 0xa5 || area[1][i] != 0x5a)
            FAIL("%s: byte %zu written, the structure has %zu", what, i, size);
    /* The last word is not always written (padding), but something near the front must be. */
    for (size_t i = 0; i < size; i++)
        if (area[0][i] != 0xa5 || area[1][i] != 0x5a)
            return;
    FAIL("%s: nothing written", what);
}

#define CHECK_SIZE(type, call)                       \
    do {                                             \
        memset(area[0], 0xa5, sizeof(area[0]));      \
        memset(area[1], 0x5a, sizeof(area[1]));      \
        for (int round_ = 0; round_ < 2; round_++) { \
            void *out = area[round_];                \
            CHECK_OK(call);                          \
        }                                            \
        check_written(#call, sizeof(type));          \
    } while (0)

struct kernel_sigaction {
    void *handler;
    unsigned long flags;
#if defined(__x86_64__)
    void *restorer;
#endif
    unsigned long mask;
};

TEST(abi_structure_sizes)
{
    int fd = open_new("file");

    if (on_qemu_user())
        SKIP("the emulator converts through the host's structures");
    CHECK_SIZE(struct stat, syscall(SYS_fstat, fd, out));
    CHECK_SIZE(struct stat, syscall(SYS_newfstatat, AT_FDCWD, "file", out, 0));
    CHECK_SIZE(struct statx, syscall(SYS_statx, AT_FDCWD, "file", 0, 0xfff, out));
    CHECK_SIZE(struct statfs, syscall(SYS_statfs, ".", out));
    CHECK_SIZE(struct statfs, syscall(SYS_fstatfs, fd, out));
    CHECK_SIZE(struct utsname, syscall(SYS_uname, out));
    CHECK_SIZE(struct timespec, syscall(SYS_clock_gettime, CLOCK_REALTIME, out));
    CHECK_SIZE(struct timespec, syscall(SYS_clock_getres, CLOCK_MONOTONIC, out));
    CHECK_SIZE(struct timeval, syscall(SYS_gettimeofday, out, NULL));
    CHECK_SIZE(struct tms, syscall(SYS_times, out));
    CHECK_SIZE(struct rusage, syscall(SYS_getrusage, RUSAGE_SELF, out));
    CHECK_SIZE(struct rlimit, syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, out));
    CHECK_SIZE(struct sysinfo, syscall(SYS_sysinfo, out));
    CHECK_SIZE(struct itimerval, syscall(SYS_getitimer, ITIMER_REAL, out));
    CHECK_SIZE(struct kernel_sigaction, syscall(SYS_rt_sigaction, SIGUSR1, NULL, out, 8L));
    CHECK_SIZE(unsigned long, syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, out, 8L));
    CHECK_SIZE(unsigned long, syscall(SYS_rt_sigpending, out, 8L));
    CHECK_SIZE(int[2], syscall(SYS_pipe2, out, 0));
    CHECK_SIZE(stack_t, syscall(SYS_sigaltstack, NULL, out));
    CHECK_SIZE(unsigned long, syscall(SYS_sched_getaffinity, 0, 8L, out));
}

TEST(abi_stat_fields)
{
    struct stat st, dir;
    struct statx sx;
    int fd = open_new("file");

    CHECK_EQ(write(fd, "twelve bytes", 12), 12);
    CHECK_OK(fstat(fd, &st));
    CHECK_OK(stat(".", &dir));
    CHECK_EQ(st.st_size, 12);
    CHECK_EQ(st.st_mode, S_IFREG | 0644);
    CHECK_EQ(st.st_nlink, 1);
    CHECK_EQ(st.st_uid, geteuid());
    CHECK_EQ(st.st_gid, getegid());
    CHECK_EQ(st.st_dev, dir.st_dev);
    CHECK(st.st_ino != 0 && st.st_ino != dir.st_ino);
    CHECK(S_ISDIR(dir.st_mode));
    CHECK(st.st_blksize >= 512 && st.st_blksize <= 65536);
    CHECK(st.st_blocks <= 16);
    CHECK_OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &sx));
    CHECK_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    CHECK_EQ(sx.stx_ino, st.st_ino);
    CHECK_EQ(sx.stx_size, 12);
    CHECK_EQ(sx.stx_mode, st.st_mode);
    CHECK_EQ(sx.stx_mtime.tv_sec, st.st_mtim.tv_sec);
    CHECK_EQ(sx.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
}

TEST(abi_dirent_layout)
{
    struct entry {
        uint64_t ino;
        int64_t off;
        uint16_t reclen;
        uint8_t type;
        char name[];
    };
    char buf[1024] __attribute__((aligned(8)));
    bool seen = false;

    CHECK_EQ(offsetof(struct entry, name), 19);
    CHECK_OK(close(open_new("a-name")));
    int fd = (int)CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
    long n = CHECK_OK(syscall(SYS_getdents64, fd, buf, sizeof(buf)));

    for (long at = 0; at < n;) {
        struct entry *e = (struct entry *)(buf + at);

        CHECK_EQ(e->reclen % 8, 0);
        CHECK(e->reclen >= 24 && at + e->reclen <= n);
        CHECK(e->ino != 0);
        if (strcmp(e->name, "a-name") == 0) {
            CHECK(e->type == 8 || e->type == 0);
            seen = true;
        }
        at += e->reclen;
    }
    CHECK(seen);
}

/* ---- What a call must leave alone ---- */

static void check_registers(long nr, long a0, long a1, long a2)
{
    int r = regs_probe(nr, a0, a1, a2);

    if (r)
        FAIL("call %ld: %s%d not as it was", nr, r < 32 ? "x" : r < 64 ? "f" : "fcsr", r % 32);
}

TEST(abi_registers_survive_calls)
{
    char byte = 0;
    int fds[2];
    struct timespec ts = {0, 1000000};

    CHECK_OK(pipe(fds));
    for (int i = 0; i < 100; i++) {
        check_registers(SYS_getpid, 0, 0, 0);
        check_registers(SYS_sched_yield, 0, 0, 0);
        check_registers(SYS_write, fds[1], (long)&byte, 1);
        check_registers(SYS_read, fds[0], (long)&byte, 1);
        check_registers(SYS_read, fds[0], 1, 0);
        check_registers(5000, 0, 0, 0);
    }
    check_registers(SYS_nanosleep, (long)&ts, 0, 0);
}

static volatile sig_atomic_t handled;

/* A handler that uses what the interrupted code may be using, floating point included. */
static void dirty_handler(int sig, siginfo_t *si, void *uc)
{
    volatile double x = sig;

    (void)si;
    (void)uc;
    for (int i = 0; i < 10; i++)
        x = x * 1.5 + 0.25;
    handled++;
}

TEST(abi_registers_survive_signals)
{
    set_handler(SIGUSR1, dirty_handler, 0);
    for (int i = 0; i < 100; i++)
        check_registers(SYS_kill, getpid(), SIGUSR1, 0);
    CHECK_EQ(handled, 100);
}

/* Children that compute with their own values while others do the same: all must get theirs back. */
TEST(abi_registers_survive_preemption)
{
    pid_t pid[4];
    long turns = on_qemu_user() ? 1000000 : 30000000;

    for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
        pid[i] = fork_child();
        if (pid[i] == 0) {
            for (int k = 0; k < 4; k++)
                check_registers(-1, turns + (long)i, 0, (long)i);
            _exit(0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(pid); i++)
        CHECK_EXIT(pid[i], 0);
}

/* The errno comes back as a small negative number in a0, and memory beside is untouched. */
TEST(abi_large_results_are_not_errors)
{
    char *p = map_pages(1);

    CHECK((unsigned long)p < -4095UL);
    CHECK_ERRNO(syscall(SYS_read, -1, p, 1), EBADF);
    CHECK_OK(syscall(SYS_getpriority, 0, 0));
    CHECK_OK(munmap(p, PAGE));
}
