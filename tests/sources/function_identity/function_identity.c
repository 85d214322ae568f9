// A function has one address wherever it is taken and whenever: in bodies, data and assembly, in every file, library
// and plugin, before and after its first call; and the C library gives back what it was given.
//# sources: identity_second.c
//# library: identity_library.c
//# plugin: identity_plugin.c
//# mix
//# link: -rdynamic -ldl -pthread
//# linkers: lld
//# levels: standard nopie
//# prints: everywhere 1 1 1 1
//# prints: in data 1 1 1
//# prints: hash table 6 of 6, again 6
//# prints: signal handler 1 1 ran 1
//# prints: pthread 1 qsort 1 2 3
//# prints: plugin 1 1 1
//# prints: dlsym 1 1
//# prints: weak 1 inline 1 static 1
//# prints: stored 1
//# prints: atexit 1
//# prints: of the C library 1 1 1
//# lazy: in_program
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "identity.h"

int in_program(int x) { return x + 1; }
__attribute__((weak)) int weak_one(int x) { return x + 2; }
static int own(int x) { return x + 3; }
extern inline int in_header(int);
static function *const constant_table[] = {in_program, own, in_second};
static int (*puts_in_data)(const char *) = puts;
static function *variable_table[] = {in_program, in_library};
static struct { const char *name; function *f; } named[] = {{"own", own}, {"library", in_library}};

// Open addressing by address: what is found again depends on addresses that do not change.
static struct { function *key; int value; } hashed[16];
static int *entry(function *key) {
    unsigned at = (unsigned)((uintptr_t)key >> 3) % 16;
    while (hashed[at].key && hashed[at].key != key) at = (at + 1) % 16;
    hashed[at].key = key;
    return &hashed[at].value;
}
static int sum_of_hashed(function *const *keys) {
    int found = 0;
    for (int i = 0; i < 6; i++) found += *entry(keys[i]) == i + 1;
    return found;
}

static volatile sig_atomic_t caught;
static void handler(int number) { caught += number == SIGUSR1; }
static void *start(void *argument) { return argument == (void *)start ? argument : NULL; }
static int comparisons;
static int compare(const void *a, const void *b) { return comparisons++, *(const int *)a - *(const int *)b; }
static function *stored;
static void at_exit(void) { printf("atexit %d\n", stored == in_program && of_second() == in_second); }

int main(void) {
    function *before[] = {in_program, own, in_second, in_library, weak_one, in_header};
    for (int i = 0; i < 6; i++) *entry(before[i]) = i + 1;
    int found = sum_of_hashed(before);
    stored = in_program;
    printf("everywhere %d %d %d %d\n", program_in_second() == in_program, of_second() == in_second,
           program_in_library(in_program), of_library() == in_library);
    printf("in data %d %d %d\n", constant_table[0] == variable_table[0] && constant_table[1] == own,
           table_of_second(0) == in_program && table_of_second(1) == in_second, named[1].f == variable_table[1]);
    int calls = in_program(1) + own(1) + in_second(1) + in_library(1) + weak_one(1) + in_header(1);
    function *after[] = {in_program, own, in_second, in_library, weak_one, in_header};
    printf("hash table %d of %d, again %d\n", found, 6, calls == 27 ? sum_of_hashed(after) : -calls);
    void (*old)(int) = signal(SIGUSR1, handler);
    raise(SIGUSR1);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    printf("signal handler %d %d ran %d\n", old == SIG_DFL, action.sa_handler == handler, (int)caught);
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, start, (void *)start);
    pthread_join(thread, &result);
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof *numbers, compare);
    printf("pthread %d qsort %d %d %d\n", result == (void *)start, numbers[0], numbers[1], numbers[2]);
    void *plugin = dlopen("./libidentity_plugin.so", RTLD_NOW);
    if (!plugin) return fprintf(stderr, "%s\n", dlerror()), 1;
    plugin_check *check = (plugin_check *)dlsym(plugin, "check");
    printf("plugin %d %d %d\n", check(in_program, 0), check(in_library, 1),
           check((function *)dlsym(plugin, "in_plugin"), 2));
    printf("dlsym %d %d\n", dlsym(RTLD_DEFAULT, "in_program") == (void *)in_program,
           dlsym(RTLD_DEFAULT, "in_library") == (void *)in_library);
    printf("weak %d inline %d static %d\n", weak_in_second() == weak_one, inline_in_second() == in_header,
           own_in_second() != own);
    printf("of the C library %d %d %d\n", puts_in_data == puts && puts_in_second() == puts, puts_in_library() == puts,
           (int (*)(const char *))dlsym(RTLD_DEFAULT, "puts") == puts);
    stored = before[0];
    printf("stored %d\n", stored == after[0] && stored == constant_table[0]);
    atexit(at_exit);
    return 0;
}
