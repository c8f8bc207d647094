/* SPDX-License-Identifier: MIT */
/*
 * head and tail: the first and the last lines or bytes.
 *
 * tail never holds more of a pipe than it has to print: a ring of the last N pieces, which are
 * lines or single bytes. A file that can seek is read backwards for its last pieces instead.
 */
#include "user/box.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool bytes, titles, is_tail;
static uint64_t amount;
static char sign; /* "10" none, "-10" all but the last, "+10" from the 10th on */

static bool ends_piece(int c)
{
    return bytes || c == '\n';
}

static void copy_pieces(FILE *file, uint64_t n)
{
    int c;

    while (n > 0 && (c = getc(file)) != EOF) {
        putchar(c);
        n -= ends_piece(c);
    }
}

/* Grows only as far as the input fills it, so that a huge number of pieces costs nothing. */
struct ring {
    char *data; /* the pieces, one after the other, from `start` on */
    size_t start, len, room;
    uint64_t held;
};

static void ring_drop(struct ring *r, bool print)
{
    size_t first = r->start;

    while (r->start < r->len && !ends_piece(r->data[r->start++]))
        ;
    if (print)
        fwrite(r->data + first, 1, r->start - first, stdout);
    r->held--;
}

static void ring_add(struct ring *r, char c)
{
    if (r->len == r->room && r->start > r->room / 2) {
        memmove(r->data, r->data + r->start, r->len -= r->start);
        r->start = 0;
    } else if (r->len == r->room) {
        r->data = xrealloc(r->data, r->room = r->room ? 2 * r->room : 4096);
    }
    r->data[r->len++] = c;
}

/*
 * What is pushed out of the last n > 0 pieces is printed (head -n -N), or what stays (tail -n N).
 * Out goes a whole piece, since another one has begun.
 */
static void through_ring(FILE *file, uint64_t n, bool print_old)
{
    struct ring r = {0};
    bool at_start = true;
    int c;

    while ((c = getc(file)) != EOF) {
        r.held += at_start;
        ring_add(&r, (char)c);
        at_start = ends_piece(c);
        if (r.held > n)
            ring_drop(&r, print_old);
    }
    if (!print_old && r.len > r.start)
        fwrite(r.data + r.start, 1, r.len - r.start, stdout);
    free(r.data);
}

static void head_file(FILE *file)
{
    if (sign == '-' && amount > 0)
        through_ring(file, amount, true);
    else
        copy_pieces(file, sign == '-' ? UINT64_MAX : amount);
}

/* Moves a seekable file to the start of its last n pieces, reading it backwards block by block. */
static bool seek_back(FILE *file, uint64_t n)
{
    char buf[4096];
    int fd = fileno(file);
    struct stat st;
    off_t start = lseek(fd, 0, SEEK_CUR);

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || start < 0 || start >= st.st_size)
        return false;
    for (off_t pos = st.st_size; pos > start;) {
        size_t len = pos - start < (off_t)sizeof(buf) ? (size_t)(pos - start) : sizeof(buf);

        pos -= (off_t)len;
        if (pread(fd, buf, len, pos) != (ssize_t)len)
            return false;
        /* The newline that ends the last line does not count. */
        while (len-- > 0)
            if (ends_piece(buf[len]) && (bytes || pos + (off_t)len + 1 < st.st_size) && n-- == 1)
                return fseeko(file, pos + (off_t)len + !bytes, SEEK_SET) == 0;
    }
    return fseeko(file, start, SEEK_SET) == 0;
}

static void tail_file(FILE *file)
{
    int c;

    if (sign == '+') {
        for (uint64_t skip = amount ? amount - 1 : 0; skip > 0 && (c = getc(file)) != EOF;)
            skip -= ends_piece(c);
        copy_pieces(file, UINT64_MAX);
    } else if (amount > 0 && seek_back(file, amount)) {
        copy_pieces(file, UINT64_MAX);
    } else if (amount > 0) {
        through_ring(file, amount, false);
    }
}

static bool show(FILE *file, const char *name)
{
    static bool shown;

    if (titles)
        printf("%s==> %s <==\n", shown ? "\n" : "",
               strcmp(name, "-") == 0 ? "standard input" : name);
    shown = true;
    (is_tail ? tail_file : head_file)(file);
    /* Polls for more once a second; ends with the process. */
    while (opt('f')) {
        fflush(stdout);
        sleep(1);
        clearerr(file);
        copy_pieces(file, UINT64_MAX);
    }
    return true;
}

/* "-5", and for tail "+5", as the first argument is an old way to write "-n 5". */
static void read_old_style(int argc, char **argv)
{
    bool old = argc > 1 && strchr(is_tail ? "-+" : "-", argv[1][0]) && argv[1][0] &&
               isdigit((unsigned char)argv[1][1]);

    if (old)
        argv[1] = xasprintf("-n%s", argv[1] + (argv[1][0] == '-'));
}

static int run(int argc, char **argv)
{
    read_old_style(argc, argv);
    read_options(&argc, &argv, is_tail ? "c:fn:qv" : "c:n:qv", 1);
    bytes = opt_last("nc") == 'c';
    const char *text = opt_value(bytes ? 'c' : 'n') ? opt_value(bytes ? 'c' : 'n') : "10";
    if (*text == '-' || *text == '+')
        sign = *text++;
    if (!parse_size(text, &amount))
        diex("invalid number of %s: '%s'", bytes ? "bytes" : "lines", text);
    titles = (argc > 1 || opt('v')) && !opt('q');
    return each_input(argc, argv, show) ? 0 : 1;
}

int head_main(int argc, char **argv)
{
    return run(argc, argv);
}

int tail_main(int argc, char **argv)
{
    is_tail = true;
    return run(argc, argv);
}
