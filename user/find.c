/* SPDX-License-Identifier: MIT */
/*
 * find: walks trees and evaluates an expression for every name.
 *
 * The expression is a tree of nodes, made by recursive descent over the words (or, and, not,
 * primaries); the walk evaluates it per file. A directory comes before its entries, or after them
 * with -depth (which -delete implies). Links are not followed. -exec … + gathers names and runs
 * when enough of them are there and at the end.
 */
#include "user/box.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GATHER_MAX 1000
#define GATHER_BYTES (64 * 1024)

enum kind {
    AND,
    OR,
    NOT,
    TRUE,
    FALSE,
    NAME,
    INAME,
    PATH_IS,
    TYPE,
    SIZE,
    MTIME,
    NEWER,
    PERM,
    EMPTY,
    USER,
    GROUP_IS,
    LINKS,
    PRINT,
    PRINT0,
    PRUNE,
    DELETE,
    QUIT,
    EXEC,
    DEPTH,
    MAX_DEPTH,
    XDEV,
    MIN_DEPTH
};

struct node {
    enum kind kind;
    struct node *left, *right; /* of and, or, not */
    const char *text;
    /* numbers: "+5" more than, "-5" less than, "5" exactly; for -perm '-' all bits, '/' any */
    char sign;
    uint64_t number;
    unsigned unit;
    struct timespec when;
    /* -exec */
    char **command, **gathered;
    size_t nwords, ngathered, gathered_bytes;
    bool gather;
};

static char **words; /* next one */
static bool depth_first, has_action, quit;
static uint64_t max_depth = UINT64_MAX, min_depth;
static struct node *expression;
static time_t start_time;
static int status, walk_flags;

/* Actions */

static bool delete (const char *path, mode_t mode)
{
    if (strcmp(path, ".") == 0 || (S_ISDIR(mode) ? rmdir : unlink)(path) == 0)
        return true;
    warn("cannot delete '%s'", path);
    status = 1;
    return false;
}

static void run_gathered(struct node *node)
{
    char **argv = xcalloc(node->nwords + node->ngathered + 1, sizeof(char *));

    memcpy(argv, node->command, node->nwords * sizeof(char *));
    memcpy(argv + node->nwords, node->gathered, node->ngathered * sizeof(char *));
    if (run_program(argv, false) != 0)
        status = 1;
    while (node->ngathered > 0)
        free(node->gathered[--node->ngathered]);
    node->gathered_bytes = 0;
    free(argv);
}

static bool exec(struct node *node, const char *path)
{
    if (node->gather) {
        node->gathered = grow(node->gathered, node->ngathered, sizeof(char *));
        node->gathered[node->ngathered++] = xstrdup(path);
        node->gathered_bytes += strlen(path) + 1;
        if (node->ngathered == GATHER_MAX || node->gathered_bytes > GATHER_BYTES)
            run_gathered(node);
        return true;
    }
    char **argv = xcalloc(node->nwords + 1, sizeof(char *));
    for (size_t i = 0; i < node->nwords; i++)
        argv[i] = substitute(node->command[i], "{}", path);
    int result = run_program(argv, false);
    for (size_t i = 0; i < node->nwords; i++)
        free(argv[i]);
    free(argv);
    return result == 0;
}

static void finish(struct node *node)
{
    if (!node)
        return;
    finish(node->left);
    finish(node->right);
    if (node->ngathered)
        run_gathered(node);
}

/* Tests */

static bool compare(const struct node *node, uint64_t value)
{
    return node->sign == '+'   ? value > node->number
           : node->sign == '-' ? value < node->number
                               : value == node->number;
}

static bool name_matches(const struct node *node, const char *path)
{
    const char *name = base_name(path);
    char *bare = xasprintf("%.*s", (int)(1 + strcspn(name + !!*name, "/")), name);
    bool result = fnmatch(node->text, bare, node->kind == INAME ? FNM_CASEFOLD : 0) == 0;

    free(bare);
    return result;
}

static bool has_type(const char *letters, mode_t mode)
{
    static const char types[] = "?pc?d?b?f?l?s???";

    return strchr(letters, types[(mode >> 12) & 15]) != NULL;
}

static bool has_mode(const struct node *node, mode_t mode)
{
    mode_t want = (mode_t)node->number;

    if (node->sign == '-')
        return (mode & want) == want;
    if (node->sign == '/')
        return want == 0 || (mode & want) != 0;
    return want == (mode & 07777);
}

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static bool is_empty(const char *path, const struct stat *st)
{
    struct dirent *d;
    bool empty = true;

    if (!S_ISDIR(st->st_mode))
        return S_ISREG(st->st_mode) && st->st_size == 0;
    DIR *dir = opendir(path);
    if (!dir) {
        warn("'%s'", path);
        status = 1;
        return false;
    }
    while (empty && (d = readdir(dir)) != NULL)
        empty = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
    closedir(dir);
    return empty;
}

static bool evaluate(struct node *node, FTS *tree, FTSENT *file)
{
    const struct stat *st = file->fts_statp;
    const char *path = file->fts_path;
    time_t age = start_time > st->st_mtime ? start_time - st->st_mtime : 0;

    switch (node->kind) {
    case AND: return evaluate(node->left, tree, file) && evaluate(node->right, tree, file);
    case OR: return evaluate(node->left, tree, file) || evaluate(node->right, tree, file);
    case NOT: return !evaluate(node->left, tree, file);
    case FALSE: return false;
    case NAME:
    case INAME: return name_matches(node, path);
    case PATH_IS: return fnmatch(node->text, path, 0) == 0;
    case TYPE: return has_type(node->text, st->st_mode);
    case SIZE: return compare(node, ((uint64_t)st->st_size + node->unit - 1) / node->unit);
    case MTIME: return compare(node, (uint64_t)age / (24 * 3600));
    case NEWER: return is_newer(&st->st_mtim, &node->when);
    case PERM: return has_mode(node, st->st_mode);
    case EMPTY: return is_empty(path, st);
    case USER: return st->st_uid == node->number;
    case GROUP_IS: return st->st_gid == node->number;
    case LINKS: return compare(node, st->st_nlink);
    case PRINT: puts(path); return true;
    case PRINT0: fwrite(path, 1, strlen(path) + 1, stdout); return true;
    case PRUNE: return depth_first || fts_set(tree, file, FTS_SKIP) == 0;
    case DELETE: return delete (path, st->st_mode);
    case QUIT: return quit = true;
    case EXEC: return exec(node, path);
    default: return true;
    }
}

/* The arguments of tests and actions */

static char *argument(const char *option)
{
    if (!*words)
        diex("missing argument to '%s'", option);
    return *words++;
}

static void parse_number(const char *text, const char *option, uint64_t *out)
{
    if (!parse_u64(text, 10, out))
        diex("invalid argument '%s' to '%s'", text, option);
}

/* 3, +3, -3; for -size 3c, 3k, 3M: blocks of 512 bytes unless a letter says otherwise */
static void number_argument(struct node *node, const char *option)
{
    char *text = argument(option), *last = text + strlen(text) - (*text != '\0');
    uint64_t unit = 512;

    if (node->kind == SIZE && *last && strchr("cwbkMG", *last)) {
        char one[] = {'1', *last, '\0'};

        parse_size(one, &unit);
        *last = '\0';
    }
    node->unit = (unsigned)unit;
    if (*text == '+' || *text == '-')
        node->sign = *text++;
    parse_number(text, option, &node->number);
}

static void mode_argument(struct node *node, const char *text)
{
    if (*text == '-' || *text == '/')
        node->sign = *text++;
    if (!parse_u64(text, 8, &node->number) || node->number > 07777)
        diex("invalid mode '%s'", text);
}

static void owner_argument(struct node *node, const char *db, const char *text)
{
    uint32_t id;

    if (!id_find(db, text, &id))
        diex("'%s' is not known", text);
    node->number = id;
}

static void reference_argument(struct node *node, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        die("'%s'", path);
    node->when = st.st_mtim;
}

static void exec_argument(struct node *node)
{
    node->command = words;
    while (*words && strcmp(*words, ";") != 0 &&
           !(strcmp(*words, "+") == 0 && words > node->command && strcmp(words[-1], "{}") == 0))
        words++;
    if (!*words || words == node->command)
        diex("missing argument to '-exec'");
    node->gather = **words == '+';
    node->nwords = (size_t)(words - node->command) - node->gather;
    words++;
}

/* Options hold for the whole command wherever they stand; in the expression they are true. */
static void read_argument(struct node *node, const char *option)
{
    switch (node->kind) {
    case NAME:
    case INAME:
    case PATH_IS:
    case TYPE: node->text = argument(option); break;
    case SIZE:
    case MTIME:
    case LINKS: number_argument(node, option); break;
    case NEWER: reference_argument(node, argument(option)); break;
    case PERM: mode_argument(node, argument(option)); break;
    case USER: owner_argument(node, PASSWD, argument(option)); break;
    case GROUP_IS: owner_argument(node, GROUP, argument(option)); break;
    case EXEC: exec_argument(node); break;
    case DEPTH:
    case DELETE: depth_first = true; break;
    case XDEV: walk_flags = FTS_XDEV; break;
    case MAX_DEPTH: parse_number(argument(option), option, &max_depth); break;
    case MIN_DEPTH: parse_number(argument(option), option, &min_depth); break;
    default: break;
    }
}

static const struct {
    const char *name;
    enum kind kind;
} primaries[] = {
    {"-name", NAME},   {"-iname", INAME},        {"-path", PATH_IS},   {"-type", TYPE},
    {"-size", SIZE},   {"-mtime", MTIME},        {"-newer", NEWER},    {"-perm", PERM},
    {"-empty", EMPTY}, {"-user", USER},          {"-group", GROUP_IS}, {"-links", LINKS},
    {"-true", TRUE},   {"-false", FALSE},        {"-prune", PRUNE},    {"-quit", QUIT},
    {"-print", PRINT}, {"-print0", PRINT0},      {"-delete", DELETE},  {"-exec", EXEC},
    {"-depth", DEPTH}, {"-maxdepth", MAX_DEPTH}, {"-xdev", XDEV},      {"-mindepth", MIN_DEPTH},
};

/* The grammar: or → and → not → primary */

static struct node *new_node(enum kind kind, struct node *left, struct node *right)
{
    struct node *node = xcalloc(1, sizeof(*node));

    *node = (struct node){.kind = kind, .left = left, .right = right};
    return node;
}

static bool accept(const char *a, const char *b)
{
    if (!*words || (strcmp(*words, a) != 0 && strcmp(*words, b) != 0))
        return false;
    words++;
    return true;
}

static struct node *parse_or(void);

static struct node *parse_primary(void)
{
    if (accept("!", "-not"))
        return new_node(NOT, parse_primary(), NULL);
    const char *word = argument("expression");
    if (strcmp(word, "(") == 0) {
        struct node *inner = parse_or();

        if (!accept(")", ")"))
            diex("missing ')'");
        return inner;
    }
    for (size_t i = 0; i < ARRAY_SIZE(primaries); i++) {
        if (strcmp(word, primaries[i].name) != 0)
            continue;
        struct node *node = new_node(primaries[i].kind, NULL, NULL);
        read_argument(node, word);
        has_action |= node->kind == PRINT || node->kind == PRINT0 || node->kind == DELETE ||
                      node->kind == QUIT || node->kind == EXEC;
        return node;
    }
    diex("unknown predicate '%s'", word);
}

static struct node *parse_and(void)
{
    struct node *node = parse_primary();

    while (*words && strcmp(*words, ")") != 0 && strcmp(*words, "-o") != 0 &&
           strcmp(*words, "-or") != 0) {
        accept("-a", "-and");
        node = new_node(AND, node, parse_primary());
    }
    return node;
}

static struct node *parse_or(void)
{
    struct node *node = parse_and();

    while (accept("-o", "-or"))
        node = new_node(OR, node, parse_and());
    return node;
}

/* The walk */

static bool visit(FTS *tree, FTSENT *file)
{
    bool is_dir = S_ISDIR(file->fts_statp->st_mode), leaving = file->fts_info == FTS_DP;
    uint64_t depth = (uint64_t)file->fts_level;

    if (quit)
        return true;
    if (file->fts_info == FTS_NS || file->fts_info == FTS_DNR || file->fts_info == FTS_ERR) {
        error(0, file->fts_errno, "'%s'", file->fts_path);
        status = 1;
        if (file->fts_info != FTS_DNR || !depth_first)
            return false;
        leaving = true;
    }
    if (is_dir && !leaving && depth >= max_depth)
        fts_set(tree, file, FTS_SKIP);
    if (depth >= min_depth && (!is_dir || leaving == depth_first))
        evaluate(expression, tree, file);
    return true;
}

static bool starts_expression(const char *word)
{
    return (word[0] == '-' && word[1]) || strcmp(word, "(") == 0 || strcmp(word, "!") == 0;
}

int find_main(int argc, char **argv)
{
    int npaths = 1;

    while (npaths < argc && !starts_expression(argv[npaths]))
        npaths++;
    words = argv + npaths;
    expression = *words ? parse_or() : new_node(TRUE, NULL, NULL);
    if (*words)
        diex("unexpected '%s'", *words);
    if (!has_action)
        expression = new_node(AND, expression, new_node(PRINT, NULL, NULL));
    start_time = time(NULL);
    if (npaths == 1)
        walk_tree(".", walk_flags, visit);
    for (int i = 1; i < npaths && !quit; i++)
        walk_tree(argv[i], walk_flags, visit);
    finish(expression);
    return status;
}
