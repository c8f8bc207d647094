/* SPDX-License-Identifier: MIT */
/*
 * mount, umount and df: the file systems in use, as /proc/mounts tells them. Without -t a
 * disk's format is ext2, the only one there is.
 */
#include "user/box.h"

#include <inttypes.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

static FILE *open_mounts(void)
{
    FILE *table = setmntent("/proc/mounts", "re");

    if (!table)
        die("/proc/mounts");
    return table;
}

/* mount */

static const struct {
    const char *name;
    unsigned long flag;
} flag_names[] = {
    {"ro", MS_RDONLY},       {"nosuid", MS_NOSUID},     {"nodev", MS_NODEV},
    {"noexec", MS_NOEXEC},   {"sync", MS_SYNCHRONOUS},  {"noatime", MS_NOATIME},
    {"remount", MS_REMOUNT}, {"relatime", MS_RELATIME}, {"rw", 0},
    {"defaults", 0},
};

/* Words that are flags go to *flags; the others stay, joined by commas, for the file system. */
static char *parse_options(char *words, unsigned long *flags)
{
    char *data = NULL, *word;

    while ((word = strsep(&words, ",\n")) != NULL) {
        size_t i = 0;

        while (i < ARRAY_SIZE(flag_names) && strcmp(flag_names[i].name, word) != 0)
            i++;
        if (i < ARRAY_SIZE(flag_names))
            *flags |= flag_names[i].flag;
        else
            data = data ? xasprintf("%s,%s", data, word) : word;
    }
    return data;
}

static int list_mounts(const char *type)
{
    FILE *table = open_mounts();
    const struct mntent *m;

    while ((m = getmntent(table)) != NULL)
        if (!type || strcmp(type, m->mnt_type) == 0)
            printf("%s on %s type %s (%s)\n", m->mnt_fsname, m->mnt_dir, m->mnt_type, m->mnt_opts);
    endmntent(table);
    return 0;
}

int mount_main(int argc, char **argv)
{
    unsigned long flags = 0;

    read_options(&argc, &argv, "o:rt:w", 1);
    const char *data = parse_options(opt_values('o'), &flags), *type = opt_value('t');
    if (opt('r'))
        flags |= MS_RDONLY;
    if (argc == 0)
        return list_mounts(type);
    if (argc > 2 || (argc == 1 && !(flags & MS_REMOUNT)))
        usage(1);
    const char *dir = argv[argc - 1], *device = argc == 2 ? argv[0] : "none";
    int result = mount(device, dir, type ? type : "ext2", flags, data);
    if (result != 0)
        warn("mounting %s on %s failed", device, dir);
    return result == 0 ? 0 : 32;
}

int umount_main(int argc, char **argv)
{
    bool ok = true;

    read_options(&argc, &argv, "fl", 1);
    if (argc == 0)
        usage(1);
    for (int i = 0; i < argc; i++) {
        if (umount2(argv[i], (opt('f') ? MNT_FORCE : 0) | (opt('l') ? MNT_DETACH : 0)) == 0)
            continue;
        warn("%s", argv[i]);
        ok = false;
    }
    return ok ? 0 : 32;
}

/* df: without operands those that have blocks at all are shown, else the ones the files are on. */

static void df_amount(uint64_t amount, uint64_t unit)
{
    char text[32];

    if (opt('h'))
        format_human(amount * unit, text, sizeof(text));
    else
        snprintf(text, sizeof(text), "%" PRIu64, amount * unit / 1024);
    printf(" %10s", text);
}

static void df_row(const char *source, const char *target, const struct statvfs *st)
{
    static bool titled;
    uint64_t used = st->f_blocks - st->f_bfree, all = used + st->f_bavail;

    if (!titled)
        printf("%-14s %10s %10s %10s %4s Mounted on\n", "Filesystem",
               opt('h') ? "Size" : "1K-blocks", "Used", "Available", "Use%");
    titled = true;
    printf("%-14s", source);
    df_amount(st->f_blocks, st->f_frsize);
    df_amount(used, st->f_frsize);
    df_amount(st->f_bavail, st->f_frsize);
    /* Rounded up, so that 0 % means empty. */
    printf(" %3" PRIu64 "%% %s\n", all ? (used * 100 + all - 1) / all : 0, target);
}

/* The last mount with the file's device number is the visible one. */
static bool df_file(const char *path)
{
    FILE *table = open_mounts();
    const struct mntent *m;
    char *source = xstrdup("-"), *target = xstrdup("-");
    struct stat file, dir;
    struct statvfs st;
    bool ok = stat(path, &file) == 0 && statvfs(path, &st) == 0;

    if (!ok)
        warn("%s", path);
    while (ok && (m = getmntent(table)) != NULL) {
        if (stat(m->mnt_dir, &dir) != 0 || dir.st_dev != file.st_dev)
            continue;
        free(source);
        free(target);
        source = xstrdup(m->mnt_fsname);
        target = xstrdup(m->mnt_dir);
    }
    endmntent(table);
    if (ok)
        df_row(source, target, &st);
    free(source);
    free(target);
    return ok;
}

int df_main(int argc, char **argv)
{
    const struct mntent *m;
    struct statvfs st;
    bool ok = true;

    read_options(&argc, &argv, "hk", 1);
    for (int i = 0; i < argc; i++)
        ok &= df_file(argv[i]);
    if (argc)
        return ok ? 0 : 1;
    FILE *table = open_mounts();
    while ((m = getmntent(table)) != NULL) {
        if (statvfs(m->mnt_dir, &st) != 0) {
            warn("%s", m->mnt_dir);
            ok = false;
        } else if (st.f_blocks > 0) {
            df_row(m->mnt_fsname, m->mnt_dir, &st);
        }
    }
    endmntent(table);
    return ok ? 0 : 1;
}
