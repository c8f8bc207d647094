// SPDX-License-Identifier: MIT
// with: fs/ext2_super.c fs/ext2_alloc.c fs/ext2_map.c fs/ext2_data.c fs/ext2_inode.c fs/ext2_dir.c
// with: fs/ext2_namei.c fs/buffer.c fs/inode.c fs/regular.c mm/radix.c mm/pagecache.c mm/pagewrite.c
// with: mm/writeback.c mm/reclaim.c tests/host/stub/kernel.c tests/host/stub/os.c
/*
 * ext2 with page cache and buffer cache on images made by mke2fs: a storm of operations checked
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
#include "stub/kernel.h"
#include "stub/os.h"

#include <linux/fcntl.h>

#define MEMORY_PAGES 768
#define NDIRS 6
#define NNAMES 24
#define MAX_FILE (300 * 1024)

static char image_path[128], log_path[128];
static uint8_t *image;
static size_t image_size;
static struct block_device disk;
static struct superblock sb;

/* ---- Images ----------------------------------------------------------------------------------- */

static void make_image(const char *options, unsigned kib)
{
    if (image)
        os_unmap(image, image_size);
    remove(image_path);
    CHECK(!os_run(log_path, "mke2fs -q -F %s %s %uk", options, image_path, kib));
    image_size = (size_t)kib * 1024;
    image = os_map_file(image_path, image_size);
    host_disk_init(&disk, image, image_size);
}

static void show_log(void)
{
    char line[256];
    FILE *f = fopen(log_path, "r");

    while (f && fgets(line, sizeof(line), f))
        fputs(line, stdout);
}

static void check_image(const char *what)
{
    if (!os_run(log_path, "e2fsck -fn %s", image_path))
        return;
    printf("e2fsck after %s:\n", what);
    show_log();
    host_fail(__FILE__, __LINE__, "the image is damaged");
}

static size_t objects_before, pages_before;

static void mount(bool read_only)
{
    pages_before = page_free_count();
    objects_before = host_objects;
    CHECK(!host_mount(&sb, &disk, read_only));
}

static void unmount(void)
{
    host_unmount(&sb);
    CHECK(page_free_count() == pages_before);
    CHECK(host_objects == objects_before);
    CHECK(!pagecache_dirty_count() && !pagecache_page_count());
}

/* ---- System calls, as the file layer makes them ------------------------------------------------ */

static struct inode *root(void)
{
    return sb.root->inode;
}

/* The directory is locked. */
static struct inode *find(struct inode *dir, const char *name)
{
    struct inode *ip = NULL;
    int err = dir->nlink ? dir->ops->lookup(dir, name, strlen(name), &ip) : -ENOENT;

    return err ? err_ptr(err) : ip;
}

static struct inode *sys_lookup(struct inode *dir, const char *name)
{
    struct inode *ip;

    inode_lock(dir);
    ip = find(dir, name);
    inode_unlock(dir);
    return ip;
}

static int check_absent(struct inode *dir, const char *name)
{
    struct inode *ip = find(dir, name);

    if (!is_err(ip)) {
        inode_put(ip);
        return -EEXIST;
    }
    return ptr_err(ip) == -ENOENT && dir->nlink ? 0 : ptr_err(ip);
}

/* mode tells what is made; target only for symbolic links. */
static int sys_make(struct inode *dir, const char *name, uint32_t mode, const char *target)
{
    size_t len = strlen(name);
    struct inode *ip = NULL;
    int err;

    inode_lock(dir);
    err = check_absent(dir, name);
    if (!err && S_ISDIR(mode))
        err = dir->ops->mkdir(dir, name, len, mode & 07777, &ip);
    else if (!err && S_ISLNK(mode))
        err = dir->ops->symlink(dir, name, len, target, &ip);
    else if (!err && S_ISREG(mode))
        err = dir->ops->create(dir, name, len, mode, &ip);
    else if (!err)
        err = dir->ops->mknod(dir, name, len, mode, make_dev(4, 300), &ip);
    inode_unlock(dir);
    if (!err)
        inode_put(ip);
    return err;
}

static int sys_remove(struct inode *dir, const char *name, bool directory)
{
    struct inode *ip;
    int err = 0;

    inode_lock(dir);
    ip = find(dir, name);
    if (is_err(ip)) {
        inode_unlock(dir);
        return ptr_err(ip);
    }
    inode_lock_nested(ip);
    if (S_ISDIR(ip->mode) != directory)
        err = directory ? -ENOTDIR : -EISDIR;
    if (!err)
        err = (directory ? dir->ops->rmdir : dir->ops->unlink)(dir, name, strlen(name), ip);
    inode_unlock(ip);
    inode_unlock(dir);
    inode_put(ip);
    return err;
}

static int sys_link(struct inode *dir, const char *name, struct inode *ip)
{
    int err;

    inode_lock(dir);
    inode_lock_nested(ip);
    err = S_ISDIR(ip->mode) ? -EPERM : ip->nlink ? check_absent(dir, name) : -ENOENT;
    if (!err)
        err = dir->ops->link(dir, name, strlen(name), ip);
    inode_unlock(ip);
    inode_unlock(dir);
    return err;
}

static int rename_locked(struct inode *from, const char *name, struct inode *to, const char *name2)
{
    struct inode *ip = find(from, name), *target;
    int err = 0;

    if (is_err(ip))
        return ptr_err(ip);
    target = find(to, name2);
    if (is_err(target)) {
        err = ptr_err(target) == -ENOENT && to->nlink ? 0 : ptr_err(target);
        target = NULL;
    }
    if (!err && target && S_ISDIR(target->mode) != S_ISDIR(ip->mode))
        err = -EISDIR;
    if (!err && (ip == to || ip == from || target == from || target == to || target == ip))
        err = -EINVAL;
    if (!err && target)
        inode_lock_nested(target);
    if (!err)
        err = from->ops->rename(from, name, strlen(name), ip, to, name2, strlen(name2), target);
    if (target && mutex_held(&target->lock))
        inode_unlock(target);
    if (target)
        inode_put(target);
    inode_put(ip);
    return err;
}

static int sys_rename(struct inode *from, const char *name, struct inode *to, const char *name2)
{
    int err;

    mutex_lock(&sb.rename_lock);
    inode_lock(from < to ? from : to);
    if (from != to)
        inode_lock_nested(from < to ? to : from);
    err = rename_locked(from, name, to, name2);
    inode_unlock(from);
    if (from != to)
        inode_unlock(to);
    mutex_unlock(&sb.rename_lock);
    return err;
}

static ssize_t sys_write(struct inode *ip, const void *data, size_t len, off_t pos)
{
    struct file f = {.ops = ip->fops, .inode = ip, .mode = FMODE_WRITE, .flags = O_WRONLY};

    CHECK(!f.ops->open || !f.ops->open(ip, &f));
    return f.ops->write(&f, (uaddr_t)data, len, &pos);
}

static ssize_t sys_read(struct inode *ip, void *data, size_t len, off_t pos)
{
    struct file f = {.ops = ip->fops, .inode = ip, .mode = FMODE_READ, .flags = O_RDONLY};

    return f.ops->read(&f, (uaddr_t)data, len, &pos);
}

/* A shared mapping's page fault, and a store through it. */
static int store_mapped(struct inode *ip, uint64_t pos, uint8_t value)
{
    struct mapping *m = &ip->mapping;
    struct page *p = mapping_read_page(m, pos >> PAGE_SHIFT);
    int err = 0;

    if (is_err(p))
        return ptr_err(p);
    page_lock(p);
    if (p->mapping != m || pos >= inode_size(ip))
        err = -EFAULT;
    if (!err && m->ops->prepare_write)
        err = m->ops->prepare_write(m, p, 0, PAGE_SIZE);
    if (!err) {
        ((uint8_t *)page_va(p))[pos & PAGE_MASK] = value;
        page_mark_dirty(p);
    }
    page_unlock(p);
    page_put(p);
    return err;
}

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
    buffer_cache_shrink(100);
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

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 1;

    snprintf(image_path, sizeof(image_path), "%s/image", os_temp_dir());
    snprintf(log_path, sizeof(log_path), "%s/log", os_temp_dir());
    host_init(MEMORY_PAGES);
    pagecache_init();
    inode_cache_init();
    ext2_init();
    test_storms(rounds);
    printf("ext2: ok, %.1f s\n", os_seconds());
    return 0;
}
