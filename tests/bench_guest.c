/* SPDX-License-Identifier: MIT */
/*
 * Times basic operations and prints a line `bench NAME COUNT NANOSECONDS` for each. Under QEMU's
 * -icount a nanosecond is an instruction. `bench_guest NAME COUNT` does one of them COUNT times.
 * Runs on Linux too: the comparison.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static char *self;
static int zero_fd, null_fd, file_fd, pipe_fds[2][2];
static char *file_name;
static char buffer[65536];

static void check(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_guest: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void op_getppid(void)
{
    getppid();
}

static void op_read(void)
{
    check(read(zero_fd, buffer, 1) == 1, "read");
}

static void op_write(void)
{
    check(write(null_fd, buffer, 1) == 1, "write");
}

static void op_pread_4k(void)
{
    check(pread(file_fd, buffer, PAGE, 0) == PAGE, "pread");
}

static void op_pwrite_4k(void)
{
    check(pwrite(file_fd, buffer, PAGE, 0) == PAGE, "pwrite");
}

static void op_stat(void)
{
    struct stat st;

    check(stat(file_name, &st) == 0, "stat");
}

static void op_open_close(void)
{
    int fd = open(file_name, O_RDONLY);

    check(fd >= 0, "open");
    close(fd);
}

static void op_create_unlink(void)
{
    int fd = open("bench.tmp", O_CREAT | O_EXCL | O_WRONLY, 0600);

    check(fd >= 0, "create");
    close(fd);
    check(unlink("bench.tmp") == 0, "unlink");
}

static void op_pipe_same(void)
{
    check(write(pipe_fds[0][1], buffer, 1) == 1 && read(pipe_fds[0][0], buffer, 1) == 1, "pipe");
}

/* A byte to a child and back: two context switches. */
static pid_t echo_child;

static void start_echo(void)
{
    check(pipe(pipe_fds[0]) == 0 && pipe(pipe_fds[1]) == 0, "pipe");
    echo_child = fork();
    check(echo_child >= 0, "fork");
    if (echo_child)
        return;
    close(pipe_fds[0][1]);
    while (read(pipe_fds[0][0], buffer, 1) == 1)
        check(write(pipe_fds[1][1], buffer, 1) == 1, "write");
    _exit(0);
}

static void op_pipe_pingpong(void)
{
    check(write(pipe_fds[0][1], buffer, 1) == 1 && read(pipe_fds[1][0], buffer, 1) == 1,
          "ping-pong");
}

static void stop_echo(void)
{
    close(pipe_fds[0][1]);
    waitpid(echo_child, NULL, 0);
}

static void start_pipe(void)
{
    check(pipe(pipe_fds[0]) == 0, "pipe");
}

static void op_fork_exit_wait(void)
{
    pid_t pid = fork();

    check(pid >= 0, "fork");
    if (!pid)
        _exit(0);
    check(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static void op_fork_exec_exit_wait(void)
{
    pid_t pid = fork();

    check(pid >= 0, "fork");
    if (!pid) {
        execl(self, self, "--exit", (char *)NULL);
        _exit(127);
    }
    check(waitpid(pid, NULL, 0) == pid, "waitpid");
}

static void op_mmap_munmap(void)
{
    void *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(p != MAP_FAILED, "mmap");
    munmap(p, 16 * PAGE);
}

static void op_mmap_touch_munmap(void)
{
    volatile char *p =
        mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    check(p != MAP_FAILED, "mmap");
    for (int i = 0; i < 16; i++)
        p[i * PAGE] = 1;
    munmap((void *)p, 16 * PAGE);
}

static void op_brk(void)
{
    check(sbrk(PAGE) != (void *)-1 && sbrk(-PAGE) != (void *)-1, "sbrk");
}

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
    (void)sig;
    signals++;
}

static void start_signal(void)
{
    signal(SIGUSR1, on_signal);
}

static void op_signal(void)
{
    raise(SIGUSR1);
}

static const struct bench {
    const char *name;
    unsigned count;
    void (*op)(void);
    void (*start)(void);
    void (*stop)(void);
} benches[] = {
    {"getppid", 20000, op_getppid, NULL, NULL},
    {"read", 20000, op_read, NULL, NULL},
    {"write", 20000, op_write, NULL, NULL},
    {"pread_4k", 5000, op_pread_4k, NULL, NULL},
    {"pwrite_4k", 5000, op_pwrite_4k, NULL, NULL},
    {"stat", 5000, op_stat, NULL, NULL},
    {"open_close", 5000, op_open_close, NULL, NULL},
    {"create_unlink", 500, op_create_unlink, NULL, NULL},
    {"pipe_same", 5000, op_pipe_same, start_pipe, NULL},
    {"pipe_pingpong", 3000, op_pipe_pingpong, start_echo, stop_echo},
    {"signal", 3000, op_signal, start_signal, NULL},
    {"mmap_munmap", 3000, op_mmap_munmap, NULL, NULL},
    {"mmap_touch_munmap", 1000, op_mmap_touch_munmap, NULL, NULL},
    {"brk", 3000, op_brk, NULL, NULL},
    {"fork_exit_wait", 300, op_fork_exit_wait, NULL, NULL},
    {"fork_exec_exit_wait", 300, op_fork_exec_exit_wait, NULL, NULL},
};

static void run(const struct bench *b, unsigned count)
{
    uint64_t start;

    if (b->start)
        b->start();
    for (unsigned i = 0; i < count / 50 + 2; i++)
        b->op();
    start = now_ns();
    for (unsigned i = 0; i < count; i++)
        b->op();
    printf("bench %s %u %llu\n", b->name, count, (unsigned long long)(now_ns() - start));
    fflush(stdout);
    if (b->stop)
        b->stop();
}

static void open_files(void)
{
    zero_fd = open("/dev/zero", O_RDONLY);
    null_fd = open("/dev/null", O_WRONLY);
    check(zero_fd >= 0 && null_fd >= 0, "/dev");
    file_name = (char *)"/tmp/bench.file";
    file_fd = open(file_name, O_CREAT | O_RDWR | O_TRUNC, 0600);
    check(file_fd >= 0 && write(file_fd, buffer, sizeof(buffer)) == sizeof(buffer), file_name);
    check(chdir("/tmp") == 0, "/tmp");
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--exit"))
        return 0;
    if (argc != 1 && argc != 3) {
        fprintf(stderr, "usage: bench_guest [NAME COUNT]\n");
        return 2;
    }
    self = (char *)"/proc/self/exe";
    open_files();
    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
        if (argc == 1 || !strcmp(argv[1], benches[i].name))
            run(&benches[i], argc == 3 ? (unsigned)strtoul(argv[2], NULL, 0) : benches[i].count);
    return 0;
}
