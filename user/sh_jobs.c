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

static int job_raw_status(const struct job *job)
{
    return job->n ? job->processes[job->n - 1].status : 0;
}

static void job_number(struct job *job)
{
    int max = 0;

    for (struct job *j = jobs; j; j = j->next)
        max = j->id > max ? j->id : max;
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

static void job_print(const struct job *job, FILE *to)
{
    enum state state = job_state(job);
    int status = job_raw_status(job);
    char done[24] = "Done";

    if (exit_code(status))
        snprintf(done, sizeof(done), "Done(%d)", exit_code(status));
    fprintf(to, "[%d] %c %-24s %s\n", job->id, job == job_current() ? '+' : ' ',
            state == RUNNING      ? "Running"
            : state == STOPPED    ? "Stopped"
            : WIFSIGNALED(status) ? strsignal(WTERMSIG(status))
                                  : done,
            job->text);
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
    sh.job_control = false;
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
    while (jobs)
        job_drop(jobs);
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
        job_print(job, stderr);
    } else {
        if (WIFSIGNALED(raw) && WTERMSIG(raw) != SIGINT && WTERMSIG(raw) != SIGPIPE)
            fprintf(stderr, "%s%s\n", strsignal(WTERMSIG(raw)),
                    WCOREDUMP(raw) ? " (core dumped)" : "");
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
    for (const struct job *job = jobs; job; job = job->next)
        finished += job_state(job) == DONE;
    for (struct job *job = jobs, *next; job; job = next) {
        bool told = sh.opt.interactive && job->changed;

        next = job->next;
        if (told)
            job_print(job, stderr);
        job->changed &= !told;
        if (job_state(job) == DONE && (told || job->id == 0 || finished-- > MAX_FINISHED))
            job_drop(job);
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
        return;
    }
    sh.job_control = true;
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
    (void)argc, (void)argv;
    jobs_poll();
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (job->id == 0)
            continue;
        job_print(job, stdout);
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

/* fg and bg */
int builtin_fg(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : "%";
    struct job *job = job_by_text(text);

    if (!sh.job_control || !job || !job->pgid)
        return no_job(argv[0], text);
    if (argv[0][0] == 'b') {
        job_continue(job);
        printf("[%d] %s\n", job->id, job->text);
        return 0;
    }
    printf("%s\n", job->text);
    fflush(stdout);
    give_terminal(job->pgid);
    job_continue(job);
    return job_wait(job);
}

char **job_targets(int *argc, char **argv)
{
    struct list words = {0};

    for (int i = 0; i < *argc; i++) {
        struct job *job = argv[i][0] == '%' ? job_by_text(argv[i]) : NULL;
        char number[16];

        if (argv[i][0] == '%' && !job)
            return no_job(argv[0], argv[i]), NULL;
        /* A negative number could be taken for a signal. */
        if (job && i == 1)
            list_add(sh.scratch, &words, (char *)"--");
        /* A stopped job sees the signal only when it runs. */
        if (job && job_state(job) == STOPPED)
            job_continue(job);
        if (job)
            snprintf(number, sizeof(number), "%d", job->pgid ? -job->pgid : job->processes[0].pid);
        list_add(sh.scratch, &words, job ? scratch_copy(number) : argv[i]);
    }
    *argc = words.n;
    return words.v;
}

/* Until the process, or with NULL the whole job, has changed; -1 if a signal must be looked at. */
static int wait_for(struct job *job, const struct process *process, const sigset_t *unblocked)
{
    int status = 0;
    pid_t pid = 0;

    while (pid >= 0 && job_state(job) == RUNNING && (!process || process->state == RUNNING)) {
        if (signals_waiting())
            return -1;
        pid = waitpid(-1, &status, WNOHANG | (sh.job_control ? WUNTRACED : 0));
        if (pid > 0)
            note(pid, status);
        else if (pid == 0)
            sigsuspend(unblocked);
    }
    status = exit_code(process ? process->status : job_raw_status(job));
    if (job_state(job) == DONE)
        job_drop(job);
    return status;
}

static int wait_argument(const char *text, const sigset_t *unblocked)
{
    struct process *process = NULL;
    struct job *job = NULL;
    uint64_t pid;

    if (text[0] == '%')
        job = job_by_text(text);
    else if (parse_u64(text, 10, &pid))
        job = job_of((pid_t)pid, &process);
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
