/* SPDX-License-Identifier: MIT */
/*
 * cat: files one after the other.
 *
 * Without -n it copies blocks straight between descriptors. Read and write failures are told
 * apart: the first concerns one file only, the second ends the program.
 */
#include "user/box.h"

#include <errno.h>
#include <unistd.h>

static bool copy_plain(const char *path, int fd)
{
    static char buf[64 * 1024];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            warn("%s", path);
            return false;
        }
        if (!write_all(STDOUT_FILENO, buf, (size_t)n))
            die("write error");
    }
    return true;
}

static bool cat_plain(const char *path)
{
    int fd = open_input(path);

    if (fd < 0)
        return false;
    bool ok = copy_plain(path, fd);
    if (fd != STDIN_FILENO)
        close(fd);
    return ok;
}

/* The numbering goes on from file to file, and so does a line that no newline ended. */
static bool cat_numbered(const char *path, unsigned long *line, bool *at_start)
{
    FILE *file = fopen_input(path);
    int c;

    if (!file)
        return false;
    while ((c = getc(file)) != EOF) {
        if (*at_start)
            printf("%6lu\t", ++*line);
        putchar(c);
        *at_start = c == '\n';
    }
    bool ok = !ferror(file);
    if (!ok)
        warn("%s", path);
    fclose_input(file);
    return ok;
}

int cat_main(int argc, char **argv)
{
    static char *const standard_input[] = {"-", NULL};
    bool number = false, at_start = true, ok = true;
    unsigned long line = 0;
    int opt;

    while ((opt = getopt(argc, argv, "nu")) != -1) {
        if (opt == '?')
            usage(1);
        number |= opt == 'n';
    }
    for (char *const *path = optind < argc ? argv + optind : standard_input; *path; path++)
        ok &= number ? cat_numbered(*path, &line, &at_start) : cat_plain(*path);
    return ok ? 0 : 1;
}
