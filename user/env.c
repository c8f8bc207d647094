/* SPDX-License-Identifier: MIT */
/*
 * env: prints the environment, or runs a command in a changed one.
 */
#include "user/box.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int env_main(int argc, char **argv)
{
    int opt;

    /* '+': what follows the command is the command's own. */
    while ((opt = getopt(argc, argv, "+iu:")) != -1) {
        switch (opt) {
        case 'i': clearenv(); break;
        case 'u': unsetenv(optarg); break;
        default: usage(125);
        }
    }
    if (optind < argc && strcmp(argv[optind], "-") == 0) {
        clearenv();
        optind++;
    }
    for (; optind < argc && strchr(argv[optind], '='); optind++)
        if (putenv(argv[optind]) != 0)
            die("%s", argv[optind]);
    if (optind < argc) {
        execvp(argv[optind], argv + optind);
        warn("'%s'", argv[optind]);
        return errno == ENOENT ? 127 : 126;
    }
    for (char **e = environ; e && *e; e++)
        puts(*e);
    return 0;
}
