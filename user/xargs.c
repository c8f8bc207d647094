/* SPDX-License-Identifier: MIT */
/*
 * xargs: runs a command with words from its input, as many at a time as -n or the space allows.
 *
 * Words are cut at blanks and newlines, with quotes and backslashes as in a shell; -0 cuts at NULs
 * and -I at newlines, both without quoting. Exit status: 123 a command failed, 124 it returned 255,
 * 125 it was killed, 126 it cannot run, 127 there is none.
 */
#include "user/box.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define BYTES_MAX (96 * 1024)

static char **command, **words;
static size_t ncommand, nwords, nbytes;
static int status;

/* Reading words */

static void read_quoted(FILE *word, int quote)
{
    int c;

    /* A quoted stretch ends on the line where it began. */
    while ((c = getchar()) != quote) {
        if (c == EOF || c == '\n')
            diex("unmatched %s quote", quote == '"' ? "double" : "single");
        putc(c, word);
    }
}

static char *read_shell_word(void)
{
    char *text = NULL;
    size_t len;
    int c;

    do
        c = getchar();
    while (c != EOF && isspace(c));
    if (c == EOF)
        return NULL;
    FILE *word = open_memstream(&text, &len);
    if (!word)
        die("cannot read words");
    for (; c != EOF && !isspace(c); c = getchar()) {
        if (c == '"' || c == '\'')
            read_quoted(word, c);
        else if (c != '\\' || (c = getchar()) != EOF)
            putc(c, word);
    }
    if (fclose(word) != 0)
        die("cannot read words");
    return text;
}

/* Lines for -I lose their leading blanks, and empty ones do not count. */
static char *next_word(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (!opt('0') && !opt('I'))
        return read_shell_word();
    while ((len = getdelim(&line, &room, opt('0') ? '\0' : '\n', stdin)) >= 0) {
        if (opt('0'))
            return line;
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        size_t blanks = strspn(line, " \t");
        if (!line[blanks])
            continue;
        memmove(line, line + blanks, strlen(line + blanks) + 1);
        return line;
    }
    free(line);
    return NULL;
}

/* Running */

static void run(char **argv)
{
    for (char **arg = argv; opt('t') && *arg; arg++)
        fprintf(stderr, "%s%s", *arg, arg[1] ? " " : "\n");
    int result = run_program(argv, true);
    if (result == -1)
        exit(1);
    if (WIFSIGNALED(result))
        error(125, 0, "%s: terminated by signal %d", argv[0], WTERMSIG(result));
    if (WEXITSTATUS(result) == 255)
        error(124, 0, "%s: exited with status 255; aborting", argv[0]);
    if (WEXITSTATUS(result) == 126 || WEXITSTATUS(result) == 127)
        exit(WEXITSTATUS(result));
    if (WEXITSTATUS(result) != 0)
        status = 123;
}

static void run_words(void)
{
    char **argv = xcalloc(ncommand + nwords + 1, sizeof(char *));

    memcpy(argv, command, ncommand * sizeof(char *));
    if (nwords)
        memcpy(argv + ncommand, words, nwords * sizeof(char *));
    run(argv);
    free(argv);
    while (nwords > 0)
        free(words[--nwords]);
    nbytes = 0;
}

static void run_replaced(char *word)
{
    char **argv = xcalloc(ncommand + 1, sizeof(char *));

    for (size_t i = 0; i < ncommand; i++)
        argv[i] = substitute(command[i], opt_value('I'), word);
    run(argv);
    for (size_t i = 0; i < ncommand; i++)
        free(argv[i]);
    free(argv);
    free(word);
}

int xargs_main(int argc, char **argv)
{
    static char *echo[] = {"echo", NULL};
    bool any = false;
    char *word;

    read_options(&argc, &argv, "+0I:n:rt", 1);
    uint64_t max_words = opt_number('n', UINT64_MAX, 1);
    if (max_words == 0 || (opt('I') && !*opt_value('I')))
        usage(1);
    command = argc ? argv : echo;
    ncommand = argc ? (size_t)argc : 1;
    for (; (word = next_word()) != NULL; any = true) {
        if (opt('I')) {
            run_replaced(word);
            continue;
        }
        size_t size = strlen(word) + 1 + sizeof(char *);
        if (nwords > 0 && (nwords >= max_words || nbytes + size > BYTES_MAX))
            run_words();
        words = grow(words, nwords, sizeof(char *));
        words[nwords++] = word;
        nbytes += size;
    }
    if (nwords > 0 || (!any && !opt('I') && !opt('r')))
        run_words();
    return status;
}
