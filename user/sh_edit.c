/* SPDX-License-Identifier: MIT */
/*
 * Line editing with history, on a terminal that understands VT100's cursor keys.
 *
 * The line stays on one row: one that is too long is shown through a window that follows the
 * cursor. Bytes are read one at a time and the terminal is raw only while a line is edited, so
 * what was typed ahead stays in the terminal for the programs it may be meant for.
 *
 * Invariants: cursor is at a character's first byte (UTF-8); the screen shows the line as of the
 * last call of redraw() or insert(). The line lies in sh.scratch, which edit_line's caller releases.
 */
#include "user/sh.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum key { KEY_DELETE = 256, KEY_WORD_LEFT, KEY_WORD_RIGHT, KEY_NONE, KEY_EOF };

struct editor {
    const char *prompt; /* its last line: what a redraw shows */
    struct buf line;
    size_t cursor;
    size_t first; /* first byte shown */
    size_t width; /* columns beside the prompt */
    int entry;    /* history line being shown; == history_len: the new one */
    char *draft;  /* the new line, while an old one is shown */
};

static char **history;
static int history_len;
static char *killed; /* what ^K, ^U, ^W took last, for ^Y */

/* Text */

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t columns_of(const char *s, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += !continues(s[i]);
    return n;
}

static size_t before(const struct editor *e, size_t at)
{
    while (at > 0 && continues(e->line.p[--at]))
        ;
    return at;
}

static size_t after(const struct editor *e, size_t at)
{
    at += at < e->line.len;
    while (at < e->line.len && continues(e->line.p[at]))
        at++;
    return at;
}

static size_t word_before(const struct editor *e, size_t at)
{
    while (at > 0 && e->line.p[at - 1] == ' ')
        at--;
    while (at > 0 && e->line.p[at - 1] != ' ')
        at--;
    return at;
}

static size_t word_after(const struct editor *e, size_t at)
{
    while (at < e->line.len && e->line.p[at] == ' ')
        at++;
    while (at < e->line.len && e->line.p[at] != ' ')
        at++;
    return at;
}

/* Screen */

static void show(const char *s)
{
    write_all(STDERR_FILENO, s, strlen(s));
}

static void redraw(struct editor *e)
{
    const char *text = buf_str(&e->line);
    char left[24] = "";
    size_t end;

    if (e->cursor < e->first)
        e->first = e->cursor;
    while (columns_of(text + e->first, e->cursor - e->first) > e->width)
        e->first = after(e, e->first);
    end = e->first;
    for (size_t n = 0; n < e->width && end < e->line.len; n++)
        end = after(e, end);
    size_t back = columns_of(text + e->cursor, end > e->cursor ? end - e->cursor : 0);
    if (back)
        snprintf(left, sizeof(left), "\033[%zuD", back);
    char *out =
        xasprintf("\r%s%.*s\033[K%s", e->prompt, (int)(end - e->first), text + e->first, left);
    show(out);
    free(out);
}

/* Changes */

static void insert(struct editor *e, const char *text, size_t len)
{
    bool at_end = e->cursor == e->line.len;

    buf_add(&e->line, text, len);
    memmove(e->line.p + e->cursor + len, e->line.p + e->cursor, e->line.len - len - e->cursor);
    memcpy(e->line.p + e->cursor, text, len);
    e->cursor += len;
    /* The common case costs one byte on a slow line. */
    if (at_end && columns_of(e->line.p + e->first, e->line.len - e->first) < e->width)
        write_all(STDERR_FILENO, text, len);
    else
        redraw(e);
}

static void erase(struct editor *e, size_t from, size_t to)
{
    memmove(e->line.p + from, e->line.p + to, e->line.len - to);
    e->line.len -= to - from;
    e->cursor = from;
    redraw(e);
}

static void kill_text(struct editor *e, size_t from, size_t to)
{
    if (from == to)
        return;
    free(killed);
    killed = xasprintf("%.*s", (int)(to - from), e->line.p + from);
    erase(e, from, to);
}

static void move(struct editor *e, size_t to)
{
    if (to == e->cursor)
        return;
    e->cursor = to;
    redraw(e);
}

/* History */

static void browse(struct editor *e, int step)
{
    int entry = e->entry + step;

    if (entry < 0 || entry > history_len)
        return;
    if (e->entry == history_len)
        e->draft = scratch_copy(buf_str(&e->line));
    e->entry = entry;
    const char *text = entry == history_len ? e->draft : history[entry];
    erase(e, 0, e->line.len);
    insert(e, text, strlen(text));
}

static void remember(const char *line)
{
    if (!line[strspn(line, " ")] || (history_len && strcmp(history[history_len - 1], line) == 0))
        return;
    history = grow(history, (size_t)history_len, sizeof(history[0]));
    history[history_len++] = xstrdup(line);
}

/* Completion: the word at the cursor as a path. */

static glob_t find_matches(const char *word)
{
    struct buf pattern = {.a = sh.scratch};
    glob_t found = {0};

    for (; *word; word++) {
        if (strchr("*?[\\", *word))
            buf_char(&pattern, '\\');
        buf_char(&pattern, *word);
    }
    buf_char(&pattern, '*');
    glob(buf_str(&pattern), GLOB_MARK, NULL, &found);
    return found;
}

static void complete(struct editor *e)
{
    size_t start = e->cursor, common;

    while (start > 0 && !strchr(" \t|&;<>()=\"'`", e->line.p[start - 1]))
        start--;
    size_t len = e->cursor - start;
    glob_t found = find_matches(arena_strndup(sh.scratch, e->line.p + start, len));
    if (found.gl_pathc == 0)
        return;
    /* What all of them begin with. */
    const char *first = found.gl_pathv[0];
    common = strlen(first);
    for (size_t i = 1; i < found.gl_pathc; i++)
        for (size_t k = 0; k < common; k++)
            if (first[k] != found.gl_pathv[i][k])
                common = k;
    if (common > len) {
        insert(e, first + len, common - len);
    } else if (found.gl_pathc > 1) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            show(i ? " " : "\n");
            show(base_name(found.gl_pathv[i]));
        }
        show("\n");
        redraw(e);
    }
    if (found.gl_pathc == 1 && first[strlen(first) - 1] != '/')
        insert(e, " ", 1);
    globfree(&found);
}

/* Keys. CTRL() is <termios.h>'s. */

static int read_byte(void)
{
    unsigned char c;
    ssize_t n = read_some(STDIN_FILENO, &c, 1);

    return n == 1 ? c : KEY_EOF;
}

/* ESC [ numbers final, or ESC O final. A modifier makes it a word move. */
static int read_escape(void)
{
    static const struct {
        char final;
        int number, key;
    } keys[] = {
        {'A', 0, CTRL('P')}, {'B', 0, CTRL('N')}, {'C', 0, CTRL('F')},  {'D', 0, CTRL('B')},
        {'H', 0, CTRL('A')}, {'F', 0, CTRL('E')}, {'~', 1, CTRL('A')},  {'~', 7, CTRL('A')},
        {'~', 4, CTRL('E')}, {'~', 8, CTRL('E')}, {'~', 3, KEY_DELETE},
    };
    int c = read_byte(), number = 0;
    bool modified = false;

    if (c == 'b' || c == 'f')
        return c == 'b' ? KEY_WORD_LEFT : KEY_WORD_RIGHT;
    if (c != '[' && c != 'O')
        return KEY_NONE;
    while ((c = read_byte()) == ';' || (c >= '0' && c <= '9')) {
        modified |= c == ';';
        if (c != ';' && !modified && number < 100)
            number = number * 10 + c - '0';
    }
    if (modified && (c == 'C' || c == 'D'))
        return c == 'C' ? KEY_WORD_RIGHT : KEY_WORD_LEFT;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].final == c && (c != '~' || keys[i].number == number))
            return keys[i].key;
    return KEY_NONE;
}

static void edit_key(struct editor *e, int key)
{
    char c = (char)key;

    switch (key) {
    case CTRL('B'): move(e, before(e, e->cursor)); break;
    case CTRL('F'): move(e, after(e, e->cursor)); break;
    case CTRL('A'): move(e, 0); break;
    case CTRL('E'): move(e, e->line.len); break;
    case KEY_WORD_LEFT: move(e, word_before(e, e->cursor)); break;
    case KEY_WORD_RIGHT: move(e, word_after(e, e->cursor)); break;
    case CTRL('P'): browse(e, -1); break;
    case CTRL('N'): browse(e, 1); break;
    case 127:
    case CTRL('H'): erase(e, before(e, e->cursor), e->cursor); break;
    case KEY_DELETE:
    case CTRL('D'): erase(e, e->cursor, after(e, e->cursor)); break;
    case CTRL('K'): kill_text(e, e->cursor, e->line.len); break;
    case CTRL('U'): kill_text(e, 0, e->cursor); break;
    case CTRL('W'): kill_text(e, word_before(e, e->cursor), e->cursor); break;
    case CTRL('Y'): insert(e, killed ? killed : "", killed ? strlen(killed) : 0); break;
    case CTRL('L'):
        show("\033[H\033[2J");
        redraw(e);
        break;
    case '\t': complete(e); break;
    default:
        if (key >= ' ' && key < 256)
            insert(e, &c, 1);
    }
}

/* 1 = a line, 0 = end of input, -1 = given up with ^C. */
static int edit(struct editor *e)
{
    for (;;) {
        int key = read_byte();

        if (key == '\033')
            key = read_escape();
        if (key == '\r' || key == '\n')
            break;
        if (key == KEY_EOF || (key == CTRL('D') && e->line.len == 0))
            return 0;
        if (key == CTRL('C')) {
            show("^C\n");
            return -1;
        }
        edit_key(e, key);
    }
    move(e, e->line.len);
    show("\n");
    return 1;
}

int edit_line(const char *prompt, struct buf *out)
{
    const char *newline = strrchr(prompt, '\n');
    struct editor e = {
        .prompt = newline ? newline + 1 : prompt, .line = {.a = sh.scratch}, .entry = history_len};
    struct winsize size;
    struct termios modes, raw;
    bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &modes) == 0;

    fflush(stdout);
    if (!tty) {
        show(prompt);
        /* Whatever a read gives. */
        for (int c = 0; c != '\n' && (c = read_byte()) != KEY_EOF;)
            buf_char(out, (char)c);
        return out->len > 0;
    }
    raw = modes;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    /* ICRNL stays: a program that reads what was typed ahead expects new lines. */
    raw.c_iflag &= ~(tcflag_t)(INLCR | IGNCR | IXON | ISTRIP);
    raw.c_oflag |= OPOST | ONLCR;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    /* Who waits for the prompt may type: the terminal is ready for it. */
    show(prompt);
    size_t used = columns_of(e.prompt, strlen(e.prompt)) + 1;
    size_t columns = ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    e.width = columns > used + 8 ? columns - used : 8;
    buf_str(&e.line);
    int result = edit(&e);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
    if (result > 0) {
        remember(buf_str(&e.line));
        buf_add(out, e.line.p, e.line.len);
        buf_char(out, '\n');
    }
    return result;
}
