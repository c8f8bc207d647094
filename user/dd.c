/* SPDX-License-Identifier: MIT */
/*
 * dd: copies blocks of a given size from a given place to a given place, and counts them.
 *
 * Every block read is written as it is; a short read makes a partial block (iflag=fullblock fills
 * it up). The output is truncated at the point where writing begins unless conv=notrunc.
 */
#include "user/box.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *input, *output;
static uint64_t in_size = 512, out_size = 512, count = UINT64_MAX, skip, seek;
static bool no_truncate, sync_data, sync_all, pad, full_blocks, append, quiet;
static uint64_t full_in, part_in, full_out, part_out, bytes_out;

/* Operands */

/* "4k", "1M", "512b", "2x512": products of numbers with units */
static uint64_t parse_bytes(const char *text)
{
    char *copy = xstrdup(text), *rest = copy, *factor;
    uint64_t product = 1, value;

    while ((factor = strsep(&rest, "x")) != NULL)
        if (!parse_size(factor, &value) || __builtin_mul_overflow(product, value, &product))
            diex("invalid number: '%s'", text);
    free(copy);
    return product;
}

static const struct {
    const char *name;
    uint64_t *number;
    const char **text;
} operands[] = {
    {"if", NULL, &input},    {"of", NULL, &output},    {"bs", &in_size, NULL},
    {"ibs", &in_size, NULL}, {"obs", &out_size, NULL}, {"count", &count, NULL},
    {"skip", &skip, NULL},   {"seek", &seek, NULL},
};

static const struct {
    const char *list, *word;
    bool *flag;
} words[] = {
    {"conv", "notrunc", &no_truncate},    {"conv", "fsync", &sync_all},
    {"conv", "fdatasync", &sync_data},    {"conv", "sync", &pad},
    {"iflag", "fullblock", &full_blocks}, {"oflag", "append", &append},
    {"status", "none", &quiet},
};

static bool parse_word(const char *list, const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcmp(words[i].list, list) == 0 && strcmp(words[i].word, word) == 0)
            return *words[i].flag = true;
    return false;
}

static void parse_operand(char *operand)
{
    char *value = strchr(operand, '='), *word;

    if (!value)
        diex("unrecognized operand '%s'", operand);
    *value++ = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(operands); i++) {
        if (strcmp(operands[i].name, operand) != 0)
            continue;
        if (operands[i].text)
            *operands[i].text = value;
        else
            *operands[i].number = parse_bytes(value);
        if (strcmp(operand, "bs") == 0)
            out_size = in_size;
        return;
    }
    while ((word = strsep(&value, ",")) != NULL)
        if (!parse_word(operand, word))
            diex("unrecognized operand '%s=%s'", operand, word);
}

/* Copying */

static ssize_t read_block(int fd, char *buf)
{
    size_t got = 0;
    ssize_t n;

    do {
        n = read_some(fd, buf + got, in_size - got);
        got += n > 0 ? (size_t)n : 0;
    } while (full_blocks && n > 0 && got < in_size);
    return n < 0 && got == 0 ? -1 : (ssize_t)got;
}

static off_t position(uint64_t blocks, uint64_t size)
{
    off_t bytes;

    if (__builtin_mul_overflow(blocks, size, &bytes))
        diex("offset too large");
    return bytes;
}

static void skip_input(int fd, char *buf)
{
    off_t bytes = position(skip, in_size);

    if (bytes == 0 || lseek(fd, bytes, SEEK_CUR) >= 0)
        return;
    for (uint64_t i = 0; i < skip; i++)
        if (read_block(fd, buf) <= 0)
            diex("'%s': cannot skip to specified offset", input);
}

static int open_output(void)
{
    off_t start = position(seek, out_size);
    int fd = STDOUT_FILENO;
    struct stat st;

    if (output) {
        fd = open(output, O_WRONLY | O_CLOEXEC | O_CREAT | (append ? O_APPEND : 0), 0666);
        if (fd < 0)
            die("failed to open '%s'", output);
        if (!no_truncate && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd, start) != 0)
            die("failed to truncate '%s'", output);
    }
    if (start && lseek(fd, start, SEEK_CUR) < 0)
        die("'%s': cannot seek", output ? output : "standard output");
    return fd;
}

static void write_blocks(int fd, const char *data, size_t len)
{
    while (len > 0) {
        size_t part = len < out_size ? len : (size_t)out_size;

        if (!write_all(fd, data, part))
            die("error writing '%s'", output ? output : "standard output");
        ++*(part == out_size ? &full_out : &part_out);
        bytes_out += part;
        data += part;
        len -= part;
    }
}

static bool copy(int in, int out, char *buf)
{
    while (full_in + part_in < count) {
        ssize_t n = read_block(in, buf);

        if (n < 0)
            warn("error reading '%s'", input ? input : "standard input");
        if (n <= 0)
            return n == 0;
        ++*((size_t)n == in_size ? &full_in : &part_in);
        if (pad) {
            memset(buf + n, 0, in_size - (size_t)n);
            n = (ssize_t)in_size;
        }
        write_blocks(out, buf, (size_t)n);
    }
    return true;
}

int dd_main(int argc, char **argv)
{
    struct timespec start, end;
    int in = STDIN_FILENO;

    for (int i = 1; i < argc; i++)
        parse_operand(argv[i]);
    if (in_size == 0 || in_size > 1 << 30 || out_size == 0)
        diex("invalid block size");
    if (input && (in = open(input, O_RDONLY | O_CLOEXEC)) < 0)
        die("failed to open '%s'", input);
    int out = open_output();
    char *buf = xmalloc(in_size);
    clock_gettime(CLOCK_MONOTONIC, &start);
    skip_input(in, buf);
    bool ok = copy(in, out, buf);
    if ((sync_all && fsync(out) != 0) || (sync_data && fdatasync(out) != 0) || close(out) != 0)
        die("cannot finish '%s'", output ? output : "standard output");
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    if (!quiet)
        fprintf(stderr,
                "%" PRIu64 "+%" PRIu64 " records in\n%" PRIu64 "+%" PRIu64 " records out\n"
                "%" PRIu64 " bytes copied, %.6g s, %.1f MB/s\n",
                full_in, part_in, full_out, part_out, bytes_out, seconds,
                seconds > 0 ? (double)bytes_out / seconds / 1e6 : 0.0);
    free(buf);
    return ok ? 0 : 1;
}
