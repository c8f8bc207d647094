/* SPDX-License-Identifier: MIT */
/*
 * The random number generator: ChaCha20 (RFC 8439, section 2.3) in fast-key-erasure form. Each
 * request replaces the key by output that is never given away, so that who learns the key later
 * cannot compute earlier output. Seeds: the firmware's (device tree "rng-seed"), virtio-rng, and
 * the clock, which costs nothing and cannot hurt.
 *
 * One block makes the next key and a key for the request; that one is the output, or makes it.
 *
 * Lock: RANK_LEAF, irqsave; long requests run on a key of their own, outside it.
 */
#include "drivers/random.h"

#include "arch/arch.h"
#include "lib/spinlock.h"
#include "lib/string.h"

enum { KEY_WORDS = 8, BLOCK_WORDS = 16 };

static struct spinlock lock = SPINLOCK_INIT(RANK_LEAF, "random");
static uint32_t key[KEY_WORDS];
static bool seeded;

static uint32_t rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static void quarter_round(uint32_t *x, unsigned ia, unsigned ib, unsigned ic, unsigned id)
{
    uint32_t a = x[ia], b = x[ib], c = x[ic], d = x[id]; /* in registers: every exec comes by */

    a += b, d = rotate(d ^ a, 16);
    c += d, b = rotate(b ^ c, 12);
    a += b, d = rotate(d ^ a, 8);
    c += d, b = rotate(b ^ c, 7);
    x[ia] = a, x[ib] = b, x[ic] = c, x[id] = d;
}

static void chacha_block(uint32_t out[BLOCK_WORDS], const uint32_t k[KEY_WORDS], uint64_t counter)
{
    uint32_t in[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    memcpy(in + 4, k, KEY_WORDS * 4);
    memcpy(in + 12, &counter, 8);
    memcpy(out, in, sizeof(in));
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned j = 0; j < 4; j++)
            quarter_round(out, j, 4 + j, 8 + j, 12 + j);
        for (unsigned j = 0; j < 4; j++)
            quarter_round(out, j, 4 + (j + 1) % 4, 8 + (j + 2) % 4, 12 + (j + 3) % 4);
    }
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        out[i] += in[i];
}

/* Lock held. Mixes in and scrambles. */
static void mix_locked(const uint8_t *buf, size_t len)
{
    uint32_t block[BLOCK_WORDS];

    do {
        size_t n = MIN(len, sizeof(key));

        for (size_t i = 0; i < n; i++)
            ((uint8_t *)key)[i] ^= *buf++;
        chacha_block(block, key, arch_time_ns());
        memcpy(key, block, sizeof(key));
        len -= n;
    } while (len);
}

static void seed_locked(void)
{
    uint8_t seed[64];
    size_t len = arch_boot_seed(seed, sizeof(seed));

    seeded = true;
    mix_locked(seed, len);
    memset(seed, 0, sizeof(seed));
}

void random_add_entropy(const void *buf, size_t len)
{
    irqflags_t flags = spin_lock_irqsave(&lock);

    if (!seeded)
        seed_locked();
    mix_locked(buf, len);
    spin_unlock_irqrestore(&lock, flags);
}

void random_bytes(void *buf, size_t len)
{
    uint32_t block[BLOCK_WORDS], own[KEY_WORDS];
    irqflags_t flags = spin_lock_irqsave(&lock);

    if (!seeded)
        seed_locked();
    chacha_block(block, key, 0);
    memcpy(key, block, sizeof(key));
    spin_unlock_irqrestore(&lock, flags);

    memcpy(own, block + KEY_WORDS, sizeof(own));
    if (len <= sizeof(own)) {
        memcpy(buf, own, len);
        len = 0;
    }
    for (uint64_t counter = 0; len; counter++) {
        size_t n = MIN(len, sizeof(block));

        chacha_block(block, own, counter);
        memcpy(buf, block, n);
        buf = (uint8_t *)buf + n;
        len -= n;
    }
    memset(block, 0, sizeof(block));
    memset(own, 0, sizeof(own));
}
