/* SPDX-License-Identifier: MIT */
/*
 * Helpers of box.h that know nothing of tools: numbers, files, names and ids, text forms.
 *
 * They report nothing, except open_input and fopen_input; memory comes from xmalloc and friends.
 */
#include "user/box.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGHUP, "HUP"},   {SIGINT, "INT"},       {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},
    {SIGTRAP, "TRAP"}, {SIGABRT, "ABRT"},     {SIGBUS, "BUS"},   {SIGFPE, "FPE"},
    {SIGKILL, "KILL"}, {SIGUSR1, "USR1"},     {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"},
    {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"},     {SIGTERM, "TERM"}, {SIGSTKFLT, "STKFLT"},
    {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},     {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"},
    {SIGTTIN, "TTIN"}, {SIGTTOU, "TTOU"},     {SIGURG, "URG"},   {SIGXCPU, "XCPU"},
    {SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"},
    {SIGIO, "IO"},     {SIGPWR, "PWR"},       {SIGSYS, "SYS"},
};

/* Numbers */

bool parse_u64(const char *s, int base, uint64_t *out)
{
    char *end;

    if (!isalnum((unsigned char)s[0]))
        return false;
    errno = 0;
    uint64_t value = strtoull(s, &end, base);
    if (errno || *end)
        return false;
    *out = value;
    return true;
}

bool parse_i64(const char *s, int base, int64_t *out)
{
    char *end;

    if (!isalnum((unsigned char)s[s[0] == '-' || s[0] == '+']))
        return false;
    errno = 0;
    int64_t value = strtoll(s, &end, base);
    if (errno || *end)
        return false;
    *out = value;
    return true;
}

bool parse_size(const char *s, uint64_t *out)
{
    static const char units[] = "KMGT";
    char *end;

    if (!isdigit((unsigned char)s[0]))
        return false;
    errno = 0;
    uint64_t value = strtoull(s, &end, 0);
    if (errno)
        return false;
    if (*end) {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        int shift;

        if (!unit || end[1])
            return false;
        shift = 10 * (int)(unit - units + 1);
        if (value > UINT64_MAX >> shift)
            return false;
        value <<= shift;
    }
    *out = value;
    return true;
}

bool parse_duration(const char *s, uint64_t *ns)
{
    static const char units[] = "smhd";
    static const double seconds[] = {1, 60, 3600, 86400};
    double scale = 1;
    char *end;

    if (!isdigit((unsigned char)s[0]) && s[0] != '.')
        return false;
    double value = strtod(s, &end);
    if (end == s)
        return false;
    if (*end) {
        const char *unit = strchr(units, *end);

        if (!unit || end[1])
            return false;
        scale = seconds[unit - units];
    }
    value *= scale * 1e9;
    if (!(value >= 0 && value < 9e18))
        return false;
    *ns = (uint64_t)value;
    return true;
}

/* Files */

int open_input(const char *path)
{
    if (strcmp(path, "-") == 0)
        return STDIN_FILENO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        warn("%s", path);
    return fd;
}

FILE *fopen_input(const char *path)
{
    if (strcmp(path, "-") == 0)
        return stdin;
    FILE *file = fopen(path, "re");
    if (!file)
        warn("%s", path);
    return file;
}

void fclose_input(FILE *file)
{
    if (file != stdin)
        fclose(file);
}

bool write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool copy_fd(int from, int to)
{
    static char buf[64 * 1024];

    for (;;) {
        ssize_t n = read(from, buf, sizeof(buf));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        if (!write_all(to, buf, (size_t)n))
            return false;
    }
}

char *read_file(const char *path, size_t *len)
{
    size_t size = 0, room = 4096;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    char *data = xmalloc(room);
    for (;;) {
        /* Files in /proc have no size, so the buffer grows with what is read. */
        ssize_t n = read(fd, data + size, room - size - 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int err = errno;

            free(data);
            close(fd);
            errno = err;
            return NULL;
        }
        if (n == 0)
            break;
        size += (size_t)n;
        if (size + 1 == room)
            data = xrealloc(data, room *= 2);
    }
    close(fd);
    data[size] = '\0';
    if (len)
        *len = size;
    return data;
}

const char *base_name(const char *path)
{
    const char *last = path;

    for (const char *p = path; *p; p++)
        if (*p == '/' && p[1] && p[1] != '/')
            last = p + 1;
    return last;
}

char *path_join(const char *dir, const char *name)
{
    size_t len = strlen(dir);

    return xasprintf("%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name);
}

/* Names and ids. A line is name:…:id:…, in passwd and in group alike. */

static char *line_field(const char *line, int n, size_t *len)
{
    while (n-- > 0) {
        line += strcspn(line, ":\n");
        if (*line != ':')
            return NULL;
        line++;
    }
    *len = strcspn(line, ":\n");
    return (char *)line;
}

/* The first line whose field n equals the text; NULL if none. */
static const char *line_find(const char *data, int n, const char *text)
{
    for (const char *line = data; *line;) {
        size_t len;
        const char *field = line_field(line, n, &len);

        if (field && strlen(text) == len && memcmp(field, text, len) == 0)
            return line;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return NULL;
}

const char *id_name(const char *db, uint32_t id)
{
    static char name[64];
    char *data = read_file(db, NULL);
    const char *line;
    size_t len;

    snprintf(name, sizeof(name), "%u", id);
    line = data ? line_find(data, 2, name) : NULL;
    if (line && line_field(line, 0, &len))
        snprintf(name, sizeof(name), "%.*s", (int)len, line);
    free(data);
    return name;
}

bool id_find(const char *db, const char *name, uint32_t *id)
{
    char *data = read_file(db, NULL);
    const char *line = data ? line_find(data, 0, name) : NULL;
    char *field = NULL;
    uint64_t value;
    size_t len;

    if (line)
        field = line_field(line, 2, &len);
    if (field)
        field[len] = '\0';
    bool ok = parse_u64(field ? field : name, 10, &value) && value < UINT32_MAX;
    if (ok)
        *id = (uint32_t)value;
    free(data);
    return ok;
}

char *passwd_field(const char *user, int n)
{
    char *data = read_file(PASSWD, NULL);
    const char *line = data ? line_find(data, 0, user) : NULL;
    size_t len;
    const char *field = line ? line_field(line, n, &len) : NULL;
    char *result = field ? xasprintf("%.*s", (int)len, field) : NULL;

    free(data);
    return result;
}

/* Text forms */

void format_mode(mode_t mode, char out[11])
{
    static const char types[] = "?pc?d?b?-?l?s???";
    static const char bits[] = "rwxrwxrwx";

    out[0] = types[(mode >> 12) & 15];
    for (int i = 0; i < 9; i++)
        out[1 + i] = mode & (0400 >> i) ? bits[i] : '-';
    if (mode & S_ISUID)
        out[3] = mode & 0100 ? 's' : 'S';
    if (mode & S_ISGID)
        out[6] = mode & 0010 ? 's' : 'S';
    if (mode & S_ISVTX)
        out[9] = mode & 0001 ? 't' : 'T';
    out[10] = '\0';
}

void format_human(uint64_t bytes, char *out, size_t size)
{
    static const char units[] = "BKMGTPE";
    uint64_t tenths = bytes * 10;
    int unit = 0;

    if (bytes > UINT64_MAX / 16) {
        tenths = bytes / 1024 * 10;
        unit = 1;
    }
    while (tenths >= 10240) {
        tenths = (tenths + 1023) / 1024;
        unit++;
    }
    if (unit == 0)
        snprintf(out, size, "%llu", (unsigned long long)bytes);
    else if (tenths < 100)
        snprintf(out, size, "%u.%u%c", (unsigned)tenths / 10, (unsigned)tenths % 10, units[unit]);
    else
        snprintf(out, size, "%u%c", (unsigned)(tenths + 9) / 10, units[unit]);
}

const char *signal_name(int number)
{
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (signals[i].number == number)
            return signals[i].name;
    return NULL;
}

int signal_number(const char *text)
{
    uint64_t number;

    if (parse_u64(text, 10, &number))
        return number < NSIG ? (int)number : -1;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (strcasecmp(signals[i].name, text) == 0)
            return signals[i].number;
    return -1;
}
