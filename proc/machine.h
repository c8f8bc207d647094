/* SPDX-License-Identifier: MIT */
/* Names of the machine, for uname and /proc. */
#pragma once

#include "lib/types.h"

extern const char kernel_release[];
void machine_hostname(char *buf, size_t size);
