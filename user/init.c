/* SPDX-License-Identifier: MIT */
/*
 * init: the first process.
 *
 * With `cmd=` on the kernel's command line it runs that command between two marker lines on the
 * console, for the program on the other end of the serial line, and powers off. Without, it keeps
 * a login shell on the console. In both cases it collects orphans.
 *
 * Signals (what poweroff and reboot send): TERM, USR2 = power off; INT = restart. They are blocked
 * except while init waits, so none can be lost.
 *
 * The kernel has mounted /dev, /proc and /tmp before init starts; nothing is mounted here. Run as
 * any process but 1 it refuses: ending it would not end the machine.
 */
#include "user/box.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { NOT_STARTED = 127, GRACE_MS = 2000, RESPAWN_LIMIT = 5 };

static const int handled[] = {SIGTERM, SIGUSR2, SIGINT, SIGCHLD};
static volatile sig_atomic_t stop_asked, restart_asked;
static sigset_t open_mask;

static void on_signal(int sig)
{
    if (sig == SIGINT)
        restart_asked = 1;
    else if (sig != SIGCHLD)
        stop_asked = 1;
}

static void set_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t mask;

    sigemptyset(&mask);
    for (size_t i = 0; i < ARRAY_SIZE(handled); i++) {
        sigaction(handled[i], &sa, NULL);
        sigaddset(&mask, handled[i]);
    }
    sigprocmask(SIG_BLOCK, &mask, &open_mask);
}

/* What a child is to find: as a freshly started system leaves it. */
static void reset_signals(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
        signal(handled[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &open_mask, NULL);
}

/* Descriptors 0 to 2 on the console, whatever the kernel gave us. */
static bool open_console(void)
{
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);

    if (fd < 0)
        return false;
    for (int to = 0; to <= 2; to++)
        if (fd != to)
            dup2(fd, to);
    if (fd > 2)
        close(fd);
    return true;
}

static void set_environment(void)
{
    setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 1);
    setenv("HOME", "/root", 1);
    setenv("TERM", "vt100", 1);
    setenv("USER", "root", 1);
    setenv("SHELL", "/bin/sh", 1);
}

/* The value of a word of the kernel's command line; NULL if absent. Caller frees. */
static char *boot_argument(const char *name)
{
    char *line = read_file("/proc/cmdline", NULL), *save = NULL, *value = NULL;
    size_t len = strlen(name);

    for (char *word = line ? strtok_r(line, " \n", &save) : NULL; word && !value;
         word = strtok_r(NULL, " \n", &save))
        if (strncmp(word, name, len) == 0 && word[len] == '=')
            value = xstrdup(word + len + 1);
    free(line);
    return value;
}

static void percent_decode(char *s)
{
    unsigned code;
    char *to = s;

    for (; *s; s++) {
        bool coded = *s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]) &&
                     sscanf(s + 1, "%2x", &code) == 1;

        *to++ = coded ? (char)code : *s;
        s += coded ? 2 : 0;
    }
    *to = '\0';
}

/* Collects children until none is left to collect; true if `pid` was among them. */
static bool reap(pid_t pid, int *status)
{
    bool found = false;
    int s;

    for (pid_t p; (p = waitpid(-1, &s, WNOHANG)) > 0;)
        if (p == pid) {
            *status = s;
            found = true;
        }
    return found;
}

/* Asks every process to end, then makes it; a process that ignores SIGTERM gets GRACE_MS. */
static void end_processes(void)
{
    struct timespec left = {.tv_nsec = 20 * 1000 * 1000};
    sigset_t child;
    int status;

    kill(-1, SIGTERM);
    /* Interactive shells ignore SIGTERM, but leave with their terminal. */
    kill(-1, SIGHUP);
    kill(-1, SIGCONT);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (int ms = 0; ms < GRACE_MS && (reap(0, &status), kill(-1, 0) == 0); ms += 20)
        sigtimedwait(&child, NULL, &left);
    kill(-1, SIGKILL);
}

static _Noreturn void end_machine(bool restart)
{
    end_processes();
    sync();
    syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
            restart ? LINUX_REBOOT_CMD_RESTART : LINUX_REBOOT_CMD_POWER_OFF, NULL);
    dprintf(STDOUT_FILENO, "init: the machine does not power off: halted\n");
    for (;;)
        pause();
}

/* Waits for pid, collecting orphans on the way; serves power-off requests. */
static int wait_for(pid_t pid)
{
    int status = 0;

    while (!reap(pid, &status)) {
        if (stop_asked || restart_asked)
            end_machine(!stop_asked);
        /* Signals get in here only, so none can slip between the look and the sleep. */
        sigsuspend(&open_mask);
    }
    return status;
}

/* Protocol with the host: begin marker, output as it is, exit marker. */

static void raw_output(void)
{
    struct termios t;

    if (tcgetattr(STDOUT_FILENO, &t) < 0)
        return;
    t.c_oflag &= ~(tcflag_t)OPOST;
    tcsetattr(STDOUT_FILENO, TCSADRAIN, &t);
}

static _Noreturn void exec_command(const char *command)
{
    int null = open("/dev/null", O_RDONLY);

    reset_signals();
    setsid();
    if (null > 0) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    warn("cannot run /bin/sh");
    _exit(NOT_STARTED);
}

static _Noreturn void run_command(char *command)
{
    const char *given = boot_argument("cmdid"), *nonce = given ? given : "";
    int status = NOT_STARTED;
    pid_t pid;

    percent_decode(command);
    raw_output();
    dprintf(STDOUT_FILENO, "\n<<<unimap %s begin>>>\n", nonce);
    pid = fork();
    if (pid == 0)
        exec_command(command);
    if (pid > 0)
        status = exit_code(wait_for(pid));
    else
        warn("cannot fork");
    dprintf(STDOUT_FILENO, "<<<unimap %s exit %d>>>\n", nonce, status);
    tcdrain(STDOUT_FILENO);
    end_machine(false);
}

static _Noreturn void exec_shell(void)
{
    reset_signals();
    setsid();
    /* A fresh session: the console becomes its terminal, also if another session had it. */
    if (ioctl(STDIN_FILENO, TIOCSCTTY, 1) < 0)
        warn("the console is no controlling terminal");
    if (chdir("/root") < 0 && chdir("/") < 0)
        warn("/");
    execl("/bin/sh", "-sh", (char *)NULL);
    warn("cannot run /bin/sh");
    _exit(NOT_STARTED);
}

static time_t seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Shells that end at once, one after the other, are a broken system and not a user's wish. */
static _Noreturn void run_shells(void)
{
    int quick_ends = 0;

    while (quick_ends < RESPAWN_LIMIT) {
        time_t start = seconds();
        struct termios modes;
        bool have_modes = tcgetattr(STDIN_FILENO, &modes) == 0;
        pid_t pid = fork();

        if (pid == 0)
            exec_shell();
        if (pid < 0) {
            warn("cannot fork");
            break;
        }
        int code = exit_code(wait_for(pid));
        bool failed = code >= 126 && seconds() - start < 2;
        quick_ends = failed ? quick_ends + 1 : 0;
        if (code == NOT_STARTED && access("/bin/sh", X_OK) < 0)
            break;
        if (have_modes)
            tcsetattr(STDIN_FILENO, TCSANOW, &modes);
    }
    dprintf(STDOUT_FILENO, "init: no usable /bin/sh: powering off\n");
    end_machine(false);
}

int init_main(int argc, char **argv)
{
    char *command;

    (void)argc, (void)argv;
    if (getpid() != 1)
        diex("runs as the first process only");
    set_signals();
    open_console();
    set_environment();
    command = boot_argument("cmd");
    if (command)
        run_command(command);
    run_shells();
}
