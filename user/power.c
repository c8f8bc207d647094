/* SPDX-License-Identifier: MIT */
/*
 * poweroff, reboot and sync: everything written, then the machine's end.
 *
 * init ends the processes and the machine when it gets SIGUSR2 (off) or SIGINT (restart). With -f,
 * or when init has not done it after a while, the kernel is asked directly.
 */
#include "user/box.h"

#include <signal.h>
#include <sys/reboot.h>
#include <unistd.h>

#define INIT_SECONDS 5

static int shut_down(int argc, char **argv, int init_signal, int how)
{
    read_options(&argc, &argv, "f", 1);
    if (argc > 0)
        usage(1);
    if (!opt('f') && kill(1, init_signal) == 0)
        sleep(INIT_SECONDS); /* ended by init, with all the others */
    sync();
    reboot(how);
    die("cannot do it");
}

int poweroff_main(int argc, char **argv)
{
    return shut_down(argc, argv, SIGUSR2, RB_POWER_OFF);
}

int reboot_main(int argc, char **argv)
{
    return shut_down(argc, argv, SIGINT, RB_AUTOBOOT);
}

int sync_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    sync();
    return 0;
}
