/* SPDX-License-Identifier: MIT */
#include "tests/host/stub/disk.h"

#include <stdio.h>
#include <string.h>

#include "fs/dcache.h"
#include "tests/host/stub/os.h"

#include <linux/fcntl.h>

#define MEMORY_PAGES 768

char image_path[128];
static char log_path[128];
uint8_t *image;
size_t image_size;
struct block_device disk;
struct superblock sb;

/* ---- Images ----------------------------------------------------------------------------------- */

void make_image(const char *options, unsigned kib)
{
    if (image)
        os_unmap(image, image_size);
    remove(image_path);
    CHECK(!os_run(log_path, "mke2fs -q -F %s %s %uk", options, image_path, kib));
    image_size = (size_t)kib * 1024;
    image = os_map_file(image_path, image_size);
    host_disk_init(&disk, image, image_size);
    block_cache_init(&disk);
}

int run_on_image(const char *command)
{
    return os_run(log_path, "%s %s", command, image_path);
}

static void show_log(void)
{
    char line[256];
    FILE *f = fopen(log_path, "r");

    while (f && fgets(line, sizeof(line), f))
        fputs(line, stdout);
}

void check_image(const char *what)
{
    if (!os_run(log_path, "e2fsck -fn %s", image_path))
        return;
    printf("e2fsck after %s:\n", what);
    show_log();
    host_fail(__FILE__, __LINE__, "the image is damaged");
}

static size_t objects_before, pages_before;

void mount(bool read_only)
{
    pages_before = page_free_count();
    objects_before = host_objects;
    CHECK(!host_mount(&sb, &disk, read_only));
}

void unmount(void)
{
    host_unmount(&sb);
    CHECK(page_free_count() == pages_before);
    CHECK(host_objects == objects_before);
    CHECK(!pagecache_dirty_count() && !pagecache_page_count());
}

/* ---- System calls, as the file layer makes them ------------------------------------------------ */

struct inode *root(void)
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

struct inode *sys_lookup(struct inode *dir, const char *name)
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
int sys_make(struct inode *dir, const char *name, uint32_t mode, const char *target)
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

int sys_remove(struct inode *dir, const char *name, bool directory)
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

int sys_link(struct inode *dir, const char *name, struct inode *ip)
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

int sys_rename(struct inode *from, const char *name, struct inode *to, const char *name2)
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

ssize_t sys_write(struct inode *ip, const void *data, size_t len, off_t pos)
{
    struct file f = {.ops = ip->fops, .inode = ip, .mode = FMODE_WRITE, .flags = O_WRONLY};
    struct user_iov iov = {(uaddr_t)data, len};
    struct uio u = {.iov = &iov, .left = len};

    CHECK(!f.ops->open || !f.ops->open(ip, &f));
    return f.ops->writev(&f, &u, &pos);
}

ssize_t sys_read(struct inode *ip, void *data, size_t len, off_t pos)
{
    struct file f = {.ops = ip->fops, .inode = ip, .mode = FMODE_READ, .flags = O_RDONLY};
    struct user_iov iov = {(uaddr_t)data, len};
    struct uio u = {.iov = &iov, .left = len};

    return f.ops->readv(&f, &u, &pos);
}

int sys_open(struct inode *ip, int flags)
{
    struct file f = {.ops = ip->fops, .inode = ip, .mode = FMODE_READ, .flags = (uint32_t)flags};

    if ((flags & O_ACCMODE) != O_RDONLY)
        f.mode |= FMODE_WRITE;
    return f.ops->open ? f.ops->open(ip, &f) : 0;
}

struct listing {
    unsigned count, max;
    char *name;
};

static bool list_entry_found(void *arg, const char *name, size_t len, uint64_t ino, unsigned type,
                             off_t next)
{
    struct listing *l = arg;

    CHECK(len && len <= NAME_MAX && ino && type < 16 && next > 0);
    if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
        return true;
    if (l->count == l->max)
        return false; /* not taken */
    memcpy(l->name, name, len);
    l->name[len] = '\0';
    l->count++;
    return true;
}

int sys_list(struct inode *dir, off_t *pos, unsigned max, char *name)
{
    struct file f = {.ops = dir->fops, .inode = dir, .mode = FMODE_READ};
    struct listing l = {.max = max, .name = name};
    int err;

    inode_lock(dir);
    err = f.ops->iterate(&f, pos, list_entry_found, &l);
    inode_unlock(dir);
    return err ? err : (int)l.count;
}

/* A shared mapping's page fault, and a store through it. */
int store_mapped(struct inode *ip, uint64_t pos, uint8_t value)
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

void disk_test_init(void)
{
    snprintf(image_path, sizeof(image_path), "%s/image", os_temp_dir());
    snprintf(log_path, sizeof(log_path), "%s/log", os_temp_dir());
    host_init(MEMORY_PAGES);
    pagecache_init();
    inode_cache_init();
    ext2_init();
}
