// SPDX-License-Identifier: MIT
/*
 * lib/string.c against the C library's functions: every alignment of source and destination, all
 * lengths around the word and block sizes, overlaps in both directions. The file is included under
 * other names, so that the sanitizer's own copies stay in place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define memcpy k_memcpy
#define memmove k_memmove
#define memset k_memset
#define memcmp k_memcmp
#define memchr k_memchr
#define strlen k_strlen
#define strnlen k_strnlen
#define strcmp k_strcmp
#define strncmp k_strncmp
#define strchr k_strchr
#define strrchr k_strrchr
#define strstr k_strstr
#define strlcpy k_strlcpy
#include "lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strlcpy

static unsigned checks;

#define CHECK(c)                                           \
    do {                                                   \
        checks++;                                          \
        if (!(c)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #c); \
            exit(1);                                       \
        }                                                  \
    } while (0)

enum { SPACE = 512 };
static unsigned char got[SPACE], want[SPACE], source[SPACE];

static void fill(void)
{
    for (int i = 0; i < SPACE; i++) {
        source[i] = rand();
        got[i] = want[i] = rand();
    }
}

static void test_copies(void)
{
    for (size_t d = 0; d < 16; d++)
        for (size_t s = 0; s < 16; s++)
            for (size_t n = 0; n < 200; n += n < 40 ? 1 : 7) {
                fill();
                CHECK(k_memcpy(got + d, source + s, n) == got + d);
                memcpy(want + d, source + s, n);
                CHECK(!memcmp(got, want, SPACE));
                CHECK(k_memmove(got + 100 + d, got + 100 + s, n) == got + 100 + d);
                memmove(want + 100 + d, want + 100 + s, n);
                CHECK(!memcmp(got, want, SPACE));
            }
}

static void test_far_overlaps(void)
{
    for (int distance = -100; distance <= 100; distance++) {
        fill();
        k_memmove(got + 130 + distance, got + 130, 250);
        memmove(want + 130 + distance, want + 130, 250);
        CHECK(!memcmp(got, want, SPACE));
    }
}

static void test_set(void)
{
    for (size_t d = 0; d < 16; d++)
        for (size_t n = 0; n < 300; n++) {
            fill();
            CHECK(k_memset(got + d, (int)n + 0x1f3, n) == got + d);
            memset(want + d, (int)n + 0x1f3, n);
            CHECK(!memcmp(got, want, SPACE));
        }
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void test_compare(void)
{
    for (int n = 0; n < 40; n++)
        for (int at = 0; at <= n; at++)
            for (int shift = 0; shift < 9; shift++) {
                fill();
                memcpy(got + shift, source, 64);
                got[shift + at] ^= 0x80;
                CHECK(sign(k_memcmp(got + shift, source, n)) ==
                      sign(memcmp(got + shift, source, n)));
            }
    CHECK(k_memcmp("a", "b", 0) == 0);
}

static void test_strings(void)
{
    char buf[8];

    CHECK(k_strlen("") == 0 && k_strlen("abc") == 3);
    CHECK(k_strnlen("abc", 2) == 2 && k_strnlen("abc", 9) == 3);
    CHECK(k_strcmp("a", "a") == 0 && k_strcmp("a", "b") < 0 && k_strcmp("ab", "a") > 0);
    CHECK(k_strcmp("\x80", "a") > 0);
    CHECK(k_strncmp("abc", "abd", 2) == 0 && k_strncmp("abc", "abd", 3) < 0);
    CHECK(k_strncmp("a", "a", 100) == 0);
    CHECK(!strcmp(k_strchr("a/b/c", '/'), "/b/c") && !k_strchr("abc", 'x'));
    CHECK(*k_strchr("abc", 0) == 0);
    CHECK(!strcmp(k_strrchr("a/b/c", '/'), "/c") && !k_strrchr("abc", '/'));
    CHECK(!strcmp(k_strstr("hello", "ll"), "llo") && !k_strstr("hello", "lx"));
    CHECK(!strcmp(k_strstr("x", ""), "x") && !k_strstr("", "x"));
    CHECK(k_memchr("abcb", 'b', 1) == NULL && k_memchr(source, source[9], 10) != NULL);
    CHECK(k_strlcpy(buf, "0123456789", sizeof(buf)) == 10 && !strcmp(buf, "0123456"));
    CHECK(k_strlcpy(buf, "ab", sizeof(buf)) == 2 && !strcmp(buf, "ab"));
    CHECK(k_strlcpy(NULL, "ab", 0) == 2);
}

static void test_numbers(void)
{
    const char *end;

    CHECK(strtou64("123x", &end) == 123 && *end == 'x');
    CHECK(strtou64("0x1fG", &end) == 0x1f && *end == 'G');
    CHECK(strtou64("0755", &end) == 0755 && *end == '\0');
    CHECK(strtou64("08", &end) == 0 && *end == '8');
    CHECK(strtou64("0xg", &end) == 0 && *end == 'x');
    CHECK(strtou64("", &end) == 0 && *end == '\0');
    CHECK(strtou64("18446744073709551615", NULL) == UINT64_MAX);
}

int main(void)
{
    srand(1);
    test_copies();
    test_far_overlaps();
    test_set();
    test_compare();
    test_strings();
    test_numbers();
    printf("string_test: %u checks passed\n", checks);
    return 0;
}
