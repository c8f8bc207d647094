/* SPDX-License-Identifier: MIT */
/*
 * The shell's grammar: tokens to a syntax tree, by recursive descent.
 *
 * Invariants: everything made here lies in the caller's arena; an error jumps to `fail`, set by
 * parse_command, and no other jump exists in the shell.
 */
#include "user/sh_lex.h"

#include <ctype.h>
#include <string.h>

static struct node *parse_single(struct parser *p);

static struct node *make_node(struct parser *p, enum node_type type)
{
    struct node *n = arena_alloc(p->a, sizeof(*n));

    n->type = type;
    n->line = p->in->line;
    return n;
}

static void here_redirection(struct parser *p, struct redir *r, bool strip)
{
    struct here *here = arena_alloc(p->a, sizeof(*here)), **tail = &p->pending;
    struct buf delimiter = {.a = p->a};

    *here = (struct here){.redir = r, .strip = strip};
    for (struct part *part = expect_word(p)->parts; part; part = part->next) {
        if (part->type != PART_TEXT)
            syntax(p, "bad here-document delimiter");
        here->quoted |= part->quoted;
        buf_add(&delimiter, part->text, strlen(part->text));
    }
    here->delimiter = buf_str(&delimiter);
    while (*tail)
        tail = &(*tail)->next;
    *tail = here;
}

/* NULL if no redirection stands here. */
static struct redir *parse_redirection(struct parser *p)
{
    static const struct {
        enum token_type token;
        enum redir_type type;
        int fd;
    } types[] = {
        {T_LESS, REDIR_READ, 0},     {T_GREAT, REDIR_WRITE, 1}, {T_CLOBBER, REDIR_CLOBBER, 1},
        {T_APPEND, REDIR_APPEND, 1}, {T_BOTH, REDIR_BOTH, 0},   {T_DUP_IN, REDIR_DUP, 0},
        {T_DUP_OUT, REDIR_DUP, 1},   {T_HERE, REDIR_HERE, 0},   {T_HERE_STRIP, REDIR_HERE, 0},
    };
    bool numbered = accept(p, T_NUMBER);

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (!accept(p, types[i].token))
            continue;
        struct redir *r = arena_alloc(p->a, sizeof(*r));
        *r = (struct redir){.type = types[i].type, .fd = numbered ? p->number : types[i].fd};
        if (r->type == REDIR_HERE)
            here_redirection(p, r, types[i].token == T_HERE_STRIP);
        else
            r->word = expect_word(p);
        return r;
    }
    if (numbered)
        unexpected(p);
    return NULL;
}

static void parse_redirections(struct parser *p, struct node *n)
{
    struct redir **tail = &n->redirs, *r;

    while ((r = parse_redirection(p))) {
        *tail = r;
        tail = &r->next;
    }
}

/* NAME=… with the name unquoted: becomes a word whose plain is the name, parts the value. */
static bool split_assignment(struct parser *p, struct word *word)
{
    struct part *first = word->parts;
    const char *equals;

    if (!first || first->type != PART_TEXT || first->quoted)
        return false;
    equals = strchr(first->text, '=');
    if (!equals || !is_name(first->text, (size_t)(equals - first->text)))
        return false;
    word->plain = arena_strndup(p->a, first->text, (size_t)(equals - first->text));
    if (equals[1])
        first->text = arena_strndup(p->a, equals + 1, strlen(equals + 1));
    else
        word->parts = first->next;
    return true;
}

static struct node *parse_function(struct parser *p, const char *name)
{
    struct node *n = make_node(p, NODE_FUNCTION);

    if (!is_name(name, strlen(name)) || !accept(p, T_RPAREN))
        unexpected(p);
    skip_newlines(p);
    n->name = name;
    n->a = parse_single(p);
    return n;
}

static struct node *parse_simple(struct parser *p)
{
    struct node *n = make_node(p, NODE_SIMPLE);
    struct word **words = &n->words, **assigns = &n->assigns;
    struct redir **redirs = &n->redirs;

    for (;;) {
        if (accept(p, T_WORD)) {
            struct word *word = p->word;
            bool first = !n->words;

            if (first && split_assignment(p, word)) {
                *assigns = word;
                assigns = &word->next;
                continue;
            }
            *words = word;
            words = &word->next;
            if (first && !n->assigns && !n->redirs && word->plain && accept(p, T_LPAREN))
                return parse_function(p, word->plain);
            continue;
        }
        if (!(*redirs = parse_redirection(p)))
            break;
        redirs = &(*redirs)->next;
    }
    if (!n->words && !n->assigns && !n->redirs)
        unexpected(p);
    return n;
}

static struct node *parse_if(struct parser *p)
{
    struct node *n = make_node(p, NODE_IF);

    n->a = compound_list(p);
    expect_reserved(p, "then");
    n->b = compound_list(p);
    enter(p);
    if (accept_reserved(p, "elif")) {
        n->c = parse_if(p);
    } else {
        if (accept_reserved(p, "else"))
            n->c = compound_list(p);
        expect_reserved(p, "fi");
    }
    p->depth--;
    return n;
}

static struct node *parse_do(struct parser *p)
{
    struct node *body;

    expect_reserved(p, "do");
    body = compound_list(p);
    expect_reserved(p, "done");
    return body;
}

static struct node *parse_while(struct parser *p, enum node_type type)
{
    struct node *n = make_node(p, type);

    n->a = compound_list(p);
    n->b = parse_do(p);
    return n;
}

static struct node *parse_for(struct parser *p)
{
    struct node *n = make_node(p, NODE_FOR);
    struct word **tail = &n->words;

    n->name = expect_word(p)->plain;
    if (!n->name || !is_name(n->name, strlen(n->name)))
        syntax(p, "bad for loop variable");
    skip_newlines(p);
    if (accept_reserved(p, "in")) {
        n->has_in = true;
        while (accept(p, T_WORD)) {
            *tail = p->word;
            tail = &p->word->next;
        }
        if (!accept(p, T_SEMI) && !accept(p, T_NEWLINE))
            unexpected(p);
    } else {
        accept(p, T_SEMI);
    }
    skip_newlines(p);
    n->a = parse_do(p);
    return n;
}

static struct case_item *parse_case_item(struct parser *p)
{
    struct case_item *item = arena_alloc(p->a, sizeof(*item));
    struct word **tail = &item->patterns;

    accept(p, T_LPAREN);
    do {
        *tail = expect_word(p);
        tail = &(*tail)->next;
    } while (accept(p, T_PIPE));
    expect(p, T_RPAREN);
    item->body = compound_list(p);
    return item;
}

static struct node *parse_case(struct parser *p)
{
    struct node *n = make_node(p, NODE_CASE);
    struct case_item **tail = &n->items;

    n->words = expect_word(p);
    skip_newlines(p);
    expect_reserved(p, "in");
    skip_newlines(p);
    while (!accept_reserved(p, "esac")) {
        *tail = parse_case_item(p);
        tail = &(*tail)->next;
        if (!accept(p, T_DSEMI)) {
            expect_reserved(p, "esac");
            break;
        }
        skip_newlines(p);
    }
    return n;
}

static struct node *parse_group(struct parser *p, enum node_type type)
{
    struct node *n = make_node(p, type);

    n->a = compound_list(p);
    if (!n->a)
        unexpected(p);
    if (type == NODE_GROUP)
        expect_reserved(p, "}");
    else
        expect(p, T_RPAREN);
    return n;
}

static bool at_terminator(struct parser *p)
{
    static const char *const words[] = {"then", "elif", "else", "fi", "do", "done", "esac", "}"};

    if (token(p) == T_EOF || p->tok == T_RPAREN || p->tok == T_DSEMI)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (at_reserved(p, words[i]))
            return true;
    return false;
}

static struct node *parse_single(struct parser *p)
{
    struct node *n;

    enter(p);
    if (at_terminator(p))
        unexpected(p);
    if (accept(p, T_LPAREN))
        n = parse_group(p, NODE_SUBSHELL);
    else if (accept_reserved(p, "{"))
        n = parse_group(p, NODE_GROUP);
    else if (accept_reserved(p, "if"))
        n = parse_if(p);
    else if (accept_reserved(p, "while"))
        n = parse_while(p, NODE_WHILE);
    else if (accept_reserved(p, "until"))
        n = parse_while(p, NODE_UNTIL);
    else if (accept_reserved(p, "for"))
        n = parse_for(p);
    else if (accept_reserved(p, "case"))
        n = parse_case(p);
    else
        n = parse_simple(p);
    p->depth--;
    if (n->type != NODE_SIMPLE && n->type != NODE_FUNCTION)
        parse_redirections(p, n);
    return n;
}

static struct node *parse_pipeline(struct parser *p)
{
    bool negated = accept_reserved(p, "!");
    struct node *first, **tail, *n;

    if (negated && at_reserved(p, "!"))
        unexpected(p);
    first = parse_single(p);
    tail = &first->next;
    n = first;
    if (token(p) == T_PIPE) {
        n = make_node(p, NODE_PIPE);
        n->a = first;
    }
    while (accept(p, T_PIPE)) {
        skip_newlines(p);
        *tail = parse_single(p);
        tail = &(*tail)->next;
    }
    if (negated) {
        struct node *not = make_node(p, NODE_NOT);

        not ->a = n;
        n = not ;
    }
    return n;
}

static struct node *parse_and_or(struct parser *p)
{
    size_t start = (token(p), p->tok_start);
    struct node *n = parse_pipeline(p);

    for (;;) {
        bool and = accept(p, T_AND_IF);

        if (!and&&!accept(p, T_OR_IF))
            break;
        struct node *both = make_node(p, and? NODE_AND : NODE_OR);
        skip_newlines(p);
        both->a = n;
        both->b = parse_pipeline(p);
        n = both;
    }
    token(p);
    while (p->tok_start > start && isspace((unsigned char)p->source.p[p->tok_start - 1]))
        p->tok_start--;
    n->text = arena_strndup(p->a, p->source.p + start, p->tok_start - start);
    return n;
}

/* One or more and-or lists; NULL if none. With `line`, a newline ends it and is left to read. */
static struct node *parse_list(struct parser *p, bool line)
{
    struct node *list = make_node(p, NODE_LIST), **tail = &list->a;

    for (;;) {
        if (!line)
            skip_newlines(p);
        if (at_terminator(p) || p->tok == T_NEWLINE)
            break;
        *tail = parse_and_or(p);
        bool more = accept(p, T_SEMI);
        if (!more && accept(p, T_AMP))
            more = (*tail)->background = true;
        tail = &(*tail)->next;
        if (!more && (line || token(p) != T_NEWLINE))
            break;
    }
    return list->a ? list : NULL;
}

struct node *compound_list(struct parser *p)
{
    struct node *n = parse_list(p, false);

    token(p);
    return n;
}

static struct node *parse_line(struct parser *p)
{
    struct node *n = NULL;

    if (token(p) == T_EOF)
        longjmp(p->fail, PARSE_EOF);
    if (p->tok != T_NEWLINE)
        n = parse_list(p, true);
    if (token(p) != T_NEWLINE && p->tok != T_EOF)
        unexpected(p);
    if (p->tok == T_EOF)
        read_here_documents(p);
    return n;
}

enum parse_result parse_command(struct input *in, struct arena *a, struct node **out)
{
    struct parser *p = arena_alloc(a, sizeof(*p));
    enum parse_result result;

    p->in = in;
    p->a = p->source.a = a;
    result = (enum parse_result)setjmp(p->fail);
    if (result == PARSE_OK)
        *out = parse_line(p);
    return result;
}
