/* SPDX-License-Identifier: MIT */
/*
 * find's expression, as find_parse.c builds it and find.c evaluates it.
 */
#ifndef USER_FIND_H
#define USER_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

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
    MMIN,
    NEWER,
    PERM,
    EMPTY,
    USER,
    GROUP_IS,
    LINKS,
    INUM,
    PRINT,
    PRINT0,
    PRUNE,
    DELETE,
    QUIT,
    EXEC,
    LS,
};

struct node {
    enum kind kind;
    struct node *left, *right;
    const char *text;
    /* numbers: "+5" more than, "-5" less than, "5" exactly; for -perm '-' all bits, '/' any */
    char sign;
    uint64_t number;
    unsigned unit;
    struct timespec when;
    /* -exec */
    char **command;
    size_t nwords;
    bool gather;
    char **gathered;
    size_t ngathered, gathered_bytes;
};

/* What holds for the whole command, wherever it stands in the expression. */
struct find_options {
    bool depth_first, has_action;
    uint64_t max_depth, min_depth;
};

/* words: the arguments behind the paths, NULL-terminated. Dies when they are no expression. */
struct node *find_parse(char **words, struct find_options *options);
void find_free(struct node *node);

#endif
