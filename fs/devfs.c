/* SPDX-License-Identifier: MIT */
/*
 * Device numbers and /dev. Mounting "devtmpfs" makes a tree in memory with a node for each character
 * device of the table here and for each block device, plus the usual links. Programs may then change
 * the tree like any other.
 */
#include <linux/major.h>
#include <linux/stat.h>

#include "drivers/block.h"
#include "fs/devices.h"
#include "fs/tmpfs.h"
#include "fs/tty.h"
#include "fs/vfs.h"

static const struct node {
    const char *name;
    uint32_t mode;
    unsigned major, minor;
    const struct file_ops *ops;
    const char *target;
} nodes[] = {
    {"null", S_IFCHR | 0666, MEM_MAJOR, MEM_NULL, .ops = &mem_file_ops},
    {"zero", S_IFCHR | 0666, MEM_MAJOR, MEM_ZERO, .ops = &mem_file_ops},
    {"full", S_IFCHR | 0666, MEM_MAJOR, MEM_FULL, .ops = &mem_file_ops},
    {"random", S_IFCHR | 0666, MEM_MAJOR, MEM_RANDOM, .ops = &mem_file_ops},
    {"urandom", S_IFCHR | 0666, MEM_MAJOR, MEM_URANDOM, .ops = &mem_file_ops},
    {"console", S_IFCHR | 0600, TTYAUX_MAJOR, 1, .ops = &tty_file_ops},
    {"tty", S_IFCHR | 0666, TTYAUX_MAJOR, 0, .ops = &tty_file_ops},
    {"ttyS0", S_IFCHR | 0620, TTY_MAJOR, 64, .ops = &tty_file_ops},
    {"fd", S_IFLNK | 0777, .target = "/proc/self/fd"},
    {"stdin", S_IFLNK | 0777, .target = "/proc/self/fd/0"},
    {"stdout", S_IFLNK | 0777, .target = "/proc/self/fd/1"},
    {"stderr", S_IFLNK | 0777, .target = "/proc/self/fd/2"},
    {"shm", S_IFDIR | 01777, .ops = NULL},
};

const struct file_ops *chrdev_find(uint32_t rdev)
{
    for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++)
        if (S_ISCHR(nodes[i].mode) && make_dev(nodes[i].major, nodes[i].minor) == rdev)
            return nodes[i].ops;
    return NULL;
}

static int add(struct inode *root, const char *name, uint32_t mode, uint32_t rdev,
               const char *target)
{
    struct inode *ip = tmpfs_add(root, name, mode, rdev, target);

    return is_err(ip) ? ptr_err(ip) : 0;
}

static int devfs_mount(struct superblock *sb, const char *options)
{
    int err = tmpfs_fill_super(sb, 0755);
    struct block_device *bd;

    (void)options;
    for (unsigned i = 0; i < ARRAY_SIZE(nodes) && !err; i++)
        err = add(sb->root->inode, nodes[i].name, nodes[i].mode,
                  make_dev(nodes[i].major, nodes[i].minor), nodes[i].target);
    for (unsigned i = 0; !err && (bd = block_at(i)); i++)
        err =
            add(sb->root->inode, bd->name, S_IFBLK | 0660, make_dev(BLOCK_MAJOR, bd->minor), NULL);
    return err;
}

static struct fs_type devfs = {.name = "devtmpfs", .mount = devfs_mount};

void devfs_init(void)
{
    tty_init();
    fs_register(&devfs);
}
