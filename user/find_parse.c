/* SPDX-License-Identifier: MIT */
/*
 * The grammar of find's expression: or, and, not, primaries, by recursive descent over the words.
 */
#include "user/find.h"

#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The expression's grammar: or → and → not → primary */

static char **words; /* next one */
static struct find_options *options;

static struct node *parse_or(void);

static struct node *new_node(enum kind kind, struct node *left, struct node *right)
{
    struct node *node = xcalloc(1, sizeof(*node));

    *node = (struct node){.kind = kind, .left = left, .right = right};
    return node;
}

static const char *argument(const char *option)
{
    if (!*words)
        diex("missing argument to '%s'", option);
    return *words++;
}

static void parse_number(struct node *node, const char *option, const char *text)
{
    const char *digits = text + (*text == '+' || *text == '-');

    if (digits > text)
        node->sign = *text;
    if (!parse_u64(digits, 10, &node->number))
        diex("invalid argument '%s' to '%s'", text, option);
}

/* -size 3, 3c, 3k, 3M: blocks of 512 bytes unless a letter says otherwise */
static void parse_size_test(struct node *node, const char *text)
{
    static const struct {
        char letter;
        unsigned unit;
    } units[] = {{'b', 512}, {'c', 1}, {'w', 2}, {'k', 1024}, {'M', 1 << 20}, {'G', 1 << 30}};
    char *digits = xstrdup(text);
    size_t len = strlen(digits);

    node->unit = 512;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (len > 0 && digits[len - 1] == units[i].letter) {
            node->unit = units[i].unit;
            digits[len - 1] = '\0';
            break;
        }
    parse_number(node, "-size", digits);
    free(digits);
}

static void parse_perm(struct node *node, const char *text)
{
    if (*text == '-' || *text == '/')
        node->sign = *text++;
    if (!parse_u64(text, 8, &node->number) || node->number > 07777)
        diex("invalid mode '%s'", text);
}

static void parse_exec(struct node *node)
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

static void parse_owner(struct node *node, const char *db, const char *text)
{
    uint32_t id;

    if (!id_find(db, text, &id))
        diex("'%s' is not the name of a known %s", text, strcmp(db, PASSWD) ? "group" : "user");
    node->number = id;
}

static void parse_reference(struct node *node, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        die("'%s'", path);
    node->when = st.st_mtim;
}

static const struct primary {
    const char *name;
    enum kind kind;
    bool takes_argument, is_action;
} primaries[] = {
    {"-name", NAME, true, false},      {"-iname", INAME, true, false},
    {"-path", PATH_IS, true, false},   {"-wholename", PATH_IS, true, false},
    {"-type", TYPE, true, false},      {"-size", SIZE, true, false},
    {"-mtime", MTIME, true, false},    {"-mmin", MMIN, true, false},
    {"-newer", NEWER, true, false},    {"-perm", PERM, true, false},
    {"-empty", EMPTY, false, false},   {"-user", USER, true, false},
    {"-group", GROUP_IS, true, false}, {"-links", LINKS, true, false},
    {"-inum", INUM, true, false},      {"-true", TRUE, false, false},
    {"-false", FALSE, false, false},   {"-prune", PRUNE, false, false},
    {"-quit", QUIT, false, true},      {"-print", PRINT, false, true},
    {"-print0", PRINT0, false, true},  {"-ls", LS, false, true},
    {"-delete", DELETE, false, true},  {"-exec", EXEC, false, true},
};

static void fill_node(struct node *node, const char *option)
{
    switch (node->kind) {
    case SIZE: parse_size_test(node, node->text); break;
    case MTIME: node->unit = 24 * 3600, parse_number(node, option, node->text); break;
    case MMIN: node->unit = 60, parse_number(node, option, node->text); break;
    case LINKS:
    case INUM: parse_number(node, option, node->text); break;
    case NEWER: parse_reference(node, node->text); break;
    case PERM: parse_perm(node, node->text); break;
    case USER: parse_owner(node, PASSWD, node->text); break;
    case GROUP_IS: parse_owner(node, GROUP, node->text); break;
    case DELETE: options->depth_first = true; break;
    case EXEC: parse_exec(node); break;
    default: break;
    }
}

/* Options hold for the whole command wherever they stand; in the expression they are true. */
static bool parse_global(const char *word)
{
    bool is_max = strcmp(word, "-maxdepth") == 0;

    if (strcmp(word, "-depth") == 0 || strcmp(word, "-d") == 0) {
        options->depth_first = true;
        return true;
    }
    if (!is_max && strcmp(word, "-mindepth") != 0)
        return strcmp(word, "-xdev") == 0 || strcmp(word, "-noleaf") == 0;
    const char *text = argument(word);
    if (!parse_u64(text, 10, is_max ? &options->max_depth : &options->min_depth))
        diex("invalid argument '%s' to '%s'", text, word);
    return true;
}

static struct node *parse_primary(void)
{
    const char *word = argument("expression");

    if (strcmp(word, "(") == 0) {
        struct node *inner = parse_or();

        if (!*words || strcmp(*words++, ")") != 0)
            diex("missing ')'");
        return inner;
    }
    if (parse_global(word))
        return new_node(TRUE, NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(primaries); i++) {
        const struct primary *p = &primaries[i];

        if (strcmp(word, p->name) != 0)
            continue;
        struct node *node = new_node(p->kind, NULL, NULL);
        if (p->takes_argument)
            node->text = argument(word);
        options->has_action |= p->is_action;
        fill_node(node, word);
        return node;
    }
    diex("unknown predicate '%s'", word);
}

static bool accept(const char *a, const char *b)
{
    if (!*words || (strcmp(*words, a) != 0 && strcmp(*words, b) != 0))
        return false;
    words++;
    return true;
}

static struct node *parse_not(void)
{
    return accept("!", "-not") ? new_node(NOT, parse_not(), NULL) : parse_primary();
}

static bool and_follows(void)
{
    return *words && strcmp(*words, ")") != 0 && strcmp(*words, "-o") != 0 &&
           strcmp(*words, "-or") != 0;
}

static struct node *parse_and(void)
{
    struct node *node = parse_not();

    while (and_follows()) {
        accept("-a", "-and");
        node = new_node(AND, node, parse_not());
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

struct node *find_parse(char **first, struct find_options *into)
{
    words = first;
    options = into;
    struct node *node = *words ? parse_or() : new_node(TRUE, NULL, NULL);
    if (*words)
        diex("unexpected '%s'", *words);
    if (!options->has_action)
        node = new_node(AND, node, new_node(PRINT, NULL, NULL));
    return node;
}

void find_free(struct node *node)
{
    if (!node)
        return;
    find_free(node->left);
    find_free(node->right);
    free(node->gathered);
    free(node);
}
