/* SPDX-License-Identifier: MIT */
/*
 * Line editing with history, on a terminal that understands VT100's cursor keys.
 *
 * The line stays on one row: one that is too long is shown through a window that follows the
 * cursor. Bytes are read one at a time and the terminal is raw only while a line is edited, so
 * what was typed ahead stays in the terminal for the programs it may be meant for.
 *
 * Invariants: cursor is at a character's first byte (UTF-8); the screen shows the line as of the
 * last call of redraw().
 */
#include "user/sh.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY = 200, ESCAPE_MS = 50 };

enum key {
    KEY_UP = 256,
    KEY_DOWN,
    KEY_LEFT,
    KEY_RIGHT,
    KEY_HOME,
    KEY_END,
    KEY_DELETE,
    KEY_WORD_LEFT,
    KEY_WORD_RIGHT,
    KEY_NONE,
    KEY_EOF
};

struct editor {
    const char *prompt; /* its last line: what a redraw shows */
    struct buf line;
    size_t cursor;
    size_t first; /* first byte shown */
    size_t columns;
    int entry;   /* history line being shown; == history_len: the new one */
    char *draft; /* the new line, while an old one is shown */
};

static char *history[HISTORY];
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
    if (at < e->line.len)
        at++;
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

static void show(const char *s, size_t len)
{
    write_all(STDERR_FILENO, s, len);
}

static size_t room(const struct editor *e)
{
    size_t used = columns_of(e->prompt, strlen(e->prompt)) + 1;

    return e->columns > used + 8 ? e->columns - used : 8;
}

static void redraw(struct editor *e)
{
    struct buf out = {0};
    size_t width = room(e), end;
    char move[24];

    if (e->cursor < e->first)
        e->first = e->cursor;
    while (columns_of(e->line.p + e->first, e->cursor - e->first) > width)
        e->first = after(e, e->first);
    end = e->first;
    for (size_t n = 0; n < width && end < e->line.len; n++)
        end = after(e, end);
    buf_char(&out, '\r');
    buf_add(&out, e->prompt, strlen(e->prompt));
    buf_add(&out, e->line.p + e->first, end - e->first);
    buf_add(&out, "\033[K", 3);
    size_t back = columns_of(e->line.p + e->cursor, end > e->cursor ? end - e->cursor : 0);
    if (back)
        buf_add(&out, move, (size_t)snprintf(move, sizeof(move), "\033[%zuD", back));
    show(out.p, out.len);
    buf_free(&out);
}

/* Changes */

static void insert(struct editor *e, char c)
{
    bool at_end = e->cursor == e->line.len;

    buf_char(&e->line, c);
    memmove(e->line.p + e->cursor + 1, e->line.p + e->cursor, e->line.len - 1 - e->cursor);
    e->line.p[e->cursor++] = c;
    /* The common case costs one byte on a slow line. */
    if (at_end && columns_of(e->line.p + e->first, e->line.len - e->first) < room(e))
        show(&c, 1);
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

static void replace(struct editor *e, const char *text)
{
    e->line.len = 0;
    buf_add(&e->line, text, strlen(text));
    e->cursor = e->line.len;
    e->first = 0;
    redraw(e);
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
    if (e->entry == history_len) {
        free(e->draft);
        e->draft = xstrdup(buf_str(&e->line));
    }
    e->entry = entry;
    replace(e, entry == history_len ? e->draft : history[entry]);
}

static void remember(const char *line)
{
    if (!line[strspn(line, " ")] || (history_len && strcmp(history[history_len - 1], line) == 0))
        return;
    if (history_len == HISTORY) {
        free(history[0]);
        memmove(history, history + 1, sizeof(history) - sizeof(history[0]));
        history_len--;
    }
    history[history_len++] = xstrdup(line);
}

/* Completion: the word at the cursor, as a path or, where a command is expected, a command. */

struct matches {
    struct list names;
    size_t common;  /* bytes in which all agree */
    bool directory; /* of the last one */
};

static void add_match(struct matches *m, const char *name, const char *prefix, bool directory)
{
    size_t n = 0;

    if (strncmp(name, prefix, strlen(prefix)) != 0 || (name[0] == '.' && prefix[0] != '.'))
        return;
    for (int i = 0; i < m->names.n; i++)
        if (strcmp(m->names.v[i], name) == 0)
            return;
    list_add(&sh.scratch, &m->names, arena_strndup(&sh.scratch, name, strlen(name)));
    while (m->names.n > 1 && n < m->common && name[n] == m->names.v[0][n])
        n++;
    m->common = m->names.n > 1 ? n : strlen(name);
    m->directory = directory;
}

static void match_directory(struct matches *m, const char *path, const char *prefix)
{
    DIR *dir = opendir(*path ? path : ".");
    struct stat st;

    for (struct dirent *d; dir && (d = readdir(dir));)
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
            add_match(m, d->d_name, prefix,
                      fstatat(dirfd(dir), d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode));
    if (dir)
        closedir(dir);
}

static void match_commands(struct matches *m, const char *prefix)
{
    const char *path = var_get("PATH");

    while (path && *path) {
        size_t len = strcspn(path, ":");

        match_directory(m, arena_strndup(&sh.scratch, path, len), prefix);
        path += len + (path[len] == ':');
    }
    m->directory = false;
}

static void list_matches(struct editor *e, const struct matches *m)
{
    struct buf out = {0};

    buf_char(&out, '\n');
    for (int i = 0; i < m->names.n; i++) {
        buf_add(&out, m->names.v[i], strlen(m->names.v[i]));
        buf_char(&out, i + 1 < m->names.n ? ' ' : '\n');
    }
    show(out.p, out.len);
    buf_free(&out);
    redraw(e);
}

static void complete(struct editor *e)
{
    struct mark mark = scratch_mark();
    struct matches m = {0};
    size_t start = e->cursor;

    while (start > 0 && !strchr(" \t|&;<>()=\"'`", e->line.p[start - 1]))
        start--;
    char *word = arena_strndup(&sh.scratch, e->line.p + start, e->cursor - start);
    char *slash = strrchr(word, '/');
    const char *prefix = slash ? slash + 1 : word;
    size_t first = start;
    while (first > 0 && e->line.p[first - 1] == ' ')
        first--;
    if (slash)
        match_directory(&m, arena_strndup(&sh.scratch, word, (size_t)(prefix - word)), prefix);
    else if (first == 0 || strchr("|&;(", e->line.p[first - 1]))
        match_commands(&m, prefix);
    else
        match_directory(&m, "", prefix);
    for (size_t i = strlen(prefix); m.names.n && i < m.common; i++)
        insert(e, m.names.v[0][i]);
    if (m.names.n == 1)
        insert(e, m.directory ? '/' : ' ');
    else if (m.names.n > 1 && m.common == strlen(prefix))
        list_matches(e, &m);
    scratch_release(mark);
}

/* Keys. CTRL() is <termios.h>'s. */

/* One byte; -1 at the end of input, -2 if none came within the time. */
static int read_byte(int timeout_ms)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    unsigned char c;

    for (;;) {
        if (timeout_ms >= 0 && poll(&in, 1, timeout_ms) == 0)
            return -2;
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n == 1)
            return c;
        if (n == 0 || errno != EINTR)
            return -1;
    }
}

/* ESC [ numbers final, or ESC O final. A modifier other than 1 makes it a word move. */
static int read_escape(void)
{
    static const struct {
        char final;
        int number, key;
    } keys[] = {
        {'A', 0, KEY_UP},   {'B', 0, KEY_DOWN}, {'C', 0, KEY_RIGHT},  {'D', 0, KEY_LEFT},
        {'H', 0, KEY_HOME}, {'F', 0, KEY_END},  {'~', 1, KEY_HOME},   {'~', 7, KEY_HOME},
        {'~', 4, KEY_END},  {'~', 8, KEY_END},  {'~', 3, KEY_DELETE},
    };
    int c = read_byte(ESCAPE_MS), number = 0, modifier = 0;

    if (c == 'b')
        return KEY_WORD_LEFT;
    if (c == 'f')
        return KEY_WORD_RIGHT;
    if (c != '[' && c != 'O')
        return KEY_NONE;
    while ((c = read_byte(ESCAPE_MS)) == ';' || (c >= '0' && c <= '9')) {
        if (c == ';')
            modifier = 1;
        else if (modifier)
            modifier = c - '0';
        else if (number < 100)
            number = number * 10 + c - '0';
    }
    if (modifier > 1 && (c == 'C' || c == 'D'))
        return c == 'C' ? KEY_WORD_RIGHT : KEY_WORD_LEFT;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i].final == c && (c != '~' || keys[i].number == number))
            return keys[i].key;
    return KEY_NONE;
}

static int read_key(void)
{
    int c = read_byte(-1);

    if (c < 0)
        return KEY_EOF;
    return c == '\033' ? read_escape() : c;
}

static void edit_key(struct editor *e, int key)
{
    switch (key) {
    case KEY_LEFT:
    case CTRL('B'): move(e, before(e, e->cursor)); break;
    case KEY_RIGHT:
    case CTRL('F'): move(e, after(e, e->cursor)); break;
    case KEY_HOME:
    case CTRL('A'): move(e, 0); break;
    case KEY_END:
    case CTRL('E'): move(e, e->line.len); break;
    case KEY_WORD_LEFT: move(e, word_before(e, e->cursor)); break;
    case KEY_WORD_RIGHT: move(e, word_after(e, e->cursor)); break;
    case KEY_UP:
    case CTRL('P'): browse(e, -1); break;
    case KEY_DOWN:
    case CTRL('N'): browse(e, 1); break;
    case 127:
    case CTRL('H'):
        if (e->cursor > 0)
            erase(e, before(e, e->cursor), e->cursor);
        break;
    case KEY_DELETE:
    case CTRL('D'):
        if (e->cursor < e->line.len)
            erase(e, e->cursor, after(e, e->cursor));
        break;
    case CTRL('K'): kill_text(e, e->cursor, e->line.len); break;
    case CTRL('U'): kill_text(e, 0, e->cursor); break;
    case CTRL('W'): kill_text(e, word_before(e, e->cursor), e->cursor); break;
    case CTRL('Y'):
        for (const char *p = killed; p && *p; p++)
            insert(e, *p);
        break;
    case CTRL('L'):
        show("\033[H\033[2J", 7);
        redraw(e);
        break;
    case '\t': complete(e); break;
    default:
        if (key >= ' ' && key < 256)
            insert(e, (char)key);
    }
}

/* 1 = a line, 0 = end of input, -1 = given up with ^C. */
static int edit(struct editor *e)
{
    for (;;) {
        int key = read_key();

        if (key == '\r' || key == '\n')
            break;
        if (key == KEY_EOF || (key == CTRL('D') && e->line.len == 0))
            return 0;
        if (key == CTRL('C')) {
            show("^C\n", 3);
            return -1;
        }
        edit_key(e, key);
    }
    move(e, e->line.len);
    show("\n", 1);
    return 1;
}

static size_t terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Without a terminal that can be made raw: whatever a read gives. */
static int plain_line(struct buf *out)
{
    int c;

    while ((c = read_byte(-1)) >= 0) {
        buf_char(out, (char)c);
        if (c == '\n')
            break;
    }
    return out->len > 0;
}

int edit_line(const char *prompt, struct buf *out)
{
    struct termios modes, raw;
    const char *newline = strrchr(prompt, '\n');
    struct editor e = {.prompt = newline ? newline + 1 : prompt, .entry = history_len};
    int result;

    fflush(stdout);
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &modes) < 0) {
        show(prompt, strlen(prompt));
        return plain_line(out);
    }
    raw = modes;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    /* ICRNL stays: a program that reads what was typed ahead expects new lines. */
    raw.c_iflag &= ~(tcflag_t)(INLCR | IGNCR | IXON | ISTRIP);
    raw.c_oflag |= OPOST | ONLCR;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    show(prompt, strlen(prompt));
    e.columns = terminal_columns();
    buf_str(&e.line);
    result = edit(&e);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
    if (result > 0) {
        remember(buf_str(&e.line));
        buf_add(out, e.line.p, e.line.len);
        buf_char(out, '\n');
    }
    free(e.draft);
    buf_free(&e.line);
    return result;
}
