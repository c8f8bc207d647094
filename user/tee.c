/* SPDX-License-Identifier: MIT */
/*
 * tee: its input to the standard output and to files. A file that fails is given up, the others go
 * on.
 */
#include "user/box.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct output {
    int fd; /* -1: given up */
    const char *name;
};

static bool write_to(struct output *out, const char *buf, size_t len)
{
    if (out->fd < 0 || write_all(out->fd, buf, len))
        return true;
    warn("%s", out->name);
    out->fd = -1;
    return false;
}

int tee_main(int argc, char **argv)
{
    static char buf[64 * 1024];
    int opt, flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
    bool ok = true;
    ssize_t n;

    while ((opt = getopt(argc, argv, "ai")) != -1) {
        switch (opt) {
        case 'a': flags = (flags & ~O_TRUNC) | O_APPEND; break;
        case 'i': signal(SIGINT, SIG_IGN); break;
        default: usage(1);
        }
    }
    size_t count = (size_t)(argc - optind) + 1;
    struct output *outputs = xcalloc(count, sizeof(*outputs));
    outputs[0] = (struct output){STDOUT_FILENO, "standard output"};
    for (size_t i = 1; i < count; i++) {
        outputs[i].name = argv[optind + (int)i - 1];
        outputs[i].fd = open(outputs[i].name, flags, 0666);
        if (outputs[i].fd < 0) {
            warn("%s", outputs[i].name);
            ok = false;
        }
    }
    while ((n = read(STDIN_FILENO, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            die("read error");
        for (size_t i = 0; i < count; i++)
            ok &= write_to(&outputs[i], buf, (size_t)n);
    }
    free(outputs);
    return ok ? 0 : 1;
}
