/* SPDX-License-Identifier: MIT */
/*
 * Who a process is and what it may have: user and group numbers, process groups and sessions, orphaned
 * groups, priorities, harts, limits. Run as root, which gives its rights up in children.
 */
#include "tests/test.h"

#include <grp.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void need_root(void)
{
    if (geteuid() != 0)
        SKIP("only root may change its numbers");
}

/* In a child, so that the case itself stays root: fn's checks end it with status 1. */
static void in_child(void (*fn)(void))
{
    pid_t pid = fork_child();

    if (pid == 0) {
        fn();
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

static void are(uid_t real, uid_t effective, uid_t saved)
{
    uid_t r, e, s;

    CHECK_OK(getresuid(&r, &e, &s));
    CHECK_EQ(r, real);
    CHECK_EQ(e, effective);
    CHECK_EQ(s, saved);
    CHECK_EQ(getuid(), real);
    CHECK_EQ(geteuid(), effective);
}

static void setuid_drops_all(void)
{
    CHECK_OK(setuid(1000));
    are(1000, 1000, 1000);
    CHECK_ERRNO(setuid(0), EPERM);
    CHECK_ERRNO(setreuid(0, -1), EPERM);
    CHECK_ERRNO(setresuid(-1, -1, 0), EPERM);
    CHECK_ERRNO(setgid(5), EPERM);
    CHECK_ERRNO(setgroups(0, NULL), EPERM);
    CHECK_ERRNO(sethostname("x", 1), EPERM);
    CHECK_OK(setuid(1000));
}

static void effective_goes_and_comes_back(void)
{
    CHECK_OK(seteuid(1000));
    are(0, 1000, 0);
    CHECK_ERRNO(setresuid(5, 5, 5), EPERM);
    CHECK_OK(setuid(0));
    are(0, 0, 0);
}

static void reuid_rules(void)
{
    CHECK_OK(setresuid(1, 2, 3));
    are(1, 2, 3);
    CHECK_ERRNO(setreuid(3, -1), EPERM); /* not the saved one */
    CHECK_OK(setreuid(2, 1));
    are(2, 1, 1);
    CHECK_OK(setreuid(-1, 2));
    are(2, 2, 1);
    CHECK_OK(setreuid(-1, 1));
    are(2, 1, 1);
    CHECK_ERRNO(setreuid(-1, 3), EPERM);
}

static void fsuid_tells_the_old(void)
{
    CHECK_EQ(setfsuid(7), 0);
    CHECK_EQ(setfsuid(-1), 7);
    CHECK_OK(seteuid(9));
    CHECK_EQ(setfsuid(-1), 9);
    CHECK_EQ(setfsuid(55), 9); /* refused, in silence */
    CHECK_EQ(setfsuid(-1), 9);
}

static void group_rules(void)
{
    gid_t r, e, s;

    CHECK_OK(setresgid(1, 2, 3));
    CHECK_OK(setuid(1000));
    CHECK_ERRNO(setgid(4), EPERM);
    CHECK_OK(setgid(3));
    CHECK_OK(getresgid(&r, &e, &s));
    CHECK(r == 1 && e == 3 && s == 3);
}

TEST(ids_user_and_group)
{
    need_root();
    in_child(setuid_drops_all);
    in_child(effective_goes_and_comes_back);
    in_child(reuid_rules);
    in_child(fsuid_tells_the_old);
    in_child(group_rules);
}

TEST(ids_supplementary_groups)
{
    gid_t in[3] = {5, 6, 7}, out[40];

    need_root();
    CHECK_OK(setgroups(3, in));
    CHECK_EQ(getgroups(0, NULL), 3);
    CHECK_ERRNO(getgroups(2, out), EINVAL);
    CHECK_ERRNO(syscall(SYS_getgroups, -1, out), EINVAL);
    CHECK_EQ(getgroups(40, out), 3);
    CHECK(memcmp(in, out, sizeof(in)) == 0);
    CHECK_ERRNO(syscall(SYS_setgroups, 1 << 20, in), EINVAL);
    CHECK_OK(setgroups(0, NULL));
    CHECK_EQ(getgroups(0, NULL), 0);
}

/* ---- Process groups and sessions ---- */

TEST(ids_setpgid_rules)
{
    struct gate g;
    pid_t pid;

    gate_init(&g);
    CHECK_OK(setpgid(0, 0));
    CHECK_EQ(getpgrp(), getpid());
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&g);
        _exit(0);
    }
    CHECK_EQ(getpgid(pid), getpgrp());
    CHECK_EQ(getsid(pid), getsid(0));
    CHECK_OK(setpgid(pid, pid));
    CHECK_EQ(getpgid(pid), pid);
    CHECK_OK(setpgid(pid, getpgrp()));
    CHECK_ERRNO(setpgid(pid, 0x3fffffff), EPERM); /* no such group in the session */
    CHECK_ERRNO(setpgid(pid, -1), EINVAL);
    CHECK_ERRNO(setpgid(0x3fffffff, 0), ESRCH);
    CHECK_ERRNO(setpgid(getppid(), 0), ESRCH); /* not a child */
    CHECK_ERRNO(getpgid(0x3fffffff), ESRCH);
    CHECK_ERRNO(getsid(0x3fffffff), ESRCH);
    gate_open(&g);
    CHECK_EXIT(pid, 0);
}

TEST(ids_setsid)
{
    pid_t pid;

    CHECK_OK(setpgid(0, 0));
    CHECK_ERRNO(setsid(), EPERM); /* a group leader */
    pid = fork_child();
    if (pid == 0) {
        if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
            _exit(1);
        if (setsid() != -1 || errno != EPERM)
            _exit(2);
        if (setpgid(0, 0) != -1 || errno != EPERM)
            _exit(3); /* a session leader */
        if (setpgid(0, getppid()) != -1 || errno != EPERM)
            _exit(4); /* of another session */
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

static void on_signal(int sig, siginfo_t *si, void *uc)
{
    (void)si;
    (void)uc;
    if (sig == SIGHUP)
        _exit(40);
}

/* The last process that held a group's reins ends: what is stopped there is hung up and continued. */
TEST(ids_orphaned_group_is_hung_up)
{
    int news[2];
    pid_t leader, member;
    int status;

    CHECK_OK(prctl(PR_SET_NAME, "orphans"));
    CHECK_OK(pipe(news));
    leader = fork_child();
    if (leader == 0) {
        if (setsid() < 0)
            _exit(1);
        member = fork_child();
        if (member == 0) {
            set_handler(SIGHUP, on_signal, 0);
            setpgid(0, 0);
            raise(SIGSTOP);
            for (;;)
                pause();
        }
        if (waitpid(member, &status, WUNTRACED) != member || !WIFSTOPPED(status))
            _exit(2);
        _exit(3); /* the member's end of the pipe is what the case waits for */
    }
    CHECK_EXIT(leader, 3);
    close(news[1]);
    CHECK_EQ(read(news[0], &status, 1), 0); /* the member is gone, too */
}

/* Terminal stops mean nothing to an orphaned group; SIGSTOP does. */
TEST(ids_orphaned_group_is_not_stopped_by_the_terminal)
{
    pid_t pid = fork_child();
    int status;

    if (pid == 0) {
        if (setsid() < 0)
            _exit(1);
        raise(SIGTSTP);
        raise(SIGTTIN);
        raise(SIGTTOU);
        raise(SIGSTOP);
        _exit(5);
    }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGSTOP);
    CHECK_OK(kill(pid, SIGCONT));
    CHECK_EXIT(pid, 5);
}

/* ---- Limits, priorities, harts ---- */

static void limits_without_rights(void)
{
    struct rlimit l = {10, 20}, more = {10, 21}, odd = {30, 20};

    CHECK_OK(setrlimit(RLIMIT_CORE, &l));
    CHECK_OK(setuid(1000));
    CHECK_ERRNO(setrlimit(RLIMIT_CORE, &more), EPERM);
    CHECK_ERRNO(setrlimit(RLIMIT_CORE, &odd), EINVAL);
    l.rlim_cur = 20;
    CHECK_OK(setrlimit(RLIMIT_CORE, &l));
    CHECK_ERRNO(prlimit(getppid(), RLIMIT_CORE, NULL, &l), EPERM);
}

TEST(ids_limits)
{
    struct rlimit old, l;

    CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
    l = (struct rlimit){old.rlim_cur - 1, old.rlim_max};
    CHECK_OK(prlimit(0, RLIMIT_NOFILE, &l, &old));
    CHECK_OK(prlimit(getpid(), RLIMIT_NOFILE, NULL, &l));
    CHECK_EQ(l.rlim_cur, old.rlim_cur - 1);
    CHECK_ERRNO(syscall(SYS_prlimit64, 0, 16, NULL, &l), EINVAL);
    if (!on_qemu_user())
        CHECK_ERRNO(syscall(SYS_prlimit64, 0x3fffffff, 0, NULL, &l), ESRCH);
    need_root();
    in_child(limits_without_rights);
}

static void priority_without_rights(void)
{
    CHECK_OK(setuid(1000));
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 15));
    CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 5), EACCES);
    CHECK_ERRNO(setpriority(PRIO_PROCESS, getppid(), 5), EPERM);
}

TEST(ids_priorities)
{
    int nice_at_start = getpriority(PRIO_PROCESS, 0);

    CHECK_ERRNO(getpriority(9, 0), EINVAL);
    CHECK_ERRNO(getpriority(PRIO_PROCESS, 0x3fffffff), ESRCH);
    need_root();
    in_child(priority_without_rights);
    CHECK_OK(setpriority(PRIO_PROCESS, 0, 100));
    CHECK_EQ(getpriority(PRIO_PROCESS, getpid()), 19);
    CHECK_OK(setpriority(PRIO_PROCESS, 0, nice_at_start));
}

TEST(ids_affinity)
{
    cpu_set_t all, one;
    unsigned cpu;

    CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
    CHECK(CPU_COUNT(&all) >= 1);
    for (unsigned i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
        if (!on_qemu_user()) {
            CHECK_OK(syscall(SYS_getcpu, &cpu, NULL, NULL));
            CHECK_EQ(cpu, i);
        }
    }
    CPU_ZERO(&one);
    CHECK_ERRNO(sched_setaffinity(0, sizeof(one), &one), EINVAL);
    CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &one), EINVAL);
    CHECK_ERRNO(sched_getaffinity(0x3fffffff, sizeof(one), &one), ESRCH);
}

/* ---- The machine's names and state ---- */

TEST(ids_uname_and_sysinfo)
{
    struct utsname u;
    struct sysinfo s;

    CHECK_OK(uname(&u));
    if (on_riscv())
        CHECK(strcmp(u.machine, "riscv64") == 0);
    CHECK(u.sysname[0] && u.release[0] && u.version[0]);
    CHECK_OK(sysinfo(&s));
    CHECK(s.totalram > s.freeram && s.freeram > 0 && s.mem_unit > 0 && s.procs > 0);
    CHECK_ERRNO(syscall(SYS_uname, 8), EFAULT);
}

TEST(ids_prctl_name)
{
    char name[16];

    CHECK_OK(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK(strcmp(name, "a-name-that-is-") == 0);
    CHECK_ERRNO(prctl(PR_GET_NAME, 8), EFAULT);
    CHECK_ERRNO(prctl(12345), EINVAL);
}

TEST(ids_getrandom)
{
    unsigned char a[300], b[300];

    CHECK_EQ(syscall(SYS_getrandom, a, sizeof(a), 0), sizeof(a));
    CHECK_EQ(syscall(SYS_getrandom, b, sizeof(b), 1), sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    CHECK_ERRNO(syscall(SYS_getrandom, a, 10, 0x100), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrandom, 8, 10, 0), EFAULT);
    CHECK_EQ(syscall(SYS_getrandom, 8, 0, 0), 0);
}
