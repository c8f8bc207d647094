/* SPDX-License-Identifier: MIT */
/*
 * The line discipline: what typed bytes do to the line being edited, what is echoed, and what
 * happens to output. Called with t->lock held, from interrupt handlers as well: never sleeps. Echo
 * that finds the output ring full is lost.
 */
#include "drivers/block.h"
#include "fs/tty.h"
#include "lib/string.h"

#include <asm/signal.h>

enum { TAB = 8, DEL = 0x7f };

void tty_line_init(struct tty *t)
{
    static const uint8_t cc[] = {
        [VINTR] = 3,     [VQUIT] = 28,    [VERASE] = DEL, [VKILL] = 21,  [VEOF] = 4,
        [VTIME] = 0,     [VMIN] = 1,      [VSTART] = 17,  [VSTOP] = 19,  [VSUSP] = 26,
        [VREPRINT] = 18, [VDISCARD] = 15, [VWERASE] = 23, [VLNEXT] = 22,
    };

    t->termios.c_iflag = ICRNL | IXON | IUTF8;
    t->termios.c_oflag = OPOST | ONLCR;
    t->termios.c_cflag = B38400 | CS8 | CREAD | HUPCL | CLOCAL;
    t->termios.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
    memcpy(t->termios.c_cc, cc, sizeof(cc));
    t->termios.c_ispeed = t->termios.c_ospeed = 38400;
    t->winsize.ws_row = 24;
    t->winsize.ws_col = 80;
}

static bool lflag(const struct tty *t, tcflag_t flag)
{
    return t->termios.c_lflag & flag;
}

static bool iflag(const struct tty *t, tcflag_t flag)
{
    return t->termios.c_iflag & flag;
}

/* A control character that is set to NUL is switched off. */
static bool is_cc(const struct tty *t, uint8_t c, int which)
{
    return c && t->termios.c_cc[which] == c;
}

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == DEL;
}

static bool is_utf8_continuation(const struct tty *t, uint8_t c)
{
    return iflag(t, IUTF8) && (c & 0xc0) == 0x80;
}

/* ---- Output ---------------------------------------------------------------------------------- */

static unsigned column_after(const struct tty *t, unsigned column, uint8_t c)
{
    switch (c) {
    case '\r':
    case '\n': return 0;
    case '\b': return column ? column - 1 : 0;
    case '\t': return ALIGN_DOWN(column, (unsigned)TAB) + TAB;
    default: return is_control(c) || is_utf8_continuation(t, c) ? column : column + 1;
    }
}

/* The length of the prefix of s that goes out unchanged. */
static size_t plain_run(const struct tty *t, const char *s, size_t len)
{
    const char *newline;

    if (!(t->termios.c_oflag & OPOST) || !(t->termios.c_oflag & ONLCR))
        return len;
    newline = memchr(s, '\n', len);
    return newline ? (size_t)(newline - s) : len;
}

static size_t put_plain(struct tty *t, const char *s, size_t len)
{
    size_t n = uart_put(s, len);

    for (size_t i = 0; i < n; i++)
        t->column = column_after(t, t->column, s[i]);
    return n;
}

static size_t put(struct tty *t, const char *s, size_t len)
{
    size_t done = 0;

    while (done < len) {
        size_t run = plain_run(t, s + done, len - done);
        size_t n = run ? put_plain(t, s + done, run) : 0;

        done += n;
        if (n < run || done == len || !uart_reserve(2))
            break;
        put_plain(t, "\r\n", 2);
        done++;
    }
    return done;
}

size_t tty_output(struct tty *t, const char *s, size_t len)
{
    return t->stopped ? 0 : put(t, s, len);
}

static void echo_text(struct tty *t, const char *s, size_t len)
{
    if (lflag(t, ECHO) && uart_reserve(len))
        put(t, s, len);
}

static void echo(struct tty *t, uint8_t c)
{
    const char text[2] = {'^', (char)(c ^ 0x40)};

    if (is_control(c) && c != '\t' && c != '\n' && lflag(t, ECHOCTL))
        echo_text(t, text, 2);
    else
        echo_text(t, (const char *)&c, 1);
}

static void echo_erase(struct tty *t, unsigned columns)
{
    for (; columns; columns--)
        echo_text(t, "\b \b", 3);
}

/* ---- The line being edited ------------------------------------------------------------------- */

static uint16_t *place(struct tty *t, unsigned position)
{
    return &t->input[position % TTY_INPUT];
}

static uint8_t byte_at(struct tty *t, unsigned position)
{
    return (uint8_t)*place(t, position);
}

/* How many columns the echo of the line takes from its beginning up to `end`. */
static unsigned line_width(struct tty *t, unsigned end)
{
    unsigned column = t->line_column;

    for (unsigned i = t->line_start; i != end; i++) {
        uint8_t c = byte_at(t, i);

        if (is_control(c) && c != '\t')
            column += lflag(t, ECHOCTL) ? 2 : 0;
        else
            column = column_after(t, column, c);
    }
    return column - t->line_column;
}

static void erase_char(struct tty *t)
{
    unsigned before = line_width(t, t->head);

    while (t->head != t->line_start && is_utf8_continuation(t, byte_at(t, t->head - 1)))
        t->head--;
    if (t->head != t->line_start)
        t->head--;
    if (lflag(t, ECHOE))
        echo_erase(t, before - line_width(t, t->head));
    else
        echo(t, t->termios.c_cc[VERASE]);
}

static bool is_word_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
           c >= 0x80;
}

static void erase_word(struct tty *t)
{
    while (t->head != t->line_start && !is_word_char(byte_at(t, t->head - 1)))
        erase_char(t);
    while (t->head != t->line_start && is_word_char(byte_at(t, t->head - 1)))
        erase_char(t);
}

static void kill_line(struct tty *t)
{
    if (lflag(t, ECHOE) && lflag(t, ECHOKE)) {
        echo_erase(t, line_width(t, t->head));
    } else {
        echo(t, t->termios.c_cc[VKILL]);
        if (lflag(t, ECHOK))
            echo(t, '\n');
    }
    t->head = t->line_start;
}

static void reprint_line(struct tty *t)
{
    echo(t, t->termios.c_cc[VREPRINT]);
    echo(t, '\n');
    t->line_column = 0;
    for (unsigned i = t->line_start; i != t->head; i++)
        echo(t, byte_at(t, i));
}

static void insert(struct tty *t, uint8_t c)
{
    if (t->head - t->tail >=
        TTY_INPUT - 1) { /* the last place is for the byte that ends the line */
        if (iflag(t, IMAXBEL))
            (void)put(t, "\a", 1);
        return;
    }
    if (t->head == t->line_start)
        t->line_column = t->column;
    echo(t, c);
    *place(t, t->head++) = c;
}

/* c: what ends it, 0: the end of file, which is not echoed. */
static void end_line(struct tty *t, uint8_t c)
{
    if (t->head - t->tail >= TTY_INPUT)
        return;
    if (c)
        echo(t, c);
    if (c == '\n' && lflag(t, ECHONL) && !lflag(t, ECHO))
        put(t, "\n", 1);
    *place(t, t->head++) = c | TTY_LINE_END;
    t->line_start = t->head;
}

/* True if c was an editing command. */
static bool edit(struct tty *t, uint8_t c)
{
    bool extended = lflag(t, IEXTEN);

    if (is_cc(t, c, VERASE)) {
        if (t->head != t->line_start)
            erase_char(t);
    } else if (is_cc(t, c, VKILL)) {
        kill_line(t);
    } else if (extended && is_cc(t, c, VWERASE)) {
        erase_word(t);
    } else if (extended && is_cc(t, c, VREPRINT)) {
        reprint_line(t);
    } else {
        return false;
    }
    return true;
}

static bool ends_line(const struct tty *t, uint8_t c)
{
    return c == '\n' || is_cc(t, c, VEOL) || (lflag(t, IEXTEN) && is_cc(t, c, VEOL2));
}

static void canonical_input(struct tty *t, uint8_t c)
{
    if (edit(t, c))
        return;
    if (is_cc(t, c, VEOF))
        end_line(t, '\0');
    else if (ends_line(t, c))
        end_line(t, c);
    else
        insert(t, c);
}

/* ---- Every byte typed ------------------------------------------------------------------------ */

static int signal_of(const struct tty *t, uint8_t c)
{
    if (!lflag(t, ISIG))
        return 0;
    if (is_cc(t, c, VINTR))
        return SIGINT;
    if (is_cc(t, c, VQUIT))
        return SIGQUIT;
    return is_cc(t, c, VSUSP) ? SIGTSTP : 0;
}

static bool flow_control(struct tty *t, uint8_t c)
{
    if (!iflag(t, IXON) || (!is_cc(t, c, VSTART) && !is_cc(t, c, VSTOP)))
        return false;
    t->stopped = is_cc(t, c, VSTOP);
    return true;
}

int tty_input(struct tty *t, uint8_t c)
{
    int sig;

    if (iflag(t, ISTRIP))
        c &= 0x7f;
    if (t->literal_next) {
        t->literal_next = false;
        insert(t, c);
        return 0;
    }
    if (c == '\r' && iflag(t, IGNCR))
        return 0;
    if (c == '\r' && iflag(t, ICRNL))
        c = '\n';
    else if (c == '\n' && iflag(t, INLCR))
        c = '\r';
    if (flow_control(t, c))
        return 0;
    sig = signal_of(t, c);
    if (sig) {
        if (!lflag(t, NOFLSH))
            tty_flush_input(t);
        t->stopped = false;
        echo(t, c);
        return sig;
    }
    if (lflag(t, ICANON) && lflag(t, IEXTEN) && is_cc(t, c, VLNEXT)) {
        t->literal_next = true;
        echo_text(t, "^\b", 2);
    } else if (lflag(t, ICANON)) {
        canonical_input(t, c);
    } else {
        insert(t, c);
    }
    return 0;
}

/* ---- Reading --------------------------------------------------------------------------------- */

size_t tty_readable(const struct tty *t)
{
    unsigned end = tty_canonical(t) ? READ_ONCE(t->line_start) : READ_ONCE(t->head);

    return end - READ_ONCE(t->tail);
}

static size_t take_line(struct tty *t, char *buf, size_t len, bool *line_done)
{
    size_t n = 0;

    while (n < len && t->tail != t->line_start && !*line_done) {
        uint16_t c = *place(t, t->tail++);

        *line_done = c & TTY_LINE_END;
        if (c != TTY_LINE_END)
            buf[n++] = (char)c;
    }
    /* An end of file right behind a full buffer would read as a second, empty line. */
    if (!*line_done && t->tail != t->line_start && *place(t, t->tail) == TTY_LINE_END) {
        t->tail++;
        *line_done = true;
    }
    return n;
}

size_t tty_take(struct tty *t, char *buf, size_t len, bool *line_done)
{
    size_t n;

    *line_done = false;
    if (tty_canonical(t))
        return take_line(t, buf, len, line_done);
    for (n = 0; n < len && t->tail != t->head; n++)
        buf[n] = (char)byte_at(t, t->tail++);
    return n;
}

void tty_flush_input(struct tty *t)
{
    t->tail = t->line_start = t->head;
    t->literal_next = false;
}

/* What is there when canonical mode begins counts as one line; what is there when it ends is read
 * as it stands. */
void tty_set_termios(struct tty *t, const struct termios2 *new)
{
    bool line_begins = new->c_lflag & ~t->termios.c_lflag &ICANON;

    t->termios = *new;
    if (!iflag(t, IXON))
        t->stopped = false;
    if (!line_begins)
        return;
    for (unsigned i = t->tail; i != t->head; i++)
        *place(t, i) = byte_at(t, i);
    t->line_start = t->head;
    if (t->head != t->tail)
        *place(t, t->head - 1) |= TTY_LINE_END;
}
