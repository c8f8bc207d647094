/* SPDX-License-Identifier: MIT */
/*
 * Helpers of box.h that know nothing of tools: numbers, files, programs, names and ids, text forms.
 *
 * They report nothing, except where box.h says so; memory comes from xmalloc and friends.
 */
#include "user/box.h"

#include <ctype.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Numbers */

bool parse_u64(const char *s, int base, uint64_t *out)
{
    char *end;

    errno = 0;
    uint64_t value = strtoull(s, &end, base);
    if (!isalnum((unsigned char)s[0]) || errno || *end)
        return false;
    *out = value;
    return true;
}

bool parse_i64(const char *s, int base, int64_t *out)
{
    char *end;

    errno = 0;
    int64_t value = strtoll(s, &end, base);
    if (!isalnum((unsigned char)s[s[0] == '-' || s[0] == '+']) || errno || *end)
        return false;
    *out = value;
    return true;
}

bool parse_size(const char *s, uint64_t *out)
{
    static const struct {
        char letter;
        uint64_t factor;
    } units[] = {{'\0', 1},   {'c', 1},       {'w', 2},       {'b', 512},       {'k', 1024},
                 {'K', 1024}, {'M', 1 << 20}, {'G', 1 << 30}, {'T', 1ULL << 40}};
    char *end;

    errno = 0;
    *out = strtoull(s, &end, 10);
    if (!isdigit((unsigned char)s[0]) || errno || (*end && end[1]))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (units[i].letter == *end)
            return !__builtin_mul_overflow(*out, units[i].factor, out);
    return false;
}

bool parse_duration(const char *s, struct timespec *out)
{
    static const char units[] = "smhd";
    static const double seconds[] = {1, 60, 3600, 86400};
    char *end;
    double value = strtod(s, &end);
    const char *unit = *end ? strchr(units, *end) : units;

    if ((!isdigit((unsigned char)s[0]) && s[0] != '.') || end == s || !unit || (*end && end[1]))
        return false;
    value *= seconds[unit - units];
    if (!(value < 1e15))
        return false;
    out->tv_sec = (time_t)value;
    out->tv_nsec = (long)((value - (double)out->tv_sec) * 1e9);
    return true;
}

/* Files */

FILE *fopen_input(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

    if (!file)
        warn("%s", path);
    return file;
}

void fclose_input(FILE *file)
{
    if (file != stdin)
        fclose(file);
}

bool each_input(int argc, char **argv, bool (*use)(FILE *file, const char *name))
{
    static char *standard_input[] = {"-"};
    bool ok = true;

    if (argc == 0)
        argc = 1, argv = standard_input;
    for (int i = 0; i < argc; i++) {
        FILE *file = fopen_input(argv[i]);

        if (!file) {
            ok = false;
            continue;
        }
        ok &= use(file, argv[i]);
        if (ferror(file)) {
            warn("%s", argv[i]);
            ok = false;
        }
        fclose_input(file);
    }
    return ok;
}

ssize_t read_line(char **line, size_t *room, FILE *file)
{
    ssize_t len = getline(line, room, file);

    if (len > 0 && (*line)[len - 1] == '\n')
        (*line)[--len] = '\0';
    return len;
}

bool write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = TEMP_FAILURE_RETRY(write(fd, p, len));

        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

ssize_t read_some(int fd, void *buf, size_t len)
{
    return TEMP_FAILURE_RETRY(read(fd, buf, len));
}

bool copy_fd(int from, int to)
{
    static char buf[64 * 1024];
    ssize_t n;

    while ((n = read_some(from, buf, sizeof(buf))) > 0)
        if (!write_all(to, buf, (size_t)n))
            return false;
    return n == 0;
}

/* Files in /proc have no size, so the buffer grows with what is read. */
char *read_fd(int fd, size_t *len)
{
    size_t size = 0, room = 4096;
    char *data = xmalloc(room);
    ssize_t n;

    while ((n = read_some(fd, data + size, room - size - 2)) > 0) {
        size += (size_t)n;
        if (size + 2 == room)
            data = xrealloc(data, room *= 2);
    }
    if (n < 0) {
        free(data);
        return NULL;
    }
    data[size] = '\0';
    if (len)
        *len = size;
    return data;
}

char *read_file(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    char *data = read_fd(fd, len);
    int err = errno;
    close(fd);
    errno = err;
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

bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *destination(const char *from, const char *dest)
{
    if (!is_directory(dest))
        return xstrdup(dest);
    const char *name = base_name(from);
    char *only = xasprintf("%.*s", (int)(1 + strcspn(name + 1, "/")), name);
    char *path = path_join(dest, only);
    free(only);
    return path;
}

bool confirm(const char *question, const char *path)
{
    int first, c;

    fflush(stdout);
    fprintf(stderr, "%s: %s '%s'? ", program_invocation_name, question, path);
    first = c = getchar();
    while (c != '\n' && c != EOF)
        c = getchar();
    return first == 'y' || first == 'Y';
}

bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

char *read_link(const char *path)
{
    char target[PATH_MAX];
    ssize_t len = readlink(path, target, sizeof(target) - 1);

    return len < 0 ? NULL : xasprintf("%.*s", (int)len, target);
}

bool walk_tree(const char *path, int flags, bool (*visit)(FTS *tree, FTSENT *entry))
{
    char *paths[] = {(char *)path, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | flags, NULL);
    bool ok = true;
    FTSENT *entry;

    if (!tree)
        die("%s", path);
    while ((entry = fts_read(tree)) != NULL)
        ok &= visit(tree, entry);
    fts_close(tree);
    return ok;
}

/* Programs */

static bool runnable(const char *path)
{
    struct stat st;

    return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *find_program(const char *path, const char *name)
{
    if (strchr(name, '/'))
        return runnable(name) ? xstrdup(name) : NULL;
    for (path = path ? path : "/bin:/sbin:/usr/bin:/usr/sbin"; path;) {
        size_t len = strcspn(path, ":");
        char *whole = xasprintf("%.*s/%s", len ? (int)len : 1, len ? path : ".", name);

        if (runnable(whole))
            return whole;
        free(whole);
        path = path[len] ? path + len + 1 : NULL;
    }
    return NULL;
}

void exec_program(char **argv)
{
    execvp(argv[0], argv);
    int err = errno;
    warn("'%s'", argv[0]);
    _exit(err == ENOENT ? 127 : 126);
}

int run_program(char **argv, bool without_input)
{
    int result = -1;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid < 0)
        warn("cannot fork");
    if (pid == 0) {
        int null = without_input ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

        if (null >= 0)
            dup2(null, STDIN_FILENO);
        exec_program(argv);
    }
    return pid < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &result, 0)) < 0 ? -1 : result;
}

int exit_code(int status)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return 128 + (WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status));
}

/* Names and ids */

/* The first entry with that name, or if name is NULL with that id. */
static bool id_entry(const char *db, const char **name, uint32_t *id)
{
    FILE *file = fopen(db, "re");
    bool users = strcmp(db, PASSWD) == 0, found = false;
    static char kept[64];

    while (file && !found) {
        struct passwd *user = users ? fgetpwent(file) : NULL;
        struct group *group = users ? NULL : fgetgrent(file);

        if (!user && !group)
            break;
        const char *its_name = user ? user->pw_name : group->gr_name;
        uint32_t its_id = user ? user->pw_uid : group->gr_gid;
        found = *name ? strcmp(*name, its_name) == 0 : *id == its_id;
        if (found) {
            snprintf(kept, sizeof(kept), "%s", its_name);
            *name = kept;
            *id = its_id;
        }
    }
    if (file)
        fclose(file);
    return found;
}

const char *id_name(const char *db, uint32_t id)
{
    static char number[16];
    const char *name = NULL;

    if (id_entry(db, &name, &id))
        return name;
    snprintf(number, sizeof(number), "%u", id);
    return number;
}

bool id_find(const char *db, const char *name, uint32_t *id)
{
    uint64_t value;

    if (id_entry(db, &name, id))
        return true;
    if (!parse_u64(name, 10, &value) || value >= UINT32_MAX)
        return false;
    *id = (uint32_t)value;
    return true;
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

/* Rounded up, as du and df do: what is shown is never less than what there is. */
void format_human(uint64_t bytes, char *out, size_t size)
{
    uint64_t tenths = bytes * 10;
    int unit = 0;

    for (; tenths >= 10240; unit++)
        tenths = (tenths + 1023) / 1024;
    if (unit == 0)
        snprintf(out, size, "%u", (unsigned)bytes);
    else if (tenths < 100)
        snprintf(out, size, "%u.%u%c", (unsigned)tenths / 10, (unsigned)tenths % 10,
                 "BKMGTPE"[unit]);
    else
        snprintf(out, size, "%u%c", (unsigned)(tenths + 9) / 10, "BKMGTPE"[unit]);
}

const char *format_time(time_t when, const char *format)
{
    static char text[4096];
    struct tm *tm = localtime(&when);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    return tm && (strftime(text, sizeof(text), format, tm) || !*format) ? text : "?";
#pragma GCC diagnostic pop
}

/* Modes: a clause is who, then one or more of +-= with bits. NULL when malformed. */
static const char *apply_clause(const char *p, bool is_dir, mode_t *mode)
{
    static const char classes[] = "ugo";
    static const mode_t class_bits[] = {S_ISUID | 0700, S_ISGID | 0070, S_ISVTX | 0007};
    mode_t who = 0, mask = 0;

    for (const char *class; *p && ((class = strchr(classes, *p)) || *p == 'a'); p++)
        who |= *p == 'a' ? 07777 : class_bits[class - classes];
    if (!who) {
        /* Nobody named means everybody, except for what the umask withholds. */
        mask = umask(0);
        umask(mask);
        who = 07777;
    }
    if (!*p || !strchr("+-=", *p))
        return NULL;
    while (*p && strchr("+-=", *p)) {
        char op = *p++;
        mode_t bits = 0;

        for (; *p && strchr("rwxXstugo", *p); p++)
            switch (*p) {
            case 'r': bits |= 0444; break;
            case 'w': bits |= 0222; break;
            case 'x': bits |= 0111; break;
            case 'X': bits |= is_dir || (*mode & 0111) ? 0111 : 0; break;
            case 's': bits |= S_ISUID | S_ISGID; break;
            case 't': bits |= S_ISVTX; break;
            default: bits |= (*mode >> (*p == 'u' ? 6 : *p == 'g' ? 3 : 0) & 7) * 0111;
            }
        bits &= who & ~mask;
        /* A directory keeps its set-id bits unless they are named. */
        if (op == '=')
            *mode &= ~(who & (is_dir ? 01777 : 07777));
        *mode = op == '-' ? *mode & ~bits : *mode | bits;
    }
    return p;
}

bool parse_mode(const char *text, mode_t old, mode_t *out)
{
    mode_t mode = old & 07777;
    uint64_t octal;

    if (parse_u64(text, 8, &octal)) {
        *out = (mode_t)octal;
        return octal <= 07777;
    }
    do
        text = apply_clause(text, S_ISDIR(old), &mode);
    while (text && *text++ == ',');
    if (!text || text[-1])
        return false;
    *out = mode;
    return true;
}

int signal_number(const char *text)
{
    uint64_t number;

    if (parse_u64(text, 10, &number))
        return number < NSIG ? (int)number : -1;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int sig = 1; sig < NSIG; sig++)
        if (sigabbrev_np(sig) && strcasecmp(sigabbrev_np(sig), text) == 0)
            return sig;
    return -1;
}

char *substitute(const char *word, const char *mark, const char *with)
{
    const char *at = strstr(word, mark);

    if (!at)
        return xstrdup(word);
    char *rest = substitute(at + strlen(mark), mark, with);
    char *whole = xasprintf("%.*s%s%s", (int)(at - word), word, with, rest);
    free(rest);
    return whole;
}

int terminal_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO))
        return 0;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
