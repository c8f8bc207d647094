/* SPDX-License-Identifier: MIT */
/*
 * The bad-pointer matrix (pitfalls 16, 18): every pointer argument of every call gets every kind of
 * address that is not the caller's, kernel memory and device registers included, which are mapped
 * right there. The answer is EFAULT, or an error the call documents for something it checks first.
 *
 * A row names a call, what its good arguments are, and which of them are pointers. Each pointer in
 * turn is replaced by each bad address. What a call might do with good arguments never happens.
 */
#include "tests/test.h"

#include <grp.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

/* ---- Good arguments ---- */

/*
 * I a number; P a pointer the call reads, W one it writes, both with some good memory; S a path.
 * An O added: may be NULL, so address 0 is good. F: a descriptor; G: a pointer that stays good.
 */
enum kind { NONE, I, F, G, P, W, S, PO, WO, SO };

static char *scratch;     /* zeros: any small structure */
static char *scratch_out; /* to be overwritten */
static const char *good_path = "file";
static int file_fd, zero_fd, dir_fd, pipe_rd, pipe_wr;

struct arg {
    enum kind kind;
    long value;
};

#define N(v)         \
    {                \
        I, (long)(v) \
    }
#define FD(which) \
    {             \
        F, which  \
    }
enum { FILE_FD, ZERO_FD, DIR_FD, PIPE_RD, PIPE_WR };
enum { ZERO_OK = 100000 }; /* it may have nothing to say, and say it */

static const struct call {
    const char *name;
    long nr;
    struct arg arg[6];
    int also; /* another error that may come first, or: */
} calls[] = {
#define C(name, ...)                         \
    {                                        \
#name, SYS_##name, {__VA_ARGS__ }, 0 \
    }
#define C2(name, err, ...)                     \
    {                                          \
#name, SYS_##name, {__VA_ARGS__ }, err \
    }
    /* descriptors and data */
    C(openat, N(AT_FDCWD), {S, 0}, N(O_RDONLY), N(0)),
    C(openat, N(AT_FDCWD), {S, 0}, N(O_CREAT | O_WRONLY), N(0644)),
    C(read, FD(ZERO_FD), {W, 0}, N(100)),
    C(read, FD(FILE_FD), {W, 0}, N(100)),
    C(write, FD(FILE_FD), {P, 0}, N(100)),
    C(write, FD(PIPE_WR), {P, 0}, N(100)),
    C(readv, FD(ZERO_FD), {P, 0}, N(2)),
    C(writev, FD(PIPE_WR), {P, 0}, N(2)),
    C(pread64, FD(FILE_FD), {W, 0}, N(100), N(0)),
    C(pwrite64, FD(FILE_FD), {P, 0}, N(100), N(0)),
    C(preadv, FD(FILE_FD), {P, 0}, N(2), N(0), N(0)),
    C(pwritev, FD(FILE_FD), {P, 0}, N(2), N(0), N(0)),
    C2(sendfile, EINVAL, FD(FILE_FD), FD(FILE_FD), {PO, 0}, N(10)),
    C2(copy_file_range, EINVAL, FD(FILE_FD), {PO, 0}, FD(FILE_FD), N(0), N(0), N(0)),
    C(fcntl, FD(FILE_FD), N(F_GETLK), {W, 0}),
    C(fcntl, FD(FILE_FD), N(F_SETLK), {P, 0}),
    C(ioctl, FD(PIPE_RD), N(0x541b /* FIONREAD */), {W, 0}),
    C(pipe2, {W, 0}, N(0)),
    C(ppoll, {P, 0}, N(2), N(0), N(0), N(8)),
    C(ppoll, N(0), N(0), {PO, 0}, N(0), N(8)),
    C(ppoll, N(0), N(0), {PO, 0}, {PO, 0}, N(8)),
    C(pselect6, N(5), {PO, 0}, N(0), N(0), {PO, 0}, N(0)),
    C(pselect6, N(5), N(0), {PO, 0}, N(0), {PO, 0}, N(0)),
    C(pselect6, N(5), N(0), N(0), {PO, 0}, {PO, 0}, N(0)),
    C(pselect6, N(5), N(0), N(0), N(0), {PO, 0}, {PO, 0}),
    /* names and attributes */
    C(getcwd, {W, 0}, N(100)),
    C(chdir, {S, 0}),
    C(chroot, {S, 0}),
    C(getdents64, FD(DIR_FD), {W, 0}, N(1000)),
    C(mknodat, N(AT_FDCWD), {S, 0}, N(S_IFIFO | 0644), N(0)),
    C(mkdirat, N(AT_FDCWD), {S, 0}, N(0755)),
    C(unlinkat, N(AT_FDCWD), {S, 0}, N(0)),
    C(unlinkat, N(AT_FDCWD), {S, 0}, N(AT_REMOVEDIR)),
    C(symlinkat, {S, 0}, N(AT_FDCWD), {S, 0}),
    C(linkat, N(AT_FDCWD), {S, 0}, N(AT_FDCWD), {S, 0}, N(0)),
    C(renameat2, N(AT_FDCWD), {S, 0}, N(AT_FDCWD), {S, 0}, N(0)),
    C2(readlinkat, EINVAL, N(AT_FDCWD), {S, 0}, {W, 0}, N(100)),
    C(faccessat, N(AT_FDCWD), {S, 0}, N(R_OK)),
    C(faccessat2, N(AT_FDCWD), {S, 0}, N(R_OK), N(0)),
    C(fchmodat, N(AT_FDCWD), {S, 0}, N(0644)),
    C(fchownat, N(AT_FDCWD), {S, 0}, N(-1), N(-1), N(0)),
    C(utimensat, N(AT_FDCWD), {SO, 0}, {PO, 0}, N(0)),
    C(truncate, {S, 0}, N(100)),
    C(newfstatat, N(AT_FDCWD), {S, 0}, {W, 0}, N(0)),
    C(fstat, FD(FILE_FD), {W, 0}),
    C(statx, N(AT_FDCWD), {S, 0}, N(0), N(0xfff), {W, 0}),
    C(statfs, {S, 0}, {W, 0}),
    C(fstatfs, FD(FILE_FD), {W, 0}),
    C2(mount, ENODEV, {SO, 0}, {S, 0}, {SO, 0}, N(0), N(0)),
    C2(umount2, EINVAL, {S, 0}, N(0)),
    C2(getxattr, EOPNOTSUPP, {S, 0}, {S, 0}, N(0), N(0)),
    C2(listxattr, EOPNOTSUPP, {S, 0}, N(0), N(0)),
    /* processes */
    C2(execve, EACCES, {S, 0}, {PO, 0}, {PO, 0}),
    C2(wait4, ECHILD, N(-1), {WO, 0}, N(WNOHANG), {WO, 0}),
    C2(waitid, ECHILD, N(P_ALL), N(0), {WO, 0}, N(WEXITED | WNOHANG), {WO, 0}),
    C(get_robust_list, N(0), {W, 0}, {W, 0}),
    C2(futex, EINVAL, {P, 0}, N(FUTEX_WAIT), N(1), N(0)),
    C2(futex, EAGAIN, {G, 0}, N(FUTEX_WAIT), N(1), {PO, 0}),
    C2(getgroups, 0, N(32), {W, 0}),
    C2(setgroups, EPERM, N(2), {P, 0}),
    C(getresuid, {W, 0}, {W, 0}, {W, 0}),
    C(getresgid, {W, 0}, {W, 0}, {W, 0}),
    C(sched_setaffinity, N(0), N(8), {P, 0}),
    C(sched_getaffinity, N(0), N(8), {W, 0}),
    C(prlimit64, N(0), N(RLIMIT_STACK), N(0), {WO, 0}),
    C(prlimit64, N(0), N(RLIMIT_CORE), {PO, 0}, N(0)),
    C(getrlimit, N(RLIMIT_STACK), {W, 0}),
    C(setrlimit, N(RLIMIT_CORE), {P, 0}),
    C(getrusage, N(RUSAGE_SELF), {W, 0}),
    C(times, {WO, 0}),
    C(prctl, N(PR_SET_NAME), {P, 0}),
    C(prctl, N(PR_GET_NAME), {W, 0}),
    C(getcpu, {WO, 0}, {WO, 0}, N(0)),
    /* memory */
    C2(mincore, ENOMEM, N(0x10000), N(8192), {W, 0}),
    /* signals */
    C(rt_sigaction, N(SIGUSR1), {PO, 0}, N(0), N(8)),
    C(rt_sigaction, N(SIGUSR1), N(0), {WO, 0}, N(8)),
    C(rt_sigprocmask, N(SIG_BLOCK), {PO, 0}, N(0), N(8)),
    C(rt_sigprocmask, N(SIG_BLOCK), N(0), {WO, 0}, N(8)),
    C(rt_sigpending, {W, 0}, N(8)),
    C(rt_sigsuspend, {P, 0}, N(8)),
    C2(rt_sigtimedwait, EAGAIN, {P, 0}, {WO, 0}, {PO, 0}, N(8)),
    C(rt_sigqueueinfo, N(1 << 29), N(SIGUSR1), {P, 0}),
    C2(sigaltstack, ENOMEM, {PO, 0}, N(0)),
    C(sigaltstack, N(0), {WO, 0}),
    /* time */
    C(nanosleep, {P, 0}, N(0)),
    C(clock_nanosleep, N(CLOCK_MONOTONIC), N(0), {P, 0}, N(0)),
    C(clock_gettime, N(CLOCK_MONOTONIC), {W, 0}),
    C2(clock_settime, EPERM, N(CLOCK_REALTIME), {P, 0}),
    C(clock_getres, N(CLOCK_MONOTONIC), {WO, 0}),
    C(gettimeofday, {WO, 0}, N(0)),
    C(getitimer, N(ITIMER_REAL), {W, 0}),
    C(setitimer, N(ITIMER_REAL), {PO, 0}, N(0)),
    C(setitimer, N(ITIMER_REAL), {G, 0}, {WO, 0}),
    /* the machine */
    C(uname, {W, 0}),
    C(sysinfo, {W, 0}),
    C2(sethostname, EPERM, {P, 0}, N(5)),
    C2(syslog, ZERO_OK, N(3), {WO, 0}, N(100)),
    C(getrandom, {W, 0}, N(100), N(0)),
#undef C
#undef C2
};

/* ---- What the kinds mean ---- */

static bool is_pointer(enum kind k)
{
    return k >= P;
}

static bool is_written(enum kind k)
{
    return k == W || k == WO;
}

static bool may_be_null(enum kind k)
{
    return k == PO || k == WO || k == SO;
}

static long good_value(const struct arg *a)
{
    static int *const fds[] = {&file_fd, &zero_fd, &dir_fd, &pipe_rd, &pipe_wr};

    switch (a->kind) {
    case I: return a->value;
    case F: return *fds[a->value];
    case G:
    case P:
    case PO: return (long)scratch;
    case W:
    case WO: return (long)scratch_out;
    case S:
    case SO: return (long)good_path;
    default: return 0;
    }
}

/* ---- Bad addresses ---- */

struct bad {
    uintptr_t at;
    bool reads_well; /* it may be read, not written: only bad for what is written */
    bool one_page;   /* there is one good page (or byte) before the bad one */
};

static struct bad bads[64];
static size_t nbads;

/* On Linux some of these may belong to something. */
static bool not_ours(uintptr_t at)
{
    char c;

    if (on_unimap())
        return true;
    return pwrite(file_fd, (void *)at, 1, 0) < 0 && pread(zero_fd, &c, 0, 0) == 0;
}

static void add_bad(uintptr_t at)
{
    if (not_ours(at))
        bads[nbads++] = (struct bad){at, false, false};
}

static void make_bads(void)
{
    static const uintptr_t fixed[] = {
        0,          1,          8,          PAGE - 1,        USER_TOP,        USER_TOP + 8,
        0x0c200004, /* claims an interrupt if read */
        0x10000000, /* takes a character if read */
        0x10000005, 0x10001000, 0x10008070, 0x80000000,      0x80200000,      0x80400008,
        1UL << 31,  1UL << 32,  1UL << 38,  (1UL << 38) - 8, (1UL << 39) - 1, 1UL << 39,
        1UL << 47,  1UL << 62,  1UL << 63,  -(1UL << 38),    -(1UL << 31),    -4096UL,
        -8UL,       -1UL};
    char *none = map_pages(1), *gone = map_pages(1), *ro = map_pages(1);

    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
        add_bad(fixed[i]);
    CHECK_OK(mprotect(none, PAGE, PROT_NONE));
    CHECK_OK(munmap(gone, PAGE));
    CHECK_OK(mprotect(ro, PAGE, PROT_READ));
    add_bad((uintptr_t)none + 64);
    add_bad((uintptr_t)gone + 64);
    bads[nbads++] = (struct bad){(uintptr_t)ro + 64, true, false};
    bads[nbads++] = (struct bad){(uintptr_t)page_before_hole() + PAGE - 1, false, true};
}

static void setup(void)
{
    static char data[8192];
    int fds[2];

    if (on_qemu_user())
        SKIP("the emulator looks at pointers before the kernel does");
    memset(data, 'd', sizeof(data));
    write_file("file", data, sizeof(data), 0644);
    file_fd = (int)CHECK_OK(open("file", O_RDWR));
    zero_fd = (int)CHECK_OK(open("/dev/zero", O_RDWR));
    dir_fd = (int)CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
    CHECK_OK(pipe(fds));
    pipe_rd = fds[0];
    pipe_wr = fds[1];
    if (geteuid() == 0)
        CHECK_OK(setgroups(2, (gid_t[]){1, 2}));
    scratch = map_pages(2);
    scratch_out = map_pages(2);
    make_bads();
}

/* ---- One cell ---- */

static bool answer_is_right(const struct call *c, const struct bad *b, long ret, int err)
{
    if (ret == -1)
        return err == EFAULT || err == ENOSYS || err == c->also;
    if (c->also == ZERO_OK && ret == 0)
        return true;
    /* The one good byte before the bad ones may have been moved. */
    return b->one_page && ret == 1;
}

static bool try_cell(const struct call *c, int which, const struct bad *b)
{
    long a[6];

    if (b->at == 0 && may_be_null(c->arg[which].kind))
        return true;
    if (b->reads_well && !is_written(c->arg[which].kind))
        return true;
    /* Linux 6.12 on RISC-V tries for ever to write a file from the last byte before a hole. */
    if (b->one_page && c->arg[which].kind == P && on_riscv() && !on_unimap())
        return true;
    for (int i = 0; i < 6; i++)
        a[i] = good_value(&c->arg[i]);
    a[which] = (long)b->at;
    if (b->one_page)
        *(volatile char *)b->at = 'x';
    memset(scratch, 0, PAGE);
    errno = 0;
    long ret = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);

    if (answer_is_right(c, b, ret, errno))
        return true;
    note("%s, argument %d = %#lx: returned %ld, %s", c->name, which + 1, (unsigned long)b->at, ret,
         strerrorname_np(errno) ?: "no error");
    return false;
}

static int try_row(const struct call *c)
{
    int wrong = 0;

    for (int which = 0; which < 6; which++)
        for (size_t k = 0; is_pointer(c->arg[which].kind) && k < nbads; k++)
            wrong += !try_cell(c, which, &bads[k]);
    return wrong;
}

/* Each row in a child: what a call does to its caller must not reach the next one. */
TEST(uaccess_matrix)
{
    int wrong = 0;

    setup();
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        pid_t pid = fork_child();

        if (pid == 0)
            _exit(try_row(&calls[i]) != 0);
        wrong += reap(pid) != 0;
    }
    CHECK_EQ(wrong, 0);
}
