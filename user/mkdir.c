/* SPDX-License-Identifier: MIT */
/*
 * mkdir, mkfifo and mknod: names for new things, with -m for their mode. An explicit mode is set
 * after the creation, so that the umask does not take anything away from it.
 */
#include "user/box.h"
#include "user/mode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool mode_given;
static mode_t given_mode;

static void read_mode(const char *text, mode_t base)
{
    if (!parse_mode(text, base, &given_mode))
        diex("invalid mode '%s'", text);
    mode_given = true;
}

static bool apply_mode(const char *path)
{
    if (!mode_given || chmod(path, given_mode) == 0)
        return true;
    warn("cannot set permissions of '%s'", path);
    return false;
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool make_one(const char *path)
{
    if (mkdir(path, 0777) != 0) {
        warn("cannot create directory '%s'", path);
        return false;
    }
    return apply_mode(path);
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
    return is_directory(path) || make_one(path);
}

int mkdir_main(int argc, char **argv)
{
    bool parents = false, ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "m:p")) != -1) {
        switch (opt) {
        case 'm': read_mode(optarg, S_IFDIR | 0777); break;
        case 'p': parents = true; break;
        default: usage(1);
        }
    }
    if (optind == argc) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = optind; i < argc; i++)
        ok &= parents ? make_parents(argv[i]) : make_one(argv[i]);
    return ok ? 0 : 1;
}

static bool make_fifo(const char *path)
{
    if (mkfifo(path, 0666) != 0) {
        warn("cannot create fifo '%s'", path);
        return false;
    }
    return apply_mode(path);
}

int mkfifo_main(int argc, char **argv)
{
    bool ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "m:")) != -1) {
        if (opt == '?')
            usage(1);
        read_mode(optarg, 0666);
    }
    if (optind == argc) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = optind; i < argc; i++)
        ok &= make_fifo(argv[i]);
    return ok ? 0 : 1;
}

static bool make_device(const char *path, char type, const char *major_text, const char *minor_text)
{
    uint64_t major_number, minor_number;

    if (!parse_u64(major_text, 0, &major_number) || major_number > 4095)
        diex("invalid major device number '%s'", major_text);
    if (!parse_u64(minor_text, 0, &minor_number) || minor_number > 0xfffff)
        diex("invalid minor device number '%s'", minor_text);
    if (mknod(path, 0666 | (type == 'b' ? S_IFBLK : S_IFCHR),
              makedev((unsigned)major_number, (unsigned)minor_number)) != 0) {
        warn("%s", path);
        return false;
    }
    return apply_mode(path);
}

int mknod_main(int argc, char **argv)
{
    int opt;

    while ((opt = getopt(argc, argv, "m:")) != -1) {
        if (opt == '?')
            usage(1);
        read_mode(optarg, 0666);
    }
    argc -= optind;
    argv += optind;
    if (argc == 2 && strcmp(argv[1], "p") == 0)
        return make_fifo(argv[0]) ? 0 : 1;
    if (argc != 4 || strlen(argv[1]) != 1 || !strchr("bcu", argv[1][0]))
        usage(1);
    return make_device(argv[0], argv[1][0], argv[2], argv[3]) ? 0 : 1;
}
