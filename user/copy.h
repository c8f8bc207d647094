/* SPDX-License-Identifier: MIT */
/*
 * Copying trees of files, shared by cp and by mv when a rename cannot cross file systems.
 */
#ifndef USER_COPY_H
#define USER_COPY_H

#include <stdbool.h>

struct copy_options {
    bool recursive;  /* copy directories, and links as links */
    bool preserve;   /* mode, owner and times */
    bool keep_links; /* do not follow symbolic links, even on the command line */
    bool force;      /* unlink what cannot be opened for writing */
    bool ask;        /* before overwriting */
    bool verbose;
};

/* Copies from to to (its final name). Failures are reported; false if there was any. */
bool copy_tree(const char *from, const char *to, const struct copy_options *options);
/* Removes a file or a whole directory; the same reporting. */
bool remove_tree(const char *path);
/* dest/last-component-of(from) if dest is a directory, else dest itself. Caller frees. */
char *copy_destination(const char *from, const char *dest);
/* Asks on stderr, reads an answer from stdin. */
bool confirm(const char *question, const char *path);

#endif
