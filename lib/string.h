/* SPDX-License-Identifier: MIT */
/* The C library's memory and string functions that the kernel uses, with their usual meaning. */
#pragma once

#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);

/* Copies at most size-1 bytes and always ends with NUL; returns strlen(src). */
size_t strlcpy(char *dst, const char *src, size_t size);

/* Decimal, 0x hex or 0 octal; stops at the first character that is no digit, told in *end. */
uint64_t strtou64(const char *s, const char **end);

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}
