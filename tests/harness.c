/* SPDX-License-Identifier: MIT */
/*
 * The runner: unit [-l] [-v] [-S] [-L] [-s SEED] [-d DIR] [pattern…]
 *
 * Each case runs in a forked child with its own process group and its own empty directory below
 * DIR (default /tmp); its output is kept in a file and shown if it fails. The verdict is the exit
 * status. On Unimap the kernel's counters must be back where they were before the case: what a
 * case leaves behind is a failure of that case.
 *
 * The runner itself must not grow between cases, or it would be taken for a leak: all it needs is
 * static, and work that allocates (removing a directory) is done by a child.
 */
#include "tests/test.h"

#include <dirent.h>
#include <fnmatch.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/time.h>

extern const struct test_case *const __start_unit_cases[], *const __stop_unit_cases[];
extern const struct test_mode *const __start_unit_modes[], *const __stop_unit_modes[];

enum { MAX_CASES = 1024, WHY_LEN = 400, SETTLE_S = 10, SKIPPED = 77 };

static const struct test_case *selected[MAX_CASES];
static size_t nselected;
static bool verbose, run_slow, leak_check = true;
static uint64_t seed = 1;
static bool shuffled;
static char base_dir[128];
static int out_fd = -1;
static char why[WHY_LEN];

/* ---- What must not change over a case ---- */

enum { MAX_KINDS = 64 };

/*
 * memory_kb counts as free what the kernel keeps for itself on purpose: slab pages (what lives on
 * them is compared by kind) and tables of its own half, which only grow.
 */
struct counters {
    long memory_kb, free_kb, open_files, threads;
    size_t nkinds;
    struct {
        char name[24];
        long live;
    } kind[MAX_KINDS];
};

static void drop_caches(void)
{
    sync();
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

    if (fd < 0)
        return;
    if (write(fd, "3", 1) != 1)
        note("drop_caches: %s", strerror(errno));
    close(fd);
}

/* /proc/slabinfo: lines of "name live total". */
static void objects_read(struct counters *c)
{
    static char text[8192];
    char *line = text;

    c->nkinds = 0;
    if (read_file("/proc/slabinfo", text, sizeof(text)) < 0)
        return;
    while (line && *line && c->nkinds < MAX_KINDS) {
        if (sscanf(line, "%23s %ld", c->kind[c->nkinds].name, &c->kind[c->nkinds].live) == 2)
            c->nkinds++;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
}

static void counters_read(struct counters *c)
{
    drop_caches();
    c->free_kb = meminfo("MemFree");
    c->memory_kb = c->free_kb + 4 * (vmstat("nr_slab_pages") + vmstat("page_tables_shared"));
    c->open_files = vmstat("open_files");
    c->threads = vmstat("threads");
    objects_read(c);
}

static bool objects_back(const struct counters *before, const struct counters *now)
{
    for (size_t i = 0; i < before->nkinds && i < now->nkinds; i++)
        if (now->kind[i].live > before->kind[i].live)
            return false;
    return true;
}

/* More free memory than before is a cache that was let go late; less is a leak. */
static bool counters_back(const struct counters *before, const struct counters *now)
{
    return now->memory_kb >= before->memory_kb && now->open_files == before->open_files &&
           now->threads == before->threads && objects_back(before, now);
}

/* Two readings in a row that agree: what an earlier case set free has arrived. */
static void counters_stable(struct counters *c)
{
    static struct counters next;
    uint64_t deadline = now_ns() + SETTLE_S * 1000000000ULL;

    for (counters_read(c); now_ns() < deadline; *c = next) {
        counters_read(&next);
        if (counters_back(c, &next) && counters_back(&next, c))
            return;
        sched_yield();
    }
}

/* What is freed late (a dead thread's stack, an orphan that init reaps) gets time by yielding. */
static bool counters_settle(const struct counters *before, struct counters *now)
{
    uint64_t deadline = now_ns() + SETTLE_S * 1000000000ULL;

    for (;;) {
        counters_read(now);
        if (counters_back(before, now))
            return true;
        if (now_ns() > deadline)
            return false;
        sched_yield();
    }
}

static void counters_report(const struct counters *before, const struct counters *now)
{
    for (size_t i = 0; i < now->nkinds && i < before->nkinds; i++)
        if (now->kind[i].live != before->kind[i].live)
            printf("    %s: %ld live objects, were %ld\n", now->kind[i].name, now->kind[i].live,
                   before->kind[i].live);
}

/* ---- The time limit: the alarm repeats, so one that comes just before the wait is not lost ---- */

static volatile sig_atomic_t ticks_left;

static void on_tick(int sig)
{
    (void)sig;
    if (ticks_left > 0)
        ticks_left--;
}

static void clock_start(int seconds)
{
    struct itimerval every_second = {{1, 0}, {1, 0}};
    struct sigaction sa = {.sa_handler = on_tick};

    ticks_left = seconds;
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &every_second, NULL);
}

static void clock_stop(void)
{
    struct itimerval off = {{0, 0}, {0, 0}};

    setitimer(ITIMER_REAL, &off, NULL);
}

/* Waits for the child and ends what it left behind; false if it had to be killed. */
static bool wait_or_kill(pid_t pid, int seconds, int *status)
{
    bool in_time = true;
    pid_t got;

    clock_start(seconds);
    while ((got = waitpid(pid, status, 0)) != pid) {
        if (got < 0 && errno != EINTR)
            break;
        if (ticks_left == 0) {
            in_time = false;
            kill(-pid, SIGKILL);
            kill(pid, SIGKILL);
        }
    }
    clock_stop();
    kill(-pid, SIGKILL);
    return in_time;
}

/* ---- A case's directory ---- */

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char sub[512];

    if (!d)
        return;
    while ((e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name) >= (int)sizeof(sub))
            continue;
        if (unlink(sub) < 0) {
            chmod(sub, 0700);
            remove_tree(sub);
        }
    }
    closedir(d);
    rmdir(path);
}

static void remove_in_child(const char *path)
{
    pid_t pid = fork();

    if (pid == 0) {
        remove_tree(path);
        _exit(0);
    }
    if (pid > 0)
        reap(pid);
}

/* ---- Output: kept in a file; the first line that begins with a mark says why ---- */

static void output_open(void)
{
    char path[160];

    snprintf(path, sizeof(path), "%s.out", base_dir);
    out_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    unlink(path);
}

static void output_find(char mark)
{
    static char text[65536];
    ssize_t n = out_fd < 0 ? 0 : pread(out_fd, text, sizeof(text) - 1, 0);
    char needle[4] = {mark, mark, ' ', 0};

    text[n > 0 ? n : 0] = 0;
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');

        if (strncmp(line, needle, 3) == 0) {
            snprintf(why, sizeof(why), "%.*s", end ? (int)(end - line - 3) : 300, line + 3);
            return;
        }
        line = end ? end + 1 : NULL;
    }
}

static void output_show(void)
{
    static char text[4096];
    off_t at = 0;
    ssize_t n;

    while (out_fd >= 0 && (n = pread(out_fd, text, sizeof(text), at)) > 0) {
        fwrite(text, 1, (size_t)n, stdout);
        at += n;
    }
}

/* ---- One case ---- */

NORETURN static void case_child(const struct test_case *t, const char *dir)
{
    setpgid(0, 0);
    signal(SIGALRM, SIG_DFL);
    case_pid = getpid();
    if (mkdir(dir, 0755) < 0 || chdir(dir) < 0)
        FAIL("%s: %s", dir, strerror(errno));
    if (!verbose && out_fd >= 0) {
        dup2(out_fd, STDOUT_FILENO);
        dup2(out_fd, STDERR_FILENO);
    }
    t->run();
    fflush(stdout);
    _exit(0);
}

enum verdict { PASSED, FAILED, SKIPPED_CASE };

static enum verdict case_verdict(const struct test_case *t, int status, bool in_time)
{
    why[0] = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && in_time)
        return PASSED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        output_find('?');
        return SKIPPED_CASE;
    }
    output_find('!');
    if (why[0])
        return FAILED;
    if (!in_time)
        snprintf(why, sizeof(why), "timed out after %d s", t->timeout_s);
    else if (WIFSIGNALED(status))
        snprintf(why, sizeof(why), "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
    return FAILED;
}

static enum verdict case_leaks(const struct counters *before)
{
    static struct counters now;

    if (counters_settle(before, &now))
        return PASSED;
    snprintf(why, sizeof(why),
             "leaked: memory %ld kB (was %ld), open files %ld (%ld), threads %ld (%ld)",
             now.memory_kb, before->memory_kb, now.open_files, before->open_files, now.threads,
             before->threads);
    counters_report(before, &now);
    return FAILED;
}

static enum verdict case_run(const struct test_case *t)
{
    static struct counters before;
    bool counting = leak_check && on_unimap(), in_time;
    enum verdict verdict;
    char dir[160];
    int status;

    snprintf(dir, sizeof(dir), "%s/case", base_dir);
    if (counting)
        counters_stable(&before);
    fflush(stdout);
    pid_t pid = fork();

    if (pid < 0) {
        snprintf(why, sizeof(why), "fork: %s", strerror(errno));
        return FAILED;
    }
    if (pid == 0)
        case_child(t, dir);
    in_time = wait_or_kill(pid, t->timeout_s, &status);
    verdict = case_verdict(t, status, in_time);
    if (verdict == FAILED)
        output_show();
    if (out_fd >= 0 && ftruncate(out_fd, 0) < 0)
        note("output file: %s", strerror(errno));
    remove_in_child(dir);
    if (counting && verdict != FAILED && case_leaks(&before) == FAILED)
        verdict = FAILED;
    return verdict;
}

/* ---- Which cases, in which order ---- */

static bool matches(const struct test_case *t, const char *pattern, bool *exact)
{
    *exact = strcmp(t->name, pattern) == 0;
    if (*exact)
        return true;
    if (strpbrk(pattern, "*?["))
        return fnmatch(pattern, t->name, 0) == 0;
    return strstr(t->name, pattern) != NULL;
}

/* A pattern that is a whole name means that case alone. */
static bool names_a_case(const char *pattern)
{
    for (const struct test_case *const *p = __start_unit_cases; p < __stop_unit_cases; p++)
        if (strcmp((*p)->name, pattern) == 0)
            return true;
    return false;
}

static bool wanted(const struct test_case *t, char **patterns)
{
    if (!*patterns)
        return run_slow || !t->slow;
    for (; *patterns; patterns++) {
        bool exact;

        if (!matches(t, *patterns, &exact))
            continue;
        if (exact || (!names_a_case(*patterns) && (run_slow || !t->slow)))
            return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct test_case *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static void shuffle(void)
{
    for (size_t i = nselected; i > 1; i--) {
        size_t j = rnd() % i;
        const struct test_case *t = selected[i - 1];

        selected[i - 1] = selected[j];
        selected[j] = t;
    }
}

static void select_cases(char **patterns)
{
    for (const struct test_case *const *p = __start_unit_cases; p < __stop_unit_cases; p++)
        if (wanted(*p, patterns) && nselected < MAX_CASES)
            selected[nselected++] = *p;
    qsort(selected, nselected, sizeof(selected[0]), by_name);
    if (shuffled)
        shuffle();
}

/* ---- Random numbers (splitmix64) ---- */

uint64_t rnd(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15ULL);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* ---- Main ---- */

static int run_mode(const char *name, int argc, char **argv)
{
    for (const struct test_mode *const *p = __start_unit_modes; p < __stop_unit_modes; p++)
        if (strcmp((*p)->name, name) == 0)
            return (*p)->run(argc, argv);
    return 127;
}

static void warm_up(void)
{
}

static int run_all(void)
{
    static const struct test_case first = {"warm-up", __FILE__, 60, false, warm_up};
    size_t passed = 0, failed = 0, skipped = 0;
    uint64_t start_seed = seed;

    /* The first run touches what the runner keeps from then on: not to be counted as a leak. */
    leak_check = false;
    case_run(&first);
    leak_check = !getenv("UNIT_NO_LEAK_CHECK");
    for (size_t i = 0; i < nselected; i++) {
        const struct test_case *t = selected[i];
        uint64_t start = now_ns();
        enum verdict v;

        seed = start_seed;
        v = case_run(t);
        passed += v == PASSED;
        failed += v == FAILED;
        skipped += v == SKIPPED_CASE;
        if (v == PASSED && verbose)
            printf("ok %s (%lld ms)\n", t->name, (long long)(now_ns() - start) / 1000000);
        else if (v == PASSED)
            printf("ok %s\n", t->name);
        else if (v == SKIPPED_CASE)
            printf("skip %s: %s\n", t->name, why);
        else
            printf("FAIL %s: %s\n    again: make test T=%s\n", t->name, why, t->name);
        fflush(stdout);
    }
    printf("%zu passed, %zu failed", passed, failed);
    if (skipped)
        printf(", %zu skipped", skipped);
    printf("\n");
    return failed != 0;
}

static void usage(void)
{
    fprintf(stderr, "usage: unit [-l] [-v] [-S] [-L] [-s SEED] [-d DIR] [pattern...]\n"
                    "  -l  list the cases      -v  all output, times  -S  the slow ones too\n"
                    "  -L  no leak check       -s  shuffle with SEED  -d  work below DIR (/tmp)\n");
}

int main(int argc, char **argv)
{
    const char *dir = "/tmp";
    bool list = false;
    int c;

    if (argc > 1 && strncmp(argv[1], "--mode=", 7) == 0)
        return run_mode(argv[1] + 7, argc, argv);
    while ((c = getopt(argc, argv, "lvSLs:d:")) != -1) {
        switch (c) {
        case 'l': list = true; break;
        case 'v': verbose = true; break;
        case 'S': run_slow = true; break;
        case 'L': setenv("UNIT_NO_LEAK_CHECK", "1", 1); break;
        case 's':
            seed = strtoull(optarg, NULL, 0);
            shuffled = true;
            break;
        case 'd': dir = optarg; break;
        default: usage(); return 2;
        }
    }
    self_exe();
    if (shuffled)
        printf("seed %llu\n", (unsigned long long)seed);
    select_cases(argv + optind);
    if (list) {
        for (size_t i = 0; i < nselected; i++)
            printf("%s%s\n", selected[i]->name, selected[i]->slow ? " (slow)" : "");
        return 0;
    }
    snprintf(base_dir, sizeof(base_dir), "%.100s/unit-%d", dir, (int)getpid());
    if (mkdir(base_dir, 0755) < 0) {
        fprintf(stderr, "unit: %s: %s\n", base_dir, strerror(errno));
        return 2;
    }
    output_open();
    int status = run_all();

    rmdir(base_dir);
    return status;
}
