/* SPDX-License-Identifier: MIT */
/*
 * Children: starting, waiting, job control, and the builtins that speak of jobs.
 *
 * A job is the processes of one pipeline. Every job is in the list from its first fork on; it gets
 * a number when it becomes visible (in the background, or stopped). With job control each job is
 * its own process group and the terminal is lent to the one in the foreground.
 *
 * Invariants: statuses are collected by note() alone, so no child's status is lost whichever
 * waitpid sees it.
 */
#include "user/sh.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum state { RUNNING, STOPPED, DONE };
enum { MAX_FINISHED = 64 };

struct process {
    pid_t pid;
    int status;
    enum state state;
};

struct job {
    struct job *next;
    int id; /* 0 = never shown */
    pid_t pgid;
    bool changed; /* stopped or done, and the user was not told yet */
    char *text;
    int n;
    struct process *processes;
};

static struct job *jobs;

/* Job table */

struct job *job_new(const char *text)
{
    struct job *job = xcalloc(1, sizeof(*job)), **tail = &jobs;

    job->text = xstrdup(text ? text : "");
    job->text[strcspn(job->text, "\n")] = '\0';
    while (*tail)
        tail = &(*tail)->next;
    *tail = job;
    return job;
}

static void job_drop(struct job *job)
{
    struct job **link = &jobs;

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    free(job->text);
    free(job->processes);
    free(job);
}

static void jobs_forget(void)
{
    while (jobs)
        job_drop(jobs);
}

static enum state job_state(const struct job *job)
{
    enum state state = DONE;

    for (int i = 0; i < job->n; i++) {
        if (job->processes[i].state == RUNNING)
            return RUNNING;
        if (job->processes[i].state == STOPPED)
            state = STOPPED;
    }
    return state;
}

static int exit_code(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return 128 + (WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status));
}

static int job_raw_status(const struct job *job)
{
    int status = job->n ? job->processes[job->n - 1].status : 0;

    for (int i = job->n - 1; sh.opt.pipefail && i >= 0 && status == 0; i--)
        status = job->processes[i].status;
    return status;
}

static void job_number(struct job *job)
{
    int max = 0;

    for (struct job *j = jobs; j; j = j->next)
        if (j->id > max)
            max = j->id;
    if (job->id == 0)
        job->id = max + 1;
}

static struct job *job_of(pid_t pid, struct process **process)
{
    for (struct job *job = jobs; job; job = job->next)
        for (int i = 0; i < job->n; i++)
            if (job->processes[i].pid == pid) {
                *process = &job->processes[i];
                return job;
            }
    return NULL;
}

static void note(pid_t pid, int status)
{
    struct process *process;
    struct job *job = job_of(pid, &process);

    if (!job)
        return;
    if (WIFCONTINUED(status)) {
        process->state = RUNNING;
        return;
    }
    process->status = status;
    process->state = WIFSTOPPED(status) ? STOPPED : DONE;
    job->changed = job_state(job) != RUNNING;
}

/* The job a user means by "fg" alone: the newest stopped one, else the newest. */
static struct job *job_current(void)
{
    struct job *found = NULL;

    for (struct job *job = jobs; job; job = job->next)
        if (job->id && (!found || job_state(job) == STOPPED || job_state(found) != STOPPED))
            found = job;
    return found;
}

static struct job *job_by_text(const char *text)
{
    uint64_t id;

    if (text[0] == '%')
        text++;
    if (!*text || !strcmp(text, "%") || !strcmp(text, "+"))
        return job_current();
    bool number = parse_u64(text, 10, &id);
    for (struct job *job = jobs; job; job = job->next)
        if (job->id &&
            (number ? (uint64_t)job->id == id : strncmp(job->text, text, strlen(text)) == 0))
            return job;
    return NULL;
}

static void job_print(const struct job *job, FILE *to, bool pids)
{
    enum state state = job_state(job);
    int status = job_raw_status(job);
    char text[40];

    if (state == RUNNING)
        strcpy(text, "Running");
    else if (state == STOPPED)
        strcpy(text, "Stopped");
    else if (WIFSIGNALED(status))
        snprintf(text, sizeof(text), "%s", strsignal(WTERMSIG(status)));
    else if (exit_code(status))
        snprintf(text, sizeof(text), "Done(%d)", exit_code(status));
    else
        strcpy(text, "Done");
    fprintf(to, "[%d] %c ", job->id, job == job_current() ? '+' : ' ');
    if (pids && job->n)
        fprintf(to, "%d ", (int)job->processes[0].pid);
    fprintf(to, "%-24s %s\n", text, job->text);
}

/* Starting and waiting */

static void give_terminal(pid_t pgid)
{
    if (sh.job_control)
        tcsetpgrp(sh.tty, pgid);
}

static void child_start(struct job *job, enum fork_mode mode)
{
    bool control = sh.job_control && mode != FORK_PLAIN;

    sh.subshell = true;
    if (control) {
        pid_t pgid = job->pgid ? job->pgid : getpid();

        setpgid(0, pgid);
        /* While SIGTTOU is still ignored: a background process may not do this otherwise. */
        if (mode == FORK_FOREGROUND)
            give_terminal(pgid);
    }
    sh.job_control = sh.opt.monitor = false;
    traps_reset();
    signals_start();
    if (mode == FORK_BACKGROUND && !control) {
        int null = open("/dev/null", O_RDONLY);

        signal_set(SIGINT, SIG_IGN);
        signal_set(SIGQUIT, SIG_IGN);
        if (null >= 0 && null != STDIN_FILENO) {
            dup2(null, STDIN_FILENO);
            close(null);
        }
    }
    sh.opt.interactive = false;
    jobs_forget();
}

pid_t job_fork(struct job *job, enum fork_mode mode)
{
    fflush(stdout);
    pid_t pid = fork();

    if (pid < 0) {
        sh_error(2, "cannot fork: %s", strerror(errno));
        if (job->n == 0)
            job_drop(job);
        return -1;
    }
    if (pid == 0) {
        child_start(job, mode);
        return 0;
    }
    job->processes = xrealloc(job->processes, (size_t)(job->n + 1) * sizeof(struct process));
    job->processes[job->n++] = (struct process){.pid = pid};
    if (sh.job_control && mode != FORK_PLAIN) {
        /* Both sides do it, so that neither depends on who runs first. */
        if (!job->pgid)
            job->pgid = pid;
        setpgid(pid, job->pgid);
        if (mode == FORK_FOREGROUND)
            give_terminal(job->pgid);
    }
    return pid;
}

static void report_death(int status)
{
    int sig = WTERMSIG(status);

    if (sig != SIGINT && sig != SIGPIPE)
        fprintf(stderr, "%s%s\n", strsignal(sig), WCOREDUMP(status) ? " (core dumped)" : "");
}

/* Ctrl-C ended one of its processes, be it the last or not. */
static bool job_interrupted(const struct job *job)
{
    for (int i = 0; i < job->n; i++)
        if (WIFSIGNALED(job->processes[i].status) && WTERMSIG(job->processes[i].status) == SIGINT)
            return true;
    return false;
}

static int job_finish(struct job *job)
{
    int raw = job_raw_status(job), status = exit_code(raw);
    bool foreground = sh.job_control && job->pgid;

    if (foreground)
        give_terminal(sh.pgid);
    if (job_state(job) == STOPPED) {
        job_number(job);
        job->changed = false;
        fputc('\n', stderr);
        job_print(job, stderr, false);
    } else {
        if (WIFSIGNALED(raw))
            report_death(raw);
        if (sh.opt.interactive && job_interrupted(job)) {
            /* The cursor stands behind the terminal's ^C. A loop around the command ends too. */
            fputc('\n', stderr);
            interrupt_noted();
        }
    }
    /* A program that ended by itself may have set the terminal on purpose; others left a mess. */
    if (foreground && WIFEXITED(raw))
        tcgetattr(sh.tty, &sh.tty_modes);
    else if (foreground)
        tcsetattr(sh.tty, TCSADRAIN, &sh.tty_modes);
    if (job_state(job) == DONE)
        job_drop(job);
    return status;
}

int job_wait(struct job *job)
{
    while (job_state(job) == RUNNING) {
        int status;
        pid_t pid = waitpid(-1, &status, sh.job_control ? WUNTRACED : 0);

        if (pid > 0) {
            note(pid, status);
        } else if (errno != EINTR) {
            /* Somebody else collected them (SIGCHLD ignored): there is no status to tell. */
            for (int i = 0; i < job->n; i++)
                job->processes[i].state = DONE;
        }
    }
    return job_finish(job);
}

void job_background(struct job *job)
{
    job_number(job);
    sh.last_background = job->processes[job->n - 1].pid;
    if (sh.opt.interactive)
        fprintf(stderr, "[%d] %d\n", job->id, (int)sh.last_background);
}

/* Collects what has ended, tells an interactive user, and forgets what nobody will ask for. */
void jobs_poll(void)
{
    int status, finished = 0;
    pid_t pid;

    while (jobs && (pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0)
        note(pid, status);
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (job->id == 0 && job_state(job) == DONE) {
            job_drop(job);
        } else if (sh.opt.interactive && job->changed) {
            job->changed = false;
            job_print(job, stderr, false);
            if (job_state(job) == DONE)
                job_drop(job);
        } else if (job_state(job) == DONE) {
            finished++;
        }
    }
    for (struct job *job = jobs, *next; job && finished > MAX_FINISHED; job = next) {
        next = job->next;
        if (job_state(job) == DONE) {
            job_drop(job);
            finished--;
        }
    }
}

bool jobs_stopped(void)
{
    for (struct job *job = jobs; job; job = job->next)
        if (job_state(job) == STOPPED)
            return true;
    return false;
}

void job_control_start(void)
{
    pid_t owner;

    for (int fd = 2; fd >= 0 && sh.tty < 0; fd--)
        if (isatty(fd))
            sh.tty = fcntl(fd, F_DUPFD_CLOEXEC, FD_SAVED);
    if (sh.tty < 0)
        return;
    /* Started in the background: wait until somebody brings us to the front. */
    while ((owner = tcgetpgrp(sh.tty)) >= 0 && owner != getpgrp())
        kill(0, SIGTTIN);
    if (owner < 0) {
        warnx("no controlling terminal: job control is off");
        close(sh.tty);
        sh.tty = -1;
        sh.opt.monitor = false;
        return;
    }
    sh.job_control = sh.opt.monitor = true;
    signals_start();
    setpgid(0, 0);
    sh.pgid = getpgrp();
    give_terminal(sh.pgid);
    tcgetattr(sh.tty, &sh.tty_modes);
}

void job_control_stop(void)
{
    if (!sh.job_control)
        return;
    sh.job_control = false;
    signals_start();
}

/* Builtins */

int builtin_jobs(int argc, char **argv)
{
    bool pids = argc > 1 && strcmp(argv[1], "-l") == 0;
    bool only = argc > 1 && strcmp(argv[1], "-p") == 0;

    jobs_poll();
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (job->id == 0)
            continue;
        if (only)
            printf("%d\n", (int)job->processes[0].pid);
        else
            job_print(job, stdout, pids);
        job->changed = false;
        if (job_state(job) == DONE && sh.opt.interactive)
            job_drop(job);
    }
    return 0;
}

static int no_job(const char *builtin, const char *text)
{
    warnx("%s: %s: no such job", builtin, text);
    return 1;
}

static void job_continue(struct job *job)
{
    for (int i = 0; i < job->n; i++)
        if (job->processes[i].state == STOPPED)
            job->processes[i].state = RUNNING;
    job->changed = false;
    kill(-job->pgid, SIGCONT);
}

int builtin_fg(int argc, char **argv)
{
    struct job *job = job_by_text(argc > 1 ? argv[1] : "%");

    if (!sh.job_control || !job || !job->pgid)
        return no_job(argv[0], argc > 1 ? argv[1] : "current");
    printf("%s\n", job->text);
    fflush(stdout);
    give_terminal(job->pgid);
    job_continue(job);
    return job_wait(job);
}

int builtin_bg(int argc, char **argv)
{
    struct job *job = job_by_text(argc > 1 ? argv[1] : "%");

    if (!sh.job_control || !job || !job->pgid)
        return no_job(argv[0], argc > 1 ? argv[1] : "current");
    job_continue(job);
    printf("[%d] %s\n", job->id, job->text);
    return 0;
}

/* Sleeps until a child's state or a signal must be looked at; false when there are no children. */
static bool wait_any(const sigset_t *unblocked)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG | (sh.job_control ? WUNTRACED : 0));

    if (pid > 0)
        note(pid, status);
    else if (pid == 0)
        sigsuspend(unblocked);
    return pid >= 0;
}

static int wait_for(struct job *job, const struct process *process, const sigset_t *unblocked)
{
    while (job_state(job) == RUNNING && (!process || process->state == RUNNING)) {
        if (signals_waiting())
            return -1;
        if (!wait_any(unblocked))
            break;
    }
    int status = exit_code(process ? process->status : job_raw_status(job));
    if (job_state(job) == DONE)
        job_drop(job);
    return status;
}

static int wait_argument(const char *text, const sigset_t *unblocked)
{
    struct process *process = NULL;
    struct job *job;
    uint64_t pid;

    if (text[0] == '%')
        job = job_by_text(text);
    else
        job = parse_u64(text, 10, &pid) ? job_of((pid_t)pid, &process) : NULL;
    return job ? wait_for(job, process, unblocked) : 127;
}

static int wait_all(const sigset_t *unblocked)
{
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (job->id && job_state(job) != STOPPED && wait_for(job, NULL, unblocked) < 0)
            return -1;
    }
    return 0;
}

static void on_child(int sig)
{
    (void)sig;
}

/*
 * Signals are blocked except inside sigsuspend: one that arrives between the look at the children
 * and the sleep would be lost otherwise.
 */
int builtin_wait(int argc, char **argv)
{
    struct sigaction child = {.sa_handler = on_child}, old_child;
    sigset_t all, old;
    int status = 0;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    sigaction(SIGCHLD, &child, &old_child);
    if (argc < 2)
        status = wait_all(&old);
    for (int i = 1; i < argc && status >= 0; i++)
        status = wait_argument(argv[i], &old);
    if (status < 0)
        status = 128 + signals_waiting();
    sigaction(SIGCHLD, &old_child, NULL);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return status;
}

static int kill_list(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        int sig = signal_number(argv[i]);
        uint64_t number;

        if (sig < 0 && parse_u64(argv[i], 10, &number) && number < 256)
            sig = (int)(number & 127);
        if (parse_u64(argv[i], 10, &number) && sigabbrev_np(sig & 127))
            printf("%s\n", sigabbrev_np(sig & 127));
        else if (sig >= 0)
            printf("%d\n", sig);
        else
            return warnx("kill: %s: no such signal", argv[i]), 1;
    }
    for (int sig = 1; argc < 3 && sig < NSIG; sig++)
        if (sigabbrev_np(sig))
            printf("%s\n", sigabbrev_np(sig));
    return 0;
}

static int kill_one(const char *text, int sig)
{
    int64_t pid;

    if (text[0] == '%') {
        struct job *job = job_by_text(text);

        if (!job)
            return no_job("kill", text);
        pid = job->pgid ? -job->pgid : job->processes[0].pid;
        /* A stopped job sees the signal only when it runs. */
        if (job_state(job) == STOPPED && kill((pid_t)pid, sig) == 0) {
            job_continue(job);
            return 0;
        }
    } else if (!parse_i64(text, 10, &pid) || pid != (pid_t)pid) {
        warnx("kill: %s: not a process or job", text);
        return 1;
    }
    if (kill((pid_t)pid, sig) == 0)
        return 0;
    warn("kill: %s", text);
    return 1;
}

int builtin_kill(int argc, char **argv)
{
    int sig = SIGTERM, i = 1, status = 0;

    if (argc > 1 && strcmp(argv[1], "-l") == 0)
        return kill_list(argc, argv);
    if (argc > 2 && strcmp(argv[1], "-s") == 0) {
        sig = signal_number(argv[2]);
        i = 3;
    } else if (argc > 1 && argv[1][0] == '-' && argv[1][1] && strcmp(argv[1], "--") != 0) {
        sig = signal_number(argv[1] + 1);
        i = 2;
    }
    if (sig < 0) {
        warnx("kill: no such signal");
        return 1;
    }
    if (i < argc && strcmp(argv[i], "--") == 0)
        i++;
    if (i >= argc) {
        warnx("usage: kill [-SIGNAL | -s SIGNAL | -l] PID|%%JOB...");
        return 2;
    }
    for (; i < argc; i++)
        status |= kill_one(argv[i], sig);
    return status;
}
