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
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/clock.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <asm/poll.h>
#include <linux/eventpoll.h>

#define MAX_QUEUES 2 /* that one file may ask to be woken by */

struct entry {
    struct file *file; /* referenced; NULL: not asked (ppoll: a bad or negative descriptor) */
    int fd;
    unsigned events, revents;
    struct waiter waiters[MAX_QUEUES];
};

struct poll_table { /* the entry whose file is being asked */
    struct entry *entry;
    unsigned used;
};

/* ---- Waiting ---------------------------------------------------------------------------------- */

void poll_add(struct poll_table *pt, struct waitq *wq)
{
    if (!pt)
        return;
    BUG_ON(pt->used == MAX_QUEUES);
    waiter_prepare(&pt->entry->waiters[pt->used++], wq, WAIT_INTERRUPTIBLE);
}

/* How many are ready; wait: also registers on the queues of all. */
static int look_at_all(struct entry *e, unsigned n, bool wait)
{
    const unsigned always = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;
    int ready = 0;

    for (unsigned i = 0; i < n; i++) {
        struct poll_table pt = {&e[i], 0};
        struct file *f = e[i].file;

        if (f)
            e[i].revents =
                e[i].events & (f->ops->poll ? f->ops->poll(f, wait ? &pt : NULL) : always);
        ready += e[i].revents != 0;
    }
    return ready;
}

/* Entries ready, 0 after the deadline, -ERESTARTNOHAND. */
static int wait_ready(struct entry *e, unsigned n, uint64_t deadline)
{
    struct waiter self = {0}; /* on no file's queue: time and signals end the sleep as well */
    struct waitq nothing;
    int ready = look_at_all(e, n, false), err = 0;

    if (ready || !deadline)
        return ready;
    waitq_init(&nothing);
    ready = look_at_all(e, n, true);
    while (!ready && !err) {
        waiter_prepare(&self, &nothing, WAIT_INTERRUPTIBLE);
        ready = look_at_all(e, n, false);
        if (!ready)
            err = waiter_sleep(deadline);
    }
    waiter_finish(&self);
    for (unsigned i = 0; i < n * MAX_QUEUES; i++)
        waiter_finish(&e[i / MAX_QUEUES].waiters[i % MAX_QUEUES]);
    if (!ready)
        ready = look_at_all(e, n, false);
    return ready || err == -ETIMEDOUT ? ready : -ERESTARTNOHAND;
}

/* ---- Time-outs and signal masks --------------------------------------------------------------- */

struct wait_args {
    uint64_t deadline; /* 0: do not wait */
    uaddr_t utimeout;
    bool masked;
};

/* The time-out and the signal mask for the wait; finish_wait takes the mask back. */
static int start_wait(struct wait_args *a, uaddr_t utimeout, uaddr_t umask, size_t mask_size)
{
    uint64_t mask, ns;
    int err = utimeout ? timespec_from_user(utimeout, &ns) : 0;

    if (err)
        return err;
    a->utimeout = utimeout;
    a->deadline = !utimeout ? NO_DEADLINE : ns ? deadline_after(ns) : 0;
    a->masked = umask;
    if (!umask)
        return 0;
    if (mask_size != sizeof(mask))
        return -EINVAL;
    if (get_user_u64(&mask, umask))
        return -EFAULT;
    signal_swap_mask(mask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
    return 0;
}

/* Linux tells how much time was left; a time-out in read-only memory is nobody's fault. Where a
 * signal ended the wait, its handler runs under the call's mask; the trap exit gives the old one
 * back afterwards. */
static long finish_wait(const struct wait_args *a, long result)
{
    uint64_t now = arch_time_ns();
    uint64_t ns = a->deadline > now ? a->deadline - now : 0;
    struct __kernel_timespec left = {(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC)};
    bool interrupted = result == -ERESTARTNOHAND;

    if (a->deadline && a->deadline != NO_DEADLINE &&
        copy_to_user(a->utimeout, &left, sizeof(left)) && interrupted)
        result = -EINTR; /* starting over would wait the whole time again */
    if (a->masked)
        signal_swap_back(interrupted);
    return result;
}

/* ---- ppoll ------------------------------------------------------------------------------------ */

static void entries_free(struct entry *e, unsigned n)
{
    for (unsigned i = 0; e && i < n; i++)
        if (e[i].file)
            file_put(e[i].file);
    kfree(e);
}

static int get_pollfds(struct entry *e, unsigned n, uaddr_t ufds)
{
    struct pollfd p;

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

        if (copy_to_user(ufds + i * sizeof(struct pollfd) + offsetof(struct pollfd, revents),
                         &revents, sizeof(revents)))
            return -EFAULT;
    }
    return 0;
}

static long poll_files(uaddr_t ufds, unsigned n, uint64_t deadline)
{
    struct entry *e;
    long ret;

    if (n > current->proc->limits[RLIMIT_NOFILE].rlim_cur)
        return -EINVAL;
    e = kzalloc(MAX(n, 1u) * sizeof(*e));
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
    long ret = start_wait(&a, utimeout, umask, setsize);

    return ret ? ret : finish_wait(&a, poll_files(ufds, n, a.deadline));
}

/* ---- pselect6 --------------------------------------------------------------------------------- */

#define SET_IN (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SET_OUT (EPOLLWRBAND | EPOLLWRNORM | EPOLLOUT | EPOLLERR)
#define SET_EX EPOLLPRI

static const unsigned set_events[3] = {SET_IN, SET_OUT, SET_EX};

struct select {
    unsigned n, words; /* descriptors; words of each set */
    uaddr_t user[3];
    uint64_t *bits; /* three sets: asked, then ready */
};

static int get_sets(struct select *s)
{
    s->words = (s->n + 63) / 64;
    s->bits = kzalloc(MAX(3 * s->words, 1u) * 8);
    if (!s->bits)
        return -ENOMEM;
    for (unsigned set = 0; set < 3; set++)
        if (s->user[set] && copy_from_user(s->bits + set * s->words, s->user[set], s->words * 8))
            return -EFAULT;
    return 0;
}

static int put_sets(const struct select *s)
{
    for (unsigned set = 0; set < 3; set++)
        if (s->user[set] && copy_to_user(s->user[set], s->bits + set * s->words, s->words * 8))
            return -EFAULT;
    return 0;
}

/* The set's word that has fd's bit. */
static uint64_t *word_of(const struct select *s, unsigned set, unsigned fd)
{
    return &s->bits[set * s->words + fd / 64];
}

static unsigned events_asked(const struct select *s, unsigned fd)
{
    unsigned events = 0;

    for (unsigned set = 0; set < 3; set++)
        if (*word_of(s, set, fd) >> fd % 64 & 1)
            events |= set_events[set];
    return events;
}

/* One entry per descriptor in any set; e NULL: only counts. The count, or -EBADF. */
static int make_entries(const struct select *s, struct entry *e)
{
    int count = 0;

    for (unsigned fd = 0; fd < s->n; fd++) {
        unsigned events = events_asked(s, fd);

        if (!events)
            continue;
        if (e) {
            e[count].file = fd_get((int)fd);
            e[count].fd = (int)fd;
            e[count].events = events;
            if (!e[count].file)
                return -EBADF;
        }
        count++;
    }
    return count;
}

/* Turns what was asked into what is ready; the number of bits set. */
static int mark_ready(const struct select *s, const struct entry *e, unsigned count)
{
    int total = 0;

    for (unsigned i = 0; i < 3 * count; i++) {
        unsigned set = i % 3, fd = (unsigned)e[i / 3].fd;
        uint64_t *word = word_of(s, set, fd), bit = 1UL << fd % 64;

        if (!(e[i / 3].revents & set_events[set]))
            *word &= ~bit;
        total += (*word & bit) != 0;
    }
    return total;
}

static long select_files(struct select *s, uint64_t deadline)
{
    struct entry *e = NULL;
    int ret = get_sets(s);
    unsigned count = ret ? 0 : (unsigned)make_entries(s, NULL);

    if (!ret) {
        e = kzalloc((count + 1) * sizeof(*e));
        ret = e ? make_entries(s, e) : -ENOMEM;
    }
    if (ret >= 0 && e)
        ret = wait_ready(e, count, deadline);
    if (ret >= 0 && e)
        ret = mark_ready(s, e, count);
    if (ret >= 0 && put_sets(s))
        ret = -EFAULT;
    entries_free(e, count);
    kfree(s->bits);
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
    ret = start_wait(&a, utimeout, sig[0], sig[1]);
    if (ret)
        return ret;
    s.n = (unsigned)MIN((uint64_t)(unsigned)n, current->proc->limits[RLIMIT_NOFILE].rlim_cur);
    ret = n < 0 ? -EINVAL : select_files(&s, a.deadline);
    return finish_wait(&a, ret);
}
