/* A disk that loses its power, to be preloaded (LD_PRELOAD) into a program under test.
 *
 * It remembers, for each file of one folder, what every sector held when the file was last synced, and which names were made, moved or
 * removed since their folder was. When the power goes, it puts the files into a state that a disk may then be in: all that was not synced is
 * gone, or some of it stays, down to half a page; and ends the process. It syncs nothing to the real disk, so it costs little.
 *
 * POWER_CUT_FOLDER   the folder whose files it watches: an absolute path without links
 * POWER_CUT_SEED     what is kept of that which was not synced
 * POWER_CUT_AT       the power goes before this operation (a write, a sync, a change of a name), counted from 1; in any case when SIGUSR2 comes
 * POWER_CUT_AT_EXIT  set: when the program ends by itself
 * POWER_CUT_LAZY     end of the name of a file whose syncs are put off until another file is written: what SQLite does to its log under
 *                    `synchronous=NORMAL`
 * POWER_CUT_FAIL     end of the name of a file one of whose syncs fails with EIO. As Linux does, the next sync says that all is well; what the
 *                    failed one should have written is gone when the program ends, unless it was written again
 * POWER_CUT_FAIL_AT  which of its syncs, counted from 1
 *
 * Beside the folder it writes FOLDER.cut, a line for each cut: what was not synced, and how much of it stayed. Memory that is mapped is not
 * watched: of SQLite's files that is the index (-shm), which it makes anew after every crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512
#define SECTORS_IN_PAGE 8
#define FDS_MAX 65536

struct file {
    struct file *next;
    dev_t dev;
    ino_t ino;
    int own;            /* never closed: closing any descriptor of a file would drop the locks that SQLite holds on it */
    int is_lazy, fails; /* by its name */
    int owes_sync;      /* a sync of it was put off */
    off_t synced_size;
    off_t grown; /* the size that it was given at one go since the last sync */
    size_t sectors;
    char **before; /* what the sector held at the last sync, where it was written since */
    char *doomed;  /* whether a sync of it failed */
};

enum change { MADE, MOVED, REMOVED };

struct name {
    struct name *older;
    enum change change;
    char folder[PATH_MAX], path[PATH_MAX], from[PATH_MAX], kept[PATH_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files;
static struct name *names;
static struct file *file_of[FDS_MAX];
static char *folder_of[FDS_MAX];
static char folder[PATH_MAX];
static uint64_t random_state;
static long cut_at, operations, syncs, fail_at;
static int cut_at_exit, has_failed, told[2];
static const char *lazy, *fail;

static int (*real_open)(const char *, int, ...);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_mkdir)(const char *, mode_t);

static uint64_t below(uint64_t end) {
    random_state += 0x9e3779b97f4a7c15u;
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % end;
}

static void give_up(const char *what) {
    dprintf(2, "power_cut: %s: %s\n", what, strerror(errno));
    abort();
}

static int ends_with(const char *text, const char *end) {
    size_t have = strlen(text), want = end ? strlen(end) : 0;
    return want > 0 && have >= want && strcmp(text + have - want, end) == 0;
}

/* Whether a path lies in the folder, and not where memory is mapped. */
static int is_watched(const char *path) {
    size_t length = strlen(folder);
    return length > 0 && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0) && !ends_with(path, "-shm");
}

static void absolute(int at, const char *path, char *out) {
    char base[PATH_MAX] = "", link[64];
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
        return;
    }
    if (at == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) give_up("getcwd");
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = readlink(link, base, sizeof base - 1);
        base[length < 0 ? 0 : length] = 0;
    }
    if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) out[0] = 0;
}

static void parent(const char *path, char *out) {
    snprintf(out, PATH_MAX, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash) *slash = 0;
}

/* Whether a path is where the folder's own name is kept. */
static int holds_folder(const char *path) {
    char above[PATH_MAX];
    parent(folder, above);
    return folder[0] && strcmp(path, above) == 0;
}

static off_t size_of(const struct file *file) {
    struct stat now;
    if (fstat(file->own, &now) != 0) give_up("fstat");
    return now.st_size;
}

static struct file *watch(const char *path) {
    struct stat now;
    if (stat(path, &now) != 0 || !S_ISREG(now.st_mode)) return NULL;
    for (struct file *file = files; file; file = file->next)
        if (file->dev == now.st_dev && file->ino == now.st_ino) return file;
    struct file *file = calloc(1, sizeof *file);
    if (!file) give_up("calloc");
    file->dev = now.st_dev;
    file->ino = now.st_ino;
    file->own = real_open(path, O_RDWR | O_CLOEXEC);
    if (file->own < 0) give_up(path);
    file->is_lazy = ends_with(path, lazy);
    file->fails = ends_with(path, fail);
    file->synced_size = now.st_size;
    file->next = files;
    return files = file;
}

/* Remembers what the sectors of a stretch held, before they are written. */
static void remember(struct file *file, off_t from, off_t to) {
    size_t first = from / SECTOR, end = (to + SECTOR - 1) / SECTOR;
    if (end > file->sectors) {
        size_t more = end * 2;
        file->before = realloc(file->before, more * sizeof *file->before);
        file->doomed = realloc(file->doomed, more);
        if (!file->before || !file->doomed) give_up("realloc");
        memset(file->before + file->sectors, 0, (more - file->sectors) * sizeof *file->before);
        memset(file->doomed + file->sectors, 0, more - file->sectors);
        file->sectors = more;
    }
    for (size_t sector = first; sector < end; sector++) {
        file->doomed[sector] = 0;
        if (file->before[sector]) continue;
        char *held = calloc(1, SECTOR);
        if (!held || pread(file->own, held, SECTOR, (off_t)sector * SECTOR) < 0) give_up("pread");
        file->before[sector] = held;
    }
}

static void make_durable(struct file *file) {
    for (size_t sector = 0; sector < file->sectors; sector++)
        if (file->before[sector] && !file->doomed[sector]) {
            free(file->before[sector]);
            file->before[sector] = NULL;
        }
    file->synced_size = size_of(file);
    file->grown = 0;
    file->owes_sync = 0;
}

static void note(enum change change, const char *path, const char *from) {
    static int kept;
    struct name *name = calloc(1, sizeof *name);
    if (!name) give_up("calloc");
    name->change = change;
    parent(path, name->folder);
    snprintf(name->path, PATH_MAX, "%s", path);
    if (from) snprintf(name->from, PATH_MAX, "%s", from);
    if (change != MADE && access(path, F_OK) == 0) {
        if (snprintf(name->kept, PATH_MAX, "%s.kept/%d-%d", folder, getpid(), kept++) >= PATH_MAX) give_up("a long path");
        if (link(path, name->kept) != 0) give_up(name->kept);
    }
    name->older = names;
    names = name;
}

static void undo(const struct name *name) {
    static int gone;
    char aside[PATH_MAX];
    switch (name->change) {
    case MADE:
        if (snprintf(aside, PATH_MAX, "%s.kept/gone-%d-%d", folder, getpid(), gone++) >= PATH_MAX) give_up("a long path");
        real_rename(name->path, aside);
        break;
    case MOVED:
        real_rename(name->path, name->from);
        if (name->kept[0]) real_rename(name->kept, name->path);
        break;
    case REMOVED:
        real_rename(name->kept, name->path);
        break;
    }
}

/* Leaves of what was not synced in a file as much as a disk may: nothing, or some sectors. A size that a file was given is a change of one
 * place, as a name is: it has that size or the one before; what was written behind the end has the file grow sector by sector. */
static void lose(struct file *file, int everything, long *unsynced, long *stayed) {
    off_t size = size_of(file), end = file->synced_size, grown = file->grown < size ? file->grown : size;
    if (end < grown && !everything && below(2)) end = grown;
    for (size_t page = 0; page < file->sectors; page += SECTORS_IN_PAGE) {
        uint64_t way = everything ? 0 : below(4);
        for (size_t sector = page; sector < page + SECTORS_IN_PAGE && sector < file->sectors; sector++) {
            if (!file->before[sector]) continue;
            off_t at = (off_t)sector * SECTOR;
            int stays = way == 1 || (way == 2 && sector < page + SECTORS_IN_PAGE / 2) || (way == 3 && below(2));
            ++*unsynced;
            if (stays && at < size && !file->doomed[sector]) {
                ++*stayed;
                off_t reach = at < grown ? grown : (at + SECTOR > size ? size : at + SECTOR);
                if (end < reach && at + SECTOR > file->synced_size) end = reach;
            } else if (real_pwrite(file->own, file->before[sector], SECTOR, at) < 0) {
                give_up("pwrite");
            }
        }
    }
    if (real_ftruncate(file->own, end) != 0) give_up("ftruncate");
}

static void lose_what_was_not_synced(int everything) {
    long unsynced = 0, stayed = 0, changes = 0, undone = 0;
    char path[PATH_MAX + 8], line[256];
    for (struct file *file = files; file; file = file->next)
        lose(file, everything, &unsynced, &stayed);
    for (struct name *name = names; name; name = name->older)
        changes++;
    /* Names change in order, as a file system with a journal keeps them: the newest are undone. */
    long undo_to = everything || changes == 0 ? changes : (long)below(changes + 1);
    for (struct name *name = names; name && undone < undo_to; name = name->older, undone++)
        undo(name);
    snprintf(path, sizeof path, "%s.cut", folder);
    int out = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int length = snprintf(line, sizeof line, "operations=%ld unsynced=%ld stayed=%ld names=%ld undone=%ld\n", operations, unsynced, stayed, changes, undone);
    if (out < 0 || real_write(out, line, length) != length) give_up(path);
}

static void cut(void) {
    lose_what_was_not_synced(below(2));
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts an operation, before it is done. */
static void begin(void) {
    pthread_mutex_lock(&lock);
    if (++operations == cut_at) cut();
}

static void end(void) { pthread_mutex_unlock(&lock); }

static void on_told(int signal) {
    int saved = errno;
    char byte = (char)signal;
    if (real_write(told[1], &byte, 1) != 1) abort();
    errno = saved;
}

static void *wait_until_told(void *unused) {
    char byte;
    while (read(told[0], &byte, 1) != 1) {
    }
    pthread_mutex_lock(&lock);
    cut();
    return unused;
}

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

#define REAL(name) (real_##name = (__typeof__(real_##name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
    REAL(open), REAL(openat), REAL(close), REAL(write), REAL(pwrite), REAL(writev), REAL(ftruncate);
    REAL(fsync), REAL(fdatasync), REAL(rename), REAL(unlink), REAL(mkdir);
    const char *watched = getenv("POWER_CUT_FOLDER");
    if (!watched) return;
    char kept[PATH_MAX + 8];
    snprintf(kept, sizeof kept, "%s.kept", watched);
    real_mkdir(kept, 0700);
    random_state = (uint64_t)number("POWER_CUT_SEED");
    cut_at = number("POWER_CUT_AT");
    cut_at_exit = getenv("POWER_CUT_AT_EXIT") != NULL;
    lazy = getenv("POWER_CUT_LAZY");
    fail = getenv("POWER_CUT_FAIL");
    fail_at = number("POWER_CUT_FAIL_AT");
    snprintf(folder, sizeof folder, "%s", watched);
    pthread_t waiting;
    if (pipe2(told, O_CLOEXEC) != 0 || pthread_create(&waiting, NULL, wait_until_told, NULL) != 0) give_up("a thread");
    signal(SIGUSR2, on_told);
}

__attribute__((destructor)) static void stop(void) {
    if (!folder[0] || !(has_failed || cut_at_exit)) return;
    pthread_mutex_lock(&lock);
    lose_what_was_not_synced(1);
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    absolute(at, path, whole);
    if (!is_watched(whole) && !holds_folder(whole)) return real_openat(at, path, flags, mode);
    int writes = (flags & O_ACCMODE) != O_RDONLY;
    pthread_mutex_lock(&lock);
    int exists = access(whole, F_OK) == 0;
    if (writes && exists && (flags & O_TRUNC)) {
        struct file *file = watch(whole);
        if (file) remember(file, 0, size_of(file));
    }
    if (!exists && (flags & O_CREAT) && ++operations == cut_at) cut();
    int fd = real_openat(at, path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX) {
        struct stat now;
        if (!exists && (flags & O_CREAT)) note(MADE, whole, NULL);
        if (fstat(fd, &now) == 0 && S_ISDIR(now.st_mode))
            folder_of[fd] = strdup(whole);
        else if (writes)
            file_of[fd] = watch(whole);
    }
    end();
    return fd;
}

#define MODE                              \
    mode_t mode = 0;                      \
    if (flags & (O_CREAT | O_TMPFILE)) {  \
        va_list rest;                     \
        va_start(rest, flags);            \
        mode = va_arg(rest, mode_t);      \
        va_end(rest);                     \
    }

int open(const char *path, int flags, ...) {
    MODE return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE return opened(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE return opened(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE return opened(at, path, flags, mode);
}

int close(int fd) {
    if (fd >= 0 && fd < FDS_MAX && (file_of[fd] || folder_of[fd])) {
        pthread_mutex_lock(&lock);
        file_of[fd] = NULL;
        free(folder_of[fd]);
        folder_of[fd] = NULL;
        int done = real_close(fd);
        end();
        return done;
    }
    return real_close(fd);
}

static struct file *watched(int fd) { return fd >= 0 && fd < FDS_MAX ? file_of[fd] : NULL; }

/* Before another file is written, what was put off is done: so a log is on the disk before what it describes. */
static void writes(struct file *file, off_t from, off_t to) {
    for (struct file *other = files; other && !file->is_lazy; other = other->next)
        if (other->owes_sync) make_durable(other);
    remember(file, from, to);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    struct file *file = watched(fd);
    if (!file) return real_pwrite(fd, bytes, count, at);
    begin();
    writes(file, at, at + (off_t)count);
    ssize_t done = real_pwrite(fd, bytes, count, at);
    end();
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) { return pwrite(fd, bytes, count, at); }

static off_t place(int fd, const struct file *file) {
    return fcntl(fd, F_GETFL) & O_APPEND ? size_of(file) : lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    struct file *file = watched(fd);
    if (!file) return real_write(fd, bytes, count);
    begin();
    off_t at = place(fd, file);
    writes(file, at, at + (off_t)count);
    ssize_t done = real_write(fd, bytes, count);
    end();
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct file *file = watched(fd);
    if (!file) return real_writev(fd, parts, count);
    begin();
    off_t at = place(fd, file), length = 0;
    for (int part = 0; part < count; part++) length += (off_t)parts[part].iov_len;
    writes(file, at, at + length);
    ssize_t done = real_writev(fd, parts, count);
    end();
    return done;
}

int ftruncate(int fd, off_t length) {
    struct file *file = watched(fd);
    if (!file) return real_ftruncate(fd, length);
    begin();
    off_t size = size_of(file);
    writes(file, length < size ? length : size, length < size ? size : length);
    int done = real_ftruncate(fd, length);
    if (length > size) file->grown = length;
    end();
    return done;
}

int ftruncate64(int fd, off_t length) { return ftruncate(fd, length); }

static int synced(int fd, int (*real)(int)) {
    struct file *file = watched(fd);
    const char *path = fd >= 0 && fd < FDS_MAX ? folder_of[fd] : NULL;
    if (!file && !path) return real(fd);
    begin();
    int done = 0;
    if (file && file->fails && ++syncs == fail_at) {
        has_failed = 1;
        for (size_t sector = 0; sector < file->sectors; sector++)
            if (file->before[sector]) file->doomed[sector] = 1;
        errno = EIO;
        done = -1;
    } else if (file && file->is_lazy && file->sectors && !file->before[0]) {
        /* What begins it anew is synced at once, even under NORMAL: the first sector holds its head. */
        file->owes_sync = 1;
    } else if (file) {
        make_durable(file);
    } else {
        for (struct name **name = &names; *name;)
            if (strcmp((*name)->folder, path) == 0) {
                struct name *durable = *name;
                *name = durable->older;
                if (durable->kept[0]) real_unlink(durable->kept);
                free(durable);
            } else {
                name = &(*name)->older;
            }
    }
    int error = errno;
    end();
    errno = error;
    return done;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int rename(const char *from, const char *to) {
    char whole_from[PATH_MAX], whole_to[PATH_MAX];
    absolute(AT_FDCWD, from, whole_from);
    absolute(AT_FDCWD, to, whole_to);
    if (!is_watched(whole_to)) return real_rename(from, to);
    begin();
    note(MOVED, whole_to, whole_from);
    int done = real_rename(from, to);
    end();
    return done;
}

int unlink(const char *path) {
    char whole[PATH_MAX];
    absolute(AT_FDCWD, path, whole);
    if (!is_watched(whole) || access(whole, F_OK) != 0) return real_unlink(path);
    begin();
    note(REMOVED, whole, NULL);
    int done = real_unlink(path);
    end();
    return done;
}

int mkdir(const char *path, mode_t mode) {
    char whole[PATH_MAX];
    absolute(AT_FDCWD, path, whole);
    if (!is_watched(whole) || access(whole, F_OK) == 0) return real_mkdir(path, mode);
    begin();
    int done = real_mkdir(path, mode);
    if (done == 0) note(MADE, whole, NULL);
    end();
    return done;
}
