// SPDX-License-Identifier: MIT
/*
 * The random number generator: the ChaCha20 block function against RFC 8439, and requests of all
 * lengths, which must be filled whole and never repeat.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/random.c"

struct thread *host_thread;
struct hart host_hart;
uint64_t host_time_ns;

static unsigned checks;

#define CHECK(c)                                           \
    do {                                                   \
        checks++;                                          \
        if (!(c)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #c); \
            exit(1);                                       \
        }                                                  \
    } while (0)

size_t arch_boot_seed(void *buf, size_t len)
{
    memset(buf, 0x5a, len);
    return len;
}

/* RFC 8439, section 2.3.2: its counter and first nonce word make our 64-bit counter; the two other
 * nonce words are 0 here, so the vector is section A.1's: test vectors 1 and 2. */
static void test_block(void)
{
    static const uint8_t first[16] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
                                      0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
    static const uint8_t second[16] = {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a,
                                       0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d};
    uint32_t zero[KEY_WORDS] = {0}, block[BLOCK_WORDS];

    chacha_block(block, zero, 0);
    CHECK(!memcmp(block, first, sizeof(first)));
    chacha_block(block, zero, 1);
    CHECK(!memcmp(block, second, sizeof(second)));
}

static void test_requests(void)
{
    uint8_t a[300], b[300], guard[300];

    for (size_t len = 0; len < sizeof(a) - 8; len++) {
        memset(a, 0xee, sizeof(a));
        memset(guard, 0xee, sizeof(guard));
        random_bytes(a, len);
        CHECK(!memcmp(a + len, guard, sizeof(a) - len));
        random_bytes(b, len);
        CHECK(len < 8 || memcmp(a, b, len));
        CHECK(len < 24 || memcmp(a + len - 8, guard, 8));
    }
}

static void test_bits(void)
{
    static uint8_t buf[100000];
    unsigned ones = 0;

    random_bytes(buf, sizeof(buf));
    for (size_t i = 0; i < sizeof(buf); i++)
        ones += __builtin_popcount(buf[i]);
    CHECK(ones > 398000 && ones < 402000);
}

static void test_seeding(void)
{
    uint32_t before[KEY_WORDS];

    memcpy(before, key, sizeof(key));
    random_add_entropy("x", 1);
    CHECK(memcmp(before, key, sizeof(key)));
}

int main(void)
{
    test_block();
    test_requests();
    test_bits();
    test_seeding();
    printf("random_test: %u checks passed\n", checks);
    return 0;
}
