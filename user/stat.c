/* SPDX-License-Identifier: MIT */
/*
 * stat: everything the inode (or with -f the file system) tells. -c FORMAT picks fields by letter;
 * the full display is such a format too.
 */
#include "user/box.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <time.h>

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
    char *target = S_ISLNK(st->st_mode) ? read_link(path) : NULL;
    char *name = target ? xasprintf("%s%s%s -> %s%s%s", quote, path, quote, quote, target, quote)
                        : xasprintf("%s%s%s", quote, path, quote);

    free(target);
    return name;
}

static char *time_text(const struct timespec *when)
{
    char *seconds = xstrdup(format_time(when->tv_sec, "%Y-%m-%d %H:%M:%S"));
    char *text = xasprintf("%s.%09ld %s", seconds, when->tv_nsec, format_time(when->tv_sec, "%z"));

    free(seconds);
    return text;
}

static char *number(uint64_t value)
{
    return xasprintf("%" PRIu64, value);
}

static char *file_field(char letter, const char *path, const struct stat *st)
{
    char mode[11];

    switch (letter) {
    case 'a': return xasprintf("%o", st->st_mode & 07777);
    case 'A': format_mode(st->st_mode, mode); return xstrdup(mode);
    case 'b': return number((uint64_t)st->st_blocks);
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
        char *end = (char *)p + 1;
        long width = *p == '%' ? strtol(p + 1, &end, 10) : 0;

        if (*p != '%' || !*end) {
            putchar(*p);
            continue;
        }
        p = end;
        char *text = *p == '%' ? xstrdup("%")
                     : fs      ? system_field(*p, path, fs)
                               : file_field(*p, path, st);
        printf("%*s", width > -1000 && width < 1000 ? (int)width : 0, text);
        free(text);
    }
}

static void print_file(const char *path, const struct stat *st)
{
    char *name = arrow_name("", path, st);

    printf("  File: %s\n", name);
    free(name);
    print_format("  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n", path, st, NULL);
    printf("Device: %u,%u\t", major(st->st_dev), minor(st->st_dev));
    print_format("Inode: %-11i Links: %h", path, st, NULL);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        printf("     Device type: %u,%u", major(st->st_rdev), minor(st->st_rdev));
    printf("\nAccess: (%04o/", st->st_mode & 07777);
    print_format("%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n"
                 "Access: %x\nModify: %y\nChange: %z\n",
                 path, st, NULL);
}

int stat_main(int argc, char **argv)
{
    static const char system_format[] = "  File: \"%n\"\n    Namelen: %-7l Type: 0x%t\n"
                                        "Block size: %-10s Fundamental block size: %S\n"
                                        "Blocks: Total: %-10b Free: %-10f Available: %a\n"
                                        "Inodes: Total: %-10c Free: %d";
    struct statfs fs;
    struct stat st;
    bool ok = true;

    read_options(&argc, &argv, "c:fL", 1);
    if (argc == 0)
        usage(1);
    const char *format = opt('c') ? opt_value('c') : opt('f') ? system_format : NULL;
    for (int i = 0; i < argc; i++) {
        if (opt('f') ? statfs(argv[i], &fs) : (opt('L') ? stat : lstat)(argv[i], &st)) {
            warn("cannot stat '%s'", argv[i]);
            ok = false;
        } else if (!format) {
            print_file(argv[i], &st);
        } else {
            print_format(format, argv[i], &st, opt('f') ? &fs : NULL);
            putchar('\n');
        }
    }
    return ok ? 0 : 1;
}
