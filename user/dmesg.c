/* SPDX-License-Identifier: MIT */
/*
 * dmesg: the kernel's log. Each line begins with its level as "<6>", which only -r shows.
 */
#include "user/box.h"

#include <ctype.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <unistd.h>

enum { READ_ALL = 3, READ_CLEAR = 4, BUFFER_SIZE = 10 };

static const char *skip_level(const char *p, const char *end)
{
    const char *start = p;

    if (p == end || *p != '<')
        return start;
    for (p++; p < end && isdigit((unsigned char)*p);)
        p++;
    return p < end && *p == '>' ? p + 1 : start;
}

static void print_log(const char *p, const char *end, bool raw)
{
    while (p < end) {
        if (!raw)
            p = skip_level(p, end);
        for (; p < end && *p != '\n'; p++)
            putchar(*p);
        putchar('\n');
        p++;
    }
}

int dmesg_main(int argc, char **argv)
{
    bool clear = false, raw = false;
    int opt;

    while ((opt = getopt(argc, argv, "cr")) != -1) {
        switch (opt) {
        case 'c': clear = true; break;
        case 'r': raw = true; break;
        default: usage(1);
        }
    }
    int size = klogctl(BUFFER_SIZE, NULL, 0);
    if (size <= 0)
        size = 1 << 20;
    char *log = xmalloc((size_t)size);
    int len = klogctl(clear ? READ_CLEAR : READ_ALL, log, size);
    if (len < 0)
        die("cannot read the kernel log");
    print_log(log, log + len, raw);
    free(log);
    return 0;
}
