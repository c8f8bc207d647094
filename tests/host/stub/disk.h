/* SPDX-License-Identifier: MIT */
/* One disk with one mounted file system, and system calls on it as the file layer makes them. */
#pragma once

#include "tests/host/stub/kernel.h"

extern char image_path[128];
extern uint8_t *image;
extern size_t image_size;
extern struct block_device disk;
extern struct superblock sb;

void disk_test_init(void);
void make_image(const char *options, unsigned kib); /* mke2fs -q -F options */
int run_on_image(const char *command);              /* a tool with the image as last argument */
void check_image(const char *what);                 /* e2fsck has nothing to say */
void mount(bool read_only);
void unmount(void); /* and nothing has leaked */
struct inode *root(void);

/* err_ptr and negative errors throughout; inodes come back referenced. */
struct inode *sys_lookup(struct inode *dir, const char *name);
/* mode tells what is made; target only for symbolic links. */
int sys_make(struct inode *dir, const char *name, uint32_t mode, const char *target);
int sys_remove(struct inode *dir, const char *name, bool directory);
int sys_link(struct inode *dir, const char *name, struct inode *ip);
int sys_rename(struct inode *from, const char *name, struct inode *to, const char *name2);
int sys_open(struct inode *ip, int flags);
ssize_t sys_write(struct inode *ip, const void *data, size_t len, off_t pos);
ssize_t sys_read(struct inode *ip, void *data, size_t len, off_t pos);
/* Entries other than . and .. from *pos on, at most max; name gets the last one's. */
int sys_list(struct inode *dir, off_t *pos, unsigned max, char *name);
/* A shared mapping's page fault, and a store through it. */
int store_mapped(struct inode *ip, uint64_t pos, uint8_t value);
