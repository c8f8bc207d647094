/* SPDX-License-Identifier: MIT */
/*
 * What processes need of the layers above them. Declared here, implemented in fs/ (and drivers/):
 * proc/ never includes fs/, so the arrows between folders keep pointing one way.
 */
#pragma once

#include "lib/types.h"
#include "mm/vmfile.h"

struct files; /* descriptors, current directory, root directory, umask of a process */
struct file;
struct process;
struct tty;

struct files *files_create(void) must_check;              /* empty, at the root; NULL no memory */
struct files *files_clone(struct files *from) must_check; /* a copy, or err_ptr(-ENOMEM) */
struct files *files_share(struct files *f);               /* CLONE_FILES: one more user */
void files_put(struct files *f);                          /* the last closes all; may sleep */
void files_exec(struct files *f);                         /* closes the close-on-exec ones */

/* Opens an executable regular file for exec: err_ptr(-ENOENT, -EACCES, -ENOTDIR, ...). */
struct file *exec_open(const char *path) must_check;
/* uid/gid to switch to for set-id files; *uid, *gid unchanged otherwise. */
void exec_file_ids(struct file *f, uint32_t *uid, uint32_t *gid);
/* Reads into kernel memory: bytes, or -EIO. */
ssize_t file_read_kernel(struct file *f, void *buf, size_t len, off_t pos);
/* Opened for reading and so on, for mmap: flags O_ACCMODE. NULL: bad descriptor. Reference taken. */
struct file *fd_get(int fd);
/* Whether the file may be mapped so: 0 and the protections that mprotect may ask for later, or
 * -EACCES, -ENODEV, -EPERM (mounted noexec). */
int file_mmap_check(struct file *f, int prot, bool shared, uint8_t *max_prot);

/* The session leader is gone: hang up its terminal. */
void tty_session_exit(struct tty *tty, int sid);

void drivers_init(void);              /* probes all devices of the device tree */
void fs_init(void);                   /* caches, file system types, /dev, /proc, pipes, ... */
int fs_mount_root(const char *root);  /* "/dev/vda" or "initrd"; then /dev, /proc, /tmp on it */
int fs_open_console(struct files *f); /* descriptors 0, 1, 2 of init */
void fs_shutdown(void);               /* sync and unmount before power-off */

int rtc_read(uint64_t *ns_since_epoch);   /* 0 or -ENODEV */
void random_bytes(void *buf, size_t len); /* cryptographically strong, never fails; any context */
