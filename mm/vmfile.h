/* SPDX-License-Identifier: MIT */
/* What memory mappings need of open files. Declared here, implemented by fs/file.c. */
#pragma once

#include "lib/types.h"

struct file;
struct mapping;

struct file *file_get(struct file *f); /* takes a reference, returns f; any context */
void file_put(struct file *f);         /* may sleep: the last one closes */
/* The page cache behind the file; NULL if it cannot be mapped. Lives as long as the file. */
struct mapping *file_mapping(struct file *f);
/* For /proc/<pid>/maps. */
void file_map_identity(struct file *f, unsigned *major, unsigned *minor, uint64_t *ino);
