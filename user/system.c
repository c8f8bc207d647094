/* SPDX-License-Identifier: MIT */
/*
 * uname, hostname, nproc: what machine this is.
 */
#include "user/box.h"

#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The fields in the order of -a, whatever the order of the options. */
int uname_main(int argc, char **argv)
{
    static const char letters[] = "snrvmo";
    struct utsname u;
    bool wanted[sizeof(letters)] = {false};
    const char *gap = "";
    int opt;

    while ((opt = getopt(argc, argv, "amnorsv")) != -1) {
        if (opt == '?')
            usage(1);
        for (size_t i = 0; letters[i]; i++)
            wanted[i] |= opt == 'a' || opt == letters[i];
    }
    if (optind < argc) {
        warnx("extra operand '%s'", argv[optind]);
        usage(1);
    }
    if (argc == 1)
        wanted[0] = true;
    if (uname(&u) != 0)
        die("cannot get system name");
    const char *fields[] = {u.sysname, u.nodename, u.release, u.version, u.machine, u.sysname};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (!wanted[i])
            continue;
        printf("%s%s", gap, fields[i]);
        gap = " ";
    }
    putchar('\n');
    return 0;
}

int hostname_main(int argc, char **argv)
{
    char name[256] = "";

    if (argc > 2)
        usage(1);
    if (argc == 2) {
        if (sethostname(argv[1], strlen(argv[1])) != 0)
            die("cannot set the name");
        return 0;
    }
    if (gethostname(name, sizeof(name) - 1) != 0)
        die("cannot get the name");
    puts(name);
    return 0;
}

int nproc_main(int argc, char **argv)
{
    cpu_set_t set;

    (void)argv;
    if (argc > 1)
        usage(1);
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        printf("%d\n", CPU_COUNT(&set));
    else
        printf("%ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    return 0;
}
