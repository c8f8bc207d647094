/* SPDX-License-Identifier: MIT */
/*
 * mkdir, mkfifo and mknod: names for new things, with -m for their mode. An explicit mode is set
 * after the creation, so that the umask does not take anything away from it.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static mode_t given_mode;

static void read_operands(int *argc, char ***argv, const char *letters, mode_t base)
{
    read_options(argc, argv, letters, 1);
    if (*argc == 0) {
        warnx("missing operand");
        usage(1);
    }
    if (opt('m') && !parse_mode(opt_value('m'), base, &given_mode))
        diex("invalid mode '%s'", opt_value('m'));
}

/* What a call to make something returned, and then its mode. */
static bool made(int result, const char *what, const char *path)
{
    if (result == 0 && (!opt('m') || chmod(path, given_mode) == 0))
        return true;
    warn("cannot %s%s '%s'", result ? "create " : "set permissions of ", what, path);
    return false;
}

static bool make_parents(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0777) != 0 && !is_directory(path)) {
            warn("cannot create directory '%s'", path);
            return false;
        }
        *p = '/';
    }
    return is_directory(path) || made(mkdir(path, 0777), "directory", path);
}

int mkdir_main(int argc, char **argv)
{
    bool ok = true;

    read_operands(&argc, &argv, "m:p", S_IFDIR | 0777);
    for (int i = 0; i < argc; i++)
        ok &= opt('p') ? make_parents(argv[i]) : made(mkdir(argv[i], 0777), "directory", argv[i]);
    return ok ? 0 : 1;
}

int mkfifo_main(int argc, char **argv)
{
    bool ok = true;

    read_operands(&argc, &argv, "m:", 0666);
    for (int i = 0; i < argc; i++)
        ok &= made(mkfifo(argv[i], 0666), "fifo", argv[i]);
    return ok ? 0 : 1;
}

int mknod_main(int argc, char **argv)
{
    uint64_t number[2];

    read_operands(&argc, &argv, "m:", 0666);
    if (argc == 2 && strcmp(argv[1], "p") == 0)
        return made(mkfifo(argv[0], 0666), "fifo", argv[0]) ? 0 : 1;
    if (argc != 4 || strlen(argv[1]) != 1 || !strchr("bcu", argv[1][0]))
        usage(1);
    for (int i = 0; i < 2; i++)
        if (!parse_u64(argv[2 + i], 0, &number[i]) || number[i] > (i ? 0xfffff : 4095))
            diex("invalid device number '%s'", argv[2 + i]);
    mode_t type = argv[1][0] == 'b' ? S_IFBLK : S_IFCHR;
    dev_t device = makedev((unsigned)number[0], (unsigned)number[1]);
    return made(mknod(argv[0], 0666 | type, device), "device", argv[0]) ? 0 : 1;
}
