// Thread-local variables in every model, in the program, in a library and in one that is opened later, extern, hidden, weak, aligned, in constant
// expressions, with initial values of all sorts; in threads that came before and after the first calls.
//# sources: models.c constants.ll
//# library: models_library.c
//# mix
//# plugin: models_plugin.c
//# link: -pthread -ldl
//# linkers: bfd
//# prints: main first: 11 12 13 14 15
//# prints: thread: 11 12 13 14 15
//# prints: main again: 12 13 14 15 16
//# prints: library: 21 22 23 own 24
//# prints: library thread: 21 22 23 own 24
//# prints: constant expressions 2 20 300 7
//# prints: addresses differ 1 aligned 1
//# prints: pointer 31 32
//# prints: weak 1 common 5
//# prints: large 4096
//# prints: hidden 6
//# prints: early thread 11
//# prints: constants 83 86 12 50
//# prints: opened later 51 62 71 in a thread 51 62 71
//# lazy: address_of from_constants distance from_aggregate
//# stats: compiled >= 12
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>

#include "models.h"

#define MODEL(name) __attribute__((tls_model(name)))

static __thread int local_exec MODEL("local-exec") = 10;
extern __thread int initial_exec MODEL("initial-exec");
extern __thread int local_dynamic;
extern __thread int general_dynamic;
_Thread_local int ordinary = 14;
extern __thread int weak_one __attribute__((weak));
extern __thread int hidden_one __attribute__((visibility("hidden")));
static __thread struct { int a, b[10]; char text[8]; } structure = {2, {[5] = 20, [9] = 300}, "thread"};
static __thread _Alignas(128) char aligned[3];
static __thread int zero;
static __thread int *pointer;
static __thread char large[1 << 16];

static void bump(int *values) {
    values[0] = ++local_exec;
    values[1] = ++initial_exec;
    values[2] = ++local_dynamic;
    values[3] = ++general_dynamic;
    values[4] = ++ordinary;
}
static void print(const char *who) {
    int v[5];
    bump(v);
    printf("%s: %d %d %d %d %d\n", who, v[0], v[1], v[2], v[3], v[4]);
}
static void print_library(const char *who) {
    int a, b, c, own = library_bump(&a, &b, &c);
    printf("%s: %d %d %d own %d\n", who, a, b, c, own);
}
void *address_of(void) { return &zero; }

static int constant_expressions(int i) {
    return i == 0 ? structure.a : i == 1 ? structure.b[5] : i == 2 ? structure.b[9] : structure.text[6] + 7;
}

static void *in_thread(void *argument) {
    print("thread");
    print_library("library thread");
    pointer = argument;
    return address_of();
}
static int (*opened_later)(int *, int *);
static void *call_opened(void *values) {
    int *v = values;
    v[2] = opened_later(&v[0], &v[1]);
    return NULL;
}
static sem_t started, go;
static void *early(void *argument) {
    sem_post(&started);
    sem_wait(&go);
    return printf("early thread %d\n", ++local_exec), argument;
}

int main(void) {
    pthread_t thread, early_thread;
    void *theirs;
    sem_init(&started, 0, 0);
    sem_init(&go, 0, 0);
    pthread_create(&early_thread, NULL, early, NULL);
    sem_wait(&started);
    print("main first");
    pthread_create(&thread, NULL, in_thread, &zero);
    pthread_join(thread, &theirs);
    print("main again");
    print_library("library");
    printf("constant expressions %d %d %d %d\n", constant_expressions(0), constant_expressions(1),
           constant_expressions(2), constant_expressions(3));
    printf("addresses differ %d aligned %d\n", theirs != address_of(), (uintptr_t)aligned % 128 == 0);
    int numbers[2] = {31, 32};
    pointer = numbers;
    printf("pointer %d", *pointer++);
    printf(" %d\n", *pointer);
    printf("weak %d common %d\n", &weak_one != NULL, second_common(5));
    large[4095] = 1;
    int sum = 0;
    for (unsigned i = 0; i < sizeof large; i++) sum += large[i] ? (int)i + 1 : 0;
    printf("large %d\n", sum);
    printf("hidden %d\n", hidden_one);
    int first = from_constants(0), second = from_constants(1);
    printf("constants %d %d %d %d\n", first, second, distance(), from_aggregate());
    void *plugin = dlopen("./libmodels_plugin.so", RTLD_NOW);
    if (!plugin) return fprintf(stderr, "%s\n", dlerror()), 1;
    opened_later = (int (*)(int *, int *))dlsym(plugin, "plugin_bump");
    int ours[3], others[3];
    call_opened(ours);
    pthread_create(&thread, NULL, call_opened, others);
    pthread_join(thread, NULL);
    printf("opened later %d %d %d in a thread %d %d %d\n", ours[0], ours[1], ours[2], others[0], others[1], others[2]);
    sem_post(&go);
    pthread_join(early_thread, NULL);
    return 0;
}
