/* SPDX-License-Identifier: MIT */
/*
 * ppoll and pselect6. Both become an array of entries, one per file asked about; the loop looks at
 * all of them, and sleeps on all of their wait queues where none is ready. Most calls find something
 * ready at the first look, which registers nowhere.
 *
 * A poll operation may take a lock and so end the "about to sleep" mark early; the sleep then
 * returns at once and the loop looks again: no wakeup is lost.
 */
#include "fs/dcache.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <asm/poll.h>
#include <linux/eventpoll.h>

#define FEW_WAITERS 8

struct entry {
    struct file *file; /* referenced; NULL: not asked (ppoll: a bad or negative descriptor) */
    int fd;
    unsigned events, revents;
};

struct waiter_block {
    struct waiter_block *next;
    struct waiter waiters[FEW_WAITERS];
};

struct poll_table {
    struct waiter_block first, *last;
    unsigned used; /* in *last */
    int err;
};

/* ---- Waiting ---------------------------------------------------------------------------------- */

static struct waiter *next_waiter(struct poll_table *pt)
{
    if (pt->used == FEW_WAITERS) {
        pt->last->next = kzalloc(sizeof(struct waiter_block));
        if (!pt->last->next) {
            pt->err = -ENOMEM;
            return NULL;
        }
        pt->last = pt->last->next;
        pt->used = 0;
    }
    return &pt->last->waiters[pt->used++];
}

void poll_add(struct poll_table *pt, struct waitq *wq)
{
    struct waiter *w = pt && !pt->err ? next_waiter(pt) : NULL;

    if (w)
        waiter_prepare(w, wq, WAIT_INTERRUPTIBLE);
}

static void finish(struct poll_table *pt)
{
    struct waiter_block *b, *next;

    for (b = &pt->first; b; b = next) {
        next = b->next;
        for (unsigned i = 0; i < FEW_WAITERS; i++)
            if (b->waiters[i].wq)
                waiter_finish(&b->waiters[i]);
        if (b != &pt->first)
            kfree(b);
    }
}

static unsigned look_at(struct entry *e, struct poll_table *pt)
{
    unsigned ready = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM; /* files are always ready */

    if (!e->file)
        return e->revents;
    if (e->file->ops->poll)
        ready = e->file->ops->poll(e->file, pt);
    e->revents = ready & e->events;
    return e->revents;
}

static int look_at_all(struct entry *e, unsigned n, struct poll_table *pt)
{
    int ready = 0;

    for (unsigned i = 0; i < n; i++)
        if (look_at(&e[i], pt))
            ready++;
    return ready;
}

/* As marked by the first registration; without one only time and signals end the sleep. */
static void mark_sleeping(struct poll_table *pt, struct waitq *nothing)
{
    if (pt->used || pt->last != &pt->first)
        waiter_prepare(&pt->first.waiters[0], nothing, WAIT_INTERRUPTIBLE);
    else
        poll_add(pt, nothing);
}

/* Entries ready, 0 after the deadline, -ERESTARTNOHAND, -ENOMEM. */
static int wait_ready(struct entry *e, unsigned n, uint64_t deadline)
{
    struct poll_table pt = {.last = NULL};
    struct waitq nothing;
    int ready = look_at_all(e, n, NULL), err = 0;

    if (ready || !deadline)
        return ready;
    pt.last = &pt.first;
    waitq_init(&nothing);
    ready = look_at_all(e, n, &pt);
    while (!ready && !err && !pt.err) {
        mark_sleeping(&pt, &nothing);
        ready = look_at_all(e, n, NULL);
        if (!ready)
            err = waiter_sleep(deadline);
    }
    finish(&pt);
    if (!ready && (err || pt.err))
        ready = look_at_all(e, n, NULL);
    if (ready)
        return ready;
    if (pt.err)
        return pt.err;
    return err == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
}

/* ---- Time-outs and signal masks --------------------------------------------------------------- */

struct wait_args {
    uint64_t deadline; /* 0: do not wait */
    uaddr_t utimeout;
    bool masked;
};

static int get_deadline(struct wait_args *a, uaddr_t utimeout)
{
    struct timespec64 t;
    uint64_t now = arch_time_ns(), ns;

    a->utimeout = utimeout;
    a->deadline = NO_DEADLINE;
    if (!utimeout)
        return 0;
    if (copy_from_user(&t, utimeout, sizeof(t)))
        return -EFAULT;
    if (t.sec < 0 || t.nsec < 0 || t.nsec >= (int64_t)NSEC_PER_SEC)
        return -EINVAL;
    if (!t.sec && !t.nsec) {
        a->deadline = 0;
        return 0;
    }
    if (t.sec > INT32_MAX) /* 68 years: for ever */
        return 0;
    ns = (uint64_t)t.sec * NSEC_PER_SEC + (uint64_t)t.nsec;
    a->deadline = now + ns;
    return 0;
}

static int set_mask(struct wait_args *a, uaddr_t umask, size_t size)
{
    uint64_t mask;

    a->masked = false;
    if (!umask)
        return 0;
    if (size != sizeof(mask))
        return -EINVAL;
    if (get_user_u64(&mask, umask))
        return -EFAULT;
    a->masked = true;
    signal_swap_mask(mask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
    return 0;
}

/* Linux tells how much time was left. A time-out in read-only memory is nobody's fault. */
static long put_time_left(const struct wait_args *a, long result)
{
    uint64_t now = arch_time_ns(), left = a->deadline > now ? a->deadline - now : 0;
    struct timespec64 t = {(int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC)};

    if (!a->utimeout || a->deadline == NO_DEADLINE || a->deadline == 0)
        return result;
    if (copy_to_user(a->utimeout, &t, sizeof(t)) && result == -ERESTARTNOHAND)
        return -EINTR; /* starting over would wait the whole time again */
    return result;
}

/* Where a signal ended the wait, its handler runs under the call's mask; the trap exit gives the
 * old one back afterwards. */
static long finish_wait(const struct wait_args *a, long result)
{
    bool interrupted = result == -ERESTARTNOHAND;

    result = put_time_left(a, result);
    if (a->masked)
        signal_swap_back(interrupted);
    return result;
}

/* ---- ppoll ------------------------------------------------------------------------------------ */

struct upollfd { /* Linux's struct pollfd */
    int32_t fd;
    int16_t events, revents;
};

static void entries_free(struct entry *e, unsigned n)
{
    for (unsigned i = 0; e && i < n; i++)
        if (e[i].file)
            file_put(e[i].file);
    kfree(e);
}

static int get_pollfds(struct entry *e, unsigned n, uaddr_t ufds)
{
    struct upollfd p;

    for (unsigned i = 0; i < n; i++) {
        if (copy_from_user(&p, ufds + i * sizeof(p), sizeof(p)))
            return -EFAULT;
        e[i].fd = p.fd;
        e[i].events = (uint16_t)p.events | EPOLLERR | EPOLLHUP; /* told unasked */
        if (p.fd < 0)
            continue;
        e[i].file = fd_get(p.fd);
        if (!e[i].file)
            e[i].revents = POLLNVAL;
    }
    return 0;
}

static int put_revents(const struct entry *e, unsigned n, uaddr_t ufds)
{
    for (unsigned i = 0; i < n; i++) {
        int16_t revents = (int16_t)e[i].revents;

        if (copy_to_user(ufds + i * sizeof(struct upollfd) + offsetof(struct upollfd, revents),
                         &revents, sizeof(revents)))
            return -EFAULT;
    }
    return 0;
}

static long poll_files(uaddr_t ufds, unsigned n, uint64_t deadline)
{
    struct entry *e = kzalloc(MAX(n, 1u) * sizeof(*e));
    long ret;

    if (!e)
        return -ENOMEM;
    ret = get_pollfds(e, n, ufds);
    if (!ret)
        ret = wait_ready(e, n, deadline);
    if (ret >= 0 && put_revents(e, n, ufds))
        ret = -EFAULT;
    entries_free(e, n);
    return ret;
}

long sys_ppoll(uaddr_t ufds, uint32_t n, uaddr_t utimeout, uaddr_t umask, size_t setsize)
{
    struct wait_args a;
    long ret;

    ret = get_deadline(&a, utimeout);
    if (!ret)
        ret = set_mask(&a, umask, setsize);
    if (ret)
        return ret;
    ret = n > current->proc->limits[RLIMIT_NOFILE].rlim_cur ? -EINVAL
                                                            : poll_files(ufds, n, a.deadline);
    return finish_wait(&a, ret);
}

/* ---- pselect6 --------------------------------------------------------------------------------- */

#define SET_IN (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SET_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SET_EX EPOLLPRI

static const unsigned set_events[3] = {SET_IN, SET_OUT, SET_EX};

struct select {
    unsigned n, words;
    uaddr_t user[3];
    uint64_t *bits[3]; /* asked, then ready */
    uint64_t *memory;
};

static int get_sets(struct select *s)
{
    s->words = (s->n + 63) / 64;
    s->memory = kzalloc(MAX(3 * s->words, 1u) * 8);
    if (!s->memory)
        return -ENOMEM;
    for (unsigned i = 0; i < 3; i++) {
        s->bits[i] = s->memory + i * s->words;
        if (s->user[i] && copy_from_user(s->bits[i], s->user[i], s->words * 8))
            return -EFAULT;
    }
    return 0;
}

static bool asked(const struct select *s, unsigned set, unsigned fd)
{
    return s->bits[set][fd / 64] >> fd % 64 & 1;
}

/* One entry per descriptor in any set; e has room for n. The count, or -EBADF. */
static int make_entries(const struct select *s, struct entry *e, unsigned *count)
{
    for (unsigned fd = 0; fd < s->n; fd++) {
        unsigned events = 0;

        for (unsigned set = 0; set < 3; set++)
            if (asked(s, set, fd))
                events |= set_events[set];
        if (!events)
            continue;
        e[*count].file = fd_get((int)fd);
        e[*count].fd = (int)fd;
        e[*count].events = events;
        if (!e[*count].file)
            return -EBADF;
        (*count)++;
    }
    return 0;
}

/* Turns what was asked into what is ready; the number of bits set. */
static int mark_ready(struct select *s, const struct entry *e, unsigned count)
{
    int total = 0;

    for (unsigned i = 0; i < count; i++)
        for (unsigned set = 0; set < 3; set++) {
            unsigned fd = (unsigned)e[i].fd;

            if (!asked(s, set, fd))
                continue;
            if (e[i].revents & set_events[set])
                total++;
            else
                s->bits[set][fd / 64] &= ~(1UL << fd % 64);
        }
    return total;
}

static int put_sets(const struct select *s)
{
    for (unsigned i = 0; i < 3; i++)
        if (s->user[i] && copy_to_user(s->user[i], s->bits[i], s->words * 8))
            return -EFAULT;
    return 0;
}

static unsigned count_asked(const struct select *s)
{
    unsigned count = 0;

    for (unsigned i = 0; i < 3 * s->words; i++)
        count += (unsigned)__builtin_popcountl(s->memory[i]);
    return MIN(count, s->n);
}

static long select_files(struct select *s, uint64_t deadline)
{
    struct entry *e = NULL;
    unsigned count = 0;
    long ret = get_sets(s);

    if (!ret) {
        e = kzalloc((count_asked(s) + 1) * sizeof(*e));
        ret = e ? make_entries(s, e, &count) : -ENOMEM;
    }
    if (!ret)
        ret = wait_ready(e, count, deadline);
    if (ret >= 0)
        ret = mark_ready(s, e, count);
    if (ret >= 0 && put_sets(s))
        ret = -EFAULT;
    entries_free(e, count);
    kfree(s->memory);
    return ret;
}

long sys_pselect6(int n, uaddr_t in, uaddr_t out, uaddr_t ex, uaddr_t utimeout, uaddr_t usig)
{
    struct select s = {.user = {in, out, ex}};
    struct wait_args a;
    uint64_t sig[2] = {0, 0}; /* mask's address and size */
    long ret;

    if (usig && copy_from_user(sig, usig, sizeof(sig)))
        return -EFAULT;
    ret = get_deadline(&a, utimeout);
    if (!ret)
        ret = set_mask(&a, sig[0], sig[1]);
    if (ret)
        return ret;
    s.n = (unsigned)MIN((uint64_t)(unsigned)n, current->proc->limits[RLIMIT_NOFILE].rlim_cur);
    ret = n < 0 ? -EINVAL : select_files(&s, a.deadline);
    return finish_wait(&a, ret);
}
