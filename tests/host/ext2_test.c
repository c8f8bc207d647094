// SPDX-License-Identifier: MIT
// with: fs/ext2_super.c fs/ext2_alloc.c fs/ext2_map.c fs/ext2_data.c fs/ext2_inode.c fs/ext2_dir.c
// with: fs/ext2_namei.c drivers/blockcache.c fs/inode.c fs/regular.c mm/radix.c mm/uio.c mm/pagecache.c
// with: mm/pagewrite.c mm/writeback.c mm/reclaim.c tests/host/stub/kernel.c tests/host/stub/os.c
// with: tests/host/stub/disk.c
/*
 * ext2 with the page cache on images made by mke2fs: a storm of operations checked
 * against a model (with short user copies, failing allocations and full disks), threads that take
 * turns wherever the kernel may sleep, I/O errors, and images with random damage. After each run
 * e2fsck must have nothing to say, and no page or object may be missing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/dcache.h"
#include "fs/ext2.h"
#include "mm/kmalloc.h"
#include "mm/pagecache.h"
#include "proc/sched.h"
#include "tests/host/stub/disk.h"
#include "tests/host/stub/kernel.h"
#include "tests/host/stub/os.h"

#include <linux/fcntl.h>

#define NDIRS 6
#define NNAMES 24
#define MAX_FILE (300 * 1024)

/* ---- The model -------------------------------------------------------------------------------- */

struct node { /* a file or link, shared by its names; a directory is one of dirs[] */
    unsigned links;
    uint32_t mode;
    size_t size;
    uint8_t *data; /* a link's text too */
};

static struct node *model[NDIRS][NNAMES];
static struct inode *dirs[NDIRS];

static const char *name_of(unsigned i)
{
    static char names[NNAMES][260];

    if (!names[i][0]) {
        snprintf(names[i], sizeof(names[i]), "n%u-", i);
        memset(names[i] + strlen(names[i]), 'a' + (char)(i % 26), i * i % 250);
    }
    return names[i];
}

static void node_put(struct node *n)
{
    if (n && !--n->links) {
        free(n->data);
        free(n);
    }
}

static struct node *node_new(uint32_t mode)
{
    struct node *n = calloc(1, sizeof(*n));

    n->links = 1;
    n->mode = mode;
    n->data = calloc(1, MAX_FILE);
    return n;
}

static const char *random_target(void)
{
    static char text[900];
    unsigned len = host_random(3) ? 1 + host_random(70) : 1 + host_random(890);

    for (unsigned i = 0; i < len; i++)
        text[i] = (char)('a' + host_random(26));
    text[len] = '\0';
    return text;
}

static void step_make(unsigned d, unsigned n)
{
    static const uint32_t modes[] = {S_IFREG | 0644, S_IFREG | 04755, S_IFLNK | 0777,
                                     S_IFIFO | 0600, S_IFCHR | 0666};
    uint32_t mode = modes[host_random(ARRAY_SIZE(modes))];
    const char *target = random_target();
    int err = sys_make(dirs[d], name_of(n), mode, target);

    if (model[d][n])
        CHECK(err == -EEXIST || err == -ENOMEM);
    else
        CHECK(!err || err == -ENOSPC || err == -ENOMEM);
    if (err)
        return;
    model[d][n] = node_new(mode);
    if (S_ISLNK(mode)) {
        model[d][n]->size = strlen(target);
        memcpy(model[d][n]->data, target, model[d][n]->size);
    }
}

static void write_model(struct node *n, struct inode *ip)
{
    static uint8_t data[MAX_FILE];
    size_t pos = host_random(2) ? n->size : host_random(MAX_FILE - 1);
    size_t len = host_random(3) ? host_random(9000) : host_random(60000);
    ssize_t done;

    pos = MIN(pos, (size_t)MAX_FILE - 1);
    if (!host_random(3))
        pos = ALIGN_DOWN(pos, PAGE_SIZE);
    len = MIN(len, MAX_FILE - pos);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(host_random(256) | 1);
    done = sys_write(ip, data, len, (off_t)pos);
    CHECK(done >= 0 || done == -ENOSPC || done == -ENOMEM);
    if (done <= 0)
        return;
    memcpy(n->data + pos, data, (size_t)done);
    n->size = MAX(n->size, pos + (size_t)done);
}

static void truncate_model(struct node *n, struct inode *ip)
{
    size_t size = host_random(3) ? host_random(MAX_FILE) : host_random((uint32_t)n->size + 1);
    int err = inode_set_size(ip, size);

    CHECK(!err || err == -ENOMEM);
    if (err) /* what is gone is gone */
        size = (size_t)inode_size(ip);
    if (size < n->size)
        memset(n->data + size, 0, n->size - size);
    n->size = size;
}

static void store_model(struct node *n, struct inode *ip)
{
    size_t pos = n->size ? host_random((uint32_t)n->size) : 0;
    int err;

    if (!n->size)
        return;
    err = store_mapped(ip, pos, 0x5a);
    CHECK(!err || err == -ENOSPC || err == -ENOMEM);
    if (!err)
        n->data[pos] = 0x5a;
}

static void compare(const struct node *n, struct inode *ip, size_t pos, size_t len)
{
    static uint8_t data[MAX_FILE];
    ssize_t got = sys_read(ip, data, len, (off_t)pos);
    size_t want = pos < n->size ? MIN(len, n->size - pos) : 0;

    if (got == -ENOMEM || (got < (ssize_t)want && (host_alloc_fails || host_user_faults)))
        want = got < 0 ? 0 : (size_t)got;
    else
        CHECK(got == (ssize_t)want);
    CHECK(!memcmp(data, n->data + pos, want));
}

static void step_file(unsigned d, unsigned i)
{
    struct node *n = model[d][i];
    struct inode *ip;

    if (!n || !S_ISREG(n->mode))
        return;
    ip = sys_lookup(dirs[d], name_of(i));
    if (is_err(ip)) {
        CHECK(ptr_err(ip) == -ENOMEM);
        return;
    }
    switch (host_random(8)) {
    case 0: truncate_model(n, ip); break;
    case 1: inode_sync(ip, false); break;
    case 2: store_model(n, ip); break;
    case 3: compare(n, ip, host_random(MAX_FILE), host_random(40000)); break;
    default: write_model(n, ip); break;
    }
    inode_put(ip);
}

static void step_remove(unsigned d, unsigned i)
{
    int err = sys_remove(dirs[d], name_of(i), false);

    CHECK(err == (model[d][i] ? 0 : -ENOENT) || err == -ENOMEM);
    if (err)
        return;
    node_put(model[d][i]);
    model[d][i] = NULL;
}

static void step_link(unsigned d, unsigned i, unsigned d2, unsigned i2)
{
    struct inode *ip = sys_lookup(dirs[d], name_of(i));
    int err;

    if (is_err(ip))
        return;
    err = sys_link(dirs[d2], name_of(i2), ip);
    inode_put(ip);
    CHECK(!err || (err == -EEXIST && model[d2][i2]) || err == -ENOSPC || err == -ENOMEM);
    if (err)
        return;
    model[d2][i2] = model[d][i];
    model[d][i]->links++;
}

static void step_rename(unsigned d, unsigned i, unsigned d2, unsigned i2)
{
    int err = sys_rename(dirs[d], name_of(i), dirs[d2], name_of(i2));

    if (err == -ENOMEM || err == -ENOSPC || err == -EINVAL)
        return;
    CHECK(err == (model[d][i] ? 0 : -ENOENT));
    if (err)
        return;
    node_put(model[d2][i2]);
    model[d2][i2] = model[d][i];
    model[d][i] = NULL;
}

static void step_drop_caches(void)
{
    pagecache_drop_clean();
    inode_cache_shrink(100);
}

static void step(void)
{
    unsigned d = host_random(NDIRS), i = host_random(NNAMES);
    unsigned d2 = host_random(NDIRS), i2 = host_random(NNAMES);

    switch (host_random(20)) {
    case 0 ... 3: step_make(d, i); break;
    case 4: step_remove(d, i); break;
    case 5: step_link(d, i, d2, i2); break;
    case 6: step_rename(d, i, d2, i2); break;
    case 7: host_sync(&sb); break;
    case 8: step_drop_caches(); break;
    default: step_file(d, i); break;
    }
}

static void open_dirs(bool make)
{
    char name[16];

    dirs[0] = inode_ref(root());
    for (unsigned i = 1; i < NDIRS; i++) {
        snprintf(name, sizeof(name), "dir%u", i);
        if (make)
            CHECK(!sys_make(dirs[i / 2], name, S_IFDIR | 0755, NULL));
        dirs[i] = sys_lookup(dirs[i / 2], name);
        CHECK(!is_err(dirs[i]));
    }
}

static void close_dirs(void)
{
    for (unsigned i = 0; i < NDIRS; i++)
        inode_put(dirs[i]);
}

static void verify_node(const struct node *n, struct inode *ip)
{
    char *text;

    CHECK((ip->mode & ~07000u) == (n->mode & ~07000u) && ip->nlink == n->links);
    if (S_ISREG(n->mode)) {
        CHECK(inode_size(ip) == n->size);
        compare(n, ip, 0, MAX_FILE);
    } else if (S_ISLNK(n->mode)) {
        text = ip->ops->readlink(ip);
        CHECK(!is_err(text) && strlen(text) == n->size && !memcmp(text, n->data, n->size));
        kfree(text);
    } else if (S_ISCHR(n->mode)) {
        CHECK(ip->rdev == make_dev(4, 300));
    }
}

static void verify_all(void)
{
    for (unsigned d = 0; d < NDIRS; d++) {
        for (unsigned i = 0; i < NNAMES; i++) {
            struct inode *ip = sys_lookup(dirs[d], name_of(i));

            CHECK(is_err(ip) ? ptr_err(ip) == -ENOENT && !model[d][i] : model[d][i] != NULL);
            if (is_err(ip))
                continue;
            verify_node(model[d][i], ip);
            inode_put(ip);
        }
    }
}

static void forget_model(void)
{
    for (unsigned d = 0; d < NDIRS; d++) {
        for (unsigned i = 0; i < NNAMES; i++) {
            node_put(model[d][i]);
            model[d][i] = NULL;
        }
    }
}

struct storm {
    const char *options;
    unsigned kib, steps, alloc_fails, user_faults;
};

static void run_storm(const struct storm *s, uint32_t seed)
{
    host_seed(seed);
    make_image(s->options, s->kib);
    mount(false);
    open_dirs(true);
    host_alloc_fails = s->alloc_fails;
    host_user_faults = s->user_faults;
    for (unsigned i = 0; i < s->steps; i++)
        step();
    host_alloc_fails = host_user_faults = 0;
    verify_all();
    close_dirs();
    unmount();
    CHECK(host_errors == 0);
    check_image(s->options);

    mount(true);
    open_dirs(false);
    verify_all();
    close_dirs();
    unmount();
    forget_model();
}

static void test_storms(unsigned rounds)
{
    static const struct storm storms[] = {
        {"-t ext2 -b 1024", 8192, 1200, 0, 0},
        {"-t ext2 -b 2048 -I 128", 8192, 1200, 0, 20},
        {"-t ext2 -b 4096 -I 256", 16384, 1200, 0, 20},
        {"-t ext3 -b 1024 -J size=1", 12288, 800, 0, 0},
        {"-r 0 -b 1024 -m 10", 4096, 800, 0, 0},
        {"-t ext2 -b 1024 -N 64 -m 0", 600, 1500, 0, 30},
        {"-t ext2 -b 4096 -m 0", 1500, 1500, 0, 30},
        {"-t ext2 -b 1024 -g 512 -O ^resize_inode", 6000, 800, 100, 0},
        {"-t ext2 -b 4096", 8192, 800, 60, 30},
    };

    for (unsigned r = 0; r < rounds; r++)
        for (unsigned i = 0; i < ARRAY_SIZE(storms); i++)
            run_storm(&storms[i], r * 100 + i + 1);
}

/* ---- Single behaviours ------------------------------------------------------------------------ */

static void test_directories(void)
{
    char name[NAME_MAX + 1];
    struct inode *a, *b, *c;
    off_t pos = 0;
    int n, count = 0;

    make_image("-t ext2 -b 1024 -N 4096", 4096);
    mount(false);
    CHECK(!sys_make(root(), "a", S_IFDIR | 0755, NULL) &&
          !sys_make(root(), "b", S_IFDIR | 0700, NULL));
    a = sys_lookup(root(), "a");
    b = sys_lookup(root(), "b");
    CHECK(root()->nlink == 5 && a->nlink == 2);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "file with a name that is rather long %u", i);
        CHECK(!sys_make(a, name, S_IFREG | 0644, NULL));
    }
    CHECK(!sys_make(a, "sub", S_IFDIR | 0755, NULL) && a->nlink == 3);
    /* Entries go away behind the reader and before it. */
    while ((n = sys_list(a, &pos, 7, name)) > 0) {
        count += n;
        if (strcmp(name, "sub"))
            CHECK(!sys_remove(a, name, false));
    }
    CHECK(n == 0 && count == 1001);
    CHECK(sys_remove(root(), "a", true) == -ENOTEMPTY);
    CHECK(!sys_rename(a, "sub", b, "moved") && a->nlink == 2 && b->nlink == 3);
    CHECK(!sys_make(a, "empty", S_IFDIR | 0755, NULL));
    c = sys_lookup(a, "empty");
    CHECK(!sys_rename(b, "moved", a, "empty") && c->nlink == 0 && b->nlink == 2 && a->nlink == 3);
    CHECK(sys_make(c, "x", S_IFREG, NULL) == -ENOENT);
    CHECK(sys_rename(root(), "b", a, "empty") == 0 && a->nlink == 3);
    CHECK(sys_rename(root(), "lost+found", root(), "a") == -ENOTEMPTY);
    inode_put(a);
    inode_put(b);
    inode_put(c);
    unmount();
    check_image("directories");
}

static void test_many_links(void)
{
    char name[32];
    struct inode *ip;

    make_image("-t ext2 -b 4096", 8192);
    mount(false);
    CHECK(!sys_make(root(), "first", S_IFREG | 0644, NULL));
    ip = sys_lookup(root(), "first");
    for (unsigned i = 1; i < EXT2_LINK_MAX; i++) {
        if (i == 200) /* the rest is as good as done */
            ip->nlink = EXT2_LINK_MAX - 1, i = EXT2_LINK_MAX - 1;
        snprintf(name, sizeof(name), "l%u", i);
        CHECK(!sys_link(root(), name, ip));
    }
    CHECK(sys_link(root(), "one more", ip) == -EMLINK);
    ip->nlink = 201;
    inode_mark_dirty(ip);
    inode_put(ip);
    unmount();
    check_image("many links");
}

static void test_sparse_and_large(void)
{
    struct inode *ip;
    char c;

    make_image("-t ext2 -b 1024 -O ^large_file", 4096);
    mount(false);
    CHECK(!sys_make(root(), "sparse", S_IFREG | 0644, NULL));
    ip = sys_lookup(root(), "sparse");
    for (uint64_t pos = 11 * 1024; pos < 5UL << 30; pos = pos * 3 + 77)
        CHECK(sys_write(ip, "x", 1, (off_t)pos) == 1);
    CHECK(sys_write(ip, "y", 1, (off_t)sb.max_size - 1) == 1);
    CHECK(sys_write(ip, "y", 1, (off_t)sb.max_size) == -EFBIG);
    CHECK(inode_set_size(ip, sb.max_size + 1) == -EFBIG);
    for (uint64_t pos = 11 * 1024; pos < 5UL << 30; pos = pos * 3 + 77) {
        CHECK(sys_read(ip, &c, 1, (off_t)pos) == 1 && c == 'x');
        CHECK(sys_read(ip, &c, 1, (off_t)pos + 5000) == 1 && c == 0);
    }
    inode_put(ip);
    unmount();
    check_image("a sparse file");
    mount(false);
    ip = sys_lookup(root(), "sparse");
    CHECK(inode_size(ip) == sb.max_size);
    for (uint64_t size = 3UL << 30; size > 5; size /= 3) {
        CHECK(!inode_set_size(ip, size));
    }
    CHECK(!inode_set_size(ip, 0) && ip->blocks == 0);
    inode_put(ip);
    unmount();
    check_image("truncation of a sparse file");
}

static void test_flags(void)
{
    struct inode *ip;
    size_t len = 1;

    make_image("-t ext2 -b 1024", 1024);
    mount(false);
    CHECK(!sys_make(root(), "f", S_IFREG | 0644, NULL));
    ip = sys_lookup(root(), "f");
    ext2_inode_of(ip)->flags = EXT2_FL_IMMUTABLE;
    CHECK(sys_open(ip, O_RDWR) == -EPERM && !sys_open(ip, O_RDONLY));
    CHECK(ip->ops->before_write(ip, 0, &len) == -EPERM);
    CHECK(sys_remove(root(), "f", false) == -EPERM && inode_set_size(ip, 0) == -EPERM);
    CHECK(sys_rename(root(), "f", root(), "g") == -EPERM && sys_link(root(), "g", ip) == -EPERM);
    ext2_inode_of(ip)->flags = EXT2_FL_APPEND;
    CHECK(sys_open(ip, O_WRONLY) == -EPERM && !sys_open(ip, O_WRONLY | O_APPEND));
    CHECK(sys_open(ip, O_WRONLY | O_APPEND | O_TRUNC) == -EPERM);
    ext2_inode_of(ip)->flags = 0;
    inode_put(ip);
    unmount();
}

/* A file without a name, still open when the system goes down. */
static void test_orphans(void)
{
    static const uint8_t data[50000];
    struct inode *ip;

    make_image("-t ext2 -b 1024", 1024);
    mount(false);
    CHECK(!sys_make(root(), "f", S_IFREG | 0644, NULL));
    ip = sys_lookup(root(), "f");
    CHECK(sys_write(ip, data, sizeof(data), 0) == sizeof(data));
    CHECK(!sys_remove(root(), "f", false) && sys_write(ip, data, 5000, 60000) == 5000);
    host_sync(&sb);
    CHECK(!sb.ops->remount(&sb, true));
    check_image("read-only with an orphan");
    inode_put(ip);
    CHECK(!sb.ops->remount(&sb, false));
    CHECK(!sys_make(root(), "g", S_IFREG | 0644, NULL));
    unmount();
    check_image("writable again");
}

static void test_foreign_things(void)
{
    struct ext2_super *s;
    struct fs_stat st;
    struct inode *ip;

    make_image("-t ext3 -b 1024 -J size=1", 4096);
    CHECK(
        !run_on_image("echo 'ea_set /lost+found user.x yyyyyyyyyyyy' | debugfs -w -f /dev/stdin"));
    CHECK(!run_on_image(
        "printf 'write /etc/passwd p\nea_set p user.a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
        "symlink s /etc/motd\n' | debugfs -w -f /dev/stdin"));
    mount(false);
    ip = sys_lookup(root(), "p");
    CHECK(ext2_inode_of(ip)->xattr_block && ip->blocks > 2);
    inode_put(ip);
    CHECK(!sys_remove(root(), "p", false));
    sb.ops->statfs(&sb, &st);
    CHECK(st.blocks > 2000 && st.free_blocks <= st.blocks && st.avail_blocks < st.free_blocks);
    unmount();
    check_image("extended attributes");

    s = (struct ext2_super *)(image + EXT2_SUPER_OFFSET);
    s->s_feature_incompat |= EXT2_INCOMPAT_RECOVER;
    host_quiet = true;
    CHECK(host_mount(&sb, &disk, false) == -EINVAL);
    mount(true);
    CHECK(sb.ops->remount(&sb, false) == -EROFS);
    unmount();
    s->s_feature_incompat = 0x40;
    CHECK(host_mount(&sb, &disk, true) == -EINVAL);
    host_quiet = false;
    host_errors = 0;
}

/* Only root may use the reserved blocks. */
static void test_reserve(void)
{
    static uint8_t data[1 << 20];
    struct inode *ip;
    struct fs_stat st;

    make_image("-t ext2 -b 1024 -m 20", 1024);
    mount(false);
    CHECK(!sys_make(root(), "f", S_IFREG | 0666, NULL));
    ip = sys_lookup(root(), "f");
    host_set_uid(1000);
    CHECK(sys_write(ip, data, sizeof(data), 0) > 0);
    sb.ops->statfs(&sb, &st);
    CHECK(st.avail_blocks < 3 && st.free_blocks > 190);
    host_set_uid(0);
    CHECK(sys_write(ip, data, sizeof(data), (off_t)inode_size(ip)) > 0);
    sb.ops->statfs(&sb, &st);
    CHECK(st.free_blocks < 3);
    inode_put(ip);
    unmount();
    check_image("a full disk");
}

static void test_read_ahead(void)
{
    static uint8_t data[2 << 20];
    struct inode *ip;
    uint64_t before;

    make_image("-t ext2 -b 4096", 4096);
    mount(false);
    CHECK(!sys_make(root(), "f", S_IFREG | 0644, NULL) &&
          !sys_make(root(), "small", S_IFREG, NULL));
    ip = sys_lookup(root(), "f");
    CHECK(sys_write(ip, data, 1 << 20, 0) == 1 << 20);
    inode_put(ip);
    ip = sys_lookup(root(), "small");
    CHECK(sys_write(ip, data, 60000, 0) == 60000);
    inode_put(ip);
    unmount();
    mount(true);
    ip = sys_lookup(root(), "f");
    before = host_bios;
    for (off_t pos = 0; pos < 1 << 20; pos += 4096)
        CHECK(sys_read(ip, data, 4096, pos) == 4096);
    CHECK(host_bios - before <= 14); /* 256 pages and an indirect block */
    inode_put(ip);
    ip = sys_lookup(root(), "small");
    before = host_bios;
    CHECK(sys_read(ip, data, 10, 40000) == 10 && sys_read(ip, data, 60000, 0) == 60000);
    CHECK(host_bios - before <= 3);
    inode_put(ip);
    unmount();
}

/* ---- Threads ---------------------------------------------------------------------------------- */

#define THREAD_STEPS 700

static void disturb_file(struct inode *ip)
{
    static uint8_t data[40000];
    size_t len = host_random(sizeof(data));
    off_t pos = (off_t)host_random(200000);

    switch (host_random(6)) {
    case 0: inode_set_size(ip, host_random(200000)); break;
    case 1: inode_sync(ip, false); break;
    case 2: store_mapped(ip, host_random((uint32_t)inode_size(ip) + 1), 7); break;
    case 3: sys_read(ip, data, len, pos); break;
    default: sys_write(ip, data, len, pos); break;
    }
}

static void disturb(unsigned self)
{
    static char targets[4][900];
    char name[16], name2[16];

    for (unsigned i = 0; i < THREAD_STEPS; i++) {
        struct inode *dir = dirs[host_random(3)], *dir2 = dirs[host_random(3)], *ip;

        snprintf(name, sizeof(name), "t%u", host_random(12));
        snprintf(name2, sizeof(name2), "t%u", host_random(12));
        switch (host_random(12)) {
        case 0: sys_make(dir, name, S_IFDIR | 0755, NULL); break;
        case 1:
            strcpy(targets[self], random_target());
            sys_make(dir, name, S_IFLNK, targets[self]);
            break;
        case 2: sys_remove(dir, name, host_random(2)); break;
        case 3: sys_rename(dir, name, dir2, name2); break;
        case 4: sys_make(dir, name, S_IFREG | 0644, NULL); break;
        case 5: self ? step_drop_caches() : (void)host_sync(&sb); break;
        default:
            ip = sys_lookup(dir, name);
            if (!is_err(ip) && S_ISREG(ip->mode))
                disturb_file(ip);
            else if (!is_err(ip) && host_random(2))
                sys_link(dir2, name2, ip);
            if (!is_err(ip))
                inode_put(ip);
        }
    }
}

static void test_threads(uint32_t seed)
{
    host_seed(seed);
    make_image(seed % 2 ? "-t ext2 -b 1024" : "-t ext2 -b 4096", 1500 + seed % 3 * 1000);
    mount(false);
    open_dirs(true);
    host_run_threads(4, disturb);
    close_dirs();
    unmount();
    CHECK(host_errors == 0);
    check_image("threads");
}

/* An unlinked inode is still on the cache's LRU list from an earlier use when its last reference
 * goes: the shrinker must leave it to whoever evicts it. */
static bool evicting, done_evicting;

static void evict_or_shrink(unsigned self)
{
    static const uint8_t data[30000];

    while (self && !done_evicting) {
        if (evicting)
            inode_cache_shrink(100);
        sched_point();
    }
    for (unsigned i = 0; !self && i < 40; i++) {
        struct inode *ip;

        CHECK(!sys_make(root(), "f", S_IFREG | 0644, NULL));
        ip = sys_lookup(root(), "f");
        CHECK(sys_write(ip, data, sizeof(data), 0) == sizeof(data));
        CHECK(!sys_remove(root(), "f", false));
        host_sync(&sb); /* clean, so that freeing it has to read */
        pagecache_drop_clean();
        evicting = true;
        inode_put(ip);
        evicting = false;
    }
    done_evicting = true;
}

static void test_evict_race(void)
{
    host_seed(1);
    make_image("-t ext2 -b 1024", 1024);
    mount(false);
    host_run_threads(3, evict_or_shrink);
    unmount();
    check_image("eviction");
}

int main(int argc, char **argv)
{
    double start = os_seconds();
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1;

    disk_test_init();
    if (argc > 2) { /* one thread storm, by its seed */
        test_threads((uint32_t)atoi(argv[2]));
        return 0;
    }
    test_directories();
    test_many_links();
    test_sparse_and_large();
    test_flags();
    test_orphans();
    test_foreign_things();
    test_reserve();
    test_read_ahead();
    test_evict_race();
    test_storms(rounds);
    for (unsigned i = 0; i < 4 * rounds; i++)
        test_threads(i);
    printf("ext2: ok, %.1f s, %lu requests\n", os_seconds() - start, host_bios);
    return 0;
}
