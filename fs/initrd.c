/* SPDX-License-Identifier: MIT */
/*
 * Unpacks a cpio archive of the "newc" kind (cpio(5): a 110-byte header of hexadecimal fields, the
 * name, the contents, each padded to 4 bytes) into the root, a tmpfs. The archive is not trusted: every
 * length is checked against what is left of it. Hard links in it become separate files.
 */
#include "fs/initrd.h"

#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/page.h"
#include "proc/boot.h"

#include <linux/fcntl.h>

#define HEADER_SIZE 110

enum { MODE = 1, UID = 2, GID = 3, MTIME = 5, FILESIZE = 6 }; /* numbers of header fields */
enum { RDEVMAJOR = 9, RDEVMINOR = 10, NAMESIZE = 11, FIELDS = 13 };

struct archive {
    const char *at, *end;
};

static bool parse_hex(const char *s, uint32_t *val)
{
    char number[2 + 8 + 1] = "0x";
    const char *end;

    memcpy(number + 2, s, 8);
    *val = (uint32_t)strtou64(number, &end);
    return end == number + 2 + 8;
}

/* The next len bytes, padded to 4 with what came before them (skew). NULL: not that many left. */
static const char *take(struct archive *a, size_t len, size_t skew)
{
    const char *p = a->at;
    size_t padded = ALIGN_UP(len + skew, 4UL) - skew;

    if ((size_t)(a->end - a->at) < len)
        return NULL;
    a->at += MIN(padded, (size_t)(a->end - a->at));
    return p;
}

/* The directory of a path's last component, which *last is set to. Archives name directories before
 * what is in them. */
static struct dentry *find_parent(const char *path, const char **last)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    char *dir = kmalloc(len + 3, 0);
    struct dentry *d;

    if (!dir)
        return err_ptr(-ENOMEM);
    *last = slash ? slash + 1 : path;
    dir[0] = '/';
    memcpy(dir + 1, path, len);
    memcpy(dir + 1 + len, "/", 2); /* so it must be a directory */
    d = path_lookup(dir);
    kfree(dir);
    return d;
}

static int add_entry(const char *path, const uint32_t *f, const char *data)
{
    struct uio u = uio_kernel(data, f[FILESIZE]);
    const char *name;
    struct dentry *dir = find_parent(path, &name);
    char target[256] = "";
    struct inode *ip;
    int err = 0;

    if (is_err(dir))
        return ptr_err(dir);
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        goto out; /* the root itself */
    err = -ENAMETOOLONG;
    if (strlen(name) > NAME_MAX || (S_ISLNK(f[MODE]) && f[FILESIZE] >= sizeof(target)))
        goto out;
    if (S_ISLNK(f[MODE]))
        memcpy(target, data, f[FILESIZE]);
    ip = tmpfs_add(dir->inode, name, f[MODE], make_dev(f[RDEVMAJOR], f[RDEVMINOR]), target);
    err = is_err(ip) ? ptr_err(ip) : 0;
    if (!err) {
        ip->uid = f[UID];
        ip->gid = f[GID];
        ip->mtime.sec = f[MTIME];
        if (S_ISREG(f[MODE]))
            err = mapping_write(&ip->mapping, &u, 0);
    }
out:
    dentry_put(dir);
    return err;
}

/* 1: an entry was added; 0: the end; or an errno. */
static int unpack_one(struct archive *a)
{
    const char *head = take(a, HEADER_SIZE, 2), *name, *data;
    uint32_t f[FIELDS];
    int err;

    if (!head || memcmp(head, "07070", 5) != 0 || (head[5] != '1' && head[5] != '2'))
        return -EINVAL;
    for (int i = 0; i < FIELDS; i++)
        if (!parse_hex(head + 6 + 8 * i, &f[i]))
            return -EINVAL;
    name = take(a, f[NAMESIZE], HEADER_SIZE);
    if (!name || !f[NAMESIZE] || name[f[NAMESIZE] - 1])
        return -EINVAL;
    data = take(a, f[FILESIZE], 0);
    if (!data)
        return -EINVAL;
    if (!strcmp(name, "TRAILER!!!"))
        return 0;
    err = add_entry(name, f, data);
    return err ? err : 1;
}

int initrd_unpack(void)
{
    struct archive a;
    paddr_t base;
    size_t size;
    int more;

    if (!boot_initrd(&base, &size))
        return -ENOENT;
    a.at = pa_to_va(base);
    a.end = a.at + size;
    do
        more = unpack_one(&a);
    while (more > 0);
    if (more)
        pr_err("initrd: entry at byte %zu of %zu: error %d\n",
               (size_t)(a.at - (char *)pa_to_va(base)), size, more);
    return more;
}
