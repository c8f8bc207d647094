/* SPDX-License-Identifier: MIT */
/*
 * head and tail: the first and the last lines or bytes.
 *
 * tail never holds more of a pipe than it has to print: a ring of the last N lines, or of the last
 * N bytes. A file that can seek is read backwards for its last lines instead.
 */
#include "user/box.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* "10", "-10" (all but the last), "+10" (from the 10th on); sign is '\0' for none. */
struct amount {
    uint64_t n;
    char sign;
    bool bytes;
};

static void parse_amount(const char *text, bool bytes, struct amount *amount)
{
    const char *digits = text + (*text == '-' || *text == '+');

    if (!parse_size(digits, &amount->n))
        diex("invalid number of %s: '%s'", bytes ? "bytes" : "lines", text);
    /* "010" is ten here. */
    if (isdigit((unsigned char)digits[strlen(digits) - 1]))
        parse_u64(digits, 10, &amount->n);
    amount->sign = digits == text ? '\0' : *text;
    amount->bytes = bytes;
}

static void put(const void *data, size_t len)
{
    if (fwrite(data, 1, len, stdout) != len)
        die("write error");
}

static void title(const char *path, int shown)
{
    printf("%s==> %s <==\n", shown ? "\n" : "", strcmp(path, "-") == 0 ? "standard input" : path);
}

/*
 * Rings: what is pushed out of a full ring is printed (head -n -N) or dropped (tail -n N). A ring
 * grows only as far as the input fills it, so a huge N costs nothing by itself.
 */

struct slot {
    char *text;
    size_t room;
    ssize_t len;
};

static size_t grown(size_t room, size_t most)
{
    return room < most / 2 ? 2 * room : most;
}

static void ring_lines(FILE *file, size_t size, bool print_old)
{
    /* One slot more than the ring holds: the line being read. */
    size_t most = size + 1, room = most < 16 ? most : 16, next = 0, held = 0;
    struct slot *ring = xcalloc(room, sizeof(*ring));

    for (;;) {
        if (next == room && room < most) {
            size_t old = room;

            room = grown(room, most);
            ring = xrealloc(ring, room * sizeof(*ring));
            memset(ring + old, 0, (room - old) * sizeof(*ring));
        }
        next %= most;
        ring[next].len = getline(&ring[next].text, &ring[next].room, file);
        if (ring[next].len < 0)
            break;
        next++;
        if (held < size)
            held++;
        else if (print_old)
            put(ring[next % most].text, (size_t)ring[next % most].len);
    }
    size_t first = (next + most - held) % most;
    for (size_t i = 0; !print_old && i < held; i++)
        put(ring[(first + i) % most].text, (size_t)ring[(first + i) % most].len);
    for (size_t i = 0; i < room; i++)
        free(ring[i].text);
    free(ring);
}

static void ring_bytes(FILE *file, size_t size, bool print_old)
{
    size_t room = size < 4096 ? size : 4096, next = 0, held = 0;
    char *ring = xmalloc(room);
    int c;

    while (size > 0 && (c = getc(file)) != EOF) {
        if (next == room && room < size)
            ring = xrealloc(ring, room = grown(room, size));
        next %= size;
        if (held == size && print_old)
            putchar(ring[next]);
        held += held < size;
        ring[next++] = (char)c;
    }
    if (!print_old && held == size) {
        put(ring + next, size - next);
        put(ring, next);
    } else if (!print_old) {
        put(ring, held);
    }
    free(ring);
}

/* head */

static void first_lines(FILE *file, uint64_t n)
{
    int c;

    while (n > 0 && (c = getc(file)) != EOF) {
        putchar(c);
        n -= c == '\n';
    }
}

static void copy_bytes(FILE *file, uint64_t n)
{
    char buf[4096];

    while (n > 0) {
        size_t got = fread(buf, 1, n < sizeof(buf) ? (size_t)n : sizeof(buf), file);

        if (got == 0)
            break;
        put(buf, got);
        n -= got;
    }
}

static void head_file(FILE *file, const struct amount *amount)
{
    if (amount->sign == '-' && amount->n == 0)
        copy_bytes(file, UINT64_MAX);
    else if (amount->sign == '-')
        (amount->bytes ? ring_bytes : ring_lines)(file, (size_t)amount->n, true);
    else if (amount->bytes)
        copy_bytes(file, amount->n);
    else
        first_lines(file, amount->n);
}

/* tail */

static void skip_then_copy(FILE *file, const struct amount *amount)
{
    uint64_t skip = amount->n ? amount->n - 1 : 0;
    int c;

    while (skip > 0 && (c = getc(file)) != EOF)
        skip -= amount->bytes || c == '\n';
    copy_bytes(file, UINT64_MAX);
}

/* Moves a seekable file to the start of its last n lines, reading it backwards block by block. */
static bool seek_last_lines(FILE *file, uint64_t n)
{
    char buf[4096];
    int fd = fileno(file);
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
        return false;
    off_t start = lseek(fd, 0, SEEK_CUR), pos = st.st_size;
    if (start < 0 || start > pos)
        return false;
    /* The newline that ends the last line does not count. */
    if (pread(fd, buf, 1, pos - 1) != 1)
        return false;
    n += buf[0] == '\n';
    while (n > 0 && pos > start) {
        size_t len = pos - start < (off_t)sizeof(buf) ? (size_t)(pos - start) : sizeof(buf);

        pos -= (off_t)len;
        if (pread(fd, buf, len, pos) != (ssize_t)len)
            return false;
        while (n > 0 && len > 0)
            n -= buf[--len] == '\n';
        if (n == 0)
            return fseeko(file, pos + (off_t)len + 1, SEEK_SET) == 0;
    }
    return fseeko(file, start, SEEK_SET) == 0;
}

static void tail_file(FILE *file, const struct amount *amount)
{
    if (amount->sign == '+') {
        skip_then_copy(file, amount);
        return;
    }
    if (amount->bytes) {
        ring_bytes(file, (size_t)amount->n, false);
        return;
    }
    if (amount->n > 0 && seek_last_lines(file, amount->n))
        copy_bytes(file, UINT64_MAX);
    else
        ring_lines(file, (size_t)amount->n, false);
}

/* Polls for more once a second; ends with the process. */
static void follow(FILE *file)
{
    static const struct timespec pause = {.tv_sec = 1};

    for (;;) {
        fflush(stdout);
        nanosleep(&pause, NULL);
        clearerr(file);
        copy_bytes(file, UINT64_MAX);
    }
}

/* Operands */

static bool each_file(int argc, char **argv, const struct amount *amount, bool with_titles,
                      void (*print)(FILE *file, const struct amount *amount), bool following)
{
    static char *standard_input[] = {"-"};
    char **paths = optind < argc ? argv + optind : standard_input;
    int count = optind < argc ? argc - optind : 1, shown = 0;
    bool ok = true;

    for (int i = 0; i < count; i++) {
        FILE *file = strcmp(paths[i], "-") == 0 ? stdin : fopen(paths[i], "re");

        if (!file) {
            warn("cannot open '%s' for reading", paths[i]);
            ok = false;
            continue;
        }
        if (with_titles)
            title(paths[i], shown++);
        print(file, amount);
        if (ferror(file)) {
            warn("error reading '%s'", paths[i]);
            ok = false;
        }
        if (following && i == count - 1)
            follow(file);
        fclose_input(file);
    }
    return ok;
}

/* The old form: `head -5`, `tail -5`, `tail +5`: turned into -n5 before getopt sees it. */
static char *modern_option(const char *word, bool plus)
{
    if (!(word[0] == '-' || (plus && word[0] == '+')) || !isdigit((unsigned char)word[1]))
        return NULL;
    return xasprintf("-n%s", word[0] == '+' ? word : word + 1);
}

static int ends(int argc, char **argv, const char *letters, bool is_tail)
{
    struct amount amount = {.n = 10};
    bool quiet = false, titles = false, following = false;
    char *old = argc > 1 ? modern_option(argv[1], is_tail) : NULL;
    int opt;

    if (old)
        argv[1] = old;
    while ((opt = getopt(argc, argv, letters)) != -1) {
        switch (opt) {
        case 'n': parse_amount(optarg, false, &amount); break;
        case 'c': parse_amount(optarg, true, &amount); break;
        case 'f': following = true; break;
        case 'q': quiet = true, titles = false; break;
        case 'v': titles = true; break;
        default: usage(1);
        }
    }
    if (amount.n > SIZE_MAX / 64)
        amount.n = SIZE_MAX / 64;
    titles |= argc - optind > 1 && !quiet;
    bool ok = each_file(argc, argv, &amount, titles, is_tail ? tail_file : head_file, following);
    free(old);
    return ok ? 0 : 1;
}

int head_main(int argc, char **argv)
{
    return ends(argc, argv, "c:n:qv", false);
}

int tail_main(int argc, char **argv)
{
    return ends(argc, argv, "c:fn:qv", true);
}
