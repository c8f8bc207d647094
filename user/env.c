/* SPDX-License-Identifier: MIT */
/*
 * env: prints the environment, or runs a command in a changed one.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int env_main(int argc, char **argv)
{
    /* '+': what follows the command is the command's own. */
    read_options(&argc, &argv, "+iu:", 125);
    bool dash = argc > 0 && strcmp(argv[0], "-") == 0;
    argc -= dash, argv += dash;
    if (opt('i') || dash)
        clearenv();
    if (opt('u'))
        for (char *rest = opt_values('u'), *name; (name = strsep(&rest, "\n")) != NULL;)
            unsetenv(name);
    for (; argc > 0 && strchr(argv[0], '='); argc--, argv++)
        if (putenv(argv[0]) != 0)
            die("%s", argv[0]);
    if (argc > 0)
        exec_program(argv);
    for (char **e = environ; e && *e; e++)
        puts(*e);
    return 0;
}
