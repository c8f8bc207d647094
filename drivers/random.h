/* SPDX-License-Identifier: MIT */
/* Random numbers for everybody: getrandom, /dev/urandom, AT_RANDOM, hash seeds. */
#pragma once

#include "lib/types.h"

void random_bytes(void *buf, size_t len);             /* any context; never sleeps */
void random_add_entropy(const void *buf, size_t len); /* mixes in; any context */
