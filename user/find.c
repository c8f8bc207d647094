/* SPDX-License-Identifier: MIT */
/*
 * find: walks trees and evaluates an expression for every name.
 *
 * The expression is a tree of nodes (and, or, not, tests, actions), see find_parse.c; the walk
 * evaluates it per file. A directory comes before its entries, or after them with -depth (which
 * -delete implies). Links are not followed. -exec … + gathers names and runs when enough of them
 * are there and at the end.
 */
#include "user/find.h"

#include "user/box.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct file {
    const char *path;
    const struct stat *st;
    bool prune;
};

#define GATHER_MAX 1000
#define GATHER_BYTES (64 * 1024)

static struct find_options options = {.max_depth = UINT64_MAX};
static bool quit;
static time_t start_time;
static int status;

static void trouble(const char *path)
{
    warn("'%s'", path);
    status = 1;
}

/* Actions */

static int run(char **argv)
{
    int result;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid < 0) {
        warn("cannot fork");
        status = 1;
        return -1;
    }
    if (pid == 0) {
        execvp(argv[0], argv);
        warn("'%s'", argv[0]);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (waitpid(pid, &result, 0) < 0)
        if (errno != EINTR)
            return -1;
    return result;
}

/* "{}" may stand anywhere inside a word. */
static char *substitute(const char *word, const char *path)
{
    const char *mark = strstr(word, "{}");

    if (!mark)
        return xstrdup(word);
    char *rest = substitute(mark + 2, path);
    char *whole = xasprintf("%.*s%s%s", (int)(mark - word), word, path, rest);
    free(rest);
    return whole;
}

static bool exec_one(const struct node *node, const char *path)
{
    char **argv = xcalloc(node->nwords + 1, sizeof(char *));

    for (size_t i = 0; i < node->nwords; i++)
        argv[i] = substitute(node->command[i], path);
    int result = run(argv);
    for (size_t i = 0; i < node->nwords; i++)
        free(argv[i]);
    free(argv);
    return result == 0;
}

static void exec_gathered(struct node *node)
{
    if (node->ngathered == 0)
        return;
    char **argv = xcalloc(node->nwords + node->ngathered + 1, sizeof(char *));
    memcpy(argv, node->command, node->nwords * sizeof(char *));
    memcpy(argv + node->nwords, node->gathered, node->ngathered * sizeof(char *));
    if (run(argv) != 0)
        status = 1;
    for (size_t i = 0; i < node->ngathered; i++)
        free(node->gathered[i]);
    node->ngathered = node->gathered_bytes = 0;
    free(argv);
}

static void gather(struct node *node, const char *path)
{
    if (!node->gathered)
        node->gathered = xcalloc(GATHER_MAX, sizeof(char *));
    node->gathered[node->ngathered++] = xstrdup(path);
    node->gathered_bytes += strlen(path) + 1;
    if (node->ngathered == GATHER_MAX || node->gathered_bytes > GATHER_BYTES)
        exec_gathered(node);
}

static void finish(struct node *node)
{
    if (!node)
        return;
    finish(node->left);
    finish(node->right);
    if (node->kind == EXEC && node->gather)
        exec_gathered(node);
}

static bool delete_file(const struct file *file)
{
    if (strcmp(file->path, ".") == 0)
        return true;
    if ((S_ISDIR(file->st->st_mode) ? rmdir : unlink)(file->path) == 0)
        return true;
    warn("cannot delete '%s'", file->path);
    status = 1;
    return false;
}

static void list(const struct file *file)
{
    const struct stat *st = file->st;
    char mode[11], when[32];
    struct tm *tm = localtime(&st->st_mtime);

    format_mode(st->st_mode, mode);
    strftime(when, sizeof(when), "%b %e %H:%M", tm);
    printf("%9lu %6llu %s %3lu %-8s", (unsigned long)st->st_ino,
           (unsigned long long)st->st_blocks / 2, mode, (unsigned long)st->st_nlink,
           id_name(PASSWD, st->st_uid));
    printf(" %-8s %8llu %s %s\n", id_name(GROUP, st->st_gid), (unsigned long long)st->st_size, when,
           file->path);
}

/* Tests */

static bool compare_number(const struct node *node, uint64_t value)
{
    if (node->sign == '+')
        return value > node->number;
    if (node->sign == '-')
        return value < node->number;
    return value == node->number;
}

static bool is_empty(const struct file *file)
{
    struct dirent *d;
    bool empty = true;

    if (S_ISREG(file->st->st_mode))
        return file->st->st_size == 0;
    if (!S_ISDIR(file->st->st_mode))
        return false;
    DIR *dir = opendir(file->path);
    if (!dir) {
        trouble(file->path);
        return false;
    }
    while (empty && (d = readdir(dir)) != NULL)
        empty = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
    closedir(dir);
    return empty;
}

static bool has_type(mode_t mode, const char *letters)
{
    static const char types[] = "?pc?d?b?f?l?s???";

    return strchr(letters, types[(mode >> 12) & 15]) != NULL;
}

static bool has_mode(const struct node *node, mode_t mode)
{
    mode_t want = (mode_t)node->number;

    mode &= 07777;
    if (node->sign == '-')
        return (mode & want) == want;
    if (node->sign == '/')
        return want == 0 || (mode & want) != 0;
    return mode == want;
}

static bool name_matches(const struct node *node, const char *path, int flags)
{
    char *name = xstrdup(base_name(path));
    size_t len = strlen(name);

    while (len > 1 && name[len - 1] == '/')
        name[--len] = '\0';
    bool result = fnmatch(node->text, name, flags) == 0;
    free(name);
    return result;
}

static bool newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static uint64_t age(const struct stat *st, unsigned unit)
{
    return start_time > st->st_mtime ? (uint64_t)(start_time - st->st_mtime) / unit : 0;
}

static bool evaluate(struct node *node, struct file *file)
{
    const struct stat *st = file->st;

    switch (node->kind) {
    case AND: return evaluate(node->left, file) && evaluate(node->right, file);
    case OR: return evaluate(node->left, file) || evaluate(node->right, file);
    case NOT: return !evaluate(node->left, file);
    case TRUE: return true;
    case FALSE: return false;
    case NAME: return name_matches(node, file->path, 0);
    case INAME: return name_matches(node, file->path, FNM_CASEFOLD);
    case PATH_IS: return fnmatch(node->text, file->path, 0) == 0;
    case TYPE: return has_type(st->st_mode, node->text);
    case SIZE: return compare_number(node, ((uint64_t)st->st_size + node->unit - 1) / node->unit);
    case MTIME:
    case MMIN: return compare_number(node, age(st, node->unit));
    case NEWER: return newer(&st->st_mtim, &node->when);
    case PERM: return has_mode(node, st->st_mode);
    case EMPTY: return is_empty(file);
    case USER: return st->st_uid == node->number;
    case GROUP_IS: return st->st_gid == node->number;
    case LINKS: return compare_number(node, st->st_nlink);
    case INUM: return compare_number(node, st->st_ino);
    case PRINT: puts(file->path); return true;
    case PRINT0: fwrite(file->path, 1, strlen(file->path) + 1, stdout); return true;
    case LS: list(file); return true;
    case PRUNE: file->prune = true; return true;
    case DELETE: return delete_file(file);
    case QUIT: quit = true; return true;
    case EXEC: break;
    }
    if (!node->gather)
        return exec_one(node, file->path);
    gather(node, file->path);
    return true;
}

/* The walk */

static void walk(struct node *expression, const char *path, uint64_t depth);

static void walk_entries(struct node *expression, const char *path, uint64_t depth)
{
    DIR *dir = opendir(path);
    struct dirent *d;

    if (!dir) {
        trouble(path);
        return;
    }
    while (!quit && (errno = 0, d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *below = path_join(path, d->d_name);

        walk(expression, below, depth + 1);
        free(below);
    }
    closedir(dir);
}

static void walk(struct node *expression, const char *path, uint64_t depth)
{
    struct stat st;
    struct file file = {.path = path, .st = &st};
    bool wanted = depth >= options.min_depth;

    if (lstat(path, &st) != 0) {
        trouble(path);
        return;
    }
    if (!options.depth_first && wanted)
        evaluate(expression, &file);
    if (S_ISDIR(st.st_mode) && !file.prune && !quit && depth < options.max_depth)
        walk_entries(expression, path, depth);
    if (options.depth_first && wanted && !quit)
        evaluate(expression, &file);
}

static bool starts_expression(const char *word)
{
    return (word[0] == '-' && word[1]) || strcmp(word, "(") == 0 || strcmp(word, "!") == 0;
}

int find_main(int argc, char **argv)
{
    struct node *expression;
    int npaths = 1;

    while (npaths < argc && !starts_expression(argv[npaths]))
        npaths++;
    expression = find_parse(argv + npaths, &options);
    start_time = time(NULL);
    if (npaths == 1)
        walk(expression, ".", 0);
    for (int i = 1; i < npaths && !quit; i++)
        walk(expression, argv[i], 0);
    finish(expression);
    find_free(expression);
    return status;
}
