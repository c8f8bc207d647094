/* SPDX-License-Identifier: MIT */
/*
 * cat and tee: files one after the other, and one input to several files.
 */
#include "user/box.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The numbering goes on from file to file, and so does a line that no newline ended. */
static bool cat_numbered(FILE *file, const char *name)
{
    static bool at_start = true;
    static unsigned long line;
    int c;

    (void)name;
    while ((c = getc(file)) != EOF) {
        if (at_start)
            printf("%6lu\t", ++line);
        putchar(c);
        at_start = c == '\n';
    }
    return true;
}

/* A failed read concerns one file only, a failed write ends the program. */
static bool cat_plain(FILE *file, const char *name)
{
    static char buf[64 * 1024];
    ssize_t n;

    while ((n = read_some(fileno(file), buf, sizeof(buf))) > 0)
        if (!write_all(STDOUT_FILENO, buf, (size_t)n))
            die("write error");
    if (n < 0)
        warn("%s", name);
    return n == 0;
}

int cat_main(int argc, char **argv)
{
    read_options(&argc, &argv, "nu", 1);
    return each_input(argc, argv, opt('n') ? cat_numbered : cat_plain) ? 0 : 1;
}

/* A file that fails is given up, the others go on. */
int tee_main(int argc, char **argv)
{
    static char buf[64 * 1024];
    bool ok = true;
    ssize_t n;

    read_options(&argc, &argv, "a", 1);
    int *fds = xcalloc((size_t)argc + 1, sizeof(*fds)); /* -1: given up */
    fds[argc] = STDOUT_FILENO;
    for (int i = 0; i < argc; i++) {
        int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (opt('a') ? O_APPEND : O_TRUNC);

        fds[i] = open(argv[i], flags, 0666);
        if (fds[i] < 0) {
            warn("%s", argv[i]);
            ok = false;
        }
    }
    while ((n = read_some(STDIN_FILENO, buf, sizeof(buf))) > 0)
        for (int i = 0; i <= argc; i++)
            if (fds[i] >= 0 && !write_all(fds[i], buf, (size_t)n)) {
                warn("%s", i < argc ? argv[i] : "standard output");
                fds[i] = -1;
                ok = false;
            }
    if (n < 0)
        die("read error");
    free(fds);
    return ok ? 0 : 1;
}
