// SPDX-License-Identifier: MIT
/*
 * lib/printf.c against the C library's snprintf, over the product of flags, widths, precisions,
 * conversions and values that the kernel's promises.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define vsnprintf k_vsnprintf
#define snprintf k_snprintf
#include "lib/printf.c"
#undef vsnprintf
#undef snprintf

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-truncation"

static unsigned checks;

static void expect(const char *fmt, const char *got, int got_len, const char *want, int want_len)
{
    checks++;
    if (got_len == want_len && !strcmp(got, want))
        return;
    printf("printf_test: \"%s\": got \"%s\" (%d), want \"%s\" (%d)\n", fmt, got, got_len, want,
           want_len);
    exit(1);
}

#define COMPARE(fmt, ...)                                                 \
    do {                                                                  \
        char got_[128], want_[128];                                       \
        int got_len_ = k_snprintf(got_, sizeof(got_), fmt, __VA_ARGS__);  \
        int want_len_ = snprintf(want_, sizeof(want_), fmt, __VA_ARGS__); \
        expect(fmt, got_, got_len_, want_, want_len_);                    \
    } while (0)

static const uint64_t values[] = {
    0,
    1,
    9,
    10,
    127,
    128,
    255,
    256,
    65535,
    2147483647,
    2147483648,
    4294967295,
    0x123456789abcdef,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffff,
};

static void compare_number(const char *fmt, const char *length, uint64_t v)
{
    if (!*length)
        COMPARE(fmt, (int)v);
    else
        COMPARE(fmt, v);
}

static void test_numbers(void)
{
    static const char *const flags[] = {"", "-", "0", "-0"};
    static const char *const widths[] = {"", "1", "8", "25"};
    static const char *const precisions[] = {"", ".", ".0", ".1", ".12"};
    static const char *const lengths[] = {"", "l", "ll", "z"};

    for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
        for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
            for (size_t p = 0; p < ARRAY_SIZE(precisions); p++)
                for (size_t l = 0; l < ARRAY_SIZE(lengths); l++)
                    for (const char *c = "diuxo"; *c; c++)
                        for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
                            char fmt[40];

                            snprintf(fmt, sizeof(fmt), "<%%%s%s%s%s%c>", flags[f], widths[w],
                                     precisions[p], lengths[l], *c);
                            compare_number(fmt, lengths[l], values[v]);
                        }
}

static void test_others(void)
{
    COMPARE("%s|%10s|%-10s|%.2s|%10.1s|%.0s", "abc", "abc", "abc", "abc", "abc", "abc");
    COMPARE("%c|%3c|%-3c|%%|%5d%%", 'x', 'y', 'z', 42);
    COMPARE("%*d|%-*d|%.*d|%*s|%.*s", 5, 1, 5, 2, 3, 4, 6, "ab", 1, "xyz");
    COMPARE("%*d|%.*d", -5, 1, -3, 7);
    COMPARE("%p %20p", (void *)0x80200000, (void *)0x1234);
    COMPARE("%p", (void *)&checks);
    COMPARE("%.3s", "no\0more"); /* an unterminated text with a precision is read no further */
}

static void test_sizes(void)
{
    char got[8], want[8];
    char *volatile none = NULL;

    for (size_t size = 1; size <= sizeof(got); size++) {
        int a = k_snprintf(got, size, "%s-%d", "abc", 123456);
        int b = snprintf(want, size, "%s-%d", "abc", 123456);

        expect("cut", got, a, want, b);
    }
    expect("size 0", "", k_snprintf(NULL, 0, "%d", 12345), "", 5);
    expect("null", got, k_snprintf(got, sizeof(got), "%s", none), "(null)", 6);
}

static void test_unterminated_string(void)
{
    char *text = malloc(3);
    char got[8];

    memcpy(text, "abc", 3);
    expect("exact", got, k_snprintf(got, sizeof(got), "%.3s", text), "abc", 3);
    free(text);
}

static void test_unknown(void)
{
    char got[16];
    const char *odd = "a%qb", *cut = "a%", *cut2 = "a%-5l";

    expect(odd, got, k_snprintf(got, sizeof(got), odd), "a%qb", 4);
    expect(cut, got, k_snprintf(got, sizeof(got), cut), "a%", 2);
    expect(cut2, got, k_snprintf(got, sizeof(got), cut2), "a%-5l", 5);
}

int main(void)
{
    test_numbers();
    test_others();
    test_sizes();
    test_unterminated_string();
    test_unknown();
    printf("printf_test: %u checks passed\n", checks);
    return 0;
}
