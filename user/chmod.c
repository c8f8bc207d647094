/* SPDX-License-Identifier: MIT */
/*
 * chmod and chown. With -R both walk the tree without following symbolic links met on the way.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool recursive;
static const char *mode_text;
static uint32_t new_uid = UINT32_MAX, new_gid = UINT32_MAX; /* UINT32_MAX: unchanged */

/* False, and not to be changed, if the entry was passed already or cannot be looked at. */
static bool wanted(FTS *tree, FTSENT *entry, bool *ok)
{
    *ok = true;
    if (!recursive)
        fts_set(tree, entry, FTS_SKIP);
    if (entry->fts_info == FTS_DP)
        return false;
    *ok = entry->fts_info != FTS_NS && entry->fts_info != FTS_DNR && entry->fts_info != FTS_ERR;
    if (!*ok)
        error(0, entry->fts_errno, "cannot access '%s'", entry->fts_path);
    return *ok;
}

static bool change_mode(FTS *tree, FTSENT *entry)
{
    bool ok;
    mode_t mode;

    /* A link's own mode means nothing; only one named by the user stands for its target. */
    if (!wanted(tree, entry, &ok) || (entry->fts_info == FTS_SL && entry->fts_level > 0))
        return ok;
    if (!parse_mode(mode_text, entry->fts_statp->st_mode, &mode))
        diex("invalid mode: '%s'", mode_text);
    if (chmod(entry->fts_path, mode) == 0)
        return true;
    warn("changing permissions of '%s'", entry->fts_path);
    return false;
}

/* "-w" is a mode, not an option, so the options are read by hand. */
int chmod_main(int argc, char **argv)
{
    bool ok = true;
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
        ok &= walk_tree(argv[i], FTS_COMFOLLOW, change_mode);
    return ok ? 0 : 1;
}

static bool change_owner(FTS *tree, FTSENT *entry)
{
    bool ok, link_itself = opt('h') || entry->fts_level > 0;

    if (!wanted(tree, entry, &ok))
        return ok;
    if ((link_itself ? lchown : chown)(entry->fts_path, new_uid, new_gid) == 0)
        return true;
    warn("changing ownership of '%s'", entry->fts_path);
    return false;
}

int chown_main(int argc, char **argv)
{
    bool ok = true;

    read_options(&argc, &argv, "hR", 1);
    recursive = opt('R');
    if (argc < 2)
        usage(1);
    char *group = strchr(argv[0], ':');
    if (group)
        *group++ = '\0';
    if (*argv[0] && !id_find(PASSWD, argv[0], &new_uid))
        diex("invalid user: '%s'", argv[0]);
    if (group && *group && !id_find(GROUP, group, &new_gid))
        diex("invalid group: '%s'", group);
    for (int i = 1; i < argc; i++)
        ok &= walk_tree(argv[i], opt('h') ? 0 : FTS_COMFOLLOW, change_owner);
    return ok ? 0 : 1;
}
