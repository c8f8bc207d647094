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
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES_MAX (96 * 1024)

static char **command;
static int ncommand;
static char **words;
static size_t nwords, words_room, nbytes;
static uint64_t max_words = UINT64_MAX;
static const char *replace;
static bool zero, trace, skip_empty;
static int status;

/* Reading words */

static void put_char(char **word, size_t *len, size_t *room, int c)
{
    if (*len + 1 >= *room)
        *word = xrealloc(*word, *room = *room ? 2 * *room : 64);
    (*word)[(*len)++] = (char)c;
    (*word)[*len] = '\0';
}

/* A quoted stretch ends on the line where it began. */
static void read_quoted(char **word, size_t *len, size_t *room, int quote)
{
    int c;

    while ((c = getchar()) != quote) {
        if (c == EOF || c == '\n')
            diex("unmatched %s quote", quote == '"' ? "double" : "single");
        put_char(word, len, room, c);
    }
}

static char *read_until(int end)
{
    char *word = NULL;
    size_t len = 0, room = 0;
    int c;

    while ((c = getchar()) != end && c != EOF)
        put_char(&word, &len, &room, c);
    return word || c == EOF ? word : xstrdup("");
}

static char *read_shell_word(void)
{
    char *word = NULL;
    size_t len = 0, room = 0;
    int c;

    do
        c = getchar();
    while (c != EOF && isspace(c));
    for (; c != EOF && !isspace(c); c = getchar()) {
        if (!word)
            word = xcalloc(room = 64, 1);
        if (c == '\\' && (c = getchar()) != EOF)
            put_char(&word, &len, &room, c);
        else if (c == '"' || c == '\'')
            read_quoted(&word, &len, &room, c);
        else
            put_char(&word, &len, &room, c);
    }
    return word;
}

/* Lines for -I lose their leading blanks, and empty ones do not count. */
static char *read_line(void)
{
    char *line;

    while ((line = read_until('\n')) != NULL) {
        size_t blanks = strspn(line, " \t");

        if (line[blanks]) {
            memmove(line, line + blanks, strlen(line + blanks) + 1);
            return line;
        }
        free(line);
    }
    return NULL;
}

static char *next_word(void)
{
    if (zero)
        return read_until('\0');
    return replace ? read_line() : read_shell_word();
}

/* Running */

static void run(char **argv)
{
    int result;

    if (trace) {
        for (char **arg = argv; *arg; arg++)
            fprintf(stderr, "%s%s", arg == argv ? "" : " ", *arg);
        fputc('\n', stderr);
    }
    pid_t pid = fork();
    if (pid < 0)
        die("cannot fork");
    if (pid == 0) {
        /* The input is ours; the command must not eat it. */
        int null = open("/dev/null", O_RDONLY);

        if (null >= 0)
            dup2(null, STDIN_FILENO);
        execvp(argv[0], argv);
        warn("%s", argv[0]);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (waitpid(pid, &result, 0) < 0)
        if (errno != EINTR)
            die("cannot wait");
    if (WIFSIGNALED(result)) {
        warnx("%s: terminated by signal %d", argv[0], WTERMSIG(result));
        exit(125);
    }
    if (WEXITSTATUS(result) == 255) {
        warnx("%s: exited with status 255; aborting", argv[0]);
        exit(124);
    }
    if (WEXITSTATUS(result) == 126 || WEXITSTATUS(result) == 127)
        exit(WEXITSTATUS(result));
    if (WEXITSTATUS(result) != 0)
        status = 123;
}

static void run_words(void)
{
    char **argv = xcalloc((size_t)ncommand + nwords + 1, sizeof(char *));

    memcpy(argv, command, (size_t)ncommand * sizeof(char *));
    if (nwords)
        memcpy(argv + ncommand, words, nwords * sizeof(char *));
    run(argv);
    free(argv);
    for (size_t i = 0; i < nwords; i++)
        free(words[i]);
    nwords = nbytes = 0;
}

static char *substitute(const char *text, const char *with)
{
    const char *mark = strstr(text, replace);

    if (!mark)
        return xstrdup(text);
    char *rest = substitute(mark + strlen(replace), with);
    char *whole = xasprintf("%.*s%s%s", (int)(mark - text), text, with, rest);
    free(rest);
    return whole;
}

static void run_replaced(const char *word)
{
    char **argv = xcalloc((size_t)ncommand + 1, sizeof(char *));

    for (int i = 0; i < ncommand; i++)
        argv[i] = substitute(command[i], word);
    run(argv);
    for (int i = 0; i < ncommand; i++)
        free(argv[i]);
    free(argv);
}

static void add_word(char *word)
{
    size_t size = strlen(word) + 1 + sizeof(char *);

    if (nwords > 0 && (nwords >= max_words || nbytes + size > BYTES_MAX))
        run_words();
    if (nwords == words_room)
        words = xrealloc(words, (words_room = words_room ? 2 * words_room : 64) * sizeof(char *));
    words[nwords++] = word;
    nbytes += size;
}

int xargs_main(int argc, char **argv)
{
    static char *echo[] = {"echo", NULL};
    bool any = false;
    char *word;
    int opt;

    while ((opt = getopt(argc, argv, "+0I:n:rt")) != -1) {
        switch (opt) {
        case '0': zero = true; break;
        case 'I': replace = optarg; break;
        case 'n':
            if (!parse_u64(optarg, 10, &max_words) || max_words == 0)
                diex("invalid number '%s' for -n", optarg);
            break;
        case 'r': skip_empty = true; break;
        case 't': trace = true; break;
        default: usage(1);
        }
    }
    if (replace && !*replace)
        diex("-I needs a string to replace");
    command = optind < argc ? argv + optind : echo;
    ncommand = optind < argc ? argc - optind : 1;
    while ((word = next_word()) != NULL) {
        any = true;
        if (!replace) {
            add_word(word);
            continue;
        }
        run_replaced(word);
        free(word);
    }
    if (!replace && (nwords > 0 || (!any && !skip_empty)))
        run_words();
    free(words);
    return status;
}
