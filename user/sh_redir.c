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

enum { PIPE_ROOM = 4096 };

struct saved_fd {
    struct saved_fd *next;
    int fd, copy; /* copy = -1: fd was closed */
};

static int open_output(const char *path, enum redir_type type)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (type == REDIR_APPEND ? O_APPEND : O_TRUNC);
    struct stat st;

    /* With -C only what is no regular file may be overwritten. */
    if (type == REDIR_WRITE && sh.opt.noclobber && (stat(path, &st) < 0 || S_ISREG(st.st_mode)))
        flags |= O_EXCL;
    return open(path, flags, 0666);
}

/* The reading end of a pipe that delivers the text. */
static int open_here(const char *text)
{
    size_t len = strlen(text);
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    if (len <= PIPE_ROOM) {
        write_all(fds[1], text, len);
    } else {
        struct job *job = job_new("here-document");
        pid_t pid = job_fork(job, FORK_PLAIN);

        if (pid == 0) {
            close(fds[0]);
            _exit(!write_all(fds[1], text, len));
        }
    }
    close(fds[1]);
    return fds[0];
}

static int open_redirection(const struct redir *r, const char *target)
{
    switch (r->type) {
    case REDIR_READ: return open(target, O_RDONLY | O_CLOEXEC);
    case REDIR_BOTH: return open(target, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    case REDIR_HERE: return open_here(target);
    default: return open_output(target, r->type);
    }
}

static void save_fd(int fd, struct saved_fd **saved)
{
    struct saved_fd *s = arena_alloc(&sh.scratch, sizeof(*s));

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

static bool redirect_dup(const struct redir *r, const char *target)
{
    uint64_t from;

    if (strcmp(target, "-") == 0) {
        close(r->fd);
        return true;
    }
    if (!parse_u64(target, 10, &from) || from > INT32_MAX)
        return redirect_failed(target, "not a file descriptor");
    if (own_fd((int)from) || dup2((int)from, r->fd) < 0)
        return redirect_failed(target, strerror(EBADF));
    /* dup2 of a descriptor onto itself keeps close-on-exec. */
    fcntl(r->fd, F_SETFD, 0);
    return true;
}

bool redirect(const struct redir *list, struct saved_fd **saved)
{
    fflush(stdout);
    for (const struct redir *r = list; r; r = r->next) {
        char *target = expand_string(r->word);

        if (!target)
            return false;
        if (r->fd < 0 || own_fd(r->fd))
            return redirect_failed(target, strerror(EBADF));
        if (saved)
            save_fd(r->fd, saved);
        if (r->type == REDIR_DUP) {
            if (!redirect_dup(r, target))
                return false;
            continue;
        }
        int fd = open_redirection(r, target);
        if (fd < 0)
            return redirect_failed(r->type == REDIR_HERE ? "here-document" : target,
                                   strerror(errno));
        if (fd == r->fd) {
            fcntl(fd, F_SETFD, 0);
            continue;
        }
        int copied = dup2(fd, r->fd);
        int error = errno;
        close(fd);
        if (copied < 0)
            return redirect_failed(target, strerror(error));
    }
    return true;
}
