/* SPDX-License-Identifier: MIT */
/*
 * Between the shell's lexer (sh_lex.c) and its parser (sh_parse.c): the state they share and what
 * each may ask of the other. Errors jump to `fail`; nothing here is seen by the rest of the shell.
 */
#ifndef USER_SH_LEX_H
#define USER_SH_LEX_H

#include "user/sh.h"

#include <setjmp.h>

enum token_type {
    T_EOF,
    T_NEWLINE,
    T_WORD,
    T_NUMBER,
    T_DSEMI,
    T_AND_IF,
    T_OR_IF,
    T_HERE_STRIP,
    T_HERE,
    T_DUP_IN,
    T_BOTH,
    T_APPEND,
    T_DUP_OUT,
    T_CLOBBER,
    T_SEMI,
    T_AMP,
    T_PIPE,
    T_LPAREN,
    T_RPAREN,
    T_LESS,
    T_GREAT
};

struct here {
    struct here *next;
    struct redir *redir;
    const char *delimiter;
    bool quoted, strip;
};

struct parser {
    struct input *in;
    struct arena *a;
    jmp_buf fail;
    enum token_type tok;
    bool have_tok;
    struct word *word;
    int number;
    size_t tok_start; /* offset in source where the token begins */
    struct here *pending;
    struct buf source;
    int depth;
};

/* Report and jump to `fail`. */
_Noreturn void syntax(struct parser *p, const char *what);
_Noreturn void unexpected(struct parser *p);
/* One level deeper; the caller takes p->depth down again. */
void enter(struct parser *p);

/* The next token, which stays; accept takes it if it is of that type. */
enum token_type token(struct parser *p);
bool accept(struct parser *p, enum token_type type);
void expect(struct parser *p, enum token_type type);
void skip_newlines(struct parser *p);
bool at_reserved(struct parser *p, const char *name);
bool accept_reserved(struct parser *p, const char *name);
void expect_reserved(struct parser *p, const char *name);
struct word *expect_word(struct parser *p);

/* Here-documents whose bodies begin here. The token after a line's end reads them by itself. */
void read_here_documents(struct parser *p);
/* A word from text that is quoted as a here-document is. */
struct word *here_word(struct parser *p, struct buf *body, bool quoted);

/* sh_parse.c, for $(…) and `…`: stops at the first token that cannot continue a list. */
struct node *compound_list(struct parser *p);

#endif
