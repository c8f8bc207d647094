/* SPDX-License-Identifier: MIT */
/*
 * Redirections: opening, duplicating, and putting back what a builtin's redirection moved away.
 *
 * Invariant: descriptors moved away lie at FD_SAVED or above with close-on-exec, as all of the
 * shell's own do; scripts cannot name them, and they come back in reverse order.
 */
#include "user/sh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct saved_fd {
    struct saved_fd *next;
    int fd, copy; /* copy = -1: fd was closed */
};

/* A file without a name: a pipe would hold the shell up when the text is longer than its room. */
static int open_here(const char *text)
{
    FILE *file = tmpfile();
    int fd = -1;

    if (file && fputs(text, file) >= 0 && fflush(file) == 0 &&
        lseek(fileno(file), 0, SEEK_SET) == 0)
        fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, 0);
    if (file)
        fclose(file);
    return fd;
}

static int open_redirection(const struct redir *r, const char *target)
{
    static const int flags[] = {
        [REDIR_READ] = O_RDONLY,
        [REDIR_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
        [REDIR_CLOBBER] = O_WRONLY | O_CREAT | O_TRUNC,
        [REDIR_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
        [REDIR_BOTH] = O_RDWR | O_CREAT,
    };
    struct stat st;

    if (r->type == REDIR_HERE)
        return open_here(target);
    /* With -C only what is no regular file may be overwritten. */
    bool guarded = r->type == REDIR_WRITE && sh.opt.noclobber &&
                   (stat(target, &st) < 0 || S_ISREG(st.st_mode));
    return open(target, flags[r->type] | O_CLOEXEC | (guarded ? O_EXCL : 0), 0666);
}

static void save_fd(int fd, struct saved_fd **saved)
{
    struct saved_fd *s = arena_alloc(sh.scratch, sizeof(*s));

    *s = (struct saved_fd){*saved, fd, fcntl(fd, F_DUPFD_CLOEXEC, FD_SAVED)};
    *saved = s;
}

void restore_fds(struct saved_fd *saved)
{
    fflush(stdout);
    for (; saved; saved = saved->next) {
        if (saved->copy < 0) {
            close(saved->fd);
        } else {
            dup2(saved->copy, saved->fd);
            close(saved->copy);
        }
    }
}

static bool redirect_failed(const char *what, const char *why)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s: %s\n", sh.arg0, what, why);
    return false;
}

/* The shell's own descriptors are high and close-on-exec: scripts cannot name them. */
static bool own_fd(int fd)
{
    int flags = fd >= FD_SAVED ? fcntl(fd, F_GETFD) : -1;

    return flags >= 0 && (flags & FD_CLOEXEC);
}

/* The descriptor that r->fd is to become a copy of; -1 with errno set. */
static int source_of(const struct redir *r, const char *target)
{
    uint64_t from;

    if (r->type != REDIR_DUP)
        return open_redirection(r, target);
    errno = EBADF;
    return parse_u64(target, 10, &from) && from <= INT32_MAX && !own_fd((int)from) ? (int)from : -1;
}

static bool redirect_one(const struct redir *r, struct saved_fd **saved)
{
    char *target = expand_string(r->word);

    if (!target)
        return false;
    if (r->fd < 0 || own_fd(r->fd))
        return redirect_failed(target, strerror(EBADF));
    if (saved)
        save_fd(r->fd, saved);
    if (r->type == REDIR_DUP && strcmp(target, "-") == 0) {
        close(r->fd);
        return true;
    }
    int from = source_of(r, target), done = from < 0 ? -1 : dup2(from, r->fd), err = errno;
    /* dup2 of a descriptor onto itself keeps close-on-exec. */
    if (from == r->fd)
        fcntl(from, F_SETFD, 0);
    else if (from >= 0 && r->type != REDIR_DUP)
        close(from);
    return done >= 0 ||
           redirect_failed(r->type == REDIR_HERE ? "here-document" : target, strerror(err));
}

bool redirect(const struct redir *list, struct saved_fd **saved)
{
    fflush(stdout);
    for (const struct redir *r = list; r; r = r->next)
        if (!redirect_one(r, saved))
            return false;
    return true;
}
