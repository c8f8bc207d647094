/* SPDX-License-Identifier: MIT */
/*
 * kill: a signal, by name or number, for processes and (negative) process groups. The shell runs it
 * too, having put process groups in the place of jobs.
 */
#include "user/box.h"

#include <signal.h>
#include <string.h>

/* kill -l WORD: a name becomes its number; a number, also an exit status, its name. */
static bool list_signal(const char *word)
{
    int number = signal_number(word);
    uint64_t status;
    bool numeric = parse_u64(word, 10, &status);

    if (numeric && status > 128 && status < 128 + NSIG)
        number = (int)status - 128;
    if (number < 0 || (number > 0 && !sigabbrev_np(number))) {
        warnx("unknown signal '%s'", word);
        return false;
    }
    if (numeric)
        puts(number ? sigabbrev_np(number) : "EXIT");
    else
        printf("%d\n", number);
    return true;
}

static bool send(const char *text, int number)
{
    int64_t pid;

    if (!parse_i64(text, 10, &pid) || pid != (pid_t)pid) {
        warnx("invalid process id '%s'", text);
        return false;
    }
    if (kill((pid_t)pid, number) == 0)
        return true;
    warn("(%s)", text);
    return false;
}

/* Options are read by hand: "-9", "-KILL" and "-1" as a process group look alike to getopt. */
int kill_main(int argc, char **argv)
{
    int number = SIGTERM, i = 1;
    bool ok = true;

    if (argc > 1 && strcmp(argv[1], "-l") == 0) {
        for (int sig = 1; argc == 2 && sig < NSIG; sig++)
            if (sigabbrev_np(sig))
                printf("%d %s\n", sig, sigabbrev_np(sig));
        for (i = 2; i < argc; i++)
            ok &= list_signal(argv[i]);
        return ok ? 0 : 1;
    }
    if (argc > 2 && strcmp(argv[1], "-s") == 0)
        i = 3;
    else if (argc > 1 && argv[1][0] == '-' && strcmp(argv[1], "--") != 0)
        i = 2;
    if (i > 1 && (number = signal_number(i == 3 ? argv[2] : argv[1] + 1)) < 0) {
        warnx("unknown signal '%s'", i == 3 ? argv[2] : argv[1] + 1);
        return 1;
    }
    if (i < argc && strcmp(argv[i], "--") == 0)
        i++;
    if (i >= argc)
        return usage_error(1);
    for (; i < argc; i++)
        ok &= send(argv[i], number);
    return ok ? 0 : 1;
}
