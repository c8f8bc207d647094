// SPDX-License-Identifier: MIT
// with: fs/tty_line.c
/*
 * The line discipline: what typing does to the line, what is echoed, what a read gets. The UART is
 * a buffer here; ^H stands for a backspace in what is expected.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/block.h"
#include "fs/tty.h"

static unsigned checks;
static char out[8192];
static size_t out_len, out_room = sizeof(out);

size_t uart_put(const char *s, size_t len)
{
    size_t n = MIN(len, out_room - out_len);

    memcpy(out + out_len, s, n);
    out_len += n;
    return n;
}

bool uart_reserve(size_t len)
{
    return out_room - out_len >= len;
}

#define CHECK(c)                                                                               \
    do {                                                                                       \
        checks++;                                                                              \
        if (!(c)) {                                                                            \
            printf("%s:%d: %s; output \"%.*s\"\n", __FILE__, __LINE__, #c, (int)out_len, out); \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)

static struct tty tty, *t = &tty;

static void reset(void)
{
    memset(t, 0, sizeof(*t));
    tty_line_init(t);
    out_len = 0;
    out_room = sizeof(out);
}

static int type(const char *s)
{
    int sig = 0;

    for (; *s; s++) {
        int now = tty_input(t, *s);

        sig = now ? now : sig;
    }
    return sig;
}

static bool echoed(const char *want)
{
    bool same = out_len == strlen(want) && !memcmp(out, want, out_len);

    if (same)
        out_len = 0;
    return same;
}

static bool reads(const char *want, size_t len, bool want_done)
{
    char buf[8192];
    bool done;
    size_t n = tty_take(t, buf, len, &done);

    return n == strlen(want) && !memcmp(buf, want, n) && done == want_done;
}

static void test_lines(void)
{
    reset();
    type("ab");
    CHECK(tty_readable(t) == 0 && reads("", 10, false));
    type("c\rde\n");
    CHECK(echoed("abc\r\nde\r\n"));
    CHECK(tty_readable(t) == 7);
    CHECK(reads("ab", 2, false) && reads("c\n", 100, true));
    CHECK(reads("de\n", 3, true) && tty_readable(t) == 0);
}

static void test_end_of_file(void)
{
    reset();
    type("\x04");
    CHECK(tty_readable(t) == 1 && reads("", 10, true) && tty_readable(t) == 0);
    type("abc\x04");
    CHECK(echoed("abc") && reads("abc", 10, true) && tty_readable(t) == 0);
    type("abc\x04");
    CHECK(reads("abc", 3, true) && tty_readable(t) == 0);
    type("abc\x04");
    CHECK(reads("ab", 2, false) && reads("c", 2, true));
}

static void test_erase(void)
{
    reset();
    type("ax\x7f"
         "b\x7f\x7f\x7f\x7f"
         "c\n");
    CHECK(echoed("ax\b \bb\b \b\b \bc\r\n") && reads("c\n", 10, true));
    type("\x01\x7fz\n");
    CHECK(echoed("^A\b \b\b \bz\r\n") && reads("z\n", 10, true));
    type("\xc3\xa4\x7fy\n");
    CHECK(echoed("\xc3\xa4\b \by\r\n") && reads("y\n", 10, true));
    type("one two  \x17three\n");
    CHECK(reads("one three\n", 20, true));
    out_len = 0;
    type("abc\x15q\n");
    CHECK(echoed("abc\b \b\b \b\b \bq\r\n") && reads("q\n", 10, true));
    type("a\t\x7fz\n");
    CHECK(echoed("a\t\b \b\b \b\b \b\b \b\b \b\b \b\b \bz\r\n") && reads("az\n", 10, true));
}

static void test_prompt_column(void)
{
    reset();
    tty_output(t, "# ", 2);
    out_len = 0;
    type("\t\x7fz\n");
    CHECK(echoed("\t\b \b\b \b\b \b\b \b\b \b\b \bz\r\n"));
}

static void test_literal(void)
{
    reset();
    type("\x16\x03\n");
    CHECK(echoed("^\b^C\r\n") && reads("\x03\n", 10, true));
    CHECK(type("\x16\x04x\n") == 0 && reads("\x04x\n", 10, true));
}

static void test_signals(void)
{
    reset();
    CHECK(type("abc\x03") == 2 && echoed("abc^C"));
    type("\n");
    CHECK(reads("\n", 10, true));
    CHECK(type("\x1c") == 3 && type("\x1a") == 20);
    t->termios.c_lflag |= NOFLSH;
    CHECK(type("ab\x03") == 2);
    type("c\n");
    CHECK(reads("abc\n", 10, true));
    t->termios.c_lflag &= ~ISIG;
    CHECK(type("\x03\n") == 0 && reads("\x03\n", 10, true));
}

static void test_flow_control(void)
{
    reset();
    type("\x13");
    CHECK(t->stopped && tty_output(t, "x", 1) == 0 && out_len == 0);
    type("\x11");
    CHECK(!t->stopped && tty_output(t, "x", 1) == 1);
    t->termios.c_iflag &= ~IXON;
    type("\x13\n");
    CHECK(!t->stopped && reads("\x13\n", 10, true));
}

static void test_mapping(void)
{
    reset();
    t->termios.c_iflag = IGNCR;
    type("a\rb\n");
    CHECK(reads("ab\n", 10, true));
    t->termios.c_iflag = INLCR;
    t->termios.c_lflag &= ~ICANON;
    type("a\n");
    CHECK(reads("a\r", 10, false));
}

static void set_canonical(bool on)
{
    struct termios2 new = t->termios;

    new.c_lflag = on ? new.c_lflag | ICANON : new.c_lflag & ~ICANON;
    tty_set_termios(t, &new);
}

static void test_mode_changes(void)
{
    reset();
    type("ab\ncd");
    set_canonical(false);
    CHECK(tty_readable(t) == 5 && reads("ab\nc", 4, false) && reads("d", 4, false));
    type("xy");
    set_canonical(true);
    CHECK(tty_readable(t) == 2 && reads("xy", 10, true));
    set_canonical(false);
    type("\x04\x7f");
    CHECK(reads("\x04\x7f", 10, false));
}

static void test_output(void)
{
    reset();
    CHECK(tty_output(t, "a\nb\n", 4) == 4 && echoed("a\r\nb\r\n"));
    t->termios.c_oflag &= ~OPOST;
    CHECK(tty_output(t, "a\nb", 3) == 3 && echoed("a\nb"));
    t->termios.c_oflag |= OPOST;
    out_room = 4;
    CHECK(tty_output(t, "abc\nd", 5) == 3 && echoed("abc"));
    CHECK(tty_output(t, "\nd", 2) == 2 && echoed("\r\nd"));
    CHECK(tty_output(t, "abcdef", 6) == 4 && echoed("abcd"));
}

static void test_overflow(void)
{
    reset();
    for (unsigned i = 0; i < 2 * TTY_INPUT; i++)
        tty_input(t, 'x');
    CHECK(tty_readable(t) == 0);
    type("\n");
    CHECK(tty_readable(t) == TTY_INPUT);
    type("lost\n");
    CHECK(tty_readable(t) == TTY_INPUT);
    for (unsigned i = 0; i < TTY_INPUT / 64; i++) {
        char buf[64];
        bool done;

        CHECK(tty_take(t, buf, 64, &done) == 64 && done == (i == TTY_INPUT / 64 - 1));
    }
    CHECK(tty_readable(t) == 0);
    out_len = 0;
    type("ok\n");
    CHECK(echoed("ok\r\n") && reads("ok\n", 10, true));
}

static void test_random(void)
{
    char buf[64];
    bool done;

    srand(1);
    reset();
    for (int i = 0; i < 1000000; i++) {
        if (rand() % 4) {
            tty_input(t, rand() % 8 ? rand() % 128 : rand());
        } else if (rand() % 64) {
            tty_take(t, buf, rand() % (int)sizeof(buf), &done);
        } else {
            set_canonical(rand() % 2);
            t->termios.c_lflag ^= rand() % 2 ? ECHO : ECHOE;
            t->termios.c_iflag ^= rand() % 2 ? IUTF8 : IXON;
        }
        CHECK(t->head - t->tail <= TTY_INPUT);
        CHECK(!tty_canonical(t) || t->line_start - t->tail <= t->head - t->tail);
        out_len = 0;
    }
}

int main(void)
{
    test_lines();
    test_end_of_file();
    test_erase();
    test_prompt_column();
    test_literal();
    test_signals();
    test_flow_control();
    test_mapping();
    test_mode_changes();
    test_output();
    test_overflow();
    test_random();
    printf("tty_test: %u checks passed\n", checks);
    return 0;
}
