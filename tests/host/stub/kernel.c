/* SPDX-License-Identifier: MIT */
#include "tests/host/stub/kernel.h"

#include <stdarg.h>
#include <stdio.h>

#include <sanitizer/asan_interface.h>

#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/pagecache.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "tests/host/stub/os.h"

/* <stdlib.h> brings types that clash with the kernel ABI's. */
void *malloc(size_t size);
void *calloc(size_t n, size_t size);
void free(void *p);
noreturn_fn void abort(void);

/* ---- Messages and chance ---------------------------------------------------------------------- */

bool host_quiet;
unsigned host_errors;
static uint32_t random_state = 1, seed_told = 1;

void host_fail(const char *file, int line, const char *what)
{
    printf("%s:%d: %s (seed %u)\n", file, line, what, seed_told);
    fflush(stdout);
    abort();
}

void panic(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    printf("panic: ");
    vprintf(fmt, ap);
    va_end(ap);
    host_fail(__FILE__, __LINE__, "panic");
}

void klog(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (level == LOG_ERR)
        host_errors++;
    if (host_quiet)
        return;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
}

void host_seed(uint32_t seed)
{
    random_state = seed * 2654435761u + 12345;
    seed_told = seed;
}

uint32_t host_random(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % below;
}

/* ---- Threads and sleeping --------------------------------------------------------------------- */

#define MAX_THREADS 8
#define MAX_IDLE 20000 /* sleeps in a row that nothing ended */

static struct process processes[MAX_THREADS + 1];
static struct thread thread_objects[MAX_THREADS + 1];
struct thread *host_thread = &thread_objects[0];
uint64_t hart_stats[MAX_HARTS][STAT_COUNT];
struct hart host_hart = {.stats = hart_stats[0]};
uint64_t host_time_ns = 1000000;
static bool alive[MAX_THREADS + 1];
static unsigned nalive, idle_sleeps;
static bool complete_one(void);

static void switch_to(int id)
{
    int me = os_self();

    os_switch(id);
    host_thread = &thread_objects[me];
}

static void run_another(void)
{
    int id;

    if (!nalive)
        return;
    do
        id = 1 + (int)host_random(MAX_THREADS);
    while (!alive[id]);
    switch_to(id);
}

/* The disk does something, or another thread does. */
static void sleep_a_little(void)
{
    if (host_random(2) || !nalive)
        if (complete_one())
            idle_sleeps = 0;
    if (++idle_sleeps > MAX_IDLE)
        host_fail(__FILE__, __LINE__, "deadlock");
    run_another();
}

static void may_sleep(void)
{
    if (nalive && !host_random(4))
        run_another();
}

static void (*thread_fn)(unsigned);

static void run_one(void *arg)
{
    int id = os_self();

    host_thread = &thread_objects[id];
    thread_fn((unsigned)(uintptr_t)arg);
    alive[id] = false;
    idle_sleeps = 0;
    if (!--nalive)
        os_exit_to(0);
    for (id = 1; !alive[id]; id++)
        ;
    os_exit_to(id);
}

void host_run_threads(unsigned n, void (*fn)(unsigned i))
{
    CHECK(n <= MAX_THREADS);
    thread_fn = fn;
    for (unsigned i = 0; i < n; i++)
        alive[os_spawn(run_one, (void *)(uintptr_t)i)] = true;
    nalive = n;
    switch_to(1);
    os_join_all();
}

void host_set_uid(uint32_t uid)
{
    host_thread->proc->uid = host_thread->proc->euid = host_thread->proc->fsuid = uid;
    host_thread->proc->gid = host_thread->proc->egid = host_thread->proc->fsgid = uid;
}

void spin_init(struct spinlock *l, enum lock_rank rank, const char *name)
{
    (void)name;
    l->locked = 0;
    l->rank = rank;
}

void waitq_init(struct waitq *wq)
{
    list_init(&wq->list);
}

void waiter_prepare(struct waiter *w, struct waitq *wq, enum wait_mode mode)
{
    (void)w, (void)wq, (void)mode;
}

int waiter_sleep(uint64_t deadline_ns)
{
    sleep_a_little();
    if (deadline_ns == NO_DEADLINE)
        return 0;
    host_time_ns += 1000000;
    idle_sleeps = 0;
    return host_time_ns >= deadline_ns ? -ETIMEDOUT : 0;
}

void waiter_finish(struct waiter *w)
{
    (void)w;
    idle_sleeps = 0;
}

void waitq_wake_all(struct waitq *wq)
{
    (void)wq;
}

void waitq_wake_one(struct waitq *wq)
{
    (void)wq;
}

void mutex_init(struct mutex *m, enum mutex_rank rank)
{
    atomic_init(&m->owner, NULL);
    waitq_init(&m->wq);
    m->rank = rank;
}

void mutex_lock_slow(struct mutex *m)
{
    while (!mutex_trylock(m))
        sleep_a_little();
    idle_sleeps = 0;
}

void mutex_unlock_slow(struct mutex *m)
{
    (void)m;
}

void mutex_check_acquire(struct mutex *m)
{
    (void)m;
}

void mutex_note_acquired(struct mutex *m)
{
    (void)m;
}

void mutex_note_release(struct mutex *m)
{
    (void)m;
}

void sched_point(void)
{
    may_sleep();
}

/* ---- Memory ----------------------------------------------------------------------------------- */

unsigned host_alloc_fails, host_fail_nth;
size_t host_objects;
struct ram_bank ram_banks[1];
static struct page *pages;
static uint8_t *arena;
static size_t npages, nfree;
static struct list free_pages;
static shrinker_fn shrinkers[8];
static unsigned nshrinkers;
static size_t object_limit;

struct kcache {
    size_t size;
};

static bool fail_now(void)
{
    if (host_fail_nth && !--host_fail_nth)
        return true;
    return host_alloc_fails && !host_random(host_alloc_fails);
}

void host_init(size_t n)
{
    npages = n;
    arena = os_pages(n * PAGE_SIZE);
    pages = calloc(n, sizeof(*pages));
    ram_banks[0] = (struct ram_bank){(paddr_t)arena, n, pages};
    list_init(&free_pages);
    for (size_t i = 0; i < n; i++) {
        list_add_tail(&free_pages, &pages[i].link);
        nfree++;
    }
    ASAN_POISON_MEMORY_REGION(arena, n * PAGE_SIZE);
    object_limit = SIZE_MAX;
    for (unsigned i = 0; i <= MAX_THREADS; i++) {
        thread_objects[i].proc = &processes[i];
        processes[i].limits[RLIMIT_FSIZE].rlim_cur = RLIM_INFINITY;
    }
}

paddr_t page_to_pa_slow(const struct page *p)
{
    (void)p;
    host_fail(__FILE__, __LINE__, "no struct page");
}

struct page *pa_to_page_slow(paddr_t pa)
{
    (void)pa;
    return NULL;
}

size_t page_reclaim(size_t want)
{
    size_t n = 0;

    for (unsigned i = 0; i < nshrinkers && n < want; i++)
        n += shrinkers[i](want - n);
    return n;
}

void page_register_shrinker(shrinker_fn fn)
{
    CHECK(nshrinkers < ARRAY_SIZE(shrinkers));
    shrinkers[nshrinkers++] = fn;
}

size_t page_total_count(void)
{
    return npages;
}

size_t page_free_count(void)
{
    return nfree;
}

struct page *page_alloc(unsigned flags)
{
    struct page *p;

    if (!(flags & ALLOC_ATOMIC))
        may_sleep();
    if (fail_now())
        return NULL;
    for (int i = 0; !nfree && i < 4 && !(flags & ALLOC_ATOMIC); i++)
        page_reclaim(16);
    if (!nfree)
        return NULL;
    p = list_first(&free_pages, struct page, link);
    list_del(&p->link);
    nfree--;
    atomic_store(&p->refs, 1);
    ASAN_UNPOISON_MEMORY_REGION(page_va(p), PAGE_SIZE);
    memset(page_va(p), flags & ALLOC_ZERO ? 0 : 0xcc, PAGE_SIZE);
    return p;
}

void page_release(struct page *p)
{
    CHECK(!page_test(p, PG_CACHED | PG_LOCKED | PG_WRITEBACK));
    atomic_store(&p->flags, 0);
    list_add_tail(&free_pages, &p->link);
    nfree++;
    ASAN_POISON_MEMORY_REGION(page_va(p), PAGE_SIZE);
}

struct kcache *kcache_create(const char *name, size_t size)
{
    struct kcache *c = malloc(sizeof(*c));

    (void)name;
    c->size = size;
    return c;
}

void *kmalloc(size_t size, unsigned flags)
{
    void *p;

    if (!(flags & ALLOC_ATOMIC))
        may_sleep();
    if (fail_now() || host_objects >= object_limit)
        return NULL;
    p = malloc(size);
    memset(p, flags & ALLOC_ZERO ? 0 : 0xcc, size);
    host_objects++;
    return p;
}

void kfree(void *p)
{
    if (p)
        host_objects--;
    free(p);
}

void *kcache_alloc(struct kcache *c, unsigned flags)
{
    return kmalloc(c->size, flags);
}

void kcache_free(struct kcache *c, void *obj)
{
    (void)c;
    kfree(obj);
}

/* ---- User memory: the host's addresses -------------------------------------------------------- */

unsigned host_user_faults;

static size_t falls_short(size_t len)
{
    if (!host_user_faults || !len || host_random(host_user_faults))
        return 0;
    return 1 + host_random((uint32_t)len);
}

int copy_to_user(uaddr_t dst, const void *src, size_t len)
{
    if (falls_short(len))
        return -EFAULT;
    memcpy((void *)dst, src, len);
    return 0;
}

size_t copy_to_user_nofault(uaddr_t dst, const void *src, size_t len)
{
    size_t left = falls_short(len);

    memcpy((void *)dst, src, len - left);
    return left;
}

int copy_from_user(void *dst, uaddr_t src, size_t len)
{
    if (len && (falls_short(len) || !user_range_ok(src, len)))
        return -EFAULT;
    memcpy(dst, (void *)src, len);
    return 0;
}

size_t copy_from_user_nofault(void *dst, uaddr_t src, size_t len)
{
    size_t left = falls_short(len);

    memcpy(dst, (void *)src, len - left);
    return left;
}

int fault_in_user(uaddr_t addr, size_t len, bool write)
{
    (void)addr, (void)len, (void)write;
    return 0;
}

/* ---- The disk --------------------------------------------------------------------------------- */

#define MAX_BIOS 4096

unsigned host_io_errors;
uint64_t host_bios, host_flushes;
static struct {
    struct block_device *bd;
    struct bio *bio;
} queue[MAX_BIOS];
static unsigned nqueued;

static void transfer(struct block_device *bd, struct bio *bio)
{
    uint8_t *at = (uint8_t *)bd->driver_data + bio->sector * SECTOR_SIZE;
    int err = host_io_errors && !host_random(host_io_errors) ? -EIO : 0;

    for (unsigned i = 0; i < bio->nsegs && !err; i++) {
        if (bio->op == BIO_READ)
            memcpy(bio->segs[i].addr, at, bio->segs[i].len);
        else
            memcpy(at, bio->segs[i].addr, bio->segs[i].len);
        at += bio->segs[i].len;
    }
    bio->done(bio, err);
}

static bool complete_one(void)
{
    unsigned i;
    struct bio *bio;
    struct block_device *bd;

    if (!nqueued)
        return false;
    i = host_random(nqueued);
    bio = queue[i].bio;
    bd = queue[i].bd;
    queue[i] = queue[--nqueued];
    transfer(bd, bio);
    return true;
}

/* What a device's own page cache reads may be, in part, a file's block: then nobody looks at it. */
static bool writes_or_matters(struct block_device *bd, const struct bio *bio)
{
    return bio->op == BIO_WRITE || va_to_page(bio->segs[0].addr)->mapping != &bd->mapping;
}

static bool overlaps_queued(struct block_device *bd, const struct bio *bio, uint64_t end)
{
    for (unsigned i = 0; i < nqueued; i++) {
        const struct bio *q = queue[i].bio;
        uint64_t len = 0;

        for (unsigned s = 0; s < q->nsegs; s++)
            len += q->segs[s].len / SECTOR_SIZE;
        if (q->sector < end && bio->sector < q->sector + len &&
            (q->op == BIO_WRITE || bio->op == BIO_WRITE) && writes_or_matters(bd, q) &&
            writes_or_matters(bd, bio))
            return true;
    }
    return false;
}

bool host_check_overlap = true;

void bio_submit(struct block_device *bd, struct bio *bio)
{
    uint64_t end = bio->sector;

    CHECK(bio->nsegs && bio->nsegs <= BIO_MAX_SEGMENTS);
    for (unsigned i = 0; i < bio->nsegs; i++) {
        CHECK(bio->segs[i].len && bio->segs[i].len % SECTOR_SIZE == 0);
        end += bio->segs[i].len / SECTOR_SIZE;
    }
    host_bios++;
    if (end > bd->sectors || (bio->op == BIO_WRITE && bd->read_only)) {
        bio->done(bio, -EIO);
        return;
    }
    /* The order of requests in flight is anybody's guess: two for one block are a bug. */
    CHECK(!host_check_overlap || !overlaps_queued(bd, bio, end));
    CHECK(nqueued < MAX_BIOS);
    queue[nqueued].bd = bd;
    queue[nqueued++].bio = bio;
    if (!host_random(4))
        complete_one();
    may_sleep();
}

int block_flush(struct block_device *bd)
{
    (void)bd;
    host_flushes++;
    return 0;
}

void host_disk_init(struct block_device *bd, void *data, size_t size)
{
    memset(bd, 0, sizeof(*bd));
    snprintf(bd->name, sizeof(bd->name), "vda");
    bd->sectors = size / SECTOR_SIZE;
    bd->driver_data = data;
    bd->has_flush = true;
}

/* ---- The rest of the file layer --------------------------------------------------------------- */

struct fs_type *host_fs_types[4];

void fs_register(struct fs_type *t)
{
    unsigned i = 0;

    while (host_fs_types[i])
        i++;
    host_fs_types[i] = t;
}

struct dentry *dentry_make_anon(const char *name, struct inode *ip)
{
    struct dentry *d = kmalloc(sizeof(*d), ALLOC_ZERO);

    (void)name;
    if (!d) {
        inode_put(ip);
        return NULL;
    }
    d->sb = ip->sb;
    d->inode = ip;
    return d;
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
    (void)t, (void)sig, (void)info;
    return 0;
}

uint64_t clock_realtime_ns(void)
{
    return 1700000000123456789UL + host_time_ns;
}

int host_mount(struct superblock *sb, struct block_device *bd, bool read_only)
{
    memset(sb, 0, sizeof(*sb));
    sb->bdev = bd;
    sb->type = host_fs_types[0];
    sb->read_only = read_only;
    snprintf(sb->source, sizeof(sb->source), "/dev/%s", bd->name);
    mutex_init(&sb->rename_lock, MUTEX_RENAME);
    list_init(&sb->inodes);
    return sb->type->mount(sb, "");
}

int host_sync(struct superblock *sb)
{
    int err, err2;

    pagecache_sync_all(true);
    err = inode_write_dirty(sb, true);
    err2 = sb->ops->sync(sb, true);
    return err ? err : err2;
}

void host_unmount(struct superblock *sb)
{
    host_sync(sb);
    inode_put(sb->root->inode);
    CHECK(inode_cache_drop_sb(sb));
    sb->ops->unmount(sb);
    kfree(sb->root);
    while (complete_one())
        ;
}

void addrspace_unmap_file(struct mapping *m, uint64_t from)
{
    (void)m, (void)from;
}
