/* SPDX-License-Identifier: MIT */
/*
 * Memory and string functions. Copies work in 64-bit words where source and destination are aligned
 * alike, in blocks of eight where there is much to do: copies and clears of pages dominate fork and
 * page faults.
 *
 * Nothing here may be turned into a call of the function it stands in: the loop idioms that
 * gcc replaces by memcpy, memset and strlen calls are off in this file.
 */
#include "lib/string.h"

#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef uint64_t __attribute__((may_alias)) word_t;

#define WORD sizeof(word_t)
#define BLOCK (8 * WORD)

static inline size_t misalignment(const void *p)
{
    return (uintptr_t)p % WORD;
}

static inline void copy_block(word_t *d, const word_t *s)
{
    word_t a = s[0], b = s[1], c = s[2], e = s[3];
    word_t f = s[4], g = s[5], h = s[6], i = s[7];

    d[0] = a, d[1] = b, d[2] = c, d[3] = e;
    d[4] = f, d[5] = g, d[6] = h, d[7] = i;
}

/* From low to high addresses: right for overlaps with d below s, too. */
static inline void copy_forward(uint8_t *d, const uint8_t *s, size_t n)
{
    if (misalignment(d) == misalignment(s)) {
        for (; n && misalignment(d); n--)
            *d++ = *s++;
        for (; n >= BLOCK; n -= BLOCK, d += BLOCK, s += BLOCK)
            copy_block((word_t *)d, (const word_t *)s);
        for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
            *(word_t *)d = *(const word_t *)s;
    }
    for (; n; n--)
        *d++ = *s++;
}

static void copy_backward(uint8_t *d, const uint8_t *s, size_t n)
{
    d += n, s += n;
    if (misalignment(d) == misalignment(s)) {
        for (; n && misalignment(d); n--)
            *--d = *--s;
        for (; n >= WORD; n -= WORD) {
            d -= WORD, s -= WORD;
            *(word_t *)d = *(const word_t *)s;
        }
    }
    for (; n; n--)
        *--d = *--s;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    copy_forward(dst, src, n);
    return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        copy_forward(dst, src, n);
    else
        copy_backward(dst, src, n);
    return dst;
}

void *memset(void *dst, int c, size_t n)
{
    uint8_t *d = dst;
    word_t w = 0x0101010101010101UL * (uint8_t)c;

    if (n >= 2 * WORD) {
        for (; misalignment(d); n--)
            *d++ = c;
        for (; n >= BLOCK; n -= BLOCK, d += BLOCK) {
            word_t *to = (word_t *)d;

            to[0] = w, to[1] = w, to[2] = w, to[3] = w;
            to[4] = w, to[5] = w, to[6] = w, to[7] = w;
        }
        for (; n >= WORD; n -= WORD, d += WORD)
            *(word_t *)d = w;
    }
    for (; n; n--)
        *d++ = c;
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;

    if (!misalignment(p) && !misalignment(q))
        for (; n >= WORD && *(const word_t *)p == *(const word_t *)q; n -= WORD)
            p += WORD, q += WORD;
    for (; n; n--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    for (const uint8_t *p = s; n; n--, p++)
        if (*p == (uint8_t)c)
            return (void *)p;
    return NULL;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n])
        n++;
    return n;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *found = NULL;

    for (;; s++) {
        if (*s == (char)c)
            found = s;
        if (!*s)
            return (char *)found;
    }
}

char *strstr(const char *hay, const char *needle)
{
    size_t len = strlen(needle);

    for (; strncmp(hay, needle, len); hay++)
        if (!*hay)
            return NULL;
    return (char *)hay;
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
    size_t len = strlen(src);

    if (size) {
        size_t n = MIN(len, size - 1);

        copy_forward((uint8_t *)dst, (const uint8_t *)src, n);
        dst[n] = '\0';
    }
    return len;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

uint64_t strtou64(const char *s, const char **end)
{
    int base = 10;
    uint64_t val = 0;

    if (s[0] == '0' && (s[1] | 0x20) == 'x' && digit_value(s[2]) < 16)
        base = 16, s += 2;
    else if (s[0] == '0')
        base = 8;
    for (; digit_value(*s) < base; s++)
        val = val * base + digit_value(*s);
    if (end)
        *end = s;
    return val;
}
