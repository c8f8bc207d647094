/* SPDX-License-Identifier: MIT */
/*
 * clear: an empty screen with the cursor at its top, for any terminal that knows ECMA-48.
 */
#include "user/box.h"

int clear_main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        usage(1);
    fputs("\033[H\033[2J\033[3J", stdout);
    return 0;
}
