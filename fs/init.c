/* SPDX-License-Identifier: MIT */
/* The file layer's beginning and end: set-up, the mounts every system has, init's console, and what
 * is left to do before power-off. */
#include "fs/dcache.h"
#include "fs/fdtable.h"
#include "fs/initrd.h"
#include "drivers/block.h"
#include "lib/log.h"
#include "lib/string.h"
#include "proc/boot.h"
#include "proc/files.h"

#include <linux/fcntl.h>
#include <linux/mount.h>

void fs_init(void)
{
    mutex_init(&mount_lock, MUTEX_MOUNT);
    dcache_init();
    inode_cache_init();
    pipe_init();
    tmpfs_init();
    ext2_init();
    devfs_init();
    procfs_init();
}

/* Not being there is no reason not to boot: a rescue image may lack the directory. */
static void mount_at(const char *path, const char *type, uint64_t flags)
{
    struct dentry *at = path_lookup(path);
    int err = is_err(at) ? ptr_err(at) : vfs_mount(type, at, type, flags, "");

    dentry_put(at);
    if (err)
        pr_warn("%s is not mounted on %s: error %d\n", type, path, err);
}

/* A root directory in memory, filled from the archive that the boot loader brought. */
static int mount_initrd(void)
{
    int err = vfs_mount("initrd", NULL, "tmpfs", 0, "mode=755");

    return err ? err : initrd_unpack();
}

int fs_mount_root(const char *root)
{
    uint64_t flags = boot_flag("ro") ? MS_RDONLY : 0;
    int err = strcmp(root, "initrd") ? vfs_mount(root, NULL, "ext2", flags, "") : mount_initrd();

    if (err)
        return err;
    mount_at("/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC);
    mount_at("/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
    mount_at("/tmp", "tmpfs", MS_NOSUID | MS_NODEV);
    flusher_start();
    return 0;
}

int fs_open_console(struct files *fs)
{
    struct file *f = vfs_open(AT_FDCWD, "/dev/console", O_RDWR | O_LARGEFILE, 0);

    if (is_err(f))
        return ptr_err(f);
    for (unsigned fd = 0; fd < 3; fd++)
        if (fs_install_at(fs, fd, file_get(f)))
            file_put(f);
    file_put(f);
    return 0;
}

void fs_shutdown(void)
{
    struct superblock *sb;

    vfs_sync_all(true);
    mutex_lock(&mount_lock);
    list_for_each (sb, &mounts, link) {
        /* Whoever still runs may go on writing to memory: the disk is closed now. */
        if (!sb->read_only && sb->ops->remount && !sb->ops->remount(sb, true))
            sb->read_only = true;
        if (sb->bdev)
            block_flush(sb->bdev);
    }
    mutex_unlock(&mount_lock);
}
