/* SPDX-License-Identifier: MIT */
/*
 * The shell's lexer: characters to words and tokens.
 *
 * It splits a word into parts as it reads it; "$(…)" calls the parser at that point, so no text is
 * scanned twice and quotes nest as they should. Text is pulled line by line, which lets an
 * interactive shell ask for more in the middle of a command.
 *
 * Invariants: everything made here lies in the caller's arena; nesting is bounded by MAX_DEPTH, so
 * no script overflows the stack; one token of look-ahead is all that is ever read too far, and
 * never past the end of a line.
 */
#include "user/sh_lex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Operators from T_DSEMI on, in the order of the enum: a longer one stands before its prefix. */
static const char operators[][4] = {";;", "&&", "||", "<<-", "<<", "<&", "<>", ">>", ">&",
                                    ">|", ";",  "&",  "|",   "(",  ")",  "<",  ">"};

/* What ends a run of word parts, and which quoting rules hold inside it. */
enum mode { M_WORD, M_DQUOTE, M_BRACE, M_BRACE_DQUOTE, M_ARITH, M_HERE };

struct builder {
    struct part *head, **tail;
    struct buf text;
    bool quoted;
};

static void lex_parts(struct parser *p, struct builder *b, enum mode mode);

/* Errors */

_Noreturn void syntax(struct parser *p, const char *what)
{
    fprintf(stderr, "%s: %d: syntax error: %s\n", sh.arg0, p->in->line, what);
    longjmp(p->fail, PARSE_ERROR);
}

_Noreturn void unexpected(struct parser *p)
{
    char what[80];
    const char *seen = p->tok == T_EOF       ? "end of file"
                       : p->tok == T_NEWLINE ? "newline"
                       : p->tok == T_NUMBER  ? "redirection"
                       : p->tok != T_WORD    ? operators[p->tok - T_DSEMI]
                       : p->word->plain      ? p->word->plain
                                             : "word";

    snprintf(what, sizeof(what), "%.60s unexpected", seen);
    syntax(p, what);
}

void enter(struct parser *p)
{
    if (++p->depth > MAX_DEPTH)
        syntax(p, "nested too deep");
}

/* Characters */

static int peek(struct parser *p)
{
    struct input *in = p->in;

    for (;;) {
        /* NUL bytes are no part of any language; strchr below would take them for its end. */
        while (in->pos < in->len && !in->text[in->pos])
            in->pos++;
        if (in->pos < in->len)
            return (unsigned char)in->text[in->pos];
        int more = in->refill && !in->ended ? in->refill(in, p->a, p->source.len > 0) : 0;

        if (more < 0)
            longjmp(p->fail, PARSE_INTERRUPTED);
        if (more == 0) {
            in->ended = true;
            return EOF;
        }
    }
}

static int next(struct parser *p)
{
    int c = peek(p);

    if (c == EOF)
        return EOF;
    p->in->pos++;
    p->in->line += c == '\n';
    buf_char(&p->source, (char)c);
    return c;
}

/* The next character after any line continuations. Lines come whole: no \ is last in a buffer. */
static int peek_joined(struct parser *p)
{
    int c;

    while ((c = peek(p)) == '\\' && p->in->pos + 1 < p->in->len &&
           p->in->text[p->in->pos + 1] == '\n') {
        next(p);
        next(p);
    }
    return c;
}

static int next_joined(struct parser *p)
{
    peek_joined(p);
    return next(p);
}

static bool take(struct parser *p, int c)
{
    if (peek_joined(p) != c)
        return false;
    next(p);
    return true;
}

/* Words */

static struct part *add_part(struct parser *p, struct builder *b, enum part_type type, bool quoted)
{
    struct part *part = arena_alloc(p->a, sizeof(*part));

    part->type = type;
    part->quoted = quoted;
    *b->tail = part;
    b->tail = &part->next;
    return part;
}

static void flush_text(struct parser *p, struct builder *b)
{
    if (b->text.len)
        add_part(p, b, PART_TEXT, b->quoted)->text = buf_str(&b->text);
    b->text = (struct buf){.a = p->a};
}

static void add_char(struct parser *p, struct builder *b, int c, bool quoted)
{
    if (b->quoted != quoted)
        flush_text(p, b);
    b->quoted = quoted;
    buf_char(&b->text, (char)c);
}

/* "" and '' make a field even though they hold nothing. */
static void add_empty(struct parser *p, struct builder *b)
{
    flush_text(p, b);
    add_part(p, b, PART_TEXT, true)->text = arena_strndup(p->a, "", 0);
}

static struct part *lex_nested(struct parser *p, enum mode mode)
{
    struct builder b = {.tail = &b.head, .text = {.a = p->a}};

    enter(p);
    lex_parts(p, &b, mode);
    p->depth--;
    return b.head;
}

/* Parses other text with the same parser: for `…` and here-documents. */
static void switch_input(struct parser *p, struct input *in, struct parser *saved)
{
    *saved = *p;
    p->in = in;
    p->have_tok = false;
    p->pending = NULL;
}

static void switch_back(struct parser *p, const struct parser *saved)
{
    struct buf source = p->source;

    *p = *saved;
    p->source = source;
}

static struct node *parse_substitution(struct parser *p)
{
    struct parser *saved = arena_alloc(p->a, sizeof(*saved));
    struct node *tree;

    switch_input(p, p->in, saved);
    tree = compound_list(p);
    if (p->tok != T_RPAREN)
        unexpected(p);
    switch_back(p, saved);
    return tree;
}

static struct node *parse_backquote(struct parser *p, bool quoted)
{
    struct parser *saved = arena_alloc(p->a, sizeof(*saved));
    struct buf text = {.a = p->a};
    struct input in;
    struct node *tree;
    int c;

    while ((c = next(p)) != '`') {
        if (c == EOF)
            syntax(p, "missing `");
        if (c == '\\' &&
            (peek(p) == '`' || peek(p) == '\\' || peek(p) == '$' || (quoted && peek(p) == '"')))
            c = next(p);
        buf_char(&text, (char)c);
    }
    input_from_string(&in, buf_str(&text), text.len);
    in.line = p->in->line;
    switch_input(p, &in, saved);
    tree = compound_list(p);
    if (p->tok != T_EOF)
        unexpected(p);
    switch_back(p, saved);
    return tree;
}

static char *lex_name(struct parser *p)
{
    struct buf name = {.a = p->a};
    int c = peek_joined(p);
    bool word = is_name_start(c), digits = c != EOF && isdigit(c);

    if (!word && !digits && (c == EOF || !strchr("@*#?-$!", c)))
        syntax(p, "bad substitution");
    do
        buf_char(&name, (char)next(p));
    while (((word && is_name_char(c = peek_joined(p))) || (digits && isdigit(c = peek_joined(p)))));
    return buf_str(&name);
}

/* After "${". */
static void lex_braced(struct parser *p, struct part *part, bool quoted)
{
    int c;

    part->text = lex_name(p);
    if (part->text[0] == '#' && (c = peek_joined(p)) != '}' && c != EOF &&
        (is_name_char(c) || strchr("@*#?-$!", c))) {
        part->text = lex_name(p);
        part->op = 'l';
        if (!take(p, '}'))
            syntax(p, "bad substitution");
        return;
    }
    if (take(p, '}'))
        return;
    part->colon = take(p, ':');
    c = next_joined(p);
    if (c == EOF || !strchr(part->colon ? "-=?+" : "-=?+#%", c))
        syntax(p, "bad substitution");
    part->op = (char)c;
    if ((c == '#' || c == '%') && take(p, c))
        part->op = c == '#' ? 'h' : 's';
    /* A pattern has its own quoting, even inside double quotes. */
    bool pattern = c == '#' || c == '%';
    part->arg = lex_nested(p, quoted && !pattern ? M_BRACE_DQUOTE : M_BRACE);
}

static void lex_dollar(struct parser *p, struct builder *b, bool quoted)
{
    int c = peek_joined(p);

    if (c == '(') {
        next(p);
        flush_text(p, b);
        if (take(p, '('))
            add_part(p, b, PART_ARITH, quoted)->arg = lex_nested(p, M_ARITH);
        else
            add_part(p, b, PART_COMMAND, quoted)->tree = parse_substitution(p);
        return;
    }
    if (c != '{' && !is_name_char(c) && (c == EOF || !strchr("@*#?-$!", c))) {
        add_char(p, b, '$', quoted);
        return;
    }
    flush_text(p, b);
    struct part *part = add_part(p, b, PART_PARAM, quoted);
    if (c == '{') {
        next(p);
        lex_braced(p, part, quoted);
    } else if (isdigit(c)) {
        char digit = (char)next(p);

        part->text = arena_strndup(p->a, &digit, 1);
    } else {
        part->text = lex_name(p);
    }
}

static void lex_single_quoted(struct parser *p, struct builder *b)
{
    int c = next(p);

    if (c == '\'')
        add_empty(p, b);
    for (; c != '\''; c = next(p)) {
        if (c == EOF)
            syntax(p, "missing '");
        add_char(p, b, c, true);
    }
}

static void lex_double_quoted(struct parser *p, struct builder *b)
{
    if (peek_joined(p) == '"') {
        next(p);
        add_empty(p, b);
        return;
    }
    flush_text(p, b);
    enter(p);
    lex_parts(p, b, M_DQUOTE);
    p->depth--;
}

static void lex_backslash(struct parser *p, struct builder *b, enum mode mode)
{
    int c = peek(p);
    bool quoting = mode != M_WORD && mode != M_BRACE;

    if (c == '\n') {
        next(p);
        return;
    }
    if (c == EOF) {
        add_char(p, b, '\\', true);
        return;
    }
    if (quoting && !strchr("$`\\", c) && !(c == '"' && mode != M_HERE) &&
        !(c == '}' && mode == M_BRACE_DQUOTE)) {
        add_char(p, b, '\\', true);
        return;
    }
    add_char(p, b, next(p), true);
}

static bool word_ends(int c)
{
    return c == EOF || strchr(" \t\n|&;<>()", c) != NULL;
}

/* Reads parts up to what ends the mode; consumes the closing ", } or )), but not a word's end. */
static void lex_parts(struct parser *p, struct builder *b, enum mode mode)
{
    bool quoted = mode != M_WORD && mode != M_BRACE;
    int parens = 0;

    for (;;) {
        int c = peek(p);

        if (mode == M_WORD ? word_ends(c) : mode == M_HERE && c == EOF)
            break;
        if (c == EOF)
            syntax(p, mode == M_DQUOTE  ? "missing \""
                      : mode == M_ARITH ? "missing ))"
                                        : "missing }");
        next(p);
        if (c == '"' && mode == M_DQUOTE)
            break;
        if (c == '}' && (mode == M_BRACE || mode == M_BRACE_DQUOTE))
            break;
        if (mode == M_ARITH && c == ')' && parens == 0) {
            if (!take(p, ')'))
                syntax(p, "missing ))");
            break;
        }
        parens += mode == M_ARITH ? (c == '(') - (c == ')') : 0;
        if (c == '\\')
            lex_backslash(p, b, mode);
        else if (c == '$')
            lex_dollar(p, b, quoted);
        else if (c == '`') {
            flush_text(p, b);
            add_part(p, b, PART_COMMAND, quoted)->tree = parse_backquote(p, quoted);
        } else if (c == '\'' && !quoted)
            lex_single_quoted(p, b);
        else if (c == '"' && mode != M_HERE && mode != M_ARITH)
            lex_double_quoted(p, b);
        else if (c != '"' || mode == M_HERE)
            add_char(p, b, c, quoted);
    }
    flush_text(p, b);
}

/* Here-documents: bodies are read when the line that asks for them ends. */

static bool read_here_line(struct parser *p, bool strip, struct buf *line)
{
    int c;

    line->len = 0;
    while (strip && peek(p) == '\t')
        next(p);
    if (peek(p) == EOF)
        return false;
    do {
        c = next(p);
        if (c != EOF)
            buf_char(line, (char)c);
    } while (c != EOF && c != '\n');
    return true;
}

struct word *here_word(struct parser *p, struct buf *body, bool quoted)
{
    struct word *word = arena_alloc(p->a, sizeof(*word));

    if (quoted) {
        word->parts = arena_alloc(p->a, sizeof(*word->parts));
        word->parts->quoted = true;
        word->parts->text = buf_str(body);
    } else {
        struct parser *saved = arena_alloc(p->a, sizeof(*saved));
        struct input in;

        input_from_string(&in, buf_str(body), body->len);
        in.line = p->in->line;
        switch_input(p, &in, saved);
        word->parts = lex_nested(p, M_HERE);
        switch_back(p, saved);
    }
    return word;
}

void read_here_documents(struct parser *p)
{
    while (p->pending) {
        struct here *here = p->pending;
        struct buf body = {.a = p->a}, line = {.a = p->a};
        size_t len = strlen(here->delimiter);

        p->pending = here->next;
        while (read_here_line(p, here->strip, &line)) {
            size_t bare = line.len - (line.p[line.len - 1] == '\n');

            if (bare == len && memcmp(line.p, here->delimiter, len) == 0)
                break;
            buf_add(&body, line.p, line.len);
        }
        here->redir->word = here_word(p, &body, here->quoted);
    }
}

/* Tokens */

static struct word *make_word(struct parser *p, struct part *parts)
{
    struct word *word = arena_alloc(p->a, sizeof(*word));

    word->parts = parts;
    if (parts && !parts->next && parts->type == PART_TEXT && !parts->quoted)
        word->plain = parts->text;
    return word;
}

static void skip_blanks(struct parser *p)
{
    int c;

    while ((c = peek_joined(p)) == ' ' || c == '\t')
        next(p);
    if (c == '#')
        while ((c = peek(p)) != EOF && c != '\n')
            next(p);
}

static enum token_type lex_operator(struct parser *p)
{
    const char *text = p->in->text + p->in->pos;
    size_t left = p->in->len - p->in->pos, i = 0, len;

    while (len = strlen(operators[i]), len > left || memcmp(operators[i], text, len) != 0)
        i++;
    while (len-- > 0)
        next(p);
    return T_DSEMI + (enum token_type)i;
}

static enum token_type lex_word(struct parser *p)
{
    p->word = make_word(p, lex_nested(p, M_WORD));
    const char *plain = p->word->plain;
    int c = peek(p);

    if (!plain || (c != '<' && c != '>') || strspn(plain, "0123456789") != strlen(plain))
        return T_WORD;
    p->number = strlen(plain) < 5 ? atoi(plain) : -1;
    return T_NUMBER;
}

enum token_type token(struct parser *p)
{
    if (p->have_tok)
        return p->tok;
    skip_blanks(p);
    p->tok_start = p->source.len;
    int c = peek_joined(p);
    if (c == EOF) {
        p->tok = T_EOF;
    } else if (c == '\n') {
        next(p);
        read_here_documents(p);
        p->tok = T_NEWLINE;
    } else if (strchr("|&;<>()", c)) {
        p->tok = lex_operator(p);
    } else {
        p->tok = lex_word(p);
    }
    p->have_tok = true;
    return p->tok;
}

bool accept(struct parser *p, enum token_type type)
{
    if (token(p) != type)
        return false;
    p->have_tok = false;
    return true;
}

void skip_newlines(struct parser *p)
{
    while (accept(p, T_NEWLINE))
        ;
}

bool at_reserved(struct parser *p, const char *name)
{
    return token(p) == T_WORD && p->word->plain && strcmp(p->word->plain, name) == 0;
}

bool accept_reserved(struct parser *p, const char *name)
{
    if (!at_reserved(p, name))
        return false;
    p->have_tok = false;
    return true;
}

void expect_reserved(struct parser *p, const char *name)
{
    char what[40];

    if (accept_reserved(p, name))
        return;
    if (token(p) != T_EOF)
        unexpected(p);
    snprintf(what, sizeof(what), "end of file, \"%s\" expected", name);
    syntax(p, what);
}

void expect(struct parser *p, enum token_type type)
{
    if (!accept(p, type))
        unexpected(p);
}

struct word *expect_word(struct parser *p)
{
    expect(p, T_WORD);
    return p->word;
}
