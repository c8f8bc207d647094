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

struct node {
    bool (*evaluate)(struct node *node, const FTSENT *file);
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
static FTS *tree;
static time_t start_time;
static int status;

/* Actions */

static bool print(struct node *node, const FTSENT *file)
{
    fputs(file->fts_path, stdout);
    putchar(node->text ? '\0' : '\n');
    return true;
}

static bool prune(struct node *node, const FTSENT *file)
{
    (void)node;
    if (!depth_first)
        fts_set(tree, (FTSENT *)file, FTS_SKIP);
    return true;
}

static bool stop(struct node *node, const FTSENT *file)
{
    (void)node, (void)file;
    return quit = true;
}

static bool delete (struct node *node, const FTSENT *file)
{
    (void)node;
    if (strcmp(file->fts_path, ".") == 0 ||
        (S_ISDIR(file->fts_statp->st_mode) ? rmdir : unlink)(file->fts_path) == 0)
        return true;
    warn("cannot delete '%s'", file->fts_path);
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

static bool exec(struct node *node, const FTSENT *file)
{
    if (node->gather) {
        node->gathered = grow(node->gathered, node->ngathered, sizeof(char *));
        node->gathered[node->ngathered++] = xstrdup(file->fts_path);
        node->gathered_bytes += strlen(file->fts_path) + 1;
        if (node->ngathered == GATHER_MAX || node->gathered_bytes > GATHER_BYTES)
            run_gathered(node);
        return true;
    }
    char **argv = xcalloc(node->nwords + 1, sizeof(char *));
    for (size_t i = 0; i < node->nwords; i++)
        argv[i] = substitute(node->command[i], "{}", file->fts_path);
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

static bool always(struct node *node, const FTSENT *file)
{
    (void)node, (void)file;
    return true;
}

static bool never(struct node *node, const FTSENT *file)
{
    (void)node, (void)file;
    return false;
}

static bool name_matches(struct node *node, const FTSENT *file)
{
    const char *name = base_name(file->fts_path);
    char *bare = xasprintf("%.*s", (int)(1 + strcspn(name + !!*name, "/")), name);
    bool result = fnmatch(node->text, bare, (int)node->number) == 0;

    free(bare);
    return result;
}

static bool path_matches(struct node *node, const FTSENT *file)
{
    return fnmatch(node->text, file->fts_path, 0) == 0;
}

static bool has_type(struct node *node, const FTSENT *file)
{
    static const char types[] = "?pc?d?b?f?l?s???";

    return strchr(node->text, types[(file->fts_statp->st_mode >> 12) & 15]) != NULL;
}

static bool has_size(struct node *node, const FTSENT *file)
{
    return compare(node, ((uint64_t)file->fts_statp->st_size + node->unit - 1) / node->unit);
}

static bool has_age(struct node *node, const FTSENT *file)
{
    time_t then = file->fts_statp->st_mtime;

    return compare(node, start_time > then ? (uint64_t)(start_time - then) / node->unit : 0);
}

static bool is_newer(struct node *node, const FTSENT *file)
{
    const struct timespec *a = &file->fts_statp->st_mtim, *b = &node->when;

    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

static bool has_mode(struct node *node, const FTSENT *file)
{
    mode_t want = (mode_t)node->number, has = file->fts_statp->st_mode & 07777 & want;

    if (node->sign == '-')
        return has == want;
    if (node->sign == '/')
        return want == 0 || has != 0;
    return want == (file->fts_statp->st_mode & 07777);
}

static bool is_empty(struct node *node, const FTSENT *file)
{
    struct dirent *d;
    bool empty = true;

    (void)node;
    if (!S_ISDIR(file->fts_statp->st_mode))
        return S_ISREG(file->fts_statp->st_mode) && file->fts_statp->st_size == 0;
    DIR *dir = opendir(file->fts_path);
    if (!dir) {
        warn("'%s'", file->fts_path);
        status = 1;
        return false;
    }
    while (empty && (d = readdir(dir)) != NULL)
        empty = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
    closedir(dir);
    return empty;
}

static bool has_user(struct node *node, const FTSENT *file)
{
    return file->fts_statp->st_uid == node->number;
}

static bool has_group(struct node *node, const FTSENT *file)
{
    return file->fts_statp->st_gid == node->number;
}

static bool has_links(struct node *node, const FTSENT *file)
{
    return compare(node, file->fts_statp->st_nlink);
}

static bool has_inode(struct node *node, const FTSENT *file)
{
    return compare(node, file->fts_statp->st_ino);
}

/* The arguments of tests and actions */

static char *argument(const char *option)
{
    if (!*words)
        diex("missing argument to '%s'", option);
    return *words++;
}

static uint64_t parse_number(const char *text, const char *option)
{
    uint64_t value;

    if (!parse_u64(text, 10, &value))
        diex("invalid argument '%s' to '%s'", text, option);
    return value;
}

static void number_argument(struct node *node, const char *option)
{
    const char *text = argument(option);

    if (*text == '+' || *text == '-')
        node->sign = *text++;
    node->number = parse_number(text, option);
}

static void days_argument(struct node *node, const char *option)
{
    node->unit = strcmp(option, "-mmin") == 0 ? 60 : 24 * 3600;
    number_argument(node, option);
}

/* -size 3, 3c, 3k, 3M: blocks of 512 bytes unless a letter says otherwise */
static void size_argument(struct node *node, const char *option)
{
    char *text = argument(option), *last = text + strlen(text) - (*text != '\0');
    uint64_t unit = 512;

    if (*last && strchr("cwbkMG", *last)) {
        char one[] = {'1', *last, '\0'};

        parse_size(one, &unit);
        *last = '\0';
    }
    node->unit = (unsigned)unit;
    words--;
    number_argument(node, option);
}

static void text_argument(struct node *node, const char *option)
{
    node->text = argument(option);
    if (strcmp(option, "-iname") == 0)
        node->number = FNM_CASEFOLD;
}

static void reference_argument(struct node *node, const char *option)
{
    const char *path = argument(option);
    struct stat st;

    if (stat(path, &st) != 0)
        die("'%s'", path);
    node->when = st.st_mtim;
}

static void mode_argument(struct node *node, const char *option)
{
    const char *text = argument(option);

    if (*text == '-' || *text == '/')
        node->sign = *text++;
    if (!parse_u64(text, 8, &node->number) || node->number > 07777)
        diex("invalid mode '%s'", text);
}

static void owner_argument(struct node *node, const char *option)
{
    const char *text = argument(option);
    uint32_t id;

    if (!id_find(strcmp(option, "-user") == 0 ? PASSWD : GROUP, text, &id))
        diex("'%s' is not the name of a known %s", text, option + 1);
    node->number = id;
}

static void exec_argument(struct node *node, const char *option)
{
    node->command = words;
    while (*words && strcmp(*words, ";") != 0 &&
           !(strcmp(*words, "+") == 0 && words > node->command && strcmp(words[-1], "{}") == 0))
        words++;
    if (!*words || words == node->command)
        diex("missing argument to '%s'", option);
    node->gather = **words == '+';
    node->nwords = (size_t)(words - node->command) - node->gather;
    words++;
}

static void zero_argument(struct node *node, const char *option)
{
    node->text = option;
}

static void depth_argument(struct node *node, const char *option)
{
    (void)node, (void)option;
    depth_first = true;
}

/* Options hold for the whole command wherever they stand; in the expression they are true. */
static void limit_argument(struct node *node, const char *option)
{
    (void)node;
    *(strcmp(option, "-maxdepth") == 0 ? &max_depth : &min_depth) =
        parse_number(argument(option), option);
}

static const struct {
    const char *name;
    bool (*evaluate)(struct node *node, const FTSENT *file);
    void (*read_argument)(struct node *node, const char *option);
    bool is_action;
} primaries[] = {
    {"-name", name_matches, text_argument, false},
    {"-iname", name_matches, text_argument, false},
    {"-path", path_matches, text_argument, false},
    {"-type", has_type, text_argument, false},
    {"-size", has_size, size_argument, false},
    {"-mtime", has_age, days_argument, false},
    {"-mmin", has_age, days_argument, false},
    {"-newer", is_newer, reference_argument, false},
    {"-perm", has_mode, mode_argument, false},
    {"-empty", is_empty, NULL, false},
    {"-user", has_user, owner_argument, false},
    {"-group", has_group, owner_argument, false},
    {"-links", has_links, number_argument, false},
    {"-inum", has_inode, number_argument, false},
    {"-true", always, NULL, false},
    {"-false", never, NULL, false},
    {"-prune", prune, NULL, false},
    {"-quit", stop, NULL, true},
    {"-print", print, NULL, true},
    {"-print0", print, zero_argument, true},
    {"-delete", delete, depth_argument, true},
    {"-exec", exec, exec_argument, true},
    {"-depth", always, depth_argument, false},
    {"-maxdepth", always, limit_argument, false},
    {"-mindepth", always, limit_argument, false},
};

/* The grammar: or → and → not → primary */

static bool both(struct node *node, const FTSENT *file)
{
    return node->left->evaluate(node->left, file) && node->right->evaluate(node->right, file);
}

static bool either(struct node *node, const FTSENT *file)
{
    return node->left->evaluate(node->left, file) || node->right->evaluate(node->right, file);
}

static bool negated(struct node *node, const FTSENT *file)
{
    return !node->left->evaluate(node->left, file);
}

static struct node *new_node(bool (*evaluate)(struct node *node, const FTSENT *file),
                             struct node *left, struct node *right)
{
    struct node *node = xcalloc(1, sizeof(*node));

    *node = (struct node){.evaluate = evaluate, .left = left, .right = right};
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
        return new_node(negated, parse_primary(), NULL);
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
        struct node *node = new_node(primaries[i].evaluate, NULL, NULL);
        if (primaries[i].read_argument)
            primaries[i].read_argument(node, word);
        has_action |= primaries[i].is_action;
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
        node = new_node(both, node, parse_primary());
    }
    return node;
}

static struct node *parse_or(void)
{
    struct node *node = parse_and();

    while (accept("-o", "-or"))
        node = new_node(either, node, parse_and());
    return node;
}

/* The walk */

static bool visit(FTS *walked, FTSENT *file)
{
    bool is_dir = S_ISDIR(file->fts_statp->st_mode), leaving = file->fts_info == FTS_DP;
    uint64_t depth = (uint64_t)file->fts_level;

    tree = walked;
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
        fts_set(walked, file, FTS_SKIP);
    if (depth >= min_depth && (!is_dir || leaving == depth_first))
        expression->evaluate(expression, file);
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
    expression = *words ? parse_or() : new_node(always, NULL, NULL);
    if (*words)
        diex("unexpected '%s'", *words);
    if (!has_action)
        expression = new_node(both, expression, new_node(print, NULL, NULL));
    start_time = time(NULL);
    if (npaths == 1)
        walk_tree(".", 0, visit);
    for (int i = 1; i < npaths && !quit; i++)
        walk_tree(argv[i], 0, visit);
    finish(expression);
    return status;
}
