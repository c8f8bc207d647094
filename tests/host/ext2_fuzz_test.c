// SPDX-License-Identifier: MIT
// with: fs/ext2_super.c fs/ext2_alloc.c fs/ext2_map.c fs/ext2_data.c fs/ext2_inode.c fs/ext2_dir.c
// with: fs/ext2_namei.c drivers/blockcache.c fs/inode.c fs/regular.c mm/radix.c mm/uio.c mm/pagecache.c
// with: mm/pagewrite.c mm/writeback.c mm/reclaim.c tests/host/stub/kernel.c tests/host/stub/os.c
// with: tests/host/stub/disk.c
/*
 * ext2 against a hostile world: images with random damage in their metadata, disks that fail, and
 * memory that runs out at every single allocation. Nothing may crash, hang, leak, or go on for
 * long; what is read may be wrong. `ext2_fuzz_test N` makes N damaged images.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/dcache.h"
#include "fs/ext2.h"
#include "mm/kmalloc.h"
#include "tests/host/stub/disk.h"
#include "tests/host/stub/os.h"

static uint8_t *pristine;
static uint8_t data[70000];

/* ---- A file system with everything in it ------------------------------------------------------ */

static void fill_file(struct inode *dir, const char *name, size_t len, off_t pos)
{
    struct inode *ip;

    CHECK(!sys_make(dir, name, S_IFREG | 0644, NULL));
    ip = sys_lookup(dir, name);
    CHECK(sys_write(ip, data, len, pos) == (ssize_t)len);
    inode_put(ip);
}

static void make_victim(const char *options, unsigned kib)
{
    char name[64], target[300];
    struct inode *d;

    make_image(options, kib);
    mount(false);
    fill_file(root(), "small", 100, 0);
    fill_file(root(), "large", sizeof(data), 0);
    fill_file(root(), "double", 30000, 300 * 1024);
    fill_file(root(), "triple", 5000, 70 << 20);
    memset(target, 'x', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    CHECK(!sys_make(root(), "slow", S_IFLNK, target) &&
          !sys_make(root(), "fast", S_IFLNK, "small"));
    CHECK(!sys_make(root(), "char", S_IFCHR | 0600, NULL));
    CHECK(!sys_make(root(), "d", S_IFDIR | 0755, NULL));
    d = sys_lookup(root(), "d");
    for (unsigned i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "an entry with a long name, number %u", i);
        CHECK(!sys_make(d, name, i % 7 ? S_IFREG | 0644 : S_IFDIR | 0755, NULL));
    }
    inode_put(d);
    unmount();
    pristine = realloc(pristine, image_size);
    memcpy(pristine, image, image_size);
}

/* ---- A program that touches all it finds ------------------------------------------------------ */

static void use_file(struct inode *ip, bool write)
{
    off_t end = (off_t)inode_size(ip);

    sys_read(ip, data, sizeof(data), 0);
    sys_read(ip, data, 5000, end > 5000 ? end - 5000 : 0);
    if (!write)
        return;
    switch (host_random(4)) {
    case 0: sys_write(ip, data, 3000, (off_t)host_random(400000)); break;
    case 1: inode_set_size(ip, host_random(400000)); break;
    case 2: inode_set_size(ip, 0); break;
    case 3: sys_write(ip, data, 5000, end); break;
    }
}

static void use_inode(struct inode *ip, bool write, unsigned depth);

static void use_dir(struct inode *dir, bool write, unsigned depth)
{
    char name[NAME_MAX + 1];
    off_t pos = 0, before;
    unsigned left = 80;

    do {
        struct inode *ip;

        before = pos;
        if (sys_list(dir, &pos, 1, name) != 1)
            break;
        ip = sys_lookup(dir, name);
        if (is_err(ip))
            continue;
        use_inode(ip, write, depth + 1);
        inode_put(ip);
        if (write && !host_random(4))
            sys_remove(dir, name, S_ISDIR(ip->mode));
        else if (write && !host_random(6))
            sys_rename(dir, name, root(), "renamed");
    } while (pos > before && left--);
    CHECK(pos >= before);
    if (!write)
        return;
    sys_make(dir, "new file", S_IFREG | 0644, NULL);
    sys_make(dir, "new directory", S_IFDIR | 0755, NULL);
    sys_make(dir, "new link", S_IFLNK, "somewhere");
}

static void use_inode(struct inode *ip, bool write, unsigned depth)
{
    char *text;

    if (S_ISDIR(ip->mode) && depth < 3)
        use_dir(ip, write, depth);
    else if (S_ISREG(ip->mode))
        use_file(ip, write);
    else if (S_ISLNK(ip->mode)) {
        text = ip->ops->readlink(ip);
        if (!is_err(text))
            kfree(text);
    }
}

static void use_image(bool write)
{
    size_t objects = host_objects, pages = page_free_count();

    if (!host_mount(&sb, &disk, !write)) {
        use_dir(root(), write, 0);
        host_sync(&sb);
        host_unmount(&sb);
    }
    CHECK(host_objects == objects && page_free_count() == pages);
}

/* ---- Damage ----------------------------------------------------------------------------------- */

static uint32_t odd_value(void)
{
    static const uint32_t odd[] = {
        0, 1, 2, 7, 11, 12, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};

    switch (host_random(3)) {
    case 0: return odd[host_random(ARRAY_SIZE(odd))];
    case 1: return host_random((uint32_t)(image_size / 1024));
    default: return host_random(0xffffffff);
    }
}

/* Somewhere in the metadata: superblock, descriptors, bitmaps and tables lie at the beginning. */
static size_t damage_place(void)
{
    const struct ext2_super *s = (const struct ext2_super *)pristine;
    size_t front = 100 * 1024;

    s = (const struct ext2_super *)(pristine + EXT2_SUPER_OFFSET);
    switch (host_random(6)) {
    case 0: return EXT2_SUPER_OFFSET + host_random(256);
    case 1: return (1024u << s->s_log_block_size) * (1 + s->s_first_data_block) + host_random(128);
    case 2: return host_random((uint32_t)image_size - 8);
    default: return 4096 + host_random((uint32_t)MIN(front, image_size - 8192));
    }
}

/* Only where there is something: most of an image is zero. */
static void damage_once(void)
{
    size_t at;
    unsigned tries = 0;

    do
        at = damage_place();
    while (!image[at] && ++tries < 200);
    switch (host_random(4)) {
    case 0: image[at] ^= (uint8_t)(1 << host_random(8)); break;
    case 1: image[at] = (uint8_t)host_random(256); break;
    default: {
        uint32_t value = odd_value();

        memcpy(image + (at & ~3UL), &value, 4);
    }
    }
}

static void test_damage(unsigned count)
{
    static const char *const options[] = {"-t ext2 -b 1024 -N 200", "-t ext2 -b 4096 -N 200 -I 256",
                                          "-r 0 -b 1024 -N 200"};
    double longest = 0;

    host_check_overlap = false; /* a damaged tree may well have a block twice */
    for (unsigned i = 0; i < count; i++) {
        double start = os_seconds();

        host_seed(i + 1);
        if (i % (count / 3 + 1) == 0) {
            host_quiet = false;
            make_victim(options[i / (count / 3 + 1)], 1200);
            host_quiet = true;
            host_seed(i + 1);
        }
        memcpy(image, pristine, image_size);
        for (unsigned n = 1 + host_random(8); n; n--)
            damage_once();
        use_image(host_random(3));
        longest = MAX(longest, os_seconds() - start);
    }
    host_quiet = false;
    if (longest > 5)
        host_fail(__FILE__, __LINE__, "a damaged image takes too long");
}

/* ---- Failing disks ---------------------------------------------------------------------------- */

static void test_io_errors(void)
{
    make_victim("-t ext2 -b 1024 -N 200", 1200);
    host_quiet = true;
    for (unsigned i = 0; i < 150; i++) {
        host_seed(i);
        memcpy(image, pristine, image_size);
        host_io_errors = 2 + i;
        use_image(i % 4);
        host_io_errors = 0;
    }
    host_quiet = false;
}

/* A write error reaches fsync once, and the file system is not called clean any more. */
static void test_write_error(void)
{
    struct inode *ip;

    make_image("-t ext2 -b 1024", 1024);
    mount(false);
    CHECK(!sys_make(root(), "f", S_IFREG | 0644, NULL));
    ip = sys_lookup(root(), "f");
    CHECK(sys_write(ip, data, 5000, 0) == 5000);
    host_io_errors = 1;
    CHECK(inode_sync(ip, false) == -EIO);
    host_io_errors = 0;
    CHECK(sys_write(ip, data, 5000, 0) == 5000 && !inode_sync(ip, false));
    inode_put(ip);
    unmount();
    CHECK(((struct ext2_super *)(image + 1024))->s_state & EXT2_STATE_ERROR);
}

/* ---- Out of memory ---------------------------------------------------------------------------- */

static int try_all(void)
{
    struct inode *ip, *dir;
    int err;

    if ((err = sys_make(root(), "dir", S_IFDIR | 0755, NULL)))
        return err;
    dir = sys_lookup(root(), "dir");
    if (is_err(dir))
        return ptr_err(dir);
    err = sys_make(dir, "file", S_IFREG | 0644, NULL);
    ip = err ? err_ptr(err) : sys_lookup(dir, "file");
    if (!is_err(ip)) {
        if (sys_write(ip, data, sizeof(data), 10000) != sizeof(data))
            err = -ENOMEM;
        if (!err)
            err = inode_set_size(ip, 50123);
        inode_put(ip);
    }
    if (!err && is_err(ip))
        err = ptr_err(ip);
    if (!err)
        err = sys_make(dir, "link", S_IFLNK,
                       "a target that is too long to be kept in the inode: "
                       "it takes sixty bytes");
    if (!err)
        err = sys_rename(dir, "file", root(), "moved");
    if (!err)
        err = sys_remove(root(), "moved", false);
    inode_put(dir);
    return err;
}

/* The n-th allocation fails, n = 1, 2, ... until there is no n-th. */
static void test_out_of_memory(void)
{
    int err = -ENOMEM;

    make_victim("-t ext2 -b 1024 -N 200", 1200);
    for (unsigned n = 1; err; n++) {
        memcpy(image, pristine, image_size);
        host_fail_nth = n;
        host_quiet = true;
        err = host_mount(&sb, &disk, false);
        host_quiet = false;
        CHECK(!err || err == -ENOMEM);
        if (err)
            continue;
        err = try_all();
        CHECK(!err || err == -ENOMEM);
        host_fail_nth = 0;
        host_unmount(&sb);
        CHECK(host_errors == 0);
        if (n % 4 == 0)
            check_image("running out of memory");
    }
    host_fail_nth = 0;
}

int main(int argc, char **argv)
{
    double start = os_seconds();
    unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 1500;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 1000);
    disk_test_init();
    test_out_of_memory();
    test_write_error();
    test_io_errors();
    test_damage(count);
    printf("ext2 under fire: ok, %.1f s\n", os_seconds() - start);
    return 0;
}
