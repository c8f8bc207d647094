/* SPDX-License-Identifier: MIT */
/* Terminals: line discipline (termios), job control, window size. The console is tty 0. */
#pragma once

#include "lib/types.h"

struct tty;
struct file;
extern const struct file_ops tty_file_ops;    /* /dev/console, /dev/ttyS0 */
extern const struct file_ops current_tty_ops; /* /dev/tty: the caller's controlling terminal */
void tty_init(void);                          /* connects the console to the UART, registers */
/* For /proc: the device number (0: t is NULL) and the foreground group. No lock held. */
void tty_describe(struct tty *t, uint32_t *rdev, int *foreground);
