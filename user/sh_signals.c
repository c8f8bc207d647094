/* SPDX-License-Identifier: MIT */
/*
 * Signals and traps: what each signal does to the shell, and what runs when a trapped one comes.
 *
 * Invariants: handlers only set flags, which traps_run and interrupted look at between commands;
 * a non-interactive shell cannot trap what was ignored when it started (POSIX, trap).
 */
#include "user/sh.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *trap_actions[NSIG];
static enum { UNKNOWN, DEFAULT, IGNORED } at_start[NSIG];
static volatile sig_atomic_t trap_pending[NSIG], traps_waiting;
/* INT_CHILD: it was the foreground job that ^C ended, and the new line it needs was printed. */
static volatile sig_atomic_t interrupt_pending;
enum { INT_NONE, INT_SHELL, INT_CHILD };

static void on_signal(int sig)
{
    if (trap_actions[sig]) {
        trap_pending[sig] = 1;
        traps_waiting = 1;
    } else if (sig == SIGINT) {
        interrupt_pending = INT_SHELL;
    }
}

void signal_set(int sig, void (*handler)(int))
{
    struct sigaction sa = {.sa_handler = handler};

    sigaction(sig, &sa, NULL);
}

/* Asked before anything else is done with the signal. */
static bool ignored_at_start(int sig)
{
    struct sigaction old;

    if (at_start[sig] == UNKNOWN)
        at_start[sig] =
            sigaction(sig, NULL, &old) == 0 && old.sa_handler == SIG_IGN ? IGNORED : DEFAULT;
    return at_start[sig] == IGNORED;
}

/* Gives a signal the disposition that traps, interactivity and job control ask for. */
static void signal_update(int sig)
{
    const char *action = trap_actions[sig];
    bool at_terminal = sh.opt.interactive && !sh.subshell, ignored = ignored_at_start(sig);

    if (action)
        signal_set(sig, *action ? on_signal : SIG_IGN);
    else if (at_terminal && sig == SIGINT)
        signal_set(sig, on_signal);
    else if (at_terminal && (sig == SIGQUIT || sig == SIGTERM))
        signal_set(sig, SIG_IGN);
    else if (sh.job_control && (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU))
        signal_set(sig, SIG_IGN);
    else
        signal_set(sig, ignored ? SIG_IGN : SIG_DFL);
}

void signals_start(void)
{
    static const int own[] = {SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        signal_update(own[i]);
    /* A parent that ignored SIGCHLD would take our children's statuses away. */
    if (!trap_actions[SIGCHLD])
        signal_set(SIGCHLD, SIG_DFL);
}

void traps_reset(void)
{
    for (int sig = 0; sig < NSIG; sig++) {
        if (!trap_actions[sig] || (sig && !*trap_actions[sig]))
            continue;
        free(trap_actions[sig]);
        trap_actions[sig] = NULL;
        trap_pending[sig] = 0;
        if (sig)
            signal_update(sig);
    }
    traps_waiting = 0;
}

bool traps_any(void)
{
    for (int sig = 0; sig < NSIG; sig++)
        if (trap_actions[sig] && *trap_actions[sig])
            return true;
    return false;
}

static void trap_run(int sig)
{
    int status = sh.status;
    char *action = xstrdup(trap_actions[sig]);

    run_string(action);
    free(action);
    if (sh.unwind != EXIT && sh.unwind != ABORT)
        sh.status = status;
}

void traps_run(void)
{
    while (traps_waiting && !sh.unwind) {
        traps_waiting = 0;
        for (int sig = 1; sig < NSIG; sig++)
            if (trap_pending[sig]) {
                trap_pending[sig] = 0;
                if (trap_actions[sig])
                    trap_run(sig);
            }
    }
}

void trap_exit_run(void)
{
    char *action = trap_actions[0];
    int status = sh.status;

    if (!action)
        return;
    trap_actions[0] = NULL;
    sh.unwind = RUN;
    run_string(action);
    if (sh.unwind != EXIT)
        sh.status = status;
    free(action);
}

/* Ctrl-C reached the shell itself: what runs is given up. */
bool interrupted(void)
{
    if (interrupt_pending == INT_NONE)
        return false;
    if (interrupt_pending == INT_SHELL)
        fputc('\n', stderr);
    interrupt_pending = INT_NONE;
    sh.status = 128 + SIGINT;
    sh.unwind = ABORT;
    return true;
}

/* The foreground job died of Ctrl-C, and its line was ended: what runs around it is to end too. */
void interrupt_noted(void)
{
    interrupt_pending = INT_CHILD;
}

/* The number of a signal that must be looked at; 0 if none. */
int signals_waiting(void)
{
    for (int sig = 1; traps_waiting && sig < NSIG; sig++)
        if (trap_pending[sig])
            return sig;
    return interrupt_pending ? SIGINT : 0;
}

static void traps_print(void)
{
    for (int sig = 0; sig < NSIG; sig++) {
        if (!trap_actions[sig])
            continue;
        printf("trap -- ");
        print_quoted(trap_actions[sig]);
        if (sigabbrev_np(sig) || sig == 0)
            printf(" %s\n", sig ? sigabbrev_np(sig) : "EXIT");
        else
            printf(" %d\n", sig);
    }
}

static void trap_set(int sig, const char *action)
{
    free(trap_actions[sig]);
    trap_actions[sig] = action ? xstrdup(action) : NULL;
    if (sig)
        signal_update(sig);
}

int builtin_trap(int argc, char **argv)
{
    int i = 1 + (argc > 1 && strcmp(argv[1], "--") == 0), status = 0;
    const char *action = NULL;
    uint64_t number;

    if (i >= argc) {
        traps_print();
        return 0;
    }
    /* "trap 2" alone and "trap - INT" bring the default back. */
    if (!parse_u64(argv[i], 10, &number) && i + 1 < argc) {
        action = strcmp(argv[i], "-") == 0 ? NULL : argv[i];
        i++;
    }
    for (; i < argc; i++) {
        int sig = strcmp(argv[i], "EXIT") == 0 ? 0 : signal_number(argv[i]);

        if (sig < 0) {
            warnx("trap: %s: no such signal", argv[i]);
            status = 1;
        } else if (!ignored_at_start(sig) || sh.opt.interactive) {
            trap_set(sig, action);
        }
    }
    return status;
}
