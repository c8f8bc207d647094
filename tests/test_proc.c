/* SPDX-License-Identifier: MIT */
/*
 * Processes: exit and wait, orphans and zombies, groups and sessions, users, and what /proc says of
 * them. Clocks, limits and the scheduler are in test_sched.c.
 */
#include "tests/test.h"

#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

/* ---- exit and wait ---- */

TEST(proc_exit_codes)
{
    static const int codes[] = {0, 1, 42, 127, 128, 255, 256, 257, -1, 0x12345};

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        int status;
        pid_t pid = fork_child();

        if (pid == 0)
            _exit(codes[i]);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(status, (codes[i] & 0xff) << 8);
    }
}

TEST(proc_wait_arguments)
{
    int status = 77;
    pid_t pid;

    CHECK_ERRNO(wait(NULL), ECHILD);
    CHECK_ERRNO(waitpid(1, NULL, 0), ECHILD);
    CHECK_ERRNO(waitpid(getpid(), NULL, 0), ECHILD);
    CHECK_ERRNO(waitpid(-1, NULL, 0x1000000), EINVAL);
    CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
    pid = fork_child();
    if (pid == 0)
        _exit(3);
    CHECK_ERRNO(waitpid(pid + 10000, NULL, 0), ECHILD);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    CHECK_ERRNO(waitpid(pid, &status, WNOHANG), ECHILD);
    CHECK_EQ(status, 77);
}

TEST(proc_wait_nohang)
{
    struct gate g;
    int status = 77;
    pid_t pid;

    gate_init(&g);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&g);
        _exit(3);
    }
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
    CHECK_EQ(status, 77);
    gate_open(&g);
    CHECK_EXIT(pid, 3);
}

TEST(proc_wait_any_and_group)
{
    pid_t pid[6], got;
    int seen = 0, status;

    for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
        pid[i] = fork_child();
        if (pid[i] == 0)
            _exit((int)i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(pid); i++) {
        got = i & 1 ? wait(&status) : waitpid(0, &status, 0); /* my group: all of them */
        CHECK(got > 0 && WIFEXITED(status));
        CHECK_EQ(got, pid[WEXITSTATUS(status)]);
        seen |= 1 << WEXITSTATUS(status);
    }
    CHECK_EQ(seen, 0x3f);
    CHECK_ERRNO(wait(NULL), ECHILD);
    got = fork_child();
    if (got == 0) {
        setpgid(0, 0);
        _exit(0);
    }
    setpgid(got, got);
    CHECK_EQ(waitpid(-got, &status, 0), got);
}

TEST(proc_wait_rusage)
{
    struct rusage ru, sum;
    int status;
    pid_t pid = fork_child();

    if (pid == 0) {
        while (clock() < CLOCKS_PER_SEC / 20)
            ;
        _exit(0);
    }
    memset(&ru, 0xff, sizeof(ru));
    CHECK_EQ(wait4(pid, &status, 0, &ru), pid);
    CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 +
              ru.ru_stime.tv_usec >=
          40000);
    CHECK(ru.ru_utime.tv_sec < 100 && ru.ru_utime.tv_usec < 1000000);
    CHECK_OK(getrusage(RUSAGE_CHILDREN, &sum));
    CHECK(sum.ru_utime.tv_sec * 1000000 + sum.ru_utime.tv_usec + sum.ru_stime.tv_sec * 1000000 +
              sum.ru_stime.tv_usec >=
          40000);
    CHECK_ERRNO(getrusage(77, &ru), EINVAL);
}

TEST(proc_waitid)
{
    siginfo_t si;
    pid_t pid = fork_child();

    if (pid == 0)
        _exit(9);
    memset(&si, 0, sizeof(si));
    CHECK_OK(waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT));
    CHECK_EQ(si.si_pid, pid);
    CHECK_EQ(si.si_code, CLD_EXITED);
    CHECK_EQ(si.si_status, 9);
    CHECK_OK(waitid(P_ALL, 0, &si, WEXITED)); /* still there: now it is taken */
    CHECK_EQ(si.si_pid, pid);
    CHECK_ERRNO(waitid(P_PID, (id_t)pid, &si, WEXITED), ECHILD);
    CHECK_ERRNO(waitid(P_PID, (id_t)pid, &si, 0), EINVAL);
    CHECK_ERRNO(waitid((idtype_t)-1, (id_t)pid, &si, WEXITED), EINVAL);
}

/* An orphan goes to a parent that reaps it. */
TEST(proc_orphan)
{
    struct gate orphaned, done;
    pid_t pid;
    int *seen = (int *)map_shared(1);

    gate_init(&orphaned);
    gate_init(&done);
    pid = fork_child();
    if (pid == 0) {
        pid_t middle = getpid();

        if (fork_child() == 0) {
            gate_wait(&orphaned);
            seen[0] = getppid() != middle;
            seen[1] = getppid();
            gate_open(&done);
            _exit(0);
        }
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    gate_open(&orphaned);
    gate_wait(&done);
    CHECK_EQ(seen[0], 1);
    if (on_unimap())
        CHECK_EQ(seen[1], 1);
}

TEST(proc_orphan_zombies)
{
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            for (int k = 0; k < 4; k++)
                if (fork() == 0)
                    _exit(k); /* a zombie, or an orphan, as it happens */
            _exit(0);
        }
        CHECK_EXIT(pid, 0);
    }
    CHECK_ERRNO(wait(NULL), ECHILD);
}

/* Parents and children that die at the same moment. */
TEST(proc_exit_races)
{
    for (int i = 0; i < 100; i++) {
        struct gate go;
        pid_t pid;

        gate_init(&go);
        pid = fork_child();
        if (pid == 0) {
            for (int k = 0; k < 3; k++) {
                if (fork() == 0) {
                    if (fork() == 0) {
                        gate_wait(&go);
                        _exit(0);
                    }
                    gate_wait(&go);
                    _exit(0);
                }
            }
            for (int k = 0; k < 7; k++)
                gate_open(&go);
            _exit(0);
        }
        gate_wait(&go);
        CHECK_EXIT(pid, 0);
        gate_close(&go);
    }
}

static char state_of(pid_t pid)
{
    char path[64], text[512], *p;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_file(path, text, sizeof(text)) < 0)
        return 0;
    p = strrchr(text, ')');
    return p ? p[2] : 0;
}

TEST(proc_zombie_is_seen_and_harmless)
{
    char path[64], own[32], comm[32];
    pid_t pid = fork_child();

    if (pid == 0)
        _exit(7);
    while (state_of(pid) != 'Z')
        sched_yield();
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    CHECK(read_file("/proc/self/comm", own, sizeof(own)) > 0);
    CHECK(read_file(path, comm, sizeof(comm)) > 0);
    CHECK(!strcmp(comm, own)); /* the name stays until it is reaped */
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_ERRNO(setpgid(pid, 0x3fffffff), EPERM);
    CHECK_EXIT(pid, 7);
    CHECK_EQ(state_of(pid), 0);
}

/* ---- Identity ---- */

TEST(proc_pids)
{
    pid_t pid = getpid(), last = pid;

    CHECK(pid > 1);
    CHECK_EQ(syscall(SYS_gettid), pid);
    CHECK(getppid() > 0);
    for (int i = 0; i < 5; i++) {
        pid_t child = fork_child();

        if (child == 0)
            _exit(0);
        CHECK(child != last); /* not used again at once */
        last = child;
        CHECK_EXIT(child, 0);
    }
}

TEST(proc_groups)
{
    pid_t pid;

    CHECK_EQ(getpgrp(), getpid()); /* the runner saw to it */
    CHECK_EQ(getpgid(0), getpgrp());
    CHECK_ERRNO(getpgid(0x3fffffff), ESRCH);
    CHECK_ERRNO(setpgid(0, -1), EINVAL);
    CHECK_ERRNO(setpgid(1, 0), ESRCH); /* neither me nor my child */
    CHECK_ERRNO(setpgid(0, 0x3fffffff), EPERM);
    pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(getpgrp(), getppid());
        CHECK_OK(setpgid(0, 0));
        CHECK_EQ(getpgrp(), getpid());
        CHECK_OK(setpgid(0, getppid()));
        CHECK_EQ(getpgrp(), getppid());
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

TEST(proc_setpgid_of_child)
{
    struct gate g;
    pid_t pid;

    gate_init(&g);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&g);
        _exit(getpgrp() == getpid() ? 0 : 1);
    }
    CHECK_OK(setpgid(pid, pid));
    CHECK_EQ(getpgid(pid), pid);
    gate_open(&g);
    CHECK_EXIT(pid, 0);
}

TEST(proc_sessions)
{
    pid_t pid;

    CHECK_EQ(getsid(0), getsid(getpid()));
    CHECK_ERRNO(setsid(), EPERM); /* a group leader cannot */
    CHECK_ERRNO(getsid(0x3fffffff), ESRCH);
    pid = fork_child();
    if (pid == 0) {
        CHECK_EQ(setsid(), getpid());
        CHECK_EQ(getsid(0), getpid());
        CHECK_EQ(getpgrp(), getpid());
        CHECK_ERRNO(setsid(), EPERM);
        CHECK_ERRNO(setpgid(0, 0), EPERM); /* nor can a session leader change its group */
        pid_t child = fork_child();

        if (child == 0) {
            CHECK_EQ(getsid(0), getppid());
            _exit(0);
        }
        CHECK_EXIT(child, 0);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

TEST(proc_users)
{
    uid_t r, e, s;
    gid_t groups[4] = {5, 6, 7};

    if (geteuid() != 0)
        SKIP("needs root");
    CHECK_OK(setgroups(3, groups));
    memset(groups, 0, sizeof(groups));
    CHECK_EQ(getgroups(0, NULL), 3);
    CHECK_EQ(getgroups(4, groups), 3);
    CHECK(groups[0] == 5 && groups[1] == 6 && groups[2] == 7);
    CHECK_ERRNO(getgroups(2, groups), EINVAL);
    CHECK_ERRNO(syscall(SYS_getgroups, -1, groups), EINVAL);
    CHECK_OK(setresgid(10, 11, 12));
    CHECK_OK(getresgid(&r, &e, &s));
    CHECK(r == 10 && e == 11 && s == 12);
    CHECK_EQ(getgid(), 10);
    CHECK_EQ(getegid(), 11);
    CHECK_OK(setresuid(20, 21, 22));
    CHECK_OK(getresuid(&r, &e, &s));
    CHECK(r == 20 && e == 21 && s == 22);
    CHECK_OK(setresuid((uid_t)-1, 20, (uid_t)-1)); /* any of the three */
    CHECK_EQ(geteuid(), 20);
    CHECK_OK(seteuid(22));
    CHECK_ERRNO(setuid(0), EPERM);
    CHECK_ERRNO(setresuid(0, (uid_t)-1, (uid_t)-1), EPERM);
    CHECK_ERRNO(setgroups(0, NULL), EPERM);
    CHECK_ERRNO(setgid(0), EPERM);
    CHECK_OK(setuid(20));
    CHECK_ERRNO(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL), EPERM);
}

TEST(proc_setuid_of_root_is_final)
{
    uid_t r, e, s;

    if (geteuid() != 0)
        SKIP("needs root");
    CHECK_OK(setuid(1000));
    CHECK_OK(getresuid(&r, &e, &s));
    CHECK(r == 1000 && e == 1000 && s == 1000);
    CHECK_ERRNO(seteuid(0), EPERM);
    pid_t pid = fork_child();

    if (pid == 0)
        _exit(getuid() == 1000 && geteuid() == 1000 ? 0 : 1);
    CHECK_EXIT(pid, 0);
}

TEST(proc_name)
{
    char name[17] = {0}, comm[32];

    CHECK_OK(prctl(PR_SET_NAME, "a-name-that-is-too-long", 0, 0, 0));
    CHECK_OK(prctl(PR_GET_NAME, name, 0, 0, 0));
    CHECK(strcmp(name, "a-name-that-is-") == 0);
    if (read_file("/proc/self/comm", comm, sizeof(comm)) > 0 && !on_qemu_user())
        CHECK(strcmp(comm, "a-name-that-is-\n") == 0);
    CHECK_ERRNO(prctl(0x7777, 0, 0, 0, 0), EINVAL);
}

/* ---- /proc about oneself ---- */

TEST(proc_self_files)
{
    char text[4096], path[64];
    char *p;

    if (on_qemu_user())
        SKIP("the emulator writes some of these itself, differently");
    CHECK(read_file("/proc/self/stat", text, sizeof(text)) > 0);
    CHECK_EQ(atoi(text), getpid());
    p = strrchr(text, ')');
    CHECK(p && p[2] == 'R');
    CHECK_EQ(atoi(p + 4), getppid());
    CHECK_EQ(proc_field("/proc/self/status", "Pid"), getpid());
    CHECK_EQ(proc_field("/proc/self/status", "PPid"), getppid());
    CHECK_EQ(status_field(getpid(), "Tgid"), getpid());
    CHECK_EQ(status_field(1, "PPid"), 0);
    CHECK(read_file("/proc/self/cmdline", text, sizeof(text)) > 0);
    CHECK(strstr(text, "unit"));
    CHECK(read_file("/proc/self/maps", text, sizeof(text)) > 0);
    CHECK(strstr(text, "[stack]"));
    CHECK(strstr(text, "r-x"));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", open_new("file"));
    ssize_t n = readlink(path, text, sizeof(text) - 1);

    CHECK(n > 5);
    text[n] = 0;
    CHECK(strcmp(text + n - 5, "/file") == 0);
    CHECK_ERRNO(open("/proc/0x7/stat", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/999999999/stat", O_RDONLY), ENOENT);
}

/* A directory entry of a process that goes away while it is read. */
/* Whoever was root a moment ago still finds its own descriptors. */
TEST(proc_files_change_owner)
{
    if (geteuid() != 0)
        SKIP("needs root");
    CHECK_OK(access("/proc/self/fd/0", F_OK));
    CHECK_OK(setuid(1000));
    CHECK_OK(access("/proc/self/fd/0", F_OK));
}

TEST(proc_files_of_the_dying)
{
    for (int i = 0; i < 100; i++) {
        char path[64], text[512];
        static const char *const names[] = {"stat", "status", "maps", "cmdline"};
        pid_t pid = fork_child();

        if (pid == 0)
            _exit(0);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
            snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, names[k]);
            read_file(path, text, sizeof(text));
        }
        CHECK_EXIT(pid, 0);
        CHECK(read_file(path, text, sizeof(text)) <= 0);
    }
}
