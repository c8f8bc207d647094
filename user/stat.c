/* SPDX-License-Identifier: MIT */
/*
 * stat: everything the inode (or with -f the file system) tells. -c FORMAT picks fields by letter;
 * the full display is such a format too.
 */
#include "user/box.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static const char *type_name(const struct stat *st)
{
    switch (st->st_mode & S_IFMT) {
    case S_IFREG: return st->st_size ? "regular file" : "regular empty file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "symbolic link";
    case S_IFCHR: return "character special file";
    case S_IFBLK: return "block special file";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    default: return "weird file";
    }
}

/* The name, for a link with its target, each between quotes. */
static char *arrow_name(const char *quote, const char *path, const struct stat *st)
{
    char target[PATH_MAX];
    ssize_t len = S_ISLNK(st->st_mode) ? readlink(path, target, sizeof(target) - 1) : -1;

    if (len < 0)
        return xasprintf("%s%s%s", quote, path, quote);
    return xasprintf("%s%s%s -> %s%.*s%s", quote, path, quote, quote, (int)len, target, quote);
}

static char *time_text(const struct timespec *when)
{
    char seconds[64], zone[16];
    struct tm *tm = localtime(&when->tv_sec);

    if (!tm)
        return xstrdup("?");
    strftime(seconds, sizeof(seconds), "%Y-%m-%d %H:%M:%S", tm);
    strftime(zone, sizeof(zone), "%z", tm);
    return xasprintf("%s.%09ld %s", seconds, when->tv_nsec, zone);
}

static char *mode_text(mode_t mode)
{
    char text[11];

    format_mode(mode, text);
    return xstrdup(text);
}

static char *number(uint64_t value)
{
    return xasprintf("%" PRIu64, value);
}

static char *file_field(char letter, const char *path, const struct stat *st)
{
    switch (letter) {
    case 'a': return xasprintf("%o", st->st_mode & 07777);
    case 'A': return mode_text(st->st_mode);
    case 'b': return number((uint64_t)st->st_blocks);
    case 'B': return number(512);
    case 'd': return number(st->st_dev);
    case 'D': return xasprintf("%" PRIx64, (uint64_t)st->st_dev);
    case 'f': return xasprintf("%x", st->st_mode);
    case 'F': return xstrdup(type_name(st));
    case 'g': return number(st->st_gid);
    case 'G': return xstrdup(id_name(GROUP, st->st_gid));
    case 'h': return number(st->st_nlink);
    case 'i': return number(st->st_ino);
    case 'n': return xstrdup(path);
    case 'N': return arrow_name("'", path, st);
    case 'o': return number((uint64_t)st->st_blksize);
    case 's': return number((uint64_t)st->st_size);
    case 't': return xasprintf("%x", major(st->st_rdev));
    case 'T': return xasprintf("%x", minor(st->st_rdev));
    case 'u': return number(st->st_uid);
    case 'U': return xstrdup(id_name(PASSWD, st->st_uid));
    case 'x': return time_text(&st->st_atim);
    case 'X': return xasprintf("%lld", (long long)st->st_atime);
    case 'y': return time_text(&st->st_mtim);
    case 'Y': return xasprintf("%lld", (long long)st->st_mtime);
    case 'z': return time_text(&st->st_ctim);
    case 'Z': return xasprintf("%lld", (long long)st->st_ctime);
    default: return xasprintf("%%%c", letter);
    }
}

static char *system_field(char letter, const char *path, const struct statfs *st)
{
    switch (letter) {
    case 'a': return number(st->f_bavail);
    case 'b': return number(st->f_blocks);
    case 'c': return number(st->f_files);
    case 'd': return number(st->f_ffree);
    case 'f': return number(st->f_bfree);
    case 'l': return number((uint64_t)st->f_namelen);
    case 'n': return xstrdup(path);
    case 's': return number((uint64_t)st->f_bsize);
    case 'S': return number((uint64_t)st->f_frsize);
    case 't': return xasprintf("%lx", (unsigned long)st->f_type);
    default: return xasprintf("%%%c", letter);
    }
}

/* "%-10s": an optional '-' and width between '%' and the letter. */
static void print_format(const char *format, const char *path, const struct stat *st,
                         const struct statfs *fs)
{
    for (const char *p = format; *p; p++) {
        if (*p != '%' || !p[1]) {
            putchar(*p);
            continue;
        }
        p++;
        if (*p == '%') {
            putchar('%');
            continue;
        }
        char *end;
        long width = strtol(p, &end, 10);
        p = end;
        if (!*p)
            return;
        char *text = fs ? system_field(*p, path, fs) : file_field(*p, path, st);
        printf("%*s", width > -1000 && width < 1000 ? (int)width : 0, text);
        free(text);
    }
}

static void print_file(const char *path, const struct stat *st)
{
    bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

    char *name = arrow_name("", path, st);

    printf("  File: %s\n", name);
    free(name);
    print_format("  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n", path, st, NULL);
    printf("Device: %u,%u\t", major(st->st_dev), minor(st->st_dev));
    print_format("Inode: %-11i Links: %h", path, st, NULL);
    if (device)
        printf("     Device type: %u,%u", major(st->st_rdev), minor(st->st_rdev));
    printf("\nAccess: (%04o/", st->st_mode & 07777);
    print_format("%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n"
                 "Access: %x\nModify: %y\nChange: %z\n",
                 path, st, NULL);
}

static bool stat_file(const char *path, const char *format, bool follow)
{
    struct stat st;

    if ((follow ? stat : lstat)(path, &st) != 0) {
        warn("cannot statx '%s'", path);
        return false;
    }
    if (!format) {
        print_file(path, &st);
        return true;
    }
    print_format(format, path, &st, NULL);
    putchar('\n');
    return true;
}

static bool stat_system(const char *path, const char *format)
{
    static const char all[] = "  File: \"%n\"\n    Namelen: %-7l Type: 0x%t\n"
                              "Block size: %-10s Fundamental block size: %S\n"
                              "Blocks: Total: %-10b Free: %-10f Available: %a\n"
                              "Inodes: Total: %-10c Free: %d";
    struct statfs st;

    if (statfs(path, &st) != 0) {
        warn("cannot read file system information for '%s'", path);
        return false;
    }
    print_format(format ? format : all, path, NULL, &st);
    putchar('\n');
    return true;
}

int stat_main(int argc, char **argv)
{
    const char *format = NULL;
    bool follow = false, file_system = false, ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "c:fL")) != -1) {
        switch (opt) {
        case 'c': format = optarg; break;
        case 'f': file_system = true; break;
        case 'L': follow = true; break;
        default: usage(1);
        }
    }
    if (optind == argc) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = optind; i < argc; i++)
        ok &= file_system ? stat_system(argv[i], format) : stat_file(argv[i], format, follow);
    return ok ? 0 : 1;
}
