/* SPDX-License-Identifier: MIT */
/*
 * mount and umount, and the reading of /proc/mounts for them and for df.
 *
 * Without -t the types that /proc/filesystems calls disk formats are tried in turn. A line of the
 * table has its blanks written as \040 and the like.
 */
#include "user/mounts.h"

#include "user/box.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* The table */

FILE *mounts_open(void)
{
    FILE *table = fopen("/proc/mounts", "re");

    if (!table)
        die("/proc/mounts");
    return table;
}

static void unescape(char *s)
{
    char *out = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

const struct mount_entry *mounts_next(FILE *table)
{
    static struct mount_entry entry;
    static char *line;
    static size_t room;
    char *save;

    while (getline(&line, &room, table) > 0) {
        entry.device = strtok_r(line, " \n", &save);
        entry.directory = strtok_r(NULL, " \n", &save);
        entry.type = strtok_r(NULL, " \n", &save);
        entry.options = strtok_r(NULL, " \n", &save);
        if (!entry.options)
            continue;
        unescape(entry.device);
        unescape(entry.directory);
        return &entry;
    }
    return NULL;
}

/* mount */

static const struct {
    const char *name;
    unsigned long set, clear;
} flag_names[] = {
    {"ro", MS_RDONLY, 0},         {"rw", 0, MS_RDONLY},       {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},       {"nodev", MS_NODEV, 0},     {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},     {"exec", 0, MS_NOEXEC},     {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS}, {"noatime", MS_NOATIME, 0}, {"atime", 0, MS_NOATIME},
    {"relatime", MS_RELATIME, 0}, {"remount", MS_REMOUNT, 0}, {"bind", MS_BIND, 0},
    {"defaults", 0, 0},
};

/* Words that are flags go to *flags; the others stay, joined by commas, for the file system. */
static void parse_options(const char *words, unsigned long *flags, char **data)
{
    char *copy = xstrdup(words), *save, *word;

    for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        size_t i = 0;

        while (i < ARRAY_SIZE(flag_names) && strcmp(flag_names[i].name, word) != 0)
            i++;
        if (i < ARRAY_SIZE(flag_names)) {
            *flags = (*flags & ~flag_names[i].clear) | flag_names[i].set;
            continue;
        }
        char *joined = *data ? xasprintf("%s,%s", *data, word) : xstrdup(word);
        free(*data);
        *data = joined;
    }
    free(copy);
}

static int list_mounts(const char *type)
{
    FILE *table = mounts_open();
    const struct mount_entry *m;

    while ((m = mounts_next(table)) != NULL)
        if (!type || strcmp(type, m->type) == 0)
            printf("%s on %s type %s (%s)\n", m->device, m->directory, m->type, m->options);
    fclose(table);
    return 0;
}

static int try_types(const char *device, const char *dir, unsigned long flags, const char *data)
{
    FILE *table = fopen("/proc/filesystems", "re");
    char line[128], type[64];
    int result = -1, err = ENODEV;

    if (!table)
        return mount(device, dir, "ext2", flags, data);
    while (result != 0 && fgets(line, sizeof(line), table)) {
        if (strncmp(line, "nodev", 5) == 0 || sscanf(line, " %63s", type) != 1)
            continue;
        result = mount(device, dir, type, flags, data);
        /* EINVAL is a format that this is not; any other error says more. */
        if (result != 0 && (err == ENODEV || errno != EINVAL))
            err = errno;
    }
    fclose(table);
    errno = err;
    return result;
}

/* `mount -o remount,ro DIR`: the device is found in the table. */
static char *device_of(const char *dir)
{
    FILE *table = mounts_open();
    const struct mount_entry *m;
    char *device = NULL;

    while ((m = mounts_next(table)) != NULL) {
        if (strcmp(m->directory, dir) != 0 && strcmp(m->device, dir) != 0)
            continue;
        free(device);
        device = xstrdup(m->device);
    }
    fclose(table);
    if (!device)
        diex("%s: not in /proc/mounts", dir);
    return device;
}

int mount_main(int argc, char **argv)
{
    const char *type = NULL;
    unsigned long flags = 0;
    char *data = NULL, *found = NULL;
    int opt;

    while ((opt = getopt(argc, argv, "o:rt:w")) != -1) {
        switch (opt) {
        case 'o': parse_options(optarg, &flags, &data); break;
        case 'r': flags |= MS_RDONLY; break;
        case 't': type = optarg; break;
        case 'w': flags &= ~(unsigned long)MS_RDONLY; break;
        default: usage(1);
        }
    }
    argc -= optind;
    argv += optind;
    if (argc == 0)
        return list_mounts(type);
    if (argc > 2 || (argc == 1 && !(flags & MS_REMOUNT)))
        usage(1);
    const char *dir = argv[argc - 1];
    const char *device = argc == 2 ? argv[0] : (found = device_of(dir));
    int result = type || (flags & (MS_REMOUNT | MS_BIND))
                     ? mount(device, dir, type ? type : "", flags, data)
                     : try_types(device, dir, flags, data);
    if (result != 0)
        warn("mounting %s on %s failed", device, dir);
    free(data);
    free(found);
    return result == 0 ? 0 : 32;
}

int umount_main(int argc, char **argv)
{
    bool ok = true;
    int opt, flags = 0;

    while ((opt = getopt(argc, argv, "fl")) != -1) {
        switch (opt) {
        case 'f': flags |= MNT_FORCE; break;
        case 'l': flags |= MNT_DETACH; break;
        default: usage(1);
        }
    }
    if (optind == argc)
        usage(1);
    for (int i = optind; i < argc; i++) {
        if (umount2(argv[i], flags) == 0)
            continue;
        warn("%s", argv[i]);
        ok = false;
    }
    return ok ? 0 : 32;
}
