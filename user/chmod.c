/* SPDX-License-Identifier: MIT */
/*
 * chmod and chown, and the language of modes ("u+rwx,go=r", "0644") that mkdir -m shares.
 *
 * With -R both walk the tree without following symbolic links met on the way.
 */
#include "user/mode.h"

#include "user/box.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The mode language */

/* Copies one class's three bits of mode to all classes, as in "g=u". */
static mode_t spread(mode_t mode, int shift)
{
    return ((mode >> shift) & 7) * 0111;
}

static const char *parse_who(const char *p, mode_t *who)
{
    *who = 0;
    for (;; p++) {
        switch (*p) {
        case 'u': *who |= S_ISUID | 0700; break;
        case 'g': *who |= S_ISGID | 0070; break;
        case 'o': *who |= S_ISVTX | 0007; break;
        case 'a': *who |= 07777; break;
        default: return p;
        }
    }
}

static const char *parse_what(const char *p, mode_t mode, bool is_dir, mode_t *bits)
{
    *bits = 0;
    for (;; p++) {
        switch (*p) {
        case 'r': *bits |= 0444; break;
        case 'w': *bits |= 0222; break;
        case 'x': *bits |= 0111; break;
        case 'X': *bits |= is_dir || (mode & 0111) ? 0111 : 0; break;
        case 's': *bits |= S_ISUID | S_ISGID; break;
        case 't': *bits |= S_ISVTX; break;
        case 'u': *bits |= spread(mode, 6); break;
        case 'g': *bits |= spread(mode, 3); break;
        case 'o': *bits |= spread(mode, 0); break;
        default: return p;
        }
    }
}

/* One clause: who, then one or more of +-= with bits. NULL when malformed. */
static const char *apply_clause(const char *p, bool is_dir, mode_t *mode)
{
    mode_t who, bits, mask = 0;

    p = parse_who(p, &who);
    if (!who) {
        /* Nobody named means everybody, except for what the umask withholds. */
        mask = umask(0);
        umask(mask);
        who = 07777;
    }
    if (!*p || !strchr("+-=", *p))
        return NULL;
    while (*p && strchr("+-=", *p)) {
        char op = *p;

        p = parse_what(p + 1, *mode, is_dir, &bits);
        bits &= who & ~mask;
        /* A directory keeps its set-id bits unless they are named. */
        if (op == '=')
            *mode &= ~(who & (is_dir ? 01777 : 07777));
        *mode = op == '-' ? *mode & ~bits : *mode | bits;
    }
    return p;
}

bool parse_mode(const char *text, mode_t old, mode_t *out)
{
    bool is_dir = S_ISDIR(old);
    mode_t mode = old & 07777;
    uint64_t octal;

    if (parse_u64(text, 8, &octal)) {
        *out = (mode_t)octal;
        return octal <= 07777;
    }
    for (const char *p = text;; p++) {
        p = apply_clause(p, is_dir, &mode);
        if (!p)
            return false;
        if (!*p)
            break;
        if (*p != ',')
            return false;
    }
    *out = mode;
    return true;
}

/* A walk over a tree, top first; the visitor reports its own failures. */

typedef bool visitor(const char *path, const struct stat *st, bool top);

static bool walk(const char *path, bool recursive, visitor *visit, bool top)
{
    struct stat st;
    struct dirent *d;
    DIR *dir;

    if ((top ? stat(path, &st) : lstat(path, &st)) != 0 && lstat(path, &st) != 0) {
        warn("cannot access '%s'", path);
        return false;
    }
    bool ok = visit(path, &st, top);
    if (!recursive || !S_ISDIR(st.st_mode))
        return ok;
    dir = opendir(path);
    if (!dir) {
        warn("cannot read directory '%s'", path);
        return false;
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *below = path_join(path, d->d_name);

        ok &= walk(below, true, visit, false);
        free(below);
    }
    closedir(dir);
    return ok;
}

/* chmod */

static const char *mode_text;

static bool change_mode(const char *path, const struct stat *st, bool top)
{
    mode_t mode;

    /* A link's own mode means nothing; only one named by the user stands for its target. */
    if (S_ISLNK(st->st_mode) && !top)
        return true;
    if (!parse_mode(mode_text, st->st_mode, &mode))
        diex("invalid mode: '%s'", mode_text);
    if (chmod(path, mode) == 0)
        return true;
    warn("changing permissions of '%s'", path);
    return false;
}

/* "-w" is a mode, not an option, so the options are read by hand. */
int chmod_main(int argc, char **argv)
{
    bool recursive = false, ok = true;
    int i = 1;
    mode_t ignored;

    for (; i < argc && strcmp(argv[i], "-R") == 0; i++)
        recursive = true;
    if (i < argc && strcmp(argv[i], "--") == 0)
        i++;
    if (argc - i < 2)
        usage(1);
    mode_text = argv[i++];
    if (!parse_mode(mode_text, 0, &ignored))
        diex("invalid mode: '%s'", mode_text);
    for (; i < argc; i++)
        ok &= walk(argv[i], recursive, change_mode, true);
    return ok ? 0 : 1;
}

/* chown */

static uint32_t new_uid = UINT32_MAX, new_gid = UINT32_MAX; /* UINT32_MAX: unchanged */
static bool no_follow;

static bool change_owner(const char *path, const struct stat *st, bool top)
{
    (void)st;
    int flags = no_follow || !top ? AT_SYMLINK_NOFOLLOW : 0;

    if (fchownat(AT_FDCWD, path, new_uid, new_gid, flags) == 0)
        return true;
    warn("changing ownership of '%s'", path);
    return false;
}

static void parse_owner(char *text)
{
    char *group = strchr(text, ':');

    if (group)
        *group++ = '\0';
    if (*text && !id_find(PASSWD, text, &new_uid))
        diex("invalid user: '%s'", text);
    if (group && *group && !id_find(GROUP, group, &new_gid))
        diex("invalid group: '%s'", group);
}

int chown_main(int argc, char **argv)
{
    bool recursive = false, ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "hR")) != -1) {
        switch (opt) {
        case 'h': no_follow = true; break;
        case 'R': recursive = true; break;
        default: usage(1);
        }
    }
    if (argc - optind < 2)
        usage(1);
    parse_owner(argv[optind]);
    for (int i = optind + 1; i < argc; i++)
        ok &= walk(argv[i], recursive, change_owner, true);
    return ok ? 0 : 1;
}
