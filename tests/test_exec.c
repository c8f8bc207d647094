/* SPDX-License-Identifier: MIT */
/*
 * execve of good things: arguments, environment, auxiliary vector, what survives and what does
 * not, scripts. The far side is this program itself, started in one of the modes below.
 */
#include "tests/test.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>

extern char **environ;

static uint64_t hash_add(uint64_t h, const char *s)
{
    do {
        h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
    } while (*s++);
    return h;
}

static uint64_t hash_all(char *const *strings)
{
    uint64_t h = 0xcbf29ce484222325ULL;

    for (; *strings; strings++)
        h = hash_add(h, *strings);
    return h;
}

/* Executes and hands back what the new program wrote to its standard output. */
static int exec_output(const char *path, char *const argv[], char *const envp[], char *buf,
                       size_t len)
{
    int fd[2], status;
    size_t got = 0;
    char rest[512];
    ssize_t n;
    pid_t pid;

    CHECK_OK(pipe(fd));
    pid = fork_child();
    if (pid == 0) {
        dup2(fd[1], STDOUT_FILENO);
        close(fd[0]);
        close(fd[1]);
        execve(path, argv, envp);
        _exit(100 + errno % 100);
    }
    close(fd[1]);
    while (got < len - 1 && (n = read(fd[0], buf + got, len - 1 - got)) > 0)
        got += (size_t)n;
    buf[got] = 0;
    while (read(fd[0], rest, sizeof(rest)) > 0)
        ; /* nobody is to die of a pipe that nobody reads */
    close(fd[0]);
    status = reap(pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int exec_status(const char *path, char *const argv[])
{
    char out[256];

    return exec_output(path, argv, environ, out, sizeof(out));
}

static int exec_errno(const char *path)
{
    char *argv[] = {(char *)path, NULL};

    return execve(path, argv, environ) < 0 ? errno : 0;
}

/* ---- Arguments and environment ---- */

MODE(hash)
{
    printf("%d %llx %llx\n", argc, (unsigned long long)hash_all(argv),
           (unsigned long long)hash_all(environ));
    return 0;
}

static void check_round_trip(char **argv, char **envp)
{
    char out[256], want[256];
    int argc = 0;

    while (argv[argc])
        argc++;
    snprintf(want, sizeof(want), "%d %llx %llx\n", argc, (unsigned long long)hash_all(argv),
             (unsigned long long)hash_all(envp));
    CHECK_EQ(exec_output(self_exe(), argv, envp, out, sizeof(out)), 0);
    if (strcmp(out, want) != 0)
        FAIL("got %s, wanted %s", out, want);
}

TEST(exec_arguments)
{
    char *argv[] = {"unit", "--mode=hash", "", "a", "with space", "\x01\xff", "", NULL};
    char *envp[] = {"A=1", "B=", "no-equals", "", NULL};
    char *none[] = {NULL};

    need_self_exec();
    check_round_trip(argv, envp);
    check_round_trip(argv, none);
}

/* pitfall 28: the new stack is filled while the old image is still the one in use. */
TEST(exec_arguments_128k)
{
    enum { N = 100, LEN = 1000 };
    static char text[N][LEN];
    char *argv[N + 3] = {"unit", "--mode=hash"}, *envp[] = {"X=y", NULL};

    need_self_exec();
    for (int i = 0; i < N; i++) {
        memset(text[i], 'a' + i % 26, LEN - 1);
        text[i][i] = (char)('0' + i % 10);
        argv[i + 2] = text[i];
    }
    check_round_trip(argv, envp);
    /* As environment, and in one piece as long as Linux takes it. */
    static char one[120000];

    memset(one, 'z', sizeof(one) - 1);
    char *argv_short[] = {"unit", "--mode=hash", NULL}, *envp_one[] = {"K=v", one, NULL};

    check_round_trip(argv_short, envp_one);
}

TEST(exec_many_short_arguments)
{
    enum { N = 6000 };
    static char *argv[N + 3];
    char *envp[] = {NULL};

    need_self_exec();
    argv[0] = "unit";
    argv[1] = "--mode=hash";
    for (int i = 0; i < N; i++)
        argv[i + 2] = i & 1 ? "" : "x";
    check_round_trip(argv, envp);
}

TEST(exec_too_large_is_e2big)
{
    static char one[262144];
    static char *argv[50];
    char *envp[] = {NULL};

    memset(one, 'z', sizeof(one) - 1);
    char *argv_one[] = {"unit", "--mode=true", one, NULL};

    if (!on_qemu_user()) /* copies with its own limits */
        CHECK_ERRNO(execve("/proc/self/exe", argv_one, envp), E2BIG);
    one[100000] = 0;
    for (size_t i = 0; i < ARRAY_SIZE(argv) - 1; i++)
        argv[i] = one; /* 4.9 MB: over Linux's quarter of the stack limit */
    CHECK_ERRNO(execve(self_exe(), argv, envp), E2BIG);
    CHECK_ERRNO(execve(self_exe(), envp, argv), E2BIG);
}

/* ---- The auxiliary vector and the shape of the initial stack ---- */

extern const char _start[];
extern const Elf64_Ehdr __ehdr_start;

static char big_bss[300000];

MODE(stack)
{
    char **env_end = environ;
    const char *next;

    while (*env_end)
        env_end++;
    unsigned long *aux = (unsigned long *)(env_end + 1);

    /* argc lies below argv, 16-byte aligned; argv, environment and auxv follow without gaps. */
    CHECK_EQ(((long *)argv)[-1], argc);
    CHECK_EQ((uintptr_t)argv % 16, 8);
    CHECK(argv + argc + 1 == environ);
    CHECK_EQ(argc, 3);
    CHECK(strcmp(argv[2], "x y") == 0);
    /* The strings stand one behind the other, the file's name last. */
    next = argv[0];
    for (int i = 0; i < argc; i++) {
        CHECK(argv[i] == next);
        next += strlen(next) + 1;
    }
    for (char **e = environ; *e; e++) {
        CHECK(*e == next);
        next += strlen(next) + 1;
    }
    CHECK((const char *)getauxval(AT_EXECFN) == next);
    CHECK(next + strlen(next) + 1 + 8 >= (const char *)(((uintptr_t)next + 8) & ~7UL));
    while (aux[0] != AT_NULL)
        aux += 2;
    CHECK_EQ(aux[1], 0);
    CHECK((const char *)aux < argv[0]);
    return 0;
}

MODE(auxv)
{
    const Elf64_Ehdr *eh = &__ehdr_start;
    const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
    const char *random = (const char *)getauxval(AT_RANDOM);

    CHECK((const char *)ph == (const char *)eh + eh->e_phoff);
    CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
    CHECK_EQ(getauxval(AT_PHNUM), eh->e_phnum);
    CHECK_EQ(getauxval(AT_PAGESZ), PAGE);
    CHECK_EQ(getauxval(AT_BASE), 0);
    CHECK_EQ(getauxval(AT_FLAGS), 0);
    CHECK_EQ(getauxval(AT_ENTRY), (uintptr_t)_start);
    CHECK_EQ(getauxval(AT_UID), getuid());
    CHECK_EQ(getauxval(AT_EUID), geteuid());
    CHECK_EQ(getauxval(AT_GID), getgid());
    CHECK_EQ(getauxval(AT_EGID), getegid());
    CHECK_EQ(getauxval(AT_CLKTCK), 100);
    CHECK_EQ(getauxval(AT_SECURE), 0);
    CHECK(strcmp((const char *)getauxval(AT_EXECFN), argv[2]) == 0);
#if defined(__riscv)
    /* a c d f i m */
    CHECK_EQ(getauxval(AT_HWCAP) & 0x112d, 0x112d);
#endif
    for (size_t i = 0; i < sizeof(big_bss); i++)
        CHECK_EQ(big_bss[i], 0);
    for (int i = 0; i < 16; i++)
        printf("%02x", (unsigned char)random[i]);
    return 0;
}

TEST(exec_initial_stack)
{
    char *argv[] = {"unit", "--mode=stack", "x y", NULL};

    need_self_exec();
    for (int i = 0; i < 4; i++) {
        /* Different numbers of strings: the alignment must hold for each. */
        char *envp[] = {"A=1", "BC=23", "D=", NULL};
        char out[64];

        envp[i] = NULL;
        CHECK_EQ(exec_output(self_exe(), argv, envp, out, sizeof(out)), 0);
    }
}

TEST(exec_auxiliary_vector)
{
    char *argv[] = {"unit", "--mode=auxv", (char *)self_exe(), NULL};
    char first[64], second[64];

    need_self_exec();
    CHECK_EQ(exec_output(self_exe(), argv, environ, first, sizeof(first)), 0);
    CHECK_EQ(exec_output(self_exe(), argv, environ, second, sizeof(second)), 0);
    CHECK_EQ(strlen(first), 32);
    CHECK(strcmp(first, second) != 0); /* AT_RANDOM is random */
}

TEST(exec_empty_environment)
{
    char *argv[] = {"unit", "-l", NULL}, *none[] = {NULL};
    char out[4096];

    need_self_exec();
    CHECK_EQ(exec_output(self_exe(), argv, none, out, sizeof(out)), 0);
    CHECK_EQ(exec_output(self_exe(), argv, NULL, out, sizeof(out)), 0);
}

/* ---- What survives, what does not ---- */

MODE(survivors)
{
    int keep = atoi(argv[2]), cloexec = atoi(argv[3]);
    pid_t pid = (pid_t)atoi(argv[4]);
    struct sigaction sa;
    sigset_t set;
    stack_t ss;
    char cwd[200];

    CHECK_EQ(getpid(), pid);
    CHECK_OK(fcntl(keep, F_GETFD));
    CHECK_EQ(lseek(keep, 0, SEEK_CUR), 5);
    CHECK_ERRNO(fcntl(cloexec, F_GETFD), EBADF);
    CHECK_OK(sigaction(SIGUSR1, NULL, &sa));
    CHECK(sa.sa_handler == SIG_DFL);
    CHECK_OK(sigaction(SIGUSR2, NULL, &sa));
    CHECK(sa.sa_handler == SIG_IGN);
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &set));
    CHECK(sigismember(&set, SIGTERM));
    CHECK_OK(sigpending(&set));
    CHECK(sigismember(&set, SIGTERM));
    CHECK_OK(sigaltstack(NULL, &ss));
    CHECK(ss.ss_flags & SS_DISABLE);
    CHECK_EQ(umask(0), 031);
    CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, argv[5]) == 0);
    CHECK(alarm(0) > 0);
    CHECK_EQ(getpgrp(), pid);
    return 0;
}

static void never(int sig)
{
    (void)sig;
    _exit(99);
}

TEST(exec_survivors)
{
    char keep_s[16], cloexec_s[16], pid_s[16], cwd[200];
    pid_t pid;

    need_self_exec();
    pid = fork_child();
    if (pid == 0) {
        int keep = open_new("keep"), cloexec = open_new("cloexec");
        stack_t ss = {.ss_sp = map_pages(4), .ss_size = 4 * PAGE};
        sigset_t set;

        CHECK_EQ(write(keep, "12345", 5), 5);
        CHECK_OK(fcntl(cloexec, F_SETFD, FD_CLOEXEC));
        signal(SIGUSR1, never);
        signal(SIGUSR2, SIG_IGN);
        CHECK_OK(sigaltstack(&ss, NULL));
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
        CHECK_OK(raise(SIGTERM));
        umask(031);
        alarm(100);
        CHECK_OK(setpgid(0, 0));
        CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
        snprintf(keep_s, sizeof(keep_s), "%d", keep);
        snprintf(cloexec_s, sizeof(cloexec_s), "%d", cloexec);
        snprintf(pid_s, sizeof(pid_s), "%d", (int)getpid());
        execl(self_exe(), "unit", "--mode=survivors", keep_s, cloexec_s, pid_s, cwd, (char *)NULL);
        _exit(126);
    }
    CHECK_EXIT(pid, 0);
}

/* The new image starts without any of the old one's memory. */
MODE(probe_address)
{
    return try_load((void *)strtoul(argv[2], NULL, 0)) == SIGSEGV ? 0 : 1;
}

TEST(exec_old_memory_is_gone)
{
    char address[32];
    pid_t pid;

    need_self_exec();
    pid = fork_child();
    if (pid == 0) {
        char *p = map_pages(1024);
        char *at = p + 512 * PAGE;

        memset(p, 1, 1024 * PAGE);
        snprintf(address, sizeof(address), "%p", at);
        execl(self_exe(), "unit", "--mode=probe_address", address, (char *)NULL);
        _exit(126);
    }
    CHECK_EXIT(pid, 0);
}

/* pitfall 1: over and over from an image with much memory into one with little. */
MODE(shrink)
{
    int left = atoi(argv[2]);
    char next[16];

    if (left == 0)
        return 0;
    if (left & 1) {
        char *p = map_pages(512);

        for (size_t i = 0; i < 512; i += 4)
            p[i * PAGE] = 1;
        CHECK(sbrk(1 << 20) != (void *)-1);
    }
    snprintf(next, sizeof(next), "%d", left - 1);
    execl("/proc/self/exe", "unit", "--mode=shrink", next, (char *)NULL);
    return 126;
}

TEST_LONG(exec_bigger_into_smaller_1000)
{
    char *argv[] = {"unit", "--mode=shrink", "1000", NULL};

    need_self_exec();
    CHECK_EQ(exec_status(self_exe(), argv), 0);
}

/* Fails, and everything is as it was: memory, heap, descriptors, handlers. */
TEST(exec_failure_leaves_old_image)
{
    static char *const bad[] = {"missing", "plain", "empty", "dir", "garbage", "dir/../missing"};
    int cloexec = open_new("cloexec");
    char *p = map_pages(16), *heap = sbrk(0), c;
    struct sigaction sa;

    CHECK_OK(fcntl(cloexec, F_SETFD, FD_CLOEXEC));
    write_file("plain", "\177ELF", 4, 0644);
    write_file("empty", "", 0, 0755);
    CHECK_OK(mkdir("dir", 0755));
    write_file("garbage", "\177ELF but no more", 16, 0755);
    signal(SIGUSR1, never);
    fill(p, 16 * PAGE, 5);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
            CHECK(exec_errno(bad[i]) != 0);
    CHECK(filled(p, 16 * PAGE, 5));
    CHECK(sbrk(0) == heap);
    CHECK_EQ(fcntl(cloexec, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(read(cloexec, &c, 1), 0);
    CHECK_OK(sigaction(SIGUSR1, NULL, &sa));
    CHECK(sa.sa_handler == never);
}

TEST(exec_errors)
{
    char *argv[] = {"x", NULL}, long_name[300];

    CHECK_ERRNO(execve("missing", argv, environ), ENOENT);
    CHECK_ERRNO(execve("", argv, environ), ENOENT);
    CHECK_ERRNO(execve(".", argv, environ), EACCES);
    write_file("plain", "#!/bin/sh\n", 10, 0644);
    CHECK_ERRNO(execve("plain", argv, environ), EACCES);
    CHECK_ERRNO(execve("plain/x", argv, environ), ENOTDIR);
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    CHECK_ERRNO(execve(long_name, argv, environ), ENAMETOOLONG);
    CHECK_OK(symlink("loop", "loop"));
    CHECK_ERRNO(execve("loop", argv, environ), ELOOP);
    write_file("empty", "", 0, 0755);
    CHECK_ERRNO(execve("empty", argv, environ), ENOEXEC);
    write_file("text", "just some words\n", 16, 0755);
    CHECK_ERRNO(execve("text", argv, environ), ENOEXEC);
    CHECK_ERRNO(execve("/dev/null", argv, environ), EACCES);
}

/* ---- Scripts ---- */

static void script(const char *name, const char *fmt, ...) PRINTF(2, 3);
static void script(const char *name, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);

    va_end(ap);
    write_file(name, text, (size_t)n, 0755);
}

MODE(list)
{
    for (int i = 2; i < argc; i++)
        printf("[%s]", argv[i]);
    return 7;
}

static void check_script(const char *name, const char *want)
{
    char *argv[] = {"zero", "one", "two three", NULL}, out[1024];

    CHECK_EQ(exec_output(name, argv, environ, out, sizeof(out)), 7);
    if (strcmp(out, want) != 0)
        FAIL("%s: got %s, wanted %s", name, out, want);
}

/* The interpreter gets: itself, the argument in one piece, the script's name, then argv[1]… */
TEST(exec_script)
{
    need_self_exec();
    script("./s1", "#!%s --mode=list\nrest is not read\n", self_exe());
    check_script("./s1", "[./s1][one][two three]");
    script("./s2", "#! \t%s   --mode=list  \t \n", self_exe());
    check_script("./s2", "[./s2][one][two three]");
    script("./s3", "#!%s --mode=list", self_exe()); /* no newline at the end */
    check_script("./s3", "[./s3][one][two three]");
}

TEST(exec_script_argument_is_one)
{
    char *argv[] = {"s", NULL}, out[256];

    need_self_exec();
    /* "--mode=list x": one argument, hence a mode that does not exist. */
    script("s", "#!%s --mode=list x\n", self_exe());
    CHECK_EQ(exec_output("./s", argv, environ, out, sizeof(out)), 127);
}

TEST(exec_script_nested)
{
    char name[16] = "./n0", want[1024] = "[./n0]", cwd[200], one[300], head[1024];

    need_self_exec();
    if (on_qemu_user())
        SKIP("a registered interpreter counts as one level of nesting");
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    script("n0", "#!%s --mode=list\n", self_exe());
    for (int depth = 1; depth <= 4; depth++) {
        script(name, "#!%s/n%d\n", cwd, depth);
        snprintf(name, sizeof(name), "./n%d", depth);
        script(name, "#!%s --mode=list\n", self_exe());
        /* The chain of names that the last interpreter sees, innermost first. */
        head[0] = 0;
        for (int i = depth; i >= 1; i--) {
            snprintf(one, sizeof(one), "[%s/n%d]", cwd, i);
            strcat(head, one);
        }
        snprintf(want, sizeof(want), "%.900s[./n0][one][two three]", head);
        check_script("./n0", want);
    }
    script("./n4", "#!%s/n5\n", cwd);
    script("./n5", "#!%s/n6\n", cwd);
    script("./n6", "#!%s --mode=list\n", self_exe());
    CHECK_EQ(exec_errno("./n0"), ELOOP);
    script("self", "#!./self\n");
    CHECK_EQ(exec_errno("./self"), ELOOP);
}

TEST(exec_script_bad)
{
    char text[600];

    script("s", "#!\n");
    CHECK_EQ(exec_errno("./s"), ENOEXEC);
    script("s", "#!   \t  \n");
    CHECK_EQ(exec_errno("./s"), ENOEXEC);
    script("s", "#!/no/such/interpreter\n");
    CHECK_EQ(exec_errno("./s"), ENOENT);
    script("s", "#!/\n");
    CHECK_EQ(exec_errno("./s"), EACCES);
    script("plain", "not executable");
    CHECK_OK(chmod("plain", 0644));
    script("s", "#!./plain\n");
    CHECK_EQ(exec_errno("./s"), EACCES);
    memset(text, 'x', sizeof(text));
    memcpy(text, "#!/", 3);
    write_file("s", text, sizeof(text), 0755);
    CHECK_EQ(exec_errno("./s"), ENOEXEC); /* no end of the name in what is read of the file */
}

/* A script's environment and CLOEXEC descriptors are those of the call. */
TEST(exec_script_by_descriptor_name)
{
    char *argv[] = {"s", "one", "two three", NULL}, out[256];
    char *const none[] = {NULL};

    need_self_exec();
    script("s", "#!%s --mode=hash\n", self_exe());
    CHECK_EQ(exec_output("s", argv, none, out, sizeof(out)), 0);
    CHECK_EQ(out[0], '5');
}

/* What runs is not written, what may be written is not run. */
TEST(exec_text_busy)
{
    int fd;

    if (on_qemu_user())
        SKIP("what runs is the emulator");
    CHECK_ERRNO(open(self_exe(), O_WRONLY), ETXTBSY);
    CHECK_ERRNO(open(self_exe(), O_RDWR), ETXTBSY);
    CHECK_ERRNO(open(self_exe(), O_RDONLY | O_TRUNC), ETXTBSY);
    CHECK_ERRNO(truncate(self_exe(), 0), ETXTBSY);
    write_file("script", "#!/bin/sh\n", 10, 0755);
    fd = CHECK_OK(open("script", O_WRONLY));
    CHECK_EQ(exec_errno("./script"), ETXTBSY);
    CHECK_OK(close(fd));
}
