/* SPDX-License-Identifier: MIT */
/*
 * A terminal, shared by its files: tty_line.c (what bytes mean: editing, echo, output processing),
 * tty_ioctl.c (attributes, sessions and foreground groups), and tty.c (open files, interrupts).
 *
 * Input positions run freely, modulo TTY_INPUT they are places in input[]:
 *
 *      tail          line_start          head
 *       | whole lines    | line being edited |      (canonical mode; else line_start is not used)
 */
#pragma once

#include <asm/termbits.h>
#include <asm/termios.h>

#include "lib/spinlock.h"
#include "lib/wait.h"

#define TTY_INPUT 4096U
#define TTY_LINE_END 0x100 /* in input[]: the byte ends a line. A NUL so marked is end of file */

struct tty {
    struct spinlock lock; /* RANK_DRIVER, irqsave: guards everything but the wait queues */
    struct termios2 termios;
    struct winsize winsize;
    int sid, pgid;     /* controlled session and its foreground group; 0: none. Changed with
                           * proctree_lock held as well */
    unsigned hangups;  /* counts; files opened before the last one are dead */
    bool stopped;      /* Ctrl-S */
    bool throttled;    /* input stays in the UART until the reader has made room */
    bool literal_next; /* Ctrl-V was typed */
    unsigned tail, line_start, head;
    unsigned column;      /* of the cursor */
    unsigned line_column; /* where the line being edited began */
    uint16_t input[TTY_INPUT];
    struct waitq read_wait, write_wait;
};

extern const struct file_ops tty_file_ops; /* /dev/console, ttyS0, tty */
void tty_init(void);                       /* connects the console to the UART */
void tty_update_throttle(struct tty *t);   /* lock held; after input was added or taken away */

/* tty_line.c: all with t->lock held. */
void tty_line_init(struct tty *t);
int tty_input(struct tty *t, uint8_t c); /* one byte typed; the signal it means, or 0 */
/* Output as far as it fits; bytes of s consumed. */
size_t tty_output(struct tty *t, const char *s, size_t len);
/* Takes up to len readable bytes. In canonical mode *line_done tells that a line ended. */
size_t tty_take(struct tty *t, char *buf, size_t len, bool *line_done);
size_t tty_readable(const struct tty *t); /* bytes; a lone end of file counts as one */
void tty_flush_input(struct tty *t);
void tty_set_termios(struct tty *t, const struct termios2 *new);

static inline bool tty_canonical(const struct tty *t)
{
    return READ_ONCE(t->termios.c_lflag) & ICANON;
}

/* tty_ioctl.c: no lock held. 0 or an errno. */
int tty_check_background(struct tty *t, int sig); /* SIGTTIN or SIGTTOU for background groups */
struct tty *tty_current(void);                    /* the caller's controlling terminal, or NULL */
int tty_acquire(struct tty *t, bool steal);       /* becomes that of the caller's session */
int tty_do_ioctl(struct tty *t, unsigned cmd, uint64_t arg);
