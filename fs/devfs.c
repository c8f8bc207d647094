/* SPDX-License-Identifier: MIT */
/*
 * Device numbers and /dev. Drivers register character devices at boot; mounting "devtmpfs" makes a
 * tree in memory with a node for each of them and for each block device, plus the usual links.
 * Programs may then change the tree like any other.
 *
 * Registration ends before the first mount, so the table needs no lock.
 */
#include <linux/stat.h>

#include "drivers/block.h"
#include "fs/devices.h"
#include "fs/tmpfs.h"
#include "fs/tty.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/printf.h"

enum { MAX_CHRDEVS = 32 };

static struct chrdev {
    uint32_t rdev, mode;
    const char *name;
    const struct file_ops *ops;
} chrdevs[MAX_CHRDEVS];
static unsigned nchrdevs;

int chrdev_register(unsigned major, unsigned minor, const char *name, uint32_t mode,
                    const struct file_ops *ops)
{
    if (nchrdevs == MAX_CHRDEVS)
        return -ENOSPC;
    if (chrdev_find(make_dev(major, minor)))
        return -EBUSY;
    chrdevs[nchrdevs++] = (struct chrdev){make_dev(major, minor), mode, name, ops};
    return 0;
}

const struct file_ops *chrdev_find(uint32_t rdev)
{
    for (unsigned i = 0; i < nchrdevs; i++)
        if (chrdevs[i].rdev == rdev)
            return chrdevs[i].ops;
    return NULL;
}

static int add(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev,
               const char *target)
{
    struct inode *ip = tmpfs_add(dir, name, mode, rdev, target);

    return is_err(ip) ? ptr_err(ip) : 0;
}

static int add_devices(struct inode *root)
{
    struct block_device *bd;
    int err = 0;

    for (unsigned i = 0; i < nchrdevs && !err; i++)
        err = add(root, chrdevs[i].name, S_IFCHR | chrdevs[i].mode, chrdevs[i].rdev, NULL);
    for (unsigned i = 0; (bd = block_at(i)) && !err; i++)
        err = add(root, bd->name, S_IFBLK | 0660, make_dev(BLOCK_MAJOR, bd->minor), NULL);
    return err;
}

static int add_links(struct inode *root)
{
    static const char *const links[][2] = {
        {"fd", "/proc/self/fd"},
        {"stdin", "/proc/self/fd/0"},
        {"stdout", "/proc/self/fd/1"},
        {"stderr", "/proc/self/fd/2"},
    };
    int err = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(links) && !err; i++)
        err = add(root, links[i][0], S_IFLNK | 0777, 0, links[i][1]);
    return err ? err : add(root, "shm", S_IFDIR | 01777, 0, NULL);
}

static int devfs_mount(struct superblock *sb, const char *options)
{
    int err = tmpfs_fill_super(sb, 0755);

    (void)options;
    if (!err)
        err = add_devices(sb->root->inode);
    if (!err)
        err = add_links(sb->root->inode);
    return err;
}

static struct fs_type devfs = {.name = "devtmpfs", .mount = devfs_mount};

void devfs_init(void)
{
    mem_devices_init();
    tty_init();
    fs_register(&devfs);
}
