/* SPDX-License-Identifier: MIT */
/*
 * dd: copies blocks of a given size from a given place to a given place, and counts them.
 *
 * Every block read is written as it is; a short read makes a partial block (iflag=fullblock fills
 * it up). The output is truncated at the point where writing begins unless conv=notrunc.
 */
#include "user/box.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *input, *output;
    uint64_t in_size, out_size, count, skip, seek;
    bool no_truncate, sync_data, sync_all, pad, keep_going, full_blocks, append, exclusive;
    bool no_create, quiet, no_rate;
} options = {.in_size = 512, .out_size = 512, .count = UINT64_MAX};

static struct {
    uint64_t full_in, part_in, full_out, part_out, bytes;
} done;

/* Operands */

/* "4k", "1M", "512b", "2x512": products of numbers with units */
static uint64_t parse_bytes(const char *text)
{
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {{"", 1},         {"c", 1},         {"w", 2},          {"b", 512},
                 {"k", 1024},     {"K", 1024},      {"M", 1 << 20},    {"G", 1 << 30},
                 {"KiB", 1024},   {"kB", 1000},     {"KB", 1000},      {"MiB", 1 << 20},
                 {"MB", 1000000}, {"GiB", 1 << 30}, {"GB", 1000000000}};
    uint64_t product = 1;

    for (const char *p = text;;) {
        char *end;
        size_t i = 0;

        errno = 0;
        uint64_t value = strtoull(p, &end, 10);
        size_t len = strcspn(end, "x");
        while (i < ARRAY_SIZE(units) &&
               (strncmp(units[i].name, end, len) != 0 || units[i].name[len]))
            i++;
        if (end == p || *p == '-' || errno || i == ARRAY_SIZE(units) ||
            __builtin_mul_overflow(value, units[i].factor, &value) ||
            __builtin_mul_overflow(product, value, &product))
            diex("invalid number: '%s'", text);
        if (!end[len])
            return product;
        p = end + len + 1;
    }
}

static uint64_t parse_block_size(const char *text)
{
    uint64_t size = parse_bytes(text);

    if (size == 0 || size > 1 << 30)
        diex("invalid block size: '%s'", text);
    return size;
}

static const struct {
    const char *list, *word;
    bool *flag;
} words[] = {
    {"conv", "notrunc", &options.no_truncate}, {"conv", "fsync", &options.sync_all},
    {"conv", "fdatasync", &options.sync_data}, {"conv", "sync", &options.pad},
    {"conv", "noerror", &options.keep_going},  {"conv", "excl", &options.exclusive},
    {"conv", "nocreat", &options.no_create},   {"iflag", "fullblock", &options.full_blocks},
    {"oflag", "append", &options.append},      {"status", "none", &options.quiet},
    {"status", "noxfer", &options.no_rate},
};

static void parse_words(const char *list, const char *value)
{
    char *copy = xstrdup(value), *save;

    for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        size_t i = 0;

        while (i < ARRAY_SIZE(words) &&
               (strcmp(words[i].list, list) != 0 || strcmp(words[i].word, word) != 0))
            i++;
        if (i == ARRAY_SIZE(words))
            diex("invalid %s: '%s'", list, word);
        *words[i].flag = true;
    }
    free(copy);
}

static void parse_operand(const char *text)
{
    const char *equals = strchr(text, '=');

    if (!equals)
        diex("unrecognized operand '%s'", text);
    const char *value = equals + 1;
    char *name = xasprintf("%.*s", (int)(equals - text), text);
    if (strcmp(name, "if") == 0)
        options.input = value;
    else if (strcmp(name, "of") == 0)
        options.output = value;
    else if (strcmp(name, "bs") == 0)
        options.in_size = options.out_size = parse_block_size(value);
    else if (strcmp(name, "ibs") == 0)
        options.in_size = parse_block_size(value);
    else if (strcmp(name, "obs") == 0)
        options.out_size = parse_block_size(value);
    else if (strcmp(name, "count") == 0)
        options.count = parse_bytes(value);
    else if (strcmp(name, "skip") == 0)
        options.skip = parse_bytes(value);
    else if (strcmp(name, "seek") == 0)
        options.seek = parse_bytes(value);
    else if (strcmp(name, "conv") == 0 || strcmp(name, "iflag") == 0 ||
             strcmp(name, "oflag") == 0 || strcmp(name, "status") == 0)
        parse_words(name, value);
    else
        diex("unrecognized operand '%s'", text);
    free(name);
}

/* Copying */

static ssize_t read_block(int fd, char *buf, size_t size)
{
    size_t got = 0;

    while (got < size) {
        ssize_t n = read(fd, buf + got, size - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && got == 0)
            return -1;
        if (n <= 0)
            break;
        got += (size_t)n;
        if (!options.full_blocks)
            break;
    }
    return (ssize_t)got;
}

static uint64_t position(uint64_t blocks, uint64_t size)
{
    uint64_t bytes;

    if (__builtin_mul_overflow(blocks, size, &bytes) || bytes > INT64_MAX)
        diex("offset too large");
    return bytes;
}

static bool skip_input(int fd, char *buf)
{
    uint64_t bytes = position(options.skip, options.in_size);

    if (bytes == 0 || lseek(fd, (off_t)bytes, SEEK_CUR) >= 0)
        return true;
    for (uint64_t i = 0; i < options.skip; i++)
        if (read_block(fd, buf, options.in_size) <= 0) {
            warnx("'%s': cannot skip to specified offset",
                  options.input ? options.input : "standard input");
            return false;
        }
    return true;
}

static int open_output(void)
{
    int flags = O_WRONLY | O_CLOEXEC | (options.no_create ? 0 : O_CREAT);
    uint64_t start = position(options.seek, options.out_size);
    struct stat st;
    int fd = STDOUT_FILENO;

    if (options.append)
        flags |= O_APPEND;
    if (options.exclusive)
        flags |= O_EXCL;
    if (options.output) {
        fd = open(options.output, flags, 0666);
        if (fd < 0)
            die("failed to open '%s'", options.output);
        if (!options.no_truncate && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
            ftruncate(fd, (off_t)start) != 0)
            die("failed to truncate '%s'", options.output);
    }
    if (start && lseek(fd, (off_t)start, SEEK_CUR) < 0)
        die("'%s': cannot seek", options.output ? options.output : "standard output");
    return fd;
}

/* Writes in blocks of obs: in place when it equals ibs, which is the usual case. */
static void write_blocks(int fd, const char *data, size_t len)
{
    while (len > 0) {
        size_t part = len < options.out_size ? len : (size_t)options.out_size;

        if (!write_all(fd, data, part))
            die("error writing '%s'", options.output ? options.output : "standard output");
        done.full_out += part == options.out_size;
        done.part_out += part != options.out_size;
        done.bytes += part;
        data += part;
        len -= part;
    }
}

static bool copy(int in, int out, char *buf)
{
    bool ok = true;

    while (done.full_in + done.part_in < options.count) {
        ssize_t n = read_block(in, buf, options.in_size);

        if (n < 0) {
            warn("error reading '%s'", options.input ? options.input : "standard input");
            ok = false;
            if (!options.keep_going || lseek(in, (off_t)options.in_size, SEEK_CUR) < 0)
                return false;
            if (!options.pad)
                continue;
            n = 0;
        } else if (n == 0) {
            break;
        }
        done.full_in += (size_t)n == options.in_size;
        done.part_in += (size_t)n != options.in_size;
        if (options.pad) {
            memset(buf + n, 0, options.in_size - (size_t)n);
            n = (ssize_t)options.in_size;
        }
        write_blocks(out, buf, (size_t)n);
    }
    return ok;
}

static bool finish_file(int fd)
{
    if ((options.sync_all && fsync(fd) != 0) || (options.sync_data && fdatasync(fd) != 0)) {
        warn("sync failed for '%s'", options.output ? options.output : "standard output");
        return false;
    }
    if (close(fd) != 0) {
        warn("closing '%s'", options.output ? options.output : "standard output");
        return false;
    }
    return true;
}

static void print_summary(double seconds)
{
    if (options.quiet)
        return;
    fprintf(stderr, "%" PRIu64 "+%" PRIu64 " records in\n%" PRIu64 "+%" PRIu64 " records out\n",
            done.full_in, done.part_in, done.full_out, done.part_out);
    if (options.no_rate)
        return;
    fprintf(stderr, "%" PRIu64 " bytes copied, %.6g s, %.1f MB/s\n", done.bytes, seconds,
            seconds > 0 ? (double)done.bytes / seconds / 1e6 : 0.0);
}

int dd_main(int argc, char **argv)
{
    struct timespec start, end;
    int in = STDIN_FILENO;

    for (int i = 1; i < argc; i++)
        parse_operand(argv[i]);
    if (options.input && (in = open(options.input, O_RDONLY | O_CLOEXEC)) < 0)
        die("failed to open '%s'", options.input);
    int out = open_output();
    char *buf = xmalloc(options.in_size);
    clock_gettime(CLOCK_MONOTONIC, &start);
    bool ok = skip_input(in, buf) && copy(in, out, buf);
    ok &= finish_file(out);
    clock_gettime(CLOCK_MONOTONIC, &end);
    print_summary((double)(end.tv_sec - start.tv_sec) +
                  (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    free(buf);
    return ok ? 0 : 1;
}
