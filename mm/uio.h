/* SPDX-License-Identifier: MIT */
/*
 * The memory side of a transfer, whatever the other side is: pieces of user memory, or one piece of
 * the kernel's. What was moved is off `left`; the caller compares it with what it was.
 */
#pragma once

#include "lib/types.h"

struct user_iov { /* a checked piece of user memory */
    uaddr_t base;
    size_t len;
};

struct uio {
    const struct user_iov *iov;
    void *kernel;  /* not NULL: kernel memory */
    size_t offset; /* in *iov, or in kernel */
    size_t left;   /* in all */
};

static inline struct uio uio_kernel(const void *buf, size_t len)
{
    return (struct uio){.kernel = (void *)buf, .left = len};
}

/* Each moves n bytes, or what is left; fewer where user memory is not there. Returns how many. */
size_t uio_put(struct uio *u, const void *from, size_t n); /* into u; may fault and sleep */
size_t uio_get(struct uio *u, void *to, size_t n);         /* out of u; may fault and sleep */
size_t uio_get_nofault(struct uio *u, void *to, size_t n);
/* Fetches the next pages of user memory, so that uio_get_nofault can go on; -EFAULT: it cannot. */
int uio_fetch(const struct uio *u) must_check;
