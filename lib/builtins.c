/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls where the base instruction set (no Zbb) has no instruction. The names and
 * meanings are libgcc's ("Bit operations"); linking it would tie the kernel to one compiler.
 */
#include "lib/types.h"

int __ctzdi2(uint64_t x);

int __ctzdi2(uint64_t x)
{
    int n = 0;

    for (int width = 32; width; width /= 2) {
        if (!(x & ((1UL << width) - 1))) {
            x >>= width;
            n += width;
        }
    }
    return n;
}
