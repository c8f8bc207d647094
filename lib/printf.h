/* SPDX-License-Identifier: MIT */
/*
 * Formatted output. Supports %d %i %u %x %o %c %s %p %%, the flags - and 0, width, precision, *, and
 * the length modifiers l ll z. As in C, returns the length the whole
 * text would have, and always NUL-terminates when size > 0.
 */
#pragma once

#include <stdarg.h>

#include "lib/types.h"

int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int snprintf(char *buf, size_t size, const char *fmt, ...) printf_like(3, 4);
