/* SPDX-License-Identifier: MIT */
/*
 * kill: a signal, by name or number, for processes and (negative) process groups.
 */
#include "user/box.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static int list_all(void)
{
    int column = 0;

    for (int number = 1; number < NSIG; number++) {
        const char *name = signal_name(number);

        if (name)
            printf("%2d) %-7s%s", number, name, ++column % 6 == 0 ? "\n" : " ");
    }
    if (column % 6)
        putchar('\n');
    return 0;
}

/* kill -l WORD: a name becomes its number; a number, also an exit status, its name. */
static int list_one(const char *word)
{
    int number = signal_number(word);
    uint64_t status;

    if (number < 0 && parse_u64(word, 10, &status) && status > 128 && status < 128 + NSIG)
        number = (int)status - 128;
    if (number > 128)
        number -= 128;
    if (number < 0 || (number > 0 && !signal_name(number))) {
        warnx("unknown signal '%s'", word);
        return 1;
    }
    if (parse_u64(word, 10, &status))
        printf("%s\n", number ? signal_name(number) : "EXIT");
    else
        printf("%d\n", number);
    return 0;
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
    const char *name = NULL;
    int number = SIGTERM, i = 1;
    bool ok = true;

    if (argc > 1 && strcmp(argv[1], "-l") == 0) {
        if (argc == 2)
            return list_all();
        for (i = 2; i < argc; i++)
            ok &= list_one(argv[i]) == 0;
        return ok ? 0 : 1;
    }
    if (argc > 2 && (strcmp(argv[1], "-s") == 0 || strcmp(argv[1], "-n") == 0)) {
        name = argv[2];
        i = 3;
    } else if (argc > 1 && argv[1][0] == '-' && strcmp(argv[1], "--") != 0) {
        name = argv[1] + 1;
        i = 2;
    }
    if (name && (number = signal_number(name)) < 0) {
        warnx("unknown signal '%s'", name);
        return 1;
    }
    if (i < argc && strcmp(argv[i], "--") == 0)
        i++;
    if (i == argc)
        return usage_error(1);
    for (; i < argc; i++)
        ok &= send(argv[i], number);
    return ok ? 0 : 1;
}
