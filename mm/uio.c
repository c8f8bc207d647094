/* SPDX-License-Identifier: MIT */
/* Moving bytes to and from the memory side of a transfer (see the header). No locks. */
#include "mm/uio.h"

#include "arch/arch.h"
#include "lib/string.h"

#define FETCH_AHEAD (16 * PAGE_SIZE)

enum move { PUT, GET, GET_NOFAULT };

/* One piece of user memory; the count of a copy that falls short takes a second try. */
static size_t move_user(uaddr_t at, void *mem, size_t n, enum move move)
{
    if (move == PUT)
        return likely(!copy_to_user(at, mem, n)) ? n : n - copy_to_user_nofault(at, mem, n);
    if (move == GET && likely(!copy_from_user(mem, at, n)))
        return n;
    return n - copy_from_user_nofault(mem, at, n);
}

static size_t move_piece(struct uio *u, char *mem, size_t n, enum move move)
{
    char *kernel = (char *)u->kernel + u->offset;

    if (u->kernel) {
        memcpy(move == PUT ? kernel : mem, move == PUT ? mem : kernel, n);
        return n;
    }
    return move_user(u->iov->base + u->offset, mem, n, move);
}

static inline size_t move_all(struct uio *u, char *mem, size_t n, enum move move)
{
    size_t done = 0;

    n = MIN(n, u->left);
    while (done < n) {
        size_t piece = n - done, moved;

        while (!u->kernel && u->offset == u->iov->len) {
            u->iov++;
            u->offset = 0;
        }
        if (!u->kernel)
            piece = MIN(piece, u->iov->len - u->offset);
        moved = move_piece(u, mem + done, piece, move);
        u->offset += moved;
        u->left -= moved;
        done += moved;
        if (moved < piece)
            break;
    }
    return done;
}

size_t uio_put(struct uio *u, const void *from, size_t n)
{
    return move_all(u, (char *)from, n, PUT);
}

size_t uio_get(struct uio *u, void *to, size_t n)
{
    return move_all(u, to, n, GET);
}

size_t uio_get_nofault(struct uio *u, void *to, size_t n)
{
    return move_all(u, to, n, GET_NOFAULT);
}

int uio_fetch(const struct uio *u)
{
    size_t offset = u->offset, most = u->kernel ? 0 : MIN(u->left, FETCH_AHEAD), done = 0, n;

    for (const struct user_iov *v = u->iov; done < most; v++, offset = 0)
        for (; offset < v->len && done < most; offset += n, done += n) {
            uaddr_t at = v->base + offset;

            n = MIN(PAGE_SIZE - (at & PAGE_MASK), v->len - offset);
            if (fault_in_user(at, n, false))
                return done ? 0 : -EFAULT;
        }
    return done ? 0 : -EFAULT;
}
