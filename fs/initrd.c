/* SPDX-License-Identifier: MIT */
/*
 * Unpacks a cpio archive of the "newc" kind (cpio(5): a 110-byte header of hexadecimal fields, the
 * name, the contents, each padded to 4 bytes) into a tmpfs. The archive is not trusted: every
 * length is checked against what is left of it. Hard links in it become separate files.
 */
#include "fs/initrd.h"

#include "fs/tmpfs.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"
#include "proc/boot.h"

#define HEADER_SIZE 110

enum field {
    INO,
    MODE,
    UID,
    GID,
    NLINK,
    MTIME,
    FILESIZE,
    DEVMAJOR,
    DEVMINOR,
    RDEVMAJOR,
    RDEVMINOR,
    NAMESIZE,
    CHECK,
    FIELDS
};

struct archive {
    const char *at, *end;
};

static bool parse_hex(const char *s, uint32_t *val)
{
    *val = 0;
    for (int i = 0; i < 8; i++) {
        unsigned char c = (unsigned char)s[i], lower = c | 0x20;

        if (c >= '0' && c <= '9')
            *val = *val << 4 | (c - '0');
        else if (lower >= 'a' && lower <= 'f')
            *val = *val << 4 | (lower - 'a' + 10U);
        else
            return false;
    }
    return true;
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

/* The directory that holds the path's last component, which *last is set to. Missing directories
 * are made. */
static struct inode *find_parent(struct inode *root, const char *path, const char **last)
{
    struct inode *dir = inode_ref(root), *next;
    char name[NAME_MAX + 1];
    const char *slash;

    while ((slash = strchr(path, '/'))) {
        size_t len = (size_t)(slash - path);
        int err;

        if (len > NAME_MAX || (len == 2 && !strncmp(path, "..", 2))) {
            inode_put(dir);
            return err_ptr(-EINVAL);
        }
        memcpy(name, path, len);
        name[len] = '\0';
        path = slash + 1;
        if (!len || !strcmp(name, "."))
            continue;
        err = dir->ops->lookup(dir, name, len, &next);
        if (err == -ENOENT) {
            next = tmpfs_add(dir, name, S_IFDIR | 0755, 0, NULL);
            err = is_err(next) ? ptr_err(next) : 0;
            if (!err)
                inode_ref(next);
        }
        inode_put(dir);
        if (err)
            return err_ptr(err);
        dir = next;
        if (!S_ISDIR(dir->mode)) {
            inode_put(dir);
            return err_ptr(-ENOTDIR);
        }
    }
    *last = path;
    return dir;
}

static int fill_file(struct inode *ip, const char *data, size_t len)
{
    struct uio u = uio_kernel(data, len);

    return mapping_write(&ip->mapping, &u, 0);
}

static int add_entry(struct inode *root, const char *path, const uint32_t *f, const char *data)
{
    const char *name = "";
    struct inode *dir = find_parent(root, path, &name), *ip;
    char target[256] = "";
    int err = 0;

    if (is_err(dir))
        return ptr_err(dir);
    if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strlen(name) > NAME_MAX)
        goto out; /* the root itself */
    if (S_ISLNK(f[MODE])) {
        err = f[FILESIZE] >= sizeof(target) ? -ENAMETOOLONG : 0;
        if (!err)
            memcpy(target, data, f[FILESIZE]);
    }
    ip = err ? err_ptr(err)
             : tmpfs_add(dir, name, f[MODE], make_dev(f[RDEVMAJOR], f[RDEVMINOR]),
                         S_ISLNK(f[MODE]) ? target : NULL);
    err = is_err(ip) ? ptr_err(ip) : 0;
    if (err == -EEXIST) /* a directory that was made on the way to its children */
        err = 0;
    else if (!err) {
        ip->uid = f[UID];
        ip->gid = f[GID];
        ip->mtime.sec = f[MTIME];
        if (S_ISREG(f[MODE]))
            err = fill_file(ip, data, f[FILESIZE]);
    }
out:
    inode_put(dir);
    return err;
}

/* 1: an entry was added; 0: the end; or an errno. */
static int unpack_one(struct archive *a, struct inode *root)
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
    err = add_entry(root, name, f, data);
    return err ? err : 1;
}

int initrd_unpack(struct inode *root)
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
        more = unpack_one(&a, root);
    while (more > 0);
    if (more)
        pr_err("initrd: entry at byte %zu of %zu: error %d\n",
               (size_t)(a.at - (char *)pa_to_va(base)), size, more);
    return more;
}
